-- How much WAL is kept for each replication slot, and of how many transactions are dead rows? PostgreSQL 12 to 18.
-- Needs: CONNECT. A logical slot keeps those of the catalogs only.
SELECT slot_name AS name,
       active,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                       restart_lsn)::bigint AS bytes,
       greatest(age(xmin), age(catalog_xmin)) AS transactions
FROM pg_replication_slots
WHERE coalesce(restart_lsn::text, xmin::text, catalog_xmin::text) IS NOT NULL
ORDER BY bytes DESC NULLS LAST
LIMIT 1000
