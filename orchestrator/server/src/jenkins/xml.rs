//! config.xml as a small tree that knows where each element stands in the text, so that a change of one value leaves
//! everything else as it was given. No document types, hence no entities of the document's own.

use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// Elements of one document.
const ELEMENTS_MAX: usize = 100_000;
/// Nested elements of one document.
const LEVELS_MAX: usize = 128;

/// An element.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// Its own text, entities resolved.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    /// Bytes of the whole element.
    whole: Range<usize>,
    /// Bytes between its tags; empty for `<a/>`.
    inner: Range<usize>,
}

impl Element {
    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at the end of a path of names, `/` between them.
    pub(crate) fn at(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |here, name| here.child(name))
    }

    /// The text of the element at a path; empty where there is none.
    pub(crate) fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", |found| found.text.as_str())
    }

    /// An attribute; empty where there is none.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Its class: the attribute, or the element's own name.
    pub(crate) fn class(&self) -> &str {
        Some(self.attribute("class")).filter(|class| !class.is_empty()).unwrap_or(&self.name)
    }

    /// All elements of a name at any depth.
    pub(crate) fn find_all<'e>(&'e self, name: &str, found: &mut Vec<&'e Element>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.find_all(name, found);
        }
    }
}

/// Reads a document.
///
/// # Errors
/// One sentence on what is wrong.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0_usize;
    loop {
        let from = position(&reader);
        let event = reader.read_event().map_err(|error| format!("it is not XML at byte {from}: {error}"))?;
        let to = position(&reader);
        match event {
            Event::Eof => break,
            Event::DocType(_) => return Err("it has a document type declaration, which is refused".to_owned()),
            Event::Start(tag) => {
                if open.len() >= LEVELS_MAX || (open.is_empty() && root.is_some()) {
                    return Err("it is nested too deeply or has two roots".to_owned());
                }
                open.push(element(&tag, from..to, to..to)?);
                count += 1;
            }
            Event::Empty(tag) => {
                close(element(&tag, from..to, to..to)?, &mut open, &mut root)?;
                count += 1;
            }
            Event::End(_) => {
                let mut done = open.pop().ok_or("an element ends that did not begin")?;
                done.whole.end = to;
                done.inner.end = from;
                close(done, &mut open, &mut root)?;
            }
            Event::Text(part) => add(&mut open, &part.xml10_content()),
            Event::CData(part) => add(&mut open, &part.xml10_content()),
            Event::GeneralRef(entity) => {
                let resolved = match entity.resolve_char_ref().map_err(|error| error.to_string())? {
                    Some(c) => c.to_string(),
                    None => named(&entity)?.to_owned(),
                };
                add(&mut open, &resolved);
            }
            _ => {}
        }
        if count > ELEMENTS_MAX {
            return Err(format!("it has more than {ELEMENTS_MAX} elements"));
        }
    }
    if !open.is_empty() {
        return Err("it ends inside an element".to_owned());
    }
    root.ok_or_else(|| "it has no element".to_owned())
}

fn position(reader: &quick_xml::Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn named(entity: &str) -> Result<&'static str, String> {
    quick_xml::escape::resolve_predefined_entity(entity).ok_or_else(|| format!("there is no entity &{entity};"))
}

fn element(tag: &BytesStart<'_>, whole: Range<usize>, inner: Range<usize>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::default()).map_err(|error| error.to_string())?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    let name = tag.name().as_ref().to_owned();
    Ok(Element { name, attributes, whole, inner, ..Element::default() })
}

fn close(done: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None if root.is_none() => *root = Some(done),
        None => return Err("it has two roots".to_owned()),
    }
    Ok(())
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// The text with the root's child `name` holding `value`; added at the end of the root where there is none.
///
/// # Errors
/// When the text is no document.
pub(crate) fn with_child(text: &str, name: &str, value: &str) -> Result<String, String> {
    let root = parse(text)?;
    let made = if value.is_empty() { format!("<{name}/>") } else { format!("<{name}>{}</{name}>", escape(value)) };
    let mut changed = text.to_owned();
    match root.child(name) {
        Some(child) => changed.replace_range(child.whole.clone(), &made),
        None if root.inner.is_empty() && text[root.whole.clone()].ends_with("/>") => {
            let open = text[root.whole.clone()].trim_end_matches("/>").trim_end().to_owned();
            changed.replace_range(root.whole.clone(), &format!("{open}>\n  {made}\n</{}>", root.name));
        }
        None => changed.insert_str(root.inner.end, &format!("  {made}\n")),
    }
    Ok(changed)
}

/// The text with a fragment put at the end of the root's child `name`, which is made where there is none.
///
/// # Errors
/// When the text is no document.
pub(crate) fn with_fragment(text: &str, name: &str, fragment: &str) -> Result<String, String> {
    let root = parse(text)?;
    let Some(child) = root.child(name) else {
        let made = with_child(text, name, "")?;
        return with_fragment(&made, name, fragment);
    };
    let mut changed = text.to_owned();
    let whole = &text[child.whole.clone()];
    if whole.ends_with("/>") {
        let open = whole.trim_end_matches("/>").trim_end();
        changed.replace_range(child.whole.clone(), &format!("{open}>{fragment}</{name}>"));
    } else {
        changed.insert_str(child.inner.end, fragment);
    }
    Ok(changed)
}

/// The text without one element of it.
pub(crate) fn without(text: &str, element: &Element) -> String {
    let mut changed = text.to_owned();
    changed.replace_range(element.whole.clone(), "");
    changed
}

/// The text with other content in some of its elements; an element inside another one goes with it.
pub(crate) fn with_inner(text: &str, elements: &[&Element], inner: &str) -> String {
    let mut all: Vec<&Element> = elements.to_vec();
    all.sort_by_key(|element| std::cmp::Reverse(element.whole.start));
    // From the last to the first, so that what is still to be replaced stays where it is; the outermost counts.
    let outermost = |element: &&&Element| {
        !all.iter().any(|o| o.whole.start < element.whole.start && o.whole.end >= element.whole.end)
    };
    let mut changed = text.to_owned();
    for element in all.iter().filter(outermost) {
        if element.text.trim().is_empty() && element.children.is_empty() {
            continue;
        }
        changed.replace_range(element.inner.clone(), inner);
    }
    changed
}

/// Text for between two tags.
pub(crate) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_and_changed_in_place() {
        let text = "<?xml version='1.1' encoding='UTF-8'?>\n<project plugin=\"x@1\">\n  <!-- kept -->\n  \
                    <description>a &amp; b &#233;</description>\n  <odd><a class=\"y\">1</a><a>2</a></odd>\n</project>";
        let root = parse(text).unwrap();
        assert_eq!((root.name.as_str(), root.attribute("plugin")), ("project", "x@1"));
        assert_eq!(root.text_at("description"), "a & b é");
        assert_eq!((root.text_at("odd/a"), root.at("odd/a").unwrap().class()), ("1", "y"));
        let changed = with_child(text, "description", "<new>").unwrap();
        assert_eq!(changed, text.replace("a &amp; b &#233;", "&lt;new&gt;"));
        let added = with_child(text, "disabled", "true").unwrap();
        assert!(added.ends_with("</odd>\n  <disabled>true</disabled>\n</project>"), "{added}");
        assert_eq!(
            with_child("<project/>", "disabled", "true").unwrap(),
            "<project>\n  <disabled>true</disabled>\n</project>"
        );
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(500), "</a>".repeat(500));
        for (text, part) in [
            ("", "no element"),
            ("<a>", "inside"),
            ("<a/><b/>", "two roots"),
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "document type"),
            ("<a>&x;</a>", "no entity"),
            ("plain", "no element"),
            ("<a></b>", "not XML"),
            (deep.as_str(), "deeply"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text:.40}: {error}");
        }
    }
}
