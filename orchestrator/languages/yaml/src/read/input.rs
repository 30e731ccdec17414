//! `input:`: a question to people.

use haliotis_model::Value;

use crate::doc::Question;
use crate::expr::Template;
use crate::tree::{Data, Node};

use super::fields::Fields;
use super::{Reading, parameters, pipeline};

const KEYS: [&str; 7] = ["message", "ok", "approvers", "parameters", "reason", "self-approval", "binds"];

pub(super) fn read(node: &Node, reading: &mut Reading<'_>) -> Question {
    let blank = Question {
        message: Template::Literal(Value::Null),
        ok: "Proceed".to_owned(),
        approvers: Vec::new(),
        parameters: Vec::new(),
        reason_required: false,
        self_approval: None,
        binds: Vec::new(),
    };
    // `input: Approve?` is the short form.
    if matches!(node.data, Data::Scalar { .. }) {
        return Question { message: reading.compiler.text_template(node, &mut reading.problems), ..blank };
    }
    let Some(fields) = Fields::of(node, "input", &KEYS, &mut reading.problems) else { return blank };
    let message = match fields.get("message") {
        Some(message) => reading.compiler.text_template(message, &mut reading.problems),
        None => {
            let help = "add message: the question that people see".to_owned();
            reading.problems.error("yaml-missing", node.at, "an input needs a message", help);
            Template::Literal(Value::Null)
        }
    };
    let parameters = fields.get("parameters").map_or_else(Vec::new, |node| parameters::read(node, reading));
    let binds = fields.get("binds").map_or_else(Vec::new, |node| pipeline::named(node, "binds", reading));
    let problems = &mut reading.problems;
    let reason_required = match fields.get("reason").map(|node| (node, node.text().unwrap_or_default())) {
        None | Some((_, "optional")) => false,
        Some((_, "required")) => true,
        Some((node, word)) => {
            problems.unknown("yaml-type", node.at, "reason", word, ["required", "optional"]);
            false
        }
    };
    Question {
        message,
        ok: fields.text("ok", problems).unwrap_or(blank.ok),
        approvers: fields.texts("approvers", problems),
        parameters,
        reason_required,
        self_approval: fields.boolean("self-approval", problems),
        binds,
    }
}
