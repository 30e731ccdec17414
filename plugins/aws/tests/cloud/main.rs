//! The AWS steps against a real local cloud: real HTTP, real SDK, real Python jobs and endpoints.

mod bed;
mod codebuild;
mod conformance;
mod deploy;
mod registry;
mod story;
