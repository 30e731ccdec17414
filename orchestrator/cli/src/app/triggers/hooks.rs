//! Webhooks. A delivery is on disk before it is acknowledged. No secrets are configured yet (users and secrets are their
//! own issue), so a delivery is never trusted: it only makes polling look at once.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::HeaderMap;
use haliotis_engine::{Delivery, now};
use haliotis_server::{HookAnswer, Hooks};
use sha2::{Digest, Sha256};

use crate::app::App;

/// Longest payload kept with a delivery; the rest is of no use to a person who looks at it.
const KEPT_BYTES: usize = 64 << 10;

/// Hears git hosts for an app.
pub struct GitHooks(pub Arc<App>);

#[async_trait]
impl Hooks for GitHooks {
    async fn receive(&self, host: &str, headers: &HeaderMap, body: Bytes) -> HookAnswer {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let id = ["x-github-delivery", "x-gitlab-event-uuid", "x-gitea-delivery", "x-request-uuid", "x-request-id"]
            .iter()
            .find_map(|name| header(name))
            // A host without delivery ids: the same body within one second is the same delivery.
            .unwrap_or_else(|| hex::encode(Sha256::digest([body.as_ref(), &(now().0 / 1000).to_be_bytes()].concat())));
        let event = ["x-github-event", "x-gitlab-event", "x-gitea-event", "x-event-key"]
            .iter()
            .find_map(|name| header(name))
            .unwrap_or_else(|| "push".to_owned());
        let kept = &body[..body.len().min(KEPT_BYTES)];
        let delivery = Delivery {
            id: format!("{host}:{id}"),
            at: now(),
            host: host.to_owned(),
            event,
            payload: String::from_utf8_lossy(kept).into_owned(),
            outcome: String::new(),
        };
        match self.0.store_catalog().record_delivery(&delivery).await {
            Ok(true) => {
                self.0.nudges.poll.notify_one();
                let _ = self.0.store_catalog().delivery_outcome(&delivery.id, "polled").await;
                HookAnswer { status: 200, message: "recorded; the repositories are looked at now".to_owned() }
            }
            Ok(false) => HookAnswer { status: 200, message: "duplicate; nothing to do".to_owned() },
            Err(error) => HookAnswer { status: 503, message: format!("not recorded, send it again: {error}") },
        }
    }
}
