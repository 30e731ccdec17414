//! What is wrong with a source, collected while it is read.

use haliotis_flow::{Diagnostic, Severity};
use haliotis_groovy_syntax::{Lines, Span, SyntaxError};
use serde::Serialize;

/// One problem, as `haliotis lint --json` and the validating endpoints show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `error` or `warning`.
    pub severity: Severity,
    /// Jenkins' words, without the place.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Where the marked text ends.
    pub end_line: u32,
    /// After its last character.
    pub end_column: u32,
    /// What probably helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// As Jenkins' validation prints it: `WorkflowScript: 3: Missing required section "agent" @ line 3, column 1.`
    pub fn jenkins_line(&self) -> String {
        format!("WorkflowScript: {}: {} @ line {}, column {}.", self.line, self.message, self.line, self.column)
    }

    /// As the engine carries it.
    pub(crate) fn diagnostic(&self, file: &str, text: &str) -> Diagnostic {
        let length = if self.end_line == self.line {
            self.end_column.saturating_sub(self.column)
        } else {
            let line = text.lines().nth(self.line.saturating_sub(1) as usize).unwrap_or("");
            u32::try_from(line.trim_end().chars().count()).unwrap_or(u32::MAX).saturating_sub(self.column - 1)
        };
        Diagnostic {
            code: "jenkinsfile".to_owned(),
            severity: self.severity,
            message: self.message.clone(),
            file: file.to_owned(),
            line: self.line as usize,
            column: self.column as usize,
            length: length.max(1) as usize,
            help: self.hint.clone(),
        }
    }
}

impl From<SyntaxError> for Problem {
    fn from(error: SyntaxError) -> Self {
        Problem {
            severity: Severity::Error,
            message: error.message,
            line: error.start.line,
            column: error.start.column,
            end_line: error.end.line,
            end_column: error.end.column,
            hint: error.hint,
        }
    }
}

/// Problems in the order they were found; sorted by place at the end.
pub(crate) struct Problems<'a> {
    lines: &'a Lines,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(lines: &'a Lines) -> Self {
        Self { lines, found: Vec::new() }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.add(Severity::Error, span, message.into(), None);
    }

    pub(crate) fn hinted(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, span, message.into(), Some(hint.into()));
    }

    /// Something that is right, and will not run here as it stands.
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, span, message.into(), Some(hint.into()));
    }

    pub(crate) fn maybe(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Error, span, message.into(), hint);
    }

    fn add(&mut self, severity: Severity, span: Span, message: String, hint: Option<String>) {
        let (start, end) = (self.lines.place(span.start), self.lines.place(span.end));
        let problem = Problem {
            severity,
            message,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            hint,
        };
        // Jenkins reads some nodes twice; nobody wants to read the same sentence twice.
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        self.found
    }
}

/// The nearest of some names, when it is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let scored = names.into_iter().map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known));
    let (distance, known) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1) + 1).then_some(known)
}

/// `did you mean "x"?`, when something is near.
pub(crate) fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, names).map(|known| format!("did you mean \"{known}\"?"))
}
