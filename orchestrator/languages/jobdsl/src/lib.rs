//! Job DSL: a Groovy script that describes jobs, folders and views, into the items it describes.
//!
//! A script runs once, from start to end, and only records: each call inside `pipelineJob('x') { … }` becomes a [`Node`].
//! Afterwards [`config_xml`] turns the nodes of an item into Jenkins' config.xml and into a [`Summary`] for people. What
//! is understood and has no meaning here is never dropped in silence: it is in [`Item::notes`].
//!
//! The crate reads no files and talks to no server: the caller says by [`Seed`] what the seed job would know.

pub mod config_xml;
mod context;
mod diff;
mod facade;
mod item;
mod kind;
mod lint;
mod node;
mod record;
mod run;
pub mod xml;

pub use diff::diff;
pub use item::{Item, ItemKind, Parameter, Source, Summary};
pub use lint::{Problem, is_job_dsl, lint};
pub use node::{Arg, Node};
pub use run::{Failure, Files, Generated, Seed, SeedJob, run};
