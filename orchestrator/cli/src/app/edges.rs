//! What the server asks of the edges, answered by store, agent, scm and the AWS plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_engine::trigger::BuildRequest;
use haliotis_engine::{AuditEntry, CannotCarry, Created, now};
use haliotis_model::{BuildId, BuildSummary, Cause, Object, Pipeline, StepKey};
use haliotis_plugin_aws::registry;
use haliotis_server::{
    Actions, ArtifactBody, ArtifactInfo, Artifacts, Asked, CommitRow, EdgeError, Edges, EndpointInfo, Invocation,
    LogChunk, Logs, ModelGroup, ModelPackage, Models, Rerun, Traffic,
};

use crate::app::App;
use crate::app::builds::BuildError;
use crate::app::rerun::RerunError;
use crate::app::triggers::GitHooks;

/// A build's artifacts shown on a page; more is for the archive.
const MAX_LISTED: usize = 5_000;

/// Why nothing begins. Jenkins' API keeps what is asked for in its queue; here whoever asks is told.
const QUIET: &str = "the server is quiet and begins no builds; ask again when an administrator has ended that \
                     (cancelQuietDown), or after its next start";

/// All edges of an app.
pub fn all(app: &Arc<App>) -> Edges {
    Edges {
        logs: Arc::new(StepLogs(Arc::clone(app))),
        artifacts: Arc::new(KeptFiles(Arc::clone(app))),
        models: Arc::new(Registry(Arc::clone(app))),
        actions: Arc::new(Doer(Arc::clone(app))),
        hooks: Arc::new(GitHooks(Arc::clone(app))),
    }
}

fn unavailable(error: impl std::fmt::Display) -> EdgeError {
    EdgeError::Unavailable(error.to_string())
}

struct StepLogs(Arc<App>);

#[async_trait]
impl Logs for StepLogs {
    async fn read(&self, key: &StepKey, offset: u64, limit: usize) -> Result<LogChunk, EdgeError> {
        let read = self.0.logs.read(key, offset, limit as u64).await.map_err(unavailable)?;
        // It may lie on the disk of another server that shares the database.
        if read.total == 0
            && self.0.options.database.is_some()
            && !self.0.engine.drives(key.build).await
            && let Some((bytes, total)) = crate::app::elsewhere::log(&self.0, key, offset, limit).await
        {
            return Ok(LogChunk { bytes, total });
        }
        Ok(LogChunk { bytes: read.bytes, total: read.total })
    }

    async fn times(&self, key: &StepKey) -> Result<Vec<(u64, i64)>, EdgeError> {
        self.0.logs.times(key).await.map_err(unavailable)
    }

    async fn remove(&self, build: BuildId) -> Result<(), EdgeError> {
        self.0.logs.remove(build).await.map_err(unavailable)
    }
}

struct KeptFiles(Arc<App>);

impl KeptFiles {
    fn root(&self, build: BuildId) -> std::path::PathBuf {
        App::artifacts_dir(&self.0.options.dir).join(build.to_string())
    }
}

#[async_trait]
impl Artifacts for KeptFiles {
    async fn list(&self, build: BuildId) -> Result<Vec<ArtifactInfo>, EdgeError> {
        let mut found = Vec::new();
        let root = self.root(build);
        collect(&root, &root, &mut found);
        found.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(found)
    }

    async fn open(&self, build: BuildId, path: &str) -> Result<ArtifactBody, EdgeError> {
        let none = || EdgeError::NotFound(format!("build {build} kept no file `{path}`"));
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(none());
        }
        let file = self.root(build).join(path);
        // A link could lead outside; only plain files are given.
        let meta = std::fs::symlink_metadata(&file).map_err(|_| none())?;
        if !meta.is_file() {
            return Err(none());
        }
        let reader = tokio::fs::File::open(&file).await.map_err(unavailable)?;
        Ok(ArtifactBody { size: meta.len(), reader: Box::pin(reader) })
    }

    async fn remove(&self, build: BuildId) -> Result<(), EdgeError> {
        match tokio::fs::remove_dir_all(self.root(build)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => Ok(()),
        }
    }
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<ArtifactInfo>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if kind.is_dir() {
            collect(root, &path, found);
        } else if kind.is_file() && found.len() < MAX_LISTED {
            let Ok(relative) = path.strip_prefix(root) else { continue };
            let size = entry.metadata().map_or(0, |meta| meta.len());
            found.push(ArtifactInfo { path: relative.to_string_lossy().into_owned(), size, sha256: String::new() });
        }
    }
}

/// The registry, with who decided from the audit trail.
pub struct Registry(pub Arc<App>);

impl Registry {
    fn shape(package: registry::ModelPackage) -> ModelPackage {
        let decided = package.status != "PendingManualApproval";
        let (decided_by, reason) = decision(&package.approval_description);
        ModelPackage {
            arn: package.arn,
            group: package.group,
            version: u32::try_from(package.version).unwrap_or(0),
            status: package.status,
            created_at: package.created.0,
            metrics: package.metrics.as_ref().map(numbers).unwrap_or_default(),
            decided_by,
            reason,
            decided_at: package.modified.filter(|_| decided).map(|at| at.0),
            build: None,
            model_data: package.model_data.unwrap_or_default(),
        }
    }

    /// The same with the id of its build: the registry's metadata have the pipeline and the number in it.
    async fn shaped(&self, package: registry::ModelPackage) -> ModelPackage {
        let pipeline = package.metadata.get("haliotis-pipeline").cloned();
        let number = package.metadata.get("haliotis-build").and_then(|text| text.parse::<u32>().ok());
        let mut shaped = Self::shape(package);
        if let (Some(pipeline), Some(number)) = (pipeline, number) {
            // A registry may hold versions of other servers; a build that is not here is none of ours.
            let found = self.0.store_catalog().find_build(&pipeline, number).await;
            shaped.build = found.ok().flatten().map(|id| id.0);
        }
        shaped
    }

    /// Approves or rejects, with the record of who and why first: a crash between the two repeats, never forgets.
    pub async fn decide(&self, arn: &str, status: &str, by: &str, reason: &str) -> Result<ModelPackage, EdgeError> {
        let app = &self.0;
        if !matches!(status, "Approved" | "Rejected") {
            return Err(EdgeError::Invalid(format!("`{status}` is no decision; it is Approved or Rejected")));
        }
        if reason.trim().is_empty() {
            return Err(EdgeError::Invalid("a reason is required; say why".to_owned()));
        }
        let package =
            registry::describe(&app.cloud, arn).await.map_err(|error| EdgeError::NotFound(error.to_string()))?;
        let mut detail = Object::new();
        detail.insert("before".to_owned(), package.status.into());
        let entry = AuditEntry {
            at: now(),
            by: by.to_owned(),
            action: format!("model.{}", status.to_lowercase()),
            subject: arn.to_owned(),
            reason: reason.to_owned(),
            detail,
        };
        app.store_catalog().record_audit(&entry).await.map_err(unavailable)?;
        registry::set_approval(&app.cloud, arn, status, by, reason).await.map_err(unavailable)?;
        app.nudges.models.notify_one();
        let package = registry::describe(&app.cloud, arn).await.map_err(unavailable)?;
        Ok(self.shaped(package).await)
    }
}

/// Who and why, out of the `who: why` that an approval's description holds; AWS has no field for who.
pub fn decision(description: &str) -> (String, String) {
    match description.split_once(": ") {
        Some((by, reason)) => (by.to_owned(), reason.to_owned()),
        None => (String::new(), description.to_owned()),
    }
}

/// The metrics of a report in SageMaker's shape: `KIND_metrics.NAME.value` as `NAME`, its other numbers as `NAME.OTHER`.
/// What stands beside the metrics (rows, seeds, digests) describes the data and is no metric.
fn numbers(report: &serde_json::Value) -> BTreeMap<String, f64> {
    let kinds = report.as_object().into_iter().flatten().filter(|(kind, _)| kind.ends_with("_metrics"));
    let metrics = kinds.filter_map(|(_, metrics)| metrics.as_object()).flatten();
    let mut found = BTreeMap::new();
    for (name, figures) in metrics {
        for (figure, value) in figures.as_object().into_iter().flatten() {
            let name = if figure == "value" { name.clone() } else { format!("{name}.{figure}") };
            found.extend(value.as_f64().map(|value| (name, value)));
        }
    }
    found
}

#[async_trait]
impl Models for Registry {
    async fn groups(&self) -> Result<Vec<ModelGroup>, EdgeError> {
        let groups = registry::list_groups(&self.0.cloud).await.map_err(unavailable)?;
        Ok(groups
            .into_iter()
            .map(|group| ModelGroup {
                name: group.name,
                arn: String::new(),
                description: group.description,
                created_at: group.created.0,
            })
            .collect())
    }

    async fn packages(&self, group: &str) -> Result<Vec<ModelPackage>, EdgeError> {
        // What cannot be a group's name (or ARN) is none; the registry would call it a fault of the request.
        if group.is_empty() || !group.chars().all(|sign| sign.is_ascii_alphanumeric() || "-:/".contains(sign)) {
            return Err(EdgeError::NotFound(format!("there is no model package group named {group:?}")));
        }
        let mut packages = Vec::new();
        for package in registry::list_model_packages(&self.0.cloud, group).await.map_err(unavailable)? {
            packages.push(self.shaped(package).await);
        }
        packages.sort_by_key(|package| std::cmp::Reverse(package.version));
        Ok(packages)
    }

    async fn set_approval(&self, arn: &str, status: &str, by: &str, reason: &str) -> Result<ModelPackage, EdgeError> {
        self.decide(arn, status, by, reason).await
    }

    async fn endpoints(&self) -> Result<Vec<EndpointInfo>, EdgeError> {
        let endpoints = registry::endpoints(&self.0.cloud).await.map_err(unavailable)?;
        Ok(endpoints
            .into_iter()
            .map(|endpoint| EndpointInfo {
                name: endpoint.name,
                status: endpoint.status,
                failure: endpoint.failure_reason.unwrap_or_default(),
                model_package: endpoint.model_package_arn.unwrap_or_default(),
                created_at: endpoint.created.0,
                updated_at: endpoint.modified.0,
                config: endpoint.config,
                instance: endpoint.instance_type.unwrap_or_default(),
                instances: endpoint.instance_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            })
            .collect())
    }

    async fn needed(&self, pipeline: &Pipeline, builds: &[BuildSummary]) -> Result<BTreeSet<BuildId>, EdgeError> {
        self.0.needed_in_production(pipeline, builds).await.map_err(EdgeError::Unavailable)
    }

    async fn traffic(&self, endpoint: &str) -> Option<Vec<Traffic>> {
        let told = haliotis_plugin_aws::traffic::traffic(&self.0.cloud, endpoint).await?;
        let asked = |seen: haliotis_plugin_aws::traffic::Invocation| Asked {
            at: seen.at,
            took_us: seen.took_us,
            status: seen.status,
            said: seen.said,
        };
        let one = |variant: haliotis_plugin_aws::traffic::Traffic| Traffic {
            variant: variant.name,
            invocations: variant.invocations,
            errors: variant.errors,
            recent: variant.recent.into_iter().map(asked).collect(),
        };
        Some(told.into_iter().map(one).collect())
    }

    async fn invoke(&self, endpoint: &str, content_type: &str, body: Vec<u8>) -> Result<Invocation, EdgeError> {
        let begun = std::time::Instant::now();
        let answer = registry::invoke(&self.0.cloud, endpoint, content_type, body).await.map_err(unavailable)?;
        Ok(Invocation {
            content_type: answer.content_type,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            variant: answer.variant.unwrap_or_default(),
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

struct Doer(Arc<App>);

#[async_trait]
impl Actions for Doer {
    async fn start_build(
        &self,
        pipeline: &str,
        parameters: Object,
        by: &str,
        once: Option<String>,
    ) -> Result<Created, EdgeError> {
        if self.0.quiet.now() {
            return Err(EdgeError::Conflict(QUIET.to_owned()));
        }
        let request = BuildRequest {
            pipeline: pipeline.to_owned(),
            cause: Cause::User { by: by.to_owned() },
            event: Object::new(),
            parameters,
            commit: None,
            once: once.map(|once| format!("api:{pipeline}:{once}")).unwrap_or_default(),
        };
        self.0.start_build(&request).await.map_err(refused)
    }

    async fn request_build(&self, request: BuildRequest) -> Result<Created, EdgeError> {
        self.0.start_build(&request).await.map_err(refused)
    }

    async fn rerun(&self, asked: Rerun) -> Result<Created, EdgeError> {
        self.0.rerun(&asked).await.map_err(|error| match error {
            RerunError::Build(error) => refused(error),
            RerunError::Carry(CannotCarry::NoStep { .. }) | RerunError::NoName { .. } => {
                EdgeError::NotFound(error.to_string())
            }
            RerunError::Carry(_) | RerunError::NotReached { .. } => EdgeError::Conflict(error.to_string()),
        })
    }

    fn restartable(&self, source: &haliotis_model::Source) -> Vec<String> {
        self.0.engine.language(&source.language).map_or_else(Vec::new, |language| language.restartable(source))
    }

    /// From the mirror as it is: a page does not wait for a fetch, and a build's commits were fetched for it.
    async fn commits(
        &self,
        pipeline: &Pipeline,
        from: Option<&str>,
        to: &str,
        limit: usize,
    ) -> Result<Vec<CommitRow>, EdgeError> {
        let Some(repo) = &pipeline.repo else { return Ok(Vec::new()) };
        let mirror = haliotis_scm::Mirror::new(&self.0.cache_dir(), repo).map_err(unavailable)?;
        let (from, to) = (from.map(str::to_owned), to.to_owned());
        let read = tokio::task::spawn_blocking(move || mirror.log(from.as_deref(), &to, limit)).await;
        let found = read.map_err(unavailable)?.map_err(unavailable)?;
        let row = |commit: haliotis_scm::CommitInfo| CommitRow {
            commit: commit.commit,
            author: commit.author,
            subject: commit.subject,
            at: commit.at_ms,
        };
        Ok(found.into_iter().map(row).collect())
    }

    async fn poll(&self) {
        self.0.nudges.poll.notify_one();
        self.0.nudges.branches.notify_one();
        self.0.nudges.hooks.notify_one();
    }

    async fn put_pipeline(&self, pipeline: Pipeline, by: &str) -> Result<Pipeline, EdgeError> {
        let name = pipeline.name.clone();
        let registered = self.0.register(pipeline).await.map_err(refused)?;
        let entry = AuditEntry {
            at: now(),
            by: by.to_owned(),
            action: "pipeline.register".to_owned(),
            subject: name,
            reason: String::new(),
            detail: Object::new(),
        };
        self.0.store_catalog().record_audit(&entry).await.map_err(unavailable)?;
        self.0.nudges.poll.notify_one();
        Ok(registered)
    }
}

fn refused(error: BuildError) -> EdgeError {
    match error {
        BuildError::NoPipeline(_) => EdgeError::NotFound(error.to_string()),
        BuildError::Disabled(_) => EdgeError::Conflict(error.to_string()),
        BuildError::Parameters(_) => EdgeError::Invalid(error.to_string()),
        BuildError::Definition { problems, .. } => EdgeError::Definition(problems),
        BuildError::Scm(_) | BuildError::NoBranch { .. } | BuildError::Withheld(_) => {
            EdgeError::Invalid(error.to_string())
        }
        BuildError::Create(_) | BuildError::Store(_) => EdgeError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn numbers_of_a_report() {
        let report = serde_json::json!({
            "regression_metrics": {"mse": {"value": 4.7, "standard_deviation": 2.1}},
            "dataset": {"sha256": "x", "rows": {"value": 627}},
        });
        let found = numbers(&report);
        assert_eq!(found.get("mse"), Some(&4.7));
        assert_eq!(found.get("mse.standard_deviation"), Some(&2.1));
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
