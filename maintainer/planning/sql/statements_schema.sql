-- In which schema is pg_stat_statements, and may all that it counts be seen? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT n.nspname AS schema,
       has_schema_privilege(n.oid, 'USAGE') AND pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS permitted
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
