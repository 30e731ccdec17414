//! Plays the engine: a program, scripted outcomes, simulated time, the journal as text.
//!
//! A fixture is two YAML documents apart: the pipeline, and above it in comments `#! ` lines of the script:
//! ```text
//! #! parameter NAME JSON
//! #! commit HASH                      the build has sources
//! #! event NAME JSON
//! #! file PATH <<                     the following `#!| ` lines are a called file
//! #! ends STEP RESULT [JSON outputs]  how an attempt ends (`STEP#2`: the second); success when nothing is said
//! #! message STEP TEXT                its message
//! #! takes STEP MS                    simulated; 10 when nothing is said
//! #! interrupted STEP WHY
//! #! answers INPUT BY yes|no [JSON values] [REASON]
//! #! silent INPUT                     nobody answers
//! #! abort MS BY REASON
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use haliotis_flow::{Command, Event, Language, Loaded};
use haliotis_model::{
    Answer, BuildId, BuildResult, Cause, Decision, Interrupted, Millis, NewBuild, Object, StepOutput, Value,
    WorkspaceKind,
};
use haliotis_yaml::Yaml;

/// What a fixture says.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) parameters: Object,
    pub(crate) event: Object,
    pub(crate) commit: Option<String>,
    pub(crate) files: Object,
    ends: BTreeMap<String, (BuildResult, Object)>,
    messages: BTreeMap<String, String>,
    takes: BTreeMap<String, u64>,
    interrupted: BTreeMap<String, String>,
    answers: BTreeMap<String, (String, Decision, Object, String)>,
    silent: BTreeSet<String>,
    aborts: Vec<(u64, String, String)>,
}

/// One call of the program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) at: Millis,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
}

fn json_object(text: &str) -> Object {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl Script {
    /// Reads the `#!` lines of a fixture.
    pub(crate) fn parse(text: &str) -> Self {
        let mut script = Script::default();
        let mut file: Option<(String, String)> = None;
        for line in text.lines() {
            if let (Some((_, body)), Some(more)) = (&mut file, line.strip_prefix("#!|")) {
                let _ = writeln!(body, "{}", more.strip_prefix(' ').unwrap_or(more));
                continue;
            }
            if let Some((path, body)) = file.take() {
                script.files.insert(path, body.into());
            }
            let Some(rest) = line.strip_prefix("#! ") else { continue };
            let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            match verb {
                "parameter" => drop(script.parameters.insert(first.into(), serde_json::from_str(rest).unwrap())),
                "event" => drop(script.event.insert(first.into(), serde_json::from_str(rest).unwrap())),
                "commit" => script.commit = Some(first.to_owned()),
                "file" => file = Some((first.to_owned(), String::new())),
                "ends" => {
                    let (word, outputs) = rest.split_once(' ').unwrap_or((rest, "{}"));
                    let result = BuildResult::parse(word).unwrap_or_else(|| panic!("{word}"));
                    script.ends.insert(first.to_owned(), (result, json_object(outputs)));
                }
                "message" => drop(script.messages.insert(first.to_owned(), rest.to_owned())),
                "takes" => drop(script.takes.insert(first.to_owned(), rest.parse().unwrap())),
                "interrupted" => drop(script.interrupted.insert(first.to_owned(), rest.to_owned())),
                "silent" => drop(script.silent.insert(first.to_owned())),
                "answers" => script.answer(first, rest),
                "abort" => {
                    let (by, why) = rest.split_once(' ').unwrap_or((rest, ""));
                    script.aborts.push((first.parse().unwrap(), by.to_owned(), why.to_owned()));
                }
                other => panic!("unknown script line {other}"),
            }
        }
        if let Some((path, body)) = file.take() {
            script.files.insert(path, body.into());
        }
        script
    }

    fn answer(&mut self, input: &str, rest: &str) {
        let (by, rest) = rest.split_once(' ').unwrap();
        let (yes, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let decision = if yes == "yes" { Decision::Approved } else { Decision::Rejected };
        let (values, reason) = if rest.starts_with('{') {
            let end = rest.find('}').unwrap() + 1;
            (json_object(&rest[..end]), rest[end..].trim())
        } else {
            (Object::new(), rest)
        };
        self.answers.insert(input.to_owned(), (by.to_owned(), decision, values, reason.to_owned()));
    }

    /// What is pinned of the build.
    pub(crate) fn build(&self, name: &str, text: &str) -> NewBuild {
        let mut source = super::source(&format!("{name}.yaml"), text);
        source.files = self.files.clone();
        source.commit = self.commit.clone();
        if self.commit.is_some() {
            source.repo = Some("https://git.example/team/repo.git".to_owned());
            source.branch = Some("main".to_owned());
        }
        NewBuild {
            pipeline: name.to_owned(),
            number: 7,
            source,
            parameters: self.parameters.clone(),
            causes: vec![Cause::User { by: "ada".to_owned() }],
            event: self.event.clone(),
            workspace: WorkspaceKind::Own,
            cloud: "local".to_owned(),
            created_at: Millis(0),
            once: None,
            program_version: 1,
            carry: None,
        }
    }

    fn output(&self, id: &str, attempt: u32) -> StepOutput {
        let key = format!("{id}#{attempt}");
        let find = |key: &str| self.ends.get(key).cloned();
        let (result, outputs) = find(&key).or_else(|| find(id)).unwrap_or((BuildResult::Success, Object::new()));
        let interrupted = self.interrupted.get(&key).or_else(|| self.interrupted.get(id).filter(|_| attempt == 1));
        StepOutput {
            result,
            outputs,
            message: self.messages.get(&key).or_else(|| self.messages.get(id)).cloned(),
            interrupted: interrupted.map(|why| Interrupted { why: why.clone() }),
        }
    }
}

/// What will happen, by time and then in the order it was asked for.
#[derive(Default)]
struct Agenda {
    at: BTreeMap<(i64, u64), Event>,
    order: u64,
}

impl Agenda {
    fn add(&mut self, at: i64, event: Event) {
        self.order += 1;
        self.at.insert((at, self.order), event);
    }

    fn drop_where(&mut self, gone: impl Fn(&Event) -> bool) {
        self.at.retain(|_, event| !gone(event));
    }
}

/// Makes the program.
pub(crate) fn load(build: &NewBuild) -> Loaded {
    match Yaml.load(BuildId(1), build, &super::kinds()) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{}", haliotis_yaml::render(&problems, &sources(build), false)),
    }
}

/// The texts of a build's files by name.
pub(crate) fn sources(build: &NewBuild) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::from([(build.source.path.clone(), build.source.text.clone())]);
    for (path, text) in &build.source.files {
        sources.insert(path.clone(), text.as_str().unwrap().to_owned());
    }
    sources
}

/// Runs a build to its end; panics when it hangs.
pub(crate) fn run(build: &NewBuild, script: &Script) -> Vec<Turn> {
    let mut program = load(build).program;
    let mut agenda = Agenda::default();
    agenda.add(0, Event::Begun);
    for (at, by, reason) in &script.aborts {
        agenda.add(*at as i64, Event::AbortRequested { by: by.clone(), reason: reason.clone() });
    }
    let mut turns: Vec<Turn> = Vec::new();
    while let Some((&(at, _), _)) = agenda.at.iter().next() {
        // Everything of one moment is one turn, as the engine gathers it.
        let keys: Vec<_> = agenda.at.range((at, 0)..=(at, u64::MAX)).map(|(key, _)| *key).collect();
        let events: Vec<Event> = keys.iter().filter_map(|key| agenda.at.remove(key)).collect();
        let commands = program.resume(Millis(at), &events);
        for command in &commands {
            act(command, at, script, &mut agenda);
        }
        let finished = commands.iter().any(|command| matches!(command, Command::Finish { .. }));
        turns.push(Turn { at: Millis(at), events, commands });
        if finished {
            return turns;
        }
        assert!(turns.len() < 10_000, "the build does not end");
    }
    panic!("the build hangs:\n{}", print(build, &turns));
}

fn act(command: &Command, at: i64, script: &Script, agenda: &mut Agenda) {
    match command {
        Command::StartStep(call) => {
            let takes = script.takes.get(call.id.as_str()).copied().unwrap_or(10) as i64;
            let output = script.output(call.id.as_str(), call.attempt);
            agenda.add(at + takes, Event::StepEnded { id: call.id.clone(), output });
        }
        Command::CancelStep { id } => {
            agenda.drop_where(|event| matches!(event, Event::StepEnded { id: ended, .. } if ended == id));
            agenda.add(at + 1, Event::StepEnded { id: id.clone(), output: StepOutput::aborted("killed") });
        }
        Command::StartTimer { id, after_ms } => {
            agenda.add(at + *after_ms as i64, Event::TimerFired { id: id.clone() });
        }
        Command::CancelTimer { id } => {
            agenda.drop_where(|event| matches!(event, Event::TimerFired { id: fired } if fired == id));
        }
        Command::AskInput { id, input } => {
            if script.silent.contains(id.as_str()) {
                return;
            }
            let (by, decision, values, reason) = script
                .answers
                .get(id.as_str())
                .cloned()
                .unwrap_or_else(|| ("ada".to_owned(), Decision::Approved, Object::new(), String::new()));
            let answer = Answer { decision, by, reason, values, digest: input.digest.clone() };
            agenda.add(at + 1000, Event::InputAnswered { id: id.clone(), answer });
        }
        Command::WithdrawInput { id } => {
            agenda.drop_where(|event| matches!(event, Event::InputAnswered { id: asked, .. } if asked == id));
        }
        _ => {}
    }
}

/// The journal as the engine prints it, with the time of each turn.
pub(crate) fn print(build: &NewBuild, turns: &[Turn]) -> String {
    let parameters = Value::Object(build.parameters.clone());
    let mut text = format!("0 created {} #{} parameters {parameters}\n", build.pipeline, build.number);
    for (index, turn) in turns.iter().enumerate() {
        let seq = index + 1;
        let _ = writeln!(text, "{seq} @ {}", turn.at.0);
        for event in &turn.events {
            let _ = writeln!(text, "{seq} < {}", serde_json::to_string(event).unwrap());
        }
        for command in &turn.commands {
            let _ = writeln!(text, "{seq} > {}", serde_json::to_string(command).unwrap());
        }
    }
    text
}

/// After a crash at any turn a new program is told the journal so far and then what was still to happen: it answers the
/// same as the one that never crashed.
pub(crate) fn check_prefixes(build: &NewBuild, turns: &[Turn]) {
    for crash in 0..=turns.len() {
        let mut program = load(build).program;
        for (index, turn) in turns.iter().enumerate() {
            let commands = program.resume(turn.at, &turn.events);
            let when = if index < crash { "while the journal is replayed" } else { "after it went on" };
            assert_eq!(commands, turn.commands, "turn {} differs {when} (crash after {crash})", index + 1);
        }
    }
}
