-- How much WAL is kept for each replication slot? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT slot_name AS name,
       active,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                       restart_lsn)::bigint AS bytes
FROM pg_replication_slots
WHERE restart_lsn IS NOT NULL
ORDER BY bytes DESC NULLS LAST
