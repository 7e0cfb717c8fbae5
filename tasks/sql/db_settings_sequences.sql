-- Which sequences have used up this share of their numbers, and of which can that not be told? PostgreSQL 12 to 18.
-- Needs: USAGE or SELECT on the sequences. The end is that of the sequence or of the column that it fills, if that is less.
-- Those that count down, or begin anew at their end, are left out; one that somebody has to himself, until he is done.
SELECT *
FROM (SELECT n.nspname AS schema,
             c.relname AS name,
             c.readable,
             CASE WHEN c.readable THEN pg_sequence_last_value(c.oid) END AS last_value,
             least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END) AS most
      FROM pg_sequence AS s
      JOIN (SELECT *, has_sequence_privilege(oid, 'USAGE, SELECT') AS readable
            FROM pg_class
            WHERE relkind = 'S'
              AND relpersistence <> 't'
              AND (relpersistence = 'p' OR NOT pg_is_in_recovery())
              AND oid <> ALL (ARRAY(SELECT l.relation FROM pg_locks AS l
                                    WHERE l.mode = 'AccessExclusiveLock'
                                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                                      AND l.relation IS NOT NULL))
            OFFSET 0) AS c ON c.oid = s.seqrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                              AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE NOT s.seqcycle
        AND s.seqincrement > 0
      OFFSET 0) AS sequences
WHERE NOT readable
   OR last_value >= %(used)s * most
ORDER BY last_value::float / most DESC NULLS LAST, schema, name
LIMIT 10000
