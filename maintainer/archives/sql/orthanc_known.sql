-- Answers: which of these paths the index lists, or may list: where another plugin chose places (custom data), any. Versions:
-- Orthanc 1.2 to 1.12 with its index in PostgreSQL (plugin 2 to 10), PostgreSQL 12 to 18. Privileges: SELECT on
-- attachedfiles, which has no index on uuid: each question reads it all, once, because what is asked for is joined to it.
SELECT path
FROM (
    SELECT DISTINCT split_part(given, '/', 3) AS name, given AS path
    FROM (SELECT unnest(%(paths)s::text[]) AS given) AS each
) AS asked
JOIN attachedfiles ON uuid = name AND path = concat_ws('/', left(uuid, 2), substr(uuid, 3, 2), uuid)
UNION
SELECT unnest(%(paths)s::text[])
WHERE EXISTS (
    SELECT
    FROM (SELECT NULL::bytea AS customdata) AS earlier
    CROSS JOIN LATERAL (SELECT customdata FROM attachedfiles) AS listed
    WHERE listed.customdata <> ''
)
