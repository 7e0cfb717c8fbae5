-- How many bytes of WAL has this session written, its parallel workers with it? PostgreSQL 18. Needs: CONNECT.
-- Of what was reported: pg_stat_force_next_flush() before it, as a statement of its own.
SELECT wal_bytes::bigint AS bytes
FROM pg_stat_get_backend_wal(pg_backend_pid())
