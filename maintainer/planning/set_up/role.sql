-- The role that maintenance logs in as. PostgreSQL 12 to 18. For psql as a superuser, in the archive's database.
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I LOGIN', :'role'), format('COMMENT ON ROLE %I IS %L', :'role', :'mark')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT rolsuper AS too_wide FROM pg_roles WHERE rolname = :'role' \gset
\if :too_wide
-- An error on purpose: it ends everything here.
SELECT 'this role is a superuser: name another one in the inventory'::int;
\endif
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec
-- To see other sessions' transactions, and to measure indexes.
GRANT pg_monitor, pg_stat_scan_tables TO :"role";
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM pg_available_extensions
WHERE name IN ('amcheck', 'pgstattuple') \gexec
-- To read tables and indexes for damage, which nobody but superusers may until it is granted.
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'role')
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
WHERE e.extname = 'amcheck' AND p.proname IN ('bt_index_check', 'verify_heapam') \gexec
-- To vacuum and to rebuild indexes: a right of its own from 17 on; before that, only the tables' owner may.
SELECT current_setting('server_version_num')::int >= 170000 AS has_maintain \gset
\if :has_maintain
GRANT pg_maintain TO :"role";
\else
SELECT DISTINCT format('GRANT %I TO %I', o.rolname, :'role')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_roles AS o ON o.oid = c.relowner
WHERE c.relkind IN ('r', 'p', 'm')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT o.rolsuper AND o.rolname <> :'role' \gexec
\endif
-- To name tables in schemas that are not open to all, and to see which sequences come near to their end.
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, :'role')
FROM pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT has_schema_privilege(:'role', n.oid, 'USAGE')
  AND (EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'm'))
       OR EXISTS (SELECT FROM pg_extension AS e WHERE e.extnamespace = n.oid AND e.extname IN ('amcheck', 'pgstattuple')))
\gexec
SELECT format('GRANT SELECT ON SEQUENCE %s TO %I', c.oid::regclass, :'role')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(:'role', c.oid, 'USAGE, SELECT') END \gexec
-- To compare the archive's index with its store: these tables, if they are here.
SELECT format('GRANT SELECT ON %s TO %I', to_regclass(t.name), :'role')
FROM unnest(string_to_array(:'tables', ',')) AS t(name)
WHERE to_regclass(t.name) IS NOT NULL \gexec
