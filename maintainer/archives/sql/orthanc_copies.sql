-- Answers: which files hold these SOP instances. Versions: Orthanc 1.2 to 1.12 with its index in PostgreSQL (plugin 2 to
-- 10), PostgreSQL 12 to 18. Privileges: SELECT on attachedfiles, dicomidentifiers. Size and digest are of the bytes on disk.
SELECT
    value AS sop_instance_uid,
    concat_ws('/', left(uuid, 2), substr(uuid, 3, 2), uuid) AS path,
    compressedsize AS size,
    'md5' AS algorithm,
    nullif(compressedhash, '') AS digest
FROM (SELECT NULL::bytea AS customdata) AS earlier
CROSS JOIN LATERAL (
    SELECT id, filetype, uuid, compressedsize, compressedhash, customdata FROM attachedfiles
) AS listed
JOIN dicomidentifiers USING (id)
WHERE taggroup = 8 AND tagelement = 24 AND value = ANY(%(uids)s::text[])
    AND filetype = 1 AND (listed.customdata IS NULL OR listed.customdata = '')
