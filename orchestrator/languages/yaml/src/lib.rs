//! The YAML language: a file in, a checked document, and a program over [`haliotis_flow`] out.
//!
//! ```text
//! text -> tree (located, limits first) -> doc (typed, expressions compiled, graph resolved) -> check -> program
//!                                                                                          \-> outline, plan
//! ```
//! * [`Yaml`] is what the engine knows: [`haliotis_flow::Language`].
//! * [`render`] shows diagnostics as a compiler does; [`json_schema`] is for editors; [`plan`] says what would run.
//! * All problems of a file and of the files it calls come at once, each with its place and its help.
//!
//! No IO, no clock, no unordered maps: the same source and the same events give the same commands.
//! The language itself is described for users in `docs/pipelines.md`; its limits stand in [`limits`].

#![forbid(unsafe_code)]

mod check;
mod doc;
mod expr;
pub mod limits;
mod outline;
mod plan;
mod problems;
mod program;
mod read;
mod render;
mod schema;
mod tree;

use std::collections::BTreeSet;

use haliotis_flow::{Definition, Diagnostic, Language, Loaded};
use haliotis_model::{BuildId, NewBuild, Source, StepSchema};

pub use plan::{Plan, PlannedStep, check_parameters, plan};
pub use render::render;
pub use schema::json_schema;

/// Version of the program semantics. A change that makes a program answer old events differently raises it.
pub const VERSION: u32 = 1;

/// The language.
#[derive(Clone, Copy, Debug, Default)]
pub struct Yaml;

impl Language for Yaml {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn knows_needs(&self) -> bool {
        true
    }

    fn inspect(&self, source: &Source, steps: &[StepSchema]) -> Result<Definition, Vec<Diagnostic>> {
        let read = read::read(source, &read::Catalog::new(steps))?;
        let doc = read.doc;
        Ok(Definition {
            name: doc.name.clone(),
            description: doc.description.clone(),
            triggers: doc.triggers.clone(),
            parameters: doc.parameters.clone(),
            concurrency: doc.concurrency,
            retention: doc.retention.clone(),
            outline: outline::outline(&doc, source.commit.is_some() || source.repo.is_some()),
            warnings: read.warnings,
        })
    }

    fn wants(&self, source: &Source) -> Vec<String> {
        let mut wanted: BTreeSet<String> = read::calls(&source.path, &source.text).into_iter().collect();
        for (path, text) in &source.files {
            wanted.extend(text.as_str().map_or_else(Vec::new, |text| read::calls(path, text)));
        }
        wanted.into_iter().filter(|path| !source.files.contains_key(path)).collect()
    }

    fn load(&self, id: BuildId, build: &NewBuild, steps: &[StepSchema]) -> Result<Loaded, Vec<Diagnostic>> {
        let read = read::read(&build.source, &read::Catalog::new(steps))?;
        let outline = outline::outline(&read.doc, build.source.commit.is_some());
        let concurrency = read.doc.concurrency;
        let program = program::program(id, build, read.doc);
        Ok(Loaded { outline, program: Box::new(program), concurrency })
    }
}
