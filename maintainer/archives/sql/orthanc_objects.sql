-- Answers: which files the index lists after a key, in key order. Versions: Orthanc 1.2 to 1.12 with its index in
-- PostgreSQL (plugin 2 to 10), PostgreSQL 12 to 18. Privileges: SELECT on attachedfiles, dicomidentifiers.
-- A key is an instance and what of it the file holds; filetype 1 is the DICOM object as it was stored. Other attachments,
-- and what is stored compressed, have digests and are no DICOM files. Size and digest are of the bytes on disk.
-- Custom data (plugin 8 and later; before, the name stands for the NULL) says that another plugin chose the path.
SELECT
    id * 65536 + filetype AS key,
    concat_ws('/', left(uuid, 2), substr(uuid, 3, 2), uuid) AS path,
    compressedsize AS size,
    'md5' AS algorithm,
    nullif(compressedhash, '') AS digest,
    CASE WHEN filetype = 1 AND compressiontype = 1 THEN 'dicom' ELSE 'other' END AS kind,
    (
        SELECT value
        FROM dicomidentifiers AS named
        WHERE named.id = listed.id AND taggroup = 8 AND tagelement = 24 AND filetype = 1 AND compressiontype = 1
    ) AS sop_instance_uid
FROM (SELECT NULL::bytea AS customdata) AS earlier
CROSS JOIN LATERAL (
    SELECT id, filetype, uuid, compressedsize, compressedhash, compressiontype, customdata FROM attachedfiles
) AS listed
WHERE (id, filetype) > (%(after)s::bigint / 65536, (%(after)s::bigint %% 65536)::integer)
    AND (listed.customdata IS NULL OR listed.customdata = '')
ORDER BY id, filetype
LIMIT %(limit)s
