//! Multibranch projects: a look at a repository's references, and pipelines made to match them.
//!
//! ```text
//! tick, webhook -> ls-remote, once for a project -> heads wanted -> pipeline and `Head` document for each
//!                                                -> gone ones: disabled, removed after the days they are kept
//! a head whose commit is not the one built last -> BuildRequest { once: pipeline and commit }
//! ```
//!
//! - **A delivery and a tick see the same commit**: the build's `once` key is pipeline, branch and commit.
//! - **Killed between the build and its position**: the position is behind, and the key finds the build.
//! - **A branch comes back**: its pipeline is there, disabled; it is enabled, with its history.
//! - **A pull request is closed while it is looked at**: it is on disk as closed before; the next look removes it.
//! - **One repository does not answer**: only its own project waits, longer each time.
//!
//! Pull requests are known from their webhooks, kept as documents until one says they are closed: a plain Git server
//! tells neither target nor title. Their commits are read from the repository (`refs/pull/7/head`), so that an invented
//! commit of a payload builds nothing. What comes from a fork runs the target's definition and gets no secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use haliotis_engine::now;
use haliotis_engine::trigger::BuildRequest;
use haliotis_model::branches::{BranchProject, CHANGES, ChangeInfo, ChangeWay, HEADS, Head, PROJECTS};
use haliotis_model::{Cause, Object, Pipeline, Value};
use haliotis_scm::Change;

use crate::app::App;
use crate::app::builds::BuildError;
use crate::app::credentials::by_server;

/// The list of projects is looked at this often; a project at its own interval.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After errors the interval doubles up to this.
const SLOWEST: Duration = Duration::from_secs(15 * 60);
/// Heads of one project; more is a repository that nobody meant to follow whole.
const HEADS_MAX: usize = 2_000;
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

struct Due {
    every: Duration,
    next: Instant,
    failures: u32,
    running: bool,
}

/// Looks for ever.
pub(super) async fn run(app: Arc<App>) {
    let mut dues: BTreeMap<String, Due> = BTreeMap::new();
    let (done, mut results) = tokio::sync::mpsc::unbounded_channel::<(String, bool)>();
    loop {
        while let Ok((name, good)) = results.try_recv() {
            if let Some(due) = dues.get_mut(&name) {
                due.running = false;
                due.failures = if good { 0 } else { due.failures + 1 };
                let pause = due.every * 2_u32.saturating_pow(due.failures.min(16));
                due.next = Instant::now() + if good { due.every } else { pause.min(SLOWEST.max(due.every)) };
            }
        }
        let projects = projects(&app).await.unwrap_or_default();
        let sooner = app.nudges.take_branches();
        dues.retain(|name, _| projects.iter().any(|project| project.name == *name));
        for project in projects.into_iter().filter(|project| !project.disabled) {
            let every = app.options.poll_every.unwrap_or(Duration::from_millis(project.every_ms));
            let due = dues.entry(project.name.clone());
            let due = due.or_insert(Due { every, next: Instant::now(), failures: 0, running: false });
            due.every = every;
            if sooner.contains(&project.name) {
                due.next = Instant::now();
            }
            if due.running || due.next > Instant::now() {
                continue;
            }
            due.running = true;
            let (app, done) = (Arc::clone(&app), done.clone());
            tokio::spawn(async move {
                let place = app.git_hosts.place(&project.repo).await;
                let looked = look(&app, &project).await;
                drop(place);
                let good = match looked {
                    Ok(()) => true,
                    Err(error) => {
                        if let BuildError::Scm(error) = &error
                            && let Some(pause) = error.retry_after()
                        {
                            app.git_hosts.leave_alone(&project.repo, pause);
                        }
                        tracing::warn!(project = project.name, %error, "a multibranch project could not be looked at; it is tried again, slower");
                        false
                    }
                };
                let _ = done.send((project.name, good));
            });
        }
        super::rest(&app.nudges.branches, LOOK_EVERY).await;
    }
}

async fn projects(app: &App) -> Result<Vec<BranchProject>, BuildError> {
    let kept = app.store_catalog().documents(PROJECTS).await?;
    Ok(kept.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect())
}

impl App {
    /// The repositories changed: projects that follow them are looked at now. Answers whether there is any.
    pub(super) async fn branches_changed(&self, repos: &[String]) -> Result<bool, BuildError> {
        let own = projects(self).await?.into_iter().filter(|project| follows(project, repos)).map(|one| one.name);
        let names: BTreeSet<String> = own.collect();
        let any = !names.is_empty();
        self.nudges.look_at_branches(names);
        Ok(any)
    }

    /// A pull request was opened, changed or closed: on disk, then looked at.
    pub(super) async fn change_told(&self, change: &Change) -> Result<String, BuildError> {
        let info = ChangeInfo {
            id: change.id,
            branch: change.branch.clone(),
            target: change.target.clone(),
            fork: change.fork,
            author: change.author.clone(),
            title: change.title.clone(),
            url: change.url.clone(),
        };
        let text = serde_json::to_string(&info).unwrap_or_default();
        let mut told = false;
        for project in projects(self).await?.iter().filter(|project| follows(project, &change.repos)) {
            let name = format!("{}/{}", project.name, change.id);
            told = true;
            if change.closed {
                self.store_catalog().remove_document(CHANGES, &name).await?;
            } else {
                self.store_catalog().put_document(CHANGES, &name, &text).await?;
            }
            self.nudges.look_at_branches([project.name.clone()].into());
        }
        let state = if change.closed { "closed" } else { "open" };
        Ok(match told {
            true => format!("pull request {} is {state}", change.id),
            false => format!("ignored: no multibranch project follows the repository of pull request {}", change.id),
        })
    }
}

fn follows(project: &BranchProject, repos: &[String]) -> bool {
    repos.iter().any(|url| haliotis_scm::same_repo(url, &project.repo))
}

/// One look at a project.
async fn look(app: &App, project: &BranchProject) -> Result<(), BuildError> {
    app.quiet.over().await;
    let wish = by_server(&project.name, None, &project.repo);
    let credential = app.git_credential(project.credential.as_deref(), &wish).await?;
    let references: BTreeMap<String, String> =
        haliotis_scm::references(&project.repo, credential.as_ref()).await?.into_iter().collect();
    let wanted = wanted(app, project, &references).await?;
    for (name, head) in &wanted {
        if let Err(error) = keep(app, project, name, head).await {
            // One head's trouble (a definition that cannot be read, say) is its own.
            tracing::warn!(pipeline = name, %error, "a head of a multibranch project could not be followed");
        }
    }
    sweep(app, project, &wanted).await
}

/// All heads there shall be a pipeline for, by the pipeline's name.
async fn wanted(
    app: &App,
    project: &BranchProject,
    references: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, (String, Head)>, BuildError> {
    let mut wanted = BTreeMap::new();
    let head = |reference: &str, commit: &str| Head {
        project: project.name.clone(),
        reference: reference.to_owned(),
        tag: None,
        change: None,
        commit: commit.to_owned(),
        definition: None,
        trusted: true,
        gone_at: None,
    };
    for (reference, commit) in references {
        if let Some(branch) = reference.strip_prefix("refs/heads/").filter(|_| project.branches) {
            if project.takes(branch) {
                wanted.insert(project.pipeline(branch), (branch.to_owned(), head(reference, commit)));
            }
        } else if let Some(tag) = reference.strip_prefix("refs/tags/").filter(|_| project.tags)
            && project.takes(tag)
        {
            let head = Head { tag: Some(tag.to_owned()), ..head(reference, commit) };
            wanted.insert(project.pipeline(tag), (tag.to_owned(), head));
        }
    }
    let inside = format!("{}/", project.name);
    for (_, text) in app.store_catalog().documents(CHANGES).await?.iter().filter(|(name, _)| name.starts_with(&inside))
    {
        let Ok(change) = serde_json::from_str::<ChangeInfo>(text) else { continue };
        for (name, head) in heads_of(project, &change, references, &head) {
            wanted.insert(project.pipeline(&name), (name, head));
        }
    }
    if wanted.len() > HEADS_MAX {
        tracing::warn!(
            project = project.name,
            count = wanted.len(),
            "too many heads; the first {HEADS_MAX} are followed"
        );
    }
    Ok(wanted.into_iter().take(HEADS_MAX).collect())
}

/// The heads of one pull request: one for each way of building it that the repository has a reference for.
fn heads_of(
    project: &BranchProject,
    change: &ChangeInfo,
    references: &BTreeMap<String, String>,
    head: &dyn Fn(&str, &str) -> Head,
) -> Vec<(String, Head)> {
    let ways = if change.fork { &project.fork_changes } else { &project.own_changes };
    let Some(target) = references.get(&format!("refs/heads/{}", change.target)) else { return Vec::new() };
    let mut found = Vec::new();
    for way in ways {
        let own = format!("refs/heads/{}", change.branch);
        let kept = match way {
            ChangeWay::Head => ["pull/{}/head", "merge-requests/{}/head", "pull-requests/{}/from"],
            ChangeWay::Merge => ["pull/{}/merge", "merge-requests/{}/merge", "pull-requests/{}/merge"],
        };
        let kept = kept.iter().map(|form| format!("refs/{}", form.replace("{}", &change.id.to_string())));
        // Bitbucket Cloud keeps no reference of a pull request; its own branches are there all the same.
        let own = (*way == ChangeWay::Head && !change.fork).then_some(own);
        let Some((reference, commit)) =
            kept.chain(own).find_map(|name| references.get(&name).map(|commit| (name.clone(), commit.clone())))
        else {
            continue;
        };
        let name = match (ways.len(), way) {
            (1, _) => format!("PR-{}", change.id),
            (_, ChangeWay::Merge) => format!("PR-{}-merge", change.id),
            (_, ChangeWay::Head) => format!("PR-{}-head", change.id),
        };
        let trusted = !change.fork || project.trust_forks;
        let definition = (!trusted).then(|| target.clone());
        found.push((name, Head { change: Some(change.clone()), definition, trusted, ..head(&reference, &commit) }));
    }
    found
}

/// Makes a head's pipeline and, when its commit is new, a build.
async fn keep(app: &App, project: &BranchProject, full: &str, wanted: &(String, Head)) -> Result<(), BuildError> {
    let (branch, head) = wanted;
    let catalog = app.store_catalog();
    let text = serde_json::to_string(head).unwrap_or_default();
    let before = catalog.document(HEADS, full).await?;
    let cursor = format!("branch-head:{full}");
    let built = catalog.cursor(&cursor).await?;
    if before.as_deref() == Some(text.as_str()) && built.as_deref() == Some(head.commit.as_str()) {
        return Ok(());
    }
    let wish = by_server(full, None, &project.repo);
    let credential = app.git_credential(project.credential.as_deref(), &wish).await?;
    let at = head.definition.as_deref().unwrap_or(&head.commit);
    let cache = app.cache_dir();
    let read = haliotis_scm::definition_at(&cache, &project.repo, at, &project.path, credential.as_ref());
    match read.await {
        Ok(_) => {}
        // A branch without the definition is none of the project's, as in Jenkins; it is looked at again when it moves.
        Err(haliotis_scm::ScmError::NoSuchFile { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    catalog.put_document(HEADS, full, &text).await?;
    let known = catalog.pipeline(full).await?;
    let pipeline = pipeline(project, full, branch, known.clone());
    if known.as_ref() != Some(&pipeline) {
        catalog.put_pipeline(&pipeline).await?;
    }
    // A tag is built when somebody asks for it.
    if head.tag.is_none() && built.as_deref() != Some(head.commit.as_str()) {
        app.start_build(&request(app, project, full, branch, head).await?).await?;
    }
    catalog.set_cursor(&cursor, &head.commit).await?;
    Ok(())
}

fn pipeline(project: &BranchProject, full: &str, branch: &str, known: Option<Pipeline>) -> Pipeline {
    let yaml = project.path.ends_with(".yaml") || project.path.ends_with(".yml");
    let mut pipeline = known.unwrap_or_else(|| Pipeline {
        name: full.to_owned(),
        description: String::new(),
        language: String::new(),
        repo: None,
        branch: String::new(),
        path: String::new(),
        text: String::new(),
        credential: None,
        triggers: Vec::new(),
        parameters: Vec::new(),
        concurrency: None,
        disabled: false,
    });
    (if yaml { "yaml" } else { "jenkinsfile" }).clone_into(&mut pipeline.language);
    pipeline.repo = Some(project.repo.clone());
    branch.clone_into(&mut pipeline.branch);
    pipeline.path.clone_from(&project.path);
    pipeline.credential.clone_from(&project.credential);
    pipeline.disabled = false;
    pipeline
}

async fn request(
    app: &App,
    project: &BranchProject,
    full: &str,
    branch: &str,
    head: &Head,
) -> Result<BuildRequest, BuildError> {
    let wish = by_server(full, None, &project.repo);
    let credential = app.git_credential(project.credential.as_deref(), &wish).await?;
    let info = haliotis_scm::commit_at(&app.cache_dir(), &project.repo, &head.commit, credential.as_ref()).await?;
    Ok(BuildRequest {
        pipeline: full.to_owned(),
        cause: Cause::Commit {
            repo: project.repo.clone(),
            branch: branch.to_owned(),
            commit: head.commit.clone(),
            via: "branches".to_owned(),
            author: info.author,
            subject: info.subject,
        },
        event: Object::new(),
        parameters: Object::new(),
        commit: Some(head.commit.clone()),
        once: format!("commit:{full}:{branch}:{}", head.commit),
    })
}

/// Pipelines of heads that are gone are disabled, and go after the days they are kept; their builds stay.
async fn sweep(
    app: &App,
    project: &BranchProject,
    wanted: &BTreeMap<String, (String, Head)>,
) -> Result<(), BuildError> {
    let catalog = app.store_catalog();
    for (full, text) in catalog.documents(HEADS).await? {
        let Ok(mut head) = serde_json::from_str::<Head>(&text) else { continue };
        if head.project != project.name || wanted.contains_key(&full) {
            continue;
        }
        let gone_at = *head.gone_at.get_or_insert_with(now);
        let kept_ms = u64::from(project.keep_days).saturating_mul(DAY_MS);
        if now().since(gone_at) >= kept_ms {
            catalog.remove_pipeline(&full).await?;
            catalog.remove_document("jenkins-config", &full).await?;
            catalog.remove_document(HEADS, &full).await?;
            continue;
        }
        if let Some(mut pipeline) = catalog.pipeline(&full).await?.filter(|pipeline| !pipeline.disabled) {
            pipeline.disabled = true;
            catalog.put_pipeline(&pipeline).await?;
        }
        catalog.put_document(HEADS, &full, &serde_json::to_string(&head).unwrap_or_default()).await?;
    }
    Ok(())
}

/// What a build of this pipeline knows of its head, for `event` and the variables made of it.
pub(crate) fn told(head: &Head, event: &mut Object) {
    if let Some(tag) = &head.tag {
        event.insert("tag".to_owned(), Value::from(tag.as_str()));
    }
    if let Some(change) = &head.change {
        event.insert("change".to_owned(), serde_json::to_value(change).unwrap_or_default());
    }
    if !head.trusted {
        event.insert("trusted".to_owned(), Value::Bool(false));
    }
}
