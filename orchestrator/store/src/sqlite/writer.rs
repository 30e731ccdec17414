//! The one writer: takes all that wait, writes it in one transaction with one fsync, then answers each.
//!
//! Properties: nobody is answered before the commit. Work of one job is in one transaction. Jobs are written in the
//! order they were queued, except that appends come after the other work of their group (no job can depend on another
//! of its group: its sender has no answer yet).
//!
//! Races and failures:
//! - A job whose sender went away is written all the same; its turn may already have been promised elsewhere.
//! - A group fails: it is rolled back, and each of its jobs is tried alone, so one bad record fails nobody else.
//! - The commit itself fails (disk full, fsync error): SQLite undoes it, the jobs are told, and no acknowledged write is
//!   touched. Where the machine dies right then, the turn may turn out to be on disk; the fence finds that at reload.
//! - The connection is in doubt (I/O error): it is dropped, and the next group makes a new one.

use std::path::PathBuf;
use std::sync::Arc;

use haliotis_engine::{Created, JournalError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::{append, failure, journal};
use crate::sql::statement::Statement;
use crate::sql::turn::{NewBuildRow, NewTurn};

/// Jobs that may wait; more senders wait for a place. Bounds memory when the disk is slow.
const QUEUE: usize = 4_096;
/// Jobs in one transaction at most, so that the first of them is not kept waiting for ever by those behind it.
const GROUP: usize = 1_024;

/// What to write.
pub(super) enum Work {
    /// A build.
    Create(Box<NewBuildRow>),
    /// Turns, of several builds perhaps.
    Append(Vec<NewTurn>),
    /// Anything that is one statement.
    Change(Statement),
    /// Nothing; ends the writer.
    Close,
}

/// What came of it.
pub(super) enum Done {
    /// Of `Create`.
    Created(Created),
    /// Of `Append`, one for each turn.
    Appended(Vec<Result<(), JournalError>>),
    /// Of `Change`: rows changed.
    Changed(u64),
    /// Of `Close`.
    Closed,
}

impl Done {
    /// The answer to another question: a mistake in this crate, reported and not a panic.
    pub(super) fn misplaced(&self) -> JournalError {
        let name = match self {
            Done::Created(_) => "created",
            Done::Appended(_) => "appended",
            Done::Changed(_) => "changed",
            Done::Closed => "closed",
        };
        JournalError::Store(format!("the writer answered `{name}` to another question; please report this"))
    }
}

/// Work and who waits for it.
pub(super) struct Job {
    /// What to write.
    pub(super) work: Work,
    /// Told after the commit.
    pub(super) answer: oneshot::Sender<Result<Done, JournalError>>,
}

/// Starts the writer on the current runtime. It ends with `Work::Close`, or when every sender is gone.
pub(super) fn spawn(
    path: Arc<PathBuf>,
    options: SqliteConnectOptions,
    connection: SqliteConnection,
) -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel(QUEUE);
    let writer = Writer { path, options, connection: Some(connection) };
    tokio::spawn(writer.run(jobs));
    sender
}

struct Writer {
    path: Arc<PathBuf>,
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        let mut closing = None;
        while closing.is_none() && jobs.recv_many(&mut group, GROUP).await > 0 {
            if let Some(at) = group.iter().position(|job| matches!(job.work, Work::Close)) {
                closing = Some(group.swap_remove(at).answer);
                jobs.close();
            }
            self.commit_group(std::mem::take(&mut group)).await;
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(file = %self.path.display(), %error, "closing the store failed; nothing acknowledged is lost");
        }
        if let Some(answer) = closing {
            let _ = answer.send(Ok(Done::Closed));
        }
    }

    async fn commit_group(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let work: Vec<&Work> = group.iter().map(|job| &job.work).collect();
        match self.commit(&work).await {
            Ok(done) => {
                for (job, done) in group.into_iter().zip(done) {
                    let _ = job.answer.send(Ok(done));
                }
            }
            Err(reason) if group.len() == 1 => refuse(group, &reason),
            Err(_) => self.commit_one_by_one(group).await,
        }
    }

    async fn commit_one_by_one(&mut self, group: Vec<Job>) {
        for job in group {
            let outcome = match self.commit(&[&job.work]).await {
                Ok(mut done) => done.pop().unwrap_or(Done::Closed),
                Err(reason) => {
                    refuse(vec![job], &reason);
                    continue;
                }
            };
            let _ = job.answer.send(Ok(outcome));
        }
    }

    /// One transaction. On an error nothing of it stays.
    async fn commit(&mut self, work: &[&Work]) -> Result<Vec<Done>, String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options).await.map_err(|error| self.report(&error))?,
        };
        match transact(&mut connection, work).await {
            Ok(done) => {
                self.connection = Some(connection);
                Ok(done)
            }
            Err(error) => {
                let reason = self.report(&error);
                // SQLite may have rolled back already, and then says that no transaction is active.
                let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
                if !failure::spoils_connection(&error) {
                    self.connection = Some(connection);
                }
                Err(reason)
            }
        }
    }

    fn report(&self, error: &sqlx::Error) -> String {
        let reason = failure::explain(&self.path, error);
        tracing::error!("{reason}");
        reason
    }
}

fn refuse(group: Vec<Job>, reason: &str) {
    for job in group {
        let _ = job.answer.send(Err(JournalError::Store(reason.to_owned())));
    }
}

async fn transact(connection: &mut SqliteConnection, work: &[&Work]) -> Result<Vec<Done>, sqlx::Error> {
    if let [Work::Append(turns)] = work
        && let [turn] = turns.as_slice()
        && append::write_lone(connection, turn).await?
    {
        return Ok(vec![Done::Appended(vec![Ok(())])]);
    }
    // The write lock comes first: what is read from here on, the fences above all, holds until the commit.
    let turns: Vec<&NewTurn> = work
        .iter()
        .flat_map(|work| match work {
            Work::Append(turns) => turns.as_slice(),
            _ => &[],
        })
        .collect();
    let heads = append::begin(connection, &turns).await?;
    let mut done = Vec::with_capacity(work.len());
    for work in work {
        done.push(match work {
            Work::Create(build) => Done::Created(journal::insert(connection, build).await?),
            Work::Change(change) => Done::Changed(change.query().execute(&mut *connection).await?.rows_affected()),
            Work::Append(turns) => Done::Appended(Vec::with_capacity(turns.len())),
            Work::Close => Done::Closed,
        });
    }
    let mut outcomes = append::write_and_commit(connection, heads, &turns).await?.into_iter();
    for (work, done) in work.iter().zip(&mut done) {
        if let (Work::Append(turns), Done::Appended(results)) = (work, done) {
            results.extend(outcomes.by_ref().take(turns.len()));
        }
    }
    Ok(done)
}
