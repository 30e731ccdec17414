//! Pages about the server itself: its queue, what git hosts told it, who did what, what it keeps, and credentials.
//!
//! A credential's value goes in and never comes out: no page, not even the one that stored it, shows it again.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use haliotis_engine::{BuildFilter, Credential, NodeState};
use haliotis_model::bounds::{Bounds, Scope};
use haliotis_model::{BuildStatus, BuildSummary};
use serde::Deserialize;

use super::{Markup, Page, after, respond, time, took};
use crate::api;
use crate::error::Failed;
use crate::identity::Person;
use crate::overview;
use crate::state::AppState;
use crate::words;

/// Rows of one page.
const ROWS: u32 = 200;
/// Characters of a payload that are shown.
const PAYLOAD_MAX: usize = 16_000;
/// Builds whose files are counted.
const COUNTED: u32 = 100;
/// Kinds of credentials, and the field that is secret; those with a name have its field first.
const KINDS: [(&str, Option<&str>, &str); 5] = [
    ("text", None, "text"),
    ("username-password", Some("username"), "password"),
    ("aws", Some("access-key-id"), "secret-access-key"),
    ("ssh-key", None, "key"),
    ("file", None, "content"),
];
/// Longer secrets are files by mistake.
const SECRET_MAX: usize = 1 << 20;

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    page: Page,
    rows: Vec<QueueRow>,
    free: u32,
    slots: u32,
}

struct QueueRow {
    what: String,
    url: String,
    build: String,
    build_url: String,
    since: Markup,
    why: String,
}

pub(crate) async fn queue(State(state): State<AppState>) -> Response {
    respond(&state, queue_page(&state).await)
}

async fn queue_page(state: &AppState) -> Result<QueuePage, Failed> {
    let agents = api::agent_rows(state).await?;
    let slots = agents.iter().map(|agent| agent.slots).sum();
    let busy: u32 = agents.iter().map(|agent| agent.busy).sum();
    let mut rows = Vec::new();
    let running = overview::with_status(state, BuildStatus::Running).await?;
    let waiting = overview::with_status(state, BuildStatus::Waiting).await?;
    for build in overview::with_status(state, BuildStatus::Queued).await? {
        let others = running.iter().chain(&waiting).filter(|other| other.pipeline == build.pipeline);
        let numbers: Vec<_> = others.map(|other| format!("#{}", other.number)).collect();
        let limit = state.catalog.pipeline(&build.pipeline).await?.and_then(|pipeline| pipeline.concurrency);
        let why = match limit {
            Some(limit) if !numbers.is_empty() => {
                format!("At most {limit} of this pipeline at once, and {} is not done", numbers.join(", "))
            }
            _ => "Begins in a moment".to_owned(),
        };
        rows.push(QueueRow {
            what: "The build itself".to_owned(),
            url: words::build_url(build.id),
            build: format!("{} #{}", build.pipeline, build.number),
            build_url: words::build_url(build.id),
            since: took(Some(build.created_at), None),
            why,
        });
    }
    for build in running.iter().chain(&waiting) {
        steps(state, build, &mut rows).await?;
    }
    let page = Page::new(state, "system", "Queue").live("/events");
    Ok(QueuePage { page, rows, free: slots - busy.min(slots), slots })
}

async fn steps(state: &AppState, build: &BuildSummary, rows: &mut Vec<QueueRow>) -> Result<(), Failed> {
    let view = state.engine.view(build.id).await?;
    for node in view.nodes.iter().filter(|node| node.state == NodeState::Queued) {
        if rows.len() >= ROWS as usize {
            break;
        }
        rows.push(QueueRow {
            what: node.name.clone(),
            url: words::step_url(view.id, &node.id),
            build: format!("{} #{}", build.pipeline, build.number),
            build_url: words::build_url(build.id),
            since: took(node.queued_at, None),
            why: words::why(node, &view),
        });
    }
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct AuditQuery {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    q: String,
    rows: Vec<AuditRow>,
}

struct AuditRow {
    when: Markup,
    by: String,
    action: String,
    subject: String,
    reason: String,
    detail: String,
}

pub(crate) async fn audit(State(state): State<AppState>, Query(query): Query<AuditQuery>) -> Response {
    respond(&state, audit_page(&state, query.q).await)
}

async fn audit_page(state: &AppState, q: String) -> Result<AuditPage, Failed> {
    // Looked for in the newest thousand; the API and the command line have the rest.
    let entries = state.catalog.audit(None, 1_000).await?;
    let word = q.trim().to_lowercase();
    let fits = |entry: &&haliotis_engine::AuditEntry| {
        [&entry.by, &entry.action, &entry.subject, &entry.reason].iter().any(|text| text.to_lowercase().contains(&word))
    };
    let row = |entry: &haliotis_engine::AuditEntry| AuditRow {
        when: time(entry.at),
        by: entry.by.clone(),
        action: entry.action.clone(),
        subject: words::short_arn(&entry.subject).to_owned(),
        reason: entry.reason.clone(),
        detail: if entry.detail.is_empty() { String::new() } else { words::value(&entry.detail.clone().into()) },
    };
    let rows = entries.iter().filter(fits).take(ROWS as usize).map(row).collect();
    Ok(AuditPage { page: Page::new(state, "system", "Audit"), q, rows })
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    page: Page,
    rows: Vec<DeliveryRow>,
}

struct DeliveryRow {
    when: Markup,
    what: String,
    id: String,
    outcome: String,
    payload: String,
    size: String,
}

pub(crate) async fn deliveries(State(state): State<AppState>) -> Response {
    respond(&state, deliveries_page(&state).await)
}

async fn deliveries_page(state: &AppState) -> Result<DeliveriesPage, Failed> {
    let row = |delivery: haliotis_engine::Delivery| DeliveryRow {
        when: time(delivery.at),
        what: format!("{} {}", delivery.host, delivery.event),
        size: words::bytes(delivery.payload.len() as u64),
        payload: pretty(&delivery.payload),
        outcome: if delivery.outcome.is_empty() { "waits to be looked at".to_owned() } else { delivery.outcome },
        id: delivery.id,
    };
    let rows = state.catalog.deliveries(false, 50).await?.into_iter().map(row).collect();
    Ok(DeliveriesPage { page: Page::new(state, "system", "Deliveries").live("/events"), rows })
}

/// Looks at a delivery once more, from its payload as it came. One event makes one build, however often it is told: a
/// delivery whose builds were made makes no second ones.
pub(crate) async fn redeliver(
    State(state): State<AppState>,
    person: Result<Person, Failed>,
    Form(form): Form<RemoveForm>,
) -> Response {
    let done = async {
        let by = person?.named(None)?;
        let all = state.catalog.deliveries(false, BuildFilter::MAX).await?;
        if !all.iter().any(|delivery| delivery.id == form.id) {
            return Err(Failed::not_found(format!("there is no delivery {:?} on record", form.id)));
        }
        state.catalog.delivery_outcome(&form.id, "").await?;
        api::audit(&state, &by, "delivery.again", &format!("delivery {}", form.id), "").await?;
        state.actions.poll().await;
        Ok("/system/deliveries".to_owned())
    };
    let done = done.await;
    after(&state, done)
}

fn pretty(payload: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(payload).ok();
    let text = value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| payload.to_owned());
    match text.char_indices().nth(PAYLOAD_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[derive(Template)]
#[template(path = "storage.html")]
struct StoragePage {
    page: Page,
    healthy: bool,
    facts: Vec<(&'static str, String)>,
    largest: Vec<Kept>,
}

/// What a build keeps.
struct Kept {
    build: String,
    url: String,
    files: usize,
    size: String,
}

pub(crate) async fn storage(State(state): State<AppState>) -> Response {
    respond(&state, storage_page(&state).await)
}

async fn storage_page(state: &AppState) -> Result<StoragePage, Failed> {
    let filter = BuildFilter { limit: COUNTED, ..BuildFilter::default() };
    let builds = state.catalog.builds(&filter).await?;
    let mut sizes: Vec<(u64, usize, &BuildSummary)> = Vec::new();
    for build in &builds {
        let files = state.artifacts.list(build.id).await.unwrap_or_default();
        sizes.push((files.iter().map(|file| file.size).sum(), files.len(), build));
    }
    let total: u64 = sizes.iter().map(|(size, ..)| size).sum();
    sizes.sort_by_key(|(size, _, build)| (std::cmp::Reverse(*size), build.id));
    let kept = |(size, files, build): &(u64, usize, &BuildSummary)| Kept {
        build: format!("{} #{}", build.pipeline, build.number),
        url: words::build_url(build.id),
        files: *files,
        size: words::bytes(*size),
    };
    let newest = builds.first().map_or(0, |build| build.id.0);
    let facts = vec![
        ("Builds made so far", newest.to_string()),
        ("Pipelines", state.catalog.pipelines().await?.len().to_string()),
        ("Artifacts of the newest builds", format!("{} in {} builds", words::bytes(total), builds.len())),
        ("Retention", "Builds, logs, artifacts and the audit trail are kept until somebody removes them".to_owned()),
    ];
    Ok(StoragePage {
        page: Page::new(state, "system", "Storage"),
        healthy: state.engine.healthy(),
        facts,
        largest: sizes.iter().filter(|(size, ..)| *size > 0).take(20).map(kept).collect(),
    })
}

#[derive(Template)]
#[template(path = "credentials.html")]
struct CredentialsPage {
    page: Page,
    rows: Vec<CredentialRow>,
    kinds: Vec<&'static str>,
}

struct CredentialRow {
    id: String,
    kind: String,
    description: String,
    fields: String,
    /// Who may use it, where it may be sent, whose builds get it.
    bounds: String,
}

pub(crate) async fn credentials(State(state): State<AppState>) -> Response {
    respond(&state, credentials_page(&state).await)
}

async fn credentials_page(state: &AppState) -> Result<CredentialsPage, Failed> {
    let row = |credential: Credential| CredentialRow {
        // Names of fields, never values.
        fields: credential.fields.keys().cloned().collect::<Vec<_>>().join(", "),
        id: credential.id,
        kind: credential.kind,
        description: credential.description,
        bounds: credential.bounds.to_string(),
    };
    let mut rows = Vec::new();
    for mut credential in state.catalog.credentials().await? {
        // Bounds are sealed with the secret.
        let open = state.catalog.credential(&credential.id).await?;
        credential.bounds = open.map(|open| open.bounds).unwrap_or_default();
        rows.push(row(credential));
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let kinds = KINDS.iter().map(|(kind, ..)| *kind).collect();
    Ok(CredentialsPage { page: Page::new(state, "system", "Credentials"), rows, kinds })
}

#[derive(Deserialize)]
pub(crate) struct CredentialForm {
    id: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    secret: String,
    /// `everywhere`, `system`, `folder:NAME`, `pipeline:NAME`; empty: as it was.
    #[serde(default)]
    scope: String,
    /// Apart by spaces or commas; empty: as they were.
    #[serde(default)]
    hosts: String,
    /// Likewise.
    #[serde(default)]
    environments: String,
}

pub(crate) async fn put_credential(
    State(state): State<AppState>,
    person: Result<Person, Failed>,
    Form(form): Form<CredentialForm>,
) -> Response {
    let done = async {
        let by = person?.named(None)?;
        let known = state.catalog.credential(form.id.trim()).await?;
        let credential = credential(form, known.map(|known| known.bounds).unwrap_or_default())?;
        state.catalog.put_credential(&credential).await?;
        api::audit(&state, &by, "credential.put", &format!("credential {}", credential.id), "").await?;
        Ok("/system/credentials".to_owned())
    };
    let done = done.await;
    after(&state, done)
}

/// What the form says over what was: a value that is replaced is not set free by that.
fn credential(form: CredentialForm, mut bounds: Bounds) -> Result<Credential, Failed> {
    let wrong = |what: &str| Failed::bad_request(what.to_owned(), "Go back and fill the form in again.");
    let id = form.id.trim();
    let plain = |sign: char| sign.is_alphanumeric() || "-_./".contains(sign);
    if id.is_empty() || id.len() > 120 || !id.chars().all(plain) {
        return Err(wrong("an id has letters, digits and - _ . / alone"));
    }
    if form.secret.is_empty() || form.secret.len() > SECRET_MAX {
        return Err(wrong("the secret is missing or longer than a mebibyte"));
    }
    let words =
        |text: &str| text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    if !form.scope.trim().is_empty() {
        let scope = Scope::parse(form.scope.trim());
        bounds.scope = scope.ok_or_else(|| wrong("a scope is everywhere, system, folder:NAME or pipeline:NAME"))?;
    }
    let (hosts, environments) = (words(&form.hosts), words(&form.environments));
    if hosts.iter().any(|host| host.contains(['/', '@'])) {
        return Err(wrong("a host is git.example, git.example:8443 or *.example"));
    }
    if !hosts.is_empty() {
        bounds.hosts = hosts;
    }
    if !environments.is_empty() {
        bounds.environments = environments;
    }
    let kind = KINDS.iter().find(|(kind, ..)| *kind == form.kind).ok_or_else(|| wrong("there is no such kind"))?;
    let mut fields = BTreeMap::from([(kind.2.to_owned(), form.secret)]);
    if let Some(name) = kind.1 {
        if form.name.trim().is_empty() {
            return Err(wrong("this kind needs a user name or an access key id"));
        }
        fields.insert(name.to_owned(), form.name.trim().to_owned());
    }
    Ok(Credential { id: id.to_owned(), kind: form.kind, description: form.description, fields, bounds })
}

#[derive(Deserialize)]
pub(crate) struct RemoveForm {
    id: String,
}

pub(crate) async fn remove_credential(
    State(state): State<AppState>,
    person: Result<Person, Failed>,
    Form(form): Form<RemoveForm>,
) -> Response {
    let done = async {
        let by = person?.named(None)?;
        if !state.catalog.remove_credential(&form.id).await? {
            return Err(Failed::not_found(format!("there is no credential {:?}", form.id)));
        }
        api::audit(&state, &by, "credential.remove", &format!("credential {}", form.id), "").await?;
        Ok("/system/credentials".to_owned())
    };
    let done = done.await;
    after(&state, done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: &str, name: &str, secret: &str) -> CredentialForm {
        let (kind, name, secret) = (kind.to_owned(), name.to_owned(), secret.to_owned());
        let (id, none) = ("git-token".to_owned(), String::new);
        CredentialForm {
            id,
            kind,
            description: none(),
            name,
            secret,
            scope: none(),
            hosts: none(),
            environments: none(),
        }
    }

    #[test]
    fn a_credential_has_the_fields_that_steps_read() {
        let credential = |form| credential(form, Bounds::default());
        let stored = credential(form("username-password", " bot ", "s3")).unwrap();
        assert_eq!(stored.fields["username"], "bot");
        assert_eq!(stored.fields["password"], "s3");
        assert!(credential(form("username-password", "", "s3")).is_err());
        assert!(credential(form("text", "", "")).is_err());
        assert!(credential(form("odd", "", "x")).is_err());
    }

    #[test]
    fn a_new_value_keeps_the_bounds_that_the_form_does_not_name() {
        let with = |scope: &str, hosts: &str| {
            let known =
                Bounds { scope: Scope::System, hosts: vec!["git.example".to_owned()], environments: Vec::new() };
            credential(
                CredentialForm { scope: scope.to_owned(), hosts: hosts.to_owned(), ..form("text", "", "x") },
                known,
            )
        };
        let kept = with("", "").unwrap().bounds;
        assert_eq!((kept.scope, kept.hosts), (Scope::System, vec!["git.example".to_owned()]));
        let changed = with("folder:team", "a.example, *.b.example").unwrap().bounds;
        assert_eq!(changed.scope, Scope::Folder("team".to_owned()));
        assert_eq!(changed.hosts, ["a.example", "*.b.example"]);
        assert!(with("anyone", "").is_err() && with("", "https://a.example").is_err());
    }
}
