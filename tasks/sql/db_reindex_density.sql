-- How full are the leaf pages of B-trees, from 0 to 1? Reads each index once, so only those up to a size.
-- PostgreSQL 12 to 18. Needs: the extension pgstattuple and pg_stat_scan_tables.
SELECT n.nspname AS schema,
       c.relname AS name,
       (pgstatindex(c.oid::regclass)).avg_leaf_density / 100 AS leaf_density
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
WHERE c.relkind = 'i'
  AND c.relpersistence = 'p'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND NOT i.indisexclusion
  AND i.indisvalid
  AND a.amname = 'btree'
  AND pg_relation_size(c.oid) BETWEEN %(smallest)s AND %(measure_up_to)s
ORDER BY pg_relation_size(c.oid) DESC
LIMIT 5000
