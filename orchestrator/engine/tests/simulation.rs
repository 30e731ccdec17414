//! The engine's core under a seed: steps end late, twice or out of order, time jumps, and the server dies at any moment.
//!
//! The world below is a journal, a set of steps at work and a clock. Whatever the seed does, a program must come to the
//! same end as without any trouble, and after every event:
//! - a step is only started when its START is in the journal,
//! - an attempt's START is in the journal once,
//! - the slots granted never exceed the agent's slots and look-ahead.
//!
//! A failing seed is printed; run it alone with `HALIOTIS_SEED=N cargo test -p haliotis-engine --test simulation`, and
//! more of them than usual with `HALIOTIS_SEEDS=N`.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and prints the seed that failed")]
#![expect(clippy::disallowed_methods, reason = "the seed of one run comes from the environment")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haliotis_engine::core::{Effect, Input};
use haliotis_engine::{AgentInfo, Append, Core, Mark, Standing, Turn};
use haliotis_flow::{
    AsyncProgram, Command, Definition, Diagnostic, Flow, InputOutcome, Language, Loaded, Outline, StopReason,
};
use haliotis_model::{
    Answer, BuildId, BuildResult, Call, Decision, InputSpec, Millis, NewBuild, Object, Source, StepId, StepKey,
    StepOutput, StepSchema, WorkspaceKind,
};

const SLOTS: u32 = 2;
const SEEDS: u64 = 300;

/// Programs by name, in place of a language.
struct Programs;

impl Language for Programs {
    fn name(&self) -> &'static str {
        "programs"
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
        let program = match build.source.text.as_str() {
            "fan" => AsyncProgram::new(fan),
            "retry" => AsyncProgram::new(retry),
            "timeout" => AsyncProgram::new(timeout),
            "approval" => AsyncProgram::new(approval),
            "lease" => AsyncProgram::new(lease),
            other => panic!("no program {other}"),
        };
        Ok(Loaded { outline: Outline::default(), concurrency: None, program: Box::new(program) })
    }
}

fn call(id: &str, slot: bool) -> Call {
    let mut call = Call::new(StepId::new(id), "step");
    call.slot = slot.then(String::new);
    call
}

/// Eight steps side by side, then a join; one of them fails.
async fn fan(flow: Flow) -> (BuildResult, Option<String>) {
    let branches: Vec<_> = (0..8)
        .map(|n| {
            let inner = flow.clone();
            flow.spawn(async move { inner.step(call(&format!("/branch{n}"), n % 3 != 0)).await.result })
        })
        .collect();
    let mut worst = BuildResult::Success;
    for branch in branches {
        worst = worst.worst(branch.await);
    }
    let join = flow.step(call("/join", true)).await.result;
    (worst.worst(join), None)
}

/// A step that fails twice and then works, with pauses between.
async fn retry(flow: Flow) -> (BuildResult, Option<String>) {
    for attempt in 1..=3 {
        let mut call = call("/flaky", true);
        call.attempt = attempt;
        if flow.step(call).await.result == BuildResult::Success {
            return (BuildResult::Success, None);
        }
        if flow.sleep(StepId::new(format!("/pause{attempt}")), 1000).await.is_err() {
            return (BuildResult::Aborted, None);
        }
    }
    (BuildResult::Failure, None)
}

/// A step that never ends by itself, under a timeout; then another.
async fn timeout(flow: Flow) -> (BuildResult, Option<String>) {
    let slow =
        flow.timeout(StepId::new("/t"), Some(5_000), |inner| async move { inner.step(call("/endless", true)).await });
    let slow = slow.await;
    assert_eq!(slow.result, BuildResult::Aborted);
    (flow.step(call("/after", false)).await.result, None)
}

/// Work, a question, more work.
async fn approval(flow: Flow) -> (BuildResult, Option<String>) {
    flow.step(call("/before", true)).await;
    let spec: InputSpec = serde_json::from_value(serde_json::json!({"message": "Go on?", "digest": "d"})).unwrap();
    match flow.ask(StepId::new("/ask"), spec).await {
        InputOutcome::Answered(answer) if answer.decision == Decision::Approved => {
            (flow.step(call("/deploy", true)).await.result, None)
        }
        _ => (BuildResult::Aborted, None),
    }
}

/// Two steps on one lease, beside a third that wants a slot of its own.
async fn lease(flow: Flow) -> (BuildResult, Option<String>) {
    let other = flow.clone();
    let beside = flow.spawn(async move { other.step(call("/beside", true)).await.result });
    let id = StepId::new("/node");
    if let Err(StopReason::Aborted { .. }) = flow.lease(id.clone(), "").await {
        return (BuildResult::Aborted, None);
    }
    for name in ["/node/a", "/node/b"] {
        let mut call = call(name, true);
        call.lease = Some(id.clone());
        flow.step(call).await;
    }
    flow.release(id);
    (beside.await, None)
}

/// xorshift: enough to shuffle events, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct World {
    core: Core,
    random: Random,
    now: Millis,
    pinned: NewBuild,
    journal: Vec<Turn>,
    /// Turns on their way to disk.
    appending: Vec<Append>,
    /// Steps at work; `true`: asked to stop.
    at_work: BTreeMap<StepKey, bool>,
    /// Keys that ever ended, for duplicates.
    ended: Vec<StepKey>,
    crashes: u32,
    result: Option<BuildResult>,
    asked_digest: bool,
}

const BUILD: BuildId = BuildId(1);

fn core() -> Core {
    let agent = AgentInfo { name: "local".into(), labels: Vec::new(), slots: SLOTS };
    Core::new(vec![Arc::new(Programs)], Vec::new(), vec![agent])
}

impl World {
    fn new(program: &str, seed: u64) -> Self {
        let pinned = NewBuild {
            pipeline: "p".into(),
            number: 1,
            source: Source {
                language: "programs".into(),
                path: program.into(),
                text: program.into(),
                files: Object::new(),
                repo: None,
                branch: None,
                commit: None,
                credential: None,
            },
            parameters: Object::new(),
            causes: Vec::new(),
            event: Object::new(),
            workspace: WorkspaceKind::Own,
            cloud: "local".into(),
            created_at: Millis(0),
            once: None,
            program_version: 1,
            carry: None,
        };
        let mut world = Self {
            core: core(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            now: Millis(1),
            pinned: pinned.clone(),
            journal: Vec::new(),
            appending: Vec::new(),
            at_work: BTreeMap::new(),
            ended: Vec::new(),
            crashes: 0,
            result: None,
            asked_digest: false,
        };
        world.feed(Input::Added(BUILD, Box::new(pinned)));
        world
    }

    fn feed(&mut self, input: Input) {
        let effects = self.core.handle(self.now, vec![input]);
        for effect in effects {
            match effect {
                Effect::Append(append) => self.appending.push(append),
                Effect::Start(task) => {
                    assert!(
                        self.start_is_journaled(&task.key),
                        "{} was started before its START was on disk",
                        task.key
                    );
                    self.at_work.entry(task.key).or_insert(false);
                }
                Effect::Cancel(key) => {
                    if let Some(asked) = self.at_work.get_mut(&key) {
                        *asked = true;
                    }
                }
                Effect::Ended(view) => self.result = view.result,
                Effect::Reply(..) | Effect::Changed(_) => {}
            }
        }
        assert!(self.slots_taken() <= (SLOTS * 9) as usize, "more slots granted than slots and look-ahead");
    }

    fn start_is_journaled(&self, key: &StepKey) -> bool {
        let call = self.journal.iter().flat_map(|turn| &turn.commands).find_map(|command| match command {
            Command::StartStep(call) if call.id == key.step && call.attempt == key.attempt => Some(call),
            _ => None,
        });
        let granted = self.journal.iter().flat_map(|turn| &turn.marks).any(
            |mark| matches!(mark, Mark::Granted { id, attempt, .. } if *id == key.step && *attempt == key.attempt),
        );
        call.is_some_and(|call| call.slot.is_none() || call.lease.is_some() || granted)
    }

    fn slots_taken(&self) -> usize {
        self.at_work.keys().filter(|key| self.start_has_slot(key)).count()
    }

    fn start_has_slot(&self, key: &StepKey) -> bool {
        self.journal.iter().flat_map(|turn| &turn.commands).any(
            |command| matches!(command, Command::StartStep(call) if call.id == key.step && call.slot.is_some() && call.lease.is_none()),
        )
    }

    /// One thing happens.
    fn step(&mut self, crash: bool) {
        match self.random.below(if crash { 12 } else { 9 }) {
            0..=3 => self.commit(),
            4..=6 => self.end_a_step(),
            7 => {
                self.now = self.now.plus(self.random.below(3_000));
                self.feed(Input::Tick);
            }
            8 => self.person(),
            9 => self.repeat_an_end(),
            _ => self.crash(),
        }
    }

    fn commit(&mut self) {
        if self.appending.is_empty() {
            return;
        }
        let append = self.appending.remove(0);
        assert_eq!(append.after, self.journal.len() as u64, "a turn that does not follow the last");
        self.journal.push((*append.turn).clone());
        self.feed(Input::Committed(BUILD));
    }

    fn end_a_step(&mut self) {
        let keys: Vec<_> = self.at_work.iter().map(|(key, asked)| (key.clone(), *asked)).collect();
        if keys.is_empty() {
            return;
        }
        let (key, asked) = keys[usize::try_from(self.random.below(keys.len() as u64)).unwrap()].clone();
        let output = match key.step.as_str() {
            "/endless" if !asked => return,
            _ if asked => StepOutput::aborted("stopped"),
            "/branch5" => StepOutput::failure("branch 5 always fails"),
            "/flaky" if key.attempt < 3 => StepOutput::failure("not yet"),
            _ => StepOutput::success(Object::new()),
        };
        self.at_work.remove(&key);
        self.ended.push(key.clone());
        self.feed(Input::StepEnded(key, output));
    }

    fn repeat_an_end(&mut self) {
        if let Some(key) = self.ended.last().cloned() {
            self.feed(Input::StepEnded(key, StepOutput::failure("told twice")));
        }
    }

    fn person(&mut self) {
        let open = self.core.view(BUILD).map(|view| view.inputs.iter().any(|input| input.open()));
        if open == Some(true) {
            let answer = |digest: &str| Answer {
                decision: Decision::Approved,
                by: "mia".into(),
                reason: String::new(),
                values: Object::new(),
                digest: digest.into(),
            };
            self.feed(Input::Answer(BUILD, StepId::new("/ask"), answer("stale"), Standing::default(), 1));
            self.feed(Input::Answer(BUILD, StepId::new("/ask"), answer("d"), Standing::default(), 2));
            self.asked_digest = true;
        }
    }

    /// The server dies. What was on its way to disk may or may not have arrived; steps at work go on or are looked up.
    fn crash(&mut self) {
        if self.crashes >= 6 || self.result.is_some() {
            return;
        }
        self.crashes += 1;
        if !self.appending.is_empty() && self.random.below(2) == 0 {
            let append = self.appending.remove(0);
            self.journal.push((*append.turn).clone());
        }
        self.appending.clear();
        self.ended.clear();
        self.core = core();
        let before: BTreeSet<_> = self.at_work.keys().cloned().collect();
        let input = Input::Recovered(BUILD, Box::new(self.pinned.clone()), self.journal.clone());
        // A finished journal is never recovered: `unfinished()` does not list it.
        let finished = self.journal.iter().flat_map(|turn| &turn.commands).find_map(|command| match command {
            Command::Finish { result, .. } => Some(*result),
            _ => None,
        });
        if finished.is_some() {
            self.result = finished;
            self.at_work.clear();
            return;
        }
        self.feed(input);
        let _ = before;
    }

    fn run(&mut self, crash: bool) -> BuildResult {
        for _ in 0..20_000 {
            if let Some(result) = self.result {
                return result;
            }
            self.step(crash);
        }
        panic!("not ended after 20,000 events:\n{}", haliotis_engine::journal::print(&self.pinned, &self.journal));
    }

    fn starts_are_unique(&self) {
        let mut seen = BTreeSet::new();
        for command in self.journal.iter().flat_map(|turn| &turn.commands) {
            if let Command::StartStep(call) = command {
                assert!(
                    seen.insert((call.id.clone(), call.attempt)),
                    "{} #{} was started twice",
                    call.id,
                    call.attempt
                );
            }
        }
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    match number("HALIOTIS_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("HALIOTIS_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

#[test]
fn every_program_ends_the_same_whatever_happens() {
    let programs = [
        ("fan", BuildResult::Failure),
        ("retry", BuildResult::Success),
        ("timeout", BuildResult::Success),
        ("approval", BuildResult::Success),
        ("lease", BuildResult::Success),
    ];
    let mut crashes = 0;
    for (program, expected) in programs {
        for seed in seeds() {
            let outcome = std::panic::catch_unwind(|| {
                let mut world = World::new(program, seed);
                assert_eq!(world.run(true), expected);
                world.starts_are_unique();
                world.crashes
            });
            match outcome {
                Ok(some) => crashes += some,
                Err(panic) => {
                    eprintln!("program {program}, seed {seed} failed");
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    assert!(crashes > 100, "the simulation hardly crashed anything: {crashes}");
}

#[test]
fn an_abort_ends_every_program() {
    for program in ["fan", "retry", "timeout", "approval", "lease"] {
        for seed in 1..=40 {
            let mut world = World::new(program, seed);
            for _ in 0..world.random.below(30) {
                world.step(false);
            }
            for _ in 0..2 {
                world.feed(Input::Abort(BUILD, "mia".into(), "enough".into(), 9));
            }
            world.run(false);
        }
    }
}

#[test]
fn a_replay_that_differs_ends_the_build_and_shows_both_sides() {
    let mut world = World::new("approval", 1);
    while !world.journal.iter().any(|turn| !turn.commands.is_empty()) {
        world.step(false);
    }
    let mut turns = world.journal.clone();
    turns[0].commands = vec![Command::StartStep(call("/something-else", true))];
    let mut core = core();
    let effects = core.handle(Millis(9), vec![Input::Recovered(BUILD, Box::new(world.pinned.clone()), turns)]);
    let message = effects.iter().find_map(|effect| match effect {
        Effect::Append(append) => append.ended.clone(),
        _ => None,
    });
    let (result, message) = message.expect("the build ends");
    let message = message.unwrap();
    assert_eq!(result, BuildResult::Failure);
    assert!(message.contains("/something-else") && message.contains("/before"), "{message}");
}
