//! What ended builds printed gets its hashes, one build after another, so that a changed byte is found later.
//!
//! Only a wish: a build that ends while the server goes down, or while this lags behind, has none.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use crate::app::App;

/// Hashes for ever.
pub(super) async fn run(app: Arc<App>) {
    let mut changes = app.engine.changes();
    loop {
        match changes.recv().await {
            Ok(changed) if changed.ended => {
                if let Err(error) = app.logs.seal(changed.build).await {
                    tracing::warn!(build = %changed.build, %error, "the logs of an ended build have no hashes");
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
