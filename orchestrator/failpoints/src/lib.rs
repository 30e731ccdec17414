//! Places where a test may end the process: before and after each durable write.
//!
//! Builds for development have them, a release has none: there the macro is empty. Every point is in [`POINTS`]; a test
//! compares the list with the sources, so none is forgotten and none is in two places.
//!
//! | variable | meaning |
//! |---|---|
//! | `HALIOTIS_FAILPOINT=name=N` | die the N-th time this process reaches the point |
//! | `HALIOTIS_FAILPOINT=driving.ID=1` | die whenever the program of build ID is asked |
//! | `HALIOTIS_FAILPOINT_MARK=FILE` | make this file first; while it is there nothing dies |
//! | `HALIOTIS_FAILPOINTS_TRACE=FILE` | add the name of each point reached to this file, a line each |

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All points, sorted.
pub const POINTS: &[&str] = &[
    "agent.begun.after",
    "agent.begun.before",
    "cloud.write.after",
    "cloud.write.before",
    "keys.write.after",
    "keys.write.before",
    "postgres.append.after",
    "postgres.append.before",
    "postgres.change.after",
    "postgres.change.before",
    "postgres.create.after",
    "postgres.create.before",
    "sqlite.commit.after",
    "sqlite.commit.before",
    "supervisor.record.after",
    "supervisor.record.before",
];

/// The variables of the table above; a process that starts another with an empty environment may hand them on.
pub const VARIABLES: &[&str] = &["HALIOTIS_FAILPOINT", "HALIOTIS_FAILPOINT_MARK", "HALIOTIS_FAILPOINTS_TRACE"];

/// A point; nothing at all in a release.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {{
        #[cfg(debug_assertions)]
        $crate::reached($name);
    }};
}

/// What the environment asks for.
struct Plan {
    die_at: Option<(String, usize)>,
    mark: Option<String>,
    trace: Option<String>,
}

fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    PLAN.get_or_init(|| {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let die_at = read("HALIOTIS_FAILPOINT").and_then(|text| {
            let (name, time) = text.split_once('=')?;
            Some((name.to_owned(), time.parse().ok()?))
        });
        let trace = read("HALIOTIS_FAILPOINTS_TRACE");
        let asked = die_at.is_some() || trace.is_some();
        asked.then(|| Plan { die_at, mark: read("HALIOTIS_FAILPOINT_MARK"), trace })
    })
    .as_ref()
}

/// The program of a build is being asked: `HALIOTIS_FAILPOINT=driving.ID=N` dies here, as a program does that brings the
/// whole process down.
pub fn driving(build: i64) {
    #[cfg(debug_assertions)]
    if let Some(Plan { die_at: Some((point, _)), .. }) = plan()
        && point.strip_prefix("driving.").is_some_and(|id| id.parse() == Ok(build))
    {
        std::process::abort();
    }
    let _ = build;
}

/// The process is at a point. Dies here if that was asked for; otherwise costs one look at a static.
pub fn reached(name: &'static str) {
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    let Some(plan) = plan() else { return };
    if let Some(trace) = &plan.trace
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(trace)
    {
        let _ = file.write_all(format!("{name}\n").as_bytes());
    }
    let Some((point, time)) = &plan.die_at else { return };
    if point != name || TIMES.fetch_add(1, Ordering::Relaxed) + 1 != *time {
        return;
    }
    if let Some(mark) = &plan.mark {
        // Made by one process alone: a server and its supervisor do not both die of one wish.
        if std::fs::OpenOptions::new().write(true).create_new(true).open(mark).is_err() {
            return;
        }
    }
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_a_point_without_a_wish_does_nothing() {
        assert!(POINTS.is_sorted());
        crate::failpoint!("sqlite.commit.before");
    }
}
