-- Does: delete the older half of the access log. Versions: PostgreSQL 18. Privileges: DELETE on access_log.
DELETE FROM access_log
WHERE at < (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY at) FROM access_log)
