-- Which indexes are sorted by the database's own collation, if the system has another version of it than when the
-- database was made? PostgreSQL 15 to 18; before, nobody wrote down which version that was. Needs: CONNECT.
SELECT 'default' AS collation,
       d.datcollversion AS recorded,
       pg_database_collation_actual_version(d.oid) AS actual,
       n.nspname AS schema,
       c.relname AS index
FROM pg_database AS d
JOIN pg_index AS i ON 100 = ANY (i.indcollation)
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE d.datname = current_database()
  AND d.datcollversion IS NOT NULL
  AND d.datcollversion IS DISTINCT FROM pg_database_collation_actual_version(d.oid)
  AND c.relkind = 'i'
  AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname
LIMIT 50000
