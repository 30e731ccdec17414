//! A file that a build kept, shown: text, JSON, tables, pictures, and HTML in a frame that can do nothing.
//!
//! What a build wrote is nobody's code here. A picture is an image to the browser; everything else is read on the server
//! and put into the page as text; HTML alone is shown as it is, in a frame with an origin of its own, without scripts,
//! without forms, without a single request. Model files are never loaded, only listed.

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use haliotis_model::BuildId;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::{Page, respond};
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Bytes of a file that are shown.
const SHOWN: u64 = 256 * 1024;
/// Rows and columns of a table that are shown.
const ROWS: usize = 200;
const COLUMNS: usize = 30;
/// The page's policy, with a frame of our own allowed.
const WITH_FRAME: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; frame-src 'self'";
/// What the content itself may do: show the pictures and styles it carries, and nothing else.
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox; \
    frame-ancestors 'self'";

#[derive(Deserialize)]
pub(crate) struct ArtifactQuery {
    path: String,
}

#[derive(Template)]
#[template(path = "artifact.html")]
struct ArtifactPage {
    page: Page,
    pipeline: String,
    pipeline_url: String,
    number: u32,
    build_url: String,
    path: String,
    size: String,
    digest: String,
    raw_url: String,
    download_url: String,
    shown: Content,
    /// Not all of it is shown.
    cut: bool,
}

/// How a file is shown.
enum Content {
    Text(String),
    Table { head: Vec<String>, rows: Vec<Vec<String>>, more: usize },
    Picture,
    Frame,
    Nothing(&'static str),
}

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Html,
    Json,
    Csv(char),
    Picture(&'static str),
    Unknown,
}

fn kind(path: &str) -> Kind {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "html" | "htm" => Kind::Html,
        "json" => Kind::Json,
        "csv" => Kind::Csv(','),
        "tsv" => Kind::Csv('\t'),
        "png" => Kind::Picture("image/png"),
        "jpg" | "jpeg" => Kind::Picture("image/jpeg"),
        "gif" => Kind::Picture("image/gif"),
        "webp" => Kind::Picture("image/webp"),
        "svg" => Kind::Picture("image/svg+xml"),
        _ => Kind::Unknown,
    }
}

pub(crate) fn view_url(build: BuildId, path: &str) -> String {
    format!("/builds/{build}/artifacts/view?path={}", words::part(path))
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<ArtifactQuery>,
) -> Response {
    let made = artifact_page(&state, BuildId(id), &query.path).await;
    let framed = made.as_ref().is_ok_and(|page| matches!(page.shown, Content::Frame));
    let mut response = respond(&state, made);
    if framed {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(WITH_FRAME));
    }
    response
}

async fn artifact_page(state: &AppState, id: BuildId, path: &str) -> Result<ArtifactPage, Failed> {
    let view = state.engine.view(id).await?;
    let info = state.artifacts.list(id).await?.into_iter().find(|info| info.path == path);
    let info = info.ok_or_else(|| Failed::not_found(format!("build {id} kept no file {path:?}")))?;
    let shown = content(state, id, path).await?;
    let part = words::part(path);
    Ok(ArtifactPage {
        page: Page::new(state, "pipelines", format!("{path} · {} #{}", view.build.pipeline, view.build.number)),
        pipeline_url: words::pipeline_url(&view.build.pipeline),
        pipeline: view.build.pipeline.clone(),
        number: view.build.number,
        build_url: words::build_url(id),
        cut: info.size > SHOWN && !matches!(shown, Content::Picture | Content::Frame | Content::Nothing(_)),
        size: words::bytes(info.size),
        digest: words::digest(&info.sha256).to_owned(),
        raw_url: format!("/builds/{id}/artifacts/raw?path={part}"),
        download_url: format!("/api/v1/builds/{id}/artifacts/content?path={part}"),
        path: info.path,
        shown,
    })
}

async fn content(state: &AppState, id: BuildId, path: &str) -> Result<Content, Failed> {
    let kind = kind(path);
    match kind {
        Kind::Picture(_) => return Ok(Content::Picture),
        Kind::Html => return Ok(Content::Frame),
        _ => {}
    }
    let opened = state.artifacts.open(id, path).await?;
    let whole = opened.size <= SHOWN;
    let mut bytes = Vec::new();
    let read = opened.reader.take(SHOWN).read_to_end(&mut bytes).await;
    read.map_err(|error| Failed::not_found(format!("{path} cannot be read: {error}")))?;
    if bytes.contains(&0) {
        return Ok(Content::Nothing("It is no text. Download it to look at it; nothing here opens it."));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match kind {
        Kind::Json if whole => {
            let pretty = serde_json::from_str::<serde_json::Value>(&text).ok();
            Content::Text(pretty.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or(text))
        }
        Kind::Csv(separator) => table(&text, separator),
        _ if text.is_empty() => Content::Nothing("It is empty."),
        _ => Content::Text(text),
    })
}

/// The first rows; the first one is the head when it holds no number.
fn table(text: &str, separator: char) -> Content {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut lines = text.lines();
    for line in lines.by_ref().take(ROWS + 1) {
        let mut cells = cells(line, separator);
        cells.truncate(COLUMNS);
        rows.push(cells);
    }
    let more = lines.count();
    let titled = rows.first().is_some_and(|row| row.iter().all(|cell| cell.parse::<f64>().is_err()));
    let head = if titled {
        rows.remove(0)
    } else {
        (1..=rows.first().map_or(0, Vec::len)).map(|at| format!("Column {at}")).collect()
    };
    Content::Table { head, rows, more }
}

/// Cells of one line; a quoted cell may hold the separator, and a doubled quote is one.
fn cells(line: &str, separator: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                cells.last_mut().map(|cell| cell.push('"')).unwrap_or_default();
            }
            '"' => quoted = !quoted,
            _ if sign == separator && !quoted => cells.push(String::new()),
            _ => cells.last_mut().map(|cell| cell.push(sign)).unwrap_or_default(),
        }
    }
    cells
}

/// The bytes, as a picture or a page in a frame; whatever they are, they run nothing and reach nothing.
pub(crate) async fn raw(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<ArtifactQuery>,
) -> Result<Response, Failed> {
    let body = state.artifacts.open(BuildId(id), &query.path).await?;
    let mime = match kind(&query.path) {
        Kind::Html => "text/html; charset=utf-8",
        Kind::Picture(mime) => mime,
        Kind::Json | Kind::Csv(_) | Kind::Unknown => "text/plain; charset=utf-8",
    };
    let headers = [
        (header::CONTENT_TYPE, mime.to_owned()),
        (header::CONTENT_LENGTH, body.size.to_string()),
        (header::CONTENT_SECURITY_POLICY, SANDBOX.to_owned()),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(body.reader))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_line() {
        assert_eq!(cells("a,\"b,\"\"c\"\"\",,d", ','), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(cells("", ','), [""]);
    }

    #[test]
    fn a_table_has_a_head_where_the_file_has_one() {
        let Content::Table { head, rows, more } = table("name,mse\na,1\nb,2\n", ',') else { panic!() };
        assert_eq!((head, rows.len(), more), (vec!["name".to_owned(), "mse".to_owned()], 2, 0));
        let long = "1,2\n".repeat(ROWS + 10);
        let Content::Table { head, rows, more } = table(&long, ',') else { panic!() };
        assert_eq!((head[1].as_str(), rows.len(), more), ("Column 2", ROWS + 1, 9));
    }

    #[test]
    fn kinds_by_name() {
        assert_eq!(
            (kind("a/b.HTML"), kind("x.svg"), kind("model.tar.gz")),
            (Kind::Html, Kind::Picture("image/svg+xml"), Kind::Unknown)
        );
    }
}
