//! What a route needs of its caller, and the check of it.

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use haliotis_access::{Object, Permission};
use haliotis_engine::JournalError;
use haliotis_model::BuildId;

use super::caller::{Caller, scoped};
use crate::error::Failed;
use crate::pages;
use crate::state::AppState;

/// What a route needs. Made by its functions alone.
#[derive(Clone, Copy, Debug)]
pub struct Need(Inner);

#[derive(Clone, Copy, Debug)]
enum Inner {
    Public(&'static str),
    Login,
    System(Permission),
    Somewhere(Permission),
    Pipeline(Permission, &'static str),
    Build(Permission, &'static str),
    QueryBuild(Permission),
    ByPath(fn(&Method, &str) -> Asked),
}

/// What a wildcard route asks of its caller, by method and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing.
    Public,
    /// That somebody is logged in.
    Login,
    /// A permission for the server.
    System(Permission),
    /// A permission for anything at all.
    Somewhere(Permission),
    /// A permission for a pipeline or folder by its full name.
    Pipeline(Permission, String),
}

/// A need as data, for tests and documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeedRow {
    /// Nobody need be logged in, and why.
    Public(&'static str),
    /// Somebody is logged in.
    Login,
    /// A permission for the server.
    System(Permission),
    /// A permission anywhere.
    Somewhere(Permission),
    /// A permission for the pipeline that the path names, or whose build it names.
    Pipeline(Permission),
    /// Decided by method and path.
    ByPath,
}

impl Need {
    /// Somebody is logged in, whatever they may do.
    pub const LOGIN: Need = Need(Inner::Login);

    /// Nobody need be logged in; `why` is for whoever reads the table.
    pub const fn public(why: &'static str) -> Self {
        Self(Inner::Public(why))
    }

    /// A permission for the whole server.
    pub const fn system(permission: Permission) -> Self {
        Self(Inner::System(permission))
    }

    /// A permission for anything; the handler shows each caller what is theirs.
    pub const fn somewhere(permission: Permission) -> Self {
        Self(Inner::Somewhere(permission))
    }

    /// A permission for the pipeline named by a parameter of the path.
    pub const fn pipeline(permission: Permission, parameter: &'static str) -> Self {
        Self(Inner::Pipeline(permission, parameter))
    }

    /// A permission for the pipeline of the build whose id is a parameter of the path.
    pub const fn build(permission: Permission, parameter: &'static str) -> Self {
        Self(Inner::Build(permission, parameter))
    }

    /// The same with the id in the query, as `build`; without one: [`Need::somewhere`].
    pub const fn query_build(permission: Permission) -> Self {
        Self(Inner::QueryBuild(permission))
    }

    /// For wildcard routes: a function of method and path says what is asked.
    pub(crate) const fn by_path(asked: fn(&Method, &str) -> Asked) -> Self {
        Self(Inner::ByPath(asked))
    }

    /// As data.
    pub fn row(self) -> NeedRow {
        match self.0 {
            Inner::Public(why) => NeedRow::Public(why),
            Inner::Login => NeedRow::Login,
            Inner::System(permission) => NeedRow::System(permission),
            Inner::Somewhere(permission) | Inner::QueryBuild(permission) => NeedRow::Somewhere(permission),
            Inner::Pipeline(permission, _) | Inner::Build(permission, _) => NeedRow::Pipeline(permission),
            Inner::ByPath(_) => NeedRow::ByPath,
        }
    }
}

/// What an object of a need turned out to be.
enum Found {
    Asked(Asked),
    /// A build and its pipeline; without one it is not there, which is answered like one that is not theirs.
    Build(BuildId, Permission, Option<String>),
}

/// Lets a request through to its handler, or not.
pub(super) async fn check(need: Need, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (Some(state), Some(caller)) =
        (parts.extensions.get::<AppState>().cloned(), parts.extensions.get::<Caller>().cloned())
    else {
        // A router that was put together without its outer guard lets nobody in.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let allowed = match asked(need, &mut parts, &state).await {
        Ok(found) => decide(&found, &caller, &parts, &state),
        Err(failed) if caller.known() => Err(failed),
        Err(_) => Err(caller.unknown()),
    };
    match allowed {
        Ok(()) => scoped(caller, next.run(Request::from_parts(parts, body))).await,
        Err(failed) => scoped(caller, async { deny(&state, &parts, failed) }).await,
    }
}

fn decide(found: &Found, caller: &Caller, parts: &Parts, state: &AppState) -> Result<(), Failed> {
    if matches!(found, Found::Asked(Asked::Public)) {
        return Ok(());
    }
    if caller.must_change && parts.uri.path() != "/account" {
        let message = "this account has a password for the first login alone";
        return Err(Failed::new(StatusCode::FORBIDDEN, "must-change", message, "Set your own at /account."));
    }
    match found {
        Found::Asked(Asked::Public) => {}
        Found::Asked(Asked::Login) if caller.known() => {}
        Found::Asked(Asked::Login) => return Err(caller.unknown()),
        Found::Asked(Asked::System(permission)) => caller.must(*permission, Object::System)?,
        Found::Asked(Asked::Somewhere(permission)) => caller.must(*permission, Object::Somewhere)?,
        Found::Asked(Asked::Pipeline(permission, name)) => caller.must(*permission, Object::Pipeline(name))?,
        Found::Build(_, permission, Some(name)) if caller.sees(name) || !caller.known() => {
            caller.must(*permission, Object::Pipeline(name))?;
        }
        Found::Build(..) if !caller.known() => return Err(caller.unknown()),
        Found::Build(id, ..) => return Err(JournalError::NoBuild(*id).into()),
    }
    let changes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !caller.meant_it(&state.access, &parts.headers, parts.uri.query().unwrap_or("")) {
        // Jenkins' words, which its clients look for.
        let message = "No valid crumb was included in the request";
        let help = "Fetch one from /crumbIssuer/api/json and send it as Jenkins-Crumb, or use an API token.";
        return Err(Failed::new(StatusCode::FORBIDDEN, "crumb", message, help));
    }
    Ok(())
}

async fn asked(need: Need, parts: &mut Parts, state: &AppState) -> Result<Found, Failed> {
    let asked = match need.0 {
        Inner::Public(_) => Asked::Public,
        Inner::Login => Asked::Login,
        Inner::System(permission) => Asked::System(permission),
        Inner::Somewhere(permission) => Asked::Somewhere(permission),
        Inner::ByPath(asked) => asked(&parts.method, parts.uri.path()),
        Inner::Pipeline(permission, parameter) => match parameter_of(parts, parameter).await {
            Some(name) => Asked::Pipeline(permission, name),
            None => return Err(bad_path()),
        },
        Inner::Build(permission, parameter) => match parameter_of(parts, parameter).await.map(|id| id.parse()) {
            Some(Ok(id)) => return build(state, permission, BuildId(id)).await,
            // The handler says what is wrong with the id; nobody without the permission anywhere is told.
            _ => Asked::Somewhere(permission),
        },
        Inner::QueryBuild(permission) => {
            let query = parts.uri.query().unwrap_or("").as_bytes();
            let id = url::form_urlencoded::parse(query).find(|(key, _)| key == "build");
            match id.and_then(|(_, id)| id.parse().ok()) {
                Some(id) => return build(state, permission, BuildId(id)).await,
                None => Asked::Somewhere(permission),
            }
        }
    };
    Ok(Found::Asked(asked))
}

async fn build(state: &AppState, permission: Permission, id: BuildId) -> Result<Found, Failed> {
    let build = state.catalog.build(id).await?;
    Ok(Found::Build(id, permission, build.map(|build| build.pipeline)))
}

async fn parameter_of(parts: &mut Parts, name: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn bad_path() -> Failed {
    Failed::bad_request("the path cannot be read", "Percent-encode names as UTF-8.")
}

/// The answer to somebody who is not let in: the login page where a person looks, a page or JSON otherwise.
fn deny(state: &AppState, parts: &Parts, failed: Failed) -> Response {
    let path = parts.uri.path();
    let call = path.contains("/api/") || ["/events", "/live/", "/metrics"].iter().any(|one| path.starts_with(one));
    let accept = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let looks = parts.method == Method::GET && accept.contains("text/html") && !call;
    if looks && failed.problem.code == "must-change" {
        return Redirect::to("/account").into_response();
    }
    if looks && failed.status == StatusCode::UNAUTHORIZED {
        let next = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        return Redirect::to(&format!("/login?{query}")).into_response();
    }
    let unauthorized = failed.status == StatusCode::UNAUTHORIZED;
    let mut response = if call { failed.into_response() } else { pages::error_page(state, failed) };
    if unauthorized && !accept.contains("text/html") {
        let ask = HeaderValue::from_static("Basic realm=\"Haliotis\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    }
    response
}
