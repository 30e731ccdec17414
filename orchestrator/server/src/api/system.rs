//! Agents, step kinds, audit, deliveries, health.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use haliotis_engine::{AuditEntry, Delivery};
use haliotis_model::{BuildStatus, StepSchema};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ErrorBody, Failed};
use crate::identity::Person;
use crate::overview;
use crate::state::AppState;

/// Rows of one answer unless asked otherwise, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

/// Where steps run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentRow {
    /// Its name.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: Vec<String>,
    /// Steps at once.
    pub(crate) slots: u32,
    /// Steps at work.
    pub(crate) busy: u32,
    /// Steps granted ahead, which begin as soon as a slot is free.
    pub(crate) next: u32,
}

/// All agents with their slots.
#[utoipa::path(get, path = "/api/v1/agents", tag = "system",
    responses((status = 200, description = "Agents", body = Vec<AgentRow>)))]
pub(crate) async fn agents(State(state): State<AppState>) -> Result<Json<Vec<AgentRow>>, Failed> {
    Ok(Json(agent_rows(&state).await?))
}

/// All agents and how many of their slots are taken.
pub(crate) async fn agent_rows(state: &AppState) -> Result<Vec<AgentRow>, Failed> {
    let busy = overview::busy(state).await?;
    let row = |agent: &haliotis_engine::AgentInfo| {
        let granted = busy.get(&agent.name).copied().unwrap_or(0);
        AgentRow {
            name: agent.name.clone(),
            labels: agent.labels.clone(),
            slots: agent.slots,
            busy: granted.min(agent.slots),
            next: granted.saturating_sub(agent.slots),
        }
    };
    Ok(state.engine.agents().iter().map(row).collect())
}

/// All step kinds with their arguments and outputs.
#[utoipa::path(get, path = "/api/v1/steps", tag = "system",
    responses((status = 200, description = "Step kinds, by name", body = Vec<Object>)))]
pub(crate) async fn steps(State(state): State<AppState>) -> Json<Vec<StepSchema>> {
    Json(state.engine.schemas().to_vec())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Of one subject alone, as an ARN or `build 7`.
    subject: Option<String>,
    /// At most so many, up to 1000.
    limit: Option<u32>,
}

/// Who did what, when and why; newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "system", params(AuditQuery),
    responses((status = 200, description = "Entries", body = Vec<Object>)))]
pub(crate) async fn audit(
    State(state): State<AppState>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Vec<AuditEntry>>, Failed> {
    let limit = query.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    Ok(Json(state.catalog.audit(query.subject.as_deref(), limit).await?))
}

/// A delivery without its body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryRow {
    /// The host's id.
    id: String,
    /// When it came, milliseconds since 1970.
    at: i64,
    /// As `github`.
    host: String,
    /// As `push`.
    event: String,
    /// What came of it; empty while it waits.
    outcome: String,
    /// Bytes of its body.
    size: usize,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// At most so many, up to 1000.
    limit: Option<u32>,
}

/// What git hosts told us; newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "system", params(DeliveriesQuery),
    responses((status = 200, description = "Deliveries without their bodies", body = Vec<DeliveryRow>)))]
pub(crate) async fn deliveries(
    State(state): State<AppState>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Vec<DeliveryRow>>, Failed> {
    let limit = query.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let row = |delivery: Delivery| DeliveryRow {
        size: delivery.payload.len(),
        id: delivery.id,
        at: delivery.at.0,
        host: delivery.host,
        event: delivery.event,
        outcome: delivery.outcome,
    };
    Ok(Json(state.catalog.deliveries(false, limit).await?.into_iter().map(row).collect()))
}

/// A delivery with its body.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "system",
    params(("id" = String, Path, description = "The delivery's id, as `github:72d3162e`")),
    responses((status = 200, description = "The delivery", body = Object),
        (status = 404, description = "It is not among the newest", body = ErrorBody)))]
pub(crate) async fn delivery(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Delivery>, Failed> {
    find_delivery(&state, &id).await.map(Json)
}

/// Carries a delivery out again. What it asked for and is there already is not made twice.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/redeliver", tag = "system",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 202, description = "It waits to be carried out"),
        (status = 404, description = "It is not among the newest", body = ErrorBody)))]
pub(crate) async fn redeliver(
    State(state): State<AppState>,
    Path(id): Path<String>,
    person: Person,
) -> Result<StatusCode, Failed> {
    let by = person.named(None)?;
    let found = find_delivery(&state, &id).await?;
    super::audit(&state, &by, "delivery.again", &found.id, "").await?;
    // One that nobody signed is believed no more than before: it only makes polling look.
    if !found.outcome.starts_with("polled:") {
        state.catalog.delivery_outcome(&found.id, "").await?;
    }
    state.actions.poll().await;
    Ok(StatusCode::ACCEPTED)
}

async fn find_delivery(state: &AppState, id: &str) -> Result<Delivery, Failed> {
    let newest = state.catalog.deliveries(false, LIMIT_MAX).await?;
    let found = newest.into_iter().find(|delivery| delivery.id == id);
    found.ok_or_else(|| Failed::not_found(format!("there is no delivery {id:?} among the newest {LIMIT_MAX}")))
}

/// The process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The store takes writes.
pub(crate) async fn readyz(State(state): State<AppState>) -> impl IntoResponse {
    if state.engine.healthy() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store does not take writes; look at the disk and the server's log\n")
    }
}

/// Counts for Prometheus. Builds are counted up to the length of one list; that is plenty for what is open.
pub(crate) async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse, Failed> {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, rows: &[(String, String)]| {
        let _ = writeln!(text, "# HELP haliotis_{name} {help}\n# TYPE haliotis_{name} gauge");
        for (labels, value) in rows {
            let _ = writeln!(text, "haliotis_{name}{labels} {value}");
        }
    };
    let one = |value: String| [(String::new(), value)];
    let mut open = Vec::new();
    for (word, status) in
        [("queued", BuildStatus::Queued), ("running", BuildStatus::Running), ("waiting", BuildStatus::Waiting)]
    {
        let count = overview::with_status(&state, status).await?.len();
        open.push((format!("{{status=\"{word}\"}}"), count.to_string()));
    }
    gauge("builds_open", "Builds that have not ended.", &open);
    gauge("pipelines", "Registered pipelines.", &one(state.catalog.pipelines().await?.len().to_string()));
    let slots: u32 = state.engine.agents().iter().map(|agent| agent.slots).sum();
    let busy: u32 = agent_rows(&state).await?.iter().map(|agent| agent.busy).sum();
    gauge("slots", "Slots of all agents.", &one(slots.to_string()));
    gauge("slots_busy", "Slots with a step at work.", &one(busy.to_string()));
    gauge("live_streams", "Open event streams.", &one(state.own.streams.load(Ordering::Relaxed).to_string()));
    gauge("store_healthy", "1 while the store takes writes.", &one(u8::from(state.engine.healthy()).to_string()));
    let up = haliotis_engine::now().since(state.own.started_at) / 1000;
    gauge("up_seconds", "Seconds since the start.", &one(up.to_string()));
    let requests = state.own.requests.load(Ordering::Relaxed);
    let name = "haliotis_http_requests_total";
    let _ = writeln!(text, "# HELP {name} Requests since the start.\n# TYPE {name} counter\n{name} {requests}");
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
