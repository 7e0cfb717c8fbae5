-- What keeps VACUUM from removing dead rows, besides the transactions of sessions, and since when?
-- PostgreSQL 12 to 18. Needs: pg_monitor.
SELECT 'prepared' AS kind,
       owner::text AS name,
       extract(epoch FROM clock_timestamp() - prepared)::float AS seconds,
       age(transaction) AS transactions
FROM pg_prepared_xacts
WHERE database = current_database()
UNION ALL
SELECT 'slot', slot_name::text, NULL, age(xmin)
FROM pg_replication_slots
WHERE xmin IS NOT NULL
UNION ALL
SELECT 'standby', application_name::text, NULL, age(backend_xmin)
FROM pg_stat_replication
WHERE backend_xmin IS NOT NULL
