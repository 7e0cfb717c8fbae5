-- Which locks has somebody waited for long, and which strong ones does a long transaction hold? PostgreSQL 12 to 18.
-- Needs: pg_monitor, without which `seconds` is NULL: since when is unknown.
-- Since when one waits is known from 14 on; before, since when its statement runs. Since when one is held, nobody writes
-- down: it is no longer than its transaction. What a session runs is not asked, and its own temporary tables do not count.
SELECT l.granted,
       n.nspname AS schema,
       c.relname AS name,
       l.locktype AS kind,
       (array_agg(l.mode ORDER BY seconds DESC NULLS LAST))[1] AS mode,
       (array_agg(a.application_name ORDER BY seconds DESC NULLS LAST))[1]::text AS application,
       max(seconds) AS seconds,
       count(DISTINCT l.pid) AS sessions
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_class AS c ON l.locktype IN ('relation', 'tuple') AND c.oid = l.relation
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM clock_timestamp() - CASE
               WHEN l.granted THEN a.xact_start
               ELSE coalesce((to_jsonb(l) ->> 'waitstart')::timestamptz, a.query_start) END)::float AS seconds) AS s
WHERE a.datname = current_database()
  AND l.pid <> pg_backend_pid()
  AND NOT starts_with(a.application_name, 'maintainer ')
  AND (NOT l.granted
       OR l.locktype = 'relation' AND c.relpersistence <> 't'
          AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
  AND (seconds IS NULL OR seconds >= %(longest_lock)s)
GROUP BY l.granted, n.nspname, c.relname, l.locktype
ORDER BY l.granted, seconds DESC NULLS LAST, schema, name
LIMIT 100
