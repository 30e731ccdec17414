//! Whether an earlier success of a step can stand for it.
//!
//! AWS compares arguments alone, so the same address with other bytes behind it is a false hit there. Here the bytes
//! count as well: of the inputs when the step starts, and of the outputs, which must still be what the earlier run
//! left. Every decision says why it was made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::s3::{Location, Store};
use crate::sagemaker::pipelines::definition::StepKind;

/// A step's `CacheConfig`, when it is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CachePolicy {
    /// An earlier success counts for so long.
    pub(crate) expires_s: f64,
}

impl CachePolicy {
    /// Reads `{Enabled, ExpireAfter}`; `None` when caching is off.
    pub(crate) fn parse(config: &Value) -> Result<Option<Self>, String> {
        if config.is_null() || config["Enabled"] == false {
            return Ok(None);
        }
        if config["Enabled"] != true {
            return Err("CacheConfig.Enabled must be true or false".to_owned());
        }
        let expires_s = match &config["ExpireAfter"] {
            Value::Null => f64::INFINITY,
            Value::String(text) => duration_s(text)
                .ok_or_else(|| format!("CacheConfig.ExpireAfter '{text}' is no duration, as 'PT1H' or '30d'"))?,
            _ => return Err("CacheConfig.ExpireAfter must be text".to_owned()),
        };
        Ok(Some(Self { expires_s }))
    }
}

/// Seconds of an ISO 8601 duration, in the loose spellings of the documentation: `PT1H`, `30d`, `T16m`, `30dT5h`.
fn duration_s(text: &str) -> Option<f64> {
    let upper = text.to_ascii_uppercase();
    let (mut total, mut digits, mut time, mut any) = (0.0, String::new(), false, false);
    for c in upper.trim_start_matches('P').chars() {
        if c.is_ascii_digit() || c == '.' {
            digits.push(c);
            continue;
        }
        if c == 'T' && digits.is_empty() {
            time = true;
            continue;
        }
        let unit = match (c, time) {
            ('Y', false) => 365.0 * 86_400.0,
            ('M', false) => 30.0 * 86_400.0,
            ('W', false) => 7.0 * 86_400.0,
            ('D', false) => 86_400.0,
            ('H', true) => 3600.0,
            ('M', true) => 60.0,
            ('S', true) => 1.0,
            _ => return None,
        };
        total += digits.parse::<f64>().ok()? * unit;
        digits.clear();
        any = true;
    }
    (any && digits.is_empty()).then_some(total)
}

/// What decided for or against an earlier success.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CacheNote {
    /// Digests by what they are of: an argument, or the content behind an address.
    pub(crate) inputs: BTreeMap<String, String>,
    /// Digests of what the step left, by address; known when it has succeeded.
    pub(crate) outputs: BTreeMap<String, String>,
    /// The execution whose result was taken.
    pub(crate) hit: Option<String>,
    /// In words, hit or not.
    pub(crate) why: String,
}

/// The arguments that make a step what it is; AWS documents them for each kind.
fn key_arguments(kind: StepKind) -> &'static [&'static str] {
    match kind {
        StepKind::Processing => &["AppSpecification", "Environment", "ProcessingInputs"],
        StepKind::Training => &[
            "AlgorithmSpecification",
            "CheckpointConfig",
            "DebugHookConfig",
            "DebugRuleConfigurations",
            "Environment",
            "HyperParameters",
            "InputDataConfig",
        ],
        StepKind::Transform => &["DataProcessing", "Environment", "ModelName", "TransformInput"],
        StepKind::Tuning => &["HyperParameterTuningJobConfig", "TrainingJobDefinition", "WarmStartConfig"],
        _ => &[],
    }
}

/// Whether steps of this kind can be taken from an earlier execution at all.
pub(crate) fn is_cacheable(kind: StepKind) -> bool {
    !key_arguments(kind).is_empty()
}

/// The digests of resolved arguments, and of the content behind every address in them.
pub(crate) fn inputs(kind: StepKind, arguments: &Value, store: &Store) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut uris = BTreeSet::new();
    for name in key_arguments(kind) {
        let mut value = arguments[*name].clone();
        if let Some(hook) = value.as_object_mut().filter(|_| *name == "DebugHookConfig") {
            // An output, which the SDK puts below the execution's own prefix: with it no training would ever be alike.
            hook.remove("S3OutputPath");
        }
        if !value.is_null() {
            found.insert(format!("argument {name}"), digest(value.to_string().as_bytes()));
            addresses(&value, &mut uris);
        }
    }
    found.extend(uris.into_iter().map(|uri| (format!("content of {uri}"), content(store, &uri))));
    found
}

/// Every `s3://` address in a value; the SDK writes hyperparameters as JSON text within the text.
fn addresses(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let text = text.trim_matches('"');
            if text.starts_with("s3://") {
                found.insert(text.to_owned());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        Value::Object(members) => members.values().for_each(|item| addresses(item, found)),
        _ => {}
    }
}

/// A digest over names, sizes and ETags of all objects at or below an address.
pub(crate) fn content(store: &Store, uri: &str) -> String {
    let Some(location) = Location::parse(uri) else { return "no address".to_owned() };
    let objects = store.list(&location.bucket, &location.key).unwrap_or_default();
    if objects.is_empty() {
        return "nothing".to_owned();
    }
    let lines = objects.iter().map(|object| format!("{}\t{}\t{}\n", object.key, object.size, object.etag));
    digest(lines.collect::<String>().as_bytes())
}

/// Half a SHA-256 tells any two inputs of one step apart.
fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}

/// An earlier success of the same step, newest first.
pub(crate) struct Candidate<'a> {
    pub(crate) execution: &'a str,
    pub(crate) ended: f64,
    pub(crate) note: &'a CacheNote,
}

/// Which of the candidates stands for the step, and why none does otherwise.
pub(crate) fn choose<'a>(
    policy: CachePolicy,
    now: f64,
    inputs: &BTreeMap<String, String>,
    candidates: &[Candidate<'a>],
    outputs_are_there: impl Fn(&CacheNote) -> Result<(), String>,
) -> Result<&'a str, String> {
    let Some(newest) = candidates.first() else {
        return Err("no earlier execution of this pipeline has a success of this step".to_owned());
    };
    let mut alike = candidates.iter().filter(|candidate| candidate.note.inputs == *inputs).peekable();
    if alike.peek().is_none() {
        return Err(format!("{} since {}", differences(&newest.note.inputs, inputs), newest.execution));
    }
    let mut why = String::new();
    for candidate in alike {
        if now - candidate.ended > policy.expires_s {
            return Err(if why.is_empty() {
                format!("the success in {} has expired", candidate.execution)
            } else {
                why
            });
        }
        match outputs_are_there(candidate.note) {
            Ok(()) => return Ok(candidate.execution),
            Err(reason) => why = format!("{reason} since {}", candidate.execution),
        }
    }
    Err(why)
}

fn differences(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> String {
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let changed: Vec<_> =
        names.into_iter().filter(|name| before.get(*name) != now.get(*name)).map(String::as_str).collect();
    format!("changed: {}", changed.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_in_all_documented_spellings() {
        for (text, seconds) in [
            ("PT1H", Some(3600.0)),
            ("30d", Some(2_592_000.0)),
            ("T16m", Some(960.0)),
            ("30dT5h", Some(2_610_000.0)),
            ("P30M", Some(77_760_000.0)),
            ("P1W", Some(604_800.0)),
            ("1h", None),
            ("PT", None),
            ("5", None),
        ] {
            assert_eq!(duration_s(text), seconds, "{text}");
        }
        assert!(CachePolicy::parse(&json!({"Enabled": true, "ExpireAfter": "soon"})).unwrap_err().contains("'soon'"));
        assert_eq!(CachePolicy::parse(&json!({"Enabled": false, "ExpireAfter": "PT1H"})), Ok(None));
    }

    fn note(bytes: &str) -> CacheNote {
        let inputs =
            [("argument Environment".to_owned(), "e".to_owned()), ("content of s3://b/k".to_owned(), bytes.to_owned())];
        CacheNote { inputs: inputs.into(), ..CacheNote::default() }
    }

    #[test]
    fn a_hit_needs_the_same_inputs_in_time_and_the_outputs_in_place() {
        let (old, new) = (note("one"), note("two"));
        let candidates = [
            Candidate { execution: "arn:2", ended: 90.0, note: &new },
            Candidate { execution: "arn:1", ended: 50.0, note: &old },
        ];
        let policy = CachePolicy { expires_s: 60.0 };
        let ask = |now: f64, inputs: &CacheNote| choose(policy, now, &inputs.inputs, &candidates, |_| Ok(()));
        assert_eq!(ask(100.0, &note("two")), Ok("arn:2"));
        assert_eq!(ask(100.0, &note("one")), Ok("arn:1"), "an older success counts too");
        assert_eq!(ask(100.0, &note("three")).unwrap_err(), "changed: content of s3://b/k since arn:2");
        assert_eq!(ask(120.0, &note("one")).unwrap_err(), "the success in arn:1 has expired");
        let gone = choose(policy, 100.0, &new.inputs, &candidates, |_| Err("s3://b/out is gone".to_owned()));
        assert_eq!(gone.unwrap_err(), "s3://b/out is gone since arn:2");
        assert!(choose(policy, 0.0, &new.inputs, &[], |_| Ok(())).unwrap_err().contains("no earlier execution"));
    }

    #[test]
    fn new_bytes_behind_the_same_address_are_another_input() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.create_bucket_if_absent("bkt").unwrap();
        let arguments = json!({"AppSpecification": {"ImageUri": "i"}, "Tags": [1],
            "ProcessingInputs": [{"S3Input": {"S3Uri": "s3://bkt/data"}}]});
        let look = || inputs(StepKind::Processing, &arguments, &store);
        let nothing = look();
        store.put_bytes("bkt", "data/a.csv", b"1").unwrap();
        let one = look();
        store.put_bytes("bkt", "data/a.csv", b"2").unwrap();
        let two = look();
        assert_eq!(one.len(), 3, "Tags do not count: {one:?}");
        assert!(nothing != one && one != two && look() == two);
    }
}
