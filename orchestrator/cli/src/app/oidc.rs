//! Talks with the provider of OpenID Connect that vouches for people (discovery, keys, the exchange of the code); what is
//! believed of its answers is decided in `haliotis_access::oidc`.
//!
//! - **The provider is slow or down**: a login waits ten seconds and is refused; sessions and tokens go on working.
//! - **It changes its keys**: a token of an unknown key makes them be fetched anew, at most once a minute.
//! - **It leads elsewhere**: no redirect is followed, and addresses it names must be https (or on this machine).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use haliotis_access::oidc::{Claims, Journey, Provider, key_id, verify};
use haliotis_access::{Kind, Typed};
use haliotis_engine::now;
use haliotis_model::bounds::Asker;
use haliotis_server::{EdgeError, LoginProvider};
use haliotis_store::Store;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::app::credentials::{by_server, given};
use crate::app::users::StoreRecords;

/// The record with the provider's settings.
pub const SETTING: &str = "login-provider";
/// One request to it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Its documents are believed for so long.
const BELIEVED: Duration = Duration::from_secs(10 * 60);
/// Unknown keys make its keys be fetched at most this often.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// A document of a provider has some KiB.
const MOST: usize = 1 << 20;

/// The provider of a store's settings.
pub struct Provided {
    store: Arc<dyn Store>,
    known: Mutex<Option<Known>>,
}

/// What a provider says of itself.
#[derive(Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Clone)]
struct Known {
    metadata: Metadata,
    keys: Value,
    at: Instant,
    keys_at: Instant,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: String,
}

fn unavailable(what: impl std::fmt::Display) -> EdgeError {
    EdgeError::Unavailable(format!("the provider for logins: {what}"))
}

impl Provided {
    /// As a store's settings have it, now and whenever they change.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::new(None) }
    }

    async fn settings(&self) -> Result<Option<Provider>, EdgeError> {
        let records = StoreRecords(Arc::clone(&self.store));
        Typed(&records).get(Kind::Setting, SETTING).await.map_err(unavailable)
    }

    /// What is known of it, fetched when it is old; with keys that have this one, if it has it.
    async fn known(&self, settings: &Provider, key: Option<&str>) -> Result<Known, EdgeError> {
        // One at a time: a crowd that logs in at nine fetches once.
        let mut kept = self.known.lock().await;
        let fresh = kept.as_ref().filter(|one| one.at.elapsed() < BELIEVED && one.metadata.issuer == settings.issuer);
        let mut known = match fresh {
            Some(known) => known.clone(),
            None => discover(settings).await?,
        };
        let missing = key.is_some_and(|key| !has_key(&known.keys, key));
        if missing && known.keys_at.elapsed() >= KEYS_EVERY {
            known.keys = json(client()?.get(address(&known.metadata.jwks_uri)?)).await?;
            known.keys_at = Instant::now();
        }
        *kept = Some(known.clone());
        Ok(known)
    }

    async fn secret(&self, settings: &Provider) -> Result<Option<String>, EdgeError> {
        let Some(id) = &settings.credential else { return Ok(None) };
        let mut wish = by_server("", None, &settings.issuer);
        wish.asker = Asker::Server;
        let stored = given(self.store.as_ref(), id, &wish).await.map_err(unavailable)?;
        let field = ["text", "password", "secret"].into_iter().find_map(|name| stored.fields.get(name));
        let missing = || unavailable(format!("credential `{id}` holds no text"));
        field.cloned().map(Some).ok_or_else(missing)
    }

    async fn exchange(
        &self,
        settings: &Provider,
        metadata: &Metadata,
        form: &mut Vec<(&str, String)>,
    ) -> Result<Tokens, EdgeError> {
        let mut request = client()?.post(address(&metadata.token_endpoint)?);
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let has = |name: &str| methods.iter().any(|method| method == name);
        form.push(("client_id", settings.client_id.clone()));
        match self.secret(settings).await? {
            // RFC 6749, §2.3.1: both parts are form-encoded first. Without a list, basic is what every provider takes.
            Some(secret) if methods.is_empty() || has("client_secret_basic") => {
                request = request.basic_auth(encoded(&settings.client_id), Some(encoded(&secret)));
            }
            Some(secret) => form.push(("client_secret", secret)),
            None => {}
        }
        let body = form_text(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = json(request).await?;
        serde_json::from_value(answer).map_err(|_| unavailable("its answer to the code has no ID token"))
    }
}

#[async_trait]
impl LoginProvider for Provided {
    async fn offered(&self) -> bool {
        matches!(self.settings().await, Ok(Some(_)))
    }

    async fn address(&self, journey: &Journey, back: &str) -> Result<Option<String>, EdgeError> {
        let Some(settings) = self.settings().await? else { return Ok(None) };
        let known = self.known(&settings, None).await?;
        let mut to = address(&known.metadata.authorization_endpoint)?;
        let mut scope = "openid profile email".to_owned();
        if let Some(claim) = &settings.groups_claim {
            scope = format!("{scope} {claim}");
        }
        to.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", back)
            .append_pair("scope", &scope)
            .append_pair("state", &journey.state)
            .append_pair("nonce", &journey.nonce)
            .append_pair("code_challenge", &journey.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(Some(to.into()))
    }

    async fn claims(&self, journey: &Journey, code: &str, back: &str) -> Result<Option<(Provider, Claims)>, EdgeError> {
        let Some(settings) = self.settings().await? else { return Ok(None) };
        let known = self.known(&settings, None).await?;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", back.to_owned()),
            ("code_verifier", journey.verifier.clone()),
        ];
        let tokens = self.exchange(&settings, &known.metadata, &mut form).await?;
        let known = self.known(&settings, key_id(&tokens.id_token).as_deref()).await?;
        let claims = verify(&tokens.id_token, &known.keys, &settings, &journey.nonce, now().0);
        let mut claims = claims.map_err(|error| EdgeError::Invalid(error.to_string()))?;
        let wanted = [Some(&settings.name_claim), settings.groups_claim.as_ref()];
        if wanted.into_iter().flatten().any(|claim| !claims.all.contains_key(claim)) {
            more(&known.metadata, &tokens, &mut claims).await?;
        }
        Ok(Some((settings, claims)))
    }
}

/// Claims that the provider tells at its userinfo endpoint alone; they count only for the same subject (OpenID Connect
/// Core, §5.3.2).
async fn more(metadata: &Metadata, tokens: &Tokens, claims: &mut Claims) -> Result<(), EdgeError> {
    let Some(place) = &metadata.userinfo_endpoint else { return Ok(()) };
    let told = json(client()?.get(address(place)?).bearer_auth(&tokens.access_token)).await?;
    let Value::Object(told) = told else { return Ok(()) };
    if told.get("sub").and_then(Value::as_str) != Some(claims.subject.as_str()) {
        return Err(EdgeError::Invalid("the provider tells of another person than its token".to_owned()));
    }
    for (name, value) in told {
        claims.all.entry(name).or_insert(value);
    }
    Ok(())
}

async fn discover(settings: &Provider) -> Result<Known, EdgeError> {
    let place = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let document = json(client()?.get(address(&place)?)).await?;
    let metadata: Metadata =
        serde_json::from_value(document).map_err(|error| unavailable(format!("{place} is no description: {error}")))?;
    if metadata.issuer != settings.issuer {
        return Err(unavailable(format!("{place} describes {}, which is another", metadata.issuer)));
    }
    let keys = json(client()?.get(address(&metadata.jwks_uri)?)).await?;
    Ok(Known { metadata, keys, at: Instant::now(), keys_at: Instant::now() })
}

fn has_key(keys: &Value, id: &str) -> bool {
    let listed = keys.get("keys").and_then(Value::as_array).into_iter().flatten();
    listed.into_iter().any(|key| key.get("kid").and_then(Value::as_str) == Some(id))
}

/// An address that a provider may have: https, or on this machine.
pub fn address(text: &str) -> Result<Url, EdgeError> {
    let url = Url::parse(text).map_err(|error| unavailable(format!("`{text}` is no address: {error}")))?;
    let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        _ => Err(unavailable(format!("`{text}` is neither https nor on this machine"))),
    }
}

fn client() -> Result<Client, EdgeError> {
    crate::app::install_tls();
    let made = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    made.map_err(unavailable)
}

async fn json(request: RequestBuilder) -> Result<Value, EdgeError> {
    let mut answer = request.header("accept", "application/json").send().await.map_err(unavailable)?;
    let (status, place) = (answer.status(), answer.url().path().to_owned());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > MOST {
            return Err(unavailable(format!("its answer at {place} is too long")));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        // The code and the secret were in the question; the answer has at most the provider's word for what is wrong.
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let word: String = told.get("error").and_then(Value::as_str).unwrap_or("").chars().take(60).collect();
        return Err(unavailable(format!("{place} answered {status} {word}")));
    }
    serde_json::from_slice(&body).map_err(|_| unavailable(format!("its answer at {place} is no JSON")))
}

fn encoded(text: &str) -> String {
    form_text(&[("", text.to_owned())]).trim_start_matches('=').to_owned()
}

fn form_text(form: &[(&str, String)]) -> String {
    let mut url = Url::parse("http://here.invalid/").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut().extend_pairs(form);
    }
    url.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_provider_are_https_or_here() {
        for (text, good) in [
            ("https://id.example/x", true),
            ("http://127.0.0.1:9000/x", true),
            ("http://id.example/x", false),
            ("http://127.0.0.1.evil.example/", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(address(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn forms_and_secrets_are_encoded() {
        assert_eq!(form_text(&[("a", "b c&d".to_owned()), ("e", "=".to_owned())]), "a=b+c%26d&e=%3D");
        assert_eq!(encoded("p@ss:w=rd"), "p%40ss%3Aw%3Drd");
    }
}
