//! An object as JSON, as a Python literal, as XML.

use std::fmt::Write as _;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::bean::{Data, Object};
use super::want::Want;
use super::xpath::{self, Node};
use crate::error::Failed;

/// Callback names longer than this are no names.
const JSONP_MAX: usize = 64;

/// How an answer is wanted: the last part of `.../api/FORMAT` and its query.
pub(crate) struct Format<'q> {
    pub(crate) kind: &'q str,
    pub(crate) query: &'q super::call::Pairs,
}

impl Format<'_> {
    /// What of the object is wanted.
    ///
    /// # Errors
    /// A `tree` that cannot be read, an unknown format.
    pub(crate) fn want(&self) -> Result<Want, Failed> {
        if !matches!(self.kind, "json" | "xml" | "python") {
            return Err(Failed::not_found(format!("there is no format api/{}", self.kind)));
        }
        let depth = self.query.get("depth").and_then(|depth| depth.trim().parse().ok()).unwrap_or(0);
        match self.query.get("tree").filter(|tree| !tree.is_empty()) {
            Some(tree) => Want::tree(tree),
            // XPath may name anything, yet what is not asked for by depth is not there: as Jenkins has it.
            None => Ok(Want::depth(depth)),
        }
    }

    /// The object in the wanted format.
    ///
    /// # Errors
    /// An `xpath` that cannot be read or finds nothing.
    pub(crate) fn answer(&self, data: &Data) -> Result<Response, Failed> {
        let pretty = self.query.get("pretty").is_some_and(|pretty| pretty == "true");
        match self.kind {
            "xml" => self.xml(data, pretty),
            "python" => Ok(typed("text/x-python; charset=utf-8", text(data, Dialect::Python, pretty))),
            _ => match self.query.get("jsonp") {
                Some(name) => jsonp(name, data, pretty),
                None => Ok(typed("application/json;charset=utf-8", text(data, Dialect::Json, pretty))),
            },
        }
    }

    fn xml(&self, data: &Data, pretty: bool) -> Result<Response, Failed> {
        let mut root = element(root_name(data), data);
        for exclude in self.query.all("exclude") {
            xpath::exclude(&mut root, exclude)?;
        }
        let Some(path) = self.query.get("xpath") else {
            return Ok(typed("application/xml;charset=utf-8", xml_text(&root, pretty)));
        };
        let found = xpath::select(&root, path)?;
        if let Some(wrapper) = self.query.get("wrapper") {
            if wrapper.is_empty() || !wrapper.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                return Err(Failed::bad_request("`wrapper` is no element name", "Use letters, digits, - and _."));
            }
            let inner: String = found.iter().map(|found| found.xml(pretty)).collect();
            let text =
                if inner.is_empty() { format!("<{wrapper}/>") } else { format!("<{wrapper}>{inner}</{wrapper}>") };
            return Ok(typed("application/xml;charset=utf-8", text));
        }
        match found.as_slice() {
            [] => Err(Failed::not_found(format!("XPath {path} didn't match"))),
            [xpath::Found::Text(text)] => Ok(typed("text/plain;charset=utf-8", text.clone())),
            [one] => Ok(typed("application/xml;charset=utf-8", one.xml(pretty))),
            many => Err(Failed::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "xpath",
                format!("XPath \"{path}\" matched {} nodes", many.len()),
                "Write an XPath that matches only one node, or use the wrapper parameter to wrap them all under a root.",
            )),
        }
    }
}

fn typed(kind: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn jsonp(name: &str, data: &Data, pretty: bool) -> Result<Response, Failed> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
    if name.is_empty() || name.len() > JSONP_MAX || !name.chars().all(good) {
        return Err(Failed::bad_request("`jsonp` is no name of a function", "Use letters, digits, _ and ."));
    }
    Ok(typed("application/javascript;charset=utf-8", format!("{name}({})", text(data, Dialect::Json, pretty))))
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Json,
    Python,
}

fn text(data: &Data, dialect: Dialect, pretty: bool) -> String {
    let mut writer = Writer { out: String::new(), dialect, pretty, level: 0 };
    writer.value(data);
    writer.out
}

struct Writer {
    out: String,
    dialect: Dialect,
    pretty: bool,
    level: usize,
}

impl Writer {
    fn value(&mut self, data: &Data) {
        let python = self.dialect == Dialect::Python;
        match data {
            Data::Null => self.out.push_str(if python { "None" } else { "null" }),
            Data::Bool(true) => self.out.push_str(if python { "True" } else { "true" }),
            Data::Bool(false) => self.out.push_str(if python { "False" } else { "false" }),
            Data::Int(value) => drop(write!(self.out, "{value}")),
            Data::Float(value) if value.is_finite() => drop(write!(self.out, "{value:?}")),
            Data::Float(_) => self.out.push_str(if python { "None" } else { "null" }),
            Data::Text(text) => self.string(text),
            Data::List(items) => self.items('[', ']', items, Self::value),
            Data::Object(object) => {
                let class = Data::Text(object.class.to_string());
                let own = (!object.class.is_empty()).then_some(("_class", &class));
                let fields: Vec<(&str, &Data)> =
                    own.into_iter().chain(object.fields.iter().map(|(name, data)| (&**name, data))).collect();
                self.items('{', '}', &fields, |writer, (name, data)| {
                    writer.string(name);
                    writer.out.push_str(if writer.pretty { " : " } else { ":" });
                    writer.value(data);
                });
            }
        }
    }

    fn items<T>(&mut self, open: char, close: char, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        self.level += 1;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line();
            write(self, item);
        }
        self.level -= 1;
        if !items.is_empty() {
            self.line();
        }
        self.out.push(close);
    }

    fn line(&mut self) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.level));
        }
    }

    /// A JSON string is a Python string too, once everything outside ASCII is escaped.
    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                // `<` too: a text in a script element must not end it.
                '<' | '\u{0}'..='\u{1f}' | '\u{7f}' => drop(write!(self.out, "\\u{:04x}", c as u32)),
                c if c.is_ascii() || self.dialect == Dialect::Json => self.out.push(c),
                c if (c as u32) < 0x1_0000 => drop(write!(self.out, "\\u{:04x}", c as u32)),
                c => drop(write!(self.out, "\\U{:08x}", c as u32)),
            }
        }
        self.out.push('"');
    }
}

/// The root's element: the simple name of its class, its first letter small.
fn root_name(data: &Data) -> String {
    let class = match data {
        Data::Object(Object { class, .. }) => class.rsplit(['.', '$']).next().unwrap_or("").to_owned(),
        _ => String::new(),
    };
    let mut letters = class.chars();
    letters.next().map_or_else(|| "api".to_owned(), |first| first.to_lowercase().chain(letters).collect())
}

fn element(name: String, data: &Data) -> Node {
    let mut node = Node::new(name);
    match data {
        Data::Object(object) => {
            node.class = object.class.to_string();
            for (name, data) in &object.fields {
                children(&mut node, name, data);
            }
        }
        Data::Text(text) => node.text.clone_from(text),
        Data::Bool(value) => node.text = value.to_string(),
        Data::Int(value) => node.text = value.to_string(),
        Data::Float(value) => node.text = format!("{value:?}"),
        Data::Null | Data::List(_) => {}
    }
    node
}

/// A list is one element an item, named by the singular; what is null is absent.
fn children(node: &mut Node, name: &str, data: &Data) {
    match data {
        Data::Null => {}
        Data::List(items) => {
            let singular = match name.strip_suffix("ies") {
                Some(stem) => format!("{stem}y"),
                None => name.strip_suffix('s').unwrap_or(name).to_owned(),
            };
            node.children.extend(items.iter().map(|item| element(singular.clone(), item)));
        }
        data => node.children.push(element(name.to_owned(), data)),
    }
}

fn xml_text(node: &Node, pretty: bool) -> String {
    let mut out = String::new();
    node.write(&mut out, pretty, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jenkins::bean::Bean;

    fn sample(want: &Want) -> Data {
        let mut bean = Bean::new("hudson.model.Hudson", want);
        bean.put("mode", "N\"é<\n");
        bean.put("nothing", Data::Null);
        bean.put("useCrumbs", true);
        bean.put("score", 1.5);
        bean.make("jobs", TOP, |want| {
            crate::jenkins::bean::list(want, ["a", "b"], |name| {
                let mut job = Bean::new("x.Job", want);
                job.put_at(crate::jenkins::want::ALWAYS, "name", name);
                job.done()
            })
        });
        bean.done()
    }
    use crate::jenkins::want::TOP;

    #[test]
    fn three_dialects_of_one_object() {
        let data = sample(&Want::depth(0));
        assert_eq!(
            text(&data, Dialect::Json, false),
            "{\"_class\":\"hudson.model.Hudson\",\"mode\":\"N\\\"é\\u003c\\n\",\"nothing\":null,\"useCrumbs\":true,\
             \"score\":1.5,\"jobs\":[{\"_class\":\"x.Job\",\"name\":\"a\"},{\"_class\":\"x.Job\",\"name\":\"b\"}]}"
        );
        let python = text(&data, Dialect::Python, false);
        assert!(python.contains("\"N\\\"\\u00e9\\u003c\\n\",\"nothing\":None,\"useCrumbs\":True"), "{python}");
        assert_eq!(
            xml_text(&element(root_name(&data), &data), false),
            "<hudson _class=\"hudson.model.Hudson\"><mode>N\"é&lt;\n</mode><useCrumbs>true</useCrumbs><score>1.5</score>\
             <job _class=\"x.Job\"><name>a</name></job><job _class=\"x.Job\"><name>b</name></job></hudson>"
        );
        let cut = sample(&Want::tree("jobs[name]{1}").unwrap());
        assert_eq!(
            text(&cut, Dialect::Json, false),
            "{\"_class\":\"hudson.model.Hudson\",\"jobs\":[{\"_class\":\"x.Job\",\"name\":\"b\"}]}"
        );
    }
}
