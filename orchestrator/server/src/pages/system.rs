//! The system: health, agents, triggers and deliveries, the audit trail.

use std::sync::atomic::Ordering;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{Markup, Page, respond, time};
use crate::access;
use crate::api::{AgentRow, agent_rows};
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Rows of the audit trail and of the deliveries on this page; the API has more.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage {
    page: Page,
    healthy: bool,
    up: String,
    listen: String,
    streams: i64,
    requests: u64,
    agents: Vec<AgentRow>,
    triggers: Vec<TriggerRow>,
    deliveries: Vec<DeliveryRow>,
    audit: Vec<AuditRow>,
}

struct TriggerRow {
    pipeline: String,
    url: String,
    text: String,
}

struct DeliveryRow {
    when: Markup,
    what: String,
    id: String,
    outcome: String,
}

struct AuditRow {
    when: Markup,
    by: String,
    action: String,
    subject: String,
    reason: String,
}

pub(crate) async fn show(State(state): State<AppState>) -> Response {
    respond(&state, system_page(&state).await)
}

async fn system_page(state: &AppState) -> Result<SystemPage, Failed> {
    let mut triggers = Vec::new();
    let caller = access::current();
    for pipeline in state.catalog.pipelines().await?.into_iter().filter(|pipeline| caller.sees(&pipeline.name)) {
        triggers.extend(pipeline.triggers.iter().map(|trigger| TriggerRow {
            pipeline: pipeline.name.clone(),
            url: words::pipeline_url(&pipeline.name),
            text: words::trigger(trigger),
        }));
    }
    let page = Page::new(state, "system", "System").live("/events");
    // What others did, and what git hosts sent, is for administrators.
    let rows = if page.admin { ROWS } else { 0 };
    let deliveries = state.catalog.deliveries(false, rows).await?.into_iter().map(|delivery| DeliveryRow {
        when: time(delivery.at),
        what: format!("{} {}", delivery.host, delivery.event),
        id: delivery.id,
        outcome: if delivery.outcome.is_empty() { "waits".to_owned() } else { delivery.outcome },
    });
    let audit = state.catalog.audit(None, rows).await?.into_iter().map(|entry| AuditRow {
        when: time(entry.at),
        by: entry.by,
        action: entry.action,
        subject: words::short_arn(&entry.subject).to_owned(),
        reason: entry.reason,
    });
    Ok(SystemPage {
        page,
        healthy: state.engine.healthy(),
        up: words::duration(haliotis_engine::now().since(state.own.started_at)),
        listen: state.config.listen.to_string(),
        streams: state.own.streams.load(Ordering::Relaxed),
        requests: state.own.requests.load(Ordering::Relaxed),
        agents: agent_rows(state).await?,
        deliveries: deliveries.collect(),
        audit: audit.collect(),
        triggers,
    })
}
