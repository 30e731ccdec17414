//! Login by a provider of OpenID Connect: there and back again. What is believed is decided in `haliotis_access::oidc`.
//!
//! Nothing is kept here while a person is at the provider: the journey lies, signed, in a cookie of their browser.
//! The way back is a GET, as the protocol has it; without a journey of this browser and a code it changes nothing.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use haliotis_access::oidc::{Journey, Settled, settle};
use haliotis_access::{Group, Kind, Name};
use serde::Deserialize;

use super::admit::cookie;
use super::login::{safe_next, set_cookie, show_problem};
use super::{Need, Routes};
use crate::api::audit;
use crate::error::Failed;
use crate::state::AppState;

/// The journey's cookie.
const JOURNEY: &str = "haliotis_journey";
/// Where the provider sends people back to.
const BACK: &str = "/login/provider/back";

/// The routes.
pub(crate) fn routes() -> Routes {
    let door = Need::public("the way to the provider, for those who are not logged in");
    let back = Need::public("the way back from the provider; what it brings is checked there");
    Routes::new().get("/login/provider", door, leave).get(BACK, back, arrive)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

async fn leave(State(state): State<AppState>, Query(wanted): Query<Wanted>) -> Response {
    match depart(&state, &wanted.next).await {
        Ok((address, journey)) => {
            let mut response = Redirect::to(&address).into_response();
            keep(&state, response.headers_mut(), &journey, haliotis_access::oidc::JOURNEY_MS / 1000);
            response
        }
        Err(failed) => show_problem(&state, &wanted.next, failed).await,
    }
}

async fn depart(state: &AppState, next: &str) -> Result<(String, String), Failed> {
    let none = || Failed::not_found("no provider is set up for logins");
    let provider = state.provider.as_ref().ok_or_else(none)?;
    let journey = Journey::begin(&safe_next(next), haliotis_engine::now().0).map_err(|error| refused(&error))?;
    let address = provider.address(&journey, &back(state)).await?.ok_or_else(none)?;
    Ok((address, journey.sealed(&state.access.key)))
}

#[derive(Deserialize)]
struct Brought {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

async fn arrive(State(state): State<AppState>, headers: HeaderMap, Query(brought): Query<Brought>) -> Response {
    let mut response = match enter(&state, &headers, &brought).await {
        Ok((next, session)) => {
            let mut response = Redirect::to(&next).into_response();
            set_cookie(&state, response.headers_mut(), &session, haliotis_access::session::LIFETIME_MS / 1000);
            response
        }
        Err(failed) => show_problem(&state, "/", failed).await,
    };
    // A journey is made once.
    keep(&state, response.headers_mut(), "", 0);
    response
}

async fn enter(state: &AppState, headers: &HeaderMap, brought: &Brought) -> Result<(String, String), Failed> {
    let (kept, now) = (cookie(headers, JOURNEY).unwrap_or_default(), haliotis_engine::now().0);
    let journey = Journey::open(kept, &state.access.key, &brought.state, now).map_err(|error| refused(&error))?;
    if !brought.error.is_empty() || brought.code.is_empty() {
        let shown: String = brought.error.chars().filter(char::is_ascii_graphic).take(60).collect();
        let message = format!("the provider let nobody in ({shown})");
        return Err(refused(&message));
    }
    let none = || Failed::not_found("no provider is set up for logins");
    let provider = state.provider.as_ref().ok_or_else(none)?;
    let (settings, claims) = provider.claims(&journey, &brought.code, &back(state)).await?.ok_or_else(none)?;
    let directory = state.access.typed().directory().await?;
    let settled = settle(&directory, &settings, &claims, now).map_err(|error| {
        tracing::warn!(subject = %claims.subject.escape_debug(), %error, "a login by the provider is refused");
        refused(&error)
    })?;
    let name = take_in(state, &settled, &directory).await?;
    let session = state.access.open_session(name.clone()).await?;
    audit(state, name.as_str(), "user.login", name.as_str(), "by the provider").await?;
    Ok((journey.next, session))
}

/// Keeps what the login changes: the person first, then their groups.
async fn take_in(state: &AppState, settled: &Settled, directory: &haliotis_access::Directory) -> Result<Name, Failed> {
    let name = &settled.user.name;
    if settled.new {
        state.access.typed().put_user(&settled.user).await?;
        audit(state, name.as_str(), "user.add", name.as_str(), "the provider vouches for them").await?;
    }
    for (group, within) in &settled.groups {
        let known = directory.groups.get(group).cloned();
        let mut kept = known.unwrap_or_else(|| Group { name: group.clone(), members: Default::default() });
        let changed = if *within { kept.members.insert(name.clone()) } else { kept.members.remove(name) };
        if changed {
            state.access.typed().put(Kind::Group, group.as_str(), &kept).await?;
            let what = if *within { "group.join" } else { "group.leave" };
            audit(state, name.as_str(), what, group.as_str(), "as the provider says").await?;
        }
    }
    state.access.changed();
    Ok(name.clone())
}

fn back(state: &AppState) -> String {
    format!("{}{BACK}", state.config.base_url.trim_end_matches('/'))
}

fn keep(state: &AppState, headers: &mut HeaderMap, value: &str, seconds: i64) {
    let secure = if state.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    // Lax, since the provider's redirect comes from its site.
    let text = format!("{JOURNEY}={value}; Path=/login/provider; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}

fn refused(why: &dyn std::fmt::Display) -> Failed {
    let help = "Log in again, or ask an administrator; `haliotis audit` and the server's log have more.";
    Failed::new(axum::http::StatusCode::FORBIDDEN, "login-refused", why.to_string(), help)
}
