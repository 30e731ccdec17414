//! `java.util.List`, arrays, and the queues, without the methods that take a closure.

use std::rc::Rc;

use super::arguments::{count, int, yes};
use super::collection::{as_list, empty, java_position, one_or_many, spread};
use super::{Answer, Declared, Extension, Method, function, method};
use crate::value::{Iter, List, ListKind, Value, Walk};
use crate::vm::{Raise, Vm};

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: "java.util.Stack", parent: "java.util.ArrayList", interfaces: &[], interface: false },
    Declared { name: "java.util.Vector", parent: "java.util.ArrayList", interfaces: &[], interface: false },
    Declared { name: "java.util.ArrayDeque", parent: "java.util.LinkedList", interfaces: &[], interface: false },
    Declared { name: "java.util.PriorityQueue", parent: "java.util.LinkedList", interfaces: &[], interface: false },
    Declared {
        name: "java.util.concurrent.CopyOnWriteArrayList",
        parent: "java.util.ArrayList",
        interfaces: &[],
        interface: false,
    },
    Declared {
        name: "java.util.concurrent.ConcurrentLinkedQueue",
        parent: "java.util.LinkedList",
        interfaces: &[],
        interface: false,
    },
    Declared { name: "groovy.lang.Tuple", parent: "java.util.ArrayList", interfaces: &[], interface: false },
    Declared { name: "groovy.lang.Tuple2", parent: "groovy.lang.Tuple", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.util.List", methods: METHODS, statics: &[], new: None },
    Extension {
        of: "java.util.ArrayList",
        methods: STACK,
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Array, args)),
    },
    Extension {
        of: "java.util.Stack",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Array, args)),
    },
    Extension {
        of: "java.util.Vector",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Array, args)),
    },
    Extension {
        of: "java.util.concurrent.CopyOnWriteArrayList",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Array, args)),
    },
    Extension {
        of: "java.util.LinkedList",
        methods: DEQUE,
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Linked, args)),
    },
    Extension {
        of: "java.util.ArrayDeque",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Linked, args)),
    },
    Extension {
        of: "java.util.concurrent.ConcurrentLinkedQueue",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, ListKind::Linked, args)),
    },
    Extension { of: "groovy.lang.Tuple", methods: &[], statics: &[], new: Some(tuple) },
    Extension { of: "groovy.lang.Tuple2", methods: &[], statics: &[], new: Some(tuple) },
    Extension {
        of: "java.util.Arrays",
        methods: &[],
        statics: &[function("asList", 0, super::MANY, |vm, args| {
            let items = match args {
                [Value::List(list)] if matches!(list.kind, ListKind::Java(_)) => list.items.borrow().clone(),
                many => many.to_vec(),
            };
            Ok(vm.list(items))
        })],
        new: None,
    },
];

const METHODS: &[Method] = &[
    method("get", 1, 1, |vm, this, args| {
        let [at] = args else { return Err(Raise::NoMatch) };
        let (items, at) = (vm.elements(this)?, int(vm, at)?);
        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
            Some(item) => Ok(item.clone()),
            None => out_of_bounds(vm, at, items.len()),
        }
    }),
    method("getAt", 1, 1, get_at),
    method("set", 2, 2, |vm, this, args| {
        let (list, [at, item]) = (as_list(this)?, args) else { return Err(Raise::NoMatch) };
        writable(vm, list)?;
        let at = int(vm, at)?;
        let length = list.items.borrow().len();
        let mut items = list.items.borrow_mut();
        match usize::try_from(at).ok().and_then(|at| items.get_mut(at)) {
            Some(place) => Ok(std::mem::replace(place, item.clone())),
            None => {
                drop(items);
                out_of_bounds(vm, at, length)
            }
        }
    }),
    method("putAt", 2, 2, put_at),
    method("add", 1, 2, add),
    method("leftShift", 1, 1, |vm, this, args| {
        let (list, [item]) = (growable(vm, this)?, args) else { return Err(Raise::NoMatch) };
        vm.charge(size_of::<Value>())?;
        list.items.borrow_mut().push(item.clone());
        Ok(this.clone())
    }),
    method("addAll", 1, 2, |vm, this, args| {
        let list = growable(vm, this)?;
        let (at, from) = match args {
            [from] => (None, from),
            [at, from] => (Some(int(vm, at)?), from),
            _ => return Err(Raise::NoMatch),
        };
        let items = one_or_many(vm, from)?;
        vm.charge(items.len() * size_of::<Value>())?;
        let changed = !items.is_empty();
        let length = list.items.borrow().len();
        let at = match at.map(usize::try_from) {
            None => length,
            Some(Ok(at)) if at <= length => at,
            _ => {
                return Err(vm.throw(
                    "java.lang.IndexOutOfBoundsException",
                    format!("Index: {}, Size: {length}", at.unwrap_or(0)),
                ));
            }
        };
        list.items.borrow_mut().splice(at..at, items);
        yes(changed)
    }),
    method("plus", 2, 2, |vm, this, args| {
        let [at, from] = args else { return Err(Raise::NoMatch) };
        let (mut items, added) = (vm.elements(this)?, one_or_many(vm, from)?);
        let at = usize::try_from(int(vm, at)?).unwrap_or(0).min(items.len());
        items.splice(at..at, added);
        Ok(vm.list(items))
    }),
    method("remove", 1, 1, |vm, this, args| {
        let (list, [what]) = (growable(vm, this)?, args) else { return Err(Raise::NoMatch) };
        match what {
            Value::Int(at) => remove_at(vm, list, *at),
            other => remove_item(vm, list, other),
        }
    }),
    method("removeAt", 1, 1, |vm, this, args| {
        let (list, [at]) = (growable(vm, this)?, args) else { return Err(Raise::NoMatch) };
        let at = int(vm, at)?;
        remove_at(vm, list, at)
    }),
    method("removeElement", 1, 1, |vm, this, args| {
        let (list, [what]) = (growable(vm, this)?, args) else { return Err(Raise::NoMatch) };
        remove_item(vm, list, what)
    }),
    method("removeAll", 1, 1, |vm, this, args| keep(vm, this, args, false)),
    method("retainAll", 1, 1, |vm, this, args| keep(vm, this, args, true)),
    method("clear", 0, 0, |vm, this, _| {
        let list = growable(vm, this)?;
        let gone = std::mem::take(&mut *list.items.borrow_mut());
        drop(gone);
        Ok(Value::Null)
    }),
    method("indexOf", 1, 1, |vm, this, args| {
        let ([what], items) = (args, vm.elements(this)?) else { return Err(Raise::NoMatch) };
        java_position(vm, &items, what)?.map_or(Ok(Value::Int(-1)), count)
    }),
    method("lastIndexOf", 1, 1, |vm, this, args| {
        let ([what], items) = (args, vm.elements(this)?) else { return Err(Raise::NoMatch) };
        for (at, item) in items.iter().enumerate().rev() {
            if super::object::java_equals(vm, item, what)? {
                return count(at);
            }
        }
        Ok(Value::Int(-1))
    }),
    method("subList", 2, 2, |vm, this, args| {
        let ([from, to], items) = (args, vm.elements(this)?) else { return Err(Raise::NoMatch) };
        let (from, to) = (int(vm, from)?, int(vm, to)?);
        match (usize::try_from(from), usize::try_from(to)) {
            (Ok(start), Ok(end)) if start <= end && end <= items.len() => {
                Ok(vm.list(items.get(start..end).unwrap_or(&[]).to_vec()))
            }
            (Ok(_), Ok(end)) if end > items.len() => {
                Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("toIndex = {to}")))
            }
            (Err(_), _) => Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("fromIndex = {from}"))),
            _ => super::arguments::illegal(vm, format!("fromIndex({from}) > toIndex({to})")),
        }
    }),
    method("pop", 0, 0, |vm, this, _| {
        let list = growable(vm, this)?;
        let last = list.items.borrow_mut().pop();
        last.map_or_else(|| empty(vm, this, "pop"), Ok)
    }),
    method("push", 1, 1, |vm, this, args| {
        let (list, [item]) = (growable(vm, this)?, args) else { return Err(Raise::NoMatch) };
        vm.charge(size_of::<Value>())?;
        list.items.borrow_mut().push(item.clone());
        yes(true)
    }),
    method("reverse", 0, 1, |vm, this, args| {
        let mut items = vm.elements(this)?;
        items.reverse();
        match (this, args) {
            (Value::List(list), [Value::Bool(true)]) => {
                writable(vm, list)?;
                list.items.replace(items);
                Ok(this.clone())
            }
            _ => super::collection::like(vm, this, items),
        }
    }),
    method("swap", 2, 2, |vm, this, args| {
        let ([a, b], list) = (args, as_list(this)?) else { return Err(Raise::NoMatch) };
        swap(vm, list, a, b)?;
        Ok(this.clone())
    }),
    method("iterator", 0, 0, |vm, this, _| live(vm, this)),
    method("listIterator", 0, 1, |vm, this, _| live(vm, this)),
    method("ensureCapacity", 1, 1, |_, _, _| Ok(Value::Null)),
    method("trimToSize", 0, 0, |_, _, _| Ok(Value::Null)),
    method("getLength", 0, 0, |_, this, _| match this {
        Value::List(list) if matches!(list.kind, ListKind::Java(_)) => count(list.items.borrow().len()),
        _ => Err(Raise::NoMatch),
    }),
    method("encodeBase64", 0, 1, |vm, this, _| super::codec::encode_base64(vm, this, false)),
    method("encodeHex", 0, 0, super::codec::encode_hex),
    method("getFirst", 0, 0, |vm, this, _| super::list::edge(vm, this, true)),
    method("getSecond", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(items.get(1).cloned().unwrap_or_default())
    }),
    method("getLast", 0, 0, |vm, this, _| super::list::edge(vm, this, false)),
];

/// `java.util.Stack`'s, which is an `ArrayList` here.
const STACK: &[Method] = &[
    method("peek", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        match items.last() {
            Some(item) => Ok(item.clone()),
            None => Err(vm.exception_without_message("java.util.EmptyStackException")),
        }
    }),
    method("empty", 0, 0, |vm, this, _| yes(vm.elements(this)?.is_empty())),
    method("addElement", 1, 1, add),
];

const DEQUE: &[Method] = &[
    method("addFirst", 1, 1, |vm, this, args| put_front(vm, this, args, Value::Null)),
    method("offerFirst", 1, 1, |vm, this, args| put_front(vm, this, args, Value::Bool(true))),
    method("push", 1, 1, |vm, this, args| put_front(vm, this, args, Value::Null)),
    method("addLast", 1, 1, |vm, this, args| add(vm, this, args).map(|_| Value::Null)),
    method("offer", 1, 1, add),
    method("offerLast", 1, 1, add),
    method("removeFirst", 0, 0, |vm, this, _| taken(vm, this, true, true)),
    method("removeLast", 0, 0, |vm, this, _| taken(vm, this, false, true)),
    method("remove", 0, 0, |vm, this, _| taken(vm, this, true, true)),
    method("pop", 0, 0, |vm, this, _| taken(vm, this, true, true)),
    method("poll", 0, 0, |vm, this, _| taken(vm, this, true, false)),
    method("pollFirst", 0, 0, |vm, this, _| taken(vm, this, true, false)),
    method("pollLast", 0, 0, |vm, this, _| taken(vm, this, false, false)),
    method("peek", 0, 0, |vm, this, _| Ok(vm.elements(this)?.first().cloned().unwrap_or_default())),
    method("peekFirst", 0, 0, |vm, this, _| Ok(vm.elements(this)?.first().cloned().unwrap_or_default())),
    method("peekLast", 0, 0, |vm, this, _| Ok(vm.elements(this)?.last().cloned().unwrap_or_default())),
    method("element", 0, 0, |vm, this, _| edge(vm, this, true)),
];

fn new(vm: &mut Vm, kind: ListKind, args: &[Value]) -> Answer {
    let items = match args {
        [] | [Value::Int(_)] => Vec::new(),
        [from @ (Value::List(_) | Value::Set(_) | Value::Range(_))] => vm.elements(from)?,
        _ => return Err(Raise::NoMatch),
    };
    Ok(vm.list_of(kind, items))
}

fn tuple(vm: &mut Vm, args: &[Value]) -> Answer {
    Ok(vm.list_of(ListKind::Immutable, args.to_vec()))
}

fn out_of_bounds<T>(vm: &mut Vm, at: i32, length: usize) -> Result<T, Raise> {
    Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("Index {at} out of bounds for length {length}")))
}

/// Refuses to change what is unmodifiable.
pub(super) fn writable(vm: &mut Vm, list: &Rc<List>) -> Result<(), Raise> {
    if list.kind == ListKind::Immutable {
        return Err(vm.exception_without_message("java.lang.UnsupportedOperationException"));
    }
    Ok(())
}

/// A list that may grow: no array, no range, nothing unmodifiable.
fn growable<'a>(vm: &mut Vm, this: &'a Value) -> Result<&'a Rc<List>, Raise> {
    match this {
        Value::Range(_) => Err(vm.exception_without_message("java.lang.UnsupportedOperationException")),
        Value::List(list) if matches!(list.kind, ListKind::Java(_)) => Err(Raise::NoMatch),
        Value::List(list) => {
            writable(vm, list)?;
            Ok(list)
        }
        _ => Err(Raise::NoMatch),
    }
}

fn live(vm: &mut Vm, this: &Value) -> Answer {
    match this {
        Value::List(list) => {
            let len = list.items.borrow().len();
            let state = Walk::Live { list: list.clone(), next: 0, len };
            Ok(Value::Iter(vm.heap.keep(Iter { state: state.into() })))
        }
        _ => {
            let items = vm.elements(this)?;
            Ok(vm.iterator(items))
        }
    }
}

/// `Iterator.remove()`: takes away what `next()` gave last.
pub(super) fn remove_behind(vm: &mut Vm, iter: &Rc<Iter>) -> Answer {
    let mut state = iter.state.borrow_mut();
    let done = match &mut *state {
        Walk::Live { list, next, len }
            if *next > 0 && *len == list.items.borrow().len() && list.kind != ListKind::Immutable =>
        {
            *next -= 1;
            *len -= 1;
            list.items.borrow_mut().remove(*next);
            true
        }
        _ => false,
    };
    drop(state);
    if done { Ok(Value::Null) } else { Err(vm.exception_without_message("java.lang.IllegalStateException")) }
}

/// `ListIterator.set(item)`: in the place of what `next()` gave last.
pub(super) fn set_behind(iter: &Rc<Iter>, item: &Value) -> Answer {
    match &*iter.state.borrow() {
        Walk::Live { list, next, .. } if list.kind != ListKind::Immutable => {
            let at = next.checked_sub(1).ok_or(Raise::NoMatch)?;
            let old = list.items.borrow_mut().get_mut(at).map(|place| std::mem::replace(place, item.clone()));
            drop(old);
            Ok(Value::Null)
        }
        _ => Err(Raise::NoMatch),
    }
}

fn add(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let list = growable(vm, this)?;
    vm.charge(size_of::<Value>())?;
    match args {
        [item] => {
            list.items.borrow_mut().push(item.clone());
            yes(true)
        }
        [at, item] => {
            let at = int(vm, at)?;
            let length = list.items.borrow().len();
            match usize::try_from(at) {
                Ok(place) if place <= length => list.items.borrow_mut().insert(place, item.clone()),
                _ => {
                    return Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("Index: {at}, Size: {length}")));
                }
            }
            Ok(Value::Null)
        }
        _ => Err(Raise::NoMatch),
    }
}

fn remove_at(vm: &mut Vm, list: &Rc<List>, at: i32) -> Answer {
    let length = list.items.borrow().len();
    match usize::try_from(at) {
        Ok(place) if place < length => Ok(list.items.borrow_mut().remove(place)),
        _ => out_of_bounds(vm, at, length),
    }
}

fn remove_item(vm: &mut Vm, list: &Rc<List>, what: &Value) -> Answer {
    let items = list.items.borrow().clone();
    let found = java_position(vm, &items, what)?;
    if let Some(at) = found {
        list.items.borrow_mut().remove(at);
    }
    yes(found.is_some())
}

fn keep(vm: &mut Vm, this: &Value, args: &[Value], wanted: bool) -> Answer {
    let list = growable(vm, this)?;
    let others = spread(vm, args)?;
    let items = list.items.borrow().clone();
    let before = items.len();
    let mut kept = Vec::new();
    for item in items {
        if java_position(vm, &others, &item)?.is_some() == wanted {
            kept.push(item);
        }
    }
    let changed = kept.len() != before;
    list.items.replace(kept);
    yes(changed)
}

fn put_front(vm: &mut Vm, this: &Value, args: &[Value], answer: Value) -> Answer {
    let (list, [item]) = (growable(vm, this)?, args) else { return Err(Raise::NoMatch) };
    vm.charge(size_of::<Value>())?;
    list.items.borrow_mut().insert(0, item.clone());
    Ok(answer)
}

/// Takes the first or last away; from nothing, an exception or `null`.
fn taken(vm: &mut Vm, this: &Value, first: bool, strict: bool) -> Answer {
    let list = growable(vm, this)?;
    let item = {
        let mut items = list.items.borrow_mut();
        if items.is_empty() {
            None
        } else if first {
            Some(items.remove(0))
        } else {
            items.pop()
        }
    };
    match item {
        Some(item) => Ok(item),
        None if strict => Err(vm.exception_without_message("java.util.NoSuchElementException")),
        None => Ok(Value::Null),
    }
}

fn edge(vm: &mut Vm, this: &Value, first: bool) -> Answer {
    let items = vm.elements(this)?;
    match if first { items.first() } else { items.last() } {
        Some(item) => Ok(item.clone()),
        None => Err(vm.exception_without_message("java.util.NoSuchElementException")),
    }
}

/// Exchanges two elements.
pub(super) fn swap(vm: &mut Vm, list: &Rc<List>, a: &Value, b: &Value) -> Result<(), Raise> {
    let (a, b) = (int(vm, a)?, int(vm, b)?);
    let length = list.items.borrow().len();
    match (usize::try_from(a), usize::try_from(b)) {
        (Ok(x), Ok(y)) if x < length && y < length => {
            list.items.borrow_mut().swap(x, y);
            Ok(())
        }
        _ => out_of_bounds(vm, if usize::try_from(a).is_ok_and(|a| a < length) { b } else { a }, length),
    }
}

/// `list[1]`, `list[-1]`, `list[1..3]`, `list[0, 2]`.
pub(super) fn get_at(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let ([at], items) = (args, vm.elements(this)?) else { return Err(Raise::NoMatch) };
    match at {
        Value::Range(_) => {
            let picked = slice(vm, &items, at)?;
            super::collection::like(vm, this, picked)
        }
        Value::List(_) => {
            let mut picked = Vec::new();
            for place in vm.elements(at)? {
                match place {
                    Value::Range(_) => picked.extend(slice(vm, &items, &place)?),
                    _ => picked.push(get_at(vm, this, &[place])?),
                }
            }
            super::collection::like(vm, this, picked)
        }
        Value::Str(_) | Value::GStr(_) => Err(Raise::NoMatch),
        number => {
            let given = if number.is_number() {
                crate::number::to_i32(number).ok_or(Raise::NoMatch)?
            } else {
                int(vm, number)?
            };
            let place = from_end(vm, given, items.len())?;
            match items.get(place) {
                Some(item) => Ok(item.clone()),
                None if is_array(this) => Err(vm.throw(
                    "java.lang.ArrayIndexOutOfBoundsException",
                    format!("Index {place} out of bounds for length {}", items.len()),
                )),
                None => Ok(Value::Null),
            }
        }
    }
}

fn is_array(this: &Value) -> bool {
    matches!(this, Value::List(list) if matches!(list.kind, ListKind::Java(_)))
}

/// An index in which -1 is the last.
fn from_end(vm: &mut Vm, given: i32, length: usize) -> Result<usize, Raise> {
    if let Ok(place) = usize::try_from(given) {
        return Ok(place);
    }
    let back = usize::try_from(given.unsigned_abs()).unwrap_or(usize::MAX);
    match length.checked_sub(back) {
        Some(place) => Ok(place),
        None => Err(vm.throw(
            "java.lang.ArrayIndexOutOfBoundsException",
            format!("Negative array index [{given}] too large for array size {length}"),
        )),
    }
}

fn slice(vm: &mut Vm, items: &[Value], range: &Value) -> Result<Vec<Value>, Raise> {
    let Value::Range(range) = range else { return Err(Raise::NoMatch) };
    if range.empty {
        return Ok(Vec::new());
    }
    let (Some(from), Some(to)) = (range.from.as_i64(), range.to.as_i64()) else { return Err(Raise::NoMatch) };
    let (first, last) = if range.reverse { (to, from) } else { (from, to) };
    let narrow = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let (first, last) = (from_end(vm, narrow(first), items.len())?, from_end(vm, narrow(last), items.len())?);
    let (low, high) = (first.min(last), first.max(last));
    let Some(part) = items.get(low..=high) else {
        let said = if low > items.len() { format!("fromIndex = {low}") } else { format!("toIndex = {}", high + 1) };
        return Err(vm.throw("java.lang.IndexOutOfBoundsException", said));
    };
    let mut part = part.to_vec();
    if first > last {
        part.reverse();
    }
    Ok(part)
}

/// `list[at] = value`: a list grows with `null`; a range of places is replaced by elements.
fn put_at(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (list, [at, item]) = (as_list(this)?, args) else { return Err(Raise::NoMatch) };
    writable(vm, list)?;
    let length = list.items.borrow().len();
    if let Value::Range(range) = at {
        let (Some(from), Some(to)) = (range.from.as_i64(), range.to.as_i64()) else { return Err(Raise::NoMatch) };
        let narrow = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        let from = from_end(vm, narrow(from), length)?.min(length);
        let to = if range.empty { from } else { (from_end(vm, narrow(to), length)? + 1).clamp(from, length) };
        let with = one_or_many(vm, item)?;
        vm.charge(with.len() * size_of::<Value>())?;
        let gone: Vec<Value> = list.items.borrow_mut().splice(from..to, with).collect();
        drop(gone);
        return Ok(item.clone());
    }
    let given = int(vm, at)?;
    let place = from_end(vm, given, length)?;
    if place >= length {
        if is_array(this) {
            return Err(vm.throw(
                "java.lang.ArrayIndexOutOfBoundsException",
                format!("Index {place} out of bounds for length {length}"),
            ));
        }
        vm.charge((place + 1 - length) * size_of::<Value>())?;
        list.items.borrow_mut().resize(place + 1, Value::Null);
    }
    if let Some(old) = list.items.borrow_mut().get_mut(place) {
        *old = item.clone();
    }
    Ok(item.clone())
}
