//! Cron triggers. A slot missed while the server was down is made up for once, however many were missed.

use std::sync::Arc;
use std::time::Duration;

use haliotis_engine::cron::Schedule;
use haliotis_engine::now;
use haliotis_engine::trigger::BuildRequest;
use haliotis_model::{Cause, Millis, Object, TriggerSpec};

use crate::app::App;

/// Cron has minutes; a second is close enough.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks for ever.
pub(super) async fn run(app: Arc<App>) {
    loop {
        app.quiet.over().await;
        if let Err(error) = look(&app).await {
            tracing::warn!(%error, "cron triggers could not be looked at; they are tried again");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(app: &App) -> Result<(), crate::app::builds::BuildError> {
    for pipeline in app.store_catalog().pipelines().await?.iter().filter(|pipeline| !pipeline.disabled) {
        for trigger in &pipeline.triggers {
            if let TriggerSpec::Cron { cron, zone } = trigger {
                one(app, &pipeline.name, cron, zone).await?;
            }
        }
    }
    Ok(())
}

async fn one(app: &App, pipeline: &str, cron: &str, zone: &str) -> Result<(), crate::app::builds::BuildError> {
    let Ok(schedule) = Schedule::parse(cron, zone, pipeline) else { return Ok(()) };
    let catalog = app.store_catalog();
    let cursor = format!("cron:{pipeline}:{cron}:{zone}");
    let Some(last) = catalog.cursor(&cursor).await?.and_then(|text| text.parse().ok()) else {
        // A new trigger counts from now.
        catalog.set_cursor(&cursor, &now().0.to_string()).await?;
        return Ok(());
    };
    let now = now();
    let Some(due) = schedule.next(Millis(last)).filter(|due| *due <= now) else { return Ok(()) };
    let request = BuildRequest {
        pipeline: pipeline.to_owned(),
        cause: Cause::Cron { cron: cron.to_owned() },
        event: Object::new(),
        parameters: Object::new(),
        commit: None,
        once: format!("{cursor}:{}", due.0),
    };
    app.start_build(&request).await?;
    catalog.set_cursor(&cursor, &now.0.to_string()).await?;
    Ok(())
}
