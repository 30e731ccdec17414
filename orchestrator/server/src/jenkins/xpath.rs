//! The part of XPath that people use against `api/xml`: paths of names, `*`, `//`, `text()`, unions, and predicates by
//! position, by a field's value, and by `contains` and `starts-with`.

use std::fmt::Write as _;

use crate::error::Failed;

/// Nodes one question may visit; the largest answers have some ten thousand.
const VISITS: usize = 2_000_000;

/// An element of the answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Node>,
    gone: bool,
}

/// What a path found.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'n> {
    Node(&'n Node),
    Text(String),
}

impl Node {
    pub(crate) fn new(name: String) -> Self {
        Self { name, class: String::new(), text: String::new(), children: Vec::new(), gone: false }
    }

    pub(crate) fn write(&self, out: &mut String, pretty: bool, level: usize) {
        out.push('<');
        out.push_str(&self.name);
        if !self.class.is_empty() {
            let _ = write!(out, " _class=\"{}\"", escape(&self.class));
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        out.push_str(&escape(&self.text));
        for child in &self.children {
            if pretty {
                out.push('\n');
                out.extend(std::iter::repeat_n("  ", level + 1));
            }
            child.write(out, pretty, level + 1);
        }
        if pretty && !self.children.is_empty() {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", level));
        }
        let _ = write!(out, "</{}>", self.name);
    }

    fn all_text(&self) -> String {
        let mut text = self.text.clone();
        text.extend(self.children.iter().map(Node::all_text));
        text
    }
}

impl Found<'_> {
    pub(crate) fn xml(&self, pretty: bool) -> String {
        match self {
            Found::Text(text) => escape(text),
            Found::Node(node) => {
                let mut out = String::new();
                node.write(&mut out, pretty, 0);
                out
            }
        }
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML 1.0 has no other control characters.
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// What a path finds, in the order of the document.
///
/// # Errors
/// When the path uses more of XPath than this knows.
pub(crate) fn select<'n>(root: &'n Node, path: &str) -> Result<Vec<Found<'n>>, Failed> {
    let mut found = Vec::new();
    for path in split_top(path, '|') {
        let steps = parse(path.trim())?;
        let mut visits = 0;
        found.extend(follow(root, &steps, &mut visits)?);
    }
    Ok(found)
}

/// Takes what a path finds out of the document.
///
/// # Errors
/// As [`select`].
pub(crate) fn exclude(root: &mut Node, path: &str) -> Result<(), Failed> {
    let doomed: Vec<*const Node> = select(root, path)?
        .into_iter()
        .filter_map(|found| match found {
            Found::Node(node) => Some(std::ptr::from_ref(node)),
            Found::Text(_) => None,
        })
        .collect();
    mark(root, &doomed);
    sweep(root);
    Ok(())
}

fn mark(node: &mut Node, doomed: &[*const Node]) {
    node.gone = doomed.contains(&std::ptr::from_ref(node));
    node.children.iter_mut().for_each(|child| mark(child, doomed));
}

fn sweep(node: &mut Node) {
    node.children.retain(|child| !child.gone);
    node.children.iter_mut().for_each(sweep);
}

#[derive(Debug)]
struct Step {
    /// `//` stands before it.
    deep: bool,
    test: Test,
    predicates: Vec<Predicate>,
}

#[derive(Debug)]
enum Test {
    Any,
    Named(String),
    Text,
    Parent,
    Own,
}

#[derive(Debug)]
enum Predicate {
    At(usize),
    Last,
    Has(String),
    Equals(String, String, bool),
    Contains(String, String),
    Begins(String, String),
}

fn parse(path: &str) -> Result<Vec<Step>, Failed> {
    let mut steps = Vec::new();
    let mut rest = path;
    let mut first = true;
    while !rest.is_empty() {
        let deep = rest.starts_with("//");
        rest = if deep { &rest[2..] } else { rest.strip_prefix('/').unwrap_or(rest) };
        if !deep && first && !path.starts_with('/') {
            // A path without a root is looked for everywhere, as Jenkins' clients expect of short ones.
            rest = path;
        }
        let parts = split_top(rest, '/');
        let Some(part) = parts.first().copied() else { break };
        rest = &rest[part.len()..];
        let relative = first && !path.starts_with('/');
        steps.push(step(part.trim(), deep || relative)?);
        first = false;
    }
    if steps.is_empty() { Err(unknown(path)) } else { Ok(steps) }
}

fn step(text: &str, deep: bool) -> Result<Step, Failed> {
    let (name, mut rest) = text.split_at(text.find('[').unwrap_or(text.len()));
    let test = match name.trim() {
        "*" | "node()" => Test::Any,
        "text()" => Test::Text,
        ".." => Test::Parent,
        "." => Test::Own,
        name if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) => {
            Test::Named(name.to_owned())
        }
        _ => return Err(unknown(text)),
    };
    let mut predicates = Vec::new();
    while let Some(inner) = rest.strip_prefix('[') {
        let end = close(inner).ok_or_else(|| unknown(text))?;
        for part in inner[..end].split(" and ") {
            predicates.push(predicate(part.trim())?);
        }
        rest = inner[end + 1..].trim_start();
    }
    if rest.is_empty() { Ok(Step { deep, test, predicates }) } else { Err(unknown(text)) }
}

fn predicate(text: &str) -> Result<Predicate, Failed> {
    if let Ok(at) = text.parse() {
        return Ok(Predicate::At(at));
    }
    if text == "last()" {
        return Ok(Predicate::Last);
    }
    let call = |name: &str| {
        let inner = text.strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')')?;
        let (field, value) = inner.split_once(',')?;
        Some((field.trim().to_owned(), literal(value.trim())?))
    };
    if let Some((field, value)) = call("contains") {
        return Ok(Predicate::Contains(field, value));
    }
    if let Some((field, value)) = call("starts-with") {
        return Ok(Predicate::Begins(field, value));
    }
    for (sign, equal) in [("!=", false), ("=", true)] {
        if let Some((field, value)) = text.split_once(sign)
            && let Some(value) = literal(value.trim())
        {
            return Ok(Predicate::Equals(field.trim().to_owned(), value, equal));
        }
    }
    if text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '@')) && !text.is_empty() {
        return Ok(Predicate::Has(text.to_owned()));
    }
    Err(unknown(text))
}

fn literal(text: &str) -> Option<String> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote).map(str::to_owned);
    let number = || text.parse::<f64>().is_ok().then(|| text.to_owned());
    quoted('\'').or_else(|| quoted('"')).or_else(number)
}

fn follow<'n>(root: &'n Node, steps: &[Step], visits: &mut usize) -> Result<Vec<Found<'n>>, Failed> {
    // Each node is known with the nodes above it, for `..`.
    let mut here: Vec<Vec<&'n Node>> = vec![Vec::new()];
    for (index, step) in steps.iter().enumerate() {
        if matches!(step.test, Test::Text) {
            if index + 1 != steps.len() {
                return Err(unknown("text()"));
            }
            let texts = here.iter().filter_map(|path| path.last()).filter(|node| !node.text.is_empty());
            return Ok(texts.map(|node| Found::Text(node.text.clone())).collect());
        }
        let mut next: Vec<Vec<&'n Node>> = Vec::new();
        for path in &here {
            let mut candidates = Vec::new();
            match step.test {
                Test::Parent => candidates.extend(path.split_last().map(|(_, above)| above.to_vec())),
                Test::Own => candidates.push(path.clone()),
                _ => below(root, path, step.deep, &mut candidates, visits)?,
            }
            let matching: Vec<_> = candidates.into_iter().filter(|path| passes(step, path)).collect();
            next.extend(positions(step, matching));
        }
        here = next;
    }
    Ok(here.into_iter().filter_map(|path| path.last().copied().map(Found::Node)).collect())
}

fn passes(step: &Step, path: &[&Node]) -> bool {
    let Some(node) = path.last() else { return true };
    let named = match &step.test {
        Test::Named(name) => node.name == *name,
        _ => true,
    };
    named && step.predicates.iter().all(|predicate| holds(predicate, node))
}

/// Predicates by position count among what the others left.
fn positions<'n>(step: &Step, matching: Vec<Vec<&'n Node>>) -> Vec<Vec<&'n Node>> {
    let mut left = matching;
    for predicate in &step.predicates {
        left = match predicate {
            Predicate::At(at) => left.into_iter().skip(at.saturating_sub(1)).take(usize::from(*at > 0)).collect(),
            Predicate::Last => left.pop().into_iter().collect(),
            _ => left,
        };
    }
    left
}

/// Children, or all descendants.
fn below<'n>(
    root: &'n Node,
    path: &[&'n Node],
    deep: bool,
    found: &mut Vec<Vec<&'n Node>>,
    visits: &mut usize,
) -> Result<(), Failed> {
    let children: Vec<&'n Node> = match path.last() {
        Some(node) => node.children.iter().collect(),
        None => vec![root],
    };
    for child in children {
        *visits += 1;
        if *visits > VISITS {
            return Err(Failed::bad_request("the XPath looks at too much", "Name the elements instead of using //."));
        }
        let mut longer = path.to_vec();
        longer.push(child);
        if deep {
            found.push(longer.clone());
            below(root, &longer, true, found, visits)?;
        } else {
            found.push(longer);
        }
    }
    Ok(())
}

fn holds(predicate: &Predicate, node: &Node) -> bool {
    let any = |field: &str, test: &dyn Fn(&str) -> bool| values(node, field).iter().any(|value| test(value));
    match predicate {
        Predicate::At(_) | Predicate::Last => true,
        Predicate::Has(field) => !values(node, field).is_empty(),
        Predicate::Equals(field, wanted, equal) => any(field, &|value| (value == wanted) == *equal),
        Predicate::Contains(field, part) => any(field, &|value| value.contains(part.as_str())),
        Predicate::Begins(field, part) => any(field, &|value| value.starts_with(part.as_str())),
    }
}

/// Texts of a relative path of names.
fn values(node: &Node, field: &str) -> Vec<String> {
    match field {
        "." | "text()" => return vec![node.all_text()],
        "@_class" => return vec![node.class.clone()],
        _ => {}
    }
    let mut here = vec![node];
    for name in field.split('/').filter(|name| *name != "text()") {
        here = here.into_iter().flat_map(|node| node.children.iter().filter(|child| child.name == name)).collect();
    }
    here.into_iter().map(Node::all_text).collect()
}

/// Parts between separators that stand outside brackets and quotes.
fn split_top(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, c) if c == separator && depth == 0 => {
                parts.push(&text[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// Where the bracket that is open closes.
fn close(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn unknown(part: &str) -> Failed {
    let part: String = part.chars().take(80).collect();
    Failed::bad_request(
        format!("this server does not know the XPath {part:?}"),
        "Known are paths of names, *, //, .., text(), |, and predicates [N], [last()], [a='b'], contains, starts-with.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Node {
        let leaf = |name: &str, text: &str| Node { text: text.to_owned(), ..Node::new(name.to_owned()) };
        let job = |name: &str, color: &str| Node {
            children: vec![leaf("name", name), leaf("color", color)],
            ..Node::new("job".to_owned())
        };
        Node {
            children: vec![leaf("mode", "NORMAL"), job("a", "blue"), job("b", "red"), job("c", "blue_anime")],
            ..Node::new("hudson".to_owned())
        }
    }

    fn texts(path: &str) -> Vec<String> {
        let root = document();
        let found = select(&root, path).unwrap();
        found
            .into_iter()
            .map(|found| match found {
                Found::Node(node) => node.all_text(),
                Found::Text(text) => text,
            })
            .collect()
    }

    #[test]
    fn paths_find_what_they_say() {
        for (path, expected) in [
            ("/hudson/mode", vec!["NORMAL"]),
            ("/*/mode/text()", vec!["NORMAL"]),
            ("//job/name", vec!["a", "b", "c"]),
            ("//name", vec!["a", "b", "c"]),
            ("//job[2]/name", vec!["b"]),
            ("//job[last()]/name", vec!["c"]),
            ("//job[color='blue']/name/text()", vec!["a"]),
            ("//job[color!='blue']/name", vec!["b", "c"]),
            ("//job[contains(color,'_anime')]/name", vec!["c"]),
            ("//job[starts-with(name,\"b\")]/color", vec!["red"]),
            ("//name[.='b']/../color", vec!["red"]),
            ("//job[name='a' and color='blue']/name", vec!["a"]),
            ("/hudson/mode|//job[1]/name", vec!["NORMAL", "a"]),
            ("/hudson/absent", vec![]),
        ] {
            assert_eq!(texts(path), expected, "{path}");
        }
        let root = document();
        for path in ["count(//job)", "//job[position()<2]", "", "/hudson/job["] {
            assert!(select(&root, path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_excluded_is_gone() {
        let mut root = document();
        exclude(&mut root, "//job[color='blue']").unwrap();
        let mut out = String::new();
        root.write(&mut out, false, 0);
        assert!(!out.contains("<name>a</name>") && out.contains("<name>b</name>"), "{out}");
    }
}
