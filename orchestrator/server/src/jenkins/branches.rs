//! Multibranch projects: from a config.xml of the Branch API plugins to ours.
//!
//! What is modelled: the first source (Git, GitHub, GitLab, Gitea, Bitbucket), its credential, which heads are discovered
//! and how pull requests are built, filters by name, the path of the definition, how long orphans stay, the interval.
//! Traits are known by the last part of their class, which the plugins share.

use haliotis_model::branches::{BranchProject, ChangeWay};

use super::xml::Element;

/// Root elements of multibranch pipelines.
pub(crate) const CLASS: &str = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject";
/// Looks are this often where the configuration names no interval.
const EVERY_MS: u64 = 60_000;
/// Nobody needs more.
const FASTEST_MS: u64 = 1_000;

/// Reads a `WorkflowMultiBranchProject`.
///
/// # Errors
/// One sentence on what is not provided.
pub(crate) fn read(full: &str, root: &Element) -> Result<BranchProject, String> {
    let mut sources = Vec::new();
    root.child("sources").into_iter().for_each(|list| list.find_all("jenkins.branch.BranchSource", &mut sources));
    let source = sources.first().and_then(|source| source.child("source"));
    let source = source.ok_or("the multibranch project has no branch source")?;
    if sources.len() > 1 {
        return Err("a multibranch project with several branch sources is not provided".to_owned());
    }
    let mut project = BranchProject {
        name: full.to_owned(),
        repo: address(source)?,
        credential: Some(source.text_at("credentialsId").trim()).filter(|id| !id.is_empty()).map(str::to_owned),
        path: Some(root.text_at("factory/scriptPath").trim()).filter(|p| !p.is_empty()).unwrap_or("Jenkinsfile").into(),
        includes: words(source.text_at("includes")),
        excludes: words(source.text_at("excludes")),
        branches: true,
        tags: false,
        own_changes: vec![ChangeWay::Merge],
        fork_changes: vec![ChangeWay::Merge],
        trust_forks: false,
        keep_days: days(root),
        every_ms: interval(root),
        disabled: root.text_at("disabled").trim() == "true",
    };
    if let Some(list) = source.child("traits") {
        traits(&mut project, list)?;
    }
    Ok(project)
}

/// What is discovered is exactly what the list says.
fn traits(project: &mut BranchProject, list: &Element) -> Result<(), String> {
    (project.branches, project.own_changes, project.fork_changes) = (false, Vec::new(), Vec::new());
    for one in &list.children {
        // XStream writes `_` of a package's name as `__`.
        let class = one.class();
        match class.rsplit(['.', '$']).next().unwrap_or(class) {
            "BranchDiscoveryTrait" => project.branches = true,
            "TagDiscoveryTrait" => project.tags = true,
            "OriginPullRequestDiscoveryTrait" | "OriginMergeRequestDiscoveryTrait" => project.own_changes = ways(one),
            "ForkPullRequestDiscoveryTrait" | "ForkMergeRequestDiscoveryTrait" => {
                project.fork_changes = ways(one);
                // Whether somebody may write to the repository is the host's knowledge; only "everyone" needs none.
                project.trust_forks = one.child("trust").is_some_and(|trust| trust.class().ends_with("TrustEveryone"));
            }
            "WildcardSCMHeadFilterTrait" => {
                project.includes = words(one.text_at("includes"));
                project.excludes = words(one.text_at("excludes"));
            }
            "RegexSCMHeadFilterTrait" => {
                return Err("a filter of heads by regular expression is not provided; use wildcards".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

/// `strategyId`: 1 merge, 2 head, 3 both.
fn ways(one: &Element) -> Vec<ChangeWay> {
    match one.text_at("strategyId").trim() {
        "2" => vec![ChangeWay::Head],
        "3" => vec![ChangeWay::Merge, ChangeWay::Head],
        _ => vec![ChangeWay::Merge],
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().filter(|word| *word != "*").map(str::to_owned).collect()
}

fn days(root: &Element) -> u32 {
    let strategy = root.child("orphanedItemStrategy");
    let prunes = strategy.is_none_or(|one| one.text_at("pruneDeadBranches").trim() != "false");
    if !prunes {
        return u32::MAX;
    }
    strategy.and_then(|one| one.text_at("daysToKeep").trim().parse().ok()).unwrap_or(0)
}

fn interval(root: &Element) -> u64 {
    let mut found = Vec::new();
    let class = "com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger";
    root.child("triggers").into_iter().for_each(|all| all.find_all(class, &mut found));
    let asked = found.first().and_then(|one| one.text_at("interval").trim().parse::<u64>().ok());
    asked.unwrap_or(EVERY_MS).max(FASTEST_MS)
}

fn address(source: &Element) -> Result<String, String> {
    let text = |path: &str| source.text_at(path).trim().to_owned();
    let below = |server: String, owner: String, name: String, middle: &str| {
        format!("{}/{middle}{owner}/{name}.git", server.trim_end_matches('/'))
    };
    let class = source.class();
    let url = match class.rsplit('.').next().unwrap_or(class) {
        "GitSCMSource" => text("remote"),
        "GitHubSCMSource" if !text("repositoryUrl").is_empty() => text("repositoryUrl"),
        "GitHubSCMSource" => {
            let api = text("apiUri");
            let server = match api.strip_suffix("/api/v3").or_else(|| api.strip_suffix("/api/v3/")) {
                Some(enterprise) => enterprise.to_owned(),
                None => "https://github.com".to_owned(),
            };
            below(server, text("repoOwner"), text("repository"), "")
        }
        "GitLabSCMSource" if !text("httpRemote").is_empty() => text("httpRemote"),
        "GitLabSCMSource" => format!("https://gitlab.com/{}.git", text("projectPath")),
        "GiteaSCMSource" => below(text("serverUrl"), text("repoOwner"), text("repository"), ""),
        "BitbucketSCMSource" => {
            let server = Some(text("serverUrl")).filter(|url| !url.is_empty() && !url.contains("//bitbucket.org"));
            match server {
                Some(server) => below(server, text("repoOwner"), text("repository"), "scm/"),
                None => below("https://bitbucket.org".to_owned(), text("repoOwner"), text("repository"), ""),
            }
        }
        other => return Err(format!("a branch source of the kind {other} is not provided")),
    };
    if url.is_empty() || url.ends_with("/.git") || url.contains("//.git") {
        return Err("the branch source names no repository".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::super::xml;
    use super::*;

    fn project(source: &str, traits: &str) -> Result<BranchProject, String> {
        let text = format!(
            "<{CLASS}><sources><data><jenkins.branch.BranchSource>{}</jenkins.branch.BranchSource></data></sources>\
             <factory><scriptPath>ci/Jenkinsfile</scriptPath></factory></{CLASS}>",
            source.replace("TRAITS", traits)
        );
        read("team/app", &xml::parse(&text).unwrap())
    }

    #[test]
    fn hosts_and_their_repositories() {
        for (source, url) in [
            (
                "<source class='jenkins.plugins.git.GitSCMSource'><remote>file:///srv/a.git</remote></source>",
                "file:///srv/a.git",
            ),
            (
                "<source class='org.jenkinsci.plugins.github_branch_source.GitHubSCMSource'><apiUri>https://ghe.example/api/v3</apiUri><repoOwner>team</repoOwner><repository>a</repository></source>",
                "https://ghe.example/team/a.git",
            ),
            (
                "<source class='org.jenkinsci.plugin.gitea.GiteaSCMSource'><serverUrl>https://git.example/</serverUrl><repoOwner>team</repoOwner><repository>a</repository></source>",
                "https://git.example/team/a.git",
            ),
            (
                "<source class='com.cloudbees.jenkins.plugins.bitbucket.BitbucketSCMSource'><repoOwner>team</repoOwner><repository>a</repository></source>",
                "https://bitbucket.org/team/a.git",
            ),
        ] {
            let read = project(source, "").unwrap();
            assert_eq!((read.repo.as_str(), read.path.as_str()), (url, "ci/Jenkinsfile"));
            assert!(read.branches && !read.trust_forks && read.keep_days == 0);
        }
        assert!(project("<source class='x.SubversionSCMSource'/>", "").unwrap_err().contains("SubversionSCMSource"));
    }

    #[test]
    fn what_is_discovered_is_what_the_traits_say() {
        let source =
            "<source class='jenkins.plugins.git.GitSCMSource'><remote>u</remote><traits>TRAITS</traits></source>";
        let none = project(source, "").unwrap();
        assert!(!none.branches && !none.tags && none.own_changes.is_empty() && none.fork_changes.is_empty());
        let all = project(
            source,
            "<jenkins.plugins.git.traits.BranchDiscoveryTrait/><jenkins.plugins.git.traits.TagDiscoveryTrait/>\
             <org.jenkinsci.plugins.github__branch__source.OriginPullRequestDiscoveryTrait><strategyId>3</strategyId></org.jenkinsci.plugins.github__branch__source.OriginPullRequestDiscoveryTrait>\
             <org.jenkinsci.plugins.github__branch__source.ForkPullRequestDiscoveryTrait><strategyId>2</strategyId><trust class='org.jenkinsci.plugins.github_branch_source.ForkPullRequestDiscoveryTrait$TrustPermission'/></org.jenkinsci.plugins.github__branch__source.ForkPullRequestDiscoveryTrait>\
             <jenkins.scm.impl.trait.WildcardSCMHeadFilterTrait><includes>main release-*</includes><excludes>*-old</excludes></jenkins.scm.impl.trait.WildcardSCMHeadFilterTrait>",
        )
        .unwrap();
        assert!(all.branches && all.tags && !all.trust_forks);
        assert_eq!(all.own_changes, [ChangeWay::Merge, ChangeWay::Head]);
        assert_eq!(all.fork_changes, [ChangeWay::Head]);
        assert!(all.takes("release-1") && !all.takes("release-old") && !all.takes("dev"));
        assert_eq!(all.pipeline("feature/x"), "team/app/feature%2Fx");
    }
}
