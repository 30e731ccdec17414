//! Who may do what: users, groups, grants, tokens, sessions, crumbs, the audit chain, and the sealing of secrets.
//!
//! Decisions are pure: a [`Directory`] is a value, and [`Rights::may`] is a function of it. What is kept goes through
//! [`Records`], a small trait that the store implements; this crate opens no file and reads no clock (callers give the
//! time). Randomness and hashing are the two things of the outside it asks for.
//!
//! **Invariants.** No password, token or session id is kept, only what verifies it. Names are canonical before they are
//! compared (see [`Name`]), so no two spellings are two people. What is not granted is refused.

#![forbid(unsafe_code)]

pub mod chain;
pub mod crumb;
mod directory;
mod name;
pub mod oidc;
pub mod password;
mod permission;
mod records;
pub mod seal;
pub mod session;
pub mod token;

pub use directory::{Directory, Grant, Group, Object, Rights, Subject, User, covers};
pub use name::{BadName, MAX_LENGTH as NAME_MAX_LENGTH, Name};
pub use permission::{Permission, Permissions, Role};
pub use records::{Kind, MemoryRecords, Records, RecordsError, Typed};

/// So many random bytes. `None` when the system gives none, which on Linux happens at no time after boot.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// The system gave no random bytes; nothing secret can be made then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers, so no secret can be made; look at /dev/urandom")]
pub struct NoRandomness;
