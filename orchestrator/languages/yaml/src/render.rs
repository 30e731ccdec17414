//! Diagnostics as text: the line, a caret, the help.

use std::collections::BTreeMap;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use haliotis_flow::{Diagnostic, Severity};

/// Columns of a terminal that rendering may use; longer lines are cut around the caret.
const WIDTH: usize = 140;

/// All diagnostics with their lines, as a compiler shows them. `sources` has the text of each file by its name; a file
/// that is not there is named without its line.
pub fn render(diagnostics: &[Diagnostic], sources: &BTreeMap<String, String>, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(WIDTH).decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&one(diagnostic, sources, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn one(diagnostic: &Diagnostic, sources: &BTreeMap<String, String>, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let line = sources.get(&diagnostic.file).and_then(|text| text.lines().nth(diagnostic.line.saturating_sub(1)));
    let place = format!("{}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
    let mut group = match line {
        Some(line) => {
            let snippet = Snippet::source(line)
                .line_start(diagnostic.line)
                .path(diagnostic.file.as_str())
                .annotation(AnnotationKind::Primary.span(span(line, diagnostic)));
            title.element(snippet)
        }
        None => title.element(Level::NOTE.message(format!("at {place}"))),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// Bytes of the marked characters within their line.
fn span(line: &str, diagnostic: &Diagnostic) -> std::ops::Range<usize> {
    let byte = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(index, _)| index);
    let start = byte(diagnostic.column.saturating_sub(1));
    let end = byte(diagnostic.column.saturating_sub(1) + diagnostic.length.max(1));
    start..end.max(start)
}
