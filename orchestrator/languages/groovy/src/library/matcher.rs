//! Methods of `java.util.regex.Matcher`.

use std::rc::Rc;

use super::arguments::{count, int, string, yes};
use super::regex::*;
use super::{Answer, Method, Static, function, method, text};
use crate::value::Value;
use crate::vm::{Raise, Vm};

pub(super) const MATCHER_STATICS: &[Static] = &[function("quoteReplacement", 1, 1, |vm, args| {
    let [text] = args else { return Err(Raise::NoMatch) };
    string(vm.str_arg(text)?.replace('\\', "\\\\").replace('$', "\\$"))
})];

pub(super) const MATCHER: &[Method] = &[
    method("find", 0, 1, |vm, this, args| {
        let state = this_matcher(this)?;
        let text = state.text.borrow().clone();
        if let [from] = args {
            let from = int(vm, from)?;
            let byte = usize::try_from(from).ok().and_then(|from| text::byte_of(&text, from));
            let Some(byte) = byte else {
                return Err(vm.throw("java.lang.IndexOutOfBoundsException", "Illegal start index"));
            };
            state.next.replace(byte);
        }
        yes(advance(vm, state)?)
    }),
    method("matches", 0, 0, |vm, this, _| {
        let state = this_matcher(this)?;
        let text = state.text.borrow().clone();
        let found = state.pattern.whole(vm, &text)?;
        remember(state, &text, found.clone());
        yes(found.is_some())
    }),
    method("lookingAt", 0, 0, |vm, this, _| {
        let state = this_matcher(this)?;
        let text = state.text.borrow().clone();
        let found = state.pattern.at(vm, &text, 0)?.filter(|groups| span(groups).0 == 0);
        remember(state, &text, found.clone());
        yes(found.is_some())
    }),
    method("hitEnd", 0, 0, |_, this, _| {
        let state = this_matcher(this)?;
        let end = state.found.borrow().as_ref().map(|groups| span(groups).1);
        yes(end.is_none_or(|end| end == state.text.borrow().len()))
    }),
    method("reset", 0, 1, |vm, this, args| {
        let state = this_matcher(this)?;
        if let [text] = args {
            let text = super::arguments::chars(vm, text)?;
            state.text.replace(text);
        }
        state.found.replace(None);
        state.next.replace(0);
        state.copied.replace(0);
        Ok(this.clone())
    }),
    method("group", 0, 1, |vm, this, args| {
        let state = this_matcher(this)?;
        let groups = found(vm, state, "No match found")?;
        let at = group_index(vm, state, args.first(), &groups)?;
        Ok(group(&state.text.borrow().clone(), &groups, at))
    }),
    method("start", 0, 1, |vm, this, args| edge(vm, this, args, |span| span.0)),
    method("end", 0, 1, |vm, this, args| edge(vm, this, args, |span| span.1)),
    method("groupCount", 0, 0, |_, this, _| count(this_matcher(this)?.pattern.groups())),
    method("hasGroup", 0, 0, |_, this, _| yes(this_matcher(this)?.pattern.groups() > 0)),
    method("pattern", 0, 0, |vm, this, _| {
        let pattern = this_matcher(this)?.pattern.clone();
        Ok(vm.native("java.util.regex.Pattern", pattern))
    }),
    method("replaceAll", 1, 1, |vm, this, args| matcher_replace(vm, this, args, false)),
    method("replaceFirst", 1, 1, |vm, this, args| matcher_replace(vm, this, args, true)),
    method("toMatchResult", 0, 0, |vm, this, _| {
        let state = this_matcher(this)?;
        let copy = Matcher {
            pattern: state.pattern.clone(),
            text: state.text.clone(),
            found: state.found.clone(),
            next: state.next.clone(),
            copied: state.copied.clone(),
        };
        Ok(vm.native("java.util.regex.Matcher", copy))
    }),
    method("size", 0, 0, |vm, this, _| count(all_of(vm, this)?.1.len())),
    method("getCount", 0, 0, |vm, this, _| count(all_of(vm, this)?.1.len())),
    method("asBoolean", 0, 0, |vm, this, _| {
        let state = this_matcher(this)?;
        yes(advance(vm, state)?)
    }),
    method("getAt", 1, 1, get_at),
    method("toList", 0, 0, |vm, this, _| {
        let items = matches_of(vm, this)?;
        Ok(vm.list(items))
    }),
    method("iterator", 0, 0, |vm, this, _| {
        let items = matches_of(vm, this)?;
        Ok(vm.iterator(items))
    }),
    method("appendReplacement", 2, 2, append_replacement),
    method("appendTail", 1, 1, |_, this, args| {
        let ([target], state) = (args, this_matcher(this)?) else { return Err(Raise::NoMatch) };
        let text = state.text.borrow().clone();
        super::builder::push(target, text.get(*state.copied.borrow()..).unwrap_or(""))?;
        Ok(target.clone())
    }),
    method("toString", 0, 0, |_, this, _| {
        let state = this_matcher(this)?;
        let text = state.text.borrow().clone();
        let found = state.found.borrow();
        let last = found.as_ref().and_then(|groups| text.get(span(groups).0..span(groups).1)).unwrap_or("").to_owned();
        let pattern = &state.pattern.inner.source;
        string(format!("java.util.regex.Matcher[pattern={pattern} region=0,{} lastmatch={last}]", text::len(&text)))
    }),
];

pub(super) fn this_matcher(this: &Value) -> Result<&Matcher, Raise> {
    match this {
        Value::Native(native) => native.state::<Matcher>().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

pub(super) fn advance(vm: &mut Vm, state: &Matcher) -> Result<bool, Raise> {
    let (text, from) = (state.text.borrow().clone(), *state.next.borrow());
    let found = if from > text.len() { None } else { state.pattern.at(vm, &text, from)? };
    let any = found.is_some();
    remember(state, &text, found);
    Ok(any)
}

pub(super) fn remember(state: &Matcher, text: &str, found: Option<Groups>) {
    if let Some(groups) = &found {
        let (start, end) = span(groups);
        state.next.replace(if start == end { end + step(text, end) } else { end });
    } else {
        state.next.replace(text.len() + 1);
    }
    state.found.replace(found);
}

pub(super) fn found(vm: &mut Vm, state: &Matcher, otherwise: &str) -> Result<Groups, Raise> {
    let groups = state.found.borrow().clone();
    groups.ok_or_else(|| vm.throw("java.lang.IllegalStateException", otherwise))
}

pub(super) fn group_index(
    vm: &mut Vm,
    state: &Matcher,
    which: Option<&Value>,
    groups: &Groups,
) -> Result<usize, Raise> {
    let at = match which {
        None => 0,
        Some(name @ (Value::Str(_) | Value::GStr(_))) => {
            let name = vm.str_arg(name)?;
            match state.pattern.named(&name) {
                Some(at) => at,
                None => return super::arguments::illegal(vm, format!("No group with name <{name}>")),
            }
        }
        Some(number) => {
            let number = int(vm, number)?;
            match usize::try_from(number) {
                Ok(at) if at < groups.len() => at,
                _ => return Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("No group {number}"))),
            }
        }
    };
    Ok(at)
}

pub(super) fn edge(vm: &mut Vm, this: &Value, args: &[Value], pick: fn((usize, usize)) -> usize) -> Answer {
    let state = this_matcher(this)?;
    let groups = found(vm, state, "No match available")?;
    let at = group_index(vm, state, args.first(), &groups)?;
    match groups.get(at).copied().flatten() {
        Some(span) => count(text::unit_of(&state.text.borrow(), pick(span))),
        None => Ok(Value::Int(-1)),
    }
}

pub(super) fn all_of(vm: &mut Vm, this: &Value) -> Result<(Rc<str>, Vec<Groups>), Raise> {
    let state = this_matcher(this)?;
    let text = state.text.borrow().clone();
    let all = state.pattern.all(vm, &text)?;
    Ok((text, all))
}

pub(super) fn matches_of(vm: &mut Vm, this: &Value) -> Result<Vec<Value>, Raise> {
    let (text, all) = all_of(vm, this)?;
    Ok(all.iter().map(|groups| element(vm, &text, groups)).collect())
}

pub(super) fn get_at(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let [at] = args else { return Err(Raise::NoMatch) };
    let all = matches_of(vm, this)?;
    if let Value::Range(_) | Value::List(_) = at {
        let list = vm.list(all);
        return super::list::get_at(vm, &list, args);
    }
    let given = int(vm, at)?;
    let size = i32::try_from(all.len()).unwrap_or(i32::MAX);
    let place = if given < 0 { given + size } else { given };
    match usize::try_from(place).ok().and_then(|place| all.get(place)) {
        Some(found) => Ok(found.clone()),
        None => {
            let said = format!("index is out of range 0..{} (index = {given})", size - 1);
            Err(vm.throw("java.lang.IndexOutOfBoundsException", said))
        }
    }
}

pub(super) fn matcher_replace(vm: &mut Vm, this: &Value, args: &[Value], first: bool) -> Answer {
    let ([with], state) = (args, this_matcher(this)?) else { return Err(Raise::NoMatch) };
    let (with, text) = (vm.str_arg(with)?, state.text.borrow().clone());
    string(state.pattern.replace(vm, &text, &with, first)?)
}

pub(super) fn append_replacement(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let ([target, with], state) = (args, this_matcher(this)?) else { return Err(Raise::NoMatch) };
    let (with, text) = (vm.str_arg(with)?, state.text.borrow().clone());
    let groups = found(vm, state, "No match available")?;
    let (start, end) = span(&groups);
    let mut out = text.get(*state.copied.borrow()..start).unwrap_or("").to_owned();
    state.pattern.expand(vm, &text, &groups, &with, &mut out)?;
    super::builder::push(target, &out)?;
    state.copied.replace(end);
    Ok(this.clone())
}
