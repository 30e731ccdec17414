//! The same behaviour without a disk, for tests and simulation.
//!
//! What [`crate::SqliteStore`] keeps in its file this keeps in one value behind a lock; each call is one critical section,
//! so each is atomic. A restart of the server is simulated by keeping the value and making everything else anew.
//! [`MemoryStore::refuse_writes`] plays a full disk.

mod catalog;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use haliotis_engine::{Append, AuditEntry, Created, Credential, Delivery, Journal, JournalError, OutboxItem, Turn};
use haliotis_model::{BuildId, BuildStatus, BuildSummary, Millis, NewBuild, Pipeline};

/// A store that forgets when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refusal: Option<String>,
    numbers: BTreeMap<String, u32>,
    builds: BTreeMap<BuildId, Kept>,
    outbox: BTreeMap<i64, Waiting>,
    last_outbox: i64,
    pipelines: BTreeMap<String, Pipeline>,
    cursors: BTreeMap<String, String>,
    documents: BTreeMap<(String, String), String>,
    deliveries: Vec<Delivery>,
    audit: Vec<AuditEntry>,
    credentials: BTreeMap<String, Credential>,
}

#[derive(Debug)]
struct Kept {
    pinned: NewBuild,
    turns: Vec<Turn>,
    summary: BuildSummary,
}

#[derive(Debug)]
struct Waiting {
    build: BuildId,
    item: OutboxItem,
    attempts: u32,
    due: Millis,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every write answers `JournalError::Store` with this reason and changes nothing; `None`: writes go
    /// through again.
    pub fn refuse_writes(&self, reason: Option<&str>) {
        self.read().refusal = reason.map(str::to_owned);
    }

    fn read(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave a half write: each is made only after all its checks.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<MutexGuard<'_, State>, JournalError> {
        let state = self.read();
        match &state.refusal {
            Some(reason) => Err(JournalError::Store(reason.clone())),
            None => Ok(state),
        }
    }
}

#[async_trait]
impl Journal for MemoryStore {
    async fn create(&self, mut build: NewBuild) -> Result<Created, JournalError> {
        let mut state = self.write()?;
        if let Some(found) = state.made_for(build.once.as_deref()) {
            return Ok(found);
        }
        let number = state.numbers.entry(build.pipeline.clone()).or_default();
        *number += 1;
        build.number = *number;
        let id = BuildId(state.builds.last_key_value().map_or(1, |(last, _)| last.0 + 1));
        let created = Created { id, number: build.number, existing: false };
        let kept = Kept { summary: summary(id, &build), pinned: build, turns: Vec::new() };
        state.builds.insert(id, kept);
        Ok(created)
    }

    async fn load(&self, build: BuildId) -> Result<(NewBuild, Vec<Turn>), JournalError> {
        let state = self.read();
        let kept = state.builds.get(&build).ok_or(JournalError::NoBuild(build))?;
        Ok((kept.pinned.clone(), kept.turns.clone()))
    }

    async fn unfinished(&self) -> Result<Vec<BuildId>, JournalError> {
        let state = self.read();
        let unfinished = state.builds.iter().filter(|(_, kept)| kept.summary.status != BuildStatus::Ended);
        Ok(unfinished.map(|(id, _)| *id).collect())
    }

    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Result<(), JournalError>>, JournalError> {
        let mut state = self.write()?;
        Ok(appends.into_iter().map(|append| state.append(append)).collect())
    }
}

impl State {
    fn made_for(&self, once: Option<&str>) -> Option<Created> {
        let once = once?;
        let (id, kept) = self.builds.iter().find(|(_, kept)| kept.pinned.once.as_deref() == Some(once))?;
        Some(Created { id: *id, number: kept.pinned.number, existing: true })
    }

    fn append(&mut self, append: Append) -> Result<(), JournalError> {
        let build = append.build;
        let kept = self.builds.get_mut(&build).ok_or(JournalError::NoBuild(build))?;
        if kept.turns.len() as u64 != append.after {
            return Err(JournalError::Fenced { build, expected: append.after });
        }
        let at = append.turn.at;
        kept.turns.push((*append.turn).clone());
        kept.summary.status = append.status;
        if let Some((result, message)) = append.ended {
            kept.summary.result = Some(result);
            kept.summary.message = message;
            kept.summary.ended_at = Some(at);
        }
        for item in append.outbox {
            self.last_outbox += 1;
            self.outbox.insert(self.last_outbox, Waiting { build, item, attempts: 0, due: at });
        }
        Ok(())
    }
}

fn summary(id: BuildId, build: &NewBuild) -> BuildSummary {
    BuildSummary {
        id,
        pipeline: build.pipeline.clone(),
        number: build.number,
        status: BuildStatus::Queued,
        result: None,
        message: None,
        created_at: build.created_at,
        ended_at: None,
        causes: build.causes.clone(),
        commit: build.source.commit.clone(),
        parameters: build.parameters.clone(),
    }
}

#[cfg(test)]
mod tests {
    use haliotis_engine::Catalog;

    use super::*;

    #[tokio::test]
    async fn refused_writes_change_nothing_until_they_are_let_through() {
        let store = MemoryStore::new();
        store.refuse_writes(Some("the disk is full"));
        let error = store.set_cursor("a", "b").await.unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert!(store.append(Vec::new()).await.is_err());
        assert_eq!(store.cursor("a").await.unwrap(), None);
        store.refuse_writes(None);
        store.set_cursor("a", "b").await.unwrap();
        assert_eq!(store.cursor("a").await.unwrap().as_deref(), Some("b"));
    }
}
