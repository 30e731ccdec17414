//! What the server itself keeps for Jenkins' API while it lives.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Notify};

/// Switches, locks and the session's name.
pub(crate) struct Kept {
    /// Changes of documents that are read first: one at a time.
    pub(crate) changes: Mutex<()>,
    /// Names of jobs are taken, one at a time.
    pub(crate) creating: Mutex<()>,
    session: u64,
    quiet: AtomicBool,
    wake: Notify,
}

impl Default for Kept {
    fn default() -> Self {
        // The hasher's keys are random for each process; nothing secret hangs on them.
        let session = RandomState::new().build_hasher().finish();
        Self {
            changes: Mutex::new(()),
            creating: Mutex::new(()),
            session,
            quiet: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }
}

impl Kept {
    /// Eight hexadecimal digits that change when the server starts anew.
    pub(crate) fn session(&self) -> String {
        format!("{:08x}", self.session >> 32)
    }

    /// No build begins through the queue.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    pub(crate) fn set_quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Relaxed);
        if !quiet {
            self.wake.notify_waiters();
        }
    }

    /// Waits until the server is not quiet any more, or a moment.
    pub(crate) async fn woken(&self) {
        // The moment covers a wake that falls between the look at `quiet` and this wait.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), self.wake.notified()).await;
    }
}
