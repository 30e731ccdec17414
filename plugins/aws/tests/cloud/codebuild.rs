//! `codebuild.start` against a small server that keeps builds as CodeBuild does. The local cloud has no CodeBuild.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use haliotis_model::{BuildResult, Secret, Value};
use haliotis_plugin_api::conformance::{self, Bench, Pace};
use haliotis_plugin_api::{CloudSettings, StepContext};
use haliotis_plugin_dummy::bench::{DirectProcesses, context};
use serde_json::json;

use crate::bed::{run, runner};

/// One build; how long it takes and how it ends stands in its variables.
struct Build {
    id: String,
    variables: Value,
    began: Instant,
    stopped: bool,
}

impl Build {
    fn variable(&self, name: &str) -> Option<&str> {
        let all = self.variables.as_array()?;
        all.iter().find(|variable| variable["name"] == name)?["value"].as_str()
    }

    fn shown(&self) -> Value {
        let ms = self.variable("MS").and_then(|text| text.parse().ok()).unwrap_or(0);
        let status = match (self.stopped, self.began.elapsed() >= Duration::from_millis(ms)) {
            (true, _) => "STOPPED",
            (false, false) => "IN_PROGRESS",
            (false, true) => self.variable("END").unwrap_or("SUCCEEDED"),
        };
        let complete = status != "IN_PROGRESS";
        let failed =
            json!([{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"message": "exit status 1"}]}]);
        json!({
            "id": self.id, "buildStatus": status, "buildComplete": complete,
            "currentPhase": if complete { "COMPLETED" } else { "BUILD" },
            "phases": if status == "FAILED" { failed } else { json!([]) },
            "logs": {"deepLink": format!("https://console.example/{}", self.id)},
            "environment": {
                "type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": self.variables,
            },
        })
    }
}

type Builds = Arc<Mutex<Vec<Build>>>;

/// CodeBuild's JSON protocol, without its five-minute memory of tokens: finding a build again is the step's affair.
async fn answer(State(builds): State<Builds>, headers: HeaderMap, body: String) -> String {
    let operation = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    let input: Value = serde_json::from_str(&body).unwrap();
    let mut builds = builds.lock().unwrap();
    match operation.as_str() {
        "ListBuildsForProject" => json!({"ids": builds.iter().map(|build| &build.id).collect::<Vec<_>>()}),
        "BatchGetBuilds" => {
            let wanted = |build: &&Build| input["ids"].as_array().unwrap().contains(&json!(build.id));
            json!({"builds": builds.iter().filter(wanted).map(Build::shown).collect::<Vec<_>>()})
        }
        "StartBuild" => {
            let id = format!("{}:{}", input["projectName"].as_str().unwrap(), builds.len());
            let variables = input["environmentVariablesOverride"].clone();
            builds.push(Build { id, variables, began: Instant::now(), stopped: false });
            json!({"build": builds.last().unwrap().shown()})
        }
        "StopBuild" => {
            let build = builds.iter_mut().find(|build| input["id"] == build.id.as_str()).unwrap();
            build.stopped = true;
            json!({"build": build.shown()})
        }
        other => panic!("{other} was asked for"),
    }
    .to_string()
}

struct Project {
    builds: Builds,
    cloud: Arc<CloudSettings>,
    dir: tempfile::TempDir,
}

impl Project {
    async fn new() -> Self {
        let builds = Builds::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&builds));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cloud = CloudSettings {
            endpoint_url: Some(format!("http://{}", listener.local_addr().unwrap())),
            region: "us-east-1".to_owned(),
            credentials: Some(("key".to_owned(), Secret::new("secret"))),
            poll_ms: 20,
            ..CloudSettings::default()
        };
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { builds, cloud: Arc::new(cloud), dir: tempfile::tempdir().unwrap() }
    }

    fn step(&self, env: Value) -> StepContext {
        let with = json!({"project": "images", "env": env});
        let mut ctx = context(self.dir.path(), "codebuild.start", with, &DirectProcesses::shared()).unwrap();
        ctx.cloud = Arc::clone(&self.cloud);
        ctx
    }
}

#[async_trait]
impl Bench for Project {
    fn context(&self, pace: Pace) -> Option<StepContext> {
        Some(self.step(match pace {
            Pace::Quick => json!({"MS": 0}),
            Pace::Slow => json!({"MS": 500}),
            Pace::Endless => json!({"MS": 1_000_000}),
        }))
    }

    async fn effects(&self, ctx: &StepContext) -> Option<usize> {
        let name = haliotis_plugin_aws::job_name(ctx);
        let key = name.rsplit('-').next().unwrap();
        Some(self.builds.lock().unwrap().iter().filter(|build| build.variable("HALIOTIS_KEY") == Some(key)).count())
    }
}

#[tokio::test]
async fn conforms() {
    conformance::check(runner("codebuild.start"), &Project::new().await).await.unwrap();
}

#[tokio::test]
async fn a_failed_build_says_its_phase() {
    let project = Project::new().await;
    let output = run(&project.step(json!({"END": "FAILED"}))).await.unwrap();
    assert_eq!(output.result, BuildResult::Failure);
    assert_eq!(output.message.as_deref(), Some("the build images:0 ended FAILED in BUILD: exit status 1"));
    assert_eq!(output.outputs["logs-url"], "https://console.example/images:0");
}
