//! Step kinds that need the server itself.

mod job_dsl;

pub use job_dsl::JobDsl;
