//! Stages, their steps, matrix and input.

use haliotis_groovy_syntax::ast::{Arg, Expr, ExprKind, Literal, Stmt};

use super::matching::{Found, block_of, call_of};
use super::model::{Args, Axes, Axis, Branch, Excludes, Input, Key, Matrix, Stage, Stages, Step};
use super::{Reader, calls, parallel_branches};
use crate::words;

/// Sections of a stage, for suggestions.
const SECTIONS: [&str; 12] = [
    "agent",
    "environment",
    "failFast",
    "input",
    "matrix",
    "options",
    "parallel",
    "post",
    "stages",
    "steps",
    "tools",
    "when",
];

impl Reader<'_, '_> {
    pub(crate) fn stage(&mut self, stmt: &Stmt) -> Option<Stage> {
        let found = call_of(stmt).filter(|found| found.bare_name() == Some("stage"));
        let Some(found) = found else {
            let hint = match call_of(stmt).and_then(|found| found.bare_name()) {
                Some("parallel") => Some("put parallel { … } into a stage".to_owned()),
                Some("steps") => Some("put steps { … } into a stage".to_owned()),
                Some(name) => crate::problems::did_you_mean(name, ["stage"]),
                None => None,
            };
            self.problems.maybe(stmt.span, words::expected_stage(), hint);
            return None;
        };
        let mut args = found.call.positional();
        let Some(name) = args.next().filter(|expr| expr.as_closure().is_none()) else {
            self.problems.hinted(stmt.span, words::expected_stage_name(), "write stage('name') { … }");
            return None;
        };
        let mut stage = Stage { span: stmt.span, name: self.string_literal(name), ..Stage::default() };
        let Some(body) = args.next().and_then(Expr::as_closure) else {
            self.problems.hinted(stmt.span, words::stage_without_block(), "write stage('name') { steps { … } }");
            return Some(stage);
        };
        let mut seen = Vec::new();
        for inner in &body.body.stmts {
            let Some(found) = call_of(inner) else {
                let text = self.source(inner.span).to_owned();
                self.problems.error(stage.span, words::invalid_stage_section(&text));
                continue;
            };
            let name = self.method_name(&found);
            if seen.contains(&name) {
                self.problems.hinted(stage.span, words::multiple(&name), "put both into one section");
            }
            seen.push(name.clone());
            if !self.stage_section(&mut stage, &name, inner, &found) {
                let hint = crate::problems::did_you_mean(&name, SECTIONS)
                    .or_else(|| crate::table::step(&name).map(|_| format!("put {name} into steps {{ … }}")));
                self.problems.maybe(stage.span, words::unknown_stage_section(&name), hint);
            }
        }
        Some(stage)
    }

    /// `false`: there is no such section.
    fn stage_section(&mut self, stage: &mut Stage, name: &str, stmt: &Stmt, found: &Found<'_>) -> bool {
        match name {
            "steps" => stage.branches = self.steps(stmt),
            "stages" => stage.stages = Some(self.stages(stmt)),
            "parallel" => stage.parallel = Some(self.parallel(stmt)),
            "matrix" => stage.matrix = self.matrix(stmt).map(Box::new),
            "failFast" => stage.fail_fast = self.boolean(found, "failFast"),
            _ => return self.directive(stage, name, stmt),
        }
        true
    }

    /// What stages and matrix cells have in common.
    fn directive(&mut self, stage: &mut Stage, name: &str, stmt: &Stmt) -> bool {
        match name {
            "agent" => stage.agent = Some(self.agent(stmt)),
            "when" => stage.when = self.when(stmt),
            "post" => stage.post = Some(self.post(stmt)),
            "options" => stage.options = Some(self.calls(stmt, calls::OPTIONS)),
            "input" => stage.input = Some(self.input(stmt)),
            "tools" => stage.tools = Some(self.tools(stmt)),
            "environment" => stage.environment = Some(self.environment(stmt)),
            _ => return false,
        }
        true
    }

    fn parallel(&mut self, stmt: &Stmt) -> Stages {
        let mut stages = Stages { span: stmt.span, stages: Vec::new() };
        match block_of(stmt) {
            Some(block) => {
                for inner in &block.body.body.stmts {
                    stages.stages.extend(self.stage(inner));
                }
            }
            None => {
                self.problems.hinted(
                    stmt.span,
                    words::expected_block_for("parallel"),
                    "write parallel { stage('a') { … } stage('b') { … } }",
                );
            }
        }
        stages
    }

    fn steps(&mut self, stmt: &Stmt) -> Vec<Branch> {
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block_for("steps"), "write steps { … }");
            return Vec::new();
        };
        if let [only] = block.body.body.stmts.as_slice()
            && let Some(found) = call_of(only)
            && found.bare_name() == Some("parallel")
            && found.call.named().next().is_some()
        {
            return self.legacy_parallel(&found, block.body);
        }
        let mut branch = self.branch("default", block.body);
        branch.span = stmt.span;
        vec![branch]
    }

    /// `steps { parallel(a: { … }, failFast: true) }`: branches of one stage. The whole block is run as it stands.
    fn legacy_parallel(
        &mut self,
        found: &Found<'_>,
        whole: &std::sync::Arc<haliotis_groovy_syntax::ast::Closure>,
    ) -> Vec<Branch> {
        let block = self.block_fragment(whole);
        let mut branches = Vec::new();
        for (name, value) in parallel_branches(found) {
            if name == "failFast" {
                if !matches!(value.kind, ExprKind::Literal(Literal::Bool(_))) {
                    self.problems.error(value.span, words::expected_boolean("failFast"));
                }
                continue;
            }
            match value.as_closure() {
                Some(closure) => {
                    let steps = closure.body.stmts.iter().map(|stmt| self.step(stmt)).collect();
                    branches.push(Branch { span: closure.span, name, steps, block });
                }
                None => self.problems.error(value.span, words::expected_closure()),
            }
        }
        branches
    }

    pub(crate) fn step(&mut self, stmt: &Stmt) -> Step {
        let mut step =
            Step { span: stmt.span, name: String::new(), args: Args::Named(Vec::new()), children: None, code: None };
        let Some(found) = call_of(stmt) else {
            let text = self.source(stmt.span).trim_start().to_owned();
            let hint = if text.starts_with("def ") || text.starts_with("if") || text.starts_with("for") {
                "put Groovy code into script { … }"
            } else {
                "only steps may stand here; Groovy code goes into script { … }"
            };
            self.problems.hinted(stmt.span, words::expected_step(), hint);
            return step;
        };
        step.name = self.method_name(&found);
        let block = block_of(stmt);
        if step.name == "script" {
            match block {
                Some(block) => step.code = Some(inner_span(block.body)),
                None => self.problems.hinted(stmt.span, words::code_without_block("Script"), "write script { … }"),
            }
            return step;
        }
        let mut args: Vec<&Arg> = found.call.args.iter().collect();
        if let Some(block) = block {
            args.pop();
            step.args = self.arguments(&args);
            step.children = Some(block.body.body.stmts.iter().map(|stmt| self.step(stmt)).collect());
        } else {
            step.args = self.arguments(&args);
            name_the_only_one(&mut step);
        }
        step
    }

    pub(crate) fn arguments(&mut self, args: &[&Arg]) -> Args {
        let is_class = |arg: &&Arg| matches!(arg, Arg::Named(entry) if entry.key.as_str() == Some("$class"));
        if args.iter().all(|arg| matches!(arg, Arg::Named(_))) && !args.iter().any(is_class) {
            let mut named = Vec::new();
            for arg in args {
                if let Arg::Named(entry) = arg {
                    let key = self.key(&entry.key);
                    if named.iter().any(|(known, _): &(Key, _)| known.name == key.name) {
                        self.problems.error(key.span, words::duplicate_named(&key.name));
                    }
                    named.push((key, self.argument(&entry.value)));
                }
            }
            return Args::Named(named);
        }
        let mut values = Vec::new();
        for arg in args {
            match arg {
                Arg::Positional(expr) => values.push(self.argument(expr)),
                Arg::Named(entry) => values.push(self.argument(&entry.value)),
            }
        }
        if values.len() == 1 { Args::Single(values.remove(0)) } else { Args::Positional(values) }
    }

    fn input(&mut self, stmt: &Stmt) -> Input {
        let mut input = Input { span: stmt.span, ..Input::default() };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block_for("input"), "write input { message '…' }");
            return input;
        };
        let mut seen = Vec::new();
        for inner in &block.body.body.stmts {
            let Some(found) = call_of(inner) else {
                let text = self.source(inner.span).to_owned();
                self.problems.error(stmt.span, words::invalid_section(&text));
                continue;
            };
            let name = self.method_name(&found);
            if seen.contains(&name) {
                self.problems.error(stmt.span, words::multiple(&name));
            }
            seen.push(name.clone());
            let args: Vec<_> = found.call.positional().collect();
            match args.as_slice() {
                [] => self.problems.error(found.name_span(), words::no_argument("field", &name)),
                [arg] => self.input_field(&mut input, &name, inner, &found, arg),
                _ => self.problems.error(found.name_span(), words::too_many_arguments("field", &name)),
            }
        }
        input
    }

    fn input_field(&mut self, input: &mut Input, name: &str, stmt: &Stmt, found: &Found<'_>, arg: &Expr) {
        if name == "parameters" {
            input.parameters = Some(self.calls(stmt, calls::PARAMETERS));
            return;
        }
        let field = match name {
            "message" => &mut input.message,
            "id" => &mut input.id,
            "ok" => &mut input.ok,
            "submitter" => &mut input.submitter,
            "submitterParameter" => &mut input.submitter_parameter,
            _ => {
                const FIELDS: [&str; 6] = ["id", "message", "ok", "parameters", "submitter", "submitterParameter"];
                let hint = crate::problems::did_you_mean(name, FIELDS);
                self.problems.maybe(found.name_span(), words::invalid_input_field(name), hint);
                return;
            }
        };
        *field = Some(self.argument(arg));
    }

    fn matrix(&mut self, stmt: &Stmt) -> Option<Matrix> {
        let mut matrix = Matrix { span: stmt.span, ..Matrix::default() };
        matrix.cell.span = stmt.span;
        let Some(block) = block_of(stmt) else {
            self.problems.error(stmt.span, words::expected_block_for("matrix"));
            return None;
        };
        let mut seen = Vec::new();
        for inner in &block.body.body.stmts {
            let Some(found) = call_of(inner) else {
                let text = self.source(inner.span).to_owned();
                self.problems.error(stmt.span, words::invalid_stage_section(&text));
                continue;
            };
            let name = self.method_name(&found);
            if seen.contains(&name) {
                self.problems.error(stmt.span, words::multiple(&name));
            }
            seen.push(name.clone());
            match name.as_str() {
                "axes" => matrix.axes = Some(self.axes(inner, "axes")),
                "excludes" => matrix.excludes = Some(self.excludes(inner)),
                "stages" => matrix.stages = Some(self.stages(inner)),
                _ => {
                    if !self.directive(&mut matrix.cell, &name, inner) {
                        self.problems.error(stmt.span, words::unknown_stage_section(&name));
                    }
                }
            }
        }
        Some(matrix)
    }

    fn excludes(&mut self, stmt: &Stmt) -> Excludes {
        let mut excludes = Excludes { span: stmt.span, excludes: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.error(stmt.span, words::expected_block_for("excludes"));
            return excludes;
        };
        for inner in &block.body.body.stmts {
            if call_of(inner).is_some_and(|found| found.bare_name() == Some("exclude")) {
                excludes.excludes.push(self.axes(inner, "exclude"));
            } else {
                self.problems.error(inner.span, "Expected an exclude");
            }
        }
        excludes
    }

    fn axes(&mut self, stmt: &Stmt, section: &str) -> Axes {
        let mut axes = Axes { span: stmt.span, axes: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.error(stmt.span, words::expected_block_for(section));
            return axes;
        };
        for inner in &block.body.body.stmts {
            match block_of(inner).filter(|block| block.name() == Some("axis")) {
                Some(_) => axes.axes.push(self.axis(inner)),
                None => {
                    self.problems.hinted(inner.span, "Expected an axis", "write axis { name 'A'; values 'b', 'c' }")
                }
            }
        }
        axes
    }

    fn axis(&mut self, stmt: &Stmt) -> Axis {
        let mut axis = Axis { span: stmt.span, ..Axis::default() };
        let Some(block) = block_of(stmt) else { return axis };
        for inner in &block.body.body.stmts {
            let Some(found) = call_of(inner) else {
                self.problems.error(inner.span, words::expected_map_method());
                continue;
            };
            match found.bare_name() {
                Some("name") => match found.call.positional().next() {
                    Some(expr) => axis.name = Some(self.key(expr)),
                    None => self.problems.error(inner.span, words::no_argument("field", "name")),
                },
                Some(which @ ("values" | "notValues")) => {
                    if axis.inverse.is_some() {
                        self.problems.error(stmt.span, words::multiple("values"));
                    }
                    axis.inverse = Some(which == "notValues");
                    for expr in found.call.positional() {
                        let value = self.argument(expr);
                        axis.values.push(value);
                    }
                }
                other => {
                    let name = other.unwrap_or("error").to_owned();
                    self.problems.maybe(
                        inner.span,
                        words::undefined_section(&name),
                        crate::problems::did_you_mean(&name, ["name", "values", "notValues"]),
                    );
                }
            }
        }
        axis
    }
}

/// What stands between the braces.
pub(crate) fn inner_span(closure: &haliotis_groovy_syntax::ast::Closure) -> haliotis_groovy_syntax::Span {
    match (closure.body.stmts.first(), closure.body.stmts.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => haliotis_groovy_syntax::Span::new(closure.span.start + 1, closure.span.end.saturating_sub(1)),
    }
}

/// As Jenkins does: the only argument of a step without a block is named after the step's only required parameter.
fn name_the_only_one(step: &mut Step) {
    if let Args::Single(value) = &step.args
        && let Some(known) = crate::table::step(&step.name)
        && let Some(sole) = known.sole_required()
        && !known.block
    {
        let key = Key { name: sole.name.to_owned(), span: step.span };
        step.args = Args::Named(vec![(key, value.clone())]);
    }
}
