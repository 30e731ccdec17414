//! Edges that say what they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::HeaderMap;
use bytes::Bytes;
use haliotis_engine::trigger::BuildRequest;
use haliotis_engine::{
    AgentInfo, At, AuditEntry, Catalog, Created, Engine, Executor, Reporter, Rules, StepTask, plan_carry,
};
use haliotis_model::{
    BuildId, BuildResult, Cause, NewBuild, Object, Pipeline, Source, StepId, StepKey, StepOutput, StepSchema,
    WorkspaceKind,
};
use haliotis_server::{
    Actions, ArtifactBody, ArtifactInfo, Artifacts, EdgeError, EndpointInfo, HookAnswer, Hooks, LogChunk, Logs,
    ModelGroup, ModelPackage, Models, Rerun, RerunFrom,
};

/// Logs in memory.
#[derive(Default)]
pub struct FakeLogs(pub Mutex<BTreeMap<StepKey, Vec<u8>>>);

impl FakeLogs {
    pub fn add(&self, key: &StepKey, bytes: &[u8]) {
        self.0.lock().unwrap().entry(key.clone()).or_default().extend_from_slice(bytes);
    }
}

#[async_trait]
impl Logs for FakeLogs {
    async fn read(&self, key: &StepKey, offset: u64, limit: usize) -> Result<LogChunk, EdgeError> {
        let logs = self.0.lock().unwrap();
        let Some(bytes) = logs.get(key) else { return Ok(LogChunk::default()) };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(limit).min(bytes.len());
        Ok(LogChunk { bytes: bytes[from..to].to_vec(), total: bytes.len() as u64 })
    }

    async fn remove(&self, build: BuildId) -> Result<(), EdgeError> {
        self.0.lock().unwrap().retain(|key, _| key.build != build);
        Ok(())
    }
}

/// Runs steps by waiting: `with.seconds`, `with.result`, `with.message`, `with.log`, `with.outputs`.
pub struct Runner {
    pub logs: Arc<FakeLogs>,
}

#[async_trait]
impl Executor for Runner {
    fn agents(&self) -> Vec<AgentInfo> {
        let labels = vec!["linux".to_owned(), "x86_64".to_owned()];
        vec![AgentInfo { name: "here".to_owned(), labels, slots: 4 }]
    }

    fn schemas(&self) -> Vec<StepSchema> {
        Vec::new()
    }

    async fn run(&self, task: StepTask, _: Reporter) -> StepOutput {
        let with = &task.call.with;
        let lines = with.get("lines").and_then(serde_json::Value::as_u64).unwrap_or(1);
        let seconds = with.get("seconds").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        for line in 0..lines {
            let text = with.get("log").and_then(|log| log.as_str()).unwrap_or("\u{1b}[32mok\u{1b}[0m <done>");
            self.logs.add(&task.key, format!("{}\n", text.replace("%n", &line.to_string())).as_bytes());
            if seconds > 0.0 {
                #[expect(clippy::cast_precision_loss, reason = "a pause")]
                tokio::time::sleep(Duration::from_secs_f64(seconds / lines as f64)).await;
            }
        }
        let early = u64::from(task.key.attempt) < with.get("good_at").and_then(serde_json::Value::as_u64).unwrap_or(0);
        outcome(with, early)
    }

    async fn cancel(&self, _: &StepKey) {}

    async fn build_ended(&self, _: BuildId, _: BuildResult) {}
}

/// What a step of these arguments gives.
pub fn outcome(with: &Object, fails: bool) -> StepOutput {
    let word = with.get("result").and_then(|word| word.as_str()).unwrap_or("success");
    let result = if fails { BuildResult::Failure } else { BuildResult::parse(word).unwrap() };
    let message = with.get("message").and_then(|message| message.as_str()).map(str::to_owned);
    let outputs = with.get("outputs").and_then(|outputs| outputs.as_object()).cloned().unwrap_or_default();
    StepOutput { result, outputs, message: message.filter(|_| result != BuildResult::Success), interrupted: None }
}

/// Artifacts in memory.
#[derive(Default)]
pub struct FakeArtifacts(pub Mutex<BTreeMap<(BuildId, String), Vec<u8>>>);

#[async_trait]
impl Artifacts for FakeArtifacts {
    async fn list(&self, build: BuildId) -> Result<Vec<ArtifactInfo>, EdgeError> {
        let all = self.0.lock().unwrap();
        let own = all.iter().filter(|((of, _), _)| *of == build);
        Ok(own
            .map(|((_, path), bytes)| ArtifactInfo {
                path: path.clone(),
                size: bytes.len() as u64,
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            })
            .collect())
    }

    async fn open(&self, build: BuildId, path: &str) -> Result<ArtifactBody, EdgeError> {
        let all = self.0.lock().unwrap();
        let found = all.get(&(build, path.to_owned())).cloned();
        let bytes = found.ok_or_else(|| EdgeError::NotFound(format!("build {build} kept no {path:?}")))?;
        Ok(ArtifactBody { size: bytes.len() as u64, reader: Box::pin(std::io::Cursor::new(bytes)) })
    }

    async fn remove(&self, build: BuildId) -> Result<(), EdgeError> {
        self.0.lock().unwrap().retain(|(of, _), _| *of != build);
        Ok(())
    }
}

/// A registry in memory.
#[derive(Default)]
pub struct FakeModels {
    pub packages: Mutex<Vec<ModelPackage>>,
    pub endpoints: Mutex<Vec<EndpointInfo>>,
}

#[async_trait]
impl Models for FakeModels {
    async fn groups(&self) -> Result<Vec<ModelGroup>, EdgeError> {
        let mut names: Vec<_> = self.packages.lock().unwrap().iter().map(|package| package.group.clone()).collect();
        names.sort();
        names.dedup();
        let group = |name: String| ModelGroup {
            arn: format!("arn:aws:sagemaker:eu-west-1:000000000000:model-package-group/{name}"),
            description: "Age of abalone from what can be measured alive".to_owned(),
            created_at: 1_700_000_000_000,
            name,
        };
        Ok(names.into_iter().map(group).collect())
    }

    async fn packages(&self, group: &str) -> Result<Vec<ModelPackage>, EdgeError> {
        let all = self.packages.lock().unwrap();
        let mut own: Vec<_> = all.iter().filter(|package| package.group == group).cloned().collect();
        if own.is_empty() {
            return Err(EdgeError::NotFound(format!("there is no model package group {group:?}")));
        }
        own.sort_by_key(|package| std::cmp::Reverse(package.version));
        Ok(own)
    }

    async fn set_approval(&self, arn: &str, status: &str, by: &str, reason: &str) -> Result<ModelPackage, EdgeError> {
        let mut all = self.packages.lock().unwrap();
        let found = all.iter_mut().find(|package| package.arn == arn);
        let package = found.ok_or_else(|| EdgeError::NotFound(format!("there is no model package {arn}")))?;
        package.status = status.to_owned();
        package.decided_by = by.to_owned();
        package.reason = reason.to_owned();
        package.decided_at = Some(haliotis_engine::now().0);
        Ok(package.clone())
    }

    async fn endpoints(&self) -> Result<Vec<EndpointInfo>, EdgeError> {
        Ok(self.endpoints.lock().unwrap().clone())
    }
}

/// Starts builds from the text a pipeline was registered with.
pub struct FakeActions {
    pub engine: Engine,
    pub catalog: Arc<dyn Catalog>,
}

/// A build of a pipeline.
pub fn new_build(pipeline: &Pipeline, parameters: Object, causes: Vec<Cause>) -> NewBuild {
    NewBuild {
        pipeline: pipeline.name.clone(),
        number: 0,
        source: Source {
            language: pipeline.language.clone(),
            path: pipeline.path.clone(),
            text: pipeline.text.clone(),
            files: Object::new(),
            repo: pipeline.repo.clone(),
            branch: None,
            commit: None,
            credential: None,
        },
        parameters,
        causes,
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".to_owned(),
        created_at: haliotis_engine::now(),
        once: None,
        program_version: 1,
        carry: None,
    }
}

#[async_trait]
impl Actions for FakeActions {
    async fn start_build(
        &self,
        pipeline: &str,
        parameters: Object,
        by: &str,
        once: Option<String>,
    ) -> Result<Created, EdgeError> {
        let found = self.catalog.pipeline(pipeline).await.map_err(|error| EdgeError::Unavailable(error.to_string()))?;
        let found = found.ok_or_else(|| EdgeError::NotFound(format!("there is no pipeline named {pipeline:?}")))?;
        let mut all = Object::new();
        for spec in &found.parameters {
            all.extend(spec.default.clone().map(|default| (spec.name.clone(), default)));
        }
        for (name, value) in parameters {
            if !found.parameters.iter().any(|spec| spec.name == name) {
                return Err(EdgeError::Invalid(format!("{pipeline} has no parameter {name:?}")));
            }
            all.insert(name, value);
        }
        let mut build = new_build(&found, all, vec![Cause::User { by: by.to_owned() }]);
        build.once = once;
        self.engine.create(build).await.map_err(|error| EdgeError::Unavailable(error.to_string()))
    }

    async fn request_build(&self, request: BuildRequest) -> Result<Created, EdgeError> {
        let found = self.catalog.pipeline(&request.pipeline).await;
        let found = found.map_err(|error| EdgeError::Unavailable(error.to_string()))?;
        let found = found.ok_or_else(|| EdgeError::NotFound(format!("there is no pipeline {}", request.pipeline)))?;
        let mut build = new_build(&found, request.parameters, vec![request.cause]);
        build.once = Some(request.once).filter(|once| !once.is_empty());
        self.engine.create(build).await.map_err(|error| EdgeError::Unavailable(error.to_string()))
    }

    async fn rerun(&self, asked: Rerun) -> Result<Created, EdgeError> {
        let unavailable = |error: haliotis_engine::JournalError| EdgeError::Unavailable(error.to_string());
        let view = self.engine.view(asked.build).await.map_err(unavailable)?;
        let (mut build, turns) = self.engine.journal(asked.build).await.map_err(unavailable)?;
        let other_parameters = !asked.parameters.is_empty();
        let rules = Rules { other_parameters, by_order: false, workspace: false, fills: &["checkout"] };
        let at = match asked.from {
            RerunFrom::Whole => None,
            RerunFrom::Failed => Some(At::Failed),
            RerunFrom::Named(path) => Some(At::Step(StepId::new(path))),
        };
        build.carry = match at {
            None => None,
            Some(at) => {
                let carry = plan_carry(&view, &turns, &at, rules);
                Some(Box::new(carry.map_err(|error| EdgeError::Conflict(error.to_string()))?))
            }
        };
        build.parameters.extend(asked.parameters);
        build.causes = vec![Cause::Rerun { number: build.number, by: asked.by }];
        build.number = 0;
        self.engine.create(build).await.map_err(|error| EdgeError::Unavailable(error.to_string()))
    }

    async fn poll(&self) {}

    async fn put_pipeline(&self, pipeline: Pipeline, _: &str) -> Result<Pipeline, EdgeError> {
        let source = new_build(&pipeline, Object::new(), Vec::new()).source;
        self.engine.inspect(&source).map_err(EdgeError::Definition)?;
        self.catalog.put_pipeline(&pipeline).await.map_err(|error| EdgeError::Unavailable(error.to_string()))?;
        Ok(pipeline)
    }
}

/// Remembers what came.
#[derive(Default)]
pub struct FakeHooks(pub Mutex<Vec<(String, usize)>>);

#[async_trait]
impl Hooks for FakeHooks {
    async fn receive(&self, host: &str, headers: &HeaderMap, body: Bytes) -> HookAnswer {
        if !headers.contains_key("x-hub-signature-256") {
            return HookAnswer { status: 401, message: "no signature".to_owned() };
        }
        self.0.lock().unwrap().push((host.to_owned(), body.len()));
        HookAnswer { status: 200, message: "recorded".to_owned() }
    }
}

/// An entry of the audit trail.
pub fn audit(by: &str, action: &str, subject: &str, reason: &str) -> AuditEntry {
    AuditEntry {
        at: haliotis_engine::now(),
        by: by.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        reason: reason.to_owned(),
        detail: Object::new(),
    }
}
