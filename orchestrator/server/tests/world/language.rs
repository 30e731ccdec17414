//! A language for tests: an outline in JSON, run as it stands. `with.seconds`, `with.result` and `with.message` say what
//! a step does; `input` makes a node a question.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::Shared;
use haliotis_flow::{
    AsyncProgram, Definition, Diagnostic, Flow, InputOutcome, JoinHandle, Language, Loaded, NodeKind, Outline,
    OutlineNode, Severity,
};
use haliotis_model::{
    BuildId, BuildResult, Call, Decision, InputSpec, NewBuild, Object, Source, StepId, StepOutput, StepSchema,
};
use serde::Deserialize;

/// The language `outline`.
pub struct Outlines;

#[derive(Clone, Deserialize)]
struct Node {
    #[serde(flatten)]
    outline: OutlineNode,
    #[serde(default)]
    with: Object,
    input: Option<InputSpec>,
    /// Not run, for this reason.
    skip: Option<String>,
}

fn read(source: &Source) -> Result<Vec<Node>, Vec<Diagnostic>> {
    serde_json::from_str(&source.text).map_err(|error| {
        vec![Diagnostic {
            code: "outline".to_owned(),
            severity: Severity::Error,
            message: error.to_string(),
            file: source.path.clone(),
            line: error.line(),
            column: error.column().max(1),
            length: 1,
            help: None,
        }]
    })
}

impl Language for Outlines {
    fn name(&self) -> &'static str {
        "outline"
    }

    fn version(&self) -> u32 {
        1
    }

    fn inspect(&self, source: &Source, _: &[StepSchema]) -> Result<Definition, Vec<Diagnostic>> {
        let nodes = read(source)?.into_iter().map(|node| node.outline).collect();
        Ok(Definition { outline: Outline { nodes }, ..Definition::default() })
    }

    fn wants(&self, _: &Source) -> Vec<String> {
        Vec::new()
    }

    fn load(&self, _: BuildId, build: &NewBuild, _: &[StepSchema]) -> Result<Loaded, Vec<Diagnostic>> {
        let nodes = read(&build.source)?;
        let outline = Outline { nodes: nodes.iter().map(|node| node.outline.clone()).collect() };
        let program = Box::new(AsyncProgram::new(move |flow| run(flow, nodes)));
        Ok(Loaded { outline, concurrency: None, program })
    }
}

type Done = Shared<JoinHandle<BuildResult>>;

async fn run(root: Flow, nodes: Vec<Node>) -> (BuildResult, Option<String>) {
    let flow = root.abortable();
    let mut done: BTreeMap<StepId, Done> = BTreeMap::new();
    for node in nodes.into_iter().filter(|node| node.outline.kind != NodeKind::Group) {
        let before: Vec<Done> = node.outline.needs.iter().filter_map(|id| done.get(id).cloned()).collect();
        let id = node.outline.id.clone();
        done.insert(id, flow.spawn(one(flow.clone(), node, before)).shared());
    }
    let mut worst = BuildResult::Success;
    for result in done.into_values() {
        worst = worst.worst(result.await);
    }
    (worst, (worst != BuildResult::Success).then(|| "a step did not succeed".to_owned()))
}

async fn one(flow: Flow, node: Node, before: Vec<Done>) -> BuildResult {
    let mut worst = BuildResult::Success;
    for result in before {
        worst = worst.worst(result.await);
    }
    let id = node.outline.id.clone();
    if worst > BuildResult::Unstable {
        flow.skip(id, "a step before it did not succeed");
        return worst;
    }
    if let Some(why) = node.skip {
        flow.skip(id, why);
        return BuildResult::Success;
    }
    match node.input {
        Some(input) => match flow.ask(id, input).await {
            InputOutcome::Answered(answer) if answer.decision == Decision::Approved => BuildResult::Success,
            InputOutcome::Answered(_) => BuildResult::Aborted,
            InputOutcome::Stopped(_) => BuildResult::Aborted,
        },
        None => attempts(&flow, &node).await.result,
    }
}

async fn attempts(flow: &Flow, node: &Node) -> StepOutput {
    let tries = node.with.get("attempts").and_then(serde_json::Value::as_u64).unwrap_or(1);
    let mut attempt = 1;
    loop {
        let mut call = Call::new(node.outline.id.clone(), node.outline.uses.clone());
        call.with = node.with.clone();
        call.attempt = attempt;
        call.slot = node.outline.slot.clone();
        let output = flow.step(call).await;
        if output.result == BuildResult::Success || u64::from(attempt) >= tries {
            return output;
        }
        flow.say(format!("{} failed and is tried again", node.outline.name));
        attempt += 1;
    }
}
