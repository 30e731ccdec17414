-- The audit trail becomes a chain: each row names the row before it and hashes itself with that row's hash.
-- `previous` is unique, so two writers cannot both follow one row; the second tries again. Rows from before have none.
ALTER TABLE audit ADD COLUMN previous INTEGER;
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX audit_chain ON audit (previous);
