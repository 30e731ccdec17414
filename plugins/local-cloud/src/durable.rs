//! Files that survive `kill -9`: written beside their place, synced, renamed into it, and the folder synced.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Leftovers of an interrupted write carry this ending; whoever owns the folder sweeps them at open.
pub(crate) const TEMPORARY: &str = ".haliotis-tmp";

/// Replaces the file's content as a whole: after a crash there is the old content or the new, never a part.
///
/// # Errors
/// What the file system says; the old content is then still in place.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = folder.join(format!("{}{TEMPORARY}", uuid::Uuid::new_v4().simple()));
    let result = write_synced(&temporary, content).and_then(|()| {
        haliotis_failpoints::failpoint!("cloud.write.before");
        std::fs::rename(&temporary, path)
    });
    haliotis_failpoints::failpoint!("cloud.write.after");
    if result.is_err() {
        // The error of the write matters; a leftover is swept at the next open.
        let _ = std::fs::remove_file(&temporary);
    }
    result?;
    sync_dir(folder)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes renames and removals in the folder durable.
///
/// # Errors
/// What the file system says.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes leftovers of interrupted writes directly in the folder.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn sweep_takes_leftovers_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(format!("x{TEMPORARY}")), b"part").unwrap();
        std::fs::write(folder.path().join("kept"), b"whole").unwrap();
        sweep(folder.path()).unwrap();
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
    }

    const FOLDER: &str = "HALIOTIS_POINTS_FOLDER";

    /// Writes twice. Does nothing when run as a test among others.
    #[test]
    fn worker() {
        let Ok(folder) = std::env::var(FOLDER) else { return };
        let path = Path::new(&folder).join("state.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
    }

    #[test]
    fn death_at_each_point_leaves_the_old_content_or_the_new_and_no_part() {
        let points = haliotis_failpoints::POINTS.iter().filter(|point| point.starts_with("cloud."));
        let mut tried = 0;
        for point in points {
            tried += 1;
            let folder = tempfile::tempdir().unwrap();
            let live = |vars: &[(&str, &str)]| {
                let mut command = std::process::Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "durable::tests::worker"]).env(FOLDER, folder.path());
                command.envs(vars.iter().copied()).output().unwrap().status.success()
            };
            let path = folder.path().join("state.json");
            assert!(!live(&[("HALIOTIS_FAILPOINT", &format!("{point}=2"))]), "it did not die at {point}");
            let expected: &[u8] = if point.ends_with(".before") { b"one" } else { b"two" };
            assert_eq!(std::fs::read(&path).unwrap(), expected, "{point}");
            sweep(folder.path()).unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{point}");
            assert!(live(&[]), "{point}");
            assert_eq!(std::fs::read(&path).unwrap(), b"two", "{point}");
        }
        assert_eq!(tried, 2);
    }
}
