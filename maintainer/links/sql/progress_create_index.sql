-- How far is a session's building of an index in its present phase? PostgreSQL 12 to 18. Needs: to be of the same role.
SELECT phase,
       CASE
           WHEN phase LIKE 'waiting%%' THEN lockers_done
           WHEN phase LIKE '%%tuples%%' THEN tuples_done
           ELSE blocks_done
       END AS done,
       CASE
           WHEN phase LIKE 'waiting%%' THEN lockers_total
           WHEN phase LIKE '%%tuples%%' THEN tuples_total
           ELSE blocks_total
       END AS total
FROM pg_stat_progress_create_index
WHERE pid = %(pid)s
