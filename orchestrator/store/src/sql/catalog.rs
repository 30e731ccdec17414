//! [`Catalog`] in SQL.

use async_trait::async_trait;
use haliotis_engine::{AuditEntry, BuildFilter, Catalog, Credential, Delivery, JournalError, OutboxItem, OutboxRow};
use haliotis_model::{BuildId, BuildStatus, BuildSummary, Millis, Pipeline};
use serde::Serialize;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::row::{self, Columns, RowError, SUMMARY, json, number};
use super::statement::Statement;
use super::{Database, Sql, words};

#[async_trait]
impl<D: Database> Catalog for Sql<D> {
    async fn put_pipeline(&self, pipeline: &Pipeline) -> Result<(), JournalError> {
        let statement = Statement::new(
            "INSERT INTO pipelines (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        );
        self.change(statement.bind(pipeline.name.as_str()).bind(text(pipeline)?)).await.map(drop)
    }

    async fn pipeline(&self, name: &str) -> Result<Option<Pipeline>, JournalError> {
        let statement = Statement::new("SELECT body FROM pipelines WHERE name = ?1").bind(name);
        self.row(statement, |row| json(row, 0, format_args!("pipeline {name}"))).await
    }

    async fn pipelines(&self) -> Result<Vec<Pipeline>, JournalError> {
        let statement = Statement::new("SELECT body, name FROM pipelines ORDER BY name");
        self.rows(statement, |row| json(row, 0, format_args!("pipeline {}", row.text(1)?))).await
    }

    async fn remove_pipeline(&self, name: &str) -> Result<bool, JournalError> {
        Ok(self.change(Statement::new("DELETE FROM pipelines WHERE name = ?1").bind(name)).await? > 0)
    }

    async fn rename_pipeline(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        let Some(mut pipeline) = self.pipeline(from).await? else { return Ok(false) };
        to.clone_into(&mut pipeline.name);
        // The unique keys refuse a name that is in use; all of it is one transaction then and nothing is left.
        let statement = Statement::new(
            "UPDATE numbers SET pipeline = ?2 WHERE pipeline = ?1;
             UPDATE builds SET pipeline = ?2 WHERE pipeline = ?1;
             UPDATE documents SET name = ?2 WHERE name = ?1;
             UPDATE pipelines SET name = ?2, body = ?3 WHERE name = ?1",
        );
        self.change(statement.bind(from).bind(to).bind(text(&pipeline)?)).await.map(|_| true)
    }

    async fn raise_next_number(&self, pipeline: &str, next: u32) -> Result<(), JournalError> {
        let statement = Statement::new(
            "INSERT INTO numbers (pipeline, last) VALUES (?1, ?2)
             ON CONFLICT (pipeline) DO UPDATE
                 SET last = CASE WHEN numbers.last < excluded.last THEN excluded.last ELSE numbers.last END",
        );
        self.change(statement.bind(pipeline).bind(i64::from(next.saturating_sub(1)))).await.map(drop)
    }

    async fn next_number(&self, pipeline: &str) -> Result<u32, JournalError> {
        let statement = Statement::new("SELECT last FROM numbers WHERE pipeline = ?1").bind(pipeline);
        Ok(self.row(statement, |row| number(row, 0)).await?.unwrap_or(0).saturating_add(1))
    }

    async fn newest_builds(&self) -> Result<Vec<BuildSummary>, JournalError> {
        // One look into the index a pipeline, however many builds there are.
        let sql = format!(
            "SELECT {SUMMARY} FROM builds WHERE id IN
             (SELECT (SELECT max(b.id) FROM builds b WHERE b.pipeline = p.name) FROM pipelines p) ORDER BY pipeline"
        );
        self.rows(Statement::new(AssertSqlSafe(sql).into_sql_str()), row::summary).await
    }

    async fn put_document(&self, kind: &str, name: &str, body: &str) -> Result<(), JournalError> {
        let statement = Statement::new(
            "INSERT INTO documents (kind, name, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
        );
        self.change(statement.bind(kind).bind(name).bind(body)).await.map(drop)
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<String>, JournalError> {
        let statement = Statement::new("SELECT body FROM documents WHERE kind = ?1 AND name = ?2");
        self.row(statement.bind(kind).bind(name), |row| Ok(row.text(0)?.to_owned())).await
    }

    async fn documents(&self, kind: &str) -> Result<Vec<(String, String)>, JournalError> {
        let statement = Statement::new("SELECT name, body FROM documents WHERE kind = ?1 ORDER BY name").bind(kind);
        self.rows(statement, |row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).await
    }

    async fn swap_document(
        &self,
        kind: &str,
        name: &str,
        expected: Option<&str>,
        body: &str,
    ) -> Result<bool, JournalError> {
        let statement = match expected {
            None => Statement::new(
                "INSERT INTO documents (kind, name, body) VALUES (?1, ?2, ?3) ON CONFLICT (kind, name) DO NOTHING",
            )
            .bind(kind)
            .bind(name)
            .bind(body),
            Some(expected) => {
                Statement::new("UPDATE documents SET body = ?3 WHERE kind = ?1 AND name = ?2 AND body = ?4")
                    .bind(kind)
                    .bind(name)
                    .bind(body)
                    .bind(expected)
            }
        };
        Ok(self.change(statement).await? > 0)
    }

    async fn remove_document(&self, kind: &str, name: &str) -> Result<bool, JournalError> {
        let statement = Statement::new("DELETE FROM documents WHERE kind = ?1 AND name = ?2");
        Ok(self.change(statement.bind(kind).bind(name)).await? > 0)
    }

    async fn builds(&self, filter: &BuildFilter) -> Result<Vec<BuildSummary>, JournalError> {
        self.rows(list(filter), row::summary).await
    }

    async fn build(&self, id: BuildId) -> Result<Option<BuildSummary>, JournalError> {
        self.row(Statement::new(ONE_BUILD.as_str()).bind(id.0), row::summary).await
    }

    async fn find_build(&self, pipeline: &str, number: u32) -> Result<Option<BuildId>, JournalError> {
        let statement = Statement::new("SELECT id FROM builds WHERE pipeline = ?1 AND number = ?2");
        self.row(statement.bind(pipeline).bind(i64::from(number)), |row| Ok(BuildId(row.int(0)?))).await
    }

    async fn remove_build(&self, id: BuildId) -> Result<bool, JournalError> {
        // The outbox outlives a build's end: what it still asks of the outside keeps the build.
        let statement = Statement::new(
            "DELETE FROM journal WHERE build = ?1 AND EXISTS (SELECT 1 FROM builds WHERE id = ?1 AND status = 'ended')
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE build = ?1);
             DELETE FROM builds WHERE id = ?1 AND status = 'ended'
                 AND NOT EXISTS (SELECT 1 FROM journal WHERE build = ?1)",
        );
        Ok(self.change(statement.bind(id.0)).await? > 0)
    }

    async fn remove_deliveries(&self, before: Millis) -> Result<u64, JournalError> {
        let statement = Statement::new("DELETE FROM deliveries WHERE outcome <> '' AND at < ?1");
        self.change(statement.bind(before.0)).await
    }

    async fn cursor(&self, name: &str) -> Result<Option<String>, JournalError> {
        let statement = Statement::new("SELECT value FROM cursors WHERE name = ?1").bind(name);
        self.row(statement, |row| Ok(row.text(0)?.to_owned())).await
    }

    async fn set_cursor(&self, name: &str, value: &str) -> Result<(), JournalError> {
        let statement = Statement::new(
            "INSERT INTO cursors (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        );
        self.change(statement.bind(name).bind(value)).await.map(drop)
    }

    async fn record_delivery(&self, delivery: &Delivery) -> Result<bool, JournalError> {
        let statement = Statement::new(
            "INSERT INTO deliveries (id, at, host, event, payload, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(delivery.id.as_str())
        .bind(delivery.at.0)
        .bind(delivery.host.as_str())
        .bind(delivery.event.as_str())
        .bind(delivery.payload.as_str())
        .bind(delivery.outcome.as_str());
        Ok(self.change(statement).await? > 0)
    }

    async fn delivery_outcome(&self, id: &str, outcome: &str) -> Result<(), JournalError> {
        let statement = Statement::new("UPDATE deliveries SET outcome = ?2 WHERE id = ?1").bind(id).bind(outcome);
        match self.change(statement).await? {
            0 => Err(JournalError::Store(format!("there is no delivery {id}, so nothing can come of it"))),
            _ => Ok(()),
        }
    }

    async fn deliveries(&self, waiting: bool, limit: u32) -> Result<Vec<Delivery>, JournalError> {
        let statement = Statement::new(if waiting {
            "SELECT id, at, host, event, payload, outcome FROM deliveries WHERE outcome = '' ORDER BY arrival LIMIT ?1"
        } else {
            "SELECT id, at, host, event, payload, outcome FROM deliveries ORDER BY arrival DESC LIMIT ?1"
        });
        self.rows(statement.bind(i64::from(limit)), delivery).await
    }

    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), JournalError> {
        self.append_audit(entry, &text(&entry.detail)?).await
    }

    async fn audit(&self, subject: Option<&str>, limit: u32) -> Result<Vec<AuditEntry>, JournalError> {
        let limit = i64::from(limit);
        let statement = match subject {
            None => Statement::new(
                "SELECT at, by, action, subject, reason, detail FROM audit ORDER BY entry DESC LIMIT ?1",
            )
            .bind(limit),
            Some(subject) => Statement::new(
                "SELECT at, by, action, subject, reason, detail FROM audit WHERE subject = ?2 ORDER BY entry DESC LIMIT ?1",
            )
            .bind(limit)
            .bind(subject),
        };
        self.rows(statement, audit_entry).await
    }

    async fn put_credential(&self, credential: &Credential) -> Result<(), JournalError> {
        let credential = self.1.close(credential)?;
        let statement = Statement::new(
            "INSERT INTO credentials (id, kind, description, fields) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, description = excluded.description, fields = excluded.fields",
        )
        .bind(credential.id.as_str())
        .bind(credential.kind.as_str())
        .bind(credential.description.as_str())
        .bind(text(&credential.fields)?);
        self.change(statement).await.map(drop)
    }

    async fn credential(&self, id: &str) -> Result<Option<Credential>, JournalError> {
        let statement = Statement::new("SELECT id, kind, description, fields FROM credentials WHERE id = ?1").bind(id);
        self.row(statement, credential).await?.map(|sealed| self.1.open(sealed)).transpose()
    }

    async fn credentials(&self) -> Result<Vec<Credential>, JournalError> {
        // The secret fields are not even read.
        let statement = Statement::new("SELECT id, kind, description, '{}' FROM credentials ORDER BY id");
        self.rows(statement, credential).await
    }

    async fn remove_credential(&self, id: &str) -> Result<bool, JournalError> {
        Ok(self.change(Statement::new("DELETE FROM credentials WHERE id = ?1").bind(id)).await? > 0)
    }

    async fn outbox_due(&self, now: Millis, limit: u32) -> Result<Vec<OutboxRow>, JournalError> {
        let statement =
            Statement::new("SELECT id, build, kind, body, attempts FROM outbox WHERE due <= ?1 ORDER BY id LIMIT ?2");
        self.rows(statement.bind(now.0).bind(i64::from(limit)), outbox_row).await
    }

    async fn outbox_done(&self, id: i64) -> Result<(), JournalError> {
        self.change(Statement::new("DELETE FROM outbox WHERE id = ?1").bind(id)).await.map(drop)
    }

    async fn outbox_failed(&self, id: i64, error: &str, next: Millis) -> Result<(), JournalError> {
        let statement = Statement::new("UPDATE outbox SET attempts = attempts + 1, error = ?2, due = ?3 WHERE id = ?1");
        self.change(statement.bind(id).bind(error).bind(next.0)).await.map(drop)
    }
}

impl<D: Database> Sql<D> {
    /// The first row of a query.
    async fn row<T: Send>(
        &self,
        statement: Statement,
        read: impl Fn(&D::Row) -> Result<T, RowError> + Send,
    ) -> Result<Option<T>, JournalError> {
        Ok(self.rows(statement, read).await?.pop())
    }
}

pub(super) fn text(value: &impl Serialize) -> Result<String, JournalError> {
    serde_json::to_string(value)
        .map_err(|error| JournalError::Store(format!("a record cannot be written as JSON: {error}")))
}

fn delivery(row: &impl Columns) -> Result<Delivery, RowError> {
    Ok(Delivery {
        id: row.text(0)?.to_owned(),
        at: Millis(row.int(1)?),
        host: row.text(2)?.to_owned(),
        event: row.text(3)?.to_owned(),
        payload: row.text(4)?.to_owned(),
        outcome: row.text(5)?.to_owned(),
    })
}

fn audit_entry(row: &impl Columns) -> Result<AuditEntry, RowError> {
    Ok(AuditEntry {
        at: Millis(row.int(0)?),
        by: row.text(1)?.to_owned(),
        action: row.text(2)?.to_owned(),
        subject: row.text(3)?.to_owned(),
        reason: row.text(4)?.to_owned(),
        detail: json(row, 5, "the detail of an audit entry")?,
    })
}

pub(super) fn credential(row: &impl Columns) -> Result<Credential, RowError> {
    let id = row.text(0)?.to_owned();
    let fields = json(row, 3, format_args!("credential {id}"))?;
    Ok(Credential {
        id,
        kind: row.text(1)?.to_owned(),
        description: row.text(2)?.to_owned(),
        fields,
        bounds: Default::default(),
    })
}

fn outbox_row(row: &impl Columns) -> Result<OutboxRow, RowError> {
    let id = row.int(0)?;
    let item = OutboxItem { kind: row.text(2)?.to_owned(), body: json(row, 3, format_args!("outbox item {id}"))? };
    Ok(OutboxRow { id, build: BuildId(row.int(1)?), item, attempts: number(row, 4)? })
}

/// As the index `builds_of_models` has it, letter for letter.
const ABOUT_MODELS: &str = " AND (causes LIKE '%:model-package/%' OR parameters LIKE '%:model-package/%')";

/// The query of a filter. Each combination is a text of its own, so that the database can choose the index.
fn list(filter: &BuildFilter) -> Statement {
    let limit = if filter.limit == 0 { BuildFilter::MAX } else { filter.limit.min(BuildFilter::MAX) };
    let mut sql = format!("SELECT {SUMMARY} FROM builds WHERE id < ?1");
    if filter.pipeline.is_some() {
        sql.push_str(" AND pipeline = ?3");
    }
    match filter.status {
        None => {}
        Some(BuildStatus::Ended) => sql.push_str(" AND status = ?4"),
        // Both terms: the second lets SQLite see that the index of active builds will do.
        Some(_) => sql.push_str(" AND status = ?4 AND status <> 'ended'"),
    }
    if filter.about_models {
        sql.push_str(ABOUT_MODELS);
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?2");
    // The text is made of constants; all values are bound.
    Statement::new(AssertSqlSafe(sql).into_sql_str())
        .bind(filter.before.map_or(i64::MAX, |build| build.0))
        .bind(i64::from(limit))
        .bind(filter.pipeline.as_deref())
        .bind(filter.status.map(words::status))
}

static ONE_BUILD: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| format!("SELECT {SUMMARY} FROM builds WHERE id = ?1"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;

    /// Lists must not read every build: each combination names the index it goes by.
    #[tokio::test]
    async fn lists_go_by_an_index() {
        let temp = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&temp.path().join("haliotis.db")).await.unwrap();
        let pipeline = Some("p".to_owned());
        let plans = [
            (BuildFilter::default(), "SEARCH builds USING INTEGER PRIMARY KEY"),
            (BuildFilter { pipeline: pipeline.clone(), ..BuildFilter::default() }, "builds_of_pipeline"),
            (BuildFilter { status: Some(BuildStatus::Waiting), ..BuildFilter::default() }, "builds_active"),
            (
                BuildFilter { pipeline, status: Some(BuildStatus::Ended), ..BuildFilter::default() },
                "builds_of_pipeline",
            ),
            (BuildFilter { about_models: true, ..BuildFilter::default() }, "builds_of_models"),
        ];
        for (filter, index) in plans {
            let plan: Vec<String> =
                store.rows(list(&filter).explained(), |row| Ok(row.text(3)?.to_owned())).await.unwrap();
            let plan = plan.join("; ");
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?} is read by: {plan}");
        }
    }
}
