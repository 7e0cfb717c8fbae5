-- Answers: which of these paths the index lists, in whatever state, or may list: all of them where series have no instance
-- records any more, and those in no declared storage. Versions: dcm4chee-arc 5.8 to 5.35, PostgreSQL 12 to 18.
-- Privileges: SELECT on location, metadata, series. No index is on storage_path: each question reads the first two once.
SELECT path
FROM (SELECT DISTINCT unnest(%(paths)s::text[]) AS path) AS asked
JOIN (
    SELECT storage_id, storage_path FROM location
    UNION ALL
    SELECT storage_id, storage_path FROM metadata
) AS listed ON (%(storages)s::jsonb ->> storage_id) || split_part(storage_path, '!', 1) = path
UNION
SELECT path
FROM (SELECT unnest(%(paths)s::text[]) AS path) AS asked
WHERE EXISTS (SELECT FROM series WHERE inst_purge_state = 1)
    OR NOT EXISTS (
        SELECT
        FROM (SELECT (jsonb_each_text(%(storages)s::jsonb)).value AS folder) AS declared
        WHERE starts_with(path, folder)
    )
