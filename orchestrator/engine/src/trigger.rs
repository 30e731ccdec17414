//! Which pipelines an event starts, and with what. Pure: from pipelines and an event to requests for builds.

use haliotis_model::{BuildResult, Cause, Object, Pipeline, TriggerSpec, Value};

/// Something happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerEvent {
    /// A commit on a branch.
    Push {
        /// The URLs the repository is known by.
        repos: Vec<String>,
        /// Branch name.
        branch: String,
        /// Full hash.
        commit: String,
        /// `poll` or the host's name.
        via: String,
        /// Author.
        author: String,
        /// First line of the message.
        subject: String,
    },
    /// An approval state changed in the registry.
    ModelPackage {
        /// ARN.
        arn: String,
        /// Group.
        group: String,
        /// Version in the group.
        version: i64,
        /// The new state.
        status: String,
        /// Who, as far as known.
        by: String,
        /// Why.
        reason: String,
        /// Distinguishes two changes to the same state.
        changed_at: String,
    },
    /// A build ended.
    BuildEnded {
        /// Pipeline.
        pipeline: String,
        /// Number.
        number: u32,
        /// How.
        result: BuildResult,
    },
}

/// A build somebody should make.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRequest {
    /// Of this pipeline.
    pub pipeline: String,
    /// Why.
    pub cause: Cause,
    /// What the trigger knew, for `event.*`.
    pub event: Object,
    /// Parameters the event fills, where the pipeline has them.
    pub parameters: Object,
    /// The commit to build, where the event names one.
    pub commit: Option<String>,
    /// At most one build for this key, however often the event is told.
    pub once: String,
}

/// Words in a commit's subject that mean "do not build".
const SKIP: [&str; 4] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip haliotis]"];

/// The builds an event asks for, in the order of the pipelines.
pub fn requests(pipelines: &[Pipeline], event: &TriggerEvent) -> Vec<BuildRequest> {
    pipelines.iter().filter(|pipeline| !pipeline.disabled).filter_map(|pipeline| request(pipeline, event)).collect()
}

fn request(pipeline: &Pipeline, event: &TriggerEvent) -> Option<BuildRequest> {
    if !pipeline.triggers.iter().any(|trigger| hit(trigger, event)) {
        return None;
    }
    let name = &pipeline.name;
    let mut request = BuildRequest {
        pipeline: name.clone(),
        cause: Cause::User { by: String::new() },
        event: Object::new(),
        parameters: Object::new(),
        commit: None,
        once: String::new(),
    };
    match event {
        TriggerEvent::Push { repos, branch, commit, via, author, subject } => {
            let repo = repos.first().cloned().unwrap_or_default();
            request.once = format!("commit:{name}:{branch}:{commit}");
            request.commit = Some(commit.clone());
            request.event = object(&[
                ("commit", commit),
                ("branch", branch),
                ("repo", &repo),
                ("author", author),
                ("subject", subject),
            ]);
            request.cause = Cause::Commit {
                repo,
                branch: branch.clone(),
                commit: commit.clone(),
                via: via.clone(),
                author: author.clone(),
                subject: subject.clone(),
            };
        }
        TriggerEvent::ModelPackage { arn, group, version, status, by, reason, changed_at } => {
            request.once = format!("model-package:{name}:{arn}:{status}:{changed_at}");
            request.event = object(&[
                ("ModelPackageArn", arn),
                ("ModelPackageGroupName", group),
                ("ModelApprovalStatus", status),
                ("ApprovedBy", by),
                ("ApprovalReason", reason),
            ]);
            request.event.insert("ModelPackageVersion".to_owned(), Value::from(*version));
            // The very package that was approved, not "the latest": a pipeline that has the parameter gets the ARN.
            if pipeline.parameters.iter().any(|parameter| parameter.name == "ModelPackageArn") {
                request.parameters = object(&[("ModelPackageArn", arn)]);
            }
            request.cause = Cause::ModelPackage {
                arn: arn.clone(),
                status: status.clone(),
                by: by.clone(),
                reason: reason.clone(),
            };
        }
        TriggerEvent::BuildEnded { pipeline: upstream, number, result } => {
            request.once = format!("upstream:{name}:{upstream}:{number}");
            request.event = object(&[("pipeline", upstream), ("result", &result.to_string())]);
            request.event.insert("number".to_owned(), Value::from(*number));
            request.cause = Cause::Upstream { pipeline: upstream.clone(), number: *number };
        }
    }
    Some(request)
}

fn hit(trigger: &TriggerSpec, event: &TriggerEvent) -> bool {
    match (trigger, event) {
        (
            TriggerSpec::Poll { repo, branch, .. } | TriggerSpec::Webhook { repo, branch },
            TriggerEvent::Push { repos, branch: pushed, subject, .. },
        ) => {
            branch == pushed
                && repos.iter().any(|url| same_repo(url, repo))
                && !SKIP.iter().any(|skip| subject.to_lowercase().contains(skip))
        }
        (TriggerSpec::ModelPackage { group, status }, TriggerEvent::ModelPackage { group: of, status: now, .. }) => {
            group == of && status.contains(now)
        }
        (TriggerSpec::Upstream { pipeline, results }, TriggerEvent::BuildEnded { pipeline: ended, result, .. }) => {
            pipeline == ended && results.contains(result)
        }
        _ => false,
    }
}

/// Two URLs of one repository: the same host and path, whatever the scheme, user, port and `.git`.
pub fn same_repo(left: &str, right: &str) -> bool {
    canonical(left) == canonical(right)
}

fn canonical(url: &str) -> String {
    let url = url.trim();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => rest,
    };
    // scp-like `host:team/repo` and `host:port/team/repo` both become `host/team/repo`.
    let path = match rest.split_once(':') {
        Some((host, path)) if !host.contains('/') => {
            let path = path.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('/');
            format!("{host}/{path}")
        }
        _ => rest.to_owned(),
    };
    let path = path.trim_end_matches('/');
    let (host, path) = path.trim_end_matches(".git").split_once('/').unwrap_or((path, ""));
    format!("{}/{path}", host.to_lowercase())
}

fn object(pairs: &[(&str, &str)]) -> Object {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(trigger: TriggerSpec) -> Pipeline {
        serde_json::from_value::<Pipeline>(serde_json::json!({
            "name": "p", "language": "yaml", "path": "haliotis.yaml",
            "parameters": [{"name": "ModelPackageArn", "kind": "string", "default": ""}],
        }))
        .map(|mut pipeline| {
            pipeline.triggers = vec![trigger];
            pipeline
        })
        .unwrap()
    }

    fn push(subject: &str, branch: &str) -> TriggerEvent {
        TriggerEvent::Push {
            repos: vec!["https://git.example/team/repo.git".into()],
            branch: branch.into(),
            commit: "c0ffee".into(),
            via: "poll".into(),
            author: "a".into(),
            subject: subject.into(),
        }
    }

    #[test]
    fn a_push_starts_what_watches_the_branch() {
        let trigger = TriggerSpec::Webhook { repo: "git@git.example:team/repo".into(), branch: "main".into() };
        let pipelines = [pipeline(trigger)];
        assert_eq!(requests(&pipelines, &push("fix", "main")).len(), 1);
        assert_eq!(requests(&pipelines, &push("fix", "dev")).len(), 0);
        assert_eq!(requests(&pipelines, &push("docs [Skip CI]", "main")).len(), 0);
    }

    #[test]
    fn an_approval_hands_on_the_very_arn() {
        let pipelines = [pipeline(TriggerSpec::ModelPackage { group: "g".into(), status: vec!["Approved".into()] })];
        let event = |status: &str| TriggerEvent::ModelPackage {
            arn: "arn:1".into(),
            group: "g".into(),
            version: 1,
            status: status.into(),
            by: "mia".into(),
            reason: "good".into(),
            changed_at: "7".into(),
        };
        let approved = requests(&pipelines, &event("Approved"));
        assert_eq!(approved[0].parameters["ModelPackageArn"], "arn:1");
        assert_eq!(approved[0].event["ApprovedBy"], "mia");
        assert!(requests(&pipelines, &event("Rejected")).is_empty());
    }

    #[test]
    fn urls_of_one_repository() {
        for (left, right, same) in [
            ("https://h/t/r.git", "ssh://git@h:22/t/r", true),
            ("git@h:t/r.git", "https://user@H/t/r/", true),
            ("https://h/t/r", "https://h/t/other", false),
            ("/srv/a.git", "file:///srv/a.git", true),
            ("https://h/t/r", "https://other/t/r", false),
        ] {
            assert_eq!(same_repo(left, right), same, "{left} {right}");
        }
    }
}
