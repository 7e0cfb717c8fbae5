-- Which tables have changed since they were last analyzed, and how much? PostgreSQL 12 to 18. Needs: CONNECT.
-- Autovacuum never analyzes a partitioned table itself, only its partitions: one that it has analyzed a day later or more
-- has changed since, and the rows of all of it count. When somebody analyzed such a table is known from 14 on. Foreign
-- tables are read over a network when they are analyzed, temporary ones belong to their session: both are left out.
-- The statistics of a table are lost in a crash, a failover, a restore or a reset: then it has had more rows at its last
-- VACUUM or ANALYZE than were ever counted as inserted, and of neither is there a record. What has changed, nobody knows.
SELECT n.nspname AS schema,
       c.relname AS name,
       c.relkind = 'p' AS partitioned,
       CASE WHEN c.relkind = 'p' THEN p.live_rows ELSE pg_stat_get_live_tuples(c.oid) END AS live_rows,
       CASE WHEN c.relkind = 'p' THEN p.rows_since ELSE pg_stat_get_mod_since_analyze(c.oid) END AS changed_rows,
       s.counted,
       CASE WHEN s.counted THEN 0 ELSE c.reltuples END AS rows_once,
       extract(epoch FROM now() - greatest(pg_stat_get_last_analyze_time(c.oid),
                                           pg_stat_get_last_autoanalyze_time(c.oid)))::float AS analyzed_seconds,
       CASE WHEN pg_has_role(d.datdba, 'USAGE') THEN true
            WHEN current_setting('server_version_num')::int >= 170000
            THEN has_table_privilege(c.oid, 'MAINTAIN')
            ELSE pg_has_role(c.relowner, 'USAGE') END AS permitted
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_database AS d ON d.datname = current_database()
CROSS JOIN LATERAL (
    SELECT pg_is_in_recovery()
        OR coalesce(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid),
                    pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NOT NULL
        OR c.reltuples <= pg_stat_get_tuples_inserted(c.oid) AS counted) AS s
LEFT JOIN LATERAL (
    SELECT sum(pg_stat_get_live_tuples(t.relid)) AS live_rows,
           sum(CASE WHEN pg_stat_get_last_analyze_time(c.oid) IS NULL
                      OR greatest(pg_stat_get_last_analyze_time(t.relid), pg_stat_get_last_autoanalyze_time(t.relid))
                         > pg_stat_get_last_analyze_time(c.oid) + interval '1 day'
                    THEN pg_stat_get_live_tuples(t.relid)
                    ELSE pg_stat_get_mod_since_analyze(t.relid) END) AS rows_since
    FROM pg_partition_tree(c.oid) AS t
    WHERE t.isleaf) AS p ON c.relkind = 'p'
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND c.relpersistence <> 't'
  AND (c.relkind IN ('r', 'm') AND pg_stat_get_mod_since_analyze(c.oid) >= %(at_least)s
       OR c.relkind IN ('r', 'm') AND NOT s.counted AND c.reltuples >= %(at_least)s
       OR c.relkind = 'p' AND p.rows_since >= %(at_least)s AND current_setting('server_version_num')::int >= 140000)
ORDER BY changed_rows DESC
LIMIT 1000
