//! Users in the store, the first administrator, and the token of the data folder's owner.
//!
//! Records are documents of the catalogue. Their names begin with `//`, which no pipeline's can, since renaming a
//! pipeline renames the documents of its name.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_access::{
    Grant, Kind, Name, Permissions, Records, RecordsError, Role, Subject, Typed, User, password, random, token,
};
use haliotis_engine::{AuditEntry, now};
use haliotis_model::Object;
use haliotis_store::Store;

use crate::failure::Failure;

/// The administrator that a first start makes.
const FIRST: &str = "admin";
/// Names a file with that administrator's password, for starts that nobody watches.
const PASSWORD_FILE: &str = "HALIOTIS_ADMIN_PASSWORD_FILE";
/// The document that changes with every change.
const VERSION: &str = "access-version";

/// Records as documents of a store.
pub struct StoreRecords(pub Arc<dyn Store>);

fn failed(error: impl std::fmt::Display) -> RecordsError {
    RecordsError(error.to_string())
}

fn kind_of(kind: Kind) -> String {
    format!("access-{}", kind.as_str())
}

fn name_of(id: &str) -> String {
    format!("//{id}")
}

impl StoreRecords {
    /// Sessions come and go and need nobody to look again.
    async fn changed(&self, kind: Kind) -> Result<(), RecordsError> {
        if kind == Kind::Session {
            return Ok(());
        }
        // A number that nobody had before: two processes that count up could meet.
        let bytes: [u8; 8] = random().ok_or_else(|| failed(haliotis_access::NoRandomness))?;
        let version = i64::from_be_bytes(bytes).to_string();
        self.0.put_document(VERSION, &name_of(""), &version).await.map_err(failed)
    }
}

#[async_trait]
impl Records for StoreRecords {
    async fn record(&self, kind: Kind, id: &str) -> Result<Option<String>, RecordsError> {
        self.0.document(&kind_of(kind), &name_of(id)).await.map_err(failed)
    }

    async fn records(&self, kind: Kind) -> Result<Vec<(String, String)>, RecordsError> {
        let all = self.0.documents(&kind_of(kind)).await.map_err(failed)?;
        let id = |name: String| name.strip_prefix("//").map(str::to_owned).unwrap_or(name);
        Ok(all.into_iter().map(|(name, body)| (id(name), body)).collect())
    }

    async fn put_record(&self, kind: Kind, id: &str, body: &str) -> Result<(), RecordsError> {
        self.0.put_document(&kind_of(kind), &name_of(id), body).await.map_err(failed)?;
        self.changed(kind).await
    }

    async fn remove_record(&self, kind: Kind, id: &str) -> Result<bool, RecordsError> {
        let was_there = self.0.remove_document(&kind_of(kind), &name_of(id)).await.map_err(failed)?;
        self.changed(kind).await?;
        Ok(was_there)
    }

    async fn records_version(&self) -> Result<i64, RecordsError> {
        let version = self.0.document(VERSION, &name_of("")).await.map_err(failed)?;
        Ok(version.and_then(|text| text.parse().ok()).unwrap_or(0))
    }
}

/// Notes what an administrator did on the command line.
pub async fn note(store: &dyn Store, by: &str, action: &str, subject: &str, reason: &str) -> Result<(), Failure> {
    let entry = AuditEntry {
        at: now(),
        by: by.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        reason: reason.to_owned(),
        detail: Object::new(),
    };
    Ok(store.record_audit(&entry).await?)
}

/// A user without anything.
pub fn user(name: Name) -> User {
    User {
        name,
        full_name: String::new(),
        password: None,
        must_change: false,
        disabled: false,
        external: None,
        created_at: now().0,
    }
}

/// Makes the first administrator where there is no user yet. The answer is a password to show once, if one was made.
pub async fn first_admin(store: &Arc<dyn Store>) -> Result<Option<(Name, Option<String>)>, Failure> {
    let records = StoreRecords(Arc::clone(store));
    let typed = Typed(&records);
    if !typed.directory().await.map_err(|error| Failure::world(error.to_string()))?.users.is_empty() {
        return Ok(None);
    }
    let name = Name::parse(FIRST).map_err(|error| Failure::usage(error.to_string()))?;
    let file = std::env::var_os(PASSWORD_FILE).filter(|file| !file.is_empty()).map(PathBuf::from);
    let given = file.map(|file| {
        let read = std::fs::read_to_string(&file);
        read.map_err(|error| Failure::usage(format!("{PASSWORD_FILE} names {}: {error}", file.display())))
    });
    let given = given.transpose()?.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    let once = match &given {
        Some(_) => None,
        None => Some(password::one_time().map_err(|error| Failure::world(error.to_string()))?),
    };
    let text = given.as_deref().or(once.as_deref()).unwrap_or_default();
    let hash = password::hash(text).map_err(|error| Failure::usage(format!("{PASSWORD_FILE}: {error}")))?;
    let admin = User { password: Some(hash), must_change: once.is_some(), ..user(name.clone()) };
    let grant = Grant { subject: Subject::User(name.clone()), role: Role::Admin, scope: String::new() };
    let kept = async {
        // The grant first: dying in between leaves no user, and the next start makes one.
        typed.put_grant(&grant).await?;
        typed.put_user(&admin).await
    };
    kept.await.map_err(|error| Failure::world(error.to_string()))?;
    note(store.as_ref(), "system", "user.add", name.as_str(), "the first start").await?;
    Ok(Some((name, once)))
}

/// The file in a data folder with the token of its owner; it counts as long as the server runs.
pub fn local_token_file(dir: &Path) -> PathBuf {
    dir.join("local-token")
}

/// Writes a new token for the owner of the folder, readable for nobody else.
pub fn write_local_token(dir: &Path) -> Result<String, Failure> {
    let name = Name::parse("owner").map_err(|error| Failure::usage(error.to_string()))?;
    let wish = token::Wish { permissions: Permissions::EVERY, ..token::Wish::default() };
    let (text, _) = token::mint(name, wish, now().0).map_err(|error| Failure::world(error.to_string()))?;
    let next = dir.join("local-token.new");
    let _ = std::fs::remove_file(&next);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(next, local_token_file(dir))?;
    Ok(text)
}
