//! From a pipeline and a reason to a build: reads the definition at the commit, pins everything, hands it to the engine.

use haliotis_engine::trigger::BuildRequest;
use haliotis_engine::{COMMIT_AUTHOR, Created, now, parameters};
use haliotis_flow::Diagnostic;
use haliotis_model::branches::{HEADS, Head};
use haliotis_model::{Cause, NewBuild, Object, Pipeline, Source, Value, WorkspaceKind};

use crate::app::credentials::by_server;
use crate::app::libraries::Libraries;
use crate::app::triggers::branches;
use crate::app::{App, previous, registry};

/// Local files a definition may name, in all: a bound that no honest pipeline meets.
const MAX_FILES: usize = 256;

/// Why no build was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no such pipeline.
    #[error("there is no pipeline `{0}`; `haliotis pipeline list` shows them")]
    NoPipeline(String),
    /// It is disabled.
    #[error("the pipeline `{0}` is disabled; enable it first")]
    Disabled(String),
    /// The repository did not give the definition.
    #[error(transparent)]
    Scm(#[from] haliotis_scm::ScmError),
    /// A credential is named and not stored, or may not be used for this.
    #[error(transparent)]
    Withheld(#[from] crate::app::credentials::Withheld),
    /// The branch is not there.
    #[error("{repo} has no branch `{branch}`; push one, or register the pipeline with another")]
    NoBranch {
        /// Git URL.
        repo: String,
        /// The branch.
        branch: String,
    },
    /// The definition has errors.
    #[error("the definition of `{pipeline}` has {} problem(s), the first: {}", problems.len(), first(problems))]
    Definition {
        /// The pipeline.
        pipeline: String,
        /// All of them.
        problems: Vec<Diagnostic>,
    },
    /// Parameters are wrong.
    #[error("parameters: {}", .0.join("; "))]
    Parameters(Vec<String>),
    /// The engine did not take it.
    #[error(transparent)]
    Create(#[from] haliotis_engine::CreateError),
    /// The catalogue failed.
    #[error(transparent)]
    Store(#[from] haliotis_engine::JournalError),
}

fn first(problems: &[Diagnostic]) -> String {
    problems.first().map_or_else(String::new, |p| format!("{}:{}:{}: {}", p.file, p.line, p.column, p.message))
}

impl App {
    /// Makes the build a trigger or a person asks for.
    pub async fn start_build(&self, request: &BuildRequest) -> Result<Created, BuildError> {
        let name = &request.pipeline;
        let pipeline =
            self.store_catalog().pipeline(name).await?.ok_or_else(|| BuildError::NoPipeline(name.clone()))?;
        if pipeline.disabled {
            return Err(BuildError::Disabled(name.clone()));
        }
        let head = self.head_of(name).await?;
        let mut event = request.event.clone();
        let (commit, definition) = match &head {
            Some(head) => {
                branches::told(head, &mut event);
                (Some(request.commit.clone().unwrap_or_else(|| head.commit.clone())), head.definition.clone())
            }
            None => (request.commit.clone(), None),
        };
        let source = self.source_of(&pipeline, commit, definition).await?;
        let parameters = match self.engine.prepare(&source).await {
            Ok(definition) => {
                let mut given = request.parameters.clone();
                // An event may fill a parameter that the definition of this commit no longer has.
                let fresh = self.refresh(&pipeline, &source, &definition).await?;
                if !matches!(request.cause, Cause::User { .. }) {
                    given.retain(|name, _| fresh.parameters.iter().any(|spec| spec.name == *name));
                }
                parameters::resolve(&fresh.parameters, &given).map_err(BuildError::Parameters)?
            }
            // A definition with errors still makes a build: it ends at once and shows them where people look.
            Err(_) => Object::new(),
        };
        let version = registry::language(&source.language).version();
        self.tell_author(&source, &mut event).await;
        let build = NewBuild {
            pipeline: name.clone(),
            number: 0,
            source,
            parameters,
            causes: vec![request.cause.clone()],
            event: previous::told(self, name, event).await?,
            workspace: WorkspaceKind::Own,
            cloud: self.cloud_name(),
            created_at: now(),
            once: Some(request.once.clone()).filter(|once| !once.is_empty()),
            program_version: version,
            carry: None,
        };
        let created = self.engine.create(build).await?;
        if !created.existing {
            self.nudges.build_begun(created.id);
        }
        Ok(created)
    }

    /// Who wrote the commit, for questions that allow no self-approval. The mirror has it, since the definition came from
    /// there; where it has not, nobody is named.
    async fn tell_author(&self, source: &Source, event: &mut Object) {
        let (Some(repo), Some(commit)) = (&source.repo, &source.commit) else { return };
        let Ok(mirror) = haliotis_scm::Mirror::new(&self.cache_dir(), repo) else { return };
        let commit = commit.clone();
        if let Ok(Ok(info)) = tokio::task::spawn_blocking(move || mirror.info(&commit)).await {
            event.insert(COMMIT_AUTHOR.to_owned(), serde_json::json!({ "name": info.author, "email": info.email }));
        }
    }

    /// What the pipeline stands for, where it is one of a multibranch project.
    async fn head_of(&self, pipeline: &str) -> Result<Option<Head>, BuildError> {
        if !pipeline.contains('/') {
            return Ok(None);
        }
        let text = self.store_catalog().document(HEADS, pipeline).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Registers a pipeline: reads its definition at the head of its branch.
    pub async fn register(&self, mut pipeline: Pipeline) -> Result<Pipeline, BuildError> {
        let source = self.source_of(&pipeline, None, None).await?;
        let definition = self
            .engine
            .inspect(&source)
            .map_err(|problems| BuildError::Definition { pipeline: pipeline.name.clone(), problems })?;
        apply(&mut pipeline, &source, definition);
        self.store_catalog().put_pipeline(&pipeline).await?;
        Ok(pipeline)
    }

    /// Triggers and parameters follow the definition as it changes.
    async fn refresh(
        &self,
        pipeline: &Pipeline,
        source: &Source,
        definition: &haliotis_flow::Definition,
    ) -> Result<Pipeline, BuildError> {
        let mut fresh = pipeline.clone();
        apply(&mut fresh, source, definition.clone());
        if fresh != *pipeline {
            self.store_catalog().put_pipeline(&fresh).await?;
        }
        Ok(fresh)
    }

    /// The pinned source: the pipeline's own text, or what its repository has at the commit (or the branch's head).
    /// `definition`: the commit that the definition is read at, where it is another one.
    async fn source_of(
        &self,
        pipeline: &Pipeline,
        commit: Option<String>,
        definition: Option<String>,
    ) -> Result<Source, BuildError> {
        let mut source = Source {
            language: pipeline.language.clone(),
            path: pipeline.path.clone(),
            text: pipeline.text.clone(),
            files: Object::new(),
            repo: pipeline.repo.clone(),
            branch: None,
            commit: None,
            credential: pipeline.credential.clone(),
        };
        let libraries = Libraries::new(&self.options.config_dir, &self.cache_dir(), Some(self.store.as_ref()));
        let libraries = libraries.of(&pipeline.name);
        let Some(repo) = &pipeline.repo else {
            libraries.pin_wanted(&mut source).await;
            return Ok(source);
        };
        let wish = by_server(
            &pipeline.name,
            Some(&pipeline.branch).filter(|branch| !branch.is_empty()).map(String::as_str),
            repo,
        );
        let credential = self.git_credential(pipeline.credential.as_deref(), &wish).await?;
        let branch = if pipeline.branch.is_empty() { "main" } else { &pipeline.branch };
        let commit = match commit {
            Some(commit) => commit,
            None => haliotis_scm::ls_remote(repo, branch, credential.as_ref())
                .await?
                .ok_or_else(|| BuildError::NoBranch { repo: repo.clone(), branch: branch.to_owned() })?,
        };
        let read_at = definition.unwrap_or_else(|| commit.clone());
        let read = |path: String| {
            let (cache, credential, commit) = (self.cache_dir(), credential.clone(), read_at.clone());
            async move { haliotis_scm::definition_at(&cache, repo, &commit, &path, credential.as_ref()).await }
        };
        source.text = read(pipeline.path.clone()).await?;
        source.branch = Some(branch.to_owned());
        source.commit = Some(commit.clone());
        libraries.pin_wanted(&mut source).await;
        loop {
            let language = registry::language(&source.language);
            let wanted: Vec<_> =
                language.wants(&source).into_iter().filter(|path| !source.files.contains_key(path)).collect();
            let before = source.files.len();
            for path in wanted {
                if let Ok(text) = read(path.clone()).await {
                    source.files.insert(path, Value::from(text));
                }
            }
            if source.files.len() == before || before > MAX_FILES {
                return Ok(source);
            }
        }
    }
}

/// The definition is the whole truth, but for a Jenkinsfile: what it does not mention stays as the job's configuration
/// has it, as in Jenkins.
fn apply(pipeline: &mut Pipeline, source: &Source, definition: haliotis_flow::Definition) {
    pipeline.text.clone_from(&source.text);
    let keeps = pipeline.language == "jenkinsfile";
    if !(keeps && definition.description.is_empty()) {
        pipeline.description = definition.description;
    }
    if !(keeps && definition.parameters.is_empty()) {
        pipeline.parameters = definition.parameters;
    }
    if !(keeps && definition.concurrency.is_none()) {
        pipeline.concurrency = definition.concurrency;
    }
    if !(keeps && definition.triggers.is_empty()) {
        pipeline.triggers = definition.triggers;
    }
    // A trigger that names no repository means the pipeline's own.
    for trigger in &mut pipeline.triggers {
        use haliotis_model::TriggerSpec::{Poll, Webhook};
        if let Poll { repo, branch, .. } | Webhook { repo, branch } = trigger {
            if repo.is_empty() {
                *repo = pipeline.repo.clone().unwrap_or_default();
            }
            if branch.is_empty() {
                *branch = if pipeline.branch.is_empty() { "main".to_owned() } else { pipeline.branch.clone() };
            }
        }
    }
}
