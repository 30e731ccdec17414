//! The protocol of steps that are programs of their own, version [`PROTOCOL`].
//!
//! # Where a program lies
//! In a folder of its own below `plugins` of the data folder, beside a manifest `plugin.json`:
//! ```text
//! plugins/greet/plugin.json
//! plugins/greet/greet.py
//! ```
//! ```json
//! { "protocol": 1,
//!   "steps": [ { "name": "greet", "doc": "Greets somebody.", "program": ["python3", "greet.py"],
//!                "arguments": [ { "name": "who", "kind": "string", "required": true, "doc": "Whom." } ],
//!                "outputs": [ { "name": "greeting", "doc": "What was said." } ] } ] }
//! ```
//! `program[0]` that holds a `/` or is a file of the folder is taken from there; so is each further part that names a
//! file of the folder. Optional keys of a step: `placement` (`agent`, the default, or `server`), `delivery`
//! (`at-least-once`, the default, `token`, `at-most-once`), `example` (a `with:` block as YAML). Keys of an argument are
//! those of [`haliotis_model::ArgumentSchema`]: `name`, `kind`, `required`, `doc`, `default`.
//!
//! # A run
//! The program is started in the workspace, in a process group of its own. Its standard input is one JSON object, a
//! [`Request`]. Its environment is that of `sh`: the build's variables, and credentials bound to the step, which never
//! stand in the request. What it writes to standard error goes into the step's log, secrets masked.
//! On standard output it writes lines. A line that is a JSON object is a [`Message`]; any other line goes into the log.
//! ```text
//! {"log": "half way"}
//! {"outputs": {"greeting": "hello ada"}}
//! {"result": "unstable", "message": "said it twice"}
//! ```
//! It has ended when it has exited. Without a `result`, exit code 0 is `success` and any other one `failure`.
//!
//! # What may happen to it
//! The program belongs to the supervisor: it goes on when the server restarts, and its end is found then. It is stopped
//! by SIGTERM, and after a grace time by SIGKILL, with all its children. After a crash of the machine a program of
//! `at-least-once` or `token` delivery is started again with the same `key`; one of `at-most-once` is not.

use haliotis_model::Object;
use serde::{Deserialize, Serialize};

/// The version of this protocol. A manifest of another version is refused by name.
pub const PROTOCOL: u32 = 1;
/// Largest manifest, in bytes: a person wrote it.
pub const MAX_MANIFEST: u64 = 256 * 1024;
/// Most bytes a program may write to standard output; outputs live in the journal.
pub const MAX_STDOUT: u64 = 8 * 1024 * 1024;

/// `plugin.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The steps it offers.
    pub steps: Vec<Step>,
}

/// One step of a manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// As pipelines name it: lower-case letters, digits, `-`, `_`, `.`; one that is a Groovy name can be called from a
    /// Jenkinsfile.
    pub name: String,
    /// One sentence.
    pub doc: String,
    /// Program and arguments.
    pub program: Vec<String>,
    /// `agent` or `server`.
    #[serde(default)]
    pub placement: Option<String>,
    /// `at-least-once`, `token` or `at-most-once`.
    #[serde(default)]
    pub delivery: Option<String>,
    /// What it takes.
    #[serde(default)]
    pub arguments: Vec<Argument>,
    /// What it gives.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// A `with:` block.
    #[serde(default)]
    pub example: String,
}

/// One argument.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// Its key.
    pub name: String,
    /// As `string`, `integer`, `number`, `boolean`, `duration`, `path`, `strings`, `list`, `map`, `any`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Must be given.
    #[serde(default)]
    pub required: bool,
    /// What it means.
    #[serde(default)]
    pub doc: String,
    /// Used when absent.
    #[serde(default)]
    pub default: Option<haliotis_model::Value>,
}

/// One output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(default)]
    pub doc: String,
}

/// What a program reads from standard input.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The step's name.
    pub step: String,
    /// The same for every start of one attempt: what makes an effect happen once.
    pub key: String,
    /// The arguments, checked, defaults filled in.
    pub arguments: Object,
    /// The workspace, absolute; also the working directory.
    pub workspace: String,
    /// A folder of this attempt alone, absolute; it is there after a crash.
    pub scratch: String,
    /// Where artifacts of the build are kept, absolute; may not be there yet.
    pub artifacts: String,
    /// The build: `pipeline`, `number`, `parameters`, `commit`.
    pub build: Object,
}

/// A line of standard output.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Message {
    /// A line for the log.
    #[serde(default)]
    pub log: Option<String>,
    /// Outputs; later ones replace earlier ones of the same name.
    #[serde(default)]
    pub outputs: Object,
    /// `success`, `unstable`, `failure`, `aborted`.
    #[serde(default)]
    pub result: Option<String>,
    /// Why, when not a success.
    #[serde(default)]
    pub message: Option<String>,
}
