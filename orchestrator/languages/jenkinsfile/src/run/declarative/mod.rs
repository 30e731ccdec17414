//! Declarative at run time, in Jenkins' order: agent and checkout, credentials, environment, option wrappers, tools,
//! stages, post. After the first error later stages are opened, skipped and closed, then post runs, then the error goes
//! on.

mod agent;
mod environment;
mod matrix;
mod post;
mod stage;
mod when;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use haliotis_groovy::{HostObject, Raise, Value};
use haliotis_groovy_syntax::ast::Literal;
use haliotis_model::{BuildResult, Value as Json};

use super::context::Ctx;
use super::given::Given;
use super::{Answer, Async, Run, values};
use crate::declare::model::{Args, CallArg, Calls, FragmentId, MethodCall, Model, Val, ValKind};
use crate::table::{self, Symbol};

/// What runs inside wrappers; may run more than once (`retry`).
type Body = Rc<dyn Fn(Ctx) -> Async<'static, Result<(), Raise>>>;

/// A pipeline being run.
#[derive(Clone)]
pub(crate) struct Pipeline {
    run: Rc<Run>,
    model: Rc<Model>,
    /// The closures of the model's fragments.
    fragments: Rc<Vec<Value>>,
    flags: Rc<Flags>,
}

/// What options say, and what happened so far.
#[derive(Default)]
struct Flags {
    skip_checkout: Cell<bool>,
    skip_after_unstable: Cell<bool>,
    always_fail_fast: Cell<bool>,
    subdirectory: RefCell<Option<String>>,
}

impl Run {
    /// Runs the pipeline whose fragments the script handed over.
    pub(crate) fn declarative<'a>(self: &'a Rc<Self>, ctx: &'a Ctx, args: &'a [Value]) -> Async<'a, Answer> {
        Box::pin(async move {
            let number = args.get(1).and_then(Value::as_i64).and_then(|number| usize::try_from(number).ok());
            let model = self.shared.models.borrow().get(number.unwrap_or(0)).cloned();
            let Some(model) = model else { return Ok(Value::Null) };
            let ctx = &Ctx { declarative: true, ..ctx.clone() };
            let fragments = match args.first() {
                Some(list) => self.vm(|vm| vm.elements(list))?,
                None => Vec::new(),
            };
            let pipeline =
                Pipeline { run: Rc::clone(self), model, fragments: Rc::new(fragments), flags: Rc::default() };
            pipeline.run(ctx).await?;
            Ok(Value::Null)
        })
    }
}

impl Pipeline {
    async fn run(&self, ctx: &Ctx) -> Result<(), Raise> {
        let model = Rc::clone(&self.model);
        if let Some(options) = &model.options {
            self.read_flags(ctx, options).await?;
        }
        let this = self.clone();
        let body: Body = Rc::new(move |ctx| {
            let this = this.clone();
            Box::pin(async move { this.inside(&ctx).await })
        });
        match &model.agent {
            Some(agent) => self.on_agent(ctx, agent, true, false, body).await,
            None => body(ctx.clone()).await,
        }
    }

    /// What runs on the pipeline's agent.
    async fn inside(&self, ctx: &Ctx) -> Result<(), Raise> {
        let model = Rc::clone(&self.model);
        let ctx = self.environment(ctx, model.environment.as_ref()).await?;
        let this = self.clone();
        let body: Body = Rc::new(move |ctx| {
            let this = this.clone();
            Box::pin(async move {
                let ctx = this.tools(&ctx, this.model.tools.as_ref()).await?;
                this.stages_and_post(&ctx).await
            })
        });
        match &model.options {
            Some(options) => self.wrapped(&ctx, options, body).await,
            None => body(ctx).await,
        }
    }

    async fn stages_and_post(&self, ctx: &Ctx) -> Result<(), Raise> {
        let mut answer = Ok(());
        if let Some(stages) = &self.model.stages {
            let stages = self.beginning_at_restart(ctx, &stages.stages).await;
            answer = self.sequence(ctx, stages).await;
        }
        if matches!(answer, Err(Raise::Fatal(_))) {
            return answer;
        }
        if let Err(raise) = &answer {
            self.run.account(raise);
        }
        if let Some(post) = &self.model.post {
            let failed = self.pipeline_post(ctx, post, answer.as_ref().err()).await;
            if answer.is_ok() {
                answer = failed;
            }
        }
        answer
    }

    /// Calls the closure of a fragment.
    fn fragment<'a>(&'a self, ctx: &'a Ctx, id: FragmentId) -> Async<'a, Answer> {
        Box::pin(async move {
            match self.fragments.get(id) {
                Some(closure) => {
                    let closure = closure.clone();
                    self.run.closure(ctx, &closure, &[]).await
                }
                None => {
                    Err(self.run.abort_exception("a part of the pipeline is missing; this is a defect of Haliotis"))
                }
            }
        })
    }

    /// A value of the model.
    async fn value(&self, ctx: &Ctx, val: &Val) -> Answer {
        match &val.kind {
            ValKind::Literal(literal) => Ok(constant(literal)),
            ValKind::Code { fragment, .. } => self.fragment(ctx, *fragment).await,
        }
    }

    /// Likewise as text.
    async fn text(&self, ctx: &Ctx, val: &Val) -> Result<String, Raise> {
        let value = self.value(ctx, val).await?;
        self.run.vm(|vm| values::text(vm, &value))
    }

    /// Arguments of a condition by name; a lone one under the name given.
    async fn arguments(&self, ctx: &Ctx, args: Option<&Args>, lone: &str) -> Result<Vec<(String, Value)>, Raise> {
        let mut named = Vec::new();
        match args {
            None => {}
            Some(Args::Named(pairs)) => {
                for (key, val) in pairs {
                    named.push((key.name.clone(), self.value(ctx, val).await?));
                }
            }
            Some(Args::Single(val)) => named.push((lone.to_owned(), self.value(ctx, val).await?)),
            Some(Args::Positional(vals)) => {
                for val in vals {
                    named.push((lone.to_owned(), self.value(ctx, val).await?));
                }
            }
        }
        Ok(named)
    }

    /// An argument of an option or parameter, as JSON.
    fn json<'a>(&'a self, ctx: &'a Ctx, arg: &'a CallArg) -> Async<'a, Result<Json, Raise>> {
        Box::pin(async move {
            match arg {
                CallArg::Val(val) => {
                    let value = self.value(ctx, val).await?;
                    self.run.vm(|vm| values::to_json(vm, &value))
                }
                CallArg::Call(call) => self.call_json(ctx, call).await,
                CallArg::Named(_, inner) => self.json(ctx, inner).await,
            }
        })
    }

    /// A call as JSON: its named arguments, its symbol, its lone argument as `$value`.
    async fn call_json(&self, ctx: &Ctx, call: &MethodCall) -> Result<Json, Raise> {
        let mut object = haliotis_model::Object::new();
        object.insert("$symbol".to_owned(), call.name.as_str().into());
        for arg in &call.args {
            let json = self.json(ctx, arg).await?;
            match arg {
                CallArg::Named(key, _) => object.insert(key.name.clone(), json),
                _ => object.insert("$value".to_owned(), json),
            };
        }
        Ok(object.into())
    }

    async fn read_flags(&self, ctx: &Ctx, options: &Calls) -> Result<(), Raise> {
        for call in &options.calls {
            let lone = match call.args.first() {
                Some(arg) => self.json(ctx, arg).await?,
                None => Json::Bool(true),
            };
            let truth = lone != Json::Bool(false);
            match call.name.as_str() {
                "skipDefaultCheckout" => self.flags.skip_checkout.set(truth),
                "skipStagesAfterUnstable" => self.flags.skip_after_unstable.set(true),
                "parallelsAlwaysFailFast" => self.flags.always_fail_fast.set(true),
                "checkoutToSubdirectory" => *self.flags.subdirectory.borrow_mut() = lone.as_str().map(str::to_owned),
                _ => {}
            }
        }
        Ok(())
    }

    /// Options that wrap what runs inside: `timeout`, `retry`, `withCredentials`, `lock`…
    async fn wrapped(&self, ctx: &Ctx, options: &Calls, body: Body) -> Result<(), Raise> {
        let mut body = body;
        for call in options.calls.iter().rev() {
            let json = self.call_json(ctx, call).await?;
            body = self.wrapper(&call.name, json, body);
        }
        body(ctx.clone()).await
    }

    /// An option that is a step with a block runs as that step, around what the pipeline or stage does.
    fn wrapper(&self, name: &str, json: Json, body: Body) -> Body {
        let Some(known) = table::step(name).filter(|step| step.wrapper && step.foreign.is_none()) else { return body };
        let this = self.clone();
        Rc::new(move |ctx| {
            let (this, json, body) = (this.clone(), json.clone(), Rc::clone(&body));
            Box::pin(async move { this.run_wrapper(&ctx, known, &json, body).await })
        })
    }

    async fn run_wrapper(&self, ctx: &Ctx, known: &Symbol, json: &Json, body: Body) -> Result<(), Raise> {
        let mut given = Given { body: Some(Value::Host(Rc::new(Inside(body)))), ..Given::default() };
        let lone = known.sole().or_else(|| known.params.first()).map_or("", |param| param.name);
        for (key, value) in json.as_object().into_iter().flatten().filter(|(key, _)| *key != "$symbol") {
            let key = if key == "$value" { lone } else { key };
            let value = self.run.vm(|vm| values::from_json(vm, value))?;
            given.named.push((key.to_owned(), value));
        }
        self.run.shared.say(&format!("[Pipeline] {}", known.name));
        self.run.block_step(ctx, known.name, &given).await.map(drop)
    }

    /// The build's result so far, with that of an error.
    fn combined(&self, error: Option<&Raise>) -> BuildResult {
        let now = self.run.shared.state.borrow().result.unwrap_or(BuildResult::Success);
        error.map_or(now, |raise| now.worst(self.run.meaning(raise).0))
    }
}

/// The inside of a pipeline or stage as the block of a step.
pub(crate) struct Inside(Body);

impl Inside {
    pub(crate) fn run(&self, ctx: Ctx) -> Async<'static, Result<(), Raise>> {
        (self.0)(ctx)
    }
}

impl HostObject for Inside {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.pipeline.modeldefinition.ModelInterpreter"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A constant of the source as a value.
fn constant(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(truth) => Value::Bool(*truth),
        Literal::Int(number) => Value::Int(*number),
        Literal::Long(number) => Value::Long(*number),
        Literal::Float(number) => Value::Float(*number),
        Literal::Double(number) => Value::Double(*number),
        Literal::BigDecimal(text) => text.parse().map_or_else(|_| Value::str(text), Value::Double),
        Literal::BigInteger(text) | Literal::String(text, _) => Value::str(text),
    }
}
