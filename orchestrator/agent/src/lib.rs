//! The agent: does what a build asks for, on this machine.
//!
//! [`LocalAgent`] runs steps: slots, workspaces, variables, credentials, logs. [`Supervisor`] runs local processes so
//! that they survive the server; [`supervise_main`] is the other side of it. [`Masker`] keeps secrets out of logs.
//!
//! **Invariant**: the agent decides nothing about a build. It runs the step it is told to, and reports.

mod agent;
mod arguments;
mod credentials;
mod folders;
mod log;
mod mask;
mod room;
mod running;
mod slots;
mod supervise;
mod take_over;
mod times;
mod vars;

pub use agent::{AGENT_NAME, AgentConfig, GRACE_MS, LocalAgent};
pub use credentials::{Credentials, Use};
pub use folders::WORKSPACES_KEPT;
pub use mask::{MASK, MIN_LENGTH, Masker};
pub use supervise::{GIVE_UP, IDLE_LIMIT, LEFTOVER_GRACE, Supervisor, supervise_main};
