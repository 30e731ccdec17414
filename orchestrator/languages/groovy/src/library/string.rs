//! `java.lang.String`: Java's own methods. They stand at `CharSequence`, so that a `GString` has them too.

use std::rc::Rc;

use super::arguments::{announce, char_arg, chars, count, index, int, string, yes};
use super::{Answer, Extension, MANY, Method, Static, function, method};
use super::{format, regex, text};
use crate::types::id;
use crate::value::{ListKind, Value};
use crate::vm::{Raise, Vm};

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.lang.CharSequence", methods: METHODS, statics: &[], new: None },
    Extension { of: "java.lang.String", methods: &[], statics: STATICS, new: Some(new) },
    Extension { of: "groovy.lang.GString", methods: GSTRING, statics: &[], new: None },
];

const METHODS: &[Method] = &[
    method("length", 0, 0, |vm, this, _| count(text::len(&vm.text(this)?))),
    method("size", 0, 0, |vm, this, _| count(text::len(&vm.text(this)?))),
    method("isEmpty", 0, 0, |vm, this, _| yes(vm.text(this)?.is_empty())),
    method("isBlank", 0, 0, |vm, this, _| yes(vm.text(this)?.chars().all(char::is_whitespace))),
    method("charAt", 1, 1, char_at),
    method("codePointAt", 1, 1, |vm, this, args| match char_at(vm, this, args)? {
        Value::Char(char) => Ok(Value::Int(u32::from(char).cast_signed())),
        other => Ok(other),
    }),
    method("substring", 1, 2, substring),
    method("subSequence", 2, 2, substring),
    method("indexOf", 1, 2, index_of),
    method("lastIndexOf", 1, 2, last_index_of),
    method("contains", 1, 1, |vm, this, args| yes(vm.text(this)?.contains(&*first_chars(vm, args)?))),
    method("startsWith", 1, 2, starts_with),
    method("endsWith", 1, 1, |vm, this, args| yes(vm.text(this)?.ends_with(&*first_text(vm, args)?))),
    method("equalsIgnoreCase", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        if other.is_null() {
            return yes(false);
        }
        let other = vm.str_arg(other)?;
        yes(vm.text(this)?.to_lowercase() == other.to_lowercase())
    }),
    method("compareToIgnoreCase", 1, 1, |vm, this, args| {
        let (a, b) = (vm.text(this)?.to_lowercase(), first_text(vm, args)?.to_lowercase());
        Ok(Value::Int(java_distance(&a, &b)))
    }),
    method("compareTo", 1, 1, |vm, this, args| {
        let (a, b) = (vm.text(this)?, first_text(vm, args)?);
        Ok(Value::Int(java_distance(&a, &b)))
    }),
    method("contentEquals", 1, 1, |vm, this, args| yes(vm.text(this)? == first_chars(vm, args)?)),
    method("toUpperCase", 0, 1, |vm, this, _| string(vm.text(this)?.to_uppercase())),
    method("toLowerCase", 0, 1, |vm, this, _| string(vm.text(this)?.to_lowercase())),
    method("trim", 0, 0, |vm, this, _| string(text::trim(&vm.text(this)?))),
    method("strip", 0, 0, |vm, this, _| string(vm.text(this)?.trim())),
    method("stripLeading", 0, 0, |vm, this, _| string(vm.text(this)?.trim_start())),
    method("stripTrailing", 0, 0, |vm, this, _| string(vm.text(this)?.trim_end())),
    method("repeat", 1, 1, |vm, this, args| {
        let ([times], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
        let times = int(vm, times)?;
        let Ok(times) = usize::try_from(times) else {
            return super::arguments::illegal(vm, format!("count is negative: {times}"));
        };
        announce(vm, text.len(), times)?;
        string(text.repeat(times))
    }),
    method("concat", 1, 1, |vm, this, args| string(format!("{}{}", vm.text(this)?, first_text(vm, args)?))),
    method("replace", 2, 2, |vm, this, args| {
        let ([from, to], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
        let (from, to) = (char_sequence(vm, from)?, char_sequence(vm, to)?);
        vm.charge(text.len().saturating_mul(1 + to.len() / from.len().max(1)))?;
        string(text.replace(&*from, &to))
    }),
    method("matches", 1, 1, |vm, this, args| {
        let [pattern] = args else { return Err(Raise::NoMatch) };
        let text = vm.text(this)?;
        let pattern = regex::pattern_arg(vm, pattern)?;
        yes(pattern.matches(vm, &text)?)
    }),
    method("split", 0, 2, split),
    method("getBytes", 0, 1, |vm, this, _| {
        let text = vm.text(this)?;
        Ok(bytes(vm, text.as_bytes()))
    }),
    method("toCharArray", 0, 0, |vm, this, _| {
        let items = vm.text(this)?.chars().map(Value::Char).collect();
        Ok(vm.list_of(ListKind::Java(id::P_CHAR), items))
    }),
    method("getChars", 0, 0, |vm, this, _| {
        let items = vm.text(this)?.chars().map(Value::Char).collect();
        Ok(vm.list_of(ListKind::Java(id::P_CHAR), items))
    }),
    method("chars", 0, 0, |vm, this, _| {
        let items = vm.text(this)?.encode_utf16().map(|unit| Value::Int(i32::from(unit))).collect();
        Ok(super::stream::of(vm, items))
    }),
    method("lines", 0, 0, |vm, this, _| {
        let items = text::lines(&vm.text(this)?).into_iter().map(Value::str).collect();
        Ok(super::stream::of(vm, items))
    }),
    method("intern", 0, 0, |vm, this, _| Ok(Value::Str(vm.text(this)?))),
    method("toString", 0, 0, |vm, this, _| Ok(Value::Str(vm.text(this)?))),
    method("formatted", 0, MANY, |vm, this, args| {
        let text = vm.text(this)?;
        format::answer(vm, &text, args)
    }),
    method("regionMatches", 4, 5, region_matches),
];

const GSTRING: &[Method] = &[
    method("getValues", 0, 0, |vm, this, _| {
        let Value::GStr(parts) = this else { return Err(Raise::NoMatch) };
        Ok(vm.list_of(ListKind::Java(id::OBJECT), parts.values.clone()))
    }),
    method("getStrings", 0, 0, |vm, this, _| {
        let Value::GStr(parts) = this else { return Err(Raise::NoMatch) };
        let items = parts.strings.iter().cloned().map(Value::Str).collect();
        Ok(vm.list_of(ListKind::Java(id::STRING), items))
    }),
    method("getValueCount", 0, 0, |_, this, _| match this {
        Value::GStr(parts) => count(parts.values.len()),
        _ => Err(Raise::NoMatch),
    }),
];

const STATICS: &[Static] = &[
    function("valueOf", 1, 1, |vm, args| {
        let [value] = args else { return Err(Raise::NoMatch) };
        match value {
            Value::List(list) if matches!(list.kind, ListKind::Java(id::P_CHAR)) => new(vm, args),
            _ => Ok(Value::Str(super::object::java_text(vm, value)?)),
        }
    }),
    function("copyValueOf", 1, 1, new),
    function("join", 1, MANY, |vm, args| {
        let [separator, rest @ ..] = args else { return Err(Raise::NoMatch) };
        let separator = chars(vm, separator)?;
        let items = match rest {
            [only @ (Value::List(_) | Value::Set(_) | Value::Range(_))] => vm.elements(only)?,
            many => many.to_vec(),
        };
        let mut texts = Vec::new();
        for item in &items {
            texts.push(vm.text(item)?);
        }
        string(texts.join(&separator))
    }),
    function("format", 1, MANY, |vm, args| {
        let args = match args {
            [Value::Native(locale), rest @ ..] if locale.state::<super::system::Locale>().is_some() => rest,
            all => all,
        };
        let [pattern, rest @ ..] = args else { return Err(Raise::NoMatch) };
        let pattern = vm.str_arg(pattern)?;
        format::answer(vm, &pattern, rest)
    }),
    function("CASE_INSENSITIVE_ORDER", 0, 0, |vm, _| {
        Ok(vm.native("java.util.Comparator", super::comparator::Order::IgnoreCase))
    }),
];

fn new(vm: &mut Vm, args: &[Value]) -> Answer {
    match args {
        [] => string(""),
        [Value::List(list), rest @ ..] if rest.len() <= 1 => {
            let items = list.items.borrow().clone();
            if matches!(list.kind, ListKind::Java(id::P_CHAR)) {
                return string(items.iter().filter_map(|item| char_arg(item).ok()).collect::<String>());
            }
            string(String::from_utf8_lossy(&to_bytes(&items)))
        }
        [value] => Ok(Value::Str(chars(vm, value)?)),
        _ => Err(Raise::NoMatch),
    }
}

/// A `byte[]`.
pub(super) fn bytes(vm: &mut Vm, bytes: &[u8]) -> Value {
    let items = bytes.iter().map(|byte| Value::Byte(byte.cast_signed())).collect();
    vm.list_of(ListKind::Java(id::P_BYTE), items)
}

/// The bytes of a `byte[]`, or of a list of numbers.
pub(super) fn to_bytes(items: &[Value]) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "Java keeps the low byte")]
    items.iter().map(|item| item.as_i64().unwrap_or(0) as u8).collect()
}

fn first_text(vm: &mut Vm, args: &[Value]) -> Result<Rc<str>, Raise> {
    args.first().ok_or(Raise::NoMatch).and_then(|value| vm.str_arg(value))
}

fn first_chars(vm: &mut Vm, args: &[Value]) -> Result<Rc<str>, Raise> {
    args.first().ok_or(Raise::NoMatch).and_then(|value| chars(vm, value))
}

fn char_sequence(vm: &mut Vm, value: &Value) -> Result<Rc<str>, Raise> {
    match value {
        Value::Char(char) => Ok(Rc::from(&*char.encode_utf8(&mut [0; 4]))),
        _ => chars(vm, value),
    }
}

/// `String.compareTo`: the difference of the first units that differ, else of the lengths.
pub(super) fn java_distance(a: &str, b: &str) -> i32 {
    let differ = a.encode_utf16().zip(b.encode_utf16()).find(|(a, b)| a != b);
    match differ {
        Some((a, b)) => i32::from(a) - i32::from(b),
        None => {
            let length = |text: &str| i32::try_from(text::len(text)).unwrap_or(i32::MAX);
            length(a) - length(b)
        }
    }
}

pub(super) fn out_of_range<T>(vm: &mut Vm, message: String) -> Result<T, Raise> {
    Err(vm.throw("java.lang.StringIndexOutOfBoundsException", message))
}

fn char_at(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let [at] = args else { return Err(Raise::NoMatch) };
    let (text, at) = (vm.text(this)?, int(vm, at)?);
    match usize::try_from(at).ok().and_then(|at| text::char_at(&text, at)) {
        Some(char) => Ok(Value::Char(char)),
        None => out_of_range(vm, format!("String index out of range: {at}")),
    }
}

fn substring(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let length = text::len(&text);
    let (from, to) = match args {
        [from] => (int(vm, from)?, i32::try_from(length).unwrap_or(i32::MAX)),
        [from, to] => (int(vm, from)?, int(vm, to)?),
        _ => return Err(Raise::NoMatch),
    };
    match (usize::try_from(from), usize::try_from(to)) {
        (Ok(start), Ok(end)) if start <= end && end <= length => string(text::slice(&text, start, end)),
        _ => out_of_range(vm, format!("begin {from}, end {to}, length {length}")),
    }
}

fn index_of(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let (what, from) = match args {
        [what] => (needle(vm, what)?, 0),
        [what, from] => (needle(vm, what)?, usize::try_from(int(vm, from)?).unwrap_or(0)),
        _ => return Err(Raise::NoMatch),
    };
    let found = text::byte_of(&text, from)
        .and_then(|byte| text.get(byte..).and_then(|rest| rest.find(&*what)).map(|at| at + byte));
    found.map_or(Ok(Value::Int(-1)), |byte| count(text::unit_of(&text, byte)))
}

fn last_index_of(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let (what, until) = match args {
        [what] => (needle(vm, what)?, text.len()),
        [what, from] => {
            let what = needle(vm, what)?;
            let Ok(from) = usize::try_from(int(vm, from)?) else { return Ok(Value::Int(-1)) };
            let end = text::byte_of(&text, from).map_or(text.len(), |byte| byte + what.len());
            (what, end.min(text.len()))
        }
        _ => return Err(Raise::NoMatch),
    };
    let found = text.get(..until).unwrap_or(&text).rfind(&*what);
    found.map_or(Ok(Value::Int(-1)), |byte| count(text::unit_of(&text, byte)))
}

fn needle(vm: &mut Vm, value: &Value) -> Result<Rc<str>, Raise> {
    match value {
        Value::Int(code) => {
            let char = u32::try_from(*code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            Ok(Rc::from(char.to_string()))
        }
        _ => char_sequence(vm, value),
    }
}

fn starts_with(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    match args {
        [prefix] => yes(text.starts_with(&*vm.str_arg(prefix)?)),
        [prefix, at] => {
            let (prefix, at) = (vm.str_arg(prefix)?, index(vm, at)?);
            let rest = text::byte_of(&text, at).and_then(|byte| text.get(byte..));
            yes(rest.is_some_and(|rest| rest.starts_with(&*prefix)))
        }
        _ => Err(Raise::NoMatch),
    }
}

/// `split()` cuts at blanks into a `String[]`; `split(regex[, limit])` is Java's.
fn split(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let parts: Vec<String> = match args {
        [] => {
            text.split(|char: char| char.is_whitespace()).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        [pattern, rest @ ..] => {
            let limit = match rest {
                [limit] => int(vm, limit)?,
                _ => 0,
            };
            if !matches!(pattern, Value::Str(_) | Value::GStr(_)) {
                return Err(Raise::NoMatch);
            }
            let pattern = regex::pattern_arg(vm, pattern)?;
            pattern.split(vm, &text, limit)?
        }
    };
    let items = parts.into_iter().map(Value::from).collect();
    Ok(vm.list_of(ListKind::Java(id::STRING), items))
}

fn region_matches(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let (ignore, at, other, from, length) = match args {
        [Value::Bool(ignore), at, other, from, length] => (*ignore, at, other, from, length),
        [at, other, from, length] => (false, at, other, from, length),
        _ => return Err(Raise::NoMatch),
    };
    let (at, from, length) = (index(vm, at)?, index(vm, from)?, index(vm, length)?);
    let other = vm.str_arg(other)?;
    let (a, b) = (text::slice(&text, at, at + length), text::slice(&other, from, from + length));
    let whole = text::len(&a) == length && text::len(&b) == length;
    yes(whole && if ignore { a.to_lowercase() == b.to_lowercase() } else { a == b })
}
