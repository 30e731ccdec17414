//! A template's files for a project's values.
//!
//! A placeholder is `{{ name }}`, with one space on either side, and not after `$`: `${{ … }}` is an expression of the
//! pipeline language and stays. Any other `{{` in a text file is an error, so a typing mistake in a template cannot get
//! into a repository. Files that are not UTF-8 pass unchanged.

use std::collections::BTreeMap;

use crate::{SeedError, template, templates, values};

/// One rendered file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path in the repository, with `/`.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// The files of a template, sorted by path; depends on its arguments alone.
///
/// # Errors
/// `UnknownTemplate`, `BadValues` with everything that is wrong with them.
pub fn render(template: &str, given: &BTreeMap<String, String>) -> Result<Vec<File>, SeedError> {
    let Some(found) = template::find(template) else {
        let known: Vec<_> = templates().into_iter().map(|one| one.name).collect();
        return Err(SeedError::UnknownTemplate { name: template.into(), known: known.join(", ") });
    };
    let values = values::complete(given)?;
    let file = |(path, bytes): (String, &[u8])| {
        let content = match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => fill(&path, text, &values)?.into_bytes(),
            _ => bytes.to_vec(),
        };
        Ok(File { path, content })
    };
    found.files().into_iter().map(file).collect()
}

fn fill(file: &str, text: &str, values: &BTreeMap<String, String>) -> Result<String, SeedError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if before.ends_with('$') {
            out.push_str("{{");
            rest = &after[2..];
            continue;
        }
        let fail = |problem: String| {
            let line = text[..text.len() - after.len()].matches('\n').count() + 1;
            SeedError::BadTemplate { file: file.into(), line, problem }
        };
        let name = after.strip_prefix("{{ ").and_then(|inner| Some(inner.split_once(" }}")?.0));
        let name = name.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let name = name.ok_or_else(|| fail("`{{` begins no placeholder of the form `{{ name }}`".into()))?;
        out.push_str(values.get(name).ok_or_else(|| fail(format!("there is no placeholder {name}")))?);
        rest = &after[name.len() + "{{  }}".len()..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> BTreeMap<String, String> {
        [("a".to_owned(), "ONE".to_owned()), ("b_c".to_owned(), "TWO".to_owned())].into()
    }

    #[test]
    fn placeholders_are_filled_and_expressions_stay() {
        let text = "x: {{ a }}-{{ b_c }}\ny: \"${{ steps.a }}\"\nz: ${{ a }} {{ a }}}";
        assert_eq!(fill("f", text, &values()).unwrap(), "x: ONE-TWO\ny: \"${{ steps.a }}\"\nz: ${{ a }} ONE}");
        assert_eq!(fill("f", "", &values()).unwrap(), "");
    }

    #[test]
    fn anything_else_in_double_braces_is_an_error_with_its_line() {
        for (text, line, words) in [
            ("a\nb {{ d }}", 2, "no placeholder d"),
            ("{{a}}", 1, "begins no placeholder"),
            ("\n\n{{ a", 3, "begins no placeholder"),
            ("{{", 1, "begins no placeholder"),
            ("{{ A }}", 1, "begins no placeholder"),
            ("{{ a }} {{{ a }}", 1, "begins no placeholder"),
        ] {
            match fill("f", text, &values()) {
                Err(SeedError::BadTemplate { line: at, problem, .. }) => {
                    assert_eq!(at, line, "{text:?}");
                    assert!(problem.contains(words), "{text:?}: {problem}");
                }
                other => panic!("{text:?} gave {other:?}"),
            }
        }
    }
}
