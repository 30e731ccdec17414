//! The model registry: a changed approval state starts what waits for it, with exactly the package that changed.
//!
//! The position is kept per package. A group seen for the first time only sets positions: packages approved long ago
//! start nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use haliotis_engine::trigger::TriggerEvent;
use haliotis_model::TriggerSpec;
use haliotis_plugin_aws::registry;

use crate::app::App;
use crate::app::edges::decision;

/// The local cloud is asked often, since asking costs nothing; AWS once a minute, since it throttles.
const LOCAL_EVERY: Duration = Duration::from_secs(1);
const AWS_EVERY: Duration = Duration::from_secs(60);

/// Looks for ever.
pub(super) async fn run(app: Arc<App>) {
    let every = if app.cloud.endpoint_url.is_some() { LOCAL_EVERY } else { AWS_EVERY };
    loop {
        if let Err(error) = look(&app).await {
            tracing::warn!(%error, "the model registry could not be looked at; it is tried again");
        }
        super::rest(&app.nudges.models, every).await;
    }
}

async fn look(app: &App) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let groups: BTreeSet<_> = app
        .store_catalog()
        .pipelines()
        .await?
        .into_iter()
        .flat_map(|pipeline| pipeline.triggers)
        .filter_map(|trigger| match trigger {
            TriggerSpec::ModelPackage { group, .. } => Some(group),
            _ => None,
        })
        .collect();
    for group in groups {
        look_at(app, &group).await?;
    }
    Ok(())
}

async fn look_at(app: &App, group: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let catalog = app.store_catalog();
    let group_cursor = format!("models:{group}");
    let known = catalog.cursor(&group_cursor).await?.is_some();
    for approval in registry::list_approvals(&app.cloud, group).await? {
        let cursor = format!("model:{}", approval.arn);
        let before = catalog.cursor(&cursor).await?;
        if before.as_deref() == Some(approval.status.as_str()) {
            continue;
        }
        if known {
            let package = registry::describe(&app.cloud, &approval.arn).await?;
            let (by, reason) = decision(&package.approval_description);
            let event = TriggerEvent::ModelPackage {
                arn: approval.arn,
                group: group.to_owned(),
                version: i64::from(approval.version),
                status: approval.status.clone(),
                by,
                reason,
                changed_at: package.modified.unwrap_or_default().0.to_string(),
            };
            app.fire(&event).await?;
        }
        catalog.set_cursor(&cursor, &approval.status).await?;
    }
    if !known {
        catalog.set_cursor(&group_cursor, "seen").await?;
    }
    Ok(())
}
