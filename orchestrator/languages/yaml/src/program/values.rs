//! What expressions read while a build runs.

use std::collections::BTreeSet;

use haliotis_model::{BuildResult, Object, Value, Vars};

use super::{End, Run, no_status};
use crate::doc::Cell;
use crate::expr::{Scope, Status, dig_object};

/// The names in reach of one step.
pub(super) struct Values<'a> {
    pub(super) run: &'a Run,
    pub(super) cell: Option<&'a Cell>,
    /// The step's own variables, as far as they are evaluated.
    pub(super) vars: Option<&'a Vars>,
    /// `self`
    pub(super) own: Option<&'a Value>,
    pub(super) status: Status,
}

impl<'a> Values<'a> {
    /// For the file itself.
    pub(super) fn of(run: &'a Run) -> Self {
        Self { run, cell: None, vars: None, own: None, status: no_status() }
    }

    fn step(&self, id: &str) -> Option<Value> {
        let index = *self.run.doc.index.get(id)?;
        let ends = self.run.ends.borrow();
        let end = ends.get(index)?.as_ref()?;
        let mut object = Object::new();
        object.insert("result".to_owned(), Value::String(word(end).to_owned()));
        object.insert("message".to_owned(), Value::String(end.message.clone().unwrap_or_default()));
        object.insert("outputs".to_owned(), Value::Object((*end.outputs).clone()));
        Some(Value::Object(object))
    }

    /// `steps.ID.outputs.NAME...` without copying the rest.
    fn output(&self, id: &str, path: &[String]) -> Option<Value> {
        let index = *self.run.doc.index.get(id)?;
        let ends = self.run.ends.borrow();
        dig_object(&ends.get(index)?.as_ref()?.outputs, path).cloned()
    }
}

/// `success`, `failure`, `skipped`, ...
fn word(end: &End) -> &'static str {
    end.result.map_or("skipped", BuildResult::as_str)
}

impl Scope for Values<'_> {
    fn root(&self, name: &str, steps: &BTreeSet<&str>) -> Option<Value> {
        match name {
            "parameters" | "params" => Some(Value::Object(self.run.parameters.clone())),
            "build" => Some(Value::Object(self.run.facts.build.clone())),
            "event" => Some(Value::Object(self.run.facts.event.clone())),
            "matrix" => Some(Value::Object(self.cell?.values.clone())),
            "self" => self.own.cloned(),
            "vars" => {
                let mut all: Object =
                    self.run.vars.borrow().iter().map(|(name, text)| (name.clone(), text.clone().into())).collect();
                let own = self.vars.into_iter().flatten();
                all.extend(own.map(|(name, text)| (name.clone(), Value::String(text.clone()))));
                Some(Value::Object(all))
            }
            "steps" => {
                Some(Value::Object(steps.iter().filter_map(|id| Some(((*id).to_owned(), self.step(id)?))).collect()))
            }
            _ => None,
        }
    }

    fn path(&self, path: &[String]) -> Option<Value> {
        let (root, rest) = path.split_first()?;
        match (root.as_str(), rest) {
            ("parameters" | "params", [_, ..]) => dig_object(&self.run.parameters, rest).cloned(),
            ("build", [_, ..]) => dig_object(&self.run.facts.build, rest).cloned(),
            ("event", [_, ..]) => dig_object(&self.run.facts.event, rest).cloned(),
            ("matrix", [_, ..]) => dig_object(&self.cell?.values, rest).cloned(),
            ("vars", [name]) => {
                let own = self.vars.and_then(|vars| vars.get(name)).cloned();
                own.or_else(|| self.run.vars.borrow().get(name).cloned()).map(Value::String)
            }
            ("steps", [id, field, path @ ..]) if field == "outputs" && !path.is_empty() => self.output(id, path),
            ("steps", [id, rest @ ..]) => crate::expr::dig(&self.step(id)?, rest).cloned(),
            _ => crate::expr::dig(&self.root(root, &BTreeSet::new())?, rest).cloned(),
        }
    }

    fn status(&self) -> Status {
        self.status
    }
}
