-- Makes: the index of the practice archive. Versions: PostgreSQL 18. Privileges: owner of the database.
CREATE TABLE patients (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id text NOT NULL UNIQUE,
    patient_name text NOT NULL,
    birth_date text NOT NULL,
    sex text NOT NULL
);

CREATE TABLE studies (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_pk bigint NOT NULL REFERENCES patients,
    study_instance_uid text NOT NULL UNIQUE,
    study_date text NOT NULL,
    study_time text NOT NULL,
    accession_number text NOT NULL,
    study_id text NOT NULL,
    study_description text NOT NULL
);

CREATE TABLE series (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_pk bigint NOT NULL REFERENCES studies,
    series_instance_uid text NOT NULL UNIQUE,
    modality text NOT NULL,
    series_number text NOT NULL,
    series_description text NOT NULL
);

CREATE TABLE instances (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_pk bigint NOT NULL REFERENCES series,
    sop_instance_uid text NOT NULL UNIQUE,
    sop_class_uid text NOT NULL,
    instance_number text NOT NULL
);

CREATE TABLE objects (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sop_instance_uid text NOT NULL UNIQUE,
    path text NOT NULL UNIQUE, -- relative to the store
    size bigint NOT NULL,
    sha256 text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);

-- Who retrieved what, and when. The oldest part is deleted now and then, which leaves dead rows.
CREATE TABLE access_log (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    calling_ae_title text NOT NULL,
    verb text NOT NULL,
    sop_instance_uid text NOT NULL
);
CREATE INDEX access_log_at ON access_log (at);

-- Objects that wait to be sent to another archive. Rows come and go out of order, which bloats its index.
CREATE TABLE send_queue (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object_pk bigint NOT NULL,
    destination text NOT NULL,
    due timestamptz NOT NULL
);
CREATE INDEX send_queue_due ON send_queue (destination, due);
