-- How near is each database to the wraparound of its transaction ids? PostgreSQL 12 to 18. Needs: CONNECT.
-- Also one that lets nobody in, which autovacuum must freeze all the same; but not what an interrupted DROP DATABASE left.
SELECT datname AS name,
       age(datfrozenxid) AS age,
       mxid_age(datminmxid) AS multixact_age
FROM pg_database
WHERE datconnlimit <> -2
ORDER BY age DESC
LIMIT 100
