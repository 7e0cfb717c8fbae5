-- Which unfinished indexes of concurrent rebuilds lie beside an index? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT c.oid::bigint AS id,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
FROM pg_index AS rebuilt
JOIN pg_index AS i ON i.indrelid = rebuilt.indrelid
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE rebuilt.indexrelid = to_regclass(%(index)s)
  AND NOT i.indisvalid
  AND c.relname ~ '_cc(new|old)[0-9]*$'
