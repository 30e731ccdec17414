//! `checkout` and `git`.

use std::rc::Rc;

use haliotis_model::{Value as Json, WorkspaceKind};
use serde_json::json;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn checkout(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let wanted = if name == "git" {
            json!({
                "userRemoteConfigs": [{
                    "url": self.vm(|vm| given.required(vm, "url"))?,
                    "credentialsId": self.arg(given, "credentialsId")?,
                }],
                "branches": [{ "name": self.arg(given, "branch")?.unwrap_or_else(|| "master".to_owned()) }],
            })
        } else {
            match given.get("scm") {
                Some(scm) => self.vm(|vm| values::to_json(vm, scm))?,
                None => return Err(self.abort_exception(
                    "‘checkout scm’ is only available when using “Multibranch Pipeline” or “Pipeline script from SCM”",
                )),
            }
        };
        self.check_out(ctx, &wanted).await
    }

    /// Checks out what a GitSCM map says, or the build's own repository.
    pub(crate) async fn check_out(self: &Rc<Self>, ctx: &Ctx, scm: &Json) -> Answer {
        let source = &self.shared.facts.build.source;
        let remote = scm.get("userRemoteConfigs").and_then(|list| list.get(0).or(Some(list)));
        let url = remote.and_then(|remote| remote.get("url")).and_then(Json::as_str);
        let own = scm.get("$own").is_some() || url.is_none() || url == source.repo.as_deref();
        let branch = scm.get("branches").and_then(|list| list.get(0)).and_then(|one| one.get("name").or(Some(one)));
        let branch = branch.and_then(Json::as_str).map(plain_branch);
        let mut call = self.call(ctx, "checkout", "checkout");
        let mut commit_wanted = None;
        if let Some(url) = url.filter(|_| scm.get("$own").is_none()) {
            call.with.insert("repo".to_owned(), url.into());
            match branch {
                Some(hash) if is_hash(hash) => commit_wanted = Some(hash.to_owned()),
                Some(branch) if !(branch.is_empty() || own && source.branch.as_deref() == Some(branch)) => {
                    call.with.insert("branch".to_owned(), branch.into());
                }
                _ => {}
            }
        }
        if let Some(hash) = commit_wanted {
            call.with.insert("commit".to_owned(), hash.into());
        }
        if let Some(id) = remote.and_then(|remote| remote.get("credentialsId")).and_then(Json::as_str)
            && !own
        {
            call.credentials.insert("GIT_USERNAME".to_owned(), id.to_owned());
            call.credentials.insert("GIT_PASSWORD".to_owned(), id.to_owned());
        }
        let mut path = relative_target(scm);
        let in_place = matches!(self.shared.facts.build.workspace, WorkspaceKind::InPlace { .. });
        // The agent has moved to the folder already; a person's own folder is left alone.
        if in_place && !own && path.is_none() {
            path = Some(".".to_owned());
        }
        if let Some(path) = path {
            call.with.insert("path".to_owned(), path.into());
        }
        let output = self.run_call(ctx, call).await?;
        let commit = output.outputs.get("commit").cloned().unwrap_or_default();
        let branch = output.outputs.get("branch").and_then(Json::as_str).unwrap_or_default();
        let map = json!({
            "GIT_COMMIT": commit,
            "GIT_BRANCH": if branch.is_empty() { String::new() } else { format!("origin/{branch}") },
            "GIT_LOCAL_BRANCH": branch,
            "GIT_URL": url.or(source.repo.as_deref()),
        });
        self.vm(|vm| values::from_json(vm, &map))
    }

    /// `sshagent(['id']) { … }`: git and ssh use the key.
    pub(super) async fn sshagent(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let ids = self.vm(|vm| given.texts(vm, "credentials"))?;
        let Some(id) = ids.first() else { return self.plain_block("sshagent", ctx, given).await };
        let bound = haliotis_model::Vars::from([("SSH_AGENT_KEY".to_owned(), id.clone())]);
        let mut inner = ctx.with_credentials(bound, ["SSH_AGENT_KEY".to_owned()]);
        let key = haliotis_model::placeholder("SSH_AGENT_KEY");
        inner = inner.with_env([(
            "GIT_SSH_COMMAND".to_owned(),
            format!("ssh -i '{key}' -o IdentitiesOnly=yes -o BatchMode=yes"),
        )]);
        self.plain_block("sshagent", &inner, given).await
    }
}

/// `*/main`, `refs/heads/main`, `origin/main` name the branch `main`.
fn plain_branch(name: &str) -> &str {
    ["*/", "**/", "refs/heads/", "origin/", "refs/tags/", "remotes/origin/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// `[$class: 'RelativeTargetDirectory', relativeTargetDir: 'x']` among the extensions.
fn relative_target(scm: &Json) -> Option<String> {
    let extensions = scm.get("extensions")?.as_array()?;
    extensions.iter().find_map(|extension| {
        let dir = extension.get("relativeTargetDir").or_else(|| {
            extension.get("$value").filter(|_| extension.get("$symbol") == Some(&"relativeTargetDirectory".into()))
        })?;
        dir.as_str().map(str::to_owned)
    })
}
