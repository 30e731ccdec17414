//! What this crate's tests run steps on.

use std::sync::Arc;

use async_trait::async_trait;
use haliotis_model::{StepOutput, Value};
use haliotis_plugin_api::conformance::{Bench, Pace};
use haliotis_plugin_api::{Processes, StepContext, StepError};
use haliotis_plugin_dummy::bench::{DirectProcesses, context};

use crate::STEPS;

/// One step with its arguments in folders of its own.
pub(crate) struct Case {
    pub(crate) ctx: StepContext,
    _dir: Arc<tempfile::TempDir>,
}

impl Case {
    pub(crate) fn new(uses: &str, with: Value) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let ctx = context(dir.path(), uses, with, &DirectProcesses::shared()).unwrap();
        Self { ctx, _dir: dir }
    }

    /// Another step in the same workspace.
    pub(crate) fn then(&self, uses: &str, with: Value) -> Self {
        let ctx = context(self._dir.path(), uses, with, &DirectProcesses::shared()).unwrap();
        Self { ctx, _dir: Arc::clone(&self._dir) }
    }

    /// A file of the workspace.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.ctx.workspace.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) async fn try_run(&self) -> Result<StepOutput, StepError> {
        let name = self.ctx.call.uses.as_str();
        let runner = STEPS.iter().find(|step| step.schema().name == name).unwrap();
        let handle = runner.start(&self.ctx).await?.handle.unwrap_or(Value::Null);
        runner.attach(&self.ctx, &handle).await
    }

    pub(crate) async fn run(&self) -> StepOutput {
        self.try_run().await.unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.ctx.log.path()).unwrap_or_default()
    }
}

/// A conformance bench from arguments by pace. An effect is a line in `effects` of the scratch folder.
pub(crate) struct Paced {
    uses: &'static str,
    with: fn(Pace) -> Value,
    dir: tempfile::TempDir,
    processes: Arc<dyn Processes>,
}

impl Paced {
    pub(crate) fn new(uses: &'static str, with: fn(Pace) -> Value) -> Self {
        Self { uses, with, dir: tempfile::tempdir().unwrap(), processes: DirectProcesses::shared() }
    }
}

#[async_trait]
impl Bench for Paced {
    fn context(&self, pace: Pace) -> Option<StepContext> {
        let mut ctx = context(self.dir.path(), self.uses, (self.with)(pace), &self.processes).unwrap();
        ctx.vars.insert("EFFECTS".to_owned(), ctx.scratch.join("effects").display().to_string());
        Some(ctx)
    }

    async fn effects(&self, ctx: &StepContext) -> Option<usize> {
        let effects = std::fs::read_to_string(ctx.scratch.join("effects")).ok()?;
        Some(effects.lines().count())
    }
}
