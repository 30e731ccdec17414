//! A whole server in one process: the real engine and router over a store in memory, a small language of JSON outlines,
//! and edges that say what a test tells them to. The demo example runs on it too.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by tests and the example; each uses a part of it"
)]

pub mod edges;
pub mod history;
pub mod http;
pub mod language;

use std::sync::Arc;

use haliotis_engine::{Catalog, Engine, Executor, Recover};
use haliotis_model::{Object, ParameterKind, ParameterSpec, Pipeline, TriggerSpec};
use haliotis_server::{AppState, Edges, ServerConfig};
use haliotis_store::MemoryStore;

use edges::{FakeActions, FakeArtifacts, FakeHooks, FakeLogs, FakeModels, Runner};
use language::Outlines;

/// Everything, with handles to what a test looks at or changes.
pub struct World {
    pub state: AppState,
    pub engine: Engine,
    pub store: Arc<MemoryStore>,
    pub logs: Arc<FakeLogs>,
    pub artifacts: Arc<FakeArtifacts>,
    pub models: Arc<FakeModels>,
    pub hooks: Arc<FakeHooks>,
}

/// The configuration of tests.
pub fn config() -> ServerConfig {
    ServerConfig {
        listen: "127.0.0.1:8080".parse().unwrap(),
        base_url: "http://127.0.0.1:8080".to_owned(),
        dev: true,
        cloud: "local".to_owned(),
        user: "ada".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

impl World {
    /// A world whose store may hold something already.
    pub async fn over(store: Arc<MemoryStore>, config: ServerConfig) -> World {
        let logs = Arc::new(FakeLogs::default());
        let executor: Arc<dyn Executor> = Arc::new(Runner { logs: Arc::clone(&logs) });
        let engine = Engine::start(store.clone(), executor, vec![Arc::new(Outlines)], Recover::All).await.unwrap();
        let catalog: Arc<dyn Catalog> = store.clone();
        let artifacts = Arc::new(FakeArtifacts::default());
        let models = Arc::new(FakeModels::default());
        let hooks = Arc::new(FakeHooks::default());
        let actions = Arc::new(FakeActions { engine: engine.clone(), catalog: Arc::clone(&catalog) });
        let edges = Edges {
            logs: logs.clone(),
            artifacts: artifacts.clone(),
            models: models.clone(),
            actions,
            hooks: hooks.clone(),
        };
        let state = AppState::new(config, engine.clone(), catalog, edges);
        World { state, engine, store, logs, artifacts, models, hooks }
    }

    /// An empty world.
    pub async fn new() -> World {
        World::over(Arc::new(MemoryStore::new()), config()).await
    }

    /// Registers a pipeline of this text.
    pub async fn pipeline(&self, name: &str, text: &str) {
        self.store.put_pipeline(&pipeline(name, text)).await.unwrap();
    }
}

/// A pipeline of this text, with one parameter and one trigger.
pub fn pipeline(name: &str, text: &str) -> Pipeline {
    Pipeline {
        name: name.to_owned(),
        description: "Trains, evaluates and registers a model".to_owned(),
        language: "outline".to_owned(),
        repo: None,
        branch: String::new(),
        path: "pipeline.json".to_owned(),
        text: text.to_owned(),
        credential: None,
        triggers: vec![TriggerSpec::Cron { cron: "H 3 * * *".to_owned(), zone: String::new() }],
        parameters: vec![ParameterSpec {
            name: "rounds".to_owned(),
            kind: ParameterKind::Integer,
            default: Some(50.into()),
            choices: Vec::new(),
            description: "Boosting rounds".to_owned(),
        }],
        concurrency: None,
        disabled: false,
    }
}

/// An object of one value.
pub fn object(name: &str, value: impl Into<serde_json::Value>) -> Object {
    let mut object = Object::new();
    object.insert(name.to_owned(), value.into());
    object
}

/// A pipeline of two steps and a question.
pub const ASKS: &str = r#"[
    {"id": "/train", "name": "train", "kind": "step", "uses": "sh", "slot": "", "with": {"outputs": {"mse": 4.7}}},
    {"id": "/approve", "name": "approve", "kind": "input", "needs": ["/train"], "input": {"message": "Deploy?",
        "ok": "Deploy", "approvers": ["ada"], "reason_required": true, "binds": {"mse": 4.7}, "digest": "d1a2"}},
    {"id": "/deploy", "name": "deploy", "kind": "step", "needs": ["/approve"], "uses": "sh"}
]"#;

impl World {
    /// Starts a build of a pipeline and returns its id.
    pub async fn start(&self, name: &str) -> haliotis_model::BuildId {
        self.state.actions.start_build(name, Object::new(), "ada", None).await.unwrap().id
    }

    /// Waits until a build stands as `wanted` says.
    pub async fn until(&self, build: haliotis_model::BuildId, wanted: impl Fn(&haliotis_engine::BuildView) -> bool) {
        let mut changes = self.engine.changes();
        let wait = async {
            while !wanted(&self.engine.view(build).await.unwrap()) {
                let _ = changes.recv().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), wait).await.expect("the build never stood so");
    }
}
