//! What expressions read, checked against what will be there when they run.

use std::collections::BTreeSet;
use std::rc::Rc;

use haliotis_model::Value;

use crate::doc::{Action, Doc, Step};
use crate::expr::{Expr, Reference, Template};
use crate::problems::{Problems, suggest};
use crate::read::{Catalog, coerce};

/// What `build.` has.
pub(crate) const BUILD: [&str; 8] = ["number", "id", "pipeline", "commit", "branch", "repo", "cloud", "url"];
const ROOTS: [&str; 8] = ["parameters", "params", "vars", "steps", "build", "matrix", "event", "self"];
/// What `steps.ID.` has.
const STEP: [&str; 3] = ["outputs", "result", "message"];
/// Roots that people know from elsewhere, and where the thing is here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("secrets", "a credential is bound to a variable: credentials: { TOKEN: its-id }, and \"$TOKEN\" in the script"),
    ("credentials", "a credential is a variable of the step: \"$TOKEN\" in the script"),
    ("github", "the build's own values are build.commit, build.branch, build.number, ..."),
    ("env", "variables are vars.NAME"),
    ("inputs", "parameters are parameters.NAME"),
    ("needs", "outputs of other steps are steps.ID.outputs.NAME"),
    ("outputs", "outputs are steps.ID.outputs.NAME"),
    ("now", "expressions know no time: a build must give the same when it is replayed"),
];

/// Where an expression stands.
struct Place<'a> {
    doc: &'a Doc,
    /// The step; `None`: the outputs or vars of the file.
    step: Option<usize>,
    /// Steps may be read.
    steps: bool,
    /// `self` may be read.
    own: bool,
}

/// Checks all expressions of a file, and the arguments of the files it calls.
pub(crate) fn references(doc: &Doc, catalog: &Catalog<'_>, problems: &mut Problems) {
    for (_, value) in &doc.vars {
        let place = Place { doc, step: None, steps: false, own: false };
        value.each(&mut |expr| check(expr, &place, catalog, problems));
    }
    for (index, step) in doc.steps.iter().enumerate() {
        step.each_expression(&mut |expr, own| {
            check(expr, &Place { doc, step: Some(index), steps: true, own }, catalog, problems);
        });
        called(step, problems);
    }
    for output in &doc.outputs {
        let place = Place { doc, step: None, steps: true, own: false };
        output.value.each(&mut |expr| check(expr, &place, catalog, problems));
    }
}

fn check(expr: &Rc<Expr>, place: &Place<'_>, catalog: &Catalog<'_>, problems: &mut Problems) {
    for reference in &expr.parsed.references {
        let rest: Vec<&str> = reference.path.iter().skip(1).map(String::as_str).collect();
        let at = expr.place(reference);
        match reference.path[0].as_str() {
            "parameters" | "params" => {
                let known: Vec<&str> = place.doc.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
                member(&rest, "parameter", &known, reference, expr, problems);
            }
            "vars" => {
                let own = place.step.map(|step| &place.doc.steps[step].vars);
                let known: Vec<&str> =
                    place.doc.vars.iter().chain(own.into_iter().flatten()).map(|(name, _)| name.as_str()).collect();
                member(&rest, "variable", &known, reference, expr, problems);
            }
            "build" => member(&rest, "value of the build", &BUILD, reference, expr, problems),
            "matrix" => match place.step.and_then(|step| place.doc.steps[step].matrix.as_ref()) {
                Some(matrix) => {
                    let known: Vec<&str> = matrix.axes.iter().map(String::as_str).collect();
                    member(&rest, "matrix axis", &known, reference, expr, problems);
                }
                None => {
                    let help = "add matrix: { ... } to the step".to_owned();
                    problems.error("yaml-reference", at, "there is no matrix here", help);
                }
            },
            "event" => {}
            "self" if place.own => {
                if let Some(first) = rest.first().filter(|first| !STEP.contains(first)) {
                    problems.unknown("yaml-reference", at, "value of self", first, STEP);
                }
            }
            "self" => {
                let help = "self is the step itself once it ended: only its outputs: may read it".to_owned();
                problems.error("yaml-reference", at, "self cannot be read here", help);
            }
            "steps" => steps(&rest, reference, expr, place, catalog, problems),
            other => {
                let help = ELSEWHERE.iter().find(|(name, _)| *name == other).map(|(_, help)| (*help).to_owned());
                // `outputs.model-data` is a subtraction to CEL.
                let dash = (expr.before(reference) == Some('-'))
                    .then(|| format!("a name with - in it is written in brackets, as in outputs[\"model-{other}\"]"));
                let help = help.or(dash).or_else(|| suggest(other, &ROOTS));
                problems.error("yaml-reference", at, format!("the name {other:?} is not known"), help);
            }
        }
    }
}

/// `root.NAME` where all names are known.
fn member(rest: &[&str], what: &str, known: &[&str], reference: &Reference, expr: &Expr, problems: &mut Problems) {
    if let Some(name) = rest.first().filter(|name| !known.contains(name)) {
        problems.unknown("yaml-reference", expr.place(reference), what, name, known.iter().copied());
    }
}

fn steps(
    rest: &[&str],
    reference: &Reference,
    expr: &Expr,
    place: &Place<'_>,
    catalog: &Catalog<'_>,
    problems: &mut Problems,
) {
    let at = expr.place(reference);
    let doc = place.doc;
    let Some((id, rest)) = rest.split_first() else {
        let help = "write steps.ID.outputs.NAME with the id as it stands".to_owned();
        problems.error("yaml-reference", at, "a step is read by its id, which cannot be computed", help);
        return;
    };
    if !place.steps {
        let help = "put the variable on the step that uses it".to_owned();
        problems.error("yaml-reference", at, "no step has run yet when the variables of the file are made", help);
        return;
    }
    let Some(index) = doc.index.get(*id).copied() else {
        let known: Vec<&str> = doc.steps.iter().map(|step| step.id.as_str()).collect();
        problems.unknown("yaml-reference", at, "step", id, known);
        return;
    };
    if let Some(reader) = place.step
        && !comes_before(doc, index, reader)
    {
        let reader = &doc.steps[reader];
        let message = format!("{id:?} need not have ended when {:?} begins, so its outputs cannot be read", reader.id);
        let help = if reader.id == *id {
            "a step cannot read itself before it ran; outputs: may read self.outputs".to_owned()
        } else {
            format!("add {id} to the needs of {}", reader.id)
        };
        problems.error("yaml-order", at, message, help);
        return;
    }
    match rest {
        [] | ["result" | "message", ..] | ["outputs"] => {}
        ["outputs", name, ..] => output(&doc.steps[index], name, reference, expr, catalog, problems),
        [other, ..] => {
            let help = suggest(other, &STEP).filter(|help| help.starts_with("did"));
            let help = help.or_else(|| {
                Some(format!("write steps.{id}.outputs.{other}, or outputs[\"{other}-...\"] for a name with -"))
            });
            problems.error("yaml-reference", at, format!("a step has no {other:?}"), help);
        }
    }
}

/// Whether the output is one that the step has.
fn output(step: &Step, name: &str, reference: &Reference, expr: &Expr, catalog: &Catalog<'_>, problems: &mut Problems) {
    let mut known: Vec<&str> = step.outputs.iter().map(|output| output.name.as_str()).collect();
    if let Some(matrix) = &step.matrix {
        // Outputs of a matrix stand under the names of its cells.
        known = matrix.cells.iter().map(|cell| cell.label.as_str()).collect();
    } else {
        match &step.action {
            Action::Use { kind, .. } => match catalog.get(kind) {
                Some(schema) if !schema.open_outputs => known.extend(schema.outputs.iter().map(|output| output.name)),
                _ => return,
            },
            Action::File { doc: Some(doc), .. } => known.extend(doc.outputs.iter().map(|output| output.name.as_str())),
            Action::File { doc: None, .. } => return,
            Action::Input(question) => {
                known.extend(["by", "reason", "values"]);
                known.extend(question.parameters.iter().map(|parameter| parameter.name.as_str()));
            }
        }
    }
    // `output-NAME` in a schema stands for one output for each name.
    let family =
        |known: &str| known.strip_suffix("NAME").is_some_and(|prefix| !prefix.is_empty() && name.starts_with(prefix));
    if !known.iter().any(|known| *known == name || family(known)) {
        let what = format!("output of the step {:?}:", step.id);
        problems.unknown("yaml-reference", expr.place(reference), &what, name, known);
    }
}

/// `first` has always ended, one way or another, when `second` begins.
fn comes_before(doc: &Doc, first: usize, second: usize) -> bool {
    if doc.steps[second].after_all && !doc.steps[first].after_all {
        return true;
    }
    let mut seen = BTreeSet::new();
    let mut open = vec![second];
    while let Some(step) = open.pop() {
        let Some(gate) = doc.steps[step].gate else { continue };
        if !seen.insert(gate) {
            continue;
        }
        let needs = &doc.gates[gate].needs;
        if needs.binary_search(&first).is_ok() {
            return true;
        }
        open.extend(needs.iter().copied());
    }
    false
}

/// The arguments of a called file against its parameters.
fn called(step: &Step, problems: &mut Problems) {
    let Action::File { path, with, doc: Some(doc), at } = &step.action else { return };
    for argument in with {
        match doc.parameters.iter().find(|parameter| parameter.name == argument.name) {
            None => {
                let known = doc.parameters.iter().map(|parameter| parameter.name.as_str());
                let what = format!("parameter of {path}:");
                problems.unknown("yaml-unknown-argument", argument.at, &what, &argument.name, known);
            }
            Some(parameter) => {
                if let Template::Literal(value) = &argument.value
                    && *value != Value::Null
                    && let Err(why) = coerce(parameter, value)
                {
                    problems.error("yaml-argument", argument.at, why, None);
                }
            }
        }
    }
    for parameter in doc.parameters.iter().filter(|parameter| parameter.default.is_none()) {
        if !with.iter().any(|argument| argument.name == parameter.name) {
            let message = format!("{path} needs the parameter {:?}", parameter.name);
            let help = format!("add with: {{ {}: ... }}", parameter.name);
            problems.error("yaml-missing-argument", *at, message, help);
        }
    }
}
