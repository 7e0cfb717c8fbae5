-- Which tables hold dead rows, have old transaction ids, or were never analyzed? PostgreSQL 12 to 18. Needs: CONNECT.
-- Partitioned tables hold no rows themselves, foreign ones are elsewhere, and temporary ones belong to their session.
-- A table that was never analyzed counts where autovacuum does not do it within minutes.
-- The statistics of a table are lost in a crash, a failover, a restore or a reset: then it has had more rows at its last
-- VACUUM or ANALYZE than were ever counted as inserted, and of neither is there a record. What is dead in it, nobody knows.
-- The size of what somebody has to himself is NULL: to learn it would be to wait for him, with all the other tables.
-- The ages are those of a table or of its TOAST table, which VACUUM treats together.
SELECT *
FROM (SELECT n.nspname AS schema,
             c.relname AS name,
             pg_stat_get_live_tuples(c.oid) AS live_rows,
             pg_stat_get_dead_tuples(c.oid) AS dead_rows,
             greatest(age(c.relfrozenxid), age(t.relfrozenxid)) AS age,
             greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)) AS multixact_age,
             coalesce(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid),
                      pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NOT NULL
                 OR c.reltuples <= pg_stat_get_tuples_inserted(c.oid) AS counted,
             extract(epoch FROM now() - greatest(pg_stat_get_last_vacuum_time(c.oid),
                                                 pg_stat_get_last_autovacuum_time(c.oid)))::float AS vacuumed_seconds,
             EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean) AS without_autovacuum,
             (c.reltuples < 0 OR c.reltuples = 0 AND c.relpages = 0)
                 AND (NOT current_setting('autovacuum')::boolean
                      OR EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
                                 WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean))
                 AS never_analyzed,
             n.nspname IN ('pg_catalog', 'information_schema') AS of_the_system,
             CASE WHEN pg_has_role(d.datdba, 'USAGE') AND NOT c.relisshared THEN true
                  WHEN current_setting('server_version_num')::int >= 170000
                  THEN has_table_privilege(c.oid, 'MAINTAIN')
                  ELSE pg_has_role(c.relowner, 'USAGE') END AS permitted,
             CASE WHEN c.oid = ANY (ARRAY(SELECT l.relation FROM pg_locks AS l
                                          WHERE l.mode = 'AccessExclusiveLock'
                                            AND l.database = (SELECT oid FROM pg_database
                                                              WHERE datname = current_database())
                                            AND l.relation IS NOT NULL))
                  THEN NULL
                  WHEN pg_stat_get_dead_tuples(c.oid) > 0
                    OR c.reltuples <= 0
                    OR c.reltuples > pg_stat_get_tuples_inserted(c.oid)
                    OR greatest(age(c.relfrozenxid), age(t.relfrozenxid)) >= %(age)s
                    OR greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)) >= %(multixact_age)s
                  THEN pg_table_size(c.oid) END AS bytes
      FROM pg_class AS c
      JOIN pg_database AS d ON d.datname = current_database()
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid
      WHERE c.relkind IN ('r', 'm')
        AND c.relpersistence <> 't') AS tables
WHERE age >= %(age)s
   OR multixact_age >= %(multixact_age)s
   OR bytes >= %(smallest)s AND NOT of_the_system AND (dead_rows > 0 OR never_analyzed OR NOT counted)
ORDER BY greatest(age::bigint, multixact_age) >= 1000000000 DESC, dead_rows DESC, age DESC
LIMIT 1000
