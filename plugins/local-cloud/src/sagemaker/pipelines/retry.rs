//! Retry policies: which failures of a step are tried again, when, and how often.

use serde_json::Value;

use crate::error::AwsError;
use crate::sagemaker::pipelines::definition::list;

/// Seconds between two attempts, at most; the service's limit.
const MAX_INTERVAL_S: u64 = 43_200;
/// Attempts, at most; the service's limit.
const MAX_ATTEMPTS: u64 = 20;
/// Minutes of trying, at most; the service's limit.
const MAX_EXPIRE_MINUTES: u64 = 14_400;

/// Why a step failed, in the words of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Service,
    Throttling,
    JobInternalError,
    CapacityError,
    ResourceLimit,
    /// The step's own fault: never tried again.
    Other,
}

impl Fault {
    const NAMED: [(&'static str, Fault); 5] = [
        ("Step.SERVICE_FAULT", Fault::Service),
        ("Step.THROTTLING", Fault::Throttling),
        ("SageMaker.JOB_INTERNAL_ERROR", Fault::JobInternalError),
        ("SageMaker.CAPACITY_ERROR", Fault::CapacityError),
        ("SageMaker.RESOURCE_LIMIT", Fault::ResourceLimit),
    ];

    /// Of a refused Create call.
    pub(crate) fn of_refusal(error: &AwsError) -> Self {
        match error.code.as_ref() {
            "ThrottlingException" => Self::Throttling,
            "ResourceLimitExceeded" => Self::ResourceLimit,
            _ if error.status >= 500 => Self::Service,
            _ => Self::Other,
        }
    }

    /// Of a job that failed, by the first word of its reason.
    pub(crate) fn of_job(reason: &str) -> Self {
        match reason.split(':').next().unwrap_or_default() {
            "InternalServerError" => Self::JobInternalError,
            "CapacityError" => Self::CapacityError,
            "ResourceLimitExceeded" => Self::ResourceLimit,
            _ => Self::Other,
        }
    }
}

/// One policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RetryPolicy {
    faults: Vec<Fault>,
    interval_s: u64,
    backoff: f64,
    attempts: u64,
    expire_minutes: Option<u64>,
}

/// The `RetryPolicies` of a step, and what is wrong with them. Faults of the service are tried again also where no
/// policy names them.
pub(crate) fn parse_all(value: &Value, problems: &mut Vec<String>) -> Vec<RetryPolicy> {
    let mut policies: Vec<_> = list(value).iter().map(|policy| parse(policy, problems)).collect();
    policies.push(RetryPolicy {
        faults: vec![Fault::Service, Fault::Throttling],
        interval_s: 1,
        backoff: 2.0,
        attempts: 5,
        expire_minutes: None,
    });
    policies
}

fn parse(policy: &Value, problems: &mut Vec<String>) -> RetryPolicy {
    let faults = list(&policy["ExceptionType"]).iter().filter_map(|word| {
        let found = Fault::NAMED.iter().find(|(known, _)| *word == *known).map(|(_, fault)| *fault);
        if found.is_none() {
            let known: Vec<_> = Fault::NAMED.iter().map(|(known, _)| *known).collect();
            problems.push(format!("RetryPolicies: there is no ExceptionType {word}; there are {}", known.join(", ")));
        }
        found
    });
    let faults: Vec<_> = faults.collect();
    if list(&policy["ExceptionType"]).is_empty() {
        problems.push("RetryPolicies: ExceptionType must name at least one kind of failure".to_owned());
    }
    let mut number = |name: &str, default: u64, most: u64| match policy[name].as_u64() {
        None if policy[name].is_null() => default,
        Some(number) if (1..=most).contains(&number) => number,
        _ => {
            problems.push(format!("RetryPolicies: {name} must be a number from 1 to {most}"));
            default
        }
    };
    let interval_s = number("IntervalSeconds", 1, MAX_INTERVAL_S);
    let attempts = number("MaxAttempts", 5, MAX_ATTEMPTS);
    let expire = number("ExpireAfterMin", MAX_EXPIRE_MINUTES, MAX_EXPIRE_MINUTES);
    let expire_minutes = (!policy["ExpireAfterMin"].is_null()).then_some(expire);
    if expire_minutes.is_some() && !policy["MaxAttempts"].is_null() {
        problems.push("RetryPolicies: give MaxAttempts or ExpireAfterMin, not both".to_owned());
    }
    let attempts = if expire_minutes.is_some() { u64::MAX } else { attempts };
    let backoff = policy["BackoffRate"].as_f64().filter(|rate| *rate >= 1.0).unwrap_or(2.0);
    RetryPolicy { faults, interval_s, backoff, attempts, expire_minutes }
}

/// Seconds to wait before the next attempt; `None` when there is none. `attempt` counts from 1, `spent_s` is the time
/// since the first attempt began.
pub(crate) fn delay(policies: &[RetryPolicy], fault: Fault, attempt: u64, spent_s: f64) -> Option<f64> {
    let policy = policies.iter().find(|policy| policy.faults.contains(&fault))?;
    let in_time = policy.expire_minutes.is_none_or(|minutes| spent_s < minutes as f64 * 60.0);
    if attempt > policy.attempts || !in_time {
        return None;
    }
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let wait = policy.interval_s as f64 * policy.backoff.powi(exponent);
    Some(wait.min(MAX_INTERVAL_S as f64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policies(value: Value) -> Vec<RetryPolicy> {
        let mut problems = Vec::new();
        let found = parse_all(&value, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        found
    }

    #[test]
    fn waits_grow_and_end() {
        let two = policies(
            json!([{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 3, "BackoffRate": 2.0, "MaxAttempts": 2}]),
        );
        let fault = Fault::of_job("InternalServerError: the machine");
        assert_eq!([1, 2, 3].map(|n| delay(&two, fault, n, 0.0)), [Some(3.0), Some(6.0), None]);
        assert_eq!(delay(&two, Fault::of_job("AlgorithmError: x"), 1, 0.0), None);
        assert_eq!(delay(&two, Fault::of_refusal(&AwsError::throttling("slow")), 1, 0.0), Some(1.0), "by default");
        let timed = policies(json!([{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "ExpireAfterMin": 1}]));
        assert!(delay(&timed, Fault::CapacityError, 30, 59.0).is_some());
        assert!(delay(&timed, Fault::CapacityError, 1, 61.0).is_none());
    }

    #[test]
    fn limits_are_checked() {
        let mut problems = Vec::new();
        parse_all(
            &json!([{"ExceptionType": ["X"], "MaxAttempts": 21, "ExpireAfterMin": 5}, {"IntervalSeconds": 0}]),
            &mut problems,
        );
        assert_eq!(problems.len(), 5, "{problems:?}");
    }
}
