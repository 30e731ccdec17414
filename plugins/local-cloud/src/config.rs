//! How a local cloud is set up: where it keeps its data, who may ask, and how it runs jobs.

use std::path::PathBuf;
use std::sync::Arc;

use haliotis_model::Secret;
use haliotis_plugin_api::Processes;

/// The account of the local cloud; obviously not a real one.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// The region whose name appears in ARNs when nobody names another.
pub const DEFAULT_REGION: &str = "us-east-1";
/// The access key that clients of the local cloud use unless the configuration says otherwise.
pub const DEFAULT_ACCESS_KEY: &str = "AKIALOCALHALIOTIS000";
/// Its secret half; it guards nothing but loopback.
pub const DEFAULT_SECRET_KEY: &str = "haliotis-local-cloud-secret";

/// How a local cloud is set up.
#[derive(Clone)]
pub struct Config {
    /// Everything it keeps lies below; made if absent. One local cloud per folder.
    pub dir: PathBuf,
    /// As `eu-west-1`; appears in ARNs.
    pub region: String,
    /// Twelve digits; appears in ARNs.
    pub account: String,
    /// The access key id that clients must present.
    pub access_key: String,
    /// Signatures are verified against it.
    pub secret_key: Secret,
    /// `http://127.0.0.1:PORT` where this server will be reachable, for the jobs' own S3 calls (`AWS_ENDPOINT_URL`).
    pub endpoint_url: Option<String>,
    /// The interpreter of the job runtimes.
    pub python: PythonEnv,
    /// Local processes: jobs and endpoints run through it.
    pub processes: Arc<dyn Processes>,
    /// Where the job runtimes' Python files lie; `None`: those carried in the binary are written below `dir`.
    pub runtimes_dir: Option<PathBuf>,
}

impl Config {
    /// The default account, region and credentials, over a folder.
    pub fn new(dir: impl Into<PathBuf>, python: PythonEnv, processes: Arc<dyn Processes>) -> Self {
        Self {
            dir: dir.into(),
            region: DEFAULT_REGION.to_owned(),
            account: DEFAULT_ACCOUNT.to_owned(),
            access_key: DEFAULT_ACCESS_KEY.to_owned(),
            secret_key: Secret::new(DEFAULT_SECRET_KEY),
            endpoint_url: None,
            python,
            processes,
            runtimes_dir: None,
        }
    }
}

/// The Python that runs jobs and endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonEnv {
    /// The program, as `/…/venv/bin/python`; has xgboost, scikit-learn, pandas and numpy installed.
    pub interpreter: PathBuf,
}
