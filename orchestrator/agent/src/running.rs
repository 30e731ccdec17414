//! The attempts at work, and how a wish to stop reaches each.
//!
//! ```text
//! Waiting (for a slot) ── slot ──> Starting ── start returned ──> Attached ── end ──> (gone)
//!    stop: never begins              stop: remembered, passed         stop: passed to the runner
//!                                    on once start has returned
//! ```
//! Race: a stop between `start` and `attach`. `attached` and `stop` take the same lock, so either `stop` finds the
//! attempt attached and passes the wish on, or `attached` finds the wish and its caller does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haliotis_model::{StepKey, Value};
use haliotis_plugin_api::StepContext;
use tokio::sync::Notify;

/// What a runner's `cancel` wants.
pub(crate) type Attached = (Arc<StepContext>, Value);

#[derive(Default)]
struct Attempt {
    stop: bool,
    notice: Arc<Notify>,
    attached: Option<Attached>,
}

/// All attempts at work.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<BTreeMap<StepKey, Attempt>>>);

impl Running {
    /// Takes an attempt in; it goes with the value.
    pub(crate) fn enter(&self, key: &StepKey) -> Entered {
        let attempt = Attempt::default();
        let notice = Arc::clone(&attempt.notice);
        self.lock().insert(key.clone(), attempt);
        Entered { running: self.clone(), key: key.clone(), notice }
    }

    /// Asks an attempt to stop; gives what to cancel, if it is that far.
    pub(crate) fn stop(&self, key: &StepKey) -> Option<Attached> {
        let mut all = self.lock();
        let attempt = all.get_mut(key)?;
        attempt.stop = true;
        attempt.notice.notify_one();
        attempt.attached.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StepKey, Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt's place among those at work.
pub(crate) struct Entered {
    running: Running,
    key: StepKey,
    notice: Arc<Notify>,
}

impl Entered {
    /// Returns once somebody asks to stop; used while waiting for a slot or for room.
    pub(crate) async fn stopped(&self) {
        while !self.must_stop() {
            self.notice.notified().await;
        }
    }

    /// Waits for something; `false`: somebody asked to stop meanwhile.
    pub(crate) async fn unless_stopped(&self, work: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => false,
            () = work => true,
        }
    }

    /// Somebody asked.
    pub(crate) fn must_stop(&self) -> bool {
        self.running.lock().get(&self.key).is_some_and(|attempt| attempt.stop)
    }

    /// `start` has returned. `true`: somebody asked to stop before, and the caller passes it on.
    pub(crate) fn attached(&self, ctx: &Arc<StepContext>, handle: &Value) -> bool {
        let mut all = self.running.lock();
        let Some(attempt) = all.get_mut(&self.key) else { return false };
        attempt.attached = Some((Arc::clone(ctx), handle.clone()));
        attempt.stop
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.running.lock().remove(&self.key);
    }
}
