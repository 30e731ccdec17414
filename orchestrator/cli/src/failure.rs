//! How a command fails: what the user did, what the world did, what we did wrong. Each kind has its exit code, listed at
//! the end of `haliotis --help`.

use std::fmt;
use std::process::ExitCode;

/// Exit codes, part of the interface: scripts rely on them.
pub mod code {
    /// A build, a test or a check ended badly.
    pub const FAILED: u8 = 1;
    /// Bad arguments or a pipeline file with errors (clap uses 2 as well).
    pub const USAGE: u8 = 2;
    /// Something outside did not cooperate: network, disk, a port, a missing program.
    pub const WORLD: u8 = 3;
    /// There is nothing by that name.
    pub const NOT_FOUND: u8 = 4;
    /// A person or a rule stopped it.
    pub const ABORTED: u8 = 5;
    /// A defect of Haliotis.
    pub const INTERNAL: u8 = 70;
}

/// The table that `--help` prints.
pub const EXIT_CODES: &str = "Exit codes:
  0  success
  1  a build or a check ended badly
  2  bad arguments, or a pipeline file with errors
  3  something outside failed: network, disk, port, missing program
  4  nothing by that name
  5  stopped or rejected by a person
  70 a defect of Haliotis";

/// A failed command: its exit code, and a message that ends with what to do next.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

/// What a command gives back.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure of a kind.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The build or check ended badly.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(code::FAILED, message)
    }

    /// The user's input cannot work.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(code::USAGE, message)
    }

    /// The world did not cooperate.
    pub fn world(message: impl Into<String>) -> Self {
        Self::new(code::WORLD, message)
    }

    /// Nothing by that name.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(code::NOT_FOUND, message)
    }

    /// Stopped by a person.
    pub fn aborted(message: impl Into<String>) -> Self {
        Self::new(code::ABORTED, message)
    }

    /// Its kind, one of [`code`].
    pub fn code(&self) -> u8 {
        self.code
    }

    /// What the process answers.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The same with words in front.
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::world(error.to_string())
    }
}

impl From<haliotis_engine::JournalError> for Failure {
    fn from(error: haliotis_engine::JournalError) -> Self {
        match error {
            haliotis_engine::JournalError::NoBuild(_) => Failure::not_found(error.to_string()),
            other => Failure::world(other.to_string()),
        }
    }
}
