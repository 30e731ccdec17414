//! Files of the workspace by glob: what archive, stash and junit pick.
//!
//! Symbolic links are never followed and never picked, so a script cannot lead a step out of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use haliotis_plugin_api::StepError;

/// Most files one step picks; their names go through memory and the log.
pub(crate) const MAX_FILES: usize = 20_000;
/// Most entries looked at, so that a glob over a huge tree ends.
const MAX_ENTRIES: usize = 2_000_000;
/// Deepest folder looked into.
const MAX_DEPTH: usize = 64;

/// One file that a glob picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picked {
    /// With `/`, from the workspace.
    pub(crate) relative: String,
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
}

/// The regular files below a folder that match any pattern and no exclusion, by name.
///
/// `*` stays within a folder, `**` crosses folders; a pattern that names a folder means all below it. `.git` is looked
/// into only by a pattern that starts with it. Commas separate patterns within a text, as in Ant.
pub(crate) fn pick(root: &Path, patterns: &[String], exclude: &[String]) -> Result<Vec<Picked>, StepError> {
    let patterns = split(patterns);
    let (wanted, unwanted) = (globs(&patterns)?, globs(&split(exclude))?);
    let git = patterns.iter().any(|pattern| pattern.starts_with(".git/"));
    let mut picked = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    let mut seen = 0;
    while let Some((folder, prefix, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(cannot("read", &folder, &error)),
            // A folder that vanished or is closed to us holds nothing for us.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            seen += 1;
            let name = entry.file_name().to_string_lossy().into_owned();
            let relative = format!("{prefix}{name}");
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < MAX_DEPTH && (git || relative != ".git") {
                folders.push((entry.path(), format!("{relative}/"), depth + 1));
            } else if kind.is_file() && wanted.is_match(&relative) && !unwanted.is_match(&relative) {
                let size = entry.metadata().map_or(0, |meta| meta.len());
                picked.push(Picked { relative, path: entry.path(), size });
            }
        }
        if picked.len() > MAX_FILES || seen > MAX_ENTRIES {
            return Err(StepError::Usage(format!(
                "the patterns {patterns:?} pick more than {MAX_FILES} files or look at more than {MAX_ENTRIES}; \
                 narrow them, or pack the files into an archive first"
            )));
        }
    }
    picked.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(picked)
}

/// The sum of sizes, refused above a limit in bytes.
pub(crate) fn total_size(files: &[Picked], limit: u64, step: &str) -> Result<u64, StepError> {
    let total = files.iter().map(|file| file.size).sum();
    if total > limit {
        return Err(StepError::Usage(format!(
            "{step}: the files have {total} bytes together but at most {limit} are kept; narrow the patterns"
        )));
    }
    Ok(total)
}

/// A name for a file that pipelines choose: letters, digits, `.`, `_`, `-`; at most 100, not starting with a dot.
pub(crate) fn checked_name<'a>(step: &str, name: &'a str) -> Result<&'a str, StepError> {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(safe) {
        return Ok(name);
    }
    Err(StepError::Usage(format!(
        "{step}: the name `{name}` must be 1 to 100 letters, digits, `.`, `_` or `-`, and not start with a dot"
    )))
}

/// Joins a relative path to the workspace by way of real folders only.
///
/// `StepContext::path` refuses `..`; this refuses links on the way, which could lead anywhere.
pub(crate) fn through_real_folders(root: &Path, path: &Path) -> Result<(), StepError> {
    let Ok(relative) = path.strip_prefix(root) else { return Ok(()) };
    let mut at = root.to_owned();
    for part in relative.components() {
        at.push(part);
        if fs::symlink_metadata(&at).is_ok_and(|meta| meta.file_type().is_symlink()) {
            return Err(StepError::Usage(format!(
                "`{}` is a symbolic link; links are not followed",
                at.strip_prefix(root).unwrap_or(&at).display()
            )));
        }
    }
    Ok(())
}

/// Runs file work where it does not hold up the server's other tasks.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StepError::World(format!("file work broke off: {error}")))?
}

/// `cannot VERB PATH: reason`.
pub(crate) fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> StepError {
    StepError::World(format!("cannot {verb} {}: {error}", path.display()))
}

fn split(patterns: &[String]) -> Vec<String> {
    let parts = patterns.iter().flat_map(|text| text.split(','));
    parts.map(|part| part.trim().trim_start_matches("./").to_owned()).filter(|part| !part.is_empty()).collect()
}

fn globs(patterns: &[String]) -> Result<GlobSet, StepError> {
    let wrong = |error: globset::Error| StepError::Usage(format!("a glob is wrong: {error}"));
    let glob = |text: &str| -> Result<Glob, StepError> {
        GlobBuilder::new(text).literal_separator(true).build().map_err(wrong)
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let folder = pattern.trim_end_matches('/');
        if !pattern.ends_with('/') {
            set.add(glob(pattern)?);
        }
        set.add(glob(&format!("{folder}/**"))?);
    }
    set.build().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str], exclude: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a.txt", "d/b.txt", "d/e/c.txt", ".git/config", "d/.hidden"] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.txt")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("etc")).unwrap();
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let files = pick(dir.path(), &owned(patterns), &owned(exclude)).unwrap();
        files.into_iter().map(|file| file.relative).collect()
    }

    #[test]
    fn patterns() {
        assert_eq!(names(&["*.txt"], &[]), ["a.txt"]);
        assert_eq!(names(&["**/*.txt"], &[]), ["a.txt", "d/b.txt", "d/e/c.txt"]);
        assert_eq!(names(&["d"], &["d/e/**"]), ["d/.hidden", "d/b.txt"]);
        assert_eq!(names(&["a.txt, d/e/"], &[]), ["a.txt", "d/e/c.txt"]);
        assert_eq!(names(&["**"], &["d"]), ["a.txt"]);
        assert_eq!(names(&[".git/**"], &[]), [".git/config"]);
        assert_eq!(names(&["etc/**"], &[]), Vec::<String>::new());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "x y", ".hidden"] {
            assert!(checked_name("stash", name).is_err(), "{name}");
        }
        assert_eq!(checked_name("stash", "model-1.0").unwrap(), "model-1.0");
    }
}
