//! A router in which no route is without a need.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn;
use axum::routing::{self, MethodRouter};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::need::{self, Need};
use crate::state::AppState;

/// One row of the table of all routes.
#[derive(Clone, Debug)]
pub struct Listed {
    /// `GET` and so on; `None`: any.
    pub method: Option<Method>,
    /// As `/pipelines/{name}`.
    pub path: String,
    /// What it needs.
    pub need: Need,
}

/// Routes with their needs. The router inside cannot be reached, so nothing gets in but through these functions.
pub(crate) struct Routes {
    router: OpenApiRouter<AppState>,
    table: Vec<Listed>,
}

impl Routes {
    /// None.
    pub(crate) fn new() -> Self {
        Self { router: OpenApiRouter::default(), table: Vec::new() }
    }

    /// None, with the head of an OpenAPI document.
    pub(crate) fn with_document(document: OpenApi) -> Self {
        Self { router: OpenApiRouter::with_openapi(document), table: Vec::new() }
    }

    /// `GET` and `HEAD`.
    pub(crate) fn get<H: Handler<T, AppState>, T: 'static>(self, path: &str, need: Need, handler: H) -> Self {
        self.add(Some(Method::GET), path, need, routing::get(handler))
    }

    /// `POST`.
    pub(crate) fn post<H: Handler<T, AppState>, T: 'static>(self, path: &str, need: Need, handler: H) -> Self {
        self.add(Some(Method::POST), path, need, routing::post(handler))
    }

    /// `PUT`.
    #[expect(dead_code, reason = "the set is whole, so that nobody goes around it for a method that is missing")]
    pub(crate) fn put<H: Handler<T, AppState>, T: 'static>(self, path: &str, need: Need, handler: H) -> Self {
        self.add(Some(Method::PUT), path, need, routing::put(handler))
    }

    /// `DELETE`.
    #[expect(dead_code, reason = "the set is whole, so that nobody goes around it for a method that is missing")]
    pub(crate) fn delete<H: Handler<T, AppState>, T: 'static>(self, path: &str, need: Need, handler: H) -> Self {
        self.add(Some(Method::DELETE), path, need, routing::delete(handler))
    }

    /// Every method; the handler looks at it.
    pub(crate) fn any<H: Handler<T, AppState>, T: 'static>(self, path: &str, need: Need, handler: H) -> Self {
        self.add(None, path, need, Any(routing::any(handler)))
    }

    /// Routes of the OpenAPI document, all with one need: `documented(need, routes!(handler))`.
    pub(crate) fn documented(mut self, need: Need, routes: UtoipaMethodRouter<AppState>) -> Self {
        let (schemas, paths, methods) = routes;
        for (path, item) in &paths.paths {
            let methods = methods_of(item).into_iter();
            self.table.extend(methods.map(|method| Listed { method: Some(method), path: path.clone(), need }));
        }
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let router = self.router.routes((schemas, paths, methods.guarded(need)));
        self.router = router;
        self
    }

    /// Both.
    pub(crate) fn merge(mut self, other: Routes) -> Self {
        self.table.extend(other.table);
        self.router = self.router.merge(other.router);
        self
    }

    /// Bodies of all routes so far may have so many bytes.
    pub(crate) fn body_limit(mut self, bytes: usize) -> Self {
        self.router = self.router.layer(DefaultBodyLimit::max(bytes));
        self
    }

    /// The table of all routes.
    pub(crate) fn table(&self) -> Vec<Listed> {
        self.table.clone()
    }

    /// The router and its document. What no route takes goes to `fallback`, which needs nothing.
    pub(crate) fn finish<H: Handler<T, AppState>, T: 'static>(self, fallback: H) -> (Router<AppState>, OpenApi) {
        let (router, document) = self.router.split_for_parts();
        let public = Need::public("what is not there");
        let fallback = Any(routing::any(fallback)).guarded(public);
        (router.fallback(fallback), document)
    }

    fn add(mut self, method: Option<Method>, path: &str, need: Need, methods: impl Guarded) -> Self {
        self.table.push(Listed { method, path: path.to_owned(), need });
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let router = self.router.route(path, methods.guarded(need));
        self.router = router;
        self
    }
}

/// A method router behind its need.
trait Guarded {
    fn guarded(self, need: Need) -> MethodRouter<AppState>;
}

/// With methods of its own; another method is answered 405 unasked.
impl Guarded for MethodRouter<AppState> {
    fn guarded(self, need: Need) -> MethodRouter<AppState> {
        self.route_layer(from_fn(move |request, next| need::check(need, request, next)))
    }
}

/// For every method, which to axum is a router that has none and falls back.
struct Any(MethodRouter<AppState>);

impl Guarded for Any {
    fn guarded(self, need: Need) -> MethodRouter<AppState> {
        self.0.layer(from_fn(move |request, next| need::check(need, request, next)))
    }
}

fn methods_of(item: &PathItem) -> Vec<Method> {
    let all = [
        (item.get.is_some(), Method::GET),
        (item.put.is_some(), Method::PUT),
        (item.post.is_some(), Method::POST),
        (item.delete.is_some(), Method::DELETE),
        (item.patch.is_some(), Method::PATCH),
    ];
    all.into_iter().filter_map(|(there, method)| there.then_some(method)).collect()
}
