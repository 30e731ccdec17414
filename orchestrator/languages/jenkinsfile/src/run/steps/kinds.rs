//! Step kinds of Haliotis that Jenkins does not know, called by their own names: those of plugin programs first of all.
//!
//! `greet(name: 'ada')` runs the kind `greet` with these arguments; a lone argument without a name is the first one of
//! the schema. The answer is its outputs as a map, or nothing.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{Object, StepSchema, Value as Json};

use super::super::context::Ctx;
use super::super::{Answer, Run, Shared, values};
use crate::table;

/// Names of kinds that a script may call: Groovy names that no step of Jenkins has.
pub(crate) fn script_kinds(kinds: &[StepSchema]) -> impl Iterator<Item = &str> {
    kinds
        .iter()
        .map(|kind| kind.name)
        .filter(|name| is_name(name) && !INNER.contains(name) && table::step(name).is_none())
}

/// Kinds that only stand behind others: as steps of a script they would hide what a person misspelt.
const INNER: [&str; 8] = ["agents", "changes", "condition", "environment", "files", "noop", "unlock", "checkout"];

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| c.is_ascii_lowercase())
}

impl Shared {
    /// The kind that a script means by a name.
    pub(crate) fn kind_for_script(&self, name: &str) -> Option<&StepSchema> {
        let kind = self.facts.kinds.iter().find(|kind| kind.name == name)?;
        script_kinds(std::slice::from_ref(kind)).next().map(|_| kind)
    }
}

impl Run {
    /// Runs such a kind.
    pub(super) async fn kind_step(self: &Rc<Self>, ctx: &Ctx, kind: &StepSchema, args: &[Value]) -> Answer {
        if let Some(raise) = self.delivered(ctx) {
            return Err(raise);
        }
        self.shared.say(&format!("[Pipeline] {}", kind.name));
        let mut with = Object::new();
        for arg in args {
            match arg {
                Value::Map(_) => {
                    if let Json::Object(named) = self.vm(|vm| values::to_json(vm, arg))? {
                        with.extend(named);
                    }
                }
                other => {
                    let Some(first) = kind.arguments.iter().find(|argument| !with.contains_key(argument.name)) else {
                        return Err(self.throw(
                            "java.lang.IllegalArgumentException",
                            &format!("{} takes no argument without a name", kind.name),
                        ));
                    };
                    let json = self.vm(|vm| values::to_json(vm, other))?;
                    with.insert(first.name.to_owned(), json);
                }
            }
        }
        let mut call = self.call(ctx, kind.name, kind.name);
        if call.slot.is_some() && ctx.node.is_none() {
            return Err(self.no_node(ctx));
        }
        call.with = with;
        let output = self.run_call(ctx, call).await?;
        if output.outputs.is_empty() {
            return Ok(Value::Null);
        }
        self.vm(|vm| values::from_json(vm, &Json::Object(output.outputs)))
    }
}
