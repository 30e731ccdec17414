//! A located YAML tree.
//!
//! Built from the parser's events, not from a loaded document, for three reasons: limits are checked before anything
//! is allocated, every node knows its place, and an alias *shares* the node it names, so a list of a thousand needs
//! used by a thousand steps is one list (and is recognised as one by its address).
//!
//! Scalars keep their text: `on` stays "on", and `1.10` stays "1.10" wherever text is wanted.

use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_model::Value;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::limits::{MAX_ALIASES, MAX_DEPTH, MAX_EXPANDED, MAX_NODES, MAX_SOURCE_BYTES};
use crate::problems::Problems;

/// A place in a file; line and column from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) length: u32,
}

impl At {
    pub(crate) const START: At = At { line: 1, column: 1, length: 1 };
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    /// Last line of its text, for expressions inside a block scalar.
    pub(crate) end_line: u32,
    pub(crate) data: Data,
    /// Nodes below and itself, aliases written out.
    weight: u64,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Data {
    Scalar {
        text: Box<str>,
        /// Neither quoted nor a block: may be a number, a boolean or nothing.
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Nothing: left empty, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What kind of thing this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.data {
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
            Data::Scalar { .. } => match self.scalar() {
                Value::Null => "nothing",
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                _ => "text",
            },
        }
    }

    /// The value of a scalar by the YAML 1.2 core schema; null for collections.
    pub(crate) fn scalar(&self) -> Value {
        match &self.data {
            Data::Scalar { text, plain: false } => Value::String(text.to_string()),
            Data::Scalar { text, plain: true } => plain_value(text),
            _ => Value::Null,
        }
    }

    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value),
            _ => None,
        }
    }
}

fn plain_value(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number = text.strip_prefix('+').unwrap_or(text);
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
        return Value::String(text.to_owned());
    }
    if let Ok(whole) = number.parse::<i64>() {
        return whole.into();
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(whole) = number.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, radix).ok()) {
            return whole.into();
        }
    }
    let shaped = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let float = if shaped { number.parse::<f64>().ok() } else { None };
    float.and_then(serde_json::Number::from_f64).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// Reads a file. `None`: the problems say why.
pub(crate) fn parse(text: &str, problems: &mut Problems) -> Option<Rc<Node>> {
    if text.len() > MAX_SOURCE_BYTES {
        let message = format!("the file has {} bytes, at most {MAX_SOURCE_BYTES} are read", text.len());
        problems.error(
            "yaml-too-large",
            At::START,
            message,
            Some("split it into files and call them with uses:".into()),
        );
        return None;
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => {
                builder.event(event, span, problems)?;
            }
            Err(error) => {
                let marker = error.marker();
                let at = At { line: size(marker.line().max(1)), column: size(marker.col() + 1), length: 1 };
                let message = format!("this is not YAML: {}", error.info());
                problems.error("yaml-syntax", at, message, syntax_help(text, at));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        let help = "a pipeline has at least a name and steps".to_owned();
        problems.error("yaml-empty", At::START, "the file is empty", help);
    }
    builder.root
}

/// The usual reasons why a line does not parse.
fn syntax_help(text: &str, at: At) -> Option<String> {
    let line = text.lines().nth((at.line as usize).saturating_sub(1)).unwrap_or("");
    if line.contains('\t') {
        return Some("YAML indents with spaces, not tabs".to_owned());
    }
    if line.matches(": ").count() > 1 || line.contains(": {{") || line.contains("${{") {
        return Some("put the value in quotes when it contains ': ', '#' or braces".to_owned());
    }
    Some("look at the indentation and at open quotes and brackets just above".to_owned())
}

fn size(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A collection being read.
struct Open {
    at: At,
    anchor: usize,
    weight: u64,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<(Rc<Node>, Rc<Node>)>,
        key: Option<Rc<Node>>,
        seen: BTreeMap<Box<str>, u32>,
        merges: Vec<Rc<Node>>,
    },
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Node>>,
    nodes: usize,
    aliases: usize,
    documents: usize,
    root: Option<Rc<Node>>,
}

impl Builder {
    /// `None`: stop reading.
    fn event(&mut self, event: Event<'_>, span: Span, problems: &mut Problems) -> Option<()> {
        let at = place(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let help = "one file is one pipeline: remove what follows `---`".to_owned();
                    problems.error("yaml-documents", at, "a second document begins here", help);
                    return None;
                }
                Some(())
            }
            Event::Alias(anchor) => self.alias(anchor, at, problems),
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at, problems)?;
                let text_tag = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                if let Some(tag) = tag.filter(|_| !text_tag) {
                    unknown_tag(&tag.to_string(), at, problems);
                }
                let plain = style == ScalarStyle::Plain && !text_tag;
                let end_line = size(span.end.line());
                let data = Data::Scalar { text: text.into(), plain };
                self.close(Rc::new(Node { at, end_line, data, weight: 1 }), anchor, problems)
            }
            Event::SequenceStart(anchor, tag) => {
                if let Some(tag) = tag {
                    unknown_tag(&tag.to_string(), at, problems);
                }
                self.open(at, anchor, OpenKind::List(Vec::new()), problems)
            }
            Event::MappingStart(anchor, tag) => {
                if let Some(tag) = tag {
                    unknown_tag(&tag.to_string(), at, problems);
                }
                let kind = OpenKind::Map { entries: Vec::new(), key: None, seen: BTreeMap::new(), merges: Vec::new() };
                self.open(at, anchor, kind, problems)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.stack.pop()?;
                let data = match open.kind {
                    OpenKind::List(items) => Data::List(items),
                    OpenKind::Map { entries, merges, .. } => Data::Map(merged(entries, &merges)),
                };
                let end_line = size(span.end.line());
                let node = Rc::new(Node { at: open.at, end_line, data, weight: open.weight });
                self.close(node, open.anchor, problems)
            }
        }
    }

    fn alias(&mut self, anchor: usize, at: At, problems: &mut Problems) -> Option<()> {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            let message = format!("more than {MAX_ALIASES} aliases");
            problems.error("yaml-too-large", at, message, Some("this looks like a bomb; write less".to_owned()));
            return None;
        }
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            let help = "an anchor must be closed before it is used".to_owned();
            problems.error("yaml-alias", at, "this alias stands inside what it names", help);
            return None;
        };
        self.attach(node, true, problems)
    }

    fn count(&mut self, at: At, problems: &mut Problems) -> Option<()> {
        self.nodes += 1;
        if self.nodes <= MAX_NODES {
            return Some(());
        }
        let message = format!("the file has more than {MAX_NODES} values");
        problems.error(
            "yaml-too-large",
            at,
            message,
            Some("share long lists with an anchor (&name, *name)".to_owned()),
        );
        None
    }

    fn open(&mut self, at: At, anchor: usize, kind: OpenKind, problems: &mut Problems) -> Option<()> {
        self.count(at, problems)?;
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            problems.error("yaml-too-deep", at, message, None);
            return None;
        }
        self.stack.push(Open { at, anchor, weight: 1, kind });
        Some(())
    }

    fn close(&mut self, node: Rc<Node>, anchor: usize, problems: &mut Problems) -> Option<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.attach(node, false, problems)
    }

    /// Puts a finished node where it belongs.
    fn attach(&mut self, node: Rc<Node>, alias: bool, problems: &mut Problems) -> Option<()> {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        let flat = matches!(&node.data, Data::List(items) if items.iter().all(|item| item.text().is_some()));
        open.weight = open.weight.saturating_add(if alias && flat { 1 } else { node.weight });
        if open.weight > MAX_EXPANDED {
            let message = format!("with its aliases written out this has more than {MAX_EXPANDED} values");
            let help = "aliases of aliases multiply; write less".to_owned();
            problems.error("yaml-too-large", node.at, message, help);
            return None;
        }
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, key, seen, merges } => match key.take() {
                None => *key = Some(checked_key(node, seen, problems)),
                Some(name) if name.text() == Some("<<") && matches!(name.data, Data::Scalar { plain: true, .. }) => {
                    merges.push(node);
                }
                // A key that stands twice was reported; the first one counts.
                Some(name) if name.at.length == 0 => {}
                Some(name) => entries.push((name, node)),
            },
        }
        Some(())
    }
}

/// A key must be text and new. One that is not gets the length 0 and is dropped with its value.
fn checked_key(node: Rc<Node>, seen: &mut BTreeMap<Box<str>, u32>, problems: &mut Problems) -> Rc<Node> {
    let dropped = |at: At| {
        let data = Data::Scalar { text: "".into(), plain: true };
        Rc::new(Node { at: At { length: 0, ..at }, end_line: at.line, data, weight: 1 })
    };
    let Some(text) = node.text() else {
        problems.error("yaml-key", node.at, "a key must be text", None);
        return dropped(node.at);
    };
    if text == "<<" {
        return node;
    }
    if let Some(first) = seen.get(text) {
        let message = format!("the key {text:?} stands twice");
        problems.error("yaml-duplicate-key", node.at, message, Some(format!("the first one is in line {first}")));
        return dropped(node.at);
    }
    seen.insert(text.into(), node.at.line);
    node
}

/// `<<: *defaults`: the entries of the merged maps that are not there already.
fn merged(mut entries: Vec<(Rc<Node>, Rc<Node>)>, merges: &[Rc<Node>]) -> Vec<(Rc<Node>, Rc<Node>)> {
    for merge in merges {
        let maps: Vec<&Rc<Node>> = match &merge.data {
            Data::List(items) => items.iter().collect(),
            _ => vec![merge],
        };
        for map in maps {
            let Data::Map(more) = &map.data else { continue };
            for (key, value) in more {
                if !entries.iter().any(|(name, _)| name.text() == key.text()) {
                    entries.push((Rc::clone(key), Rc::clone(value)));
                }
            }
        }
    }
    entries
}

fn unknown_tag(tag: &str, at: At, problems: &mut Problems) {
    problems.error("yaml-tag", at, format!("the tag {tag} means nothing here"), Some("remove it".to_owned()));
}

fn place(span: Span) -> At {
    let length = if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    At { line: size(span.start.line().max(1)), column: size(span.start.col() + 1), length: size(length.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> (Option<Rc<Node>>, Vec<haliotis_flow::Diagnostic>) {
        let mut problems = Problems::new(&"f.yaml".into());
        let node = parse(text, &mut problems);
        (node, problems.finish())
    }

    #[test]
    fn on_stays_text_and_numbers_keep_their_text() {
        let (node, problems) = tree("on: yes\nversion: 1.10\nflag: true\n");
        assert_eq!(problems, []);
        let node = node.unwrap();
        assert_eq!(node.get("on").unwrap().scalar(), "yes");
        assert_eq!(node.get("version").unwrap().text(), Some("1.10"));
        assert_eq!(node.get("flag").unwrap().scalar(), true);
    }

    #[test]
    fn aliases_share_and_merges_fill_in() {
        let (node, problems) = tree("a: &l [x, y]\nb: *l\nc: &m {k: 1, j: 2}\nd: {<<: *m, k: 3}\n");
        assert_eq!(problems, []);
        let node = node.unwrap();
        assert!(Rc::ptr_eq(node.get("a").unwrap(), node.get("b").unwrap()));
        let merged = node.get("d").unwrap();
        assert_eq!((merged.get("k").unwrap().scalar(), merged.get("j").unwrap().scalar()), (3.into(), 2.into()));
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = "a0: &a0 {x: 1, y: 2}\n".to_owned();
        for level in 1..12 {
            let uses = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        for bomb in [text, "[".repeat(20_000), "{a: ".repeat(300), "- ".repeat(5_000), "x".repeat(MAX_SOURCE_BYTES + 1)]
        {
            let (_, problems) = tree(&bomb);
            assert_eq!(problems.len(), 1, "{:?}", &bomb[..20]);
        }
    }
}
