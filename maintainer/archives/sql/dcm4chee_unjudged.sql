-- Answers: what of the index cannot be held against the store, and what the archive itself reports of its objects. Versions:
-- dcm4chee-arc 5.8 to 5.35, PostgreSQL 12 to 18. Privileges: SELECT on location, metadata, series, which are read as a whole.
-- Status: 3 missing, 4 and 5 could not be read, 6 to 8 differing, 10 kept after its deletion, 11 to 17 where on tape it is.
SELECT what, storage, sum(objects)::bigint AS objects
FROM (
    SELECT
        CASE
            WHEN %(storages)s::jsonb ->> storage_id IS NULL THEN 'storage-not-declared'
            WHEN storage_path LIKE '%%!%%' THEN 'kept-in-archive-files'
            WHEN status > 10 THEN 'kept-on-tape'
            WHEN status = 3 THEN 'archive-reports-missing'
            WHEN status IN (4, 5) THEN 'archive-reports-unreadable'
            WHEN status IN (6, 7, 8) THEN 'archive-reports-differing'
        END AS what,
        storage_id AS storage,
        count(*) AS objects
    FROM (
        SELECT storage_id, storage_path, status FROM location
        UNION ALL
        SELECT storage_id, storage_path, status FROM metadata
    ) AS listed
    WHERE status NOT IN (1, 2, 9)
    GROUP BY 1, 2
    UNION ALL
    SELECT 'instance-records-purged', '', count(*) FROM series WHERE inst_purge_state = 1 HAVING count(*) > 0
) AS counted
WHERE what IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
