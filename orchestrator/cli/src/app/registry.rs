//! All step kinds and languages of this binary: sorted lists, no magic.

use std::path::Path;
use std::sync::Arc;

use haliotis_flow::Language;
use haliotis_model::StepSchema;
use haliotis_plugin_api::StepRunner;

/// Every step kind, sorted by name.
pub fn runners() -> Vec<&'static dyn StepRunner> {
    let mut runners: Vec<_> =
        haliotis_plugin_builtin::steps().into_iter().chain(haliotis_plugin_aws::steps()).collect();
    runners.sort_by_key(|runner| runner.schema().name);
    runners
}

/// Their schemas, in the same order.
pub fn schemas() -> Vec<StepSchema> {
    runners().iter().map(|runner| runner.schema()).collect()
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
