//! XML as Jenkins writes it: elements, attributes and text.

use std::fmt::Write;

/// An element.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    /// An empty element.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// An element with text.
    pub fn text(name: impl Into<String>, text: impl std::fmt::Display) -> Self {
        Self { name: name.into(), text: text.to_string(), ..Self::default() }
    }

    /// With `class="…"`.
    #[must_use]
    pub fn class(self, class: &str) -> Self {
        self.attribute("class", class)
    }

    /// With an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a child.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// With a child that holds text.
    #[must_use]
    pub fn leaf(self, name: &str, text: impl std::fmt::Display) -> Self {
        self.with(Self::text(name, text))
    }

    /// With a child that holds text, if there is any.
    #[must_use]
    pub fn maybe(self, name: &str, text: Option<impl std::fmt::Display>) -> Self {
        match text {
            Some(text) => self.leaf(name, text),
            None => self,
        }
    }

    /// With children.
    #[must_use]
    pub fn all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty() && self.text.is_empty()
    }

    /// The document, two blanks a level.
    pub fn document(&self) -> String {
        let mut out = "<?xml version='1.1' encoding='UTF-8'?>\n".to_owned();
        self.print(&mut out, 0);
        out
    }

    fn print(&self, out: &mut String, level: usize) {
        let indent = "  ".repeat(level);
        let _ = write!(out, "{indent}<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escape(value));
        }
        if self.is_empty() {
            out.push_str("/>\n");
        } else if self.children.is_empty() {
            let _ = writeln!(out, ">{}</{}>", escape(&self.text), self.name);
        } else {
            out.push_str(">\n");
            for child in &self.children {
                child.print(out, level + 1);
            }
            let _ = writeln!(out, "{indent}</{}>", self.name);
        }
    }
}

/// Text with XML's characters escaped; those that XML 1.1 cannot hold are left out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#xd;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_indented_and_escaped() {
        let project = Element::new("project")
            .with(Element::new("actions"))
            .with(Element::new("scm").class("a.B$C").leaf("url", "a&b<c>\u{1}"));
        assert_eq!(
            project.document(),
            "<?xml version='1.1' encoding='UTF-8'?>\n<project>\n  <actions/>\n  <scm class=\"a.B$C\">\n    \
             <url>a&amp;b&lt;c&gt;</url>\n  </scm>\n</project>\n"
        );
    }
}
