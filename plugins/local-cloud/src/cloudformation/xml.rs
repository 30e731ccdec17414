//! The answers' XML: elements, lists of members, times.

use crate::s3::escape_xml;

/// `<name>text</name>`.
pub(super) fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape_xml(text))
}

/// An element that is left out where there is nothing to say.
pub(super) fn some(name: &str, text: Option<&str>) -> String {
    text.map(|text| tag(name, text)).unwrap_or_default()
}

/// An element around others.
pub(super) fn wrap(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// A list of members, each the inside of its element.
pub(super) fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: String = members.into_iter().map(|member| wrap("member", &member)).collect();
    wrap(name, &members)
}

/// A list of texts.
pub(super) fn texts<'a>(name: &str, items: impl IntoIterator<Item = &'a String>) -> String {
    list(name, items.into_iter().map(|text| escape_xml(text)))
}

/// `2026-01-02T03:04:05.678Z`.
pub(super) fn time(name: &str, ms: Option<i64>) -> String {
    let written = ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    some(name, written.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()).as_deref())
}
