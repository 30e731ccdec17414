//! Step kinds that need the server itself.

mod job_dsl;
mod unreferenced;

pub use job_dsl::JobDsl;
