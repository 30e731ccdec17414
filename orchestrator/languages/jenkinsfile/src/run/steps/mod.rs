//! Jenkins' steps: their names and arguments, turned into step kinds of Haliotis or done here.

mod aws;
mod basic;
mod builds;
mod data;
pub(crate) mod docker;
mod files;
pub(crate) mod input;
mod java;
pub(crate) mod kinds;
mod libraries;
mod locks;
mod mail;
mod outside;
mod scm;
mod shell;
mod slack;

use std::rc::Rc;

use haliotis_groovy::Value;

use super::context::Ctx;
use super::given::Given;
use super::{Answer, Async, Run, values};
use crate::table;

/// Blocks that only change how the console looks, which Haliotis does anyway or not at all.
const TRANSPARENT: [&str; 2] = ["ansiColor", "timestamps"];
/// Milliseconds of Jenkins' time units.
const UNITS: [(&str, u64); 7] = [
    ("NANOSECONDS", 0),
    ("MICROSECONDS", 0),
    ("MILLISECONDS", 1),
    ("SECONDS", 1000),
    ("MINUTES", 60_000),
    ("HOURS", 3_600_000),
    ("DAYS", 86_400_000),
];

impl Run {
    /// Runs a step by its Jenkins name.
    pub(crate) fn step<'a>(self: &'a Rc<Self>, ctx: &'a Ctx, name: &'a str, args: &'a [Value]) -> Async<'a, Answer> {
        Box::pin(async move {
            let Some(known) = table::step(name).filter(|known| known.foreign.is_none()) else {
                if let Some(kind) = self.shared.kind_for_script(name) {
                    return self.kind_step(ctx, kind, args).await;
                }
                let message = format!("No such DSL method '{name}' found among steps");
                return Err(self.throw("java.lang.NoSuchMethodError", &message));
            };
            // A stop reaches the script at its next step.
            if let Some(raise) = self.delivered(ctx) {
                return Err(raise);
            }
            let given = self.vm(|vm| Given::read(vm, known, args))?;
            if known.node && ctx.node.is_none() {
                return Err(self.no_node(ctx));
            }
            if !matches!(name, "node" | "stage" | "parallel" | "script") {
                self.shared.say(&format!("[Pipeline] {name}"));
            } else if name == "parallel" {
                self.shared.say("[Pipeline] parallel");
            }
            if known.block {
                return self.block_step(ctx, name, &given).await;
            }
            self.plain_step(ctx, name, &given).await
        })
    }

    /// Runs a step with a block; its name is said already.
    pub(crate) async fn block_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let body = || given.body.clone().unwrap_or_default();
        match name {
            "node" => {
                let label = self.vm(|vm| given.text(vm, "label"))?.unwrap_or_default();
                self.node(ctx, &label, &body()).await
            }
            "stage" => {
                let stage = self.vm(|vm| given.required(vm, "name"))?;
                self.stage(ctx, &stage, given.body.as_ref()).await
            }
            "parallel" => self.parallel(ctx, given).await,
            "script" => {
                self.shared.say("[Pipeline] script");
                self.plain_block("script", ctx, given).await
            }
            "withEnv" => self.with_env(ctx, given).await,
            "dir" | "ws" => {
                let path = self.vm(|vm| given.required(vm, if name == "dir" { "path" } else { "dir" }))?;
                self.dir(ctx, name, &path, given).await
            }
            "timeout" => {
                let ms = self.time(given, "MINUTES")?;
                if given.flag("activity") {
                    self.shared
                        .say("timeout: activity: true is not known here: the limit counts from the block's start");
                }
                let answer = self.timeout(ctx, ms, "timeout", body()).await;
                self.shared.say("[Pipeline] // timeout");
                answer
            }
            "retry" => self.retry(ctx, given, &body()).await,
            "waitUntil" => self.wait_until(ctx, given).await,
            "catchError" | "warnError" => self.catch_error(ctx, name, given).await,
            "withCredentials" => self.with_credentials(ctx, given).await,
            "withAWS" => self.with_aws(ctx, given).await,
            "lock" => self.lock(ctx, given).await,
            "sshagent" => self.sshagent(ctx, given).await,
            "tee" => {
                let file = self.vm(|vm| given.required(vm, "file"))?;
                self.shared.say(&format!("tee: the output stands in the build's log; {file} is not written"));
                self.plain_block(name, ctx, given).await
            }
            "wrap" | "withContext" => self.plain_block(name, ctx, given).await,
            _ if TRANSPARENT.contains(&name) => self.plain_block(name, ctx, given).await,
            _ => Err(self.abort_exception(&format!("The step {name} is known and cannot be run yet"))),
        }
    }

    /// One step without a block. Its future is boxed alone: a step is moved about as often as it is called, and the longest
    /// of all is long.
    fn plain_step<'a>(self: &'a Rc<Self>, ctx: &'a Ctx, name: &'a str, given: &'a Given) -> Async<'a, Answer> {
        match name {
            "sh" => Box::pin(self.sh(ctx, given)),
            "bat" | "powershell" | "pwsh" => Box::pin(std::future::ready(Err(self.abort_exception(&format!(
                "{name}: this agent runs Linux, where the step does not work; use sh, or ask isUnix() first"
            ))))),
            "checkout" | "git" => Box::pin(self.checkout(ctx, name, given)),
            "input" => Box::pin(self.input_step(ctx, given)),
            "readFile" | "writeFile" | "fileExists" | "deleteDir" | "cleanWs" | "findFiles" | "touch" | "sha1"
            | "sha256" | "verifySha1" | "verifySha256" | "zip" | "unzip" | "tar" | "untar" | "stash" | "unstash"
            | "archiveArtifacts" | "archive" | "junit" | "pwd" | "publishHTML" | "unarchive" => {
                Box::pin(self.file_step(ctx, name, given))
            }
            "readJSON" | "writeJSON" | "readYaml" | "writeYaml" | "readProperties" | "readCSV" | "writeCSV" => {
                Box::pin(self.data_step(ctx, name, given))
            }
            "readMavenPom" => Box::pin(self.read_pom(ctx, given)),
            "readManifest" => Box::pin(self.read_manifest(ctx, given)),
            "build" => Box::pin(self.build_other(ctx, given)),
            "waitForBuild" => Box::pin(self.wait_for_build(ctx, given)),
            "copyArtifacts" => Box::pin(self.copy_artifacts(ctx, given)),
            "library" => Box::pin(self.library(ctx, given)),
            "libraryResource" => Box::pin(std::future::ready(self.resource(given))),
            "mail" | "emailext" => Box::pin(self.mail(ctx, name, given)),
            "milestone" => Box::pin(self.milestone(ctx, given)),
            "httpRequest" | "nodesByLabel" => Box::pin(self.outside_step(ctx, name, given)),
            "slackSend" => Box::pin(self.slack(ctx, given)),
            _ if name.starts_with("cfn")
                || name.starts_with("s3")
                || matches!(name, "awsIdentity" | "ecrLogin" | "invokeLambda" | "snsPublish") =>
            {
                Box::pin(self.aws_step(ctx, name, given))
            }
            _ => Box::pin(self.basic_step(ctx, name, given)),
        }
    }

    /// `time` and `unit` in milliseconds.
    pub(crate) fn time(&self, given: &Given, unit: &str) -> Result<u64, haliotis_groovy::Raise> {
        let time = match given.get("time") {
            Some(Value::Double(number)) => *number,
            Some(_) => given.integer("time").unwrap_or(0) as f64,
            None => {
                return Err(self.throw("java.lang.IllegalArgumentException", "Missing required parameter: \"time\""));
            }
        };
        let unit = self.vm(|vm| given.text(vm, "unit"))?.unwrap_or_else(|| unit.to_owned()).to_uppercase();
        let Some((_, ms)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let names: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
            let message =
                format!("No enum constant java.util.concurrent.TimeUnit.{unit} (known: {})", names.join(", "));
            return Err(self.throw("java.lang.IllegalArgumentException", &message));
        };
        Ok((time.max(0.0) * *ms as f64) as u64)
    }

    /// A text argument.
    pub(crate) fn arg(&self, given: &Given, name: &str) -> Result<Option<String>, haliotis_groovy::Raise> {
        self.vm(|vm| given.text(vm, name))
    }

    /// An argument as JSON.
    pub(crate) fn json_arg(
        &self,
        given: &Given,
        name: &str,
    ) -> Result<Option<haliotis_model::Value>, haliotis_groovy::Raise> {
        given.get(name).map(|value| self.vm(|vm| values::to_json(vm, value))).transpose()
    }
}
