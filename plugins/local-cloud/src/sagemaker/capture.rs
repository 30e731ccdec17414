//! Data capture: what went in and out of an endpoint, as JSON lines in the object store.
//!
//! Records wait in memory for a moment and are stored together. A crash loses what waited, as AWS' capture may: the
//! answers themselves do not wait for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::s3::{Location, Store};
use crate::sagemaker::SageMaker;
use crate::sagemaker::endpoint::FleetPlan;
use crate::sagemaker::models::items;

/// Records are stored at least this often.
const STORE_EVERY: Duration = Duration::from_secs(2);
/// Records that may wait; more are dropped, and that is logged, rather than filling the memory.
const MAX_WAITING: usize = 10_000;

/// Records on their way to the store.
pub(crate) struct Capture {
    store: Arc<Store>,
    waiting: Mutex<Vec<Record>>,
}

/// One line and where it belongs.
pub(crate) struct Record {
    prefix: String,
    line: String,
}

/// An invocation that is being captured.
pub(crate) struct Exchange {
    prefix: String,
    input: Option<Value>,
    output: bool,
    event: Value,
    json_types: Vec<String>,
    csv_types: Vec<String>,
}

impl Exchange {
    /// `None` when the endpoint captures nothing, or this invocation is not in the sample.
    pub(crate) fn begin(
        plan: &FleetPlan,
        endpoint: &str,
        variant: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Option<Self> {
        let config = &plan.capture;
        if config["EnableCapture"] != true || !sampled(config["InitialSamplingPercentage"].as_u64().unwrap_or(0)) {
            return None;
        }
        let modes: Vec<_> = items(&config["CaptureOptions"]).iter().filter_map(|o| o["CaptureMode"].as_str()).collect();
        let wants = |mode: &str| modes.iter().any(|known| *known == mode || *known == "InputAndOutput");
        let texts = |name: &str| -> Vec<String> {
            let types = items(&config["CaptureContentTypeHeader"][name]);
            types.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut exchange = Self {
            prefix: format!("{}/{endpoint}/{variant}", config["DestinationS3Uri"].as_str()?.trim_end_matches('/')),
            input: None,
            output: wants("Output"),
            event: json!({"eventId": uuid::Uuid::new_v4().to_string(), "inferenceTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}),
            json_types: texts("JsonContentTypes"),
            csv_types: texts("CsvContentTypes"),
        };
        if let Some(id) = headers.get("x-amzn-sagemaker-inference-id").and_then(|id| id.to_str().ok()) {
            exchange.event["inferenceId"] = json!(id);
        }
        if wants("Input") {
            let kind = headers.get(CONTENT_TYPE).or(headers.get(ACCEPT)).and_then(|kind| kind.to_str().ok());
            exchange.input = Some(exchange.side("INPUT", kind.unwrap_or("application/octet-stream"), body));
        }
        Some(exchange)
    }

    /// The whole record, once the container has answered.
    pub(crate) fn end(self, headers: &HeaderMap, body: &Bytes) -> Record {
        let mut data = json!({});
        if let Some(input) = &self.input {
            data["endpointInput"] = input.clone();
        }
        if self.output {
            let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            data["endpointOutput"] = self.side("OUTPUT", kind.unwrap_or("application/octet-stream"), body);
        }
        let line = json!({"captureData": data, "eventMetadata": self.event, "eventVersion": "0"}).to_string();
        Record { prefix: self.prefix, line }
    }

    fn side(&self, mode: &str, content_type: &str, body: &Bytes) -> Value {
        let bare = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &[String], usual: &str| bare == usual || known.iter().any(|kind| kind == bare);
        let encoding = match () {
            () if is(&self.csv_types, "text/csv") => "CSV",
            () if is(&self.json_types, "application/json") => "JSON",
            () => "BASE64",
        };
        let text = std::str::from_utf8(body).ok().filter(|_| encoding != "BASE64");
        let (encoding, data) = match text {
            Some(text) => (encoding, text.to_owned()),
            None => ("BASE64", STANDARD.encode(body)),
        };
        json!({"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding})
    }
}

/// Whether this one is in the sample; a random byte pair is even enough for whole per cents.
fn sampled(per_cent: u64) -> bool {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    u64::from(u16::from_le_bytes([bytes[0], bytes[1]])) * 100 < per_cent * 65_536
}

impl Capture {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, waiting: Mutex::default() }
    }

    pub(crate) fn record(&self, record: Record) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.len() < MAX_WAITING {
            true => waiting.push(record),
            false => tracing::warn!(prefix = record.prefix, "too many captured invocations wait; one was dropped"),
        }
    }

    /// Stores what waits: one object a prefix, `{prefix}/yyyy/mm/dd/hh/{mm-ss-ms}-{id}.jsonl`.
    pub(crate) fn store(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut by_prefix: BTreeMap<String, String> = BTreeMap::new();
        for record in waiting {
            let lines = by_prefix.entry(record.prefix).or_default();
            lines.push_str(&record.line);
            lines.push('\n');
        }
        for (prefix, lines) in by_prefix {
            let name = jiff::Timestamp::now().strftime("%Y/%m/%d/%H/%M-%S-%3f").to_string();
            let uri = format!("{prefix}/{name}-{}.jsonl", uuid::Uuid::new_v4());
            let stored = Location::parse(&uri).map(|at| self.store.put_bytes(&at.bucket, &at.key, lines.as_bytes()));
            if let Some(Err(error)) = stored {
                tracing::error!(uri, %error, "captured invocations could not be stored");
            }
        }
    }
}

impl SageMaker {
    /// Stores captured invocations every moment.
    pub(crate) fn begin_capture(self: &Arc<Self>) {
        let this = Arc::clone(self);
        self.background(async move {
            loop {
                tokio::time::sleep(STORE_EVERY).await;
                let work = Arc::clone(&this);
                // A panic there loses one batch; the next goes on.
                let _ = tokio::task::spawn_blocking(move || work.capture.store()).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_about_as_large_as_asked() {
        assert_eq!((0..1000).filter(|_| sampled(100)).count(), 1000);
        assert_eq!((0..1000).filter(|_| sampled(0)).count(), 0);
        let half = (0..10_000).filter(|_| sampled(50)).count();
        assert!((4000..6000).contains(&half), "{half}");
    }
}
