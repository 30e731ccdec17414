//! `/badge/PIPELINE.svg`: how a pipeline stands, as a picture for a README.

use axum::extract::State;
use axum::http::{Method, Uri, header};
use axum::response::{IntoResponse, Response};
use haliotis_access::Permission;
use haliotis_engine::{BuildFilter, NodeState};
use percent_encoding::percent_decode_str;

use crate::access::Asked;
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Width of a character at 11 px, near enough for the letters there are.
const LETTER: usize = 7;
/// A longer name is cut, so that a badge stays a badge.
const NAME_MAX: usize = 40;

/// A badge is its pipeline's.
pub(crate) fn need(_: &Method, path: &str) -> Asked {
    Asked::Pipeline(Permission::View, pipeline(path))
}

/// The pipeline a badge's path names.
fn pipeline(path: &str) -> String {
    let name = path.strip_prefix("/badge/").unwrap_or(path);
    let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
    name.strip_suffix(".svg").map(str::to_owned).unwrap_or(name)
}

pub(crate) async fn show(State(state): State<AppState>, uri: Uri) -> Result<Response, Failed> {
    let name = pipeline(uri.path());
    if state.catalog.pipeline(&name).await?.is_none() {
        return Err(Failed::not_found(format!("there is no pipeline named {name:?}")));
    }
    let filter = BuildFilter { pipeline: Some(name.clone()), limit: 1, ..BuildFilter::default() };
    let last = state.catalog.builds(&filter).await?.first().map(words::state_of);
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-cache, max-age=0")];
    Ok((headers, draw(&name, last)).into_response())
}

fn draw(name: &str, state: Option<NodeState>) -> String {
    let word = state.map_or("never built", words::word).to_lowercase();
    // Dark enough for white letters.
    let colour = match state {
        Some(NodeState::Success) => "#0f7a5a",
        Some(NodeState::Failure | NodeState::Interrupted) => "#b3261e",
        Some(NodeState::Unstable) => "#8f5b00",
        Some(NodeState::Running | NodeState::Queued) => "#1a66b8",
        Some(NodeState::Waiting) => "#6244b0",
        _ => "#586870",
    };
    let name: String = name.chars().take(NAME_MAX).collect();
    let (left, right) = (name.chars().count() * LETTER + 14, word.len() * LETTER + 14);
    let width = left + right;
    let (name_at, word_at) = (left / 2, left + right / 2);
    let name = escaped(&name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\" aria-label=\"{name}: {word}\">\
         <title>{name}: {word}</title><clipPath id=\"r\"><rect width=\"{width}\" height=\"20\" rx=\"4\"/></clipPath>\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#16232a\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/></g>\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"{name_at}\" y=\"14\">{name}</text><text x=\"{word_at}\" y=\"14\">{word}</text></g></svg>\n"
    )
}

/// Text inside markup; what no XML may hold is dropped.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for sign in text.chars() {
        match sign {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            sign if sign.is_control() => {}
            sign => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_says_name_and_state_and_runs_nothing() {
        assert_eq!(pipeline("/badge/team%2Ftrain.svg"), "team/train");
        let svg = draw("a<script>\"", Some(NodeState::Failure));
        assert!(svg.contains("a&lt;script&gt;&quot;: failed") && !svg.contains("<script"), "{svg}");
        assert!(draw("x", None).contains("never built"));
    }
}
