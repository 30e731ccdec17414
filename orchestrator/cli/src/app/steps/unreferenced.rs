//! Items that a seed job made once and that its scripts do not describe any more: left, disabled or removed.
//!
//! What a seed job made is kept in `job-dsl/SEED.json` of the data folder, written after everything else was done: a
//! server that dies before finds the same items unreferenced again, and disabling or removing twice is harmless.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use haliotis_jobdsl::Item;
use haliotis_plugin_api::StepError;

use crate::app::seeding::{encoded, item_path};
use crate::client::Client;
use crate::failure::code;

/// The folder of the data folder.
const FOLDER: &str = "job-dsl";

/// What becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They stay as they are.
    Ignore,
    /// Nothing starts them any more. A folder or view cannot be disabled, and stays.
    Disable,
    /// They are removed, with what is in them.
    Delete,
}

impl Fate {
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("disable") => Self::Disable,
            Some("delete") => Self::Delete,
            _ => Self::Ignore,
        }
    }
}

/// Name to whether it is a view.
type Made = BTreeMap<String, bool>;

/// What a seed job has made, and makes now.
pub(super) struct Seeded {
    file: PathBuf,
    before: Made,
}

impl Seeded {
    /// What the seed job of this name made in its builds before.
    pub(super) fn read(data: &Path, seed: &str) -> Result<Self, StepError> {
        let file = data.join(FOLDER).join(format!("{}.json", encoded(seed)));
        let before = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                StepError::World(format!("{} cannot be read: {error}; remove it to go on", file.display()))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Made::new(),
            Err(error) => return Err(StepError::World(format!("{} cannot be read: {error}", file.display()))),
        };
        Ok(Self { file, before })
    }

    /// Deals with what is not described any more and remembers what is; lines for the log.
    pub(super) async fn settle(
        self,
        client: &Client,
        items: &[Item],
        jobs: Fate,
        views: Fate,
    ) -> Result<Vec<String>, StepError> {
        let now: Made = items.iter().map(|item| (item.name.clone(), item.kind.is_view())).collect();
        let mut lines = Vec::new();
        // The innermost first: a folder goes after what is in it.
        for (name, is_view) in self.before.iter().rev().filter(|(name, _)| !now.contains_key(*name)) {
            if lines.is_empty() {
                lines.push("Unreferenced items:".to_owned());
            }
            let what = if *is_view { "GeneratedView" } else { "GeneratedJob" };
            let done = match if *is_view { views } else { jobs } {
                Fate::Ignore => "",
                Fate::Disable if *is_view => "",
                Fate::Disable => act(client, name, false, "disable").await?,
                Fate::Delete => act(client, name, *is_view, "doDelete").await?,
            };
            lines.push(format!("    {what}{{name='{name}'}}{done}"));
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let text = serde_json::to_vec(&now).unwrap_or_default();
        std::fs::create_dir_all(folder)
            .and_then(|()| haliotis_local_cloud::write_atomic(&self.file, &text))
            .map_err(|error| StepError::World(format!("{} cannot be written: {error}", self.file.display())))?;
        Ok(lines)
    }
}

/// Asks the server; what is gone already, or cannot be disabled, is as it should be.
async fn act(client: &Client, name: &str, is_view: bool, verb: &str) -> Result<&'static str, StepError> {
    match client.send_text("POST", &format!("{}{verb}", item_path(name, is_view)), None).await {
        Ok(_) if verb == "disable" => Ok(" (disabled)"),
        Ok(_) => Ok(" (removed)"),
        Err(failure) if failure.code() == code::NOT_FOUND => Ok(""),
        Err(failure) => Err(StepError::World(format!("{name}: {failure}"))),
    }
}
