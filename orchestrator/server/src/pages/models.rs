//! Models: groups, versions with metrics and approvals, and what serves them.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{Markup, Page, respond, time};
use crate::chart::{Chart, Sample, chart};
use crate::edges::{EndpointInfo, ModelPackage, millis};
use crate::error::Failed;
use crate::overview::PENDING;
use crate::shown::{self, Shown};
use crate::state::AppState;
use crate::words;

/// Metrics drawn; the table has the rest.
const CHARTS: usize = 3;
/// Columns of metrics in the table.
const COLUMNS: usize = 4;
/// Metrics beside a question.
const FACTS: usize = 8;

#[derive(Template)]
#[template(path = "models.html")]
struct GroupsPage {
    page: Page,
    groups: Vec<GroupRow>,
}

struct GroupRow {
    name: String,
    url: String,
    description: String,
    versions: usize,
    last: String,
    pending: usize,
    approved: String,
}

pub(crate) async fn groups(State(state): State<AppState>) -> Response {
    respond(&state, groups_page(&state).await)
}

async fn groups_page(state: &AppState) -> Result<GroupsPage, Failed> {
    let mut rows = Vec::new();
    for group in state.models.groups().await? {
        let packages = state.models.packages(&group.name).await?;
        let approved = packages.iter().find(|package| package.status == "Approved");
        rows.push(GroupRow {
            url: group_url(&group.name),
            description: group.description,
            versions: packages.len(),
            last: packages.first().map(|package| time(millis(package.created_at))).unwrap_or_default(),
            pending: packages.iter().filter(|package| package.status == PENDING).count(),
            approved: approved.map(|package| format!("Version {}", package.version)).unwrap_or_default(),
            name: group.name,
        });
    }
    Ok(GroupsPage { page: Page::new(state, "models", "Models").live("/events"), groups: rows })
}

fn group_url(name: &str) -> String {
    format!("/models/{}", words::part(name))
}

#[derive(Template)]
#[template(path = "model.html")]
struct GroupPage {
    page: Page,
    name: String,
    columns: Vec<String>,
    versions: Vec<VersionRow>,
    charts: Vec<Chart>,
    decide_url: String,
    user: String,
}

struct VersionRow {
    version: u32,
    url: String,
    arn: String,
    /// `approved`, `rejected`, `pending`.
    standing: &'static str,
    badge: Markup,
    metrics: Vec<String>,
    /// What a decision rests on.
    facts: Vec<Shown>,
    created: Markup,
    decided_by: String,
    decided: Markup,
    reason: String,
    build_url: String,
    endpoints: Vec<String>,
}

pub(crate) async fn group(State(state): State<AppState>, Path(group): Path<String>) -> Response {
    respond(&state, group_page(&state, group).await)
}

async fn group_page(state: &AppState, name: String) -> Result<GroupPage, Failed> {
    let packages = state.models.packages(&name).await?;
    let endpoints = state.models.endpoints().await.unwrap_or_default();
    let metrics = metrics(&packages);
    let charts = metrics.iter().take(CHARTS).filter_map(|metric| chart(metric, &samples(&packages, metric)));
    let columns: Vec<_> = metrics.iter().take(COLUMNS).cloned().collect();
    Ok(GroupPage {
        charts: charts.collect(),
        versions: packages.iter().map(|package| version_row(package, &columns, &endpoints)).collect(),
        columns,
        decide_url: format!("{}/decide", group_url(&name)),
        page: Page::new(state, "models", name.clone()).live("/events"),
        user: crate::access::current().name,
        name,
    })
}

/// Names of metrics, those that most versions have first, details of others (`mse.standard_deviation`)
/// last; the error that models are judged by leads.
fn metrics(packages: &[ModelPackage]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in packages.iter().flat_map(|package| package.metrics.keys()) {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<_> = counts.into_iter().collect();
    names.sort_by_key(|(name, count)| {
        (*name != "mse", name.contains('.'), std::cmp::Reverse(*count), (*name).to_owned())
    });
    names.into_iter().map(|(name, _)| name.to_owned()).collect()
}

fn samples(packages: &[ModelPackage], metric: &str) -> Vec<Sample> {
    let mut samples: Vec<_> = packages
        .iter()
        .filter_map(|package| {
            let value = package.metrics.get(metric).copied().filter(|value| value.is_finite())?;
            Some(Sample { version: package.version, value, standing: standing(&package.status) })
        })
        .collect();
    samples.sort_by_key(|sample| sample.version);
    samples
}

fn standing(status: &str) -> &'static str {
    match status {
        "Approved" => "approved",
        "Rejected" => "rejected",
        _ => "pending",
    }
}

fn version_row(package: &ModelPackage, columns: &[String], endpoints: &[EndpointInfo]) -> VersionRow {
    let value = |name: &String| package.metrics.get(name).map(|value| words::number(*value)).unwrap_or_default();
    let serves = endpoints.iter().filter(|endpoint| endpoint.model_package == package.arn);
    VersionRow {
        version: package.version,
        url: format!("{}/{}", group_url(&package.group), package.version),
        standing: standing(&package.status),
        badge: approval_badge(&package.status),
        metrics: columns.iter().map(value).collect(),
        facts: facts(package),
        created: time(millis(package.created_at)),
        decided_by: package.decided_by.clone(),
        decided: package.decided_at.map(|at| time(millis(at))).unwrap_or_default(),
        reason: package.reason.clone(),
        build_url: package.build.map(|build| format!("/builds/{build}")).unwrap_or_default(),
        endpoints: serves.map(|endpoint| endpoint.name.clone()).collect(),
        arn: package.arn.clone(),
    }
}

pub(super) fn facts(package: &ModelPackage) -> Vec<Shown> {
    let metrics = self::metrics(std::slice::from_ref(package)).into_iter().take(FACTS);
    let mut facts: Vec<_> =
        metrics.filter_map(|name| Some(shown::brief(&name, &(*package.metrics.get(&name)?).into()))).collect();
    if let Some(build) = package.build {
        let made = shown::whole("Made by", &"its build".into());
        facts.push(Shown { url: words::build_url(haliotis_model::BuildId(build)), ..made });
    }
    let arn = shown::whole("ARN", &package.arn.as_str().into());
    // It would lead to the page it stands on.
    facts.push(Shown { url: String::new(), ..arn });
    facts
}

pub(super) fn approval_badge(status: &str) -> Markup {
    let (class, icon, word) = match standing(status) {
        "approved" => ("success", "success", "Approved"),
        "rejected" => ("failure", "failure", "Rejected"),
        _ => ("waiting", "waiting", "Waits for a decision"),
    };
    format!(
        "<span class=\"st s-{class}\"><svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-{icon}\"/></svg>{word}</span>"
    )
}

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    page: Page,
    endpoints: Vec<EndpointRow>,
}

struct EndpointRow {
    name: String,
    url: String,
    machine: String,
    badge: Markup,
    failure: String,
    model: String,
    model_url: String,
    updated: Markup,
}

pub(crate) async fn endpoints(State(state): State<AppState>) -> Response {
    respond(&state, endpoints_page(&state).await)
}

async fn endpoints_page(state: &AppState) -> Result<EndpointsPage, Failed> {
    let row = |endpoint: EndpointInfo| EndpointRow {
        badge: endpoint_badge(&endpoint.status),
        url: words::endpoint_url(&endpoint.name),
        machine: match endpoint.instance.as_str() {
            "" => String::new(),
            machine => format!("{} × {machine}", endpoint.instances),
        },
        failure: endpoint.failure,
        model_url: words::version_url(&endpoint.model_package),
        model: words::short_arn(&endpoint.model_package).to_owned(),
        updated: time(millis(endpoint.updated_at)),
        name: endpoint.name,
    };
    let endpoints = state.models.endpoints().await?.into_iter().map(row).collect();
    Ok(EndpointsPage { page: Page::new(state, "endpoints", "Endpoints").live("/events"), endpoints })
}

pub(super) fn endpoint_badge(status: &str) -> Markup {
    let (state, word) = match status {
        "InService" => ("success", "In service"),
        "Failed" => ("failure", "Failed"),
        "OutOfService" => ("aborted", "Out of service"),
        "Creating" => ("running", "Creating"),
        "Deleting" => ("running", "Deleting"),
        _ => ("running", "Updating"),
    };
    format!(
        "<span class=\"st s-{state}\"><svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-{state}\"/></svg>{word}</span>"
    )
}
