-- How large are the indexes, and which are left over from an earlier rebuild? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT n.nspname AS schema,
       c.relname AS name,
       pg_relation_size(c.oid) AS bytes,
       c.reltuples AS rows,
       i.indisvalid AS valid
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
WHERE c.relkind = 'i'
  AND c.relpersistence = 'p'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND NOT i.indisexclusion
  AND a.amname IN ('btree', 'hash', 'gist', 'gin', 'spgist')
  AND (pg_relation_size(c.oid) >= %(smallest)s OR NOT i.indisvalid)
ORDER BY bytes DESC
LIMIT 5000
