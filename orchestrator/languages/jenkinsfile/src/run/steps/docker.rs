//! Containers: `agent { docker … }`, `docker.image(…).inside { … }`, `docker.build`, `docker.withRegistry` and their kin,
//! by the program `docker`, or `podman` where that is what there is.
//!
//! As in Jenkins, a container is started once for its block and each `sh` of the block runs in it, so that what one step
//! installs the next one finds. Its name follows from the build and the block's place: whoever dies between two steps
//! finds it again under it. It sees the workspace, and `WORKSPACE@tmp`, under their own paths.

use std::rc::Rc;

use haliotis_groovy::{Raise, Value};
use haliotis_model::Vars;
use sha2::{Digest as _, Sha256};

use super::super::context::{Container, Ctx};
use super::super::given::Given;
use super::super::host::{Image, Running};
use super::super::{Answer, Async, Run, values};

/// Variables of the agent that a container sees beside those of the pipeline.
const PASSED: [&str; 15] = [
    "WORKSPACE",
    "BUILD_ID",
    "BUILD_NUMBER",
    "BUILD_TAG",
    "BUILD_URL",
    "JOB_NAME",
    "JOB_BASE_NAME",
    "JENKINS_URL",
    "NODE_NAME",
    "EXECUTOR_NUMBER",
    "BRANCH_NAME",
    "GIT_BRANCH",
    "GIT_COMMIT",
    "GIT_URL",
    "CI",
];
/// Where a registry's login is bound to, for the login alone.
const LOGIN: [&str; 2] = ["DOCKER_REGISTRY_USER", "DOCKER_REGISTRY_PASSWORD"];
/// Finds the program; says what to do where there is none.
const PROGRAM: &str = "program=$(command -v docker || command -v podman) || { echo 'neither docker nor podman is installed \
     on this agent: install one, or use agent any' >&2; exit 1; }\n";

impl Run {
    /// Runs something whose `sh` steps run in a container of an image.
    pub(crate) async fn in_container<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        image: &str,
        args: &str,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        let outside = Ctx { container: None, ..ctx.clone() };
        let name = self.container_name(ctx);
        let start = format!(
            "mkdir -p \"$WORKSPACE@tmp\"\n\"$program\" rm -f {name} >/dev/null 2>&1 || true\n\"$program\" run -d --name {name} \
             -u \"$(id -u):$(id -g)\" -v \"$WORKSPACE:$WORKSPACE:rw\" -v \"$WORKSPACE@tmp:$WORKSPACE@tmp:rw\" -w \"$WORKSPACE\" \
             {args} {image} cat >/dev/null || {{ \"$program\" rm -f {name} >/dev/null 2>&1 || true; exit 1; }}"
        );
        // `cat` ends at once without a terminal or an open input.
        let start = start.replace(" run -d ", " run -t -d ");
        self.docker_sh(&outside, &format!("docker run {image}"), &start).await?;
        let mut inner = ctx.clone();
        inner.container = Some(Rc::new(Container { name: name.clone() }));
        let answer = body(inner).await;
        let stop = format!(
            "\"$program\" stop -t 1 {name} >/dev/null 2>&1 || true\n\"$program\" rm -f {name} >/dev/null 2>&1 || true"
        );
        let stopped = self.docker_sh(&outside, &format!("docker stop {image}"), &stop).await;
        let answer = answer?;
        stopped.map(|_| answer)
    }

    fn container_name(&self, ctx: &Ctx) -> String {
        let build = &self.shared.facts.build;
        let place = self.shared.fresh(&ctx.path, "~container");
        let hash = hex::encode(Sha256::digest(format!("{}/{}{place}", build.pipeline, build.created_at.0)));
        let pipeline: String = build
            .pipeline
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(40)
            .collect();
        format!("haliotis-{pipeline}-{}-{}", build.number, hash.get(..10).unwrap_or_default())
    }

    /// Runs something while logged in at a registry; images without a registry of their own are of that one.
    pub(crate) async fn in_registry<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        url: &str,
        credential: Option<&str>,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        let mut inner = ctx.clone();
        let host = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
        // Docker Hub's address is no part of its images' names.
        let hub = host.is_empty() || host == "docker.io" || host.ends_with(".docker.io");
        inner.registry = (!hub).then(|| host.into());
        let Some(id) = credential.filter(|id| !id.is_empty()) else { return body(inner).await };
        let folder = format!("{}/docker", self.tmp_folder(ctx).await?);
        inner = inner.with_env([("DOCKER_CONFIG".to_owned(), folder)]);
        let fields = Vars::from([
            (LOGIN[0].to_owned(), format!("{id}.username")),
            (LOGIN[1].to_owned(), format!("{id}.password")),
        ]);
        let outside = Ctx { container: None, ..inner.with_credentials(fields, LOGIN.map(str::to_owned)) };
        let shown = if host.is_empty() { "" } else { url };
        let login = format!(
            "mkdir -p \"$DOCKER_CONFIG\"\nprintf %s \"${}\" | \"$program\" login -u \"${}\" --password-stdin {}",
            LOGIN[1],
            LOGIN[0],
            quoted(shown)
        );
        self.docker_sh(&outside, "docker login", &login).await?;
        let answer = body(inner.clone()).await;
        let logout =
            format!("\"$program\" logout {} >/dev/null 2>&1 || true\nrm -rf \"$DOCKER_CONFIG\"", quoted(shown));
        let out = self.docker_sh(&Ctx { container: None, ..inner }, "docker logout", &logout).await;
        let answer = answer?;
        out.map(|_| answer)
    }

    /// `docker.image(…)`, `docker.build(…)`, `docker.withRegistry(…)`.
    pub(crate) async fn docker(self: &Rc<Self>, ctx: &Ctx, name: &str, args: &[Value]) -> Answer {
        let texts = self.vm(|vm| {
            let plain = args.iter().filter(|arg| !matches!(arg, Value::Closure(_)));
            plain.map(|arg| values::text(vm, arg)).collect::<Result<Vec<_>, _>>()
        })?;
        let first = texts.first().cloned().unwrap_or_default();
        match (name, args.last()) {
            ("image", _) => Ok(Image::value(first)),
            ("build", _) => {
                let rest = texts.get(1).cloned().unwrap_or_else(|| ".".to_owned());
                let build = format!("set -x\n\"$program\" build -t {} {rest}", quoted(&first));
                self.docker_sh(ctx, "docker build", &build).await?;
                Ok(Image::value(first))
            }
            ("withRegistry", Some(body @ Value::Closure(_))) => {
                let (run, body) = (Rc::clone(self), body.clone());
                let credential = texts.get(1).map(String::as_str);
                self.in_registry(ctx, &first, credential, move |ctx| {
                    Box::pin(async move { run.closure(&ctx, &body, &[]).await })
                })
                .await
            }
            ("withServer", Some(body @ Value::Closure(_))) => {
                let inner = ctx.with_env([("DOCKER_HOST".to_owned(), first)]);
                self.closure(&inner, body, &[]).await
            }
            ("withTool", Some(body @ Value::Closure(_))) => self.closure(ctx, body, &[]).await,
            _ => Err(self.throw(
                "java.lang.IllegalArgumentException",
                &format!("docker.{name}: these arguments are not known; see docker.image, build, withRegistry"),
            )),
        }
    }

    /// Methods of an image.
    pub(crate) async fn image(self: &Rc<Self>, ctx: &Ctx, image: &Image, name: &str, args: &[Value]) -> Answer {
        let texts = self.vm(|vm| {
            let plain = args.iter().filter(|arg| !matches!(arg, Value::Closure(_)));
            plain.map(|arg| values::text(vm, arg)).collect::<Result<Vec<_>, _>>()
        })?;
        let (first, second) = (texts.first().cloned(), texts.get(1).cloned().unwrap_or_default());
        let full = qualified(ctx, &image.name);
        let short = format!("docker {name}");
        match (name, args.last()) {
            ("inside", Some(body @ Value::Closure(_))) => {
                let (run, body) = (Rc::clone(self), body.clone());
                self.in_container(ctx, &full, &first.unwrap_or_default(), move |ctx| {
                    Box::pin(async move { run.closure(&ctx, &body, &[]).await })
                })
                .await
            }
            ("pull", _) => self.docker_sh(ctx, &short, &format!("set -x\n\"$program\" pull {full}")).await,
            ("tag", _) => {
                let target = qualified(ctx, &tagged(&image.name, &first.unwrap_or_else(|| "latest".to_owned())));
                let script = format!("set -x\n\"$program\" tag {} {target}", image.name);
                self.docker_sh(ctx, &short, &script).await
            }
            ("push", _) => {
                let target = match first {
                    Some(tag) => qualified(ctx, &tagged(&image.name, &tag)),
                    None => full,
                };
                let tag = if target == image.name { String::new() } else { format!("\"$program\" tag {} {target}\n", image.name) };
                self.docker_sh(ctx, &short, &format!("set -x\n{tag}\"$program\" push {target}")).await
            }
            ("run" | "withRun", _) => {
                let options = first.unwrap_or_default();
                let id = self.docker_out(ctx, &short, &format!("run -d {options} {full} {second}")).await?;
                let running = Value::Host(Rc::new(Running { id: id.clone() }));
                let Some(body @ Value::Closure(_)) = args.last() else { return Ok(running) };
                let answer = self.closure(ctx, body, &[running]).await;
                let gone = self.stop_container(ctx, &id).await;
                let answer = answer?;
                gone.map(|_| answer)
            }
            _ => Err(self.abort_exception(&format!(
                "docker.image(…).{name}: these arguments are not known; there are inside, run, withRun, pull, push and tag"
            ))),
        }
    }

    /// Methods of a container that `run` started.
    pub(crate) async fn running(self: &Rc<Self>, ctx: &Ctx, id: &str, name: &str, args: &[Value]) -> Answer {
        match (name, args) {
            ("stop", []) => self.stop_container(ctx, id).await,
            ("port", [port]) => {
                let port = self.vm(|vm| values::text(vm, port))?;
                self.docker_out(ctx, "docker port", &format!("port {id} {port}")).await.map(Value::from)
            }
            _ => Err(self.abort_exception(&format!("a container has stop() and port(n), not {name}"))),
        }
    }

    async fn stop_container(self: &Rc<Self>, ctx: &Ctx, id: &str) -> Answer {
        let script = format!("\"$program\" stop {id} >/dev/null\n\"$program\" rm -f {id} >/dev/null");
        self.docker_sh(ctx, "docker stop", &script).await
    }

    /// A script that calls docker, or podman where that is what there is, as `$program`.
    pub(crate) async fn docker_sh(self: &Rc<Self>, ctx: &Ctx, label: &str, script: &str) -> Answer {
        self.with_program(ctx, label, script, false).await
    }

    /// What a command of docker prints.
    async fn docker_out(self: &Rc<Self>, ctx: &Ctx, label: &str, arguments: &str) -> Result<String, Raise> {
        let answer = self.with_program(ctx, label, &format!("\"$program\" {arguments}"), true).await?;
        let text = self.vm(|vm| values::text(vm, &answer))?;
        Ok(text.trim().to_owned())
    }

    async fn with_program(self: &Rc<Self>, ctx: &Ctx, label: &str, script: &str, stdout: bool) -> Answer {
        let mut given = Given::default();
        given.named.push(("script".to_owned(), Value::from(format!("set +x\n{PROGRAM}{script}"))));
        given.named.push(("label".to_owned(), Value::str(label)));
        given.named.push(("trace".to_owned(), Value::Bool(false)));
        given.named.push(("returnStdout".to_owned(), Value::Bool(stdout)));
        let outside = Ctx { container: None, ..ctx.clone() };
        self.sh(&outside, &given).await
    }

    /// A script as it runs in a container; `names` are the variables of the pipeline that it sees.
    pub(super) fn inside(&self, container: &Container, script: &str, names: impl Iterator<Item = String>) -> String {
        let parameters = self.shared.facts.build.parameters.keys().cloned();
        let fits = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let mut vars: Vec<String> =
            PASSED.iter().map(|name| (*name).to_owned()).chain(parameters).chain(names).filter(fits).collect();
        vars.sort();
        vars.dedup();
        let vars: Vec<String> = vars.iter().map(|name| format!("-e {name}")).collect();
        let name = &container.name;
        let exec = format!("\"$program\" exec {} -w \"$PWD\" {name}", vars.join(" "));
        let gone = format!(
            "\"$program\" inspect {name} >/dev/null 2>&1 || {{ echo 'the container {name} is gone; start the build again' >&2; exit 1; }}\n"
        );
        match script.starts_with("#!") {
            // A script that names its interpreter is a file that the container sees.
            true => format!(
                "set +x\n{PROGRAM}{gone}file=$(mktemp \"$WORKSPACE@tmp/script.XXXXXX\")\nprintf %s {} > \"$file\"\nchmod 700 \"$file\"\n\
                 code=0\n{exec} \"$file\" || code=$?\nrm -f \"$file\"\nexit \"$code\"",
                quoted(script)
            ),
            false => format!("set +x\n{PROGRAM}{gone}exec {exec} sh -xec {}", quoted(script)),
        }
    }
}

/// An image's name in the registry that is logged in at.
pub(crate) fn qualified(ctx: &Ctx, image: &str) -> String {
    match &ctx.registry {
        Some(host) if !image.starts_with(&format!("{host}/")) => format!("{host}/{image}"),
        _ => image.to_owned(),
    }
}

/// The image with another tag; a tag that names a repository is taken whole.
fn tagged(image: &str, tag: &str) -> String {
    if tag.contains([':', '/']) {
        return tag.to_owned();
    }
    let base = image.rfind('/').map_or(0, |at| at + 1);
    let end = image.get(base..).and_then(|last| last.find(':')).map_or(image.len(), |at| base + at);
    format!("{}:{tag}", image.get(..end).unwrap_or(image))
}

/// A word for the shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::tagged;

    #[test]
    fn tags() {
        for (image, tag, whole) in [
            ("acme/app", "1", "acme/app:1"),
            ("acme/app:2", "1", "acme/app:1"),
            ("host:5000/app", "1", "host:5000/app:1"),
            ("host:5000/app:3", "other/app:2", "other/app:2"),
        ] {
            assert_eq!(tagged(image, tag), whole);
        }
    }
}
