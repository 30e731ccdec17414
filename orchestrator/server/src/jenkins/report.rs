//! Test reports: what `junit` steps read, in the shape of Jenkins' `testReport`.

use haliotis_model::BuildId;
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use super::bean::{Bean, Data, list};
use super::build::Target;
use super::call::Call;
use super::want::{TOP, Want};
use crate::error::Failed;
use crate::state::AppState;

/// Bytes of one step's cases; the step itself keeps to a number of cases and a length of texts.
const SUMMARY_MAX: u64 = 256 << 20;

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    suite: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: String,
}

/// Counts of all `junit` steps of a build: total, failed, skipped; `None`: it has none.
pub(crate) async fn counts(state: &AppState, build: BuildId) -> Result<Option<[i64; 3]>, Failed> {
    let view = state.engine.view(build).await?;
    let mut all = None;
    for node in view.nodes.iter().filter(|node| node.uses == "junit" && node.outputs.contains_key("total")) {
        let mut sums = all.unwrap_or([0; 3]);
        for (sum, name) in sums.iter_mut().zip(["total", "failed", "skipped"]) {
            *sum += node.outputs.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
        }
        all = Some(sums);
    }
    Ok(all)
}

/// The action that says that there is a report.
pub(crate) fn action([total, failed, skipped]: [i64; 3], want: &Want) -> Data {
    let mut bean = Bean::new("hudson.tasks.junit.TestResultAction", want);
    for (name, count) in [("failCount", failed), ("skipCount", skipped), ("totalCount", total)] {
        if want.inline(name).is_some() {
            bean.set(name, count);
        }
    }
    if want.inline("urlName").is_some() {
        bean.set("urlName", "testReport");
    }
    bean.done()
}

/// `testReport`.
///
/// # Errors
/// 404 when no step read a report.
pub(crate) async fn bean(call: &Call, target: &Target, want: &Want) -> Result<Data, Failed> {
    let view = call.state.engine.view(target.build.id).await?;
    let summaries: Vec<&str> = view
        .nodes
        .iter()
        .filter(|node| node.uses == "junit")
        .filter_map(|node| node.outputs.get("summary")?.as_str())
        .collect();
    if summaries.is_empty() {
        return Err(Failed::not_found(format!("build {} has no test report", target.build.number)));
    }
    let mut cases = Vec::new();
    for path in summaries {
        cases.extend(read(&call.state, target.build.id, path).await?);
    }
    let count = |status: &str| cases.iter().filter(|case| case.status == status).count();
    let mut bean = Bean::new("hudson.tasks.junit.TestResult", want);
    bean.put("duration", cases.iter().map(|case| case.seconds).sum::<f64>());
    bean.put("empty", cases.is_empty());
    bean.put("failCount", count("failed"));
    bean.put("passCount", count("passed"));
    bean.put("skipCount", count("skipped"));
    bean.make("suites", TOP, |want| suites(target, &cases, want));
    Ok(bean.done())
}

async fn read(state: &AppState, build: BuildId, path: &str) -> Result<Vec<Case>, Failed> {
    let opened = state.artifacts.open(build, path).await?;
    let mut bytes = Vec::new();
    let damaged =
        |error: &dyn std::fmt::Display| Failed::not_found(format!("the report {path} cannot be read: {error}"));
    opened.reader.take(SUMMARY_MAX).read_to_end(&mut bytes).await.map_err(|error| damaged(&error))?;
    let summary: Summary = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
    Ok(summary.cases)
}

fn suites(target: &Target, cases: &[Case], want: &Want) -> Data {
    let mut names: Vec<&str> = Vec::new();
    for case in cases {
        if names.last() != Some(&case.suite.as_str()) && !names.contains(&case.suite.as_str()) {
            names.push(&case.suite);
        }
    }
    list(want, names, |name| {
        let own: Vec<&Case> = cases.iter().filter(|case| case.suite == name).collect();
        let mut bean = Bean::new("", want);
        let duration = own.iter().map(|case| case.seconds).sum::<f64>();
        // Suites and cases stand on the report's own level.
        if let Some(want) = want.inline("cases") {
            bean.set("cases", list(&want, own, |case| one(target, case, &want)));
        }
        for (field, data) in [
            ("duration", Data::from(duration)),
            ("id", Data::Null),
            ("name", Data::from(name)),
            ("stderr", Data::Null),
            ("stdout", Data::Null),
            ("timestamp", Data::Null),
        ] {
            if want.inline(field).is_some() {
                bean.set(field, data);
            }
        }
        bean.done()
    })
}

fn one(target: &Target, case: &Case, want: &Want) -> Data {
    let failed = case.status == "failed";
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mut bean = Bean::new("hudson.tasks.junit.CaseResult", want);
    for (field, data) in [
        ("testActions", Data::List(Vec::new())),
        ("age", Data::from(u32::from(failed))),
        ("className", Data::from(case.class.as_str())),
        ("duration", Data::from(case.seconds)),
        ("errorDetails", text(&case.message).filter(|_| failed).into()),
        ("errorStackTrace", text(&case.details).filter(|_| failed).into()),
        ("failedSince", Data::from(if failed { target.build.number } else { 0 })),
        ("name", Data::from(case.name.as_str())),
        ("skipped", Data::from(case.status == "skipped")),
        ("skippedMessage", text(&case.message).filter(|_| case.status == "skipped").into()),
        ("status", Data::from(case.status.to_uppercase())),
        ("stderr", Data::Null),
        ("stdout", Data::Null),
    ] {
        if want.inline(field).is_some() {
            bean.set(field, data);
        }
    }
    bean.done()
}
