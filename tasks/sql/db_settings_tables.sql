-- Which tables has somebody taken out of autovacuum? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT n.nspname AS schema,
       c.relname AS name
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm')
  AND c.relpersistence = 'p'
  AND EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
              WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean)
ORDER BY schema, name
LIMIT 1000
