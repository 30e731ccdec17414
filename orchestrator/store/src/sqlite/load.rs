//! Whole journals out of the file, read where they lie: a build of ten thousand turns is looked at text by text, with no
//! copy of a row and no change of thread for each.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haliotis_engine::JournalError;
use haliotis_model::BuildId;
use rusqlite::Connection;
use tokio::runtime::RuntimeFlavor;

use super::{failure, open};
use crate::sql::{JOURNAL, Record};

/// One connection for it, made at the first journal.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    path: Arc<PathBuf>,
    busy: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Idle,
    Open(Connection),
    Closed,
}

impl Loader {
    pub(super) fn new(path: &Arc<PathBuf>, busy: Duration) -> Self {
        Self { path: Arc::clone(path), busy, state: Arc::new(Mutex::new(State::Idle)) }
    }

    /// The records of a build, in their order.
    pub(super) async fn load<T: Send + 'static>(
        &self,
        build: BuildId,
        read: impl Fn(Record<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, JournalError> {
        // On this thread, whose memory has grown already; where other tasks share it, they go elsewhere meanwhile.
        match tokio::runtime::Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(|| self.read(build, read)),
            _ => self.read(build, read),
        }
    }

    fn read<T>(&self, build: BuildId, read: impl Fn(Record<'_>) -> T) -> Result<Vec<T>, JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: rusqlite::Error| JournalError::Store(failure::explain(&self.path, &error));
        if let State::Idle = *state {
            let connection = open::writer(&self.path, self.busy).map_err(failed)?;
            connection.pragma_update(None, "query_only", true).map_err(failed)?;
            *state = State::Open(connection);
        }
        let State::Open(connection) = &*state else {
            return Err(JournalError::Store(format!("{} is closed; start the server again", self.path.display())));
        };
        records(connection, build, read).map_err(failed)
    }

    /// Lets go of the file; later reads fail.
    pub(super) fn close(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }
}

fn records<T>(connection: &Connection, build: BuildId, read: impl Fn(Record<'_>) -> T) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(JOURNAL)?;
    let mut rows = statement.query([build.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = Record {
            number: row.get(0)?,
            last: row.get(1)?,
            seq: row.get(2)?,
            body: row.get_ref(3)?.as_str_or_null()?,
        };
        found.push(read(record));
    }
    Ok(found)
}
