//! The local cloud: an AWS-compatible server on loopback that really does the work.
//!
//! One port answers for every service (`AWS_ENDPOINT_URL`); `server` tells the services apart. S3 is the file
//! system, CloudFormation drives the other services, SageMaker runs local processes.
//!
//! ```text
//! request -> server (host check, SigV4, protocol) -> s3 | sts | cloudformation | sagemaker | sqs | events | lambda
//! ```
//! Nothing here ever calls real AWS.

mod auth;
pub mod cloudformation;
mod config;
mod durable;
mod error;
mod events;
mod lambda;
mod neighbours;
mod params;
pub mod s3;
pub mod sagemaker;
mod server;
mod sqs;
mod sts;
mod table;

use std::sync::Arc;

pub use config::{Config, DEFAULT_ACCESS_KEY, DEFAULT_ACCOUNT, DEFAULT_REGION, DEFAULT_SECRET_KEY, PythonEnv};
pub use durable::{sync_dir, write_atomic};
pub use error::{AwsError, OpenError};

/// The open local cloud: its stores, its services, and what runs in it.
pub struct LocalCloud {
    config: Config,
    s3: Arc<s3::Store>,
    neighbours: neighbours::Neighbours,
    sagemaker: Arc<sagemaker::SageMaker>,
    cloudformation: Arc<cloudformation::CloudFormation>,
    credentials: auth::Credentials,
}

impl LocalCloud {
    /// Opens the data folder, sweeps what a crash left over, and takes up interrupted work: jobs, endpoints, stacks.
    ///
    /// # Errors
    /// When the folder cannot be used or a state file is damaged.
    pub async fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        std::fs::create_dir_all(&config.dir).map_err(OpenError::io(&config.dir))?;
        let s3 = Arc::new(s3::Store::open(config.dir.join("s3"))?);
        let credentials = auth::Credentials::open(&config)?;
        let neighbours = neighbours::Neighbours::open(&config)?;
        let sagemaker = sagemaker::SageMaker::open_beside(&config, Arc::clone(&s3), neighbours.clone()).await?;
        let cloudformation = cloudformation::CloudFormation::open(&config, Arc::clone(&sagemaker), Arc::clone(&s3))?;
        Ok(Arc::new(Self { config, s3, neighbours, sagemaker, cloudformation, credentials }))
    }

    /// The object store.
    pub fn s3(&self) -> &s3::Store {
        &self.s3
    }

    /// Jobs, registry, endpoints.
    pub fn sagemaker(&self) -> &Arc<sagemaker::SageMaker> {
        &self.sagemaker
    }

    /// Lets go of everything without stopping any process, as a kill would: jobs and endpoints go on under their
    /// supervisor, stacks stay where they are, and the next [`LocalCloud::open`] over the folder goes on with all.
    pub async fn close(&self) {
        self.cloudformation.close();
        self.sagemaker.close().await;
    }

    /// Every service on one router.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        server::router(Arc::clone(self))
    }

    /// Answers on the listener until the future is dropped. Bind it to loopback: other `Host` names are refused.
    pub async fn serve(self: Arc<Self>, listener: tokio::net::TcpListener) {
        let router = self.router();
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the local cloud's listener ended");
        }
    }
}
