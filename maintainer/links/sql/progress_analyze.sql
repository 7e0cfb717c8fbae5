-- How far is a session's ANALYZE in its present phase? PostgreSQL 13 to 18. Needs: to be of the same role.
SELECT phase,
       CASE phase WHEN 'acquiring sample rows' THEN sample_blks_scanned END AS done,
       sample_blks_total AS total
FROM pg_stat_progress_analyze
WHERE pid = %(pid)s
