//! The agent's slots, and who follows whom in them.
//!
//! A step holds its slot until it has ended. Between the end of its process and the start of the next one's lie two
//! messages and whatever else this program does meanwhile; with short steps the slot would be empty a third of the time.
//! So the first that waits may be handed to the supervisor early, to *follow* the process of one that holds a slot: the
//! supervisor starts it at that one's end, and the slot passes on when the one before has ended here as well.
//!
//! ```text
//!           free slot                                 dropped, nobody follows -> the slot is free
//! Waiting ─────────────────────────────────> Holding ──────────────────────────────────────────>
//!    │                                        ^    │ dropped, and somebody follows: the slot is theirs
//!    │ first of all, follows, and a holder    │    │
//!    └─> whose process has begun ──> Following ────┘
//! ```
//! **Invariants**: holders and free slots are as many as there are slots; a holder has at most one follower, who has none
//! before it holds the slot itself; who waits is served in order. A future that is dropped while it waits leaves the line;
//! a slot that was on its way to it is dropped with it, and goes on to the next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A number of slots.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Mutex<State>>);

struct State {
    free: u32,
    next: u64,
    waiting: VecDeque<Waiting>,
    holding: BTreeMap<u64, Holding>,
    following: BTreeMap<u64, Following>,
}

struct Waiting {
    id: u64,
    /// It may follow a process.
    follows: bool,
    tell: oneshot::Sender<Slot>,
}

#[derive(Default)]
struct Holding {
    /// The key of its process, once begun.
    process: Option<String>,
    follower: Option<u64>,
}

struct Following {
    holder: u64,
    process: Option<String>,
}

/// A slot, or the right to the slot of another; given back when dropped.
pub(crate) struct Slot {
    slots: Slots,
    id: u64,
    /// The process whose end is to be awaited first.
    pub(crate) after: Option<String>,
}

impl Slots {
    pub(crate) fn new(slots: u32) -> Slots {
        Slots(Arc::new(Mutex::new(State {
            free: slots,
            next: 0,
            waiting: VecDeque::new(),
            holding: BTreeMap::new(),
            following: BTreeMap::new(),
        })))
    }

    /// Waits for a slot; `follows`: the step can be handed to the supervisor to start after another process.
    pub(crate) async fn take(&self, follows: bool) -> Slot {
        let (tell, told) = oneshot::channel();
        self.change(|state| {
            let id = state.next;
            state.next += 1;
            state.waiting.push_back(Waiting { id, follows, tell });
        });
        match told.await {
            Ok(slot) => slot,
            // Whoever waits is told or dropped with the slots themselves.
            Err(_) => std::future::pending().await,
        }
    }

    /// Changes the state, then serves whoever can be served.
    fn change(&self, act: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        act(&mut state);
        let served: Vec<_> = std::iter::from_fn(|| state.serve()).collect();
        drop(state);
        for (tell, id, after) in served {
            // Unread, it is dropped here, and that serves the next.
            let _ = tell.send(Slot { slots: self.clone(), id, after });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first that waits, if there is a slot or a process to follow.
    fn serve(&mut self) -> Option<(oneshot::Sender<Slot>, u64, Option<String>)> {
        while self.waiting.front().is_some_and(|first| first.tell.is_closed()) {
            self.waiting.pop_front();
        }
        let first = self.waiting.front()?;
        if self.free > 0 {
            self.free -= 1;
            let Waiting { id, tell, .. } = self.waiting.pop_front()?;
            self.holding.insert(id, Holding::default());
            return Some((tell, id, None));
        }
        if !first.follows {
            return None;
        }
        let can_lead = |holding: &Holding| holding.process.is_some() && holding.follower.is_none();
        let (&holder, holding) = self.holding.iter_mut().find(|(_, holding)| can_lead(holding))?;
        let Waiting { id, tell, .. } = self.waiting.pop_front()?;
        holding.follower = Some(id);
        self.following.insert(id, Following { holder, process: None });
        Some((tell, id, holding.process.clone()))
    }

    fn begun(&mut self, id: u64, key: String) {
        if let Some(holding) = self.holding.get_mut(&id) {
            holding.process = Some(key);
        } else if let Some(following) = self.following.get_mut(&id) {
            following.process = Some(key);
        }
    }

    fn give_back(&mut self, id: u64) {
        if let Some(Following { holder, .. }) = self.following.remove(&id) {
            if let Some(holding) = self.holding.get_mut(&holder) {
                holding.follower = None;
            }
            return;
        }
        let Some(holding) = self.holding.remove(&id) else { return };
        match holding.follower.and_then(|heir| Some((heir, self.following.remove(&heir)?))) {
            Some((heir, Following { process, .. })) => {
                self.holding.insert(heir, Holding { process, follower: None });
            }
            None => self.free += 1,
        }
    }
}

impl Slot {
    /// The step's process is with the supervisor: another may follow it.
    pub(crate) fn begun(&self, key: String) {
        self.slots.change(|state| state.begun(self.id, key));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.change(|state| state.give_back(self.id));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn now(future: impl Future<Output = Slot>) -> Option<Slot> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(slot) => Some(slot),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_next_follows_a_process_and_gets_its_slot() {
        let slots = Slots::new(1);
        let first = now(slots.take(true)).unwrap();
        assert_eq!(first.after, None);
        let mut second = Box::pin(slots.take(true));
        let mut third = Box::pin(slots.take(true));
        assert!(now(second.as_mut()).is_none() && now(third.as_mut()).is_none(), "its process has not begun");
        first.begun("a".to_owned());
        let second = now(second).unwrap();
        assert_eq!(second.after.as_deref(), Some("a"));
        second.begun("b".to_owned());
        assert!(now(third.as_mut()).is_none(), "who follows has no follower");
        drop(first);
        let third = now(third).unwrap();
        assert_eq!(third.after.as_deref(), Some("b"));
        drop((second, third));
        assert_eq!(now(slots.take(false)).unwrap().after, None);
    }

    #[test]
    fn who_leaves_is_passed_over_and_nothing_is_lost() {
        let slots = Slots::new(1);
        let first = now(slots.take(false)).unwrap();
        first.begun("a".to_owned());
        // It cannot follow, and whoever came later does not overtake it.
        let mut whole = Box::pin(slots.take(false));
        let mut later = Box::pin(slots.take(true));
        assert!(now(whole.as_mut()).is_none() && now(later.as_mut()).is_none());
        drop(whole);
        // A slot on its way to somebody who is gone.
        let next = slots.take(true);
        slots.change(|_| ());
        let later = now(later).unwrap();
        assert_eq!(later.after.as_deref(), Some("a"));
        // It never began: the holder may be followed by the next.
        drop(later);
        let next = now(next).unwrap();
        assert_eq!(next.after.as_deref(), Some("a"));
        drop(first);
        drop(next);
        assert_eq!(slots.lock().free, 1);
    }

    #[test]
    fn any_order_of_ends_leaves_all_slots_free() {
        for order in 0..720_u32 {
            let slots = Slots::new(2);
            let mut held: Vec<Slot> = Vec::new();
            let mut waiting: Vec<_> = (0..6).map(|n| Box::pin(slots.take(n % 3 != 2))).collect();
            let mut pick = order;
            for round in 0..20_usize {
                let mut still = Vec::new();
                for mut future in waiting.drain(..) {
                    match now(future.as_mut()) {
                        Some(slot) => held.push(slot),
                        None => still.push(future),
                    }
                }
                waiting = still;
                let holding = slots.lock().holding.len();
                assert!(holding <= 2 && holding + slots.lock().free as usize == 2, "{order} {round}");
                if held.is_empty() {
                    continue;
                }
                let which = pick as usize % held.len();
                pick = pick / 2 + round as u32;
                if pick % 3 == 0 { held[which].begun(format!("p{round}")) } else { drop(held.remove(which)) }
            }
            drop((held, waiting));
            assert_eq!(slots.lock().free, 2, "{order}");
        }
    }
}
