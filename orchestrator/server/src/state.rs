//! What every handler is given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use haliotis_engine::{Catalog, Engine};
use haliotis_model::Millis;
use tokio::sync::watch;

use crate::access::Access;
use crate::edges::{Actions, Artifacts, Hooks, JenkinsfileSyntax, LoginProvider, Logs, Models, Process};
use crate::lines::Indexes;
use crate::rates::Rates;

/// Fixed for the life of the server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The URL people use, as `http://127.0.0.1:8080`; its host is allowed beside the loopback names.
    pub base_url: String,
    /// No login: whoever reaches the port is trusted, so the port must be on loopback.
    pub dev: bool,
    /// Which cloud new builds talk to, as `local` or `aws:eu-west-1`.
    pub cloud: String,
    /// The operating system's user: the identity in dev mode when a request names none.
    pub user: String,
    /// Version of the binary.
    pub version: String,
}

/// The parts, supplied by the binary. Clones are the same server.
#[derive(Clone)]
pub struct AppState {
    /// The engine.
    pub engine: Engine,
    /// Pipelines, lists, audit.
    pub catalog: Arc<dyn Catalog>,
    /// What steps printed.
    pub logs: Arc<dyn Logs>,
    /// What builds kept.
    pub artifacts: Arc<dyn Artifacts>,
    /// The registry.
    pub models: Arc<dyn Models>,
    /// Starting and registering.
    pub actions: Arc<dyn Actions>,
    /// Git hosts.
    pub hooks: Arc<dyn Hooks>,
    /// Reads Jenkinsfiles, where the binary has that language.
    pub jenkinsfiles: Option<Arc<dyn JenkinsfileSyntax>>,
    /// The process, where the binary lets administrators ask something of it.
    pub process: Option<Arc<dyn Process>>,
    /// Who vouches for people beside us.
    pub provider: Option<Arc<dyn LoginProvider>>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// Fixed values.
    pub config: Arc<ServerConfig>,
    /// How much one client may ask.
    pub rates: Rates,
    pub(crate) own: Arc<Own>,
}

/// The server's own counters and switches.
pub(crate) struct Own {
    pub(crate) started_at: Millis,
    pub(crate) requests: AtomicU64,
    pub(crate) streams: AtomicI64,
    pub(crate) indexes: Indexes,
    pub(crate) buckets: crate::rates::Buckets,
    pub(crate) deployments: crate::served::Known,
    pub(crate) jenkins: crate::jenkins::Kept,
    stop: watch::Sender<bool>,
}

/// The edges, in one hand.
pub struct Edges {
    /// What steps printed.
    pub logs: Arc<dyn Logs>,
    /// What builds kept.
    pub artifacts: Arc<dyn Artifacts>,
    /// The registry.
    pub models: Arc<dyn Models>,
    /// Starting and registering.
    pub actions: Arc<dyn Actions>,
    /// Git hosts.
    pub hooks: Arc<dyn Hooks>,
}

impl AppState {
    /// Puts the parts together. Does no work.
    pub fn new(config: ServerConfig, engine: Engine, catalog: Arc<dyn Catalog>, edges: Edges) -> Self {
        let Edges { logs, artifacts, models, actions, hooks } = edges;
        let own = Own {
            started_at: haliotis_engine::now(),
            requests: AtomicU64::new(0),
            streams: AtomicI64::new(0),
            indexes: Indexes::default(),
            buckets: crate::rates::Buckets::default(),
            deployments: crate::served::Known::default(),
            jenkins: crate::jenkins::Kept::default(),
            stop: watch::Sender::new(false),
        };
        let (config, access) = (Arc::new(config), Arc::default());
        Self {
            engine,
            catalog,
            logs,
            artifacts,
            models,
            actions,
            hooks,
            jenkinsfiles: None,
            process: None,
            provider: None,
            access,
            config,
            rates: Rates::default(),
            own: Arc::new(own),
        }
    }

    /// The same with these users. Without this a server that is not in dev mode lets nobody in.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = Arc::new(access);
        self
    }

    /// The same with other rates for clients.
    #[must_use]
    pub fn with_rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// The same with a reader of Jenkinsfiles.
    #[must_use]
    pub fn with_jenkinsfiles(mut self, syntax: Arc<dyn JenkinsfileSyntax>) -> Self {
        self.jenkinsfiles = Some(syntax);
        self
    }

    /// The same with a provider that vouches for people.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn LoginProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The same with a process that administrators may quieten, end and ask.
    #[must_use]
    pub fn with_process(mut self, process: Arc<dyn Process>) -> Self {
        self.process = Some(process);
        self
    }

    /// Closes live streams; [`crate::serve`] calls it when it is asked to stop.
    pub fn stop(&self) {
        self.own.stop.send_replace(true);
    }

    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.own.stop.subscribe()
    }

    /// Counts a live stream while it is open.
    pub(crate) fn stream(&self) -> OpenStream {
        self.own.streams.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(&self.own))
    }
}

/// One open live stream.
pub(crate) struct OpenStream(Arc<Own>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
