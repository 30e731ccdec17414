//! Events that are written in one write with the change they tell of, so that a crash loses neither.
//!
//! A record that tells of its changes has an [`Outbox`]. Whoever changes the record puts the event in before the record
//! is written; after the write the event goes to its deliveries, and then out of the record again. What may cross:
//! - crash before the record's write: neither the change nor its event ever was.
//! - crash after it: the next open finds the event in the record and sends it. At least once: deliveries that were
//!   made before the crash and are still there are found again by their names, those made and done are made again.
//! - two changes of one record: both events lie in it, in order; whoever sends takes out what it has sent and no more.
//! - a full disk: the event stays in the record and goes with the record's next change, or at the next open.
//!
//! An event that no rule waits for is not kept: a rule that comes later has no claim to it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::events::{Events, pattern};

/// Events of a record that are not yet on their way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Outbox(Vec<Value>);

impl Outbox {
    /// Whether all is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what is on its way.
    pub(crate) fn forget(&mut self, sent: &[Value]) {
        self.0.retain(|event| !sent.contains(&event["id"]));
    }
}

impl Events {
    /// Puts an event of one of our own services into a record's outbox if a rule waits for it.
    pub(crate) fn keep(
        &self,
        outbox: &mut Outbox,
        source: &str,
        detail_type: &str,
        resources: &[&str],
        detail: &Value,
    ) {
        let event = self.envelope(source, detail_type, &json!(resources), detail.clone(), None);
        if self.rules.select(|rule| rule.enabled && pattern::matches(&rule.pattern, &event)).is_empty() {
            return;
        }
        outbox.0.push(event);
    }

    /// Makes the deliveries of what a record keeps, and gives the ids of the events that are on their way now.
    pub(crate) fn send(&self, outbox: &Outbox) -> Vec<Value> {
        let mut sent = Vec::new();
        for event in &outbox.0 {
            match self.route(event) {
                Ok(()) => sent.push(event["id"].clone()),
                Err(error) => {
                    tracing::error!(kind = %event["detail-type"], %error, "an event cannot be written for delivery; it is kept");
                    break;
                }
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests;
