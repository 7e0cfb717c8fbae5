-- Which tables and B-tree indexes are there to be checked, and how much must be read for it? PostgreSQL 12 to 18.
-- Needs: CONNECT. An index is read with its table, a table with its TOAST table. Catalogs and TOAST tables are checked too;
-- what holds nothing is not. Temporary relations belong to their sessions, and what is not logged cannot be read on a standby.
-- There may be fifty thousand: few columns, and of those that must be named by it the number. Indexes of catalogs and
-- TOAST tables are never rebuilt concurrently. The size of what somebody has to himself is NULL, and that of the indexes of
-- such a table: to learn it would be to wait for him, with all the others.
WITH his AS MATERIALIZED (
    SELECT l.relation AS oid
    FROM pg_locks AS l
    JOIN pg_database AS d ON d.oid = l.database
    WHERE d.datname = current_database()
      AND l.mode = 'AccessExclusiveLock'
      AND l.relation IS NOT NULL
), schema AS MATERIALIZED (
    SELECT oid,
           '"' || replace(nspname, '"', '""') || '".' AS prefix,
           nspname IN ('pg_catalog', 'pg_toast') AS of_the_system,
           nspname = 'pg_toast' AS of_toast
    FROM pg_namespace
), heap AS MATERIALIZED (
    SELECT c.oid, c.relnamespace, c.relname, c.relowner, c.reltoastrelid, c.taken,
           CASE WHEN NOT c.taken THEN pg_relation_size(c.oid) END AS bytes
    FROM (SELECT *, oid = ANY (ARRAY(SELECT oid FROM his)) AS taken FROM pg_class) AS c
    JOIN pg_am AS a ON a.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 't')
      AND a.amname = 'heap'
      AND c.relpersistence <> 't'
      AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
), named AS MATERIALIZED (
    SELECT h.*, s.of_the_system, s.of_toast, s.prefix, s.prefix || '"' || replace(h.relname, '"', '""') || '"' AS quoted
    FROM heap AS h
    JOIN schema AS s ON s.oid = h.relnamespace
    WHERE h.taken OR h.bytes > 0
), indexes AS MATERIALIZED (
    SELECT t.quoted AS table,
           t.bytes AS of_table,
           t.prefix || '"' || replace(c.relname, '"', '""') || '"' AS quoted,
           CASE WHEN t.of_toast THEN c.oid END AS oid,
           t.taken OR c.taken AS taken,
           CASE WHEN NOT (t.taken OR c.taken) THEN pg_relation_size(c.oid) END AS bytes,
           NOT t.of_the_system
           AND CASE WHEN current_setting('server_version_num')::int >= 170000
                    THEN has_table_privilege(t.oid, 'MAINTAIN')
                    ELSE pg_has_role(t.relowner, 'USAGE') END AS may_be_rebuilt
    FROM named AS t
    JOIN pg_index AS i ON i.indrelid = t.oid
    JOIN (SELECT *, oid = ANY (ARRAY(SELECT oid FROM his)) AS taken FROM pg_class) AS c ON c.oid = i.indexrelid
    JOIN pg_am AS a ON a.oid = c.relam
    WHERE a.amname = 'btree'
      AND i.indisvalid
      AND i.indisready
)
SELECT n.quoted,
       CASE WHEN n.of_toast THEN n.oid::bigint END AS oid,
       n.bytes + coalesce(t.bytes, 0) AS bytes,
       NULL::bigint AS rebuilds,
       NULL AS table
FROM named AS n
LEFT JOIN heap AS t ON t.oid = n.reltoastrelid
UNION ALL
SELECT i.quoted, i.oid::bigint, i.bytes + i.of_table, CASE WHEN i.may_be_rebuilt THEN i.bytes END, i.table
FROM indexes AS i
WHERE i.taken OR i.bytes IS NOT NULL
LIMIT 200000
