//! The one writer: takes all that wait, writes it in one transaction with one fsync, then answers each.
//!
//! ```text
//! Commits::Aside   writes of any thread ─> queue ─> the writer's thread: one transaction for all that wait
//! Commits::Here    a write is committed by the thread that asks, before the call returns: no change of thread,
//!                  which for a small turn costs more than its fsync. For one build on one thread. Appends of those
//!                  who can do something else meanwhile (`append`, not `append_here`) go to a thread all the same.
//! ```
//! Properties: nobody is answered before the commit. Work of one job is in one transaction. Jobs are written in the
//! order they were queued.
//!
//! Races and failures:
//! - A job whose sender went away is written all the same; its turn may already have been promised elsewhere.
//! - A group fails: it is rolled back, and each of its jobs is tried alone, so one bad record fails nobody else.
//! - Another process holds the lock: the group is told so after the patience of one try, and each further group after a
//!   short one until the lock is free again, so that nobody waits for the sum of those before it.
//! - The commit itself fails (disk full, fsync error): SQLite undoes it, the jobs are told, and no acknowledged write is
//!   touched. Where the machine dies right then, the turn may turn out to be on disk; the fence finds that at reload.
//! - The connection is in doubt (I/O error): it is dropped, and the next group makes a new one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haliotis_engine::{Created, JournalError};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::room::Room;
use super::{Commits, append, failure, journal, open};
use crate::sql::statement::Statement;
use crate::sql::turn::{NewBuildRow, NewTurn};

/// Jobs that may wait; more senders wait for a place. Bounds memory when the disk is slow.
const QUEUE: usize = 4_096;
/// Jobs in one transaction at most, so that the first of them is not kept waiting for ever by those behind it.
const GROUP: usize = 1_024;

/// How long a write waits for a lock of another process that was there at the last write, too: long enough to get in
/// between two transactions of somebody who works, short enough that a hundred writes of one request do not add up.
const BUSY_STILL: Duration = Duration::from_millis(100);

/// What to write.
pub(super) enum Work {
    /// A build.
    Create(Box<NewBuildRow>),
    /// Turns, of several builds perhaps.
    Append(Vec<NewTurn>),
    /// Anything that is one statement.
    Change(Statement),
}

impl Work {
    /// Bytes that it writes, about.
    fn bytes(&self) -> u64 {
        let length = match self {
            Work::Create(build) => build.pinned.len() + build.parameters.len(),
            Work::Append(turns) => turns.iter().map(|turn| turn.body.len()).sum(),
            Work::Change(_) => 0,
        };
        length as u64
    }
}

/// What came of it.
pub(super) enum Done {
    /// Of `Create`.
    Created(Created),
    /// Of `Append`, one for each turn.
    Appended(Vec<Result<(), JournalError>>),
    /// Of `Change`: rows changed.
    Changed(u64),
}

impl Done {
    /// The answer to another question: a mistake in this crate, reported and not a panic.
    pub(super) fn misplaced(&self) -> JournalError {
        let name = match self {
            Done::Created(_) => "created",
            Done::Appended(_) => "appended",
            Done::Changed(_) => "changed",
        };
        JournalError::Store(format!("the writer answered `{name}` to another question; please report this"))
    }
}

/// Work and who waits for it.
pub(super) struct Job {
    work: Work,
    /// Told after the commit.
    answer: oneshot::Sender<Result<Done, String>>,
}

/// What travels to the writer's thread.
pub(super) enum Message {
    Job(Job),
    /// Ends it, after all that came before.
    Close(oneshot::Sender<()>),
}

/// The way to the disk.
#[derive(Debug)]
pub(super) enum Writer {
    Here(Arc<Mutex<Option<Committer>>>),
    Aside(mpsc::Sender<Message>),
}

impl Writer {
    /// A writer over this connection. Fails when there can be no thread for it.
    pub(super) fn new(committer: Committer, commits: Commits) -> std::io::Result<Writer> {
        match commits {
            Commits::Here => Ok(Writer::Here(Arc::new(Mutex::new(Some(committer))))),
            Commits::Aside => {
                let (sender, messages) = mpsc::channel(QUEUE);
                let thread = std::thread::Builder::new().name("store".to_owned());
                thread.spawn(move || run(committer, messages))?;
                Ok(Writer::Aside(sender))
            }
        }
    }

    /// Writes on this thread; `None`: the writer has a thread of its own, or is closed.
    pub(super) fn write_here(&self, work: &Work) -> Option<Result<Done, String>> {
        match self {
            Writer::Here(committer) => commit_one(committer, work),
            Writer::Aside(_) => None,
        }
    }

    /// Writes; `None`: the store is closed.
    pub(super) async fn write(&self, work: Work) -> Option<Result<Done, String>> {
        match self {
            // Who can wait for the disk without standing still is not made to.
            Writer::Here(committer) if matches!(work, Work::Append(_)) => {
                let committer = Arc::clone(committer);
                tokio::task::spawn_blocking(move || commit_one(&committer, &work)).await.ok()?
            }
            Writer::Here(committer) => commit_one(committer, &work),
            Writer::Aside(messages) => {
                let (answer, done) = oneshot::channel();
                messages.send(Message::Job(Job { work, answer })).await.ok()?;
                done.await.ok()
            }
        }
    }

    /// Waits for the writes under way; after `before` has run, closes the connection.
    pub(super) async fn close(&self, before: impl Future<Output = ()>) {
        match self {
            Writer::Here(committer) => {
                let committer = committer.lock().unwrap_or_else(PoisonError::into_inner).take();
                before.await;
                committer.into_iter().for_each(Committer::close);
            }
            Writer::Aside(messages) => {
                let (closed, all_closed) = oneshot::channel();
                before.await;
                if messages.send(Message::Close(closed)).await.is_ok() {
                    let _ = all_closed.await;
                }
            }
        }
    }
}

fn commit_one(committer: &Mutex<Option<Committer>>, work: &Work) -> Option<Result<Done, String>> {
    let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
    Some(committer.as_mut()?.commit_alone(work))
}

/// The writer's thread. Ends with `Message::Close`, or when every sender is gone.
fn run(mut committer: Committer, mut messages: mpsc::Receiver<Message>) {
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = messages.blocking_recv() else { break };
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) => group.push(job),
                Message::Close(closed) => {
                    closing = Some(closed);
                    messages.close();
                    break;
                }
            }
            next = if group.len() < GROUP { messages.try_recv().ok() } else { None };
        }
        committer.commit_group(group);
    }
    committer.close();
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

/// The writing connection.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) path: Arc<PathBuf>,
    pub(super) busy: Duration,
    pub(super) connection: Option<Connection>,
    pub(super) room: Room,
    /// Another process had the lock at the last try.
    pub(super) locked: bool,
}

/// Why nothing was written.
struct Refused {
    reason: String,
    /// Because of a lock: a second try at once would only wait again.
    locked: bool,
}

impl Committer {
    fn commit_group(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let work: Vec<&Work> = group.iter().map(|job| &job.work).collect();
        match self.commit(&work) {
            Ok(done) => {
                for (job, done) in group.into_iter().zip(done) {
                    let _ = job.answer.send(Ok(done));
                }
            }
            Err(refused) if group.len() == 1 || refused.locked => {
                group.into_iter().for_each(|job| drop(job.answer.send(Err(refused.reason.clone()))));
            }
            Err(_) => {
                for job in group {
                    let _ = job.answer.send(self.commit_alone(&job.work));
                }
            }
        }
    }

    fn commit_alone(&mut self, work: &Work) -> Result<Done, String> {
        let mut done = self.commit(&[work]).map_err(|refused| refused.reason)?;
        done.pop().ok_or_else(|| "the writer gave no answer".to_owned())
    }

    /// One transaction. On an error nothing of it stays.
    fn commit(&mut self, work: &[&Work]) -> Result<Vec<Done>, Refused> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open::writer(&self.path, self.busy).map_err(|error| self.refused(&error))?,
        };
        self.room.make_for(work.iter().map(|work| work.bytes()).sum());
        match transact(&connection, work) {
            Ok(done) => {
                self.patience(&connection, false);
                self.connection = Some(connection);
                Ok(done)
            }
            Err(error) => {
                let refused = self.refused(&error);
                // SQLite may have rolled back already, and then says that no transaction is active.
                let _ = connection.execute_batch("ROLLBACK");
                self.patience(&connection, refused.locked);
                if !failure::spoils_connection(&error) {
                    self.connection = Some(connection);
                }
                Err(refused)
            }
        }
    }

    /// The lock was seen, or is gone: how long the next write waits for it.
    fn patience(&mut self, connection: &Connection, locked: bool) {
        if std::mem::replace(&mut self.locked, locked) != locked {
            let patience = if locked { BUSY_STILL.min(self.busy) } else { self.busy };
            // It refuses only what is no time at all.
            let _ = connection.busy_timeout(patience);
        }
    }

    fn refused(&self, error: &rusqlite::Error) -> Refused {
        Refused { reason: self.report(error), locked: failure::is_busy(error) }
    }

    fn report(&self, error: &rusqlite::Error) -> String {
        let reason = failure::explain(&self.path, error);
        tracing::error!("{reason}");
        reason
    }

    fn close(self) {
        if let Some(connection) = self.connection
            && let Err((_, error)) = connection.close()
        {
            tracing::warn!(file = %self.path.display(), %error, "closing the store failed; nothing acknowledged is lost");
        }
    }
}

fn transact(connection: &Connection, work: &[&Work]) -> rusqlite::Result<Vec<Done>> {
    // The write lock comes first: what is read from here on, the fences above all, holds until the commit.
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
    let mut done = Vec::with_capacity(work.len());
    for work in work {
        done.push(match work {
            Work::Create(build) => Done::Created(journal::insert(connection, build)?),
            Work::Change(change) => Done::Changed(change.run(connection)?),
            Work::Append(turns) => {
                let results = turns.iter().map(|turn| append::write(connection, turn));
                Done::Appended(results.collect::<rusqlite::Result<_>>()?)
            }
        });
    }
    haliotis_failpoints::failpoint!("sqlite.commit.before");
    connection.prepare_cached("COMMIT")?.execute(())?;
    haliotis_failpoints::failpoint!("sqlite.commit.after");
    Ok(done)
}
