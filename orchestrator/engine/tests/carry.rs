//! What an earlier build has done is not run again, under a server that dies anywhere: the core is fed from a plan made
//! of a first build's journal, killed after every number of turns, and goes on.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::sync::Arc;

use haliotis_engine::core::{Effect, Input};
use haliotis_engine::{
    AgentInfo, At, BuildView, CannotCarry, Core, Mark, NodeState, Rules, Standing, Turn, plan_carry,
};
use haliotis_flow::{
    AsyncProgram, Command, Definition, Diagnostic, Event, Flow, InputOutcome, Language, Loaded, NodeKind, Outline,
    OutlineNode,
};
use haliotis_model::{
    Answer, BuildId, BuildResult, Call, Carry, Decision, InputSpec, Millis, NewBuild, Object, Source, StepId,
    StepOutput, StepSchema, WorkspaceKind,
};
use serde_json::json;

/// `/checkout -> /prepare -> /train -> /deploy`, `/docs` beside, `/approve` before `/deploy`; `/notify` after all.
struct Diamond;

fn node(id: &str, needs: &[&str], kind: NodeKind) -> OutlineNode {
    OutlineNode {
        id: StepId::new(id),
        name: id.to_owned(),
        kind,
        needs: needs.iter().map(StepId::new).collect(),
        uses: String::new(),
        slot: None,
        condition: None,
        approvers: Vec::new(),
        environment: None,
        group: None,
    }
}

fn outline() -> Outline {
    use NodeKind::{Input, Post, Step};
    let nodes = vec![
        node("/checkout", &[], Step),
        node("/prepare", &["/checkout"], Step),
        node("/docs", &["/checkout"], Step),
        node("/train", &["/prepare"], Step),
        node("/approve", &["/train"], Input),
        node("/deploy", &["/approve"], Step),
        node("/notify", &[], Post),
    ];
    Outline { nodes }
}

impl Language for Diamond {
    fn name(&self) -> &'static str {
        "diamond"
    }

    fn version(&self) -> u32 {
        1
    }

    fn inspect(&self, _: &Source, _: &[StepSchema]) -> Result<Definition, Vec<Diagnostic>> {
        Ok(Definition::default())
    }

    fn wants(&self, _: &Source) -> Vec<String> {
        Vec::new()
    }

    fn load(&self, _: BuildId, build: &NewBuild, _: &[StepSchema]) -> Result<Loaded, Vec<Diagnostic>> {
        let size = build.parameters.get("size").cloned().unwrap_or_default();
        let program = AsyncProgram::new(move |flow| diamond(flow, size));
        Ok(Loaded { outline: outline(), concurrency: None, program: Box::new(program) })
    }
}

fn call(id: &str, size: &serde_json::Value) -> Call {
    let mut call = Call::new(StepId::new(id), id.trim_start_matches('/'));
    call.slot = Some(String::new());
    if id == "/prepare" {
        call.with.insert("size".to_owned(), size.clone());
    }
    call
}

async fn diamond(flow: Flow, size: serde_json::Value) -> (BuildResult, Option<String>) {
    let mut worst = flow.step(call("/checkout", &size)).await.result;
    let (other, same) = (flow.clone(), size.clone());
    let docs = flow.spawn(async move { other.step(call("/docs", &same)).await.result });
    worst = worst.worst(flow.step(call("/prepare", &size)).await.result);
    let train = flow.step(call("/train", &size)).await.result;
    worst = worst.worst(train);
    if train == BuildResult::Success {
        let spec: InputSpec = serde_json::from_value(json!({"message": "Go on?", "digest": "d"})).unwrap();
        match flow.ask(StepId::new("/approve"), spec).await {
            InputOutcome::Answered(answer) if answer.decision == Decision::Approved => {
                worst = worst.worst(flow.step(call("/deploy", &size)).await.result);
            }
            _ => worst = BuildResult::Aborted,
        }
    } else {
        flow.skip(StepId::new("/approve"), "/train failed");
        flow.skip(StepId::new("/deploy"), "/train failed");
    }
    worst = worst.worst(docs.await);
    flow.step(call("/notify", &size)).await;
    (worst, None)
}

const BUILD: BuildId = BuildId(1);

fn pinned(size: i64, carry: Option<Carry>) -> NewBuild {
    NewBuild {
        pipeline: "p".into(),
        number: 1,
        source: Source {
            language: "diamond".into(),
            path: "d".into(),
            text: "d".into(),
            files: Object::new(),
            repo: None,
            branch: None,
            commit: None,
            credential: None,
        },
        parameters: Object::from_iter([("size".to_owned(), json!(size))]),
        causes: Vec::new(),
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".into(),
        created_at: Millis(0),
        once: None,
        program_version: 1,
        carry: carry.map(Box::new),
    }
}

fn core() -> Core {
    let agent = AgentInfo { name: "local".into(), labels: Vec::new(), slots: 4 };
    Core::new(vec![Arc::new(Diamond)], Vec::new(), vec![agent])
}

/// What one run was.
struct Ran {
    view: BuildView,
    turns: Vec<Turn>,
    /// Steps that the executor was given, sorted.
    started: BTreeSet<String>,
}

/// Runs a build to its end. `fails`: the step that fails. `life`: the server dies after every so many turns, with what it
/// was about to do; 0: it lives.
fn run(pinned: &NewBuild, fails: &str, life: usize) -> Ran {
    let mut core = core();
    let (mut turns, mut started) = (Vec::<Turn>::new(), BTreeSet::new());
    let mut inputs = vec![Input::Added(BUILD, Box::new(pinned.clone()))];
    for at in 1..10_000 {
        let mut next = Vec::new();
        let mut died = false;
        for effect in core.handle(Millis(at), std::mem::take(&mut inputs)) {
            match effect {
                Effect::Append(append) => {
                    turns.push((*append.turn).clone());
                    if append.ended.is_none() && life > 0 && turns.len() % life == 0 {
                        died = true;
                    }
                    next.push(Input::Committed(BUILD));
                }
                Effect::Start(task) => {
                    started.insert(task.key.step.to_string());
                    let given = Object::from_iter([("by".to_owned(), json!(format!("build with {fails:?}")))]);
                    let output = match task.key.step.as_str() {
                        step if step == fails => StepOutput::failure("it fails"),
                        _ => StepOutput::success(given),
                    };
                    next.push(Input::StepEnded(task.key, output));
                }
                Effect::Ended(view) => return Ran { view: *view, turns, started },
                Effect::Cancel(_) | Effect::Reply(..) | Effect::Changed(_) => {}
            }
        }
        if died {
            core = self::core();
            next = vec![Input::Recovered(BUILD, Box::new(pinned.clone()), turns.clone())];
        }
        if next.is_empty() {
            let asks = core.view(BUILD).is_some_and(|view| view.inputs.iter().any(|input| input.open()));
            assert!(asks, "nothing happens any more:\n{}", haliotis_engine::journal::print(pinned, &turns));
            let answer = Answer {
                decision: Decision::Approved,
                by: "mia".into(),
                reason: String::new(),
                values: Object::new(),
                digest: "d".into(),
            };
            next.push(Input::Answer(BUILD, StepId::new("/approve"), answer, Standing::default(), 1));
        }
        inputs = next;
    }
    panic!("not ended:\n{}", haliotis_engine::journal::print(pinned, &turns));
}

const RULES: Rules<'_> = Rules { other_parameters: false, by_order: false, workspace: false, fills: &["checkout"] };

fn carried(ran: &Ran) -> Vec<&str> {
    ran.view.nodes.iter().filter(|node| node.carried).map(|node| node.id.as_str()).collect()
}

fn names(carry: &Carry) -> Vec<&str> {
    carry.steps.keys().map(StepId::as_str).collect()
}

#[test]
fn from_what_failed_the_rest_runs_whenever_the_server_dies() {
    let first = run(&pinned(1, None), "/train", 0);
    assert_eq!(first.view.result, Some(BuildResult::Failure));
    let carry = plan_carry(&first.view, &first.turns, &At::Failed, RULES).unwrap();
    assert_eq!(names(&carry), ["/docs", "/prepare"], "checkout fills a new workspace, notify comes after all");
    let again = pinned(1, Some(carry));
    for life in 0..8 {
        let ran = run(&again, "", life);
        assert_eq!(ran.view.result, Some(BuildResult::Success), "life {life}");
        assert_eq!(Vec::from_iter(&ran.started), ["/checkout", "/deploy", "/notify", "/train"], "life {life}");
        assert_eq!(carried(&ran), ["/prepare", "/docs"], "life {life}");
        let told = ran.view.nodes.iter().find(|node| node.id.as_str() == "/prepare").unwrap();
        assert_eq!(told.outputs["by"], "build with \"/train\"");
        // Each is noted and told once.
        let marks = ran.turns.iter().flat_map(|turn| &turn.marks);
        assert_eq!(marks.filter(|mark| matches!(mark, Mark::Carried { .. })).count(), 2);
        let ends = ran.turns.iter().flat_map(|turn| &turn.events);
        let ends = ends.filter(|event| matches!(event, Event::StepEnded { id, .. } if id.as_str() == "/prepare"));
        assert_eq!(ends.count(), 1);
        let starts = ran.turns.iter().flat_map(|turn| &turn.commands);
        assert_eq!(starts.filter(|command| matches!(command, Command::StartStep(_))).count(), 6);
    }
}

#[test]
fn from_a_step_all_that_needs_it_runs_and_a_question_is_asked_anew() {
    let first = run(&pinned(1, None), "", 0);
    let from = |step: &str| plan_carry(&first.view, &first.turns, &At::Step(StepId::new(step)), RULES);
    assert_eq!(names(&from("/prepare").unwrap()), ["/docs"]);
    let carry = from("/deploy").unwrap();
    assert_eq!(names(&carry), ["/docs", "/prepare", "/train"]);
    let ran = run(&pinned(1, Some(carry)), "", 2);
    assert_eq!(Vec::from_iter(&ran.started), ["/checkout", "/deploy", "/notify"]);
    assert_eq!(ran.view.inputs.len(), 1, "an approval holds for the build it was given in");
    assert_eq!(
        from("/nothing").unwrap_err().to_string(),
        "build #1 has no step /nothing; its page and `haliotis show` list them"
    );
    let all = plan_carry(&first.view, &first.turns, &At::Failed, RULES);
    assert_eq!(all.unwrap_err(), CannotCarry::NothingFailed(1));
}

#[test]
fn with_other_parameters_only_what_is_asked_for_as_before_is_taken_over() {
    let first = run(&pinned(1, None), "/deploy", 0);
    let rules = Rules { other_parameters: true, ..RULES };
    let carry = plan_carry(&first.view, &first.turns, &At::Failed, rules).unwrap();
    assert_eq!(names(&carry), ["/docs", "/prepare", "/train"]);
    for life in 0..6 {
        let same = run(&pinned(1, Some(carry.clone())), "", life);
        assert_eq!(carried(&same), ["/prepare", "/docs", "/train"], "life {life}");
        // `/prepare` reads the parameter; `/train` needs it and would work on what it made.
        let other = run(&pinned(2, Some(carry.clone())), "", life);
        assert_eq!(carried(&other), ["/docs"], "life {life}");
        assert_eq!(other.view.result, Some(BuildResult::Success));
    }
}

#[test]
fn a_script_goes_on_by_order_and_only_with_its_files() {
    let first = run(&pinned(1, None), "/train", 0);
    let rules = Rules { by_order: true, ..RULES };
    let gone = plan_carry(&first.view, &first.turns, &At::Failed, rules);
    assert!(matches!(gone, Err(CannotCarry::NoWorkspace(..))));
    let carry = plan_carry(&first.view, &first.turns, &At::Failed, Rules { workspace: true, ..rules }).unwrap();
    assert_eq!(names(&carry), ["/checkout", "/docs", "/prepare"], "all that began before");
    // What differs voids whatever comes later, though nothing says that it is needed.
    let ran = run(&pinned(2, Some(carry)), "", 3);
    assert_eq!(carried(&ran), ["/checkout"]);
}

#[test]
fn a_running_build_is_not_carried_from_and_an_abort_ends_a_carried_one() {
    let first = run(&pinned(1, None), "/train", 0);
    let mut running = first.view.clone();
    running.result = None;
    assert_eq!(plan_carry(&running, &first.turns, &At::Failed, RULES).unwrap_err(), CannotCarry::Running(1));
    let carry = plan_carry(&first.view, &first.turns, &At::Failed, RULES).unwrap();
    let again = pinned(1, Some(carry));
    let mut core = core();
    let mut effects = core.handle(Millis(1), vec![Input::Added(BUILD, Box::new(again))]);
    effects.extend(core.handle(Millis(2), vec![Input::Committed(BUILD)]));
    let started = effects.into_iter().find_map(|effect| match effect {
        Effect::Start(task) => Some(task.key),
        _ => None,
    });
    let key = started.expect("the checkout runs");
    // Its end and the abort in one: the taken steps are asked for in that turn, and their ends count.
    let inputs = vec![
        Input::StepEnded(key, StepOutput::success(Object::new())),
        Input::Abort(BUILD, "mia".into(), "enough".into(), 9),
    ];
    core.handle(Millis(3), inputs);
    core.handle(Millis(4), vec![Input::Committed(BUILD)]);
    let view = core.view(BUILD).unwrap();
    let state = |id: &str| view.nodes.iter().find(|node| node.id.as_str() == id).unwrap().state;
    assert!(matches!(state("/prepare"), NodeState::Running | NodeState::Success), "{:?}", state("/prepare"));
}
