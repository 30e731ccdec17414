//! EventBridge: rules over events, and targets that are queues, functions or webhooks (API destinations).
//!
//! ```text
//! outbox / PutEvents -> rules whose pattern matches -> one durable delivery per target -> deliver, again on failure
//! ```
//! A delivery is on disk before the emitter goes on, and removed when its target has taken it: at least once, as in AWS.
//! An event of our own services is written with the change it tells of (`outbox`), so a crash loses neither.

mod deliver;
mod input;
mod outbox;
mod pattern;
mod rules;
mod webhook;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use outbox::Outbox;

use crate::lambda::Lambda;
use crate::sagemaker::clock;
use crate::sqs::Sqs;
use crate::table::Table;
use crate::{AwsError, Config, OpenError};

/// A rule and its targets. The record's key is `BUS.NAME`; the default bus is the only one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rule {
    name: String,
    arn: String,
    pattern: Value,
    /// The pattern as it was given.
    pattern_text: String,
    description: String,
    enabled: bool,
    role: Option<String>,
    targets: Vec<Value>,
}

/// A connection or an API destination, as it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Resource {
    name: String,
    arn: String,
    created: f64,
    request: Value,
}

/// An event on its way to one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Delivery {
    id: String,
    rule: String,
    target: Value,
    event: Value,
    attempts: u32,
    created: f64,
    next_at: f64,
    last_error: String,
}

/// The event bus.
pub(crate) struct Events {
    region: String,
    account: String,
    sqs: Arc<Sqs>,
    lambda: Arc<Lambda>,
    rules: Table<Rule>,
    connections: Table<Resource>,
    destinations: Table<Resource>,
    deliveries: Table<Delivery>,
    work: Notify,
    closing: CancellationToken,
}

impl Events {
    /// Opens the state below the data folder and takes up what was to be delivered.
    pub(crate) fn open(config: &Config, sqs: Arc<Sqs>, lambda: Arc<Lambda>) -> Result<Arc<Self>, OpenError> {
        let home = config.dir.join("events");
        let this = Arc::new(Self {
            region: config.region.clone(),
            account: config.account.clone(),
            sqs,
            lambda,
            rules: Table::open(home.join("rules"))?,
            connections: Table::open(home.join("connections"))?,
            destinations: Table::open(home.join("api-destinations"))?,
            deliveries: Table::open(home.join("deliveries"))?,
            work: Notify::new(),
            closing: CancellationToken::new(),
        });
        this.begin_delivering();
        Ok(this)
    }

    /// Carries out one operation, as `PutRule`.
    ///
    /// # Errors
    /// What EventBridge would answer.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        match operation {
            "PutRule" => self.put_rule(input),
            "DescribeRule" => self.describe_rule(input),
            "ListRules" => self.list_rules(input),
            "DeleteRule" => self.delete_rule(input),
            "EnableRule" => self.switch(input, true),
            "DisableRule" => self.switch(input, false),
            "PutTargets" => self.put_targets(input),
            "RemoveTargets" => self.remove_targets(input),
            "ListTargetsByRule" => self.list_targets(input),
            "PutEvents" => self.put_events(input),
            "TestEventPattern" => rules::test_pattern(input),
            "CreateConnection" => self.create_connection(input),
            "CreateApiDestination" => self.create_destination(input),
            "DescribeConnection" => self.describe(&self.connections, input, "Connection"),
            "DescribeApiDestination" => self.describe(&self.destinations, input, "ApiDestination"),
            "DeleteConnection" => self.delete(&self.connections, input, "Connection"),
            "DeleteApiDestination" => self.delete(&self.destinations, input, "ApiDestination"),
            "ListConnections" => Ok(self.list(&self.connections, "Connections", "Connection")),
            "ListApiDestinations" => Ok(self.list(&self.destinations, "ApiDestinations", "ApiDestination")),
            _ => Err(AwsError::unknown_operation("EventBridge", operation)),
        }
    }

    fn envelope(&self, source: &str, detail_type: &str, resources: &Value, detail: Value, time: Option<f64>) -> Value {
        let ms = (time.unwrap_or_else(clock::now) * 1000.0) as i64;
        let time = jiff::Timestamp::from_second(ms / 1000).map(|time| time.to_string()).unwrap_or_default();
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": detail_type,
            "source": source,
            "account": self.account,
            "time": time,
            "region": self.region,
            "resources": if resources.is_array() { resources.clone() } else { json!([]) },
            "detail": detail,
        })
    }

    /// Makes one delivery for every target of every rule that matches. Routed again, an event finds the deliveries that
    /// it still has.
    fn route(&self, event: &Value) -> Result<(), AwsError> {
        let now = clock::now();
        for rule in self.rules.select(|rule| rule.enabled && pattern::matches(&rule.pattern, event)) {
            for target in &rule.targets {
                let id = delivery_id(event, &rule.arn, target);
                let delivery = Delivery {
                    id: id.clone(),
                    rule: rule.arn.clone(),
                    target: target.clone(),
                    event: event.clone(),
                    attempts: 0,
                    created: now,
                    next_at: now,
                    last_error: String::new(),
                };
                self.deliveries.insert(&id, delivery)?;
            }
        }
        self.work.notify_one();
        Ok(())
    }

    fn put_events(&self, input: &Value) -> Result<Value, AwsError> {
        let mut entries = Vec::new();
        for entry in input["Entries"].as_array().into_iter().flatten() {
            let (source, kind) = (entry["Source"].as_str(), entry["DetailType"].as_str());
            let detail = entry["Detail"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
            match (source, kind, detail) {
                (Some(source), Some(kind), Some(detail)) if detail.is_object() && !source.starts_with("aws.") => {
                    let event = self.envelope(source, kind, &entry["Resources"], detail, clock::read(&entry["Time"]));
                    self.route(&event)?;
                    entries.push(json!({"EventId": event["id"]}));
                }
                (Some(source), ..) if source.starts_with("aws.") => {
                    entries.push(refused("NotAuthorizedForSourceException", "Not authorized for the source."));
                }
                (.., Some(_)) => entries.push(refused("InvalidArgument", "Source, DetailType and Detail are needed.")),
                (.., None) => entries.push(refused("MalformedDetail", "Detail is malformed.")),
            }
        }
        let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
        Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    /// Lets go of everything; what is not delivered is taken up at the next open.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:events:{}:{}:{kind}/{name}", self.region, self.account)
    }
}

/// The same for the same event, rule and target; safe as a file's name.
fn delivery_id(event: &Value, rule: &str, target: &Value) -> String {
    let hash = Sha256::digest(format!("{}\n{rule}\n{}", event["id"], target["Id"]));
    hex::encode(hash.get(..16).unwrap_or_default())
}

fn refused(code: &str, message: &str) -> Value {
    json!({"ErrorCode": code, "ErrorMessage": message})
}
