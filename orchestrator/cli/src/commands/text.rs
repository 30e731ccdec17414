//! A build's console as text, in the order of its journal: what the program says, and what its steps print in between.
//! This is how a Jenkinsfile's run looks in a terminal.
//!
//! Steps beside each other mix by whole lines; a step's output is complete before the line that follows its end.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use haliotis_engine::{AuditEntry, BuildView, now};
use haliotis_engine::{InputView, RefusedAnswer};
use haliotis_flow::{Command, Event};
use haliotis_model::{Answer, BuildId, Decision, Object, StepId, StepKey};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::context::Context;
use crate::failure::Failure;

/// How often the console looks for more while a step works.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Most bytes of a log read at once.
const CHUNK: u64 = 1 << 20;

/// What to do with questions.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Every question is answered with yes.
    pub yes: bool,
    /// By Jenkins' id of the question, or its path: `proceed` or `abort`.
    pub by_id: Vec<(String, Decision)>,
}

impl Answers {
    fn of(&self, input: &InputView) -> Option<Decision> {
        let id = input.input.binds.get("id").and_then(|id| id.as_str()).unwrap_or_default();
        let path = input.id.as_str().trim_start_matches('/');
        let named = self.by_id.iter().find(|(known, _)| {
            known.eq_ignore_ascii_case(id) || known.trim_start_matches('/') == path || *known == input.input.message
        });
        named.map(|(_, decision)| *decision).or(self.yes.then_some(Decision::Approved))
    }
}

/// A build's console being followed.
pub struct Console {
    app: Arc<App>,
    build: BuildId,
    answers: Answers,
    /// To standard error instead, where standard output belongs to the result.
    aside: bool,
    seen: usize,
    open: BTreeMap<StepId, (StepKey, u64)>,
}

impl Console {
    /// Follows a build of an app.
    pub fn new(app: Arc<App>, build: BuildId, answers: Answers, aside: bool) -> Self {
        Self { app, build, answers, aside, seen: 0, open: BTreeMap::new() }
    }

    /// To the build's end. Ctrl-C asks the build to stop; a second one leaves at once.
    pub async fn follow(mut self, ctx: &Context) -> Result<BuildView, Failure> {
        let mut changes = self.app.engine.changes();
        // One for all pictures: a Ctrl-C while one is made counts after it.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut interrupts = 0;
        loop {
            let view = self.app.engine.view(self.build).await?;
            self.turns().await?;
            if view.result.is_some() {
                self.turns().await?;
                return Ok(view);
            }
            self.tails().await;
            for input in view.inputs.iter().filter(|input| input.open()) {
                self.answer(ctx, input).await?;
            }
            tokio::select! {
                _ = changes.recv() => {}
                () = tokio::time::sleep(LOOK_EVERY), if !self.open.is_empty() => {}
                _ = interrupt.recv() => {
                    interrupts += 1;
                    if interrupts > 1 {
                        return Err(Failure::aborted("left; what was at work goes on under its supervisor until it ends"));
                    }
                    let _ = self.app.engine.abort(self.build, &ctx.user, "Ctrl-C").await;
                }
            }
        }
    }

    /// What the journal has that was not shown.
    async fn turns(&mut self) -> Result<(), Failure> {
        let (_, turns) = self.app.store.load(self.build).await?;
        for turn in turns.iter().skip(self.seen) {
            for event in &turn.events {
                if let Event::StepEnded { id, .. } = event
                    && let Some((key, offset)) = self.open.remove(id)
                {
                    self.log(&key, offset, true).await;
                }
            }
            for command in &turn.commands {
                match command {
                    Command::Say { text } => self.print(text.as_bytes(), true),
                    Command::StartStep(call) => {
                        let key = StepKey { build: self.build, step: call.id.clone(), attempt: call.attempt };
                        self.open.insert(call.id.clone(), (key, 0));
                    }
                    _ => {}
                }
            }
        }
        self.seen = turns.len();
        Ok(())
    }

    /// What steps at work printed meanwhile.
    async fn tails(&mut self) {
        let open: Vec<_> = self.open.iter().map(|(id, (key, offset))| (id.clone(), key.clone(), *offset)).collect();
        for (id, key, offset) in open {
            let end = self.log(&key, offset, false).await;
            if let Some(place) = self.open.get_mut(&id) {
                place.1 = end;
            }
        }
    }

    /// Prints a log from an offset: whole lines, or all of it. The offset after it.
    async fn log(&self, key: &StepKey, mut offset: u64, all: bool) -> u64 {
        loop {
            let Ok(read) = self.app.logs.read(key, offset, CHUNK).await else { return offset };
            let bytes = read.bytes;
            let whole = if all { bytes.len() } else { bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1) };
            let Some(part) = bytes.get(..whole).filter(|part| !part.is_empty()) else { return offset };
            self.print(part, all && !part.ends_with(b"\n") && (part.len() as u64) < CHUNK);
            offset += whole as u64;
        }
    }

    fn print(&self, bytes: &[u8], line: bool) {
        let mut text = bytes.to_vec();
        if line {
            text.push(b'\n');
        }
        // A reader that went away is no reason to stop the build.
        let _ = if self.aside {
            std::io::stderr().write_all(&text)
        } else {
            let mut out = std::io::stdout().lock();
            out.write_all(&text).and_then(|()| out.flush())
        };
    }

    async fn answer(&self, ctx: &Context, input: &InputView) -> Result<(), Failure> {
        let Some(decision) = self.answers.of(input) else { return Ok(()) };
        let reason = "answered on the command line".to_owned();
        let answer = Answer {
            decision,
            by: ctx.user.clone(),
            reason: reason.clone(),
            values: Object::new(),
            digest: input.input.digest.clone(),
        };
        let entry = AuditEntry {
            at: now(),
            by: ctx.user.clone(),
            action: "input.answer".to_owned(),
            subject: format!("build {}", self.build),
            reason,
            detail: Object::from_iter([("step".to_owned(), input.id.as_str().into())]),
        };
        self.app.store.record_audit(&entry).await?;
        match self.app.engine.answer(self.build, input.id.clone(), answer).await {
            Ok(()) | Err(RefusedAnswer::NotOpen(_)) => Ok(()),
            Err(refused) => Err(Failure::aborted(refused.to_string())),
        }
    }
}

/// `ID=proceed`, `ID=abort`.
pub fn parse(answers: &[String]) -> Result<Vec<(String, Decision)>, Failure> {
    answers
        .iter()
        .map(|answer| {
            let (id, word) = answer.rsplit_once('=').unwrap_or((answer, ""));
            match word {
                "proceed" | "approve" | "yes" => Ok((id.to_owned(), Decision::Approved)),
                "abort" | "reject" | "no" => Ok((id.to_owned(), Decision::Rejected)),
                _ => Err(Failure::usage(format!("`{answer}` is no answer; write ID=proceed or ID=abort"))),
            }
        })
        .collect()
}
