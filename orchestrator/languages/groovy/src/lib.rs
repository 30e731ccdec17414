//! A Groovy 2.4 interpreter whose running scripts are data.
//!
//! See [`Vm`] for what natives and embedders ask of the machine, [`Host`] for the embedder's side.

#![forbid(unsafe_code)]

pub mod class;
pub mod code;
mod compile;
pub mod decimal;
mod heap;
pub mod host;
pub mod key;
pub mod library;
pub mod limits;
pub mod number;
pub mod plain;
pub mod types;
pub mod value;
mod vm;

pub use heap::{Container, Heap};
pub use host::{Host, HostAnswer, HostCall, HostObject};
pub use value::Value;
pub use value::TraceLine;
pub use vm::{Entry, LoadError, Outcome, Raise, Thread, Vm};
