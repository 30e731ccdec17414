//! The part of JSONPath that webhooks use: `$.a.b`, `$['a']`, `[0]`, `[-1]`, `[*]`, `.*`, `..a`. No filters.

use haliotis_model::Value;

/// Values one question may visit.
const VISITS: usize = 100_000;

enum Step {
    Name(String),
    At(i64),
    All,
    Anywhere(String),
}

/// What a path leads to, in the order of the document; nothing where it cannot be read.
pub(crate) fn find<'v>(root: &'v Value, path: &str) -> Vec<&'v Value> {
    let Some(steps) = parse(path) else { return Vec::new() };
    let mut here = vec![root];
    let mut left = VISITS;
    for step in &steps {
        let mut next = Vec::new();
        for value in here {
            follow(value, step, &mut next, &mut left);
        }
        here = next;
    }
    here
}

fn follow<'v>(value: &'v Value, step: &Step, next: &mut Vec<&'v Value>, left: &mut usize) {
    let Some(rest) = left.checked_sub(1) else { return };
    *left = rest;
    match (step, value) {
        (Step::Name(name), Value::Object(fields)) => next.extend(fields.get(name)),
        (Step::At(at), Value::Array(list)) => {
            let at =
                if *at < 0 { list.len().checked_sub(at.unsigned_abs() as usize) } else { usize::try_from(*at).ok() };
            next.extend(at.and_then(|at| list.get(at)));
        }
        (Step::All, Value::Array(list)) => next.extend(list),
        (Step::All, Value::Object(fields)) => next.extend(fields.values()),
        (Step::Anywhere(name), Value::Object(fields)) => {
            next.extend(fields.get(name));
            fields.values().for_each(|inner| follow(inner, step, next, left));
        }
        (Step::Anywhere(_), Value::Array(list)) => list.iter().for_each(|inner| follow(inner, step, next, left)),
        _ => {}
    }
}

fn parse(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            let (name, end) = name(after)?;
            steps.push(Step::Anywhere(name));
            rest = end;
        } else if let Some(after) = rest.strip_prefix(".*").or_else(|| rest.strip_prefix("[*]")) {
            steps.push(Step::All);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let (name, end) = name(after)?;
            steps.push(Step::Name(name));
            rest = end;
        } else {
            let (inner, end) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = ['\'', '"'].iter().find_map(|q| inner.strip_prefix(*q)?.strip_suffix(*q));
            steps.push(match quoted {
                Some(name) => Step::Name(name.to_owned()),
                None => Step::At(inner.trim().parse().ok()?),
            });
            rest = end;
        }
    }
    Some(steps)
}

fn name(text: &str) -> Option<(String, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty()).then(|| (name.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::find;

    #[test]
    fn paths_lead_to_values() {
        let value = json!({"ref": "r", "a": {"b c": [1, {"d": 2}]}, "commits": [{"id": "x"}, {"id": "y"}]});
        for (path, found) in [
            ("$.ref", json!(["r"])),
            ("$['a']['b c'][1].d", json!([2])),
            ("$.commits[*].id", json!(["x", "y"])),
            ("$.commits[-1].id", json!(["y"])),
            ("$..id", json!(["x", "y"])),
            ("$", json!([value])),
            ("$.none", json!([])),
            ("$.commits[9]", json!([])),
            ("ref", json!([])),
            ("$.", json!([])),
            ("$[?(@.x)]", json!([])),
        ] {
            assert_eq!(json!(find(&value, path)), found, "{path}");
        }
    }
}
