//! Builds of servers that are gone: where several servers share a database, each looks for them and goes on with what it
//! gets. Of several that look, the database gives each build to one.

use std::sync::Arc;

use haliotis_engine::JournalError;
use haliotis_store::TAKE_OVER_EVERY;

use crate::app::App;

/// Looks for ever. A build that was taken and could not be read is tried again: it is this server's, so nobody else will.
pub(super) async fn run(app: Arc<App>) {
    let mut builds = Vec::new();
    loop {
        tokio::time::sleep(TAKE_OVER_EVERY).await;
        match app.store.take_over().await {
            Ok(taken) => {
                if !taken.is_empty() {
                    tracing::warn!(count = taken.len(), "going on with builds of a server that is gone");
                }
                builds.extend(taken);
            }
            Err(error) => tracing::warn!(%error, "cannot look for builds of servers that are gone; tried again"),
        }
        let unread = app.engine.adopt(&std::mem::take(&mut builds)).await;
        for (build, error) in unread {
            let passing = matches!(error, JournalError::Store(_));
            tracing::error!(%build, %error, again = passing, "a build of a server that is gone cannot be read");
            if passing {
                builds.push(build);
            }
        }
    }
}
