//! The supervisor: a small process that starts the processes of steps, outlives the server, and knows every end.
//!
//! ```text
//!  server (tokio, large)                  supervisor (one thread, small)                     steps
//!  Supervisor ── socket, frames ──>  poll ─┬─ requests      posix_spawn ──────────────────>  sh -c …
//!   (client.rs)                            ├─ SIGCHLD       waitpid, leftovers, record        ├─ …
//!                                          ├─ pipes         masking pump ──> log              └─ …
//!                                          └─ pidfds        processes of a supervisor before us
//! ```
//! Why a process of its own: a step must survive the server, and starting from a small process is many times cheaper
//! than from a large one.
//!
//! **Invariants**
//! 1. One supervisor per folder: it holds the lock file for life; a second one ends at once.
//! 2. At most one process per key for ever: `start KEY` is recorded before the process is, and a key with a record is
//!    never started again until it is forgotten.
//! 3. `wait` answers only after the record says so (`exit KEY`), and the record is written only when the main process
//!    and all it left behind are gone, or cannot be killed ([`GIVE_UP`]).
//! 4. A signal reaches only a process that was looked at after its pidfd was opened (tree.rs); direct children cannot be
//!    confused, since only this thread reaps.
//! 5. A log has its name before the end of its step is told (spare.rs).
//! 6. Nothing here waits for a client, a step or a pipe; a grandchild that holds the output open delays nothing.
//!
//! **Races**
//! - *The server dies*: its connection closes, its waits are dropped, steps go on. The next server asks again by key.
//! - *The supervisor dies*: the client connects again, starts another one, sends its open requests again (each may be
//!   sent twice). The new one adopts what has no end in `records`: by pid and start time, else by the marker in the
//!   environment. Adopted processes are no children of ours, so their exit code is lost; their end is not.
//! - *It dies between claim and spawn*: the key's end is `lost`; see records.rs.
//! - *Two clients start a supervisor at once*: the lock decides; the loser ends, and with it the connection that its
//!   client gave it at its start, so that this one, too, connects to the winner.
//! - *It goes idle just as a client connects*: the client sees the connection close and starts anew.
//! - *The main process ends while being killed*: `Draining` keeps the deadline of the kill; what ignores SIGTERM is
//!   killed at that deadline, and otherwise [`LEFTOVER_GRACE`] after the end.
//! - *A process waits for the end of another* (`Run` with `after`): nothing is recorded of it before that end. If we die
//!   before, the client's open request is sent again, and the next supervisor starts it; a server that died asks again
//!   by its journal. If only the client dies, it is started all the same: its START is in the journal.
//! - *A leftover forks while it is being killed*: each round looks again. Nobody is left when we have no child that is
//!   not a main process or another step's, and none ended while we looked: a list of `/proc` alone can miss one.

mod client;
mod connection;
mod pump;
mod records;
mod serve;
mod spare;
mod spawn;
mod step;
mod tree;
mod wire;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

pub use client::Supervisor;

/// With no process and no client for so long, the supervisor ends: longer than a restart of a server takes, short
/// enough that `haliotis run` leaves nothing behind that a person would notice.
pub const IDLE_LIMIT: Duration = Duration::from_secs(5);
/// What a main process left behind has so long after SIGTERM to end by itself; the step waits for it.
pub const LEFTOVER_GRACE: Duration = Duration::from_millis(500);
/// So long after SIGKILL the end is reported although something still lives: it hangs in the kernel (a dead network
/// disk), and nobody can do anything about it.
pub const GIVE_UP: Duration = Duration::from_secs(2);

/// The supervisor's main function, behind `haliotis __supervise --dir DIR`. To be called first of all in `main`: it
/// wants to be the only thread, and closes every descriptor above the standard streams. Gives the exit code.
pub fn supervise_main(dir: &Path) -> i32 {
    spawn::close_inherited();
    // Refused if we lead a process group already, as when started from a shell; then there is nothing to leave.
    let _ = rustix::process::setsid();
    match supervise(dir) {
        Ok(()) => 0,
        Err(error) => {
            note(&format!("the supervisor of {} cannot run: {error}", dir.display()));
            1
        }
    }
}

fn supervise(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let dir = dir.canonicalize()?;
    // From inside, the socket's name is short enough wherever the folder is (108 bytes are the limit).
    std::env::set_current_dir(&dir)?;
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(wire::LOCK)?;
    if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let signals = spawn::child_signals()?;
    let _ = std::fs::remove_file(wire::SOCKET);
    let listener = UnixListener::bind(wire::SOCKET)?;
    let inode = std::fs::metadata(&dir)?.ino();
    let mut server = serve::Server::new(dir, inode, listener, signals)?;
    server.welcome(standard_input()?);
    server.adopt_unfinished();
    server.run()?;
    let _ = std::fs::remove_file(wire::SOCKET);
    Ok(())
}

/// The connection to whoever started us, if they gave us one; nothing is left at its place.
fn standard_input() -> std::io::Result<Option<UnixStream>> {
    let stdin = std::io::stdin();
    if !std::fs::File::from(stdin.as_fd().try_clone_to_owned()?).metadata()?.file_type().is_socket() {
        return Ok(None);
    }
    let stream = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(Some(stream))
}

/// A line for people in `supervisor.log`, where the standard error of a supervisor goes.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
