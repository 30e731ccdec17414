//! Event patterns: which events a rule is for.

use serde_json::Value;

/// The matchers of one value that are known.
const MATCHERS: [&str; 7] = ["prefix", "suffix", "equals-ignore-case", "anything-but", "exists", "numeric", "wildcard"];
/// Levels of nesting of a pattern.
const MAX_DEPTH: usize = 16;

/// What is wrong with a pattern, if anything.
pub(super) fn check(pattern: &Value) -> Result<(), String> {
    check_level(pattern, 0)
}

fn check_level(pattern: &Value, depth: usize) -> Result<(), String> {
    let object = pattern.as_object().ok_or("Event pattern is not valid. Reason: it must be a JSON object")?;
    if object.is_empty() || depth > MAX_DEPTH {
        return Err("Event pattern is not valid. Reason: Empty objects are not allowed".to_owned());
    }
    for (name, inner) in object {
        match inner {
            Value::Array(items) if items.is_empty() => {
                return Err(format!("Event pattern is not valid. Reason: Empty arrays are not allowed: {name}"));
            }
            Value::Array(items) => items.iter().try_for_each(check_matcher)?,
            Value::Object(_) => check_level(inner, depth + 1)?,
            _ => return Err(format!("Event pattern is not valid. Reason: '{name}' must be an object or an array")),
        }
    }
    Ok(())
}

fn check_matcher(item: &Value) -> Result<(), String> {
    let Some(object) = item.as_object() else { return Ok(()) };
    match object.keys().find(|name| !MATCHERS.contains(&name.as_str())) {
        Some(name) => Err(format!("Event pattern is not valid. Reason: Unrecognized match type {name}")),
        None => Ok(()),
    }
}

/// Whether the event has all that the pattern asks for.
pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    let Some(object) = pattern.as_object() else { return false };
    object.iter().all(|(name, inner)| match inner {
        Value::Array(items) => items.iter().any(|item| matches_value(item, event.get(name))),
        inner => event.get(name).is_some_and(|value| matches(inner, value)),
    })
}

/// An array in the event matches when any of its items does.
fn matches_value(wanted: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = wanted.get("exists") {
        return exists.as_bool() == Some(found.is_some());
    }
    match found {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| matches_one(wanted, item)),
        Some(value) => matches_one(wanted, value),
    }
}

fn matches_one(wanted: &Value, value: &Value) -> bool {
    let Some(matcher) = wanted.as_object() else { return wanted == value };
    matcher.iter().all(|(kind, operand)| {
        let text = value.as_str();
        match kind.as_str() {
            "prefix" => text.zip(operand.as_str()).is_some_and(|(text, start)| text.starts_with(start)),
            "suffix" => text.zip(operand.as_str()).is_some_and(|(text, end)| text.ends_with(end)),
            "equals-ignore-case" => {
                text.zip(operand.as_str()).is_some_and(|(text, other)| text.eq_ignore_ascii_case(other))
            }
            "wildcard" => text.zip(operand.as_str()).is_some_and(|(text, glob)| matches_glob(glob, text)),
            "anything-but" => !match operand {
                Value::Array(items) => items.iter().any(|item| matches_one(item, value)),
                one => matches_one(one, value),
            },
            "numeric" => value.as_f64().is_some_and(|number| in_range(operand, number)),
            _ => false,
        }
    })
}

/// `["<", 10]`, `[">", 0, "<=", 5]`.
fn in_range(bounds: &Value, number: f64) -> bool {
    let items = bounds.as_array().map(Vec::as_slice).unwrap_or_default();
    !items.is_empty()
        && items.chunks(2).all(|pair| match pair {
            [Value::String(sign), bound] => bound.as_f64().is_some_and(|bound| match sign.as_str() {
                "<" => number < bound,
                "<=" => number <= bound,
                ">" => number > bound,
                ">=" => number >= bound,
                "=" => number == bound,
                _ => false,
            }),
            _ => false,
        })
}

fn matches_glob(glob: &str, text: &str) -> bool {
    let parts: Vec<_> = glob.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return glob == text;
    }
    if text.len() < first.len() + last.len() || !text.starts_with(first) || !text.ends_with(last) {
        return false;
    }
    let mut rest = &text[first.len()..text.len() - last.len()];
    parts[1..parts.len() - 1].iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({"source": "aws.sagemaker", "detail-type": "SageMaker Model Package State Change",
            "detail": {"ModelApprovalStatus": "Approved", "ModelPackageGroupName": "abalone-p1", "ModelPackageVersion": 3, "Tags": ["a", "b"]}})
    }

    #[test]
    fn the_rule_of_the_seeds_matches_its_events() {
        let rule = json!({"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"],
            "detail": {"ModelApprovalStatus": ["Approved", "Rejected"]}});
        check(&rule).unwrap();
        assert!(matches(&rule, &event()));
        let mut pending = event();
        pending["detail"]["ModelApprovalStatus"] = json!("PendingManualApproval");
        assert!(!matches(&rule, &pending));
    }

    #[test]
    fn every_matcher() {
        let detail = |name: &str, matcher: Value| matches(&json!({"detail": {name: [matcher]}}), &event());
        for (name, matcher, expected) in [
            ("ModelPackageGroupName", json!({"prefix": "abalone-"}), true),
            ("ModelPackageGroupName", json!({"suffix": "-p2"}), false),
            ("ModelPackageGroupName", json!({"wildcard": "a*-p*"}), true),
            ("ModelPackageGroupName", json!({"wildcard": "a*-q*"}), false),
            ("ModelApprovalStatus", json!({"equals-ignore-case": "approved"}), true),
            ("ModelApprovalStatus", json!({"anything-but": ["Approved"]}), false),
            ("ModelApprovalStatus", json!({"anything-but": {"prefix": "Rej"}}), true),
            ("ModelPackageVersion", json!({"numeric": [">", 2, "<=", 3]}), true),
            ("ModelPackageVersion", json!({"numeric": ["<", 3]}), false),
            ("Nothing", json!({"exists": false}), true),
            ("Tags", json!("b"), true),
            ("Tags", json!("c"), false),
        ] {
            assert_eq!(detail(name, matcher.clone()), expected, "{name} {matcher}");
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in
            [json!([]), json!({}), json!({"source": "x"}), json!({"source": []}), json!({"source": [{"like": "x"}]})]
        {
            assert!(check(&bad).is_err(), "{bad}");
        }
    }
}
