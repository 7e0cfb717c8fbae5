-- Grants: what maintenance needs. Versions: PostgreSQL 17 and 18 (pg_maintain). Privileges: superuser.
-- Membership of the owner is for dropping what a failed REINDEX CONCURRENTLY left behind, which pg_maintain cannot.
GRANT pg_monitor, pg_stat_scan_tables, pg_maintain, archive TO maintainer;
