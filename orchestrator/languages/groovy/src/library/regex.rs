//! `java.util.regex`: `Pattern`, `Matcher`, and what strings ask of them.
//!
//! The matching is `fancy-regex`'s, whose steps back are counted: a pattern that would take for ever ends in a
//! `StackOverflowError`, as Java's often does, and never holds the server.

use std::cell::RefCell;
use std::rc::Rc;

use fancy_regex::Regex;

use super::arguments::{int, string, yes};
use super::matcher::{MATCHER, MATCHER_STATICS};
use super::regex_syntax::{flag, refusal, translate};
use super::{Answer, Extension, Method, Static, function, method};
use crate::types::id;
use crate::value::{ListKind, Value};
use crate::vm::{Raise, Vm};

/// A compiled pattern.
#[derive(Clone)]
pub(crate) struct Pattern {
    pub(super) inner: Rc<Inner>,
}

pub(super) struct Inner {
    pub(super) source: Rc<str>,
    flags: i32,
    find: Regex,
    /// The same, bound to both ends; made when first asked.
    whole: RefCell<Option<Rc<Regex>>>,
}

/// A match: for each group where it stands, in bytes.
pub(super) type Groups = Vec<Option<(usize, usize)>>;

/// State of a `java.util.regex.Matcher`.
pub(crate) struct Matcher {
    pub(super) pattern: Pattern,
    pub(super) text: RefCell<Rc<str>>,
    pub(super) found: RefCell<Option<Groups>>,
    /// Byte from which `find()` goes on.
    pub(super) next: RefCell<usize>,
    /// Byte up to which `appendReplacement` has copied.
    pub(super) copied: RefCell<usize>,
}

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.util.regex.Pattern", methods: PATTERN, statics: STATICS, new: None },
    Extension { of: "java.util.regex.Matcher", methods: MATCHER, statics: MATCHER_STATICS, new: None },
    Extension { of: "java.lang.CharSequence", methods: TEXT, statics: &[], new: None },
];

const PATTERN: &[Method] = &[
    method("matcher", 1, 1, |vm, this, args| {
        let ([value], pattern) = (args, this_pattern(this)?) else { return Err(Raise::NoMatch) };
        let text = super::arguments::chars(vm, value)?;
        Ok(matcher(vm, pattern, text))
    }),
    method("pattern", 0, 0, |_, this, _| string(&this_pattern(this)?.inner.source)),
    method("toString", 0, 0, |_, this, _| string(&this_pattern(this)?.inner.source)),
    method("flags", 0, 0, |_, this, _| Ok(Value::Int(this_pattern(this)?.inner.flags))),
    method("split", 1, 2, |vm, this, args| {
        let pattern = this_pattern(this)?;
        let (text, limit) = match args {
            [text] => (vm.str_arg(text)?, 0),
            [text, limit] => (vm.str_arg(text)?, int(vm, limit)?),
            _ => return Err(Raise::NoMatch),
        };
        let items = pattern.split(vm, &text, limit)?.into_iter().map(Value::from).collect();
        Ok(vm.list_of(ListKind::Java(id::STRING), items))
    }),
    method("isCase", 1, 1, |vm, this, args| {
        let ([value], pattern) = (args, this_pattern(this)?) else { return Err(Raise::NoMatch) };
        if value.is_null() {
            return yes(false);
        }
        let text = vm.text(value)?;
        yes(pattern.matches(vm, &text)?)
    }),
];

const STATICS: &[Static] = &[
    function("compile", 1, 2, |vm, args| {
        let (pattern, flags) = match args {
            [pattern] => (vm.str_arg(pattern)?, 0),
            [pattern, flags] => (vm.str_arg(pattern)?, int(vm, flags)?),
            _ => return Err(Raise::NoMatch),
        };
        compile(vm, &pattern, flags)
    }),
    function("quote", 1, 1, |vm, args| {
        let [text] = args else { return Err(Raise::NoMatch) };
        string(format!("\\Q{}\\E", vm.str_arg(text)?))
    }),
    function("matches", 2, 2, |vm, args| {
        let [pattern, text] = args else { return Err(Raise::NoMatch) };
        let (pattern, text) = (pattern_arg(vm, pattern)?, super::arguments::chars(vm, text)?);
        yes(pattern.matches(vm, &text)?)
    }),
    function("CASE_INSENSITIVE", 0, 0, |_, _| Ok(Value::Int(flag::CASE_INSENSITIVE))),
    function("MULTILINE", 0, 0, |_, _| Ok(Value::Int(flag::MULTILINE))),
    function("DOTALL", 0, 0, |_, _| Ok(Value::Int(flag::DOTALL))),
    function("COMMENTS", 0, 0, |_, _| Ok(Value::Int(flag::COMMENTS))),
    function("LITERAL", 0, 0, |_, _| Ok(Value::Int(flag::LITERAL))),
    function("UNICODE_CASE", 0, 0, |_, _| Ok(Value::Int(flag::UNICODE_CASE))),
    function("UNIX_LINES", 0, 0, |_, _| Ok(Value::Int(flag::UNIX_LINES))),
];

/// The replacement methods of strings that take no closure, and the searches.
const TEXT: &[Method] = &[
    method("replaceAll", 2, 2, |vm, this, args| replace_text(vm, this, args, false)),
    method("replaceFirst", 2, 2, |vm, this, args| replace_text(vm, this, args, true)),
    method("find", 1, 1, |vm, this, args| {
        let ([pattern], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
        let pattern = pattern_arg(vm, pattern)?;
        match pattern.at(vm, &text, 0)? {
            Some(groups) => Ok(group(&text, &groups, 0)),
            None => Ok(Value::Null),
        }
    }),
    method("findAll", 1, 1, |vm, this, args| {
        let ([pattern], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
        let pattern = pattern_arg(vm, pattern)?;
        let items = pattern.all(vm, &text)?.iter().map(|groups| group(&text, groups, 0)).collect();
        Ok(vm.list(items))
    }),
    method("$matches", 1, 1, |vm, this, args| {
        // For the prelude: every match as a string, or as the list of its groups when it has some.
        let ([pattern], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
        let pattern = pattern_arg(vm, pattern)?;
        let found = pattern.all(vm, &text)?;
        let items = found.iter().map(|groups| element(vm, &text, groups)).collect();
        Ok(vm.list(items))
    }),
    method("$spans", 1, 1, |vm, this, args| {
        // For the prelude: every match as [text before it, match], and at the end [rest].
        let ([pattern], text) = (args, vm.text(this)?) else { return Err(Raise::NoMatch) };
        let pattern = pattern_arg(vm, pattern)?;
        let mut items = Vec::new();
        let mut from = 0;
        for groups in pattern.all(vm, &text)? {
            let (start, end) = span(&groups);
            let before = Value::str(text.get(from..start).unwrap_or(""));
            let matched = element(vm, &text, &groups);
            items.push(vm.list(vec![before, matched]));
            from = end;
        }
        let rest = vec![Value::str(text.get(from..).unwrap_or(""))];
        items.push(vm.list(rest));
        Ok(vm.list(items))
    }),
];

/// The pattern that a value is, when it is one.
pub(crate) fn as_pattern(value: &Value) -> Option<Pattern> {
    match value {
        Value::Native(native) => native.state::<Pattern>().cloned(),
        _ => None,
    }
}

/// A pattern argument: a `Pattern`, or the text of one.
pub(crate) fn pattern_arg(vm: &mut Vm, value: &Value) -> Result<Pattern, Raise> {
    if let Some(pattern) = as_pattern(value) {
        return Ok(pattern);
    }
    let text = vm.str_arg(value)?;
    Pattern::new(&text, 0).map_err(|refusal| vm.throw("java.util.regex.PatternSyntaxException", refusal))
}

/// `Pattern.compile`.
pub(crate) fn compile(vm: &mut Vm, pattern: &str, flags: i32) -> Answer {
    match Pattern::new(pattern, flags) {
        Ok(pattern) => Ok(vm.native("java.util.regex.Pattern", pattern)),
        Err(refusal) => Err(vm.throw("java.util.regex.PatternSyntaxException", refusal)),
    }
}

/// `text =~ pattern`.
pub(crate) fn find_operator(vm: &mut Vm, left: &Value, pattern: &Value) -> Answer {
    let text = vm.text(left)?;
    let pattern = operand(vm, pattern)?;
    Ok(matcher(vm, pattern, text))
}

/// `text ==~ pattern`; `null` never matches.
pub(crate) fn match_operator(vm: &mut Vm, left: &Value, pattern: &Value) -> Answer {
    if left.is_null() || pattern.is_null() {
        return yes(false);
    }
    let text = vm.text(left)?;
    let pattern = operand(vm, pattern)?;
    yes(pattern.matches(vm, &text)?)
}

fn operand(vm: &mut Vm, pattern: &Value) -> Result<Pattern, Raise> {
    match as_pattern(pattern) {
        Some(pattern) => Ok(pattern),
        None => {
            let text = Value::Str(vm.text(pattern)?);
            pattern_arg(vm, &text)
        }
    }
}

fn matcher(vm: &mut Vm, pattern: Pattern, text: Rc<str>) -> Value {
    let state = Matcher {
        pattern,
        text: text.into(),
        found: RefCell::default(),
        next: RefCell::default(),
        copied: RefCell::default(),
    };
    vm.native("java.util.regex.Matcher", state)
}

fn this_pattern(this: &Value) -> Result<Pattern, Raise> {
    as_pattern(this).ok_or(Raise::NoMatch)
}

pub(super) fn span(groups: &Groups) -> (usize, usize) {
    groups.first().copied().flatten().unwrap_or((0, 0))
}

pub(super) fn group(text: &str, groups: &Groups, at: usize) -> Value {
    match groups.get(at).copied().flatten() {
        Some((start, end)) => Value::str(text.get(start..end).unwrap_or("")),
        None => Value::Null,
    }
}

/// A match as Groovy shows it: its text, or, when the pattern has groups, the list of all of them.
pub(super) fn element(vm: &mut Vm, text: &str, groups: &Groups) -> Value {
    if groups.len() == 1 {
        return group(text, groups, 0);
    }
    let items = (0..groups.len()).map(|at| group(text, groups, at)).collect();
    vm.list(items)
}

impl Pattern {
    fn new(source: &str, flags: i32) -> Result<Self, String> {
        let ours = translate(source, flags)?;
        let find = Regex::new(&ours).map_err(|_| refusal("Illegal pattern", 0, source))?;
        let inner = Inner { source: Rc::from(source), flags, find, whole: RefCell::default() };
        Ok(Self { inner: Rc::new(inner) })
    }

    /// How many groups it has, not counting the whole match.
    pub(crate) fn groups(&self) -> usize {
        self.inner.find.captures_len().saturating_sub(1)
    }

    fn ran(
        vm: &mut Vm,
        result: fancy_regex::Result<Option<fancy_regex::Captures<'_, str>>>,
    ) -> Result<Option<Groups>, Raise> {
        match result {
            Ok(found) => Ok(found.map(|captures| {
                (0..captures.len()).map(|at| captures.get(at).map(|found| (found.start(), found.end()))).collect()
            })),
            Err(_) => Err(vm.throw("java.lang.StackOverflowError", "the regular expression takes too many steps")),
        }
    }

    /// The first match from a byte on.
    pub(crate) fn at(&self, vm: &mut Vm, text: &str, from: usize) -> Result<Option<Groups>, Raise> {
        Self::ran(vm, self.inner.find.captures_from_pos(text, from))
    }

    pub(super) fn whole(&self, vm: &mut Vm, text: &str) -> Result<Option<Groups>, Raise> {
        let made = self.inner.whole.borrow().clone();
        let regex = match made {
            Some(regex) => regex,
            None => {
                let ours = translate(&self.inner.source, self.inner.flags).unwrap_or_default();
                let end = if ours.contains("(?x") || self.inner.flags & flag::COMMENTS != 0 { "\n" } else { "" };
                let bound = Regex::new(&format!(r"\A(?:{ours}{end})\z"));
                let Ok(bound) = bound else {
                    return Err(vm.throw(
                        "java.util.regex.PatternSyntaxException",
                        refusal("Illegal pattern", 0, &self.inner.source),
                    ));
                };
                let bound = Rc::new(bound);
                self.inner.whole.replace(Some(bound.clone()));
                bound
            }
        };
        Self::ran(vm, regex.captures(text))
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, vm: &mut Vm, text: &str) -> Result<bool, Raise> {
        self.whole(vm, text).map(|found| found.is_some())
    }

    /// All matches, from left to right, none overlapping.
    pub(crate) fn all(&self, vm: &mut Vm, text: &str) -> Result<Vec<Groups>, Raise> {
        let mut out = Vec::new();
        let mut from = 0;
        while from <= text.len() {
            let Some(groups) = self.at(vm, text, from)? else { break };
            let (start, end) = span(&groups);
            vm.charge(groups.len() * size_of::<Value>())?;
            out.push(groups);
            from = if start == end { end + step(text, end) } else { end };
        }
        Ok(out)
    }

    /// `String.split`: an empty match at the very start cuts nothing; with a limit of 0 empty texts at the end go.
    pub(crate) fn split(&self, vm: &mut Vm, text: &str, limit: i32) -> Result<Vec<String>, Raise> {
        let mut parts = Vec::new();
        let mut from = 0;
        for groups in self.all(vm, text)? {
            let (start, end) = span(&groups);
            if limit > 0 && parts.len() + 1 == usize::try_from(limit).unwrap_or(0) {
                break;
            }
            if end == 0 || (start == end && start == text.len()) {
                continue;
            }
            parts.push(text.get(from..start).unwrap_or("").to_owned());
            from = end;
        }
        if parts.is_empty() {
            return Ok(vec![text.to_owned()]);
        }
        parts.push(text.get(from..).unwrap_or("").to_owned());
        if limit == 0 {
            while parts.last().is_some_and(String::is_empty) {
                parts.pop();
            }
        }
        Ok(parts)
    }

    /// The text with matches replaced; `$1`, `${name}` and `\` mean in `with` what they mean in Java.
    pub(crate) fn replace(&self, vm: &mut Vm, text: &str, with: &str, first: bool) -> Result<String, Raise> {
        let mut out = String::new();
        let mut from = 0;
        for groups in self.all(vm, text)? {
            let (start, end) = span(&groups);
            out.push_str(text.get(from..start).unwrap_or(""));
            self.expand(vm, text, &groups, with, &mut out)?;
            vm.charge(with.len())?;
            from = end;
            if first {
                break;
            }
        }
        out.push_str(text.get(from..).unwrap_or(""));
        Ok(out)
    }

    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.inner.find.capture_names().position(|known| known == Some(name))
    }

    pub(super) fn expand(
        &self,
        vm: &mut Vm,
        text: &str,
        groups: &Groups,
        with: &str,
        out: &mut String,
    ) -> Result<(), Raise> {
        let mut chars = with.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '\\' => match chars.next() {
                    Some(char) => out.push(char),
                    None => return super::arguments::illegal(vm, "character to be escaped is missing"),
                },
                '$' if chars.peek() == Some(&'{') => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|char| *char != '}').collect();
                    let Some(at) = self.named(&name) else {
                        return super::arguments::illegal(vm, format!("No group with name {{{name}}}"));
                    };
                    push_group(text, groups, at, out);
                }
                '$' => {
                    let Some(first) = chars.peek().and_then(|char| char.to_digit(10)) else {
                        return super::arguments::illegal(vm, "Illegal group reference");
                    };
                    chars.next();
                    let mut at = first as usize;
                    if at >= groups.len() {
                        return Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("No group {at}")));
                    }
                    // More digits count as long as such a group is there.
                    while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10)) {
                        let longer = at * 10 + digit as usize;
                        if longer >= groups.len() {
                            break;
                        }
                        at = longer;
                        chars.next();
                    }
                    push_group(text, groups, at, out);
                }
                other => out.push(other),
            }
        }
        Ok(())
    }
}

fn push_group(text: &str, groups: &Groups, at: usize, out: &mut String) {
    if let Some((start, end)) = groups.get(at).copied().flatten() {
        out.push_str(text.get(start..end).unwrap_or(""));
    }
}

/// Bytes of the character at a byte; one at the end, to step behind it.
pub(super) fn step(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

fn replace_text(vm: &mut Vm, this: &Value, args: &[Value], first: bool) -> Answer {
    let [pattern, with] = args else { return Err(Raise::NoMatch) };
    let text = vm.text(this)?;
    let with = super::arguments::chars(vm, with)?;
    let pattern = pattern_arg(vm, pattern)?;
    string(pattern.replace(vm, &text, &with, first)?)
}
