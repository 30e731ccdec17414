//! What a running step sees.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use haliotis_model::{Call, NewBuild, Object, Secret, StepKey, Value, Vars};

use crate::{Processes, StepError};

/// Everything a step may touch.
#[derive(Clone)]
pub struct StepContext {
    /// Build, step and attempt.
    pub key: StepKey,
    /// The call, its arguments checked against the schema and defaults filled in.
    pub call: Arc<Call>,
    /// What was pinned when the build was made.
    pub build: Arc<NewBuild>,
    /// The build's workspace; exists.
    pub workspace: PathBuf,
    /// A folder of this build alone where artifacts are kept; made by whoever writes first.
    pub artifacts: PathBuf,
    /// Likewise for stashes.
    pub stashes: PathBuf,
    /// A folder of this attempt alone, kept until the build ends; exists.
    pub scratch: PathBuf,
    /// Variables for processes: the agent's, the build's, the pipeline's, the call's, in that order of precedence.
    pub vars: Vars,
    /// Bound credentials, by variable name; already part of no other field.
    pub secrets: Vec<(String, Secret)>,
    /// The step's log.
    pub log: Arc<dyn Log>,
    /// Local processes.
    pub processes: Arc<dyn Processes>,
    /// Which cloud to talk to.
    pub cloud: Arc<CloudSettings>,
    /// Milliseconds from SIGTERM to SIGKILL.
    pub grace_ms: u64,
}

/// Where bytes for people go. Appending; safe to call from several threads.
pub trait Log: Send + Sync {
    /// Appends a line; the line end is added.
    fn line(&self, text: &str);
    /// Appends bytes as they are, secrets masked.
    fn write(&self, bytes: &[u8]);
    /// The file, for a process that writes it itself.
    fn path(&self) -> &Path;
    /// Bytes so far.
    fn len(&self) -> u64;
    /// Nothing yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One cloud. `endpoint_url` is all that separates the local cloud from an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloudSettings {
    /// For people: `local`, or `aws`.
    pub name: String,
    /// `Some` for the local cloud: every service answers there.
    pub endpoint_url: Option<String>,
    /// As `eu-west-1`.
    pub region: String,
    /// Twelve digits; of the local cloud, or as STS tells.
    pub account: String,
    /// The role that jobs and models get unless a step names one.
    pub role_arn: String,
    /// The bucket for what steps upload unless they name one.
    pub bucket: String,
    /// Fixed credentials, of the local cloud or those a step binds; `None`: the AWS default chain.
    pub credentials: Option<(String, Secret)>,
    /// What temporary credentials have beside the two keys.
    pub session_token: Option<Secret>,
    /// Milliseconds between two looks at a job's state.
    pub poll_ms: u64,
}

impl StepContext {
    /// An argument, if given and not null.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.call.with.get(name).filter(|value| !value.is_null())
    }

    /// An argument as text; numbers and booleans are written out.
    pub fn text(&self, name: &str) -> Option<String> {
        self.arg(name).map(plain)
    }

    /// An argument that the schema requires.
    ///
    /// # Errors
    /// `Usage` when it is missing, which lint should have refused.
    pub fn required(&self, name: &str) -> Result<String, StepError> {
        self.text(name)
            .ok_or_else(|| StepError::Usage(format!("step {}: argument `{name}` is missing", self.call.uses)))
    }

    /// An argument as true or false.
    pub fn flag(&self, name: &str) -> bool {
        match self.arg(name) {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    /// An argument as a whole number; text is parsed.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.arg(name).and_then(|value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok()))
    }

    /// An argument as a number; text is parsed.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.arg(name).and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()))
    }

    /// An argument as a list of texts; a single text is a list of one.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.arg(name) {
            Some(Value::Array(items)) => items.iter().map(plain).collect(),
            Some(value) => vec![plain(value)],
            None => Vec::new(),
        }
    }

    /// An argument as a map.
    pub fn map(&self, name: &str) -> Object {
        self.arg(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// A duration argument in milliseconds: a number of seconds, or text as `90s`, `15m`, `2h`, `1d`, `250ms`.
    pub fn duration_ms(&self, name: &str) -> Option<u64> {
        let value = self.arg(name)?;
        match value.as_f64() {
            Some(seconds) if seconds >= 0.0 => Some((seconds * 1000.0) as u64),
            _ => parse_duration_ms(value.as_str()?),
        }
    }

    /// A path of the workspace. Absolute paths and `..` that leave it are refused.
    ///
    /// # Errors
    /// `Usage` for a path outside.
    pub fn path(&self, relative: &str) -> Result<PathBuf, StepError> {
        let mut depth = 0_i32;
        for part in Path::new(relative).components() {
            use std::path::Component::{CurDir, Normal, ParentDir, Prefix, RootDir};
            depth += match part {
                Normal(_) => 1,
                CurDir => 0,
                ParentDir => -1,
                RootDir | Prefix(_) => i32::MIN / 2,
            };
            if depth < 0 {
                return Err(StepError::Usage(format!(
                    "the path `{relative}` leaves the workspace; give one inside it"
                )));
            }
        }
        Ok(self.workspace.join(relative))
    }

    /// The name under which processes and remote jobs of this attempt are known.
    pub fn slug(&self) -> String {
        self.key.slug()
    }
}

/// Text of a JSON value: strings as they are, the rest as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Milliseconds of `250ms`, `90s`, `15m`, `2h`, `1d`; a bare number counts seconds.
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "ms" => 1.0,
        "" | "s" => 1e3,
        "m" | "min" => 60e3,
        "h" => 3600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    Some((number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::parse_duration_ms;

    #[test]
    fn durations() {
        for (text, ms) in [("250ms", 250), ("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000), ("1.5", 1500)] {
            assert_eq!(parse_duration_ms(text), Some(ms), "{text}");
        }
        assert_eq!(parse_duration_ms("soon"), None);
        assert_eq!(parse_duration_ms(""), None);
    }
}
