//! Test results of a build: what failed, since which build, and how the counts went over the last builds.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use haliotis_model::BuildId;

use super::{Page, respond};
use crate::error::Failed;
use crate::reports::{self, Case, Counts, Past};
use crate::state::AppState;
use crate::words;

/// Tests listed beside the failed ones.
const LISTED: usize = 400;
/// Changes from which on a test is called flaky.
const FLAKY: usize = 3;
/// Height of the tallest bar.
const HEIGHT: f64 = 90.0;

#[derive(Template)]
#[template(path = "tests.html")]
struct TestsPage {
    page: Page,
    pipeline: String,
    pipeline_url: String,
    number: u32,
    build_url: String,
    words: String,
    bars: Vec<Bar>,
    width: usize,
    failed: Vec<Failing>,
    groups: Vec<Group>,
    more: usize,
}

/// A build of the trend, from the bottom up: passed, skipped, failed.
struct Bar {
    x: usize,
    number: u32,
    url: String,
    words: String,
    passed: (f64, f64),
    skipped: (f64, f64),
    failed: (f64, f64),
    now: bool,
}

struct Failing {
    name: String,
    place: String,
    message: String,
    details: String,
    since: String,
    since_url: String,
    diff_url: String,
    flaky: bool,
}

struct Group {
    name: String,
    words: String,
    open: bool,
    cases: Vec<Row>,
}

struct Row {
    name: String,
    state: &'static str,
    word: &'static str,
    took: String,
}

pub(crate) async fn show(State(state): State<AppState>, Path(id): Path<i64>) -> Response {
    respond(&state, tests_page(&state, BuildId(id)).await)
}

async fn tests_page(state: &AppState, id: BuildId) -> Result<TestsPage, Failed> {
    let view = state.engine.view(id).await?;
    let counts = reports::counts(&view)
        .ok_or_else(|| Failed::not_found(format!("no step of build {id} read test reports; a `junit` step does")))?;
    let mut past = Vec::new();
    let mut trend = Vec::new();
    for build in reports::builds_up_to(state, &view).await? {
        let other = state.engine.view(build.id).await?;
        let Some(counts) = reports::counts(&other) else { continue };
        trend.push((build.id, build.number, counts));
        // A report that was thrown away says nothing of its build; the counts are in the journal.
        past.push((build.id, build.number, reports::cases(state, &other).await.unwrap_or_default()));
    }
    trend.reverse();
    let cases = reports::cases(state, &view).await?;
    let history = reports::history(&past);
    let failing = cases.iter().filter(|case| case.status == "failed");
    let failed = failing.map(|case| failing_row(id, case, history.get(&case.key()))).collect();
    let (groups, more) = groups(&cases);
    Ok(TestsPage {
        page: Page::new(state, "pipelines", format!("Tests of {} #{}", view.build.pipeline, view.build.number)),
        pipeline_url: words::pipeline_url(&view.build.pipeline),
        pipeline: view.build.pipeline.clone(),
        number: view.build.number,
        build_url: words::build_url(id),
        words: counts.words(),
        width: trend.len() * 30 + 10,
        bars: bars(&trend, id),
        failed,
        groups,
        more,
    })
}

fn failing_row(id: BuildId, case: &Case, past: Option<&Past>) -> Failing {
    let since = past.and_then(|past| past.since);
    let passed = past.and_then(|past| past.passed_in);
    let text = match (since, passed) {
        (Some((first, number)), Some((_, before))) if first == id => {
            format!("New in this build #{number}; it passed in #{before}")
        }
        (Some((_, number)), Some((_, before))) => format!("Fails since #{number}; it passed in #{before}"),
        (Some((first, _)), None) if first == id => "Fails in this build; no build before it ran it".to_owned(),
        (Some((_, number)), None) => format!("Fails since #{number} at least; no earlier result is kept"),
        (None, _) => String::new(),
    };
    Failing {
        name: case.name.clone(),
        place: [case.suite.as_str(), case.class.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        message: case.message.clone(),
        details: case.details.clone(),
        since: text,
        since_url: since
            .filter(|(first, _)| *first != id)
            .map(|(first, _)| words::build_url(first))
            .unwrap_or_default(),
        diff_url: since
            .zip(passed)
            .map(|((bad, _), (good, _))| format!("{}/diff?with={good}", words::build_url(bad)))
            .unwrap_or_default(),
        flaky: past.is_some_and(|past| past.changes >= FLAKY),
    }
}

fn groups(cases: &[Case]) -> (Vec<Group>, usize) {
    let mut groups: Vec<Group> = Vec::new();
    for case in cases.iter().take(LISTED) {
        let name = if case.class.is_empty() { &case.suite } else { &case.class };
        let (state, word) = match case.status.as_str() {
            "failed" => ("failure", "Failed"),
            "skipped" => ("skipped", "Skipped"),
            _ => ("success", "Passed"),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a duration for people, at least 0"
        )]
        let took = words::duration((case.seconds.max(0.0) * 1000.0) as u64);
        let row = Row { name: case.name.clone(), state, word, took };
        match groups.iter_mut().find(|group| group.name == *name) {
            Some(group) => group.cases.push(row),
            None => groups.push(Group { name: name.clone(), words: String::new(), open: false, cases: vec![row] }),
        }
    }
    for group in &mut groups {
        let count = |state: &str| group.cases.iter().filter(|case| case.state == state).count() as u64;
        let counts = Counts { total: group.cases.len() as u64, failed: count("failure"), skipped: count("skipped") };
        group.words = counts.words();
        group.open = counts.failed > 0;
    }
    (groups, cases.len().saturating_sub(LISTED))
}

#[expect(clippy::cast_precision_loss, reason = "heights in a picture")]
fn bars(trend: &[(BuildId, u32, Counts)], now: BuildId) -> Vec<Bar> {
    let most = trend.iter().map(|(_, _, counts)| counts.total).max().unwrap_or(0).max(1) as f64;
    let bar = |(at, (id, number, counts)): (usize, &(BuildId, u32, Counts))| {
        let height = |count: u64| if count == 0 { 0.0 } else { (count as f64 / most * HEIGHT).max(3.0) };
        let (passed, skipped, failed) = (height(counts.passed()), height(counts.skipped), height(counts.failed));
        let from_floor =
            |below: f64, own: f64| (crate::graph::round(HEIGHT + 4.0 - below - own), crate::graph::round(own));
        Bar {
            x: at * 30 + 8,
            number: *number,
            url: format!("/builds/{id}/tests"),
            words: format!("#{number}: {}", counts.words()),
            passed: from_floor(0.0, passed),
            skipped: from_floor(passed, skipped),
            failed: from_floor(passed + skipped, failed),
            now: *id == now,
        }
    };
    trend.iter().enumerate().map(bar).collect()
}
