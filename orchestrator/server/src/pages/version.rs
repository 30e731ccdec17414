//! One version of a model: where it comes from, what was decided, where it served, and how to deploy it (again).

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use haliotis_access::{Object, Permission};
use haliotis_model::{BuildId, TriggerSpec};

use super::changes;
use super::models::{approval_badge, facts};
use super::{Markup, Page, respond, time};
use crate::edges::{ModelPackage, millis};
use crate::error::Failed;
use crate::served::{self, Deployment};
use crate::shown::{self, Shown};
use crate::state::AppState;
use crate::words;

/// Entries of the history shown.
const HISTORY: u32 = 50;
/// The parameter by which a deploy pipeline is told the version.
const PARAMETER: &str = "ModelPackageArn";
/// Parts of an output's name that say it is a fingerprint of data.
const DIGESTS: [&str; 4] = ["sha256", "digest", "checksum", "etag"];

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    page: Page,
    group: String,
    group_url: String,
    version: u32,
    badge: Markup,
    created: Markup,
    facts: Vec<Shown>,
    lineage: Vec<Link>,
    history: Vec<Entry>,
    served: Vec<Served>,
    deploys: Vec<Deploy>,
    arn: String,
    changes: Option<changes::Changes>,
}

/// One thing that led to the version, from what serves back to who began.
struct Link {
    kind: &'static str,
    name: String,
    url: String,
    detail: String,
}

struct Entry {
    when: Markup,
    by: String,
    action: String,
    reason: String,
}

/// A deployment of a version.
pub(super) struct Served {
    pub(super) environment: String,
    pub(super) model: String,
    pub(super) model_url: String,
    pub(super) when: Markup,
    pub(super) build: String,
    pub(super) build_url: String,
    pub(super) by: String,
    pub(super) reason: String,
    /// Still the last one of its environment.
    pub(super) now: bool,
}

/// A pipeline that deploys it.
struct Deploy {
    pipeline: String,
    url: String,
}

pub(crate) async fn show(State(state): State<AppState>, Path((group, version)): Path<(String, u32)>) -> Response {
    respond(&state, version_page(&state, group, version).await)
}

async fn version_page(state: &AppState, group: String, version: u32) -> Result<VersionPage, Failed> {
    let packages = state.models.packages(&group).await?;
    let package = packages.iter().find(|package| package.version == version);
    let package = package.ok_or_else(|| Failed::not_found(format!("the group {group} has no version {version}")))?;
    let ledger = served::ledger(state, Some(&group)).await?;
    let now = served::at(&ledger, haliotis_engine::now());
    let before = packages.iter().find(|other| other.version < version);
    let changes = match (before.and_then(|other| other.build), package.build) {
        (Some(old), Some(new)) => changes::between_builds(state, BuildId(old), BuildId(new)).await?,
        _ => None,
    };
    Ok(VersionPage {
        page: Page::new(state, "models", format!("{group} version {version}")).live("/events"),
        group_url: format!("/models/{}", words::part(&group)),
        badge: approval_badge(&package.status),
        created: time(millis(package.created_at)),
        facts: facts(package),
        lineage: lineage(state, package).await,
        history: history(state, package).await?,
        served: ledger.iter().filter(|one| one.model == package.arn).map(|one| served_row(one, &now)).collect(),
        deploys: deploys(state, &group).await?,
        arn: package.arn.clone(),
        version,
        group,
        changes,
    })
}

/// A deployment as a row; `now` is what is in place.
pub(super) fn served_row(one: &Deployment, now: &[&Deployment]) -> Served {
    Served {
        environment: one.environment.clone(),
        model: words::short_arn(&one.model).to_owned(),
        model_url: words::version_url(&one.model),
        when: time(one.at),
        build: format!("{} #{}", one.pipeline, one.number),
        build_url: words::build_url(one.build),
        by: one.by.clone(),
        reason: one.reason.clone(),
        now: now.contains(&one),
    }
}

/// From what serves to who began.
async fn lineage(state: &AppState, package: &ModelPackage) -> Vec<Link> {
    let link = |kind, name: String, url: String, detail: String| Link { kind, name, url, detail };
    let mut links = Vec::new();
    for endpoint in state.models.endpoints().await.unwrap_or_default() {
        if endpoint.model_package == package.arn {
            links.push(link("Endpoint", endpoint.name.clone(), words::endpoint_url(&endpoint.name), endpoint.status));
        }
    }
    links.push(link("Model", words::short_arn(&package.arn).to_owned(), String::new(), package.model_data.clone()));
    let Some(id) = package.build.map(BuildId) else { return links };
    let Ok(view) = state.engine.view(id).await else { return links };
    if !crate::access::current().sees(&view.build.pipeline) {
        return links;
    }
    // What registered it is the version itself.
    let job = |node: &&haliotis_engine::NodeView| {
        node.uses.starts_with("sagemaker.") && node.uses != "sagemaker.register-model" && node.attempt > 0
    };
    for node in view.nodes.iter().rev().filter(job) {
        let job = ["job", "job-name", "name", "arn"].iter().find_map(|name| node.outputs.get(*name)?.as_str());
        let name = job.map_or_else(|| node.name.clone(), |job| words::short_arn(job).to_owned());
        links.push(link("Job", name, words::step_url(id, &node.id), node.uses.clone()));
    }
    for node in &view.nodes {
        for (name, value) in &node.outputs {
            let lower = name.to_lowercase();
            if DIGESTS.iter().any(|part| lower.contains(part)) {
                let shown = shown::brief(name, value);
                links.push(link(
                    "Data",
                    shown.pieces.concat(),
                    words::step_url(id, &node.id),
                    format!("{name} of {}", node.name),
                ));
            }
        }
    }
    let build = format!("{} #{}", view.build.pipeline, view.build.number);
    links.push(link("Build", build, words::build_url(id), words::causes(&view.build.causes)));
    if let Some(commit) = &view.build.source.commit {
        let repo = view.build.source.repo.clone().unwrap_or_default();
        links.push(link("Commit", words::commit(commit).to_owned(), String::new(), repo));
    }
    let person = view.build.causes.iter().find_map(|cause| match cause {
        haliotis_model::Cause::User { by } | haliotis_model::Cause::Rerun { by, .. } => Some(by.clone()),
        haliotis_model::Cause::Commit { author, .. } => Some(author.clone()),
        _ => None,
    });
    if let Some(person) = person.filter(|person| !person.is_empty()) {
        links.push(link("Person", person, String::new(), String::new()));
    }
    links
}

async fn history(state: &AppState, package: &ModelPackage) -> Result<Vec<Entry>, Failed> {
    let entries = state.catalog.audit(Some(&package.arn), HISTORY).await?;
    let entry = |entry: haliotis_engine::AuditEntry| Entry {
        when: time(entry.at),
        by: entry.by,
        action: entry.action,
        reason: entry.reason,
    };
    Ok(entries.into_iter().map(entry).collect())
}

/// Pipelines that take a version by parameter and that the caller may start: those that approvals of the group start
/// come first.
async fn deploys(state: &AppState, group: &str) -> Result<Vec<Deploy>, Failed> {
    let caller = crate::access::current();
    let pipelines = state.catalog.pipelines().await?;
    let takes = |pipeline: &&haliotis_model::Pipeline| {
        let by_trigger = pipeline
            .triggers
            .iter()
            .any(|trigger| matches!(trigger, TriggerSpec::ModelPackage { group: of, .. } if of == group));
        by_trigger
            && !pipeline.disabled
            && pipeline.parameters.iter().any(|spec| spec.name == PARAMETER)
            && caller.may(Permission::Build, Object::Pipeline(&pipeline.name))
    };
    let deploy = |pipeline: &haliotis_model::Pipeline| Deploy {
        url: format!("{}/start", words::pipeline_url(&pipeline.name)),
        pipeline: pipeline.name.clone(),
    };
    Ok(pipelines.iter().filter(takes).map(deploy).collect())
}
