//! Steps about other builds: `build`, `waitForBuild`, `copyArtifacts`.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{BuildResult, Call, Object, StepOutput, Value as Json};

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::other::OtherBuild;
use super::super::{Answer, Run, console};

impl Run {
    /// A call that waits long on others: the slot is free meanwhile.
    pub(super) async fn wait_for(self: &Rc<Self>, ctx: &Ctx, call: Call) -> Result<StepOutput, haliotis_groovy::Raise> {
        if let Some(node) = &ctx.node {
            node.pause(&self.shared.root);
        }
        self.perform(ctx, call).await
    }

    /// `build job: 'x', parameters: [string(name: 'A', value: 'b')]`.
    pub(super) async fn build_other(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let job = self.vm(|vm| given.required(vm, "job"))?;
        if !self.shared.has_kind("build") {
            return Err(self.abort_exception(&format!(
                "build: {job} can only be started by a server; this run has none (haliotis serve)"
            )));
        }
        let values = self.build_parameters(given)?;
        let wait = given.flag_or("wait", true) && !given.flag("waitForStart");
        self.shared.say(&format!("Scheduling project: {job}"));
        let mut call = self.call(ctx, &format!("build {job}"), "build");
        call.slot = None;
        call.with.insert("pipeline".to_owned(), job.clone().into());
        call.with.insert("parameters".to_owned(), values.into());
        call.with.insert("wait".to_owned(), wait.into());
        let output = self.wait_for(ctx, call).await?;
        if output.result != BuildResult::Success {
            return self.judge(ctx, "build", output).map(|_| Value::Null);
        }
        self.told_of_build(ctx, given, output.outputs, wait)
    }

    /// `waitForBuild 'job#3'`.
    pub(super) async fn wait_for_build(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let id = self.vm(|vm| given.required(vm, "runId"))?;
        let parts = id.rsplit_once('#').map(|(job, number)| (job.to_owned(), number.parse::<i64>()));
        let Some((job, Ok(number))) = parts else {
            return Err(self.abort_exception(&format!("waitForBuild: {id} is no build; write job#number")));
        };
        let mut wait = 1_000;
        loop {
            let outputs = self.find_build(ctx, "waitForBuild", &job, [("number", number.into())]).await?;
            if outputs.contains_key("result") {
                return self.told_of_build(ctx, given, outputs, true);
            }
            if let Some(node) = &ctx.node {
                node.pause(&self.shared.root);
            }
            self.pause_for(ctx, wait).await?;
            // Each look is journaled: seldom, where it takes long.
            wait = (wait * 2).min(60_000);
        }
    }

    fn told_of_build(&self, ctx: &Ctx, given: &Given, facts: Object, wait: bool) -> Answer {
        let name = |key: &str| facts.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let number = facts.get("number").and_then(Json::as_i64).unwrap_or(0);
        let title = format!("{} #{number}", name("pipeline").replace('/', " » "));
        if !wait {
            self.shared.say(&format!("Starting building: {title}"));
        }
        let result = BuildResult::parse(&name("result")).filter(|_| wait);
        if let Some(result) = result {
            self.shared.say(&format!("Build {title} completed: {}", console::word(result)));
        }
        if let Some(result) =
            result.filter(|result| *result != BuildResult::Success && given.flag_or("propagate", true))
        {
            let message =
                format!("{title} completed with status {} (propagate: false to ignore)", console::word(result));
            if result == BuildResult::Unstable {
                self.mark(ctx, result, &message);
            }
            return Err(self.interruption(&message, result));
        }
        Ok(OtherBuild::value(facts.into()))
    }

    /// Parameters as `string(name: …, value: …)` or `[$class: 'StringParameterValue', name: …, value: …]`.
    fn build_parameters(&self, given: &Given) -> Result<Object, haliotis_groovy::Raise> {
        let parameters = self.json_arg(given, "parameters")?.unwrap_or_default();
        let mut values = Object::new();
        for parameter in parameters.as_array().into_iter().flatten() {
            let name = parameter.get("name").and_then(Json::as_str);
            let value = ["value", "runId", "file"].iter().find_map(|key| parameter.get(key));
            if let (Some(name), Some(value)) = (name, value) {
                values.insert(name.to_owned(), value.clone());
            }
        }
        Ok(values)
    }

    async fn find_build(
        self: &Rc<Self>,
        ctx: &Ctx,
        name: &str,
        job: &str,
        more: impl IntoIterator<Item = (&'static str, Json)>,
    ) -> Result<Object, haliotis_groovy::Raise> {
        if !self.shared.has_kind("find-build") {
            return Err(self.abort_exception(&format!("{name}: builds of {job} are known to a server alone")));
        }
        let mut call = self.call(ctx, name, "find-build");
        call.slot = None;
        call.with.insert("pipeline".to_owned(), job.into());
        call.with.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        Ok(self.run_call(ctx, call).await?.outputs)
    }

    /// `copyArtifacts projectName: 'x', selector: lastSuccessful(), filter: '**/*.jar'`.
    pub(super) async fn copy_artifacts(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let job = self.vm(|vm| given.required(vm, "projectName"))?;
        let optional = given.flag("optional");
        let selector = self.json_arg(given, "selector")?.unwrap_or_default();
        let text = |key: &str| selector.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let symbol = match text("$symbol") {
            symbol if symbol.is_empty() => text("$class"),
            symbol => symbol,
        };
        let number = ["buildNumber", "$value"].iter().find_map(|key| selector.get(key)).map(|value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.trim_start_matches('#').parse::<i64>()
        });
        let mut wanted: Vec<(&'static str, Json)> = Vec::new();
        match (symbol.as_str(), number) {
            ("specific" | "SpecificBuildSelector", Some(Ok(number))) => wanted.push(("number", number.into())),
            ("specific" | "SpecificBuildSelector", _) => {
                return Err(self.abort_exception("copyArtifacts: specific() needs the number of a build"));
            }
            ("lastCompleted" | "LastCompletedBuildSelector", _) => wanted.push(("select", "completed".into())),
            ("upstream" | "TriggeredBuildSelector", _) => wanted.push(("select", "upstream".into())),
            ("" | "lastSuccessful" | "StatusBuildSelector", _) => {
                let stable = selector.get("stable").is_none_or(|stable| *stable == Json::Bool(true));
                // The plugin's default means stable or unstable; `stable: true` narrows it.
                let stable = stable && selector.get("stable").is_some();
                wanted.push(("select", if stable { "stable" } else { "successful" }.into()));
            }
            (other, _) => {
                return Err(self.abort_exception(&format!("copyArtifacts: the selector {other} is not known")));
            }
        }
        let found = match self.find_build(ctx, "copyArtifacts", &job, wanted).await {
            Err(raise @ haliotis_groovy::Raise::Throw(_)) if optional => {
                self.shared.say(&self.meaning(&raise).1);
                return Ok(Value::Null);
            }
            other => other?,
        };
        let mut call = self.call(ctx, "copyArtifacts", "copy-artifacts");
        call.with.insert("build".to_owned(), found.get("build").cloned().unwrap_or_default());
        for (theirs, ours) in [("filter", "files"), ("excludes", "exclude"), ("target", "into")] {
            if let Some(value) = self.arg(given, theirs)?.filter(|text| !text.is_empty()) {
                call.with.insert(ours.to_owned(), value.into());
            }
        }
        call.with.insert("flatten".to_owned(), given.flag("flatten").into());
        call.with.insert("allow-empty".to_owned(), optional.into());
        let output = self.run_call(ctx, call).await?;
        let count = output.outputs.get("files").and_then(Json::as_array).map_or(0, Vec::len);
        let number = found.get("number").and_then(Json::as_i64).unwrap_or(0);
        self.shared.say(&format!("Copied {count} artifacts from \"{job}\" build number {number}"));
        Ok(Value::Null)
    }
}
