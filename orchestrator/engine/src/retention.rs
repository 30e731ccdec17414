//! Which builds, logs and artifacts go: pure, from a pipeline's builds and its rule.
//!
//! Kept whatever the rule says: builds without an end; the last successful build and the last that did not fail (as
//! Jenkins does); and builds that somebody depends on, above all those behind a model that an endpoint serves.

use std::collections::BTreeSet;

use haliotis_model::{BuildId, BuildResult, BuildStatus, BuildSummary, Kept, Millis, Retention};

/// The kind of the documents that hold a pipeline's rule where its definition has none: name of the pipeline, or
/// [`EVERY_PIPELINE`], to [`Retention`] as JSON.
pub const RETENTION_DOCUMENT: &str = "retention";
/// The document of the rule for pipelines that have none of their own.
pub const EVERY_PIPELINE: &str = "*";
/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// What goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// The build, with all it left.
    Build,
    /// Its logs.
    Logs,
    /// Its artifacts.
    Artifacts,
}

/// One thing that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surplus {
    /// The build.
    pub build: BuildId,
    /// Its number in its pipeline.
    pub number: u32,
    /// What of it.
    pub what: Goes,
    /// The limit that it is over, for people.
    pub why: String,
}

/// What of these builds of one pipeline, newest first, is over the limits; oldest first. `needed` stays as it is.
pub fn surplus(rule: &Retention, builds: &[BuildSummary], needed: &BTreeSet<BuildId>, now: Millis) -> Vec<Surplus> {
    let best = |fits: fn(BuildResult) -> bool| {
        builds.iter().find(|build| build.result.is_some_and(fits)).map(|build| build.id)
    };
    let successful = best(|result| result == BuildResult::Success);
    let usable = best(|result| matches!(result, BuildResult::Success | BuildResult::Unstable));
    let whole = Kept { builds: rule.builds, days: rule.days };
    let mut found = Vec::new();
    for (place, build) in builds.iter().enumerate() {
        let stays = build.status != BuildStatus::Ended
            || needed.contains(&build.id)
            || [successful, usable].contains(&Some(build.id));
        if stays {
            continue;
        }
        let over = |kept: Kept| over(kept, place, age(rule, build, now));
        let mut goes = |what, why| found.push(Surplus { build: build.id, number: build.number, what, why });
        if let Some(why) = over(whole) {
            goes(Goes::Build, why);
            continue;
        }
        if let Some(why) = over(rule.logs) {
            goes(Goes::Logs, why);
        }
        if let Some(why) = over(rule.artifacts) {
            goes(Goes::Artifacts, why);
        }
    }
    found.reverse();
    found
}

/// Milliseconds since its end, or since it was made.
fn age(rule: &Retention, build: &BuildSummary, now: Millis) -> u64 {
    now.since(if rule.days_from_creation { build.created_at } else { build.ended_at.unwrap_or(now) })
}

/// Which limit a build is over that has so many newer ones.
fn over(kept: Kept, place: usize, age: u64) -> Option<String> {
    if let Some(most) = kept.builds.filter(|most| place >= *most as usize) {
        return Some(format!("not among the newest {most}"));
    }
    let days = kept.days?;
    (age >= u64::from(days).saturating_mul(DAY_MS)).then(|| format!("{} days old, kept for {days}", age / DAY_MS))
}

#[cfg(test)]
mod tests {
    use haliotis_model::Object;

    use super::*;

    const NOW: Millis = Millis(100 * DAY_MS as i64);

    /// Newest first: number, result, days since its end.
    fn builds(all: &[(u32, Option<BuildResult>, i64)]) -> Vec<BuildSummary> {
        let build = |&(number, result, days): &(u32, Option<BuildResult>, i64)| BuildSummary {
            id: BuildId(i64::from(number)),
            pipeline: "p".to_owned(),
            number,
            status: if result.is_some() { BuildStatus::Ended } else { BuildStatus::Running },
            result,
            message: None,
            created_at: NOW,
            ended_at: result.map(|_| Millis(NOW.0 - days * DAY_MS as i64)),
            causes: Vec::new(),
            commit: None,
            parameters: Object::new(),
        };
        all.iter().map(build).collect()
    }

    fn gone(rule: &Retention, all: &[(u32, Option<BuildResult>, i64)], needed: &[i64]) -> Vec<(i64, Goes)> {
        let needed = needed.iter().map(|id| BuildId(*id)).collect();
        surplus(rule, &builds(all), &needed, NOW).into_iter().map(|goes| (goes.build.0, goes.what)).collect()
    }

    const BAD: Option<BuildResult> = Some(BuildResult::Failure);
    const GOOD: Option<BuildResult> = Some(BuildResult::Success);

    #[test]
    fn by_count_by_age_and_what_always_stays() {
        let all = [(6, None, 0), (5, BAD, 1), (4, BAD, 2), (3, GOOD, 3), (2, GOOD, 40), (1, None, 0)];
        let two = Retention { builds: Some(2), ..Retention::default() };
        assert_eq!(gone(&two, &all, &[]), [(2, Goes::Build), (4, Goes::Build)], "3 is the last success, 1 still runs");
        assert_eq!(gone(&two, &all, &[2]), [(4, Goes::Build)], "2 is needed");
        let month = Retention { days: Some(30), ..Retention::default() };
        assert_eq!(gone(&month, &all, &[]), [(2, Goes::Build)]);
        assert_eq!(gone(&Retention::default(), &all, &[]), []);
    }

    #[test]
    fn logs_and_artifacts_may_go_before_their_build() {
        let all = [(4, GOOD, 0), (3, BAD, 1), (2, BAD, 2), (1, BAD, 9)];
        let rule = Retention {
            builds: Some(3),
            logs: Kept { days: Some(2), builds: None },
            artifacts: Kept { builds: Some(2), days: None },
            ..Retention::default()
        };
        assert_eq!(gone(&rule, &all, &[]), [(1, Goes::Build), (2, Goes::Artifacts), (2, Goes::Logs)]);
        let why = &surplus(&rule, &builds(&all), &BTreeSet::new(), NOW)[2].why;
        assert_eq!(why, "2 days old, kept for 2");
    }

    #[test]
    fn as_jenkins_has_it() {
        let rotator = |days: &str, builds: &str| Retention::log_rotator(days, builds, "", "");
        let all = [(5, BAD, 0), (4, Some(BuildResult::Unstable), 0), (3, BAD, 0), (2, GOOD, 0), (1, BAD, 0)];
        let none = [(5, Goes::Build), (3, Goes::Build), (1, Goes::Build)].map(|(id, what)| (id as i64, what));
        let mut sorted = gone(&rotator("", "0"), &all, &[]);
        sorted.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        assert_eq!(sorted, none, "0 is a limit; the last good one and the last stable one stay");
        // Made long ago and ended today: old there, new by a rule of ours.
        let mut late = builds(&[(2, GOOD, 0), (1, BAD, 0)]);
        late.iter_mut().for_each(|build| build.created_at = Millis(NOW.0 - 40 * DAY_MS as i64));
        let month =
            |from_creation| Retention { days: Some(30), days_from_creation: from_creation, ..Retention::default() };
        assert_eq!(surplus(&month(true), &late, &BTreeSet::new(), NOW).len(), 1);
        assert_eq!(surplus(&month(false), &late, &BTreeSet::new(), NOW).len(), 0);
    }
}
