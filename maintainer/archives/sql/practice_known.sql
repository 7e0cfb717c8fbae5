-- Answers: which of these paths the index lists. Versions: practice archive 1, PostgreSQL 12 to 18.
-- Privileges: SELECT on objects.
SELECT path
FROM objects
WHERE path = ANY(%(paths)s::text[])
