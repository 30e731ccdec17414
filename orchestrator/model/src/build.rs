//! Pipelines, builds and why a build exists.

use serde::{Deserialize, Serialize};

use crate::{BuildId, BuildResult, Carry, Millis, Object, Value};

/// A definition that builds are made of. Jenkins calls it a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Unique; folders by `/`.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// The language that reads the definition, as in `yaml`.
    pub language: String,
    /// Git URL of the repository the definition is read from at each build; `None`: the text below is the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// The branch to build.
    #[serde(default)]
    pub branch: String,
    /// Path of the definition in the repository, or of the file it was read from.
    pub path: String,
    /// The definition as last read; for a repository, at the last commit seen.
    #[serde(default)]
    pub text: String,
    /// Credential id for the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Its triggers, as the language read them from the definition.
    #[serde(default)]
    pub triggers: Vec<TriggerSpec>,
    /// Its parameters, likewise.
    #[serde(default)]
    pub parameters: Vec<ParameterSpec>,
    /// At most so many builds at once; `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Triggers are off and no build may start.
    #[serde(default)]
    pub disabled: bool,
}

/// What starts a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TriggerSpec {
    /// `git ls-remote` each `every_ms`; a new commit on the branch starts a build.
    Poll {
        /// Git URL.
        repo: String,
        /// Branch name.
        branch: String,
        /// Milliseconds between looks.
        every_ms: u64,
    },
    /// A push webhook for this repository.
    Webhook {
        /// Git URL, compared loosely (host and path without `.git`).
        repo: String,
        /// Branch name.
        branch: String,
    },
    /// Five fields with Jenkins' `H`.
    Cron {
        /// The expression.
        cron: String,
        /// IANA zone; empty: UTC.
        #[serde(default)]
        zone: String,
    },
    /// A model package of the group got one of these approval states.
    ModelPackage {
        /// Model package group name.
        group: String,
        /// As `Approved`, `Rejected`.
        status: Vec<String>,
    },
    /// A build of another pipeline ended with one of these results.
    Upstream {
        /// Pipeline name.
        pipeline: String,
        /// Results that count.
        results: Vec<BuildResult>,
    },
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// One of a list.
    Choice,
}

/// A parameter of a pipeline or of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ParameterKind,
    /// Used when a build gives none; `None`: must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Allowed values of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// For people.
    #[serde(default)]
    pub description: String,
}

/// Why a build started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// A person asked.
    User {
        /// Who.
        by: String,
    },
    /// A commit was found by polling or told by a webhook.
    Commit {
        /// Git URL.
        repo: String,
        /// Branch.
        branch: String,
        /// Full hash.
        commit: String,
        /// `poll`, or the host that sent the webhook.
        via: String,
        /// Its author, subject line; for people.
        #[serde(default)]
        author: String,
        /// First line of the message.
        #[serde(default)]
        subject: String,
    },
    /// The clock.
    Cron {
        /// The expression that matched.
        cron: String,
    },
    /// An approval state changed in the model registry.
    ModelPackage {
        /// The model package's ARN.
        arn: String,
        /// Its new approval state.
        status: String,
        /// Who approved, as far as known.
        by: String,
        /// The reason given.
        reason: String,
    },
    /// A build of another pipeline ended.
    Upstream {
        /// Pipeline.
        pipeline: String,
        /// Its number.
        number: u32,
    },
    /// A program elsewhere asked, by a pipeline's token or through Jenkins' API.
    Remote {
        /// Its address.
        host: String,
        /// What it said of its reason.
        #[serde(default)]
        note: String,
    },
    /// A re-run of an earlier build.
    Rerun {
        /// Its number.
        number: u32,
        /// Who asked.
        by: String,
    },
}

/// Where the source comes from; pinned at creation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The language that reads it.
    pub language: String,
    /// The definition's path, for messages.
    pub path: String,
    /// The definition's text.
    pub text: String,
    /// Further files the definition names (`uses:` of a local file), by path.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub files: Object,
    /// Git URL, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that the workspace gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Credential id for the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What the workspace of a build is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum WorkspaceKind {
    /// A folder of the build's own.
    Own,
    /// This folder, used in place (`haliotis run`).
    InPlace {
        /// Absolute path.
        path: String,
    },
}

/// Everything pinned when a build is made: entry 0 of its journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewBuild {
    /// Pipeline name.
    pub pipeline: String,
    /// Number within the pipeline, from 1; allotted by the journal, 0 until then.
    pub number: u32,
    /// The definition.
    pub source: Source,
    /// All parameters, defaults filled in.
    pub parameters: Object,
    /// Why.
    pub causes: Vec<Cause>,
    /// What the trigger knew, readable as `event.*`.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub event: Object,
    /// The workspace.
    pub workspace: WorkspaceKind,
    /// Which cloud its steps talk to, as in `local` or `aws:eu-west-1`.
    pub cloud: String,
    /// When it was asked for.
    pub created_at: Millis,
    /// At most one build is ever made for a key (`poll:URL:commit`, `delivery:ID`); `None`: no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
    /// Version of the program semantics, see the language's `VERSION`.
    pub program_version: u32,
    /// What it takes over from an earlier build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<Box<Carry>>,
}

impl NewBuild {
    /// Whether its steps get secrets. A pull request from a fork that nobody trusts does not.
    pub fn trusted(&self) -> bool {
        self.event.get("trusted") != Some(&Value::Bool(false))
    }

    /// `TAG_NAME` and `CHANGE_*` of a build of a tag or a pull request, named as Jenkins names them.
    pub fn head_vars(&self) -> Vec<(&'static str, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut vars: Vec<_> = self.event.get("tag").map(|tag| ("TAG_NAME", text(tag))).into_iter().collect();
        let Some(change) = self.event.get("change") else { return vars };
        for (name, field) in [
            ("CHANGE_ID", "id"),
            ("CHANGE_URL", "url"),
            ("CHANGE_TITLE", "title"),
            ("CHANGE_AUTHOR", "author"),
            ("CHANGE_BRANCH", "branch"),
            ("CHANGE_TARGET", "target"),
        ] {
            vars.extend(change.get(field).map(|value| (name, text(value))));
        }
        if change.get("fork") == Some(&Value::Bool(true)) {
            vars.push((
                "CHANGE_FORK",
                vars.iter().find(|(n, _)| *n == "CHANGE_AUTHOR").map_or_else(String::new, |(_, author)| author.clone()),
            ));
        }
        vars
    }
}

/// Where a build stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildStatus {
    /// Made, waits for its turn.
    Queued,
    /// Goes on.
    Running,
    /// Waits for a person.
    Waiting,
    /// Ended; the result says how.
    Ended,
}

/// One row of a list of builds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildSummary {
    /// Its id.
    pub id: BuildId,
    /// Pipeline name.
    pub pipeline: String,
    /// Number in the pipeline.
    pub number: u32,
    /// Where it stands.
    pub status: BuildStatus,
    /// Once ended.
    pub result: Option<BuildResult>,
    /// Why it ended so, when not a success.
    pub message: Option<String>,
    /// Asked for.
    pub created_at: Millis,
    /// Ended.
    pub ended_at: Option<Millis>,
    /// Why it started.
    pub causes: Vec<Cause>,
    /// The commit it builds.
    pub commit: Option<String>,
    /// Its parameters.
    pub parameters: Object,
}
