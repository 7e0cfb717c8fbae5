-- Whom does a session keep waiting, by a lock that it holds or waits for before them, and for how many seconds now?
-- PostgreSQL 12 to 18; before 14 it is not known since when. Needs: CONNECT; what kind a session is of: pg_read_all_stats.
WITH waiting AS MATERIALIZED (
    SELECT pid, min((to_jsonb(l) ->> 'waitstart')::timestamptz) AS since
    FROM pg_locks AS l
    WHERE NOT granted
    GROUP BY pid
)
SELECT w.pid,
       coalesce(a.application_name, '') AS name,
       coalesce(a.backend_type, CASE WHEN a.usesysid IS NULL THEN 'background' ELSE 'client backend' END) AS kind,
       extract(epoch FROM clock_timestamp() - w.since)::float AS seconds
FROM waiting AS w
LEFT JOIN pg_stat_activity AS a ON a.pid = w.pid
WHERE %(pid)s = ANY (pg_blocking_pids(w.pid))
