//! Following a build in a terminal: moving lines for what is at work, steps below the stage or matrix they stand in; a line
//! for each thing that ended, one for a whole stage, with those of its steps below it that did not end well. Questions are
//! asked on the spot. On a pipe: plain lines only, one a step.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use haliotis_engine::{AuditEntry, BuildView, InputView, NodeState, NodeView, now};
use haliotis_flow::NodeKind;
use haliotis_model::{Answer, BuildId, Decision, Object, StepId, StepKey};
use haliotis_store::LogBytes;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::commands::approve;
use crate::commands::tree::Tree;
use crate::context::Context;
use crate::failure::Failure;
use crate::show;

/// A person sees no more than ten pictures a second; a build of thousands of steps must not wait for its viewer.
const PICTURE_EVERY: Duration = Duration::from_millis(100);
/// Lines of a failed step's log that are shown at once.
const TAIL_LINES: usize = 25;
/// Bytes of a log's end that are looked at for those lines.
const TAIL_BYTES: u64 = 16 << 10;
/// Moving lines at once; more would scroll.
const MOST_SPINNERS: usize = 8;

/// How to follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchOptions {
    /// Answer questions with yes.
    pub yes: bool,
    /// Print what steps print.
    pub logs: bool,
    /// Come back as soon as the build waits for a person, without asking.
    pub until_input: bool,
}

/// A build being followed.
pub struct Watch {
    app: Arc<App>,
    build: BuildId,
    options: WatchOptions,
    shown: BTreeMap<StepId, (u32, NodeState)>,
    offsets: BTreeMap<StepKey, u64>,
    said: usize,
    spinners: BTreeMap<StepId, ProgressBar>,
    progress: MultiProgress,
    /// Lines of the picture being made; written at once, since a build may end thousands of steps between two pictures.
    lines: String,
}

impl Watch {
    /// Follows a build of an app.
    pub fn new(app: Arc<App>, build: BuildId, options: WatchOptions) -> Self {
        Self {
            app,
            build,
            options,
            shown: BTreeMap::new(),
            offsets: BTreeMap::new(),
            said: 0,
            spinners: BTreeMap::new(),
            progress: MultiProgress::new(),
            lines: String::new(),
        }
    }

    /// What was shown already is not shown again: for a build followed a second time.
    #[must_use]
    pub fn knowing(mut self, view: &BuildView) -> Self {
        let ended = view.nodes.iter().filter(|node| node.state.ended());
        self.shown = ended.map(|node| (node.id.clone(), (node.attempt, node.state))).collect();
        self.said = view.lines.len();
        self
    }

    /// To the build's end. Ctrl-C asks the build to stop; a second one leaves at once.
    pub async fn follow(mut self, ctx: &Context) -> Result<BuildView, Failure> {
        let mut changes = self.app.engine.changes();
        // One for all pictures: a Ctrl-C while one is made counts after it.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut interrupts = 0;
        loop {
            let view = self.app.engine.view(self.build).await?;
            self.picture(ctx, &view).await;
            if view.result.is_some() {
                self.finish(ctx, &view);
                return Ok(view);
            }
            if let Some(input) = view.inputs.iter().find(|input| input.open()) {
                if self.options.until_input {
                    self.clear();
                    return Ok(view);
                }
                self.answer(ctx, input).await?;
            }
            tokio::select! {
                () = quiet(&mut changes, self.build) => {}
                _ = interrupt.recv() => {
                    interrupts += 1;
                    if interrupts > 1 {
                        return Err(Failure::aborted("left; what was at work goes on under its supervisor until it ends"));
                    }
                    ctx.say("stopping the build (once more: leave at once)");
                    let _ = self.app.engine.abort(self.build, &ctx.user, "Ctrl-C").await;
                }
            }
        }
    }

    async fn picture(&mut self, ctx: &Context, view: &BuildView) {
        let tree = if ctx.plain { Tree::default() } else { Tree::of(view) };
        for node in &view.nodes {
            if node.kind == NodeKind::Group {
                if !ctx.plain {
                    self.group(ctx, node, &tree);
                }
                continue;
            }
            if self.options.logs {
                self.log(node).await;
            }
            let now = (node.attempt, node.state);
            if self.shown.get(&node.id) == Some(&now) {
                continue;
            }
            self.shown.insert(node.id.clone(), now);
            self.changed(ctx, node, &tree).await;
        }
        for (_, line) in view.lines.iter().skip(self.said) {
            self.line(&format!("  {}", console::style(line).dim().for_stderr()));
        }
        self.said = view.lines.len();
        self.write(ctx);
    }

    /// A stage or matrix: a moving line that counts, and one line when it has ended.
    fn group(&mut self, ctx: &Context, node: &NodeView, tree: &Tree) {
        let (ended, all) = tree.count(&node.id);
        if node.state == NodeState::Running {
            let name = node.id.as_str().trim_start_matches('/');
            let text = format!("{}{name}  {ended}/{all}", "  ".repeat(tree.depth(&node.id)));
            match self.spinners.get(&node.id) {
                Some(spinner) => spinner.set_message(text),
                None => self.spin(ctx, node, tree, text),
            }
            return;
        }
        let now = (node.attempt, node.state);
        if !node.state.ended() || self.shown.get(&node.id) == Some(&now) {
            return;
        }
        self.shown.insert(node.id.clone(), now);
        if let Some(spinner) = self.spinners.remove(&node.id) {
            spinner.finish_and_clear();
        }
        if tree.parent(&node.id).is_none() && node.state != NodeState::Skipped {
            self.line(&show::group_line(node, all, haliotis_engine::now()));
        }
    }

    fn spin(&mut self, ctx: &Context, node: &NodeView, tree: &Tree, text: String) {
        if ctx.plain || self.spinners.len() >= MOST_SPINNERS {
            return;
        }
        let bar = ProgressBar::new_spinner();
        // Below the stage it stands in.
        let bar = match tree.parent(&node.id).and_then(|group| self.spinners.get(group)) {
            Some(above) => self.progress.insert_after(above, bar),
            None => self.progress.add(bar),
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner:.blue} {msg}  {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(text);
        bar.enable_steady_tick(PICTURE_EVERY);
        self.spinners.insert(node.id.clone(), bar);
    }

    async fn changed(&mut self, ctx: &Context, node: &NodeView, tree: &Tree) {
        if node.state.ended() {
            if let Some(spinner) = self.spinners.remove(&node.id) {
                spinner.finish_and_clear();
            }
            // What ended well is folded into its stage.
            let folded =
                tree.parent(&node.id).is_some() && matches!(node.state, NodeState::Success | NodeState::Skipped);
            if !folded {
                self.line(&format!("{}{}", "  ".repeat(tree.depth(&node.id)), show::node_line(node, now())));
            }
            if node.state == NodeState::Failure && !self.options.logs {
                self.tail(node).await;
            }
        } else if node.state == NodeState::Running {
            let name = node.id.as_str().trim_start_matches('/');
            let text = format!("{}{name}", "  ".repeat(tree.depth(&node.id)));
            self.spin(ctx, node, tree, text);
        }
    }

    fn clear(&mut self) {
        for (_, spinner) in std::mem::take(&mut self.spinners) {
            spinner.finish_and_clear();
        }
    }

    fn finish(&mut self, ctx: &Context, view: &BuildView) {
        self.clear();
        let took = view.ended_at.unwrap_or_else(now).since(view.build.created_at);
        let message = view.message.clone().map(|message| format!(": {message}")).unwrap_or_default();
        ctx.say(format!(
            "{} #{} {} after {}{message}",
            view.build.pipeline,
            view.build.number,
            show::word(view.status, view.result).for_stderr(),
            show::duration(took)
        ));
    }

    /// A line for this picture.
    fn line(&mut self, text: &str) {
        self.lines.push_str(text);
        self.lines.push('\n');
    }

    /// Writes the picture's lines where the moving ones do not overwrite them.
    fn write(&mut self, ctx: &Context) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        let text = lines.trim_end_matches('\n');
        if self.spinners.is_empty() {
            ctx.say(text);
        } else {
            self.progress.suspend(|| ctx.say(text));
        }
    }

    async fn log(&mut self, node: &NodeView) {
        let name = node.id.as_str().trim_start_matches('/');
        for attempt in 1..=node.attempt {
            let key = StepKey { build: self.build, step: node.id.clone(), attempt };
            let offset = self.offsets.get(&key).copied().unwrap_or(0);
            let Ok(read) = self.app.logs.read(&key, offset, 1 << 20).await else { continue };
            let bytes = read.bytes;
            // Whole lines only, unless the step has ended.
            let end = if node.state.ended() {
                bytes.len()
            } else {
                bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
            };
            for line in String::from_utf8_lossy(&bytes[..end]).lines() {
                self.line(&format!("{} {line}", console::style(format!("{name} │")).dim().for_stderr()));
            }
            self.offsets.insert(key, offset + end as u64);
        }
    }

    async fn tail(&mut self, node: &NodeView) {
        let key = StepKey { build: self.build, step: node.id.clone(), attempt: node.attempt };
        let Ok(LogBytes { bytes, .. }) = self.app.logs.tail(&key, TAIL_BYTES).await else { return };
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            self.line(&format!("    {line}"));
        }
    }

    async fn answer(&mut self, ctx: &Context, input: &InputView) -> Result<(), Failure> {
        let asked = std::io::stdin().is_terminal() && !ctx.plain;
        if !self.options.yes && !asked {
            return Ok(());
        }
        self.clear();
        approve::show(ctx, input);
        let (decision, reason) =
            if self.options.yes { (Decision::Approved, "answered by --yes".to_owned()) } else { ask(&input.input.ok)? };
        let answer = Answer {
            decision,
            by: ctx.user.clone(),
            reason,
            values: Object::new(),
            digest: input.input.digest.clone(),
        };
        let entry = AuditEntry {
            at: now(),
            by: ctx.user.clone(),
            action: "input.answer".to_owned(),
            subject: format!("build {}", self.build),
            reason: answer.reason.clone(),
            detail: Object::from_iter([
                ("step".to_owned(), input.id.as_str().into()),
                ("digest".to_owned(), answer.digest.clone().into()),
                ("decision".to_owned(), serde_json::to_value(decision).unwrap_or_default()),
            ]),
        };
        self.app.store.record_audit(&entry).await?;
        match self.app.engine.answer(self.build, input.id.clone(), answer).await {
            Ok(()) | Err(haliotis_engine::RefusedAnswer::NotOpen(_)) => Ok(()),
            Err(refused) => Err(Failure::aborted(refused.to_string())),
        }
    }
}

/// Waits until the build changed and a picture is due.
async fn quiet(changes: &mut tokio::sync::broadcast::Receiver<haliotis_engine::Changed>, build: BuildId) {
    let mut due = None;
    loop {
        let next = async {
            match due {
                Some(due) => tokio::time::timeout_at(due, changes.recv()).await.ok(),
                None => Some(changes.recv().await),
            }
        };
        match next.await {
            Some(Ok(changed)) if changed.build == build => {
                if changed.ended {
                    return;
                }
                due.get_or_insert_with(|| tokio::time::Instant::now() + PICTURE_EVERY);
            }
            Some(Ok(_)) => {}
            _ => return,
        }
    }
}

/// Yes or no, and why, from the keyboard.
pub fn ask(ok: &str) -> Result<(Decision, String), Failure> {
    let unread = |error: dialoguer::Error| Failure::aborted(format!("no answer could be read: {error}"));
    let yes = dialoguer::Confirm::new().with_prompt(format!("{ok}?")).default(false).interact().map_err(unread)?;
    let reason: String =
        dialoguer::Input::new().with_prompt("Why").allow_empty(true).interact_text().map_err(unread)?;
    let _ = std::io::stderr().flush();
    Ok((if yes { Decision::Approved } else { Decision::Rejected }, reason))
}
