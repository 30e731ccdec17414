//! Bare mirrors of repositories below a cache folder, and what is read from them.
//!
//! A mirror is a cache: it may be deleted at any time and is made again. It is fetched only when a commit is asked for
//! that it lacks, so reading a definition at a known commit needs no network.
//!
//! Races: a lock file beside each mirror is held while it is made or fetched, so two callers (also of two processes) do
//! that one after the other, and the second finds the commit there. Reading takes no lock: objects are only ever added,
//! and git puts each in place by a rename. A mirror is made under another name and renamed when it is whole, so a server
//! killed meanwhile leaves no half of one; what it left is deleted by the next that makes it. A server killed in a fetch
//! may leave git's own lock files behind; the next fetch then fails for a local reason, and git's locks are swept away;
//! if that does not help, the mirror is deleted and made anew once. Readers of the old one keep their open files.

use std::fs::File;
use std::path::{Path, PathBuf};

use git2::{Commit, FileMode, ObjectType, Oid, Repository, Sort};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::poll::blocking;
use crate::{Credential, RepoUrl, ScmError, git};

/// A definition is text that a person wrote; the language's own limit is lower.
const MAX_FILE_BYTES: usize = 1 << 20;
/// More changed paths than a filter needs; the list says when it was cut.
const MAX_CHANGED_PATHS: usize = 10_000;

/// Who made a commit and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommitInfo {
    /// Full hash.
    pub commit: String,
    /// Name of the author.
    pub author: String,
    /// The author's address.
    pub email: String,
    /// First line of the message.
    pub subject: String,
    /// When it was committed, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A bare mirror of one repository.
#[derive(Clone, Debug)]
pub struct Mirror {
    folder: PathBuf,
    url: RepoUrl,
}

impl Mirror {
    /// The mirror of an address below `cache_dir`. Touches nothing yet.
    ///
    /// # Errors
    /// `BadUrl`.
    pub fn new(cache_dir: &Path, url: &str) -> Result<Self, ScmError> {
        let url = RepoUrl::parse(url)?;
        let name = hex::encode(&Sha256::digest(url.as_str().as_bytes())[..12]);
        Ok(Mirror { folder: cache_dir.join(format!("{name}.git")), url })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes sure that the commit is there, fetching if it is not. Blocks; see the time limits of [`git`].
    ///
    /// # Errors
    /// Those of the host; `NoSuchCommit` when it answers without the commit.
    pub fn ensure(&self, commit: &str, credential: Option<&Credential>) -> Result<(), ScmError> {
        let id = self.parse(commit)?;
        if self.has(id) {
            return Ok(());
        }
        let _lock = self.lock()?;
        if self.has(id) {
            return Ok(());
        }
        self.fetch(&["+refs/heads/*:refs/heads/*"], credential)?;
        if self.has(id) {
            return Ok(());
        }
        // Not on a branch any more; most hosts still give it by its hash.
        let refspec = format!("+{commit}:refs/kept/{commit}");
        match git::fetch(&self.folder, &self.url, &[&refspec], credential) {
            Ok(()) if self.has(id) => Ok(()),
            Err(error) if error.is_passing() => Err(error),
            _ => Err(self.no_commit(commit)),
        }
    }

    /// Fetches all branches, whether or not something is missing. Blocks.
    ///
    /// # Errors
    /// Those of the host.
    pub fn refresh(&self, credential: Option<&Credential>) -> Result<(), ScmError> {
        let _lock = self.lock()?;
        self.fetch(&["+refs/heads/*:refs/heads/*"], credential)
    }

    /// A text file at a commit.
    ///
    /// # Errors
    /// `NoSuchCommit` (call [`Mirror::ensure`] first), `NoSuchFile` (also for a folder or a link), `TooLarge`, or that it
    /// is not UTF-8.
    pub fn read(&self, commit: &str, path: &str) -> Result<String, ScmError> {
        let repo = self.open()?;
        let tree = self.find(&repo, commit)?.tree().map_err(|error| self.failed(error))?;
        let path = path.trim_start_matches("./");
        let missing = || ScmError::NoSuchFile { url: self.url.to_string(), commit: commit.into(), path: path.into() };
        let entry = tree.get_path(Path::new(path)).map_err(|_| missing())?;
        if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == i32::from(FileMode::Link) {
            return Err(missing());
        }
        let blob = repo.find_blob(entry.id()).map_err(|error| self.failed(error))?;
        if blob.size() > MAX_FILE_BYTES {
            return Err(ScmError::TooLarge { what: format!("{path} at commit {commit}"), limit: MAX_FILE_BYTES });
        }
        String::from_utf8(blob.content().to_vec()).map_err(|_| ScmError::BadName {
            what: "file",
            value: path.into(),
            reason: format!("it is not UTF-8 text at commit {commit}"),
        })
    }

    /// Author, subject and time of a commit.
    ///
    /// # Errors
    /// `NoSuchCommit`.
    pub fn info(&self, commit: &str) -> Result<CommitInfo, ScmError> {
        let repo = self.open()?;
        Ok(describe(&self.find(&repo, commit)?))
    }

    /// Paths that differ between two commits, sorted; `from` `None`: all paths. The flag: there were more than
    /// `MAX_CHANGED_PATHS`.
    ///
    /// # Errors
    /// `NoSuchCommit`.
    pub fn changed_paths(&self, from: Option<&str>, to: &str) -> Result<(Vec<String>, bool), ScmError> {
        let repo = self.open()?;
        let failed = |error| self.failed(error);
        let old = from.map(|commit| self.find(&repo, commit)?.tree().map_err(failed)).transpose()?;
        let new = self.find(&repo, to)?.tree().map_err(failed)?;
        let diff = repo.diff_tree_to_tree(old.as_ref(), Some(&new), None).map_err(failed)?;
        let mut paths: Vec<String> = diff
            .deltas()
            .flat_map(|delta| [delta.old_file().path_bytes(), delta.new_file().path_bytes()])
            .flatten()
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect();
        paths.sort();
        paths.dedup();
        let cut = paths.len() > MAX_CHANGED_PATHS;
        paths.truncate(MAX_CHANGED_PATHS);
        Ok((paths, cut))
    }

    /// Commits that are in `to` and not in `from`, newest first, at most `limit`.
    ///
    /// # Errors
    /// `NoSuchCommit`.
    pub fn log(&self, from: Option<&str>, to: &str, limit: usize) -> Result<Vec<CommitInfo>, ScmError> {
        let repo = self.open()?;
        let failed = |error| self.failed(error);
        let mut walk = repo.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(failed)?;
        walk.push(self.find(&repo, to)?.id()).map_err(failed)?;
        if let Some(from) = from {
            walk.hide(self.find(&repo, from)?.id()).map_err(failed)?;
        }
        let ids = walk.take(limit);
        ids.map(|id| Ok(describe(&repo.find_commit(id.map_err(failed)?).map_err(failed)?))).collect()
    }

    fn parse(&self, commit: &str) -> Result<Oid, ScmError> {
        if commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Oid::from_str(commit).map_err(|error| self.failed(error));
        }
        let reason = "a commit is named by its full hash of 40 hex digits".into();
        Err(ScmError::BadName { what: "commit", value: commit.into(), reason })
    }

    pub(crate) fn find<'r>(&self, repo: &'r Repository, commit: &str) -> Result<Commit<'r>, ScmError> {
        repo.find_commit(self.parse(commit)?).map_err(|_| self.no_commit(commit))
    }

    fn has(&self, id: Oid) -> bool {
        Repository::open_bare(&self.folder).is_ok_and(|repo| repo.find_commit(id).is_ok())
    }

    pub(crate) fn tree<'r>(&self, repo: &'r Repository, commit: &str) -> Result<git2::Tree<'r>, ScmError> {
        self.find(repo, commit)?.tree().map_err(|error| self.failed(error))
    }

    pub(crate) fn open(&self) -> Result<Repository, ScmError> {
        Repository::open_bare(&self.folder).map_err(|error| self.failed(error))
    }

    fn fetch(&self, refspecs: &[&str], credential: Option<&Credential>) -> Result<(), ScmError> {
        self.init()?;
        let fetch = || git::fetch(&self.folder, &self.url, refspecs, credential);
        let first = fetch();
        let Err(ScmError::Git { detail, .. }) = &first else { return first };
        tracing::warn!(url = self.url.as_str(), detail, "the mirror does not take a fetch: sweeping git's locks");
        sweep_locks(&self.folder).map_err(|source| self.io(source))?;
        let second = fetch();
        let Err(ScmError::Git { detail, .. }) = &second else { return second };
        tracing::warn!(url = self.url.as_str(), detail, "nor after that: making the mirror anew");
        std::fs::remove_dir_all(&self.folder).map_err(|source| self.io(source))?;
        self.init()?;
        fetch()
    }

    fn init(&self) -> Result<(), ScmError> {
        if Repository::open_bare(&self.folder).is_ok() {
            return Ok(());
        }
        let unfinished = self.folder.with_extension("unfinished");
        for leftover in [&unfinished, &self.folder] {
            match std::fs::remove_dir_all(leftover) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(self.io(error)),
                _ => {}
            }
        }
        let mut options = git2::RepositoryInitOptions::new();
        // The user's own template folder may hold hooks.
        options.bare(true).external_template(false);
        Repository::init_opts(&unfinished, &options).map_err(|error| self.failed(error))?;
        std::fs::rename(&unfinished, &self.folder).map_err(|source| self.io(source))
    }

    fn lock(&self) -> Result<File, ScmError> {
        let path = self.folder.with_extension("lock");
        let locked = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        });
        locked.map_err(|source| ScmError::Io { path: path.display().to_string(), source })
    }

    fn no_commit(&self, commit: &str) -> ScmError {
        ScmError::NoSuchCommit { url: self.url.to_string(), commit: commit.into() }
    }

    pub(crate) fn failed(&self, source: git2::Error) -> ScmError {
        ScmError::Mirror { path: self.folder.display().to_string(), source }
    }

    fn io(&self, source: std::io::Error) -> ScmError {
        ScmError::Io { path: self.folder.display().to_string(), source }
    }
}

fn describe(commit: &Commit<'_>) -> CommitInfo {
    let author = commit.author();
    CommitInfo {
        commit: commit.id().to_string(),
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        subject: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned(),
        at_ms: commit.time().seconds().saturating_mul(1000),
    }
}

/// Removes the lock files that a killed git left. Our own lock is held, so no other of ours is at work.
fn sweep_locks(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("objects") {
            sweep_locks(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A text file of a repository at a commit, through the mirror below `cache_dir`; fetched only if the commit is not
/// there yet.
///
/// # Errors
/// Those of [`Mirror::ensure`] and [`Mirror::read`].
pub async fn definition_at(
    cache_dir: &Path,
    url: &str,
    commit: &str,
    path: &str,
    credential: Option<&Credential>,
) -> Result<String, ScmError> {
    let (mirror, commit, path) = (Mirror::new(cache_dir, url)?, commit.to_owned(), path.to_owned());
    let credential = credential.cloned();
    blocking(move || {
        mirror.ensure(&commit, credential.as_ref())?;
        mirror.read(&commit, &path)
    })
    .await
}

/// Author, subject and time of a commit, likewise.
///
/// # Errors
/// Those of [`Mirror::ensure`].
pub async fn commit_at(
    cache_dir: &Path,
    url: &str,
    commit: &str,
    credential: Option<&Credential>,
) -> Result<CommitInfo, ScmError> {
    let (mirror, commit, credential) = (Mirror::new(cache_dir, url)?, commit.to_owned(), credential.cloned());
    blocking(move || {
        mirror.ensure(&commit, credential.as_ref())?;
        mirror.info(&commit)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, HttpHost};

    #[tokio::test]
    async fn a_definition_is_read_at_its_commit_and_then_without_the_host() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let url = repo.url().to_string();
        let first = repo.commit("ci/haliotis.yaml", "name: one\n", "first\n\nand more");
        let second = repo.commit("ci/haliotis.yaml", "name: two\n", "second");
        let read = async |commit: &str, path: &str| definition_at(cache.path(), &url, commit, path, None).await;
        assert_eq!(read(&first, "ci/haliotis.yaml").await.unwrap(), "name: one\n");
        let info = commit_at(cache.path(), &url, &first, None).await.unwrap();
        assert_eq!((info.author.as_str(), info.subject.as_str()), ("Ada", "first"));
        drop(repo);
        assert_eq!(read(&second, "./ci/haliotis.yaml").await.unwrap(), "name: two\n");
        assert!(matches!(read(&second, "ci").await, Err(ScmError::NoSuchFile { .. })));
        let missing = read(&second, "../../etc/passwd").await.unwrap_err();
        assert!(matches!(missing, ScmError::NoSuchFile { .. }), "{missing}");
        assert!(matches!(read("main", "x").await, Err(ScmError::BadName { .. })));
        let gone = read(&"0".repeat(39).add_one(), "x").await.unwrap_err();
        assert!(matches!(gone, ScmError::RepositoryGone { .. }), "{gone}");
    }

    trait AddOne {
        fn add_one(self) -> String;
    }
    impl AddOne for String {
        fn add_one(mut self) -> String {
            self.push('1');
            self
        }
    }

    #[test]
    fn a_commit_that_the_host_lacks_is_named() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        repo.commit("a.txt", "one", "first");
        let mirror = Mirror::new(cache.path(), repo.url().as_str()).unwrap();
        let error = mirror.ensure("1234567890123456789012345678901234567890", None).unwrap_err();
        assert!(matches!(error, ScmError::NoSuchCommit { .. }), "{error}");
    }

    #[test]
    fn changed_paths_and_log_between_two_commits() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let first = repo.commit("a.txt", "one", "first");
        repo.commit("b/c.txt", "two", "second");
        let third = repo.commit("a.txt", "three", "third");
        let mirror = Mirror::new(cache.path(), repo.url().as_str()).unwrap();
        mirror.ensure(&third, None).unwrap();
        assert_eq!(
            mirror.changed_paths(Some(&first), &third).unwrap(),
            (vec!["a.txt".into(), "b/c.txt".into()], false)
        );
        assert_eq!(mirror.changed_paths(None, &first).unwrap().0, ["a.txt"]);
        let subjects: Vec<_> = mirror.log(Some(&first), &third, 10).unwrap().into_iter().map(|c| c.subject).collect();
        assert_eq!(subjects, ["third", "second"]);
        let changes = mirror.changes(&first, &third, 10).unwrap();
        let shown: Vec<_> = changes.iter().map(|one| (one.message.trim_end(), one.files.clone())).collect();
        let add = (crate::Edit::Add, "b/c.txt".to_owned());
        let edit = (crate::Edit::Edit, "a.txt".to_owned());
        assert_eq!(shown, [("second", vec![add]), ("third", vec![edit])]);
        assert!(changes.iter().all(|one| !one.author.is_empty() && one.email.contains('@')));
    }

    #[test]
    fn what_a_killed_fetch_left_behind_is_swept_away() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let first = repo.commit("a.txt", "one", "first");
        let mirror = Mirror::new(cache.path(), repo.url().as_str()).unwrap();
        mirror.ensure(&first, None).unwrap();
        std::fs::write(mirror.folder().join("refs/heads/main.lock"), "").unwrap();
        let second = repo.commit("a.txt", "two", "second");
        mirror.ensure(&second, None).unwrap();
        assert_eq!(mirror.read(&second, "a.txt").unwrap(), "two");
    }

    #[test]
    fn what_a_server_killed_while_making_a_mirror_left_behind_is_in_nobodys_way() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let commit = repo.commit("a.txt", "one", "first");
        let mirror = Mirror::new(cache.path(), repo.url().as_str()).unwrap();
        for half in [mirror.folder().to_owned(), mirror.folder().with_extension("unfinished")] {
            std::fs::create_dir_all(&half).unwrap();
            std::fs::write(half.join("config.lock"), "").unwrap();
        }
        mirror.ensure(&commit, None).unwrap();
        assert_eq!(mirror.read(&commit, "a.txt").unwrap(), "one");
        assert!(!mirror.folder().with_extension("unfinished").exists());
    }

    #[test]
    fn many_at_once_make_one_mirror() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let commit = repo.commit("a.txt", "one", "first");
        let mirror = Mirror::new(cache.path(), repo.url().as_str()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    mirror.ensure(&commit, None).unwrap();
                    assert_eq!(mirror.read(&commit, "a.txt").unwrap(), "one");
                });
            }
        });
    }

    #[test]
    fn a_mirror_over_http_with_a_credential_in_the_address_keeps_no_password() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let commit = repo.commit("a.txt", "one", "first");
        let host = HttpHost::serve(repo.path(), "ada", "s3cr3t");
        let url = host.url().replace("http://", "http://ada:s3cr3t@");
        let mirror = Mirror::new(cache.path(), &url).unwrap();
        mirror.ensure(&commit, None).unwrap();
        assert_eq!(mirror.read(&commit, "a.txt").unwrap(), "one");
        let config = std::fs::read_to_string(mirror.folder().join("config")).unwrap();
        assert!(!config.contains("s3cr3t"));
    }
}
