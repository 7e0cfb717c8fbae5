-- How full are the leaf pages of B-trees, from 0 to 1, and how full would a new build be, where that was chosen?
-- PostgreSQL 12 to 18.
-- Needs: the extension pgstattuple and pg_stat_scan_tables.
-- Reads each index once, and no more than a size in all: those first that take most bytes a row.
SELECT schema,
       name,
       (pgstatindex(oid::regclass)).avg_leaf_density / 100 AS leaf_density,
       (SELECT option_value::float / 100 FROM pg_options_to_table(reloptions) WHERE option_name = 'fillfactor') AS fillfactor
FROM (SELECT n.nspname AS schema,
             c.relname AS name,
             c.oid,
             c.reloptions,
             sum(pg_relation_size(c.oid)) OVER (ORDER BY pg_relation_size(c.oid) / greatest(c.reltuples, 1) DESC, c.oid)
                 AS bytes_up_to_here
      FROM pg_index AS i
      JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_am AS a ON a.oid = c.relam
      WHERE c.relkind = 'i'
        AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND NOT i.indisexclusion
        AND i.indisvalid
        AND a.amname = 'btree'
        AND pg_relation_size(c.oid) BETWEEN %(smallest)s AND %(measure_up_to)s
      OFFSET 0) AS candidates
WHERE bytes_up_to_here <= %(measure_up_to)s
LIMIT 5000
