//! A served local cloud, and steps run against it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use haliotis_local_cloud::{Config, DEFAULT_ACCESS_KEY, DEFAULT_ACCOUNT, DEFAULT_SECRET_KEY, LocalCloud, sagemaker};
use haliotis_model::{BuildResult, Secret, StepId, StepOutput, Value};
use haliotis_plugin_api::{CloudSettings, Processes, StepContext, StepError, StepRunner};
use haliotis_plugin_aws::STEPS;
use haliotis_plugin_dummy::bench::{DirectProcesses, context};
use tempfile::TempDir;

pub(crate) const SKLEARN: &str = "sagemaker-scikit-learn:1.2-1";
pub(crate) const XGBOOST: &str = "sagemaker-xgboost:1.7-1";

/// A cloud in a folder of its own, and a workspace beside it.
pub(crate) struct Bed {
    pub(crate) settings: Arc<CloudSettings>,
    pub(crate) dir: TempDir,
    processes: Arc<dyn Processes>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let processes = DirectProcesses::shared();
        let python = std::env::var_os("HALIOTIS_PYTHON_DIR").map(PathBuf::from).unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/haliotis/python")
        });
        let python = sagemaker::python::ensure_python(&python, |progress| eprintln!("{progress:?}")).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = Config::new(dir.path().join("cloud"), python, Arc::clone(&processes));
        let cloud = LocalCloud::open(Config { endpoint_url: Some(url.clone()), ..config }).await.unwrap();
        let server = tokio::spawn(cloud.serve(listener));
        let settings = Arc::new(CloudSettings {
            name: "local".to_owned(),
            endpoint_url: Some(url),
            region: "us-east-1".to_owned(),
            account: DEFAULT_ACCOUNT.to_owned(),
            role_arn: format!("arn:aws:iam::{DEFAULT_ACCOUNT}:role/haliotis-local"),
            bucket: "bench-artifacts".to_owned(),
            credentials: Some((DEFAULT_ACCESS_KEY.to_owned(), Secret::new(DEFAULT_SECRET_KEY))),
            session_token: None,
            poll_ms: 50,
        });
        Self { settings, dir, processes, server }
    }

    /// A file of the workspace.
    pub(crate) fn file(&self, path: &str, text: &str) {
        let path = self.dir.path().join("workspace").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A context under a fresh key, whose step is named `step`.
    pub(crate) fn context(&self, step: &str, uses: &str, with: Value) -> StepContext {
        let mut ctx = context(self.dir.path(), uses, with, &self.processes).unwrap();
        ctx.key.step = StepId::new(format!("/{step}"));
        ctx.cloud = Arc::clone(&self.settings);
        ctx
    }

    /// Runs a step to its end.
    pub(crate) async fn try_run(&self, step: &str, uses: &str, with: Value) -> Result<StepOutput, StepError> {
        let ctx = self.context(step, uses, with);
        let output = run(&ctx).await;
        eprintln!("--- {step} ({uses}): {output:?}\n{}", log(&ctx));
        output
    }

    /// Runs a step, which must succeed.
    pub(crate) async fn run(&self, step: &str, uses: &str, with: Value) -> StepOutput {
        let output = self.try_run(step, uses, with).await.unwrap();
        assert_eq!(output.result, BuildResult::Success, "{:?}", output.message);
        output
    }
}

pub(crate) fn runner(uses: &str) -> &'static dyn StepRunner {
    *STEPS.iter().find(|step| step.schema().name == uses).unwrap()
}

pub(crate) async fn run(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let runner = runner(&ctx.call.uses);
    let handle = runner.start(ctx).await?.handle.unwrap_or(Value::Null);
    runner.attach(ctx, &handle).await
}

pub(crate) fn log(ctx: &StepContext) -> String {
    std::fs::read_to_string(ctx.log.path()).unwrap_or_default()
}

/// A file of the seeded repositories.
pub(crate) fn seed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../seed").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
