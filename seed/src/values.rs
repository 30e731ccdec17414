//! The placeholders of the templates, and which values they take.
//!
//! Values end up inside YAML, Python and Markdown. Each is checked against a narrow form, so no value can be more than
//! the word it stands for.

use std::collections::BTreeMap;

use crate::SeedError;

/// Where the data is found unless a value says otherwise: the place that AWS' own examples read it from.
pub const DEFAULT_DATA_URL: &str = "s3://sagemaker-servicecatalog-seedcode-us-east-1/dataset/abalone-dataset.csv";

/// One placeholder, written `{{ name }}` in a template.
#[derive(Clone, Copy, Debug)]
pub struct Placeholder {
    /// Its name.
    pub name: &'static str,
    /// What it means and its form.
    pub doc: &'static str,
    /// Used when no value is given; `None`: a value must be given.
    pub default: Option<&'static str>,
    check: fn(&str) -> bool,
}

/// All placeholders, by name.
pub const PLACEHOLDERS: &[Placeholder] = &[
    Placeholder {
        name: "branch",
        doc: "the branch that is watched: letters, digits, `._/-`",
        default: Some("main"),
        check: |text| word(text, "._/-", 200),
    },
    Placeholder {
        name: "bucket",
        doc: "S3 bucket for what the pipelines write: 3 to 63 lower-case letters, digits, `.-`",
        default: None,
        check: |text| text.len() >= 3 && word(text, ".-", 63) && !text.contains(|c: char| c.is_ascii_uppercase()),
    },
    Placeholder {
        name: "data_url",
        doc: "S3 address of the data, s3://BUCKET/KEY",
        default: Some(DEFAULT_DATA_URL),
        check: |text| text.strip_prefix("s3://").is_some_and(|rest| rest.contains('/') && word(rest, "._/=+-", 1000)),
    },
    Placeholder {
        name: "model_package_group",
        doc: "model package group: at most 63 letters, digits and `-`",
        default: None,
        check: |text| word(text, "-", 63),
    },
    Placeholder {
        name: "poll_every",
        doc: "time between two looks at the repository, as 10s or 1m",
        default: Some("1m"),
        check: duration,
    },
    Placeholder {
        name: "project_id",
        doc: "id of the project: at most 32 letters, digits and `-`",
        default: None,
        check: |text| word(text, "-", 32),
    },
    Placeholder {
        name: "project_name",
        doc: "name of the project: at most 32 letters, digits and `-`, a letter first",
        default: None,
        check: |text| {
            word(text, "-", 32) && text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.ends_with('-')
        },
    },
    Placeholder {
        name: "region",
        doc: "AWS region, as eu-west-1",
        default: None,
        check: |text| word(text, "-", 32) && !text.contains(|c: char| c.is_ascii_uppercase()),
    },
    Placeholder {
        name: "role_arn",
        doc: "role for jobs and endpoints, arn:aws:iam::ACCOUNT:role/NAME",
        default: None,
        check: |text| text.starts_with("arn:") && text.contains(":role/") && word(text, ":/._+=,@-", 2048),
    },
];

/// Letters, digits and the extra characters, a letter or digit first.
fn word(text: &str, extra: &str, longest: usize) -> bool {
    text.len() <= longest
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

fn duration(text: &str) -> bool {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    text.len() == digits.len() + 1
        && !digits.is_empty()
        && digits.len() < 6
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The given values with the defaults, all checked.
pub(crate) fn complete(given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, SeedError> {
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| PLACEHOLDERS.iter().all(|known| known.name != name.as_str())) {
        let known: Vec<_> = PLACEHOLDERS.iter().map(|known| known.name).collect();
        problems.push(format!("{name} is not known; known are {}", known.join(", ")));
    }
    let mut values = BTreeMap::new();
    for placeholder in PLACEHOLDERS {
        let value = given.get(placeholder.name).map(String::as_str).or(placeholder.default);
        match value {
            None => problems.push(format!("{} is missing: {}", placeholder.name, placeholder.doc)),
            Some(value) if !(placeholder.check)(value) => {
                problems.push(format!("{} is {value:?}, expected {}", placeholder.name, placeholder.doc));
            }
            Some(value) => drop(values.insert(placeholder.name.to_owned(), value.to_owned())),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(SeedError::BadValues(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> BTreeMap<String, String> {
        let pairs = [
            ("bucket", "sagemaker-project-p-1"),
            ("model_package_group", "abalone-p-1"),
            ("project_id", "p-1"),
            ("project_name", "abalone"),
            ("region", "eu-west-1"),
            ("role_arn", "arn:aws:iam::123456789012:role/haliotis"),
        ];
        pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn defaults_are_filled_in() {
        let values = complete(&good()).unwrap();
        assert_eq!(values.len(), PLACEHOLDERS.len());
        assert_eq!((values["branch"].as_str(), values["poll_every"].as_str()), ("main", "1m"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut values = good();
        values.remove("region");
        values.insert("bucket".into(), "Bad_Bucket".into());
        values.insert("colour".into(), "blue".into());
        let text = complete(&values).unwrap_err().to_string();
        for words in ["region is missing", "bucket is \"Bad_Bucket\"", "colour is not known"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn no_value_can_break_out_of_its_place() {
        for placeholder in PLACEHOLDERS {
            for value in
                ["", "a\nb", "a\"b", "a'b", "a`b", "a b", "a{b", "$(a)", "a#b", "-a", "a\\b", "s3://a/b\"", "é"]
            {
                let mut values = good();
                values.insert(placeholder.name.into(), value.into());
                assert!(complete(&values).is_err(), "{} took {value:?}", placeholder.name);
            }
        }
    }

    #[test]
    fn durations() {
        for (text, right) in [("10s", true), ("1m", true), ("2h", true), ("s", false), ("10", false), ("1ms", false)] {
            assert_eq!(duration(text), right, "{text}");
        }
    }
}
