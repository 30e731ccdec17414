//! What is wrong with a text: where, in Groovy's words, and what to do about it.

use crate::span::{Lines, Place, Span};

/// One syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The piece of text it is about.
    pub span: Span,
    /// Where that piece begins.
    pub start: Place,
    /// The place after its last character.
    pub end: Place,
    /// What Groovy would say, without `@ line x, column y`.
    pub message: String,
    /// What probably helps.
    pub hint: Option<String>,
}

impl SyntaxError {
    /// An error at a piece of a text.
    pub fn at(lines: &Lines, span: Span, message: impl Into<String>, hint: Option<String>) -> Self {
        let message = message.into();
        Self { span, start: lines.place(span.start), end: lines.place(span.end), message, hint }
    }
}

impl std::fmt::Display for SyntaxError {
    /// As the Groovy compiler prints it: `message @ line 1, column 2.`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} @ line {}, column {}.", self.message, self.start.line, self.start.column)
    }
}

impl std::error::Error for SyntaxError {}
