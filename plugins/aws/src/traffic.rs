//! What an endpoint was asked of late. The local cloud says; on AWS the numbers are CloudWatch's, which the console shows
//! better than one more large client here would.

use std::time::Duration;

use haliotis_plugin_api::CloudSettings;
use serde::Deserialize;

use crate::job_log::is_loopback;

/// It is loopback, and a page waits for it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The traffic of one production variant since its processes were started.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Traffic {
    /// The variant.
    pub name: String,
    /// All invocations.
    pub invocations: u64,
    /// Those that were not answered well.
    pub errors: u64,
    /// The last ones, newest first.
    #[serde(default)]
    pub recent: Vec<Invocation>,
}

/// One invocation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Invocation {
    /// When it was over, milliseconds since 1970.
    pub at: i64,
    /// How long it took, microseconds.
    #[serde(rename = "took-us")]
    pub took_us: u64,
    /// HTTP status of the container; 0: it did not answer in time.
    pub status: u16,
    /// What the container said, where it refused; at most 300 characters.
    #[serde(default)]
    pub said: String,
}

#[derive(Deserialize)]
struct Endpoints {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    variants: Vec<Traffic>,
}

/// The traffic of an endpoint by variant; `None`: this cloud does not say.
pub async fn traffic(cloud: &CloudSettings, endpoint: &str) -> Option<Vec<Traffic>> {
    let base = cloud.endpoint_url.as_deref().filter(|url| is_loopback(url))?;
    let url = format!("{}/_haliotis/endpoints", base.trim_end_matches('/'));
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().ok()?;
    let told: Endpoints = client.get(url).send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
    told.endpoints.into_iter().find(|known| known.name == endpoint).map(|known| known.variants)
}
