-- How far is a session's VACUUM in its present phase? PostgreSQL 12 to 18. Needs: to be of the same role.
SELECT phase,
       CASE phase
           WHEN 'scanning heap' THEN heap_blks_scanned
           WHEN 'vacuuming heap' THEN heap_blks_vacuumed
       END AS done,
       heap_blks_total AS total
FROM pg_stat_progress_vacuum
WHERE pid = %(pid)s
