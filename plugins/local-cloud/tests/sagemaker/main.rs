//! SageMaker from the outside: real Python, real XGBoost, real namespaces and processes, small data.
//!
//! The Python environment is made once, in `HALIOTIS_PYTHON_DIR` or `~/.cache/haliotis/python`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bed;
mod boto;
mod data;
mod endpoints;
mod jobs;
mod pipelines;
mod processes;
mod registry;
mod restart;
mod scripts;
mod shapes;
mod transforms;
