//! Which cloud, and how it is reached. Local is the default; real AWS is only reached when it was asked for by name.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use haliotis_local_cloud::{Config, DEFAULT_ACCESS_KEY, DEFAULT_ACCOUNT, DEFAULT_SECRET_KEY, LocalCloud};
use haliotis_model::{Secret, Vars};
use haliotis_plugin_api::{CloudSettings, Processes};
use tokio::net::TcpListener;

use crate::app::{CloudKind, Options, python};
use crate::failure::Failure;

/// Local jobs are looked at often: looking costs nothing and people watch.
const LOCAL_POLL_MS: u64 = 200;
/// AWS throttles DescribeTrainingJob and its kin.
const AWS_POLL_MS: u64 = 10_000;

/// The settings, and the embedded cloud when it is that one; it answers when this returns.
pub async fn open(
    options: &Options,
    processes: Arc<dyn Processes>,
) -> Result<(Arc<CloudSettings>, Option<Arc<LocalCloud>>), Failure> {
    if options.cloud == CloudKind::Aws {
        return Ok((Arc::new(aws(options)), None));
    }
    let dir = options.dir.join("cloud");
    std::fs::create_dir_all(&dir)?;
    let listener = listen(&dir).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let mut config = Config::new(dir, python::local(&options.dir), processes);
    config.region.clone_from(&options.region);
    config.endpoint_url = Some(endpoint.clone());
    let cloud = LocalCloud::open(config).await.map_err(|error| Failure::world(error.to_string()))?;
    tokio::spawn(Arc::clone(&cloud).serve(listener));
    let settings = CloudSettings {
        name: "local".to_owned(),
        endpoint_url: Some(endpoint),
        region: options.region.clone(),
        account: DEFAULT_ACCOUNT.to_owned(),
        role_arn: format!("arn:aws:iam::{DEFAULT_ACCOUNT}:role/haliotis-local"),
        bucket: format!("haliotis-{}-{DEFAULT_ACCOUNT}", options.region),
        credentials: Some((DEFAULT_ACCESS_KEY.to_owned(), Secret::new(DEFAULT_SECRET_KEY))),
        poll_ms: LOCAL_POLL_MS,
    };
    Ok((Arc::new(settings), Some(cloud)))
}

fn aws(options: &Options) -> CloudSettings {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    CloudSettings {
        name: "aws".to_owned(),
        endpoint_url: None,
        region: options.region.clone(),
        account: String::new(),
        role_arn: set("HALIOTIS_SAGEMAKER_ROLE_ARN"),
        bucket: set("HALIOTIS_BUCKET"),
        credentials: None,
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
        vars.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        vars.insert("PATH".to_owned(), format!("{}:{path}", venv.join("bin").display()));
    }
    vars
}
