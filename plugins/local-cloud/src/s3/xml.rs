//! The little XML that S3 speaks: escaping what we write, a small tree of what we read.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::AwsError;

/// S3's requests nest three deep; more is not ours.
const MAX_DEPTH: usize = 16;

/// An element: its local name, its text, its children. Attributes mean nothing to S3 requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// A child's text; surrounding space is kept, as keys may have it.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// Parses a request's document.
///
/// # Errors
/// `MalformedXML`; also for document types, whose entities could grow without bound.
pub(crate) fn parse(text: &str) -> Result<Element, AwsError> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|error| malformed(&error.to_string()))? {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(malformed("it nests too deep"));
                }
                open.push(Element { name: start.local_name().as_ref().to_owned(), ..Element::default() });
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                close(&mut open, Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let element = open.pop().unwrap_or_default();
                close(&mut open, element);
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().map_err(|error| malformed(&error.to_string()))? {
                    Some(character) => character.to_string(),
                    None => entity(&reference)?.to_owned(),
                };
                append(&mut open, &resolved);
            }
            Event::DocType(_) => return Err(malformed("document types are not accepted")),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let root = open.into_iter().next().unwrap_or_default();
    root.children.into_iter().next().ok_or_else(|| malformed("it is empty"))
}

fn close(open: &mut [Element], element: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(element);
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn entity(name: &str) -> Result<&'static str, AwsError> {
    match name {
        "amp" => Ok("&"),
        "lt" => Ok("<"),
        "gt" => Ok(">"),
        "quot" => Ok("\""),
        "apos" => Ok("'"),
        _ => Err(malformed("unknown entity")),
    }
}

fn malformed(why: &str) -> AwsError {
    let what = "The XML you provided was not well-formed or did not validate against our published schema";
    AwsError::new(400, "MalformedXML", format!("{what}: {why}"))
}

/// Escapes text for an element; control characters that XML 1.0 cannot hold become character references, as S3 does.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            control if control < ' ' && control != '\n' && control != '\t' => {
                escaped.push_str(&format!("&#{};", u32::from(control)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// `<name>text</name>`.
pub(crate) fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_delete_request() {
        let text = r#"<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Object><Key>a &amp; b/&#x41;&lt;</Key></Object><Object><Key><![CDATA[<x>]]></Key></Object><Quiet>true</Quiet></Delete>"#;
        let root = parse(text).unwrap();
        let keys: Vec<_> = root.children("Object").filter_map(|object| object.text_of("Key")).collect();
        assert_eq!(keys, ["a & b/A<", "<x>"]);
        assert_eq!(root.text_of("Quiet"), Some("true"));
    }

    #[test]
    fn refuses_bombs_and_nonsense() {
        let deep = "<a>".repeat(100);
        for bad in ["", "<a", "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "<x>&unknown;</x>", &deep] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_escaped_comes_back() {
        let text = "a<b>&\"c\r\n";
        assert_eq!(parse(&tag("k", text)).unwrap().text, text);
    }
}
