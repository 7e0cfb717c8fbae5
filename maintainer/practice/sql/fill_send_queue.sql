-- Makes: objects that wait to be sent, due in no order. Versions: PostgreSQL 18. Privileges: INSERT on send_queue.
INSERT INTO send_queue (object_pk, destination, due)
SELECT n, 'ARCHIVE' || mod(n, 3), %(since)s::timestamptz + (now() - %(since)s::timestamptz) * n / %(rows)s
FROM generate_series(1, %(rows)s) AS n
