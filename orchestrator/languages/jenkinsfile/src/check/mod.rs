//! The rules of Declarative beyond its syntax: what must be there, what may not, what is known.

mod calls;
pub(crate) mod known;

use haliotis_groovy_syntax::Span;

use crate::declare::model::{
    Agent, Args, Axes, Branch, Condition, Environment, Key, Matrix, Model, Post, Settings, Stage, Stages, Step, Tools,
    When,
};
use crate::problems::{Problems, did_you_mean, nearest};
use crate::table::{self, Symbol};
use crate::words;

/// Why some steps may not stand in `steps`.
const BLOCKED: [(&str, &str); 3] = [
    ("stage", "The stage step cannot be used in Declarative Pipelines"),
    ("properties", "The properties section cannot be used in Declarative Pipelines"),
    ("parallel", "The parallel step can only be used as the only top-level step in a stage's step block"),
];

/// Checks a whole pipeline.
pub(crate) fn check(model: &Model, problems: &mut Problems<'_>) {
    let mut check = Check { problems };
    check.pipeline(model);
}

pub(crate) struct Check<'a, 'p> {
    pub(crate) problems: &'a mut Problems<'p>,
}

impl Check<'_, '_> {
    fn pipeline(&mut self, model: &Model) {
        if model.stages.is_none() {
            self.problems.hinted(
                model.span,
                words::missing_section("stages"),
                "add stages { stage('…') { steps { … } } }",
            );
        }
        if model.agent.is_none() {
            self.problems.hinted(
                model.span,
                words::missing_section("agent"),
                "add agent any (or agent none) at the top of pipeline { }",
            );
        }
        self.common(model.agent.as_ref(), model.environment.as_ref(), model.tools.as_ref(), model.post.as_ref());
        if let Some(libraries) = &model.libraries
            && libraries.libs.is_empty()
        {
            self.problems.error(libraries.span, words::empty_section("libraries"));
        }
        if let Some(options) = &model.options {
            self.options(options, false);
        }
        if let Some(triggers) = &model.triggers {
            self.triggers(triggers);
        }
        if let Some(parameters) = &model.parameters {
            self.parameters(parameters);
        }
        if let Some(stages) = &model.stages {
            self.stages(stages, false);
        }
    }

    fn common(
        &mut self,
        agent: Option<&Agent>,
        environment: Option<&Environment>,
        tools: Option<&Tools>,
        post: Option<&Post>,
    ) {
        if let Some(agent) = agent {
            self.agent(agent);
        }
        if let Some(environment) = environment {
            self.environment(environment);
        }
        if let Some(tools) = tools {
            self.tools(tools);
        }
        if let Some(post) = post {
            self.post(post);
        }
    }

    fn stages(&mut self, stages: &Stages, in_parallel: bool) {
        if stages.stages.is_empty() {
            self.problems.hinted(stages.span, words::no_stages(), "add stage('…') { steps { … } }");
        }
        for name in twice(stages.stages.iter().map(|stage| stage.name.as_str())) {
            self.problems.hinted(stages.span, words::duplicate_stage(name), "give each stage a name of its own");
        }
        for stage in &stages.stages {
            self.stage(stage, in_parallel);
        }
    }

    fn stage(&mut self, stage: &Stage, in_parallel: bool) {
        self.shape(stage, in_parallel);
        self.directives(stage);
        for branch in &stage.branches {
            self.branch(branch);
        }
        if let Some(stages) = &stage.stages {
            self.stages(stages, in_parallel);
        }
        if let Some(parallel) = &stage.parallel {
            self.stages(parallel, true);
        }
        if let Some(matrix) = &stage.matrix {
            self.matrix(matrix);
        }
    }

    fn shape(&mut self, stage: &Stage, in_parallel: bool) {
        let contents =
            [!stage.branches.is_empty(), stage.parallel.is_some(), stage.matrix.is_some(), stage.stages.is_some()];
        let count = contents.iter().filter(|there| **there).count();
        let splits = stage.branches.len() > 1 || stage.parallel.is_some() || stage.matrix.is_some();
        if in_parallel && splits {
            let span = stage.matrix.as_ref().map(|matrix| matrix.span);
            let span = span.or_else(|| stage.parallel.as_ref().map(|parallel| parallel.span));
            let span = span.or_else(|| stage.branches.first().map(|branch| branch.span)).unwrap_or(stage.span);
            self.problems.hinted(
                span,
                words::nested_parallel(),
                "put the inner stages into stages { … }, or use script { parallel … }",
            );
        } else if count > 1 {
            self.problems.hinted(
                stage.span,
                words::several_in_stage(&stage.name),
                "keep one of them, or split the stage",
            );
        } else if count == 0 {
            self.problems.hinted(stage.span, words::nothing_in_stage(&stage.name), "add steps { … }");
        } else if stage.parallel.is_some() || stage.matrix.is_some() {
            if let Some(agent) = &stage.agent {
                self.problems.hinted(
                    agent.span,
                    words::agent_in_parallel(&stage.name),
                    "move it into the parallel stages",
                );
            }
            if let Some(tools) = &stage.tools {
                self.problems.hinted(
                    tools.span,
                    words::tools_in_parallel(&stage.name),
                    "move it into the parallel stages",
                );
            }
        } else {
            for name in twice(stage.branches.iter().map(|branch| branch.name.as_str())) {
                self.problems.error(stage.span, words::duplicate_branch(name));
            }
        }
    }

    fn directives(&mut self, stage: &Stage) {
        self.common(stage.agent.as_ref(), stage.environment.as_ref(), stage.tools.as_ref(), stage.post.as_ref());
        if let Some(options) = &stage.options {
            self.options(options, true);
        }
        if let Some(when) = &stage.when {
            self.when(when);
        }
        if let Some(input) = &stage.input {
            if input.message.is_none() {
                self.problems.hinted(input.span, words::missing_input_message(), "add message '…'");
            }
            if let Some(parameters) = &input.parameters {
                self.parameters(parameters);
            }
        }
    }

    fn matrix(&mut self, matrix: &Matrix) {
        match &matrix.axes {
            None => self.problems.hinted(
                matrix.span,
                words::missing_section("axes"),
                "add axes { axis { name 'A'; values 'b', 'c' } }",
            ),
            Some(axes) => self.axes(axes),
        }
        match &matrix.stages {
            None => self.problems.hinted(matrix.span, words::missing_section("stages"), "add stages { … }"),
            Some(stages) => self.stages(stages, true),
        }
        if let Some(excludes) = &matrix.excludes {
            if excludes.excludes.is_empty() {
                self.problems.error(excludes.span, words::no_excludes());
            }
            for exclude in &excludes.excludes {
                self.axes(exclude);
            }
        }
        self.directives(&matrix.cell);
    }

    fn axes(&mut self, axes: &Axes) {
        if axes.axes.is_empty() {
            self.problems.hinted(axes.span, words::no_axes(), "add axis { name 'A'; values 'b', 'c' }");
        }
        for name in twice(axes.axes.iter().filter_map(|axis| axis.name.as_ref().map(|key| key.name.as_str()))) {
            let last = axes.axes.iter().rev().find_map(|axis| axis.name.as_ref().filter(|key| key.name == name));
            self.problems.error(last.map_or(axes.span, |key| key.span), words::duplicate_axis(name));
        }
        for axis in &axes.axes {
            match &axis.name {
                None => self.problems.error(axis.span, words::missing_section("name")),
                Some(key) if !is_identifier(&key.name) => {
                    self.problems.error(key.span, words::invalid_identifier(&key.name));
                }
                Some(_) => {}
            }
            if axis.values.is_empty() {
                self.problems.error(axis.span, words::missing_section("values"));
            }
            for (at, value) in axis.values.iter().enumerate() {
                match (value.literal(), value.as_str()) {
                    (None, _) => {
                        let text = match &value.kind {
                            crate::declare::model::ValKind::Code { text, .. } => text.clone(),
                            crate::declare::model::ValKind::Literal(_) => String::new(),
                        };
                        self.problems.error(value.span, words::expected_literal(&text));
                    }
                    (Some(_), Some(text)) if axis.values[..at].iter().any(|other| other.as_str() == Some(text)) => {
                        self.problems.error(value.span, words::duplicate_axis_value(text));
                    }
                    _ => {}
                }
            }
        }
    }

    fn agent(&mut self, agent: &Agent) {
        const NAMES: [&str; 7] = ["any", "docker", "dockerfile", "kubernetes", "label", "node", "none"];
        let Some(key) = &agent.kind else { return };
        if ["any", "none"].contains(&key.name.as_str()) {
            return;
        }
        let Some(known) = table::section("agent").get(key.name.as_str()) else {
            self.problems.maybe(
                key.span,
                words::invalid_agent_type(&key.name, &words::list(&NAMES)),
                did_you_mean(&key.name, NAMES),
            );
            return;
        };
        if key.name == "kubernetes" {
            self.kubernetes(key, &agent.settings);
        }
        let Settings::Map(map) = &agent.settings else { return };
        for param in known.params.iter().filter(|param| param.required) {
            if !map.iter().any(|(key, _)| key.name == param.name) {
                self.problems.error(key.span, words::missing_agent_parameter(&key.name, param.name));
            }
        }
        let names: Vec<&str> = known.params.iter().map(|param| param.name).collect();
        for (setting, value) in map {
            if !names.contains(&setting.name.as_str()) {
                self.problems.maybe(
                    setting.span,
                    words::invalid_agent_parameter(&setting.name, &key.name, &words::list(&names)),
                    did_you_mean(&setting.name, names.iter().copied()),
                );
            } else if key.name == "dockerfile"
                && setting.name == "filename"
                && let Settings::One(val) = value
                && val.as_str().is_some_and(|text| text.contains(['/', '\\']))
            {
                self.problems.hinted(val.span, words::dockerfile_separator(), "name the folder with dir");
            }
        }
    }

    /// It is checked here, and not to be had at run time: who reads the file's problems is told now.
    fn kubernetes(&mut self, key: &Key, settings: &Settings) {
        self.problems.warn(
            key.span,
            words::no_kubernetes(),
            "use agent any, agent { label '…' } or agent { docker '…' } here",
        );
        let Settings::Map(map) = settings else { return };
        let of = |name: &str| map.iter().find(|(key, _)| key.name == name);
        if let (Some((key, _)), Some(_)) = (of("yaml"), of("yamlFile")) {
            self.problems.hinted(key.span, words::both_yamls(), "keep one of them");
        }
        let Some((_, Settings::One(val))) = of("yaml") else { return };
        let Some(text) = val.as_str() else { return };
        match serde_yaml::from_str::<haliotis_model::Value>(text) {
            Err(error) => self.problems.hinted(val.span, words::bad_pod(&error.to_string()), "see Kubernetes' Pod"),
            Ok(pod) => {
                let kind = pod.get("kind").and_then(haliotis_model::Value::as_str);
                if let Some(other) = kind.filter(|kind| *kind != "Pod") {
                    self.problems.hinted(val.span, words::bad_pod(&format!("it is a {other}")), "write kind: Pod");
                }
                if !pod.is_object() {
                    self.problems.hinted(val.span, words::bad_pod("it is no map"), "see Kubernetes' Pod");
                }
            }
        }
    }

    fn environment(&mut self, environment: &Environment) {
        if environment.vars.is_empty() {
            self.problems.hinted(environment.span, words::no_variables(), "remove the section or add NAME = 'value'");
        }
        for (key, _) in &environment.vars {
            if !is_identifier(&key.name) {
                self.problems.error(key.span, words::invalid_identifier(&key.name));
            }
        }
    }

    fn tools(&mut self, tools: &Tools) {
        if tools.tools.is_empty() {
            self.problems.error(tools.span, words::no_tools());
        }
        let known: Vec<&str> = table::section("tool").keys().copied().collect();
        for (key, _) in &tools.tools {
            if !known.contains(&key.name.as_str()) {
                self.problems.maybe(
                    key.span,
                    words::invalid_section_type("tool", &key.name, &words::list(&known)),
                    did_you_mean(&key.name, known.iter().copied()),
                );
            }
        }
    }

    fn post(&mut self, post: &Post) {
        if post.conditions.is_empty() {
            self.problems.hinted(post.span, words::empty_section("post"), "remove it or add always { … }");
        }
        for name in twice(post.conditions.iter().map(|(key, _)| key.name.as_str())) {
            self.problems.error(post.span, words::duplicate_condition(name));
        }
        for (key, branch) in &post.conditions {
            if !words::CONDITIONS.contains(&key.name.as_str()) {
                self.problems.maybe(
                    key.span,
                    words::unknown_condition(&key.name, &words::list(&words::CONDITIONS)),
                    did_you_mean(&key.name, words::CONDITIONS),
                );
            }
            self.branch(branch);
        }
    }

    fn branch(&mut self, branch: &Branch) {
        if branch.steps.is_empty() {
            self.problems.hinted(branch.span, words::no_steps(), "add a step, as in echo 'nothing to do'");
        }
        for step in &branch.steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        if let Some((_, why)) = BLOCKED.iter().find(|(name, _)| *name == step.name) {
            self.problems.hinted(step.span, words::blocked_step(&step.name, why), "inside script { … } it may stand");
        }
        if let Some(known) = table::step(&step.name).filter(|known| known.foreign.is_none() && step.code.is_none()) {
            self.arguments(step.span, &step.name, &step.args, known);
            if known.block && step.children.is_none() && known.name != "stage" && known.name != "parallel" {
                self.problems.hinted(
                    step.span,
                    words::code_without_block(known.name),
                    format!("write {} … {{ steps }}", known.name),
                );
            }
        }
        for child in step.children.iter().flatten() {
            self.step(child);
        }
    }

    /// Arguments of a step or condition against what it takes.
    pub(crate) fn arguments(&mut self, span: Span, name: &str, args: &Args, known: &Symbol) {
        if known.is_open() || ["script", "node", "parallel", "stage"].contains(&name) {
            return;
        }
        match args {
            Args::Named(named) => self.named(span, named, known),
            Args::Positional(_) => {
                self.problems.hinted(span, words::must_be_named(name), signature(known));
            }
            Args::Single(val) => match known.sole() {
                None if known.block && known.params.iter().all(|param| !param.required) => {}
                None => self.problems.hinted(span, words::not_single(), signature(known)),
                Some(param) => self.type_of(val, param.ty, None),
            },
        }
    }

    fn named(&mut self, span: Span, named: &[(Key, crate::declare::model::Val)], known: &Symbol) {
        let mut valid = true;
        for (key, val) in named {
            match known.param(&key.name) {
                Some(param) => {
                    let lone = named.len() == 1 && known.sole_required() == Some(param) && !known.block;
                    self.type_of(val, param.ty, (!lone).then_some(key.name.as_str()));
                }
                None => {
                    valid = false;
                    let names = || known.params.iter().map(|param| param.name);
                    let near = nearest(&key.name, names()).or_else(|| names().next()).unwrap_or("");
                    self.problems.hinted(key.span, words::invalid_parameter(&key.name, near), signature(known));
                }
            }
        }
        if !valid {
            return;
        }
        for param in known.params.iter().filter(|param| param.required) {
            if !named.iter().any(|(key, _)| key.name == param.name) {
                self.problems.hinted(span, words::missing_parameter(param.name), signature(known));
            }
        }
    }

    fn when(&mut self, when: &When) {
        if when.conditions.is_empty() {
            self.problems.hinted(when.span, words::empty_when(), "add a condition, as in branch 'main'");
        }
        for condition in &when.conditions {
            self.condition(condition);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        let name = condition.name.as_str();
        if name.is_empty() || name == "error" || condition.code.is_some() || name == "expression" {
            return;
        }
        let Some(known) = table::section("when").get(name) else {
            let hint = did_you_mean(name, words::WHEN).or_else(|| Some("Groovy goes into expression { … }".to_owned()));
            self.problems.maybe(condition.span, words::unknown_when(name, &words::WHEN.join(", ")), hint);
            return;
        };
        match name {
            "allOf" | "anyOf" | "not" => self.nested_condition(condition),
            _ if !condition.children.is_empty() => {
                self.problems.error(condition.span, words::nested_when_refused(name));
            }
            _ => {
                if let Some(args) = &condition.args {
                    self.arguments(condition.span, name, args, known);
                }
            }
        }
    }

    fn nested_condition(&mut self, condition: &Condition) {
        let name = condition.name.as_str();
        let has_args = match &condition.args {
            Some(Args::Named(named)) => !named.is_empty(),
            Some(_) => true,
            None => false,
        };
        if has_args {
            self.problems.error(condition.span, words::nested_when_arguments(name));
        } else if name == "not" && condition.children.len() != 1 {
            self.problems.hinted(
                condition.span,
                words::nested_when_count(name, "1"),
                "join several with allOf or anyOf",
            );
        } else if condition.children.is_empty() {
            self.problems.error(condition.span, words::nested_when_empty(name));
        }
        for child in &condition.children {
            self.condition(child);
        }
    }
}

/// How a step is written, for suggestions.
pub(crate) fn signature(known: &Symbol) -> String {
    if known.params.is_empty() {
        return format!("{} takes no parameters", known.name);
    }
    let shown = known.params.iter().filter(|param| param.name != "*");
    let params: Vec<String> = shown
        .map(|param| if param.required { format!("{} (required)", param.name) } else { param.name.to_owned() })
        .collect();
    format!("{} takes {}", known.name, params.join(", "))
}

/// Names that stand twice, each once, in order.
pub(crate) fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    let mut twice = Vec::new();
    for name in names {
        if !name.is_empty() && !seen.insert(name) && !twice.contains(&name) {
            twice.push(name);
        }
    }
    twice
}

/// A name that a shell takes as a variable.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
