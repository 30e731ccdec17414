//! The key under which credentials are sealed, and their sealing on the way to the database and back.
//!
//! The key comes from `HALIOTIS_CREDENTIALS_KEY`, else from the file that `HALIOTIS_CREDENTIALS_KEY_FILE` names, else
//! from `credentials.key` in the data folder, made at the first need, for its owner alone. Whoever has the database
//! without the key has nothing. Several keys may stand in it, one a line: the first seals, all open.
//!
//! **Rotation**: the new key is written before the old ones, every credential is put under it, then the old ones go. Dying
//! in between leaves a file with both, under which everything opens; rotating once more ends it. Another process that has
//! read the file before looks into it again when a credential does not open.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use haliotis_access::seal::{Envelope, SealError, SealKey};
use haliotis_engine::{Credential, JournalError};
use haliotis_model::bounds::Bounds;
use serde::{Deserialize, Serialize};

use crate::data_dir::private_file;

/// The key itself, or the file that holds it.
const VARIABLE: &str = "HALIOTIS_CREDENTIALS_KEY";
const FILE_VARIABLE: &str = "HALIOTIS_CREDENTIALS_KEY_FILE";
/// In the data folder.
const FILE: &str = "credentials.key";
/// The one field of a sealed credential: an envelope around all of its fields.
const SEALED: &str = "sealed";
/// A file of keys is small; more is a mistake.
const FILE_MOST: u64 = 16 << 10;

/// What is sealed: the fields, and beside them the bounds, where nobody who has the database alone can widen them.
#[derive(Serialize, Deserialize)]
struct Plain {
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
    /// No field's name begins so.
    #[serde(rename = "@bounds", default, skip_serializing_if = "Option::is_none")]
    bounds: Option<Bounds>,
}

impl Plain {
    fn of(credential: &Credential) -> Self {
        let bounds = Some(credential.bounds.clone()).filter(|bounds| *bounds != Bounds::default());
        Self { fields: credential.fields.clone(), bounds }
    }
}

/// Where the key is, and the key once it was needed.
#[derive(Debug)]
pub(crate) struct Vault {
    file: PathBuf,
    keys: Mutex<Option<Vec<SealKey>>>,
}

impl Vault {
    /// With the key in this data folder, unless the environment says otherwise. Reads nothing yet.
    pub(crate) fn new(dir: &Path) -> Self {
        let named = std::env::var_os(FILE_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        Self { file: named.unwrap_or_else(|| dir.join(FILE)), keys: Mutex::default() }
    }

    /// Seals the fields of a credential.
    pub(crate) fn close(&self, credential: &Credential) -> Result<Credential, JournalError> {
        let plain = serde_json::to_vec(&Plain::of(credential)).map_err(|error| failed(&credential.id, &error))?;
        let envelope = self.current()?.seal(&name(&credential.id), &plain).map_err(|e| failed(&credential.id, &e))?;
        with_fields(credential, &envelope)
    }

    /// Opens the fields of a credential. One from before there was a key is as it was.
    pub(crate) fn open(&self, credential: Credential) -> Result<Credential, JournalError> {
        let Some(envelope) = envelope_of(&credential)? else { return Ok(credential) };
        let open = |vault: &Self| vault.key_of(&envelope)?.open(&name(&credential.id), &envelope);
        let plain = match open(self) {
            Err(SealError::OtherKey { .. }) => {
                // Rotated by another process since the file was read.
                *self.locked() = None;
                open(self)
            }
            other => other,
        };
        let plain = plain.map_err(|error| failed(&credential.id, &error))?;
        let plain: Plain = serde_json::from_slice(&plain).map_err(|error| failed(&credential.id, &error))?;
        Ok(Credential { fields: plain.fields, bounds: plain.bounds.unwrap_or_default(), ..credential })
    }

    /// Puts a new key in front; the old ones stay until [`Vault::forget_old`].
    pub(crate) fn begin_rotation(&self) -> Result<(), JournalError> {
        if std::env::var_os(VARIABLE).is_some() {
            let reason = format!("the key is in {VARIABLE}; put the new one there before the old, then run this again");
            return Err(JournalError::Store(reason));
        }
        let mut keys = self.keys()?;
        keys.insert(0, SealKey::generate().map_err(|error| failed("key", &error))?);
        self.write(&keys)
    }

    /// The same secret under the newest key; `None`: it is already.
    pub(crate) fn renew(&self, credential: &Credential) -> Result<Option<Credential>, JournalError> {
        let current = self.current()?;
        match envelope_of(credential)? {
            Some(envelope) if envelope.key == current.id() => Ok(None),
            Some(envelope) => {
                let old = self.key_of(&envelope).map_err(|error| failed(&credential.id, &error))?;
                let renewed = old.rewrap(&current, &name(&credential.id), &envelope);
                with_fields(credential, &renewed.map_err(|error| failed(&credential.id, &error))?).map(Some)
            }
            None => self.close(credential).map(Some),
        }
    }

    /// Nothing is sealed under the old keys any more.
    pub(crate) fn forget_old(&self) -> Result<(), JournalError> {
        let keys = self.keys()?;
        self.write(keys.get(..1).unwrap_or_default())
    }

    fn key_of(&self, envelope: &Envelope) -> Result<SealKey, SealError> {
        let keys = self.keys().map_err(|_| SealError::BadKey)?;
        let own = keys.first().map(|key| key.id().to_owned()).unwrap_or_default();
        let found = keys.into_iter().find(|key| key.id() == envelope.key);
        found.ok_or_else(|| SealError::OtherKey { sealed: envelope.key.clone(), own })
    }

    fn current(&self) -> Result<SealKey, JournalError> {
        self.keys()?.into_iter().next().ok_or_else(|| JournalError::Store("there is no key for credentials".to_owned()))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Vec<SealKey>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> Result<Vec<SealKey>, JournalError> {
        let mut kept = self.locked();
        if let Some(keys) = kept.as_ref() {
            return Ok(keys.clone());
        }
        let keys = match std::env::var(VARIABLE) {
            Ok(text) => parse(&text, VARIABLE)?,
            Err(_) => self.read_or_make()?,
        };
        *kept = Some(keys.clone());
        Ok(keys)
    }

    fn read_or_make(&self) -> Result<Vec<SealKey>, JournalError> {
        let shown = self.file.display().to_string();
        let io = |error: std::io::Error| {
            JournalError::Store(format!("the key for credentials at {shown} cannot be used: {error}"))
        };
        let mut file = private_file(&self.file).map_err(io)?;
        // Two processes that make it at once must not make two.
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).map_err(|errno| io(errno.into()))?;
        let mut text = String::new();
        (&mut file).take(FILE_MOST).read_to_string(&mut text).map_err(io)?;
        if text.trim().is_empty() {
            let key = SealKey::generate().map_err(|error| failed("key", &error))?;
            file.write_all(format!("{}\n", key.to_text().as_str()).as_bytes()).map_err(io)?;
            file.sync_all().map_err(io)?;
            return Ok(vec![key]);
        }
        parse(&text, &shown)
    }

    fn write(&self, keys: &[SealKey]) -> Result<(), JournalError> {
        let next = self.file.with_extension("new");
        let write = || -> std::io::Result<()> {
            let _ = std::fs::remove_file(&next);
            let mut file = private_file(&next)?;
            for key in keys {
                file.write_all(format!("{}\n", key.to_text().as_str()).as_bytes())?;
            }
            file.sync_all()?;
            haliotis_failpoints::failpoint!("keys.write.before");
            std::fs::rename(&next, &self.file)?;
            haliotis_failpoints::failpoint!("keys.write.after");
            Ok(())
        };
        write().map_err(|error| {
            JournalError::Store(format!(
                "the key for credentials at {} cannot be written: {error}",
                self.file.display()
            ))
        })?;
        *self.locked() = Some(keys.to_vec());
        Ok(())
    }
}

fn parse(text: &str, place: &str) -> Result<Vec<SealKey>, JournalError> {
    let lines = text.split([',', '\n']).map(str::trim).filter(|line| !line.is_empty());
    let keys: Result<Vec<_>, _> = lines.map(SealKey::parse).collect();
    keys.map_err(|error| JournalError::Store(format!("{place}: {error}")))
}

/// What an envelope is bound to, so that it opens in no other row.
fn name(id: &str) -> String {
    format!("credential {id}")
}

fn envelope_of(credential: &Credential) -> Result<Option<Envelope>, JournalError> {
    match credential.fields.get(SEALED) {
        Some(text) if credential.fields.len() == 1 && text.starts_with('{') => {
            serde_json::from_str(text).map(Some).map_err(|error| failed(&credential.id, &error))
        }
        _ => Ok(None),
    }
}

fn with_fields(credential: &Credential, envelope: &Envelope) -> Result<Credential, JournalError> {
    let text = serde_json::to_string(envelope).map_err(|error| failed(&credential.id, &error))?;
    let fields = [(SEALED.to_owned(), text)].into();
    Ok(Credential { fields, bounds: Bounds::default(), ..credential.clone() })
}

fn failed(id: &str, error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Store(format!("credential `{id}` cannot be opened or sealed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn credential() -> Credential {
        let fields = [("username", "ada"), ("password", "s3cr3t")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Credential {
            id: "git".to_owned(),
            kind: "username-password".to_owned(),
            description: String::new(),
            fields: fields.into(),
            bounds: Bounds { hosts: vec!["git.example".to_owned()], ..Bounds::default() },
        }
    }

    #[test]
    fn sealed_opened_and_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        let sealed = vault.close(&credential()).unwrap();
        assert!(!format!("{sealed:?}").contains("s3cr3t") && !format!("{sealed:?}").contains("ada"));
        assert_eq!(vault.open(sealed.clone()).unwrap(), credential());
        assert_eq!((sealed.bounds.clone(), format!("{sealed:?}").contains("git.example")), (Bounds::default(), false));
        let before_bounds = Credential { bounds: Bounds::default(), ..credential() };
        assert_eq!(vault.open(vault.close(&before_bounds).unwrap()).unwrap(), before_bounds);
        assert_eq!(vault.open(credential()).unwrap().fields, credential().fields, "from before there was a key");
        let file = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        let other = Vault::new(dir.path());
        assert_eq!(other.open(sealed.clone()).unwrap().fields, credential().fields, "another process has the same key");
        vault.begin_rotation().unwrap();
        assert_eq!(vault.open(sealed.clone()).unwrap().fields, credential().fields, "both keys open");
        let renewed = vault.renew(&sealed).unwrap().unwrap();
        assert!(vault.renew(&renewed).unwrap().is_none(), "once is enough");
        vault.forget_old().unwrap();
        assert_eq!(other.open(renewed.clone()).unwrap().fields, credential().fields, "the file is looked at again");
        assert!(vault.open(sealed).is_err(), "the old key is gone");
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1);

        let moved = Credential { id: "other".to_owned(), ..renewed };
        let error = vault.open(moved).unwrap_err().to_string();
        assert!(error.contains("credential `other`") && !error.contains("s3cr3t"), "{error}");
    }
}
