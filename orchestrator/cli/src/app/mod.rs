//! The one place that names concrete things: puts store, agent, clouds, languages and server together.
//!
//! ```text
//! lock the data folder -> supervisor (starts aside) -> store -> local cloud -> agent
//!                      -> engine (goes on with every unfinished build) -> reconcilers -> pages
//! ```
//! The local cloud comes before the engine: recovered steps look their jobs up there. Its port is kept in the data
//! folder, since jobs that outlive a server know it.

pub mod builds;
pub mod casc;
pub mod cloud;
pub mod credentials;
pub mod edges;
pub mod elsewhere;
pub mod jenkinsfiles;
pub mod keepsake;
pub mod kinds;
pub mod libraries;
pub mod notify;
pub mod oidc;
pub mod parameters;
pub mod previous;
pub mod process;
pub mod python;
mod quarantine;
pub mod reading;
pub mod registry;
pub mod rerun;
pub mod retention;
pub mod seeding;
pub mod settle;
pub mod source;
pub mod steps;
pub mod triggers;
pub mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use haliotis_agent::{LocalAgent, Supervisor};
use haliotis_engine::{Catalog, Engine, Recover};
use haliotis_plugin_api::CloudSettings;
use haliotis_store::{Commits, DataDir, DataDirLock, LogStore, Store};

use crate::failure::Failure;

/// Which cloud steps talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CloudKind {
    /// The embedded local cloud; nothing leaves this machine.
    Local,
    /// Real AWS, with the default credential chain.
    Aws,
}

/// How an app is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder.
    pub dir: PathBuf,
    /// Where `jenkins.yaml` and `plugins` lie: the data folder of the machine, also for a run with a folder of its own.
    pub config_dir: PathBuf,
    /// A PostgreSQL database for the builds; `None`: a file in the folder.
    pub database: Option<String>,
    /// The cloud.
    pub cloud: CloudKind,
    /// As `us-east-1`.
    pub region: String,
    /// Steps at once on this machine; `None`: one per processor.
    pub slots: Option<u32>,
    /// Labels of this machine's agent.
    pub labels: Vec<String>,
    /// A fixed polling interval, over what pipelines say.
    pub poll_every: Option<Duration>,
    /// Unfinished builds of an earlier life.
    pub recover: Recover,
    /// Base of the pages' addresses, for `BUILD_URL`.
    pub base_url: String,
    /// Further variables of every step's processes, over those of the cloud.
    pub vars: haliotis_model::Vars,
    /// One thread does everything, for a single build without a server; it must be within a local task set.
    pub alone: bool,
}

/// Everything that runs in one process over one data folder.
pub struct App {
    /// How it was opened.
    pub options: Options,
    /// The engine.
    pub engine: Engine,
    /// The store.
    pub store: Arc<dyn Store>,
    /// What steps printed.
    pub logs: LogStore,
    /// The cloud that steps talk to.
    pub cloud: Arc<CloudSettings>,
    /// The embedded cloud, when it is that one.
    pub local_cloud: Option<cloud::Embedded>,
    /// Ways to say "look now".
    pub nudges: triggers::Nudges,
    /// How git hosts are asked.
    pub git_hosts: triggers::GitHostsAsked,
    /// While it lasts, triggers hold what they see.
    pub quiet: process::Quiet,
    _lock: DataDirLock,
}

/// One TLS provider for the whole process; clients need it before their first connection.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl App {
    /// Opens the folder, goes on with what is unfinished, and answers when it is ready to take work.
    pub async fn open(options: Options) -> Result<Arc<App>, Failure> {
        install_tls();
        let dir = options.dir.clone();
        std::fs::create_dir_all(&dir).map_err(|error| {
            Failure::world(format!(
                "cannot make the data folder {}: {error}; choose another with --data-dir",
                dir.display()
            ))
        })?;
        let lock = DataDir::lock(&dir).map_err(|error| Failure::world(error.to_string()))?;
        let supervisor = supervisor(&dir)?;
        let commits = if options.alone { Commits::Here } else { Commits::Aside };
        let store = haliotis_store::open_store_for(options.database.as_deref(), &dir, commits)
            .await
            .map_err(|error| Failure::world(error.to_string()))?;
        let (cloud, local_cloud) = cloud::open(&options, Arc::clone(&supervisor)).await?;
        let logs = LogStore::new(DataDir::logs(&dir));
        let link = kinds::Link::new(&options.config_dir);
        registry::load_plugins(&options.config_dir);
        let agent = LocalAgent::new(haliotis_agent::AgentConfig {
            name: agent_name(&options),
            data_dir: dir.clone(),
            slots: options.slots.unwrap_or_else(processors),
            labels: options.labels.clone(),
            base_url: options.base_url.clone(),
            cloud: Arc::clone(&cloud),
            vars: step_vars(&options, &cloud),
            runners: registry::runners(Some(dir.as_path()).filter(|_| !options.alone), &link),
            processes: supervisor,
            credentials: Arc::new(credentials::Credentials::new(Arc::clone(&store), Arc::clone(&cloud))),
        });
        let journal = Arc::clone(&store) as Arc<dyn haliotis_engine::Journal>;
        let (executor, languages) = (Arc::new(agent), registry::languages());
        let engine = match options.alone {
            true => Engine::start_here(journal, executor, languages, options.recover).await?,
            false => {
                let watch = quarantine::watch(&dir)?;
                Engine::start_watched(journal, executor, languages, options.recover, watch).await?
            }
        };
        let app = Arc::new(App {
            options,
            engine,
            store,
            logs,
            cloud,
            local_cloud,
            nudges: triggers::Nudges::default(),
            git_hosts: triggers::GitHostsAsked::default(),
            quiet: process::Quiet::default(),
            _lock: lock,
        });
        link.set(&app);
        Ok(app)
    }

    /// The catalogue.
    pub fn store_catalog(&self) -> &dyn Catalog {
        self.store.as_ref()
    }

    /// The cloud's name as builds pin it.
    pub fn cloud_name(&self) -> String {
        if self.cloud.endpoint_url.is_some() { "local".to_owned() } else { format!("aws:{}", self.cloud.region) }
    }

    /// Where bare mirrors of repositories are kept.
    pub fn cache_dir(&self) -> PathBuf {
        self.options.dir.join("cache").join("git")
    }

    /// A stored credential as git wants it, for the server's own talk with a repository: of this pipeline (or project),
    /// at this address.
    pub async fn git_credential(
        &self,
        id: Option<&str>,
        wish: &haliotis_model::bounds::Wish<'_>,
    ) -> Result<Option<haliotis_scm::Credential>, builds::BuildError> {
        let Some(id) = id else { return Ok(None) };
        let stored = credentials::given(self.store_catalog(), id, wish).await?;
        Ok(Some(haliotis_scm::Credential::from_fields(id, &stored.kind, &stored.fields)?))
    }

    /// Ends this life in order: no endpoint is left serving without its gateway (the next start serves them again), and
    /// what is on disk goes on at the next start.
    pub async fn close(&self) {
        self.engine.stop();
        if let Some(cloud) = self.local_cloud.as_ref().and_then(cloud::Embedded::opened) {
            cloud.sagemaker().shut_down().await;
            cloud.close().await;
        }
    }

    /// Nothing is registered and nothing was built.
    pub async fn store_is_empty(&self) -> bool {
        self.store.pipelines().await.is_ok_and(|pipelines| pipelines.is_empty())
    }

    /// Artifacts of builds.
    pub fn artifacts_dir(dir: &Path) -> PathBuf {
        dir.join("artifacts")
    }
}

/// The supervisor of the folder. It starts while the rest is opened, so that the first step need not wait for it.
fn supervisor(dir: &Path) -> Result<Arc<dyn haliotis_plugin_api::Processes>, Failure> {
    let exe = std::env::current_exe()?;
    let exe = [exe.display().to_string(), "__supervise".to_owned()];
    let supervisor = Supervisor::connect_now(&dir.join("agent"), &exe);
    Ok(Arc::new(supervisor))
}

/// What every step's process gets.
fn step_vars(options: &Options, cloud: &CloudSettings) -> haliotis_model::Vars {
    let mut vars = cloud::vars(cloud, &python::venv_dir(&options.dir));
    vars.extend(options.vars.clone());
    vars
}

/// Where several servers share a database, a step that another's agent had is not this one's to look for.
fn agent_name(options: &Options) -> String {
    match options.database {
        None => haliotis_agent::AGENT_NAME.to_owned(),
        Some(_) => haliotis_store::server_name(&options.dir),
    }
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(2, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}
