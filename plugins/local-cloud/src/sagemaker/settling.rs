//! One settler per endpoint: who comes while one is at work leaves a note, and the one at work looks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Which endpoints are being settled, and whether somebody asked again meanwhile.
#[derive(Default)]
pub(crate) struct Settling {
    at_work: Mutex<BTreeMap<String, Note>>,
}

#[derive(Default)]
struct Note {
    again: bool,
    nudge: Arc<Notify>,
}

impl Settling {
    /// `true`: the caller is now the settler. `false`: another is, and has been nudged.
    pub(crate) fn enter(&self, name: &str) -> bool {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        match at_work.get_mut(name) {
            Some(note) => {
                note.again = true;
                note.nudge.notify_one();
                false
            }
            None => {
                at_work.insert(name.to_owned(), Note::default());
                true
            }
        }
    }

    /// `true`: done. `false`: somebody asked again, so the caller goes round once more.
    pub(crate) fn leave(&self, name: &str) -> bool {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let again = at_work.get_mut(name).is_some_and(|note| std::mem::take(&mut note.again));
        if !again {
            at_work.remove(name);
        }
        !again
    }

    /// Returns when somebody asks again.
    pub(crate) async fn nudged(&self, name: &str) {
        let nudge = self.at_work.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(|n| Arc::clone(&n.nudge));
        match nudge {
            Some(nudge) => nudge.notified().await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_asker_makes_the_first_go_round_again() {
        let settling = Settling::default();
        assert!(settling.enter("e"));
        assert!(!settling.enter("e"));
        settling.nudged("e").await;
        assert!(!settling.leave("e"));
        assert!(settling.leave("e"));
        assert!(settling.enter("e"));
    }
}
