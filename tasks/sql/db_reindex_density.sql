-- How full are the leaf pages of these B-trees, from 0 to 1? PostgreSQL 12 to 18.
-- Needs: the extension pgstattuple and pg_stat_scan_tables.
-- Reads each of them whole.
SELECT n.nspname AS schema,
       c.relname AS name,
       (pgstatindex(c.oid::regclass)).avg_leaf_density / 100 AS leaf_density
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
WHERE c.oid = ANY (%(indexes)s::oid[])
  AND c.relkind = 'i'
  AND i.indisvalid
  AND a.amname = 'btree'
