-- How near is each database to the wraparound of its transaction ids? PostgreSQL 12 to 18. Needs: CONNECT.
SELECT datname AS name,
       age(datfrozenxid) AS age,
       mxid_age(datminmxid) AS multixact_age
FROM pg_database
WHERE datallowconn
ORDER BY age DESC
LIMIT 100
