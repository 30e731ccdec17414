//! Builds and turns ready to be written, and the fence.
//!
//! The fence: under the write lock the last turns of all builds are read once; a turn that follows its build's last one
//! is taken and becomes the last one itself (so several turns of one build may be in a group), any other is refused
//! alone. Nothing is written for a refused one.

use std::collections::BTreeMap;
use std::sync::Arc;

use haliotis_engine::{Append, JournalError, OutboxItem};
use haliotis_model::{BuildId, BuildResult, NewBuild};

use super::words;

/// Bytes of one turn as JSON at most. A program's answers are small and large results go to blobs, so more than this is a
/// mistake; it would also have to fit into memory several times.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// A turn ready to be written; made by the caller's task, so that the writer does not spend its time on JSON.
pub struct NewTurn {
    pub(crate) build: i64,
    pub(crate) after: i64,
    pub(crate) at: i64,
    pub(crate) body: Arc<str>,
    pub(crate) status: &'static str,
    pub(crate) ended: Option<(BuildResult, Option<String>)>,
    pub(crate) outbox: Vec<(String, Arc<str>)>,
}

impl NewTurn {
    /// Encodes. Fails for a turn that is too large.
    pub(crate) fn encode(append: &Append) -> Result<Self, JournalError> {
        Ok(Self {
            build: append.build.0,
            after: i64::try_from(append.after).unwrap_or(i64::MAX),
            at: append.turn.at.0,
            body: encode(append.build, "turn", &append.turn)?,
            status: words::status(append.status),
            ended: append.ended.clone(),
            outbox: append.outbox.iter().map(|item| encode_item(append.build, item)).collect::<Result<_, _>>()?,
        })
    }

    /// Its number.
    pub(crate) fn seq(&self) -> i64 {
        self.after.saturating_add(1)
    }
}

fn encode_item(build: BuildId, item: &OutboxItem) -> Result<(String, Arc<str>), JournalError> {
    Ok((item.kind.clone(), encode(build, "outbox item", &item.body)?))
}

/// JSON within the limit.
pub(crate) fn encode(build: BuildId, what: &str, value: &impl serde::Serialize) -> Result<Arc<str>, JournalError> {
    let text = serde_json::to_string(value).map_err(|error| {
        JournalError::Store(format!("a {what} of build {build} cannot be written as JSON: {error}"))
    })?;
    if text.len() > MAX_BODY {
        return Err(JournalError::Store(format!(
            "a {what} of build {build} has {} bytes, the limit is {MAX_BODY}; put large results into files or objects",
            text.len()
        )));
    }
    Ok(text.into())
}

/// A build ready to be written.
pub struct NewBuildRow {
    pub(crate) pipeline: Arc<str>,
    pub(crate) once: Option<Arc<str>>,
    pub(crate) created_at: i64,
    pub(crate) commit: Option<String>,
    pub(crate) causes: Arc<str>,
    pub(crate) parameters: Arc<str>,
    pub(crate) pinned: Arc<str>,
}

impl NewBuildRow {
    pub(crate) fn encode(build: &NewBuild) -> Result<Self, JournalError> {
        let id = BuildId(0);
        Ok(Self {
            pipeline: build.pipeline.as_str().into(),
            once: build.once.as_deref().map(Into::into),
            created_at: build.created_at.0,
            commit: build.source.commit.clone(),
            causes: encode(id, "cause", &build.causes)?,
            parameters: encode(id, "parameter", &build.parameters)?,
            pinned: encode(id, "definition", build)?,
        })
    }
}

/// What is known of a build while a group is written.
pub(crate) struct Head {
    pub(crate) last_seq: i64,
    pub(crate) changed: Option<Change>,
}

/// The result, why, and when.
pub(crate) type End = (BuildResult, Option<String>, i64);

/// What a group does to a build's row.
pub(crate) struct Change {
    pub(crate) status: &'static str,
    pub(crate) ended: Option<End>,
}

/// The fence.
pub(crate) fn admit(heads: &mut BTreeMap<i64, Head>, turn: &NewTurn) -> Result<(), JournalError> {
    let build = BuildId(turn.build);
    let Some(head) = heads.get_mut(&turn.build) else { return Err(JournalError::NoBuild(build)) };
    if head.last_seq != turn.after {
        return Err(JournalError::Fenced { build, expected: u64::try_from(turn.after).unwrap_or(0) });
    }
    head.last_seq += 1;
    let earlier = head.changed.take().and_then(|change| change.ended);
    let ended = turn.ended.clone().map(|(result, message)| (result, message, turn.at));
    head.changed = Some(Change { status: turn.status, ended: ended.or(earlier) });
    Ok(())
}
