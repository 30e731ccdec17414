//! What a language offers to the engine.

use haliotis_model::{BuildId, NewBuild, ParameterSpec, Retention, Source, StepSchema, TriggerSpec};

use crate::{Diagnostic, Outline, Program};

/// A language that pipelines are written in.
pub trait Language: Send + Sync {
    /// As in `yaml`.
    fn name(&self) -> &'static str;

    /// Version of the program semantics; a journal of another version is not replayed but refused by name.
    fn version(&self) -> u32;

    /// Reads a source without a build: what registration, lint and plan need. Files named by the source are in
    /// `source.files`.
    ///
    /// # Errors
    /// All problems of the source, in its order. Warnings come back inside the definition.
    fn inspect(&self, source: &Source, steps: &[StepSchema]) -> Result<Definition, Vec<Diagnostic>>;

    /// Paths of further local files that the source names, relative to the repository's root; called until nothing new
    /// comes. Broken sources answer as far as they can be read.
    fn wants(&self, source: &Source) -> Vec<String>;

    /// The outline says for every step what it needs, so that what comes after a step is known without running it.
    fn knows_needs(&self) -> bool {
        false
    }

    /// Names of the stages that a build may be begun at, leaving out what stands before them; in order. None, where the
    /// language has no such notion.
    fn restartable(&self, source: &Source) -> Vec<String> {
        let _ = source;
        Vec::new()
    }

    /// Makes the program of a build from what the build pinned. Deterministic.
    ///
    /// # Errors
    /// All problems of the source.
    fn load(&self, id: BuildId, build: &NewBuild, steps: &[StepSchema]) -> Result<Loaded, Vec<Diagnostic>>;
}

/// What a source says of its pipeline.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    /// The pipeline's name; empty when the source gives none.
    pub name: String,
    /// One line.
    pub description: String,
    /// What starts it.
    pub triggers: Vec<TriggerSpec>,
    /// Its parameters.
    pub parameters: Vec<ParameterSpec>,
    /// At most so many builds at once.
    pub concurrency: Option<u32>,
    /// What is kept of its builds; `None`: the source says nothing.
    pub retention: Option<Retention>,
    /// Its nodes.
    pub outline: Outline,
    /// Not errors.
    pub warnings: Vec<Diagnostic>,
}

/// A program ready to run.
pub struct Loaded {
    /// Its nodes, for people.
    pub outline: Outline,
    /// At most so many builds of the pipeline at once; `None`: no limit.
    pub concurrency: Option<u32>,
    /// The program.
    pub program: Box<dyn Program>,
}
