//! Old builds, logs and artifacts go by their pipeline's rule; what is served in production stays.
//!
//! ```text
//! rule      the definition's `retention` (Jenkins: buildDiscarder) | the pipeline's own | the one of every pipeline
//! needed    builds that made a model which an endpoint serves, and those that brought it there
//! order     files first, the build's rows last: whoever dies in between does the rest at the next look
//! ```
//! When nobody can say what is served, nothing of a pipeline that handles models goes. Logs and artifacts lie in the data
//! folder of the server that ran the build; each server removes its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use haliotis_engine::retention::{EVERY_PIPELINE, Goes, RETENTION_DOCUMENT, Surplus, surplus};
use haliotis_engine::{BuildFilter, Catalog, JournalError, now};
use haliotis_model::{BuildId, BuildSummary, Cause, Millis, Pipeline, Retention, Source, Value};
use haliotis_plugin_api::CloudSettings;
use haliotis_plugin_aws::{registry as models, tag_value};

use crate::app::{App, cloud, registry};

/// How often the server looks. A build that stays an hour too long harms nobody.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// The first look comes after the rush of a start.
const FIRST_LOOK: Duration = Duration::from_secs(30);
/// Deliveries that were dealt with are kept so long, to look into.
const DELIVERIES_MS: i64 = 30 * 86_400_000;

/// What of a pipeline goes.
pub struct Plan {
    /// The pipeline.
    pub pipeline: String,
    /// What is over the limits.
    pub surplus: Vec<Surplus>,
}

/// Where models are served.
pub enum Production<'a> {
    /// This cloud can be asked.
    At(&'a CloudSettings),
    /// Nothing was ever served.
    Nowhere,
    /// Nobody can say, and why.
    Unknown(String),
}

/// What was done.
#[derive(Default)]
pub struct Removed {
    /// Things removed.
    pub count: usize,
    /// Things that could not be, and why.
    pub failed: Vec<String>,
}

/// Looks for ever.
pub async fn run(app: Arc<App>) {
    let mut pause = FIRST_LOOK;
    loop {
        tokio::time::sleep(pause).await;
        pause = LOOK_EVERY;
        let catalog = app.store_catalog();
        match plan(catalog, &app.production()).await {
            Ok(plans) => {
                let removed = carry_out(catalog, &app.options.dir, &plans).await;
                if removed.count > 0 {
                    tracing::info!(count = removed.count, "old builds, logs or artifacts were removed");
                }
                for why in removed.failed {
                    tracing::warn!("not removed: {why}");
                }
            }
            Err(error) => tracing::warn!(%error, "cannot tell which builds are too old; looked at again in an hour"),
        }
        let _ = catalog.remove_deliveries(Millis(now().0 - DELIVERIES_MS)).await;
    }
}

/// What goes, of all pipelines that have a rule.
pub async fn plan(catalog: &dyn Catalog, production: &Production<'_>) -> Result<Vec<Plan>, JournalError> {
    let rules = catalog.documents(RETENTION_DOCUMENT).await?;
    let mut plans = Vec::new();
    let mut served = None;
    for pipeline in catalog.pipelines().await? {
        let Some(rule) = rule(&pipeline, &rules) else { continue };
        let builds = all_builds(catalog, &pipeline.name).await?;
        let mut found = surplus(&rule, &builds, &BTreeSet::new(), now());
        if found.is_empty() {
            continue;
        }
        // Asked only when something would go: the local cloud need not even be open otherwise.
        if served.is_none() {
            served = Some(production.served().await);
        }
        match served.as_ref().map(|served| needed(served, &pipeline, &builds)) {
            Some(Ok(needed)) if !needed.is_empty() => found = surplus(&rule, &builds, &needed, now()),
            Some(Err(why)) => {
                tracing::warn!(pipeline = pipeline.name, why, "cannot tell what is served; its builds stay");
                continue;
            }
            Some(Ok(_)) | None => {}
        }
        if !found.is_empty() {
            plans.push(Plan { pipeline: pipeline.name, surplus: found });
        }
    }
    Ok(plans)
}

/// The builds that production depends on. `Err`: nobody can say, and the pipeline handles models, so all stay.
fn needed(
    served: &Result<Served, String>,
    pipeline: &Pipeline,
    builds: &[BuildSummary],
) -> Result<BTreeSet<BuildId>, String> {
    match served {
        Ok(served) => Ok(builds.iter().filter(|build| served.needs(build)).map(|build| build.id).collect()),
        Err(why) if handles_models(pipeline) => Err(why.clone()),
        Err(_) => Ok(BTreeSet::new()),
    }
}

/// Removes it; dying anywhere leaves what the next look removes.
pub async fn carry_out(catalog: &dyn Catalog, dir: &Path, plans: &[Plan]) -> Removed {
    let mut removed = Removed::default();
    for plan in plans {
        remove(catalog, dir, plan, &mut removed).await;
    }
    removed
}

async fn remove(catalog: &dyn Catalog, dir: &Path, plan: &Plan, removed: &mut Removed) {
    for goes in &plan.surplus {
        let done = match goes.what {
            Goes::Logs => remove_files(dir, goes.build, &["logs"]).await,
            Goes::Artifacts => remove_files(dir, goes.build, &["artifacts"]).await,
            Goes::Build => {
                match remove_files(dir, goes.build, &["logs", "artifacts", "workspaces", "stashes", "sealed"]).await {
                    Ok(_) => catalog.remove_build(goes.build).await.map_err(|error| error.to_string()),
                    Err(why) => Err(why),
                }
            }
        };
        match done {
            Ok(true) => removed.count += 1,
            Ok(false) => {}
            Err(why) => removed.failed.push(format!("{}#{}: {why}", plan.pipeline, goes.number)),
        }
    }
}

/// Removes folders of a build; whether there was any.
async fn remove_files(dir: &Path, build: BuildId, kinds: &[&str]) -> Result<bool, String> {
    let folders: Vec<_> = kinds.iter().map(|kind| dir.join(kind).join(build.to_string())).collect();
    let work = move || {
        let mut any = false;
        for folder in folders {
            match std::fs::remove_dir_all(&folder) {
                Ok(()) => any = true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{}: {error}", folder.display())),
            }
        }
        Ok(any)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

impl App {
    /// Of these builds of a pipeline those that production depends on: what made a served model, and what brought it there.
    ///
    /// # Errors
    /// Why nobody can say; then none of them may go.
    pub async fn needed_in_production(
        &self,
        pipeline: &Pipeline,
        builds: &[BuildSummary],
    ) -> Result<BTreeSet<BuildId>, String> {
        needed(&self.production().served().await, pipeline, builds)
    }

    /// Where this server's models are served.
    fn production(&self) -> Production<'_> {
        match &self.local_cloud {
            Some(embedded) if embedded.opened().is_none() && !cloud::has_state(&self.options.dir) => {
                Production::Nowhere
            }
            _ => Production::At(&self.cloud),
        }
    }
}

/// The rule of a pipeline.
fn rule(pipeline: &Pipeline, rules: &[(String, String)]) -> Option<Retention> {
    let stored = |name: &str| {
        let (_, text) = rules.iter().find(|(of, _)| of == name)?;
        serde_json::from_str(text)
            .inspect_err(|error| tracing::warn!(name, %error, "this rule of retention cannot be read; all is kept"))
            .ok()
    };
    let rule = said(pipeline).or_else(|| stored(&pipeline.name)).or_else(|| stored(EVERY_PIPELINE))?;
    (!rule.keeps_all()).then_some(rule)
}

/// What its definition says, as last read.
fn said(pipeline: &Pipeline) -> Option<Retention> {
    let source = Source {
        language: pipeline.language.clone(),
        path: pipeline.path.clone(),
        text: pipeline.text.clone(),
        files: haliotis_model::Object::new(),
        repo: pipeline.repo.clone(),
        branch: None,
        commit: None,
        credential: None,
    };
    registry::language(&pipeline.language).inspect(&source, &registry::schemas()).ok()?.retention
}

async fn all_builds(catalog: &dyn Catalog, pipeline: &str) -> Result<Vec<BuildSummary>, JournalError> {
    let mut builds = Vec::new();
    let mut filter =
        BuildFilter { pipeline: Some(pipeline.to_owned()), limit: BuildFilter::MAX, ..BuildFilter::default() };
    loop {
        let page = catalog.builds(&filter).await?;
        let Some(last) = page.last() else { return Ok(builds) };
        filter.before = Some(last.id);
        builds.extend(page);
    }
}

impl Production<'_> {
    async fn served(&self) -> Result<Served, String> {
        match self {
            Production::At(cloud) => behind_endpoints(cloud).await,
            Production::Nowhere => Ok(Served::default()),
            Production::Unknown(why) => Err(why.clone()),
        }
    }
}

/// What endpoints serve.
#[derive(Default)]
struct Served {
    /// ARNs of model packages.
    packages: BTreeSet<String>,
    /// The builds that made them: pipeline, as a tag has it, and number. A registry knows no ids of ours.
    makers: BTreeSet<(String, u32)>,
}

impl Served {
    /// The build made a served model or brought it there.
    fn needs(&self, build: &BuildSummary) -> bool {
        let brought = |cause: &Cause| matches!(cause, Cause::ModelPackage { arn, .. } if self.packages.contains(arn));
        let given = |value: &Value| value.as_str().is_some_and(|text| self.packages.contains(text));
        self.makers.contains(&(tag_value(&build.pipeline), build.number))
            || build.causes.iter().any(brought)
            || build.parameters.values().any(given)
    }
}

async fn behind_endpoints(cloud: &CloudSettings) -> Result<Served, String> {
    let mut served = Served::default();
    for endpoint in models::endpoints(cloud).await.map_err(|error| error.to_string())? {
        served.packages.extend(endpoint.model_package_arn.filter(|arn| !arn.is_empty()));
    }
    for arn in &served.packages {
        let package = models::describe(cloud, arn).await.map_err(|error| error.to_string())?;
        let number = package.metadata.get("haliotis-build").and_then(|text| text.parse().ok());
        served.makers.extend(package.metadata.get("haliotis-pipeline").cloned().zip(number));
    }
    Ok(served)
}

/// Its definition names a step or trigger of the cloud: it may stand behind a model.
fn handles_models(pipeline: &Pipeline) -> bool {
    ["sagemaker", "cloudformation", "model"].iter().any(|word| pipeline.text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(text: &str) -> Pipeline {
        let json = serde_json::json!({"name": "p", "language": "yaml", "path": "p.yaml", "text": text});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_definition_is_asked_first_then_the_pipeline_then_all() {
        let own =
            pipeline("name: p\nretention: { builds: 7, artifacts: { days: 2 } }\nsteps: { a: { run: 'true' } }\n");
        let plain = pipeline("name: p\nsteps: { a: { run: 'true' } }\n");
        let stored = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let rules = [stored("p", r#"{"builds":3}"#), stored(EVERY_PIPELINE, r#"{"days":9}"#)];
        assert_eq!(rule(&own, &rules).unwrap().builds, Some(7));
        assert_eq!(rule(&own, &[]).unwrap().artifacts.days, Some(2));
        assert_eq!(rule(&plain, &rules).unwrap().builds, Some(3));
        assert_eq!(rule(&plain, &rules[1..]).unwrap().days, Some(9));
        assert_eq!(rule(&plain, &[]), None);
        assert_eq!(rule(&plain, &[stored("p", "{nonsense")]), None, "what cannot be read removes nothing");
    }

    #[test]
    fn a_jenkinsfile_says_it_as_build_discarder() {
        let text = "pipeline {\n agent any\n options { buildDiscarder(logRotator(numToKeepStr: '5', artifactNumToKeepStr: '2')) }\n stages { stage('a') { steps { echo 'x' } } }\n}\n";
        let mut job = pipeline(text);
        job.language = "jenkinsfile".to_owned();
        let rule = rule(&job, &[]).unwrap();
        assert_eq!((rule.builds, rule.artifacts.builds, rule.days), (Some(5), Some(2), None));
    }

    #[test]
    fn what_production_depends_on_is_known_by_pipeline_and_number() {
        let arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package/g/2";
        let served = Served { packages: [arn.to_owned()].into(), makers: [("team-1/train".to_owned(), 7)].into() };
        let build = |id: i64, pipeline: &str, number: u32| BuildSummary {
            id: BuildId(id),
            pipeline: pipeline.to_owned(),
            number,
            status: haliotis_model::BuildStatus::Ended,
            result: Some(haliotis_model::BuildResult::Success),
            message: None,
            created_at: Millis(0),
            ended_at: Some(Millis(1)),
            causes: Vec::new(),
            commit: None,
            parameters: haliotis_model::Object::new(),
        };
        let train = build(41, "team#1/train", 7);
        let mut deploy = build(43, "deploy", 1);
        deploy.parameters.insert("ModelPackageArn".to_owned(), arn.into());
        let all = [train, build(7, "team#1/train", 2), build(42, "other", 7), deploy];
        let mut pipeline = pipeline("sagemaker.train");
        let ids = |served: &Result<Served, String>, pipeline: &Pipeline| needed(served, pipeline, &all);
        assert_eq!(ids(&Ok(served), &pipeline), Ok([BuildId(41), BuildId(43)].into()));
        let nobody_knows = Err("the server is away".to_owned());
        assert_eq!(ids(&nobody_knows, &pipeline), Err("the server is away".to_owned()));
        pipeline.text = "echo".to_owned();
        assert_eq!(ids(&nobody_knows, &pipeline), Ok(BTreeSet::new()));
    }
}
