//! Stages: when, options, input, agent, environment, tools, body, post, in this order.

use std::cell::RefCell;
use std::rc::Rc;

use haliotis_flow::BlockKind;
use haliotis_groovy::Raise;
use haliotis_groovy_syntax::ast::Literal;
use haliotis_model::{BuildResult, Value as Json};

use super::super::context::Ctx;
use super::super::{Question, parameter};
use super::{Async, Body, Pipeline};
use crate::declare::model::{CallArg, Calls, Input, Stage};

/// Why later stages do not run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Skip {
    Failure,
    Unstable,
    Restart,
}

/// What a stage contributes to a sequence: that it failed, or that nothing happened.
pub(super) type Ended = Result<(), Raise>;

impl Pipeline {
    /// Stages one after another; after an error the rest is skipped.
    pub(super) fn sequence<'a>(&'a self, ctx: &'a Ctx, stages: &'a [Stage]) -> Async<'a, Ended> {
        Box::pin(async move {
            let mut first: Ended = Ok(());
            for stage in stages {
                let unstable = self.flags.skip_after_unstable.get()
                    && self.run.shared.state.borrow().result == Some(BuildResult::Unstable);
                let skip = if first.is_err() { Some(Skip::Failure) } else { unstable.then_some(Skip::Unstable) };
                if let Some(skip) = skip {
                    self.skipped(ctx, stage, skip).await;
                    continue;
                }
                if let Err(raise) = self.stage(ctx, stage).await {
                    if matches!(raise, Raise::Fatal(_)) {
                        return Err(raise);
                    }
                    self.run.account(&raise);
                    first = Err(raise);
                }
            }
            first
        })
    }

    /// The stages from the one on that the build restarts at; those before it are skipped, whatever they say.
    pub(super) async fn beginning_at_restart<'a>(&'a self, ctx: &'a Ctx, stages: &'a [Stage]) -> &'a [Stage] {
        let at = self.restarts_at().and_then(|name| stages.iter().position(|stage| stage.name == name));
        let (before, rest) = stages.split_at(at.unwrap_or(0));
        for stage in before {
            self.skipped(ctx, stage, Skip::Restart).await;
        }
        rest
    }

    fn restarts_at(&self) -> Option<&str> {
        self.run.shared.facts.build.carry.as_ref()?.stage.as_deref()
    }

    /// Opens a stage and closes it again: it will not run.
    fn skipped<'a>(&'a self, ctx: &'a Ctx, stage: &'a Stage, skip: Skip) -> Async<'a, ()> {
        Box::pin(async move {
            let why = match skip {
                Skip::Failure => "earlier failure(s)".to_owned(),
                Skip::Unstable => "earlier stage(s) marking the build as unstable".to_owned(),
                Skip::Restart => {
                    format!("this build restarting at stage \"{}\"", self.restarts_at().unwrap_or_default())
                }
            };
            let shared = &self.run.shared;
            let id = shared.fresh(&ctx.path, &stage.name);
            shared.say("[Pipeline] stage");
            shared.say(&format!("[Pipeline] {{ ({})", stage.name));
            shared.say(&format!("Stage \"{}\" skipped due to {why}", stage.name));
            let inner = ctx.at(id.clone());
            let nested = stage.stages.iter().chain(&stage.parallel).flat_map(|stages| &stages.stages);
            for stage in nested {
                self.skipped(&inner, stage, skip).await;
            }
            shared.root.skip(id, format!("skipped due to {why}"));
            shared.say("[Pipeline] }");
            shared.say("[Pipeline] // stage");
        })
    }

    /// One stage.
    pub(super) fn stage<'a>(&'a self, ctx: &'a Ctx, stage: &'a Stage) -> Async<'a, Ended> {
        Box::pin(async move {
            let (this, inner) = (self.clone(), Rc::new(stage.clone()));
            self.run
                .in_stage(ctx, &stage.name, BlockKind::Stage, move |ctx| {
                    Box::pin(async move { this.in_stage(&ctx, inner).await })
                })
                .await
        })
    }

    /// What is inside an opened stage.
    pub(super) async fn in_stage(&self, ctx: &Ctx, stage: Rc<Stage>) -> Ended {
        if self.before(ctx, &stage, |when| when.before_options == Some(true)).await? {
            return Ok(());
        }
        let (this, inner) = (self.clone(), Rc::clone(&stage));
        let body: Body = Rc::new(move |ctx| {
            let (this, stage) = (this.clone(), Rc::clone(&inner));
            Box::pin(async move { this.in_options(&ctx, stage).await })
        });
        match &stage.options {
            Some(options) => self.wrapped(ctx, options, body).await,
            None => body(ctx.clone()).await,
        }
    }

    async fn in_options(&self, ctx: &Ctx, stage: Rc<Stage>) -> Ended {
        let early =
            |when: &crate::declare::model::When| when.before_input == Some(true) && when.before_options != Some(true);
        if self.before(ctx, &stage, early).await? {
            return Ok(());
        }
        let mut ctx = ctx.clone();
        if let Some(input) = &stage.input {
            ctx = self.directive_input(&ctx, input).await?;
        }
        let late = |when: &crate::declare::model::When| {
            when.before_agent == Some(true) && when.before_input != Some(true) && when.before_options != Some(true)
        };
        if self.before(&ctx, &stage, late).await? {
            return Ok(());
        }
        let (this, inner) = (self.clone(), Rc::clone(&stage));
        let body: Body = Rc::new(move |ctx| {
            let (this, stage) = (this.clone(), Rc::clone(&inner));
            Box::pin(async move { this.on_node(&ctx, stage).await })
        });
        match &stage.agent {
            Some(agent) => {
                let skips = stage.options.as_ref().is_some_and(skips_checkout);
                self.on_agent(&ctx, agent, false, skips, body).await
            }
            None => body(ctx).await,
        }
    }

    async fn on_node(&self, ctx: &Ctx, stage: Rc<Stage>) -> Ended {
        let undecided = |when: &crate::declare::model::When| {
            when.before_agent != Some(true) && when.before_input != Some(true) && when.before_options != Some(true)
        };
        // The condition sees the stage's own environment.
        let prepared = self.environment(ctx, stage.environment.as_ref()).await;
        let with_environment = match &prepared {
            Ok(inner) => inner.clone(),
            Err(_) => ctx.clone(),
        };
        if prepared.is_ok() && self.before(&with_environment, &stage, undecided).await? {
            return Ok(());
        }
        let mut answer = match prepared {
            Ok(inner) => match self.tools(&inner, stage.tools.as_ref()).await {
                Ok(inner) => self.contents(&inner, &stage).await,
                Err(raise) => Err(raise),
            },
            Err(raise) => Err(raise),
        };
        if matches!(answer, Err(Raise::Fatal(_))) {
            return answer;
        }
        if let Some(post) = &stage.post {
            let failed = self.stage_post(&with_environment, post, answer.as_ref().err()).await;
            if answer.is_ok() {
                answer = failed;
            }
        }
        answer
    }

    async fn contents(&self, ctx: &Ctx, stage: &Rc<Stage>) -> Ended {
        if let Some(parallel) = &stage.parallel {
            return self.parallel(ctx, stage, &parallel.stages).await;
        }
        if let Some(matrix) = &stage.matrix {
            return self.matrix(ctx, stage, matrix).await;
        }
        if let Some(stages) = &stage.stages {
            return self.sequence(ctx, &stages.stages).await;
        }
        match stage.branches.first() {
            Some(branch) => self.fragment(ctx, branch.block).await.map(drop),
            None => Ok(()),
        }
    }

    async fn parallel(&self, ctx: &Ctx, stage: &Stage, stages: &[Stage]) -> Ended {
        self.run.shared.say("[Pipeline] parallel");
        let mut bodies: Vec<crate::run::blocks::Branch<()>> = Vec::new();
        for inner in stages {
            let (this, inner) = (self.clone(), inner.clone());
            let name = inner.name.clone();
            bodies.push((
                name,
                Box::new(move |ctx| {
                    Box::pin(async move {
                        let name = inner.name.clone();
                        let path = ctx.path.clone();
                        let run = Rc::clone(&this.run);
                        let inner = Rc::new(inner);
                        run.in_branch_stage(&ctx, path, &name, move |ctx| {
                            Box::pin(async move { this.in_stage(&ctx, inner).await })
                        })
                        .await
                    })
                }),
            ));
        }
        let fail_fast = stage.fail_fast == Some(true) || self.flags.always_fail_fast.get();
        self.run.branches(ctx, bodies, fail_fast, BlockKind::Branch).await.map(drop)
    }

    /// `true`: the condition, which is to be judged now, does not hold.
    async fn before(
        &self,
        ctx: &Ctx,
        stage: &Stage,
        now: impl Fn(&crate::declare::model::When) -> bool,
    ) -> Result<bool, Raise> {
        let Some(when) = stage.when.as_ref().filter(|when| now(when)) else { return Ok(false) };
        if self.holds(ctx, when).await? {
            return Ok(false);
        }
        self.run.shared.say(&format!("Stage \"{}\" skipped due to when conditional", stage.name));
        Ok(true)
    }

    /// `input { … }`: the answer's values become variables of the stage.
    async fn directive_input(&self, ctx: &Ctx, input: &Input) -> Result<Ctx, Raise> {
        let text = |val: &Option<crate::declare::model::Val>| {
            let (this, ctx, val) = (self.clone(), ctx.clone(), val.clone());
            async move {
                match val {
                    Some(val) => this.text(&ctx, &val).await.map(Some),
                    None => Ok(None),
                }
            }
        };
        let mut parameters = Vec::new();
        for call in input.parameters.iter().flat_map(|calls| &calls.calls) {
            let json: Json = self.call_json(ctx, call).await?;
            parameters.extend(parameter(&json));
        }
        let question = Question {
            message: text(&input.message).await?.unwrap_or_default(),
            id: text(&input.id).await?,
            ok: text(&input.ok).await?,
            submitter: text(&input.submitter).await?,
            submitter_parameter: text(&input.submitter_parameter).await?,
            parameters,
        };
        self.run.shared.say("[Pipeline] input");
        let answer = self.run.ask(ctx, &question).await?;
        let values = RefCell::new(Vec::new());
        for (name, value) in &answer.values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            values.borrow_mut().push((name.clone(), text));
        }
        if let Some(name) = &question.submitter_parameter {
            values.borrow_mut().push((name.clone(), answer.by));
        }
        Ok(ctx.with_env(values.into_inner()))
    }
}

/// Whether a stage's options say `skipDefaultCheckout()`.
fn skips_checkout(options: &Calls) -> bool {
    options.calls.iter().any(|call| {
        let refused =
            matches!(call.args.first(), Some(CallArg::Val(val)) if matches!(val.literal(), Some(Literal::Bool(false))));
        call.name == "skipDefaultCheckout" && !refused
    })
}
