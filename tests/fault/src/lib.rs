//! The fault suite: real servers of the real binary, hurt on purpose, and what they promised compared with what they did.
//!
//! ```text
//! one file a fault, f01 to f13: hurts servers, gives measures and findings (none: it holds)
//! house.rs    a data folder, its servers, killed, paused or damaged
//! work.rs     builds whose effects and logs are known beforehand, and the comparison
//! report.rs   the table, as Markdown and JSON
//! ```
//! It knows Haliotis only from outside: its command line, its HTTP API, its files. Whatever it starts it ends.

mod f01_kill;
mod f02_points;
mod f03_drain;
mod f04_disk;
mod f05_damage;
mod f06_locked;
mod f07_two;
mod f10_git;
mod f11_storm;
mod f12_output;
mod f13_zombies;
mod house;
mod random;
mod report;
mod work;

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

pub use random::Random;
pub use report::{Outcome, Report, Verdict};

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Minutes: for every change.
    Short,
    /// Hours: for a release.
    Full,
}

/// What to try.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary that is hurt.
    pub binary: PathBuf,
    /// How much.
    pub size: Size,
    /// Decides every random choice.
    pub seed: u64,
    /// Faults by name (`F1`); empty: all.
    pub only: Vec<String>,
    /// Of the full form: no fault repeats itself longer than this; how far it came is in the report. None: to the end.
    pub most: Option<Duration>,
    /// A database for servers that share one; none: those faults are not tried, and the report says so.
    pub postgres: Option<String>,
}

/// What a fault is given.
pub(crate) struct Trial {
    pub(crate) options: Options,
    pub(crate) random: Random,
    pub(crate) outcome: Outcome,
}

impl Trial {
    /// So many in the short form, so many in the full one.
    pub(crate) fn times(&self, short: usize, full: usize) -> usize {
        if self.options.size == Size::Short { short } else { full }
    }

    /// The same, as rounds that end early when the time for them is over; `parts`: how many such loops the fault has.
    pub(crate) fn rounds(&self, short: usize, full: usize, parts: u32) -> Rounds {
        let most = self.options.most.filter(|_| self.options.size == Size::Full);
        Rounds { planned: self.times(short, full), done: 0, until: most.map(|most| Instant::now() + most / parts) }
    }
}

/// Repetitions of one fault.
pub(crate) struct Rounds {
    planned: usize,
    done: usize,
    until: Option<Instant>,
}

impl Rounds {
    /// The number of the next round, from 0; `None`: all are done, or the time is over.
    pub(crate) fn another(&mut self) -> Option<usize> {
        if self.done >= self.planned || self.until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        self.done += 1;
        Some(self.done - 1)
    }

    /// Notes how many there were, and how many were not tried.
    pub(crate) fn note(&self, name: &str, outcome: &mut Outcome) {
        outcome.measure(name, self.done);
        if self.done < self.planned {
            outcome.skip(format!("{name}: {} of {}, the time was over", self.planned - self.done, self.planned));
        }
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;
type Fault = (&'static str, &'static str, for<'a> fn(&'a mut Trial) -> Work<'a>);

/// All faults, in the order of their names.
const FAULTS: &[Fault] = &[
    ("F1", "kill -9 of the server at random times under load", |trial| Box::pin(f01_kill::run(trial))),
    ("F2", "death at every durable write", |trial| Box::pin(f02_points::run(trial))),
    ("F3", "SIGTERM under load, and a second one", |trial| Box::pin(f03_drain::run(trial))),
    ("F4", "a full disk, and room again", |trial| Box::pin(f04_disk::run(trial))),
    ("F5", "a damaged database, and a restore", |trial| Box::pin(f05_damage::run(trial))),
    ("F6", "the database locked by another process", |trial| Box::pin(f06_locked::run(trial))),
    ("F7", "two servers on one database; one is paused", |trial| Box::pin(f07_two::run(trial))),
    ("F10", "a git host that hangs, fails and comes back", |trial| Box::pin(f10_git::run(trial))),
    ("F11", "a storm of webhooks, the server killed in it", |trial| Box::pin(f11_storm::run(trial))),
    ("F12", "huge and hostile output", |trial| Box::pin(f12_output::run(trial))),
    ("F13", "grandchildren that will not die", |trial| Box::pin(f13_zombies::run(trial))),
];

/// Tries them one after another; `told` hears each line of progress, `so_far` the report after each fault, so that a run
/// that is cut off leaves one.
pub async fn chaos(options: Options, told: &dyn Fn(&str), so_far: &dyn Fn(&Report)) -> Report {
    let mut report = Report::new(&options);
    for (name, title, fault) in FAULTS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only.eq_ignore_ascii_case(name)) {
            continue;
        }
        told(&format!("{name}  {title} …"));
        let begin = Instant::now();
        let outcome = Outcome::new(name, title);
        let mut trial = Trial { options: options.clone(), random: Random::new(options.seed, name), outcome };
        if let Err(why) = fault(&mut trial).await {
            trial.outcome.find(why);
        }
        let mut outcome = trial.outcome;
        outcome.seconds = begin.elapsed().as_secs_f64();
        told(&format!("{name}  {}", outcome.line()));
        report.outcomes.push(outcome);
        so_far(&report);
    }
    report
}
