//! Methods of everything that has elements (`Iterable`, `Collection`), without those that take a closure.
//!
//! Groovy keeps the kind of what it is asked: `plus` of a set is a set, of a list a list. [`like`] does that.

use std::rc::Rc;

use super::arguments::{amount, count, string, yes};
use super::arrangement::*;
use super::{Answer, Extension, MANY, Method, method};
use crate::number::{Arith, arith};
use crate::types::id;
use crate::value::{List, ListKind, Map, MapKind, Value};
use crate::vm::{Raise, Vm};

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.lang.Iterable", methods: METHODS, statics: &[], new: None },
    Extension { of: "java.util.Iterator", methods: ITERATOR, statics: &[], new: None },
];

const METHODS: &[Method] = &[
    method("size", 0, 0, |vm, this, _| match this {
        Value::List(list) => count(list.items.borrow().len()),
        Value::Set(map) => count(map.entries.borrow().len()),
        _ => count(vm.elements(this)?.len()),
    }),
    method("isEmpty", 0, 0, |vm, this, _| match this {
        Value::List(list) => yes(list.items.borrow().is_empty()),
        _ => yes(vm.elements(this)?.is_empty()),
    }),
    method("asBoolean", 0, 0, |vm, this, _| yes(!vm.elements(this)?.is_empty())),
    method("contains", 1, 1, |vm, this, args| {
        let [item] = args else { return Err(Raise::NoMatch) };
        if let Value::Set(set) = this {
            return yes(vm.map_get(set, item)?.is_some());
        }
        let items = vm.elements(this)?;
        yes(java_position(vm, &items, item)?.is_some())
    }),
    method("isCase", 1, 1, |vm, this, args| {
        let [item] = args else { return Err(Raise::NoMatch) };
        let items = vm.elements(this)?;
        yes(java_position(vm, &items, item)?.is_some())
    }),
    method("containsAll", 1, MANY, |vm, this, args| {
        let (items, wanted) = (vm.elements(this)?, spread(vm, args)?);
        for item in &wanted {
            if java_position(vm, &items, item)?.is_none() {
                return yes(false);
            }
        }
        yes(true)
    }),
    method("disjoint", 1, 1, |vm, this, args| {
        let (items, others) = (vm.elements(this)?, spread(vm, args)?);
        for item in &others {
            if java_position(vm, &items, item)?.is_some() {
                return yes(false);
            }
        }
        yes(true)
    }),
    method("intersect", 1, 1, |vm, this, args| {
        let (items, others) = (vm.elements(this)?, spread(vm, args)?);
        let mut kept: Vec<Value> = Vec::new();
        for item in items {
            if position(vm, &others, &item)?.is_some() && position(vm, &kept, &item)?.is_none() {
                kept.push(item);
            }
        }
        like(vm, this, kept)
    }),
    method("join", 0, 1, |vm, this, args| {
        let items = vm.elements(this)?;
        let separator = match args {
            [] => Rc::from(""),
            [text] => vm.text(text)?,
            _ => return Err(Raise::NoMatch),
        };
        let mut out = String::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(&separator);
            }
            out.push_str(&vm.text(item)?);
            vm.charge(separator.len() + 16)?;
        }
        string(out)
    }),
    method("sum", 0, 1, |vm, this, args| {
        let items = vm.elements(this)?;
        match args {
            [Value::Closure(_)] => Err(Raise::NoMatch),
            [first] => fold_plus(vm, Some(first.clone()), items),
            _ => fold_plus(vm, None, items),
        }
    }),
    method("min", 0, 0, |vm, this, _| extreme(vm, this, false)),
    method("max", 0, 0, |vm, this, _| extreme(vm, this, true)),
    method("count", 1, 1, |vm, this, args| {
        let [wanted] = args else { return Err(Raise::NoMatch) };
        if matches!(wanted, Value::Closure(_)) {
            return Err(Raise::NoMatch);
        }
        let items = vm.elements(this)?;
        let mut many = 0;
        for item in &items {
            many += usize::from(vm.equals(item, wanted)?);
        }
        count(many)
    }),
    method("any", 0, 0, |vm, this, _| {
        for item in vm.elements(this)? {
            if vm.truth(&item)? {
                return yes(true);
            }
        }
        yes(false)
    }),
    method("every", 0, 0, |vm, this, _| {
        for item in vm.elements(this)? {
            if !vm.truth(&item)? {
                return yes(false);
            }
        }
        yes(true)
    }),
    method("find", 0, 0, |vm, this, _| {
        for item in vm.elements(this)? {
            if vm.truth(&item)? {
                return Ok(item);
            }
        }
        Ok(Value::Null)
    }),
    method("findAll", 0, 0, truthy),
    method("grep", 0, 0, truthy),
    method("first", 0, 0, |vm, this, _| ends(vm, this, "first", <[Value]>::first)),
    method("head", 0, 0, |vm, this, _| ends(vm, this, "head", <[Value]>::first)),
    method("last", 0, 0, |vm, this, _| ends(vm, this, "last", <[Value]>::last)),
    method("tail", 0, 0, |vm, this, _| rest(vm, this, "tail", |items| items.get(1..))),
    method("init", 0, 0, |vm, this, _| rest(vm, this, "init", |items| items.split_last().map(|(_, init)| init))),
    method("take", 1, 1, |vm, this, args| part(vm, this, args, |length, many| (0, many.min(length)))),
    method("drop", 1, 1, |vm, this, args| part(vm, this, args, |length, many| (many.min(length), length))),
    method("takeRight", 1, 1, |vm, this, args| {
        part(vm, this, args, |length, many| (length.saturating_sub(many), length))
    }),
    method("dropRight", 1, 1, |vm, this, args| part(vm, this, args, |length, many| (0, length.saturating_sub(many)))),
    method("toList", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.list(items))
    }),
    method("asList", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.list(items))
    }),
    method("toSet", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        let items = bucket_order(vm, items)?;
        vm.set_from(MapKind::Linked, items)
    }),
    method("toArray", 0, 1, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.list_of(ListKind::Java(id::OBJECT), items))
    }),
    method("iterator", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.iterator(items))
    }),
    method("stream", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(super::stream::of(vm, items))
    }),
    method("flatten", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        let mut out = Vec::new();
        flatten(vm, &items, &mut out)?;
        like(vm, this, out)
    }),
    method("toSorted", 0, 0, |vm, this, _| {
        let items = sorted(vm, this)?;
        Ok(vm.list(items))
    }),
    method("sort", 0, 1, |vm, this, args| {
        if !matches!(args, [] | [Value::Bool(_)]) {
            return Err(Raise::NoMatch);
        }
        let items = sorted(vm, this)?;
        match (this, args) {
            (Value::List(list), [] | [Value::Bool(true)]) => {
                super::list::writable(vm, list)?;
                list.items.replace(items);
                Ok(this.clone())
            }
            _ => Ok(vm.list(items)),
        }
    }),
    method("$sortByKeys", 2, 2, sort_by_keys),
    method("unique", 0, 1, |vm, this, args| {
        if !matches!(args, [] | [Value::Bool(_)]) {
            return Err(Raise::NoMatch);
        }
        let items = distinct(vm, this)?;
        match (this, args) {
            (Value::List(list), [] | [Value::Bool(true)]) => {
                list.items.replace(items);
                Ok(this.clone())
            }
            _ => like(vm, this, items),
        }
    }),
    method("toUnique", 0, 0, |vm, this, _| {
        let items = distinct(vm, this)?;
        like(vm, this, items)
    }),
    method("plus", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        let mut items = vm.elements(this)?;
        items.extend(one_or_many(vm, other)?);
        vm.charge(items.len() * size_of::<Value>())?;
        like(vm, this, items)
    }),
    method("minus", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        let (items, gone) = (vm.elements(this)?, one_or_many(vm, other)?);
        let mut kept = Vec::new();
        for item in items {
            if position(vm, &gone, &item)?.is_none() {
                kept.push(item);
            }
        }
        like(vm, this, kept)
    }),
    method("multiply", 1, 1, |vm, this, args| {
        let [times] = args else { return Err(Raise::NoMatch) };
        let (items, times) = (vm.elements(this)?, amount(times)?);
        vm.charge(items.len().saturating_mul(times).saturating_mul(size_of::<Value>()))?;
        let all = items.iter().cycle().take(items.len() * times).cloned().collect();
        like(vm, this, all)
    }),
    method("withIndex", 0, 1, |vm, this, args| {
        let from = offset(vm, args)?;
        let items = vm.elements(this)?;
        let pairs = items.into_iter().zip(from..).map(|(item, at)| vm.list(vec![item, Value::Int(at)])).collect();
        Ok(vm.list(pairs))
    }),
    method("indexed", 0, 1, |vm, this, args| {
        let from = offset(vm, args)?;
        let entries = vm.elements(this)?.into_iter().zip(from..).map(|(item, at)| (Value::Int(at), item)).collect();
        vm.map_from(entries)
    }),
    method("collate", 1, 3, collate),
    method("transpose", 0, 0, transpose),
    method("combinations", 0, 0, combinations),
    method("permutations", 0, 0, permutations),
    method("subsequences", 0, 0, subsequences),
    method("asImmutable", 0, 0, immutable),
    method("asUnmodifiable", 0, 0, immutable),
    method("asSynchronized", 0, 0, |_, this, _| Ok(this.clone())),
    method("toListString", 0, 0, |vm, this, _| Ok(Value::Str(vm.text(this)?))),
    method("collectEntries", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        let map = vm.map(MapKind::Linked);
        for item in items {
            put_pair(vm, &map, &item)?;
        }
        Ok(Value::Map(map))
    }),
    method("add", 1, 1, |vm, this, args| match (this, args) {
        (Value::Set(set), [item]) => yes(vm.set_add(set, item.clone())?),
        _ => Err(Raise::NoMatch),
    }),
    method("leftShift", 1, 1, |vm, this, args| match (this, args) {
        (Value::Set(set), [item]) => {
            vm.set_add(set, item.clone())?;
            Ok(this.clone())
        }
        _ => Err(Raise::NoMatch),
    }),
    method("addAll", 1, 1, |vm, this, args| {
        let (Value::Set(set), items) = (this, spread(vm, args)?) else { return Err(Raise::NoMatch) };
        let mut changed = false;
        for item in items {
            changed |= vm.set_add(set, item)?;
        }
        yes(changed)
    }),
    method("remove", 1, 1, |vm, this, args| match (this, args) {
        (Value::Set(set), [item]) => {
            let there = vm.map_get(set, item)?.is_some();
            take_out(vm, set, item)?;
            yes(there)
        }
        _ => Err(Raise::NoMatch),
    }),
    method("removeAll", 1, 1, |vm, this, args| keep_in_set(vm, this, args, false)),
    method("retainAll", 1, 1, |vm, this, args| keep_in_set(vm, this, args, true)),
    method("clear", 0, 0, |vm, this, _| match this {
        Value::Set(set) if set.kind == MapKind::Immutable => {
            Err(vm.exception_without_message("java.lang.UnsupportedOperationException"))
        }
        Value::Set(set) => {
            for item in vm.elements(this)? {
                take_out(vm, set, &item)?;
            }
            Ok(Value::Null)
        }
        _ => Err(Raise::NoMatch),
    }),
    method("getAt", 1, 1, |vm, this, args| {
        if matches!(this, Value::List(_)) {
            return Err(Raise::NoMatch);
        }
        let items = vm.elements(this)?;
        let list = vm.list(items);
        super::list::get_at(vm, &list, args)
    }),
    method("clone", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        like(vm, this, items)
    }),
    method("headSet", 1, 1, |vm, this, args| within(vm, this, args, |order| order.is_lt())),
    method("tailSet", 1, 1, |vm, this, args| within(vm, this, args, |order| order.is_ge())),
];

const ITERATOR: &[Method] = &[
    method("hasNext", 0, 0, |vm, this, _| match this {
        Value::Iter(_) => yes(vm.truth(this)?),
        _ => Err(Raise::NoMatch),
    }),
    method("next", 0, 0, |vm, this, _| match this {
        Value::Iter(iter) => match vm.iter_next(iter)? {
            Some(next) => Ok(next),
            None => Err(vm.exception_without_message("java.util.NoSuchElementException")),
        },
        _ => Err(Raise::NoMatch),
    }),
    method("remove", 0, 0, |vm, this, _| match this {
        Value::Iter(iter) => super::list::remove_behind(vm, iter),
        _ => Err(Raise::NoMatch),
    }),
    method("set", 1, 1, |_, this, args| match (this, args) {
        (Value::Iter(iter), [item]) => super::list::set_behind(iter, item),
        _ => Err(Raise::NoMatch),
    }),
    method("iterator", 0, 0, |_, this, _| Ok(this.clone())),
    method("toList", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?;
        Ok(vm.list(items))
    }),
    method("join", 1, 1, |vm, this, args| {
        let items = vm.elements(this)?;
        let list = vm.list(items);
        vm.call_method(&list, "join", args)
    }),
];

/// A collection of the kind of `sample`, with other elements.
pub(super) fn like(vm: &mut Vm, sample: &Value, items: Vec<Value>) -> Answer {
    match sample {
        Value::Set(map) => {
            let kind = match map.kind {
                MapKind::Immutable => MapKind::Linked,
                kind => kind,
            };
            vm.set_from(kind, items)
        }
        Value::List(list) if matches!(list.kind, ListKind::Java(_)) => {
            let kind = list.kind.clone();
            Ok(vm.list_of(kind, items))
        }
        Value::List(list) if list.kind == ListKind::Linked => Ok(vm.list_of(ListKind::Linked, items)),
        _ => Ok(vm.list(items)),
    }
}

/// The elements of a collection or array; anything else is one element.
pub(super) fn one_or_many(vm: &mut Vm, value: &Value) -> Result<Vec<Value>, Raise> {
    match value {
        Value::List(_) | Value::Set(_) | Value::Range(_) | Value::Iter(_) => vm.elements(value),
        other if vm.is_kind(other, id::ITERABLE) => vm.elements(other),
        other => Ok(vec![other.clone()]),
    }
}

/// One collection argument, or the arguments themselves.
pub(super) fn spread(vm: &mut Vm, args: &[Value]) -> Result<Vec<Value>, Raise> {
    match args {
        [one] => {
            if matches!(one, Value::Closure(_)) {
                return Err(Raise::NoMatch);
            }
            one_or_many(vm, one)
        }
        many => Ok(many.to_vec()),
    }
}

/// Where an element is that Java's `equals` says is the same: `1` is not `1L`.
pub(super) fn java_position(vm: &mut Vm, items: &[Value], wanted: &Value) -> Result<Option<usize>, Raise> {
    for (at, item) in items.iter().enumerate() {
        if super::object::java_equals(vm, item, wanted)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Where an element is that Groovy's `==` says is the same.
pub(super) fn position(vm: &mut Vm, items: &[Value], wanted: &Value) -> Result<Option<usize>, Raise> {
    for (at, item) in items.iter().enumerate() {
        if vm.equals(item, wanted)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// `a + b`, by the method of whatever `a` is.
pub(super) fn plus(vm: &mut Vm, a: &Value, b: &Value) -> Answer {
    match arith(Arith::Add, a, b) {
        Ok(sum) => Ok(sum),
        Err(_) => vm.call_method(a, "plus", std::slice::from_ref(b)),
    }
}

fn fold_plus(vm: &mut Vm, first: Option<Value>, items: Vec<Value>) -> Answer {
    let mut sum = first;
    for item in items {
        sum = Some(match sum {
            None => item,
            Some(sum) => plus(vm, &sum, &item)?,
        });
    }
    Ok(sum.unwrap_or_default())
}

/// The smallest or largest; `null` counts for nothing.
fn extreme(vm: &mut Vm, this: &Value, larger: bool) -> Answer {
    let mut best = Value::Null;
    for item in vm.elements(this)? {
        if item.is_null() {
            continue;
        }
        if best.is_null()
            || (if larger { vm.compare(&item, &best)?.is_gt() } else { vm.compare(&item, &best)?.is_lt() })
        {
            best = item;
        }
    }
    Ok(best)
}

fn truthy(vm: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    let mut kept = Vec::new();
    for item in vm.elements(this)? {
        if vm.truth(&item)? {
            kept.push(item);
        }
    }
    like(vm, this, kept)
}

fn ends(vm: &mut Vm, this: &Value, name: &str, pick: fn(&[Value]) -> Option<&Value>) -> Answer {
    let items = vm.elements(this)?;
    match pick(&items) {
        Some(item) => Ok(item.clone()),
        None => empty(vm, this, name),
    }
}

/// Groovy's refusal to take the first of nothing.
pub(super) fn empty<T>(vm: &mut Vm, this: &Value, name: &str) -> Result<T, Raise> {
    let array = matches!(this, Value::List(list) if matches!(list.kind, ListKind::Java(_)));
    let said = match (this, name) {
        (Value::List(_) | Value::Range(_), "pop") => "Cannot pop() an empty List".to_owned(),
        _ if array => format!("Cannot access {name}() element from an empty Array"),
        (Value::List(_) | Value::Range(_), _) => format!("Cannot access {name}() element from an empty List"),
        _ => format!("Cannot access {name}() element from an empty Iterable"),
    };
    Err(vm.throw("java.util.NoSuchElementException", said))
}

fn rest(vm: &mut Vm, this: &Value, name: &str, pick: fn(&[Value]) -> Option<&[Value]>) -> Answer {
    let items = vm.elements(this)?;
    match pick(&items).filter(|_| !items.is_empty()) {
        Some(part) => like(vm, this, part.to_vec()),
        None => {
            Err(vm.throw("java.util.NoSuchElementException", format!("Cannot access {name}() for an empty iterable")))
        }
    }
}

fn part(vm: &mut Vm, this: &Value, args: &[Value], bounds: fn(usize, usize) -> (usize, usize)) -> Answer {
    let [many] = args else { return Err(Raise::NoMatch) };
    let (items, many) = (vm.elements(this)?, amount(many)?);
    let (from, to) = bounds(items.len(), many);
    like(vm, this, items.get(from..to).unwrap_or(&[]).to_vec())
}

fn offset(vm: &mut Vm, args: &[Value]) -> Result<i32, Raise> {
    args.first().map_or(Ok(0), |from| super::arguments::int(vm, from))
}

fn immutable(vm: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    let items = vm.elements(this)?;
    match this {
        Value::Set(_) => frozen_set(vm, items),
        _ => Ok(vm.list_of(ListKind::Immutable, items)),
    }
}

/// An unmodifiable set.
pub(super) fn frozen_set(vm: &mut Vm, items: Vec<Value>) -> Answer {
    let map = vm.map(MapKind::Immutable);
    for item in items {
        vm.set_add_raw(&map, item)?;
    }
    Ok(Value::Set(map))
}

/// Puts what `collectEntries` may be given: a map, an entry, or a pair.
pub(super) fn put_pair(vm: &mut Vm, into: &Rc<Map>, item: &Value) -> Result<(), Raise> {
    match item {
        Value::Map(map) => {
            for (key, value) in vm.entries(map) {
                vm.map_put(into, key, value)?;
            }
        }
        Value::List(list) => {
            let pair = list.items.borrow().clone();
            let mut pair = pair.into_iter();
            let (key, value) = (pair.next().unwrap_or_default(), pair.next().unwrap_or_default());
            vm.map_put(into, key, value)?;
        }
        entry => {
            let (key, value) = (vm.call_method(entry, "getKey", &[])?, vm.call_method(entry, "getValue", &[])?);
            vm.map_put(into, key, value)?;
        }
    }
    Ok(())
}

/// Removes from a set and, when it is the keys or entries of a map, from that map.
fn take_out(vm: &mut Vm, set: &Rc<Map>, item: &Value) -> Result<(), Raise> {
    vm.map_remove(set, item)?;
    let source = set.closure.borrow().clone();
    if let Some(Value::Map(source)) = source {
        let key = match vm.is_kind(item, id::ENTRY) {
            true => vm.call_method(item, "getKey", &[])?,
            false => item.clone(),
        };
        vm.map_remove(&source, &key)?;
    }
    Ok(())
}

fn keep_in_set(vm: &mut Vm, this: &Value, args: &[Value], wanted: bool) -> Answer {
    let (Value::Set(set), others) = (this, spread(vm, args)?) else { return Err(Raise::NoMatch) };
    let mut changed = false;
    for item in vm.elements(this)? {
        if java_position(vm, &others, &item)?.is_some() != wanted {
            take_out(vm, set, &item)?;
            changed = true;
        }
    }
    yes(changed)
}

fn within(vm: &mut Vm, this: &Value, args: &[Value], keep: fn(std::cmp::Ordering) -> bool) -> Answer {
    let (Value::Set(_), [bound]) = (this, args) else { return Err(Raise::NoMatch) };
    let mut kept = Vec::new();
    for item in vm.elements(this)? {
        if keep(vm.compare(&item, bound)?) {
            kept.push(item);
        }
    }
    like(vm, this, kept)
}

/// The list of a value, when it is one.
pub(super) fn as_list(value: &Value) -> Result<&Rc<List>, Raise> {
    match value {
        Value::List(list) => Ok(list),
        _ => Err(Raise::NoMatch),
    }
}
