//! The front: one port for every service.

use std::sync::Arc;

use crate::LocalCloud;

/// Every service on one router.
pub(crate) fn router(_cloud: Arc<LocalCloud>) -> axum::Router {
    axum::Router::new()
}
