-- How much WAL lies there, how much does the server mean to keep, and does archiving fail? PostgreSQL 12 to 18.
-- Needs: pg_monitor. What is kept on purpose has had another name, and another unit, before 13: it is left out there.
SELECT coalesce(sum(w.size), 0)::bigint AS bytes,
       pg_size_bytes(current_setting('max_wal_size'))
           + coalesce(pg_size_bytes(current_setting('wal_keep_size', true)), 0) AS meant_bytes,
       (SELECT last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver) IS TRUE AS archiving_fails
FROM pg_ls_waldir() AS w
