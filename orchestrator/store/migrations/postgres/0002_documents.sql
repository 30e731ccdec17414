-- Texts that an edge keeps as it was given them, as Jenkins' config.xml of a job, by kind and name.
CREATE TABLE documents (
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);
