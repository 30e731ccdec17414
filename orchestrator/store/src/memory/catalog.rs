//! [`Catalog`] in memory.

use async_trait::async_trait;
use haliotis_engine::{AuditEntry, BuildFilter, Catalog, Credential, Delivery, JournalError, OutboxRow};
use haliotis_model::{BuildId, BuildStatus, BuildSummary, Millis, Pipeline};

use super::MemoryStore;

#[async_trait]
impl Catalog for MemoryStore {
    async fn put_pipeline(&self, pipeline: &Pipeline) -> Result<(), JournalError> {
        self.write()?.pipelines.insert(pipeline.name.clone(), pipeline.clone());
        Ok(())
    }

    async fn pipeline(&self, name: &str) -> Result<Option<Pipeline>, JournalError> {
        Ok(self.read().pipelines.get(name).cloned())
    }

    async fn pipelines(&self) -> Result<Vec<Pipeline>, JournalError> {
        Ok(self.read().pipelines.values().cloned().collect())
    }

    async fn remove_pipeline(&self, name: &str) -> Result<bool, JournalError> {
        Ok(self.write()?.pipelines.remove(name).is_some())
    }

    async fn rename_pipeline(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        let mut state = self.write()?;
        if !state.pipelines.contains_key(from) {
            return Ok(false);
        }
        let in_use = state.pipelines.contains_key(to) || state.numbers.contains_key(to);
        if in_use || state.documents.keys().any(|(_, name)| name == to) {
            return Err(JournalError::Store(format!("the name {to} is in use")));
        }
        if let Some(mut pipeline) = state.pipelines.remove(from) {
            to.clone_into(&mut pipeline.name);
            state.pipelines.insert(to.to_owned(), pipeline);
        }
        if let Some(last) = state.numbers.remove(from) {
            state.numbers.insert(to.to_owned(), last);
        }
        for kept in state.builds.values_mut().filter(|kept| kept.summary.pipeline == from) {
            to.clone_into(&mut kept.summary.pipeline);
        }
        let documents = std::mem::take(&mut state.documents);
        let renamed = |name: String| if name == from { to.to_owned() } else { name };
        state.documents = documents.into_iter().map(|((kind, name), body)| ((kind, renamed(name)), body)).collect();
        Ok(true)
    }

    async fn raise_next_number(&self, pipeline: &str, next: u32) -> Result<(), JournalError> {
        let mut state = self.write()?;
        let last = state.numbers.entry(pipeline.to_owned()).or_default();
        *last = (*last).max(next.saturating_sub(1));
        Ok(())
    }

    async fn next_number(&self, pipeline: &str) -> Result<u32, JournalError> {
        Ok(self.read().numbers.get(pipeline).copied().unwrap_or(0).saturating_add(1))
    }

    async fn newest_builds(&self) -> Result<Vec<BuildSummary>, JournalError> {
        let state = self.read();
        let mut newest = std::collections::BTreeMap::new();
        for kept in state.builds.values().filter(|kept| state.pipelines.contains_key(&kept.summary.pipeline)) {
            newest.insert(kept.summary.pipeline.clone(), kept.summary.clone());
        }
        Ok(newest.into_values().collect())
    }

    async fn put_document(&self, kind: &str, name: &str, body: &str) -> Result<(), JournalError> {
        self.write()?.documents.insert((kind.to_owned(), name.to_owned()), body.to_owned());
        Ok(())
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<String>, JournalError> {
        Ok(self.read().documents.get(&(kind.to_owned(), name.to_owned())).cloned())
    }

    async fn documents(&self, kind: &str) -> Result<Vec<(String, String)>, JournalError> {
        let state = self.read();
        let own = state.documents.iter().filter(|((of, _), _)| of == kind);
        Ok(own.map(|((_, name), body)| (name.clone(), body.clone())).collect())
    }

    async fn swap_document(
        &self,
        kind: &str,
        name: &str,
        expected: Option<&str>,
        body: &str,
    ) -> Result<bool, JournalError> {
        let mut state = self.write()?;
        let key = (kind.to_owned(), name.to_owned());
        if state.documents.get(&key).map(String::as_str) != expected {
            return Ok(false);
        }
        state.documents.insert(key, body.to_owned());
        Ok(true)
    }

    async fn remove_document(&self, kind: &str, name: &str) -> Result<bool, JournalError> {
        Ok(self.write()?.documents.remove(&(kind.to_owned(), name.to_owned())).is_some())
    }

    async fn builds(&self, filter: &BuildFilter) -> Result<Vec<BuildSummary>, JournalError> {
        let limit = if filter.limit == 0 { BuildFilter::MAX } else { filter.limit.min(BuildFilter::MAX) };
        let wanted = |build: &&BuildSummary| {
            filter.pipeline.as_ref().is_none_or(|pipeline| *pipeline == build.pipeline)
                && filter.status.is_none_or(|status| status == build.status)
                && filter.before.is_none_or(|before| build.id < before)
                && (!filter.about_models || names_model(build))
        };
        let state = self.read();
        Ok(state.builds.values().rev().map(|kept| &kept.summary).filter(wanted).take(limit as usize).cloned().collect())
    }

    async fn build(&self, id: BuildId) -> Result<Option<BuildSummary>, JournalError> {
        Ok(self.read().builds.get(&id).map(|kept| kept.summary.clone()))
    }

    async fn find_build(&self, pipeline: &str, number: u32) -> Result<Option<BuildId>, JournalError> {
        let state = self.read();
        let found = state.builds.values().map(|kept| &kept.summary);
        Ok(found.filter(|build| build.pipeline == pipeline && build.number == number).map(|build| build.id).next())
    }

    async fn remove_build(&self, id: BuildId) -> Result<bool, JournalError> {
        let mut state = self.write()?;
        let ended = state.builds.get(&id).is_some_and(|kept| kept.summary.status == BuildStatus::Ended);
        if !ended || state.outbox.values().any(|waiting| waiting.build == id) {
            return Ok(false);
        }
        state.builds.remove(&id);
        Ok(true)
    }

    async fn remove_deliveries(&self, before: Millis) -> Result<u64, JournalError> {
        let mut state = self.write()?;
        let had = state.deliveries.len();
        state.deliveries.retain(|delivery| delivery.outcome.is_empty() || delivery.at >= before);
        Ok((had - state.deliveries.len()) as u64)
    }

    async fn cursor(&self, name: &str) -> Result<Option<String>, JournalError> {
        Ok(self.read().cursors.get(name).cloned())
    }

    async fn set_cursor(&self, name: &str, value: &str) -> Result<(), JournalError> {
        self.write()?.cursors.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    async fn record_delivery(&self, delivery: &Delivery) -> Result<bool, JournalError> {
        let mut state = self.write()?;
        let is_new = state.deliveries.iter().all(|earlier| earlier.id != delivery.id);
        if is_new {
            state.deliveries.push(delivery.clone());
        }
        Ok(is_new)
    }

    async fn delivery_outcome(&self, id: &str, outcome: &str) -> Result<(), JournalError> {
        let mut state = self.write()?;
        match state.deliveries.iter_mut().find(|delivery| delivery.id == id) {
            Some(delivery) => outcome.clone_into(&mut delivery.outcome),
            None => {
                return Err(JournalError::Store(format!("there is no delivery {id}, so nothing can come of it")));
            }
        }
        Ok(())
    }

    async fn deliveries(&self, waiting: bool, limit: u32) -> Result<Vec<Delivery>, JournalError> {
        let state = self.read();
        let limit = limit as usize;
        Ok(if waiting {
            state.deliveries.iter().filter(|delivery| delivery.outcome.is_empty()).take(limit).cloned().collect()
        } else {
            state.deliveries.iter().rev().take(limit).cloned().collect()
        })
    }

    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), JournalError> {
        self.write()?.audit.push(entry.clone());
        Ok(())
    }

    async fn audit(&self, subject: Option<&str>, limit: u32) -> Result<Vec<AuditEntry>, JournalError> {
        let state = self.read();
        let entries = state.audit.iter().rev().filter(|entry| subject.is_none_or(|subject| subject == entry.subject));
        Ok(entries.take(limit as usize).cloned().collect())
    }

    async fn put_credential(&self, credential: &Credential) -> Result<(), JournalError> {
        self.write()?.credentials.insert(credential.id.clone(), credential.clone());
        Ok(())
    }

    async fn credential(&self, id: &str) -> Result<Option<Credential>, JournalError> {
        Ok(self.read().credentials.get(id).cloned())
    }

    async fn credentials(&self) -> Result<Vec<Credential>, JournalError> {
        let mut credentials: Vec<Credential> = self.read().credentials.values().cloned().collect();
        for credential in &mut credentials {
            credential.fields.clear();
            credential.bounds = Default::default();
        }
        Ok(credentials)
    }

    async fn remove_credential(&self, id: &str) -> Result<bool, JournalError> {
        Ok(self.write()?.credentials.remove(id).is_some())
    }

    async fn outbox_due(&self, now: Millis, limit: u32) -> Result<Vec<OutboxRow>, JournalError> {
        let state = self.read();
        let due = state.outbox.iter().filter(|(_, waiting)| waiting.due <= now).take(limit as usize);
        Ok(due
            .map(|(id, waiting)| OutboxRow {
                id: *id,
                build: waiting.build,
                item: waiting.item.clone(),
                attempts: waiting.attempts,
            })
            .collect())
    }

    async fn outbox_done(&self, id: i64) -> Result<(), JournalError> {
        self.write()?.outbox.remove(&id);
        Ok(())
    }

    async fn outbox_failed(&self, id: i64, _error: &str, next: Millis) -> Result<(), JournalError> {
        if let Some(waiting) = self.write()?.outbox.get_mut(&id) {
            waiting.attempts += 1;
            waiting.due = next;
        }
        Ok(())
    }
}

/// As the databases' condition: a cause or a parameter names a model package.
fn names_model(build: &BuildSummary) -> bool {
    let names = |json: serde_json::Result<String>| json.is_ok_and(|text| text.contains(":model-package/"));
    names(serde_json::to_string(&build.causes)) || names(serde_json::to_string(&build.parameters))
}
