-- What are the settings that decide whether data are safe and upkeep is possible? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT name, setting AS value
FROM pg_settings
WHERE name = ANY(string_to_array(%(names)s, ' '))
