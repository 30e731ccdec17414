//! A job as it is remembered: what was asked, where it stands, how it ended.
//!
//! ```text
//! Preparing -> Running -> Collecting -> Ended
//!     |           |            |          ^
//!     +-----------+------------+----------+   failed, stopped
//! ```
//! The phase says what a restart does: prepare again from nothing, find the process again under its key, collect
//! again. The status is what AWS shows; it follows from the phase and the end.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::sagemaker::clock;
use crate::sagemaker::listing::Item;

/// The three kinds of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobKind {
    /// Runs a script over inputs into outputs.
    Processing,
    /// Makes a model.
    Training,
    /// Scores objects with a model.
    Transform,
}

impl JobKind {
    /// All, in order.
    pub const ALL: [JobKind; 3] = [JobKind::Processing, JobKind::Training, JobKind::Transform];

    /// `processing`: in our own paths and file names.
    pub fn word(self) -> &'static str {
        match self {
            JobKind::Processing => "processing",
            JobKind::Training => "training",
            JobKind::Transform => "transform",
        }
    }

    /// The kind of `processing`, `processing-job`, `ProcessingJob` and the like.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        Self::ALL.into_iter().find(|kind| word.strip_prefix(kind.word()).is_some_and(is_job_ending))
    }

    /// `Processing`: the beginning of member names.
    pub(crate) fn title(self) -> &'static str {
        match self {
            JobKind::Processing => "Processing",
            JobKind::Training => "Training",
            JobKind::Transform => "Transform",
        }
    }

    /// `ProcessingJobName` for `Name`.
    pub(crate) fn member(self, what: &str) -> String {
        format!("{}Job{what}", self.title())
    }
}

fn is_job_ending(ending: &str) -> bool {
    matches!(ending, "" | "job" | "-job" | "jobs" | "-jobs")
}

/// What a restart goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Preparing,
    Running,
    Collecting,
    Ended,
}

/// As AWS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    InProgress,
    Completed,
    Failed,
    Stopping,
    Stopped,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::InProgress => "InProgress",
            Status::Completed => "Completed",
            Status::Failed => "Failed",
            Status::Stopping => "Stopping",
            Status::Stopped => "Stopped",
        }
    }
}

/// A secondary status of a training job and the time it held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transition {
    pub(crate) status: String,
    pub(crate) start: f64,
    pub(crate) end: Option<f64>,
    pub(crate) message: String,
}

/// The last value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) time: f64,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
}

/// How a job ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    Completed { exit_message: Option<String>, metrics: Vec<Metric> },
    Failed { reason: String, exit_message: Option<String> },
    Stopped { metrics: Vec<Metric> },
}

/// One job. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) kind: JobKind,
    pub(crate) name: String,
    pub(crate) arn: String,
    /// Unlike the name never used again: names the folder and the process.
    pub(crate) id: String,
    pub(crate) request: Value,
    pub(crate) phase: Phase,
    pub(crate) status: Status,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) created: f64,
    pub(crate) started: Option<f64>,
    pub(crate) ended: Option<f64>,
    pub(crate) modified: f64,
    pub(crate) stop_requested: bool,
    pub(crate) out_of_time: bool,
    pub(crate) exit: Option<ExitRecord>,
    pub(crate) failure: Option<String>,
    pub(crate) exit_message: Option<String>,
    pub(crate) metrics: Vec<Metric>,
}

impl Job {
    pub(crate) fn new(kind: JobKind, name: &str, arn: String, request: Value) -> Self {
        let created = clock::now();
        let mut job = Self {
            kind,
            name: name.to_owned(),
            arn,
            id: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
            request,
            phase: Phase::Preparing,
            status: Status::InProgress,
            transitions: Vec::new(),
            created,
            started: None,
            ended: None,
            modified: created,
            stop_requested: false,
            out_of_time: false,
            exit: None,
            failure: None,
            exit_message: None,
            metrics: Vec::new(),
        };
        job.turn("Starting", "Preparing the instances for training");
        job
    }

    /// The key of its process.
    pub(crate) fn process_key(&self) -> String {
        format!("job-{}", self.id)
    }

    /// The next secondary status; the one before ends now. The same status again changes nothing.
    pub(crate) fn turn(&mut self, status: &str, message: &str) {
        let now = clock::now();
        self.modified = now;
        if self.transitions.last().is_some_and(|last| last.status == status) {
            return;
        }
        if let Some(last) = self.transitions.last_mut() {
            last.end = Some(now);
        }
        let (status, message) = (status.to_owned(), message.to_owned());
        self.transitions.push(Transition { status, start: now, end: None, message });
    }

    /// Ends the job; the first end stands.
    pub(crate) fn end(&mut self, ending: Ending) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        let secondary = match ending {
            Ending::Completed { exit_message, metrics } => {
                (self.status, self.exit_message, self.metrics) = (Status::Completed, exit_message, metrics);
                ("Completed", "Training job completed")
            }
            Ending::Failed { reason, exit_message } => {
                (self.status, self.exit_message) = (Status::Failed, exit_message);
                self.failure = Some(cut(&reason, MAX_REASON));
                ("Failed", "Training job failed")
            }
            Ending::Stopped { metrics } => {
                (self.status, self.metrics) = (Status::Stopped, metrics);
                match self.out_of_time && !self.stop_requested {
                    true => ("MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided"),
                    false => ("Stopped", "Training job stopped"),
                }
            }
        };
        self.turn(secondary.0, secondary.1);
        let now = clock::now();
        self.ended = Some(now);
        if let Some(last) = self.transitions.last_mut() {
            last.end = Some(now);
        }
    }

    /// Seconds the process ran, at least one, as AWS bills.
    fn runtime(&self) -> Option<u64> {
        let (start, end) = (self.started?, self.ended?);
        Some(((end - start).ceil() as u64).max(1))
    }

    /// The answer of the Describe operation.
    pub(crate) fn describe(&self) -> Value {
        let mut answer = self.request.as_object().cloned().unwrap_or_default();
        answer.remove("Tags");
        answer.insert(self.kind.member("Arn"), json!(self.arn));
        answer.insert(self.kind.member("Status"), json!(self.status.word()));
        answer.insert("CreationTime".into(), clock::write(self.created));
        answer.insert("LastModifiedTime".into(), clock::write(self.modified));
        self.insert_ends(&mut answer);
        if self.kind == JobKind::Training {
            self.insert_training(&mut answer);
        }
        Value::Object(answer)
    }

    fn insert_ends(&self, answer: &mut Map<String, Value>) {
        let title = self.kind.title();
        let times = [("StartTime", self.started), ("EndTime", self.ended)];
        for (what, time) in times.into_iter().filter_map(|(what, time)| Some((what, time?))) {
            answer.insert(format!("{title}{what}"), clock::write(time));
        }
        let texts = [("FailureReason", &self.failure), ("ExitMessage", &self.exit_message)];
        for (what, text) in texts.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?))) {
            answer.insert(what.to_owned(), json!(text));
        }
    }

    fn insert_training(&self, answer: &mut Map<String, Value>) {
        let secondary = self.transitions.last().map_or("Starting", |last| last.status.as_str());
        answer.insert("SecondaryStatus".into(), json!(secondary));
        answer.insert("SecondaryStatusTransitions".into(), self.transitions.iter().map(write_transition).collect());
        answer.insert("ModelArtifacts".into(), json!({ "S3ModelArtifacts": self.model_uri() }));
        for flag in ["EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"] {
            answer.entry(flag).or_insert(json!(false));
        }
        if let Some(seconds) = self.runtime() {
            answer.insert("TrainingTimeInSeconds".into(), json!(seconds));
            answer.insert("BillableTimeInSeconds".into(), json!(seconds));
        }
        if !self.metrics.is_empty() {
            let metrics = self.metrics.iter().map(|metric| {
                json!({"MetricName": metric.name, "Value": metric.value, "Timestamp": clock::write(metric.time)})
            });
            answer.insert("FinalMetricDataList".into(), metrics.collect());
        }
    }

    /// Where a training job puts its outputs: `{S3OutputPath}/{job}/output`.
    pub(crate) fn output_prefix(&self) -> String {
        let base = self.request["OutputDataConfig"]["S3OutputPath"].as_str().unwrap_or_default();
        format!("{}/{}/output", base.trim_end_matches('/'), self.name)
    }

    /// Where a training job puts its model.
    pub(crate) fn model_uri(&self) -> String {
        match self.request["OutputDataConfig"]["CompressionType"].as_str() {
            Some("NONE") => format!("{}/model/", self.output_prefix()),
            _ => format!("{}/model.tar.gz", self.output_prefix()),
        }
    }

    /// As the List operation shows it.
    pub(crate) fn item(&self) -> Item {
        let mut summary = Map::new();
        summary.insert(self.kind.member("Name"), json!(self.name));
        summary.insert(self.kind.member("Arn"), json!(self.arn));
        summary.insert("CreationTime".into(), clock::write(self.created));
        summary.insert("LastModifiedTime".into(), clock::write(self.modified));
        summary.insert(self.kind.member("Status"), json!(self.status.word()));
        self.insert_ends(&mut summary);
        summary.remove(&format!("{}StartTime", self.kind.title()));
        if self.kind == JobKind::Training {
            let secondary = self.transitions.last().map_or("Starting", |last| last.status.as_str());
            summary.insert("SecondaryStatus".into(), json!(secondary));
            summary.remove("FailureReason");
        }
        Item {
            name: self.name.clone(),
            created: self.created,
            modified: self.modified,
            status: self.status.word().to_owned(),
            tie: 0,
            summary: Value::Object(summary),
        }
    }
}

/// Characters of a failure reason or exit message that the API can carry.
pub(crate) const MAX_REASON: usize = 1024;

/// The first `length` characters.
pub(crate) fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

fn write_transition(transition: &Transition) -> Value {
    let mut answer = json!({
        "Status": transition.status,
        "StartTime": clock::write(transition.start),
        "StatusMessage": transition.message,
    });
    if let Some(end) = transition.end {
        answer["EndTime"] = clock::write(end);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let request = json!({"TrainingJobName": "t", "OutputDataConfig": {"S3OutputPath": "s3://b/o/"}, "Tags": []});
        Job::new(JobKind::Training, "t", "arn".into(), request)
    }

    #[test]
    fn a_training_job_tells_its_whole_course() {
        let mut job = job();
        for status in ["Downloading", "Training", "Training", "Uploading"] {
            job.turn(status, "");
        }
        job.started = Some(job.created);
        job.end(Ending::Completed { exit_message: None, metrics: Vec::new() });
        job.end(Ending::Failed { reason: "late".into(), exit_message: None });
        let answer = job.describe();
        let course: Vec<_> =
            answer["SecondaryStatusTransitions"].as_array().unwrap().iter().map(|t| &t["Status"]).collect();
        assert_eq!(course, ["Starting", "Downloading", "Training", "Uploading", "Completed"]);
        assert_eq!(answer["ModelArtifacts"]["S3ModelArtifacts"], "s3://b/o/t/output/model.tar.gz");
        assert_eq!((&answer["TrainingJobStatus"], &answer["BillableTimeInSeconds"]), (&json!("Completed"), &json!(1)));
        assert!(answer.get("Tags").is_none() && answer.get("FailureReason").is_none());
    }

    #[test]
    fn out_of_time_is_told_from_stopped() {
        let mut late = job();
        late.out_of_time = true;
        late.end(Ending::Stopped { metrics: Vec::new() });
        assert_eq!(late.describe()["SecondaryStatus"], "MaxRuntimeExceeded");
        let mut stopped = job();
        stopped.stop_requested = true;
        stopped.end(Ending::Stopped { metrics: Vec::new() });
        assert_eq!(stopped.describe()["SecondaryStatus"], "Stopped");
    }

    #[test]
    fn kinds_by_any_of_their_names() {
        for word in ["training", "training-job", "TrainingJob", "TrainingJobs"] {
            assert_eq!(JobKind::parse(word), Some(JobKind::Training), "{word}");
        }
        assert_eq!(JobKind::parse("trainingx"), None);
    }
}
