-- What are the settings that decide whether data are safe and upkeep is possible? PostgreSQL 12 to 18. Needs: CONNECT.
-- As the server has them: what the session that asks has set for itself is not meant.
SELECT name, reset_val AS value
FROM pg_settings
WHERE name = ANY(string_to_array(%(names)s, ' '))
