-- How often were the clinic's statements called in this database, and how long did they take? PostgreSQL 12 to 18.
-- Needs: the extension pg_stat_statements, and pg_read_all_stats to tell one statement from another. Texts are not asked for.
-- Of those that took most of the time; ours are left out. Before PostgreSQL 13 the columns had other names.
SELECT concat_ws(' ', s ->> 'userid', s ->> 'queryid', s ->> 'toplevel') AS key,
       (s ->> 'calls')::bigint AS calls,
       coalesce(s ->> 'total_exec_time', s ->> 'total_time')::float AS total,
       coalesce(s ->> 'stddev_exec_time', s ->> 'stddev_time')::float AS stddev
FROM {schema}.pg_stat_statements(false) AS statement
CROSS JOIN LATERAL to_jsonb(statement) AS s
WHERE statement.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND statement.userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
  AND statement.calls >= 20
  AND statement.queryid IS NOT NULL
ORDER BY total DESC
LIMIT 200
