-- Which functions of the extension amcheck may be called, and in which schema are they? PostgreSQL 12 to 18.
-- Needs: CONNECT. `verify_heapam` is there from 14 on. Unless they are granted, only superusers may call them.
SELECT n.nspname AS schema,
       p.proname AS name,
       has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(n.oid, 'USAGE') AS permitted
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.extname = 'amcheck'
  AND (p.proname = 'bt_index_check' AND p.pronargs = 2 OR p.proname = 'verify_heapam')
