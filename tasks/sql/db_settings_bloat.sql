-- How large are the tables, how large would they be if they were written anew, and what would it take to measure that?
-- PostgreSQL 12 to 18. What somebody has, or wants, to himself is left out: its size is told when he is done.
-- Needs: SELECT on a table for its estimate, which the statistics of its columns are made from; CONNECT for the rest.
-- The estimate is NULL unless the table was vacuumed or analyzed since statistics are counted, has hardly changed since,
-- and each column has statistics. A row takes its header of 24 bytes, a pointer of 4, the bits of its NULLs, and what
-- aligns it and its columns, by half on average: rather too much, so that bloat is rather underestimated.
SELECT big.schema,
       big.name,
       big.oid,
       big.filenode,
       big.bytes,
       big.bytes_to_read,
       big.fillfactor,
       CASE WHEN big.fresh AND width.known = width.columns
            THEN (big.rows * (32 + width.columns / 8.0 + coalesce(width.bytes, 0))
                  / (1 - 24.0 / current_setting('block_size')::int) / big.fillfactor)::bigint END AS estimated_bytes,
       big.changes,
       big.rows
FROM (SELECT n.nspname AS schema,
             c.relname AS name,
             c.oid::bigint AS oid,
             c.relfilenode::bigint AS filenode,
             pg_relation_size(c.oid) AS bytes,
             -- What is visible to all is not read; only the map of free space is.
             (pg_relation_size(c.oid) * (1.01 - least(1.0, c.relallvisible::float / greatest(c.relpages, 1))))::bigint
                 AS bytes_to_read,
             coalesce((SELECT option_value::float / 100 FROM pg_options_to_table(c.reloptions)
                       WHERE option_name = 'fillfactor'), 1) AS fillfactor,
             greatest(c.reltuples, 0)::float AS rows,
             coalesce(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid),
                      pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NOT NULL
                 AND pg_stat_get_mod_since_analyze(c.oid) <= 0.1 * greatest(c.reltuples, 1) AS fresh,
             pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid) AS changes
      FROM (SELECT *, oid = ANY (ARRAY(SELECT l.relation FROM pg_locks AS l
                              WHERE l.mode = 'AccessExclusiveLock'
                                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                                AND l.relation IS NOT NULL)) AS taken
            FROM pg_class) AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_am AS a ON a.oid = c.relam
      WHERE c.relkind IN ('r', 'm')
        AND a.amname = 'heap'
        AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND CASE WHEN NOT c.taken THEN pg_relation_size(c.oid) END >= %(smallest)s
      OFFSET 0) AS big
CROSS JOIN LATERAL (
    SELECT count(*) AS columns,
           count(s.attname) AS known,
           sum((1 - s.null_frac)
               * (s.avg_width + CASE a.attalign WHEN 'd' THEN 3.5 WHEN 'i' THEN 1.5 WHEN 's' THEN 0.5 ELSE 0 END)) AS bytes
    FROM pg_attribute AS a
    LEFT JOIN pg_stats AS s ON s.schemaname = big.schema AND s.tablename = big.name AND s.attname = a.attname
                           AND NOT s.inherited
    WHERE a.attrelid = big.oid::oid
      AND a.attnum > 0
      AND NOT a.attisdropped) AS width
ORDER BY big.bytes DESC
LIMIT 5000
