-- In which databases did pages not fit their checksums? PostgreSQL 12 to 18. Needs: CONNECT.
-- The count is NULL where data checksums are off: nobody looks there.
SELECT datname AS name,
       checksum_failures AS failures,
       checksum_last_failure AS last_failure
FROM pg_stat_database
WHERE checksum_failures IS NULL AND datname = current_database()
   OR checksum_failures > 0
ORDER BY datname NULLS FIRST
LIMIT 1000
