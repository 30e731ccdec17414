//! Checks that every step runner must pass: start twice, attach late, attach again, cancel twice, cancel after the end.
//!
//! A plugin's own tests call [`check`] with a [`Bench`] that makes contexts and counts effects. Dropping an `attach`
//! half way stands for a server that died; the next `attach` stands for the one that came after it.

use std::time::Duration;

use async_trait::async_trait;
use haliotis_model::{BuildResult, StepOutput, Value};

use crate::{StepContext, StepError, StepRunner};

/// How long the work of a context should take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As short as it can be; ends in success.
    Quick,
    /// Still going [`HALF_WAY`] after `start`; ends in success.
    Slow,
    /// Never ends unless cancelled.
    Endless,
}

/// What the suite needs from a plugin's author.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A context under a key never used before. `None`: this step cannot go at that pace, its rules are skipped.
    fn context(&self, pace: Pace) -> Option<StepContext>;

    /// How often the work under the context's key had its effect, by looking at the world: lines in a file, jobs of a
    /// name. `None`: it has none that can be counted.
    async fn effects(&self, ctx: &StepContext) -> Option<usize>;

    /// The longest that one call may take before the suite calls it hung.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// When the suite lets go of an `attach`, or cancels: long enough that the work has begun.
pub const HALF_WAY: Duration = Duration::from_millis(150);

/// A rule that the runner broke.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {rule}: {found}")]
pub struct Violation {
    /// The step kind.
    pub step: &'static str,
    /// The rule, in words.
    pub rule: &'static str,
    /// What was seen instead.
    pub found: String,
}

/// Runs every rule that the bench has a pace for.
///
/// # Errors
/// The first rule that is broken.
pub async fn check(runner: &dyn StepRunner, bench: &dyn Bench) -> Result<(), Violation> {
    let suite = Suite { runner, bench, step: runner.schema().name };
    if let Some(ctx) = bench.context(Pace::Quick) {
        suite.start_twice_then_attach_late(&ctx).await?;
    }
    if let Some(ctx) = bench.context(Pace::Quick) {
        suite.cancel_after_the_end(&ctx).await?;
    }
    if let Some(ctx) = bench.context(Pace::Slow) {
        suite.attach_in_the_middle(&ctx).await?;
    }
    if let Some(ctx) = bench.context(Pace::Endless) {
        suite.cancel_twice(&ctx).await?;
    }
    if let Some(ctx) = bench.context(Pace::Endless) {
        suite.cancel_before_attach(&ctx).await?;
    }
    Ok(())
}

struct Suite<'a> {
    runner: &'a dyn StepRunner,
    bench: &'a dyn Bench,
    step: &'static str,
}

impl Suite<'_> {
    /// Two starts make one effect; an end can be read again, even after a third start.
    async fn start_twice_then_attach_late(&self, ctx: &StepContext) -> Result<(), Violation> {
        const RULE: &str = "start twice under one key makes one effect, and attach after the end tells the same end";
        let handle = self.start(RULE, ctx).await?;
        self.same(RULE, "handles of two starts", &handle, &self.start(RULE, ctx).await?)?;
        let first = self.attach(RULE, ctx, &handle).await?;
        self.result_is(RULE, &first, |result| result == BuildResult::Success)?;
        self.same(RULE, "two attaches", &first, &self.attach(RULE, ctx, &handle).await?)?;
        self.same(RULE, "handles of start and start after the end", &handle, &self.start(RULE, ctx).await?)?;
        self.same(RULE, "attach and attach after a third start", &first, &self.attach(RULE, ctx, &handle).await?)?;
        self.one_effect(RULE, ctx).await
    }

    /// A follower that goes away loses nothing.
    async fn attach_in_the_middle(&self, ctx: &StepContext) -> Result<(), Violation> {
        const RULE: &str = "attach dropped half way and called again tells the end of the same work";
        let handle = self.start(RULE, ctx).await?;
        if tokio::time::timeout(HALF_WAY, self.runner.attach(ctx, &handle)).await.is_ok() {
            return Err(self.broken(RULE, format!("the bench's slow work ended within {HALF_WAY:?}")));
        }
        let output = self.attach(RULE, ctx, &handle).await?;
        self.result_is(RULE, &output, |result| result == BuildResult::Success)?;
        self.one_effect(RULE, ctx).await
    }

    /// The follower reports the end, which is not a success; the second wish to stop is as good as the first.
    async fn cancel_twice(&self, ctx: &StepContext) -> Result<(), Violation> {
        const RULE: &str = "cancel twice ends the work, attach reports it, and cancel after that is no error";
        let handle = self.start(RULE, ctx).await?;
        let cancel = async {
            tokio::time::sleep(HALF_WAY).await;
            self.cancel(RULE, ctx, &handle).await?;
            self.cancel(RULE, ctx, &handle).await
        };
        let (output, cancelled) = tokio::join!(self.attach(RULE, ctx, &handle), cancel);
        cancelled?;
        let output = output?;
        self.result_is(RULE, &output, |result| result != BuildResult::Success)?;
        self.cancel(RULE, ctx, &handle).await?;
        self.same(RULE, "attach and attach again", &output, &self.attach(RULE, ctx, &handle).await?)
    }

    /// As after a restart: the wish to stop comes before anybody follows.
    async fn cancel_before_attach(&self, ctx: &StepContext) -> Result<(), Violation> {
        const RULE: &str = "cancel before attach ends the work";
        let handle = self.start(RULE, ctx).await?;
        self.cancel(RULE, ctx, &handle).await?;
        let output = self.attach(RULE, ctx, &handle).await?;
        self.result_is(RULE, &output, |result| result != BuildResult::Success)
    }

    /// An end stays what it was.
    async fn cancel_after_the_end(&self, ctx: &StepContext) -> Result<(), Violation> {
        const RULE: &str = "cancel after the end is no error and changes nothing";
        let handle = self.start(RULE, ctx).await?;
        let output = self.attach(RULE, ctx, &handle).await?;
        self.cancel(RULE, ctx, &handle).await?;
        self.same(RULE, "attach before and after", &output, &self.attach(RULE, ctx, &handle).await?)?;
        self.one_effect(RULE, ctx).await
    }

    async fn start(&self, rule: &'static str, ctx: &StepContext) -> Result<Value, Violation> {
        let started = self.bounded(rule, "start", self.runner.start(ctx)).await?;
        Ok(started.handle.unwrap_or(Value::Null))
    }

    async fn attach(&self, rule: &'static str, ctx: &StepContext, handle: &Value) -> Result<StepOutput, Violation> {
        self.bounded(rule, "attach", self.runner.attach(ctx, handle)).await
    }

    async fn cancel(&self, rule: &'static str, ctx: &StepContext, handle: &Value) -> Result<(), Violation> {
        self.bounded(rule, "cancel", self.runner.cancel(ctx, handle)).await
    }

    async fn bounded<T>(
        &self,
        rule: &'static str,
        what: &str,
        call: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, Violation> {
        match tokio::time::timeout(self.bench.patience(), call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.broken(rule, format!("{what} failed: {error}"))),
            Err(_) => Err(self.broken(rule, format!("{what} did not return within {:?}", self.bench.patience()))),
        }
    }

    async fn one_effect(&self, rule: &'static str, ctx: &StepContext) -> Result<(), Violation> {
        match self.bench.effects(ctx).await {
            None | Some(1) => Ok(()),
            Some(n) => Err(self.broken(rule, format!("{n} effects under {}", ctx.key))),
        }
    }

    fn result_is(
        &self,
        rule: &'static str,
        output: &StepOutput,
        right: impl Fn(BuildResult) -> bool,
    ) -> Result<(), Violation> {
        if right(output.result) {
            return Ok(());
        }
        let message = output.message.as_deref().unwrap_or("no message");
        Err(self.broken(rule, format!("the result was {} ({message})", output.result)))
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        rule: &'static str,
        what: &str,
        a: &T,
        b: &T,
    ) -> Result<(), Violation> {
        if a == b { Ok(()) } else { Err(self.broken(rule, format!("{what} differ: {a:?} and {b:?}"))) }
    }

    fn broken(&self, rule: &'static str, found: String) -> Violation {
        Violation { step: self.step, rule, found }
    }
}
