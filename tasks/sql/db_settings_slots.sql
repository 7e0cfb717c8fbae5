-- How much WAL is kept for each replication slot, is it there yet, and of how many transactions are dead rows?
-- PostgreSQL 12 to 18. Needs: CONNECT. A logical slot keeps those of the catalogs only.
-- Whether its WAL is there is known from 13 on, why a slot is of no use any more on 16 in part, from 17 on in words.
SELECT slot_name AS name,
       active,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                       restart_lsn)::bigint AS bytes,
       greatest(age(xmin), age(catalog_xmin)) AS transactions,
       CASE WHEN invalid IS NOT NULL THEN 'lost' ELSE known ->> 'wal_status' END AS wal,
       invalid AS because
FROM (SELECT *, to_jsonb(s) AS known FROM pg_replication_slots AS s) AS slots
CROSS JOIN LATERAL (
    SELECT coalesce(known ->> 'invalidation_reason',
                    CASE WHEN (known ->> 'conflicting')::boolean THEN 'conflict with recovery' END,
                    CASE WHEN known ->> 'wal_status' = 'lost' THEN 'wal_removed' END) AS invalid) AS fate
WHERE coalesce(restart_lsn::text, xmin::text, catalog_xmin::text, invalid) IS NOT NULL
ORDER BY invalid IS NULL, bytes DESC NULLS LAST
LIMIT 1000
