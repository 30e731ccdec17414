//! Which methods each block of the DSL has, and which blocks they open.
//!
//! A name that is not here is looked up where Groovy looks next: among the script's own methods. Blocks that plug-ins
//! extend (the *dynamic DSL*) are open: they take any name that the script does not define itself.

/// Methods of every job.
const JOB: &str = "description displayName disabled quietPeriod keepDependencies authenticationToken \
    logRotator>logRotator parameters>parameters properties>properties triggers>triggers \
    environmentVariables>environment authorization>any throttleConcurrentBuilds>any notifications>any \
    previousNames using blockOn>any blockOnUpstreamProjects blockOnDownstreamProjects configure concurrentBuild \
    checkoutRetryCount deliveryPipelineConfiguration compressBuildLog batchTask rebuild label customWorkspace \
    weight lockableResources>any icon";

/// Blocks: their name, and their methods as `name` or `name>block`. `any*` at the end: open.
const CONTEXTS: &[(&str, &[&str])] = &[
    ("pipelineJob", &[JOB, "definition>definition"]),
    (
        "freeStyleJob",
        &[JOB, "scm>scm multiscm>scm steps>steps publishers>publishers wrappers>wrappers jdk priority blockOnUpstream"],
    ),
    ("folder", &["description displayName configure properties>properties authorization>any primaryView icon any*"]),
    (
        "multibranchPipelineJob",
        &["description displayName configure branchSources>branchSources factory>factory disabled \
           orphanedItemStrategy>orphanedItemStrategy triggers>folderTriggers properties>properties authorization>any \
           primaryView icon any*"],
    ),
    (
        "organizationFolder",
        &["description displayName configure organizations>organizations projectFactories>factory disabled \
           orphanedItemStrategy>orphanedItemStrategy triggers>folderTriggers buildStrategies>any properties>properties \
           authorization>any primaryView icon any*"],
    ),
    (
        "listView",
        &["description displayName filterBuildQueue filterExecutors configure jobs>viewJobs columns>any \
           jobFilters>any recurse statusFilter any*"],
    ),
    ("nestedView", &["description displayName configure filterBuildQueue filterExecutors views>views columns>any"]),
    ("viewJobs", &["name names regex"]),
    ("views", &["listView>listView nestedView>nestedView"]),
    ("definition", &["cps>cps cpsScm>cpsScm cpsScmFlowDefinition>cpsScm cpsFlowDefinition>cps"]),
    ("cps", &["script sandbox"]),
    ("cpsScm", &["scm>scm scriptPath lightweight"]),
    ("scm", &["git>git github>git svn>any hg>any gitSCM>any none any*"]),
    (
        "git",
        &["remote>remote branch branches extensions>extensions browser>any gitTool configure shallowClone \
           strategy>any reference createTag clean wipeOutWorkspace remotePoll localBranch relativeTargetDir pruneBranches \
           mergeOptions skipTag recursiveSubmodules trackingSubmodules cloneTimeout ignoreNotifyCommit"],
    ),
    ("remote", &["name url credentials refspec github"]),
    ("extensions", &["any*"]),
    ("parameters", &["credentialsParam>any activeChoiceParam>any gitParam>any labelParam>any nodeParam>any any*"]),
    ("logRotator", &["daysToKeep numToKeep artifactDaysToKeep artifactNumToKeep"]),
    (
        "environment",
        &["env envs groovy propertiesFile scriptFile script keepSystemVariables keepBuildVariables \
                       overrideBuildParameters loadFilesFromMaster contributors>any"],
    ),
    ("properties", &["pipelineTriggers>pipelineTriggers any*"]),
    ("pipelineTriggers", &["triggers>triggers"]),
    ("triggers", &["any*"]),
    ("folderTriggers", &["periodic any*"]),
    ("branchSources", &["git>any github>any branchSource>any any*"]),
    ("factory", &["any*"]),
    ("orphanedItemStrategy", &["discardOldItems>any any*"]),
    ("organizations", &["github>any any*"]),
    ("steps", &["dsl>dsl any*"]),
    (
        "dsl",
        &["text external removeAction removeViewAction lookupStrategy additionalClasspath ignoreExisting \
               ignoreMissingFiles failOnMissingPlugin unstableOnDeprecation sandbox"],
    ),
    ("publishers", &["any*"]),
    ("wrappers", &["any*"]),
    ("any", &["any*"]),
];

/// A block of the DSL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) name: &'static str,
    methods: &'static [&'static str],
}

/// What a block says to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// One of its methods, with the block that a closure of it is; `any` for none of its own.
    Method(Context),
    /// Not one of its own, but plug-ins may have it.
    Open,
    /// No.
    No,
}

impl Context {
    /// The block of this name.
    pub(crate) fn named(name: &str) -> Self {
        let found = CONTEXTS.iter().find(|(known, _)| *known == name);
        let (name, methods) = found.copied().unwrap_or(("any", &["any*"]));
        Self { name, methods }
    }

    /// Whether it has a method.
    pub(crate) fn method(self, name: &str) -> Known {
        let mut open = false;
        for word in self.methods.iter().flat_map(|words| words.split_whitespace()) {
            if word == "any*" {
                open = true;
                continue;
            }
            let (known, block) = word.split_once('>').unwrap_or((word, "any"));
            if known == name {
                return Known::Method(Self::named(block));
            }
        }
        if open { Known::Open } else { Known::No }
    }

    /// Its own methods, for a suggestion.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let words = self.methods.iter().flat_map(|words| words.split_whitespace());
        words.filter(|word| *word != "any*").map(|word| word.split('>').next().unwrap_or(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_that_a_method_opens_is_there() {
        for (name, methods) in CONTEXTS {
            for word in methods.iter().flat_map(|words| words.split_whitespace()) {
                if let Some((_, block)) = word.split_once('>') {
                    assert!(CONTEXTS.iter().any(|(known, _)| *known == block), "{name}: {word}");
                }
            }
        }
    }

    #[test]
    fn a_block_knows_its_methods() {
        let job = Context::named("pipelineJob");
        assert_eq!(job.method("definition"), Known::Method(Context::named("definition")));
        assert_eq!(job.method("stages"), Known::No);
        assert_eq!(Context::named("properties").method("rateLimit"), Known::Open);
    }
}
