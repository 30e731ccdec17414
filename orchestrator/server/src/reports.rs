//! Test results of builds: what their `junit` steps read, and since when a test fails.

use std::collections::BTreeMap;

use haliotis_engine::{BuildFilter, BuildView};
use haliotis_model::{BuildId, BuildSummary};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use crate::error::Failed;
use crate::state::AppState;

/// Bytes of one step's cases that are read for a page; the step itself keeps to a number of cases.
const SUMMARY_MAX: u64 = 32 << 20;
/// Builds looked back through.
pub(crate) const BUILDS: u32 = 20;

/// One test.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    #[serde(default)]
    pub(crate) suite: String,
    #[serde(default)]
    pub(crate) class: String,
    #[serde(default)]
    pub(crate) name: String,
    /// `passed`, `failed`, `skipped`.
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) seconds: f64,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) details: String,
}

impl Case {
    /// What makes it the same test in another build.
    pub(crate) fn key(&self) -> (String, String, String) {
        (self.suite.clone(), self.class.clone(), self.name.clone())
    }
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    cases: Vec<Case>,
}

/// Counts of a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn passed(self) -> u64 {
        self.total.saturating_sub(self.failed + self.skipped)
    }

    /// `3 of 40 failed, 1 skipped`.
    pub(crate) fn words(self) -> String {
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        match self.failed {
            0 => format!("{} of {} passed{skipped}", self.passed(), self.total),
            failed => format!("{failed} of {} failed{skipped}", self.total),
        }
    }
}

/// Counts of all `junit` steps; `None`: there are none.
pub(crate) fn counts(view: &BuildView) -> Option<Counts> {
    let steps = view.nodes.iter().filter(|node| node.uses == "junit" && node.outputs.contains_key("total"));
    let mut all: Option<Counts> = None;
    for node in steps {
        let number = |name: &str| node.outputs.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let sum = all.get_or_insert_default();
        sum.total += number("total");
        sum.failed += number("failed");
        sum.skipped += number("skipped");
    }
    all
}

/// All cases of a build.
///
/// # Errors
/// When a report is missing or damaged.
pub(crate) async fn cases(state: &AppState, view: &BuildView) -> Result<Vec<Case>, Failed> {
    let steps = view.nodes.iter().filter(|node| node.uses == "junit");
    let paths = steps.filter_map(|node| node.outputs.get("summary")?.as_str());
    let mut cases = Vec::new();
    for path in paths {
        let opened = state.artifacts.open(view.id, path).await?;
        let damaged =
            |error: &dyn std::fmt::Display| Failed::not_found(format!("the report {path} cannot be read: {error}"));
        let mut bytes = Vec::new();
        opened.reader.take(SUMMARY_MAX).read_to_end(&mut bytes).await.map_err(|error| damaged(&error))?;
        let summary: Summary = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
        cases.extend(summary.cases);
    }
    Ok(cases)
}

/// A test over builds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The oldest build of the run of failures that ends in the newest build.
    pub(crate) since: Option<(BuildId, u32)>,
    /// The build before it, where the test did not fail.
    pub(crate) passed_in: Option<(BuildId, u32)>,
    /// How often it changed between failed and passed.
    pub(crate) changes: usize,
}

/// The builds before and with `view`, the newest first, ended ones alone.
pub(crate) async fn builds_up_to(state: &AppState, view: &BuildView) -> Result<Vec<BuildSummary>, Failed> {
    let filter = BuildFilter {
        pipeline: Some(view.build.pipeline.clone()),
        before: Some(BuildId(view.id.0 + 1)),
        limit: BUILDS,
        ..BuildFilter::default()
    };
    Ok(state.catalog.builds(&filter).await?)
}

/// Since when each failed test of the newest of `reports` fails. `reports`: builds with their cases, newest first.
pub(crate) fn history(reports: &[(BuildId, u32, Vec<Case>)]) -> BTreeMap<(String, String, String), Past> {
    let mut all = BTreeMap::new();
    let Some((_, _, newest)) = reports.first() else { return all };
    let tables: Vec<BTreeMap<_, _>> = reports
        .iter()
        .map(|(_, _, cases)| cases.iter().map(|case| (case.key(), case.status.as_str())).collect())
        .collect();
    for case in newest.iter().filter(|case| case.status == "failed") {
        let key = case.key();
        let mut past = Past::default();
        let mut failing = true;
        let mut last = "failed";
        for ((id, number, _), table) in reports.iter().zip(&tables) {
            // A build without this test says nothing of it.
            let Some(status) = table.get(&key).copied().filter(|status| *status != "skipped") else { continue };
            past.changes += usize::from(status != last);
            last = status;
            match (failing, status) {
                (true, "failed") => past.since = Some((*id, *number)),
                (true, _) => {
                    past.passed_in = Some((*id, *number));
                    failing = false;
                }
                (false, _) => {}
            }
        }
        all.insert(key, past);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, status: &str) -> Case {
        serde_json::from_value(serde_json::json!({ "name": name, "status": status })).unwrap()
    }

    #[test]
    fn the_first_bad_build_is_named_and_what_flips_is_seen() {
        let build =
            |id: i64, a: &str, b: &str| (BuildId(id), u32::try_from(id).unwrap(), vec![case("a", a), case("b", b)]);
        let reports = [
            build(5, "failed", "failed"),
            build(4, "failed", "passed"),
            build(3, "skipped", "failed"),
            build(2, "failed", "passed"),
            build(1, "passed", "failed"),
        ];
        let all = history(&reports);
        let a = &all[&(String::new(), String::new(), "a".to_owned())];
        assert_eq!((a.since, a.passed_in, a.changes), (Some((BuildId(2), 2)), Some((BuildId(1), 1)), 1));
        let b = &all[&(String::new(), String::new(), "b".to_owned())];
        assert_eq!((b.since, b.passed_in, b.changes), (Some((BuildId(5), 5)), Some((BuildId(4), 4)), 4));
    }

    #[test]
    fn counts_read_as_a_sentence() {
        let counts = Counts { total: 40, failed: 3, skipped: 1 };
        assert_eq!((counts.words().as_str(), counts.passed()), ("3 of 40 failed, 1 skipped", 36));
    }
}
