//! JSON: `JsonSlurper`, `JsonSlurperClassic`, `JsonOutput`, `JsonBuilder`.

use std::rc::Rc;

use super::arguments::{chars, illegal, string};
use super::{Answer, Declared, Extension, Method, Static, convert, function, method};
use crate::types::id;
use crate::value::{MapKind, Value};
use crate::vm::{Raise, Vm};

/// State of a slurper: the kind of the maps that it makes.
pub(crate) struct Slurper(MapKind);

const FAILED: &str = "groovy.json.JsonException";

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: "groovy.json.JsonSlurper", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "groovy.json.JsonSlurperClassic", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "groovy.json.JsonOutput", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "groovy.json.JsonBuilder", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "groovy.json.JsonParserType", parent: "java.lang.Object", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension {
        of: "groovy.json.JsonSlurper",
        methods: SLURPER,
        statics: &[],
        new: Some(|vm, _| Ok(vm.native("groovy.json.JsonSlurper", Slurper(MapKind::Linked)))),
    },
    Extension {
        of: "groovy.json.JsonSlurperClassic",
        methods: SLURPER,
        statics: &[],
        new: Some(|vm, _| Ok(vm.native("groovy.json.JsonSlurperClassic", Slurper(MapKind::Hash)))),
    },
    Extension {
        of: "groovy.json.JsonOutput",
        methods: &[],
        statics: OUTPUT,
        new: Some(|vm, _| Ok(vm.native("groovy.json.JsonOutput", ()))),
    },
    Extension { of: "groovy.json.JsonBuilder", methods: BUILDER, statics: &[], new: Some(new_builder) },
    Extension {
        of: "groovy.json.JsonParserType",
        methods: &[],
        statics: &[
            function("LAX", 0, 0, |_, _| string("LAX")),
            function("CHAR_BUFFER", 0, 0, |_, _| string("CHAR_BUFFER")),
            function("INDEX_OVERLAY", 0, 0, |_, _| string("INDEX_OVERLAY")),
        ],
        new: None,
    },
];

const SLURPER: &[Method] = &[
    method("parseText", 1, 1, |vm, this, args| {
        let [text] = args else { return Err(Raise::NoMatch) };
        if text.is_null() {
            return illegal(vm, "Text must not be null or empty");
        }
        let text = chars(vm, text)?;
        let kind = match this {
            Value::Native(native) => native.state::<Slurper>().map(|slurper| slurper.0),
            _ => None,
        };
        if text.is_empty() {
            return illegal(vm, "Text must not be null or empty");
        }
        parse(vm, &text, kind.unwrap_or(MapKind::Linked))
    }),
    method("setType", 1, 1, |_, this, _| Ok(this.clone())),
];

/// State of a `JsonBuilder`. The forms that take a closure are not there: no list of Jenkins' sandbox permits the class.
pub(crate) struct Builder(std::cell::RefCell<Value>);

const BUILDER: &[Method] = &[
    method("getContent", 0, 0, |_, this, _| Ok(builder(this)?.0.borrow().clone())),
    method("call", 1, 1, |_, this, args| match args {
        [Value::Closure(_)] => Err(Raise::NoMatch),
        [value] => {
            builder(this)?.0.replace(value.clone());
            Ok(value.clone())
        }
        _ => Err(Raise::NoMatch),
    }),
    method("toString", 0, 0, |vm, this, _| {
        let content = builder(this)?.0.borrow().clone();
        let mut out = String::new();
        write(vm, &mut out, &content)?;
        string(out)
    }),
    method("toPrettyString", 0, 0, |vm, this, _| {
        let content = builder(this)?.0.borrow().clone();
        let mut out = String::new();
        write(vm, &mut out, &content)?;
        string(pretty(&out))
    }),
];

fn new_builder(vm: &mut Vm, args: &[Value]) -> Answer {
    let content = args.first().cloned().unwrap_or_default();
    Ok(vm.native("groovy.json.JsonBuilder", Builder(content.into())))
}

fn builder(this: &Value) -> Result<&Builder, Raise> {
    match this {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

const OUTPUT: &[Static] = &[
    function("toJson", 1, 1, |vm, args| {
        let mut out = String::new();
        write(vm, &mut out, args.first().ok_or(Raise::NoMatch)?)?;
        string(out)
    }),
    function("prettyPrint", 1, 1, |vm, args| {
        let text = chars(vm, args.first().ok_or(Raise::NoMatch)?)?;
        string(pretty(&text))
    }),
    function("unescaped", 1, 1, |_, args| args.first().cloned().ok_or(Raise::NoMatch)),
];

struct Reader<'a> {
    text: &'a str,
    at: usize,
    kind: MapKind,
}

/// The value of a JSON text.
pub(crate) fn parse(vm: &mut Vm, text: &str, kind: MapKind) -> Answer {
    let mut reader = Reader { text, at: 0, kind };
    let value = reader.value(vm)?;
    reader.blanks();
    if reader.at < text.len() {
        return reader.fail(vm, "unexpected text behind the value");
    }
    Ok(value)
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fail<T>(&self, vm: &mut Vm, what: &str) -> Result<T, Raise> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        let found = found.map_or_else(|| "the end of the text".to_owned(), |char| format!("'{char}'"));
        Err(vm.throw(FAILED, format!("Unable to parse JSON: {what}, found {found} at line {line} column {column}")))
    }

    fn value(&mut self, vm: &mut Vm) -> Answer {
        self.blanks();
        match self.peek() {
            Some(b'{') => vm.deeper(|vm| self.object(vm)),
            Some(b'[') => vm.deeper(|vm| self.array(vm)),
            Some(b'"') => Ok(Value::from(self.text(vm)?)),
            Some(b't') => self.word(vm, "true", Value::Bool(true)),
            Some(b'f') => self.word(vm, "false", Value::Bool(false)),
            Some(b'n') => self.word(vm, "null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(vm),
            _ => self.fail(vm, "expected a value"),
        }
    }

    fn word(&mut self, vm: &mut Vm, word: &str, value: Value) -> Answer {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(value);
        }
        self.fail(vm, &format!("expected {word}"))
    }

    fn object(&mut self, vm: &mut Vm) -> Answer {
        self.at += 1;
        let map = vm.map(self.kind);
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(map));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return self.fail(vm, "expected a name in quotes");
            }
            let key = self.text(vm)?;
            self.blanks();
            if self.peek() != Some(b':') {
                return self.fail(vm, "expected ':'");
            }
            self.at += 1;
            let value = self.value(vm)?;
            vm.map_put(&map, Value::from(key), value)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(map));
                }
                _ => return self.fail(vm, "expected ',' or '}'"),
            }
        }
    }

    fn array(&mut self, vm: &mut Vm) -> Answer {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(vm.list(items));
        }
        loop {
            vm.charge(size_of::<Value>())?;
            items.push(self.value(vm)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(vm.list(items));
                }
                _ => return self.fail(vm, "expected ',' or ']'"),
            }
        }
    }

    fn text(&mut self, vm: &mut Vm) -> Result<String, Raise> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or("");
            let Some(end) = rest.find(['"', '\\']) else {
                self.at = self.text.len();
                return self.fail(vm, "a text is not closed");
            };
            out.push_str(rest.get(..end).unwrap_or(""));
            self.at += end + 1;
            if rest.as_bytes().get(end) == Some(&b'"') {
                return Ok(out);
            }
            let escape = self.peek();
            self.at += 1;
            match escape {
                Some(b'n') => out.push('\n'),
                Some(b't') => out.push('\t'),
                Some(b'r') => out.push('\r'),
                Some(b'b') => out.push('\u{8}'),
                Some(b'f') => out.push('\u{c}'),
                Some(char @ (b'"' | b'\\' | b'/')) => out.push(char::from(char)),
                Some(b'u') => {
                    let code = self.unit(vm)?;
                    out.push_str(&self.pair(vm, code)?);
                }
                _ => return self.fail(vm, "unknown escape"),
            }
        }
    }

    fn unit(&mut self, vm: &mut Vm) -> Result<u16, Raise> {
        match self.text.get(self.at..self.at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.fail(vm, "expected four hexadecimal digits"),
        }
    }

    fn pair(&mut self, vm: &mut Vm, first: u16) -> Result<String, Raise> {
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
            self.at += 2;
            units.push(self.unit(vm)?);
        }
        Ok(String::from_utf16_lossy(&units))
    }

    fn number(&mut self, vm: &mut Vm) -> Answer {
        let rest = self.text.get(self.at..).unwrap_or("");
        let end = rest.find(|char: char| !char.is_ascii_digit() && !"+-.eE".contains(char)).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or("");
        let value = if digits.contains(['.', 'e', 'E']) {
            convert::parse_decimal(vm, digits)
        } else if convert::is_int(digits) {
            convert::parse_int(vm, digits)
        } else if convert::is_long(digits) {
            convert::parse_long(vm, digits)
        } else {
            convert::parse_big(vm, digits)
        };
        match value {
            Ok(value) => {
                self.at += end;
                Ok(value)
            }
            Err(_) => self.fail(vm, "expected a number"),
        }
    }
}

/// A text in quotes; everything beyond ASCII is escaped.
pub(crate) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(char),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// `JsonOutput.toJson`.
pub(crate) fn write(vm: &mut Vm, out: &mut String, value: &Value) -> Result<(), Raise> {
    vm.charge(16)?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Double(number) if !number.is_finite() => return not_json(vm, value),
        Value::Float(number) if !number.is_finite() => return not_json(vm, value),
        number if number.is_number() => out.push_str(&vm.text(number)?),
        Value::Str(_) | Value::GStr(_) | Value::Char(_) => {
            let text = vm.text(value)?;
            quoted(out, &text);
        }
        Value::Map(map) => {
            let entries = vm.entries(map);
            return vm.deeper(|vm| write_entries(vm, out, entries));
        }
        Value::List(_) | Value::Set(_) | Value::Range(_) | Value::Iter(_) => {
            let items = vm.elements(value)?;
            return vm.deeper(|vm| write_items(vm, out, items));
        }
        Value::Object(_) => return write_object(vm, out, value),
        Value::Native(native) if native.state::<super::date::Moment>().is_some() => {
            let text = super::date::json_text(vm, value)?;
            quoted(out, &text);
        }
        other => {
            let text = vm.text(other)?;
            quoted(out, &text);
        }
    }
    Ok(())
}

fn not_json(vm: &mut Vm, value: &Value) -> Result<(), Raise> {
    let text = vm.text(value)?;
    let kind = if &*text == "NaN" { "NaN" } else { "infinite" };
    Err(vm.throw(FAILED, format!("Number {text} can't be serialized as JSON: {kind} are not allowed in JSON.")))
}

fn write_entries(vm: &mut Vm, out: &mut String, entries: Vec<(Value, Value)>) -> Result<(), Raise> {
    out.push('{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if key.is_null() {
            return illegal(vm, "Maps with null keys can't be converted to JSON");
        }
        let key = vm.text(key)?;
        quoted(out, &key);
        out.push(':');
        write(vm, out, value)?;
    }
    out.push('}');
    Ok(())
}

fn write_items(vm: &mut Vm, out: &mut String, items: Vec<Value>) -> Result<(), Raise> {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(vm, out, item)?;
    }
    out.push(']');
    Ok(())
}

fn write_object(vm: &mut Vm, out: &mut String, value: &Value) -> Result<(), Raise> {
    if vm.is_kind(value, id::ENUM) {
        let name = vm.text(value)?;
        quoted(out, &name);
        return Ok(());
    }
    if vm.is_kind(value, id::MAP) {
        let entries = vm.elements(value)?;
        let map = vm.map(MapKind::Linked);
        for entry in &entries {
            super::collection::put_pair(vm, &map, entry)?;
        }
        let entries = vm.entries(&map);
        return write_entries(vm, out, entries);
    }
    let Value::Object(object) = value else { return Ok(()) };
    let names: Vec<(Rc<str>, Value)> = object.fields.borrow().clone();
    let entries = names
        .into_iter()
        .filter(|(name, _)| !matches!(&**name, "class" | "metaClass" | "declaringClass"))
        .map(|(name, value)| (Value::Str(name), value))
        .collect();
    vm.deeper(|vm| write_entries(vm, out, entries))
}

/// `JsonOutput.prettyPrint`: four blanks a level; an empty object keeps its inner line.
pub(crate) fn pretty(text: &str) -> String {
    let mut out = String::new();
    let mut level = 0usize;
    let mut chars = text.chars();
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(level));
    };
    while let Some(char) = chars.next() {
        match char {
            '{' | '[' => {
                level += 1;
                out.push(char);
                line(&mut out, level);
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                line(&mut out, level);
                out.push(char);
            }
            ',' => {
                out.push(',');
                line(&mut out, level);
            }
            ':' => out.push_str(": "),
            '"' => {
                out.push('"');
                while let Some(char) = chars.next() {
                    out.push(char);
                    match char {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            blank if blank.is_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}
