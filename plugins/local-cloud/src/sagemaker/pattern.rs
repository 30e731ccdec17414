//! The patterns that names, ARNs and URIs must match, each with the text AWS shows when one does not.

use std::sync::LazyLock;

use regex::Regex;

/// A pattern of the shape table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern(&'static (&'static str, &'static str));

/// Name in `shapes.txt`, and the expression.
const PATTERNS: &[(&str, &str)] = &[
    ("arn", r"^arn:aws[a-z\-]*:[a-z0-9\-]+:[a-z0-9\-]*:[0-9]{12}:.+$"),
    ("callback-token", r"^[a-zA-Z0-9]{10}$"),
    ("execution-arn", r"^arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:pipeline/.*/execution/.*$"),
    ("hostname", r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"),
    ("instance", r"^ml\.[a-z0-9\-]+\.[a-z0-9]+$"),
    ("model-name", r"^[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?$"),
    ("name", r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"),
    (
        "resource",
        r"^(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(/[0-9]{1,9})?$",
    ),
    ("pipeline-name", r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$"),
    (
        "pipeline-resource",
        r"^(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:pipeline/.*)?([a-zA-Z0-9](-*[a-zA-Z0-9]){0,255})$",
    ),
    ("role", r"^arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$"),
    ("s3uri", r"^(https|s3)://([^/]+)/?(.*)$"),
    ("tag-text", r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"),
];

static COMPILED: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| PATTERNS.iter().map(|(_, source)| Regex::new(source).ok()).collect());

impl Pattern {
    /// The pattern of that name in the table.
    pub(crate) fn named(name: &str) -> Option<Self> {
        PATTERNS.iter().find(|(known, _)| *known == name).map(Self)
    }

    /// The whole text matches. An expression that does not compile matches nothing; a test sees that all do.
    pub(crate) fn matches(self, text: &str) -> bool {
        let index = PATTERNS.iter().position(|(name, _)| *name == self.0.0);
        index.and_then(|index| COMPILED[index].as_ref()).is_some_and(|regex| regex.is_match(text))
    }

    /// The expression, for the message.
    pub(crate) fn source(self) -> &'static str {
        self.0.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, good: &[&str], bad: &[&str]) {
        let pattern = Pattern::named(name).unwrap();
        good.iter().for_each(|text| assert!(pattern.matches(text), "{name} should take {text}"));
        bad.iter().for_each(|text| assert!(!pattern.matches(text), "{name} should refuse {text}"));
    }

    #[test]
    fn all_compile_and_tell_good_from_bad() {
        assert!(COMPILED.iter().all(Option::is_some));
        check("name", &["a", "a-b", "A9--z"], &["", "-a", "a-", "a_b", "a.b"]);
        check("role", &["arn:aws:iam::123456789012:role/x", "arn:aws-cn:iam::123456789012:role/a/b"], &["x"]);
        check("s3uri", &["s3://b/k", "s3://b", "https://h/k"], &["s3:/b", "b/k"]);
        check("instance", &["ml.m5.xlarge", "ml.g4dn.2xlarge"], &["m5.xlarge", "ml.m5"]);
        check("resource", &["g", "g/3", "arn:aws:sagemaker:r-1:123456789012:model-package/g/3"], &["g//", "_"]);
    }
}
