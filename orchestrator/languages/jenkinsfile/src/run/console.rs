//! The console, as Jenkins words it.

use haliotis_model::{BuildResult, Cause};

use super::Shared;

/// The first lines: why the build runs.
pub(crate) fn started(shared: &Shared) {
    for cause in &shared.facts.build.causes {
        shared.say(&match cause {
            Cause::User { by } => format!("Started by user {by}"),
            Cause::Commit { .. } => "Started by an SCM change".to_owned(),
            Cause::Cron { .. } => "Started by timer".to_owned(),
            Cause::Upstream { pipeline, number } => {
                format!("Started by upstream project \"{pipeline}\" build number {number}")
            }
            Cause::ModelPackage { arn, status, .. } => {
                format!("Started because the model package {arn} is {status}")
            }
            Cause::Rerun { number, by } => format!("Started by user {by}, again after #{number}"),
            other => format!("Started by {}", serde_json::to_string(other).unwrap_or_default()),
        });
    }
    if let (Some(repo), Some(commit)) = (&shared.facts.build.source.repo, &shared.facts.build.source.commit) {
        let path = &shared.facts.build.source.path;
        shared.say(&format!("Obtained {path} from git {repo} at {commit}"));
    }
}

/// The shared libraries that were pinned, and where they stood.
pub(crate) fn libraries(shared: &Shared) {
    for (path, commit) in &shared.facts.libraries {
        let Some(name) = path.strip_prefix("library:").and_then(|path| path.strip_suffix("/.commit")) else { continue };
        let remote = shared.facts.libraries.get(&format!("library:{name}/.remote"));
        shared.say(&format!("Loading library {name}"));
        shared.say(&format!("Obtained {name} from {} at {commit}", remote.map_or("git", String::as_str)));
    }
}

/// A result as Jenkins writes it.
pub(crate) fn word(result: BuildResult) -> &'static str {
    match result {
        BuildResult::Success => "SUCCESS",
        BuildResult::Unstable => "UNSTABLE",
        BuildResult::Failure => "FAILURE",
        BuildResult::NotBuilt => "NOT_BUILT",
        BuildResult::Aborted => "ABORTED",
    }
}

/// And back.
pub(crate) fn parse(word: &str) -> Option<BuildResult> {
    BuildResult::ALL.into_iter().find(|result| self::word(*result) == word)
}

/// A text with placeholders of secrets shown as Jenkins shows secrets.
pub(crate) fn masked(text: &str) -> String {
    haliotis_model::fill_placeholders(text, |_| Some("****"))
}
