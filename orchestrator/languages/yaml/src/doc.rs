//! A pipeline file after reading: typed, its expressions compiled, its graph resolved, nothing left to look up.

use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_model::{ArgumentKind, Object, ParameterSpec, Placement, Retention, TriggerSpec, Vars};

use crate::expr::{Expr, Template};
use crate::tree::At;

/// One file.
pub(crate) struct Doc {
    pub(crate) file: Rc<str>,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) triggers: Vec<TriggerSpec>,
    pub(crate) parameters: Vec<ParameterSpec>,
    pub(crate) vars: Vec<(String, Template)>,
    pub(crate) credentials: Vars,
    pub(crate) concurrency: Option<u32>,
    pub(crate) retention: Option<Retention>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) agent: Option<String>,
    pub(crate) checkout: bool,
    /// Those of `steps:` first, then those of `post:`, each in the order of the file.
    pub(crate) steps: Vec<Step>,
    pub(crate) outputs: Vec<Named>,
    /// Steps by id.
    pub(crate) index: BTreeMap<String, usize>,
    /// Sets of needs; steps with the same needs share one.
    pub(crate) gates: Vec<Gate>,
    /// For each step the gates that wait for it.
    pub(crate) feeds: Vec<Vec<usize>>,
}

/// A named value with the place of its name.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) value: Template,
    /// What the step kind wants, where that is known.
    pub(crate) kind: Option<ArgumentKind>,
}

/// A deploy target.
#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) approvers: Vec<String>,
    /// Questions about it are not approved by those whose work the build is.
    pub(crate) four_eyes: bool,
}

/// A set of steps that others wait for.
pub(crate) struct Gate {
    /// Indexes in the order of the file, each once.
    pub(crate) needs: Vec<usize>,
    /// Who waits.
    pub(crate) waiters: Vec<usize>,
}

/// One step as written; a matrix has several cells of it.
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) at: At,
    pub(crate) name: String,
    /// Its needs; `None`: begins at once.
    pub(crate) gate: Option<usize>,
    /// Runs after all others: of `post:`, or `when: failed|always` without needs, or needing such a step.
    pub(crate) after_all: bool,
    pub(crate) condition: Option<Rc<Expr>>,
    pub(crate) action: Action,
    pub(crate) vars: Vec<(String, Template)>,
    pub(crate) credentials: Vars,
    pub(crate) agent: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) retry: Retry,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) matrix: Option<Matrix>,
    pub(crate) when: When,
    pub(crate) continue_on_error: bool,
    pub(crate) outputs: Vec<Named>,
}

impl Step {
    /// Failed and skipped steps before it do not decide for it.
    pub(crate) fn decides_itself(&self) -> bool {
        self.when != When::Success || self.condition.as_ref().is_some_and(|expr| expr.asks_status())
    }

    /// It runs even when the build was stopped.
    pub(crate) fn unstoppable(&self) -> bool {
        self.after_all || self.when == When::Always || self.condition.as_ref().is_some_and(|expr| expr.asks_always())
    }

    /// Calls `visit` for every expression of the step, with whether `self` may be read there.
    pub(crate) fn each_expression<'s>(&'s self, visit: &mut dyn FnMut(&'s Rc<Expr>, bool)) {
        self.condition.iter().for_each(|expr| visit(expr, false));
        self.vars.iter().for_each(|(_, value)| value.each(&mut |expr| visit(expr, false)));
        match &self.action {
            Action::Use { with, .. } | Action::File { with, .. } => {
                with.iter().for_each(|argument| argument.value.each(&mut |expr| visit(expr, false)));
            }
            Action::Input(input) => {
                input.message.each(&mut |expr| visit(expr, false));
                input.binds.iter().for_each(|bind| bind.value.each(&mut |expr| visit(expr, false)));
            }
        }
        self.outputs.iter().for_each(|output| output.value.each(&mut |expr| visit(expr, true)));
    }
}

/// What a step does.
pub(crate) enum Action {
    /// A step kind.
    Use { kind: String, placement: Placement, cloud: bool, with: Vec<Named> },
    /// Another pipeline file.
    File { path: String, with: Vec<Named>, doc: Option<Rc<Doc>>, at: At },
    /// A question.
    Input(Question),
}

/// A question to people.
pub(crate) struct Question {
    pub(crate) message: Template,
    pub(crate) ok: String,
    pub(crate) approvers: Vec<String>,
    pub(crate) parameters: Vec<ParameterSpec>,
    pub(crate) reason_required: bool,
    /// `None`: as the environment says, and allowed where it says nothing.
    pub(crate) self_approval: Option<bool>,
    pub(crate) binds: Vec<Named>,
}

/// Further attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Retry {
    /// After the first.
    pub(crate) max: u32,
    pub(crate) delay_ms: u64,
    /// Each delay is so many times the one before.
    pub(crate) backoff: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max: 0, delay_ms: 0, backoff: 1.0 }
    }
}

/// When a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    #[default]
    Success,
    Failed,
    Always,
}

/// The cells of a matrix.
pub(crate) struct Matrix {
    pub(crate) axes: Vec<String>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) fail_fast: bool,
}

/// One cell.
pub(crate) struct Cell {
    /// `py=3.11,os=linux`
    pub(crate) label: String,
    pub(crate) values: Object,
}
