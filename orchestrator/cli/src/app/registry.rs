//! All step kinds and languages of this binary: sorted lists, no magic.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use haliotis_flow::Language;
use haliotis_model::StepSchema;
use haliotis_plugin_api::StepRunner;

use crate::app::kinds::{self, Link};
use crate::app::steps::JobDsl;

/// Every step kind, sorted by name: those of the plugins, those that need the server, and programs of the data folder.
/// `server` is the data folder of a server, if this process is one.
pub fn runners(server: Option<&Path>, link: &Link) -> Vec<&'static dyn StepRunner> {
    // One for each app, of which a process has one: it lives as long as that.
    let own: &'static dyn StepRunner = Box::leak(Box::new(JobDsl::of(server)));
    let mut runners: Vec<_> = haliotis_plugin_builtin::steps()
        .into_iter()
        .chain(haliotis_plugin_aws::steps())
        .chain([own])
        .chain(kinds::runners(link))
        .chain(plugins().iter().copied())
        .collect();
    runners.sort_by_key(|runner| runner.schema().name);
    // A program never takes the place of what is built in.
    runners.dedup_by_key(|runner| runner.schema().name);
    runners
}

/// Their schemas, in the same order.
pub fn schemas() -> Vec<StepSchema> {
    runners(None, &Link::default()).iter().map(|runner| runner.schema()).collect()
}

/// Step kinds that programs of the data folder offer; none before [`load_plugins`].
pub fn plugins() -> &'static [&'static dyn StepRunner] {
    PLUGINS.get().map_or(&[], Vec::as_slice)
}

/// Reads the manifests in a data folder, once in a process. What is wrong with one is logged and told by `haliotis
/// doctor`; the others are there.
pub fn load_plugins(data: &Path) {
    PLUGINS.get_or_init(|| {
        let (found, problems) = read_plugins(data);
        for problem in problems {
            tracing::warn!("{problem}");
        }
        found
    });
}

/// The step kinds that the manifests in a data folder offer, and what is wrong with the other manifests.
pub fn read_plugins(data: &Path) -> (Vec<&'static dyn StepRunner>, Vec<String>) {
    let builtin: Vec<&str> = haliotis_plugin_builtin::STEPS.iter().map(|step| step.schema().name).collect();
    haliotis_plugin_builtin::programs(&data.join(PLUGINS_FOLDER), &builtin)
}

static PLUGINS: OnceLock<Vec<&'static dyn StepRunner>> = OnceLock::new();
/// The folder of the data folder where programs that are steps lie.
pub const PLUGINS_FOLDER: &str = "plugins";

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
