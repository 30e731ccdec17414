//! A build.

use axum::response::Response;
use haliotis_model::{BuildId, BuildStatus, BuildSummary, Cause, Object, Pipeline, Value};

use super::bean::{Bean, Data, list};
use super::call::{Call, redirect};
use super::history::{self, History, Note, Notes, Permalink};
use super::items::{self, Item};
use super::want::{ALWAYS, OFTEN, TOP, Want};
use super::{artifacts, job, report};
use crate::error::Failed;
use crate::words;

/// One build of one job.
pub(crate) struct Target {
    pub(crate) pipeline: Pipeline,
    pub(crate) build: BuildSummary,
    pub(crate) note: Note,
}

impl Target {
    /// Its address from the root, as `job/a/7/`.
    pub(crate) fn path(&self) -> String {
        path(&self.build)
    }
}

pub(crate) fn path(build: &BuildSummary) -> String {
    format!("{}{}/", items::path(&build.pipeline), build.number)
}

/// The build of a number or a permalink.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn find(call: &Call, item: Item, name: &str) -> Result<Target, Failed> {
    let pipeline = item.job()?.clone();
    let none = || Failed::not_found(format!("the job {:?} has no build {name}", pipeline.name));
    let state = &call.state;
    let (build, notes) = if let Ok(number) = name.parse::<u32>() {
        let id = state.catalog.find_build(&pipeline.name, number).await?.ok_or_else(none)?;
        let notes = history::notes(state, &pipeline.name).await?;
        (state.catalog.build(id).await?.ok_or_else(none)?, notes)
    } else {
        let link = Permalink::parse(name).ok_or_else(none)?;
        let mut history = History::recent(state, &pipeline.name).await?;
        (history.permalink(state, &pipeline.name, link).await?.ok_or_else(none)?, history.notes)
    };
    if !notes.shows(build.number) {
        return Err(none());
    }
    let note = notes.of(build.number);
    Ok(Target { pipeline, build, note })
}

/// A build as it stands in a list.
pub(crate) fn row(call: &Call, pipeline: &Pipeline, build: &BuildSummary, want: &Want) -> Data {
    row_noted(call, pipeline, build, &Notes::default(), want)
}

/// The same with what clients said of it.
pub(crate) fn row_noted(call: &Call, pipeline: &Pipeline, build: &BuildSummary, notes: &Notes, want: &Want) -> Data {
    let mut bean = Bean::new(items::build_class(pipeline), want);
    let note = notes.of(build.number);
    common(&mut bean, call, pipeline, build, &note);
    bean.done()
}

/// Everything of a build.
pub(crate) async fn bean(call: &Call, target: &Target, want: &Want) -> Result<Data, Failed> {
    let Target { pipeline, build, note } = target;
    let state = &call.state;
    let mut bean = Bean::new(items::build_class(pipeline), want);
    common(&mut bean, call, pipeline, build, note);
    if let Some(want) = bean.wants("actions", TOP) {
        let mut all = action_list(pipeline, build, &want);
        all.extend(report::counts(state, build.id).await?.map(|counts| report::action(counts, &want)));
        bean.replace("actions", Data::List(want.cut(all).collect()));
    }
    if let Some(want) = bean.wants("artifacts", TOP) {
        let kept = state.artifacts.list(build.id).await?;
        bean.set("artifacts", list(&want, &kept, |kept| artifacts::row(&kept.path, &want)));
    }
    if let Some(want) = bean.wants("estimatedDuration", TOP) {
        drop(want);
        let history = History::recent(state, &pipeline.name).await?;
        bean.set("estimatedDuration", history.estimate().map_or(Data::Int(-1), Data::from));
    }
    for (name, step) in [("previousBuild", -1_i64), ("nextBuild", 1)] {
        if let Some(want) = bean.wants(name, TOP) {
            let found = neighbour(call, target, step).await?;
            bean.set(name, found.map_or(Data::Null, |found| row(call, pipeline, &found, &want)));
        }
    }
    Ok(bean.done())
}

/// The nearest build before or after that is still shown.
async fn neighbour(call: &Call, target: &Target, step: i64) -> Result<Option<BuildSummary>, Failed> {
    let history = History::recent(&call.state, &target.pipeline.name).await?;
    let own = history.builds.iter().position(|build| build.id == target.build.id);
    let at = own.and_then(|own| if step < 0 { own.checked_add(1) } else { own.checked_sub(1) });
    if let Some(found) = at.and_then(|at| history.builds.get(at)) {
        return Ok(Some(found.clone()));
    }
    let number = i64::from(target.build.number) + step;
    let Ok(number) = u32::try_from(number) else { return Ok(None) };
    match call.state.catalog.find_build(&target.pipeline.name, number).await? {
        Some(id) if own.is_none() => Ok(call.state.catalog.build(id).await?),
        _ => Ok(None),
    }
}

fn common(bean: &mut Bean<'_>, call: &Call, pipeline: &Pipeline, build: &BuildSummary, note: &Note) {
    let building = build.status != BuildStatus::Ended;
    let display = note.name.clone().unwrap_or_else(|| format!("#{}", build.number));
    bean.make("actions", TOP, |want| actions(pipeline, build, want));
    bean.put("building", building);
    bean.put("description", note.description.clone());
    bean.put_at(OFTEN, "displayName", display.as_str());
    let took = build.ended_at.map_or(0, |ended| ended.since(build.created_at));
    bean.put("duration", took);
    bean.put("executor", Data::Null);
    bean.put("fullDisplayName", format!("{} {display}", job::display(&build.pipeline)));
    bean.put("id", build.number.to_string());
    bean.put("inProgress", building);
    bean.put("keepLog", note.keep);
    bean.put_at(OFTEN, "number", build.number);
    bean.put("queueId", note.queue.unwrap_or(build.id.0));
    bean.put("result", build.result.map(history::result_word));
    bean.put("timestamp", build.created_at.0);
    bean.put_at(ALWAYS, "url", call.url(&path(build)));
    bean.put("builtOn", "");
    if items::is_freestyle(pipeline) {
        bean.make("changeSet", TOP, |want| change_set(call, build, want).unwrap_or_else(|| no_changes(want)));
    } else {
        bean.make("changeSets", TOP, |want| Data::List(change_set(call, build, want).into_iter().collect()));
    }
    bean.make("culprits", TOP, |want| {
        let author = commit_of(build).map(|commit| commit.author).filter(|author| !author.is_empty());
        list(want, author, |author| person(call, author, want))
    });
    bean.put("fingerprint", Vec::new());
}

/// What a build's commit cause knows.
struct Commit<'b> {
    repo: &'b str,
    branch: &'b str,
    hash: &'b str,
    author: &'b str,
    subject: &'b str,
}

fn commit_of(build: &BuildSummary) -> Option<Commit<'_>> {
    build.causes.iter().find_map(|cause| match cause {
        Cause::Commit { repo, branch, commit, author, subject, .. } => {
            Some(Commit { repo, branch, hash: commit, author, subject })
        }
        _ => None,
    })
}

fn person(call: &Call, name: &str, want: &Want) -> Data {
    let mut bean = Bean::new("", want);
    bean.put_at(ALWAYS, "absoluteUrl", call.url(&format!("user/{}", items::encode(name))));
    bean.put_at(ALWAYS, "fullName", name);
    bean.done()
}

fn no_changes(want: &Want) -> Data {
    let mut bean = Bean::new("hudson.scm.EmptyChangeLogSet", want);
    bean.put("items", Vec::new());
    bean.put("kind", Data::Null);
    bean.done()
}

/// The one commit that is known of a build: the one that started it.
fn change_set(call: &Call, build: &BuildSummary, want: &Want) -> Option<Data> {
    let commit = commit_of(build)?;
    let mut bean = Bean::new("hudson.plugins.git.GitChangeSetList", want);
    bean.make("items", TOP, |want| {
        list(want, [&commit], |commit| {
            let mut bean = Bean::new("hudson.plugins.git.GitChangeSet", want);
            let (at, subject) = (build.created_at, commit.subject);
            if want.inline("affectedPaths").is_some() {
                bean.set("affectedPaths", Vec::new());
            }
            for (name, value) in [
                ("commitId", Data::from(commit.hash)),
                ("timestamp", Data::from(at.0)),
                ("authorEmail", Data::from("")),
                ("comment", Data::from(format!("{subject}\n"))),
                ("date", Data::from(words::iso(at))),
                ("id", Data::from(commit.hash)),
                ("msg", Data::from(subject)),
                ("paths", Data::List(Vec::new())),
            ] {
                if want.inline(name).is_some() {
                    bean.set(name, value);
                }
            }
            if let Some(want) = want.inline("author") {
                bean.set("author", person(call, commit.author, &want));
            }
            bean.done()
        })
    });
    bean.put("kind", "git");
    Some(bean.done())
}

/// Actions of a build or of a queue item: causes, parameters, what was checked out.
pub(crate) fn actions(pipeline: &Pipeline, build: &BuildSummary, want: &Want) -> Data {
    Data::List(want.cut(action_list(pipeline, build, want)).collect())
}

fn action_list(pipeline: &Pipeline, build: &BuildSummary, want: &Want) -> Vec<Data> {
    let mut all = common_actions(&build.causes, &build.parameters, want);
    all.extend(git_action(pipeline, build, want));
    all
}

/// Causes and parameters.
pub(crate) fn common_actions(causes: &[Cause], parameters: &Object, want: &Want) -> Vec<Data> {
    let mut all = Vec::new();
    let mut action = Bean::new("hudson.model.CauseAction", want);
    if let Some(want) = want.inline("causes") {
        action.set("causes", list(&want, causes, |cause| cause_bean(cause, &want)));
    }
    all.push(action.done());
    if !parameters.is_empty() {
        let mut action = Bean::new("hudson.model.ParametersAction", want);
        if let Some(want) = want.inline("parameters") {
            action.set("parameters", list(&want, parameters, |(name, value)| parameter(name, value, &want)));
        }
        all.push(action.done());
    }
    all
}

fn parameter(name: &str, value: &Value, want: &Want) -> Data {
    let (class, value) = match value {
        Value::Bool(value) => ("hudson.model.BooleanParameterValue", Data::Bool(*value)),
        Value::String(text) => ("hudson.model.StringParameterValue", Data::Text(text.clone())),
        other => ("hudson.model.StringParameterValue", Data::Text(other.to_string())),
    };
    let mut bean = Bean::new(class, want);
    for (field, data) in [("name", Data::from(name)), ("value", value)] {
        if want.inline(field).is_some() {
            bean.set(field, data);
        }
    }
    bean.done()
}

fn cause_bean(cause: &Cause, want: &Want) -> Data {
    let text = |text: &str| Data::from(text);
    let (class, short, more): (_, String, Vec<(&'static str, Data)>) = match cause {
        Cause::User { by } => (
            "hudson.model.Cause$UserIdCause",
            format!("Started by user {by}"),
            vec![("userId", text(by)), ("userName", text(by))],
        ),
        Cause::Commit { via, .. } if via == "poll" => {
            ("hudson.triggers.SCMTrigger$SCMTriggerCause", "Started by an SCM change".to_owned(), Vec::new())
        }
        Cause::Commit { author, .. } => {
            ("com.cloudbees.jenkins.GitHubPushCause", format!("Started by GitHub push by {author}"), Vec::new())
        }
        Cause::Cron { .. } => {
            ("hudson.triggers.TimerTrigger$TimerTriggerCause", "Started by timer".to_owned(), Vec::new())
        }
        Cause::Upstream { pipeline, number } => (
            "hudson.model.Cause$UpstreamCause",
            format!("Started by upstream project \"{pipeline}\" build number {number}"),
            vec![
                ("upstreamBuild", Data::from(*number)),
                ("upstreamProject", text(pipeline)),
                ("upstreamUrl", Data::from(items::path(pipeline))),
            ],
        ),
        Cause::Remote { host, note } => {
            let note_text = if note.is_empty() { String::new() } else { format!(" with note: {note}") };
            let more = vec![("addr", text(host)), ("note", text(note))];
            ("hudson.model.Cause$RemoteCause", format!("Started by remote host {host}{note_text}"), more)
        }
        Cause::Rerun { number, by } => (
            "org.jenkinsci.plugins.workflow.cps.replay.ReplayCause",
            format!("Replayed #{number}"),
            vec![("originalNumber", Data::from(*number)), ("userId", text(by))],
        ),
        Cause::ModelPackage { .. } => ("hudson.model.Cause", words::cause(cause), Vec::new()),
    };
    let mut bean = Bean::new(class, want);
    if want.inline("shortDescription").is_some() {
        bean.set("shortDescription", short);
    }
    for (name, data) in more {
        if want.inline(name).is_some() {
            bean.set(name, data);
        }
    }
    bean.done()
}

fn git_action(pipeline: &Pipeline, build: &BuildSummary, want: &Want) -> Option<Data> {
    let hash = build.commit.as_deref()?;
    let known = commit_of(build);
    let branch = known.as_ref().map_or(pipeline.branch.as_str(), |commit| commit.branch);
    let branch = format!("refs/remotes/origin/{}", if branch.is_empty() { "main" } else { branch });
    let repo = known.as_ref().map(|commit| commit.repo).or(pipeline.repo.as_deref()).unwrap_or("");
    let mut bean = Bean::new("hudson.plugins.git.util.BuildData", want);
    let revision = |want: &Want| {
        let mut revision = Bean::new("", want);
        if want.inline("SHA1").is_some() {
            revision.set("SHA1", hash);
        }
        if let Some(want) = want.inline("branch") {
            revision.set(
                "branch",
                list(&want, [&branch], |branch| {
                    let mut bean = Bean::new("", &want);
                    for (name, text) in [("SHA1", hash), ("name", branch.as_str())] {
                        if want.inline(name).is_some() {
                            bean.set(name, text);
                        }
                    }
                    bean.done()
                }),
            );
        }
        revision.done()
    };
    if let Some(want) = want.inline("lastBuiltRevision") {
        bean.set("lastBuiltRevision", revision(&want));
    }
    if want.inline("remoteUrls").is_some() {
        bean.set("remoteUrls", vec![Data::from(repo)]);
    }
    if want.inline("scmName").is_some() {
        bean.set("scmName", "");
    }
    Some(bean.done())
}

/// `stop`, `term`, `kill`: the first asks nicely; asked again, what must always run is stopped as well.
pub(crate) async fn stop(call: &Call, target: &Target, harder: bool) -> Result<Response, Failed> {
    let by = call.by()?;
    let id: BuildId = target.build.id;
    let stopped = crate::api::abort_build(&call.state, id, &by, "").await;
    if harder && stopped.is_ok() {
        // It may have ended in between; then it is as stopped as it can be.
        drop(call.state.engine.abort(id, &by, "").await);
    }
    match stopped {
        // Stopping what has ended is no error in Jenkins.
        Ok(()) => Ok(redirect(&call.url(&target.path()))),
        Err(failed) if failed.status == axum::http::StatusCode::CONFLICT => Ok(redirect(&call.url(&target.path()))),
        Err(failed) => Err(failed),
    }
}

/// `replay` with `mainScript`, and `rebuild`: the same once more, with the same parameters and the same commit.
pub(crate) async fn again(call: &Call, target: &Target, script: Option<&str>) -> Result<Response, Failed> {
    let by = call.by()?;
    if call.state.own.jenkins.quiet() {
        let message = "the server is quiet and begins no builds";
        let help = "Ask again after cancelQuietDown, or after the server's next start.";
        return Err(Failed::new(axum::http::StatusCode::CONFLICT, "quiet", message, help));
    }
    let (mut build, _) = call.state.engine.journal(target.build.id).await?;
    if let Some(script) = script {
        if build.source.text != script {
            build.event.insert(haliotis_model::bounds::EDITED.to_owned(), true.into());
        }
        script.clone_into(&mut build.source.text);
    }
    build.causes = vec![Cause::Rerun { number: target.build.number, by: by.clone() }];
    build.number = 0;
    build.once = None;
    build.created_at = haliotis_engine::now();
    build.pipeline.clone_from(&target.pipeline.name);
    if let Some(language) = call.state.engine.language(&build.source.language) {
        build.program_version = language.version();
    }
    let created = call.state.engine.create(build).await?;
    let subject = format!("{} #{}", target.pipeline.name, created.number);
    crate::api::audit(&call.state, &by, "build.replay", &subject, "").await?;
    Ok(redirect(&call.url(&format!("{}{}/", items::path(&target.pipeline.name), created.number))))
}

/// A change of what is said of a build, back to its page.
pub(crate) async fn noted(call: &Call, target: &Target, change: impl FnOnce(&mut Note)) -> Result<Response, Failed> {
    let by = call.by()?;
    history::note(&call.state, &target.pipeline.name, target.build.number, change).await?;
    let subject = format!("{} #{}", target.pipeline.name, target.build.number);
    crate::api::audit(&call.state, &by, "build.note", &subject, "").await?;
    Ok(redirect(&call.url(&target.path())))
}

/// `doDelete`: the build is not shown to Jenkins' clients any more; its journal stays, as every journal does.
pub(crate) async fn delete(call: &Call, target: &Target) -> Result<Response, Failed> {
    if target.note.keep {
        return Err(super::call::bad(format!(
            "the build {} is kept for ever; toggleLogKeep first",
            target.build.number
        )));
    }
    if target.build.status != BuildStatus::Ended {
        return Err(super::call::bad(format!("the build {} is in progress; stop it first", target.build.number)));
    }
    noted(call, target, |note| note.deleted = true).await?;
    Ok(redirect(&call.url(&items::path(&target.pipeline.name))))
}

/// `configSubmit`: a build's name and description, as the form field `json` has them.
pub(crate) async fn configure(call: &Call, target: &Target) -> Result<Response, Failed> {
    let json: Value = serde_json::from_str(call.value("json").unwrap_or("{}"))
        .map_err(|error| super::call::bad(format!("`json` cannot be read: {error}")))?;
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let (name, description) = (text("displayName"), text("description"));
    noted(call, target, |note| {
        note.name = name.filter(|name| !name.is_empty()).or(note.name.take());
        note.description = description.or(note.description.take());
    })
    .await
}
