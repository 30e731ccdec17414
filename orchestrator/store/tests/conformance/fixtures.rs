//! Builds and turns as short as can be.

use haliotis_engine::{Append, Mark, OutboxItem, Turn};
use haliotis_flow::{Command, Event};
use haliotis_model::{
    BuildId, BuildResult, BuildStatus, Call, Cause, Millis, NewBuild, Object, Source, StepId, Value, WorkspaceKind,
};

/// A build of a pipeline, as a trigger would ask for it.
pub(crate) fn new_build(pipeline: &str) -> NewBuild {
    let mut parameters = Object::new();
    parameters.insert("Zeta".to_owned(), Value::from(1));
    parameters.insert("Alpha".to_owned(), Value::from("two \u{1F41A}"));
    NewBuild {
        pipeline: pipeline.to_owned(),
        number: 0,
        source: Source {
            language: "yaml".to_owned(),
            path: "pipeline.yaml".to_owned(),
            text: "name: x\nsteps: {}\n".to_owned(),
            files: Object::new(),
            repo: None,
            branch: None,
            commit: Some("0123456789abcdef".to_owned()),
            credential: None,
        },
        parameters,
        causes: vec![Cause::User { by: "ada".to_owned() }],
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".to_owned(),
        created_at: Millis(1_000),
        once: None,
        program_version: 1,
        carry: None,
    }
}

/// The same with a `once` key.
pub(crate) fn new_build_once(pipeline: &str, once: &str) -> NewBuild {
    NewBuild { once: Some(once.to_owned()), ..new_build(pipeline) }
}

/// A turn that tells its number, with something of each kind in it.
pub(crate) fn turn(number: u64) -> Turn {
    let id = StepId::new(format!("/step-{number}"));
    Turn {
        at: Millis(2_000 + i64::try_from(number).unwrap()),
        events: vec![Event::TimerFired { id: id.clone() }],
        commands: vec![
            Command::StartStep(Call::new(id.clone(), "sh")),
            Command::Say { text: format!("\"{number}\"\n") },
        ],
        marks: vec![Mark::Granted { id, attempt: 1, agent: "here".to_owned() }],
    }
}

/// The append of turn `after + 1`; the build goes on.
pub(crate) fn append(build: BuildId, after: u64) -> Append {
    Append { build, after, turn: turn(after + 1).into(), status: BuildStatus::Running, ended: None, outbox: Vec::new() }
}

/// The same as the build's last.
pub(crate) fn append_end(build: BuildId, after: u64, result: BuildResult) -> Append {
    let message = (result != BuildResult::Success).then(|| "it broke".to_owned());
    Append { status: BuildStatus::Ended, ended: Some((result, message)), ..append(build, after) }
}

/// A thing to do.
pub(crate) fn item(kind: &str) -> OutboxItem {
    OutboxItem { kind: kind.to_owned(), body: serde_json::json!({"b": [1, null], "a": "x"}) }
}
