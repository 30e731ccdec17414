//! SQS: standard queues with at-least-once delivery, visibility timeouts, long polling and dead-letter queues, spoken in
//! SQS' JSON protocol. FIFO queues are refused.
//!
//! Every message is a durable record. Receiving hides it for the visibility timeout; a crash after that shows it again
//! when the timeout is over, as SQS does.

mod message;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::sagemaker::clock;
use crate::table::Table;
use crate::{AwsError, Config, OpenError};
use message::{Message, MessageStore};

/// Characters of a queue's name; the service's limit.
const MAX_NAME: usize = 80;
/// The attributes a queue can be given, with the service's defaults.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("DelaySeconds", "0"),
    ("MaximumMessageSize", "262144"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("VisibilityTimeout", "30"),
];
/// Kept and given back without an effect here.
const KEPT: &[&str] = &[
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Queue {
    name: String,
    arn: String,
    created: f64,
    attributes: BTreeMap<String, String>,
    tags: Value,
}

impl Queue {
    fn number(&self, name: &str) -> u64 {
        let default = ATTRIBUTES.iter().find(|(known, _)| *known == name).map_or("0", |(_, default)| *default);
        self.attributes.get(name).map_or(default, String::as_str).parse().unwrap_or(0)
    }

    /// The queue's dead-letter queue by name, and after how many receives a message goes there.
    fn dead_letters(&self) -> Option<(String, u64)> {
        let policy: Value = serde_json::from_str(self.attributes.get("RedrivePolicy")?).ok()?;
        let name = policy["deadLetterTargetArn"].as_str()?.rsplit(':').next()?.to_owned();
        let most = &policy["maxReceiveCount"];
        Some((name, most.as_u64().or_else(|| most.as_str()?.parse().ok())?))
    }
}

/// The queues.
pub(crate) struct Sqs {
    region: String,
    account: String,
    endpoint_url: Option<String>,
    queues: Table<Queue>,
    messages: MessageStore,
    arrived: Notify,
}

impl Sqs {
    /// Opens the state below the data folder.
    pub(crate) fn open(config: &Config) -> Result<Self, OpenError> {
        let home = config.dir.join("sqs");
        Ok(Self {
            region: config.region.clone(),
            account: config.account.clone(),
            endpoint_url: config.endpoint_url.clone(),
            queues: Table::open(home.join("queues"))?,
            messages: MessageStore::open(home.join("messages"))?,
            arrived: Notify::new(),
        })
    }

    /// Carries out one operation, as `SendMessage`.
    ///
    /// # Errors
    /// What SQS would answer.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        match operation {
            "CreateQueue" => self.create(&input),
            "DeleteQueue" => self.delete(&input),
            "GetQueueUrl" => {
                let queue = self.named(input["QueueName"].as_str().unwrap_or_default())?;
                Ok(json!({"QueueUrl": self.url(&queue.name)}))
            }
            "ListQueues" => {
                let prefix = input["QueueNamePrefix"].as_str().unwrap_or_default();
                let queues = self.queues.select(|queue| queue.name.starts_with(prefix));
                Ok(json!({"QueueUrls": queues.iter().map(|queue| self.url(&queue.name)).collect::<Vec<_>>()}))
            }
            "GetQueueAttributes" => self.attributes(&input),
            "SetQueueAttributes" => self.set_attributes(&input),
            "PurgeQueue" => {
                let queue = self.of(&input)?;
                self.messages.purge(&queue.name)?;
                Ok(Value::Null)
            }
            "SendMessage" => {
                let queue = self.of(&input)?;
                let message = self.put(&queue, &input)?;
                Ok(json!({"MessageId": message.id, "MD5OfMessageBody": message.md5()}))
            }
            "SendMessageBatch" => self.batch(&input, |queue, entry| {
                let message = self.put(queue, entry)?;
                Ok(json!({"Id": entry["Id"], "MessageId": message.id, "MD5OfMessageBody": message.md5()}))
            }),
            "ReceiveMessage" => self.receive(&input).await,
            "DeleteMessage" => self.delete_message(&self.of(&input)?, &input).map(|()| Value::Null),
            "DeleteMessageBatch" => self.batch(&input, |queue, entry| {
                self.delete_message(queue, entry)?;
                Ok(json!({"Id": entry["Id"]}))
            }),
            "ChangeMessageVisibility" => {
                let queue = self.of(&input)?;
                let seconds = input["VisibilityTimeout"].as_f64().unwrap_or(0.0);
                self.messages.hide(&queue.name, input["ReceiptHandle"].as_str().unwrap_or_default(), seconds)?;
                self.arrived.notify_waiters();
                Ok(Value::Null)
            }
            "TagQueue" => self.tag(&input, |tags| {
                for (key, value) in input["Tags"].as_object().into_iter().flatten() {
                    tags.insert(key.clone(), value.clone());
                }
            }),
            "UntagQueue" => self.tag(&input, |tags| {
                for key in input["TagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    tags.remove(key);
                }
            }),
            "ListQueueTags" => Ok(json!({"Tags": self.of(&input)?.tags})),
            _ => Err(AwsError::unknown_operation("SQS", operation)),
        }
    }

    /// Puts a message into the queue of an ARN.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or a message that cannot be written.
    pub(crate) fn send_to_arn(&self, arn: &str, body: &str) -> Result<String, AwsError> {
        let queue = self.named(arn.rsplit(':').next().unwrap_or_default())?;
        self.put(&queue, &json!({"MessageBody": body})).map(|message| message.id)
    }

    /// Puts a message into the queue of a URL.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or a message that cannot be written.
    pub(crate) fn send_to_url(&self, url: &str, body: &str) -> Result<String, AwsError> {
        let queue = self.of(&json!({"QueueUrl": url}))?;
        self.put(&queue, &json!({"MessageBody": body})).map(|message| message.id)
    }

    fn create(&self, input: &Value) -> Result<Value, AwsError> {
        let name = input["QueueName"].as_str().unwrap_or_default();
        if name.ends_with(".fifo") {
            return Err(invalid("The local cloud offers standard queues; it has no FIFO queues".into()));
        }
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fine) {
            return Err(invalid(format!(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to {MAX_NAME} in length: '{name}'"
            )));
        }
        let attributes = read_attributes(&input["Attributes"])?;
        let queue = Queue {
            name: name.to_owned(),
            arn: format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account),
            created: clock::now(),
            attributes: attributes.clone(),
            tags: if input["tags"].is_object() { input["tags"].clone() } else { json!({}) },
        };
        if !self.queues.insert(name, queue)? && self.named(name)?.attributes != attributes {
            return Err(AwsError::new(
                400,
                "QueueNameExists",
                format!("A queue already exists with the same name and a different value for attributes: {name}"),
            ));
        }
        Ok(json!({"QueueUrl": self.url(name)}))
    }

    fn delete(&self, input: &Value) -> Result<Value, AwsError> {
        let queue = self.of(input)?;
        self.messages.purge(&queue.name)?;
        self.queues.remove(&queue.name, |_| Ok(()))?;
        Ok(Value::Null)
    }

    fn url(&self, name: &str) -> String {
        let base = self.endpoint_url.as_deref().unwrap_or("http://127.0.0.1");
        format!("{base}/{}/{name}", self.account)
    }

    /// The queue of a request's URL; only the last part of the URL counts, so that any port will do.
    fn of(&self, input: &Value) -> Result<Queue, AwsError> {
        self.named(input["QueueUrl"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default())
    }

    fn named(&self, name: &str) -> Result<Queue, AwsError> {
        self.queues.get(name).ok_or_else(|| {
            AwsError::new(400, "QueueDoesNotExist", format!("The specified queue does not exist: {name}"))
        })
    }

    fn attributes(&self, input: &Value) -> Result<Value, AwsError> {
        let queue = self.of(input)?;
        let counts = self.messages.counts(&queue.name);
        let mut all: Map<String, Value> =
            ATTRIBUTES.iter().map(|(name, default)| ((*name).to_owned(), json!(default))).collect();
        all.extend(queue.attributes.iter().map(|(name, value)| (name.clone(), json!(value))));
        for (name, value) in [
            ("QueueArn", queue.arn),
            ("CreatedTimestamp", format!("{}", queue.created as u64)),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.hidden.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ] {
            all.insert(name.to_owned(), json!(value));
        }
        let wanted: Vec<_> =
            input["AttributeNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !wanted.contains(&"All") {
            all.retain(|name, _| wanted.contains(&name.as_str()));
        }
        Ok(json!({"Attributes": all}))
    }

    fn set_attributes(&self, input: &Value) -> Result<Value, AwsError> {
        let queue = self.of(input)?;
        let given = read_attributes(&input["Attributes"])?;
        self.queues.update(&queue.name, |queue| {
            queue.attributes.extend(given);
            Ok(())
        })?;
        Ok(Value::Null)
    }

    fn tag(&self, input: &Value, change: impl FnOnce(&mut Map<String, Value>)) -> Result<Value, AwsError> {
        let queue = self.of(input)?;
        self.queues.update(&queue.name, |queue| {
            if let Some(tags) = queue.tags.as_object_mut() {
                change(tags);
            }
            Ok(())
        })?;
        Ok(Value::Null)
    }

    fn put(&self, queue: &Queue, input: &Value) -> Result<Message, AwsError> {
        let body = input["MessageBody"].as_str().filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| {
            AwsError::new(400, "MissingParameter", "The request must contain the parameter MessageBody.")
        })?;
        let most = queue.number("MaximumMessageSize");
        if body.len() as u64 > most {
            return Err(invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
            )));
        }
        let delay = input["DelaySeconds"].as_f64().unwrap_or(queue.number("DelaySeconds") as f64);
        let message = self.messages.put(&queue.name, body, &input["MessageAttributes"], delay)?;
        self.arrived.notify_waiters();
        Ok(message)
    }

    /// Waits for a message as long as the request says, at most 20 seconds.
    async fn receive(&self, input: &Value) -> Result<Value, AwsError> {
        let queue = self.of(input)?;
        let most = input["MaxNumberOfMessages"].as_u64().unwrap_or(1).clamp(1, 10) as usize;
        let hide = input["VisibilityTimeout"].as_f64().unwrap_or(queue.number("VisibilityTimeout") as f64);
        let wait = input["WaitTimeSeconds"].as_u64().unwrap_or(queue.number("ReceiveMessageWaitTimeSeconds")).min(20);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(wait);
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let taken = self.take(&queue, most, hide)?;
            if !taken.is_empty() || tokio::time::Instant::now() >= deadline {
                let taken: Vec<_> = taken.iter().map(|message| message.shown(&self.account)).collect();
                return Ok(if taken.is_empty() { json!({}) } else { json!({"Messages": taken}) });
            }
            // A hidden message comes back by time alone, so the queue is looked at now and then.
            let look = deadline.min(tokio::time::Instant::now() + Duration::from_millis(500));
            let _ = tokio::time::timeout_at(look, arrived).await;
        }
    }

    fn take(&self, queue: &Queue, most: usize, hide: f64) -> Result<Vec<Message>, AwsError> {
        let retention = queue.number("MessageRetentionPeriod") as f64;
        if let Some((dead, receives)) = queue.dead_letters() {
            let target = self.named(&dead)?.name;
            self.messages.move_dead(&queue.name, &target, receives)?;
        }
        self.messages.take(&queue.name, most, hide, retention)
    }

    fn delete_message(&self, queue: &Queue, input: &Value) -> Result<(), AwsError> {
        self.messages.delete(&queue.name, input["ReceiptHandle"].as_str().unwrap_or_default())
    }

    fn batch(
        &self,
        input: &Value,
        each: impl Fn(&Queue, &Value) -> Result<Value, AwsError>,
    ) -> Result<Value, AwsError> {
        let queue = self.of(input)?;
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for entry in input["Entries"].as_array().into_iter().flatten() {
            match each(&queue, entry) {
                Ok(answer) => good.push(answer),
                Err(error) => bad.push(json!({"Id": entry["Id"], "SenderFault": error.status < 500, "Code": error.code, "Message": error.message})),
            }
        }
        Ok(json!({"Successful": good, "Failed": bad}))
    }
}

fn read_attributes(value: &Value) -> Result<BTreeMap<String, String>, AwsError> {
    let mut found = BTreeMap::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let numeric = ATTRIBUTES.iter().any(|(known, _)| known == name);
        if !numeric && !KEPT.contains(&name.as_str()) {
            return Err(AwsError::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
        if numeric && text.parse::<u64>().is_err() {
            return Err(AwsError::new(
                400,
                "InvalidAttributeValue",
                format!("Invalid value for the parameter {name}."),
            ));
        }
        found.insert(name.clone(), text);
    }
    Ok(found)
}

fn invalid(message: String) -> AwsError {
    AwsError::new(400, "InvalidParameterValue", message)
}
