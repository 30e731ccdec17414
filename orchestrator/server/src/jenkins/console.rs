//! A build's console: one text over all its steps, as Jenkins has it.
//!
//! Wanted: bytes once shown at an offset never change, though steps run side by side. So the text is made in the order of
//! the journal, which only grows: each turn says its lines, and a step's whole log stands where the step began. While a step
//! runs, the console ends with what it has printed so far; what began after it is shown when it has ended.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use haliotis_engine::{Mark, Turn};
use haliotis_flow::{BlockKind, Command, Event};
use haliotis_model::{BuildId, Call as StepCall, Cause, Decision, NewBuild, StepId, StepKey};

use super::build::Target;
use super::call::{Call, Pairs};
use super::history::result_word;
use crate::error::Failed;
use crate::state::AppState;

/// The language whose builds say every line of Jenkins' console themselves.
const NARRATED: &str = "jenkinsfile";
/// Bytes of one progressive answer; the rest comes with the next.
const ANSWER_MAX: u64 = 4 << 20;
/// Bytes of one read.
const CHUNK: usize = 1 << 20;

/// A part of the console.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Log { key: StepKey, ended: bool },
}

/// The console as it stands: parts with their sizes, and whether more will come.
struct Console {
    parts: Vec<(Piece, u64)>,
    total: u64,
    more: bool,
}

async fn console(state: &AppState, id: BuildId) -> Result<Console, Failed> {
    let (build, turns) = state.engine.journal(id).await?;
    let (pieces, done) = pieces(id, &build, &turns);
    let mut console = Console { parts: Vec::new(), total: 0, more: !done };
    for piece in pieces {
        let (size, open) = match &piece {
            Piece::Text(text) => (text.len() as u64, false),
            Piece::Log { key, ended } => (state.logs.read(key, 0, 1).await?.total, !ended),
        };
        console.total += size;
        let broken = ends_without_line(state, &piece, size).await?;
        console.parts.push((piece, size));
        if open {
            break;
        }
        if broken {
            console.parts.push((Piece::Text("\n".to_owned()), 1));
            console.total += 1;
        }
    }
    Ok(console)
}

/// The log of a step that ended in the middle of a line.
async fn ends_without_line(state: &AppState, piece: &Piece, size: u64) -> Result<bool, Failed> {
    match piece {
        Piece::Log { key, ended: true } if size > 0 => Ok(state.logs.read(key, size - 1, 1).await?.bytes != b"\n"),
        _ => Ok(false),
    }
}

impl Console {
    /// Bytes from an offset, at most so many.
    async fn read(&self, state: &AppState, from: u64, limit: u64) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        let mut at = 0_u64;
        for (piece, size) in &self.parts {
            let end = at + size;
            while from + (bytes.len() as u64) < end && (bytes.len() as u64) < limit {
                let offset = (from + bytes.len() as u64).saturating_sub(at);
                let wanted = (size - offset).min(limit - bytes.len() as u64);
                let part = read(state, piece, offset, usize::try_from(wanted).unwrap_or(CHUNK).min(CHUNK)).await?;
                if part.is_empty() {
                    return Ok(bytes);
                }
                bytes.extend(part);
            }
            at = end;
        }
        Ok(bytes)
    }
}

async fn read(state: &AppState, piece: &Piece, offset: u64, limit: usize) -> Result<Vec<u8>, Failed> {
    match piece {
        Piece::Text(text) => {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
            let to = from.saturating_add(limit).min(text.len());
            Ok(text.as_bytes().get(from..to).unwrap_or_default().to_vec())
        }
        Piece::Log { key, .. } => Ok(state.logs.read(key, offset, limit).await?.bytes),
    }
}

/// `consoleText`: all of it.
pub(crate) async fn whole(call: &Call, target: &Target) -> Result<Response, Failed> {
    let console = console(&call.state, target.build.id).await?;
    let state = call.state.clone();
    let bytes = stream::try_unfold((state, console, 0_u64), |(state, console, at)| async move {
        let chunk =
            console.read(&state, at, CHUNK as u64).await.map_err(|f| std::io::Error::other(f.problem.message))?;
        if chunk.is_empty() {
            return Ok::<_, std::io::Error>(None);
        }
        let next = at + chunk.len() as u64;
        Ok(Some((Bytes::from(chunk), (state, console, next))))
    });
    Ok(([(header::CONTENT_TYPE, "text/plain;charset=utf-8")], Body::from_stream(bytes)).into_response())
}

/// `logText/progressiveText` and `progressiveHtml`.
pub(crate) async fn progressive(call: &Call, target: &Target, html: bool) -> Result<Response, Failed> {
    const SIZE: HeaderName = HeaderName::from_static("x-text-size");
    const MORE: HeaderName = HeaderName::from_static("x-more-data");
    const ANNOTATOR: HeaderName = HeaderName::from_static("x-consoleannotator");
    let console = console(&call.state, target.build.id).await?;
    let from = start(&call.query, &call.form, console.total);
    let bytes = console.read(&call.state, from, ANSWER_MAX).await?;
    let next = from + bytes.len() as u64;
    let (kind, body) = if html {
        ("text/html;charset=utf-8", escaped(&String::from_utf8_lossy(&bytes)).into_bytes())
    } else {
        ("text/plain;charset=utf-8", bytes)
    };
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(SIZE, HeaderValue::from(next));
    if console.more || next < console.total {
        headers.insert(MORE, HeaderValue::from_static("true"));
    }
    if html {
        headers.insert(ANNOTATOR, HeaderValue::from_static("none"));
    }
    Ok(response)
}

/// Where to begin: a negative number counts from the end, one beyond it begins anew.
fn start(query: &Pairs, form: &Pairs, total: u64) -> u64 {
    let asked = query.get("start").or_else(|| form.get("start")).and_then(|start| start.trim().parse::<i64>().ok());
    match asked.unwrap_or(0) {
        back if back < 0 => total.saturating_sub(back.unsigned_abs()),
        from => Some(from.unsigned_abs()).filter(|from| *from <= total).unwrap_or(0),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The parts a journal says, and whether the build has ended.
fn pieces(id: BuildId, build: &NewBuild, turns: &[Turn]) -> (Vec<Piece>, bool) {
    let mut teller = Teller {
        id,
        narrates: build.source.language != NARRATED,
        calls: BTreeMap::new(),
        open: BTreeMap::new(),
        pieces: Vec::new(),
        names: BTreeMap::new(),
    };
    for cause in &build.causes {
        teller.tell(&started(cause));
    }
    let mut done = false;
    for turn in turns {
        for event in &turn.events {
            teller.event(event);
        }
        for command in &turn.commands {
            done |= matches!(command, Command::Finish { .. });
            teller.command(command);
        }
        for mark in &turn.marks {
            if let Mark::Granted { id, attempt, .. } = mark {
                teller.begin(id, *attempt);
            }
        }
    }
    if done {
        for piece in &mut teller.pieces {
            if let Piece::Log { ended, .. } = piece {
                *ended = true;
            }
        }
    }
    (teller.pieces, done)
}

fn started(cause: &Cause) -> String {
    match cause {
        Cause::User { by } => format!("Started by user {by}"),
        Cause::Cron { .. } => "Started by timer".to_owned(),
        Cause::Upstream { pipeline, number } => {
            format!("Started by upstream project \"{pipeline}\" build number {number}")
        }
        other => crate::words::cause(other),
    }
}

struct Teller {
    id: BuildId,
    narrates: bool,
    /// Steps wanted and not begun.
    calls: BTreeMap<StepId, StepCall>,
    /// Steps begun and not ended: where their log stands.
    open: BTreeMap<StepId, usize>,
    names: BTreeMap<StepId, String>,
    pieces: Vec<Piece>,
}

impl Teller {
    /// A line of ours about the build. A language that tells its builds itself, as Jenkins does, needs none.
    fn tell(&mut self, line: &str) {
        if self.narrates {
            self.say(line);
        }
    }

    fn say(&mut self, line: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => {
                text.push_str(line);
                text.push('\n');
            }
            _ => self.pieces.push(Piece::Text(format!("{line}\n"))),
        }
    }

    fn begin(&mut self, step: &StepId, attempt: u32) {
        let Some(call) = self.calls.remove(step) else { return };
        let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        self.tell(&format!("[Pipeline] {} ({}){again}", call.uses, step.name()));
        self.open.insert(step.clone(), self.pieces.len());
        let key = StepKey { build: self.id, step: step.clone(), attempt };
        self.pieces.push(Piece::Log { key, ended: false });
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Begun => self.tell("[Pipeline] Start of Pipeline"),
            Event::StepEnded { id, output } => {
                self.calls.remove(id);
                if let Some(Piece::Log { ended, .. }) = self.open.remove(id).and_then(|at| self.pieces.get_mut(at)) {
                    *ended = true;
                }
                if let Some(message) = &output.message {
                    self.tell(&format!("ERROR: {message}"));
                }
            }
            Event::InputAnswered { answer, .. } => match answer.decision {
                Decision::Approved => self.tell(&format!("Approved by {}", answer.by)),
                Decision::Rejected => self.tell(&format!("Rejected by {}", answer.by)),
            },
            Event::AbortRequested { by, .. } => self.tell(&format!("Aborted by {by}")),
            Event::TimerFired { .. } | Event::AgentLeased { .. } => {}
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::StartStep(call) => {
                let (id, attempt, at_once) =
                    (call.id.clone(), call.attempt, call.slot.is_none() || call.lease.is_some());
                self.calls.insert(id.clone(), call.clone());
                if at_once {
                    self.begin(&id, attempt);
                }
            }
            Command::AskInput { input, .. } => {
                self.tell(&input.message);
                self.tell(&format!("{} or Abort", input.ok));
            }
            Command::OpenBlock { id, name, kind } => {
                self.names.insert(id.clone(), name.clone());
                let word = if *kind == BlockKind::Stage { "stage" } else { "block" };
                self.tell(&format!("[Pipeline] {word}\n[Pipeline] {{ ({name})"));
            }
            Command::CloseBlock { id, .. } => {
                let name = self.names.remove(id).unwrap_or_default();
                self.tell(&format!("[Pipeline] }} // {name}"));
            }
            Command::Skip { id, why } => self.tell(&format!("Skipped {}: {why}", id.name())),
            Command::Say { text } => self.say(text),
            Command::Finish { result, message } => {
                self.tell("[Pipeline] End of Pipeline");
                if let Some(message) = message {
                    self.tell(&format!("ERROR: {message}"));
                }
                self.tell(&format!("Finished: {}", result_word(*result)));
            }
            Command::CancelStep { .. }
            | Command::StartTimer { .. }
            | Command::CancelTimer { .. }
            | Command::LeaseAgent { .. }
            | Command::ReleaseAgent { .. }
            | Command::WithdrawInput { .. } => {}
        }
    }
}
