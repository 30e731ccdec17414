//! How a step that runs inside our own process learns that it should stop.
//!
//! The wish is a file in the attempt's scratch folder, so it outlives a restart; a notice in memory makes it quick.
//!
//! Race: `cancel` may come before `attach`, while it runs, or after it. The waiter registers for the notice first and
//! looks for the file second; `cancel` writes the file first and gives notice second. So one of the two is seen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haliotis_plugin_api::{StepContext, StepError};
use tokio::sync::Notify;

/// In the scratch folder: somebody asked the attempt to stop.
const MARK: &str = "cancelled";

/// Steps that wait now, by scratch folder, which is an attempt's own.
static WAITING: Mutex<BTreeMap<PathBuf, Arc<Notify>>> = Mutex::new(BTreeMap::new());

/// Asks the attempt to stop; asking twice is asking once.
pub(crate) fn ask(ctx: &StepContext) -> Result<(), StepError> {
    let noted = std::fs::write(ctx.scratch.join(MARK), "");
    // Whoever waits in this life is told even if the disk is too full for the mark.
    if let Some(notice) = waiting().get(&ctx.scratch) {
        notice.notify_waiters();
    }
    Ok(noted?)
}

/// Somebody asked.
pub(crate) fn asked(ctx: &StepContext) -> bool {
    ctx.scratch.join(MARK).exists()
}

/// Runs the work; `None` when the attempt was asked to stop before the work was done. The work is then dropped.
pub(crate) async fn unless_asked<T>(ctx: &StepContext, work: impl Future<Output = T>) -> Option<T> {
    let registered = Registered::new(ctx);
    let notice = Arc::clone(&registered.notice);
    let stop = notice.notified();
    tokio::pin!(stop);
    stop.as_mut().enable();
    if asked(ctx) {
        return None;
    }
    tokio::select! {
        biased;
        done = work => Some(done),
        () = stop => None,
    }
}

struct Registered {
    scratch: PathBuf,
    notice: Arc<Notify>,
}

impl Registered {
    fn new(ctx: &StepContext) -> Self {
        let notice = Arc::clone(waiting().entry(ctx.scratch.clone()).or_default());
        Self { scratch: ctx.scratch.clone(), notice }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut waiting = waiting();
        // Two of the three owners are the map and this value: nobody else waits.
        if waiting.get(&self.scratch).is_some_and(|notice| Arc::strong_count(notice) <= 2) {
            waiting.remove(&self.scratch);
        }
    }
}

fn waiting() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<Notify>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}
