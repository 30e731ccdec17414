//! Reading and pushing, over git2 for folders of this machine and over the git program for everything else.

use std::path::PathBuf;

use git2::{PushOptions, RemoteCallbacks, Repository};
use haliotis_scm::{Credential, RepoUrl, ScmError, git};

use crate::SeedError;
use crate::tree::git as failed;

/// A repository somewhere, and a temporary bare one to work in.
pub(crate) struct Remote {
    url: RepoUrl,
    credential: Option<Credential>,
    /// Removed at the end.
    _folder: tempfile::TempDir,
    path: PathBuf,
    pub(crate) work: Repository,
}

impl Remote {
    pub(crate) fn open(url: &str, credential: Option<&Credential>) -> Result<Self, SeedError> {
        let url = RepoUrl::parse(url)?;
        let io = |source| SeedError::Io { path: std::env::temp_dir().display().to_string(), source };
        let folder = tempfile::Builder::new().prefix("haliotis-seed-").tempdir().map_err(io)?;
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false);
        let work = Repository::init_opts(folder.path(), &options).map_err(failed("making a temporary repository"))?;
        let path = folder.path().to_owned();
        Ok(Remote { url, credential: credential.cloned(), _folder: folder, path, work })
    }

    /// Branches and their commits, by name.
    pub(crate) fn branches(&self) -> Result<Vec<(String, String)>, SeedError> {
        let Some(folder) = self.url.local_path() else {
            return Ok(git::branches(&self.url, self.credential.as_ref())?);
        };
        let repo = self.open_local(folder)?;
        let mut found = Vec::new();
        for branch in repo.branches(Some(git2::BranchType::Local)).map_err(self.reading())? {
            let reference = branch.map_err(self.reading())?.0.into_reference();
            if let (Some(name), Some(id)) = (reference.shorthand().ok(), reference.target()) {
                found.push((name.to_owned(), id.to_string()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Brings a branch into the temporary repository.
    pub(crate) fn fetch(&self, branch: &str) -> Result<(), SeedError> {
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        if self.url.local_path().is_none() {
            return Ok(git::fetch(&self.path, &self.url, &[&refspec], self.credential.as_ref())?);
        }
        let mut remote = self.work.remote_anonymous(self.url.as_str()).map_err(self.reading())?;
        remote.fetch(&[&refspec], None, None).map_err(self.reading())
    }

    /// Moves a branch there from `expected` to `commit` of the temporary repository.
    pub(crate) fn push(&self, commit: &str, branch: &str, expected: Option<&str>) -> Result<(), SeedError> {
        if self.url.local_path().is_none() {
            let credential = self.credential.as_ref();
            return Ok(git::push(&self.path, &self.url, commit, branch, expected, credential)?);
        }
        let outgoing = "refs/heads/haliotis-outgoing";
        let id = git2::Oid::from_str(commit).map_err(self.writing())?;
        self.work.reference(outgoing, id, true, "push").map_err(self.writing())?;
        let mut refusal = None;
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_update_reference(|_, status| {
            refusal = status.map(str::to_owned);
            Ok(())
        });
        let mut remote = self.work.remote_anonymous(self.url.as_str()).map_err(self.writing())?;
        let refspec = format!("{outgoing}:refs/heads/{branch}");
        let pushed = remote.push(&[refspec.as_str()], Some(PushOptions::new().remote_callbacks(callbacks)));
        drop(remote);
        let refused =
            |detail: String| ScmError::PushRefused { url: self.url.to_string(), branch: branch.to_owned(), detail };
        match (pushed, refusal) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(detail)) => Err(refused(detail).into()),
            (Err(error), _) => Err(refused(error.message().to_owned()).into()),
        }
    }

    fn open_local(&self, folder: PathBuf) -> Result<Repository, SeedError> {
        Repository::open(folder).map_err(|error| {
            let detail = error.message().to_owned();
            ScmError::RepositoryGone { url: self.url.to_string(), detail }.into()
        })
    }

    fn reading(&self) -> impl Fn(git2::Error) -> SeedError + use<> {
        let what = format!("reading {}", self.url);
        move |source| SeedError::Git { what: what.clone(), source }
    }

    fn writing(&self) -> impl Fn(git2::Error) -> SeedError + use<> {
        let what = format!("pushing to {}", self.url);
        move |source| SeedError::Git { what: what.clone(), source }
    }

    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }
}
