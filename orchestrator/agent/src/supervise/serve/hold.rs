//! What is not started yet: it follows another process, or the disk is too full for its record and its log.
//!
//! Nothing of it is recorded before it is started, so a supervisor that dies here leaves a key of which nothing is known,
//! and whoever waits asks again (see the races in `supervise`).

use std::time::{Duration, Instant};

use haliotis_plugin_api::Exit;

use super::super::note;
use super::super::pump::Pump;
use super::super::records::{End, Found};
use super::super::wire::{Answer, Spec};
use super::{Server, told_as};

/// How often what the full disk did not take is tried again.
pub(super) const FULL_PAUSE: Duration = Duration::from_millis(200);
/// With less room than this on the disk, the output of a step comes through us, so that it waits for room (pump.rs).
const SHORT_OF_ROOM: u64 = 64 << 20;

/// A process to be. Nothing is recorded of it before.
pub(super) struct Follower {
    pub(super) spec: Spec,
    pub(super) after: After,
    /// Who is told its end.
    pub(super) waiters: Vec<(u64, u64)>,
    /// Who is told that it was started.
    pub(super) starters: Vec<(u64, u64)>,
}

/// What a process to be waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The end of another that runs.
    End(String),
    /// Room on the disk, for its record and its log.
    Room,
}

/// Why a process was not started.
pub(super) enum Refused {
    /// To be told.
    Told(Answer),
    /// The disk is full; it may be tried again.
    Full(Box<Spec>),
}

/// The end of what was stopped before it began, as if SIGTERM had met it in its first moment.
const STOPPED: Exit = Exit { code: 143, signal: Some(15) };

impl Server {
    /// Something is to be tried again while the disk is full.
    pub(super) fn waits_for_room(&self) -> bool {
        self.records.owes()
            || self.followers.values().any(|follower| follower.after == After::Room)
            || self.steps.values().any(|step| step.pump.as_ref().is_some_and(Pump::is_stuck))
    }

    /// Starts it, now or when the disk has room for that, and answers then; `Some`: at once.
    pub(super) fn start_step(&mut self, key: &str, spec: Spec, starter: (u64, u64)) -> Option<Answer> {
        match self.spawn(key, spec) {
            Ok(()) => Some(Answer::Done),
            Err(Refused::Told(answer)) => Some(answer),
            Err(Refused::Full(spec)) => {
                self.hold(key, *spec, After::Room).starters.push(starter);
                None
            }
        }
    }

    /// Starts it, now or later, and answers at its end; `Some`: at once.
    pub(super) fn run_step(
        &mut self,
        key: String,
        spec: Spec,
        after: Option<String>,
        waiter: (u64, u64),
    ) -> Option<Answer> {
        let is_new = !self.steps.contains_key(&key) && self.records.look(&key) == Found::Nothing;
        if let Some(after) = after.filter(|after| is_new && self.steps.contains_key(after)) {
            self.hold(&key, spec, After::End(after)).waiters.push(waiter);
            return None;
        }
        match self.spawn(&key, spec) {
            Ok(()) => self.await_end(&key, waiter),
            Err(Refused::Told(answer)) => Some(answer),
            Err(Refused::Full(spec)) => {
                self.hold(&key, *spec, After::Room).waiters.push(waiter);
                None
            }
        }
    }

    fn hold(&mut self, key: &str, spec: Spec, after: After) -> &mut Follower {
        if after == After::Room {
            note(&format!("{key}: the disk is full; it is started when there is room"));
        }
        let new = || Follower { spec, after, waiters: Vec::new(), starters: Vec::new() };
        self.followers.entry(key.to_owned()).or_insert_with(new)
    }

    /// Starts what was to follow a process that has ended, or waited for room.
    pub(super) fn start_followers(&mut self, after: &After) {
        let keys = self.followers.iter().filter(|(_, follower)| follower.after == *after);
        for key in keys.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let Some(Follower { spec, waiters, starters, .. }) = self.followers.remove(&key) else { continue };
            let answer = match self.spawn(&key, spec) {
                Ok(()) => Answer::Done,
                Err(Refused::Told(answer)) => answer,
                Err(Refused::Full(spec)) => {
                    self.followers.insert(key, Follower { spec: *spec, after: After::Room, waiters, starters });
                    continue;
                }
            };
            for (client, id) in starters {
                self.reply(client, id, answer.clone());
            }
            for waiter in waiters {
                let answer = if answer == Answer::Done { self.await_end(&key, waiter) } else { Some(answer.clone()) };
                if let Some(answer) = answer {
                    self.reply(waiter.0, waiter.1, answer);
                }
            }
        }
    }

    /// Asked to stop before it began: that is its end.
    pub(super) fn stop_follower(&mut self, key: &str) -> Option<Answer> {
        let follower = self.followers.remove(key)?;
        let end = End::Exit(STOPPED);
        if let Err(error) = self.records.ended(key, end) {
            note(&format!("{key}: that it was stopped before it began cannot be recorded yet: {error}"));
        }
        for (client, id) in follower.starters {
            self.reply(client, id, Answer::Done);
        }
        for (client, id) in follower.waiters {
            self.reply(client, id, told_as(end));
        }
        Some(Answer::Done)
    }

    /// One system call; where the disk cannot be asked there is room.
    pub(super) fn is_short_of_room(&self) -> bool {
        rustix::fs::statvfs(&self.dir).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SHORT_OF_ROOM)
    }

    /// The disk was full and may have room by now.
    pub(super) fn try_again(&mut self, now: Instant) {
        if self.again_at > now || !self.waits_for_room() {
            return;
        }
        self.again_at = now + FULL_PAUSE;
        let stuck = self.steps.values_mut().filter_map(|step| step.pump.as_mut()).filter(|pump| pump.is_stuck());
        stuck.for_each(Pump::retry);
        if self.records.pay() {
            self.start_followers(&After::Room);
        }
    }
}
