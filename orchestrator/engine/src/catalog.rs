//! What is kept beside the journals: pipelines, lists of builds, trigger positions, deliveries, audit, credentials.
//!
//! `server`, `scm` and `cli` ask through this and never through a store.

use async_trait::async_trait;
use haliotis_model::{BuildId, BuildStatus, BuildSummary, Millis, Object, Pipeline};
use serde::{Deserialize, Serialize};

use crate::journal::{JournalError, OutboxItem};

/// Which builds to list. Newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildFilter {
    /// Of this pipeline alone.
    pub pipeline: Option<String>,
    /// In this state alone.
    pub status: Option<BuildStatus>,
    /// Older than this one: the page before.
    pub before: Option<BuildId>,
    /// Those alone whose causes or parameters name a model package.
    pub about_models: bool,
    /// At most so many; capped by [`BuildFilter::MAX`].
    pub limit: u32,
}

impl BuildFilter {
    /// One page never has more rows, whoever asks: a bound on memory and on a page's size.
    pub const MAX: u32 = 500;
}

/// Something a person or a trigger did; kept for ever, append only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// What, as `model.approve`, `input.answer`, `build.abort`, `pipeline.register`.
    pub action: String,
    /// To what: a build, an ARN, a pipeline.
    pub subject: String,
    /// Why, in the person's words.
    #[serde(default)]
    pub reason: String,
    /// The rest.
    #[serde(default)]
    pub detail: Object,
}

/// A webhook delivery, on disk before it is acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The host's id, prefixed by the host's name; the same id is never handled twice.
    pub id: String,
    /// When it came.
    pub at: Millis,
    /// As `github`.
    pub host: String,
    /// As `push`.
    pub event: String,
    /// The body as received.
    pub payload: String,
    /// What came of it; empty while it waits.
    #[serde(default)]
    pub outcome: String,
}

/// A stored credential. Its fields are secret; the store keeps the file private to the user.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// As pipelines name it.
    pub id: String,
    /// `text`, `username-password`, `aws`, `aws-role`, `ssh-key`, `certificate`, `file`.
    pub kind: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Field to value.
    pub fields: std::collections::BTreeMap<String, String>,
    /// Where it may be used. Sealed with the fields, so a list of credentials, which is not opened, shows none.
    #[serde(default)]
    pub bounds: haliotis_model::bounds::Bounds,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// An outbox row.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    /// Its number.
    pub id: i64,
    /// The build that asked for it.
    pub build: BuildId,
    /// What to do.
    pub item: OutboxItem,
    /// How often it was tried.
    pub attempts: u32,
}

/// Remembers. Every `Ok` of a write means: on disk. Errors are those of the store.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Adds or replaces a pipeline by name.
    async fn put_pipeline(&self, pipeline: &Pipeline) -> Result<(), JournalError>;
    /// One by name.
    async fn pipeline(&self, name: &str) -> Result<Option<Pipeline>, JournalError>;
    /// All, by name.
    async fn pipelines(&self) -> Result<Vec<Pipeline>, JournalError>;
    /// Removes one; its builds stay. `false`: there was none.
    async fn remove_pipeline(&self, name: &str) -> Result<bool, JournalError>;

    /// Gives a pipeline another name, with its builds, their numbers and the documents kept under its name. `false`:
    /// there is none. An error, and nothing changed, when the new name is in use, also by builds of a removed pipeline.
    async fn rename_pipeline(&self, from: &str, to: &str) -> Result<bool, JournalError>;
    /// The number of the next build of a pipeline will be at least this one.
    async fn raise_next_number(&self, pipeline: &str, next: u32) -> Result<(), JournalError>;
    /// The number its next build will have.
    async fn next_number(&self, pipeline: &str) -> Result<u32, JournalError>;
    /// The newest build of each registered pipeline that has any, by pipeline name.
    async fn newest_builds(&self) -> Result<Vec<BuildSummary>, JournalError>;

    /// Keeps a text of an edge's own under a kind and a name, as Jenkins' config.xml of a job.
    async fn put_document(&self, kind: &str, name: &str, body: &str) -> Result<(), JournalError>;
    /// One of them.
    async fn document(&self, kind: &str, name: &str) -> Result<Option<String>, JournalError>;
    /// Names and texts of a kind, by name.
    async fn documents(&self, kind: &str) -> Result<Vec<(String, String)>, JournalError>;
    /// Puts a text in the place of another: `false`, and nothing changed, when the text that is there is not `expected`
    /// (`None`: there is none). So that several servers over one database may keep one table.
    async fn swap_document(
        &self,
        kind: &str,
        name: &str,
        expected: Option<&str>,
        body: &str,
    ) -> Result<bool, JournalError>;
    /// Removes one; `false`: there was none.
    async fn remove_document(&self, kind: &str, name: &str) -> Result<bool, JournalError>;

    /// Builds, newest first.
    async fn builds(&self, filter: &BuildFilter) -> Result<Vec<BuildSummary>, JournalError>;
    /// One by id.
    async fn build(&self, id: BuildId) -> Result<Option<BuildSummary>, JournalError>;
    /// One by what people call it.
    async fn find_build(&self, pipeline: &str, number: u32) -> Result<Option<BuildId>, JournalError>;

    /// Removes an ended build: its journal and its row, never its number. `false`: there is none, or it has not ended, or
    /// something of it still waits to be done outside. Files of it are the caller's to remove, before this.
    async fn remove_build(&self, id: BuildId) -> Result<bool, JournalError> {
        Err(JournalError::Store(format!("this catalogue keeps all builds, build {id} too")))
    }
    /// Forgets deliveries that were dealt with and came before `before`; answers how many.
    async fn remove_deliveries(&self, before: Millis) -> Result<u64, JournalError> {
        let _ = before;
        Ok(0)
    }

    /// A small named value: a trigger's position.
    async fn cursor(&self, name: &str) -> Result<Option<String>, JournalError>;
    /// Sets it.
    async fn set_cursor(&self, name: &str, value: &str) -> Result<(), JournalError>;

    /// Records a delivery; `false`: its id was there already.
    async fn record_delivery(&self, delivery: &Delivery) -> Result<bool, JournalError>;
    /// Notes what came of it.
    async fn delivery_outcome(&self, id: &str, outcome: &str) -> Result<(), JournalError>;
    /// Newest first; `waiting`: those without an outcome alone, oldest first.
    async fn deliveries(&self, waiting: bool, limit: u32) -> Result<Vec<Delivery>, JournalError>;

    /// Adds to the audit trail.
    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), JournalError>;
    /// Newest first; of one subject alone where given.
    async fn audit(&self, subject: Option<&str>, limit: u32) -> Result<Vec<AuditEntry>, JournalError>;

    /// Adds or replaces.
    async fn put_credential(&self, credential: &Credential) -> Result<(), JournalError>;
    /// One by id.
    async fn credential(&self, id: &str) -> Result<Option<Credential>, JournalError>;
    /// Ids, kinds and descriptions; fields are empty.
    async fn credentials(&self) -> Result<Vec<Credential>, JournalError>;
    /// Removes one; `false`: there was none.
    async fn remove_credential(&self, id: &str) -> Result<bool, JournalError>;

    /// Outbox rows that are due at `now`, oldest first.
    async fn outbox_due(&self, now: Millis, limit: u32) -> Result<Vec<OutboxRow>, JournalError>;
    /// Done: the row goes.
    async fn outbox_done(&self, id: i64) -> Result<(), JournalError>;
    /// Not done: the next try is at `next`.
    async fn outbox_failed(&self, id: i64, error: &str, next: Millis) -> Result<(), JournalError>;
}
