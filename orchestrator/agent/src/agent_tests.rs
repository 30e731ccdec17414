//! The agent with a step kind that does as it is told, and one that runs real processes under a real supervisor.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Call, Cause, Millis, NewBuild, Object, Source, StepId, WorkspaceKind,
};
use haliotis_plugin_api::{ProcessSpec, Started};
use serde_json::json;

/// A build without a repository.
pub(crate) fn build() -> NewBuild {
    NewBuild {
        pipeline: "team/demo".to_owned(),
        number: 3,
        source: Source {
            language: "yaml".to_owned(),
            path: "demo.yaml".to_owned(),
            text: String::new(),
            files: Object::new(),
            repo: None,
            branch: None,
            commit: None,
            credential: None,
        },
        parameters: Object::new(),
        causes: vec![Cause::User { by: "ada".to_owned() }],
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".to_owned(),
        created_at: Millis(0),
        once: None,
        program_version: 1,
        carry: None,
    }
}

/// Does what its argument `do` says.
struct Puppet {
    name: &'static str,
    delivery: Delivery,
    cloud: bool,
}

static PUPPETS: [Puppet; 3] = [
    Puppet { name: "often", delivery: Delivery::AtLeastOnce, cloud: true },
    Puppet { name: "once", delivery: Delivery::AtMostOnce, cloud: false },
    Puppet { name: "token", delivery: Delivery::Token, cloud: false },
];
/// How many hold a slot now, and the most there were.
static AT_WORK: AtomicU32 = AtomicU32::new(0);
static MOST: AtomicU32 = AtomicU32::new(0);

fn count(ctx: &StepContext, what: &str) -> usize {
    let path = ctx.scratch.join(what);
    let so_far = std::fs::read_to_string(&path).unwrap_or_default() + "x";
    std::fs::write(path, &so_far).unwrap();
    so_far.len()
}

#[async_trait]
impl StepRunner for Puppet {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: self.name,
            doc: "Does as told.",
            placement: Placement::Agent,
            delivery: self.delivery,
            arguments: vec![
                ArgumentSchema::required("do", ArgumentKind::String, "What."),
                ArgumentSchema::optional("level", ArgumentKind::Integer, "").or(7),
            ],
            outputs: Vec::new(),
            open_outputs: true,
            cloud: self.cloud,
            example: "do: succeed",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        count(ctx, "starts");
        match ctx.required("do")?.as_str() {
            "usage" => Err(StepError::Usage("no such thing".to_owned())),
            "panic in start" => panic!("ouch"),
            "handle" => Ok(Started { handle: Some(json!({"job": 5})) }),
            "process" => {
                let spec = ProcessSpec {
                    argv: ["sh", "-c", &ctx.vars["SCRIPT"]].map(str::to_owned).to_vec(),
                    vars: ctx.vars.clone(),
                    cwd: ctx.workspace.clone(),
                    log: ctx.log.path().to_owned(),
                    stdout: None,
                    mask: ctx.secrets.iter().map(|(_, secret)| secret.clone()).collect(),
                };
                ctx.processes.spawn(&ctx.slug(), spec).await.map_err(|error| StepError::World(error.to_string()))?;
                Ok(Started::default())
            }
            _ => Ok(Started::default()),
        }
    }

    async fn attach(&self, ctx: &StepContext, handle: &Value) -> Result<StepOutput, StepError> {
        match ctx.required("do")?.as_str() {
            "secret world" => Err(StepError::World(format!("refused {}", ctx.secrets[0].1.expose()))),
            "panic in attach" => panic!("ow {}", 1),
            "unknown" => Err(StepError::Unknown("who knows".to_owned())),
            "unknown once" if count(ctx, "attaches") == 1 => Err(StepError::Unknown("who knows".to_owned())),
            "handle" => Ok(StepOutput::success(json!({"handle": handle}).as_object().unwrap().clone())),
            "process" => {
                let exit =
                    ctx.processes.wait(&ctx.slug()).await.map_err(|error| StepError::World(error.to_string()))?;
                Ok(StepOutput::success(json!({"code": exit.code}).as_object().unwrap().clone()))
            }
            "hold" => {
                MOST.fetch_max(AT_WORK.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                AT_WORK.fetch_sub(1, Ordering::SeqCst);
                Ok(StepOutput::success(Object::new()))
            }
            "until stopped" => {
                while !ctx.scratch.join("stopped").exists() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok(StepOutput::aborted("stopped on request"))
            }
            _ => {
                ctx.log.line(&format!("level {}", ctx.integer("level").unwrap_or(0)));
                Ok(StepOutput::success(Object::new()))
            }
        }
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        std::fs::write(ctx.scratch.join("stopped"), "")?;
        let _ = ctx.processes.kill(&ctx.slug(), ctx.grace_ms).await;
        Ok(())
    }
}

struct Keys;

#[async_trait]
impl Credentials for Keys {
    async fn fields(&self, id: &str, _: &crate::Use<'_>) -> Result<Option<BTreeMap<String, String>>, String> {
        Ok((id == "pass").then(|| [("text".to_owned(), "hunter2".to_owned())].into()))
    }
}

/// What was committed.
#[derive(Default)]
struct Committed(Mutex<Vec<Value>>);

#[async_trait]
impl Commits for Committed {
    async fn handle(&self, handle: Value) -> bool {
        self.0.lock().unwrap().push(handle);
        true
    }
}

fn agent(dir: &Path) -> Arc<LocalAgent> {
    let deps = std::env::current_exe().unwrap();
    let exe = deps.parent().unwrap().parent().unwrap().join("examples/supervise").display().to_string();
    Arc::new(LocalAgent::new(AgentConfig {
        name: crate::AGENT_NAME.to_owned(),
        data_dir: dir.to_owned(),
        slots: 2,
        labels: vec!["linux".to_owned()],
        base_url: String::new(),
        cloud: Arc::new(CloudSettings { name: "local".to_owned(), ..CloudSettings::default() }),
        vars: Vars::new(),
        runners: PUPPETS.iter().map(|puppet| puppet as &dyn StepRunner).collect(),
        processes: Arc::new(crate::Supervisor::connect(&dir.join("agent"), &[exe])),
        credentials: Arc::new(Keys),
    }))
}

fn task(step: &str, uses: &str, what: &str) -> StepTask {
    let mut call = Call::new(StepId::new(format!("/{step}")), uses);
    call.with.insert("do".to_owned(), what.into());
    let key = StepKey { build: BuildId(4), step: call.id.clone(), attempt: 1 };
    StepTask { key, call: Arc::new(call), build: Arc::new(build()), agent: None, handle: None, recovered: false }
}

fn change(task: &mut StepTask, change: impl FnOnce(&mut Call)) {
    change(Arc::make_mut(&mut task.call));
}

async fn run(agent: &LocalAgent, task: &StepTask) -> StepOutput {
    agent.run_attempt(task, &Committed::default()).await
}

fn log(dir: &Path, task: &StepTask) -> String {
    std::fs::read_to_string(dir.join(format!("logs/4/{}.log", task.key.slug()))).unwrap_or_default()
}

fn starts(dir: &Path, task: &StepTask) -> usize {
    std::fs::read_to_string(dir.join(format!("scratch/4/{}/starts", task.key.slug()))).unwrap_or_default().len()
}

#[tokio::test]
async fn runs_and_turns_every_error_into_an_output() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    let fine = task("fine", "often", "succeed");
    assert_eq!(run(&agent, &fine).await.result, BuildResult::Success);
    assert_eq!(log(dir.path(), &fine), "level 7\n");
    for (what, message) in [
        ("usage", "no such thing"),
        ("panic in start", "internal error in the step kind `token`: it panicked: ouch; please report it"),
        ("panic in attach", "internal error in the step kind `token`: it panicked: ow 1; please report it"),
    ] {
        let output = run(&agent, &task(what, "token", what)).await;
        assert_eq!((output.result, output.message.as_deref()), (BuildResult::Failure, Some(message)));
    }
    let unknown = run(&agent, &task("unknown", "token", "unknown")).await;
    assert_eq!(unknown.interrupted, Some(Interrupted { why: "who knows".to_owned() }));
    let kind = run(&agent, &task("kind", "shell", "x")).await;
    assert!(kind.message.unwrap().contains("there is no step kind `shell`"));
    let mut wrong = task("wrong", "token", "x");
    change(&mut wrong, |call| drop(call.with.insert("levle".to_owned(), 5.into())));
    assert!(run(&agent, &wrong).await.message.unwrap().contains("there is no argument `levle`; it has do, level"));
    assert!(log(dir.path(), &wrong).contains("levle"));
}

#[tokio::test]
async fn secrets_are_bound_and_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    let mut secret = task("secret", "token", "secret world");
    change(&mut secret, |call| drop(call.credentials.insert("PASS".to_owned(), "pass".to_owned())));
    assert_eq!(run(&agent, &secret).await.message.as_deref(), Some("refused ****"));
    assert_eq!(log(dir.path(), &secret), "refused ****\n");
    change(&mut secret, |call| drop(call.credentials.insert("PASS".to_owned(), "lost".to_owned())));
    assert!(run(&agent, &secret).await.message.unwrap().contains("there is no credential `lost`"));
}

#[tokio::test]
async fn handles_are_committed_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    let mut task = task("handle", "token", "handle");
    let committed = Committed::default();
    let output = agent.run_attempt(&task, &committed).await;
    assert_eq!(committed.0.lock().unwrap()[..], [json!({"job": 5})]);
    assert_eq!(output.outputs["handle"], json!({"job": 5}));
    (task.handle, task.recovered) = (Some(json!({"job": 6})), true);
    assert_eq!(run(&agent, &task).await.outputs["handle"], json!({"job": 6}));
    assert_eq!(starts(dir.path(), &task), 1, "a handle means that it was started");
}

#[tokio::test]
async fn after_a_restart_the_delivery_decides() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    // At most once: the first life began it and knows no end; the second does not begin it again.
    let mut once = task("once", "once", "unknown");
    run(&agent, &once).await;
    once.recovered = true;
    let output = run(&agent, &once).await;
    assert!(output.interrupted.unwrap().why.contains("the server went down while it was being started"));
    assert_eq!(starts(dir.path(), &once), 1);
    // It never began, so it may begin now.
    let mut queued = task("queued", "once", "succeed");
    queued.recovered = true;
    assert_eq!(run(&agent, &queued).await.result, BuildResult::Success);
    assert_eq!(starts(dir.path(), &queued), 1);
    // Harmless ones are started again, by a restart and by an unknown end alike.
    let mut often = task("often", "often", "unknown once");
    assert_eq!(run(&agent, &often).await.result, BuildResult::Success);
    assert_eq!(starts(dir.path(), &often), 2);
    often.recovered = true;
    run(&agent, &often).await;
    assert_eq!(starts(dir.path(), &often), 3);
}

#[tokio::test]
async fn a_build_never_reaches_another_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    let mut aws = task("aws", "often", "succeed");
    Arc::make_mut(&mut aws.build).cloud = "aws:eu-west-1".to_owned();
    let message = run(&agent, &aws).await.message.unwrap();
    assert!(message.contains("made for the cloud `aws:eu-west-1`, and this server talks to `local`"), "{message}");
    change(&mut aws, |call| call.uses = "token".to_owned());
    assert_eq!(run(&agent, &aws).await.result, BuildResult::Success, "a step without a cloud does not care");
}

#[tokio::test]
async fn slots_are_kept_and_waiting_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    let spawn = |step: &str, what: &str, slot: bool| {
        let (agent, mut task) = (Arc::clone(&agent), task(step, "token", what));
        change(&mut task, |call| call.slot = slot.then(String::new));
        let key = task.key.clone();
        (key, tokio::spawn(async move { run(&agent, &task).await }))
    };
    let held: Vec<_> = (0..8).map(|n| spawn(&format!("h{n}"), "hold", true)).collect();
    for (_, work) in held {
        assert_eq!(work.await.unwrap().result, BuildResult::Success);
    }
    assert_eq!(MOST.load(Ordering::SeqCst), 2);
    let busy: Vec<_> = (0..2).map(|n| spawn(&format!("b{n}"), "until stopped", true)).collect();
    let (waiting, work) = spawn("waiting", "succeed", true);
    let (_, free) = spawn("free", "succeed", false);
    assert_eq!(free.await.unwrap().result, BuildResult::Success, "a step without a slot does not wait for one");
    tokio::time::sleep(Duration::from_millis(30)).await;
    agent.cancel(&waiting).await;
    assert_eq!(work.await.unwrap().message.as_deref(), Some("stopped before it began"));
    for (key, work) in busy {
        agent.cancel(&key).await;
        agent.cancel(&key).await;
        assert_eq!(work.await.unwrap().result, BuildResult::Aborted);
        agent.cancel(&key).await;
    }
}

#[tokio::test]
async fn processes_see_the_build_and_die_with_a_stop_and_go_with_the_build() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path());
    let mut script = task("script", "token", "process");
    change(&mut script, |call| {
        call.vars.insert("SCRIPT".to_owned(), "echo $JOB_NAME $BUILD_NUMBER; pwd; exit 5".to_owned());
    });
    let output = run(&agent, &script).await;
    assert_eq!(output.outputs.get("code"), Some(&5.into()), "{output:?}");
    let workspace = dir.path().join("workspaces/4");
    assert_eq!(log(dir.path(), &script), format!("team/demo 3\n{}\n", workspace.display()));
    let mut endless = task("endless", "token", "process");
    change(&mut endless, |call| drop(call.vars.insert("SCRIPT".to_owned(), "echo up; exec sleep 4325".to_owned())));
    let work = tokio::spawn({
        let (agent, endless) = (Arc::clone(&agent), endless.clone());
        async move { run(&agent, &endless).await }
    });
    while log(dir.path(), &endless).is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    agent.cancel(&endless.key).await;
    assert_eq!(work.await.unwrap().outputs["code"], 143);
    let recorded = async || agent.processes.wait(&script.key.slug()).await;
    assert_eq!(recorded().await.unwrap().code, 5);
    agent.build_ended(BuildId(4), BuildResult::Success).await;
    assert!(!workspace.exists());
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if recorded().await.is_err() && std::fs::read_dir(dir.path().join("trash")).unwrap().next().is_none() {
            return;
        }
    }
    panic!("the record or the trash stays");
}

const POINTS_FOLDER: &str = "HALIOTIS_POINTS_FOLDER";
const RECOVERED: &str = "HALIOTIS_POINTS_RECOVERED";

/// One life that runs an at-most-once step whose end nobody can tell. Does nothing when run as a test among others.
#[tokio::test]
async fn at_most_once_worker() {
    let Ok(dir) = std::env::var(POINTS_FOLDER) else { return };
    let dir = Path::new(&dir);
    let mut once = task("once", "once", "unknown");
    once.recovered = std::env::var_os(RECOVERED).is_some();
    let output = run(&agent(dir), &once).await;
    std::fs::write(dir.join("output"), serde_json::to_vec(&output).unwrap()).unwrap();
}

#[tokio::test]
async fn death_at_each_point_of_the_agent_never_starts_an_at_most_once_step_twice() {
    let points = haliotis_failpoints::POINTS.iter().filter(|point| point.starts_with("agent."));
    let mut tried = 0;
    for point in points {
        tried += 1;
        let dir = tempfile::tempdir().unwrap();
        let live = |vars: &[(&str, &str)]| {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "agent::tests::at_most_once_worker"]).env(POINTS_FOLDER, dir.path());
            command.envs(vars.iter().copied()).output().unwrap().status.success()
        };
        assert!(!live(&[("HALIOTIS_FAILPOINT", &format!("{point}=1"))]), "it did not die at {point}");
        assert!(!dir.path().join("output").exists());
        assert!(live(&[(RECOVERED, "1")]), "after the death at {point}");
        let output = std::fs::read(dir.path().join("output")).unwrap();
        let output: StepOutput = serde_json::from_slice(&output).unwrap();
        assert!(output.interrupted.is_some(), "{output:?}");
        // Before the mark nothing was begun, so the next life begins it; after it nobody can tell.
        let begun = usize::from(point.ends_with(".before"));
        assert_eq!(starts(dir.path(), &task("once", "once", "unknown")), begun, "after the death at {point}");
    }
    assert_eq!(tried, 2);
}
