//! Pipelines that somebody wants on top, kept in a cookie: they are the reader's, not the server's.

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::state::AppState;
use crate::words;

/// The cookie's name.
const COOKIE: &str = "haliotis_favourites";
/// A cookie holds some 4,000 bytes; so many names are favourites, more are a list.
const MOST: usize = 40;
const BYTES: usize = 3_500;
/// Seconds it is kept: a year.
const KEPT: u32 = 365 * 24 * 3600;

/// The names, in the order they were chosen.
pub(super) fn of(headers: &HeaderMap) -> Vec<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let list = pairs.find(|(name, _)| *name == COOKIE).map_or("", |(_, value)| value);
    let names = list.split('.').filter(|name| !name.is_empty());
    names.map(|name| percent_decode_str(&name.replace('!', "%")).decode_utf8_lossy().into_owned()).take(MOST).collect()
}

#[derive(Deserialize)]
pub(crate) struct Star {
    pipeline: String,
    /// Empty: not a favourite any more.
    #[serde(default)]
    on: String,
}

/// Sets or removes one, and shows the list again.
pub(crate) async fn set(State(state): State<AppState>, headers: HeaderMap, Form(star): Form<Star>) -> Response {
    let mut names = of(&headers);
    names.retain(|name| *name != star.pipeline);
    if !star.on.is_empty() && names.len() < MOST {
        names.push(star.pipeline);
    }
    let mut response = Redirect::to("/#pipelines-title").into_response();
    let secure = if state.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    let text = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={KEPT}{secure}", list(&names));
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// As a cookie may hold it: letters, digits and a few signs; `.` parts names, `!` stands for `%`.
fn list(names: &[String]) -> String {
    let mut list = String::new();
    for name in names {
        let name = words::part(name).replace('.', "%2E").replace('!', "%21").replace('%', "!");
        if list.len() + name.len() < BYTES {
            list.push_str(&name);
            list.push('.');
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_survives_the_cookie() {
        let names: Vec<String> = ["a/b.c", "ü; x=y", "100 %!", "plain"].map(str::to_owned).to_vec();
        let mut headers = HeaderMap::new();
        let text = format!("other=1; {COOKIE}={}", list(&names));
        assert!(!list(&names).contains([';', ' ', ',', '"']));
        headers.insert(header::COOKIE, HeaderValue::from_str(&text).unwrap());
        assert_eq!(of(&headers), names);
    }
}
