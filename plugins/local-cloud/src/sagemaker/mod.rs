//! SageMaker: jobs, model registry, models, endpoints; all of it really runs on this machine.
//!
//! ```text
//! call   -> shape (members, AWS' wording) -> one function per operation -> table (durable) -> runner / fleet
//! invoke -> endpoint -> fleet -> container process on loopback
//! ```
//! Jobs and endpoints are processes of the supervisor behind `Processes`, known by keys that their records hold, so
//! that a restarted server finds them again. Each file that has races tells them at its top.

mod capture;
pub(crate) mod clock;
pub mod dataset;
mod endpoint;
mod endpoints;
mod fleet;
mod furnish;
mod image;
mod invoke;
mod job;
mod jobs;
mod listing;
mod metrics;
mod models;
mod packages;
mod pattern;
mod pipelines;
mod processing;
pub mod python;
mod routes;
mod runner;
mod runtimes;
mod sandbox;
mod settling;
mod shape;
mod staging;
mod tags;
mod traffic;
mod training;
mod transform;
mod tuning;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use haliotis_model::{Secret, Value, Vars};
use haliotis_plugin_api::Processes;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use job::JobKind;
pub use sandbox::Capabilities;

use crate::neighbours::Neighbours;
use crate::table::Table;
use crate::{AwsError, Config, OpenError, s3};
use job::{Job, Phase};

/// State changes of model packages kept for a slow listener; it must look at the registry when it misses some.
const PACKAGE_EVENTS: usize = 256;

/// What jobs and records need of the configuration.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) region: String,
    pub(crate) account: String,
    access_key: String,
    secret_key: Secret,
    endpoint_url: Option<String>,
    pub(crate) python: PathBuf,
}

impl Settings {
    /// Where CloudWatch would keep the log of an endpoint; here it is a file, but clients expect an ARN.
    pub(crate) fn log_arn(&self, endpoint: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:/aws/sagemaker/Endpoints/{endpoint}", self.region, self.account)
    }
}

/// Jobs, registry, endpoints.
pub struct SageMaker {
    settings: Settings,
    s3: Arc<s3::Store>,
    processes: Arc<dyn Processes>,
    /// Records, and the folders of what runs.
    home: PathBuf,
    logs: PathBuf,
    /// The Python programs, as files.
    runtimes: PathBuf,
    sandbox: sandbox::Sandbox,
    jobs: [Table<Job>; JobKind::ALL.len()],
    groups: Table<packages::Group>,
    packages: Table<packages::Package>,
    models: Table<models::Record>,
    configs: Table<models::Record>,
    endpoints: Table<endpoint::Endpoint>,
    tags: Table<tags::TagSet>,
    pipelines: pipelines::Pipelines,
    tuning_jobs: Table<tuning::Tuning>,
    /// Functions that this server waits for, by key.
    invocations: Mutex<BTreeSet<String>>,
    neighbours: Neighbours,
    /// Somebody who follows jobs or executions should look again.
    changes: Notify,
    fleets: Mutex<BTreeMap<String, Arc<fleet::Fleet>>>,
    settling: settling::Settling,
    capture: capture::Capture,
    package_events: broadcast::Sender<Value>,
    stop_notes: Notify,
    closing: CancellationToken,
    /// Background work and the file work it began.
    works: TaskTracker,
}

impl SageMaker {
    /// Opens the state below the data folder and takes up interrupted work.
    ///
    /// # Errors
    /// When the folder cannot be used or a record is damaged.
    pub async fn open(config: &Config, s3: Arc<s3::Store>) -> Result<Arc<Self>, OpenError> {
        Self::open_beside(config, s3, Neighbours::open(config)?).await
    }

    /// The same beside queues, functions and rules that are open already.
    pub(crate) async fn open_beside(
        config: &Config,
        s3: Arc<s3::Store>,
        neighbours: Neighbours,
    ) -> Result<Arc<Self>, OpenError> {
        let home = config.dir.join("sagemaker");
        let logs = config.dir.join("logs");
        for folder in [home.join("jobs"), home.join("fleets"), home.join("probe")] {
            std::fs::create_dir_all(&folder).map_err(OpenError::io(&folder))?;
        }
        for folder in JobKind::ALL.map(JobKind::word).into_iter().chain(["endpoints"]) {
            let folder = logs.join(folder);
            std::fs::create_dir_all(&folder).map_err(OpenError::io(&folder))?;
        }
        let runtimes = match &config.runtimes_dir {
            Some(folder) => folder.clone(),
            None => runtimes::write_out(&home.join("runtimes"))?,
        };
        let table = |name: &str| home.join("records").join(name);
        let this = Arc::new(Self {
            settings: Settings {
                region: config.region.clone(),
                account: config.account.clone(),
                access_key: config.access_key.clone(),
                secret_key: config.secret_key.clone(),
                endpoint_url: config.endpoint_url.clone(),
                python: config.python.interpreter.clone(),
            },
            jobs: [
                Table::open(table("processing-jobs"))?,
                Table::open(table("training-jobs"))?,
                Table::open(table("transform-jobs"))?,
            ],
            groups: Table::open(table("model-package-groups"))?,
            packages: Table::open(table("model-packages"))?,
            models: Table::open(table("models"))?,
            configs: Table::open(table("endpoint-configs"))?,
            endpoints: Table::open(table("endpoints"))?,
            tags: Table::open(table("tags"))?,
            pipelines: pipelines::Pipelines::open(&home.join("records"))?,
            tuning_jobs: Table::open(table("tuning-jobs"))?,
            invocations: Mutex::default(),
            neighbours,
            changes: Notify::new(),
            fleets: Mutex::default(),
            settling: settling::Settling::default(),
            capture: capture::Capture::new(Arc::clone(&s3)),
            package_events: broadcast::channel(PACKAGE_EVENTS).0,
            stop_notes: Notify::new(),
            closing: CancellationToken::new(),
            works: TaskTracker::new(),
            s3,
            processes: Arc::clone(&config.processes),
            home,
            logs,
            runtimes,
            sandbox: sandbox::Sandbox::default(),
        });
        this.resume();
        Ok(this)
    }

    /// Takes up what was under way, and tidies what had ended but was not yet tidied.
    fn resume(self: &Arc<Self>) {
        self.send_left_events();
        for kind in JobKind::ALL {
            for job in self.jobs(kind).all() {
                if job.phase != Phase::Ended || self.job_folder(&job).exists() {
                    self.begin_job(kind, &job.name);
                }
            }
        }
        self.resume_endpoints();
        self.begin_capture();
        self.resume_tuning();
        self.resume_executions();
    }

    /// Carries out one operation of the JSON 1.1 protocol, as `CreateTrainingJob`.
    ///
    /// # Errors
    /// What AWS would answer; `UnknownOperationException` for what the local cloud does not offer.
    pub async fn call(self: &Arc<Self>, operation: &str, input: Value) -> Result<Value, AwsError> {
        if !shape::is_known(operation) {
            return Err(AwsError::unknown_operation("SageMaker", operation));
        }
        shape::check(operation, &input)?;
        if let Some((verb, kind)) = job_operation(operation) {
            return match verb {
                "Create" => self.create_job(kind, input),
                "Describe" => self.describe_job(kind, &input),
                "List" => self.list_jobs(kind, &input),
                "Stop" => self.stop_job(kind, &input).await,
                _ => self.delete_job(kind, &input),
            };
        }
        if let Some(answer) = self.pipeline_operation(operation, &input) {
            return answer;
        }
        match operation {
            "CreateHyperParameterTuningJob" => self.create_tuning(input),
            "DescribeHyperParameterTuningJob" => self.describe_tuning(&input),
            "ListHyperParameterTuningJobs" => self.list_tunings(&input),
            "StopHyperParameterTuningJob" => self.stop_tuning(&input),
            "ListTrainingJobsForHyperParameterTuningJob" => self.list_tuning_jobs(&input),
            "CreateModelPackageGroup" => self.create_group(&input),
            "DescribeModelPackageGroup" => self.describe_group(&input),
            "ListModelPackageGroups" => self.list_groups(&input),
            "DeleteModelPackageGroup" => self.delete_group(&input),
            "CreateModelPackage" => self.create_package(input),
            "DescribeModelPackage" => self.describe_package(&input),
            "ListModelPackages" => self.list_packages(&input),
            "UpdateModelPackage" => self.update_package(&input),
            "DeleteModelPackage" => self.delete_package(&input),
            "CreateModel" => self.create_model(input),
            "DescribeModel" => self.describe_model(&input),
            "ListModels" => self.list_models(&input),
            "DeleteModel" => self.delete_model(&input),
            "CreateEndpointConfig" => self.create_endpoint_config(input),
            "DescribeEndpointConfig" => self.describe_endpoint_config(&input),
            "ListEndpointConfigs" => self.list_endpoint_configs(&input),
            "DeleteEndpointConfig" => self.delete_endpoint_config(&input),
            "CreateEndpoint" => self.create_endpoint(&input),
            "UpdateEndpoint" => self.update_endpoint(&input),
            "UpdateEndpointWeightsAndCapacities" => self.update_weights(&input),
            "DescribeEndpoint" => self.describe_endpoint(&input),
            "ListEndpoints" => self.list_endpoints(&input),
            "DeleteEndpoint" => self.delete_endpoint(&input),
            "AddTags" => self.add_tags(&input),
            "ListTags" => self.list_tags(&input),
            "DeleteTags" => self.delete_tags(&input),
            _ => Err(AwsError::unknown_operation("SageMaker", operation)),
        }
    }

    /// InvokeEndpoint of the runtime: the headers are the request's, the body goes to the model.
    ///
    /// # Errors
    /// What AWS would answer. A model's own error is an `Ok` response with status 424, as its shape has more members.
    pub async fn invoke(
        self: &Arc<Self>,
        endpoint: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, AwsError> {
        self.invoke_endpoint(endpoint, headers, body).await
    }

    /// Whether this host lets jobs have their own `/opt/ml`; tried once, when first needed.
    pub async fn capabilities(&self) -> Capabilities {
        self.sandbox.capabilities(&*self.processes, &self.runtimes, &self.home.join("probe")).await
    }

    /// What a job's process printed; the file is there from the job's start on.
    pub fn job_log(&self, kind: JobKind, name: &str) -> PathBuf {
        self.logs.join(kind.word()).join(format!("{name}.log"))
    }

    /// A pipeline's execution with why each step was or was not taken from an earlier one; `None` when there is none.
    pub fn report(&self, pipeline: &str, execution: &str) -> Option<Value> {
        self.execution_report(pipeline, execution)
    }

    /// State changes of model packages as they happen, in the shape of the EventBridge detail. A hint: what counts is
    /// the registry, which is to be looked at after a restart and after a lag.
    pub fn package_events(&self) -> broadcast::Receiver<Value> {
        self.package_events.subscribe()
    }

    /// Lets go of everything without stopping any process: jobs and endpoints go on under their supervisor, and the
    /// next [`SageMaker::open`] over the same folder finds them. Returns when nothing of this one touches the folder.
    pub async fn close(&self) {
        self.closing.cancel();
        self.neighbours.close();
        self.works.close();
        self.works.wait().await;
    }

    pub(crate) fn jobs(&self, kind: JobKind) -> &Table<Job> {
        match kind {
            JobKind::Processing => &self.jobs[0],
            JobKind::Training => &self.jobs[1],
            JobKind::Transform => &self.jobs[2],
        }
    }

    /// `arn:aws:sagemaker:REGION:ACCOUNT:KIND/NAME`
    pub(crate) fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:sagemaker:{}:{}:{kind}/{name}", self.settings.region, self.settings.account)
    }

    /// Whether the ARN names a resource that is there.
    pub(crate) fn exists(&self, arn: &str) -> bool {
        let prefix = self.arn("", "");
        let Some((kind, name)) = arn.strip_prefix(prefix.trim_end_matches('/')).and_then(|rest| rest.split_once('/'))
        else {
            return false;
        };
        match kind {
            "model-package-group" => self.groups.get(name).is_some(),
            "model-package" => self.packages.get(&packages::key(name)).is_some(),
            "pipeline" => self.pipeline_exists(name),
            "hyper-parameter-tuning-job" => self.tuning_jobs.get(name).is_some(),
            "model" => self.models.get(name).is_some(),
            "endpoint-config" => self.configs.get(name).is_some(),
            "endpoint" => self.endpoints.get(name).is_some(),
            _ => JobKind::parse(kind).is_some_and(|kind| self.jobs(kind).get(name).is_some()),
        }
    }

    /// Variables every container gets: a small system environment, and how to reach this local cloud and nothing else.
    pub(crate) fn container_vars(&self, folder: &Path) -> Vars {
        /// Nobody listens there: without an endpoint of ours the SDKs must fail rather than find real AWS.
        const NOWHERE: &str = "http://127.0.0.1:1";
        let settings = &self.settings;
        let bin = settings.python.parent().unwrap_or(Path::new("/usr/bin"));
        let pairs = [
            ("PATH", format!("{}:{}", bin.display(), sandbox::SYSTEM_PATH)),
            ("HOME", folder.join("home").display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PYTHONUNBUFFERED", "TRUE".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("AWS_ENDPOINT_URL", settings.endpoint_url.clone().unwrap_or_else(|| NOWHERE.to_owned())),
            ("AWS_REGION", settings.region.clone()),
            ("AWS_DEFAULT_REGION", settings.region.clone()),
            ("AWS_ACCESS_KEY_ID", settings.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", settings.secret_key.expose().to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Runs until done or until [`SageMaker::close`].
    pub(crate) fn background(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.works.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = work => {}
            }
        });
    }
}

/// `CreateTrainingJob` is a verb and a kind.
fn job_operation(operation: &str) -> Option<(&str, JobKind)> {
    ["Create", "Describe", "List", "Stop", "Delete"].into_iter().find_map(|verb| {
        let rest = operation.strip_prefix(verb)?;
        JobKind::ALL.into_iter().find(|kind| rest.trim_end_matches('s') == kind.member("")).map(|kind| (verb, kind))
    })
}
