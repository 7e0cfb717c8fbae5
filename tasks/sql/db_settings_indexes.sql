-- Which indexes are the same as another one, or were not used since usage is counted? PostgreSQL 12 to 18. Needs: CONNECT.
-- One that somebody has to himself is left out: its size is told when he is done.
-- One that enforces something is used by that. Counting began at the last reset of the database's statistics, or when those
-- of the whole server began: they begin anew after a crash, which no other figure tells, not even when it was started.
SELECT *
FROM (SELECT n.nspname AS schema,
             c.relname AS name,
             pg_relation_size(c.oid) AS bytes,
             (SELECT min(o.relname)
              FROM pg_index AS j
              JOIN pg_class AS o ON o.oid = j.indexrelid
              WHERE j.indrelid = i.indrelid
                AND j.indexrelid <> i.indexrelid
                AND j.indisvalid
                AND o.relam = c.relam
                AND (j.indkey::text, j.indclass, j.indcollation, j.indoption::text, j.indnkeyatts)
                    = (i.indkey::text, i.indclass, i.indcollation, i.indoption::text, i.indnkeyatts)
                AND j.indexprs::text IS NOT DISTINCT FROM i.indexprs::text
                AND j.indpred::text IS NOT DISTINCT FROM i.indpred::text
                AND (j.indisunique OR j.indexrelid < i.indexrelid)) AS same_as,
             pg_stat_get_numscans(c.oid) AS scans,
             extract(epoch FROM now() - greatest(b.stats_reset, w.stats_reset))::float AS counted_seconds
      FROM pg_index AS i
      JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_stat_database AS b ON b.datname = current_database()
      CROSS JOIN pg_stat_bgwriter AS w
      WHERE c.relkind = 'i'
        AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND i.indisvalid
        AND NOT (i.indisunique OR i.indisexclusion OR i.indisreplident)
        AND CASE WHEN c.oid <> ALL (ARRAY(SELECT l.relation FROM pg_locks AS l
                                          WHERE l.mode = 'AccessExclusiveLock'
                                            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                                            AND l.relation IS NOT NULL))
                 THEN pg_relation_size(c.oid) END >= %(smallest)s) AS indexes
WHERE same_as IS NOT NULL
   OR scans = 0
ORDER BY bytes DESC
LIMIT 5000
