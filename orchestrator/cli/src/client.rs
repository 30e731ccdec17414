//! A client of a running server's JSON API. Which server: `--server`, or the one whose address lies in the data folder.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::failure::{Failure, code};

/// A loopback server answers at once; a dead one should be told of soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// An API token for a server that is not of this data folder.
const TOKEN_VARIABLE: &str = "HALIOTIS_TOKEN";
/// The file in a data folder that names the server holding it.
const ADDRESS_FILE: &str = "server.json";

/// What the address file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    /// As `http://127.0.0.1:8080`.
    pub url: String,
    /// Process id of the server.
    pub pid: u32,
}

impl Address {
    /// Writes the file.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        let temporary = dir.join("server.json.new");
        std::fs::write(&temporary, serde_json::to_vec(self).unwrap_or_default())?;
        std::fs::rename(temporary, dir.join(ADDRESS_FILE))
    }

    /// Reads it; `None` where there is none or its process is gone.
    pub fn read(dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(dir.join(ADDRESS_FILE)).ok()?;
        let address: Self = serde_json::from_str(&text).ok()?;
        let pid = rustix::process::Pid::from_raw(i32::try_from(address.pid).ok()?)?;
        rustix::process::test_kill_process(pid).ok()?;
        Some(address)
    }

    /// Removes it.
    pub fn remove(dir: &Path) {
        let _ = std::fs::remove_file(dir.join(ADDRESS_FILE));
    }
}

/// The client.
pub struct Client {
    http: reqwest::Client,
    base: String,
    user: String,
    token: Option<String>,
}

impl Client {
    /// For the server of the context.
    pub fn connect(ctx: &Context) -> Result<Self, Failure> {
        Self::find(ctx).ok_or_else(|| {
            Failure::world(format!(
                "no server is running with the data folder {}; start one with `haliotis serve`, or name one with --server",
                ctx.data_dir().display()
            ))
        })
    }

    /// The same, `None` when there is none.
    pub fn find(ctx: &Context) -> Option<Self> {
        let own = Address::read(&ctx.data_dir()).map(|address| address.url);
        let base = ctx.server.clone().or_else(|| own.clone())?;
        // The owner's token goes to the server of the data folder and to no other.
        let local = || (own.as_deref() == Some(base.as_str())).then(|| owners_token(&ctx.data_dir())).flatten();
        let given = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
        Self::to(&base, &ctx.user, given.or_else(local))
    }

    /// For the server that holds a data folder, as its owner; `None` when there is none.
    pub fn of_folder(dir: &Path, user: &str) -> Option<Self> {
        Self::to(&Address::read(dir)?.url, user, owners_token(dir))
    }

    fn to(base: &str, user: &str, token: Option<String>) -> Option<Self> {
        crate::app::install_tls();
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build().ok()?;
        Some(Self { http, base: base.trim_end_matches('/').to_owned(), user: user.to_owned(), token })
    }

    /// The address of something on the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// GET, as JSON.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.send(Method::GET, path, query, None).await
    }

    /// POST, as JSON.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// PUT, as JSON.
    pub async fn put(&self, path: &str, body: Value) -> Result<Value, Failure> {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// A text that may not be there: `None` for 404.
    pub async fn find_text(&self, path: &str) -> Result<Option<String>, Failure> {
        match self.send_text("GET", path, None).await {
            Ok(text) => Ok(Some(text)),
            Err(failure) if failure.code() == code::NOT_FOUND => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A request whose body is XML and whose answer is text: Jenkins' API.
    pub async fn send_text(&self, method: &str, path: &str, xml: Option<&str>) -> Result<String, Failure> {
        let method = if method == "GET" { Method::GET } else { Method::POST };
        let unreachable =
            |error: reqwest::Error| Failure::world(format!("the server at {} does not answer: {error}", self.base));
        // Refusals come as JSON, not as a page.
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("x-haliotis-user", &self.user)
            .header("accept", "application/json, application/xml;q=0.9");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(xml) = xml {
            request = request.header("content-type", "application/xml").body(xml.to_owned());
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() || status.is_redirection() {
            return Ok(text);
        }
        let page = text.trim_start().starts_with('<');
        let shown = if page { format!("the server answers {status} to {path}") } else { text.trim().to_owned() };
        let value = serde_json::from_str(&text).unwrap_or(Value::String(shown));
        Err(refusal(status, &value))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.base))
            .map_err(|error| Failure::usage(format!("`{}` is no address of a server: {error}", self.base)))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).header("x-haliotis-user", &self.user);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let unreachable =
            |error: reqwest::Error| Failure::world(format!("the server at {} does not answer: {error}", self.base));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() { Ok(value) } else { Err(refusal(status, &value)) }
    }
}

fn owners_token(dir: &Path) -> Option<String> {
    std::fs::read_to_string(crate::app::users::local_token_file(dir)).ok()
}

/// All problems of a definition, a line each, as `lint` shows them.
fn listed(diagnostics: &Value) -> String {
    let line = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let help = text("help");
        let help = if help.is_empty() { help } else { format!("\n      help: {help}") };
        format!("\n  {}:{}:{}: {}{help}", text("file"), one["line"], one["column"], text("message"))
    };
    diagnostics.as_array().into_iter().flatten().map(line).collect()
}

fn refusal(status: StatusCode, body: &Value) -> Failure {
    let error = &body["error"];
    let message = error["message"].as_str().or_else(|| body.as_str()).unwrap_or("no reason given").to_owned();
    let help = error["help"].as_str().map(|help| format!("\n  help: {help}")).unwrap_or_default();
    let code = match status {
        StatusCode::NOT_FOUND => code::NOT_FOUND,
        status if status.is_client_error() => code::USAGE,
        _ => code::WORLD,
    };
    Failure::new(code, format!("{message}{}{help}", listed(&error["diagnostics"])))
}
