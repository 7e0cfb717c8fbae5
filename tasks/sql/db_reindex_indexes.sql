-- How full are the indexes, and which are left over from an earlier rebuild? PostgreSQL 12 to 18.
-- Needs: CONNECT; for leaf_density also the extension pgstattuple and the role pg_stat_scan_tables: without them it is NULL.
-- The function is called by name through query_to_xml, because a query that names it does not parse where it is missing.
WITH extension AS (
    SELECT quote_ident(nspname) || '.pgstatindex' AS function,
           has_function_privilege(p.oid, 'EXECUTE') AS allowed
    FROM pg_extension AS e
    JOIN pg_proc AS p ON p.pronamespace = e.extnamespace AND p.proname = 'pgstatindex'
    JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'pgstattuple' AND p.proargtypes[0] = 'regclass'::regtype
), candidate AS (
    SELECT i.indexrelid, i.indisvalid, n.nspname, c.relname, c.reltuples, a.amname,
           pg_relation_size(c.oid) AS bytes
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_am AS a ON a.oid = c.relam
    WHERE c.relkind = 'i'
      AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND NOT i.indisexclusion
)
SELECT nspname AS schema,
       relname AS name,
       bytes,
       reltuples AS rows,
       indisvalid AS valid,
       CASE WHEN amname = 'btree' AND indisvalid AND bytes BETWEEN %(smallest)s AND %(measure_up_to)s
                 AND (SELECT allowed FROM extension)
            THEN (xpath('/row/leaf/text()', query_to_xml(
                     format('SELECT avg_leaf_density AS leaf FROM %%s(%%s)', (SELECT function FROM extension), indexrelid),
                     false, true, '')))[1]::text::float / 100
       END AS leaf_density
FROM candidate
WHERE amname IN ('btree', 'hash', 'gist', 'gin', 'spgist')
  AND (bytes >= %(smallest)s OR NOT indisvalid)
ORDER BY bytes DESC
LIMIT 5000
