//! A Declarative Jenkinsfile as a Haliotis pipeline. What has no like in YAML is named, never dropped in silence.

use std::fmt::Write as _;

use haliotis_groovy_syntax::ast::Literal;

use crate::declare::model::{
    Args, Branch, CallArg, EnvVal, MethodCall, Model, Settings, Stage, Stages, Step, Val, ValKind,
};

/// The YAML text, and a sentence for each construct that was not translated.
pub(crate) fn of(model: &Model) -> (String, Vec<String>) {
    let mut yaml = Yaml::default();
    yaml.model(model);
    let mut text = String::from("# Made from a Jenkinsfile by `haliotis convert`.\n");
    for note in &yaml.left {
        let _ = writeln!(text, "# not translated: {note}");
    }
    (text + &yaml.text, yaml.left)
}

#[derive(Default)]
struct Yaml {
    text: String,
    left: Vec<String>,
    ids: Vec<String>,
    /// Needs of the next step.
    before: Vec<String>,
}

impl Yaml {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{:depth$}{text}", "");
    }

    fn left(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.left.contains(&what) {
            self.left.push(what);
        }
    }

    fn model(&mut self, model: &Model) {
        self.line(0, "name: from-jenkinsfile");
        if let Some(agent) = &model.agent {
            match (agent.kind.as_ref().map(|key| key.name.as_str()), &agent.settings) {
                (Some("label"), Settings::One(val)) => self.line(0, &format!("agent: {}", scalar(&plain(val)))),
                (Some("any" | "none") | None, _) => {}
                (Some(other), _) => self.left(format!("agent {other}")),
            }
        }
        if let Some(parameters) = &model.parameters {
            self.line(0, "parameters:");
            for call in &parameters.calls {
                self.parameter(call);
            }
        }
        if let Some(environment) = &model.environment {
            let (vars, credentials): (Vec<_>, Vec<_>) =
                environment.vars.iter().partition(|(_, val)| matches!(val, EnvVal::Val(_)));
            if !vars.is_empty() {
                self.line(0, "vars:");
                for (key, val) in vars {
                    if let EnvVal::Val(val) = val {
                        self.variable(2, &key.name, val);
                    }
                }
            }
            if !credentials.is_empty() {
                self.line(0, "credentials:");
                for (key, val) in credentials {
                    if let EnvVal::Credentials { args, .. } = val {
                        let id = args.first().map(plain).unwrap_or_default();
                        self.line(2, &format!("{}: {}", key.name, scalar(&id)));
                    }
                }
            }
        }
        for call in model.options.iter().flat_map(|calls| &calls.calls) {
            match call.name.as_str() {
                "disableConcurrentBuilds" => self.line(0, "concurrency: 1"),
                "timestamps" | "ansiColor" | "buildDiscarder" | "skipDefaultCheckout" | "disableResume" => {}
                other => self.left(format!("option {other}")),
            }
        }
        for call in model.triggers.iter().flat_map(|calls| &calls.calls) {
            self.left(format!("trigger {} (add it under triggers:)", call.name));
        }
        for tool in model.tools.iter().flat_map(|tools| &tools.tools) {
            self.left(format!("tool {}", tool.0.name));
        }
        self.line(0, "steps:");
        if let Some(stages) = &model.stages {
            self.stages(stages, false);
        }
        if let Some(post) = &model.post {
            for (key, branch) in &post.conditions {
                self.post(&key.name, branch);
            }
        }
    }

    fn parameter(&mut self, call: &MethodCall) {
        let Some(name) = call.text("name") else { return };
        let kind = match call.name.as_str() {
            "booleanParam" => "boolean",
            "choice" => "choice",
            "string" | "text" | "password" | "credentials" => "string",
            other => {
                self.left(format!("parameter {other} {name}"));
                return;
            }
        };
        let choices = call.named("choices").map(choices).unwrap_or_default();
        let kind = match (kind, choices.is_empty()) {
            ("choice", true) => {
                self.left(format!("choices of the parameter {name}, which is a text now"));
                "string"
            }
            (kind, _) => kind,
        };
        self.line(2, &format!("{name}:"));
        self.line(4, &format!("type: {kind}"));
        if let Some(CallArg::Val(val)) = call.named("defaultValue") {
            self.line(4, &format!("default: {}", literal(val)));
        }
        if kind == "choice" {
            let list: Vec<String> = choices.iter().map(|choice| scalar(choice)).collect();
            self.line(4, &format!("choices: [{}]", list.join(", ")));
            // As in Jenkins, where the first one is chosen.
            self.line(4, &format!("default: {}", list.first().cloned().unwrap_or_default()));
        }
        if let Some(text) = call.text("description") {
            self.line(4, &format!("description: {}", scalar(text)));
        }
    }

    fn variable(&mut self, depth: usize, name: &str, val: &Val) {
        match &val.kind {
            ValKind::Literal(_) => self.line(depth, &format!("{name}: {}", literal(val))),
            ValKind::Code { text, .. } => {
                self.left(format!("the computed variable {name} = {text}"));
                self.line(depth, &format!("{name}: {}", scalar(text)));
            }
        }
    }

    fn stages(&mut self, stages: &Stages, beside: bool) {
        let start = self.before.clone();
        let mut ends = Vec::new();
        for stage in &stages.stages {
            if beside {
                self.before.clone_from(&start);
            }
            self.stage(stage);
            if beside {
                ends.extend(self.before.clone());
            }
        }
        if beside {
            self.before = ends;
        }
    }

    fn stage(&mut self, stage: &Stage) {
        for (there, what) in [
            (stage.when.is_some(), "when"),
            (stage.post.is_some(), "post"),
            (stage.tools.is_some(), "tools"),
            (stage.options.is_some(), "options"),
            (stage.environment.is_some(), "environment"),
            (stage.agent.is_some(), "agent"),
            (stage.matrix.is_some(), "matrix"),
        ] {
            if there {
                self.left(format!("{what} of the stage {}", stage.name));
            }
        }
        if let Some(input) = &stage.input {
            let message = input.message.as_ref().map(plain).unwrap_or_default();
            self.input(&stage.name, &message);
        }
        if let Some(stages) = &stage.stages {
            self.stages(stages, false);
        }
        if let Some(stages) = &stage.parallel {
            self.stages(stages, true);
        }
        for branch in &stage.branches {
            for step in &branch.steps {
                self.step(&stage.name, step);
            }
        }
    }

    fn id(&mut self, stage: &str) -> String {
        let clean: String =
            stage.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let clean = clean.trim_matches('-').to_owned();
        let base = if clean.starts_with(|c: char| c.is_ascii_alphabetic()) { clean } else { format!("s-{clean}") };
        let mut id = base.clone();
        let mut number = 1;
        while self.ids.contains(&id) {
            number += 1;
            id = format!("{base}-{number}");
        }
        self.ids.push(id.clone());
        id
    }

    /// Opens a step; the caller writes what it does.
    fn open(&mut self, stage: &str) {
        let id = self.id(stage);
        self.line(2, &format!("{id}:"));
        if !self.before.is_empty() {
            let needs = self.before.join(", ");
            self.line(4, &format!("needs: [{needs}]"));
        }
        self.before = vec![id];
    }

    fn input(&mut self, stage: &str, message: &str) {
        self.open(stage);
        self.line(4, "input:");
        self.line(6, &format!("message: {}", scalar(message)));
    }

    fn step(&mut self, stage: &str, step: &Step) {
        let arg = |name: &str| argument(&step.args, name);
        match step.name.as_str() {
            "sh" => match arg("script").filter(|val| val.literal().is_some()) {
                Some(val) => {
                    let text = plain(val);
                    self.open(stage);
                    self.line(4, "run: |");
                    for line in text.lines() {
                        self.line(6, line);
                    }
                }
                None => self.left(format!("a computed script in the stage {stage}")),
            },
            "echo" => self.uses(stage, "echo", &[("message", arg("message"))]),
            "sleep" => self.sleep(stage, arg("time"), arg("unit")),
            "archiveArtifacts" => self.uses(stage, "archive", &[("files", arg("artifacts"))]),
            "junit" => self.uses(stage, "junit", &[("files", arg("testResults"))]),
            "stash" => self.uses(stage, "stash", &[("name", arg("name")), ("files", arg("includes"))]),
            "unstash" => self.uses(stage, "unstash", &[("name", arg("name"))]),
            "git" => self.uses(stage, "checkout", &[("repo", arg("url")), ("branch", arg("branch"))]),
            "input" => {
                let message = arg("message").map(plain).unwrap_or_default();
                self.input(stage, &message);
            }
            "cfnUpdate" => {
                let with = [
                    ("stack", arg("stack")),
                    ("template", arg("file")),
                    ("parameters-file", arg("paramsFile")),
                    ("tags-file", arg("tagsFile")),
                ];
                self.uses(stage, "cloudformation.deploy", &with);
            }
            "checkout" => {}
            other => {
                self.left(format!("the step {other} in the stage {stage}"));
                for child in step.children.iter().flatten() {
                    self.step(stage, child);
                }
            }
        }
    }

    fn uses(&mut self, stage: &str, kind: &str, with: &[(&str, Option<&Val>)]) {
        self.open(stage);
        self.line(4, &format!("uses: {kind}"));
        self.line(4, "with:");
        for (name, val) in with {
            let Some(val) = val else { continue };
            if let ValKind::Code { text, .. } = &val.kind {
                self.left(format!("the computed {name} of {kind} in the stage {stage}: {text}"));
            }
            match val.as_str().filter(|_| *name == "files") {
                Some(globs) => {
                    let globs = globs.split(',').map(str::trim).filter(|glob| !glob.is_empty());
                    let list: Vec<String> = globs.map(scalar).collect();
                    self.line(6, &format!("files: [{}]", list.join(", ")));
                }
                None => self.line(6, &format!("{name}: {}", literal(val))),
            }
        }
    }

    fn sleep(&mut self, stage: &str, time: Option<&Val>, unit: Option<&Val>) {
        let number = time.map(plain).and_then(|text| text.parse::<u64>().ok());
        let unit = match unit.map(plain).as_deref() {
            None | Some("SECONDS") => Some("s"),
            Some("MILLISECONDS") => Some("ms"),
            Some("MINUTES") => Some("m"),
            Some("HOURS") => Some("h"),
            Some("DAYS") => Some("d"),
            Some(_) => None,
        };
        match (number, unit) {
            (Some(number), Some(unit)) => {
                self.open(stage);
                self.line(4, "uses: sleep");
                self.line(4, &format!("with: {{ duration: {number}{unit} }}"));
            }
            _ => self.left(format!("a computed sleep in the stage {stage}")),
        }
    }

    fn post(&mut self, condition: &str, branch: &Branch) {
        let when = match condition {
            "always" | "cleanup" => "always",
            "failure" | "unsuccessful" => "failed",
            other => {
                self.left(format!("post {other}"));
                return;
            }
        };
        for step in &branch.steps {
            let (before, length) = (std::mem::take(&mut self.before), self.text.len());
            self.step(&format!("post-{condition}"), step);
            if self.text.len() > length {
                self.line(4, &format!("when: {when}"));
            }
            self.before = before;
        }
    }
}

fn argument<'a>(args: &'a Args, name: &str) -> Option<&'a Val> {
    match args {
        Args::Named(named) => named.iter().find(|(key, _)| key.name == name).map(|(_, val)| val),
        Args::Single(val) => Some(val),
        Args::Positional(values) => values.first(),
    }
}

/// The choices of a parameter: a list of constants, or lines of text; none where they are computed.
fn choices(arg: &CallArg) -> Vec<String> {
    let CallArg::Val(val) = arg else { return Vec::new() };
    match &val.kind {
        ValKind::Literal(Literal::String(text, _)) => text.lines().map(|line| line.trim().to_owned()).collect(),
        ValKind::Literal(_) => Vec::new(),
        ValKind::Code { text, .. } => {
            let listed = text.trim_start_matches("${").trim_end_matches('}').trim();
            let constant = listed.starts_with('[') && listed.ends_with(']') && !listed.contains(['$', '(', '{']);
            if constant { crate::definition::quoted(listed) } else { Vec::new() }
        }
    }
}

/// A value as text.
fn plain(val: &Val) -> String {
    match &val.kind {
        ValKind::Literal(Literal::String(text, _)) => text.to_string(),
        ValKind::Literal(literal) => super::literal_json(literal).to_string(),
        ValKind::Code { text, .. } => text.clone(),
    }
}

/// A value as a YAML scalar.
fn literal(val: &Val) -> String {
    match &val.kind {
        ValKind::Literal(Literal::String(text, _)) => scalar(text),
        ValKind::Literal(literal) => super::literal_json(literal).to_string(),
        ValKind::Code { text, .. } => scalar(text),
    }
}

/// A double-quoted scalar: JSON's strings are YAML's. An expression mark of ours is kept from being one.
fn scalar(text: &str) -> String {
    serde_json::to_string(&text.replace("${{", "$ {{")).unwrap_or_default()
}
