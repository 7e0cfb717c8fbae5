-- How much of these tables is free or dead? PostgreSQL 12 to 18. Needs: the extension pgstattuple and pg_stat_scan_tables.
-- Reads the pages that are not visible to all. What somebody has locked is left out, instead of waiting for it.
SELECT n.nspname AS schema,
       c.relname AS name,
       c.relfilenode::bigint AS filenode,
       m.table_len AS bytes,
       (m.approx_free_space + m.dead_tuple_len)::float AS reusable_bytes
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pgstattuple_approx(c.oid::regclass) AS m
WHERE c.oid = ANY (string_to_array(%(oids)s, ' ')::oid[])
  AND c.relkind IN ('r', 'm')
  AND NOT EXISTS (SELECT FROM pg_locks AS l
                  JOIN pg_database AS d ON d.oid = l.database
                  WHERE d.datname = current_database()
                    AND l.relation = c.oid
                    AND l.mode = 'AccessExclusiveLock')
LIMIT 5000
