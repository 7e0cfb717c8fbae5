-- What may the role that maintenance logs in as do, and on which server? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_number,
       current_user::text AS role,
       r.rolsuper AS superuser,
       array_remove(ARRAY[CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                          CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                          CASE WHEN r.rolreplication THEN 'REPLICATION' END,
                          CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END], NULL)::text[] AS attributes,
       ARRAY(SELECT rolname::text
             FROM pg_roles
             WHERE rolname LIKE 'pg\_%' AND pg_has_role(r.oid, oid, 'USAGE')
             ORDER BY rolname) AS memberships,
       tables.all_of_them AS tables,
       tables.owned AS tables_owned,
       tables.owners AS owners
FROM pg_roles AS r,
     LATERAL (SELECT count(*) AS all_of_them,
                     count(*) FILTER (WHERE pg_has_role(r.oid, c.relowner, 'USAGE')) AS owned,
                     ARRAY(SELECT DISTINCT o.rolname::text
                           FROM pg_class AS x
                           JOIN pg_namespace AS y ON y.oid = x.relnamespace
                           JOIN pg_roles AS o ON o.oid = x.relowner
                           WHERE x.relkind IN ('r', 'p', 'm')
                             AND y.nspname !~ '^pg_' AND y.nspname <> 'information_schema'
                             AND NOT o.rolsuper AND NOT pg_has_role(r.oid, o.oid, 'USAGE')
                           ORDER BY 1
                           LIMIT 5) AS owners
              FROM pg_class AS c
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p', 'm')
                AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') AS tables
WHERE r.rolname = current_user
