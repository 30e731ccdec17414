-- The first schema: journals, and what is kept beside them.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Bodies are JSON.

-- The last number allotted in each pipeline; kept when builds go, so that a number is never used twice.
CREATE TABLE numbers (
    pipeline TEXT PRIMARY KEY,
    last     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a build: what lists show, and the fence. Everything else about a build is in its journal.
CREATE TABLE builds (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline    TEXT NOT NULL,
    number      INTEGER NOT NULL,
    once        TEXT,
    last_seq    INTEGER NOT NULL DEFAULT 0,
    status      TEXT NOT NULL,
    result      TEXT,
    message     TEXT,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    commit_hash TEXT,
    causes      TEXT NOT NULL,
    parameters  TEXT NOT NULL,
    UNIQUE (pipeline, number)
) STRICT;
CREATE UNIQUE INDEX builds_once ON builds (once) WHERE once IS NOT NULL;
CREATE INDEX builds_of_pipeline ON builds (pipeline, id);
-- Few builds are active at any time however many have ended, so this index stays small for ever.
CREATE INDEX builds_active ON builds (id) WHERE status <> 'ended';

-- One row a turn; 0 is what was pinned at creation. Clustered by build, so that a load is one range.
CREATE TABLE journal (
    build INTEGER NOT NULL REFERENCES builds (id),
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    body  TEXT NOT NULL,
    PRIMARY KEY (build, seq)
) STRICT, WITHOUT ROWID;

-- Things to do for the outside, written with the turn that asked for them; a row goes when it is done.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    build    INTEGER NOT NULL REFERENCES builds (id),
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due      INTEGER NOT NULL,
    error    TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE pipelines (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE cursors (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    at      INTEGER NOT NULL,
    host    TEXT NOT NULL,
    event   TEXT NOT NULL,
    payload TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (arrival) WHERE outcome = '';

CREATE TABLE audit (
    entry   INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    by      TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason  TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;
CREATE INDEX audit_of_subject ON audit (subject, entry);
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Secret: this table is why the file is private to its user.
CREATE TABLE credentials (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    description TEXT NOT NULL,
    fields      TEXT NOT NULL
) STRICT;
