//! Seeding a repository, and changing a file of one.
//!
//! Races: between the look at the repository and the push, somebody else may push. The push names what was seen (a lease
//! over the network; git's own refusal of anything but a forward move locally), so it is refused and nothing is lost. A
//! crash before the push leaves nothing; one after it is found by the next seeding, which changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Oid, Repository};
use haliotis_scm::Credential;
use serde::Serialize;

use crate::remote::Remote;
use crate::tree::{self, git};
use crate::{SeedError, render};

/// What to seed, and where.
#[derive(Clone, Debug)]
pub struct SeedRequest {
    /// Git URL or absolute folder of a repository that exists.
    pub repo_url: String,
    /// The branch to make.
    pub branch: String,
    /// Name of the template.
    pub template: String,
    /// Values of its placeholders; `branch` is filled in from the field above unless given.
    pub values: BTreeMap<String, String>,
    /// `Name <address>`.
    pub author: String,
    /// For the repository.
    pub credential: Option<Credential>,
}

/// What a repository is at afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seeded {
    /// The branch's commit.
    pub commit: String,
    /// The branch.
    pub branch: String,
    /// Whether this call moved it.
    pub changed: bool,
}

/// Commits and pushes a template to a repository without branches. A repository that was seeded with the same template
/// and values before is left as it is, also when commits followed.
///
/// # Errors
/// `NotEmpty`, `SeededOtherwise`, bad values, and those of the host. None of them changes the repository.
pub fn seed(request: &SeedRequest) -> Result<Seeded, SeedError> {
    let mut values = request.values.clone();
    values.entry("branch".into()).or_insert_with(|| request.branch.clone());
    let files = render(&request.template, &values)?;
    let remote = Remote::open(&request.repo_url, request.credential.as_ref())?;
    let tree = tree::write_tree(&remote.work, &files)?;
    let branches = remote.branches()?;
    if branches.is_empty() {
        let message = tree::seed_message(&request.template);
        let commit = tree::commit(&remote.work, tree, None, &message, &request.author)?.to_string();
        remote.push(&commit, &request.branch, None)?;
        tracing::info!(repo = remote.url(), template = request.template, commit, "seeded");
        return Ok(Seeded { commit, branch: request.branch.clone(), changed: true });
    }
    recognise(&remote, request, tree, &branches)
}

/// A repository with branches: seeded by us before, or somebody else's.
fn recognise(
    remote: &Remote,
    request: &SeedRequest,
    tree: Oid,
    branches: &[(String, String)],
) -> Result<Seeded, SeedError> {
    let other = |found: String| SeedError::NotEmpty { url: remote.url().into(), found };
    let Some((branch, commit)) = branches.iter().find(|(name, _)| *name == request.branch) else {
        let names: Vec<&str> = branches.iter().map(|(name, _)| name.as_str()).take(5).collect();
        return Err(other(format!("branches {}", names.join(", "))));
    };
    remote.fetch(branch)?;
    let head = Oid::from_str(commit).and_then(|id| remote.work.find_commit(id)).map_err(git("reading the branch"))?;
    let Some(root) = tree::root(&head) else { return Err(other("a long history".into())) };
    if root.tree_id() == tree {
        return Ok(Seeded { commit: commit.clone(), branch: branch.clone(), changed: false });
    }
    match tree::seeded_from(&root) {
        Some(template) if template == request.template => {
            Err(SeedError::SeededOtherwise { url: remote.url().into(), template, commit: root.id().to_string() })
        }
        Some(template) => Err(other(format!("it was seeded from {template}"))),
        None => {
            let subject = String::from_utf8_lossy(head.summary_bytes().unwrap_or_default()).into_owned();
            Err(other(format!("branch {branch} at {}: {subject}", &commit[..commit.len().min(10)])))
        }
    }
}

/// Makes an empty bare repository whose HEAD is `branch`. One that is there already is left as it is. It is made under
/// another name and renamed when it is whole, so that a kill in between leaves nothing that looks like a repository.
///
/// # Errors
/// `PlaceTaken` when the folder holds something else.
pub fn create_bare(path: &Path, branch: &str) -> Result<(), SeedError> {
    if Repository::open_bare(path).is_ok_and(|repo| repo.is_bare()) {
        return Ok(());
    }
    let taken = path.exists() && std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_some());
    if taken {
        return Err(SeedError::PlaceTaken { path: path.display().to_string() });
    }
    let making = format!("making {}", path.display());
    let failed = |source| SeedError::Io { path: path.display().to_string(), source };
    let unfinished = path.with_extension("unfinished");
    match std::fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).mkpath(true).external_template(false).initial_head(branch);
    Repository::init_opts(&unfinished, &options).map_err(git(&making))?;
    // Renames over an empty folder as well.
    std::fs::rename(&unfinished, path).map_err(failed)
}

/// Changes one text file of a branch and pushes the commit. When `edit` leaves the text as it is, nothing is pushed and
/// the branch's commit comes back.
///
/// # Errors
/// `NoFile`, what `edit` says, and those of the host.
pub fn commit_change(
    repo_url: &str,
    branch: &str,
    path: &str,
    edit: impl FnOnce(&str) -> Result<String, SeedError>,
    message: &str,
    author: &str,
    credential: Option<&Credential>,
) -> Result<Seeded, SeedError> {
    let remote = Remote::open(repo_url, credential)?;
    let no_file = || SeedError::NoFile { url: remote.url().into(), branch: branch.into(), path: path.into() };
    let (_, commit) = remote.branches()?.into_iter().find(|(name, _)| name == branch).ok_or_else(no_file)?;
    remote.fetch(branch)?;
    let head = Oid::from_str(&commit).and_then(|id| remote.work.find_commit(id)).map_err(git("reading the branch"))?;
    let base = head.tree().map_err(git("reading the branch"))?;
    let entry = base.get_path(Path::new(path)).map_err(|_| no_file())?;
    let blob = remote.work.find_blob(entry.id()).map_err(|_| no_file())?;
    let text = std::str::from_utf8(blob.content()).map_err(|_| no_file())?;
    let changed = edit(text)?;
    if changed == text {
        return Ok(Seeded { commit, branch: branch.into(), changed: false });
    }
    let tree = tree::with_file(&remote.work, &base, path, &changed)?;
    let new = tree::commit(&remote.work, tree, Some(&head), message, author)?.to_string();
    remote.push(&new, branch, Some(&commit))?;
    Ok(Seeded { commit: new, branch: branch.into(), changed: true })
}

/// A pipeline's text with another default for a parameter that stands on one line, as
/// `  MaxDepth: { type: integer, default: 5, … }`. For [`commit_change`].
///
/// # Errors
/// `NoParameter`.
pub fn set_parameter_default(text: &str, name: &str, value: &str) -> Result<String, SeedError> {
    let missing = || SeedError::NoParameter(name.to_owned());
    let start = format!("  {name}: {{");
    let at = text.match_indices(&start).map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with('\n'));
    let at = at.ok_or_else(missing)?;
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let key = "default: ";
    let from = at + text[at..end].find(key).ok_or_else(missing)? + key.len();
    let to = from + text[from..end].find([',', '}']).ok_or_else(missing)?;
    let tail = if text[..to].ends_with(' ') { " " } else { "" };
    Ok(format!("{}{value}{tail}{}", &text[..from], &text[to..]))
}
