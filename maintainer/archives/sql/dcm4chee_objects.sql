-- Answers: which files the index lists after a key, in key order. Versions: dcm4chee-arc 5.8 to 5.35, PostgreSQL 12 to 18.
-- Privileges: SELECT on location, metadata, instance.
-- A key is twice that of a location, or one more than twice that of a series' metadata. Left out is what cannot be held
-- against a file (see dcm4chee_unjudged.sql), and what is to be deleted or missing by the archive's own word. Copies of an
-- instance may share a file: one of them stands for it; a copy under other UIDs does not name those of its file.
-- The index keeps a digest without its algorithm: its length tells.
SELECT
    pk * 2 + part AS key,
    (%(storages)s::jsonb ->> storage_id) || storage_path AS path,
    object_size AS size,
    CASE length(digest)
        WHEN 40 THEN 'sha1' WHEN 64 THEN 'sha256' WHEN 96 THEN 'sha384' WHEN 128 THEN 'sha512' ELSE 'md5'
    END AS algorithm,
    CASE WHEN length(digest) IN (32, 40, 64, 96, 128) THEN digest END AS digest,
    CASE WHEN object_type = 0 THEN 'dicom' ELSE 'other' END AS kind,
    (
        SELECT sop_iuid FROM instance WHERE instance.pk = instance_fk AND object_type = 0 AND uidmap_fk IS NULL
    ) AS sop_instance_uid
FROM (
    (
        SELECT pk, 0 AS part, storage_id, storage_path, object_size, digest, object_type::integer, instance_fk, uidmap_fk
        FROM location
        WHERE pk > %(after)s::bigint / 2
            AND status IN (0, 4, 5, 6, 7, 8, 10)
            AND %(storages)s::jsonb ->> storage_id IS NOT NULL AND storage_path NOT LIKE '%%!%%'
            AND (
                multi_ref IS NULL OR NOT EXISTS (
                    SELECT
                    FROM location AS first
                    WHERE first.multi_ref = location.multi_ref AND first.pk < location.pk
                        AND first.storage_id = location.storage_id AND first.storage_path = location.storage_path
                        AND first.status IN (0, 4, 5, 6, 7, 8, 10)
                )
            )
        ORDER BY pk
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT pk, 1, storage_id, storage_path, object_size, digest, 1, NULL::bigint, NULL::bigint
        FROM metadata
        WHERE pk >= (%(after)s::bigint + 1) / 2
            AND status IN (0, 4, 5, 6, 7, 8)
            AND %(storages)s::jsonb ->> storage_id IS NOT NULL AND storage_path NOT LIKE '%%!%%'
        ORDER BY pk
        LIMIT %(limit)s
    )
) AS listed
ORDER BY pk, part
LIMIT %(limit)s
