-- May maintenance run on this server now, and how gently? PostgreSQL 12 to 18.
-- Needs: pg_monitor, to see the transactions of other roles.
-- Who works with many short statements is seldom found at one: what ended a second ago counts as well.
-- VACUUM cannot remove what an open transaction may still see; REINDEX CONCURRENTLY waits for every older snapshot.
SELECT pg_is_in_recovery() AS standby,
       current_setting('server_version_num')::int AS version,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all_sessions,
       coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
                FILTER (WHERE datname = current_database()), 0)::float AS oldest_transaction_seconds,
       count(*) FILTER (WHERE (state = 'active' OR state_change > clock_timestamp() - interval '1 s')
                          AND NOT starts_with(application_name, 'maintainer ')) AS active_clients,
       current_setting('track_counts')::boolean AS counts_rows,
       current_setting('max_prepared_transactions')::int > 0 AS prepares_transactions
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
  AND backend_type = 'client backend'
