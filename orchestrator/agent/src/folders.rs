//! Where a build's files lie in the data folder, and when they go.
//!
//! ```text
//! logs/BUILD/SLUG.log        one per attempt; kept with the build
//! artifacts/BUILD            kept with the build
//! workspaces/BUILD           gone when the build succeeded; of other builds the last few are kept to look into
//! workspaces/BUILD@2         a second workspace of a build that uses two at once; gone with the build's end
//! stashes/BUILD              as the workspace: a re-run from a step takes both over
//! taking/BUILD               what a build is just taking over, see take_over.rs
//! scratch/BUILD/SLUG         gone with the build's end, as the supervisor's records of `BUILD-…`
//! trash/…                    what is being removed
//! ```
//! What goes is first renamed into `trash`, which is instant and survives a crash half way; the removing itself happens
//! aside, and again at the next start for whatever is left.

use std::path::{Path, PathBuf};

use haliotis_model::{BuildId, BuildResult, NewBuild, WorkspaceKind};

/// Workspaces of builds that did not succeed, kept for people: enough for a day of trying, few enough for a disk.
pub const WORKSPACES_KEPT: usize = 5;

/// The folders of one data folder.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    root: PathBuf,
}

impl Folders {
    pub(crate) fn new(root: &Path) -> Folders {
        Folders { root: root.to_owned() }
    }

    pub(crate) fn log(&self, build: BuildId, slug: &str) -> PathBuf {
        self.of("logs", build).join(format!("{slug}.log"))
    }

    pub(crate) fn workspace(&self, id: BuildId, build: &NewBuild) -> PathBuf {
        match &build.workspace {
            WorkspaceKind::Own => self.of("workspaces", id),
            WorkspaceKind::InPlace { path } => PathBuf::from(path),
        }
    }

    /// The workspace of one call: the build's, a folder in it, or one in a workspace beside it (`@2/folder`).
    pub(crate) fn workspace_of_call(
        &self,
        id: BuildId,
        build: &NewBuild,
        folder: Option<&str>,
    ) -> Result<PathBuf, String> {
        let own = self.workspace(id, build);
        let Some(folder) = folder else { return Ok(own) };
        let (root, rest) = match folder.strip_prefix('@') {
            None => (own, folder),
            Some(numbered) => {
                let (number, rest) = numbered.split_once('/').unwrap_or((numbered, ""));
                if number.is_empty() || number.len() > 4 || !number.chars().all(|c| c.is_ascii_digit()) {
                    return Err(format!("the workspace `{folder}` has no number"));
                }
                (self.root.join("workspaces").join(format!("{id}@{number}")), rest)
            }
        };
        let mut depth = 0_i32;
        for part in Path::new(rest).components() {
            use std::path::Component::{CurDir, Normal, ParentDir, Prefix, RootDir};
            depth += match part {
                Normal(_) => 1,
                CurDir => 0,
                ParentDir => -1,
                RootDir | Prefix(_) => i32::MIN / 2,
            };
            if depth < 0 {
                return Err(format!("the folder `{folder}` leaves the workspace; give one inside it"));
            }
        }
        Ok(if rest.is_empty() { root } else { root.join(rest) })
    }

    pub(crate) fn artifacts(&self, build: BuildId) -> PathBuf {
        self.of("artifacts", build)
    }

    pub(crate) fn stashes(&self, build: BuildId) -> PathBuf {
        self.of("stashes", build)
    }

    pub(crate) fn scratch(&self, build: BuildId, slug: &str) -> PathBuf {
        self.of("scratch", build).join(slug)
    }

    pub(crate) fn of(&self, kind: &str, build: BuildId) -> PathBuf {
        self.root.join(kind).join(build.to_string())
    }

    fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// The build has ended: what goes is out of the way when this returns.
    pub(crate) fn retire(&self, build: BuildId, result: BuildResult) {
        self.discard("scratch", build);
        self.discard("taking", build);
        self.discard_siblings(build);
        if result == BuildResult::Success {
            self.discard("stashes", build);
            self.discard("workspaces", build);
        } else if self.of("workspaces", build).is_dir() || self.of("stashes", build).is_dir() {
            // The mark tells an ended build's workspace from a running one's.
            let _ = std::fs::create_dir_all(self.root.join("workspaces"));
            let _ = std::fs::write(self.mark(build), "");
            self.prune_workspaces();
        }
    }

    /// Second and further workspaces; removed at once, they are rare.
    fn discard_siblings(&self, build: BuildId) {
        let beside = self.root.join("workspaces");
        let mine = format!("{build}@");
        for name in names(&beside).into_iter().filter(|name| name.starts_with(&mine)) {
            let moved = std::fs::create_dir_all(self.trash())
                .and_then(|()| std::fs::rename(beside.join(&name), self.trash().join(format!("workspaces-{name}"))));
            if let Err(error) = moved {
                tracing::warn!(name, %error, "a second workspace of an ended build stays");
            }
        }
    }

    fn mark(&self, build: BuildId) -> PathBuf {
        self.root.join("workspaces").join(format!("{build}.ended"))
    }

    fn prune_workspaces(&self) {
        let ended = names(&self.root.join("workspaces"));
        let mut ended: Vec<i64> = ended.iter().filter_map(|name| name.strip_suffix(".ended")?.parse().ok()).collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(WORKSPACES_KEPT);
        for id in &ended[..surplus] {
            self.discard("workspaces", BuildId(*id));
            self.discard("stashes", BuildId(*id));
            let _ = std::fs::remove_file(self.mark(BuildId(*id)));
        }
    }

    fn discard(&self, kind: &str, build: BuildId) {
        let (from, trash) = (self.of(kind, build), self.trash());
        if !from.exists() {
            return;
        }
        let moved = std::fs::create_dir_all(&trash)
            .and_then(|()| std::fs::rename(&from, trash.join(format!("{kind}-{build}"))));
        if let Err(error) = moved {
            tracing::warn!(path = %from.display(), %error, "a folder of an ended build stays");
        }
    }

    /// Removes what is in the trash; may take long.
    pub(crate) fn empty_trash(&self) {
        for name in names(&self.trash()) {
            let path = self.trash().join(name);
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot be removed");
            }
        }
    }

    /// Builds whose scratch folders lie in the trash, as a crash leaves them: their processes are to be forgotten.
    pub(crate) fn builds_in_trash(&self) -> Vec<BuildId> {
        let names = names(&self.trash()).into_iter();
        names.filter_map(|name| name.strip_prefix("scratch-")?.parse().ok().map(BuildId)).collect()
    }
}

/// Names in a folder, sorted; none if there is no such folder.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path());
        (dir, folders)
    }

    fn build_with_files(folders: &Folders, id: i64) {
        for path in
            [folders.of("workspaces", BuildId(id)), folders.scratch(BuildId(id), "a"), folders.stashes(BuildId(id))]
        {
            std::fs::create_dir_all(path.join("deep")).unwrap();
        }
    }

    #[test]
    fn folders_and_second_workspaces() {
        let (dir, folders) = folders();
        let mut build = crate::agent::tests::build();
        build.workspace = WorkspaceKind::Own;
        let at = |folder: Option<&str>| folders.workspace_of_call(BuildId(1), &build, folder);
        assert_eq!(at(Some("a/b")).unwrap(), dir.path().join("workspaces/1/a/b"));
        assert_eq!(at(Some("@2/a")).unwrap(), dir.path().join("workspaces/1@2/a"));
        for wrong in ["../x", "/etc", "@x", "@2/../../y", "@"] {
            assert!(at(Some(wrong)).is_err(), "{wrong}");
        }
        std::fs::create_dir_all(at(Some("@2")).unwrap()).unwrap();
        folders.retire(BuildId(1), BuildResult::Failure);
        assert!(!at(Some("@2")).unwrap().exists());
    }

    #[test]
    fn a_success_leaves_nothing() {
        let (dir, folders) = folders();
        build_with_files(&folders, 1);
        std::fs::create_dir_all(folders.artifacts(BuildId(1))).unwrap();
        folders.retire(BuildId(1), BuildResult::Success);
        assert_eq!(folders.builds_in_trash(), [BuildId(1)]);
        for kind in ["workspaces", "scratch", "stashes"] {
            assert!(!dir.path().join(kind).join("1").exists(), "{kind}");
        }
        assert!(folders.artifacts(BuildId(1)).exists());
        folders.empty_trash();
        assert!(names(&folders.trash()).is_empty());
        folders.retire(BuildId(1), BuildResult::Success);
        assert!(folders.builds_in_trash().is_empty(), "twice does no harm");
    }

    #[test]
    fn the_last_failed_workspaces_stay_and_running_ones_always() {
        let (dir, folders) = folders();
        build_with_files(&folders, 1);
        for id in 2..10 {
            build_with_files(&folders, id);
            folders.retire(BuildId(id), BuildResult::Failure);
        }
        let left: Vec<String> =
            names(&dir.path().join("workspaces")).into_iter().filter(|name| !name.ends_with(".ended")).collect();
        assert_eq!(left, ["1", "5", "6", "7", "8", "9"]);
    }
}
