//! Expressions: `${{ ... }}` in CEL.
//!
//! Compiled once when a file is read, with the static references they make (checked there), and evaluated when a step is
//! about to run. Deterministic: no clock, no randomness, and maps are walked in key order although CEL's own are not
//! ordered. Bounded: text, nesting, depth, and the work of one evaluation (`limits`).

mod budget;
mod compile;
mod convert;
mod refs;
mod template;

use std::collections::BTreeSet;
use std::rc::Rc;

use cel::IdedExpr;
use haliotis_model::{Object, Value};

pub(crate) use compile::Compiler;
pub(crate) use convert::{show, truth};
pub(crate) use refs::Reference;
pub(crate) use template::{Part, Template};

use crate::tree::At;

/// A compiled expression and where it stands.
pub(crate) struct Expr {
    /// As written.
    pub(crate) text: Rc<str>,
    pub(crate) file: Rc<str>,
    pub(crate) at: At,
    pub(crate) parsed: Rc<Parsed>,
}

/// What a text means, wherever it stands: the same text is parsed once in a file.
pub(crate) struct Parsed {
    code: Code,
    /// What it reads.
    pub(crate) references: Vec<Reference>,
    /// The functions it calls that are not operators, with their places in characters.
    pub(crate) functions: Vec<(String, usize)>,
}

enum Code {
    /// `steps.a.outputs.b`: looked up directly, which keeps order and costs nothing.
    Path(Vec<String>),
    Tree(Box<IdedExpr>),
}

/// Where an expression's names come from.
pub(crate) trait Scope {
    /// The value of a root name, as `parameters`. For `steps` only those in `steps` are needed.
    fn root(&self, name: &str, steps: &BTreeSet<&str>) -> Option<Value>;
    /// The value at a path, without making the whole root where that is dear.
    fn path(&self, path: &[String]) -> Option<Value>;
    /// `success()`, `failed()`: how the steps before this one went.
    fn status(&self) -> Status;
}

/// How what came before went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    /// Something before failed.
    pub(crate) failed: bool,
    /// All before it succeeded.
    pub(crate) success: bool,
}

/// Why an evaluation gave no value: one sentence with the place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EvalError(pub(crate) String);

impl Expr {
    /// The value.
    pub(crate) fn evaluate(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        let value = match &self.parsed.code {
            Code::Path(path) => scope.path(path).ok_or_else(|| missing(path, scope)),
            Code::Tree(tree) => self.run(tree, scope),
        };
        value.map_err(|why| self.fail(&why))
    }

    /// The value as a condition.
    pub(crate) fn condition(&self, scope: &dyn Scope) -> Result<bool, EvalError> {
        let value = self.evaluate(scope)?;
        truth(&value).ok_or_else(|| self.fail(&format!("a condition must be true or false, this is {value}")))
    }

    fn fail(&self, why: &str) -> EvalError {
        const SHOWN: usize = 120;
        let At { line, column, .. } = self.at;
        let mut text: String = self.text.trim().chars().take(SHOWN).collect();
        if text.len() < self.text.trim().len() {
            text.push('…');
        }
        EvalError(format!("{}:{line}:{column}: in the expression `{text}`: {why}", self.file))
    }

    /// The steps it reads.
    pub(crate) fn steps(&self) -> BTreeSet<&str> {
        let names = self.parsed.references.iter().filter(|reference| reference.path[0] == "steps");
        names.filter_map(|reference| reference.path.get(1)).map(String::as_str).collect()
    }

    /// It looks at how other steps went, so a failed or skipped one before does not decide for it.
    pub(crate) fn asks_status(&self) -> bool {
        let status = ["always", "failed", "success"];
        status.iter().any(|name| self.calls(name))
            || self.parsed.references.iter().any(|reference| {
                reference.path[0] == "steps" && reference.path.get(2).is_some_and(|field| field == "result")
            })
    }

    /// The character before a place in the text, spaces left out.
    pub(crate) fn before(&self, reference: &Reference) -> Option<char> {
        self.text.chars().take(reference.start).filter(|c| !c.is_whitespace()).last()
    }

    /// It calls `always()`: it runs even when the build was stopped.
    pub(crate) fn asks_always(&self) -> bool {
        self.calls("always")
    }

    fn calls(&self, function: &str) -> bool {
        self.parsed.functions.iter().any(|(name, _)| name == function)
    }
}

/// Which part of a path is missing.
fn missing(path: &[String], scope: &dyn Scope) -> String {
    let present = (1..path.len()).rev().find(|length| scope.path(&path[..*length]).is_some()).unwrap_or(0);
    let name = path[..=present.min(path.len() - 1)].join(".");
    if path.first().is_some_and(|root| root == "steps") && path.len() > 3 {
        let step = &path[1];
        let result = scope.path(&["steps".to_owned(), step.clone(), "result".to_owned()]);
        if let Some(result) = result.as_ref().and_then(Value::as_str).filter(|result| *result != "success") {
            return format!("there is no value `{name}`: the step `{step}` ended as {result}");
        }
    }
    format!("there is no value `{name}`; `has({name})` tells whether there is one")
}

/// The value at a path inside JSON.
pub(crate) fn dig<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.as_object()?.get(name))
}

/// The same from an object.
pub(crate) fn dig_object<'v>(object: &'v Object, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    dig(object.get(first)?, rest)
}
