-- How large are the indexes, how fresh are their figures, and which are left over from an earlier build?
-- PostgreSQL 12 to 18.
-- Needs: pg_monitor, to see where the server's files lie, and whether somebody builds an index at this moment.
-- The filenode is another after each rebuild. Indexes of TOAST tables, of temporary tables and of partitioned ones
-- themselves are left out, and those of exclusion constraints, which cannot be rebuilt concurrently. So is what somebody
-- has to himself: to learn its size would be to wait for him, with all the others. What was left over is told beside a
-- TOAST table as well: `table` is then the one whose it is.
SELECT n.nspname AS schema,
       c.relname AS name,
       CASE WHEN n.nspname = 'pg_toast'
            THEN (SELECT r.relname FROM pg_class AS r WHERE r.reltoastrelid = t.oid)
            ELSE t.relname END AS table,
       c.oid::bigint AS oid,
       c.relfilenode::bigint AS filenode,
       a.amname AS method,
       (SELECT option_value::float / 100 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor') AS fillfactor,
       pg_relation_size(c.oid) AS bytes,
       c.reltuples AS rows,
       pg_stat_get_mod_since_analyze(t.oid) AS changed_rows,
       i.indisvalid AS valid,
       coalesce(nullif(pg_tablespace_location(coalesce(nullif(c.reltablespace, 0), d.dattablespace)), ''),
                (SELECT setting FROM pg_settings WHERE pg_settings.name = 'data_directory')) AS place,
       pg_has_role(c.relowner, 'USAGE') AS owned,
       CASE WHEN current_setting('server_version_num')::int >= 170000
            THEN has_table_privilege(t.oid, 'MAINTAIN')
            ELSE pg_has_role(t.relowner, 'USAGE') END AS permitted,
       NOT i.indisvalid
           AND (EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.relid = t.oid AND p.datid = d.oid)
                OR EXISTS (SELECT FROM pg_locks AS l
                           WHERE l.database = d.oid AND l.relation = t.oid
                             AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'AccessExclusiveLock'))) AS in_work
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
JOIN pg_database AS d ON d.datname = current_database()
WHERE c.relkind = 'i'
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND (n.nspname <> 'pg_toast' OR NOT i.indisvalid)
  AND NOT i.indisexclusion
  AND c.oid <> ALL (ARRAY(SELECT l.relation
                          FROM pg_locks AS l
                          WHERE l.mode = 'AccessExclusiveLock'
                            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                            AND l.relation IS NOT NULL))
  AND a.amname IN ('btree', 'hash', 'gist', 'gin', 'spgist')
  AND (pg_relation_size(c.oid) >= %(smallest)s OR NOT i.indisvalid)
ORDER BY valid, bytes DESC
LIMIT 5000
