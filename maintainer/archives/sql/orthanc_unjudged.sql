-- Answers: what of the index cannot be held against the store. Versions: Orthanc 1.2 to 1.12 with its index in PostgreSQL
-- (plugin 2 to 10), PostgreSQL 12 to 18. Privileges: SELECT on attachedfiles, which is read as a whole.
SELECT 'placed-by-plugin' AS what, '' AS storage, count(*) AS objects
FROM (SELECT NULL::bytea AS customdata) AS earlier
CROSS JOIN LATERAL (SELECT customdata FROM attachedfiles) AS listed
WHERE listed.customdata <> ''
HAVING count(*) > 0
