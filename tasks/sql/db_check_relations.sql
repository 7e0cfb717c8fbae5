-- Which tables and B-tree indexes are there to be checked, and how much must be read for it? PostgreSQL 12 to 18.
-- Needs: CONNECT. An index is read with its table, a table with its TOAST table. Catalogs and TOAST tables are checked too;
-- what holds nothing is not. Temporary relations belong to their sessions, and what is not logged cannot be read on a standby.
WITH heap AS MATERIALIZED (
    SELECT c.oid, c.relnamespace, c.relname, c.relowner, c.reltoastrelid, pg_relation_size(c.oid) AS bytes
    FROM pg_class AS c
    JOIN pg_am AS a ON a.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 't')
      AND a.amname = 'heap'
      AND c.relpersistence <> 't'
      AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
), relation AS (
    SELECT h.relnamespace, h.relname, h.oid, 'table' AS kind, h.bytes AS own_bytes, coalesce(t.bytes, 0) AS with_it,
           h.relname AS table, false AS permitted
    FROM heap AS h
    LEFT JOIN heap AS t ON t.oid = h.reltoastrelid
    WHERE h.bytes > 0
    UNION ALL
    SELECT c.relnamespace, c.relname, c.oid, 'index', pg_relation_size(c.oid), h.bytes, h.relname,
           CASE WHEN current_setting('server_version_num')::int >= 170000
                THEN has_table_privilege(h.oid, 'MAINTAIN')
                ELSE pg_has_role(h.relowner, 'USAGE') END
    FROM heap AS h
    JOIN pg_index AS i ON i.indrelid = h.oid
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS a ON a.oid = c.relam
    WHERE h.bytes > 0
      AND a.amname = 'btree'
      AND i.indisvalid
      AND i.indisready
)
SELECT n.nspname AS schema,
       r.relname AS name,
       r.oid::bigint AS oid,
       r.kind,
       r.own_bytes + r.with_it AS bytes,
       r.own_bytes,
       r.table,
       r.permitted
FROM relation AS r
JOIN pg_namespace AS n ON n.oid = r.relnamespace
LIMIT 200000
