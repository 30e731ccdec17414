//! The audit trail as a chain, and the rotation of the key for credentials.
//!
//! **Two writers.** A row names the row before it, and that is unique: of two servers (or a server and a command beside
//! it) that follow the same row one succeeds, and the other reads the new last row and tries again.

use haliotis_access::chain::{self, Row};
use haliotis_engine::{AuditEntry, Credential, JournalError};

use super::row::Columns;
use super::statement::Statement;
use super::{Database, Sql, catalog};

/// So often a row is tried behind others; each try means that somebody else wrote one.
const TRIES: u32 = 100;

/// A row of the audit trail as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub entry: i64,
    /// The number of the row before; `None`: from before there was a chain.
    pub previous: Option<i64>,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub by: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// More, as JSON text.
    pub detail: String,
    /// Over all of it and the hash before; empty from before there was a chain.
    pub hash: String,
}

impl AuditRow {
    /// As the chain hashes it.
    pub fn link(&self) -> Row<'_> {
        Row {
            previous: self.previous.unwrap_or(0),
            at: self.at,
            by: &self.by,
            action: &self.action,
            subject: &self.subject,
            reason: &self.reason,
            detail: &self.detail,
        }
    }
}

impl<D: Database> Sql<D> {
    /// Adds a row at the end of the chain.
    pub(super) async fn append_audit(&self, entry: &AuditEntry, detail: &str) -> Result<(), JournalError> {
        for _ in 0..TRIES {
            let last = Statement::new("SELECT entry, hash FROM audit ORDER BY entry DESC LIMIT 1");
            let last = self.0.rows(last, |row| Ok((row.int(0)?, row.text(1)?.to_owned()))).await?.pop();
            let (previous, before) = last.unwrap_or_default();
            let before = if before.is_empty() { chain::START } else { &before };
            let (by, action) = (entry.by.as_str(), entry.action.as_str());
            let (subject, reason) = (entry.subject.as_str(), entry.reason.as_str());
            let row = Row { previous, at: entry.at.0, by, action, subject, reason, detail };
            let statement = Statement::new(
                "INSERT INTO audit (at, by, action, subject, reason, detail, previous, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (previous) DO NOTHING",
            );
            let statement = statement.bind(row.at).bind(by).bind(action).bind(subject).bind(reason).bind(detail);
            if self.0.change(statement.bind(previous).bind(chain::hash(before, &row))).await? > 0 {
                return Ok(());
            }
        }
        Err(JournalError::Store("the audit trail is written by too many at once; try again".to_owned()))
    }

    /// A piece of the chain, oldest first.
    pub(crate) async fn chained(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, JournalError> {
        let statement = Statement::new(
            "SELECT entry, previous, at, by, action, subject, reason, detail, hash FROM audit
             WHERE entry > ?1 ORDER BY entry LIMIT ?2",
        );
        let read = |row: &D::Row| {
            let text = |column| row.text(column).map(str::to_owned);
            Ok(AuditRow {
                entry: row.int(0)?,
                previous: row.maybe_int(1)?,
                at: row.int(2)?,
                by: text(3)?,
                action: text(4)?,
                subject: text(5)?,
                reason: text(6)?,
                detail: text(7)?,
                hash: text(8)?,
            })
        };
        self.0.rows(statement.bind(after).bind(i64::from(limit)), read).await
    }

    /// Puts all credentials under a new key.
    pub(crate) async fn rotate(&self) -> Result<usize, JournalError> {
        self.1.begin_rotation()?;
        let all = Statement::new("SELECT id, kind, description, fields FROM credentials ORDER BY id");
        let all: Vec<Credential> = self.0.rows(all, catalog::credential).await?;
        for sealed in &all {
            let Some(renewed) = self.1.renew(sealed)? else { continue };
            // Changed by somebody else meanwhile: theirs is under the new key already, or under the old one and kept,
            // since then the old key is not forgotten.
            let statement = Statement::new("UPDATE credentials SET fields = ?3 WHERE id = ?1 AND fields = ?2");
            let (old, new) = (catalog::text(&sealed.fields)?, catalog::text(&renewed.fields)?);
            if self.0.change(statement.bind(sealed.id.as_str()).bind(old).bind(new)).await? == 0 {
                let reason = format!("credential `{}` was changed meanwhile; rotate again", sealed.id);
                return Err(JournalError::Store(reason));
            }
        }
        self.1.forget_old()?;
        Ok(all.len())
    }
}
