//! The pages: HTML from templates, complete without JavaScript.
//!
//! Each page is a struct that its template fills in, one file per page. Strings are escaped by the template; the few
//! pieces of ready HTML ([`Markup`]) are made here from fixed words and numbers alone.

mod adding;
mod admin;
mod again;
mod approval;
mod artifact;
mod badge_picture;
mod build;
mod changes;
mod critical;
mod deployments;
mod diff;
mod favourites;
mod fold;
mod forms;
mod home;
mod models;
mod people;
mod picture;
mod pipeline;
mod search;
mod step;
mod system;
mod testing;
mod version;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use haliotis_access::{Object, Permission};
use haliotis_engine::NodeState;
use haliotis_model::Millis;

use crate::access::{self, Need, Routes};
use crate::assets::{URLS, Urls};
use crate::error::{Failed, Problem};
use crate::state::AppState;
use crate::words;

pub(crate) fn routes() -> Routes {
    use Permission::{Administer, Approve, Build, Configure, View};
    let lists = Need::somewhere(View);
    Routes::new()
        .get("/", lists, home::show)
        .get("/add", Need::somewhere(Configure), adding::show)
        .post("/add", Need::somewhere(Configure), adding::add)
        .get("/pipelines/{name}", Need::pipeline(View, "name"), pipeline::show)
        .post("/pipelines/{name}/start", Need::pipeline(Build, "name"), forms::start)
        .get("/pipelines/{name}/{number}", Need::pipeline(View, "name"), pipeline::by_number)
        .get("/builds/{id}", Need::build(View, "id"), build::show)
        .get("/builds/{id}/step", Need::build(View, "id"), step::show)
        .get("/builds/{id}/journal", Need::build(View, "id"), build::journal)
        .post("/builds/{id}/answer", Need::build(Approve, "id"), forms::answer)
        .post("/builds/{id}/abort", Need::build(Build, "id"), forms::abort)
        .post("/builds/{id}/rerun", Need::build(Build, "id"), forms::rerun)
        .get("/builds/{id}/step/search", Need::build(View, "id"), search::show)
        .get("/builds/{id}/artifacts/view", Need::build(View, "id"), artifact::show)
        .get("/builds/{id}/artifacts/raw", Need::build(View, "id"), artifact::raw)
        .get("/builds/{id}/tests", Need::build(View, "id"), testing::show)
        .get("/builds/{id}/diff", Need::build(View, "id"), diff::show)
        .get("/badge/{*rest}", Need::by_path(badge_picture::need), badge_picture::show)
        .post("/favourites", lists, favourites::set)
        .get("/models", lists, models::groups)
        .get("/models/{group}", lists, models::group)
        .post("/models/{group}/decide", Need::somewhere(Approve), forms::decide)
        .get("/models/{group}/{version}", lists, version::show)
        .get("/served", lists, deployments::served)
        .get("/endpoints", lists, models::endpoints)
        .get("/endpoints/{name}", lists, deployments::endpoint)
        .post("/endpoints/{name}/invoke", Need::somewhere(Build), deployments::invoke)
        .get("/system", lists, system::show)
        .get("/system/queue", lists, admin::queue)
        .get("/system/audit", Need::system(Administer), admin::audit)
        .get("/system/deliveries", Need::system(Administer), admin::deliveries)
        .post("/system/deliveries/again", Need::system(Administer), admin::redeliver)
        .get("/system/storage", Need::system(Administer), admin::storage)
        .get("/system/credentials", Need::system(Administer), admin::credentials)
        .post("/system/credentials", Need::system(Administer), admin::put_credential)
        .post("/system/credentials/remove", Need::system(Administer), admin::remove_credential)
        .get("/system/users", Need::system(Administer), people::show)
        .post("/system/users", Need::system(Administer), people::change)
        .get("/favicon.ico", Need::public("a picture"), || async { Redirect::permanent(&URLS.icon) })
}

/// What the frame of every page needs.
pub(crate) struct Page {
    pub(crate) title: String,
    /// A sentence for those who get a link to it.
    pub(crate) about: String,
    /// The word marked in the navigation.
    pub(crate) nav: &'static str,
    /// The stream that says when to look again; empty: the page does not change.
    pub(crate) events: String,
    pub(crate) dev: bool,
    /// Who looks; `anonymous` for nobody.
    pub(crate) known: bool,
    /// Sees what is for administrators.
    pub(crate) admin: bool,
    pub(crate) cloud: String,
    pub(crate) user: String,
    pub(crate) version: String,
    pub(crate) urls: &'static Urls,
}

impl Page {
    pub(crate) fn new(state: &AppState, nav: &'static str, title: impl Into<String>) -> Self {
        let config = &state.config;
        let caller = access::current();
        Self {
            title: title.into(),
            about: String::new(),
            nav,
            events: String::new(),
            dev: config.dev,
            known: caller.known(),
            admin: caller.may(Permission::Administer, Object::System),
            cloud: cloud(&config.cloud),
            user: caller.name,
            version: config.version.clone(),
            urls: &URLS,
        }
    }

    /// The same, kept fresh by a stream of changes.
    pub(crate) fn live(mut self, events: impl Into<String>) -> Self {
        self.events = events.into();
        self
    }
}

/// Which cloud, in words that leave no doubt.
pub(crate) fn cloud(name: &str) -> String {
    match name.split_once(':') {
        Some(("aws", region)) => format!("real AWS, region {region}"),
        _ if name == "local" => "the local cloud on this machine".to_owned(),
        _ => format!("the cloud “{name}”"),
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    problem: Problem,
}

/// A page, or the page of what went wrong.
pub(crate) fn respond<T: Template>(state: &AppState, made: Result<T, Failed>) -> Response {
    match made.and_then(|page| page.render().map_err(|error| unrendered(&error))) {
        Ok(html) => Html(html).into_response(),
        Err(failed) => error_page(state, failed),
    }
}

fn unrendered(error: &askama::Error) -> Failed {
    let help = "Look at the server's log; the API has the same data.";
    Failed::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the page cannot be made: {error}"), help)
}

pub(crate) fn error_page(state: &AppState, failed: Failed) -> Response {
    let Failed { status, problem } = failed;
    let title = if status == StatusCode::NOT_FOUND { "Not here" } else { "That did not work" };
    let page = ErrorPage { page: Page::new(state, "", title), status: status.as_u16(), problem };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (status, format!("{error}\n")).into_response(),
    }
}

/// After a form: back to a page, or the page of what went wrong.
pub(crate) fn after(state: &AppState, done: Result<String, Failed>) -> Response {
    match done {
        Ok(url) => Redirect::to(&url).into_response(),
        Err(failed) => error_page(state, failed),
    }
}

pub(crate) async fn not_found(State(state): State<AppState>, uri: Uri) -> Response {
    error_page(&state, Failed::not_found(format!("there is no page {}", uri.path())))
}

/// Ready HTML, made from fixed words and numbers alone.
pub(crate) type Markup = String;

/// A state as icon and word.
pub(crate) fn badge(state: NodeState) -> Markup {
    let name = state.as_str();
    format!("<span class=\"st s-{name}\">{}{}</span>", icon(name), words::word(state))
}

/// A state as icon alone; its word is for those who do not see it.
pub(crate) fn mark(state: NodeState) -> Markup {
    let name = state.as_str();
    format!("<span class=\"st s-{name}\">{}<span class=\"vh\">{}</span></span>", icon(name), words::word(state))
}

fn icon(name: &str) -> Markup {
    format!("<svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-{name}\"/></svg>")
}

/// When something was, kept fresh by a script.
pub(crate) fn time(at: Millis) -> Markup {
    let moment = words::moment(at, haliotis_engine::now());
    format!("<time datetime=\"{}\" title=\"{}\" data-ago>{}</time>", moment.iso, moment.full, moment.ago)
}

/// How long something took, or takes so far; the latter is kept fresh by a script.
pub(crate) fn took(from: Option<Millis>, to: Option<Millis>) -> Markup {
    match (from, to) {
        (Some(from), Some(to)) => words::duration(to.since(from)),
        (Some(from), None) => {
            let so_far = words::duration(haliotis_engine::now().since(from));
            format!("<span data-since=\"{}\">{so_far}</span>", from.0)
        }
        (None, _) => String::new(),
    }
}
