//! A job.

use haliotis_model::{BuildStatus, ParameterKind, ParameterSpec, Pipeline};

use super::bean::{Bean, Data, list};
use super::call::Call;
use super::history::{self, History, Permalink};
use super::want::{ALWAYS, TOP, Want};
use super::{build, items, queue};
use crate::error::Failed;

/// Builds that say how a job is doing.
const HEALTH: usize = 5;

/// `a » b`.
pub(crate) fn display(full: &str) -> String {
    full.replace('/', " » ")
}

pub(crate) async fn bean(call: &Call, pipeline: &Pipeline, want: &Want) -> Result<Data, Failed> {
    let state = &call.state;
    let full = pipeline.name.as_str();
    let mut history = History::recent(state, full).await?;
    let newest = history.builds.first().cloned();
    let ended = history::last_result(state, newest.as_ref()).await?;
    let mut bean = Bean::new(items::job_class(pipeline), want);
    bean.make("actions", TOP, |want| Data::List(parameters_action(pipeline, want).into_iter().collect()));
    bean.put("description", pipeline.description.as_str());
    bean.put("displayName", items::short(full));
    bean.put("displayNameOrNull", Data::Null);
    bean.put("fullDisplayName", display(full));
    bean.put("fullName", full);
    bean.put_at(ALWAYS, "name", items::short(full));
    bean.put_at(ALWAYS, "url", call.url(&items::path(full)));
    bean.put("buildable", !pipeline.disabled);
    bean.make("builds", TOP, |want| {
        let recent = history.builds.iter().take(history::RECENT);
        list(want, recent, |row| build::row_noted(call, pipeline, row, &history.notes, want))
    });
    if let Some(want) = bean.wants("allBuilds", 0) {
        history.more(state, full, want.reach()).await?;
        let rows = list(&want, &history.builds, |row| build::row_noted(call, pipeline, row, &history.notes, &want));
        bean.set("allBuilds", rows);
    }
    bean.put_at(ALWAYS, "color", history::color(pipeline, newest.as_ref(), ended));
    for (name, link) in Permalink::ALL {
        if let Some(want) = bean.wants(name, TOP) {
            let found = history.permalink(state, full, link).await?;
            let row = found.map(|found| build::row_noted(call, pipeline, &found, &history.notes, &want));
            bean.set(name, row.unwrap_or(Data::Null));
        }
    }
    bean.make("healthReport", TOP, |want| health(&history, want));
    let waiting = queue::of_job(state, full).await?;
    bean.put("inQueue", !waiting.is_empty());
    bean.put("keepDependencies", false);
    if let Some(want) = bean.wants("nextBuildNumber", TOP) {
        drop(want);
        bean.set("nextBuildNumber", state.catalog.next_number(full).await?);
    }
    bean.make("property", TOP, |want| Data::List(parameters_property(pipeline, want).into_iter().collect()));
    bean.make("queueItem", TOP, |want| waiting.first().map_or(Data::Null, |item| queue::bean(call, item, want)));
    bean.put("concurrentBuild", pipeline.concurrency != Some(1));
    bean.put("disabled", pipeline.disabled);
    bean.put("downstreamProjects", Vec::new());
    bean.make("upstreamProjects", TOP, |want| upstream(call, pipeline, want));
    bean.put("labelExpression", Data::Null);
    bean.put("resumeBlocked", false);
    bean.make("scm", TOP, |want| {
        let class = if pipeline.repo.is_some() { "hudson.plugins.git.GitSCM" } else { "hudson.scm.NullSCM" };
        Bean::new(class, want).done()
    });
    Ok(bean.done())
}

fn upstream(call: &Call, pipeline: &Pipeline, want: &Want) -> Data {
    let names = pipeline.triggers.iter().filter_map(|trigger| match trigger {
        haliotis_model::TriggerSpec::Upstream { pipeline, .. } => Some(pipeline.as_str()),
        _ => None,
    });
    list(want, names, |full| {
        let mut bean = Bean::new("org.jenkinsci.plugins.workflow.job.WorkflowJob", want);
        bean.put_at(ALWAYS, "name", items::short(full));
        bean.put_at(ALWAYS, "url", call.url(&items::path(full)));
        bean.done()
    })
}

fn parameters_property(pipeline: &Pipeline, want: &Want) -> Option<Data> {
    (!pipeline.parameters.is_empty()).then(|| {
        let mut bean = Bean::new("hudson.model.ParametersDefinitionProperty", want);
        definitions(&mut bean, pipeline, want);
        bean.done()
    })
}

fn parameters_action(pipeline: &Pipeline, want: &Want) -> Option<Data> {
    // Jenkins shows the same definitions as an action of older jobs; clients look in either place.
    parameters_property(pipeline, want)
}

fn definitions(bean: &mut Bean<'_>, pipeline: &Pipeline, want: &Want) {
    if let Some(want) = want.inline("parameterDefinitions") {
        bean.set("parameterDefinitions", list(&want, &pipeline.parameters, |spec| definition(spec, &want)));
    }
}

/// A parameter of a job or of an input.
pub(crate) fn definition(spec: &ParameterSpec, want: &Want) -> Data {
    let (definition, value) = match spec.kind {
        ParameterKind::Boolean => ("BooleanParameterDefinition", "BooleanParameterValue"),
        ParameterKind::Choice => ("ChoiceParameterDefinition", "StringParameterValue"),
        _ => ("StringParameterDefinition", "StringParameterValue"),
    };
    let mut bean = Bean::new(format!("hudson.model.{definition}"), want);
    if let Some(want) = want.inline("defaultParameterValue") {
        let mut default = Bean::new(format!("hudson.model.{value}"), &want);
        default.put("name", spec.name.as_str());
        default.put("value", default_of(spec));
        bean.set("defaultParameterValue", default.done());
    }
    for (name, text) in [("description", spec.description.as_str()), ("name", spec.name.as_str()), ("type", definition)]
    {
        if want.inline(name).is_some() {
            bean.set(name, text);
        }
    }
    if spec.kind == ParameterKind::Choice && want.inline("choices").is_some() {
        bean.set("choices", spec.choices.iter().map(|choice| Data::from(choice.as_str())).collect::<Vec<_>>());
    }
    bean.done()
}

/// The default as Jenkins' types have it: booleans are booleans, all else is text.
fn default_of(spec: &ParameterSpec) -> Data {
    match (&spec.default, spec.kind) {
        (Some(serde_json::Value::Bool(value)), _) => Data::Bool(*value),
        (Some(serde_json::Value::String(text)), _) => Data::Text(text.clone()),
        (Some(value), _) => Data::Text(value.to_string()),
        (None, ParameterKind::Boolean) => Data::Bool(false),
        (None, ParameterKind::Choice) => spec.choices.first().map(String::as_str).into(),
        (None, _) => Data::Text(String::new()),
    }
}

fn health(history: &History, want: &Want) -> Data {
    let ended: Vec<_> = history.builds.iter().filter(|build| build.status == BuildStatus::Ended).take(HEALTH).collect();
    if ended.is_empty() {
        return Data::List(Vec::new());
    }
    let failed = ended.iter().filter(|b| b.result.is_none_or(|r| r > haliotis_model::BuildResult::Unstable)).count();
    let score = 100 * (ended.len() - failed) / ended.len();
    let mut bean = Bean::new("", want);
    bean.put(
        "description",
        match failed {
            0 => "Build stability: No recent builds failed.".to_owned(),
            all if all == ended.len() => "Build stability: All recent builds failed.".to_owned(),
            some => format!("Build stability: {some} out of the last {} builds failed.", ended.len()),
        },
    );
    bean.put("score", score);
    Data::List(vec![bean.done()])
}
