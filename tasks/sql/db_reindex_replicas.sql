-- How many bytes of WAL has each standby yet to replay, and does each replication slot keep? PostgreSQL 12 to 18.
-- Needs: pg_monitor. On a standby there is none that it could tell of.
SELECT 'standby' AS kind,
       application_name::text AS name,
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS behind_bytes
FROM pg_stat_replication
WHERE NOT pg_is_in_recovery()
UNION ALL
SELECT 'slot',
       slot_name::text,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)
FROM pg_replication_slots
WHERE restart_lsn IS NOT NULL
  AND NOT pg_is_in_recovery()
