//! The outbox: what ended builds ask of the outside: starting downstream pipelines, and telling the git host.

use std::sync::Arc;
use std::time::Duration;

use haliotis_engine::trigger::TriggerEvent;
use haliotis_engine::{OutboxRow, now};
use haliotis_model::BuildResult;

use crate::app::App;

/// A nudge comes with every ended build; this only catches what a nudge missed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// One round; the next follows at once while there is more.
const ROWS: u32 = 100;
/// The longest pause between two tries of a row.
const SLOWEST_MS: u64 = 600_000;

/// Drains for ever.
pub(super) async fn run(app: Arc<App>) {
    loop {
        match app.store_catalog().outbox_due(now(), ROWS).await {
            Ok(rows) if rows.is_empty() => super::rest(&app.nudges.outbox, LOOK_EVERY).await,
            Ok(rows) => {
                for row in rows {
                    drain(&app, &row).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read; it is tried again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

async fn drain(app: &Arc<App>, row: &OutboxRow) {
    let done = match event(row) {
        Some(event) => app.fire(&event).await.map_err(|error| error.to_string()),
        None => Ok(()),
    };
    let noted = match done {
        // Telling a git host may take long, and is done beside.
        Ok(()) if super::statuses::ended(app, row).await => return,
        Ok(()) => app.store_catalog().outbox_done(row.id).await,
        Err(error) => {
            let pause = (1000 << row.attempts.min(16)).min(SLOWEST_MS);
            tracing::warn!(row = row.id, error, "an outbox row could not be done; it is tried again");
            app.store_catalog().outbox_failed(row.id, &error, now().plus(pause)).await
        }
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "the outbox cannot be written; the row is done again");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn event(row: &OutboxRow) -> Option<TriggerEvent> {
    if row.item.kind != "build-ended" {
        return None;
    }
    let body = &row.item.body;
    Some(TriggerEvent::BuildEnded {
        pipeline: body["pipeline"].as_str()?.to_owned(),
        number: u32::try_from(body["number"].as_u64()?).ok()?,
        result: BuildResult::parse(body["result"].as_str()?)?,
    })
}
