//! One request to Jenkins' API, taken apart; and the forms its answers have.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use crate::error::Failed;
use crate::identity::Person;
use crate::state::AppState;

/// A config.xml of generated jobs can be large; nothing else is.
const BODY_MAX: usize = 16 << 20;
/// Parameters of one form.
const PAIRS_MAX: usize = 5_000;

/// Named values in the order they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(
            url::form_urlencoded::parse(bytes).take(PAIRS_MAX).map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all<'p>(&'p self, name: &str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request.
pub(crate) struct Call {
    pub(crate) state: AppState,
    pub(crate) method: Method,
    /// The path's parts, decoded; what stood between two slashes stays one part.
    pub(crate) path: Vec<String>,
    pub(crate) query: Pairs,
    pub(crate) form: Pairs,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    peer: Option<SocketAddr>,
    person: Result<Person, Failed>,
}

impl Call {
    /// Takes a request apart.
    ///
    /// # Errors
    /// A body that is too large, a path that is no text.
    pub(crate) async fn read(state: &AppState, request: Request) -> Result<Self, Failed> {
        let (mut parts, body) = request.into_parts();
        let path = path_of(&parts)?;
        let body = axum::body::to_bytes(body, BODY_MAX).await.map_err(|error| {
            if crate::listen::too_slow(&error) {
                return crate::listen::slow_body();
            }
            let message = format!("the body has more than {} MiB", BODY_MAX >> 20);
            Failed::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message, "Send less.")
        })?;
        let person = Person::from_request_parts(&mut parts, state).await;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let query = Pairs::parse(parts.uri.query().unwrap_or("").as_bytes());
        let form = if kind_of(&parts.headers) == "application/x-www-form-urlencoded" {
            Pairs::parse(&body)
        } else {
            Pairs::default()
        };
        let (method, headers) = (parts.method, parts.headers);
        Ok(Self { state: state.clone(), method, path, query, form, headers, body, peer, person })
    }

    /// A value of the query or of the form.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.query.get(name).or_else(|| self.form.get(name))
    }

    /// The same where it must be there.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, Failed> {
        let missing = || Failed::bad_request(format!("Query parameter '{name}' is required"), "Add it to the URL.");
        self.value(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// Who asks.
    ///
    /// # Errors
    /// Nobody who may change anything.
    pub(crate) fn by(&self) -> Result<String, Failed> {
        self.person.clone().and_then(|person| person.named(None))
    }

    /// Who asks, for reading.
    pub(crate) fn reader(&self) -> String {
        self.by().unwrap_or_else(|_| "anonymous".to_owned())
    }

    /// Where the request came from.
    pub(crate) fn peer(&self) -> String {
        self.peer.map_or_else(|| "unknown".to_owned(), |peer| peer.ip().to_string())
    }

    /// The body as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub(crate) fn text(&self) -> Result<&str, Failed> {
        std::str::from_utf8(&self.body).map_err(|_| Failed::bad_request("the body is not UTF-8 text", "Send UTF-8."))
    }

    /// The body's type without its parameters.
    pub(crate) fn kind(&self) -> String {
        kind_of(&self.headers)
    }

    /// An address below the base URL, `path` without a leading slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.state.config.base_url.trim_end_matches('/'))
    }
}

fn kind_of(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The parts of a path. One that means another place than it says is refused before anything else is decided.
fn path_of(parts: &Parts) -> Result<Vec<String>, Failed> {
    let odd = || Failed::bad_request("this path cannot be read", "Write plain names between the slashes.");
    let mut path = Vec::new();
    for part in parts.uri.path().split('/').filter(|part| !part.is_empty()) {
        let part = percent_decode_str(part).decode_utf8().map_err(|_| odd())?;
        if matches!(&*part, "." | "..") || part.chars().any(char::is_control) {
            return Err(odd());
        }
        path.push(part.into_owned());
    }
    Ok(path)
}

/// Reads a form's `json` field as Jenkins does: clients also send it with single quotes and Python's words.
///
/// # Errors
/// 400 when it is neither.
pub(crate) fn lenient<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Failed> {
    let strict = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(strict) => strict,
    };
    serde_json::from_str(&double_quoted(text)).map_err(|_| bad(format!("`json` cannot be read: {strict}")))
}

fn double_quoted(text: &str) -> String {
    let (mut out, mut quote, mut escaped) = (String::with_capacity(text.len()), None, false);
    for c in text.chars() {
        match quote {
            None => {
                if matches!(c, '"' | '\'') {
                    quote = Some(c);
                    out.push('"');
                } else {
                    out.push(c);
                }
            }
            Some(open) => match c {
                // `\'` is an escape that JSON does not have.
                '\'' if escaped => {
                    out.pop();
                    out.push(c);
                }
                c if c == open && !escaped => {
                    quote = None;
                    out.push('"');
                }
                '"' if !escaped => out.push_str("\\\""),
                c => out.push(c),
            },
        }
        escaped = quote.is_some() && c == '\\' && !escaped;
        if quote.is_none() {
            for (word, json) in [("True", "true"), ("False", "false"), ("None", "null")] {
                if out.ends_with(word) {
                    out.truncate(out.len() - word.len());
                    out.push_str(json);
                }
            }
        }
    }
    out
}

/// Leads elsewhere, as Jenkins answers a change.
pub(crate) fn redirect(url: &str) -> Response {
    leads(StatusCode::FOUND, url)
}

/// A status and a `Location`.
pub(crate) fn leads(status: StatusCode, url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(url) => (status, [(header::LOCATION, url)]).into_response(),
        Err(_) => status.into_response(),
    }
}

/// A refusal as Jenkins' clients read it: `X-Error` beside the page.
pub(crate) fn refuse(failed: &Failed) -> Response {
    const X_ERROR: HeaderName = HeaderName::from_static("x-error");
    let problem = &failed.problem;
    let plain: String =
        problem.message.chars().map(|c| if c.is_ascii() && !c.is_control() { c } else { '?' }).collect();
    let mut body = format!("{}\n{}\n", problem.message, problem.help);
    for found in &problem.diagnostics {
        body.push_str(&format!("{}:{}:{}: {}\n", found.file, found.line, found.column, found.message));
    }
    let kind = [(header::CONTENT_TYPE, "text/plain;charset=utf-8")];
    let mut response = (failed.status, kind, body).into_response();
    if let Ok(value) = HeaderValue::from_str(&plain) {
        response.headers_mut().insert(X_ERROR, value);
    }
    response
}

/// 400 with `X-Error`.
pub(crate) fn bad(message: impl Into<String>) -> Failed {
    Failed::bad_request(message, "Correct it and send it again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_as_clients_write_it() {
        let python = r#"{'a': 'it\'s "so"', "b": [True, None], 'c': 'x\\'}"#;
        let read: serde_json::Value = lenient(python).unwrap();
        assert_eq!(read, serde_json::json!({ "a": "it's \"so\"", "b": [true, null], "c": "x\\" }));
        assert!(lenient::<serde_json::Value>("{'a': ").is_err());
    }
}
