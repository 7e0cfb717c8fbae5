-- Answers: which objects the index lists after a key, in key order. Versions: practice archive 1, PostgreSQL 12 to 18.
-- Privileges: SELECT on objects.
SELECT pk AS key, path, size, 'sha256' AS algorithm, sha256 AS digest, 'dicom' AS kind, sop_instance_uid
FROM objects
WHERE pk > %(after)s
ORDER BY pk
LIMIT %(limit)s
