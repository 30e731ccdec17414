//! One signed request to a service for which no client of the SDK is linked: Signature Version 4 by the SDK's own signer.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use haliotis_plugin_api::StepError;

use crate::Clients;

/// Most bytes of an answer; Lambda's own limit is 6 MB.
const MAX_BODY: usize = 8 << 20;

/// A request.
pub(crate) struct Request {
    /// The service's name in signatures, as `lambda`.
    pub(crate) service: &'static str,
    /// The first part of its host's name on AWS, as `api.ecr`.
    pub(crate) host_prefix: &'static str,
    pub(crate) method: &'static str,
    /// With its query, encoded.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
}

/// What came back.
pub(crate) struct Told {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Told {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Signs and sends.
///
/// # Errors
/// `World` when there are no credentials or no answer came; an answer of any status is none.
pub(crate) async fn send(clients: &Clients, request: Request) -> Result<Told, StepError> {
    let cloud = &clients.cloud;
    let base = match &cloud.endpoint_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}.{}.amazonaws.com", request.host_prefix, cloud.region),
    };
    let url = format!("{base}{}", request.path);
    let failed = |why: &dyn std::fmt::Display| StepError::World(format!("asking {} at {base}: {why}", request.service));
    let provider = clients.credentials().ok_or_else(|| failed(&"there are no AWS credentials"))?;
    let credentials = provider.provide_credentials().await.map_err(|error| failed(&error))?;
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&cloud.region)
        .name(request.service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
    let mut headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.push(("host", &host));
    let signable =
        SignableRequest::new(request.method, &url, headers.iter().copied(), SignableBody::Bytes(&request.body));
    let signable = signable.map_err(|error| failed(&error))?;
    let (instructions, _) = sign(signable, &params).map_err(|error| failed(&error))?.into_parts();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(request.timeout).build().map_err(|error| failed(&error))?;
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| failed(&error))?;
    let mut sent = client.request(method, &url);
    for (name, value) in
        request.headers.iter().map(|(name, value)| (*name, value.as_str())).chain(instructions.headers())
    {
        sent = sent.header(name, value);
    }
    let mut answer = sent.body(request.body.clone()).send().await.map_err(|error| failed(&error))?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(failed(&format!("the answer has more than {MAX_BODY} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Told { status, headers, body })
}
