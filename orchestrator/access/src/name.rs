//! Names of people and groups, canonical: what is equal is one person, and what looks equal is too.
//!
//! Jenkins and GitLab had names that differ in case or in a dotless `ı` and became somebody else (CVE-2026-70429, see
//! the security table of the project). Here a name is ASCII alone, lower-cased once on the way in, and compared byte by
//! byte from then on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name; an e-mail address fits.
pub const MAX_LENGTH: usize = 64;
/// Words that mean something else in causes, audit rows and grants.
const RESERVED: [&str; 7] = ["anonymous", "authenticated", "anyone", "system", "scm", "timer", "nobody"];

/// A canonical name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be a name: use 1 to {MAX_LENGTH} of a-z, 0-9, `.`, `_`, `-`, `@`, `+`, beginning with a letter or digit, and none of {reserved}", reserved = RESERVED.join(", "))]
pub struct BadName(pub String);

impl Name {
    /// Reads a name; upper-case ASCII is lowered, everything outside the alphabet is refused.
    ///
    /// # Errors
    /// `BadName` with the text.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let lower = text.to_ascii_lowercase();
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@+".contains(&byte);
        let first = lower.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let good =
            first && lower.len() <= MAX_LENGTH && lower.bytes().all(known) && !RESERVED.contains(&lower.as_str());
        if good { Ok(Self(lower)) } else { Err(BadName(text.chars().take(MAX_LENGTH).collect())) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_spelling() {
        assert_eq!(Name::parse("Ada@Example.org").unwrap().as_str(), "ada@example.org");
        assert_eq!(Name::parse("ADMIN").unwrap(), Name::parse("admin").unwrap());
    }

    #[test]
    fn what_only_looks_like_a_name_is_refused() {
        let long = "a".repeat(MAX_LENGTH + 1);
        for text in
            ["", "adm\u{131}n", "аdmin", "admin ", "admin\u{200b}", "-rf", "a/b", "a b", "System", "../x", &long, "a\n"]
        {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
    }
}
