//! Files that a build takes over from an earlier one: artifacts, stashes and, where its plan says so, the workspace.
//!
//! Copied, never linked: a step of the new build may write into what it finds. All of it is done before the first step of
//! the build that this agent runs, in one piece:
//!
//! ```text
//! taking/NEW/{artifacts,stashes,workspaces}  <- copied      artifacts/NEW, stashes/NEW, workspaces/NEW  <- renamed
//! scratch/NEW/taken-over                     <- written: done
//! ```
//! | race | what happens |
//! |---|---|
//! | two first steps at once | the second waits for the first's copy |
//! | death while copying or renaming | no mark: no step has run yet, so what is there is removed and it begins anew |
//! | the earlier build's files are removed meanwhile | artifacts and stashes: those left are taken; a workspace: the step fails and says so |

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use haliotis_model::{BuildId, Carry, NewBuild, WorkspaceKind};
use tokio::sync::Mutex;

use crate::folders::Folders;

/// Says that everything was copied.
const DONE: &str = "taken-over";

/// Builds whose files this life has taken over already.
#[derive(Default)]
pub(crate) struct TakeOver(Mutex<BTreeSet<BuildId>>);

impl TakeOver {
    /// Copies, unless that was done before.
    ///
    /// # Errors
    /// A sentence for the step's log: what could not be copied, and what to do.
    pub(crate) async fn before_first_step(
        &self,
        folders: &Folders,
        id: BuildId,
        build: &NewBuild,
    ) -> Result<(), String> {
        let Some(carry) = &build.carry else { return Ok(()) };
        let mut done = self.0.lock().await;
        if done.contains(&id) {
            return Ok(());
        }
        let own = build.workspace == WorkspaceKind::Own;
        let (folders, carry) = (folders.clone(), carry.clone());
        let copied = tokio::task::spawn_blocking(move || take_over(&folders, id, &carry, own)).await;
        copied.map_err(|error| format!("copying the files of build #{} stopped: {error}", build.number))??;
        done.insert(id);
        Ok(())
    }

    /// The build has ended.
    pub(crate) async fn forget(&self, id: BuildId) {
        self.0.lock().await.remove(&id);
    }
}

fn take_over(folders: &Folders, id: BuildId, carry: &Carry, own_workspace: bool) -> Result<(), String> {
    let mark = folders.scratch(id, DONE);
    if mark.exists() {
        return Ok(());
    }
    let mut wanted = vec!["artifacts", "stashes"];
    if carry.workspace && own_workspace {
        if !folders.of("workspaces", carry.from).is_dir() {
            return Err(format!(
                "the workspace of build #{} is not on this agent any more; run the whole again, or from an earlier step",
                carry.number
            ));
        }
        wanted.push("workspaces");
    }
    let taking = folders.of("taking", id);
    let result = remove(&taking).and_then(|()| {
        for kind in wanted {
            let (from, to) = (folders.of(kind, carry.from), folders.of(kind, id));
            remove(&to)?;
            if from.is_dir() {
                copy(&from, &taking.join(kind))?;
                fs::create_dir_all(to.parent().unwrap_or(&to))?;
                fs::rename(taking.join(kind), to)?;
            }
        }
        remove(&taking)?;
        fs::create_dir_all(mark.parent().unwrap_or(&mark))?;
        fs::write(&mark, "")
    });
    result.map_err(|error| format!("the files of build #{} cannot be copied: {error}", carry.number))
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A folder with all in it: modes and times as they were (tools compare times), links as links; sockets and pipes stay.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = left.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
            if kind.is_dir() {
                left.push((entry.path(), target));
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
            } else if kind.is_file() {
                fs::copy(entry.path(), &target)?;
                keep_time(&entry.metadata()?, &target)?;
            }
        }
    }
    Ok(())
}

fn keep_time(meta: &fs::Metadata, target: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // A file without the right to write cannot be opened for it; its time is the one of the copy then.
    if meta.permissions().mode() & 0o200 == 0 {
        return Ok(());
    }
    fs::File::options().write(true).open(target)?.set_modified(meta.modified()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn world() -> (tempfile::TempDir, Folders, NewBuild) {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path());
        for kind in ["workspaces", "artifacts", "stashes"] {
            let path = folders.of(kind, BuildId(1)).join("deep");
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("file"), kind).unwrap();
        }
        let mut build = crate::agent::tests::build();
        build.workspace = WorkspaceKind::Own;
        let carry = Carry {
            from: BuildId(1),
            number: 1,
            at: String::new(),
            stage: None,
            steps: BTreeMap::new(),
            by_order: false,
            workspace: true,
        };
        build.carry = Some(Box::new(carry));
        (dir, folders, build)
    }

    #[tokio::test]
    async fn once_and_with_modes_times_and_links() {
        let (dir, folders, build) = world();
        let file = dir.path().join("workspaces/1/deep/file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("workspaces/1/deep/link")).unwrap();
        let takes = TakeOver::default();
        takes.before_first_step(&folders, BuildId(2), &build).await.unwrap();
        let copied = dir.path().join("workspaces/2/deep/file");
        let meta = fs::metadata(&copied).unwrap();
        assert_eq!((meta.permissions().mode() & 0o777, meta.modified().unwrap()), (0o755, long_ago));
        assert_eq!(fs::read_link(dir.path().join("workspaces/2/deep/link")).unwrap(), Path::new("file"));
        assert_eq!(fs::read_to_string(dir.path().join("artifacts/2/deep/file")).unwrap(), "artifacts");
        assert_eq!(fs::read_to_string(dir.path().join("stashes/2/deep/file")).unwrap(), "stashes");
        // A step writes; neither a second step nor the next life of the server undoes that, nor does it reach build 1.
        fs::write(&copied, "new").unwrap();
        takes.before_first_step(&folders, BuildId(2), &build).await.unwrap();
        TakeOver::default().before_first_step(&folders, BuildId(2), &build).await.unwrap();
        assert_eq!(fs::read_to_string(&copied).unwrap(), "new");
        assert_eq!(fs::read_to_string(&file).unwrap(), "workspaces");
    }

    #[tokio::test]
    async fn a_death_half_way_begins_anew() {
        let (dir, folders, build) = world();
        for half in ["taking/2/artifacts/x", "artifacts/2/x", "workspaces/2/x"] {
            fs::create_dir_all(dir.path().join(half)).unwrap();
        }
        TakeOver::default().before_first_step(&folders, BuildId(2), &build).await.unwrap();
        assert!(dir.path().join("workspaces/2/deep/file").exists());
        for half in ["taking/2", "artifacts/2/x", "workspaces/2/x"] {
            assert!(!dir.path().join(half).exists(), "{half}");
        }
    }

    #[tokio::test]
    async fn a_workspace_that_is_gone_is_said() {
        let (dir, folders, build) = world();
        fs::remove_dir_all(dir.path().join("workspaces/1")).unwrap();
        let refused = TakeOver::default().before_first_step(&folders, BuildId(2), &build).await.unwrap_err();
        assert!(refused.contains("#1") && refused.contains("run the whole again"), "{refused}");
    }
}
