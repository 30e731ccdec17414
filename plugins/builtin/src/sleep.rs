//! `sleep`: waits. The hour of waking is written down, so a restart does not begin the wait anew.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use haliotis_model::{ArgumentKind, ArgumentSchema, Delivery, Object, Placement, StepOutput, StepSchema, Value};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use crate::stopping;

/// In the scratch folder: milliseconds since 1970 when the sleep ends.
const WAKE: &str = "wake";

pub(crate) struct Sleep;

#[async_trait]
impl StepRunner for Sleep {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "sleep",
            doc: "Waits for a while, without taking a slot.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![ArgumentSchema::required(
                "duration",
                ArgumentKind::Duration,
                "How long, as `90s` or `2h`.",
            )],
            outputs: Vec::new(),
            open_outputs: false,
            cloud: false,
            example: "duration: 90s",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        wake_at(ctx)?;
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let left = wake_at(ctx)?.saturating_sub(now_ms());
        if left > 0 && stopping::unless_asked(ctx, tokio::time::sleep(Duration::from_millis(left))).await.is_none() {
            return Ok(StepOutput::aborted("stopped on request"));
        }
        Ok(StepOutput::success(Object::new()))
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        stopping::ask(ctx)
    }
}

/// The hour written down, or now and the duration, which is then written down.
fn wake_at(ctx: &StepContext) -> Result<u64, StepError> {
    let path = ctx.scratch.join(WAKE);
    if let Some(at) = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()) {
        return Ok(at);
    }
    let ms = ctx
        .duration_ms("duration")
        .ok_or_else(|| StepError::Usage("sleep: `duration` must be seconds or a text as 90s, 15m, 2h".to_owned()))?;
    let at = now_ms().saturating_add(ms);
    fs::write(&path, at.to_string())?;
    Ok(at)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use haliotis_plugin_api::conformance::{self, Pace};
    use serde_json::json;

    use super::Sleep;
    use crate::bench::Paced;

    #[tokio::test]
    async fn conforms() {
        let bench = Paced::new("sleep", |pace| match pace {
            Pace::Quick => json!({"duration": "1ms"}),
            Pace::Slow => json!({"duration": "400ms"}),
            Pace::Endless => json!({"duration": "1d"}),
        });
        conformance::check(&Sleep, &bench).await.unwrap();
    }
}
