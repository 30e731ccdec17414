//! What the server asks of the edges it may not name: logs, artifacts, models, git hosts, and the making of builds.
//!
//! The binary implements these over store, scm and the AWS plugin. Each method is one question; none keeps the caller
//! waiting for a build.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use async_trait::async_trait;
use axum::http::HeaderMap;
use bytes::Bytes;
use haliotis_access::oidc::{self, Claims, Journey};
use haliotis_engine::Created;
use haliotis_engine::trigger::BuildRequest;
use haliotis_flow::Diagnostic;
use haliotis_model::{BuildId, BuildSummary, Millis, Object, Pipeline, StepId, StepKey};
use serde::Serialize;
use utoipa::ToSchema;

/// Why an edge did not do it. Every message says what, where, and what to do next.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EdgeError {
    /// There is no such thing: 404.
    #[error("{0}")]
    NotFound(String),
    /// It is there, but this cannot be done to it now: 409.
    #[error("{0}")]
    Conflict(String),
    /// What was given is not right: 422.
    #[error("{0}")]
    Invalid(String),
    /// A definition has errors, all of them: 422.
    #[error("the definition has {} problem(s)", .0.len())]
    Definition(Vec<Diagnostic>),
    /// The other side does not answer: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// A piece of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogChunk {
    /// The bytes from the offset asked for; empty at the end.
    pub bytes: Vec<u8>,
    /// Bytes there are by now.
    pub total: u64,
}

/// Reads what steps printed. Bytes once given never change.
#[async_trait]
pub trait Logs: Send + Sync {
    /// At most `limit` bytes from `offset`. A step that printed nothing yet has an empty log, not an error.
    async fn read(&self, key: &StepKey, offset: u64, limit: usize) -> Result<LogChunk, EdgeError>;
    /// Time marks: the log was so long at that moment (milliseconds since 1970), by offset; none where none are kept.
    async fn times(&self, _key: &StepKey) -> Result<Vec<(u64, i64)>, EdgeError> {
        Ok(Vec::new())
    }
    /// Removes all of a build that has ended; what is not there is removed already.
    async fn remove(&self, build: BuildId) -> Result<(), EdgeError>;
}

/// A file that a build kept.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ArtifactInfo {
    /// Its path in the build, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal; empty where it is not known.
    pub sha256: String,
}

/// An open artifact.
pub struct ArtifactBody {
    /// Bytes.
    pub size: u64,
    /// The content.
    pub reader: Pin<Box<dyn tokio::io::AsyncRead + Send>>,
}

/// Keeps files of builds.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// All of a build, by path.
    async fn list(&self, build: BuildId) -> Result<Vec<ArtifactInfo>, EdgeError>;
    /// One of them. The implementation resolves `path` among the listed ones and never outside.
    async fn open(&self, build: BuildId, path: &str) -> Result<ArtifactBody, EdgeError>;
    /// Removes all of a build that has ended; what is not there is removed already.
    async fn remove(&self, build: BuildId) -> Result<(), EdgeError>;
}

/// A model package group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ModelGroup {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// One line.
    pub description: String,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
}

/// One version of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ModelPackage {
    /// Its ARN.
    pub arn: String,
    /// Its group's name.
    pub group: String,
    /// Counted from 1.
    pub version: u32,
    /// `PendingManualApproval`, `Approved` or `Rejected`.
    pub status: String,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
    /// Numbers of its evaluation, by name, as `mse`.
    pub metrics: BTreeMap<String, f64>,
    /// Who decided; empty while nobody did.
    pub decided_by: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since 1970.
    pub decided_at: Option<i64>,
    /// The build that made it, where that is known.
    pub build: Option<i64>,
    /// Where the model lies, an `s3://` URL.
    pub model_data: String,
}

/// Something that answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct EndpointInfo {
    /// Its name.
    pub name: String,
    /// As `InService`, `Creating`, `Failed`.
    pub status: String,
    /// Why it failed.
    pub failure: String,
    /// The model package it serves; empty where that is not known.
    pub model_package: String,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
    /// The configuration it runs by; empty where that is not known.
    pub config: String,
    /// The machine of its first variant, as `ml.m5.large`; empty where that is not known.
    pub instance: String,
    /// How many of these.
    pub instances: u32,
}

/// What an endpoint answered to one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Invocation {
    /// The answer's type, as `text/csv`.
    pub content_type: String,
    /// The answer as text; bytes that are no UTF-8 are replaced.
    pub body: String,
    /// The production variant that answered; empty where it was not told.
    pub variant: String,
    /// How long it took, milliseconds, the way there and back counted.
    pub took_ms: u64,
}

/// What a production variant of an endpoint was asked of late.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Traffic {
    /// The variant.
    pub variant: String,
    /// Invocations since its processes were started.
    pub invocations: u64,
    /// Those that were not answered well.
    pub errors: u64,
    /// The last ones, newest first.
    pub recent: Vec<Asked>,
}

/// One invocation of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Asked {
    /// When it was over, milliseconds since 1970.
    pub at: i64,
    /// How long it took, microseconds.
    pub took_us: u64,
    /// HTTP status of the model's container; 0: it did not answer in time.
    pub status: u16,
    /// What the container said, where it refused.
    pub said: String,
}

/// A commit, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CommitRow {
    /// Full hash.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// When it was made, milliseconds since 1970.
    pub at: i64,
}

/// The model registry and what serves from it.
#[async_trait]
pub trait Models: Send + Sync {
    /// All groups, by name.
    async fn groups(&self) -> Result<Vec<ModelGroup>, EdgeError>;
    /// The packages of a group, newest version first.
    async fn packages(&self, group: &str) -> Result<Vec<ModelPackage>, EdgeError>;
    /// Approves or rejects (`Approved`, `Rejected`), records who and why in the audit trail, and lets what waits for it
    /// begin. Answers the package as it stands then.
    async fn set_approval(&self, arn: &str, status: &str, by: &str, reason: &str) -> Result<ModelPackage, EdgeError>;
    /// All endpoints, by name.
    async fn endpoints(&self) -> Result<Vec<EndpointInfo>, EdgeError>;
    /// Of these builds of a pipeline those that production depends on; they are never discarded. An edge without models
    /// serves none.
    ///
    /// # Errors
    /// Nobody can say; then none may go.
    async fn needed(&self, _pipeline: &Pipeline, _builds: &[BuildSummary]) -> Result<BTreeSet<BuildId>, EdgeError> {
        Ok(BTreeSet::new())
    }
    /// What an endpoint was asked of late, by variant; `None`: this cloud does not say.
    async fn traffic(&self, _endpoint: &str) -> Option<Vec<Traffic>> {
        None
    }
    /// Sends one request to an endpoint and waits for its answer.
    async fn invoke(&self, endpoint: &str, _content_type: &str, _body: Vec<u8>) -> Result<Invocation, EdgeError> {
        Err(EdgeError::Unavailable(format!("this server has no way to ask the endpoint {endpoint}")))
    }
}

/// Where a re-run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RerunFrom {
    /// At the beginning: nothing is taken over.
    Whole,
    /// At what did not end well.
    Failed,
    /// At a step's path, a stage's or a step's name: as a person wrote it.
    Named(String),
}

impl RerunFrom {
    /// From what a form or a command says: empty, `failed`, or a name.
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "" => RerunFrom::Whole,
            "failed" => RerunFrom::Failed,
            name => RerunFrom::Named(name.to_owned()),
        }
    }
}

/// A wish to run a build again.
#[derive(Clone, Debug, PartialEq)]
pub struct Rerun {
    /// The build.
    pub build: BuildId,
    /// Where it begins.
    pub from: RerunFrom,
    /// Other values than it had, by parameter; the rest stays.
    pub parameters: Object,
    /// Who asks.
    pub by: String,
}

/// What needs more than the engine: a definition read from a repository, for one.
#[async_trait]
pub trait Actions: Send + Sync {
    /// Starts a build of a pipeline. `parameters` are those given; defaults are filled in behind this. `once`: at most
    /// one build is ever made for a key.
    async fn start_build(
        &self,
        pipeline: &str,
        parameters: Object,
        by: &str,
        once: Option<String>,
    ) -> Result<Created, EdgeError>;
    /// The same for another cause than a person's click. `once` of the request may be empty: no such rule.
    async fn request_build(&self, request: BuildRequest) -> Result<Created, EdgeError>;
    /// Makes a build of what another one pinned, which may take over what that one has done.
    async fn rerun(&self, asked: Rerun) -> Result<Created, EdgeError>;
    /// Stages that a build of this source may be begun at; none where its language has no such notion.
    fn restartable(&self, _source: &haliotis_model::Source) -> Vec<String> {
        Vec::new()
    }
    /// Commits in `to` and not in `from`, newest first, at most `limit`; `from` `None`: from the beginning. An edge
    /// without git knows none.
    async fn commits(
        &self,
        _pipeline: &Pipeline,
        _from: Option<&str>,
        _to: &str,
        _limit: usize,
    ) -> Result<Vec<CommitRow>, EdgeError> {
        Ok(Vec::new())
    }
    /// Looks at the repositories of all pipelines now instead of at the next tick.
    async fn poll(&self);
    /// Adds or replaces a pipeline; reads its definition where a repository holds it.
    async fn put_pipeline(&self, pipeline: Pipeline, by: &str) -> Result<Pipeline, EdgeError>;
}

/// How a life of the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// For good.
    Exit,
    /// The same program begins anew.
    Restart,
}

/// The process itself, as administrators see it.
#[async_trait]
pub trait Process: Send + Sync {
    /// While quiet, no trigger makes a build; what triggers saw waits and is carried out afterwards.
    fn set_quiet(&self, quiet: bool);
    /// Ends this life soon; the answer to whoever asked still leaves.
    fn end(&self, how: Ending);
    /// Runs plain Groovy without steps; the answer is what it printed, as Jenkins' script console shows it.
    async fn script(&self, groovy: String) -> Result<String, EdgeError>;
}

/// A provider of OpenID Connect, which vouches for people. `None`: none is set up.
#[async_trait]
pub trait LoginProvider: Send + Sync {
    /// Whether one is set up.
    async fn offered(&self) -> bool;
    /// Where a person is sent; the provider sends them on to `back`.
    async fn address(&self, journey: &Journey, back: &str) -> Result<Option<String>, EdgeError>;
    /// What the provider says of the person who brought this code, checked.
    async fn claims(
        &self,
        journey: &Journey,
        code: &str,
        back: &str,
    ) -> Result<Option<(oidc::Provider, Claims)>, EdgeError>;
}

/// Reads Jenkinsfiles without running them. Problems are lines in Jenkins' words, with their places.
pub trait JenkinsfileSyntax: Send + Sync {
    /// All problems; empty: it can run.
    fn validate(&self, jenkinsfile: &str) -> Vec<String>;
    /// The JSON model of a Declarative Pipeline.
    ///
    /// # Errors
    /// All problems.
    fn to_json(&self, jenkinsfile: &str) -> Result<serde_json::Value, Vec<String>>;
    /// The Jenkinsfile of a JSON model.
    ///
    /// # Errors
    /// All problems.
    fn to_jenkinsfile(&self, model: &serde_json::Value) -> Result<String, Vec<String>>;
}

/// The answer to a git host.
#[derive(Clone, Debug, PartialEq)]
pub struct HookAnswer {
    /// HTTP status.
    pub status: u16,
    /// One line for the host's delivery log.
    pub message: String,
}

/// Hears git hosts. A 2xx answer means: on disk.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Verifies and records one delivery.
    async fn receive(&self, host: &str, headers: &HeaderMap, body: Bytes) -> HookAnswer;
}

/// A step's key from its parts.
pub(crate) fn key(build: BuildId, step: &str, attempt: u32) -> StepKey {
    StepKey { build, step: StepId::new(step), attempt }
}

/// Milliseconds of an edge as the model's.
pub(crate) fn millis(at: i64) -> Millis {
    Millis(at)
}
