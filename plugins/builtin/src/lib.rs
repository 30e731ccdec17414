//! The steps every pipeline has: one file per step kind, and the list of them.
//!
//! `sh` and `checkout` run processes; all others answer inside the server or agent. Files live below the workspace
//! alone: paths that leave it are refused, links are not followed.

mod archive;
mod checkout;
mod condition;
mod copy_artifacts;
mod docs;
mod echo;
mod environment;
mod files;
mod files_step;
mod http;
mod junit;
mod mail;
mod manifest;
mod noop;
mod process;
mod program;
mod reach;
mod read_file;
mod sh;
mod sleep;
mod smtp;
mod stash;
mod stopping;
mod write_file;
mod zip;

pub use docs::markdown;
use haliotis_model::Placement;
use haliotis_plugin_api::StepRunner;
pub use mail::{FindServer, Mail, MailServer};
pub use manifest::programs;
pub use reach::{Reach, limit_requests};

/// All built-in steps, by name.
pub const STEPS: &[&dyn StepRunner] = &[
    &archive::Archive,
    &checkout::Checkout,
    &condition::Condition,
    &copy_artifacts::CopyArtifacts,
    &echo::Echo,
    &environment::Environment(Placement::Agent),
    &files_step::Files,
    &http::Http,
    &junit::Junit,
    &noop::Noop,
    &read_file::ReadFile,
    &environment::Environment(Placement::Server),
    &sh::Sh,
    &sleep::Sleep,
    &stash::Stash,
    &stash::Unstash,
    &write_file::WriteFile,
];

/// The regular files of a folder that globs pick, by their names in it and their paths; links are not followed.
///
/// # Errors
/// When a pattern is wrong, or picks more files than a step may.
pub fn pick(
    root: &std::path::Path,
    patterns: &[String],
) -> Result<Vec<(String, std::path::PathBuf)>, haliotis_plugin_api::StepError> {
    let picked = files::pick(root, patterns, &[])?;
    Ok(picked.into_iter().map(|file| (file.relative, file.path)).collect())
}

/// All built-in steps, by name.
pub fn steps() -> Vec<&'static dyn StepRunner> {
    STEPS.to_vec()
}

#[cfg(test)]
mod bench;

#[cfg(test)]
mod tests {
    use super::STEPS;

    #[test]
    fn the_list_is_sorted_and_documented() {
        assert!(STEPS.is_sorted_by_key(|step| step.schema().name));
        for step in STEPS {
            let schema = step.schema();
            assert!(schema.doc.ends_with('.') && !schema.example.is_empty(), "{}", schema.name);
            for argument in &schema.arguments {
                assert!(argument.doc.ends_with('.'), "{}: {}", schema.name, argument.name);
                assert!(!argument.required || argument.default.is_none(), "{}: {}", schema.name, argument.name);
            }
        }
    }
}
