-- The first schema on PostgreSQL: the tables of SQLite's, and who may write them.
-- Times are milliseconds since 1970-01-01T00:00:00Z unless they are timestamps. Bodies are JSON as text: they are
-- compared byte for byte, which jsonb would not allow. Names sort by byte, as they do in SQLite.

-- One row a start of a server. `id` is the epoch that each of its writes carries. A later start with the same name (the
-- same host and data folder, of which one server at a time has the lock) ends the earlier one's right at once; a server
-- that was not seen for a lease loses it as well.
CREATE TABLE servers (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  TEXT COLLATE "C" NOT NULL,
    seen  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE numbers (
    pipeline TEXT COLLATE "C" PRIMARY KEY,
    last     BIGINT NOT NULL
);

CREATE TABLE builds (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline    TEXT COLLATE "C" NOT NULL,
    number      BIGINT NOT NULL,
    once        TEXT COLLATE "C",
    last_seq    BIGINT NOT NULL DEFAULT 0,
    status      TEXT COLLATE "C" NOT NULL,
    result      TEXT COLLATE "C",
    message     TEXT,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    commit_hash TEXT COLLATE "C",
    causes      TEXT NOT NULL,
    parameters  TEXT NOT NULL,
    owner       BIGINT NOT NULL REFERENCES servers (id),
    UNIQUE (pipeline, number)
);
CREATE UNIQUE INDEX builds_once ON builds (once) WHERE once IS NOT NULL;
CREATE INDEX builds_of_pipeline ON builds (pipeline, id);
CREATE INDEX builds_active ON builds (id) WHERE status <> 'ended';

-- `writer` is the epoch that wrote the turn: it tells a turn of ours whose acknowledgement was lost from another's.
CREATE TABLE journal (
    build  BIGINT NOT NULL REFERENCES builds (id),
    seq    BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    body   TEXT NOT NULL,
    writer BIGINT NOT NULL,
    PRIMARY KEY (build, seq)
);

CREATE TABLE outbox (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    build    BIGINT NOT NULL REFERENCES builds (id),
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due      BIGINT NOT NULL,
    error    TEXT NOT NULL DEFAULT ''
);

CREATE TABLE pipelines (
    name TEXT COLLATE "C" PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE cursors (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE deliveries (
    arrival BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      TEXT COLLATE "C" NOT NULL UNIQUE,
    at      BIGINT NOT NULL,
    host    TEXT NOT NULL,
    event   TEXT NOT NULL,
    payload TEXT NOT NULL,
    outcome TEXT NOT NULL
);
CREATE INDEX deliveries_waiting ON deliveries (arrival) WHERE outcome = '';

CREATE TABLE audit (
    entry   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
    by      TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    reason  TEXT NOT NULL,
    detail  TEXT NOT NULL
);
CREATE INDEX audit_of_subject ON audit (subject, entry);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

CREATE TABLE credentials (
    id          TEXT COLLATE "C" PRIMARY KEY,
    kind        TEXT NOT NULL,
    description TEXT NOT NULL,
    fields      TEXT NOT NULL
);
