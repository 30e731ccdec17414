//! Declarative Pipeline: from the tree to the model. What does not fit is reported in Jenkins' words and left out.

mod calls;
mod matching;
pub(crate) mod model;
mod properties;
mod stage;
mod when;

use haliotis_groovy_syntax::ast::{BinaryOp, Closure, Expr, ExprKind, Literal, Script, Stmt, StmtKind};
use haliotis_groovy_syntax::{Lines, Span};

use crate::problems::Problems;
use crate::words;
use matching::{Found, block_of, call_of, closures_in};
use model::{
    Agent, Branch, EnvVal, Environment, Fragment, FragmentId, Key, Libraries, Model, Post, Settings, Stages, Tools,
    Val, ValKind,
};
pub(crate) use properties::{Properties, properties};

/// Agents that take no settings.
const BARE_AGENTS: [&str; 2] = ["any", "none"];

/// The statement that is the pipeline, at the top level of the script.
pub(crate) fn pipeline_statement(script: &Script) -> Option<usize> {
    script.body.stmts.iter().position(|stmt| call_of(stmt).is_some_and(|found| found.bare_name() == Some("pipeline")))
}

/// A `pipeline` block inside a method `call()`: a pipeline defined by a shared library.
pub(crate) fn pipeline_in_call(script: &Script) -> Option<&Stmt> {
    let calls = script.methods.iter().filter(|method| &*method.name.name == "call");
    calls.filter_map(|method| method.body.as_ref()).flat_map(|body| &body.stmts).find(|stmt| is_pipeline(stmt))
}

/// Whether a statement is a `pipeline` block.
pub(crate) fn is_pipeline(stmt: &Stmt) -> bool {
    call_of(stmt).is_some_and(|found| found.bare_name() == Some("pipeline"))
}

/// The call that a statement is, if it has that name.
pub(crate) fn call_named<'a>(stmt: &'a Stmt, name: &str) -> Option<&'a haliotis_groovy_syntax::ast::Call> {
    call_of(stmt).filter(|found| found.bare_name() == Some(name)).map(|found| found.call)
}

/// Reads the pipeline of a script; `None` when it has none (then it is a scripted one).
pub(crate) fn read(script: &Script, problems: &mut Problems<'_>) -> Option<Model> {
    let stmt = match pipeline_statement(script) {
        Some(at) => script.body.stmts.get(at)?,
        None => match pipeline_in_call(script) {
            Some(stmt) => stmt,
            None => {
                for stmt in &script.body.stmts {
                    nested_pipeline(stmt, problems);
                }
                return None;
            }
        },
    };
    let mut reader = Reader { lines: &script.lines, problems, fragments: Vec::new() };
    reader.pipeline(stmt)
}

/// Reports every `pipeline` block that stands inside another block.
fn nested_pipeline(stmt: &Stmt, problems: &mut Problems<'_>) {
    let Some(block) = block_of(stmt) else { return };
    if block.name() == Some("pipeline") {
        problems.error(stmt.span, words::pipeline_not_at_top());
    }
    for inner in &block.body.body.stmts {
        nested_pipeline(inner, problems);
    }
}

/// Walks the tree; collects fragments on its way.
pub(crate) struct Reader<'a, 'p> {
    lines: &'a Lines,
    problems: &'a mut Problems<'p>,
    fragments: Vec<Fragment>,
}

impl Reader<'_, '_> {
    pub(crate) fn source(&self, span: Span) -> &str {
        span.of(self.lines.text())
    }

    pub(crate) fn block_fragment(&mut self, closure: &std::sync::Arc<Closure>) -> FragmentId {
        self.fragments.push(Fragment::Block(std::sync::Arc::clone(closure)));
        self.fragments.len() - 1
    }

    fn pipeline(&mut self, stmt: &Stmt) -> Option<Model> {
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::step_without_block("pipeline"), "write pipeline { … }");
            return None;
        };
        let mut model = Model { span: stmt.span, ..Model::default() };
        let mut seen = Vec::new();
        for inner in &block.body.body.stmts {
            let Some(found) = call_of(inner) else {
                let text = self.source(inner.span).to_owned();
                self.problems.maybe(inner.span, words::invalid_section(&text), hint_for_section(&text));
                continue;
            };
            let name = self.method_name(&found);
            if seen.contains(&name) {
                self.problems.hinted(inner.span, words::multiple(&name), "put both into one section");
            }
            seen.push(name.clone());
            self.section(&mut model, &name, inner);
        }
        model.fragments = std::mem::take(&mut self.fragments);
        Some(model)
    }

    fn section(&mut self, model: &mut Model, name: &str, stmt: &Stmt) {
        match name {
            "stages" => model.stages = Some(self.stages(stmt)),
            "environment" => model.environment = Some(self.environment(stmt)),
            "post" => model.post = Some(self.post(stmt)),
            "agent" => model.agent = Some(self.agent(stmt)),
            "tools" => model.tools = Some(self.tools(stmt)),
            "options" => model.options = Some(self.calls(stmt, calls::OPTIONS)),
            "parameters" => model.parameters = Some(self.calls(stmt, calls::PARAMETERS)),
            "triggers" => model.triggers = Some(self.calls(stmt, calls::TRIGGERS)),
            "libraries" => model.libraries = Some(self.libraries(stmt)),
            "properties" | "wrappers" | "jobProperties" | "notifications" | "postBuild" => {
                self.problems.error(stmt.span, words::renamed(name));
            }
            _ => {
                const SECTIONS: [&str; 9] = [
                    "agent",
                    "environment",
                    "libraries",
                    "options",
                    "parameters",
                    "post",
                    "stages",
                    "tools",
                    "triggers",
                ];
                let hint = match name {
                    "stage" => Some("put stages into stages { … }".to_owned()),
                    "steps" => Some("steps stand inside a stage".to_owned()),
                    "when" | "input" | "parallel" | "matrix" | "failFast" => {
                        Some(format!("\"{name}\" belongs into a stage"))
                    }
                    _ => crate::problems::did_you_mean(name, SECTIONS),
                };
                self.problems.maybe(stmt.span, words::undefined_section(name), hint);
            }
        }
    }

    pub(crate) fn method_name(&mut self, found: &Found<'_>) -> String {
        if let Some(name) = found.bare_name() {
            return name.to_owned();
        }
        if let Some((before, after)) = found.chained() {
            let hint = format!("put {after} on a line of its own: Groovy reads this as {before}(…).{after}(…)");
            self.problems.hinted(found.span, words::object_method_call(), hint);
        } else if found.on_variable() {
            self.problems.hinted(found.span, words::object_method_call(), "put it into script { … }");
        } else {
            self.problems.hinted(found.span, words::expected_symbol(), "only step names and sections may stand here");
        }
        "error".to_owned()
    }

    pub(crate) fn stages(&mut self, stmt: &Stmt) -> Stages {
        let mut stages = Stages { span: stmt.span, stages: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block_for("stages"), "write stages { stage('…') { … } }");
            return stages;
        };
        for inner in &block.body.body.stmts {
            stages.stages.extend(self.stage(inner));
        }
        stages
    }

    pub(crate) fn environment(&mut self, stmt: &Stmt) -> Environment {
        let mut environment = Environment { span: stmt.span, vars: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block_for("environment"), "write environment { A = 'b' }");
            return environment;
        };
        let mut unfit = false;
        for inner in &block.body.body.stmts {
            unfit |= !self.variable(inner, &mut environment);
        }
        if unfit {
            self.problems.hinted(stmt.span, words::expected_pairs(), "write one NAME = 'value' on each line");
        }
        environment
    }

    /// One line of `environment`; `false` when it is no assignment.
    fn variable(&mut self, stmt: &Stmt, environment: &mut Environment) -> bool {
        let StmtKind::Expr(expr) = &stmt.kind else { return false };
        let ExprKind::Assign { op: None, target, value } = &expr.kind else {
            let text = self.source(expr.span).to_owned();
            match text.split_once('=') {
                Some((key, _)) => self.problems.error(expr.span, words::invalid_identifier(key.trim())),
                None => self.problems.error(expr.span, words::invalid_environment_identifier(&text)),
            }
            return false;
        };
        let key = self.key(target);
        if environment.vars.iter().any(|(known, _)| known.name == key.name) {
            self.problems.error(key.span, words::duplicate_variable(&key.name));
            return true;
        }
        if let Some(value) = self.variable_value(value) {
            environment.vars.push((key, value));
        }
        true
    }

    fn variable_value(&mut self, expr: &Expr) -> Option<EnvVal> {
        match &expr.kind {
            ExprKind::Literal(_) | ExprKind::GString(..) => Some(EnvVal::Val(self.argument(expr))),
            ExprKind::Call(call) if call.bare_name().is_some_and(|name| &**name == "credentials") => {
                let mut args = Vec::new();
                for arg in call.positional() {
                    match &arg.kind {
                        ExprKind::Literal(_) | ExprKind::GString(..) => args.push(self.argument(arg)),
                        _ => self.problems.error(expr.span, words::function_arguments()),
                    }
                }
                Some(EnvVal::Credentials { span: expr.span, args })
            }
            ExprKind::Call(_) => Some(EnvVal::Val(self.argument(expr))),
            ExprKind::Binary { op: BinaryOp::Add, .. } => self.concatenation(expr).map(|text| {
                let fragment = self.fragment(expr);
                let text = format!("\"{text}\"");
                EnvVal::Val(Val { span: expr.span, kind: ValKind::Code { fragment, text } })
            }),
            ExprKind::Binary { .. } => {
                self.problems.error(expr.span, words::environment_operation());
                None
            }
            _ => {
                let text = self.source(expr.span).to_owned();
                self.problems.hinted(expr.span, words::environment_value(), format!("write \"${{{text}}}\""));
                None
            }
        }
    }

    /// The text of `'a' + "b"` as Jenkins' JSON has it.
    fn concatenation(&mut self, expr: &Expr) -> Option<String> {
        let ExprKind::Binary { op, left, right } = &expr.kind else { return None };
        if *op != BinaryOp::Add {
            self.problems.error(expr.span, words::environment_operation());
            return None;
        }
        let left = match &left.kind {
            ExprKind::Binary { .. } => self.concatenation(left)?,
            _ => self.quoted(left),
        };
        Some(left + &self.quoted(right))
    }

    fn quoted(&mut self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Literal(Literal::String(text, _)) => text.to_string(),
            ExprKind::Literal(_) => self.source(expr.span).to_owned(),
            ExprKind::GString(..) => self.source(expr.span).trim_matches(['"', '\'']).to_owned(),
            _ => {
                self.problems.error(expr.span, words::environment_concatenation());
                String::new()
            }
        }
    }

    fn libraries(&mut self, stmt: &Stmt) -> Libraries {
        let mut libraries = Libraries { span: stmt.span, libs: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(
                stmt.span,
                words::expected_block_for("libraries"),
                "write libraries { lib('name@version') }",
            );
            return libraries;
        };
        for inner in &block.body.body.stmts {
            let text = self.source(inner.span).to_owned();
            let found = call_of(inner).filter(|found| found.bare_name() == Some("lib"));
            let Some(found) = found else {
                self.problems.hinted(stmt.span, words::expected_library(&text), "write lib('name@version')");
                continue;
            };
            if block_of(inner).is_some() {
                self.problems.error(inner.span, words::no_blocks("Libraries"));
                continue;
            }
            let args: Vec<_> = found.call.positional().collect();
            match args.as_slice() {
                [arg] if found.call.named().next().is_none() => {
                    let value = self.argument(arg);
                    libraries.libs.push(value);
                }
                _ => self.problems.error(inner.span, words::expected_library(&text)),
            }
        }
        libraries
    }

    pub(crate) fn tools(&mut self, stmt: &Stmt) -> Tools {
        let mut tools = Tools { span: stmt.span, tools: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block_for("tools"), "write tools { maven 'name' }");
            return tools;
        };
        for inner in &block.body.body.stmts {
            let Some(found) = call_of(inner) else {
                self.problems.error(stmt.span, words::expected_tool());
                continue;
            };
            let key = Key { name: self.method_name(&found), span: found.name_span() };
            let args: Vec<_> = found.call.positional().collect();
            match args.as_slice() {
                [] => self.problems.error(key.span, words::no_argument("tool", &key.name)),
                [arg] => {
                    let value = self.argument(arg);
                    tools.tools.push((key, value));
                }
                _ => self.problems.error(key.span, words::too_many_arguments("tool", &key.name)),
            }
        }
        tools
    }

    pub(crate) fn agent(&mut self, stmt: &Stmt) -> Agent {
        let mut agent = Agent { span: stmt.span, kind: None, settings: Settings::None };
        let Some(found) = call_of(stmt) else {
            self.problems.error(stmt.span, words::expected_agent());
            return agent;
        };
        let Some(block) = block_of(stmt) else {
            self.bare_agent(&mut agent, &found);
            return agent;
        };
        match block.body.body.stmts.as_slice() {
            [] => self.problems.hinted(stmt.span, words::expected_agent(), "write agent any, or agent { label '…' }"),
            [only] => match call_of(only) {
                None => {
                    let text = self.source(only.span).trim().to_owned();
                    let hint =
                        BARE_AGENTS.contains(&text.as_str()).then(|| format!("write agent {text}, without braces"));
                    self.problems.maybe(stmt.span, words::expected_agent(), hint);
                }
                Some(kind) => {
                    let name = self.method_name(&kind);
                    let mut key = Key { name, span: kind.name_span() };
                    agent.settings = self.setting(only);
                    // `label { … }` with several settings is another spelling of `node`.
                    if key.name == "label" && matches!(agent.settings, Settings::Map(_)) {
                        "node".clone_into(&mut key.name);
                    }
                    agent.kind = Some(key);
                }
            },
            _ => self.problems.hinted(stmt.span, words::one_agent(), "keep one of them"),
        }
        agent
    }

    fn bare_agent(&mut self, agent: &mut Agent, found: &Found<'_>) {
        let args: Vec<_> = found.call.positional().collect();
        let hint = "write agent any, agent none, or agent { label '…' }";
        match args.as_slice() {
            [] if found.call.named().next().is_none() => {
                self.problems.hinted(agent.span, words::no_agent_argument(), hint)
            }
            [arg] => {
                let key = self.key(arg);
                if BARE_AGENTS.contains(&key.name.as_str()) {
                    agent.kind = Some(key);
                } else {
                    self.problems.hinted(agent.span, words::invalid_agent(), hint);
                }
            }
            _ => self.problems.hinted(agent.span, words::invalid_agent(), hint),
        }
    }

    /// `key value` or `key { … }` inside an agent.
    fn setting(&mut self, stmt: &Stmt) -> Settings {
        let Some(found) = call_of(stmt) else { return Settings::None };
        if let Some(block) = block_of(stmt) {
            let mut map = Vec::new();
            for inner in &block.body.body.stmts {
                let Some(inner_call) = call_of(inner) else {
                    self.problems.error(stmt.span, words::expected_map_method());
                    continue;
                };
                let key = Key { name: self.method_name(&inner_call), span: inner_call.name_span() };
                let value = self.setting(inner);
                map.push((key, value));
            }
            return Settings::Map(map);
        }
        let name = found.bare_name().unwrap_or_default().to_owned();
        let args: Vec<_> = found.call.positional().collect();
        match args.as_slice() {
            [] => {
                self.problems.error(found.name_span(), words::no_argument("map", &name));
                Settings::None
            }
            [arg] => Settings::One(self.argument(arg)),
            _ => {
                self.problems.error(found.name_span(), words::too_many_arguments("map", &name));
                Settings::None
            }
        }
    }

    pub(crate) fn post(&mut self, stmt: &Stmt) -> Post {
        let mut post = Post { span: stmt.span, conditions: Vec::new() };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block(), "write post { always { … } }");
            return post;
        };
        for inner in &block.body.body.stmts {
            match block_of(inner) {
                Some(condition) => {
                    let name = condition.name().unwrap_or("error").to_owned();
                    let branch = self.branch("default", &condition.body.clone());
                    post.conditions.push((Key { name, span: inner.span }, branch));
                }
                None => self.problems.hinted(
                    inner.span,
                    words::invalid_condition(),
                    "put steps into a condition: always { … }",
                ),
            }
        }
        post
    }

    pub(crate) fn branch(&mut self, name: &str, closure: &std::sync::Arc<Closure>) -> Branch {
        let block = self.block_fragment(closure);
        let steps = closure.body.stmts.iter().map(|stmt| self.step(stmt)).collect();
        Branch { span: closure.span, name: name.to_owned(), steps, block }
    }

    /// A name as a key: a bare word or a string.
    pub(crate) fn key(&mut self, expr: &Expr) -> Key {
        Key { name: self.string_literal(expr), span: expr.span }
    }

    pub(crate) fn string_literal(&mut self, expr: &Expr) -> String {
        match (&expr.kind, expr.as_str()) {
            (_, Some(text)) => text.to_owned(),
            (ExprKind::Name(name), _) => name.to_string(),
            (ExprKind::Type(ty), _) => ty.name.to_string(),
            _ => {
                self.problems.error(expr.span, words::expected_string());
                "error".to_owned()
            }
        }
    }

    pub(crate) fn fragment(&mut self, expr: &Expr) -> FragmentId {
        self.fragments.push(Fragment::Expr(expr.clone()));
        self.fragments.len() - 1
    }

    /// An argument: a constant, or something to evaluate.
    pub(crate) fn argument(&mut self, expr: &Expr) -> Val {
        let span = expr.span;
        let source = self.source(span).to_owned();
        let text = match &expr.kind {
            ExprKind::Literal(Literal::BigInteger(_)) => {
                self.problems.error(span, words::big_integer());
                return Val { span, kind: ValKind::Literal(Literal::Int(-1)) };
            }
            ExprKind::Literal(literal) => return Val { span, kind: ValKind::Literal(literal.clone()) },
            ExprKind::Name(name) if BARE_AGENTS.contains(&&**name) => {
                let literal = Literal::String(name.clone(), haliotis_groovy_syntax::ast::Quote::Single);
                return Val { span, kind: ValKind::Literal(literal) };
            }
            ExprKind::GString(..) | ExprKind::Map(_) => source,
            _ => {
                if source.starts_with("${") {
                    let hint = format!("put it into quotes: \"{source}\"");
                    self.problems.hinted(span, words::bare_dollar(&source), hint);
                }
                format!("${{{source}}}")
            }
        };
        let fragment = self.fragment(expr);
        Val { span, kind: ValKind::Code { fragment, text } }
    }

    pub(crate) fn boolean(&mut self, found: &Found<'_>, name: &str) -> Option<bool> {
        match found.call.positional().next().map(|expr| &expr.kind) {
            Some(ExprKind::Literal(Literal::Bool(truth))) => Some(*truth),
            _ => {
                self.problems.hinted(found.name_span(), words::expected_boolean(name), format!("write {name} true"));
                None
            }
        }
    }
}

/// What a wrong section most probably should be.
fn hint_for_section(text: &str) -> Option<String> {
    if text.starts_with('#') {
        return Some("comments in Groovy start with //".to_owned());
    }
    (text.trim() == "agent").then(|| "write agent any, or agent { label '…' }".to_owned())
}

/// Closures of a legacy `parallel(a: { … }, b: { … })`.
pub(crate) fn parallel_branches<'a>(found: &'a Found<'a>) -> Vec<(String, &'a Expr)> {
    closures_in(found)
}
