-- How many bytes of WAL has the server written since it was made? PostgreSQL 12 to 17. Needs: CONNECT.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS bytes
