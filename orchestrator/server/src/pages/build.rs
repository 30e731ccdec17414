//! A build: its picture, its steps over time, why it started, what it asks, what it gave.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use haliotis_engine::{BuildView, InputView, NodeView, own_part};
use haliotis_flow::NodeKind;
use haliotis_model::{BuildId, Cause, Decision, Millis};
use serde::Deserialize;

use super::again::{self, Again};
use super::approval::{self, Card};
use super::changes::{self, Changes};
use super::fold::Folded;
use super::picture::{self, Picture, picture};
use super::pipeline::Field;
use super::{Markup, Page, artifact, badge, cloud, critical, respond, time, took};
use crate::edges::ArtifactInfo;
use crate::error::Failed;
use crate::graph::Direction;
use crate::reports;
use crate::shown::{self, Shown};
use crate::state::AppState;
use crate::words;

/// Lines of the journal on its page; the text has them all.
const JOURNAL_LINES: usize = 2_000;
/// Rows of a list on this page; the API has them all.
const ROWS_MAX: usize = 500;
/// Steps whose outputs stand beside the build; each step's page has its own.
const OUTPUTS_MAX: usize = 60;

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    page: Page,
    id: BuildId,
    pipeline: String,
    pipeline_url: String,
    number: u32,
    badge: Markup,
    ended: bool,
    message: String,
    causes: Vec<Link>,
    created: Markup,
    took: Markup,
    questions: Vec<Question>,
    card: Option<Card>,
    answers: Vec<Answered>,
    failures: Vec<Link>,
    across: Option<Picture>,
    down: Option<Picture>,
    summary: String,
    critical: String,
    /// A group can be folded.
    folds: bool,
    /// Compares it with the one before; empty for the first.
    diff_url: String,
    tests: String,
    tests_bad: bool,
    changes: Option<Changes>,
    /// Nobody here may start or stop it.
    may_build: bool,
    /// How it can be run again; once ended.
    again: Option<Again>,
    /// What it took over, and from which build.
    carried: Option<Link>,
    rows: Vec<Row>,
    more_rows: usize,
    facts: Vec<Shown>,
    parameters: Vec<Shown>,
    outputs: Vec<Outputs>,
    artifacts: Vec<Artifact>,
    lines: Vec<(String, String)>,
    user: String,
}

/// A sentence, with or without a place to go.
pub(super) struct Link {
    pub(super) text: String,
    pub(super) url: String,
    pub(super) detail: String,
}

/// An open question.
struct Question {
    step: String,
    name: String,
    message: String,
    /// The message with all digits.
    exactly: String,
    ok: String,
    approvers: String,
    reason_required: bool,
    /// Those whose work it is may not approve.
    four_eyes: bool,
    /// What of the build whoever looks did, where that forbids to approve.
    own: String,
    digest: String,
    short: String,
    binds: Vec<Shown>,
    fields: Vec<Field>,
    since: Markup,
}

/// A closed one.
struct Answered {
    name: String,
    message: String,
    verdict: &'static str,
    by: String,
    reason: String,
    when: Markup,
    waited: Markup,
}

/// A node over time.
struct Row {
    depth: usize,
    name: String,
    url: String,
    badge: Markup,
    state: &'static str,
    uses: String,
    why: String,
    took: Markup,
    extra: String,
    critical: bool,
    /// Percent of the build's time: waiting from, waiting for, running from, running for.
    queue: Option<(f64, f64)>,
    run: Option<(f64, f64)>,
}

/// What one step gave, folded away on the page.
struct Outputs {
    name: String,
    url: String,
    shown: Vec<Shown>,
}

struct Artifact {
    path: String,
    url: String,
    size: String,
    digest: String,
}

#[derive(Deserialize)]
pub(crate) struct BuildQuery {
    /// Groups drawn as one box, by path, with commas between.
    #[serde(default)]
    fold: String,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<BuildQuery>,
) -> Response {
    respond(&state, build_page(&state, BuildId(id), &query).await)
}

async fn build_page(state: &AppState, id: BuildId, query: &BuildQuery) -> Result<BuildPage, Failed> {
    let view = state.engine.view(id).await?;
    let artifacts = state.artifacts.list(id).await.unwrap_or_default();
    let build = &view.build;
    let title = format!("{} #{}", build.pipeline, build.number);
    let mut page = Page::new(state, "pipelines", title);
    if view.result.is_none() {
        page = page.live(format!("/events?build={id}"));
    }
    let chain = critical::path(&view);
    let folded = Folded::of(&view, &query.fold);
    let counts = reports::counts(&view);
    let mut rows: Vec<_> = view.nodes.iter().take(ROWS_MAX).map(|node| row(&view, node)).collect();
    for (row, node) in rows.iter_mut().zip(&view.nodes) {
        row.critical = chain.iter().any(|on| on.id == node.id);
    }
    let open = view.inputs.iter().find(|input| input.open());
    let user = crate::access::current().name;
    let names = crate::api::standing(state, &user).await.names;
    page.about = words::word(words::state_of_view(&view)).to_owned() + ". " + &words::causes(&build.causes);
    Ok(BuildPage {
        page,
        card: match open {
            Some(open) => approval::card(state, &view, open).await?,
            None => None,
        },
        critical: critical::summary(&view, &chain),
        folds: Folded::has_groups(&view),
        diff_url: if build.number > 1 { format!("/builds/{id}/diff") } else { String::new() },
        tests: counts.map(reports::Counts::words).unwrap_or_default(),
        tests_bad: counts.is_some_and(|counts| counts.failed > 0),
        changes: changes::of(state, &view).await?,
        may_build: may_build(&build.pipeline),
        again: if view.result.is_some() { again::of(state, &view).await? } else { None },
        carried: again::carried(&view),
        id,
        pipeline: build.pipeline.clone(),
        pipeline_url: words::pipeline_url(&build.pipeline),
        number: build.number,
        badge: badge(words::state_of_view(&view)),
        ended: view.result.is_some(),
        message: view.message.clone().unwrap_or_default(),
        causes: build.causes.iter().map(cause).collect(),
        created: time(build.created_at),
        took: took(Some(build.created_at), view.ended_at),
        questions: view
            .inputs
            .iter()
            .filter(|input| input.open())
            .map(|input| question(&view, input, &user, &names))
            .collect(),
        answers: view.inputs.iter().filter(|input| !input.open()).map(|input| answered(&view, input)).collect(),
        failures: failures(&view),
        across: picture(&view, Direction::Across, &folded, &chain),
        down: picture(&view, Direction::Down, &folded, &chain),
        summary: picture::summary(&view),
        more_rows: view.nodes.len() - rows.len(),
        rows,
        facts: facts(&view),
        parameters: shown::all_brief(&build.parameters),
        outputs: outputs(&view),
        artifacts: artifacts.into_iter().map(|artifact| artifact_row(id, artifact)).collect(),
        lines: view.lines.iter().map(|(at, line)| (clock(*at), line.clone())).collect(),
        user,
    })
}

fn cause(cause: &Cause) -> Link {
    let url = match cause {
        Cause::Upstream { pipeline, number } => format!("{}/{number}", words::pipeline_url(pipeline)),
        Cause::ModelPackage { arn, .. } => words::model_url(arn),
        _ => String::new(),
    };
    Link { text: words::cause(cause), url, detail: String::new() }
}

fn question(view: &BuildView, open: &InputView, by: &str, names: &[String]) -> Question {
    let input = &open.input;
    Question {
        step: open.id.to_string(),
        name: name_of(view, open),
        message: words::sentence(&input.message),
        exactly: input.message.clone(),
        ok: input.ok.clone(),
        approvers: input.approvers.join(", "),
        reason_required: input.reason_required,
        four_eyes: !input.self_approval,
        own: if input.self_approval { None } else { own_part(&view.build, by, names) }.unwrap_or_default().to_owned(),
        short: words::digest(&input.digest).to_owned(),
        digest: input.digest.clone(),
        binds: shown::decided(&input.binds),
        fields: input.parameters.iter().map(|spec| Field::of(spec, None)).collect(),
        since: took(Some(open.asked_at), None),
    }
}

fn name_of(view: &BuildView, input: &InputView) -> String {
    let node = view.nodes.iter().find(|node| node.id == input.id);
    node.map_or_else(|| input.id.name().to_owned(), |node| node.name.clone())
}

fn answered(view: &BuildView, closed: &InputView) -> Answered {
    let (verdict, by, reason) = match &closed.answer {
        Some(answer) => {
            let verdict = match answer.decision {
                Decision::Approved => "approved",
                Decision::Rejected => "rejected",
            };
            (verdict, answer.by.clone(), answer.reason.clone())
        }
        None => ("withdrawn", String::new(), String::new()),
    };
    Answered {
        name: name_of(view, closed),
        message: words::sentence(&closed.input.message),
        verdict,
        by,
        reason,
        when: closed.closed_at.map(time).unwrap_or_default(),
        waited: took(Some(closed.asked_at), closed.closed_at),
    }
}

/// Steps to look at when a build went wrong.
fn failures(view: &BuildView) -> Vec<Link> {
    use haliotis_engine::NodeState::{Failure, Interrupted, Unstable};
    let bad = view.nodes.iter().filter(|node| matches!(node.state, Failure | Interrupted | Unstable));
    let link = |node: &NodeView| Link {
        text: node.name.clone(),
        url: words::step_url(view.id, &node.id),
        detail: words::why(node, view),
    };
    bad.filter(|node| node.kind != NodeKind::Group).map(link).collect()
}

fn row(view: &BuildView, node: &NodeView) -> Row {
    let from = view.build.created_at;
    let end = view.ended_at.unwrap_or_else(haliotis_engine::now);
    #[expect(clippy::cast_precision_loss, reason = "a share in a picture")]
    let percent = |at: Millis| (at.since(from) as f64 / end.since(from).max(1) as f64 * 100.0).min(100.0);
    let span = |from: Millis, to: Millis| {
        let start = percent(from).min(99.0);
        (crate::graph::round(start), crate::graph::round((percent(to) - start).max(0.6)))
    };
    let state = picture::state(view, node);
    let (started, ended) = picture::times(view, node);
    let begun = started.filter(|_| state != haliotis_engine::NodeState::Skipped);
    let attempt = (node.attempt > 1).then(|| format!("attempt {}", node.attempt));
    let agent = node.agent.as_ref().map(|agent| format!("on {agent}"));
    let environment = node.environment.as_ref().map(|environment| format!("touches {environment}"));
    Row {
        depth: depth(view, node),
        name: node.name.clone(),
        url: words::step_url(view.id, &node.id),
        badge: badge(state),
        state: state.as_str(),
        uses: if node.kind == NodeKind::Input { "question".to_owned() } else { node.uses.clone() },
        why: if node.kind == NodeKind::Group {
            node.message.clone().unwrap_or_default()
        } else {
            words::why(node, view)
        },
        took: took(begun, ended),
        critical: false,
        extra: [attempt, agent, environment].into_iter().flatten().collect::<Vec<_>>().join(" · "),
        queue: node.queued_at.zip(begun).filter(|(queued, begun)| begun.since(*queued) > 0).map(|(a, b)| span(a, b)),
        run: begun.map(|begun| span(begun, ended.unwrap_or(end))),
    }
}

/// Groups around a node, up to what a table can indent.
fn depth(view: &BuildView, node: &NodeView) -> usize {
    let mut depth = 0;
    let mut group = node.group.as_ref();
    while let Some(id) = group.filter(|_| depth < 3) {
        depth += 1;
        group = view.nodes.iter().find(|node| node.id == *id).and_then(|node| node.group.as_ref());
    }
    depth
}

fn facts(view: &BuildView) -> Vec<Shown> {
    let source = &view.build.source;
    let mut facts = vec![("Steps talk to", cloud(&view.build.cloud))];
    if let Some(commit) = &source.commit {
        facts.push(("Commit", commit.clone()));
    }
    if let Some(branch) = &source.branch {
        facts.push(("Branch", branch.clone()));
    }
    if let Some(repo) = &source.repo {
        facts.push(("Repository", repo.clone()));
    }
    facts.push(("Definition", source.path.clone()));
    facts.push(("Asked for", full(view.build.created_at)));
    if let Some(started) = view.started_at {
        facts.push(("Began", full(started)));
    }
    if let Some(ended) = view.ended_at {
        facts.push(("Ended", full(ended)));
    }
    facts.into_iter().map(|(name, text)| shown::brief(name, &text.into())).collect()
}

/// What each step gave, in the order of steps.
fn outputs(view: &BuildView) -> Vec<Outputs> {
    let giving = view.nodes.iter().filter(|node| !node.outputs.is_empty());
    let given = |node: &NodeView| Outputs {
        name: node.name.clone(),
        url: words::step_url(view.id, &node.id),
        shown: shown::all_brief(&node.outputs),
    };
    giving.take(OUTPUTS_MAX).map(given).collect()
}

/// Whether who looks may start and stop builds of a pipeline.
fn may_build(pipeline: &str) -> bool {
    let may = haliotis_access::Permission::Build;
    crate::access::current().may(may, haliotis_access::Object::Pipeline(pipeline))
}

fn artifact_row(build: BuildId, artifact: ArtifactInfo) -> Artifact {
    Artifact {
        url: artifact::view_url(build, &artifact.path),
        size: words::bytes(artifact.size),
        digest: words::digest(&artifact.sha256).to_owned(),
        path: artifact.path,
    }
}

/// `2026-11-22 15:04:05 UTC`.
fn full(at: Millis) -> String {
    words::moment(at, at).full
}

/// `15:04:05` in UTC.
fn clock(at: Millis) -> String {
    words::iso(at).get(11..19).unwrap_or_default().to_owned()
}

#[derive(Template)]
#[template(path = "journal.html")]
struct JournalPage {
    page: Page,
    id: BuildId,
    pipeline: String,
    pipeline_url: String,
    number: u32,
    turns: usize,
    lines: Vec<JournalLine>,
    more: usize,
}

struct JournalLine {
    turn: String,
    /// `told`, `wanted`, `noted`, `pinned`.
    kind: &'static str,
    text: String,
}

pub(crate) async fn journal(State(state): State<AppState>, Path(id): Path<i64>) -> Response {
    respond(&state, journal_page(&state, BuildId(id)).await)
}

async fn journal_page(state: &AppState, id: BuildId) -> Result<JournalPage, Failed> {
    let (build, turns) = state.engine.journal(id).await?;
    let text = haliotis_engine::journal::print(&build, &turns);
    let lines: Vec<_> = text.lines().take(JOURNAL_LINES).map(journal_line).collect();
    Ok(JournalPage {
        page: Page::new(state, "pipelines", format!("Journal of {} #{}", build.pipeline, build.number)),
        id,
        pipeline_url: words::pipeline_url(&build.pipeline),
        pipeline: build.pipeline,
        number: build.number,
        turns: turns.len(),
        more: text.lines().count() - lines.len(),
        lines,
    })
}

fn journal_line(line: &str) -> JournalLine {
    let (turn, rest) = line.split_once(' ').unwrap_or(("", line));
    let (kind, text) = match rest.split_at_checked(2) {
        Some(("< ", text)) => ("told", text),
        Some(("> ", text)) => ("wanted", text),
        Some(("= ", text)) => ("noted", text),
        _ => ("pinned", rest),
    };
    JournalLine { turn: turn.to_owned(), kind, text: text.to_owned() }
}
