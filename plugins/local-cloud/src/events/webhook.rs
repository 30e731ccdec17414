//! API destinations: an HTTP request to an address, with the connection's authorisation.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::events::{Resource, input};

/// Bytes of an answer that are read; nobody looks at them but the log.
const MAX_ANSWER: usize = 64 * 1024;

/// A request that is ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// Only plain HTTP is spoken here: what such an address names is a server of this machine or its network.
pub(super) fn check_endpoint(url: &str) -> Result<(), String> {
    let uri: Uri = url.replace('*', "x").parse().map_err(|error| format!("InvocationEndpoint '{url}': {error}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(()),
        (Some("https"), _) => Err(format!("InvocationEndpoint '{url}': the local cloud delivers over http, not https")),
        _ => Err(format!("InvocationEndpoint '{url}' is no http:// address")),
    }
}

/// The request that an API destination, its connection and a target make of an event.
pub(super) fn call(destination: &Resource, connection: &Resource, target: &Value, event: &Value) -> Call {
    let request = &destination.request;
    let http = &target["HttpParameters"];
    let chosen = |value: &Value| match value.as_str() {
        Some(path) if path.starts_with("$.") => input::at(event, path).map(|value| plain(&value)).unwrap_or_default(),
        _ => plain(value),
    };
    let mut url = request["InvocationEndpoint"].as_str().unwrap_or_default().to_owned();
    for value in http["PathParameterValues"].as_array().into_iter().flatten() {
        url = url.replacen('*', &escaped(&chosen(value)), 1);
    }
    let auth = &connection.request["AuthParameters"];
    let own = auth["InvocationHttpParameters"]["QueryStringParameters"].as_array().into_iter().flatten();
    let mut query: Vec<(String, String)> = own.map(|item| (plain(&item["Key"]), plain(&item["Value"]))).collect();
    for (name, value) in http["QueryStringParameters"].as_object().into_iter().flatten() {
        query.push((name.clone(), chosen(value)));
    }
    for (name, value) in query {
        let sign = if url.contains('?') { '&' } else { '?' };
        url = format!("{url}{sign}{}={}", escaped(&name), escaped(&value));
    }
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    headers.insert("content-type".into(), "application/json; charset=utf-8".into());
    for (name, value) in http["HeaderParameters"].as_object().into_iter().flatten() {
        headers.insert(name.to_ascii_lowercase(), chosen(value));
    }
    match auth["BasicAuthParameters"]["Username"].as_str() {
        Some(user) => {
            let pair = format!("{user}:{}", plain(&auth["BasicAuthParameters"]["Password"]));
            headers.insert("authorization".into(), format!("Basic {}", STANDARD.encode(pair)));
        }
        None => {
            let name = plain(&auth["ApiKeyAuthParameters"]["ApiKeyName"]);
            headers.insert(name.to_ascii_lowercase(), plain(&auth["ApiKeyAuthParameters"]["ApiKeyValue"]));
        }
    }
    let method = request["HttpMethod"].as_str().unwrap_or("POST").to_owned();
    let body = if method == "GET" || method == "HEAD" { String::new() } else { input::of(target, event) };
    Call { method, url, headers, body }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Sends it; gives the status.
///
/// # Errors
/// A sentence, when no answer came.
pub(super) async fn send(call: &Call) -> Result<u16, String> {
    let uri: Uri = call.url.parse().map_err(|error| format!("{}: {error}", call.url))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(80);
    let broken = |error: &dyn std::fmt::Display| format!("{host}:{port}: {error}");
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| broken(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let driver = tokio::spawn(connection);
    let mut request = Request::new(Body::from(call.body.clone()));
    *request.method_mut() = Method::from_bytes(call.method.as_bytes()).map_err(|error| broken(&error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| format!("{path}: {error}"))?;
    let authority = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let headers = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in headers.chain([(header::HOST.as_str(), authority.as_str())]) {
        let pair = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = pair.ok_or_else(|| format!("the header {name} cannot be sent"))?;
        request.headers_mut().insert(name, value);
    }
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(Body::new(response.into_body()), MAX_ANSWER).await;
    driver.abort();
    tracing::debug!(url = %call.url, status, bytes = body.map(|body| body.len()).unwrap_or(0), "webhook answered");
    Ok(status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_trigger_of_the_seeds_as_a_request() {
        let resource = |request: Value| Resource { name: "n".into(), arn: "a".into(), created: 0.0, request };
        let destination = resource(json!({"HttpMethod": "GET",
            "InvocationEndpoint": "http://127.0.0.1:8080/job/sagemaker-*-modeldeploy/buildWithParameters"}));
        let connection =
            resource(json!({"AuthParameters": {"BasicAuthParameters": {"Username": "ci", "Password": "t0k"}}}));
        let target = json!({"HttpParameters": {"PathParameterValues": ["$.detail.ModelPackageGroupName"],
            "QueryStringParameters": {"token": "token", "cause": "$.detail.ModelPackageArn"}}});
        let event = json!({"detail": {"ModelPackageGroupName": "abalone-p1", "ModelPackageArn": "arn:x/1"}});
        let call = call(&destination, &connection, &target, &event);
        assert_eq!(
            call.url,
            "http://127.0.0.1:8080/job/sagemaker-abalone%2Dp1-modeldeploy/buildWithParameters?token=token&cause=arn%3Ax%2F1"
        );
        assert_eq!(call.headers["authorization"], "Basic Y2k6dDBr");
        assert!(call.body.is_empty());
    }

    #[test]
    fn addresses() {
        assert!(check_endpoint("http://127.0.0.1:1/a/*/b").is_ok());
        for bad in ["https://example.com/", "ftp://x/", "x"] {
            assert!(check_endpoint(bad).is_err(), "{bad}");
        }
    }
}
