//! Listing keys: S3's order is that of the whole key's bytes, which is not the order of folders, so the keys below the
//! prefix's folder are gathered and sorted, and only those of the page are described.

use std::collections::BTreeSet;
use std::path::Path;

use super::keys::{folder_text, leaf_text, prefix_folder};
use super::object::ObjectInfo;
use super::store::Store;
use crate::AwsError;

/// S3's largest page.
pub(crate) const MAX_PAGE: usize = 1000;
/// A key has at most 1024 parts, and long parts go on in further folders.
const MAX_DEPTH: usize = 1100;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are rolled up to the first delimiter after the prefix.
    pub delimiter: Option<String>,
    /// Only keys after this one; a rolled-up prefix given here skips all it stands for.
    pub after: Option<String>,
    /// At most this many keys and prefixes.
    pub max_keys: usize,
}

/// A page of keys.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Objects in order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// Rolled-up prefixes in order.
    pub prefixes: Vec<String>,
    /// There is more after [`Listing::last`].
    pub truncated: bool,
    /// The last key or prefix of this page, to go on after.
    pub last: Option<String>,
}

impl Store {
    /// Every object below the prefix, by key.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the file system's.
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        self.bucket(bucket)?;
        let keys = self.keys(bucket, prefix)?;
        Ok(keys.iter().filter_map(|key| self.head(bucket, key).ok()).collect())
    }

    /// A page.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn list_page(&self, bucket: &str, query: &ListQuery) -> Result<Listing, AwsError> {
        self.bucket(bucket)?;
        let mut page = Listing::default();
        let mut prefixes = BTreeSet::new();
        let mut count = 0;
        for key in self.keys(bucket, &query.prefix)? {
            let rolled = rolled_up(&key, query);
            let name = rolled.as_deref().unwrap_or(&key);
            if skipped(&key, name, query) || rolled.as_ref().is_some_and(|prefix| prefixes.contains(prefix)) {
                continue;
            }
            if count == query.max_keys {
                page.truncated = count > 0;
                break;
            }
            page.last = Some(name.to_owned());
            match rolled {
                Some(prefix) => {
                    prefixes.insert(prefix);
                }
                // Deleted since the walk: it is not on the page.
                None => match self.head(bucket, &key) {
                    Ok(info) => page.objects.push(info),
                    Err(_) => continue,
                },
            }
            count += 1;
        }
        page.prefixes = prefixes.into_iter().collect();
        Ok(page)
    }

    /// Every key below the prefix, in order.
    pub(crate) fn keys(&self, bucket: &str, prefix: &str) -> Result<BTreeSet<String>, AwsError> {
        let mut keys = BTreeSet::new();
        let start = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
        let folder = self.objects_folder(bucket).join(prefix_folder(prefix));
        walk(&folder, start, prefix, 0, &mut keys)?;
        Ok(keys)
    }
}

fn rolled_up(key: &str, query: &ListQuery) -> Option<String> {
    let delimiter = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.get(query.prefix.len()..)?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{}{}", query.prefix, &rest[..end]))
}

fn skipped(key: &str, name: &str, query: &ListQuery) -> bool {
    // A page that ended with a rolled-up prefix showed every key below it.
    query.after.as_deref().is_some_and(|after| key <= after || name == after)
}

fn walk(folder: &Path, so_far: &str, prefix: &str, depth: usize, keys: &mut BTreeSet<String>) -> Result<(), AwsError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) if depth <= MAX_DEPTH => entries,
        // Pruned meanwhile, or never there: nothing to list.
        _ => return Ok(()),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else { continue };
        let text = if kind.is_dir() { folder_text(name) } else { leaf_text(name) };
        let Some(text) = text else { continue };
        let key = format!("{so_far}{text}");
        if kind.is_dir() && (key.starts_with(prefix) || prefix.starts_with(&key)) {
            walk(&entry.path(), &key, prefix, depth + 1, keys)?;
        } else if kind.is_file() && key.starts_with(prefix) {
            keys.insert(key);
        }
    }
    Ok(())
}
