-- Which tables hold dead rows, and how many? PostgreSQL 12 to 18. Needs: CONNECT; pg_read_all_stats is not needed for these columns.
SELECT schemaname AS schema,
       relname AS name,
       n_live_tup AS live_rows,
       n_dead_tup AS dead_rows,
       pg_table_size(relid) AS bytes
FROM pg_stat_user_tables
WHERE n_dead_tup > 0
  AND pg_table_size(relid) >= %(smallest)s
ORDER BY n_dead_tup DESC
LIMIT 1000
