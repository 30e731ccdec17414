//! What went wrong with the database, in words that name it and say what to do.

/// Classes and codes of SQLSTATE with a treatment of their own (PostgreSQL's manual, appendix A).
fn remedy(code: &str) -> &'static str {
    match code {
        "28P01" | "28000" => "the name or password is wrong; correct the address given to --database",
        "3D000" => "make that database first (`createdb`), or correct the address given to --database",
        "42501" => {
            "give this user the right to create a schema in the database, or an existing schema `haliotis` of its own"
        }
        "53100" => {
            "the disk of the database is full; free some space, the next write then goes through without a restart"
        }
        "53300" => "the database has no free connection; raise max_connections or end other clients",
        "57P01" | "57P02" | "57P03" => "the database is restarting; writes go through again when it is back",
        _ => "if it happens again, look into the database's own log",
    }
}

/// One sentence on what happened where, and the remedy.
pub(super) fn explain(place: &str, error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match (&code, error) {
        (Some(code), _) => format!("PostgreSQL at {place}: {error} (SQLSTATE {code}); {}", remedy(code)),
        (None, sqlx::Error::PoolTimedOut) => {
            format!("PostgreSQL at {place} does not answer; see that it runs and can be reached from here")
        }
        (None, sqlx::Error::PoolClosed) => {
            format!("the connection to PostgreSQL at {place} is closed; start the server again")
        }
        (None, _) => format!("PostgreSQL at {place}: {error}; see that it runs and can be reached from here"),
    }
}

/// Whether the same work may go through when it is tried again in smaller pieces: the database refused a statement, as
/// opposed to being away.
pub(super) fn is_refusal(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| !code.starts_with("57") && !code.starts_with("53"))
}

/// Whether a row with the same key was there.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
