//! Builds of servers that are gone: where several servers share a database, each looks for them and goes on with what it
//! gets. Of several that look, the database gives each build to one.

use std::sync::Arc;

use haliotis_store::TAKE_OVER_EVERY;

use crate::app::App;

/// Looks for ever.
pub(super) async fn run(app: Arc<App>) {
    loop {
        tokio::time::sleep(TAKE_OVER_EVERY).await;
        match app.store.take_over().await {
            Ok(builds) if builds.is_empty() => {}
            Ok(builds) => {
                tracing::warn!(count = builds.len(), "going on with builds of a server that is gone");
                if let Err(error) = app.engine.adopt(&builds).await {
                    tracing::error!(%error, "a build could not be taken over; it stays as it is until it can be read");
                }
            }
            Err(error) => tracing::warn!(%error, "cannot look for builds of servers that are gone; tried again"),
        }
    }
}
