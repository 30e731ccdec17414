//! Messages of all queues: durable, hidden while somebody works on them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sagemaker::clock;
use crate::table::Table;
use crate::{AwsError, OpenError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    key: String,
    queue: String,
    body: String,
    attributes: Value,
    sent: f64,
    /// Nobody receives it before.
    visible_at: f64,
    receives: u64,
    first_received: Option<f64>,
    receipt: String,
}

impl Message {
    pub(super) fn md5(&self) -> String {
        hex::encode(Md5::digest(self.body.as_bytes()))
    }

    /// As `ReceiveMessage` gives it.
    pub(super) fn shown(&self, sender: &str) -> Value {
        let ms = |seconds: f64| format!("{}", (seconds * 1000.0) as u64);
        let mut shown = json!({
            "MessageId": self.id,
            "ReceiptHandle": self.receipt,
            "MD5OfBody": self.md5(),
            "Body": self.body,
            "Attributes": {
                "SenderId": sender,
                "SentTimestamp": ms(self.sent),
                "ApproximateReceiveCount": self.receives.to_string(),
                "ApproximateFirstReceiveTimestamp": ms(self.first_received.unwrap_or(self.sent)),
            },
        });
        if self.attributes.is_object() {
            shown["MessageAttributes"] = self.attributes.clone();
        }
        shown
    }
}

/// How many messages a queue has, by what can be done with them.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) visible: usize,
    pub(super) hidden: usize,
    pub(super) delayed: usize,
}

pub(super) struct MessageStore {
    table: Table<Message>,
    /// Keys order messages by arrival: milliseconds, then this.
    next: AtomicU64,
    /// Two receivers must not take the same message.
    taking: Mutex<()>,
}

impl MessageStore {
    pub(super) fn open(folder: PathBuf) -> Result<Self, OpenError> {
        Ok(Self { table: Table::open(folder)?, next: AtomicU64::new(0), taking: Mutex::new(()) })
    }

    pub(super) fn put(&self, queue: &str, body: &str, attributes: &Value, delay_s: f64) -> Result<Message, AwsError> {
        let now = clock::now();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = uuid::Uuid::new_v4().to_string();
        let message = Message {
            key: format!("{:015}-{number:010}-{}", (now * 1000.0) as u64, &id[..8]),
            id,
            queue: queue.to_owned(),
            body: body.to_owned(),
            attributes: attributes.clone(),
            sent: now,
            visible_at: now + delay_s.max(0.0),
            receives: 0,
            first_received: None,
            receipt: String::new(),
        };
        self.table.insert(&message.key, message.clone())?;
        Ok(message)
    }

    /// The oldest visible messages, hidden from now on. Messages past their retention are dropped.
    pub(super) fn take(
        &self,
        queue: &str,
        most: usize,
        hide_s: f64,
        retention_s: f64,
    ) -> Result<Vec<Message>, AwsError> {
        let _guard = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        let mut taken = Vec::new();
        for message in self.table.select(|message| message.queue == queue && message.visible_at <= now) {
            if now - message.sent > retention_s {
                self.table.remove(&message.key, |_| Ok(()))?;
                continue;
            }
            if taken.len() == most {
                break;
            }
            let receipt = format!("{}.{}", message.key, uuid::Uuid::new_v4().simple());
            let updated = self.table.update(&message.key, |message| {
                message.receives += 1;
                message.first_received.get_or_insert(now);
                message.visible_at = now + hide_s.max(0.0);
                message.receipt = receipt;
                Ok(())
            })?;
            taken.extend(updated);
        }
        Ok(taken)
    }

    /// Moves what was received too often without being deleted.
    pub(super) fn move_dead(&self, queue: &str, target: &str, receives: u64) -> Result<(), AwsError> {
        let _guard = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        let dead =
            |message: &Message| message.queue == queue && message.visible_at <= now && message.receives >= receives;
        for message in self.table.select(dead) {
            self.table.update(&message.key, |message| {
                message.queue = target.to_owned();
                message.receives = 0;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// An unknown handle is fine, as with SQS: the message is gone either way.
    pub(super) fn delete(&self, queue: &str, receipt: &str) -> Result<(), AwsError> {
        match self.key_of(queue, receipt)? {
            Some(key) => self.table.remove(&key, |_| Ok(())).map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn hide(&self, queue: &str, receipt: &str, seconds: f64) -> Result<(), AwsError> {
        if let Some(key) = self.key_of(queue, receipt)? {
            self.table.update(&key, |message| {
                message.visible_at = clock::now() + seconds.max(0.0);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn key_of(&self, queue: &str, receipt: &str) -> Result<Option<String>, AwsError> {
        let invalid = || AwsError::new(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
        let (key, _) = receipt.split_once('.').ok_or_else(invalid)?;
        Ok(self.table.get(key).filter(|message| message.queue == queue).map(|message| message.key))
    }

    pub(super) fn purge(&self, queue: &str) -> Result<(), AwsError> {
        for message in self.table.select(|message| message.queue == queue) {
            self.table.remove(&message.key, |_| Ok(()))?;
        }
        Ok(())
    }

    pub(super) fn counts(&self, queue: &str) -> Counts {
        let now = clock::now();
        let mut counts = Counts::default();
        for message in self.table.select(|message| message.queue == queue) {
            match (message.visible_at <= now, message.receives) {
                (true, _) => counts.visible += 1,
                (false, 0) => counts.delayed += 1,
                (false, _) => counts.hidden += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_receivers_until_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = MessageStore::open(folder.path().to_owned()).unwrap();
        store.put("q", "one", &Value::Null, 0.0).unwrap();
        store.put("q", "two", &Value::Null, 0.0).unwrap();
        store.put("other", "x", &Value::Null, 0.0).unwrap();
        store.put("q", "late", &Value::Null, 60.0).unwrap();
        let bodies = |taken: Vec<Message>| taken.into_iter().map(|m| m.body).collect::<Vec<_>>();
        let first = store.take("q", 1, 60.0, 1e6).unwrap();
        assert_eq!(bodies(first.clone()), ["one"]);
        assert_eq!(bodies(store.take("q", 10, 0.0, 1e6).unwrap()), ["two"]);
        assert_eq!(bodies(store.take("q", 10, 60.0, 1e6).unwrap()), ["two"], "it was hidden for no time");
        store.delete("q", &first[0].receipt).unwrap();
        store.delete("q", &first[0].receipt).unwrap();
        let counts = store.counts("q");
        assert_eq!((counts.visible, counts.hidden, counts.delayed), (0, 1, 1));
        let again = MessageStore::open(folder.path().to_owned()).unwrap();
        assert_eq!(again.counts("q").hidden, 1, "as it was before");
        assert!(store.delete("q", "nonsense").is_err());
    }

    #[test]
    fn received_too_often_means_dead() {
        let folder = tempfile::tempdir().unwrap();
        let store = MessageStore::open(folder.path().to_owned()).unwrap();
        store.put("q", "poison", &Value::Null, 0.0).unwrap();
        for _ in 0..2 {
            store.move_dead("q", "dead", 2).unwrap();
            assert_eq!(store.take("q", 1, 0.0, 1e6).unwrap().len(), 1);
        }
        store.move_dead("q", "dead", 2).unwrap();
        assert!(store.take("q", 1, 0.0, 1e6).unwrap().is_empty());
        assert_eq!(store.take("dead", 1, 0.0, 1e6).unwrap()[0].body, "poison");
    }
}
