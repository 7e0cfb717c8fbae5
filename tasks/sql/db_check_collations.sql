-- Which indexes are sorted by a collation of which the system has another version than when it was made?
-- PostgreSQL 12 to 18. Needs: CONNECT. The database's own collation has the number 100 here, and no version.
SELECT l.collname::text AS collation,
       l.collversion AS recorded,
       pg_collation_actual_version(l.oid) AS actual,
       n.nspname AS schema,
       c.relname AS index
FROM pg_collation AS l
JOIN pg_index AS i ON l.oid = ANY (i.indcollation)
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.collversion IS NOT NULL
  AND l.collversion IS DISTINCT FROM pg_collation_actual_version(l.oid)
  AND c.relkind = 'i'
  AND c.relpersistence <> 't'
ORDER BY l.collname, n.nspname, c.relname
LIMIT 50000
