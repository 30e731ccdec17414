//! Steps with scripted outcomes, and a bench to run any step on. For tests of the engine and of plugins.
//!
//! None of these does anything to the world, so all may be started as often as one likes.

pub mod bench;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Interrupted, Object, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use tokio::sync::Notify;

/// All dummy steps, by name.
pub const STEPS: &[&dyn StepRunner] = &[
    &Dummy(Kind::Fail),
    &Dummy(Kind::Flaky),
    &Dummy(Kind::Interrupted),
    &Dummy(Kind::Ok),
    &Dummy(Kind::Print),
    &Dummy(Kind::Slow),
];

/// The most that `dummy.print` writes at a time, in bytes.
const PRINT_CHUNK: usize = 64 * 1024;
/// The line that `dummy.print` repeats: five bytes with its end.
const PRINT_LINE: &[u8] = b"line\n";

/// All dummy steps, by name.
pub fn steps() -> Vec<&'static dyn StepRunner> {
    STEPS.to_vec()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fail,
    Flaky,
    Interrupted,
    Ok,
    Print,
    Slow,
}

struct Dummy(Kind);

/// Who waits in `dummy.slow`, by scratch folder, so that `cancel` finds the waiter.
static WAITERS: Mutex<BTreeMap<PathBuf, Arc<Notify>>> = Mutex::new(BTreeMap::new());

impl Dummy {
    const fn name(&self) -> &'static str {
        match self.0 {
            Kind::Fail => "dummy.fail",
            Kind::Flaky => "dummy.flaky",
            Kind::Interrupted => "dummy.interrupted",
            Kind::Ok => "dummy.ok",
            Kind::Print => "dummy.print",
            Kind::Slow => "dummy.slow",
        }
    }
}

#[async_trait]
impl StepRunner for Dummy {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Integer, Map, String};
        let (doc, arguments, example) = match self.0 {
            Kind::Ok => (
                "Succeeds at once with the outputs it was given.",
                vec![ArgumentSchema::optional("outputs", Map, "Its outputs.")],
                "outputs: { answer: 42 }",
            ),
            Kind::Fail => (
                "Fails at once.",
                vec![ArgumentSchema::optional("message", String, "Why.").or("it was told to fail")],
                "message: no",
            ),
            Kind::Slow => (
                "Succeeds after a while, or is aborted before.",
                vec![ArgumentSchema::optional("ms", Integer, "Milliseconds to wait.").or(1000)],
                "ms: 50",
            ),
            Kind::Flaky => (
                "Fails in its first attempts and succeeds in the next.",
                vec![ArgumentSchema::optional("fail-attempts", Integer, "How many attempts fail.").or(1)],
                "fail-attempts: 2",
            ),
            Kind::Interrupted => ("Was started, and its outcome is unknown.", Vec::new(), "{}"),
            Kind::Print => (
                "Logs five-byte lines.",
                vec![ArgumentSchema::required("bytes", Integer, "How many bytes.")],
                "bytes: 1000",
            ),
        };
        StepSchema {
            name: self.name(),
            doc,
            placement: Placement::Server,
            delivery: if self.0 == Kind::Interrupted { Delivery::AtMostOnce } else { Delivery::AtLeastOnce },
            arguments,
            outputs: Vec::new(),
            open_outputs: true,
            cloud: false,
            example,
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        Ok(match self.0 {
            Kind::Ok => StepOutput::success(ctx.map("outputs")),
            Kind::Fail => StepOutput::failure(ctx.text("message").unwrap_or_else(|| "it was told to fail".to_owned())),
            Kind::Slow => slow(ctx).await,
            Kind::Flaky => flaky(ctx),
            Kind::Interrupted => interrupted(),
            Kind::Print => print(ctx),
        })
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        std::fs::write(ctx.scratch.join("cancelled"), "")?;
        waiter(ctx).notify_one();
        Ok(())
    }
}

fn waiter(ctx: &StepContext) -> Arc<Notify> {
    let mut waiters = WAITERS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(waiters.entry(ctx.scratch.clone()).or_default())
}

async fn slow(ctx: &StepContext) -> StepOutput {
    let waiter = waiter(ctx);
    let wait = Duration::from_millis(ctx.integer("ms").and_then(|ms| u64::try_from(ms).ok()).unwrap_or(1000));
    let ended = ctx.scratch.join("ended");
    let cancelled = ctx.scratch.join("cancelled").exists();
    let done = ended.exists() || (!cancelled && tokio::time::timeout(wait, waiter.notified()).await.is_err());
    WAITERS.lock().unwrap_or_else(PoisonError::into_inner).remove(&ctx.scratch);
    if done {
        let _ = std::fs::write(ended, "");
        return StepOutput::success(Object::new());
    }
    StepOutput::aborted("stopped on request")
}

fn flaky(ctx: &StepContext) -> StepOutput {
    let failing = ctx.integer("fail-attempts").unwrap_or(1);
    if i64::from(ctx.key.attempt) <= failing {
        return StepOutput::failure(format!("attempt {} of {failing} that fail", ctx.key.attempt));
    }
    StepOutput::success(Object::new())
}

fn interrupted() -> StepOutput {
    let mut output = StepOutput::failure("interrupted: the outcome is unknown");
    output.interrupted = Some(Interrupted { why: "it was told to be interrupted".to_owned() });
    output
}

/// Writes what the log still lacks, so that a second attach adds nothing.
fn print(ctx: &StepContext) -> StepOutput {
    let wanted = ctx.integer("bytes").and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    let chunk = PRINT_LINE.repeat(PRINT_CHUNK / PRINT_LINE.len());
    let mut at = ctx.log.len();
    while at < wanted {
        let phase = usize::try_from(at % PRINT_LINE.len() as u64).unwrap_or(0);
        let left = usize::try_from(wanted - at).unwrap_or(usize::MAX);
        let part = &chunk[phase..chunk.len().min(phase.saturating_add(left))];
        ctx.log.write(part);
        at += part.len() as u64;
    }
    StepOutput::success(Object::new())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use haliotis_model::BuildResult;
    use haliotis_plugin_api::conformance::{self, Bench, Pace};
    use serde_json::json;

    use super::*;

    struct Slow(tempfile::TempDir);

    #[async_trait]
    impl Bench for Slow {
        fn context(&self, pace: Pace) -> Option<StepContext> {
            let ms = match pace {
                Pace::Quick => 1,
                Pace::Slow => 400,
                Pace::Endless => 1_000_000,
            };
            Some(context(self.0.path(), "dummy.slow", json!({ "ms": ms })))
        }

        async fn effects(&self, _ctx: &StepContext) -> Option<usize> {
            None
        }
    }

    fn context(dir: &Path, uses: &str, with: Value) -> StepContext {
        bench::context(dir, uses, with, &bench::DirectProcesses::shared()).unwrap()
    }

    async fn run(uses: &str, with: Value, attempt: u32) -> (StepOutput, u64) {
        let dir = tempfile::tempdir().unwrap();
        let mut ctx = context(dir.path(), uses, with);
        ctx.key.attempt = attempt;
        let runner = STEPS.iter().find(|step| step.schema().name == uses).unwrap();
        runner.start(&ctx).await.unwrap();
        let output = runner.attach(&ctx, &Value::Null).await.unwrap();
        assert_eq!(output, runner.attach(&ctx, &Value::Null).await.unwrap());
        (output, ctx.log.len())
    }

    #[tokio::test]
    async fn slow_conforms() {
        conformance::check(&Dummy(Kind::Slow), &Slow(tempfile::tempdir().unwrap())).await.unwrap();
    }

    #[tokio::test]
    async fn outcomes_are_as_scripted() {
        assert_eq!(run("dummy.ok", json!({"outputs": {"a": 1}}), 1).await.0.outputs["a"], 1);
        assert_eq!(run("dummy.fail", json!({"message": "m"}), 1).await.0.message.as_deref(), Some("m"));
        assert_eq!(run("dummy.flaky", json!({"fail-attempts": 2}), 2).await.0.result, BuildResult::Failure);
        assert_eq!(run("dummy.flaky", json!({"fail-attempts": 2}), 3).await.0.result, BuildResult::Success);
        assert!(run("dummy.interrupted", json!({}), 1).await.0.interrupted.is_some());
        assert_eq!(run("dummy.print", json!({"bytes": 200_003}), 1).await.1, 200_003);
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(STEPS.is_sorted_by_key(|step| step.schema().name));
    }
}
