//! Which cloud, and how it is reached. Local is the default; real AWS is only reached when it was asked for by name.
//!
//! The local cloud listens at once, since steps are told its address, and is opened by the first connection: a pipeline
//! that never talks to it does not wait for it. One with a state of an earlier life is opened at once: its jobs,
//! endpoints and stacks go on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use haliotis_local_cloud::{Config, DEFAULT_ACCESS_KEY, DEFAULT_ACCOUNT, DEFAULT_SECRET_KEY, LocalCloud};
use haliotis_model::{Secret, Vars};
use haliotis_plugin_api::{CloudSettings, Processes};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{CloudKind, Options, python};
use crate::failure::Failure;

/// Local jobs are looked at often: looking costs nothing and people watch.
const LOCAL_POLL_MS: u64 = 200;
/// AWS throttles DescribeTrainingJob and its kin.
const AWS_POLL_MS: u64 = 10_000;

/// The embedded cloud, open or not yet.
#[derive(Clone, Default)]
pub struct Embedded(Arc<OnceLock<Arc<LocalCloud>>>);

impl Embedded {
    /// The cloud, if it was opened.
    pub fn opened(&self) -> Option<&Arc<LocalCloud>> {
        self.0.get()
    }

    async fn open(&self, config: Config) -> Result<Arc<LocalCloud>, Failure> {
        let cloud = LocalCloud::open(config).await.map_err(|error| Failure::world(error.to_string()))?;
        Ok(Arc::clone(self.0.get_or_init(|| cloud)))
    }

    /// Waits for somebody to connect, opens the cloud, and serves them and all who come after.
    async fn open_when_asked(self, config: Config, rest: TcpListener) -> Result<(), Failure> {
        let first = Some(rest.accept().await?);
        let router = self.open(config).await?.router();
        Ok(axum::serve(Queue { first, rest }, router).await?)
    }
}

/// A listener whose first client is taken in already.
struct Queue {
    first: Option<(TcpStream, SocketAddr)>,
    rest: TcpListener,
}

impl axum::serve::Listener for Queue {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.first.take() {
            Some(first) => first,
            None => axum::serve::Listener::accept(&mut self.rest).await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.rest.local_addr()
    }
}

/// The settings, and the embedded cloud when it is that one; it answers when this returns.
pub async fn open(
    options: &Options,
    processes: Arc<dyn Processes>,
) -> Result<(Arc<CloudSettings>, Option<Embedded>), Failure> {
    if options.cloud == CloudKind::Aws {
        return Ok((Arc::new(aws(&options.region)), None));
    }
    let (dir, has_state) = (options.dir.join("cloud"), has_state(&options.dir));
    std::fs::create_dir_all(&dir)?;
    let listener = listen(&dir).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let mut config = Config::new(dir, python::local(&options.dir), processes);
    config.region.clone_from(&options.region);
    config.endpoint_url = Some(endpoint.clone());
    let cloud = Embedded::default();
    if has_state {
        tokio::spawn(cloud.open(config).await?.serve(listener));
    } else {
        let cloud = cloud.clone();
        tokio::spawn(async move {
            if let Err(failure) = cloud.open_when_asked(config, listener).await {
                tracing::error!("the local cloud cannot be opened, and its clients are refused: {failure}");
            }
        });
    }
    Ok((Arc::new(local(endpoint, &options.region)), Some(cloud)))
}

/// Whether the local cloud of a data folder was ever open: every open one makes this folder.
pub fn has_state(dir: &Path) -> bool {
    dir.join("cloud").join("sagemaker").exists()
}

/// The local cloud of the server that runs over a data folder, for a program beside it; `None`: it has no port yet.
pub fn beside(dir: &Path, region: &str) -> Option<CloudSettings> {
    let port: u16 = std::fs::read_to_string(dir.join("cloud").join("port")).ok()?.trim().parse().ok()?;
    Some(local(format!("http://{}:{port}", Ipv4Addr::LOCALHOST), region))
}

fn local(endpoint: String, region: &str) -> CloudSettings {
    CloudSettings {
        name: "local".to_owned(),
        endpoint_url: Some(endpoint),
        region: region.to_owned(),
        account: DEFAULT_ACCOUNT.to_owned(),
        role_arn: format!("arn:aws:iam::{DEFAULT_ACCOUNT}:role/haliotis-local"),
        bucket: format!("haliotis-{region}-{DEFAULT_ACCOUNT}"),
        credentials: Some((DEFAULT_ACCESS_KEY.to_owned(), Secret::new(DEFAULT_SECRET_KEY))),
        session_token: None,
        poll_ms: LOCAL_POLL_MS,
    }
}

/// Real AWS.
pub fn aws(region: &str) -> CloudSettings {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    CloudSettings {
        name: "aws".to_owned(),
        endpoint_url: None,
        region: region.to_owned(),
        account: String::new(),
        role_arn: set("HALIOTIS_SAGEMAKER_ROLE_ARN"),
        bucket: set("HALIOTIS_BUCKET"),
        credentials: None,
        session_token: None,
        poll_ms: AWS_POLL_MS,
    }
}

/// The port of last time where it is free, any other else.
async fn listen(dir: &Path) -> Result<TcpListener, Failure> {
    let file = dir.join("port");
    let last: Option<u16> = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    let listener = match last {
        Some(port) => match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(port, %error, "the local cloud's port is taken; jobs of an earlier life cannot reach it");
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?
            }
        },
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    std::fs::write(&file, listener.local_addr()?.port().to_string())?;
    Ok(listener)
}

/// What every step's process gets: with the local cloud, the way to it, and the runtimes' Python first.
pub fn vars(cloud: &CloudSettings, venv: &Path) -> Vars {
    let mut vars = Vars::new();
    vars.insert("AWS_DEFAULT_REGION".to_owned(), cloud.region.clone());
    vars.insert("AWS_REGION".to_owned(), cloud.region.clone());
    if let (Some(endpoint), Some((key, secret))) = (&cloud.endpoint_url, &cloud.credentials) {
        vars.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.clone());
        vars.insert("AWS_ACCESS_KEY_ID".to_owned(), key.clone());
        vars.insert("AWS_SECRET_ACCESS_KEY".to_owned(), secret.expose().to_owned());
        // The cloud goes away and comes back with its server: clients of steps that outlive it wait about a minute.
        vars.insert("AWS_RETRY_MODE".to_owned(), "standard".to_owned());
        vars.insert("AWS_MAX_ATTEMPTS".to_owned(), "12".to_owned());
        vars.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        vars.insert("PATH".to_owned(), format!("{}:{path}", venv.join("bin").display()));
    }
    vars
}
