//! The queue: builds that wait for their turn, and requests that wait for a delay to pass.
//!
//! A build is made when it is asked for, so its queue item has the build's own id. A request with a delay (or one while the
//! server is quiet) is a document ([`DELAYED`]) with a number of its own until it is due; then it becomes a build under the
//! `once` key of that number, so a restart at any point makes one build and not two.
//!
//! | race | what happens |
//! |---|---|
//! | two equal requests at once | one lock for all; the second is answered with the first one's item |
//! | the item is cancelled as it falls due | whoever holds the lock first wins; a cancelled item makes no build |
//! | the server dies after the build was made | the item is due again, and the key finds the build |

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use haliotis_access::{Object as AccessTo, Permission};
use haliotis_engine::BuildFilter;
use haliotis_engine::trigger::BuildRequest;
use haliotis_model::{BuildId, BuildResult, BuildStatus, BuildSummary, Cause, Millis, Object, Pipeline};
use serde::{Deserialize, Serialize};

use super::bean::{Bean, Data, list};
use super::call::Call;
use super::items;
use super::want::{ALWAYS, OFTEN, TOP, Want};
use super::{build, history};
use crate::access::current;
use crate::error::Failed;
use crate::state::AppState;

/// Documents: requests that wait for a time, by number.
const DELAYED: &str = "jenkins-queue";
/// The last number given to one.
const LAST: &str = "jenkins-queue";
/// Numbers of delayed requests begin here, far above the ids of builds, and within what clients take for an integer.
const FIRST: i64 = 1_000_000_000;
/// An item that left the queue is found so long afterwards, as in Jenkins.
const KEPT_MS: u64 = 10 * 60 * 1000;
/// Queued builds looked at for one answer.
const SHOWN: u32 = 500;

/// A request that waits for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delayed {
    id: i64,
    pipeline: String,
    parameters: Object,
    cause: Cause,
    since: Millis,
    due: Millis,
    /// The build it became.
    #[serde(default)]
    build: Option<BuildId>,
    #[serde(default)]
    cancelled: bool,
    #[serde(default)]
    left_at: Option<Millis>,
}

/// Something in the queue, or that was there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Delayed(Box<Delayed>),
    Build(Box<BuildSummary>),
}

impl Entry {
    pub(crate) fn id(&self) -> i64 {
        match self {
            Entry::Delayed(delayed) => delayed.id,
            Entry::Build(build) => build.id.0,
        }
    }

    fn job(&self) -> &str {
        match self {
            Entry::Delayed(delayed) => &delayed.pipeline,
            Entry::Build(build) => &build.pipeline,
        }
    }
}

/// Everything that waits, the longest first.
pub(crate) async fn waiting(state: &AppState) -> Result<Vec<Entry>, Failed> {
    let filter = BuildFilter { status: Some(BuildStatus::Queued), limit: SHOWN, ..BuildFilter::default() };
    let builds = state.catalog.builds(&filter).await?.into_iter().rev();
    let mut all: Vec<_> = builds.map(|build| Entry::Build(Box::new(build))).collect();
    all.extend(delayed(state).await?.into_iter().filter(|d| d.left_at.is_none()).map(Box::new).map(Entry::Delayed));
    Ok(all)
}

/// What waits of one job.
pub(crate) async fn of_job(state: &AppState, job: &str) -> Result<Vec<Entry>, Failed> {
    let filter = BuildFilter {
        status: Some(BuildStatus::Queued),
        pipeline: Some(job.to_owned()),
        limit: SHOWN,
        ..BuildFilter::default()
    };
    let builds = state.catalog.builds(&filter).await?.into_iter().rev();
    let mut all: Vec<_> = builds.map(|build| Entry::Build(Box::new(build))).collect();
    let own = delayed(state).await?.into_iter().filter(|d| d.left_at.is_none() && d.pipeline == job);
    all.extend(own.map(Box::new).map(Entry::Delayed));
    Ok(all)
}

async fn delayed(state: &AppState) -> Result<Vec<Delayed>, Failed> {
    let all = state.catalog.documents(DELAYED).await?;
    Ok(all.into_iter().filter_map(|(_, text)| serde_json::from_str(&text).ok()).collect())
}

/// The item of a number, waiting or gone.
///
/// # Errors
/// 404 when there is none, or it left too long ago.
pub(crate) async fn find(state: &AppState, id: &str) -> Result<Entry, Failed> {
    let none = || Failed::not_found(format!("there is no queue item {id}"));
    let id: i64 = id.parse().map_err(|_| none())?;
    if id >= FIRST {
        let text = state.catalog.document(DELAYED, &id.to_string()).await?.ok_or_else(none)?;
        return serde_json::from_str(&text).map(Box::new).map(Entry::Delayed).map_err(|_| none());
    }
    let build = state.catalog.build(BuildId(id)).await?.ok_or_else(none)?;
    let now = haliotis_engine::now();
    if build.ended_at.is_some_and(|ended| now.since(ended) > KEPT_MS) {
        return Err(none());
    }
    Ok(Entry::Build(Box::new(build)))
}

/// What is asked of the queue.
pub(crate) struct Wish {
    pub(crate) pipeline: Pipeline,
    pub(crate) parameters: Object,
    pub(crate) cause: Cause,
    pub(crate) delay: Duration,
}

/// Puts a request into the queue. Answers its number and whether an equal one was there already.
pub(crate) async fn schedule(state: &AppState, wish: Wish) -> Result<(i64, bool), Failed> {
    let _alone = state.own.jenkins.changes.lock().await;
    let job = wish.pipeline.name.clone();
    for entry in of_job(state, &job).await? {
        let parameters = match &entry {
            Entry::Delayed(delayed) => &delayed.parameters,
            Entry::Build(build) => &build.parameters,
        };
        if equal(&wish, parameters) {
            return Ok((entry.id(), true));
        }
    }
    if wish.delay.is_zero() && !state.own.jenkins.quiet() {
        let created = state.actions.request_build(request(&job, wish.parameters, wish.cause, String::new())).await?;
        return Ok((created.id.0, false));
    }
    let last = state.catalog.cursor(LAST).await?.and_then(|text| text.parse().ok()).unwrap_or(FIRST);
    let (id, now) = (last + 1, haliotis_engine::now());
    state.catalog.set_cursor(LAST, &id.to_string()).await?;
    let due = now.plus(u64::try_from(wish.delay.as_millis()).unwrap_or(u64::MAX));
    let (parameters, cause) = (wish.parameters, wish.cause);
    let kept =
        Delayed { id, pipeline: job, parameters, cause, since: now, due, build: None, cancelled: false, left_at: None };
    keep(state, &kept).await?;
    tokio::spawn(when_due(state.clone(), kept));
    Ok((id, false))
}

/// Given and default parameters are the same as those of a waiting one.
fn equal(wish: &Wish, waiting: &Object) -> bool {
    wish.pipeline.parameters.iter().all(|spec| {
        let given = wish.parameters.get(&spec.name).or(spec.default.as_ref());
        let text = |value: Option<&serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let waits = waiting.get(&spec.name).or(spec.default.as_ref());
        text(given) == text(waits)
    })
}

fn request(job: &str, parameters: Object, cause: Cause, once: String) -> BuildRequest {
    BuildRequest { pipeline: job.to_owned(), cause, event: Object::new(), parameters, commit: None, once }
}

/// A job has another name: what waits of it goes on under that.
pub(crate) async fn renamed(state: &AppState, from: &str, to: &str) -> Result<(), Failed> {
    let _alone = state.own.jenkins.changes.lock().await;
    for mut item in delayed(state).await?.into_iter().filter(|item| item.pipeline == from) {
        to.clone_into(&mut item.pipeline);
        keep(state, &item).await?;
    }
    Ok(())
}

async fn keep(state: &AppState, delayed: &Delayed) -> Result<(), Failed> {
    let text = serde_json::to_string(delayed).unwrap_or_default();
    Ok(state.catalog.put_document(DELAYED, &delayed.id.to_string(), &text).await?)
}

/// Takes up what an earlier life of the server left in the queue.
pub(crate) async fn resume(state: AppState) {
    let Ok(all) = delayed(&state).await else { return };
    let now = haliotis_engine::now();
    for item in all {
        match item.left_at {
            None => drop(tokio::spawn(when_due(state.clone(), item))),
            Some(left) if now.since(left) > KEPT_MS => {
                drop(state.catalog.remove_document(DELAYED, &item.id.to_string()).await);
            }
            Some(_) => {}
        }
    }
}

/// Waits until an item is due and makes its build; forgets it when it is old.
async fn when_due(state: AppState, item: Delayed) {
    loop {
        let left = item.due.since(haliotis_engine::now());
        tokio::time::sleep(Duration::from_millis(left.max(1))).await;
        if state.own.jenkins.quiet() {
            state.own.jenkins.woken().await;
            continue;
        }
        match leave(&state, &item).await {
            Ok(()) => break,
            Err(failed) => {
                tracing::warn!(item = item.id, message = failed.problem.message, "a queue item could not begin yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    tokio::time::sleep(Duration::from_millis(KEPT_MS)).await;
    drop(state.catalog.remove_document(DELAYED, &item.id.to_string()).await);
}

async fn leave(state: &AppState, item: &Delayed) -> Result<(), Failed> {
    let _alone = state.own.jenkins.changes.lock().await;
    let Some(text) = state.catalog.document(DELAYED, &item.id.to_string()).await? else { return Ok(()) };
    let Ok(mut item) = serde_json::from_str::<Delayed>(&text) else { return Ok(()) };
    if item.left_at.is_some() {
        return Ok(());
    }
    let once = format!("jenkins-queue:{}", item.id);
    let made = state.actions.request_build(request(&item.pipeline, item.parameters.clone(), item.cause.clone(), once));
    match made.await {
        Ok(created) => {
            item.build = Some(created.id);
            let id = item.id;
            history::note_alone(state, &item.pipeline, created.number, |note| note.queue = Some(id)).await?;
        }
        // What may pass is tried again; what will not (no such job, disabled) takes the item out of the queue.
        Err(crate::edges::EdgeError::Unavailable(error)) => {
            return Err(crate::edges::EdgeError::Unavailable(error).into());
        }
        Err(error) => {
            tracing::warn!(item = item.id, %error, "a queue item makes no build");
            item.cancelled = true;
        }
    }
    item.left_at = Some(haliotis_engine::now());
    keep(state, &item).await
}

/// Takes an item out of the queue.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn cancel(call: &Call, id: &str) -> Result<(), Failed> {
    let by = call.by()?;
    let entry = find(&call.state, id).await?;
    // The path names no job, so the item's own job is asked about here; one that is not theirs to see is not there.
    own(&entry, id)?;
    current().must(Permission::Build, AccessTo::Pipeline(entry.job()))?;
    match entry {
        Entry::Build(found) if found.status == BuildStatus::Queued => {
            crate::api::abort_build(&call.state, found.id, &by, "cancelled in the queue").await
        }
        Entry::Build(_) => Err(Failed::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "left",
            format!("the item {id} left the queue"),
            "Stop its build.",
        )),
        Entry::Delayed(_) => {
            let _alone = call.state.own.jenkins.changes.lock().await;
            let Entry::Delayed(mut item) = find(&call.state, id).await? else { return Ok(()) };
            if item.left_at.is_none() {
                item.cancelled = true;
                item.left_at = Some(haliotis_engine::now());
                keep(&call.state, &item).await?;
            }
            crate::api::audit(&call.state, &by, "queue.cancel", &item.pipeline, "").await
        }
    }
}

/// An item of a job that the caller does not see is answered like one that never was.
fn own(entry: &Entry, id: &str) -> Result<(), Failed> {
    if current().sees(entry.job()) { Ok(()) } else { Err(Failed::not_found(format!("there is no queue item {id}"))) }
}

/// The item of a number, where its job is the caller's to see.
///
/// # Errors
/// 404 as in [`find`].
pub(crate) async fn find_own(state: &AppState, id: &str) -> Result<Entry, Failed> {
    let entry = find(state, id).await?;
    own(&entry, id)?;
    Ok(entry)
}

/// `cancelItem`: 204, or 404.
pub(crate) async fn cancel_item(call: &Call) -> Result<Response, Failed> {
    cancel(call, call.needed("id")?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The whole queue.
pub(crate) async fn all(call: &Call, want: &Want) -> Result<Data, Failed> {
    let caller = current();
    let mut waiting = waiting(&call.state).await?;
    waiting.retain(|entry| caller.sees(entry.job()));
    let mut queue = Bean::new("hudson.model.Queue", want);
    queue.put("discoverableItems", Vec::new());
    // Items stand on the queue's own level, so that each is whole at depth 0.
    if let Some(want) = want.inline("items") {
        queue.set("items", list(&want, &waiting, |entry| bean(call, entry, &want)));
    }
    Ok(queue.done())
}

/// An item with the build it became, which takes a look.
pub(crate) async fn item(call: &Call, id: &str, want: &Want) -> Result<Data, Failed> {
    let entry = find_own(&call.state, id).await?;
    let made = match &entry {
        Entry::Delayed(delayed) => match delayed.build {
            Some(build) => call.state.catalog.build(build).await?,
            None => None,
        },
        Entry::Build(found) => Some((**found).clone()),
    };
    let pipeline = call.state.catalog.pipeline(entry.job()).await?;
    Ok(shown(call, &entry, made.as_ref(), pipeline.as_ref(), want))
}

/// An item.
pub(crate) fn bean(call: &Call, entry: &Entry, want: &Want) -> Data {
    match entry {
        Entry::Build(build) => shown(call, entry, Some(build), None, want),
        Entry::Delayed(_) => shown(call, entry, None, None, want),
    }
}

fn shown(call: &Call, entry: &Entry, made: Option<&BuildSummary>, pipeline: Option<&Pipeline>, want: &Want) -> Data {
    let (class, why, since, cancelled) = stand(call, entry, made);
    let left = class == "LeftItem";
    let mut bean = Bean::new(format!("hudson.model.Queue${class}"), want);
    bean.make("actions", TOP, |want| {
        let actions = match entry {
            Entry::Delayed(delayed) => {
                build::common_actions(std::slice::from_ref(&delayed.cause), &delayed.parameters, want)
            }
            Entry::Build(found) => build::common_actions(&found.causes, &found.parameters, want),
        };
        Data::List(want.cut(actions).collect())
    });
    bean.put("blocked", class == "BlockedItem");
    bean.put("buildable", false);
    bean.put_at(OFTEN, "id", entry.id());
    bean.put("inQueueSince", since.0);
    let parameters = match entry {
        Entry::Delayed(delayed) => &delayed.parameters,
        Entry::Build(found) => &found.parameters,
    };
    bean.put("params", parameters.iter().map(|(name, value)| format!("\n{name}={}", plain(value))).collect::<String>());
    bean.put("stuck", false);
    bean.make("task", TOP, |want| task(call, entry.job(), pipeline, want));
    bean.put_at(ALWAYS, "url", format!("queue/item/{}/", entry.id()));
    bean.put("why", why);
    match entry {
        Entry::Delayed(delayed) if !left => bean.put("timestamp", delayed.due.0),
        _ => {}
    }
    if left {
        bean.put("cancelled", cancelled);
        bean.make("executable", TOP, |want| {
            let Some(found) = made.filter(|_| !cancelled) else { return Data::Null };
            let class = pipeline.map_or("org.jenkinsci.plugins.workflow.job.WorkflowRun", items::build_class);
            let mut bean = Bean::new(class, want);
            bean.put_at(OFTEN, "number", found.number);
            bean.put_at(ALWAYS, "url", call.url(&format!("{}{}/", items::path(&found.pipeline), found.number)));
            bean.done()
        });
    }
    bean.done()
}

/// Class, reason, since when, and whether it was cancelled.
fn stand(call: &Call, entry: &Entry, made: Option<&BuildSummary>) -> (&'static str, Option<String>, Millis, bool) {
    match entry {
        Entry::Delayed(item) if item.left_at.is_some() => ("LeftItem", None, item.since, item.cancelled),
        Entry::Delayed(item) => {
            let left = item.due.since(haliotis_engine::now());
            let why = if left > 0 {
                format!("In the quiet period. Expires in {}.{} sec", left / 1000, left % 1000 / 100)
            } else {
                "The server is quiet: it begins no builds until cancelQuietDown".to_owned()
            };
            ("WaitingItem", Some(why), item.since, false)
        }
        Entry::Build(found) => match found.status {
            BuildStatus::Queued => {
                let why = if call.state.own.jenkins.quiet() {
                    "The server is quiet: it begins no builds until cancelQuietDown".to_owned()
                } else {
                    let before = found.number.saturating_sub(1);
                    format!("Build #{before} is already in progress (ETA: N/A)")
                };
                ("BlockedItem", Some(why), found.created_at, false)
            }
            _ => {
                // A build that was stopped before anything of it began was cancelled in the queue.
                let never = made.is_some_and(|made| made.result == Some(BuildResult::Aborted) && was_cancelled(made));
                ("LeftItem", None, found.created_at, never)
            }
        },
    }
}

fn was_cancelled(build: &BuildSummary) -> bool {
    build.message.as_deref().is_some_and(|message| message.contains("cancelled in the queue"))
}

fn task(call: &Call, job: &str, pipeline: Option<&Pipeline>, want: &Want) -> Data {
    let class = pipeline.map_or("org.jenkinsci.plugins.workflow.job.WorkflowJob", items::job_class);
    let mut bean = Bean::new(class, want);
    bean.put_at(ALWAYS, "name", items::short(job));
    bean.put_at(ALWAYS, "url", call.url(&items::path(job)));
    bean.put_at(ALWAYS, "color", "notbuilt");
    bean.done()
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
