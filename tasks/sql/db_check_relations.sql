-- Which tables and B-tree indexes are there to be checked, and how much must be read for it? PostgreSQL 12 to 18.
-- Needs: CONNECT. Catalogs and TOAST tables are checked too; what holds nothing is not. Temporary relations belong to their
-- sessions, and what is not logged cannot be read on a standby.
SELECT n.nspname AS schema,
       c.relname AS name,
       c.oid::bigint AS oid,
       CASE WHEN c.relkind = 'i' THEN 'index' ELSE 'table' END AS kind,
       pg_relation_size(c.oid) + CASE WHEN c.relkind = 'i' THEN pg_relation_size(i.indrelid) ELSE 0 END AS bytes,
       t.relname AS table,
       CASE WHEN c.relkind <> 'i' THEN false
            WHEN current_setting('server_version_num')::int >= 170000
            THEN has_table_privilege(t.oid, 'MAINTAIN')
            ELSE pg_has_role(t.relowner, 'USAGE') END AS permitted
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
JOIN pg_class AS t ON t.oid = coalesce(i.indrelid, c.oid)
WHERE (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready
       OR c.relkind IN ('r', 'm', 't') AND a.amname = 'heap')
  AND c.relpersistence <> 't'
  AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
  AND pg_relation_size(t.oid) > 0
LIMIT 200000
