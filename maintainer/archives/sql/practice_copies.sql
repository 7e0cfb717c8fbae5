-- Answers: which files hold these SOP instances. Versions: practice archive 1, PostgreSQL 12 to 18. Privileges: SELECT on
-- objects.
SELECT sop_instance_uid, path, size, 'sha256' AS algorithm, sha256 AS digest
FROM objects
WHERE sop_instance_uid = ANY(%(uids)s::text[])
