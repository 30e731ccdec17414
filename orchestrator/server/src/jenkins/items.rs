//! Jobs and folders: Jenkins' tree of names over the pipelines of the catalogue.
//!
//! A job is a pipeline of the same full name; a folder is what pipelines' names have before a `/`, or what was made as one
//! ([`FOLDER`]). What Jenkins knows of a job and we do not model stays in its config.xml ([`CONFIG`]), as it was given.

use std::collections::{BTreeMap, BTreeSet};

use haliotis_model::Pipeline;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::bad;
use crate::error::Failed;
use crate::state::AppState;

/// Documents: config.xml of a job, by its full name.
pub(crate) const CONFIG: &str = "jenkins-config";
/// Documents: config.xml of a folder, by its full name.
pub(crate) const FOLDER: &str = "jenkins-folder";
/// The file of a pipeline whose definition was made from a freestyle job's config.xml.
pub(crate) const FREESTYLE_PATH: &str = "config.xml";
/// A full name longer than this is a mistake; file systems would refuse it as well.
const NAME_MAX: usize = 400;

/// What a path of `/job/NAME` parts leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Root,
    Folder(String),
    Job(Box<Pipeline>),
}

impl Item {
    /// Names from the root, `/` between them; empty for the root.
    pub(crate) fn full_name(&self) -> &str {
        match self {
            Item::Root => "",
            Item::Folder(name) => name,
            Item::Job(pipeline) => &pipeline.name,
        }
    }

    /// The full name of something in it.
    pub(crate) fn inside(&self, name: &str) -> String {
        match self.full_name() {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        }
    }

    /// The job.
    ///
    /// # Errors
    /// 404 when it is none.
    pub(crate) fn job(&self) -> Result<&Pipeline, Failed> {
        match self {
            Item::Job(pipeline) => Ok(pipeline),
            other => Err(Failed::not_found(format!("{:?} is no job", other.full_name()))),
        }
    }

    /// The root or a folder.
    ///
    /// # Errors
    /// 404 when it is a job.
    pub(crate) fn group(&self) -> Result<(), Failed> {
        match self {
            Item::Job(pipeline) => Err(Failed::not_found(format!("the job {:?} holds no other jobs", pipeline.name))),
            _ => Ok(()),
        }
    }
}

/// The item of a full name.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn find(state: &AppState, full: &str) -> Result<Item, Failed> {
    if full.is_empty() {
        return Ok(Item::Root);
    }
    if let Some(pipeline) = state.catalog.pipeline(full).await? {
        return Ok(Item::Job(Box::new(pipeline)));
    }
    if state.catalog.document(FOLDER, full).await?.is_some() {
        return Ok(Item::Folder(full.to_owned()));
    }
    let inside = format!("{full}/");
    let holds = |pipeline: &Pipeline| pipeline.name.starts_with(&inside);
    if state.catalog.pipelines().await?.iter().any(holds) {
        return Ok(Item::Folder(full.to_owned()));
    }
    Err(Failed::not_found(format!("there is no job or folder {full:?}")))
}

/// Something with this full name is there.
pub(crate) async fn exists(state: &AppState, full: &str) -> Result<bool, Failed> {
    match find(state, full).await {
        Ok(_) => Ok(true),
        Err(failed) if failed.status == axum::http::StatusCode::NOT_FOUND => Ok(false),
        Err(failed) => Err(failed),
    }
}

/// All jobs and folders at one moment.
pub(crate) struct Directory {
    pub(crate) jobs: BTreeMap<String, Pipeline>,
    pub(crate) folders: BTreeSet<String>,
}

impl Directory {
    pub(crate) async fn read(state: &AppState) -> Result<Self, Failed> {
        let pipelines = state.catalog.pipelines().await?;
        let made = state.catalog.documents(FOLDER).await?;
        let mut folders = BTreeSet::new();
        for name in pipelines.iter().map(|pipeline| pipeline.name.as_str()) {
            folders.extend(name.match_indices('/').map(|(at, _)| name[..at].to_owned()));
        }
        for (name, _) in made {
            folders.extend(name.match_indices('/').map(|(at, _)| name[..at].to_owned()));
            folders.insert(name);
        }
        let jobs = pipelines.into_iter().map(|pipeline| (pipeline.name.clone(), pipeline)).collect();
        Ok(Self { jobs, folders })
    }

    /// The same, of what the caller may see.
    pub(crate) async fn seen(state: &AppState) -> Result<Self, Failed> {
        let caller = crate::access::current();
        let mut directory = Self::read(state).await?;
        directory.jobs.retain(|name, _| caller.sees(name));
        directory.folders.retain(|name| caller.sees(name));
        Ok(directory)
    }

    /// Full names of what stands directly in a folder, folders and jobs by name.
    pub(crate) fn children(&self, folder: &str) -> Vec<&str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let direct =
            |name: &&str| name.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
        let folders = self.folders.iter().map(String::as_str);
        // A pipeline may have the name of a folder: it is the job then, and its folder is reached by its jobs alone.
        let mut all: Vec<&str> = folders.filter(|name| !self.jobs.contains_key(*name)).filter(direct).collect();
        all.extend(self.jobs.keys().map(String::as_str).filter(direct));
        all.sort_unstable();
        all
    }

    /// Full names of all jobs below a folder.
    pub(crate) fn below(&self, folder: &str) -> Vec<&str> {
        let prefix = format!("{folder}/");
        self.jobs.keys().map(String::as_str).filter(|name| name.starts_with(&prefix)).collect()
    }
}

/// The last part of a full name.
pub(crate) fn short(full: &str) -> &str {
    full.rsplit('/').next().unwrap_or(full)
}

/// What stands before the last part; empty at the root.
pub(crate) fn parent(full: &str) -> &str {
    full.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// As `job/a/job/b/`, from the root.
pub(crate) fn path(full: &str) -> String {
    full.split('/').filter(|part| !part.is_empty()).map(|part| format!("job/{}/", encode(part))).collect()
}

/// One part of a path.
pub(crate) fn encode(part: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(part, KEPT).to_string()
}

/// Checks the name of a new item by Jenkins' rule.
///
/// # Errors
/// 400 with the character that may not be in it.
pub(crate) fn check_name(name: &str) -> Result<(), Failed> {
    if name.trim().is_empty() {
        return Err(bad("No name is specified"));
    }
    if matches!(name, "." | "..") || name.len() > NAME_MAX {
        return Err(bad(format!("{name:.40} is not an allowed name")));
    }
    match name.chars().find(|c| c.is_control() || "?*/\\%!@#$^&|<>[]:;".contains(*c)) {
        Some(c) => Err(bad(format!("'{c}' is an unsafe character"))),
        None if name.ends_with('.') || name.trim() != name => Err(bad("A name cannot end with a dot or a space")),
        None => Ok(()),
    }
}

/// The class of a job, as Jenkins calls it.
pub(crate) fn job_class(pipeline: &Pipeline) -> &'static str {
    if is_freestyle(pipeline) {
        "hudson.model.FreeStyleProject"
    } else {
        "org.jenkinsci.plugins.workflow.job.WorkflowJob"
    }
}

/// The class of its builds.
pub(crate) fn build_class(pipeline: &Pipeline) -> &'static str {
    if is_freestyle(pipeline) {
        "hudson.model.FreeStyleBuild"
    } else {
        "org.jenkinsci.plugins.workflow.job.WorkflowRun"
    }
}

pub(crate) fn is_freestyle(pipeline: &Pipeline) -> bool {
    pipeline.path == FREESTYLE_PATH
}

/// The class of a folder.
pub(crate) const FOLDER_CLASS: &str = "com.cloudbees.hudson.plugins.folder.Folder";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!(path("a b/c"), "job/a%20b/job/c/");
        assert_eq!((short("a/b"), parent("a/b"), parent("a")), ("b", "a", ""));
        for name in ["", " ", "..", "a/b", "a?", "a\n", "a.", " a"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("train model-1.2_ä").is_ok());
    }
}
