//! Gathers problems with their places. Nothing stops at the first one.

use std::rc::Rc;

use haliotis_flow::{Diagnostic, Severity};

use crate::limits::MAX_PROBLEMS;
use crate::tree::At;

/// Names closer than this to a known one are offered as "did you mean".
const NEAR: f64 = 0.7;
/// Letters by which a near name may be longer or shorter.
const MOST_TYPED: usize = 4;

/// The problems of one file.
pub(crate) struct Problems {
    pub(crate) file: Rc<str>,
    list: Vec<Diagnostic>,
    errors: usize,
}

impl Problems {
    pub(crate) fn new(file: &Rc<str>) -> Self {
        Self { file: Rc::clone(file), list: Vec::new(), errors: 0 }
    }

    /// Notes an error; the help tells what to do.
    pub(crate) fn error(&mut self, code: &str, at: At, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.errors += 1;
        self.push(code, Severity::Error, at, message.into(), help.into());
    }

    /// Notes a warning.
    pub(crate) fn warn(&mut self, code: &str, at: At, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.push(code, Severity::Warning, at, message.into(), help.into());
    }

    /// Notes a name that is not one of `known`.
    pub(crate) fn unknown<'a>(
        &mut self,
        code: &str,
        at: At,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        // Looking for near names is dear; past the limit nobody sees them.
        let known: Vec<&str> = if self.list.len() > MAX_PROBLEMS { Vec::new() } else { known.into_iter().collect() };
        let help = suggest(name, &known);
        self.error(code, at, format!("unknown {what} {name:?}"), help);
    }

    fn push(&mut self, code: &str, severity: Severity, at: At, message: String, help: Option<String>) {
        if self.list.len() > MAX_PROBLEMS {
            return;
        }
        self.list.push(Diagnostic {
            code: code.to_owned(),
            severity,
            message,
            file: self.file.to_string(),
            line: at.line as usize,
            column: at.column as usize,
            length: (at.length as usize).max(1),
            help,
        });
    }

    /// Errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// All, in the order of the file; too many end in a line that says so.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        self.list.dedup();
        if self.list.len() > MAX_PROBLEMS {
            self.list.truncate(MAX_PROBLEMS);
            if let Some(last) = self.list.last_mut() {
                last.help = Some(format!("there are more problems than {MAX_PROBLEMS}; mend these first"));
            }
        }
        self.list
    }
}

/// `did you mean "x"?`, or the list when it is short.
pub(crate) fn suggest(name: &str, known: &[&str]) -> Option<String> {
    if let Some(near) = nearest(name, known) {
        return Some(format!("did you mean {near:?}?"));
    }
    match known.len() {
        0 => None,
        1..=24 => Some(format!("known: {}", known.join(", "))),
        more => Some(format!("known: {} and {} more", known[..20].join(", "), more - 20)),
    }
}

/// The known name closest to what was written.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= MOST_TYPED)
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), *candidate))
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn near_names_are_offered_and_far_ones_listed() {
        assert_eq!(suggest("neds", &["needs", "name"]).unwrap(), "did you mean \"needs\"?");
        assert_eq!(suggest("zzz", &["a", "b"]).unwrap(), "known: a, b");
        assert_eq!(suggest("zzz", &[]), None);
    }
}
