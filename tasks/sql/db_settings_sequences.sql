-- Which sequences come near to their end, and of which can that not be told? PostgreSQL 12 to 18.
-- Needs: USAGE or SELECT on the sequences. The end is that of the sequence or of the column that it fills, if that is less.
SELECT n.nspname AS schema,
       c.relname AS name,
       has_sequence_privilege(c.oid, 'USAGE, SELECT') AS readable,
       seen.last_value,
       least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END) AS most
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_sequences AS seen ON seen.schemaname = n.nspname AND seen.sequencename = c.relname
LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE NOT s.seqcycle
  AND s.seqincrement > 0
  AND c.relpersistence <> 't'
ORDER BY seen.last_value::float / s.seqmax DESC NULLS LAST, schema, name
LIMIT 10000
