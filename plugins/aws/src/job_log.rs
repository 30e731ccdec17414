//! A remote job's own log in the step's log.
//!
//! The local cloud hands it out by byte offset. On AWS it stays in CloudWatch, and one line says where: following it
//! would need one more large client for what the console shows better.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use haliotis_plugin_api::{StepContext, StepError};

use crate::Clients;

/// How long one request for more log may take; it is loopback.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most requests that read a job's rest after its end, so that a log that never stops growing does not hold us.
const MAX_REST: usize = 10_000;

/// How far a job's log has been copied.
pub(crate) struct Tail<'a> {
    ctx: &'a StepContext,
    /// `None`: the job's log is not to be had by HTTP.
    url: Option<String>,
    offset: u64,
    /// Bytes copied are written down here, so that a restart goes on and does not begin anew.
    kept: PathBuf,
}

impl<'a> Tail<'a> {
    /// Goes on where the step's log stopped.
    pub(crate) fn new(ctx: &'a StepContext, clients: &Clients, kind: &str, job: &str) -> Self {
        let base = clients.cloud.endpoint_url.as_deref().filter(|url| is_loopback(url));
        let url = base.map(|url| format!("{}/_haliotis/jobs/{kind}/{job}/log", url.trim_end_matches('/')));
        let kept = ctx.scratch.join("job-log-offset");
        let offset = fs::read_to_string(&kept).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { ctx, url, offset, kept }
    }

    /// Copies what is new; true if there was something. A log that cannot be read is no reason to fail a job.
    pub(crate) async fn pull(&mut self) -> bool {
        match self.try_pull().await {
            Ok(more) => more,
            Err(error) => {
                tracing::debug!(%error, url = self.url, "a job's log cannot be read now");
                false
            }
        }
    }

    /// Copies the rest of an ended job's log.
    pub(crate) async fn pull_rest(&mut self) {
        for _ in 0..MAX_REST {
            if !self.pull().await {
                return;
            }
        }
    }

    async fn try_pull(&mut self) -> Result<bool, StepError> {
        let Some(url) = &self.url else { return Ok(false) };
        let told = |error: reqwest::Error| StepError::World(error.to_string());
        let url = format!("{url}?offset={}", self.offset);
        let response = client()?.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(told)?;
        let bytes = response.bytes().await.map_err(told)?;
        if bytes.is_empty() {
            return Ok(false);
        }
        self.ctx.log.write(&bytes);
        self.offset += bytes.len() as u64;
        fs::write(&self.kept, self.offset.to_string())?;
        Ok(true)
    }
}

/// Only loopback is the local cloud; another endpoint is AWS-compatible and has no such path.
pub(crate) fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or("").split(['/', '?']).next().unwrap_or("");
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "127.0.0.1" || name == "localhost" || name == "[::1]"
}

/// Where a person finds the log on AWS.
pub(crate) fn place_on_aws(region: &str, group: &str, job: &str) -> String {
    format!(
        "the job's log is in CloudWatch: group {group}, streams that begin with {job}/ (aws logs tail {group} \
         --log-stream-name-prefix {job}/ --region {region})"
    )
}

fn client() -> Result<&'static reqwest::Client, StepError> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    // The provider is never used on loopback, but the client wants one; an error means there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build();
    let made = made.map_err(|error| StepError::World(format!("cannot make an HTTP client: {error}")))?;
    Ok(CLIENT.get_or_init(|| made))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_alone_is_the_local_cloud() {
        for (url, local) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:1/", true),
            ("http://[::1]:9", true),
            ("http://127.0.0.1.example:80", false),
            ("https://minio.example", false),
        ] {
            assert_eq!(is_loopback(url), local, "{url}");
        }
    }
}
