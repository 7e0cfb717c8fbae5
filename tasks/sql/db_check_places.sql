-- In which folders do the indexes lie that may be rebuilt? PostgreSQL 12 to 18.
-- Needs: pg_monitor, without which it cannot tell of the server's own folder.
SELECT coalesce(nullif(pg_tablespace_location(tablespace), ''),
                (SELECT setting FROM pg_settings WHERE name = 'data_directory')) AS path
FROM (SELECT DISTINCT coalesce(nullif(c.reltablespace, 0), d.dattablespace) AS tablespace
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_database AS d ON d.datname = current_database()
      WHERE c.relkind = 'i'
        AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')) AS used
LIMIT 100
