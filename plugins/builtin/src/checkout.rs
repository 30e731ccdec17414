//! `checkout`: the build's commit in the workspace, by the `git` program.
//!
//! One shell process runs all git commands, so that it survives a restart of the server like any other step. What comes
//! from outside (URL, branch, commit) reaches it as positional parameters, never as text of the script, and after `--`.
//! Hooks, system and user configuration are off; only the protocols named below may be used. Credentials come from the
//! environment by way of an askpass program, so no command line shows them.
//!
//! Idempotence: fetching and checking out the same commit twice gives the same files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
    WorkspaceKind,
};
use haliotis_plugin_api::{ProcessSpec, Started, StepContext, StepError, StepRunner};

use crate::{files, process};

/// What a repository URL may use; `ext::` and the like run programs.
const PROTOCOLS: &str = "file:git:http:https:ssh";
/// `$1` URL, `$2` what to fetch, `$3` depth or 0, `$4` the file for the answer, `$5` clean (1) or not, `$6` a commit
/// or nothing.
///
/// A server may refuse to hand out a bare commit, then all branches are fetched and the commit looked up in them.
const SCRIPT: &str = r#"
[ -e .git ] || git init -q --template= .
depth=
[ "$3" = 0 ] || depth="--depth=$3"
if [ -n "$6" ] && git cat-file -e "$6^{commit}" 2>/dev/null; then
  found=$6
elif git fetch -q --no-tags --force $depth -- "$1" "$2"; then
  found=$(git rev-parse --verify -q 'FETCH_HEAD^{commit}')
elif [ -n "$6" ]; then
  echo "the commit cannot be fetched by itself; fetching all branches"
  git fetch -q --no-tags --force -- "$1" '+refs/heads/*:refs/haliotis/*'
  found=$6
else
  exit 1
fi
git checkout -q --force --detach "$found" --
[ "$5" = 0 ] || git clean -q -ffdx
git rev-parse HEAD > "$4"
git --no-pager log -1 --no-show-signature --format='%h %an: %s'
"#;
/// Answers git's questions from the environment. git passes the question as `$1`.
const ASKPASS: &str = "#!/bin/sh\ncase \"$1\" in\nUsername*) printf '%s\\n' \"${GIT_USERNAME:-git}\" ;;\n\
                       *) printf '%s\\n' \"${GIT_PASSWORD:-$GIT_TOKEN}\" ;;\nesac\n";

pub(crate) struct Checkout;

#[async_trait]
impl StepRunner for Checkout {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Integer, Path, String};
        StepSchema {
            name: "checkout",
            doc: "Puts a commit of a Git repository into the workspace; without arguments, the build's own.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::optional(
                    "repo",
                    String,
                    "Git URL or path; default: the repository that the pipeline is read from. For a password bind \
                     credentials to `GIT_USERNAME` and `GIT_PASSWORD`, or a token to `GIT_TOKEN`.",
                ),
                ArgumentSchema::optional("branch", String, "Branch or tag, when no commit is given."),
                ArgumentSchema::optional("commit", String, "Full hash; default: the commit pinned for the build."),
                ArgumentSchema::optional("path", Path, "Folder of the workspace to use instead of its root."),
                ArgumentSchema::optional("depth", Integer, "How many commits of history; 0: all.").or(1),
                ArgumentSchema::optional("clean", Boolean, "Removes files that are not of the commit.").or(false),
            ],
            outputs: vec![
                OutputSchema { name: "commit", doc: "The full hash that was checked out." },
                OutputSchema { name: "branch", doc: "The branch, as far as known." },
            ],
            open_outputs: false,
            cloud: false,
            example: "repo: https://git.example/team/abalone-model-build.git\nbranch: main\npath: build",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        if let Some(wanted) = Wanted::of(ctx)? {
            process::spawn(ctx, wanted.spec(ctx)?).await?;
        }
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let Some(wanted) = Wanted::of(ctx)? else {
            if ctx.log.is_empty() {
                ctx.log.line("the build uses this folder in place; nothing to check out");
            }
            return Ok(StepOutput::success(known(ctx, ctx.build.source.commit.as_deref(), None)));
        };
        let exit = match process::wait(ctx).await? {
            Ok(exit) => exit,
            Err(stopped) => return Ok(stopped),
        };
        if exit.code != 0 {
            return Ok(StepOutput::failure(format!(
                "git ended with {}; the log says why (repository {}, {})",
                process::ending(exit),
                without_password(&wanted.repo),
                wanted.revision()
            )));
        }
        let commit = fs::read_to_string(answer_file(ctx))?;
        Ok(StepOutput::success(known(ctx, Some(commit.trim()), wanted.branch.as_deref())))
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        process::kill(ctx).await
    }
}

/// What to check out, arguments and the build's own values put together and checked.
struct Wanted {
    repo: String,
    branch: Option<String>,
    commit: Option<String>,
    folder: PathBuf,
    depth: u32,
    clean: bool,
}

impl Wanted {
    /// `None`: the build works in a person's folder, which holds the source already.
    fn of(ctx: &StepContext) -> Result<Option<Self>, StepError> {
        let source = &ctx.build.source;
        let own_repo = ctx.text("repo");
        let path = ctx.text("path");
        if matches!(ctx.build.workspace, WorkspaceKind::InPlace { .. }) && path.is_none() {
            return if own_repo.is_none() {
                Ok(None)
            } else {
                Err(usage("it would overwrite the folder that the build uses in place; give a `path` below it"))
            };
        }
        // Another repository's branch or commit is not ours to guess.
        let same = own_repo.is_none() || own_repo == source.repo;
        let repo = own_repo
            .or_else(|| source.repo.clone())
            .ok_or_else(|| usage("the pipeline comes from no repository; give `repo`"))?;
        let branch = ctx.text("branch").or_else(|| source.branch.clone().filter(|_| same));
        let pinned = source.commit.clone().filter(|_| same && ctx.arg("branch").is_none());
        let commit = ctx.text("commit").or(pinned);
        let folder = path.map_or_else(|| Ok(ctx.workspace.clone()), |path| ctx.path(&path))?;
        files::through_real_folders(&ctx.workspace, &folder)?;
        let depth = u32::try_from(ctx.integer("depth").unwrap_or(1)).unwrap_or(1);
        let wanted = Self { repo, branch, commit, folder, depth, clean: ctx.flag("clean") };
        wanted.checked().map(Some)
    }

    /// Refuses what git could read as an option, a refspec or a program to run.
    fn checked(self) -> Result<Self, StepError> {
        if self.repo.is_empty() || self.repo.starts_with('-') || self.repo.contains("::") {
            return Err(usage(&format!("`{}` is not a repository URL", without_password(&self.repo))));
        }
        if let Some(commit) = &self.commit
            && !(matches!(commit.len(), 40 | 64) && commit.chars().all(|c| c.is_ascii_hexdigit()))
        {
            return Err(usage(&format!("`{commit}` is not a full commit hash; use `branch` for branches and tags")));
        }
        if let Some(branch) = &self.branch
            && !is_ref_name(branch)
        {
            return Err(usage(&format!("`{branch}` is not a branch or tag name")));
        }
        Ok(self)
    }

    fn revision(&self) -> String {
        match (&self.commit, &self.branch) {
            (Some(commit), _) => format!("commit {commit}"),
            (None, Some(branch)) => format!("branch {branch}"),
            (None, None) => "its default branch".to_owned(),
        }
    }

    fn spec(&self, ctx: &StepContext) -> Result<ProcessSpec, StepError> {
        fs::create_dir_all(&self.folder).map_err(|error| files::cannot("make", &self.folder, &error))?;
        let askpass = ctx.scratch.join("askpass");
        fs::write(&askpass, ASKPASS)?;
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700))?;
        let commit = self.commit.as_deref().unwrap_or("");
        let fetch = self.commit.as_deref().or(self.branch.as_deref()).unwrap_or("HEAD");
        let answer = answer_file(ctx).display().to_string();
        let depth = self.depth.to_string();
        let clean = if self.clean { "1" } else { "0" };
        let argv = ["sh", "-euc", SCRIPT, "checkout", &self.repo, fetch, &depth, &answer, clean, commit];
        let argv = argv.into_iter().map(str::to_owned).collect();
        let mut spec = process::spec(ctx, argv, self.folder.clone());
        let fixed = [
            ("GIT_ALLOW_PROTOCOL", PROTOCOLS),
            ("GIT_ASKPASS", askpass.to_str().unwrap_or_default()),
            ("GIT_CONFIG_COUNT", "3"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_KEY_0", "core.hooksPath"),
            ("GIT_CONFIG_KEY_1", "advice.detachedHead"),
            ("GIT_CONFIG_KEY_2", "gc.auto"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_VALUE_0", "/dev/null"),
            ("GIT_CONFIG_VALUE_1", "false"),
            ("GIT_CONFIG_VALUE_2", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ];
        spec.vars.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(spec)
    }
}

fn known(ctx: &StepContext, commit: Option<&str>, branch: Option<&str>) -> Object {
    let branch = branch.or(ctx.build.source.branch.as_deref());
    Object::from_iter([
        ("commit".to_owned(), commit.map_or(Value::Null, Into::into)),
        ("branch".to_owned(), branch.map_or(Value::Null, Into::into)),
    ])
}

fn answer_file(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("commit")
}

/// The rules of `git check-ref-format`, and nothing that starts like an option.
fn is_ref_name(name: &str) -> bool {
    let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\+".contains(c);
    !name.is_empty()
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && !name.contains(bad)
        && !["..", "@{", "//", "/."].iter().any(|part| name.contains(part))
        && !name.ends_with(".lock")
}

/// A URL for messages: what stands between `//` and `@` is left out.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://****{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

fn usage(text: &str) -> StepError {
    StepError::Usage(format!("checkout: {text}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::bench::Case;

    #[expect(clippy::disallowed_methods, reason = "the test makes the repository")]
    fn git(dir: &Path, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
            .args(args)
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A repository with two commits on `main`; its folder and the two hashes.
    fn repository() -> (tempfile::TempDir, String, String) {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q", "-b", "main"]);
        let mut hashes = ["one", "two"].map(|text| {
            fs::write(dir.path().join("file"), text).unwrap();
            git(dir.path(), &["add", "."]);
            git(dir.path(), &["commit", "-q", "-m", text]);
            git(dir.path(), &["rev-parse", "HEAD"])
        });
        (dir, std::mem::take(&mut hashes[0]), std::mem::take(&mut hashes[1]))
    }

    fn case(repo: &Path, commit: Option<&str>, mut with: Value) -> Case {
        with["depth"] = with.get("depth").cloned().unwrap_or(json!(1));
        let mut case = Case::new("checkout", with);
        let mut build = (*case.ctx.build).clone();
        build.source.repo = Some(format!("file://{}", repo.display()));
        build.source.branch = Some("main".to_owned());
        build.source.commit = commit.map(str::to_owned);
        case.ctx.build = Arc::new(build);
        case
    }

    fn file(case: &Case) -> String {
        fs::read_to_string(case.ctx.workspace.join("file")).unwrap()
    }

    #[tokio::test]
    async fn the_pinned_commit_and_not_the_newest() {
        let (repo, first, second) = repository();
        let old = case(repo.path(), Some(&first), json!({}));
        let output = old.run().await;
        assert_eq!((file(&old).as_str(), &output.outputs["commit"]), ("one", &json!(first)), "{}", old.log());
        assert!(old.log().ends_with("A: one\n"), "{}", old.log());
        let new = case(repo.path(), None, json!({}));
        assert_eq!(new.run().await.outputs, *json!({"commit": second, "branch": "main"}).as_object().unwrap());
    }

    #[tokio::test]
    async fn again_in_the_same_workspace_repairs_and_cleans() {
        let (repo, first, _) = repository();
        let case = case(repo.path(), Some(&first), json!({"clean": true}));
        case.run().await;
        fs::write(case.ctx.workspace.join("file"), "changed").unwrap();
        fs::write(case.ctx.workspace.join("left-over"), "").unwrap();
        let mut again = case.then("checkout", json!({"clean": true}));
        again.ctx.build = Arc::clone(&case.ctx.build);
        again.run().await;
        assert_eq!((file(&again).as_str(), again.ctx.workspace.join("left-over").exists()), ("one", false));
    }

    #[tokio::test]
    async fn a_missing_repository_or_commit_is_named() {
        let (repo, _, _) = repository();
        let output = case(&repo.path().join("gone"), None, json!({})).run().await;
        assert!(output.message.unwrap().contains("gone, branch main"));
        let output = case(repo.path(), Some(&"ab".repeat(20)), json!({})).run().await;
        assert!(output.message.unwrap().contains("commit abab"));
    }

    #[tokio::test]
    async fn a_build_in_place_touches_nothing() {
        let (repo, first, _) = repository();
        let mut case = case(repo.path(), Some(&first), json!({}));
        let mut build = (*case.ctx.build).clone();
        build.workspace = WorkspaceKind::InPlace { path: case.ctx.workspace.display().to_string() };
        case.ctx.build = Arc::new(build);
        assert_eq!(case.run().await.outputs["commit"], json!(first));
        assert!(!case.ctx.workspace.join(".git").exists());
    }

    #[tokio::test]
    async fn what_git_could_take_for_something_else_is_refused() {
        for with in [
            json!({"repo": "--upload-pack=evil"}),
            json!({"repo": "ext::sh -c evil"}),
            json!({"repo": "x", "branch": "-x"}),
            json!({"repo": "x", "branch": "a:b"}),
            json!({"repo": "x", "branch": "+a"}),
            json!({"repo": "x", "commit": "HEAD~1"}),
            json!({"repo": "x", "path": "../y"}),
        ] {
            assert!(matches!(Case::new("checkout", with.clone()).try_run().await, Err(StepError::Usage(_))), "{with}");
        }
    }

    #[tokio::test]
    async fn hooks_of_the_workspace_do_not_run() {
        let (repo, first, _) = repository();
        let case = case(repo.path(), Some(&first), json!({}));
        git(&case.ctx.workspace, &["init", "-q"]);
        let hook = case.ctx.workspace.join(".git/hooks/post-checkout");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, "#!/bin/sh\ntouch hooked\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        case.run().await;
        assert_eq!((file(&case).as_str(), case.ctx.workspace.join("hooked").exists()), ("one", false));
    }

    #[test]
    fn passwords_in_urls_are_not_shown() {
        assert_eq!(without_password("https://u:p@git.example/a"), "https://****@git.example/a");
        assert_eq!(without_password("git@git.example:a"), "git@git.example:a");
    }
}
