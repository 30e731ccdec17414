//! The plugins whose steps and job types we provide, under their names. Clients choose XML and steps by them; a version is
//! that of the release whose behaviour we follow.

use super::bean::{Bean, Data, list};
use super::want::{ALWAYS, TOP, Want};
use crate::error::Failed;

/// Short name, long name, version; sorted.
const PLUGINS: [(&str, &str, &str); 26] = [
    ("branch-api", "Branch API Plugin", "2.1206.vd9f35001c95c"),
    ("cloudbees-folder", "Folders Plugin", "6.1026.ve06dfa_cf9136"),
    ("credentials", "Credentials Plugin", "1415.v831096eb_5534"),
    ("credentials-binding", "Credentials Binding Plugin", "687.v619cb_15e923f"),
    ("git", "Git plugin", "5.7.0"),
    ("git-client", "Git client plugin", "6.2.0"),
    ("github", "GitHub plugin", "1.43.0"),
    ("job-dsl", "Job DSL", "1.93"),
    ("junit", "JUnit Plugin", "1335.v6b_a_a_e18534e1"),
    ("parameterized-trigger", "Jenkins Parameterized Trigger plugin", "840.v3c7d4a_a_5e6c7"),
    ("pipeline-aws", "Pipeline: AWS Steps", "1.45"),
    ("pipeline-build-step", "Pipeline: Build Step", "567.vea_ce550ece97"),
    ("pipeline-input-step", "Pipeline: Input Step", "517.vf8e782ee645c"),
    ("pipeline-model-definition", "Pipeline: Declarative", "2.2258.v4e96d2b_da_f9b_"),
    ("pipeline-rest-api", "Pipeline: REST API Plugin", "2.38"),
    ("pipeline-stage-step", "Pipeline: Stage Step", "322.vecffa_99f371c"),
    ("plain-credentials", "Plain Credentials Plugin", "199.v9f8e1f741799"),
    ("rebuild", "Rebuilder", "338.va_0a_b_50e29397"),
    ("script-security", "Script Security Plugin", "1373.vb_b_4a_a_c26fa_00"),
    ("ssh-credentials", "SSH Credentials Plugin", "361.vb_f6760818e8c"),
    ("workflow-aggregator", "Pipeline", "608.v67378e9d3db_1"),
    ("workflow-basic-steps", "Pipeline: Basic Steps", "1079.vce64b_a_929c5a_"),
    ("workflow-cps", "Pipeline: Groovy", "4106.v7a_8a_8176d450"),
    ("workflow-durable-task-step", "Pipeline: Nodes and Processes", "1405.v1fcd4a_d00096"),
    ("workflow-job", "Pipeline: Job", "1520.v56d65e3b_4566"),
    ("workflow-multibranch", "Pipeline: Multibranch", "806.vb_b_688f609ee9"),
];

/// `pluginManager`.
pub(crate) fn all(want: &Want) -> Data {
    let mut bean = Bean::new("hudson.LocalPluginManager", want);
    bean.make("plugins", TOP, |want| list(want, PLUGINS, |plugin| one(plugin, want)));
    bean.done()
}

/// `pluginManager/plugin/NAME`.
///
/// # Errors
/// 404 when we provide nothing of it.
pub(crate) fn find(name: &str, want: &Want) -> Result<Data, Failed> {
    let found = PLUGINS.into_iter().find(|(short, ..)| *short == name);
    found.map(|plugin| one(plugin, want)).ok_or_else(|| Failed::not_found(format!("there is no plugin {name:?}")))
}

fn one((short, long, version): (&'static str, &'static str, &'static str), want: &Want) -> Data {
    let mut bean = Bean::new("hudson.PluginWrapper", want);
    for (name, value) in [("active", true), ("bundled", true), ("deleted", false), ("downgradable", false)] {
        bean.put(name, value);
    }
    bean.put("backupVersion", Data::Null);
    bean.put("dependencies", Vec::new());
    bean.put("enabled", true);
    bean.put("hasUpdate", false);
    bean.put("longName", long);
    bean.put("pinned", false);
    bean.put("requiredCoreVersion", super::VERSION);
    bean.put_at(ALWAYS, "shortName", short);
    bean.put("supportsDynamicLoad", "MAYBE");
    bean.put("url", format!("https://plugins.jenkins.io/{short}"));
    bean.put("version", version);
    bean.done()
}
