//! The front: one port for every service. Checks the host and the signature, tells the protocols apart, and writes each
//! answer and each refusal in the shape that its protocol has.
//!
//! | request | service |
//! |---|---|
//! | `X-Amz-Target: SageMaker.X` | SageMaker, JSON 1.1 |
//! | `X-Amz-Target: AmazonSQS.X` | SQS, JSON 1.0 |
//! | `X-Amz-Target: AWSEvents.X` | EventBridge, JSON 1.1 |
//! | `/2015-03-31/functions…` | Lambda, REST |
//! | `POST /endpoints/{name}/invocations` | SageMaker runtime |
//! | `GET /_haliotis/…` | our own: logs of jobs, counts of endpoints (`sagemaker::SageMaker::router`) |
//! | form-encoded `Action=` | STS or CloudFormation, query protocol |
//! | anything else | S3, path style or `{bucket}.localhost` |
//!
//! A request's work runs in a task of its own: a client that hangs up does not leave an operation half done.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use bytes::Bytes;

use crate::auth::{self, Claim, Verified, sha256_hex};
use crate::params::Params;
use crate::{AwsError, LocalCloud, lambda, s3, sts};

/// The largest request but S3's, in bytes: InvokeEndpoint's 25 MiB, and some for its frame.
const MAX_BODY_BYTES: usize = 26 * 1024 * 1024;
/// What SageMaker's JSON is called.
const JSON: &str = "application/x-amz-json-1.1";

/// Which protocol a request speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Protocol {
    /// `SERVICE.OPERATION`, as `SageMaker.CreateModel`.
    Json {
        target: String,
    },
    /// The endpoint's name.
    Invoke {
        endpoint: String,
    },
    Lambda,
    Query,
    S3,
}

/// Every service on one router.
pub(crate) fn router(cloud: Arc<LocalCloud>) -> Router {
    let own = cloud.sagemaker.router().layer(axum::middleware::from_fn(loopback_only));
    Router::new().fallback(front).with_state(cloud).merge(own)
}

/// Our own routes carry no signature; the host check is what keeps foreign pages from reading them.
async fn loopback_only(request: Request, next: axum::middleware::Next) -> Response<Body> {
    match check_host(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(error) => answer(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", error.message),
    }
}

async fn front(State(cloud): State<Arc<LocalCloud>>, request: Request) -> Response<Body> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    if let Err(error) = check_host(request.headers(), &uri) {
        return s3_error(&error, &request_id, &uri, &method);
    }
    let closes = expects_continue_of_nothing(request.headers());
    let claim = Claim::parse(request.headers(), &uri);
    let service = claim.as_ref().ok().and_then(Option::as_ref).map(|claim| claim.service.clone());
    let protocol = protocol(&request, service.as_deref());
    tracing::debug!(%method, path = uri.path(), ?protocol, "local cloud request");
    let work = tokio::spawn(dispatch(cloud, request, claim, protocol.clone(), request_id.clone()));
    let result = match work.await {
        Ok(result) => result,
        Err(error) => Err(AwsError::internal(format!("the operation ended early: {error}"))),
    };
    let mut response = match result {
        Ok(response) => response,
        Err(error) => refusal(&protocol, error, &request_id, &uri, &method),
    };
    let id_header = if protocol == Protocol::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(id_header, value);
    }
    if closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An empty body is never asked for with `100 Continue`; an older boto3 (seen with 1.40) then waits for ever on the next request over
/// the same connection, so there must be none.
fn expects_continue_of_nothing(headers: &HeaderMap) -> bool {
    let is_empty = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() == b"0");
    is_empty && headers.contains_key(header::EXPECT)
}

/// A page of another origin that was resolved to this machine must not drive the local cloud.
fn check_host(headers: &HeaderMap, uri: &Uri) -> Result<(), AwsError> {
    let given = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.host());
    let host = given.map(without_port).unwrap_or_default().to_ascii_lowercase();
    let loopback = matches!(host.as_str(), "localhost" | "[::1]") || host.ends_with(".localhost") || is_loopback(&host);
    if loopback {
        return Ok(());
    }
    let message =
        format!("The local cloud answers to loopback names only, as 127.0.0.1 or localhost; not to '{host}'.");
    Err(AwsError::new(403, "AccessDenied", message))
}

fn is_loopback(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => &host[..colon],
        _ => host,
    }
}

/// The signature's scope names the service; unsigned requests are told by their shape, so that they are refused in it.
fn protocol(request: &Request, service: Option<&str>) -> Protocol {
    if service == Some("s3") {
        return Protocol::S3;
    }
    let text = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(target) = text(header::HeaderName::from_static("x-amz-target")) {
        return Protocol::Json { target: target.to_owned() };
    }
    if request.uri().path().starts_with(lambda::PATH) {
        return Protocol::Lambda;
    }
    let endpoint = request.uri().path().strip_prefix("/endpoints/").and_then(|rest| rest.strip_suffix("/invocations"));
    if let Some(endpoint) = endpoint.filter(|_| request.method() == Method::POST) {
        return Protocol::Invoke { endpoint: auth::decode(endpoint) };
    }
    let form = text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let query = matches!(service, Some("sts" | "cloudformation")) || (form && request.uri().path() == "/");
    if query { Protocol::Query } else { Protocol::S3 }
}

async fn dispatch(
    cloud: Arc<LocalCloud>,
    request: Request,
    claim: Result<Option<Claim>, AwsError>,
    protocol: Protocol,
    request_id: String,
) -> Result<Response<Body>, AwsError> {
    let claim = claim?
        .ok_or_else(|| AwsError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token"))?;
    if protocol == Protocol::S3 {
        return s3_request(cloud, request, &claim).await;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|error| {
        AwsError::new(
            413,
            "RequestEntityTooLarge",
            format!("The body cannot be read, or is over {MAX_BODY_BYTES} bytes: {error}"),
        )
    })?;
    let hash = sha256_hex(&body);
    let verified = cloud.credentials.verify(&claim, &parts.method, &parts.uri, &parts.headers, &hash)?;
    match protocol {
        Protocol::Json { target } => json_request(&cloud, &target, &body).await,
        Protocol::Lambda => lambda_request(&cloud, &parts, &body).await,
        Protocol::Invoke { endpoint } => {
            let response = cloud.sagemaker.invoke(&endpoint, &parts.headers, body).await?;
            Ok(response.map(Body::from))
        }
        Protocol::Query | Protocol::S3 => query_request(&cloud, &verified, &claim, &body, &request_id).await,
    }
}

async fn s3_request(cloud: Arc<LocalCloud>, request: Request, claim: &Claim) -> Result<Response<Body>, AwsError> {
    let (parts, body) = request.into_parts();
    let payload = parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    let payload = payload.unwrap_or("UNSIGNED-PAYLOAD");
    let verified = cloud.credentials.verify(claim, &parts.method, &parts.uri, &parts.headers, payload)?;
    let signer = s3::body::ChunkSigner {
        key: verified.signing_key,
        timestamp: claim.timestamp.clone(),
        scope: claim.scope(),
        previous: claim.signature.clone(),
    };
    let request = s3::Request {
        path: s3_path(&parts.headers, &parts.uri)?,
        query: auth::query_pairs(&parts.uri).into_iter().collect(),
        method: parts.method,
        headers: parts.headers,
        body,
        signer: Some(signer),
        region: cloud.config.region.clone(),
        account: cloud.config.account.clone(),
    };
    s3::handle(Arc::clone(&cloud.s3), request).await
}

/// The decoded path, with the bucket of a `{bucket}.localhost` host in front.
fn s3_path(headers: &HeaderMap, uri: &Uri) -> Result<String, AwsError> {
    let decoded = percent_encoding::percent_decode_str(uri.path()).decode_utf8();
    let path = decoded.map_err(|_| AwsError::new(400, "InvalidURI", "The key is not UTF-8."))?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(without_port);
    match host.and_then(|host| host.strip_suffix(".localhost")) {
        Some(bucket) => Ok(format!("/{bucket}{path}")),
        None => Ok(path.into_owned()),
    }
}

async fn json_request(cloud: &LocalCloud, target: &str, body: &Bytes) -> Result<Response<Body>, AwsError> {
    let input = read_json(body)?;
    let output = match target.split_once('.') {
        Some(("SageMaker", operation)) => cloud.sagemaker.call(operation, input).await?,
        Some(("AmazonSQS", operation)) => cloud.neighbours.sqs.call(operation, input).await?,
        Some(("AWSEvents", operation)) => cloud.neighbours.events.call(operation, &input)?,
        _ => {
            let message = format!("the local cloud does not offer the service of {target}");
            return Err(AwsError::new(400, "UnknownOperationException", message));
        }
    };
    let text = if output.is_null() { "{}".to_owned() } else { output.to_string() };
    Ok(answer(StatusCode::OK, JSON, text))
}

fn read_json(body: &Bytes) -> Result<serde_json::Value, AwsError> {
    if body.is_empty() {
        return Ok(serde_json::json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| AwsError::new(400, "SerializationException", format!("the body is not JSON: {error}")))
}

async fn lambda_request(
    cloud: &LocalCloud,
    parts: &axum::http::request::Parts,
    body: &Bytes,
) -> Result<Response<Body>, AwsError> {
    let asynchronous = parts.headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event");
    let lambda = &cloud.neighbours.lambda;
    let done = lambda.call(&parts.method, parts.uri.path(), read_json(body)?, asynchronous, &cloud.s3).await?;
    let text = if done.body.is_null() && done.status != 200 { String::new() } else { done.body.to_string() };
    let mut response = answer(StatusCode::from_u16(done.status).unwrap_or(StatusCode::OK), "application/json", text);
    if done.function_error {
        response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    Ok(response)
}

async fn query_request(
    cloud: &Arc<LocalCloud>,
    verified: &Verified,
    claim: &Claim,
    body: &Bytes,
    request_id: &str,
) -> Result<Response<Body>, AwsError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| AwsError::new(400, "MalformedQueryString", "The request body is not form-encoded text"))?;
    let params = Params::parse(text);
    let action =
        params.text("Action").ok_or_else(|| AwsError::new(400, "MissingAction", "The request has no Action"))?;
    let (namespace, result) = match (claim.service.as_str(), params.get("Version")) {
        ("sts", _) | (_, Some("2011-06-15")) => {
            let result = sts::call(&cloud.config, &cloud.credentials, &verified.identity, action, &params)?;
            ("https://sts.amazonaws.com/doc/2011-06-15/", result)
        }
        ("cloudformation", _) | (_, Some("2010-05-15")) => {
            let result = cloud.cloudformation.call(action, &params).await?;
            ("http://cloudformation.amazonaws.com/doc/2010-05-15/", result)
        }
        (service, _) => {
            let message = format!("the local cloud does not offer {service} {action}");
            return Err(AwsError::new(400, "InvalidAction", message));
        }
    };
    let document = format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    );
    Ok(answer(StatusCode::OK, "text/xml", document))
}

fn answer(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

// ---- refusals

fn refusal(protocol: &Protocol, error: AwsError, request_id: &str, uri: &Uri, method: &Method) -> Response<Body> {
    if error.status >= 500 {
        tracing::warn!(%error, path = uri.path(), "the local cloud failed a request");
    }
    match protocol {
        Protocol::S3 => s3_error(&for_s3(error), request_id, uri, method),
        Protocol::Query => query_error(&for_query(error), request_id),
        Protocol::Json { target } if target.starts_with("AmazonSQS.") => sqs_error(&for_json(error)),
        Protocol::Json { .. } | Protocol::Invoke { .. } | Protocol::Lambda => json_error(&for_json(error)),
    }
}

/// S3 says `AccessDenied` to the unsigned.
fn for_s3(error: AwsError) -> AwsError {
    match error.code.as_ref() {
        "MissingAuthenticationToken" => AwsError::new(403, "AccessDenied", "Access Denied: the request is not signed"),
        "InternalFailure" => AwsError { code: "InternalError".into(), ..error },
        _ => error,
    }
}

fn for_query(error: AwsError) -> AwsError {
    match error.code.as_ref() {
        "InvalidAccessKeyId" | "InvalidToken" => {
            AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        }
        "ExpiredToken" => AwsError::new(403, "ExpiredToken", "The security token included in the request is expired"),
        "RequestTimeTooSkewed" => {
            AwsError::new(403, "SignatureDoesNotMatch", format!("Signature expired: {}", error.message))
        }
        "AuthorizationHeaderMalformed" => AwsError::new(400, "IncompleteSignature", error.message),
        _ => error,
    }
}

fn for_json(error: AwsError) -> AwsError {
    match error.code.as_ref() {
        "InvalidAccessKeyId" | "InvalidToken" => {
            AwsError::new(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        "ExpiredToken" => {
            AwsError::new(400, "ExpiredTokenException", "The security token included in the request is expired")
        }
        "SignatureDoesNotMatch" => AwsError::new(400, "InvalidSignatureException", error.message),
        "RequestTimeTooSkewed" => {
            AwsError::new(400, "InvalidSignatureException", format!("Signature expired: {}", error.message))
        }
        "MissingAuthenticationToken" => AwsError::new(400, "MissingAuthenticationTokenException", error.message),
        "AuthorizationHeaderMalformed" => AwsError::new(400, "IncompleteSignatureException", error.message),
        _ => error,
    }
}

fn status(error: &AwsError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn s3_error(error: &AwsError, request_id: &str, uri: &Uri, method: &Method) -> Response<Body> {
    // An answer to HEAD has no body; clients go by the status.
    if method == Method::HEAD {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(error);
        return response;
    }
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><Resource>{}</Resource>\
         <RequestId>{request_id}</RequestId></Error>",
        s3::escape_xml(&error.code),
        s3::escape_xml(&error.message),
        s3::escape_xml(uri.path()),
    );
    answer(status(error), "application/xml", text)
}

fn query_error(error: &AwsError, request_id: &str) -> Response<Body> {
    let side = if error.status >= 500 { "Receiver" } else { "Sender" };
    let text = format!(
        "<ErrorResponse><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        s3::escape_xml(&error.code),
        s3::escape_xml(&error.message),
    );
    answer(status(error), "text/xml", text)
}

fn json_error(error: &AwsError) -> Response<Body> {
    let text = serde_json::json!({ "__type": error.code, "message": error.message }).to_string();
    let mut response = answer(status(error), JSON, text);
    if let Ok(value) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", value);
    }
    response
}

/// Clients of SQS go by the codes of its former protocol, which a header carries.
fn sqs_error(error: &AwsError) -> Response<Body> {
    let former = match error.code.as_ref() {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists" => "QueueAlreadyExists",
        code => code,
    };
    let mut response = json_error(error);
    if let Ok(value) = HeaderValue::from_str(&format!("{former};Sender")) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Result<(), AwsError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, name.parse().unwrap());
        check_host(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn only_loopback_names() {
        for good in ["127.0.0.1:4566", "localhost", "localhost:1", "[::1]:80", "bucket.localhost:9", "127.1.2.3"] {
            assert!(host(good).is_ok(), "{good}");
        }
        for bad in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", ""] {
            assert_eq!(host(bad).unwrap_err().status, 403, "{bad}");
        }
    }
}
