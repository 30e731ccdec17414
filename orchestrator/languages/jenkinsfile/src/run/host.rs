//! What the script reaches beside steps: `env`, `params`, `currentBuild`, `scm`, `docker`, and variables by bare name.

use std::any::Any;
use std::rc::Rc;

use haliotis_groovy::host::HostCall;
use haliotis_groovy::value::MapKind;
use haliotis_groovy::{Host, HostAnswer, HostObject, Value, Vm};
use haliotis_model::{BuildResult, Value as Json};

use super::context::Ctx;
use super::other::previous;
use super::{Answer, Run, Shared, console, values};
use crate::table;

/// The machine's way to this build.
pub(crate) struct JenkinsHost(pub(crate) Rc<Shared>);

impl Host for JenkinsHost {
    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        if table::step(name).is_some() {
            let is_binding = matches!(name, "zip" | "file" | "string" | "upstream" | "build")
                && matches!(args, [map @ Value::Map(_)] if values::entry(vm, map, "credentialsId").is_some());
            if !is_binding {
                return HostAnswer::Suspend;
            }
        }
        if name == "pipeline" && !self.0.models.borrow().is_empty() {
            return HostAnswer::Suspend;
        }
        if self.0.kind_for_script(name).is_some() {
            return HostAnswer::Suspend;
        }
        if table::value_symbol(name).is_some() {
            return symbol(vm, name, args);
        }
        HostAnswer::Unknown
    }

    fn property(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "env" => host(EnvObject(Rc::clone(&self.0))),
            "currentBuild" => host(CurrentBuild(Rc::clone(&self.0))),
            "docker" => host(Docker),
            "steps" => host(Steps(Rc::clone(&self.0))),
            "params" => match self.0.params(vm) {
                Ok(map) => HostAnswer::Value(map),
                Err(raise) => HostAnswer::Throw(raise),
            },
            "scm" => match self.0.scm(vm) {
                Ok(Value::Null) => HostAnswer::Unknown,
                Ok(scm) => HostAnswer::Value(scm),
                Err(raise) => HostAnswer::Throw(raise),
            },
            _ => self.0.variable(vm, name, true),
        }
    }

    fn print(&self, text: &str) {
        self.0.say(text.strip_suffix('\n').unwrap_or(text));
    }

    fn now_ms(&self) -> i64 {
        self.0.root.now().0
    }

    fn random(&self) -> u64 {
        let mut state = self.0.state.borrow_mut();
        state.random += 1;
        let build = &self.0.facts.build;
        let seed = build.created_at.0.cast_unsigned() ^ (u64::from(build.number) << 32) ^ state.random;
        mix(seed
            .wrapping_add(build.pipeline.bytes().fold(0, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(byte))))
    }
}

/// SplitMix64: spreads a counter over all bits.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn host(object: impl HostObject) -> HostAnswer {
    HostAnswer::Value(Value::Host(Rc::new(object)))
}

/// `string(name: 'a')`: a map that says which symbol it is.
fn symbol(vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
    let map = vm.map(MapKind::Linked);
    let put = |vm: &mut Vm, key: &str, value: Value| vm.map_put(&map, Value::str(key), value).map(drop);
    let mut made = put(vm, "$symbol", Value::str(name));
    for arg in args {
        match arg {
            Value::Map(given) => {
                for (key, value) in vm.entries(given) {
                    made = made.and_then(|()| {
                        let key = values::text(vm, &key)?;
                        put(vm, &key, value)
                    });
                }
            }
            other => made = made.and_then(|()| put(vm, "$value", other.clone())),
        }
    }
    match made {
        Ok(()) => HostAnswer::Value(Value::Map(Rc::clone(&map))),
        Err(raise) => HostAnswer::Throw(raise),
    }
}

impl Shared {
    /// `params`: all parameters with their types.
    fn params(&self, vm: &mut Vm) -> Answer {
        let json = Json::Object(self.facts.build.parameters.clone());
        values::from_json(vm, &json)
    }

    /// `scm`: the repository of the Jenkinsfile, as the Git plugin's object looks.
    fn scm(&self, vm: &mut Vm) -> Answer {
        let source = &self.facts.build.source;
        let Some(repo) = &source.repo else {
            if !self.in_place() {
                return Ok(Value::Null);
            }
            return values::from_json(vm, &serde_json::json!({"$class": "GitSCM", "$own": true}));
        };
        let branch = source.branch.clone().unwrap_or_default();
        let json = serde_json::json!({
            "$class": "GitSCM",
            "$own": true,
            "branches": [{ "name": format!("*/{branch}") }],
            "userRemoteConfigs": [{ "url": repo, "credentialsId": source.credential }],
            "extensions": [],
            "key": format!("git {repo}"),
        });
        values::from_json(vm, &json)
    }

    /// A variable as the script sees it without asking the agent.
    pub(crate) fn known_variable(&self, ctx: &Ctx, name: &str) -> Option<String> {
        if ctx.secrets.contains(name) {
            return Some(haliotis_model::placeholder(name));
        }
        if let Some(value) = ctx.env.get(name) {
            return Some(value.clone());
        }
        if let Some(value) = self.state.borrow().overrides.get(name) {
            return Some(value.clone());
        }
        if let Some(value) = self.facts.build.parameters.get(name) {
            return match value {
                Json::String(text) => Some(text.clone()),
                Json::Null | Json::Array(_) | Json::Object(_) => None,
                other => Some(other.to_string()),
            };
        }
        let build = &self.facts.build;
        Some(match name {
            "BUILD_ID" | "BUILD_NUMBER" => build.number.to_string(),
            "JOB_NAME" => build.pipeline.clone(),
            "JOB_BASE_NAME" => build.pipeline.rsplit('/').next().unwrap_or_default().to_owned(),
            "BUILD_DISPLAY_NAME" => format!("#{}", build.number),
            "STAGE_NAME" => ctx.stage.as_ref()?.name.clone(),
            "GIT_COMMIT" => build.source.commit.clone()?,
            "BRANCH_NAME" | "GIT_BRANCH" | "GIT_LOCAL_BRANCH" => build.source.branch.clone()?,
            "GIT_URL" => build.source.repo.clone()?,
            "NODE_NAME" => ctx.node.as_ref()?.agent.borrow().clone(),
            _ => return build.head_vars().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value),
        })
    }

    /// `name`, `env.name`: known, or asked later.
    fn variable(&self, vm: &mut Vm, name: &str, bare: bool) -> HostAnswer {
        let _ = vm;
        let current = self.current.borrow();
        let Some(ctx) = current.as_ref() else { return HostAnswer::Unknown };
        if let Some(value) = self.known_variable(ctx, name) {
            return HostAnswer::Value(Value::from(value));
        }
        if !looks_like_variable(name) {
            return if bare { HostAnswer::Unknown } else { HostAnswer::Value(Value::Null) };
        }
        let asked = match &ctx.node {
            Some(node) => node.known.borrow().get(name).cloned(),
            None => self.state.borrow().known.get(name).cloned(),
        };
        match asked {
            Some(Some(value)) => HostAnswer::Value(Value::from(value)),
            Some(None) if bare => HostAnswer::Unknown,
            Some(None) => HostAnswer::Value(Value::Null),
            None => HostAnswer::Suspend,
        }
    }
}

/// Names that a process' environment may have: nobody is asked for `foo` or `build`.
fn looks_like_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_uppercase())
}

impl Run {
    /// A variable that only the agent, or the server, knows.
    pub(crate) async fn late_property(self: &Rc<Self>, ctx: &Ctx, call: &HostCall) -> Answer {
        let name = call.name.to_string();
        let bare = call.receiver.is_none();
        if call.receiver.as_ref().is_some_and(|receiver| receiver.as_any().is::<CurrentBuild>()) {
            return self.change_sets(ctx).await;
        }
        match self.variable(ctx, &name).await? {
            Some(value) => Ok(Value::from(value)),
            None if bare => {
                let message = format!("No such property: {name} for class: groovy.lang.Binding");
                Err(self.throw("groovy.lang.MissingPropertyException", &message))
            }
            None => Ok(Value::Null),
        }
    }

    /// A variable, asked where the script does not know it.
    pub(crate) async fn variable(
        self: &Rc<Self>,
        ctx: &Ctx,
        name: &str,
    ) -> Result<Option<String>, haliotis_groovy::Raise> {
        if let Some(value) = self.shared.known_variable(ctx, name) {
            return Ok(Some(value));
        }
        let uses = if ctx.node.is_some() { "environment" } else { "server-environment" };
        if !self.shared.has_kind(uses) {
            return Ok(None);
        }
        let mut bare = ctx.clone();
        bare.env = Rc::default();
        bare.credentials = Rc::default();
        let mut call = self.call(&bare, &format!("~{name}"), uses);
        call.with.insert("names".to_owned(), Json::from(vec![name]));
        let output = self.run_call(ctx, call).await?;
        let value = output.outputs.get("values").and_then(|values| values.get(name)).and_then(Json::as_str);
        let value = value.map(str::to_owned);
        match &ctx.node {
            Some(node) => drop(node.known.borrow_mut().insert(name.to_owned(), value.clone())),
            None => drop(self.shared.state.borrow_mut().known.insert(name.to_owned(), value.clone())),
        }
        Ok(value)
    }

    /// Methods of our objects that take time.
    pub(crate) async fn object_call(self: &Rc<Self>, ctx: &Ctx, receiver: &dyn HostObject, call: &HostCall) -> Answer {
        let object = receiver.as_any();
        if object.is::<Steps>() {
            return self.step(ctx, &call.name, &call.args).await;
        }
        if object.is::<Docker>() {
            return self.docker(ctx, &call.name, &call.args).await;
        }
        if let Some(image) = object.downcast_ref::<Image>() {
            return self.image(ctx, image, &call.name, &call.args).await;
        }
        if object.is::<CurrentBuild>() {
            return self.change_sets(ctx).await;
        }
        if let Some(running) = object.downcast_ref::<Running>() {
            return self.running(ctx, &running.id, &call.name, &call.args).await;
        }
        if object.is::<EnvObject>() {
            let name =
                call.args.first().map(|arg| self.vm(|vm| values::text(vm, arg))).transpose()?.unwrap_or_default();
            return Ok(self.variable(ctx, &name).await?.map_or(Value::Null, Value::from));
        }
        let message = format!("No signature of method: {}.{}() is applicable", receiver.class_name(), call.name);
        Err(self.throw("groovy.lang.MissingMethodException", &message))
    }
}

/// `env`.
struct EnvObject(Rc<Shared>);

impl HostObject for EnvObject {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.workflow.cps.EnvActionImpl"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "environment" => self.call(vm, "getEnvironment", &[]),
            "class" => HostAnswer::Unknown,
            _ => {
                let lenient = self.0.variable(vm, name, false);
                // Anything may be a variable of the agent when it is asked for by env.
                match lenient {
                    HostAnswer::Value(Value::Null) if !looks_like_variable(name) => HostAnswer::Value(Value::Null),
                    other => other,
                }
            }
        }
    }

    fn set(&self, vm: &mut Vm, name: &str, value: &Value) -> HostAnswer {
        match values::text(vm, value) {
            Ok(text) => {
                self.0.state.borrow_mut().overrides.insert(name.to_owned(), text);
                HostAnswer::Value(Value::Null)
            }
            Err(raise) => HostAnswer::Throw(raise),
        }
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        match (name, args) {
            ("getProperty" | "getAt" | "get", [key]) => match values::text(vm, key) {
                Ok(key) => self.0.variable(vm, &key, false),
                Err(raise) => HostAnswer::Throw(raise),
            },
            ("setProperty" | "putAt" | "put", [key, value]) => match values::text(vm, key) {
                Ok(key) => self.set(vm, &key, value),
                Err(raise) => HostAnswer::Throw(raise),
            },
            ("getEnvironment", []) => {
                let mut all = self.0.state.borrow().overrides.clone();
                if let Some(ctx) = self.0.current.borrow().as_ref() {
                    all.extend((*ctx.env).clone());
                }
                let json = all.into_iter().map(|(name, value)| (name, Json::from(value))).collect();
                match values::from_json(vm, &Json::Object(json)) {
                    Ok(map) => HostAnswer::Value(map),
                    Err(raise) => HostAnswer::Throw(raise),
                }
            }
            _ => HostAnswer::Unknown,
        }
    }
}

/// `currentBuild`.
struct CurrentBuild(Rc<Shared>);

impl CurrentBuild {
    fn value(&self, vm: &mut Vm, name: &str) -> Option<Answer> {
        let build = &self.0.facts.build;
        let state = self.0.state.borrow();
        let duration = self.0.root.now().since(build.created_at);
        let word = |result: Option<BuildResult>| result.map(console::word);
        let value = match name {
            "result" => word(state.result).map_or(Value::Null, Value::str),
            "currentResult" => Value::str(word(state.result).unwrap_or("SUCCESS")),
            "resultIsBetterOrEqualTo" => return None,
            "number" => Value::Int(i32::try_from(build.number).unwrap_or(i32::MAX)),
            "id" => Value::from(build.number.to_string()),
            "displayName" => Value::from(state.display_name.clone().unwrap_or_else(|| format!("#{}", build.number))),
            "description" => state.description.clone().map_or(Value::Null, Value::from),
            "projectName" => Value::str(build.pipeline.rsplit('/').next().unwrap_or_default()),
            "fullProjectName" => Value::str(&build.pipeline),
            "fullDisplayName" => Value::from(format!("{} #{}", build.pipeline.replace('/', " » "), build.number)),
            "duration" => Value::Long(i64::try_from(duration).unwrap_or(i64::MAX)),
            "durationString" => Value::from(format!("{} and counting", span(duration))),
            "startTimeInMillis" | "timeInMillis" => Value::Long(build.created_at.0),
            "nextBuild" => Value::Null,
            "absoluteUrl" => {
                drop(state);
                let url = self.0.current.borrow().as_ref().and_then(|ctx| self.0.known_variable(ctx, "BUILD_URL"));
                url.map_or(Value::Null, Value::from)
            }
            _ if name.starts_with("previous") => return Some(Ok(previous(&self.0.facts.build, build.number, name)?)),
            "keepLog" => Value::Bool(false),
            "upstreamBuilds" => vm.list(Vec::new()),
            "buildVariables" => return Some(self.0.params(vm)),
            "buildCauses" => return Some(self.causes(vm, "")),
            "rawBuild" => {
                return Some(Err(vm.throw(
                    "org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException",
                    "Scripts not permitted to use method org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper getRawBuild",
                )));
            }
            _ => return None,
        };
        Some(Ok(value))
    }

    /// All causes, or those of a class by its full or simple name.
    fn causes(&self, vm: &mut Vm, class: &str) -> Answer {
        let causes: Vec<Json> = self
            .0
            .facts
            .build
            .causes
            .iter()
            .map(|cause| {
                use haliotis_model::Cause;
                let (class, text) = match cause {
                    Cause::User { by } => ("hudson.model.Cause$UserIdCause", format!("Started by user {by}")),
                    Cause::Commit { .. } => {
                        ("hudson.triggers.SCMTrigger$SCMTriggerCause", "Started by an SCM change".to_owned())
                    }
                    Cause::Cron { .. } => {
                        ("hudson.triggers.TimerTrigger$TimerTriggerCause", "Started by timer".to_owned())
                    }
                    Cause::Upstream { pipeline, number } => (
                        "org.jenkinsci.plugins.workflow.support.steps.build.BuildUpstreamCause",
                        format!("Started by upstream project \"{pipeline}\" build number {number}"),
                    ),
                    _ => ("hudson.model.Cause$RemoteCause", "Started by remote host".to_owned()),
                };
                let user = match cause {
                    Cause::User { by } => Json::from(by.as_str()),
                    _ => Json::Null,
                };
                serde_json::json!({ "_class": class, "shortDescription": text, "userId": user, "userName": user })
            })
            .filter(|cause| {
                let of = cause.get("_class").and_then(Json::as_str).unwrap_or_default();
                let simple = of.rsplit(['.', '$']).next();
                class.is_empty() || of == class || simple == class.rsplit(['.', '$']).next()
            })
            .collect();
        values::from_json(vm, &Json::Array(causes))
    }
}

fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} sec", seconds, (ms % 1000) / 100),
        60..3600 => format!("{} min {} sec", seconds / 60, seconds % 60),
        _ => format!("{} hr {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

impl HostObject for CurrentBuild {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        if name == "changeSets" {
            // The server knows.
            return HostAnswer::Suspend;
        }
        match self.value(vm, name) {
            Some(Ok(value)) => HostAnswer::Value(value),
            Some(Err(raise)) => HostAnswer::Throw(raise),
            None => HostAnswer::Unknown,
        }
    }

    fn set(&self, vm: &mut Vm, name: &str, value: &Value) -> HostAnswer {
        let text = match values::text(vm, value) {
            Ok(text) => text,
            Err(raise) => return HostAnswer::Throw(raise),
        };
        match name {
            "result" => match console::parse(&text) {
                Some(result) => self.0.worsen(result, None),
                None => {
                    let message = format!("{text} is no build result");
                    return HostAnswer::Throw(vm.throw("java.lang.IllegalArgumentException", message));
                }
            },
            "displayName" => self.0.state.borrow_mut().display_name = Some(text),
            "description" => {
                self.0.state.borrow_mut().description = (!value.is_null()).then_some(text);
            }
            "keepLog" => {}
            _ => return HostAnswer::Unknown,
        }
        HostAnswer::Value(Value::Null)
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        if matches!(name, "resultIsBetterOrEqualTo" | "resultIsWorseOrEqualTo") {
            let Some(other) =
                args.first().and_then(|arg| values::text(vm, arg).ok()).and_then(|text| console::parse(&text))
            else {
                return HostAnswer::Throw(vm.throw("java.lang.IllegalArgumentException", "no build result"));
            };
            let now = self.0.state.borrow().result.unwrap_or(BuildResult::Success);
            let better = name == "resultIsBetterOrEqualTo";
            return HostAnswer::Value(Value::Bool(if better { now <= other } else { now >= other }));
        }
        if let (Some(rest), []) = (name.strip_prefix("get"), args) {
            let mut chars = rest.chars();
            let property: String = chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect();
            return self.get(vm, &property);
        }
        if let ("getBuildCauses", [class]) = (name, args) {
            let answer = values::text(vm, class).and_then(|class| self.causes(vm, &class));
            return answer.map_or_else(HostAnswer::Throw, HostAnswer::Value);
        }
        if let (Some(rest), [value]) = (name.strip_prefix("set"), args) {
            let mut chars = rest.chars();
            let property: String = chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect();
            return self.set(vm, &property, value);
        }
        HostAnswer::Unknown
    }
}

/// Milliseconds as Jenkins tells them, once a build has ended.
pub(crate) fn span_text(ms: u64) -> String {
    span(ms)
}

/// `steps`: every step as a method, for classes of libraries.
struct Steps(Rc<Shared>);

impl HostObject for Steps {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.workflow.cps.DSL"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn call(&self, _vm: &mut Vm, name: &str, _args: &[Value]) -> HostAnswer {
        let known = table::step(name).is_some() || self.0.kind_for_script(name).is_some();
        if known { HostAnswer::Suspend } else { HostAnswer::Unknown }
    }
}

/// `docker`.
pub(crate) struct Docker;

impl HostObject for Docker {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.docker.workflow.Docker"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn call(&self, _vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        match (name, args) {
            ("image", [Value::Str(image)]) => host(Image { name: image.to_string() }),
            ("image" | "build" | "withRegistry" | "withServer" | "withTool", _) => HostAnswer::Suspend,
            _ => HostAnswer::Unknown,
        }
    }
}

/// `docker.image('x')`.
pub(crate) struct Image {
    pub(crate) name: String,
}

impl Image {
    pub(crate) fn value(name: String) -> Value {
        Value::Host(Rc::new(Image { name }))
    }
}

impl HostObject for Image {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.docker.workflow.Docker$Image"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, _vm: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "id" => HostAnswer::Value(Value::str(&self.name)),
            _ => HostAnswer::Unknown,
        }
    }

    fn call(&self, _vm: &mut Vm, name: &str, _args: &[Value]) -> HostAnswer {
        match name {
            "inside" | "pull" | "push" | "tag" | "run" | "withRun" => HostAnswer::Suspend,
            "imageName" => HostAnswer::Value(Value::str(&self.name)),
            _ => HostAnswer::Unknown,
        }
    }
}

/// A container that `docker.image('x').run()` started.
pub(crate) struct Running {
    pub(crate) id: String,
}

impl HostObject for Running {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.docker.workflow.Docker$Container"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, _vm: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "id" => HostAnswer::Value(Value::str(&self.id)),
            _ => HostAnswer::Unknown,
        }
    }

    fn call(&self, _vm: &mut Vm, name: &str, _args: &[Value]) -> HostAnswer {
        match name {
            "stop" | "port" => HostAnswer::Suspend,
            _ => HostAnswer::Unknown,
        }
    }
}
