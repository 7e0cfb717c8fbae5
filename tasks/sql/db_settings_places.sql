-- In which folders do tablespaces and WAL lie? PostgreSQL 12 to 18.
-- Needs: pg_monitor, without which it cannot tell of the server's own folder. That of WAL may be a link to another disk.
SELECT 'tablespace' AS kind,
       t.spcname::text AS name,
       CASE WHEN left(p.path, 1) = '/' THEN p.path ELSE concat_ws('/', d.setting, nullif(p.path, '')) END AS path
FROM pg_tablespace AS t
CROSS JOIN LATERAL pg_tablespace_location(t.oid) AS p(path)
LEFT JOIN pg_settings AS d ON d.name = 'data_directory'
WHERE t.spcname <> 'pg_global'
UNION ALL
SELECT 'wal', 'pg_wal', setting || '/pg_wal'
FROM pg_settings
WHERE name = 'data_directory'
LIMIT 100
