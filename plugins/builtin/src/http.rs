//! `http`: one request, and what came back.
//!
//! Races with a crash. Before a request that must not be repeated (POST, PATCH) leaves, a mark is written; after an
//! answer came, the answer is. A later attach finds:
//!   answer          -> the same end as before
//!   mark, no answer -> the outcome is unknown: the server may have acted; it is not sent again
//!   neither         -> it is sent
//! GET, HEAD, PUT, DELETE and OPTIONS have no mark: sending them twice is sending them once.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};

use crate::{process, reach, stopping};

/// How long a whole request may take unless the step says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Most bytes of an answer that are read; outputs live in the journal.
const MAX_BODY: usize = 1024 * 1024;
/// In the scratch folder: a request that must not be repeated may have left.
const SENT: &str = "sent";

pub(crate) struct Http;

#[async_trait]
impl StepRunner for Http {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Any, Duration, List, Map, String};
        StepSchema {
            name: "http",
            doc: "Sends an HTTP request and checks the status of the answer.",
            placement: Placement::Server,
            delivery: Delivery::AtMostOnce,
            arguments: vec![
                ArgumentSchema::required("url", String, "`http://` or `https://`."),
                ArgumentSchema::optional("method", String, "POST and PATCH are never sent twice, also after a crash.")
                    .or("GET")
                    .one_of(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
                ArgumentSchema::optional(
                    "headers",
                    Map,
                    "Header to value. `$NAME` in a value is replaced by the credential bound to the variable NAME.",
                ),
                ArgumentSchema::optional("body", Any, "Text as it is; a map or list is sent as JSON."),
                ArgumentSchema::optional(
                    "expect",
                    List,
                    "Statuses that are a success, as `201` or `2xx`; default 2xx.",
                ),
                ArgumentSchema::optional("timeout", Duration, "For the whole request.").or("60s"),
            ],
            outputs: vec![
                OutputSchema { name: "status", doc: "The status, a number." },
                OutputSchema { name: "headers", doc: "Headers of the answer, names in lower case." },
                OutputSchema { name: "body", doc: "The answer's text, at most 1 MiB." },
                OutputSchema { name: "json", doc: "The parsed answer when it is JSON." },
            ],
            open_outputs: false,
            cloud: false,
            example: "url: https://chat.example/hooks/ml\nmethod: POST\nheaders: { Authorization: \"Bearer $CHAT_TOKEN\" }\n\
                      body: { text: \"model approved\" }",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        if let Some(output) = fs::read(answer_file(ctx)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(output);
        }
        match stopping::unless_asked(ctx, exchange(ctx)).await {
            Some(output) => {
                let output = output?;
                fs::write(answer_file(ctx), serde_json::to_vec(&output).unwrap_or_default())?;
                Ok(output)
            }
            None => Ok(StepOutput::aborted("stopped on request")),
        }
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        stopping::ask(ctx)
    }
}

async fn exchange(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let method = ctx.text("method").unwrap_or_else(|| "GET".to_owned());
    let method: Method = method.parse().map_err(|_| usage(&format!("`{method}` is not a method")))?;
    let expected = expected(ctx)?;
    let request = request(ctx, method.clone())?;
    let shown = shown_url(ctx)?;
    let once = method == Method::POST || method == Method::PATCH;
    let mark = ctx.scratch.join(SENT);
    if once && mark.exists() {
        return Err(StepError::Unknown(format!(
            "{method} {shown} may have been sent before a crash, and is not sent again"
        )));
    }
    if once {
        fs::write(&mark, "")?;
    }
    let begun = Instant::now();
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return failed_to_send(ctx, &format!("{method} {shown}"), &error),
    };
    let status = response.status().as_u16();
    let outputs = outputs(ctx, response).await?;
    ctx.log.line(&format!("{method} {shown}: {status} in {} ms", begun.elapsed().as_millis()));
    if expected.iter().any(|range| range.contains(&status)) {
        return Ok(StepOutput::success(outputs));
    }
    let body = outputs.get("body").and_then(Value::as_str).unwrap_or("");
    let start: String = body.chars().take(300).collect();
    Ok(StepOutput::failure(format!("{method} {shown} answered {status}: {start}")).with_outputs(outputs))
}

/// No answer: a failure of the step. Whether the server acted is for the pipeline's author to judge; the text says so.
fn failed_to_send(ctx: &StepContext, what: &str, error: &reqwest::Error) -> Result<StepOutput, StepError> {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    if error.is_connect() {
        // Nothing left this machine, so a later attempt may send it.
        let _ = fs::remove_file(ctx.scratch.join(SENT));
    }
    let why = process::masked(ctx, why);
    ctx.log.line(&format!("{what}: {why}"));
    Ok(StepOutput::failure(format!("{what}: no answer: {why}")))
}

fn request(ctx: &StepContext, method: Method) -> Result<RequestBuilder, StepError> {
    let url = ctx.required("url")?;
    let url = reqwest::Url::parse(&url).map_err(|error| usage(&format!("`url` is wrong: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(usage(&format!("`url` must begin with http:// or https://, not {}:", url.scheme())));
    }
    if let Some(why) = reach::refused(&url) {
        return Err(usage(&why));
    }
    let timeout = ctx.duration_ms("timeout").map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let mut request = client(!ctx.secrets.is_empty())?.request(method, url).timeout(timeout);
    for (name, value) in ctx.map("headers") {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = reqwest::header::HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| usage(&format!("`{name}` is not a header name")))?;
        let value = reqwest::header::HeaderValue::from_str(&with_credentials(ctx, text))
            .map_err(|_| usage(&format!("the value of header `{name}` holds line ends or control characters")))?;
        request = request.header(name, value);
    }
    Ok(match ctx.arg("body") {
        None => request,
        Some(Value::String(text)) => request.body(text.clone()),
        Some(value) => request.json(value),
    })
}

/// `$NAME` for each bound credential; longer names first, so that `$A` does not eat the start of `$AB`.
fn with_credentials(ctx: &StepContext, text: String) -> String {
    let mut secrets: Vec<_> = ctx.secrets.iter().collect();
    secrets.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    secrets.into_iter().fold(text, |text, (name, secret)| text.replace(&format!("${name}"), secret.expose()))
}

async fn outputs(ctx: &StepContext, mut response: Response) -> Result<Object, StepError> {
    let status = response.status().as_u16();
    let mut headers = Object::new();
    for (name, value) in response.headers() {
        headers.insert(
            name.as_str().to_owned(),
            process::masked(ctx, String::from_utf8_lossy(value.as_bytes()).into_owned()).into(),
        );
    }
    let mut body = Vec::new();
    let broken = |error: reqwest::Error| StepError::World(format!("http: the answer broke off: {error}"));
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            ctx.log.line(&format!("the answer is longer than {MAX_BODY} bytes; the rest is left out"));
            break;
        }
    }
    let text = process::masked(ctx, String::from_utf8_lossy(&body).into_owned());
    let json = headers.get("content-type").and_then(Value::as_str).is_some_and(|kind| kind.contains("json"));
    let mut outputs = Object::from_iter([("status".to_owned(), status.into()), ("headers".to_owned(), headers.into())]);
    if json && let Ok(value) = serde_json::from_str(&text) {
        outputs.insert("json".to_owned(), value);
    }
    outputs.insert("body".to_owned(), text.into());
    Ok(outputs)
}

fn expected(ctx: &StepContext) -> Result<Vec<std::ops::RangeInclusive<u16>>, StepError> {
    let texts = ctx.texts("expect");
    if texts.is_empty() {
        return Ok(vec![200..=299]);
    }
    let range = |text: &String| match (text.parse::<u16>(), text.strip_suffix("xx").map(str::parse::<u16>)) {
        (Ok(status), _) if (100..600).contains(&status) => Ok(status..=status),
        (_, Some(Ok(class))) if (1..6).contains(&class) => Ok(class * 100..=class * 100 + 99),
        _ => Err(usage(&format!("`{text}` in `expect` is neither a status as 201 nor a class as 2xx"))),
    };
    texts.iter().map(range).collect()
}

/// The URL without password, query and fragment, which often hold tokens.
fn shown_url(ctx: &StepContext) -> Result<String, StepError> {
    let url = ctx.required("url")?;
    let Ok(mut url) = reqwest::Url::parse(&url) else { return Ok(url) };
    // These fail only for URLs without a host, which were refused.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    url.set_fragment(None);
    Ok(process::masked(ctx, url.to_string()))
}

/// Redirects that are followed one after another.
const MAX_REDIRECTS: usize = 10;

/// Where a redirect may lead: nowhere that a request may not go, and with a secret to no other place than the first.
fn redirects(secret: bool) -> Policy {
    Policy::custom(move |attempt| {
        if let Some(why) = reach::refused(attempt.url()) {
            return attempt.error(why);
        }
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error("more than ten redirects");
        }
        let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
        if secret && !same { attempt.stop() } else { attempt.follow() }
    })
}

/// One client for all steps with a secret and one for those without; made at the first request, since it reads the
/// machine's certificates.
fn client(secret: bool) -> Result<&'static Client, StepError> {
    static CLIENTS: [OnceLock<Client>; 2] = [OnceLock::new(), OnceLock::new()];
    let [plain, trusted] = &CLIENTS;
    let place = if secret { trusted } else { plain };
    if let Some(client) = place.get() {
        return Ok(client);
    }
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirects(secret))
        .dns_resolver(Arc::new(reach::Resolver))
        .user_agent(concat!("haliotis/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| {
            StepError::World(format!("http: cannot set up TLS (are CA certificates installed?): {error}"))
        })?;
    Ok(place.get_or_init(|| client))
}

fn answer_file(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("answer.json")
}

fn usage(text: &str) -> StepError {
    StepError::Usage(format!("http: {text}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::{get, post};
    use haliotis_model::{BuildResult, Secret};
    use serde_json::json;

    use super::*;
    use crate::bench::Case;

    /// A real server that counts posts; its address.
    async fn server() -> (String, Arc<AtomicUsize>) {
        let posts = Arc::new(AtomicUsize::new(0));
        let router = Router::new()
            .route("/json", get(async || axum::Json(json!({"mse": 4.5}))))
            .route("/token", get(async |headers: HeaderMap| format!("{:?}", headers.get("authorization"))))
            .route("/keep", get(async || axum::response::Redirect::temporary("/token")))
            .route(
                "/lead/{port}",
                get(async |axum::extract::Path(port): axum::extract::Path<u16>| {
                    axum::response::Redirect::temporary(&format!("http://127.0.0.1:{port}/token"))
                }),
            )
            .route("/metadata", get(async || axum::response::Redirect::temporary("http://169.254.169.254/latest")))
            .route("/slow", get(async || tokio::time::sleep(std::time::Duration::from_secs(60)).await))
            .route(
                "/post",
                post(async |State(posts): State<Arc<AtomicUsize>>, body: String| {
                    posts.fetch_add(1, Ordering::SeqCst);
                    (StatusCode::CREATED, body)
                }),
            )
            .with_state(Arc::clone(&posts));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (address, posts)
    }

    #[tokio::test]
    async fn answers_become_outputs() {
        let (at, _) = server().await;
        let output = Case::new("http", json!({"url": format!("{at}/json")})).run().await;
        assert_eq!((&output.outputs["status"], &output.outputs["json"]["mse"]), (&json!(200), &json!(4.5)));
        let output = Case::new("http", json!({"url": format!("{at}/none?token=1")})).run().await;
        let message = output.message.unwrap();
        assert!(message.contains("/none answered 404") && !message.contains("token"), "{message}");
        let output = Case::new("http", json!({"url": format!("{at}/none"), "expect": ["2xx", 404]})).run().await;
        assert_eq!(output.result, BuildResult::Success);
    }

    #[tokio::test]
    async fn a_post_is_sent_once_and_its_answer_kept() {
        let (at, posts) = server().await;
        let case = Case::new("http", json!({"url": format!("{at}/post"), "method": "POST", "body": {"a": 1}}));
        let first = case.run().await;
        assert_eq!((&first, &first.outputs["body"]), (&case.run().await, &json!("{\"a\":1}")));
        assert_eq!(posts.load(Ordering::SeqCst), 1);
        // As if the server had died between sending and noting the answer.
        fs::remove_file(answer_file(&case.ctx)).unwrap();
        assert!(matches!(case.try_run().await, Err(StepError::Unknown(_))));
        assert_eq!(posts.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_secret_follows_no_redirect_to_another_host() {
        let ((at, _), (other, _)) = (server().await, server().await);
        let port = other.rsplit(':').next().unwrap();
        let ask = async |path: String, secret: bool| {
            let headers = json!({"authorization": "Bearer $TOKEN"});
            let mut case = Case::new("http", json!({"url": format!("{at}{path}"), "headers": headers}));
            if secret {
                case.ctx.secrets = vec![("TOKEN".to_owned(), Secret::new("hunter22"))];
            }
            case.run().await
        };
        assert_eq!(ask("/keep".to_owned(), true).await.outputs["body"], "Some(\"Bearer ****\")");
        assert_eq!(ask(format!("/lead/{port}"), true).await.outputs["status"], 307, "it was not followed");
        assert_eq!(ask(format!("/lead/{port}"), false).await.outputs["status"], 200);
    }

    #[tokio::test]
    async fn the_metadata_service_is_out_of_reach_also_by_a_redirect() {
        let (at, _) = server().await;
        let direct = Case::new("http", json!({"url": "http://169.254.169.254/latest"})).try_run().await;
        assert!(matches!(&direct, Err(StepError::Usage(why)) if why.contains("policy:")), "{direct:?}");
        let led = Case::new("http", json!({"url": format!("{at}/metadata")})).run().await.message.unwrap();
        assert!(led.contains("policy: 169.254.169.254"), "{led}");
    }

    #[tokio::test]
    async fn credentials_go_into_headers_and_not_into_outputs() {
        let (at, _) = server().await;
        let headers = json!({"Authorization": "Bearer $TOKEN"});
        let mut case = Case::new("http", json!({"url": format!("{at}/token"), "headers": headers}));
        case.ctx.secrets = vec![("TOKEN".to_owned(), Secret::new("hunter22"))];
        assert_eq!(case.run().await.outputs["body"], "Some(\"Bearer ****\")");
    }

    #[tokio::test]
    async fn waits_end_by_timeout_and_by_cancel() {
        let (at, _) = server().await;
        let output = Case::new("http", json!({"url": format!("{at}/slow"), "timeout": "50ms"})).run().await;
        assert!(output.message.unwrap().contains("no answer"));
        let case = Case::new("http", json!({"url": format!("{at}/slow")}));
        let stop = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Http.cancel(&case.ctx, &Value::Null).await.unwrap();
        };
        assert_eq!(tokio::join!(case.run(), stop).0.result, BuildResult::Aborted);
        assert_eq!(case.run().await.result, BuildResult::Aborted);
    }

    #[tokio::test]
    async fn nobody_there_and_wrong_urls() {
        let output = Case::new("http", json!({"url": "http://127.0.0.1:9/", "method": "POST"})).run().await;
        assert!(output.message.unwrap().contains("no answer"));
        for url in ["ftp://x/", "nonsense"] {
            assert!(matches!(Case::new("http", json!({"url": url})).try_run().await, Err(StepError::Usage(_))));
        }
    }
}
