//! Decides: drives programs, keeps the journal, the queue, timers, questions and triggers.
//!
//! [`Core`] is a pure state machine; [`Engine`] is the handle to the thread it lives on. The traits [`Journal`],
//! [`Catalog`] and [`Executor`] are what the engine asks of the edges. No SQL, no HTTP, no AWS, no language in here.

#![forbid(unsafe_code)]

mod carry;
mod catalog;
pub mod core;
pub mod cron;
mod drive;
mod executor;
mod host;
pub mod journal;
pub mod label;
mod own;
pub mod parameters;
mod projection;
mod queue;
pub mod retention;
mod thread;
pub mod trigger;
mod view;

pub use carry::{At, CannotCarry, Rules, plan as plan_carry};
pub use catalog::{AuditEntry, BuildFilter, Catalog, Credential, Delivery, OutboxRow};
pub use core::{Core, RefusedAnswer, Watch};
pub use executor::{AgentInfo, Executor, Reporter, StepTask};
pub use host::{Asked, Changed, CreateError, Elsewhere, Engine, Recover, STACK_BYTES, Standing, now};
pub use journal::{Append, Created, Journal, JournalError, Mark, OutboxItem, Seq, Turn};
pub use own::{COMMIT_AUTHOR, own_part};
pub use projection::Projection;
pub use view::{BuildView, InputView, NodeState, NodeView};
