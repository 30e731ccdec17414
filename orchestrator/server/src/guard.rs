//! What stands before every route: which hosts and origins may speak to us, and what a browser may do with the answer.
//!
//! A page of another site can make a browser send requests to loopback. Three things stop it: a foreign `Host` is
//! refused (DNS rebinding), a change from another origin is refused (`Origin`, `Sec-Fetch-Site`), and no GET changes
//! anything. Answers carry a policy that lets no inline or foreign script run and nobody frame the page.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use url::Url;

use crate::access::Caller;
use crate::error::Failed;
use crate::state::AppState;

/// No inline script or style, nothing foreign, no frame around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes behind the guards.
pub(crate) fn wrap(routes: Router, state: AppState) -> Router {
    routes
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state, check))
}

async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    state.own.requests.fetch_add(1, Ordering::Relaxed);
    let verdict = host_allowed(&state, &request).and_then(|()| origin_allowed(&state, &request));
    let mut response = match verdict {
        Ok(()) => {
            let (mut parts, body) = request.into_parts();
            let caller = state.access.admit(&state.config, &parts).await;
            match too_much(&state, &caller, &parts) {
                None => {
                    parts.extensions.insert(caller);
                    parts.extensions.insert(state.clone());
                    next.run(Request::from_parts(parts, body)).await
                }
                Some(refused) => refused,
            }
        }
        Err(failed) => failed.into_response(),
    };
    harden(response.headers_mut());
    crate::jenkins::mark(&state, &mut response);
    response
}

/// The answer to a client who asks for too much.
fn too_much(state: &AppState, caller: &Caller, parts: &Parts) -> Option<Response> {
    if state.config.dev {
        return None;
    }
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let (client, rate) = match (caller.known(), address) {
        (true, _) => (format!("@{}", caller.name), state.rates.known),
        (false, Some(address)) => (address.to_string(), state.rates.unknown),
        (false, None) => return None,
    };
    let seconds = state.own.buckets.take(&client, rate, Instant::now()).err()?;
    let message = "this client asks for more than one client may";
    let help = format!("Ask again in {seconds} s; look at what changed with a live stream rather than in a loop.");
    let failed = Failed::new(StatusCode::TOO_MANY_REQUESTS, "rate", message, help);
    let mut response = failed.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

/// Headers that every answer carries. An answer may bring a stricter policy of its own.
fn harden(headers: &mut HeaderMap) {
    const FIXED: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in FIXED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let what = panic.downcast_ref::<&str>().map(ToString::to_string);
    let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(what, "a handler panicked; the server goes on");
    Failed::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "this page or call went wrong inside the server",
        "Look at the server's log; builds are not touched.",
    )
    .into_response()
}

fn host_allowed(state: &AppState, request: &Request) -> Result<(), Failed> {
    let named = request.uri().authority().map(ToString::to_string);
    let named = named.or_else(|| text(request.headers(), &header::HOST).map(str::to_owned));
    let Some(authority) = named else { return Ok(()) };
    if own_host(state, host_of(&authority)) {
        return Ok(());
    }
    Err(Failed::new(
        StatusCode::MISDIRECTED_REQUEST,
        "host",
        format!("this server does not answer for the host {authority:?}"),
        format!("Use {}, or start the server with the base URL that people use.", state.config.base_url),
    ))
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or("");
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

fn own_host(state: &AppState, host: &str) -> bool {
    let base = Url::parse(&state.config.base_url).ok();
    let base_host = base.as_ref().and_then(Url::host_str).unwrap_or("");
    let listen = state.config.listen.ip();
    let listens_here = !listen.is_unspecified() && host.parse() == Ok(listen);
    matches!(host, "localhost" | "127.0.0.1" | "::1") || host.eq_ignore_ascii_case(base_host) || listens_here
}

fn origin_allowed(state: &AppState, request: &Request) -> Result<(), Failed> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let headers = request.headers();
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    let site_is_ours = matches!(site, None | Some("same-origin" | "none"));
    let origin_is_ours = match text(headers, &header::ORIGIN) {
        None => true,
        Some(origin) => same_origin(state, headers, origin),
    };
    if site_is_ours && origin_is_ours {
        return Ok(());
    }
    Err(Failed::new(
        StatusCode::FORBIDDEN,
        "cross-site",
        "a change that another site asks for is refused",
        "Send it from this server's own pages, or from a program that sends no Origin.",
    ))
}

/// The origin is the very authority the request was sent to, or the base URL's.
fn same_origin(state: &AppState, headers: &HeaderMap, origin: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let base = Url::parse(&state.config.base_url).ok();
    if base.is_some_and(|base| base.origin() == origin.origin()) {
        return true;
    }
    let host = text(headers, &header::HOST).unwrap_or("");
    let sent_to = Url::parse(&format!("{}://{host}", origin.scheme())).ok();
    sent_to.is_some_and(|sent_to| sent_to.origin() == origin.origin())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // A value that is no text can be nobody's of ours; it must not count as absent.
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn the_port_is_no_part_of_the_host() {
        for (authority, host) in [
            ("127.0.0.1:8080", "127.0.0.1"),
            ("localhost", "localhost"),
            ("[::1]:8080", "::1"),
            ("evil.example:80", "evil.example"),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }
}
