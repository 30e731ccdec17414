//! From outline and journal to what a person sees. A pure fold over turns; kept live for running builds, made again
//! from the journal for ended ones.

use std::collections::BTreeMap;

use haliotis_flow::{BlockKind, Command, Event, NodeKind, Outline};
use haliotis_model::{BuildId, BuildResult, BuildStatus, Call, Millis, NewBuild, Object, StepId, StepOutput};

use crate::journal::{Mark, Turn};
use crate::view::{BuildView, InputView, NodeState, NodeView};

/// The fold's state.
#[derive(Clone, Debug)]
pub struct Projection {
    view: BuildView,
    index: BTreeMap<StepId, usize>,
}

impl Projection {
    /// Before the first turn.
    pub fn new(id: BuildId, build: NewBuild, outline: &Outline) -> Self {
        let view = BuildView {
            id,
            build,
            status: BuildStatus::Queued,
            result: None,
            message: None,
            started_at: None,
            ended_at: None,
            nodes: Vec::new(),
            inputs: Vec::new(),
            lines: Vec::new(),
            seq: 0,
        };
        let mut projection = Self { view, index: BTreeMap::new() };
        for node in &outline.nodes {
            let at = projection.add(&node.id, &node.name, node.kind);
            let view = &mut projection.view.nodes[at];
            view.needs.clone_from(&node.needs);
            view.group.clone_from(&node.group);
            view.uses.clone_from(&node.uses);
            view.environment.clone_from(&node.environment);
            view.condition.clone_from(&node.condition);
        }
        projection
    }

    /// One build from its journal.
    pub fn of(id: BuildId, build: NewBuild, outline: &Outline, turns: &[Turn]) -> Self {
        let mut projection = Self::new(id, build, outline);
        for turn in turns {
            projection.apply(turn);
        }
        projection
    }

    /// What a person sees now.
    pub fn view(&self) -> &BuildView {
        &self.view
    }

    /// One more turn.
    pub fn apply(&mut self, turn: &Turn) {
        self.view.seq += 1;
        for event in &turn.events {
            self.event(turn.at, event);
        }
        for command in &turn.commands {
            self.command(turn.at, command);
        }
        for mark in &turn.marks {
            match mark {
                Mark::Granted { id, agent, .. } => {
                    let node = self.node(id);
                    node.agent = Some(agent.clone());
                    node.started_at = Some(turn.at);
                    node.state = NodeState::Running;
                }
                Mark::Carried { id } => {
                    let node = self.node(id);
                    node.carried = true;
                    node.state = NodeState::Running;
                    node.started_at = Some(turn.at);
                }
                Mark::Handle { .. } => {}
            }
        }
        self.settle();
    }

    fn event(&mut self, at: Millis, event: &Event) {
        match event {
            Event::Begun => self.view.started_at = Some(at),
            Event::StepEnded { id, output } => self.ended(at, id, output),
            Event::InputAnswered { id, answer } => {
                if let Some(input) = self.open_input(id) {
                    input.answer = Some(answer.clone());
                    input.closed_at = Some(at);
                }
                let node = self.node(id);
                node.ended_at = Some(at);
                node.state = match answer.decision {
                    haliotis_model::Decision::Approved => NodeState::Success,
                    haliotis_model::Decision::Rejected => NodeState::Aborted,
                };
                node.message = Some(match answer.decision {
                    haliotis_model::Decision::Approved => format!("approved by {}", answer.by),
                    haliotis_model::Decision::Rejected => format!("rejected by {}", answer.by),
                });
            }
            Event::AbortRequested { by, reason } => {
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                self.view.lines.push((at, format!("abort requested by {by}{why}")));
            }
            // A lease is no node of its own: the steps on it tell where they run.
            Event::AgentLeased { .. } | Event::TimerFired { .. } => {}
        }
    }

    fn command(&mut self, at: Millis, command: &Command) {
        match command {
            Command::StartStep(call) => self.wanted(at, call),
            Command::AskInput { id, input } => {
                let input =
                    InputView { id: id.clone(), input: input.clone(), asked_at: at, answer: None, closed_at: None };
                let node = self.node(id);
                node.kind = NodeKind::Input;
                node.state = NodeState::Waiting;
                node.queued_at.get_or_insert(at);
                node.started_at.get_or_insert(at);
                node.message = Some(input.input.message.clone());
                self.view.inputs.push(input);
            }
            Command::WithdrawInput { id } => {
                if let Some(input) = self.open_input(id) {
                    input.closed_at = Some(at);
                }
                let node = self.node(id);
                node.state = NodeState::Aborted;
                node.ended_at = Some(at);
            }
            Command::OpenBlock { id, name, kind } => self.opened(at, id, name, *kind),
            Command::CloseBlock { id, result, message } => {
                let node = self.node(id);
                node.state = (*result).into();
                node.ended_at = Some(at);
                node.message.clone_from(message);
            }
            Command::Skip { id, why } => {
                let node = self.node(id);
                node.state = NodeState::Skipped;
                node.ended_at = Some(at);
                node.message = Some(why.clone());
            }
            Command::Say { text } => self.view.lines.push((at, text.clone())),
            Command::Finish { result, message } => self.finished(at, *result, message.clone()),
            Command::CancelStep { .. }
            | Command::StartTimer { .. }
            | Command::CancelTimer { .. }
            | Command::LeaseAgent { .. }
            | Command::ReleaseAgent { .. } => {}
        }
    }

    fn wanted(&mut self, at: Millis, call: &Call) {
        let node = self.node(&call.id);
        node.uses.clone_from(&call.uses);
        node.with = call.with.clone();
        node.attempt = call.attempt;
        node.queued_at = Some(at);
        node.carried = false;
        node.ended_at = None;
        node.message = None;
        if call.slot.is_some() {
            node.state = NodeState::Queued;
            node.started_at = None;
        } else {
            node.state = NodeState::Running;
            node.started_at = Some(at);
        }
    }

    fn ended(&mut self, at: Millis, id: &StepId, output: &StepOutput) {
        let node = self.node(id);
        node.ended_at = Some(at);
        node.state = if output.interrupted.is_some() { NodeState::Interrupted } else { output.result.into() };
        node.message = output.interrupted.as_ref().map(|known| known.why.clone()).or_else(|| output.message.clone());
        node.outputs = output.outputs.clone();
    }

    fn opened(&mut self, at: Millis, id: &StepId, name: &str, kind: BlockKind) {
        let node = self.node(id);
        node.name = name.to_owned();
        node.kind = if kind == BlockKind::Post { NodeKind::Post } else { NodeKind::Group };
        node.state = NodeState::Running;
        node.started_at = Some(at);
    }

    fn finished(&mut self, at: Millis, result: BuildResult, message: Option<String>) {
        self.view.result = Some(result);
        self.view.message = message;
        self.view.ended_at = Some(at);
        for input in self.view.inputs.iter_mut().filter(|input| input.closed_at.is_none()) {
            input.closed_at = Some(at);
        }
        for node in self.view.nodes.iter_mut().filter(|node| !node.state.ended()) {
            node.state = if node.started_at.is_some() { NodeState::Aborted } else { NodeState::Skipped };
            node.ended_at = Some(at);
        }
    }

    fn settle(&mut self) {
        let view = &mut self.view;
        let waiting = view.inputs.iter().any(InputView::open);
        view.status = if view.result.is_some() {
            BuildStatus::Ended
        } else if view.started_at.is_none() {
            BuildStatus::Queued
        } else if waiting {
            BuildStatus::Waiting
        } else {
            BuildStatus::Running
        };
    }

    fn open_input(&mut self, id: &StepId) -> Option<&mut InputView> {
        self.view.inputs.iter_mut().find(|input| input.id == *id && input.closed_at.is_none())
    }

    fn node(&mut self, id: &StepId) -> &mut NodeView {
        let at = self.index.get(id).copied().unwrap_or_else(|| self.add(id, id.name(), NodeKind::Step));
        &mut self.view.nodes[at]
    }

    fn add(&mut self, id: &StepId, name: &str, kind: NodeKind) -> usize {
        let at = self.view.nodes.len();
        self.index.insert(id.clone(), at);
        self.view.nodes.push(NodeView {
            id: id.clone(),
            name: name.to_owned(),
            kind,
            needs: Vec::new(),
            group: None,
            uses: String::new(),
            state: NodeState::Pending,
            attempt: 0,
            queued_at: None,
            started_at: None,
            ended_at: None,
            message: None,
            outputs: Object::new(),
            with: Object::new(),
            agent: None,
            environment: None,
            condition: None,
            carried: false,
        });
        at
    }
}
