-- Which tables have changed since they were last analyzed, and how much? PostgreSQL 12 to 18. Needs: CONNECT.
-- Autovacuum never analyzes a partitioned table itself, only its partitions: one that it has analyzed a day later or more
-- has changed since, and the rows of all of it count. When somebody analyzed such a table is known from 14 on. Foreign
-- tables are read over a network when they are analyzed, temporary ones belong to their session: both are left out.
-- The statistics of a table are lost in a crash, a failover, a restore or a reset: then it has had more rows at its last
-- VACUUM or ANALYZE than were ever counted as inserted, and of neither is there a record. What has changed, nobody knows.
-- Of a large table a sample is read: 300 pages for each step of the statistics target. Of what somebody has to himself the
-- size is NULL: to learn it would be to wait for him.
WITH RECURSIVE his AS MATERIALIZED (
    SELECT array_agg(l.relation) AS oids
    FROM pg_locks AS l
    JOIN pg_database AS d ON d.oid = l.database
    WHERE d.datname = current_database()
      AND l.mode = 'AccessExclusiveLock'
      AND l.relation IS NOT NULL
), below AS (
    SELECT i.inhparent AS root, i.inhrelid AS oid
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhparent AND c.relkind = 'p'
    UNION ALL
    SELECT b.root, i.inhrelid
    FROM below AS b
    JOIN pg_inherits AS i ON i.inhparent = b.oid
), leaves AS MATERIALIZED (
    -- pg_partition_tree would wait for whoever has one of them to himself.
    SELECT b.root, b.oid
    FROM below AS b
    JOIN pg_class AS c ON c.oid = b.oid AND c.relkind <> 'p'
), parts AS MATERIALIZED (
    SELECT root,
           sum(pg_stat_get_live_tuples(oid)) AS live_rows,
           sum(CASE WHEN pg_stat_get_last_analyze_time(root) IS NULL
                      OR greatest(pg_stat_get_last_analyze_time(oid), pg_stat_get_last_autoanalyze_time(oid))
                         > pg_stat_get_last_analyze_time(root) + interval '1 day'
                    THEN pg_stat_get_live_tuples(oid)
                    ELSE pg_stat_get_mod_since_analyze(oid) END) AS rows_since
    FROM leaves
    GROUP BY root
)
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
            ELSE pg_has_role(c.relowner, 'USAGE') END AS permitted,
       (SELECT sum(CASE WHEN t.oid = ANY (his.oids) THEN NULL
                        ELSE least(pg_relation_size(t.oid), sample.bytes) END)
        FROM (SELECT c.oid WHERE c.relkind <> 'p'
              UNION ALL
              SELECT oid FROM leaves WHERE root = c.oid) AS t(oid)
        CROSS JOIN his
        CROSS JOIN (SELECT 300 * current_setting('block_size')::bigint
                           * greatest(current_setting('default_statistics_target')::int, max(a.attstattarget)) AS bytes
                    FROM pg_attribute AS a
                    WHERE a.attrelid = c.oid) AS sample)::bigint AS bytes
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_database AS d ON d.datname = current_database()
CROSS JOIN LATERAL (
    SELECT pg_is_in_recovery()
        OR coalesce(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid),
                    pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NOT NULL
        OR c.reltuples <= pg_stat_get_tuples_inserted(c.oid) AS counted) AS s
LEFT JOIN parts AS p ON p.root = c.oid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND c.relpersistence <> 't'
  AND (c.relkind IN ('r', 'm') AND pg_stat_get_mod_since_analyze(c.oid) >= %(at_least)s
       OR c.relkind IN ('r', 'm') AND NOT s.counted AND c.reltuples >= %(at_least)s
       OR c.relkind = 'p' AND p.rows_since >= %(at_least)s AND current_setting('server_version_num')::int >= 140000)
ORDER BY changed_rows DESC
LIMIT 1000
