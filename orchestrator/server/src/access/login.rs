//! Logging in and out, and one's own account: password and tokens.
//!
//! A password and a token are shown by no page but the one answer in which a new token is told. A login always opens a
//! new session; a changed password ends all others.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use haliotis_access::{Kind, Name, Permission, Permissions, password, token};
use serde::Deserialize;
use url::Url;

use super::admit::COOKIE;
use super::{How, Need, Routes, current};
use crate::api::audit;
use crate::error::Failed;
use crate::pages::{Markup, Page, after, respond, time};
use crate::state::AppState;

/// Days a token may be asked for.
const DAYS_MOST: i64 = 365;
/// Days a token lives unless asked otherwise.
const DAYS: i64 = 90;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The routes.
pub(crate) fn routes() -> Routes {
    let door = Need::public("the login page is where those go who are not logged in");
    Routes::new()
        .get("/login", door, show)
        .post("/login", door, enter)
        .post("/logout", Need::LOGIN, leave)
        .get("/account", Need::LOGIN, account)
        .post("/account", Need::LOGIN, change)
        .post("/account/tokens", Need::LOGIN, new_token)
        .post("/account/tokens/{id}/revoke", Need::LOGIN, revoke)
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    next: String,
    problem: String,
    /// The way to the provider, where one is set up.
    provider: Option<String>,
}

impl LoginPage {
    async fn new(state: &AppState, next: String, problem: String) -> Self {
        let offered = match &state.provider {
            Some(provider) => provider.offered().await,
            None => false,
        };
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
        let provider = offered.then(|| format!("/login/provider?{query}"));
        Self { page: Page::new(state, "", "Log in"), next, problem, provider }
    }
}

/// The login page with what went wrong.
pub(super) async fn show_problem(state: &AppState, next: &str, failed: Failed) -> Response {
    let shown = LoginPage::new(state, safe_next(next), failed.problem.message).await;
    let mut response = respond(state, Ok(shown));
    *response.status_mut() = failed.status;
    response
}

#[derive(Deserialize)]
struct NextQuery {
    #[serde(default)]
    next: String,
}

async fn show(State(state): State<AppState>, Query(query): Query<NextQuery>) -> Response {
    let shown = LoginPage::new(&state, safe_next(&query.next), String::new()).await;
    respond(&state, Ok(shown))
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn enter(State(state): State<AppState>, Form(given): Form<Credentials>) -> Response {
    let next = safe_next(&given.next);
    let user = match state.access.login(given.name.trim(), &given.password).await {
        Ok(user) => user,
        Err(failed) => return show_problem(&state, &next, failed).await,
    };
    let next = if user.must_change { "/account".to_owned() } else { next };
    let entered = async {
        let cookie = state.access.open_session(user.name.clone()).await?;
        audit(&state, user.name.as_str(), "user.login", user.name.as_str(), "").await?;
        Ok::<_, Failed>(cookie)
    };
    match entered.await {
        Ok(cookie) => {
            let mut response = Redirect::to(&next).into_response();
            set_cookie(&state, response.headers_mut(), &cookie, haliotis_access::session::LIFETIME_MS / 1000);
            response
        }
        Err(failed) => after(&state, Err(failed)),
    }
}

async fn leave(State(state): State<AppState>) -> Response {
    if let How::Session(id) = &current().how {
        state.access.end_session(id).await;
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&state, response.headers_mut(), "", 0);
    response
}

pub(super) fn set_cookie(state: &AppState, headers: &mut HeaderMap, value: &str, seconds: i64) {
    let secure = if state.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// A path of this site, or `/`. The text is resolved like a browser would and never matched: what leads elsewhere by
/// `//`, `/\`, tabs or dots is seen to do so.
pub(super) fn safe_next(next: &str) -> String {
    let home = "/".to_owned();
    if !next.starts_with('/') || next.chars().any(|sign| sign.is_control() || sign == '\\') {
        return home;
    }
    let Some(base) = Url::parse("http://here.invalid/").ok() else { return home };
    match base.join(next) {
        Ok(url) if url.origin() == base.origin() && !url.path().starts_with("//") => {
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
        }
        _ => home,
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    must_change: bool,
    has_password: bool,
    groups: String,
    tokens: Vec<TokenRow>,
    /// A token just made.
    told: String,
}

struct TokenRow {
    id: String,
    label: String,
    may: String,
    scope: String,
    made: Markup,
    ends: String,
}

async fn account(State(state): State<AppState>) -> Response {
    respond(&state, account_page(&state, String::new()).await)
}

async fn account_page(state: &AppState, told: String) -> Result<AccountPage, Failed> {
    let caller = current();
    let own = Name::parse(&caller.name).ok();
    let directory = state.access.directory().await;
    let user = own.as_ref().and_then(|name| directory.users.get(name));
    let tokens = state.access.typed().tokens().await?;
    let tokens = tokens.into_iter().filter(|token| Some(&token.user) == own.as_ref()).map(|token| TokenRow {
        may: words(token.permissions),
        made: time(crate::edges::millis(token.created_at)),
        ends: token.expires_at.map_or_else(
            || "never".to_owned(),
            |end| crate::words::moment(crate::edges::millis(end), haliotis_engine::now()).full,
        ),
        id: token.id,
        label: token.label,
        scope: token.scope,
    });
    Ok(AccountPage {
        page: Page::new(state, "", "Your account"),
        must_change: caller.must_change,
        has_password: user.is_some_and(|user| user.password.is_some()),
        groups: caller.groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        tokens: tokens.collect(),
        told,
    })
}

fn words(permissions: Permissions) -> String {
    permissions.list().into_iter().map(Permission::as_str).collect::<Vec<_>>().join(", ")
}

/// The user of the caller, for changes to their own account; only a person in a browser or with a password may make
/// them, since a token that could make tokens would never end.
async fn own_user(state: &AppState) -> Result<haliotis_access::User, Failed> {
    let caller = current();
    if !matches!(caller.how, How::Session(_) | How::Password) {
        let message = "an account is changed by its owner, logged in with a password";
        return Err(Failed::new(StatusCode::FORBIDDEN, "not-allowed", message, "Log in at /login."));
    }
    let name = Name::parse(&caller.name).map_err(|error| Failed::bad_request(error.to_string(), "Log in again."))?;
    let found = state.access.directory().await.users.get(&name).cloned();
    found.ok_or_else(|| Failed::not_found("there is no such user"))
}

#[derive(Deserialize)]
struct NewPassword {
    #[serde(default)]
    old: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
}

async fn change(State(state): State<AppState>, Form(given): Form<NewPassword>) -> Response {
    match set_password(&state, given).await {
        Ok(cookie) => {
            let mut response = Redirect::to("/account").into_response();
            set_cookie(&state, response.headers_mut(), &cookie, haliotis_access::session::LIFETIME_MS / 1000);
            response
        }
        Err(failed) => after(&state, Err(failed)),
    }
}

async fn set_password(state: &AppState, given: NewPassword) -> Result<String, Failed> {
    let mut user = own_user(state).await?;
    let unfit = |message: String| Failed::new(StatusCode::UNPROCESSABLE_ENTITY, "password", message, "Choose another.");
    state.access.login(user.name.as_str(), &given.old).await?;
    if given.new != given.again {
        return Err(unfit("the two new passwords differ".to_owned()));
    }
    if given.new == given.old {
        return Err(unfit("the new password is the old one".to_owned()));
    }
    let hashed = tokio::task::spawn_blocking(move || password::hash(&given.new)).await;
    let hashed = hashed.map_err(|error| unfit(error.to_string()))?.map_err(|error| unfit(error.to_string()))?;
    (user.password, user.must_change) = (Some(hashed), false);
    state.access.typed().put_user(&user).await?;
    state.access.typed().end_sessions(&user.name).await?;
    state.access.changed();
    audit(state, user.name.as_str(), "user.password", user.name.as_str(), "").await?;
    Ok(state.access.open_session(user.name).await?)
}

async fn new_token(State(state): State<AppState>, Form(fields): Form<BTreeMap<String, String>>) -> Response {
    let made = match mint(&state, &fields).await {
        Ok(told) => account_page(&state, told).await,
        Err(failed) => Err(failed),
    };
    respond(&state, made)
}

async fn mint(state: &AppState, fields: &BTreeMap<String, String>) -> Result<String, Failed> {
    let user = own_user(state).await?;
    let field = |name: &str| fields.get(name).map_or("", |value| value.trim());
    let days = field("days").parse().unwrap_or(DAYS).clamp(1, DAYS_MOST);
    let asked: Vec<_> =
        Permission::ALL.into_iter().filter(|one| fields.contains_key(&format!("may-{}", one.as_str()))).collect();
    let now = haliotis_engine::now().0;
    let wish = token::Wish {
        label: field("label").chars().take(100).collect(),
        permissions: Permissions::of(&asked),
        scope: field("scope").trim_matches('/').to_owned(),
        expires_at: Some(now + days * DAY_MS),
    };
    let unmade = |error: haliotis_access::NoRandomness| {
        Failed::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string(), "Look at the server's log.")
    };
    let (text, token) = token::mint(user.name.clone(), wish, now).map_err(unmade)?;
    state.access.typed().put(Kind::Token, &token.id, &token).await?;
    state.access.changed();
    audit(state, user.name.as_str(), "token.make", &format!("token {}", token.id), &token.label).await?;
    Ok(text)
}

async fn revoke(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    let done = async {
        let user = own_user(&state).await?;
        let own = state.access.typed().tokens().await?.into_iter().any(|one| one.id == id && one.user == user.name);
        if !own {
            return Err(Failed::not_found("you have no such token"));
        }
        state.access.records().remove_record(Kind::Token, &id).await?;
        state.access.changed();
        audit(&state, user.name.as_str(), "token.revoke", &format!("token {id}"), "").await?;
        Ok("/account".to_owned())
    };
    let done = done.await;
    after(&state, done)
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn a_login_leads_nowhere_else() {
        for (given, safe) in [
            ("/builds/1?x=1&y=%2F", "/builds/1?x=1&y=%2F"),
            ("/pipelines/a b", "/pipelines/a%20b"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/\n/evil.example", "/"),
            ("https://evil.example/", "/"),
            ("javascript:alert(1)", "/"),
            ("/.//evil.example", "/"),
            ("/a/..//evil.example", "/"),
            ("./..//evil.example", "/"),
            ("/%2fevil.example", "/%2fevil.example"),
            ("/@evil.example", "/@evil.example"),
        ] {
            assert_eq!(safe_next(given), safe, "{given:?}");
        }
    }
}
