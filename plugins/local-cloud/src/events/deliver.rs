//! Takes deliveries to their targets, oldest first, again and again until they are taken or given up.
//!
//! Races: a delivery is removed after its target has taken it; a crash in between delivers it once more.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::events::{Delivery, Events, input, webhook};
use crate::lambda::Outcome;
use crate::sagemaker::clock;

/// An answer is awaited for so long; the service's limit for API destinations.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Attempts unless the target's RetryPolicy says otherwise; the service's default.
const DEFAULT_ATTEMPTS: u64 = 185;
/// Seconds after which a delivery is given up; the service's default.
const DEFAULT_AGE_S: u64 = 86_400;
/// Seconds between attempts, at most.
const MAX_WAIT_S: f64 = 60.0;
/// How often it is looked whether the time of a delivery has come.
const LOOK_EVERY: Duration = Duration::from_millis(250);

enum Failure {
    /// It may go better later.
    Later(String),
    /// It never will.
    Final(String),
}

impl Events {
    /// Delivers in the background until [`Events::close`]. Outside a runtime nothing is delivered.
    pub(super) fn begin_delivering(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let closing = this.closing.clone();
            tokio::select! {
                () = closing.cancelled() => {}
                () = this.deliver_all() => {}
            }
        });
    }

    async fn deliver_all(&self) {
        loop {
            let now = clock::now();
            let due = self.deliveries.select(|delivery| delivery.next_at <= now);
            for delivery in &due {
                self.deliver_one(delivery).await;
            }
            let waiting = !self.deliveries.select(|_| true).is_empty();
            match waiting {
                true => drop(tokio::time::timeout(LOOK_EVERY, self.work.notified()).await),
                false => self.work.notified().await,
            }
        }
    }

    async fn deliver_one(&self, delivery: &Delivery) {
        let failure = match self.attempt(delivery).await {
            Ok(()) => return self.forget(delivery),
            Err(failure) => failure,
        };
        let policy = &delivery.target["RetryPolicy"];
        let attempts = u64::from(delivery.attempts) + 1;
        let most = policy["MaximumRetryAttempts"].as_u64().unwrap_or(DEFAULT_ATTEMPTS);
        let age = policy["MaximumEventAgeInSeconds"].as_u64().unwrap_or(DEFAULT_AGE_S);
        let old = clock::now() - delivery.created > age as f64;
        match failure {
            Failure::Later(reason) if attempts <= most && !old => self.postpone(delivery, &reason),
            Failure::Later(reason) | Failure::Final(reason) => self.give_up(delivery, &reason),
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), Failure> {
        let arn = delivery.target["Arn"].as_str().unwrap_or_default();
        if arn.contains(":api-destination/") {
            return self.call_webhook(delivery, arn).await;
        }
        let text = input::of(&delivery.target, &delivery.event);
        if arn.starts_with("arn:aws:sqs:") {
            return self.sqs.send_to_arn(arn, &text).map(drop).map_err(|error| match error.status {
                500.. => Failure::Later(error.to_string()),
                _ => Failure::Final(error.to_string()),
            });
        }
        let payload = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let key = format!("event-{}-{}", delivery.id, delivery.attempts);
        let outcome = self.lambda.invoke(&key, arn, &payload, None).await;
        self.lambda.forget(&key).await;
        match outcome {
            Ok(Outcome::Returned(_)) => Ok(()),
            Ok(Outcome::Failed(error)) => Err(Failure::Later(error.to_string())),
            Err(error) if error.status == 404 => Err(Failure::Final(error.to_string())),
            Err(error) => Err(Failure::Later(error.to_string())),
        }
    }

    async fn call_webhook(&self, delivery: &Delivery, arn: &str) -> Result<(), Failure> {
        let destination = self.destination(arn).map_err(|error| Failure::Final(error.to_string()))?;
        let connection = self.connection(destination.request["ConnectionArn"].as_str().unwrap_or_default());
        let connection = connection.ok_or_else(|| Failure::Final("its connection is gone".to_owned()))?;
        let call = webhook::call(&destination, &connection, &delivery.target, &delivery.event);
        match tokio::time::timeout(ANSWER_WITHIN, webhook::send(&call)).await {
            Ok(Ok(200..=299)) => Ok(()),
            // What AWS tries again.
            Ok(Ok(status @ (401 | 407 | 409 | 429 | 500..))) => {
                Err(Failure::Later(format!("{} answered {status}", call.url)))
            }
            Ok(Ok(status)) => Err(Failure::Final(format!("{} answered {status}", call.url))),
            Ok(Err(reason)) => Err(Failure::Later(reason)),
            Err(_) => Err(Failure::Later(format!("{} did not answer within {} s", call.url, ANSWER_WITHIN.as_secs()))),
        }
    }

    fn postpone(&self, delivery: &Delivery, reason: &str) {
        let wait = 2.0_f64.powi(i32::try_from(delivery.attempts.min(16)).unwrap_or(16)).min(MAX_WAIT_S);
        tracing::info!(rule = %delivery.rule, reason, wait_s = wait, "an event was not taken; trying again");
        let kept = self.deliveries.update(&delivery.id, |delivery| {
            delivery.attempts += 1;
            delivery.next_at = clock::now() + wait;
            reason.clone_into(&mut delivery.last_error);
            Ok(())
        });
        if let Err(error) = kept {
            tracing::error!(%error, "the delivery's state cannot be written");
        }
    }

    fn give_up(&self, delivery: &Delivery, reason: &str) {
        match delivery.target["DeadLetterConfig"]["Arn"].as_str() {
            Some(queue) => match self.sqs.send_to_arn(queue, &delivery.event.to_string()) {
                Ok(_) => tracing::warn!(rule = %delivery.rule, reason, queue, "an event went to the dead-letter queue"),
                Err(error) => {
                    tracing::error!(rule = %delivery.rule, reason, %error, "an event is lost: its dead-letter queue does not take it")
                }
            },
            None => tracing::warn!(rule = %delivery.rule, reason, "an event was given up"),
        }
        self.forget(delivery);
    }

    fn forget(&self, delivery: &Delivery) {
        if let Err(error) = self.deliveries.remove(&delivery.id, |_| Ok(())) {
            tracing::error!(%error, "the delivery cannot be removed and will be made again");
        }
    }
}
