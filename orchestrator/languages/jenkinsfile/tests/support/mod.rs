//! Plays the engine for a Jenkinsfile: scripted outcomes, simulated time, the journal as text.
//!
//! A fixture is a Jenkinsfile with lines `//! ` of a script above it:
//! ```text
//! //! parameter NAME JSON
//! //! repository                        the pipeline comes from Git
//! //! library PATH <<                   the following `//!| ` lines are a pinned library file
//! //! ends STEP RESULT [JSON outputs]   how a step ends; success with no outputs when nothing is said
//! //! message STEP TEXT                 its message
//! //! lost STEP WHY                     nobody knows how it ended
//! //! takes STEP MS                     simulated; 10 when nothing is said
//! //! answers INPUT BY yes|no [JSON]    everything is answered with yes by ada when nothing is said
//! //! silent INPUT                      nobody answers
//! //! previous RESULT                   how the build before ended
//! //! event NAME JSON                   more that is pinned
//! //! restart STAGE                     the build restarts there
//! //! abort MS BY REASON
//! ```
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "tests read fixtures; the crate itself has no files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use haliotis_flow::{Command, Event, Language, Loaded};
use haliotis_jenkinsfile::Jenkinsfile;
use haliotis_model::{
    Answer, ArgumentSchema, BuildId, BuildResult, Carry, Cause, Decision, Delivery, Millis, NewBuild, Object,
    Placement, Source, StepOutput, StepSchema, WorkspaceKind,
};

/// Longest simulated build, in turns.
const MOST_TURNS: usize = 10_000;

/// What a fixture says.
#[derive(Default)]
pub(crate) struct Script {
    parameters: Object,
    files: Object,
    event: Object,
    repository: bool,
    ends: BTreeMap<String, (BuildResult, Object)>,
    messages: BTreeMap<String, String>,
    lost: BTreeMap<String, String>,
    takes: BTreeMap<String, i64>,
    answers: BTreeMap<String, (String, Decision, Object)>,
    silent: BTreeSet<String>,
    aborts: Vec<(i64, String, String)>,
    restart: Option<String>,
}

/// One call of the program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) at: Millis,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
}

impl Script {
    /// Reads the `//!` lines of a fixture.
    pub(crate) fn parse(text: &str) -> Self {
        let mut script = Script::default();
        let mut file: Option<(String, String)> = None;
        for line in text.lines() {
            if let (Some((_, body)), Some(more)) = (&mut file, line.strip_prefix("//!|")) {
                let _ = writeln!(body, "{}", more.strip_prefix(' ').unwrap_or(more));
                continue;
            }
            if let Some((path, body)) = file.take() {
                script.files.insert(path, body.into());
            }
            let Some(rest) = line.strip_prefix("//! ") else { continue };
            let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            // A step's path may hold spaces: quotes keep it together.
            let (first, rest) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                Some((first, rest)) => (first, rest.trim_start()),
                None => rest.split_once(' ').unwrap_or((rest, "")),
            };
            script.line(verb, first, rest, &mut file);
        }
        script
    }

    fn line(&mut self, verb: &str, first: &str, rest: &str, file: &mut Option<(String, String)>) {
        match verb {
            "parameter" => drop(self.parameters.insert(first.into(), serde_json::from_str(rest).unwrap())),
            "repository" => self.repository = true,
            "library" => *file = Some((first.to_owned(), String::new())),
            "ends" => {
                let (word, outputs) = rest.split_once(' ').unwrap_or((rest, "{}"));
                let result = BuildResult::parse(word).unwrap_or_else(|| panic!("{word}"));
                self.ends.insert(first.to_owned(), (result, serde_json::from_str(outputs).unwrap()));
            }
            "message" => drop(self.messages.insert(first.to_owned(), rest.to_owned())),
            "lost" => drop(self.lost.insert(first.to_owned(), rest.to_owned())),
            "takes" => drop(self.takes.insert(first.to_owned(), rest.parse().unwrap())),
            "restart" => self.restart = Some(first.to_owned()),
            "silent" => drop(self.silent.insert(first.to_owned())),
            "previous" => drop(self.event.insert("previous-result".into(), first.into())),
            "event" => drop(self.event.insert(first.into(), serde_json::from_str(rest).unwrap())),
            "answers" => {
                let mut words = rest.splitn(3, ' ');
                let (by, yes, values) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or("{}"));
                let decision = if yes == "yes" { Decision::Approved } else { Decision::Rejected };
                self.answers.insert(first.into(), (by.into(), decision, serde_json::from_str(values).unwrap()));
            }
            "abort" => {
                let (by, why) = rest.split_once(' ').unwrap_or((rest, ""));
                self.aborts.push((first.parse().unwrap(), by.to_owned(), why.to_owned()));
            }
            other => panic!("unknown script line {other}"),
        }
    }

    /// What is pinned of the build.
    pub(crate) fn build(&self, name: &str, text: &str) -> NewBuild {
        let mut source = source(text);
        source.files = self.files.clone();
        if self.repository {
            source.repo = Some("https://git.example/team/repo.git".to_owned());
            source.branch = Some("main".to_owned());
            source.commit = Some("0123456789012345678901234567890123456789".to_owned());
            source.credential = Some("git".to_owned());
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
            program_version: haliotis_jenkinsfile::VERSION,
            carry: self.restart.as_ref().map(|stage| {
                let (from, number, at) = (BuildId(3), 6, stage.clone());
                let (stage, steps) = (Some(stage.clone()), BTreeMap::new());
                Box::new(Carry { from, number, at, stage, steps, by_order: true, workspace: false })
            }),
        }
    }

    fn output(&self, id: &str) -> StepOutput {
        if let Some(why) = self.lost.get(id) {
            return StepOutput::interrupted(why);
        }
        let (result, outputs) = self.ends.get(id).cloned().unwrap_or((BuildResult::Success, Object::new()));
        StepOutput { result, outputs, message: self.messages.get(id).cloned(), interrupted: None }
    }
}

/// A source as it is read from a file.
pub(crate) fn source(text: &str) -> Source {
    Source {
        language: haliotis_jenkinsfile::NAME.to_owned(),
        path: "Jenkinsfile".to_owned(),
        text: text.to_owned(),
        files: Object::new(),
        repo: None,
        branch: None,
        commit: None,
        credential: None,
    }
}

/// Step kinds with the places of the real ones; arguments are checked elsewhere.
fn kinds() -> Vec<StepSchema> {
    let kind = |name, placement| StepSchema {
        name,
        doc: "",
        placement,
        delivery: Delivery::AtLeastOnce,
        arguments: Vec::<ArgumentSchema>::new(),
        outputs: Vec::new(),
        open_outputs: true,
        cloud: false,
        example: "",
    };
    let agent = [
        "sh",
        "checkout",
        "archive",
        "junit",
        "read-file",
        "write-file",
        "files",
        "stash",
        "unstash",
        "environment",
        "cloudformation.deploy",
        "copy-artifacts",
        "aws.call",
    ];
    let agent = agent.into_iter().map(|name| kind(name, Placement::Agent));
    let server = [
        "http",
        "server-environment",
        "lock",
        "unlock",
        "milestone",
        "build",
        "find-build",
        "library",
        "mail",
        "greetAll",
        "agents",
        "changes",
    ];
    agent.chain(server.map(|name| kind(name, Placement::Server))).collect()
}

/// Makes the program.
pub(crate) fn load(build: &NewBuild) -> Loaded {
    match Jenkinsfile.load(BuildId(1), build, &kinds()) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{problems:#?}"),
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

/// Runs a build to its end; panics when it hangs.
pub(crate) fn run(build: &NewBuild, script: &Script) -> Vec<Turn> {
    let mut program = load(build).program;
    let mut agenda = Agenda::default();
    agenda.add(0, Event::Begun);
    for (at, by, reason) in &script.aborts {
        agenda.add(*at, Event::AbortRequested { by: by.clone(), reason: reason.clone() });
    }
    let mut turns: Vec<Turn> = Vec::new();
    while let Some((&(at, _), _)) = agenda.at.iter().next() {
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
        assert!(turns.len() < MOST_TURNS, "the build does not end");
    }
    panic!("the build hangs:\n{}", print(&turns));
}

fn act(command: &Command, at: i64, script: &Script, agenda: &mut Agenda) {
    match command {
        Command::StartStep(call) => {
            let takes = script.takes.get(call.id.as_str()).copied().unwrap_or(10);
            agenda.add(at + takes, Event::StepEnded { id: call.id.clone(), output: script.output(call.id.as_str()) });
        }
        Command::CancelStep { id } => {
            agenda.drop_where(|event| matches!(event, Event::StepEnded { id: ended, .. } if ended == id));
            agenda.add(at + 1, Event::StepEnded { id: id.clone(), output: StepOutput::aborted("killed") });
        }
        Command::StartTimer { id, after_ms } => agenda.add(at + *after_ms as i64, Event::TimerFired { id: id.clone() }),
        Command::CancelTimer { id } => {
            agenda.drop_where(|event| matches!(event, Event::TimerFired { id: fired } if fired == id));
        }
        Command::LeaseAgent { id, .. } => {
            agenda.add(at + 1, Event::AgentLeased { id: id.clone(), agent: "local".to_owned() });
        }
        Command::AskInput { id, input } if !script.silent.contains(id.as_str()) => {
            let answer = script.answers.get(id.as_str()).cloned();
            let (by, decision, values) = answer.unwrap_or(("ada".to_owned(), Decision::Approved, Object::new()));
            let digest = input.digest.clone();
            let answer = Answer { decision, by, reason: String::new(), values, digest };
            agenda.add(at + 1000, Event::InputAnswered { id: id.clone(), answer });
        }
        Command::WithdrawInput { id } => {
            agenda.drop_where(|event| matches!(event, Event::InputAnswered { id: asked, .. } if asked == id));
        }
        _ => {}
    }
}

/// The journal, one line an entry, the time of each turn before it.
pub(crate) fn print(turns: &[Turn]) -> String {
    let mut text = String::new();
    for (index, turn) in turns.iter().enumerate() {
        let seq = index + 1;
        let _ = writeln!(text, "{seq} @ {}", turn.at.0);
        for event in &turn.events {
            let _ = writeln!(text, "{seq} < {}", serde_json::to_string(event).unwrap());
        }
        for command in &turn.commands {
            let _ = match command {
                Command::Say { text: said } => writeln!(text, "{seq} | {said}"),
                other => writeln!(text, "{seq} > {}", serde_json::to_string(other).unwrap()),
            };
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

/// The fixtures of a folder, in name order.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jenkinsfile"));
    files.sort();
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    files.iter().map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(path))).collect()
}

/// Compares with the golden text beside a fixture; `UPDATE=1` writes it.
pub(crate) fn golden(folder: &str, name: &str, actual: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder).join(format!("{name}.txt"));
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, actual).unwrap();
        return Ok(());
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    let line = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or(expected.lines().count().min(actual.lines().count()));
    Err(format!(
        "{folder}/{name}.txt differs in line {}:\n  golden: {}\n  now:    {}\n(UPDATE=1 writes it)",
        line + 1,
        expected.lines().nth(line).unwrap_or("(end)"),
        actual.lines().nth(line).unwrap_or("(end)"),
    ))
}
