-- Makes: Orthanc's empty database and the role that maintenance logs in as. Versions: PostgreSQL 15. Privileges: superuser.
CREATE ROLE orthanc LOGIN PASSWORD 'orthanc';
CREATE DATABASE orthanc OWNER orthanc;
CREATE ROLE maintainer LOGIN;
-- Before PostgreSQL 17 only the owner, or a member of its role, may vacuum and reindex.
GRANT pg_monitor, pg_stat_scan_tables, orthanc TO maintainer;

\connect orthanc
CREATE EXTENSION pgstattuple;
CREATE EXTENSION amcheck;
GRANT EXECUTE ON FUNCTION bt_index_check(regclass), bt_index_check(regclass, boolean) TO maintainer;

-- What a hospital adds beside the archive: who looked at what, and what waits to be sent elsewhere.
SET ROLE orthanc;
CREATE TABLE access_log (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    calling_ae_title text NOT NULL
) WITH (autovacuum_enabled = off); -- so that dead rows that a test makes are still there when it looks
CREATE TABLE send_queue (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination text NOT NULL,
    due timestamptz NOT NULL
);
CREATE INDEX send_queue_due ON send_queue (destination, due);
