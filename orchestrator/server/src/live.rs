//! Live streams: what changed, and what a step prints, as server-sent events.
//!
//! A stream of changes says only *that* something changed; the page then asks for itself again and swaps what differs.
//! So a lost event costs a moment, never a wrong page: on connecting, and whenever a follower lagged, one event is sent
//! in any case unless the browser's `Last-Event-ID` is the very turn the build stands at. A stream of a log has the byte
//! offset and the line as its id and goes on from there.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use haliotis_access::Permission;
use haliotis_engine::{BuildView, Changed};
use haliotis_model::{BuildId, StepKey};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{broadcast, watch};

use crate::access::{Need, Routes};
use crate::ansi::{self, Style};
use crate::edges;
use crate::error::Failed;
use crate::lines::{self, Wanted};
use crate::state::{AppState, OpenStream};

/// Changes of one moment are told once.
const GATHER: Duration = Duration::from_millis(150);
/// A proxy that closes silent connections waits longer than this.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Pause between two looks at a log that does not grow.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Bytes of one event of a log.
const PIECE: usize = 64 * 1024;
/// A page that is further behind is given the last lines instead of everything in between.
const BEHIND_MAX: u64 = 512 * 1024;
/// Lines given then.
const TAIL_LINES: u64 = 1000;

pub(crate) fn routes() -> Routes {
    let looks = Need::query_build(Permission::View);
    Routes::new().get("/events", looks, events).get("/live/log", looks, log)
}

/// What one stream of log is about.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LogQuery {
    /// The step's path.
    pub(crate) step: String,
    /// From 1; the last one when absent.
    pub(crate) attempt: Option<u32>,
    /// The byte to begin at.
    #[serde(default)]
    pub(crate) offset: u64,
    /// At most so many bytes, for a single read.
    pub(crate) limit: Option<usize>,
}

#[derive(Deserialize)]
struct EventsQuery {
    build: Option<i64>,
}

type Events = Sse<axum::response::sse::KeepAliveStream<std::pin::Pin<Box<dyn Stream<Item = Next> + Send>>>>;
type Next = Result<Event, Infallible>;

fn sse(stream: impl Stream<Item = Next> + Send + 'static) -> Events {
    let boxed: std::pin::Pin<Box<dyn Stream<Item = Next> + Send>> = Box::pin(stream);
    Sse::new(boxed).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// The stream of one page.
struct Watcher {
    state: AppState,
    build: Option<BuildId>,
    changes: broadcast::Receiver<Changed>,
    stop: watch::Receiver<bool>,
    /// The turn the page shows, where it said so.
    seen: Option<u64>,
    first: bool,
    _open: OpenStream,
}

async fn events(
    State(state): State<AppState>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Events, Failed> {
    let build = query.build.map(BuildId);
    if let Some(build) = build {
        state.engine.view(build).await?;
    }
    let watcher = Watcher {
        build,
        changes: state.engine.changes(),
        stop: state.stopping(),
        seen: last_id(&headers).and_then(|id| id.parse().ok()),
        first: true,
        _open: state.stream(),
        state,
    };
    Ok(sse(stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    })))
}

fn last_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id")?.to_str().ok()
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if !std::mem::take(&mut self.first) {
                self.change().await?;
            }
            let Some(build) = self.build else {
                return Some(Event::default().event("changed").data("{}"));
            };
            let view = self.state.engine.view(build).await.ok()?;
            if self.seen == Some(view.seq) {
                continue;
            }
            self.seen = Some(view.seq);
            let data = json!({ "build": build, "seq": view.seq, "status": view.status, "result": view.result });
            return Some(Event::default().event("changed").id(view.seq.to_string()).data(data.to_string()));
        }
    }

    /// Waits for a change that concerns the page, and for what follows at once. `None`: the server stops.
    async fn change(&mut self) -> Option<()> {
        if !next_change(&mut self.changes, &mut self.stop, self.build).await {
            return None;
        }
        tokio::time::sleep(GATHER).await;
        loop {
            match self.changes.try_recv() {
                Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return Some(()),
            }
        }
    }
}

/// `false`: the server stops.
async fn next_change(
    changes: &mut broadcast::Receiver<Changed>,
    stop: &mut watch::Receiver<bool>,
    build: Option<BuildId>,
) -> bool {
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            _ = stop.wait_for(|stop| *stop) => return false,
        };
        match change {
            Ok(changed) if build.is_none_or(|build| build == changed.build) => return true,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return true,
            Err(broadcast::error::RecvError::Closed) => return false,
        }
    }
}

/// The attempt to show: the one asked for, or the last.
pub(crate) fn attempt(view: &BuildView, step: &str, asked: Option<u32>) -> u32 {
    let last = view.nodes.iter().find(|node| node.id.as_str() == step).map_or(1, |node| node.attempt);
    asked.unwrap_or(last).max(1)
}

/// Nothing more will be printed by this attempt.
pub(crate) fn ended(view: &BuildView, key: &StepKey) -> bool {
    view.result.is_some()
        || view
            .nodes
            .iter()
            .find(|node| node.id == key.step)
            .is_some_and(|node| node.attempt > key.attempt || node.state.ended())
}

/// Follows one log to its end.
pub(crate) struct Follower {
    state: AppState,
    key: StepKey,
    offset: u64,
    changes: broadcast::Receiver<Changed>,
    stop: watch::Receiver<bool>,
    ended: bool,
    _open: OpenStream,
}

/// A look at a log that grew.
struct Grown {
    bytes: Vec<u8>,
    total: u64,
}

impl Follower {
    pub(crate) async fn new(state: AppState, key: StepKey, offset: u64) -> Result<Self, Failed> {
        let (changes, stop) = (state.engine.changes(), state.stopping());
        let view = state.engine.view(key.build).await?;
        let ended = ended(&view, &key);
        Ok(Self { key, offset, changes, stop, ended, _open: state.stream(), state })
    }

    /// Waits until there are bytes after `known`, bytes past the offset. `None`: the end.
    async fn grow(&mut self, known: usize) -> Option<Grown> {
        loop {
            let ended = self.ended;
            let chunk = self.state.logs.read(&self.key, self.offset, PIECE).await.ok()?;
            if chunk.bytes.len() > known {
                return Some(Grown { bytes: chunk.bytes, total: chunk.total });
            }
            // The step had ended before this look, so there is nothing more to come.
            if ended {
                return None;
            }
            self.look_again().await?;
        }
    }

    async fn look_again(&mut self) -> Option<()> {
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            going_on = next_change(&mut self.changes, &mut self.stop, Some(self.key.build)) => {
                if !going_on {
                    return None;
                }
                let view = self.state.engine.view(self.key.build).await.ok()?;
                self.ended = ended(&view, &self.key);
            }
        }
        Some(())
    }
}

/// The bytes of a log as JSON events, for programs.
pub(crate) fn bytes_events(follower: Follower) -> Events {
    sse(stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        let Some(grown) = follower.grow(0).await else {
            let end = Event::default().event("end").data(json!({ "offset": follower.offset }).to_string());
            return Some((Ok(end), None));
        };
        let (text, used) = whole_text(&grown.bytes, !follower.ended);
        if used == 0 {
            // Part of one character; it is whole in a moment.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let data = json!({ "offset": follower.offset, "next": follower.offset + used as u64, "total": grown.total,
            "text": text });
        follower.offset += used as u64;
        let event = Event::default().id(follower.offset.to_string()).data(data.to_string());
        Some((Ok(event), Some(follower)))
    }))
}

/// As much of `bytes` as ends with a whole character; all of it when nothing more comes.
pub(crate) fn whole_text(bytes: &[u8], more_comes: bool) -> (String, usize) {
    let used = match std::str::from_utf8(bytes) {
        Err(error) if more_comes && error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    (String::from_utf8_lossy(&bytes[..used]).into_owned(), used)
}

#[derive(Deserialize)]
struct PageLog {
    build: i64,
    step: String,
    attempt: u32,
    #[serde(default)]
    offset: u64,
    #[serde(default = "first_line")]
    line: u64,
}

fn first_line() -> u64 {
    1
}

/// The rendered lines of a log, for the page.
struct Painter {
    follower: Follower,
    line: u64,
    style: Style,
    /// Bytes of the unfinished line already sent.
    partial: usize,
    ready: VecDeque<Event>,
    done: bool,
}

async fn log(
    State(state): State<AppState>,
    Query(query): Query<PageLog>,
    headers: HeaderMap,
) -> Result<Events, Failed> {
    let resumed = last_id(&headers).and_then(|id| id.split_once(':'));
    let resumed = resumed.and_then(|(offset, line)| Some((offset.parse().ok()?, line.parse().ok()?)));
    let (offset, line) = resumed.unwrap_or((query.offset, query.line));
    let key = edges::key(BuildId(query.build), &query.step, query.attempt);
    let follower = Follower::new(state, key, offset).await?;
    let painter = Painter { follower, line, style: Style::default(), partial: 0, ready: VecDeque::new(), done: false };
    Ok(sse(stream::unfold(painter, |mut painter| async move {
        let event = painter.next().await?;
        Some((Ok(event), painter))
    })))
}

impl Painter {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.done {
                return None;
            }
            match self.follower.grow(self.partial).await {
                Some(grown) if grown.total.saturating_sub(self.follower.offset) > BEHIND_MAX => self.jump().await?,
                Some(grown) => self.paint(&grown.bytes),
                None => self.finish().await,
            }
        }
    }

    /// Too far behind: the last lines instead of all between.
    async fn jump(&mut self) -> Option<()> {
        let state = &self.follower.state;
        let wanted = Wanted { first: None, count: TAIL_LINES, grows: true };
        let window = lines::window(&state.own.indexes, state.logs.as_ref(), &self.follower.key, wanted).await.ok()?;
        let first = window.lines.first().map_or(window.next_line, |line| line.number);
        let html: Vec<_> = window.lines.into_iter().map(|line| line.html).collect();
        // A single line may be larger than a window; then there is nothing to jump to, and it is sent piece by piece.
        if window.next_offset <= self.follower.offset {
            self.follower.offset = window.total.saturating_sub(BEHIND_MAX / 2);
        } else {
            self.follower.offset = window.next_offset;
            self.line = window.next_line;
        }
        self.partial = 0;
        let data = json!({ "skipped": true, "first": first, "lines": html, "partial": "" });
        self.ready.push_back(self.event(&data));
        Some(())
    }

    fn paint(&mut self, bytes: &[u8]) {
        let mut html = Vec::new();
        let mut used = 0;
        for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !raw.ends_with(b"\n") && raw.len() < PIECE {
                break;
            }
            html.push(ansi::line(raw.strip_suffix(b"\n").unwrap_or(raw), &mut self.style));
            used += raw.len();
        }
        let rest = &bytes[used..];
        let mut ahead = self.style;
        let at = haliotis_engine::now();
        let data = json!({ "first": self.line, "lines": html, "partial": ansi::line(rest, &mut ahead), "at": at });
        self.partial = rest.len();
        self.line += html.len() as u64;
        self.follower.offset += used as u64;
        self.ready.push_back(self.event(&data));
    }

    /// The unfinished last line is a line now.
    async fn finish(&mut self) {
        self.done = true;
        if self.partial > 0
            && let Ok(rest) = self.follower.state.logs.read(&self.follower.key, self.follower.offset, PIECE).await
        {
            let html = vec![ansi::line(&rest.bytes, &mut self.style)];
            self.follower.offset += rest.bytes.len() as u64;
            let data = json!({ "first": self.line, "lines": html, "partial": "" });
            self.line += 1;
            self.ready.push_back(self.event(&data));
        }
        self.ready.push_back(Event::default().event("end").data("{}"));
    }

    fn event(&self, data: &serde_json::Value) -> Event {
        Event::default().event("lines").id(format!("{}:{}", self.follower.offset, self.line)).data(data.to_string())
    }
}

/// One read of a log, for programs.
pub(crate) async fn read(state: &AppState, build: BuildId, query: &LogQuery) -> Result<Json<LogPiece>, Failed> {
    const LIMIT_MAX: usize = 1 << 20;
    let view = state.engine.view(build).await?;
    let key = edges::key(build, &query.step, attempt(&view, &query.step, query.attempt));
    let ended = ended(&view, &key);
    let limit = query.limit.unwrap_or(PIECE).clamp(4, LIMIT_MAX);
    let chunk = state.logs.read(&key, query.offset, limit).await?;
    let at_end = query.offset + chunk.bytes.len() as u64 >= chunk.total;
    let (text, used) = whole_text(&chunk.bytes, !(ended && at_end));
    let next = query.offset + used as u64;
    let (attempt, total) = (key.attempt, chunk.total);
    Ok(Json(LogPiece { attempt, offset: query.offset, next, total, ended: ended && next >= total, text }))
}

/// A piece of a log.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct LogPiece {
    /// The attempt it is of.
    attempt: u32,
    /// The first byte.
    offset: u64,
    /// Ask from here next.
    next: u64,
    /// Bytes there are by now.
    total: u64,
    /// Nothing comes after `next`.
    ended: bool,
    /// The text; bytes that are no UTF-8 are replaced. The raw log has them as they are.
    text: String,
}
