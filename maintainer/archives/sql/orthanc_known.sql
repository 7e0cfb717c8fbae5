-- Answers: which of these paths the index lists. Versions: Orthanc 1.2 to 1.12 with its index in PostgreSQL (plugin 2 to
-- 10), PostgreSQL 12 to 18. Privileges: SELECT on attachedfiles, which has no index on uuid: each question reads it all.
SELECT path
FROM (
    SELECT concat_ws('/', left(uuid, 2), substr(uuid, 3, 2), uuid) AS path
    FROM attachedfiles
    WHERE uuid = ANY(ARRAY(SELECT split_part(unnest(%(paths)s::text[]), '/', 3)))
) AS found
WHERE path = ANY(%(paths)s::text[])
