//! `haliotis demo`: the whole abalone story on this machine; with `--jenkins` by Jenkins' own files ([`demo_jenkins`]).
//!
//! Ten phases, each of which looks first whether it has happened already: the story can be cut off anywhere, by Ctrl-C or
//! by `kill -9`, and told again from there.
//!
//! | phase | done when |
//! |---|---|
//! | 1 server | the pages answer |
//! | 2 python | the environment's marker is there |
//! | 3 data | the object is in the bucket with the right hash |
//! | 4 seed | both repositories have their first commit |
//! | 5 register | both pipelines are in the catalogue, and polling has made build 1 |
//! | 6 build 1 | it ended with success; its model package waits |
//! | 7 approve | the package is approved, by whom and why is on record |
//! | 8 staging | the deploy pipeline's build has tested staging and waits |
//! | 9 production | approved, deployed, the endpoint answers |
//! | 10 change | a pushed hyperparameter has made build 2, and it ended |

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use haliotis_engine::{BuildFilter, BuildView, now};
use haliotis_model::{BuildId, BuildResult, BuildSummary, Cause, Pipeline};
use haliotis_plugin_aws::registry;
use haliotis_seed::SeedError;

use crate::app::edges::Registry;
use crate::app::{App, python};
use crate::commands::demo_jenkins;
use crate::commands::serve::{self, EngineArgs, Running};
use crate::commands::watch::{Watch, WatchOptions, ask};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// In a demo nobody wants to wait a minute for polling.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// A trigger that has not made its build by then never will.
const TRIGGER_LIMIT: Duration = Duration::from_secs(120);
/// How often the demo looks for a build it expects.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The file that keeps the port of last time, so that addresses which others know stay good.
const PORT_FILE: &str = "pages-port";
/// The branch of both repositories.
pub(super) const BRANCH: &str = "main";
const AUTHOR: &str = "Haliotis demo <demo@localhost>";
/// Where the seed's data lies in the object store.
const DATA_KEY: &str = "dataset/abalone-dataset.csv";

/// Names of a story; the deploy repository knows the group by the same name.
pub(super) struct Cast {
    pub(super) project: &'static str,
    pub(super) project_id: &'static str,
    pub(super) group: &'static str,
    /// The two pipelines.
    pub(super) build: &'static str,
    pub(super) deploy: &'static str,
    /// Their repositories.
    pub(super) build_repo: &'static str,
    pub(super) deploy_repo: &'static str,
    /// Told by Jenkins' files.
    pub(super) by_jenkins: bool,
}

const YAML_CAST: Cast = Cast {
    project: "abalone",
    project_id: "p-demo",
    group: "abalone",
    build: "abalone-model-build",
    deploy: "abalone-model-deploy",
    build_repo: "abalone-model-build",
    deploy_repo: "abalone-model-deploy",
    by_jenkins: false,
};

/// Arguments of `demo`.
#[derive(Args)]
pub struct Demo {
    /// Answer every question with yes
    #[arg(long)]
    yes: bool,
    /// Tell it by Jenkins' own files: Job DSL seed jobs, Jenkinsfiles, an approval that calls a job's URL
    #[arg(long)]
    jenkins: bool,
    /// Leave the server running at the end
    #[arg(long)]
    keep: bool,
    /// Address and port of the pages [default: 127.0.0.1:8080, or any free port]
    #[arg(long)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Tells the story.
pub async fn run(args: Demo, ctx: &Context) -> Outcome {
    if args.engine.cloud != crate::app::CloudKind::Local {
        return Err(Failure::usage(
            "the demo runs on the local cloud alone; for AWS, seed your repositories and `serve`",
        ));
    }
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage("the demo asks for two approvals and there is no keyboard; add --yes"));
    }
    let begun = Instant::now();
    let running = server(&args, ctx).await?;
    let cast = if args.jenkins { &demo_jenkins::CAST } else { &YAML_CAST };
    let story = Story { app: Arc::clone(&running.app), url: running.url.clone(), ctx, yes: args.yes, cast };
    let told = story.tell().await;
    match told {
        Ok(()) => {
            story.summary(begun).await?;
            if args.keep {
                ctx.say(format!("\nThe server goes on at {} (Ctrl-C ends it)", running.url));
                serve::wait_for_signal().await?;
            }
            running.stop().await;
            Ok(())
        }
        Err(failure) => {
            let dir = running.app.options.dir.clone();
            running.stop().await;
            Err(failure.context(&format!("the demo stopped (data in {}; run it again to go on)", dir.display())))
        }
    }
}

async fn server(args: &Demo, ctx: &Context) -> Result<Running, Failure> {
    let options = || {
        let mut options = args.engine.options(ctx);
        options.poll_every = Some(POLL_EVERY);
        if args.jenkins {
            options.vars = demo_jenkins::vars(&options.dir);
        }
        options
    };
    phase(ctx, 1, "Start the server");
    let dir = ctx.data_dir();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let wished = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    // The port of last time where none is asked for by number, since the approval trigger knows it.
    let last = std::fs::read_to_string(dir.join(PORT_FILE)).ok().and_then(|text| text.trim().parse().ok());
    let first = match last {
        Some(port) if args.listen.is_none_or(|listen| listen.port() == 0) => SocketAddr::new(wished.ip(), port),
        _ => wished,
    };
    let running = match serve::start(first, options(), ctx, true).await {
        // The usual port, and that of last time, are only wishes.
        Err(_) if args.listen.is_none_or(|listen| listen.port() == 0) => {
            serve::start(args.listen.unwrap_or(any), options(), ctx, true).await?
        }
        other => other?,
    };
    if let Some((_, port)) = running.url.rsplit_once(':') {
        std::fs::write(dir.join(PORT_FILE), port)?;
    }
    ctx.good(format!("pages at {}", console::style(&running.url).underlined().for_stderr()));
    ctx.good(format!("data in {}", running.app.options.dir.display()));
    ctx.good(format!("cloud: {}", serve::cloud_line(&running.app)));
    Ok(running)
}

pub(super) fn phase(ctx: &Context, number: u32, title: &str) {
    ctx.heading(format!("[{number:>2}/10] {title}"));
    // The fault tests wait for these words to know where to strike.
    tracing::info!(phase = number, "demo");
}

pub(super) struct Story<'a> {
    pub(super) app: Arc<App>,
    pub(super) url: String,
    pub(super) ctx: &'a Context,
    pub(super) yes: bool,
    pub(super) cast: &'a Cast,
}

impl Story<'_> {
    async fn tell(&self) -> Outcome {
        phase(self.ctx, 2, "Python environment of the job runtimes");
        python::ensure(&self.app, self.ctx).await?;
        phase(self.ctx, 3, "The UCI abalone data");
        self.data().await?;
        phase(self.ctx, 4, "Seed two Git repositories");
        self.seed().await?;
        if self.cast.by_jenkins {
            return self.tell_by_jenkins().await;
        }
        phase(self.ctx, 5, "Register their pipelines; polling finds the first commit");
        self.register().await?;
        let first = self.expect_build(YAML_CAST.build, 1).await?;
        phase(self.ctx, 6, "Build 1: process, train, evaluate, check, register");
        let built = self.follow(first).await?;
        let arn = self.arn_of(&built)?;
        phase(self.ctx, 7, "Approve the model");
        self.approve_model(&arn).await?;
        let deploy = self.expect_deploy(&arn).await?;
        self.deploy_and_change(deploy, self.change()).await
    }

    /// The last phases: what was approved goes to production, and a change makes the next version.
    pub(super) async fn deploy_and_change(&self, deploy: BuildId, change: impl Future<Output = Outcome>) -> Outcome {
        phase(self.ctx, 8, "Deploy: staging, and tests that invoke the endpoint");
        let waiting = WatchOptions { until_input: true, ..WatchOptions::default() };
        let seen = self.watch(deploy, waiting).follow(self.ctx).await?;
        phase(self.ctx, 9, "Production: a person approves, the endpoint answers");
        self.follow_from(deploy, Some(&seen)).await?;
        phase(self.ctx, 10, "Push a changed hyperparameter; build 2 starts by itself");
        change.await?;
        let second = self.expect_build(self.cast.build, 2).await?;
        self.follow(second).await?;
        Ok(())
    }

    async fn data(&self) -> Outcome {
        let url = self.data_url();
        let bucket = self.data_bucket();
        let found = python::abalone(&self.app, self.ctx).await?;
        registry::ensure_bucket(&self.app.cloud, &bucket).await.map_err(|error| Failure::world(error.to_string()))?;
        registry::put_object_file(&self.app.cloud, &url, &found.path)
            .await
            .map_err(|error| Failure::world(format!("cannot store the data: {error}")))?;
        self.ctx.good(format!("{} rows, SHA-256 {}…, at {url}", found.rows, &found.sha256[..12]));
        Ok(())
    }

    fn data_bucket(&self) -> String {
        format!("sagemaker-servicecatalog-seedcode-{}", self.app.cloud.region)
    }

    fn data_url(&self) -> String {
        format!("s3://{}/{DATA_KEY}", self.data_bucket())
    }

    fn repo(&self, name: &str) -> PathBuf {
        self.app.options.dir.join("repositories").join(format!("{name}.git"))
    }

    pub(super) fn watch(&self, build: BuildId, options: WatchOptions) -> Watch {
        Watch::new(Arc::clone(&self.app), build, WatchOptions { yes: self.yes && !options.until_input, ..options })
    }

    pub(super) fn repo_url(&self, name: &str) -> String {
        self.repo(name).display().to_string()
    }

    async fn seed(&self) -> Outcome {
        let cloud = &self.app.cloud;
        let values: Vec<(&str, String)> = vec![
            ("project_name", self.cast.project.to_owned()),
            ("project_id", self.cast.project_id.to_owned()),
            ("region", cloud.region.clone()),
            ("bucket", cloud.bucket.clone()),
            ("role_arn", cloud.role_arn.clone()),
            ("data_url", self.data_url()),
            ("model_package_group", self.cast.group.to_owned()),
            ("branch", BRANCH.to_owned()),
            ("poll_every", "1s".to_owned()),
        ];
        for (template, name) in
            [("abalone-model-build", self.cast.build_repo), ("abalone-model-deploy", self.cast.deploy_repo)]
        {
            let path = self.repo(name);
            if !path.exists() {
                haliotis_seed::create_bare(&path, BRANCH).map_err(|error| Failure::world(error.to_string()))?;
            }
            let request = haliotis_seed::SeedRequest {
                repo_url: self.repo_url(name),
                branch: BRANCH.to_owned(),
                template: template.to_owned(),
                values: values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
                author: AUTHOR.to_owned(),
                credential: None,
            };
            match haliotis_seed::seed(&request) {
                Ok(seeded) if seeded.changed => {
                    self.ctx.good(format!("{name} seeded, commit {}", show::short(&seeded.commit)));
                }
                // Changed since by the story itself, or by the person: it is theirs.
                Ok(_) | Err(SeedError::NotEmpty { .. } | SeedError::SeededOtherwise { .. }) => {
                    self.ctx.good(format!("{name} is there already"))
                }
                Err(error) => return Err(Failure::world(error.to_string())),
            }
        }
        Ok(())
    }

    async fn register(&self) -> Outcome {
        // The deploy pipeline first: it must hear of the approval however soon that comes.
        for name in [YAML_CAST.deploy, YAML_CAST.build] {
            let pipeline = Pipeline {
                name: name.to_owned(),
                description: String::new(),
                language: "yaml".to_owned(),
                repo: Some(self.repo_url(name)),
                branch: BRANCH.to_owned(),
                path: "haliotis.yaml".to_owned(),
                text: String::new(),
                credential: None,
                triggers: Vec::new(),
                parameters: Vec::new(),
                concurrency: None,
                disabled: false,
            };
            self.app.register(pipeline).await.map_err(|error| Failure::world(error.to_string()))?;
            self.ctx.good(format!("{name} is registered"));
        }
        Ok(())
    }

    pub(super) async fn expect_build(&self, pipeline: &str, number: u32) -> Result<BuildId, Failure> {
        let wanted = format!("build {number} of {pipeline}");
        self.expect(&wanted, || async move { Ok(self.app.store.find_build(pipeline, number).await?) }).await
    }

    /// The deploy build that this very package started.
    async fn expect_deploy(&self, arn: &str) -> Result<BuildId, Failure> {
        let wanted = format!("the deploy of {}", show::model_name(arn));
        self.expect(&wanted, || async move {
            let filter =
                BuildFilter { pipeline: Some(YAML_CAST.deploy.to_owned()), limit: 50, ..BuildFilter::default() };
            let builds = self.app.store.builds(&filter).await?;
            let started = |build: &&BuildSummary| {
                build.causes.iter().any(|cause| matches!(cause, Cause::ModelPackage { arn: of, .. } if of == arn))
            };
            // The newest, so that a deploy which failed can be told again by approving anew.
            Ok(builds.iter().find(started).map(|build| build.id))
        })
        .await
    }

    pub(super) async fn expect<F, Fut>(&self, what: &str, look: F) -> Result<BuildId, Failure>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Option<BuildId>, Failure>>,
    {
        let limit = Instant::now() + TRIGGER_LIMIT;
        loop {
            if let Some(id) = look().await? {
                return Ok(id);
            }
            if Instant::now() > limit {
                return Err(Failure::failed(format!(
                    "{what} did not start within {}s; run with -v and look at the triggers' messages",
                    TRIGGER_LIMIT.as_secs()
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// To a build's end; anything but success ends the demo with the name of the log to read.
    pub(super) async fn follow(&self, build: BuildId) -> Result<BuildView, Failure> {
        self.follow_from(build, None).await
    }

    /// The same, for a build that was followed before.
    pub(super) async fn follow_from(&self, build: BuildId, seen: Option<&BuildView>) -> Result<BuildView, Failure> {
        let mut watch = self.watch(build, WatchOptions::default());
        if let Some(seen) = seen {
            watch = watch.knowing(seen);
        }
        let view = watch.follow(self.ctx).await?;
        if view.result == Some(BuildResult::Success) {
            return Ok(view);
        }
        let name = format!("{}#{}", view.build.pipeline, view.build.number);
        let dir = self.app.options.dir.display();
        Err(Failure::failed(format!(
            "{name} ended as {}: {}\n  read: haliotis logs '{name}' --data-dir {dir}",
            view.result.map_or("unknown", BuildResult::as_str),
            view.message.unwrap_or_default()
        )))
    }

    fn arn_of(&self, view: &BuildView) -> Result<String, Failure> {
        view.nodes
            .iter()
            .find_map(|node| {
                node.outputs.get("arn").and_then(|arn| arn.as_str()).filter(|arn| arn.contains("model-package"))
            })
            .map(str::to_owned)
            .ok_or_else(|| Failure::failed("build 1 registered no model; read its log"))
    }

    pub(super) async fn approve_model(&self, arn: &str) -> Outcome {
        let package =
            registry::describe(&self.app.cloud, arn).await.map_err(|error| Failure::world(error.to_string()))?;
        if package.status == "Approved" {
            self.ctx.good(format!("{} is approved already", show::model_name(arn)));
            return Ok(());
        }
        self.ctx.say(format!("  {}  {}", show::model_name(arn), package.status));
        if let Some(mse) = mse_of(&package) {
            self.ctx.say(format!("  MSE {mse:.3} on rows the model never saw (bound 6.0)"));
        }
        if let Some(rows) = package.metrics.as_ref().and_then(|report| report.pointer("/dataset/rows")) {
            let count = |part: &str| rows[part].as_u64().unwrap_or_default();
            let (train, validation, test) = (count("train"), count("validation"), count("test"));
            self.ctx.say(format!("  {train} rows to train, {validation} to validate, {test} to test"));
        }
        self.ctx.say(format!("  also on the page: {}/models", self.url));
        let (decision, reason) = if self.yes {
            (haliotis_model::Decision::Approved, "answered by --yes: MSE within its bound".to_owned())
        } else {
            tokio::task::block_in_place(|| ask("Approve this model for deployment"))?
        };
        if decision == haliotis_model::Decision::Rejected {
            return Err(Failure::aborted("the model was not approved; nothing was deployed"));
        }
        let reason = if reason.trim().is_empty() { "approved in the demo".to_owned() } else { reason };
        Registry(Arc::clone(&self.app))
            .decide(arn, "Approved", &self.ctx.user, &reason)
            .await
            .map_err(|error| Failure::world(error.to_string()))?;
        self.ctx.good(format!("{} approved by {}: {reason}", show::model_name(arn), self.ctx.user));
        Ok(())
    }

    /// A deeper tree, committed and pushed as a person would.
    async fn change(&self) -> Outcome {
        let edit = |text: &str| haliotis_seed::set_parameter_default(text, "MaxDepth", "4");
        self.push_change(YAML_CAST.build, YAML_CAST.build_repo, "haliotis.yaml", edit).await
    }

    /// Pushes an edit of a file, unless the second build of the pipeline is there.
    pub(super) async fn push_change(
        &self,
        pipeline: &str,
        repo: &str,
        file: &str,
        edit: impl FnOnce(&str) -> Result<String, SeedError>,
    ) -> Outcome {
        if self.app.store.find_build(pipeline, 2).await?.is_some() {
            self.ctx.good("the change is pushed already");
            return Ok(());
        }
        let message = "Try shallower trees: MaxDepth 5 -> 4";
        let pushed = haliotis_seed::commit_change(&self.repo_url(repo), BRANCH, file, edit, message, AUTHOR, None)
            .map_err(|error| Failure::world(error.to_string()))?;
        self.ctx.good(format!("MaxDepth 5 → 4, commit {}", show::short(&pushed.commit)));
        Ok(())
    }

    async fn summary(&self, begun: Instant) -> Outcome {
        let app = &self.app;
        self.ctx.heading("Summary");
        let mut builds = app.store.builds(&BuildFilter { limit: 50, ..BuildFilter::default() }).await?;
        builds.reverse();
        let packages = registry::list_model_packages(&app.cloud, self.cast.group)
            .await
            .map_err(|error| Failure::world(error.to_string()))?;
        let endpoints = registry::endpoints(&app.cloud).await.map_err(|error| Failure::world(error.to_string()))?;
        if self.ctx.json {
            self.ctx.print_json(&serde_json::json!({
                "builds": builds,
                "models": packages.iter().map(|p| serde_json::json!({"arn": p.arn, "version": p.version, "status": p.status, "metrics": p.metrics})).collect::<Vec<_>>(),
                "endpoints": endpoints.iter().map(|e| serde_json::json!({"name": e.name, "status": e.status, "model_package_arn": e.model_package_arn})).collect::<Vec<_>>(),
                "url": self.url,
            }));
            return Ok(());
        }
        self.ctx.print(show::builds(&builds, now()));
        let mut table = show::table(&["MODEL", "STATE", "MSE", "ARN"]);
        for package in &packages {
            let mse = mse_of(package);
            table.add_row([
                format!("{} v{}", package.group, package.version),
                package.status.clone(),
                mse.map_or_else(|| "-".to_owned(), |mse| format!("{mse:.3}")),
                package.arn.clone(),
            ]);
        }
        self.ctx.print(format!("\n{table}"));
        let mut table = show::table(&["ENDPOINT", "STATE", "SERVES"]);
        for endpoint in &endpoints {
            let serves = endpoint.model_package_arn.as_deref().map_or("-", show::model_name).to_owned();
            table.add_row([endpoint.name.clone(), endpoint.status.clone(), serves]);
        }
        self.ctx.print(format!("\n{table}"));
        self.ctx.print(format!("\npages  {}", self.url));
        self.ctx.print(format!("data   {}", app.options.dir.display()));
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ctx.good(format!("the whole story took {}", show::duration(took)));
        Ok(())
    }
}

/// The figure that the quality gate looks at.
fn mse_of(package: &registry::ModelPackage) -> Option<f64> {
    package.metrics.as_ref()?.pointer("/regression_metrics/mse/value")?.as_f64()
}
