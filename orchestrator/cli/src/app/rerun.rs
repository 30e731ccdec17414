//! A build once more: of what the earlier one pinned, taking over what it has done.
//!
//! Definition, commit, event and parameters are the earlier build's, whatever the repository has by now; parameters may be
//! changed. What is taken over is decided by `haliotis_engine::plan_carry`; the files (workspace, stashes, artifacts) are
//! copied by the agent before the new build's first step.

use haliotis_engine::{At, BuildView, CannotCarry, Created, NodeState, Rules, now, parameters, plan_carry};
use haliotis_flow::Language;
use haliotis_model::{Carry, Cause, NewBuild, Object, StepId, WorkspaceKind};
use haliotis_server::{Rerun, RerunFrom};

use crate::app::builds::BuildError;
use crate::app::{App, previous};

/// Step kinds that fill a workspace or live on what is in it: run again where the workspace is a new one.
const FILLS: &[&str] = &["checkout", "copy-artifacts", "stash", "unstash"];

/// Why a build is not run again.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// As for any build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Nothing can be taken over.
    #[error(transparent)]
    Carry(#[from] CannotCarry),
    /// Neither a step nor a stage.
    #[error("build #{number} has no step or stage {name:?}; {}", stages(known))]
    NoName {
        /// The build.
        number: u32,
        /// What was asked for.
        name: String,
        /// Stages it can be begun at.
        known: Vec<String>,
    },
    /// A stage that the earlier build never came to.
    #[error("build #{number} did not reach the stage {stage:?}; begin at an earlier one")]
    NotReached {
        /// The build.
        number: u32,
        /// The stage.
        stage: String,
    },
}

fn stages(known: &[String]) -> String {
    if known.is_empty() {
        "its page lists its steps".to_owned()
    } else {
        format!("it can be begun at the stages {}", known.join(", "))
    }
}

impl From<haliotis_engine::JournalError> for RerunError {
    fn from(error: haliotis_engine::JournalError) -> Self {
        RerunError::Build(error.into())
    }
}

impl App {
    /// Makes the build.
    ///
    /// # Errors
    /// See [`RerunError`].
    pub async fn rerun(&self, asked: &Rerun) -> Result<Created, RerunError> {
        let view = self.engine.view(asked.build).await?;
        let earlier = &view.build;
        let name = &earlier.pipeline;
        let pipeline = self.store_catalog().pipeline(name).await?;
        let pipeline = pipeline.ok_or_else(|| BuildError::NoPipeline(name.clone()))?;
        if pipeline.disabled {
            return Err(BuildError::Disabled(name.clone()).into());
        }
        let given = self.values(&pipeline, earlier, &asked.parameters)?;
        let language = self.engine.language(&earlier.source.language);
        let carry = match &asked.from {
            RerunFrom::Whole => None,
            from => Some(Box::new(self.carry(&view, language.as_deref(), from, given != earlier.parameters).await?)),
        };
        let build = NewBuild {
            number: 0,
            parameters: given,
            causes: vec![Cause::Rerun { number: earlier.number, by: asked.by.clone() }],
            event: previous::told(self, name, earlier.event.clone()).await?,
            created_at: now(),
            once: None,
            program_version: language.map_or(earlier.program_version, |language| language.version()),
            carry,
            ..earlier.clone()
        };
        let created = self.engine.create(build).await.map_err(BuildError::from)?;
        self.nudges.build_begun(created.id);
        Ok(created)
    }

    /// The earlier build's parameters with the changed ones over them.
    fn values(
        &self,
        pipeline: &haliotis_model::Pipeline,
        earlier: &NewBuild,
        changed: &Object,
    ) -> Result<Object, BuildError> {
        if changed.is_empty() {
            return Ok(earlier.parameters.clone());
        }
        let own = self.engine.inspect(&earlier.source).map(|definition| definition.parameters).unwrap_or_default();
        // A Jenkinsfile that says nothing of parameters leaves them to the job's configuration.
        let specs = if own.is_empty() { &pipeline.parameters } else { &own };
        let mut all = earlier.parameters.clone();
        all.extend(changed.iter().map(|(name, value)| (name.clone(), value.clone())));
        parameters::resolve(specs, &all).map_err(BuildError::Parameters)
    }

    async fn carry(
        &self,
        view: &BuildView,
        language: Option<&dyn Language>,
        from: &RerunFrom,
        other_parameters: bool,
    ) -> Result<Carry, RerunError> {
        let number = view.build.number;
        let at = match from {
            RerunFrom::Named(name) => {
                let restartable = language.map_or_else(Vec::new, |language| language.restartable(&view.build.source));
                if restartable.contains(name) {
                    return at_stage(view, name);
                }
                step(view, name).map(At::Step).ok_or_else(|| RerunError::NoName {
                    number,
                    name: name.clone(),
                    known: restartable,
                })?
            }
            RerunFrom::Failed | RerunFrom::Whole => At::Failed,
        };
        let workspace = match &view.build.workspace {
            WorkspaceKind::Own => self.options.dir.join("workspaces").join(view.id.to_string()).is_dir(),
            WorkspaceKind::InPlace { .. } => true,
        };
        let by_order = !language.is_some_and(Language::knows_needs);
        let (_, turns) = self.engine.journal(view.id).await?;
        Ok(plan_carry(view, &turns, &at, Rules { other_parameters, by_order, workspace, fills: FILLS })?)
    }
}

/// A step by its path, by its path without the first `/`, or by its name where one step alone has it.
fn step(view: &BuildView, name: &str) -> Option<StepId> {
    let path =
        view.nodes.iter().find(|node| node.id.as_str() == name || node.id.as_str().strip_prefix('/') == Some(name));
    if let Some(node) = path {
        return Some(node.id.clone());
    }
    let mut named = view.nodes.iter().filter(|node| node.name == name);
    match (named.next(), named.next()) {
        (Some(node), None) => Some(node.id.clone()),
        _ => None,
    }
}

/// The language leaves out what stands before; files of stashes and artifacts are taken over, as the whole of the rest runs
/// in a new workspace.
fn at_stage(view: &BuildView, stage: &str) -> Result<Carry, RerunError> {
    let number = view.build.number;
    if view.result.is_none() {
        return Err(CannotCarry::Running(number).into());
    }
    let reached = view.nodes.iter().any(|node| {
        // A stage that its own condition left out may be begun at; one that an earlier failure left out may not.
        let left_out = node.state == NodeState::Skipped
            && node.message.as_deref().is_some_and(|why| why.starts_with("skipped due to earlier"));
        node.name == stage && node.group.is_none() && node.state != NodeState::Pending && !left_out
    });
    if !reached {
        return Err(RerunError::NotReached { number, stage: stage.to_owned() });
    }
    Ok(Carry {
        from: view.id,
        number,
        at: stage.to_owned(),
        stage: Some(stage.to_owned()),
        steps: std::collections::BTreeMap::new(),
        by_order: true,
        workspace: false,
    })
}
