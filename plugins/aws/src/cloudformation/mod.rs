//! `cloudformation.deploy` and its parts: settings from files, change sets, stack events.

mod change_set;
mod deploy;
mod events;
mod settings;
pub(crate) mod stack;

pub(crate) use deploy::Deploy;
