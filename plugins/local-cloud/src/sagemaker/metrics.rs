//! Metrics of a training job, read from its log: those a request defines by expressions, and XGBoost's own lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::error::AwsError;
use crate::sagemaker::clock;
use crate::sagemaker::job::Metric;

/// Metrics in an answer; AWS' limit.
const MAX_METRICS: usize = 40;
/// A longer line holds no metric that anybody wrote on purpose.
const MAX_LINE: usize = 64 * 1024;
/// A compiled expression may take this much memory; the expressions come from outside.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Refuses expressions that do not compile or capture nothing.
pub(crate) fn check(definitions: &Value) -> Result<(), AwsError> {
    compile(definitions).map(|_| ())
}

fn compile(definitions: &Value) -> Result<Vec<(String, Regex)>, AwsError> {
    let definitions = definitions.as_array().map(Vec::as_slice).unwrap_or_default();
    let compiled = definitions.iter().map(|definition| {
        let name = definition["Name"].as_str().unwrap_or_default();
        let source = definition["Regex"].as_str().unwrap_or_default();
        let bad = |why: String| AwsError::validation(format!("Invalid regular expression of metric {name}: {why}"));
        let regex =
            regex::RegexBuilder::new(source).size_limit(MAX_REGEX_BYTES).build().map_err(|e| bad(e.to_string()))?;
        match regex.captures_len() {
            1 => Err(bad("it captures nothing; put parentheses around the number".into())),
            _ => Ok((name.to_owned(), regex)),
        }
    });
    compiled.collect()
}

/// The last value of each metric in the log. A log that cannot be read has none.
pub(crate) fn last_values(definitions: &Value, log: &Path) -> Vec<Metric> {
    let definitions = compile(definitions).unwrap_or_default();
    let Ok(file) = File::open(log) else { return Vec::new() };
    let mut values = BTreeMap::new();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        if line.len() <= MAX_LINE {
            read_line(&String::from_utf8_lossy(&line), &definitions, &mut values);
        }
        line.clear();
    }
    let time = clock::now();
    values.into_iter().take(MAX_METRICS).map(|(name, value)| Metric { name, value, time }).collect()
}

fn read_line(line: &str, definitions: &[(String, Regex)], values: &mut BTreeMap<String, f64>) {
    for (name, regex) in definitions {
        let found = regex.captures_iter(line).last();
        if let Some(value) = found.and_then(|captures| captures.get(1)?.as_str().parse().ok()) {
            values.insert(name.clone(), value);
        }
    }
    if let Some((_, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        values.extend(rest.trim().split('\t').filter_map(xgboost_value));
    }
}

/// `train-rmse:2.85709` is known to AWS as `train:rmse`.
fn xgboost_value(part: &str) -> Option<(String, f64)> {
    let (name, value) = part.rsplit_once(':')?;
    let (set, metric) = name.split_once('-')?;
    let known = matches!(set, "train" | "validation") && !metric.is_empty() && !metric.contains(' ');
    known.then_some((format!("{set}:{metric}"), value.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_round_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "[0]\ttrain-rmse:8.1\tvalidation-rmse:8.3\nnoise [x]\n[1]\ttrain-rmse:2.5\tvalidation-rmse:3.05\nloss=0.5; loss=0.25\n").unwrap();
        let definitions = json!([{"Name": "loss", "Regex": "loss=([0-9.]+)"}]);
        let values: Vec<_> = last_values(&definitions, &log).into_iter().map(|m| (m.name, m.value)).collect();
        let want = [("loss", 0.25), ("train:rmse", 2.5), ("validation:rmse", 3.05)];
        assert_eq!(values, want.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn bad_expressions_are_refused() {
        let message = |regex: &str| check(&json!([{"Name": "m", "Regex": regex}])).unwrap_err().message;
        assert!(message("(").starts_with("Invalid regular expression of metric m"));
        assert!(message("x").contains("captures nothing"));
    }
}
