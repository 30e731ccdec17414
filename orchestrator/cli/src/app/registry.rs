//! All step kinds and languages of this binary: sorted lists, no magic.

use std::path::Path;
use std::sync::Arc;

use haliotis_flow::Language;
use haliotis_model::StepSchema;
use haliotis_plugin_api::StepRunner;

use crate::app::steps::JobDsl;

/// Step kinds of the plugins.
fn plugins() -> impl Iterator<Item = &'static dyn StepRunner> {
    haliotis_plugin_builtin::steps().into_iter().chain(haliotis_plugin_aws::steps())
}

/// Every step kind, sorted by name; those that need the server find it by its data folder, if there is one.
pub fn runners(server: Option<&Path>) -> Vec<&'static dyn StepRunner> {
    // One for each app, of which a process has one: it lives as long as that.
    let own: &'static dyn StepRunner = Box::leak(Box::new(JobDsl::of(server)));
    let mut runners: Vec<_> = plugins().chain([own]).collect();
    runners.sort_by_key(|runner| runner.schema().name);
    runners
}

/// Their schemas, in the same order.
pub fn schemas() -> Vec<StepSchema> {
    let mut schemas: Vec<_> = plugins().map(|runner| runner.schema()).chain([JobDsl::default().schema()]).collect();
    schemas.sort_by_key(|schema| schema.name);
    schemas
}

/// Every language.
pub fn languages() -> Vec<Arc<dyn Language>> {
    vec![Arc::new(haliotis_jenkinsfile::Jenkinsfile), Arc::new(haliotis_yaml::Yaml)]
}

/// The language that reads a file, by its name: `Jenkinsfile`, `Jenkinsfile.prod`, `deploy.jenkinsfile`, `x.groovy`.
pub fn language_of(file: &Path) -> &'static str {
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let groovy = [".jenkinsfile", ".groovy", ".gvy"].iter().any(|ending| name.ends_with(ending));
    let yaml = [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    if (name.starts_with("jenkinsfile") && !yaml) || groovy { haliotis_jenkinsfile::NAME } else { "yaml" }
}

/// A language by name; YAML when there is none by that name, whose messages then say what is wrong.
pub fn language(name: &str) -> Arc<dyn Language> {
    languages().into_iter().find(|language| language.name() == name).unwrap_or_else(|| Arc::new(haliotis_yaml::Yaml))
}
