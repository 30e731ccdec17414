//! The AWS steps against a real local cloud: real HTTP, real SDK, real Python jobs and endpoints.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "what steps logged is shown when a test fails")]

mod bed;
mod calls;
mod codebuild;
mod conformance;
mod deploy;
mod registry;
mod story;
