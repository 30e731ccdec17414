//! Conditions of a Condition step: a list of them is true when all are.

use serde_json::Value;

use crate::sagemaker::pipelines::definition::list;
use crate::sagemaker::pipelines::expression::{MAX_DEPTH, Scope, resolve, to_text};

/// The comparisons of two values.
const COMPARISONS: [&str; 5] = ["Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"];

/// What is wrong with the form of a condition.
pub(crate) fn check(condition: &Value, depth: usize, problems: &mut Vec<String>) {
    if depth > MAX_DEPTH {
        problems.push(format!("conditions are nested more than {MAX_DEPTH} levels deep"));
        return;
    }
    let kind = condition["Type"].as_str().unwrap_or_default();
    let mut needs = |members: &[&str]| {
        for member in members.iter().filter(|member| condition.get(**member).is_none()) {
            problems.push(format!("a condition of Type {kind} needs {member}"));
        }
    };
    match kind {
        _ if COMPARISONS.contains(&kind) => needs(&["LeftValue", "RightValue"]),
        "In" => match condition.get("Value") {
            // The public schema's names of the members; the SDK writes the others.
            Some(_) => needs(&["In"]),
            None => needs(&["QueryValue", "Values"]),
        },
        "Not" => {
            needs(&["Condition"]);
            check(&condition["Condition"], depth + 1, problems);
        }
        "Or" | "And" => {
            needs(&["Conditions"]);
            list(&condition["Conditions"]).iter().for_each(|inner| check(inner, depth + 1, problems));
        }
        "" => problems.push("a condition has no Type".to_owned()),
        other => problems.push(format!(
            "there is no condition of Type {other}; there are {}, In, Not, Or, And",
            COMPARISONS.join(", ")
        )),
    }
}

/// Whether all conditions hold.
///
/// # Errors
/// A sentence for the step's failure reason, as when two values cannot be compared.
pub(crate) fn all_hold(conditions: &[Value], scope: &dyn Scope) -> Result<bool, String> {
    for condition in conditions {
        if !holds(condition, scope)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(condition: &Value, scope: &dyn Scope) -> Result<bool, String> {
    let kind = condition["Type"].as_str().unwrap_or_default();
    match kind {
        "Not" => holds(&condition["Condition"], scope).map(|held| !held),
        "And" => all_hold(list(&condition["Conditions"]), scope),
        "Or" => {
            for inner in list(&condition["Conditions"]) {
                if holds(inner, scope)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "In" => {
            let (value, among) = match condition.get("QueryValue") {
                Some(value) => (value, &condition["Values"]),
                None => (&condition["Value"], &condition["In"]),
            };
            let value = resolve(value, scope)?;
            let among = resolve(among, scope)?;
            Ok(list(&among).iter().any(|one| same(&value, one)))
        }
        _ => {
            let left = resolve(&condition["LeftValue"], scope)?;
            let right = resolve(&condition["RightValue"], scope)?;
            compare(kind, &left, &right)
        }
    }
}

fn compare(kind: &str, left: &Value, right: &Value) -> Result<bool, String> {
    if kind == "Equals" {
        return Ok(same(left, right));
    }
    let (Some(a), Some(b)) = (number(left), number(right)) else {
        return Err(format!(
            "{} and {} cannot be compared by {kind}: both must be numbers",
            to_text(left),
            to_text(right)
        ));
    };
    Ok(match kind {
        "GreaterThan" => a > b,
        "GreaterThanOrEqualTo" => a >= b,
        "LessThan" => a < b,
        _ => a <= b,
    })
}

/// `1` and `1.0` are the same number; a number written as text is that number.
fn same(left: &Value, right: &Value) -> bool {
    match (number(left), number(right)) {
        (Some(a), Some(b)) if left.is_number() || right.is_number() => a == b,
        _ => left == right,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Nothing;

    impl Scope for Nothing {
        fn parameter(&self, name: &str) -> Result<Value, String> {
            Ok(json!(name))
        }
        fn variable(&self, _: &str) -> Result<Value, String> {
            Err("none".into())
        }
        fn properties(&self, _: &str) -> Result<Value, String> {
            Err("none".into())
        }
        fn property_file(&self, _: &str, _: &str) -> Result<Value, String> {
            Err("none".into())
        }
        fn object(&self, _: &str) -> Result<Value, String> {
            Err("none".into())
        }
    }

    fn truth(condition: Value) -> Result<bool, String> {
        let mut problems = Vec::new();
        check(&condition, 0, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        all_hold(&[condition], &Nothing)
    }

    fn two(kind: &str, left: Value, right: Value) -> Value {
        json!({"Type": kind, "LeftValue": left, "RightValue": right})
    }

    #[test]
    fn every_comparison() {
        for (kind, less, equal, greater) in [
            ("Equals", false, true, false),
            ("GreaterThan", false, false, true),
            ("GreaterThanOrEqualTo", false, true, true),
            ("LessThan", true, false, false),
            ("LessThanOrEqualTo", true, true, false),
        ] {
            assert_eq!(truth(two(kind, json!(1), json!(2.5))), Ok(less), "{kind}");
            assert_eq!(truth(two(kind, json!(2.5), json!("2.5"))), Ok(equal), "{kind}");
            assert_eq!(truth(two(kind, json!(3), json!(2.5))), Ok(greater), "{kind}");
        }
        assert_eq!(truth(two("Equals", json!({"Get": "Parameters.x"}), json!("x"))), Ok(true));
        assert!(truth(two("LessThan", json!("a"), json!(1))).unwrap_err().contains("both must be numbers"));
    }

    #[test]
    fn combined() {
        let yes = two("Equals", json!(1), json!(1));
        let no = two("Equals", json!(1), json!(2));
        assert_eq!(truth(json!({"Type": "Not", "Condition": no})), Ok(true));
        assert_eq!(truth(json!({"Type": "Or", "Conditions": [no, yes]})), Ok(true));
        assert_eq!(truth(json!({"Type": "And", "Conditions": [yes, no]})), Ok(false));
        assert_eq!(truth(json!({"Type": "In", "QueryValue": "b", "Values": ["a", "b"]})), Ok(true));
        assert_eq!(truth(json!({"Type": "In", "Value": "c", "In": ["a", "b"]})), Ok(false));
    }

    #[test]
    fn malformed_ones_are_told() {
        let mut problems = Vec::new();
        check(
            &json!({"Type": "Or", "Conditions": [{"Type": "Equals", "LeftValue": 1}, {"Type": "Like"}, {}]}),
            0,
            &mut problems,
        );
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
