-- Makes: functions that measure and check indexes. Versions: PostgreSQL 18. Privileges: superuser.
CREATE EXTENSION pgstattuple;
CREATE EXTENSION amcheck;
GRANT EXECUTE ON FUNCTION bt_index_check(regclass), bt_index_check(regclass, boolean),
    bt_index_check(regclass, boolean, boolean),
    verify_heapam(regclass, boolean, boolean, text, bigint, bigint) TO maintainer;
