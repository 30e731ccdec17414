//! InvokeEndpoint: which variant, which container, there and back, and AWS' words when it goes wrong.

use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use crate::error::AwsError;
use crate::sagemaker::SageMaker;
use crate::sagemaker::capture::Exchange;
use crate::sagemaker::fleet::{Fleet, Server, Variant};

/// Bytes of a request to a real-time endpoint; AWS' limit.
pub(crate) const MAX_BODY: usize = 6 * 1024 * 1024;
/// Bytes of an answer that we are ready to hold.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// One invocation may take this long; AWS' limit.
pub(crate) const INVOCATION_TIMEOUT: Duration = Duration::from_secs(60);

const CUSTOM_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");
const TARGET_VARIANT: HeaderName = HeaderName::from_static("x-amzn-sagemaker-target-variant");
const TARGET_CONTAINER: HeaderName = HeaderName::from_static("x-amzn-sagemaker-target-container-hostname");
const INFERENCE_ID: HeaderName = HeaderName::from_static("x-amzn-sagemaker-inference-id");
const INVOKED_VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
const SERVER_KEY: &str = "x-haliotis-server-key";

/// What a container answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl SageMaker {
    pub(crate) async fn invoke_endpoint(
        self: &Arc<Self>,
        endpoint: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, AwsError> {
        if body.len() > MAX_BODY {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length \
                 less than or equal to {MAX_BODY}"
            )));
        }
        let fleet = self.answering_fleet(endpoint)?;
        let variant = choose(&fleet, headers, endpoint)?;
        let servers = route(variant, headers)?;
        let _in_flight = variant.enter();
        variant.traffic.begin();
        let begun = Instant::now();
        let exchange = Exchange::begin(&fleet.plan, endpoint, &variant.name, headers, &body);
        let outcome = tokio::time::timeout(INVOCATION_TIMEOUT, pass_through(&servers, headers, body)).await;
        let answer = match outcome {
            Ok(Ok(answer)) if (200..300).contains(&answer.status) => answer,
            other => {
                let (server, status, said) = match other {
                    Ok(Ok(answer)) => {
                        (servers.last(), answer.status, String::from_utf8_lossy(&answer.body).into_owned())
                    }
                    Ok(Err((server, said))) => (Some(server), 500, said),
                    Err(_) => (servers.last(), 0, String::new()),
                };
                variant.traffic.failed(begun.elapsed(), status, &said);
                let which = server.and_then(|server| server.hostname.as_deref()).unwrap_or("primary");
                return Ok(self.model_error(endpoint, which, status, &said));
            }
        };
        variant.traffic.well(begun.elapsed());
        if let Some(exchange) = exchange {
            self.capture.record(exchange.end(&answer.headers, &answer.body));
        }
        Ok(success(answer, &variant.name))
    }

    fn answering_fleet(&self, endpoint: &str) -> Result<Arc<Fleet>, AwsError> {
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fleet) = fleets.get(endpoint) {
            return Ok(Arc::clone(fleet));
        }
        let account = &self.settings.account;
        Err(match self.endpoints.get(endpoint) {
            None => invalid(format!("Endpoint {endpoint} of account {account} not found.")),
            Some(found) => invalid(format!(
                "Endpoint {endpoint} of account {account} is in status {} and cannot be invoked; wait until it is InService.",
                found.status.word()
            )),
        })
    }

    /// 424 with AWS' members; the original status and words of the container are told.
    fn model_error(&self, endpoint: &str, which: &str, status: u16, said: &str) -> Response<Bytes> {
        let (side, message) = match status {
            0 => ("server", "Your invocation timed out while waiting for a response from the container.".to_owned()),
            _ => (if status < 500 { "client" } else { "server" }, said.to_owned()),
        };
        let shown = if status == 0 { 500 } else { status };
        let text = format!(
            "Received {side} error ({status}) from {which} with message \"{message}\". See the endpoint's log for more \
             information: {}",
            self.logs.join("endpoints").display()
        );
        let body = json!({
            "ErrorCode": if side == "client" { "CLIENT_ERROR_FROM_MODEL" } else { "INTERNAL_FAILURE_FROM_MODEL" },
            "LogStreamArn": self.settings.log_arn(endpoint),
            "Message": text,
            "message": text,
            "OriginalMessage": message,
            "OriginalStatusCode": shown,
        });
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = axum::http::StatusCode::FAILED_DEPENDENCY;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static("ModelError"));
        response
    }
}

/// The runtime service spells it without "Exception".
fn invalid(message: String) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

fn success(answer: Answer, variant: &str) -> Response<Bytes> {
    let mut response = Response::new(answer.body);
    let headers = response.headers_mut();
    for name in [CONTENT_TYPE, CUSTOM_ATTRIBUTES] {
        if let Some(value) = answer.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(variant) {
        headers.insert(INVOKED_VARIANT, value);
    }
    response
}

fn choose<'a>(fleet: &'a Fleet, headers: &HeaderMap, endpoint: &str) -> Result<&'a Variant, AwsError> {
    if let Some(wanted) = headers.get(&TARGET_VARIANT).and_then(|value| value.to_str().ok()) {
        return fleet
            .variants
            .iter()
            .find(|variant| variant.name == wanted)
            .ok_or_else(|| invalid(format!("Variant {wanted} is not a production variant of endpoint {endpoint}.")));
    }
    fleet.pick().ok_or_else(|| {
        invalid(format!("All variants of endpoint {endpoint} have weight 0; name one, or give one a weight."))
    })
}

/// All containers in order, or the one that the request names.
fn route(variant: &Variant, headers: &HeaderMap) -> Result<Vec<Arc<Server>>, AwsError> {
    let wanted = headers.get(&TARGET_CONTAINER).and_then(|value| value.to_str().ok());
    let known =
        || variant.servers.iter().filter_map(|server| server.hostname.as_deref()).collect::<Vec<_>>().join(", ");
    match (variant.direct, wanted) {
        (false, None) => Ok(variant.servers.clone()),
        (false, Some(name)) => Err(invalid(format!(
            "TargetContainerHostname {name} is given, but the endpoint's containers are not invoked directly \
             (InferenceExecutionConfig.Mode is not Direct)."
        ))),
        (true, None) => Err(invalid(format!(
            "TargetContainerHostname is needed to invoke an endpoint in Direct mode; its containers: {}.",
            known()
        ))),
        (true, Some(name)) => {
            let server = variant.servers.iter().find(|server| server.hostname.as_deref() == Some(name));
            server.map(|server| vec![Arc::clone(server)]).ok_or_else(|| {
                invalid(format!("The endpoint has no container with hostname {name}; its containers: {}.", known()))
            })
        }
    }
}

/// Through the containers in order, each getting the answer of the one before. The error names where it broke.
async fn pass_through<'a>(
    servers: &'a [Arc<Server>],
    headers: &HeaderMap,
    mut body: Bytes,
) -> Result<Answer, (&'a Arc<Server>, String)> {
    let mut sent = HeaderMap::new();
    for name in [CONTENT_TYPE, ACCEPT, CUSTOM_ATTRIBUTES, INFERENCE_ID] {
        if let Some(value) = headers.get(&name) {
            sent.insert(name, value.clone());
        }
    }
    // The header by which the AWS SDKs ask for an answer's type.
    if let Some(value) = headers.get("x-amzn-sagemaker-accept") {
        sent.insert(ACCEPT, value.clone());
    }
    let mut answer = Answer { status: 200, headers: HeaderMap::new(), body: Bytes::new() };
    for (index, server) in servers.iter().enumerate() {
        answer = ask(server, &sent, body.clone()).await.map_err(|said| (server, said))?;
        if !(200..300).contains(&answer.status) {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            return if index + 1 == servers.len() { Ok(answer) } else { Err((server, said)) };
        }
        body = answer.body.clone();
        if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
            sent.insert(CONTENT_TYPE, kind.clone());
        }
    }
    Ok(answer)
}

/// One container. While its process is being started again the request waits; the caller bounds the time.
async fn ask(server: &Server, headers: &HeaderMap, body: Bytes) -> Result<Answer, String> {
    loop {
        let Some(port) = server.ready().await else { return Err("the container was stopped".to_owned()) };
        match post(port, headers, body.clone()).await {
            Ok(answer) => return Ok(answer),
            // Nothing was sent, so nothing is lost by trying the process that comes next.
            Err(Broken::Connect(_)) => server.lost(port),
            Err(Broken::Under(said)) => return Err(said),
        }
    }
}

/// How an exchange with a container failed.
pub(crate) enum Broken {
    /// Before anything was sent.
    Connect(String),
    /// On the way.
    Under(String),
}

/// `POST /invocations`
pub(crate) async fn post(port: u16, headers: &HeaderMap, body: Bytes) -> Result<Answer, Broken> {
    exchange(port, Method::POST, "/invocations", headers, body).await
}

/// `GET /ping`: the key of the process that answered 200.
pub(crate) async fn ping(port: u16) -> Option<String> {
    let answer = exchange(port, Method::GET, "/ping", &HeaderMap::new(), Bytes::new()).await.ok()?;
    let key = answer.headers.get(SERVER_KEY)?.to_str().ok()?.to_owned();
    (answer.status == 200).then_some(key)
}

/// `GET /execution-parameters`, which a container may not have.
pub(crate) async fn execution_parameters(port: u16) -> Option<serde_json::Value> {
    let answer = exchange(port, Method::GET, "/execution-parameters", &HeaderMap::new(), Bytes::new()).await.ok()?;
    (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok()).flatten()
}

/// One connection an exchange: loopback connects in microseconds, and none is left half-dead when a fleet is replaced.
async fn exchange(port: u16, method: Method, path: &str, headers: &HeaderMap, body: Bytes) -> Result<Answer, Broken> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| Broken::Connect(e.to_string()))?;
    let under = |error: hyper::Error| Broken::Under(format!("the container broke the connection: {error}"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(under)?;
    let driver = tokio::spawn(connection);
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|_| Broken::Under(format!("{path} is no path")))?;
    *request.headers_mut() = headers.clone();
    request.headers_mut().insert(HOST, HeaderValue::from_static("127.0.0.1"));
    let response = sender.send_request(request).await.map_err(under)?;
    let (parts, incoming) = response.into_parts();
    let body = axum::body::to_bytes(Body::new(incoming), MAX_ANSWER).await;
    driver.abort();
    let body = body.map_err(|error| Broken::Under(format!("the container's answer broke off: {error}")))?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}
