//! Arguments that several job steps share: what they mean and how they are read.

use std::collections::HashMap;

use aws_sdk_sagemaker::types::{Tag, VpcConfig};
use haliotis_model::{ArgumentKind, ArgumentSchema, Object, Value};
use haliotis_plugin_api::{StepContext, StepError};

use crate::{Clients, names};

/// Seconds that a job may run unless it says otherwise: AWS' own default, a day.
const DEFAULT_MAX_RUNTIME_S: u64 = 86_400;
/// The most that AWS takes for processing and training, in seconds: 28 days.
const LONGEST_RUNTIME_S: u64 = 28 * 86_400;

/// `instance-type`, `instance-count`, `volume-gb`, `max-runtime`, `role`, `env`, `network`, `tags`.
pub(crate) fn job_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Duration, Integer, Map, String};
    vec![
        ArgumentSchema::optional("instance-type", String, "Kind of machine; the local cloud takes any.")
            .or("ml.m5.xlarge"),
        ArgumentSchema::optional("instance-count", Integer, "How many machines.").or(1),
        ArgumentSchema::optional("volume-gb", Integer, "Disk of each machine in GiB.").or(30),
        ArgumentSchema::optional("max-runtime", Duration, "The job is stopped after this long; at most 28d.").or("24h"),
        ArgumentSchema::optional("role", String, "ARN of the role the job gets; default: the cloud's."),
        ArgumentSchema::optional("env", Map, "Variables of the container."),
        ArgumentSchema::optional(
            "network",
            Map,
            "`subnets` and `security-groups` (lists), `isolation` and `encryption` (true or false).",
        ),
        ArgumentSchema::optional("tags", Map, "Tags beside those that name pipeline, build and step."),
    ]
}

/// The role of jobs and models: the step's, or the cloud's.
pub(crate) fn role(ctx: &StepContext, clients: &Clients) -> Result<String, StepError> {
    if let Some(role) = ctx.text("role") {
        return Ok(role);
    }
    if !clients.cloud.role_arn.is_empty() {
        return Ok(clients.cloud.role_arn.clone());
    }
    if clients.is_local() {
        // The local cloud runs everything as us; the name only has to look like one.
        return Ok(format!("arn:aws:iam::{}:role/haliotis-local", clients.cloud.account));
    }
    Err(StepError::Usage(format!(
        "{}: no role: set the cloud's `role`, or the argument `role`, to the ARN of a role that SageMaker may assume",
        ctx.call.uses
    )))
}

/// `max-runtime` in seconds.
pub(crate) fn max_runtime_s(ctx: &StepContext) -> Result<i32, StepError> {
    let seconds = ctx.duration_ms("max-runtime").map_or(DEFAULT_MAX_RUNTIME_S, |ms| ms.div_ceil(1000));
    if seconds == 0 || seconds > LONGEST_RUNTIME_S {
        return Err(StepError::Usage(format!("{}: `max-runtime` must be between 1s and 28d", ctx.call.uses)));
    }
    Ok(i32::try_from(seconds).unwrap_or(i32::MAX))
}

/// A whole number that fits what AWS takes; refused when it is not positive.
pub(crate) fn count(ctx: &StepContext, name: &str, default: i32) -> Result<i32, StepError> {
    match ctx.integer(name) {
        None => Ok(default),
        Some(number) => i32::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| {
            StepError::Usage(format!("{}: `{name}` must be a positive number, not {number}", ctx.call.uses))
        }),
    }
}

/// A map argument as texts, in no order: AWS' own type.
pub(crate) fn texts_by_name(map: Object) -> Option<HashMap<String, String>> {
    let texts: HashMap<_, _> = map.into_iter().map(|(name, value)| (name, plain(&value))).collect();
    (!texts.is_empty()).then_some(texts)
}

/// Text as it is, the rest as JSON; whole numbers written without a fraction.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        _ => value.to_string(),
    }
}

/// Tags that name pipeline, build and step, and the step's own.
pub(crate) fn tags(ctx: &StepContext) -> Vec<Tag> {
    let ours = [
        ("haliotis:pipeline", ctx.build.pipeline.clone()),
        ("haliotis:build", ctx.build.number.to_string()),
        ("haliotis:step", ctx.key.step.to_string()),
        ("haliotis:key", names::token(ctx)),
    ];
    let own = ctx.map("tags").into_iter().map(|(name, value)| (name, plain(&value)));
    let all = ours.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own);
    all.map(|(name, value)| Tag::builder().key(name).value(names::tag_value(&value)).build()).collect()
}

/// What `network` says.
pub(crate) struct Network {
    pub(crate) vpc: Option<VpcConfig>,
    pub(crate) isolation: bool,
    pub(crate) encryption: bool,
}

impl Network {
    /// `None`: the step has no `network`.
    pub(crate) fn of(ctx: &StepContext) -> Result<Option<Self>, StepError> {
        let map = ctx.map("network");
        if map.is_empty() {
            return Ok(None);
        }
        for name in map.keys() {
            if !["subnets", "security-groups", "isolation", "encryption"].contains(&name.as_str()) {
                return Err(StepError::Usage(format!("{}: `network` has no `{name}`", ctx.call.uses)));
            }
        }
        let list = |name: &str| -> Vec<String> {
            map.get(name).and_then(Value::as_array).into_iter().flatten().map(plain).collect()
        };
        let flag = |name: &str| map.get(name).and_then(Value::as_bool).unwrap_or(false);
        let (subnets, groups) = (list("subnets"), list("security-groups"));
        if subnets.is_empty() != groups.is_empty() {
            return Err(StepError::Usage(format!(
                "{}: `network` needs both `subnets` and `security-groups`, or neither",
                ctx.call.uses
            )));
        }
        let vpc = (!subnets.is_empty())
            .then(|| VpcConfig::builder().set_subnets(Some(subnets)).set_security_group_ids(Some(groups)).build());
        Ok(Some(Self { vpc, isolation: flag("isolation"), encryption: flag("encryption") }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::plain;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (value, text) in [(json!(50), "50"), (json!(50.0), "50"), (json!(0.2), "0.2"), (json!(true), "true")] {
            assert_eq!(plain(&value), text);
        }
    }
}
