//! Jenkins' REST API over our pipelines and builds, so that its clients need nothing but another URL.
//!
//! ```text
//! /job/a/job/b/7/consoleText
//!  └─ item ──┘ └ build ┘ └ operation: found in the tables of [`operations`], which name the permission it needs
//! ```
//! One file an object: [`hudson`] (the root), [`job`], [`build`], [`queue`], [`views`], [`computer`] and so on. Objects are
//! built as [`bean`]s along what is [`want`]ed of them and rendered as JSON, XML or Python by [`render`]. Jenkins' words stay
//! in here; its addresses of pages lead to our own ([`pages`]).
//!
//! Paths of jobs are as deep as folders are, which no router's pattern can say; so a few wildcard routes lead here, and
//! [`asked`] tells the guard what each path needs before anything is done.

mod artifacts;
mod bean;
mod branches;
mod build;
mod call;
mod computer;
mod config;
mod console;
mod converter;
mod create;
mod credentials;
mod freestyle;
mod generic;
mod history;
mod hudson;
mod inputs;
mod items;
mod job;
mod kept;
mod operations;
mod pages;
mod path;
mod plugins;
mod process;
mod queue;
mod render;
mod report;
mod rotate;
mod trigger;
mod views;
mod want;
mod wfapi;
mod xml;
mod xpath;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use crate::access::{Asked, Need, Routes};
use crate::error::Failed;
use crate::state::AppState;

pub(crate) use kept::Kept;
pub(crate) use queue::resume;
pub(crate) use rotate::run as rotate;

use call::Call;
use operations::{Ask, BUILD, ITEM, Operation, SERVER, Scope, Verb};

/// The version we say we are: clients choose how they speak by it. The newest long-term release whose API this follows.
const VERSION: &str = "2.516.3";

/// Paths that begin so are Jenkins'; each also with something behind it.
const PREFIXES: [&str; 30] = [
    "job",
    "manage",
    "view",
    "queue",
    "computer",
    "user",
    "credentials",
    "pluginManager",
    "updateCenter",
    "crumbIssuer",
    "me",
    "whoAmI",
    "asynchPeople",
    "pipeline-model-converter",
    "createItem",
    "createView",
    "checkJobName",
    "submitDescription",
    "scriptText",
    "quietDown",
    "cancelQuietDown",
    "safeRestart",
    "restart",
    "safeExit",
    "exit",
    "reload",
    "label",
    "overallLoad",
    "jnlpJars",
    "config.xml",
];

/// All routes of Jenkins' API.
pub(crate) fn routes() -> Routes {
    let need = Need::by_path(asked);
    let mut routes = Routes::new().merge(generic::routes());
    for format in ["json", "xml", "python"] {
        routes = routes.any(&format!("/api/{format}"), need, serve);
    }
    for prefix in PREFIXES {
        routes = routes.any(&format!("/{prefix}"), need, serve);
        routes = routes.any(&format!("/{prefix}/"), need, serve);
        routes = routes.any(&format!("/{prefix}/{{*rest}}"), need, serve);
    }
    routes
}

/// What a path needs of its caller.
fn asked(_: &Method, path: &str) -> Asked {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        // A path that is no text is refused by whoever reads it; until then it needs somebody.
        let Ok(part) = percent_decode_str(part).decode_utf8() else { return Asked::Login };
        parts.push(part.into_owned());
    }
    match resolve(&parts) {
        Some(found) => found.operation.need.asked(&found.full),
        None => Asked::Login,
    }
}

/// Where a path leads.
struct Resolved {
    operation: &'static Operation,
    /// Full name of the item; empty for the root.
    full: String,
    /// The build's number or permalink.
    build: Option<String>,
    args: Vec<String>,
}

fn resolve(parts: &[String]) -> Option<Resolved> {
    // The root's credentials are also found below the page that manages the server.
    let mut rest = match parts {
        [manage, behind @ ..] if manage == "manage" && behind.first().is_some_and(|next| next == "credentials") => {
            behind
        }
        parts => parts,
    };
    let mut full = String::new();
    while let [word, name, behind @ ..] = rest
        && word == "job"
    {
        if !full.is_empty() {
            full.push('/');
        }
        full.push_str(name);
        rest = behind;
    }
    let found = |table: &'static [Operation], rest: &[String]| {
        table.iter().find_map(|operation| operation.matches(rest).map(|args| (operation, args)))
    };
    if full.is_empty()
        && let Some((operation, args)) = found(SERVER, rest)
    {
        return Some(Resolved { operation, full, build: None, args });
    }
    if !full.is_empty()
        && let [name, behind @ ..] = rest
        && (name.bytes().all(|byte| byte.is_ascii_digit()) || history::Permalink::parse(name).is_some())
        && let Some((operation, args)) = found(BUILD, behind)
    {
        return Some(Resolved { operation, full, build: Some(name.clone()), args });
    }
    let (operation, args) = found(ITEM, rest)?;
    Some(Resolved { operation, full, build: None, args })
}

/// The one handler.
async fn serve(State(state): State<AppState>, request: Request) -> Response {
    match answer(&state, request).await {
        Ok(response) => response,
        Err(failed) => call::refuse(&jenkins_status(failed)),
    }
}

async fn answer(state: &AppState, request: Request) -> Result<Response, Failed> {
    let call = Call::read(state, request).await?;
    let none = || Failed::not_found(format!("there is nothing at /{}", call.path.join("/")));
    let Resolved { operation, full, build, args } = resolve(&call.path).ok_or_else(none)?;
    if !operation.verb.takes(&call.method) {
        return Ok(needs_post(operation.verb));
    }
    let item = match operation.need.scope() {
        Scope::Server => items::Item::Root,
        Scope::Item => items::find(state, &full).await?,
    };
    let target = match build {
        Some(name) => Some(build::find(&call, item.clone(), &name).await?),
        None => None,
    };
    let ask = Ask { call, item, target, args };
    (operation.run)(&ask).await
}

/// As Jenkins answers a GET of what wants a POST.
fn needs_post(verb: Verb) -> Response {
    let allow = if verb == Verb::Read { "GET, HEAD, POST" } else { "POST" };
    let body = "This URL requires POST\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)], body).into_response()
}

/// Jenkins knows no 422: what was given is not right is 400.
fn jenkins_status(mut failed: Failed) -> Failed {
    if failed.status == StatusCode::UNPROCESSABLE_ENTITY && failed.problem.code != "left" {
        failed.status = StatusCode::BAD_REQUEST;
    }
    failed
}

/// Headers by which clients know a Jenkins; on every answer of the server.
pub(crate) fn mark(state: &AppState, response: &mut Response) {
    const HUDSON: HeaderName = HeaderName::from_static("x-hudson");
    const JENKINS: HeaderName = HeaderName::from_static("x-jenkins");
    const SESSION: HeaderName = HeaderName::from_static("x-jenkins-session");
    let headers = response.headers_mut();
    headers.insert(HUDSON, HeaderValue::from_static("1.395"));
    headers.insert(JENKINS, HeaderValue::from_static(VERSION));
    if let Ok(session) = HeaderValue::from_str(&state.own.jenkins.session()) {
        headers.insert(SESSION, session);
    }
}

#[cfg(test)]
mod tests {
    use haliotis_access::Permission;

    use super::*;

    fn need(path: &str) -> Asked {
        asked(&Method::GET, path)
    }

    #[test]
    fn paths_lead_to_operations_and_name_their_need() {
        let job = |permission, name: &str| Asked::Pipeline(permission, name.to_owned());
        for (path, expected) in [
            ("/job/a/job/b%20c/api/json", job(Permission::View, "a/b c")),
            ("/job/a/7/consoleText", job(Permission::View, "a")),
            ("/job/a/lastBuild/stop", job(Permission::Build, "a")),
            ("/job/a/config.xml", job(Permission::Configure, "a")),
            ("/job/a//doDelete/", job(Permission::Configure, "a")),
            ("/job/a/build", Asked::Public),
            ("/createItem", Asked::Somewhere(Permission::Configure)),
            ("/job/f/createItem", job(Permission::Configure, "f")),
            ("/api/json", Asked::Somewhere(Permission::View)),
            ("/nothing/here", Asked::Somewhere(Permission::View)),
        ] {
            assert_eq!(need(path), expected, "{path}");
        }
    }
}
