-- Answers: which files hold these SOP instances. Versions: dcm4chee-arc 5.8 to 5.35, PostgreSQL 12 to 18. Privileges: SELECT
-- on instance, location. Of a storage that is not declared, of archive files and of tapes it names none.
SELECT
    sop_iuid AS sop_instance_uid,
    (%(storages)s::jsonb ->> storage_id) || storage_path AS path,
    object_size AS size,
    CASE length(digest)
        WHEN 40 THEN 'sha1' WHEN 64 THEN 'sha256' WHEN 96 THEN 'sha384' WHEN 128 THEN 'sha512' ELSE 'md5'
    END AS algorithm,
    CASE WHEN length(digest) IN (32, 40, 64, 96, 128) THEN digest END AS digest
FROM instance
JOIN location ON location.instance_fk = instance.pk
WHERE sop_iuid = ANY(%(uids)s::text[])
    AND object_type = 0 AND uidmap_fk IS NULL AND status = 0
    AND %(storages)s::jsonb ->> storage_id IS NOT NULL AND storage_path NOT LIKE '%%!%%'
