//! The agent: does what a build asks for, on this machine.
//!
//! [`Supervisor`] runs local processes so that they survive the server ([`supervise_main`] is the other side of it),
//! and [`Masker`] keeps secrets out of logs.
//!
//! **Invariant**: the agent decides nothing about a build. It runs the step it is told to, and reports.

mod mask;
mod supervise;

pub use mask::{MASK, MIN_LENGTH, Masker};
pub use supervise::{GIVE_UP, IDLE_LIMIT, LEFTOVER_GRACE, Supervisor, supervise_main};
