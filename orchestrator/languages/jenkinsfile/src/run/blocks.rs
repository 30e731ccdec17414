//! Steps with a block: each runs its closure in a context of its own.

use std::cell::Cell;
use std::rc::Rc;

use haliotis_flow::{BlockKind, Flow, StopReason};
use haliotis_groovy::{Raise, Value};
use haliotis_model::{BuildResult, StepId, Vars};

use super::context::{Ctx, Node, StageState};
use super::given::Given;
use super::{Answer, Async, Run, console, values};

/// A branch's name and what it does once it has a context of its own.
pub(crate) type Branch<T> = (String, Box<dyn FnOnce(Ctx) -> Async<'static, Result<T, Raise>>>);

impl Run {
    /// `node`: reserves a slot, then runs the body there.
    pub(crate) async fn node(self: &Rc<Self>, ctx: &Ctx, label: &str, body: &Value) -> Answer {
        let run = Rc::clone(self);
        let body = body.clone();
        self.on_node(ctx, label, None, move |ctx| Box::pin(async move { run.closure(&ctx, &body, &[]).await })).await
    }

    /// Reserves a slot for what `body` does. A node inside another with nothing at work there takes its place.
    pub(crate) async fn on_node<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        label: &str,
        folder: Option<String>,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        self.shared.say("[Pipeline] node");
        if let Some(outer) = &ctx.node {
            outer.pause(&self.shared.root);
        }
        let workspace = self.take_workspace();
        let path = self.shared.fresh(&ctx.path, "node");
        let node = Rc::new(Node::new(label.to_owned(), path, workspace.clone()));
        let answer = match node.lease(&ctx.flow()).await {
            Ok(_) => {
                self.shared.say(&format!("Running on {}", node.agent.borrow()));
                self.shared.say("[Pipeline] {");
                let mut inner = ctx.clone();
                inner.node = Some(Rc::clone(&node));
                inner.folder = folder.unwrap_or_default().into();
                inner.container = None;
                let answer = body(inner).await;
                self.shared.say("[Pipeline] }");
                answer
            }
            Err(reason) => {
                Err(self.delivered(ctx).unwrap_or_else(|| self.interruption(&reason.message(), BuildResult::Aborted)))
            }
        };
        node.close(&self.shared.root);
        self.shared.state.borrow_mut().workspaces.retain(|taken| *taken != workspace);
        self.shared.changed.tell();
        self.shared.say("[Pipeline] // node");
        answer
    }

    /// The first workspace of the build that no live node uses.
    fn take_workspace(&self) -> String {
        let mut state = self.shared.state.borrow_mut();
        let mut number = 1;
        loop {
            let name = if number == 1 { String::new() } else { format!("@{number}") };
            if !state.workspaces.contains(&name) {
                state.workspaces.push(name.clone());
                return name;
            }
            number += 1;
        }
    }

    /// `stage('n') { … }` of a script.
    pub(crate) async fn stage(self: &Rc<Self>, ctx: &Ctx, name: &str, body: Option<&Value>) -> Answer {
        let Some(body) = body else {
            self.shared.say(&format!("[Pipeline] stage ({name})"));
            return Ok(Value::Null);
        };
        let run = Rc::clone(self);
        let body = body.clone();
        self.in_stage(ctx, name, BlockKind::Stage, move |ctx| {
            Box::pin(async move { run.closure(&ctx, &body, &[]).await })
        })
        .await
    }

    /// Opens a stage for people, runs what is in it, closes it with its result.
    pub(crate) async fn in_stage<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        name: &str,
        kind: BlockKind,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        let id = self.shared.fresh(&ctx.path, name);
        self.in_block(ctx, id, name, kind, body).await
    }

    /// Likewise under a path given.
    pub(crate) async fn in_block<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        id: StepId,
        name: &str,
        kind: BlockKind,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        self.shared.say("[Pipeline] stage");
        self.shared.say(&format!("[Pipeline] {{ ({name})"));
        let flow = &self.shared.root;
        flow.open(id.clone(), name, kind);
        let stage = Rc::new(StageState { name: name.to_owned(), result: Cell::new(BuildResult::Success) });
        let mut inner = ctx.at(id.clone());
        inner.stage = Some(Rc::clone(&stage));
        let answer = body(inner).await;
        let (mut result, mut message) = (stage.result.get(), None);
        if let Err(raise) = &answer {
            let (worse, why) = self.meaning(raise);
            result = result.worst(worse);
            message = Some(why);
        }
        if let Some(outer) = &ctx.stage {
            outer.result.set(outer.result.get().worst(stage.result.get()));
        }
        flow.close(id, result, message);
        self.shared.say("[Pipeline] }");
        self.shared.say("[Pipeline] // stage");
        answer
    }

    /// The stage that a branch is: the branch's own block is open already.
    pub(crate) async fn in_branch_stage<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        path: StepId,
        name: &str,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        self.shared.say("[Pipeline] stage");
        self.shared.say(&format!("[Pipeline] {{ ({name})"));
        let stage = Rc::new(StageState { name: name.to_owned(), result: Cell::new(BuildResult::Success) });
        let mut inner = ctx.at(path);
        inner.stage = Some(Rc::clone(&stage));
        let answer = body(inner).await;
        if let Some(outer) = &ctx.stage {
            outer.result.set(outer.result.get().worst(stage.result.get()));
        }
        self.shared.say("[Pipeline] }");
        self.shared.say("[Pipeline] // stage");
        answer
    }

    /// A block that changes only the context.
    pub(crate) async fn plain_block(self: &Rc<Self>, name: &str, ctx: &Ctx, given: &Given) -> Answer {
        let Some(body) = &given.body else {
            return Err(self.throw("java.lang.IllegalStateException", &format!("There is no body to invoke: {name}")));
        };
        self.shared.say("[Pipeline] {");
        let answer = self.closure(ctx, body, &[]).await;
        self.shared.say("[Pipeline] }");
        self.shared.say(&format!("[Pipeline] // {name}"));
        answer
    }

    /// `withEnv(['A=b', 'PATH+X=/y'])`.
    pub(crate) async fn with_env(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let mut inner = ctx.clone();
        for pair in self.vm(|vm| given.texts(vm, "overrides"))? {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(
                    self.throw("java.lang.IllegalArgumentException", &format!("Invalid environment variable: {pair}"))
                );
            };
            let (name, value) = match name.split_once('+') {
                // `PATH+ANYTHING=x` puts x in front.
                Some((name, _)) => {
                    let before = self.variable(&inner, name).await?.unwrap_or_default();
                    let joined = if before.is_empty() { value.to_owned() } else { format!("{value}:{before}") };
                    (name.to_owned(), joined)
                }
                None => (name.to_owned(), value.to_owned()),
            };
            inner = inner.with_env([(name, value)]);
        }
        self.plain_block("withEnv", &inner, given).await
    }

    /// `dir('x')`, `ws('x')`.
    pub(crate) async fn dir(self: &Rc<Self>, ctx: &Ctx, name: &str, path: &str, given: &Given) -> Answer {
        if ctx.node.is_none() {
            return Err(self.no_node(ctx));
        }
        let folder = join(&ctx.folder, path).ok_or_else(|| {
            self.abort_exception(&format!("{name}: the folder {path} leaves the workspace; give one inside it"))
        })?;
        if name == "dir" {
            self.shared.say(&format!("Running in {folder}"));
        }
        let mut inner = ctx.clone();
        inner.folder = folder.into();
        self.plain_block(name, &inner, given).await
    }

    /// `timeout(time: 1, unit: 'HOURS')`.
    pub(crate) async fn timeout(self: &Rc<Self>, ctx: &Ctx, ms: u64, name: &str, body: Value) -> Answer {
        let run = Rc::clone(self);
        let inside = move |ctx: Ctx| -> Async<'static, Answer> {
            Box::pin(async move {
                run.shared.say("[Pipeline] {");
                let answer = run.closure(&ctx, &body, &[]).await;
                run.shared.say("[Pipeline] }");
                answer
            })
        };
        self.limited(ctx, Some(ms), name, inside).await
    }

    /// Runs something with a time limit.
    pub(crate) async fn limited<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        ms: Option<u64>,
        name: &str,
        body: impl FnOnce(Ctx) -> Async<'static, Result<T, Raise>>,
    ) -> Result<T, Raise> {
        let Some(ms) = ms else { return body(ctx.clone()).await };
        self.shared.say(&format!("Timeout set to expire in {}", duration(ms)));
        let timer = self.shared.fresh(&ctx.path, &format!("~{name}"));
        let outer = ctx.clone();
        let shared = Rc::clone(&self.shared);
        let flow = ctx.flow();
        flow.timeout(timer, Some(ms), move |flow: Flow| {
            let inner = outer.in_scope(flow.clone());
            let body = body(inner);
            async move {
                let answer = body.await;
                if answer.is_err() && matches!(flow.stopped(), Some(StopReason::TimedOut { .. })) {
                    shared.say("Cancelling nested steps due to timeout");
                }
                answer
            }
        })
        .await
    }

    /// `retry(3)`, `retry(count: 3, conditions: [agent(), nonresumable()])`. With conditions only what they name is
    /// tried again: that the agent was lost, or that nobody can tell how a step ended.
    pub(crate) async fn retry(self: &Rc<Self>, ctx: &Ctx, given: &Given, body: &Value) -> Answer {
        let mut left = given.integer("count").unwrap_or(1).max(1);
        let conditions = self.conditions(given)?;
        loop {
            self.shared.say("[Pipeline] {");
            let answer = self.closure(ctx, body, &[]).await;
            self.shared.say("[Pipeline] }");
            left -= 1;
            match answer {
                Err(raise) if left > 0 && self.may_be_tried_again(&raise, conditions) => {
                    let (_, message) = self.meaning(&raise);
                    self.shared.say(&format!("ERROR: {message}"));
                    self.shared.say("Retrying");
                }
                answer => {
                    self.shared.say("[Pipeline] // retry");
                    return answer;
                }
            }
        }
    }

    /// Whether `retry` was given conditions.
    fn conditions(&self, given: &Given) -> Result<bool, Raise> {
        const KNOWN: [&str; 3] = ["agent", "kubernetesAgent", "nonresumable"];
        let Some(list) = given.get("conditions") else { return Ok(false) };
        let conditions = self.vm(|vm| vm.elements(list))?;
        for condition in &conditions {
            let symbol = self.vm(|vm| match values::entry(vm, condition, "$symbol") {
                Some(symbol) => values::text(vm, &symbol),
                None => Ok(String::new()),
            })?;
            if !KNOWN.contains(&symbol.as_str()) {
                let message = format!("retry: the condition \"{symbol}\" is not known; there are {}", KNOWN.join(", "));
                return Err(self.throw("java.lang.IllegalArgumentException", &message));
            }
        }
        Ok(!conditions.is_empty())
    }

    fn may_be_tried_again(&self, raise: &Raise, conditions: bool) -> bool {
        if self.is_interruption(raise) || matches!(raise, Raise::Fatal(_)) {
            return false;
        }
        !conditions || self.is_lost(raise)
    }

    /// `waitUntil { … }`: asks again, each time after longer.
    pub(crate) async fn wait_until(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        /// As Jenkins: at most 15 seconds between two tries.
        const LONGEST_MS: u64 = 15_000;
        let Some(body) = &given.body else { return Ok(Value::Null) };
        let mut wait =
            given.integer("initialRecurrencePeriod").and_then(|ms| u64::try_from(ms).ok()).unwrap_or(250).max(50);
        loop {
            self.shared.say("[Pipeline] {");
            let answer = self.closure(ctx, body, &[]).await;
            self.shared.say("[Pipeline] }");
            let value = answer?;
            if self.vm(|vm| vm.truth(&value))? {
                self.shared.say("[Pipeline] // waitUntil");
                return Ok(Value::Null);
            }
            if !given.flag("quiet") {
                self.shared.say(&format!("Will try again after {}", duration(wait)));
            }
            self.pause_for(ctx, wait).await?;
            wait = (wait + wait / 5).min(LONGEST_MS);
        }
    }

    /// Waits; a stop is an exception.
    pub(crate) async fn pause_for(self: &Rc<Self>, ctx: &Ctx, ms: u64) -> Result<(), Raise> {
        let id = self.shared.fresh(&ctx.path, "~sleep");
        match ctx.flow().sleep(id, ms).await {
            Ok(()) => Ok(()),
            Err(reason) => {
                Err(self.delivered(ctx).unwrap_or_else(|| self.interruption(&reason.message(), BuildResult::Aborted)))
            }
        }
    }

    /// `catchError`, `warnError`.
    pub(crate) async fn catch_error(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let warn = name == "warnError";
        let worse = if warn { BuildResult::Unstable } else { BuildResult::Failure };
        let word = |name: &str| -> Result<Option<BuildResult>, Raise> {
            let text = self.vm(|vm| given.text(vm, name))?;
            match text {
                None => Ok(None),
                Some(text) => console::parse(&text).map(Some).ok_or_else(|| {
                    self.throw("java.lang.IllegalArgumentException", &format!("{name} is invalid: {text}"))
                }),
            }
        };
        let build_result = word("buildResult")?.unwrap_or(worse);
        let stage_result = word("stageResult")?.unwrap_or(build_result);
        let message = self.vm(|vm| given.text(vm, "message"))?;
        match self.plain_block(name, ctx, given).await {
            Ok(value) => Ok(value),
            Err(raise @ Raise::Fatal(_)) => Err(raise),
            Err(raise) if self.is_interruption(&raise) && !given.flag_or("catchInterruptions", true) => Err(raise),
            Err(raise) => {
                let (result, why) = self.meaning(&raise);
                let interrupted = self.is_interruption(&raise);
                if let Some(message) = &message {
                    self.shared.say(&format!("{}: {message}", if warn { "WARNING" } else { "ERROR" }));
                }
                self.shared.say(&format!("ERROR: {why}"));
                // An abort stays an abort.
                let build_result = if interrupted { build_result.worst(result) } else { build_result };
                self.shared.worsen(build_result, Some(&why));
                if let Some(stage) = &ctx.stage {
                    stage.result.set(stage.result.get().worst(stage_result));
                }
                Ok(Value::Null)
            }
        }
    }

    /// `parallel a: { … }, b: { … }, failFast: true`.
    pub(crate) async fn parallel(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let fail_fast = given.flag("failFast");
        let mut branches: Vec<(String, Value)> = Vec::new();
        for (name, value) in &given.named {
            match value {
                Value::Closure(_) => branches.push((name.clone(), value.clone())),
                _ if name == "failFast" => {}
                other => {
                    let class = self.vm(|vm| vm.class_name(other));
                    let message = format!("Expected a closure or failFast, found {name}={class}");
                    return Err(self.throw("java.lang.IllegalArgumentException", &message));
                }
            }
        }
        let mut bodies: Vec<Branch<Value>> = Vec::new();
        for (name, closure) in branches {
            let run = Rc::clone(self);
            bodies.push((name, Box::new(move |ctx| Box::pin(async move { run.closure(&ctx, &closure, &[]).await }))));
        }
        let names: Vec<String> = bodies.iter().map(|(name, _)| name.clone()).collect();
        let answers = self.branches(ctx, bodies, fail_fast, BlockKind::Branch).await?;
        self.vm(|vm| {
            let entries = names.into_iter().map(Value::from).zip(answers).collect();
            vm.map_from(entries)
        })
    }

    /// Runs branches beside each other; the first failure is the answer once all have ended.
    pub(crate) async fn branches<T: 'static>(
        self: &Rc<Self>,
        ctx: &Ctx,
        bodies: Vec<Branch<T>>,
        fail_fast: bool,
        kind: BlockKind,
    ) -> Result<Vec<T>, Raise> {
        let all = ctx.flow().scope();
        let mut handles = Vec::new();
        let first: Rc<Cell<Option<usize>>> = Rc::default();
        for (at, (name, body)) in bodies.into_iter().enumerate() {
            self.shared.say(&format!("[Pipeline] {{ (Branch: {name})"));
            let id = self.shared.fresh(&ctx.path, &name);
            self.shared.root.open(id.clone(), &name, kind);
            let inner = ctx.in_scope(all.scope()).at(id.clone());
            let run = Rc::clone(self);
            let (all, first) = (all.clone(), Rc::clone(&first));
            handles.push(self.shared.root.spawn(async move {
                let answer = body(inner).await;
                let (mut result, mut message) = (BuildResult::Success, None);
                if let Err(raise) = &answer {
                    let (worse, why) = run.meaning(raise);
                    result = worse;
                    run.shared.say(&format!("Failed in branch {name}"));
                    message = Some(why);
                    if first.get().is_none() {
                        first.set(Some(at));
                    }
                    if fail_fast {
                        all.stop(&StopReason::FailFast);
                    }
                }
                run.shared.say("[Pipeline] }");
                run.shared.root.close(id, result, message);
                answer
            }));
        }
        let mut answers = Vec::new();
        let mut errors = Vec::new();
        for (at, handle) in handles.into_iter().enumerate() {
            match handle.await {
                Ok(value) => answers.push(value),
                Err(raise) => errors.push((at, raise)),
            }
        }
        self.shared.say("[Pipeline] // parallel");
        let wanted = first.get();
        let at = errors.iter().position(|(at, _)| Some(*at) == wanted).unwrap_or(0);
        match errors.is_empty() {
            true => Ok(answers),
            false => Err(errors.swap_remove(at).1),
        }
    }

    /// `withCredentials([...])`.
    pub(crate) async fn with_credentials(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let bindings = match given.get("bindings") {
            Some(list @ Value::List(_)) => self.vm(|vm| vm.elements(list))?,
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let mut bound = Vars::new();
        let mut names = Vec::new();
        for binding in &bindings {
            self.binding(binding, &mut bound, &mut names)?;
        }
        if !names.is_empty() {
            let shown: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
            self.shared.say(&format!("Masking supported pattern matches of {}", shown.join(" or ")));
        }
        let inner = ctx.with_credentials(bound, names);
        self.plain_block("withCredentials", &inner, given).await
    }

    /// One binding: which variables get which field.
    fn binding(&self, binding: &Value, bound: &mut Vars, names: &mut Vec<String>) -> Result<(), Raise> {
        let get = |name: &str| -> Result<Option<String>, Raise> {
            self.vm(|vm| match values::entry(vm, binding, name) {
                Some(value) => values::text(vm, &value).map(Some),
                None => Ok(None),
            })
        };
        let kind = match get("$symbol")? {
            Some(kind) => kind,
            None => get("$class")?.unwrap_or_default(),
        };
        let Some(id) = get("credentialsId")? else {
            return Err(
                self.throw("java.lang.IllegalArgumentException", "Missing required parameter: \"credentialsId\"")
            );
        };
        let mut bind = |variable: Option<String>, field: &str| {
            if let Some(variable) = variable {
                let what = if field.is_empty() { id.clone() } else { format!("{id}.{field}") };
                bound.insert(variable.clone(), what);
                names.push(variable);
            }
        };
        let kind = kind.rsplit(['.', '$']).next().unwrap_or_default();
        match kind {
            "string"
            | "StringBinding"
            | "file"
            | "FileBinding"
            | "zip"
            | "ZipFileBinding"
            | "usernameColonPassword"
            | "UsernamePasswordBinding"
            | "dockerCert"
            | "kubeconfigFile"
            | "kubeconfigContent" => bind(get("variable")?, ""),
            "usernamePassword" | "UsernamePasswordMultiBinding" => {
                bind(get("usernameVariable")?, "username");
                bind(get("passwordVariable")?, "password");
            }
            "gitUsernamePassword" => {
                bind(Some("GIT_USERNAME".to_owned()), "username");
                bind(Some("GIT_PASSWORD".to_owned()), "password");
            }
            "sshUserPrivateKey" | "SSHUserPrivateKeyBinding" => {
                bind(get("keyFileVariable")?, "");
                bind(get("usernameVariable")?, "username");
                bind(get("passphraseVariable")?, "passphrase");
            }
            "certificate" | "CertificateMultiBinding" => {
                bind(get("keystoreVariable")?, "");
                bind(get("passwordVariable")?, "password");
                bind(get("aliasVariable")?, "alias");
            }
            "aws" | "AmazonWebServicesCredentialsBinding" => {
                bind(
                    Some(get("accessKeyVariable")?.unwrap_or_else(|| "AWS_ACCESS_KEY_ID".to_owned())),
                    "access-key-id",
                );
                bind(
                    Some(get("secretKeyVariable")?.unwrap_or_else(|| "AWS_SECRET_ACCESS_KEY".to_owned())),
                    "secret-access-key",
                );
            }
            other => {
                return Err(self.throw(
                    "java.lang.IllegalArgumentException",
                    &format!("withCredentials: the binding {other} is not known; use string, usernamePassword, file, sshUserPrivateKey, aws…"),
                ));
            }
        }
        Ok(())
    }
}

/// A folder below another; `None` when it leaves the workspace.
pub(crate) fn join(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `1 hr 0 min`, `5 min 0 sec`, `10 sec`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{:.2} sec", ms as f64 / 1000.0),
        1..60 => format!("{seconds} sec"),
        60..3600 => format!("{} min {} sec", seconds / 60, seconds % 60),
        _ => format!("{} hr {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
