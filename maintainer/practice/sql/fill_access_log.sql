-- Makes: retrievals spread evenly from a time until now. Versions: PostgreSQL 18. Privileges: INSERT on access_log.
INSERT INTO access_log (at, calling_ae_title, verb, sop_instance_uid)
SELECT
    %(since)s::timestamptz + (now() - %(since)s::timestamptz) * n / %(rows)s,
    'WORKSTATION' || mod(n, 7),
    'C-GET',
    '1.2.826.0.1.3680043.8.498.' || 10000000000000000000 + n
FROM generate_series(1, %(rows)s) AS n
