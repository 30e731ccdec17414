//! What a build's program is, and the blocks that programs are made of.
//!
//! A [`Program`] is told what happened ([`Event`]) and answers what it wants ([`Command`]). It has no IO and no time of
//! its own: the same events give the same commands, always. That is what makes a restart the normal path with a longer
//! journal. Languages build their programs from async functions over [`Flow`]; the executor below them is one thread,
//! first in first out, and never looks at a clock.

#![forbid(unsafe_code)]

mod diagnostic;
mod exec;
mod flow;
mod language;
mod outline;
mod program;

pub use diagnostic::{Diagnostic, Severity};
pub use exec::AsyncProgram;
pub use flow::{Flow, InputOutcome, JoinHandle, StopReason};
pub use language::{Definition, Language, Loaded};
pub use outline::{NodeKind, Outline, OutlineNode};
pub use program::{BlockKind, Command, Event, Program};
