-- Drop the role, if it was made for maintenance. PostgreSQL 12 to 18. For psql as a superuser, in the archive's database.
SELECT coalesce((SELECT shobj_description(oid, 'pg_authid') = :'mark' FROM pg_roles WHERE rolname = :'role'), false)
       AS ours \gset
\if :ours
SELECT format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), :'role') \gexec
SELECT DISTINCT format('REVOKE ALL ON %s FROM %I', c.oid::regclass, :'role')
FROM pg_class AS c, aclexplode(c.relacl) AS a
WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = :'role') \gexec
SELECT DISTINCT format('REVOKE ALL ON SCHEMA %I FROM %I', n.nspname, :'role')
FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = :'role') \gexec
SELECT DISTINCT format('REVOKE ALL ON FUNCTION %s FROM %I', p.oid::regprocedure, :'role')
FROM pg_proc AS p, aclexplode(p.proacl) AS a
WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = :'role') \gexec
DROP ROLE :"role";
\echo undo: the database role is gone
\else
\echo undo: the database role is not ours to drop
\endif
