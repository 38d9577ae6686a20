//! The tables of a store file, and the application id by which it is told from any other SQLite file.

/// "NSMS" in `PRAGMA application_id` (<https://www.sqlite.org/fileformat2.html#application_id>).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"NSMS");

/// Rises whenever an older program could no longer use the file; kept in `PRAGMA user_version`.
pub(super) const SCHEMA_VERSION: i32 = 1;

/// What was added since. An older program takes no notice of it, so the version stays, and a file that lacks it gets it.
pub(super) const ADDED: &str = "
    CREATE TABLE IF NOT EXISTS heartbeats (
        id TEXT PRIMARY KEY,
        document TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS observations (
        uid TEXT PRIMARY KEY,
        document TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS notes (
        about TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        document TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// The newest table of [`ADDED`]: a file that has it has all.
pub(super) const NEWEST: &str = "notes";

/// Documents are JSON texts, so that unknown fields survive; the columns beside them are what is searched.
///
/// `at` is in milliseconds since 1970. Retention and audits read by kind and by actor.
pub(super) const TABLES: &str = "
    CREATE TABLE entries (
        uid TEXT NOT NULL,
        seq INTEGER NOT NULL CHECK (seq >= 1),
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        name TEXT NOT NULL,
        token TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (uid, seq)
    ) STRICT;
    CREATE INDEX entries_by_place ON entries (at, uid, seq);
    CREATE INDEX entries_by_kind ON entries (kind, at);
    CREATE INDEX entries_by_actor ON entries (actor, at);
    CREATE INDEX histories_by_name ON entries (name, at, uid) WHERE seq = 1;

    CREATE TABLE snapshots (
        uid TEXT PRIMARY KEY,
        fold INTEGER NOT NULL,
        head INTEGER NOT NULL,
        document TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE claims (
        kind TEXT NOT NULL,
        bundle TEXT NOT NULL,
        number INTEGER NOT NULL,
        token TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (kind, bundle, number)
    ) STRICT;

    CREATE TABLE pings (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        count INTEGER NOT NULL
    ) STRICT;
    INSERT INTO pings VALUES (1, 0);
";
