-- Texts that an edge keeps as it was given them, as Jenkins' config.xml of a job, by kind and name.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;
