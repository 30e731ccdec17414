//! What a script said: one node a call.

/// A call inside a block of the DSL.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// The method: `stringParam`.
    pub name: String,
    /// Its arguments without a closure.
    pub args: Vec<Arg>,
    /// What its closure said.
    pub children: Vec<Node>,
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// Text, and whatever else by its `toString`.
    Text(String),
    /// A list.
    List(Vec<Arg>),
    /// A map, in its order.
    Map(Vec<(String, Arg)>),
}

impl Arg {
    /// As text; nothing of `null`. Lists are joined with commas.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::List(items) => Some(items.iter().filter_map(Self::text).collect::<Vec<_>>().join(",")),
            Self::Map(entries) => {
                let shown = entries.iter().map(|(key, value)| format!("{key}={}", value.text().unwrap_or_default()));
                Some(shown.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// As a list of texts: a list's items, or the one.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            other => other.text().into_iter().collect(),
        }
    }

    /// Whether it says yes.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true)) || matches!(self, Self::Text(text) if text == "true")
    }
}

impl Node {
    /// The argument at a place as text.
    pub fn text(&self, at: usize) -> Option<String> {
        self.args.get(at).and_then(Arg::text)
    }

    /// The first argument as text, empty if there is none.
    pub fn value(&self) -> String {
        self.text(0).unwrap_or_default()
    }

    /// What a switch says: `disabled()` and `disabled(true)` say yes.
    pub fn on(&self) -> bool {
        self.args.first().is_none_or(Arg::is_true)
    }

    /// All arguments as texts, lists flattened: `branches('a', 'b')`, `branches(['a', 'b'])`.
    pub fn all_texts(&self) -> Vec<String> {
        self.args.iter().flat_map(Arg::texts).collect()
    }

    /// The last child of a name; the last call wins.
    pub fn child(&self, name: &str) -> Option<&Self> {
        last(&self.children, name)
    }
}

/// The last node of a name.
pub(crate) fn last<'a>(nodes: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes.iter().rev().find(|node| node.name == name)
}

/// All nodes of a name, in their order.
pub(crate) fn all<'a>(nodes: &'a [Node], name: &'a str) -> impl Iterator<Item = &'a Node> {
    nodes.iter().filter(move |node| node.name == name)
}

/// The children of all nodes of a name: `parameters { … }` twice is one list.
pub(crate) fn inside<'a>(nodes: &'a [Node], name: &'a str) -> impl Iterator<Item = &'a Node> {
    all(nodes, name).flat_map(|node| &node.children)
}
