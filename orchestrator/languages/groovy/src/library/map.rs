//! `java.util.Map`, without the methods that take a closure.

use std::rc::Rc;

use super::arguments::{amount, count, yes};
use super::collection::one_or_many;
use super::{Answer, Declared, Extension, Method, method};
use crate::types::id;
use crate::value::{Map, MapKind, Value};
use crate::vm::{Entry, Raise, Vm};

pub(super) const DECLARED: &[Declared] = &[
    Declared {
        name: "java.util.concurrent.ConcurrentHashMap",
        parent: "java.util.HashMap",
        interfaces: &[],
        interface: false,
    },
    Declared {
        name: "java.util.concurrent.ConcurrentMap",
        parent: "java.lang.Object",
        interfaces: &["java.util.Map"],
        interface: true,
    },
    Declared { name: "java.util.Hashtable", parent: "java.util.HashMap", interfaces: &[], interface: false },
    Declared { name: "java.util.Properties", parent: "java.util.Hashtable", interfaces: &[], interface: false },
    Declared {
        name: "java.util.concurrent.ConcurrentSkipListMap",
        parent: "java.util.TreeMap",
        interfaces: &[],
        interface: false,
    },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.util.Map", methods: METHODS, statics: &[], new: None },
    Extension { of: "java.util.Map$Entry", methods: ENTRY, statics: &[], new: None },
    Extension {
        of: "java.util.HashMap",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, MapKind::Hash, args)),
    },
    Extension {
        of: "java.util.LinkedHashMap",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, MapKind::Linked, args)),
    },
    Extension {
        of: "java.util.TreeMap",
        methods: SORTED,
        statics: &[],
        new: Some(|vm, args| new(vm, MapKind::Sorted, args)),
    },
    Extension {
        of: "java.util.concurrent.ConcurrentHashMap",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, MapKind::Hash, args)),
    },
    Extension {
        of: "java.util.Hashtable",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, MapKind::Hash, args)),
    },
    Extension {
        of: "java.util.Properties",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new(vm, MapKind::Hash, args)),
    },
    Extension {
        of: "java.util.HashSet",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new_set(vm, MapKind::Hash, args)),
    },
    Extension {
        of: "java.util.LinkedHashSet",
        methods: &[],
        statics: &[],
        new: Some(|vm, args| new_set(vm, MapKind::Linked, args)),
    },
    Extension {
        of: "java.util.TreeSet",
        methods: SORTED_SET,
        statics: &[],
        new: Some(|vm, args| new_set(vm, MapKind::Sorted, args)),
    },
];

const METHODS: &[Method] = &[
    method("size", 0, 0, |_, this, _| count(of(this)?.entries.borrow().len())),
    method("isEmpty", 0, 0, |_, this, _| yes(of(this)?.entries.borrow().is_empty())),
    method("asBoolean", 0, 0, |_, this, _| yes(!of(this)?.entries.borrow().is_empty())),
    method("get", 1, 1, get),
    method("getAt", 1, 1, get),
    method("get", 2, 2, |vm, this, args| {
        let (map, [key, otherwise]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        if let Some(value) = vm.map_get(map, key)?
            && !value.is_null()
        {
            return Ok(value);
        }
        vm.map_put(map, key.clone(), otherwise.clone())?;
        Ok(otherwise.clone())
    }),
    method("getOrDefault", 2, 2, |vm, this, args| {
        let (map, [key, otherwise]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        Ok(vm.map_get(map, key)?.unwrap_or_else(|| otherwise.clone()))
    }),
    method("put", 2, 2, |vm, this, args| {
        let (map, [key, value]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        Ok(vm.map_put(map, key.clone(), value.clone())?.unwrap_or_default())
    }),
    method("putAt", 2, 2, |vm, this, args| {
        let (map, [key, value]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        vm.map_put(map, key.clone(), value.clone())?;
        Ok(value.clone())
    }),
    method("setProperty", 2, 2, |vm, this, args| {
        let (map, [key, value]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        Ok(vm.map_put(map, key.clone(), value.clone())?.unwrap_or_default())
    }),
    method("getProperty", 1, 2, |vm, this, args| {
        let (map, [key, rest @ ..]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        Ok(vm.map_get(map, key)?.unwrap_or_else(|| rest.first().cloned().unwrap_or_default()))
    }),
    method("putIfAbsent", 2, 2, |vm, this, args| {
        let (map, [key, value]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        match vm.map_get(map, key)? {
            Some(old) if !old.is_null() => Ok(old),
            _ => {
                vm.map_put(map, key.clone(), value.clone())?;
                Ok(Value::Null)
            }
        }
    }),
    method("replace", 2, 2, |vm, this, args| {
        let (map, [key, value]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        match vm.map_get(map, key)? {
            Some(_) => Ok(vm.map_put(map, key.clone(), value.clone())?.unwrap_or_default()),
            None => Ok(Value::Null),
        }
    }),
    method("containsKey", 1, 1, contains_key),
    method("isCase", 1, 1, contains_key),
    method("containsValue", 1, 1, |vm, this, args| {
        let (map, [wanted]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        for (_, value) in vm.entries(map) {
            if vm.equals(&value, wanted)? {
                return yes(true);
            }
        }
        yes(false)
    }),
    method("remove", 1, 1, |vm, this, args| {
        let (map, [key]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        if matches!(key, Value::Closure(_)) {
            return Err(Raise::NoMatch);
        }
        Ok(vm.map_remove(map, key)?.unwrap_or_default())
    }),
    method("putAll", 1, 1, |vm, this, args| {
        fill(vm, of(this)?, args)?;
        Ok(Value::Null)
    }),
    method("leftShift", 1, 1, |vm, this, args| {
        fill(vm, of(this)?, args)?;
        Ok(this.clone())
    }),
    method("plus", 1, 1, |vm, this, args| {
        let copy = copy(vm, of(this)?)?;
        fill(vm, &copy, args)?;
        Ok(Value::Map(copy))
    }),
    method("minus", 1, 1, |vm, this, args| {
        let (map, [Value::Map(gone)]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        let out = vm.map(kind(map));
        for (key, value) in vm.entries(map) {
            let same = match vm.map_get(gone, &key)? {
                Some(other) => vm.equals(&value, &other)?,
                None => false,
            };
            if !same {
                vm.map_put(&out, key, value)?;
            }
        }
        Ok(Value::Map(out))
    }),
    method("intersect", 1, 1, |vm, this, args| {
        let (map, [Value::Map(other)]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        let out = vm.map(kind(map));
        for (key, value) in vm.entries(map) {
            if let Some(there) = vm.map_get(other, &key)?
                && vm.equals(&value, &there)?
            {
                vm.map_put(&out, key, value)?;
            }
        }
        Ok(Value::Map(out))
    }),
    method("subMap", 1, 1, |vm, this, args| {
        let (map, [keys]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        let out = vm.map(MapKind::Linked);
        for key in one_or_many(vm, keys)? {
            if let Some(value) = vm.map_get(map, &key)? {
                vm.map_put(&out, key, value)?;
            }
        }
        Ok(Value::Map(out))
    }),
    method("keySet", 0, 0, |vm, this, _| {
        let keys = vm.entries(of(this)?).into_iter().map(|(key, _)| key).collect();
        view(vm, of(this)?, keys)
    }),
    method("values", 0, 0, |vm, this, _| {
        let values = vm.entries(of(this)?).into_iter().map(|(_, value)| value).collect();
        Ok(vm.list(values))
    }),
    method("entrySet", 0, 0, |vm, this, _| {
        let entries = vm.map_entries(of(this)?);
        view(vm, of(this)?, entries)
    }),
    method("iterator", 0, 0, |vm, this, _| {
        let entries = vm.map_entries(of(this)?);
        Ok(vm.iterator(entries))
    }),
    method("toList", 0, 0, |vm, this, _| {
        let entries = vm.map_entries(of(this)?);
        Ok(vm.list(entries))
    }),
    method("clear", 0, 0, |vm, this, _| {
        let map = of(this)?;
        if map.kind == MapKind::Immutable {
            return Err(vm.exception_without_message("java.lang.UnsupportedOperationException"));
        }
        let gone = std::mem::take(&mut *map.entries.borrow_mut());
        drop(gone);
        Ok(Value::Null)
    }),
    method("sort", 0, 0, |vm, this, _| {
        let entries = vm.entries(of(this)?);
        let sorted = super::arrangement::merge_sort(vm, entries, &mut |vm, a, b| Ok(vm.compare(&a.0, &b.0)?.is_lt()))?;
        vm.map_from(sorted)
    }),
    method("toSorted", 0, 0, |vm, this, _| {
        let entries = vm.entries(of(this)?);
        let sorted = super::arrangement::merge_sort(vm, entries, &mut |vm, a, b| Ok(vm.compare(&a.1, &b.1)?.is_lt()))?;
        vm.map_from(sorted)
    }),
    method("take", 1, 1, |vm, this, args| {
        let (map, [many]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        let (many, entries) = (amount(many)?, vm.entries(map));
        vm.map_from(entries.into_iter().take(many).collect())
    }),
    method("drop", 1, 1, |vm, this, args| {
        let (map, [many]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        let (many, entries) = (amount(many)?, vm.entries(map));
        vm.map_from(entries.into_iter().skip(many).collect())
    }),
    method("asImmutable", 0, 0, |vm, this, _| {
        let out = vm.map(MapKind::Immutable);
        for (key, value) in vm.entries(of(this)?) {
            vm.map_put_raw(&out, key, value)?;
        }
        Ok(Value::Map(out))
    }),
    method("asUnmodifiable", 0, 0, |vm, this, _| vm.call_method(this, "asImmutable", &[])),
    method("asSynchronized", 0, 0, |_, this, _| Ok(this.clone())),
    method("toMapString", 0, 0, |vm, this, _| Ok(Value::Str(vm.text(this)?))),
    method("clone", 0, 0, |vm, this, _| Ok(Value::Map(copy(vm, of(this)?)?))),
    method("$default", 1, 1, |_, this, args| {
        // For the prelude: makes this the map of `withDefault`.
        of(this)?.closure.replace(args.first().cloned());
        Ok(this.clone())
    }),
];

const ENTRY: &[Method] = &[
    method("getKey", 0, 0, |_, this, _| Ok(entry(this)?.key.clone())),
    method("getValue", 0, 0, |_, this, _| Ok(entry(this)?.value.borrow().clone())),
    method("setValue", 1, 1, |vm, this, args| {
        let (entry, [value]) = (entry(this)?, args) else { return Err(Raise::NoMatch) };
        let (map, key) = (entry.map.clone(), entry.key.clone());
        vm.map_put(&map, key, value.clone())?;
        Ok(entry.value.replace(value.clone()))
    }),
    method("toString", 0, 0, |vm, this, _| Ok(Value::Str(vm.text(this)?))),
];

const SORTED: &[Method] = &[
    method("firstKey", 0, 0, |vm, this, _| end(vm, this, true, |entry| entry.0)),
    method("lastKey", 0, 0, |vm, this, _| end(vm, this, false, |entry| entry.0)),
    method("firstEntry", 0, 0, |vm, this, _| end_entry(vm, this, true)),
    method("lastEntry", 0, 0, |vm, this, _| end_entry(vm, this, false)),
    method("headMap", 1, 1, |vm, this, args| within(vm, this, args, |order| order.is_lt())),
    method("tailMap", 1, 1, |vm, this, args| within(vm, this, args, |order| order.is_ge())),
    method("floorKey", 1, 1, |vm, this, args| near(vm, this, args, true, |order| order.is_le())),
    method("lowerKey", 1, 1, |vm, this, args| near(vm, this, args, true, |order| order.is_lt())),
    method("ceilingKey", 1, 1, |vm, this, args| near(vm, this, args, false, |order| order.is_ge())),
    method("higherKey", 1, 1, |vm, this, args| near(vm, this, args, false, |order| order.is_gt())),
    method("descendingMap", 0, 0, |vm, this, _| {
        let entries = vm.entries(of(this)?).into_iter().rev().collect();
        vm.map_from(entries)
    }),
];

const SORTED_SET: &[Method] = &[
    method("first", 0, 0, |vm, this, _| Ok(vm.elements(this)?.first().cloned().unwrap_or_default())),
    method("last", 0, 0, |vm, this, _| Ok(vm.elements(this)?.last().cloned().unwrap_or_default())),
    method("descendingSet", 0, 0, |vm, this, _| {
        let items = vm.elements(this)?.into_iter().rev().collect();
        vm.set_from(MapKind::Linked, items)
    }),
];

fn of(this: &Value) -> Result<&Rc<Map>, Raise> {
    match this {
        Value::Map(map) => Ok(map),
        _ => Err(Raise::NoMatch),
    }
}

/// The kind of a changed copy.
fn kind(map: &Map) -> MapKind {
    if map.kind == MapKind::Immutable { MapKind::Linked } else { map.kind }
}

fn copy(vm: &mut Vm, map: &Rc<Map>) -> Result<Rc<Map>, Raise> {
    let out = vm.map(kind(map));
    let closure = map.closure.borrow().clone();
    out.closure.replace(closure);
    for (key, value) in vm.entries(map) {
        vm.map_put(&out, key, value)?;
    }
    Ok(out)
}

/// The keys or entries of a map as a set that remembers the map: what is removed from it, leaves the map as well.
fn view(vm: &mut Vm, map: &Rc<Map>, items: Vec<Value>) -> Answer {
    let set = vm.set_from(MapKind::Linked, items)?;
    if let Value::Set(set) = &set {
        set.closure.replace(Some(Value::Map(map.clone())));
    }
    Ok(set)
}

fn entry(this: &Value) -> Result<&Entry, Raise> {
    match this {
        Value::Native(native) => native.state::<Entry>().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn new(vm: &mut Vm, kind: MapKind, args: &[Value]) -> Answer {
    let map = vm.map(kind);
    match args {
        [] | [Value::Int(_), ..] => {}
        [Value::Map(from)] => {
            for (key, value) in vm.entries(from) {
                vm.map_put(&map, key, value)?;
            }
        }
        [comparator] if kind == MapKind::Sorted => {
            map.closure.replace(Some(comparator.clone()));
        }
        _ => return Err(Raise::NoMatch),
    }
    Ok(Value::Map(map))
}

fn new_set(vm: &mut Vm, kind: MapKind, args: &[Value]) -> Answer {
    match args {
        [] | [Value::Int(_), ..] => vm.set_from(kind, Vec::new()),
        [from @ (Value::List(_) | Value::Set(_) | Value::Range(_))] => {
            let items = vm.elements(from)?;
            vm.set_from(kind, items)
        }
        [comparator @ (Value::Closure(_) | Value::Native(_))] if kind == MapKind::Sorted => {
            let map = vm.map(kind);
            map.closure.replace(Some(comparator.clone()));
            Ok(Value::Set(map))
        }
        _ => Err(Raise::NoMatch),
    }
}

/// `map[key]`; a map of `withDefault` makes what is missing.
fn get(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (map, [key]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
    if let Some(value) = vm.map_get(map, key)? {
        return Ok(value);
    }
    let make = if map.kind == MapKind::Sorted { None } else { map.closure.borrow().clone() };
    match make {
        Some(make) => {
            let value = vm.call_closure(&make, std::slice::from_ref(key))?;
            vm.map_put(map, key.clone(), value.clone())?;
            Ok(value)
        }
        None => Ok(Value::Null),
    }
}

fn contains_key(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (map, [key]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
    yes(vm.map_get(map, key)?.is_some())
}

fn fill(vm: &mut Vm, into: &Rc<Map>, args: &[Value]) -> Result<(), Raise> {
    match args {
        [Value::Map(from)] => {
            for (key, value) in vm.entries(from) {
                vm.map_put(into, key, value)?;
            }
            Ok(())
        }
        [many @ (Value::List(_) | Value::Set(_))] => {
            for item in vm.elements(many)? {
                super::collection::put_pair(vm, into, &item)?;
            }
            Ok(())
        }
        [one] if vm.is_kind(one, id::ENTRY) => super::collection::put_pair(vm, into, one),
        _ => Err(Raise::NoMatch),
    }
}

fn ended(vm: &mut Vm, this: &Value, first: bool) -> Result<Option<(Value, Value)>, Raise> {
    let mut entries = vm.entries(of(this)?);
    Ok(if first { entries.into_iter().next() } else { entries.pop() })
}

fn end(vm: &mut Vm, this: &Value, first: bool, part: fn((Value, Value)) -> Value) -> Answer {
    match ended(vm, this, first)? {
        Some(entry) => Ok(part(entry)),
        None => Err(vm.exception_without_message("java.util.NoSuchElementException")),
    }
}

fn end_entry(vm: &mut Vm, this: &Value, first: bool) -> Answer {
    let map = of(this)?.clone();
    Ok(ended(vm, this, first)?.map(|(key, value)| vm.entry(&map, key, value)).unwrap_or_default())
}

fn within(vm: &mut Vm, this: &Value, args: &[Value], keep: fn(std::cmp::Ordering) -> bool) -> Answer {
    let (map, [bound]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
    let out = vm.map(map.kind);
    for (key, value) in vm.entries(map) {
        if keep(vm.compare(&key, bound)?) {
            vm.map_put(&out, key, value)?;
        }
    }
    Ok(Value::Map(out))
}

fn near(vm: &mut Vm, this: &Value, args: &[Value], last: bool, keep: fn(std::cmp::Ordering) -> bool) -> Answer {
    let (map, [bound]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
    let mut found = Value::Null;
    for (key, _) in vm.entries(map) {
        if keep(vm.compare(&key, bound)?) {
            found = key;
            if !last {
                break;
            }
        }
    }
    Ok(found)
}
