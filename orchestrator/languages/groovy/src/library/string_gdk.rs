//! What Groovy adds to strings (`StringGroovyMethods`), without the methods that take a closure.

use std::rc::Rc;

use super::arguments::{amount, announce, char_arg, chars, count, int, string, strings, yes};
use super::{Answer, Extension, Method, method};
use super::{convert, regex, text};
use crate::value::Value;
use crate::vm::{Raise, Vm};

pub(super) const EXTENSIONS: &[Extension] =
    &[Extension { of: "java.lang.CharSequence", methods: METHODS, statics: &[], new: None }];

const METHODS: &[Method] = &[
    method("capitalize", 0, 0, |vm, this, _| first_char(vm, this, |char| char.to_uppercase().collect())),
    method("uncapitalize", 0, 0, |vm, this, _| first_char(vm, this, |char| char.to_lowercase().collect())),
    method("reverse", 0, 0, |vm, this, _| string(vm.text(this)?.chars().rev().collect::<String>())),
    method("multiply", 1, 1, |vm, this, args| {
        let [times @ (Value::Int(_) | Value::Long(_) | Value::Decimal(_) | Value::Double(_) | Value::BigInt(_))] = args
        else {
            return Err(Raise::NoMatch);
        };
        let number = super::arguments::whole(times)?;
        let text = vm.text(this)?;
        let Ok(number) = usize::try_from(number) else {
            let said = format!("multiply() should be called with a number of 0 or greater not: {number}");
            return super::arguments::illegal(vm, said);
        };
        announce(vm, text.len(), number)?;
        string(text.repeat(number))
    }),
    method("plus", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        let (a, b) = (vm.text(this)?, vm.text(other)?);
        vm.charge(a.len() + b.len())?;
        string(format!("{a}{b}"))
    }),
    method("minus", 1, 1, minus),
    method("padLeft", 1, 2, |vm, this, args| pad(vm, this, args, |missing| (missing, 0))),
    method("padRight", 1, 2, |vm, this, args| pad(vm, this, args, |missing| (0, missing))),
    method("center", 1, 2, |vm, this, args| pad(vm, this, args, |missing| (missing / 2, missing - missing / 2))),
    method("take", 1, 1, |vm, this, args| cut(vm, this, args, |length, many| (0, many.min(length)))),
    method("drop", 1, 1, |vm, this, args| cut(vm, this, args, |length, many| (many.min(length), length))),
    method("getAt", 1, 1, get_at),
    method("toList", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.list(items))
    }),
    method("iterator", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.iterator(items))
    }),
    method("tokenize", 0, 1, tokenize),
    method("readLines", 0, 0, |vm, this, _| {
        let text = vm.text(this)?;
        Ok(strings(vm, text::lines(&text)))
    }),
    method("stripIndent", 0, 1, strip_indent),
    method("stripMargin", 0, 1, strip_margin),
    method("tr", 2, 2, tr),
    method("expand", 0, 1, |vm, this, args| tabs(vm, this, args, expand_line)),
    method("unexpand", 0, 1, |vm, this, args| tabs(vm, this, args, unexpand_line)),
    method("normalize", 0, 0, |vm, this, _| string(vm.text(this)?.replace("\r\n", "\n").replace('\r', "\n"))),
    method("denormalize", 0, 0, |vm, this, _| string(vm.text(this)?.replace("\r\n", "\n").replace('\r', "\n"))),
    method("count", 1, 1, |vm, this, args| {
        let [what] = args else { return Err(Raise::NoMatch) };
        let (text, what) = (vm.text(this)?, chars(vm, what)?);
        count(overlapping(&text, &what))
    }),
    method("isAllWhitespace", 0, 0, |vm, this, _| yes(vm.text(this)?.chars().all(char::is_whitespace))),
    method("next", 0, 0, |vm, this, _| step(vm, this, 1)),
    method("previous", 0, 0, |vm, this, _| step(vm, this, -1)),
    method("asBoolean", 0, 0, |vm, this, _| yes(!vm.text(this)?.is_empty())),
    method("bitwiseNegate", 0, 0, |vm, this, _| {
        let text = vm.text(this)?;
        regex::compile(vm, &text, 0)
    }),
    method("leftShift", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        let text = format!("{}{}", vm.text(this)?, vm.text(other)?);
        Ok(super::builder::make(vm, "java.lang.StringBuffer", text))
    }),
    method("isCase", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        let same = !other.is_null() && vm.text(this)? == vm.text(other)?;
        yes(same)
    }),
    method("toCharacter", 0, 0, |vm, this, _| Ok(vm.text(this)?.chars().next().map_or(Value::Null, Value::Char))),
    method("toInteger", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_int)),
    method("toLong", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_long)),
    method("toShort", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_short)),
    method("toFloat", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_float)),
    method("toDouble", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_double)),
    method("toBigInteger", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_big)),
    method("toBigDecimal", 0, 0, |vm, this, _| convert::trimmed(vm, this, convert::parse_decimal)),
    method("toBoolean", 0, 0, |vm, this, _| {
        let text = vm.text(this)?.trim().to_lowercase();
        yes(matches!(text.as_str(), "y" | "true" | "1"))
    }),
    method("isInteger", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_int)),
    method("isLong", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_long)),
    method("isFloat", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_double)),
    method("isDouble", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_double)),
    method("isNumber", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_decimal)),
    method("isBigDecimal", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_decimal)),
    method("isBigInteger", 0, 0, |vm, this, _| convert::holds(vm, this, convert::is_big)),
    method("execute", 0, 2, |vm, _, _| {
        Err(super::rejected(
            vm,
            "staticMethod org.codehaus.groovy.runtime.ProcessGroovyMethods execute java.lang.String",
        ))
    }),
];

fn first_char(vm: &mut Vm, this: &Value, change: fn(char) -> String) -> Answer {
    let text = vm.text(this)?;
    let mut chars = text.chars();
    match chars.next() {
        None => string(""),
        Some(first) => string(format!("{}{}", change(first), chars.as_str())),
    }
}

/// `text - what`: takes the first occurrence away; of a pattern, the first match.
fn minus(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let ([what], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
    if let Some(pattern) = regex::as_pattern(what) {
        return string(pattern.replace(vm, &text, "", true)?);
    }
    let what = vm.text(what)?;
    string(text.replacen(&*what, "", 1))
}

fn pad(vm: &mut Vm, this: &Value, args: &[Value], share: fn(usize) -> (usize, usize)) -> Answer {
    let text = vm.text(this)?;
    let (width, filling) = match args {
        [width] => (amount(width)?, Rc::from(" ")),
        [width, filling] => (amount(width)?, chars(vm, filling)?),
        _ => return Err(Raise::NoMatch),
    };
    let missing = width.saturating_sub(text::len(&text));
    announce(vm, 4, missing)?;
    let (left, right) = share(missing);
    let fill = |many: usize| filling.chars().cycle().take(many).collect::<String>();
    if filling.is_empty() {
        return Ok(Value::Str(text));
    }
    string(format!("{}{text}{}", fill(left), fill(right)))
}

fn cut(vm: &mut Vm, this: &Value, args: &[Value], bounds: fn(usize, usize) -> (usize, usize)) -> Answer {
    let ([many], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
    let (from, to) = bounds(text::len(&text), amount(many)?);
    string(text::slice(&text, from, to))
}

/// `text[1]`, `text[-1]`, `text[1..3]`, `text[0, 2]`.
fn get_at(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let ([at], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
    match at {
        Value::Range(range) => {
            let length = text::len(&text);
            let (Some(from), Some(to)) = (range.from.as_i64(), range.to.as_i64()) else { return Err(Raise::NoMatch) };
            if range.empty {
                return string("");
            }
            let (first, last) = if range.reverse { (to, from) } else { (from, to) };
            let place = |at: i64| if at < 0 { at + i64::try_from(length).unwrap_or(i64::MAX) } else { at };
            let (first, last) = (place(first), place(last));
            let (low, high, backwards) = (first.min(last), first.max(last), first > last);
            let (Ok(start), Ok(end)) = (usize::try_from(low), usize::try_from(high)) else {
                return super::string::out_of_range(vm, format!("begin {low}, end {}, length {length}", high + 1));
            };
            if end >= length {
                return super::string::out_of_range(vm, format!("begin {low}, end {}, length {length}", high + 1));
            }
            let part = text::slice(&text, start, end + 1);
            string(if backwards { part.chars().rev().collect() } else { part })
        }
        Value::List(list) => {
            let places = list.items.borrow().clone();
            let mut out = String::new();
            for place in &places {
                let part = get_at(vm, this, std::slice::from_ref(place))?;
                out.push_str(&vm.text(&part)?);
            }
            string(out)
        }
        _ => {
            let length = i64::try_from(text::len(&text)).unwrap_or(i64::MAX);
            let given = i64::from(int(vm, at)?);
            let place = if given < 0 { given + length } else { given };
            match usize::try_from(place).ok().and_then(|place| text::char_at(&text, place)) {
                Some(char) => string(char.to_string()),
                None if place < 0 => super::string::out_of_range(
                    vm,
                    format!("Negative string index [{given}] too large for string size {length}"),
                ),
                None => super::string::out_of_range(vm, format!("begin {place}, end {}, length {length}", place + 1)),
            }
        }
    }
}

fn tokenize(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let ends: Rc<str> = match args {
        [] => Rc::from(" \t\n\r\u{c}"),
        [Value::Char(char)] => Rc::from(char.to_string()),
        [ends] => chars(vm, ends)?,
        _ => return Err(Raise::NoMatch),
    };
    let parts: Vec<&str> = text.split(|char| ends.contains(char)).filter(|part| !part.is_empty()).collect();
    Ok(strings(vm, parts))
}

fn strip_indent(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let lines = text::lines(&text);
    let many = match args {
        [many] => amount(many)?,
        _ => {
            let indents = lines.iter().filter(|line| !line.trim().is_empty());
            indents.map(|line| line.chars().take_while(|char| char.is_whitespace()).count()).min().unwrap_or(0)
        }
    };
    let kept: Vec<String> = lines.iter().map(|line| line.chars().skip(many).collect()).collect();
    string(rejoin(&text, &kept))
}

fn strip_margin(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let text = vm.text(this)?;
    let margin = match args {
        [margin] => char_arg(&Value::Str(chars(vm, margin)?)).or_else(|_| char_arg(margin))?,
        _ => '|',
    };
    let kept: Vec<String> = text::lines(&text)
        .iter()
        .map(|line| line.trim_start().strip_prefix(margin).unwrap_or(line).to_owned())
        .collect();
    string(rejoin(&text, &kept))
}

/// Lines put together again; Groovy ends the last one only where the text ended it.
fn rejoin(text: &str, lines: &[String]) -> String {
    let mut out = lines.join("\n");
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// `tr('a-z', 'A-Z')`: characters of the first set become those at the same place of the second.
fn tr(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let ([from, to], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
    let (from, to) = (spread(&chars(vm, from)?), spread(&chars(vm, to)?));
    let Some(last) = to.last().copied() else { return Err(Raise::NoMatch) };
    let change = |char: char| match from.iter().rposition(|other| *other == char) {
        Some(at) => to.get(at).copied().unwrap_or(last),
        None => char,
    };
    string(text.chars().map(change).collect::<String>())
}

fn spread(set: &str) -> Vec<char> {
    let chars: Vec<char> = set.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = chars.get(at).copied() {
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(last)) => {
                if first <= *last {
                    out.extend(first..=*last);
                } else {
                    out.extend((*last..=first).rev());
                }
                at += 3;
            }
            _ => {
                out.push(first);
                at += 1;
            }
        }
    }
    out
}

fn tabs(vm: &mut Vm, this: &Value, args: &[Value], line: fn(&str, usize) -> String) -> Answer {
    let text = vm.text(this)?;
    let width = match args {
        [width] => amount(width)?.max(1),
        _ => 8,
    };
    announce(vm, text.len(), width)?;
    let lines: Vec<String> = text::lines(&text).iter().map(|text| line(text, width)).collect();
    string(rejoin(&text, &lines))
}

fn expand_line(line: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for char in line.chars() {
        if char == '\t' {
            let many = width - column % width;
            out.extend(std::iter::repeat_n(' ', many));
            column += many;
        } else {
            out.push(char);
            column += 1;
        }
    }
    out
}

fn unexpand_line(line: &str, width: usize) -> String {
    let chars: Vec<char> = expand_line(line, width).chars().collect();
    let mut out = String::new();
    for piece in chars.chunks(width) {
        let text: String = piece.iter().collect();
        let short = text.trim_end_matches(' ');
        if piece.len() == width && text.len() - short.len() > 1 {
            out.push_str(short);
            out.push('\t');
        } else {
            out.push_str(&text);
        }
    }
    out
}

fn overlapping(text: &str, what: &str) -> usize {
    if what.is_empty() {
        return text::len(text) + 1;
    }
    let step = what.chars().next().map_or(1, char::len_utf8);
    let (mut many, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(what)) {
        many += 1;
        at += found + step;
    }
    many
}

/// `'a'++`: the last character's neighbour; one at the end of the alphabet grows or shrinks the text.
fn step(vm: &mut Vm, this: &Value, by: i32) -> Answer {
    let mut chars: Vec<char> = vm.text(this)?.chars().collect();
    let Some(last) = chars.pop() else { return string(if by > 0 { "\0" } else { "" }) };
    let next = u32::from(last).checked_add_signed(by).and_then(char::from_u32);
    match next {
        Some(next) => chars.push(next),
        None if by > 0 => chars.extend([last, '\0']),
        None => {}
    }
    string(chars.into_iter().collect::<String>())
}
