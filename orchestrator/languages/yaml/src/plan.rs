//! What a build would do, without doing it.

use std::fmt::Write as _;

use haliotis_flow::{Diagnostic, Severity};
use haliotis_model::{Object, ParameterSpec, Source, StepSchema, TriggerSpec};
use serde::Serialize;

use crate::doc::{Action, Doc, Step, When};
use crate::expr::show;
use crate::outline::outline;
use crate::program::{implicit_checkout, label};
use crate::read::{Catalog, coerce, read};

/// A plan: layers of steps that can run beside each other, in order.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The pipeline's name; empty when the file gives none.
    pub name: String,
    /// One line.
    pub description: String,
    /// What starts builds.
    pub triggers: Vec<TriggerSpec>,
    /// The parameters that the build would have.
    pub parameters: Object,
    /// What the file says of them.
    pub parameter_specs: Vec<ParameterSpec>,
    /// At most so many builds at once.
    pub concurrency: Option<u32>,
    /// Limit for the whole build, milliseconds.
    pub timeout_ms: Option<u64>,
    /// Steps by layer: each layer can begin when the one before has ended; the last ones are those of `post`.
    pub layers: Vec<Vec<PlannedStep>>,
    /// Names of the pipeline's outputs.
    pub outputs: Vec<String>,
    /// Some step talks to the cloud.
    pub uses_cloud: bool,
    /// Not errors.
    pub warnings: Vec<Diagnostic>,
}

/// One step, input or group of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStep {
    /// Its path, as in `/train`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Step kind, `input`, or the path of a called file.
    pub uses: String,
    /// Paths it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Label expression of the agent whose slot it takes (empty: any); none when it runs in the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Condition, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// `failed` or `always`, for a step that does not want success before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// It waits for a person; who may answer (empty: everybody who may build).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Vec<String>>,
    /// Those whose work the build is may not approve.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub four_eyes: bool,
    /// Deploy target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// It talks to the cloud.
    pub cloud: bool,
    /// Further attempts.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Limit of an attempt, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Cells of its matrix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// Arguments as written, expressions not evaluated.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub with: Object,
    /// Layers of a called file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<Vec<PlannedStep>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a build of this source with these parameters would do.
///
/// # Errors
/// All problems of the source, and parameters that are unknown, missing or of a wrong type.
pub fn plan(source: &Source, parameters: &Object, steps: &[StepSchema]) -> Result<Plan, Vec<Diagnostic>> {
    let catalog = Catalog::new(steps);
    let read = read(source, &catalog)?;
    let doc = &read.doc;
    let filled = check_parameters(&source.path, &doc.parameters, parameters)?;
    let has_source = source.commit.is_some() || source.repo.is_some();
    let mut layers = file_layers(doc, "", doc.agent.as_deref());
    if implicit_checkout(doc, has_source) {
        layers.insert(0, vec![checkout_step(doc)]);
    }
    let uses_cloud = layers.iter().flatten().any(any_cloud);
    Ok(Plan {
        name: doc.name.clone(),
        description: doc.description.clone(),
        triggers: doc.triggers.clone(),
        parameters: filled,
        parameter_specs: doc.parameters.clone(),
        concurrency: doc.concurrency,
        timeout_ms: doc.timeout_ms,
        layers,
        outputs: doc.outputs.iter().map(|output| output.name.clone()).collect(),
        uses_cloud,
        warnings: read.warnings,
    })
}

/// Parameters with their defaults filled in and their types checked; what `haliotis run` and the API need before a build
/// is made. `file` is named in the diagnostics.
///
/// # Errors
/// One diagnostic for each parameter that is unknown, missing or of a wrong type.
pub fn check_parameters(file: &str, specs: &[ParameterSpec], given: &Object) -> Result<Object, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut problem = |message: String, help: Option<String>| {
        problems.push(Diagnostic {
            code: "yaml-parameter".to_owned(),
            severity: Severity::Error,
            message,
            file: file.to_owned(),
            line: 1,
            column: 1,
            length: 1,
            help,
        });
    };
    let known: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
        let help = crate::problems::suggest(name, &known).or_else(|| Some("the pipeline has no parameters".to_owned()));
        problem(format!("unknown parameter {name:?}"), help);
    }
    let mut filled = Object::new();
    for spec in specs {
        match given.get(&spec.name).map(|value| coerce(spec, value)) {
            Some(Ok(value)) => {
                filled.insert(spec.name.clone(), value);
            }
            Some(Err(why)) => problem(why, None),
            None => match &spec.default {
                Some(default) => {
                    filled.insert(spec.name.clone(), default.clone());
                }
                None => problem(
                    format!("the parameter {:?} has no default and was not given", spec.name),
                    Some(format!("give it, as in --param {}=VALUE", spec.name)),
                ),
            },
        }
    }
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

fn any_cloud(step: &PlannedStep) -> bool {
    step.cloud || step.inner.iter().flatten().any(any_cloud)
}

fn checkout_step(doc: &Doc) -> PlannedStep {
    let node = outline(doc, true).nodes.into_iter().next();
    let name = node.map_or_else(|| "checkout".to_owned(), |node| node.name);
    PlannedStep {
        id: "/checkout".to_owned(),
        name,
        uses: "checkout".to_owned(),
        needs: Vec::new(),
        agent: Some(label(doc.agent.as_deref())),
        condition: None,
        when: None,
        approvers: None,
        four_eyes: false,
        environment: None,
        cloud: false,
        retries: 0,
        timeout_ms: None,
        cells: Vec::new(),
        with: Object::new(),
        inner: Vec::new(),
    }
}

/// The longest way to each step gives its layer; steps that run after all others follow.
fn file_layers(doc: &Doc, prefix: &str, agent: Option<&str>) -> Vec<Vec<PlannedStep>> {
    let depths = depths(doc);
    let main = depths.iter().zip(&doc.steps).filter(|(_, step)| !step.after_all).map(|(depth, _)| depth + 1).max();
    let main = main.unwrap_or(0);
    let mut layers: Vec<Vec<PlannedStep>> = Vec::new();
    for (step, depth) in doc.steps.iter().zip(&depths) {
        let layer = if step.after_all { main + depth } else { *depth };
        while layers.len() <= layer {
            layers.push(Vec::new());
        }
        layers[layer].push(planned(doc, step, prefix, agent));
    }
    layers.retain(|layer| !layer.is_empty());
    layers
}

/// Layer of each step within its phase.
fn depths(doc: &Doc) -> Vec<usize> {
    let mut remaining: Vec<usize> = doc.gates.iter().map(|gate| gate.needs.len()).collect();
    let mut depths = vec![0; doc.steps.len()];
    let mut gate_depth = vec![0; doc.gates.len()];
    let mut ready: Vec<usize> = (0..doc.steps.len()).filter(|step| doc.steps[*step].gate.is_none()).collect();
    while let Some(step) = ready.pop() {
        for gate in &doc.feeds[step] {
            // A step of `post` begins its own count.
            gate_depth[*gate] = gate_depth[*gate].max(depths[step] + 1);
            remaining[*gate] -= 1;
            if remaining[*gate] == 0 {
                for waiter in &doc.gates[*gate].waiters {
                    let late = doc.steps[*waiter].after_all && !doc.steps[step].after_all;
                    depths[*waiter] = if late { 0 } else { gate_depth[*gate] };
                    ready.push(*waiter);
                }
            }
        }
    }
    depths
}

fn planned(doc: &Doc, step: &Step, prefix: &str, agent: Option<&str>) -> PlannedStep {
    let id = format!("{prefix}/{}", step.id);
    let agent = step.agent.as_deref().or(doc.agent.as_deref()).or(agent);
    let needs = step.gate.map_or(&[][..], |gate| &doc.gates[gate].needs[..]);
    let mut planned = PlannedStep {
        name: step.name.clone(),
        uses: String::new(),
        needs: needs.iter().map(|need| format!("{prefix}/{}", doc.steps[*need].id)).collect(),
        agent: None,
        condition: step.condition.as_ref().map(|expr| expr.text.trim().to_owned()),
        when: match step.when {
            When::Success => None,
            When::Failed => Some("failed".to_owned()),
            When::Always => Some("always".to_owned()),
        },
        approvers: None,
        four_eyes: false,
        environment: step.environment.clone(),
        cloud: false,
        retries: step.retry.max,
        timeout_ms: step.timeout_ms,
        cells: step.matrix.iter().flat_map(|matrix| &matrix.cells).map(|cell| cell.label.clone()).collect(),
        with: Object::new(),
        inner: Vec::new(),
        id,
    };
    match &step.action {
        Action::Use { kind, placement, cloud, with } => {
            planned.uses.clone_from(kind);
            planned.cloud = *cloud;
            planned.agent = (*placement == haliotis_model::Placement::Agent).then(|| label(agent));
            planned.with = with.iter().map(|argument| (argument.name.clone(), argument.value.source())).collect();
        }
        Action::File { path, with, doc, .. } => {
            planned.uses = format!("./{path}");
            planned.with = with.iter().map(|argument| (argument.name.clone(), argument.value.source())).collect();
            planned.inner = doc.as_ref().map_or_else(Vec::new, |doc| file_layers(doc, &planned.id, agent));
        }
        Action::Input(question) => {
            planned.uses = "input".to_owned();
            planned.approvers = Some(question.approvers.clone());
            planned.four_eyes = question.self_approval == Some(false);
            planned.with.insert("message".to_owned(), question.message.source());
        }
    }
    planned
}

impl Plan {
    /// The plan for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let name = if self.name.is_empty() { "(no name)" } else { &self.name };
        let _ = writeln!(text, "pipeline {name}");
        if !self.description.is_empty() {
            let _ = writeln!(text, "  {}", self.description);
        }
        for trigger in &self.triggers {
            let _ = writeln!(text, "on {}", trigger_text(trigger));
        }
        for (name, value) in &self.parameters {
            let _ = writeln!(text, "parameter {name} = {}", show(value));
        }
        if let Some(limit) = self.concurrency {
            let _ = writeln!(text, "at most {limit} at once");
        }
        if let Some(ms) = self.timeout_ms {
            let _ = writeln!(text, "stopped after {}", duration_text(ms));
        }
        write_layers(&mut text, &self.layers, 0);
        if !self.outputs.is_empty() {
            let _ = writeln!(text, "outputs {}", self.outputs.join(", "));
        }
        if self.uses_cloud {
            text.push_str("steps marked (cloud) talk to the cloud of the build: local unless it says otherwise\n");
        }
        text
    }

    /// The plan as YAML.
    ///
    /// # Errors
    /// The writer's, which plain data does not cause.
    pub fn yaml(&self) -> Result<String, String> {
        serde_yaml::to_string(self).map_err(|error| error.to_string())
    }
}

fn write_layers(text: &mut String, layers: &[Vec<PlannedStep>], indent: usize) {
    for (number, layer) in layers.iter().enumerate() {
        let _ = writeln!(text, "{:indent$}{}.", "", number + 1);
        for step in layer {
            let _ = writeln!(text, "{:indent$}   {}", "", step_text(step));
            write_layers(text, &step.inner, indent + 6);
        }
    }
}

fn step_text(step: &PlannedStep) -> String {
    let mut text = format!("{}  {}", step.id, step.uses);
    if step.cloud {
        text.push_str(" (cloud)");
    }
    match step.agent.as_deref() {
        Some("") => text.push_str(", any agent"),
        Some(label) => {
            let _ = write!(text, ", agent {label}");
        }
        None => {}
    }
    if let Some(approvers) = &step.approvers {
        let who = if approvers.is_empty() { "anybody who may build".to_owned() } else { approvers.join(", ") };
        let _ = write!(text, ", waits for {who}");
        if step.four_eyes {
            text.push_str(" who did not make the build");
        }
    }
    if let Some(environment) = &step.environment {
        let _ = write!(text, ", environment {environment}");
    }
    if let Some(when) = &step.when {
        let _ = write!(text, ", when {when}");
    }
    if let Some(condition) = &step.condition {
        let _ = write!(text, ", if {condition}");
    }
    if step.retries > 0 {
        let _ = write!(text, ", up to {} attempts", step.retries + 1);
    }
    if let Some(ms) = step.timeout_ms {
        let _ = write!(text, ", at most {}", duration_text(ms));
    }
    if !step.cells.is_empty() {
        let _ = write!(text, ", {} cells: {}", step.cells.len(), step.cells.join("  "));
    }
    if !step.needs.is_empty() {
        let _ = write!(text, ", after {}", short_list(&step.needs));
    }
    text
}

fn short_list(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let first = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(" ");
    if names.len() > SHOWN { format!("{first} and {} more", names.len() - SHOWN) } else { first }
}

fn trigger_text(trigger: &TriggerSpec) -> String {
    match trigger {
        TriggerSpec::Poll { repo, branch, every_ms } => {
            format!("new commits of {branch} in {repo}, looked for every {}", duration_text(*every_ms))
        }
        TriggerSpec::Webhook { repo, branch } => format!("pushes to {branch} of {repo}"),
        TriggerSpec::Cron { cron, zone } if zone.is_empty() => format!("the clock: {cron} (UTC)"),
        TriggerSpec::Cron { cron, zone } => format!("the clock: {cron} ({zone})"),
        TriggerSpec::ModelPackage { group, status } => format!("a model of {group} becoming {}", status.join(" or ")),
        TriggerSpec::Upstream { pipeline, results } => {
            let words: Vec<&str> = results.iter().map(|result| result.as_str()).collect();
            format!("a build of {pipeline} ending as {}", words.join(" or "))
        }
    }
}

fn duration_text(ms: u64) -> String {
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms >= length && ms.is_multiple_of(length) {
            return format!("{} {unit}", ms / length);
        }
    }
    format!("{ms} ms")
}
