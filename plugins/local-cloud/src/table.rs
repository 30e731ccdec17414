//! Durable resources: one JSON file each, the whole set in memory as well.
//!
//! A change is on disk (written beside, synced, renamed) before memory shows it and before the caller is answered, and
//! both happen under one lock: no reader sees what a crash could take back, and two changes of one record never cross.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::durable::{sweep, sync_dir, write_atomic};
use crate::error::{AwsError, OpenError};

/// The resources of one kind by key. Keys are file-name safe: letters, digits, `-` and `.`.
pub(crate) struct Table<T> {
    folder: PathBuf,
    records: Mutex<BTreeMap<String, T>>,
}

impl<T: Clone + Serialize + DeserializeOwned> Table<T> {
    /// Reads the folder, which is made if absent.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, OpenError> {
        std::fs::create_dir_all(&folder).map_err(OpenError::io(&folder))?;
        sweep(&folder).map_err(OpenError::io(&folder))?;
        let mut records = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).map_err(OpenError::io(&folder))? {
            let path = entry.map_err(OpenError::io(&folder))?.path();
            let Some(key) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"))
            else {
                continue;
            };
            records.insert(key.to_owned(), read_record(&path)?);
        }
        Ok(Self { folder, records: Mutex::new(records) })
    }

    /// A copy of the record.
    pub(crate) fn get(&self, key: &str) -> Option<T> {
        self.lock().get(key).cloned()
    }

    /// Copies of all, in key order.
    pub(crate) fn all(&self) -> Vec<T> {
        self.lock().values().cloned().collect()
    }

    /// Copies of those that a question is answered with yes for, in key order.
    pub(crate) fn select(&self, keep: impl Fn(&T) -> bool) -> Vec<T> {
        self.lock().values().filter(|record| keep(record)).cloned().collect()
    }

    /// Adds a record; `Ok(false)` when the key is taken, and nothing changes then.
    pub(crate) fn insert(&self, key: &str, record: T) -> Result<bool, AwsError> {
        let mut records = self.lock();
        if records.contains_key(key) {
            return Ok(false);
        }
        self.write(key, &record)?;
        records.insert(key.to_owned(), record);
        Ok(true)
    }

    /// Changes a record and gives it back; `Ok(None)` when it is not there. An error of `change` changes nothing.
    pub(crate) fn update(
        &self,
        key: &str,
        change: impl FnOnce(&mut T) -> Result<(), AwsError>,
    ) -> Result<Option<T>, AwsError> {
        let mut records = self.lock();
        let Some(mut record) = records.get(key).cloned() else { return Ok(None) };
        change(&mut record)?;
        self.write(key, &record)?;
        records.insert(key.to_owned(), record.clone());
        Ok(Some(record))
    }

    /// Takes a record away if it may go; `Ok(None)` when it is not there.
    pub(crate) fn remove(
        &self,
        key: &str,
        may_go: impl FnOnce(&T) -> Result<(), AwsError>,
    ) -> Result<Option<T>, AwsError> {
        let mut records = self.lock();
        let Some(record) = records.get(key) else { return Ok(None) };
        may_go(record)?;
        let path = self.path(key);
        std::fs::remove_file(&path)
            .and_then(|()| sync_dir(&self.folder))
            .map_err(|error| AwsError::io("cannot remove", &path, &error))?;
        Ok(records.remove(key))
    }

    fn write(&self, key: &str, record: &T) -> Result<(), AwsError> {
        let path = self.path(key);
        let text = serde_json::to_vec_pretty(record).map_err(|error| AwsError::internal(error.to_string()))?;
        write_atomic(&path, &text).map_err(|error| AwsError::io("cannot write", &path, &error))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// A panic while the lock was held left the old record in memory and perhaps the new one on disk; both are whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, T>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_record<T: DeserializeOwned>(path: &Path) -> Result<T, OpenError> {
    let text = std::fs::read(path).map_err(OpenError::io(path))?;
    serde_json::from_slice(&text)
        .map_err(|error| OpenError::Damaged { path: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let table: Table<u32> = Table::open(folder.path().join("t")).unwrap();
        assert!(table.insert("a", 1).unwrap());
        assert!(!table.insert("a", 2).unwrap());
        table
            .update("a", |n| {
                *n += 10;
                Ok(())
            })
            .unwrap();
        table.insert("b", 5).unwrap();
        assert_eq!(table.remove("b", |_| Ok(())).unwrap(), Some(5));
        table.insert("c", 7).unwrap();
        let again: Table<u32> = Table::open(folder.path().join("t")).unwrap();
        assert_eq!(again.all(), [11, 7]);
        assert_eq!(again.get("c"), Some(7));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let table: Table<u32> = Table::open(folder.path().to_owned()).unwrap();
        table.insert("a", 1).unwrap();
        assert!(
            table
                .update("a", |n| {
                    *n = 9;
                    Err(AwsError::in_use("no"))
                })
                .is_err()
        );
        assert!(table.remove("a", |_| Err(AwsError::in_use("no"))).is_err());
        assert_eq!(table.get("a"), Some(1));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.json"), "{").unwrap();
        let error = Table::<u32>::open(folder.path().to_owned()).err().unwrap().to_string();
        assert!(error.contains("x.json"), "{error}");
    }
}
