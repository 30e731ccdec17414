//! The SDK clients of a cloud, made once per settings and shared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use haliotis_plugin_api::{CloudSettings, StepError};
use tokio::sync::OnceCell;

use crate::error::Told;

/// Attempts of one call, the first included; beyond that the poll loop's own patience counts.
const MAX_ATTEMPTS: u32 = 4;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first byte of an answer may take; InvokeEndpoint may use 60 seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(75);

/// The clients of one cloud.
pub struct Clients {
    /// Which cloud this is.
    pub cloud: CloudSettings,
    pub(crate) sagemaker: aws_sdk_sagemaker::Client,
    pub(crate) runtime: aws_sdk_sagemakerruntime::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) codebuild: aws_sdk_codebuild::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    credentials: Option<SharedCredentialsProvider>,
    account: OnceCell<String>,
    /// Buckets seen to exist, so that each is asked for once.
    pub(crate) buckets: Mutex<BTreeSet<String>>,
}

/// Clients kept at most: each hour's keys of an assumed role are settings of their own.
const MAX_KEPT: usize = 32;

/// Clients made so far: one or two clouds, and the roles that steps take in them.
static MADE: Mutex<BTreeMap<String, Arc<Clients>>> = Mutex::new(BTreeMap::new());

/// The clients of a cloud. Makes no request.
///
/// # Errors
/// `Usage` when the settings lack a region.
pub async fn clients(cloud: &CloudSettings) -> Result<Arc<Clients>, StepError> {
    if cloud.region.is_empty() {
        return Err(StepError::Usage(format!(
            "the cloud `{}` has no region; set one (AWS_REGION, or `region` of the configuration)",
            cloud.name
        )));
    }
    let key = settings_key(cloud);
    if let Some(made) = MADE.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(Arc::clone(made));
    }
    // Two tasks may both get here; the second set of clients is dropped unused.
    let made = Arc::new(Clients::new(cloud, &sdk_config(cloud).await));
    let mut kept = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MAX_KEPT {
        // Whoever uses one holds it; the others are made again when they are needed.
        kept.clear();
    }
    Ok(Arc::clone(kept.entry(key).or_insert(made)))
}

impl Clients {
    fn new(cloud: &CloudSettings, config: &SdkConfig) -> Self {
        // The local cloud is reached by one host name, so buckets are part of the path there.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(cloud.endpoint_url.is_some()).build();
        Self {
            cloud: cloud.clone(),
            sagemaker: aws_sdk_sagemaker::Client::new(config),
            runtime: aws_sdk_sagemakerruntime::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            codebuild: aws_sdk_codebuild::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            credentials: config.credentials_provider(),
            account: OnceCell::new(),
            buckets: Mutex::default(),
        }
    }

    /// Who asks, for services that are asked by signed HTTP.
    pub(crate) fn credentials(&self) -> Option<&SharedCredentialsProvider> {
        self.credentials.as_ref()
    }

    /// True for the local cloud.
    pub fn is_local(&self) -> bool {
        self.cloud.endpoint_url.is_some()
    }

    /// The twelve digits of whoever calls, asked once.
    ///
    /// # Errors
    /// `World` when STS cannot be asked: no network, no credentials.
    pub async fn account(&self) -> Result<&str, StepError> {
        let ask = || async {
            let identity = self.sts.get_caller_identity().send().await.told(&self.cloud, "asking for the account")?;
            Ok::<_, StepError>(identity.account.unwrap_or_default())
        };
        self.account.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Which cloud this is, for people: the first line in the log of every step.
    ///
    /// # Errors
    /// As [`Clients::account`].
    pub async fn shown(&self) -> Result<String, StepError> {
        Ok(match &self.cloud.endpoint_url {
            Some(url) => format!("local cloud {url}"),
            None => format!("AWS account {} region {}", self.account().await?, self.cloud.region),
        })
    }
}

fn settings_key(cloud: &CloudSettings) -> String {
    let (key, secret) = cloud.credentials.as_ref().map_or(("", ""), |(key, secret)| (key.as_str(), secret.expose()));
    let token = cloud.session_token.as_ref().map_or("", |token| token.expose());
    format!("{:?} {} {} {key} {secret} {token}", cloud.endpoint_url, cloud.region, cloud.account)
}

async fn sdk_config(cloud: &CloudSettings) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(Region::new(cloud.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(timeouts);
    if let Some(url) = &cloud.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some((key, secret)) = &cloud.credentials {
        let mut fixed = Credentials::builder()
            .access_key_id(key)
            .secret_access_key(secret.expose())
            .provider_name("haliotis settings");
        if let Some(token) = &cloud.session_token {
            fixed = fixed.session_token(token.expose());
        }
        loader = loader.credentials_provider(fixed.build());
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    use haliotis_model::Secret;

    use super::*;

    fn local(port: u16) -> CloudSettings {
        CloudSettings {
            name: "local".to_owned(),
            endpoint_url: Some(format!("http://127.0.0.1:{port}")),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            credentials: Some(("key".to_owned(), Secret::new("secret"))),
            ..CloudSettings::default()
        }
    }

    #[tokio::test]
    async fn clients_are_shared_by_settings() {
        let first = clients(&local(1)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &clients(&local(1)).await.unwrap()));
        assert!(!Arc::ptr_eq(&first, &clients(&local(2)).await.unwrap()));
        assert_eq!(first.shown().await.unwrap(), "local cloud http://127.0.0.1:1");
    }

    #[tokio::test]
    async fn nobody_there_is_said_in_words() {
        let error = clients(&local(9)).await.unwrap().account().await.unwrap_err().to_string();
        assert!(error.contains("cannot reach the local cloud at http://127.0.0.1:9"), "{error}");
    }
}
