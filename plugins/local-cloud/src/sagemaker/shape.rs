//! Checks a request against the shape of its operation before anything else looks at it.
//!
//! `shapes.txt` says what each operation takes, read once. All problems are found in one pass and worded as AWS words
//! them: `1 validation error detected: Value null at 'trainingJobName' failed to satisfy constraint: ...`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::error::AwsError;
use crate::sagemaker::pattern::Pattern;
use crate::sagemaker::pipelines::is_expression;

const TABLE: &str = include_str!("shapes.txt");

static SHAPES: LazyLock<BTreeMap<&'static str, Vec<Member>>> = LazyLock::new(|| read_table(TABLE));

/// One line of the table.
#[derive(Clone, Debug)]
struct Member {
    name: &'static str,
    required: bool,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text(Option<Pattern>, Bounds),
    Integer(Bounds),
    Number(Bounds),
    Flag,
    Time,
    Enum(Vec<&'static str>),
    Map(Bounds),
    List(Box<Kind>, Bounds),
    Structure(&'static str),
    Any,
    Refused,
}

/// Inclusive; `None` is open.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    low: Option<u64>,
    high: Option<u64>,
}

/// Whether the operation is one of ours.
pub(crate) fn is_known(operation: &str) -> bool {
    SHAPES.contains_key(operation)
}

/// Checks the whole request.
///
/// # Errors
/// `ValidationException` naming every problem.
pub(crate) fn check(operation: &str, input: &Value) -> Result<(), AwsError> {
    let mut problems = Problems::default();
    check_structure(operation, input, "", &mut problems);
    let problems = problems.found;
    match problems.len() {
        0 => Ok(()),
        1 => Err(AwsError::validation(format!("1 validation error detected: {}", problems[0]))),
        n => Err(AwsError::validation(format!("{n} validation errors detected: {}", problems.join("; ")))),
    }
}

/// What is wrong with the arguments of a pipeline's step, where an expression may stand for any value.
pub(crate) fn problems_of_template(operation: &str, arguments: &Value) -> Vec<String> {
    let mut problems = Problems { expressions: true, ..Problems::default() };
    check_structure(operation, arguments, "", &mut problems);
    problems.found
}

/// What was found so far, and how to look.
#[derive(Default)]
struct Problems {
    found: Vec<String>,
    /// `{"Get": ..}` and its like stand for a value that is not known yet.
    expressions: bool,
}

impl Problems {
    fn push(&mut self, problem: String) {
        self.found.push(problem);
    }
}

fn check_structure(shape: &str, value: &Value, path: &str, problems: &mut Problems) {
    let Some(object) = value.as_object() else {
        problems.push(wrong_type(value, path, "an object"));
        return;
    };
    let Some(members) = SHAPES.get(shape) else { return };
    for member in members {
        let place = join(path, member.name);
        match object.get(member.name).filter(|value| !value.is_null()) {
            Some(value) => check_value(&member.kind, value, &place, problems),
            None if member.required => problems.push(constraint("null", &place, "Member must not be null")),
            None => {}
        }
    }
    for name in object.keys().filter(|name| !members.iter().any(|member| member.name == name.as_str())) {
        problems.push(match problems.expressions {
            true => format!("Unknown Argument member '{name}'"),
            false => unknown_member(shape, name, &join(path, name), members),
        });
    }
}

fn unknown_member(shape: &str, name: &str, place: &str, members: &[Member]) -> String {
    let near = members.iter().find(|member| member.name.eq_ignore_ascii_case(name));
    let hint = near.map_or_else(String::new, |member| format!(" (did you mean {}?)", member.name));
    format!("Value at '{place}' failed to satisfy constraint: {shape} has no member {name}{hint}")
}

fn check_value(kind: &Kind, value: &Value, place: &str, problems: &mut Problems) {
    if problems.expressions && is_expression(value) {
        return;
    }
    match kind {
        Kind::Any => {}
        Kind::Refused => problems.push(format!(
            "Value at '{place}' failed to satisfy constraint: the local cloud does not offer this member"
        )),
        Kind::Text(pattern, bounds) => check_text(value, pattern.as_ref(), *bounds, place, problems),
        Kind::Integer(bounds) => match value.as_i64() {
            Some(number) => check_range(number as f64, *bounds, place, problems),
            None => problems.push(wrong_type(value, place, "an integer")),
        },
        Kind::Number(bounds) => match value.as_f64() {
            Some(number) => check_range(number, *bounds, place, problems),
            None => problems.push(wrong_type(value, place, "a number")),
        },
        Kind::Flag if value.is_boolean() => {}
        Kind::Flag => problems.push(wrong_type(value, place, "a boolean")),
        Kind::Time if value.is_number() || value.is_string() => {}
        Kind::Time => problems.push(wrong_type(value, place, "a timestamp")),
        Kind::Enum(allowed) => match value.as_str() {
            Some(text) if allowed.contains(&text) => {}
            _ => problems.push(constraint(
                &shown(value),
                place,
                &format!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
            )),
        },
        Kind::Map(bounds) => check_map(value, *bounds, place, problems),
        Kind::List(inner, bounds) => match value.as_array() {
            Some(items) => {
                check_length(items.len(), *bounds, value, place, problems);
                for (index, item) in items.iter().enumerate() {
                    check_value(inner, item, &format!("{place}.{}.member", index + 1), problems);
                }
            }
            None => problems.push(wrong_type(value, place, "a list")),
        },
        Kind::Structure(shape) => check_structure(shape, value, place, problems),
    }
}

fn check_text(value: &Value, pattern: Option<&Pattern>, bounds: Bounds, place: &str, problems: &mut Problems) {
    let Some(text) = value.as_str() else {
        problems.push(wrong_type(value, place, "a string"));
        return;
    };
    check_length(text.chars().count(), bounds, value, place, problems);
    if let Some(pattern) = pattern.filter(|pattern| !pattern.matches(text)) {
        let rule = format!("Member must satisfy regular expression pattern: {}", pattern.source());
        problems.push(constraint(&shown(value), place, &rule));
    }
}

fn check_map(value: &Value, bounds: Bounds, place: &str, problems: &mut Problems) {
    let Some(map) = value.as_object() else {
        problems.push(wrong_type(value, place, "a map"));
        return;
    };
    check_length(map.len(), bounds, value, place, problems);
    for (key, item) in map {
        if !(item.is_string() || problems.expressions && is_expression(item)) {
            problems.push(wrong_type(item, &format!("{place}.{key}"), "a string"));
        }
    }
}

fn check_length(length: usize, bounds: Bounds, value: &Value, place: &str, problems: &mut Problems) {
    let length = length as u64;
    if let Some(low) = bounds.low.filter(|low| length < *low) {
        let rule = format!("Member must have length greater than or equal to {low}");
        problems.push(constraint(&shown(value), place, &rule));
    }
    if let Some(high) = bounds.high.filter(|high| length > *high) {
        let rule = format!("Member must have length less than or equal to {high}");
        problems.push(constraint(&shown(value), place, &rule));
    }
}

fn check_range(number: f64, bounds: Bounds, place: &str, problems: &mut Problems) {
    if let Some(low) = bounds.low.filter(|low| number < *low as f64) {
        let rule = format!("Member must have value greater than or equal to {low}");
        problems.push(constraint(&format!("'{number}'"), place, &rule));
    }
    if let Some(high) = bounds.high.filter(|high| number > *high as f64) {
        let rule = format!("Member must have value less than or equal to {high}");
        problems.push(constraint(&format!("'{number}'"), place, &rule));
    }
}

fn constraint(value: &str, place: &str, rule: &str) -> String {
    format!("Value {value} at '{place}' failed to satisfy constraint: {rule}")
}

fn wrong_type(value: &Value, place: &str, wanted: &str) -> String {
    constraint(&shown(value), place, &format!("Member must be {wanted}"))
}

/// The value as AWS quotes it; long values are cut, so that an answer stays readable.
fn shown(value: &Value) -> String {
    const SHOWN: usize = 200;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("'{}...'", &text[..cut]),
        None => format!("'{text}'"),
    }
}

/// AWS writes places in lower camel case, joined by dots.
fn join(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let lower: String = letters.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(letters).collect();
    if path.is_empty() { lower } else { format!("{path}.{lower}") }
}

fn read_table(table: &'static str) -> BTreeMap<&'static str, Vec<Member>> {
    let mut shapes: BTreeMap<&'static str, Vec<Member>> = BTreeMap::new();
    let mut current = "";
    for line in table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let Some(member) = line.strip_prefix("  ") {
            shapes.entry(current).or_default().push(read_member(member));
        } else if let Some((name, like)) = line.split_once(" = ") {
            let members = shapes.get(like).cloned().unwrap_or_default();
            shapes.insert(name, members);
        } else {
            current = line.trim();
            shapes.entry(current).or_default();
        }
    }
    shapes
}

fn read_member(line: &'static str) -> Member {
    let (name, kind) = line.split_once(' ').unwrap_or((line, "any"));
    Member { name: name.trim_end_matches('!'), required: name.ends_with('!'), kind: read_kind(kind) }
}

fn read_kind(text: &'static str) -> Kind {
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, bounds) = inner.rsplit_once(']').unwrap_or((inner, ""));
        return Kind::List(Box::new(read_kind(inner)), read_bounds(bounds));
    }
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    let bounds = read_bounds(rest);
    match name {
        "text" | "cursor" => Kind::Text(None, bounds),
        "int" => Kind::Integer(bounds),
        "number" => Kind::Number(bounds),
        "flag" => Kind::Flag,
        "time" => Kind::Time,
        "map" => Kind::Map(bounds),
        "any" => Kind::Any,
        "refused" => Kind::Refused,
        "enum" => Kind::Enum(rest.trim_end_matches(')').split('|').collect()),
        name => match Pattern::named(name) {
            Some(pattern) => Kind::Text(Some(pattern), bounds),
            None => Kind::Structure(name),
        },
    }
}

fn read_bounds(text: &str) -> Bounds {
    let inner = text.trim_start_matches('(').trim_end_matches(')');
    let Some((low, high)) = inner.split_once("..") else { return Bounds::default() };
    Bounds { low: low.parse().ok(), high: high.parse().ok() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(operation: &str, input: Value) -> String {
        check(operation, &input).unwrap_err().message
    }

    #[test]
    fn every_structure_named_in_the_table_is_in_the_table() {
        fn walk(kind: &Kind) {
            match kind {
                Kind::Structure(name) => assert!(SHAPES.contains_key(name), "no shape {name}"),
                Kind::List(inner, _) => walk(inner),
                _ => {}
            }
        }
        assert!(SHAPES.len() > 70, "{}", SHAPES.len());
        SHAPES.values().flatten().for_each(|member| walk(&member.kind));
    }

    #[test]
    fn a_missing_member_is_worded_as_aws_words_it() {
        assert_eq!(
            message("DescribeTrainingJob", json!({})),
            "1 validation error detected: Value null at 'trainingJobName' failed to satisfy constraint: \
             Member must not be null"
        );
    }

    #[test]
    fn every_problem_is_named_at_its_place() {
        let text = message("CreateModelPackageGroup", json!({"ModelPackageGroupName": "-a_b", "Tags": [{"Key": "k"}]}));
        assert!(text.starts_with("2 validation errors detected: Value '-a_b' at 'modelPackageGroupName'"), "{text}");
        assert!(text.contains("pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"), "{text}");
        assert!(text.contains("Value null at 'tags.1.member.value' failed"), "{text}");
    }

    #[test]
    fn bounds_enums_and_types() {
        let text = message("ListModels", json!({"MaxResults": 101, "SortOrder": "Up", "NameContains": 4}));
        assert!(text.contains("'101' at 'maxResults' failed to satisfy constraint: Member must have value less than"));
        assert!(text.contains("enum value set: [Ascending, Descending]"), "{text}");
        assert!(text.contains("Value '4' at 'nameContains' failed to satisfy constraint: Member must be a string"));
    }

    #[test]
    fn unknown_members_are_refused_with_a_hint() {
        let text = message("DescribeModel", json!({"ModelName": "m", "modelName": "m"}));
        assert!(text.contains("DescribeModel has no member modelName (did you mean ModelName?)"), "{text}");
    }

    #[test]
    fn what_cannot_be_done_here_is_said() {
        let text = message("ListTrainingJobs", json!({"WarmPoolStatusEquals": "InUse"}));
        assert!(text.contains("the local cloud does not offer this member"), "{text}");
    }
}
