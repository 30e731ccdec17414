//! Statics of `Collections` and `Arrays`.

use super::arguments::{amount, count, int, string, yes};
use super::arrangement::merge_sort;
use super::collection::{frozen_set, position};
use super::list::{swap, writable};
use super::{Answer, Declared, Extension, MANY, Static, function};
use crate::value::{ListKind, MapKind, Value};
use crate::vm::{Raise, Vm};

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: "java.util.Collections", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "java.util.Arrays", parent: "java.lang.Object", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.util.Collections", methods: &[], statics: COLLECTIONS, new: None },
    Extension { of: "java.util.Arrays", methods: &[], statics: ARRAYS, new: None },
    Extension {
        of: "java.util.List",
        methods: &[],
        statics: &[function("of", 0, MANY, |vm, args| Ok(vm.list_of(ListKind::Immutable, args.to_vec())))],
        new: None,
    },
    Extension {
        of: "java.util.Set",
        methods: &[],
        statics: &[function("of", 0, MANY, |vm, args| frozen_set(vm, args.to_vec()))],
        new: None,
    },
    Extension { of: "java.util.Map", methods: &[], statics: &[function("of", 0, MANY, map_of)], new: None },
];

const COLLECTIONS: &[Static] = &[
    function("emptyList", 0, 0, |vm, _| Ok(vm.list_of(ListKind::Immutable, Vec::new()))),
    function("emptyMap", 0, 0, |vm, _| Ok(Value::Map(vm.map(MapKind::Immutable)))),
    function("emptySet", 0, 0, |vm, _| frozen_set(vm, Vec::new())),
    function("EMPTY_LIST", 0, 0, |vm, _| Ok(vm.list_of(ListKind::Immutable, Vec::new()))),
    function("EMPTY_MAP", 0, 0, |vm, _| Ok(Value::Map(vm.map(MapKind::Immutable)))),
    function("singletonList", 1, 1, |vm, args| Ok(vm.list_of(ListKind::Immutable, args.to_vec()))),
    function("singleton", 1, 1, |vm, args| frozen_set(vm, args.to_vec())),
    function("singletonMap", 2, 2, map_of),
    function("nCopies", 2, 2, |vm, args| {
        let [many, item] = args else { return Err(Raise::NoMatch) };
        let many = amount(many)?;
        vm.charge(many.saturating_mul(size_of::<Value>()))?;
        Ok(vm.list_of(ListKind::Immutable, vec![item.clone(); many]))
    }),
    function("unmodifiableList", 1, 1, |vm, args| on_first(vm, args, "asImmutable")),
    function("unmodifiableMap", 1, 1, |vm, args| on_first(vm, args, "asImmutable")),
    function("unmodifiableSet", 1, 1, |vm, args| on_first(vm, args, "asImmutable")),
    function("unmodifiableCollection", 1, 1, |vm, args| on_first(vm, args, "asImmutable")),
    function("synchronizedList", 1, 1, |_, args| args.first().cloned().ok_or(Raise::NoMatch)),
    function("synchronizedMap", 1, 1, |_, args| args.first().cloned().ok_or(Raise::NoMatch)),
    function("sort", 1, 2, |vm, args| {
        sort(vm, args)?;
        Ok(Value::Null)
    }),
    function("reverse", 1, 1, |vm, args| in_place(vm, args, |items| items.reverse())),
    function("shuffle", 1, 2, |vm, args| {
        let Some(list) = args.first() else { return Err(Raise::NoMatch) };
        let mut items = vm.elements(list)?;
        for at in (1..items.len()).rev() {
            let other = usize::try_from(vm.random() % (at as u64 + 1)).unwrap_or(0);
            items.swap(at, other);
        }
        replace(vm, list, items)
    }),
    function("swap", 3, 3, |vm, args| {
        let [Value::List(list), a, b] = args else { return Err(Raise::NoMatch) };
        swap(vm, list, a, b)?;
        Ok(Value::Null)
    }),
    function("max", 1, 1, |vm, args| on_first(vm, args, "max")),
    function("min", 1, 1, |vm, args| on_first(vm, args, "min")),
    function("frequency", 2, 2, |vm, args| {
        let [list, item] = args else { return Err(Raise::NoMatch) };
        vm.call_method(list, "count", std::slice::from_ref(item))
    }),
    function("disjoint", 2, 2, |vm, args| {
        let [a, b] = args else { return Err(Raise::NoMatch) };
        vm.call_method(a, "disjoint", std::slice::from_ref(b))
    }),
    function("addAll", 1, MANY, |vm, args| {
        let [list, items @ ..] = args else { return Err(Raise::NoMatch) };
        let added = vm.list(items.to_vec());
        vm.call_method(list, "addAll", &[added])
    }),
    function("reverseOrder", 0, 1, |vm, args| Ok(super::comparator::reverse(vm, args.first().cloned()))),
    function("binarySearch", 2, 2, search),
];

const ARRAYS: &[Static] = &[
    function("sort", 1, 2, |vm, args| {
        sort(vm, args)?;
        Ok(Value::Null)
    }),
    function("toString", 1, 1, |vm, args| {
        let items = vm.elements(args.first().ok_or(Raise::NoMatch)?)?;
        let mut parts = Vec::new();
        for item in &items {
            parts.push(vm.text(item)?.to_string());
        }
        string(format!("[{}]", parts.join(", ")))
    }),
    function("deepToString", 1, 1, |vm, args| Ok(Value::Str(vm.text(args.first().ok_or(Raise::NoMatch)?)?))),
    function("equals", 2, 2, |vm, args| match args {
        [a, b] => yes(vm.equals(a, b)?),
        _ => Err(Raise::NoMatch),
    }),
    function("hashCode", 1, 1, |vm, args| {
        let items = vm.elements(args.first().ok_or(Raise::NoMatch)?)?;
        let list = vm.list(items);
        Ok(Value::Int(vm.hash(&list)?))
    }),
    function("fill", 2, 2, |vm, args| {
        let [array, item] = args else { return Err(Raise::NoMatch) };
        let many = vm.elements(array)?.len();
        replace(vm, array, vec![item.clone(); many])
    }),
    function("copyOf", 2, 2, |vm, args| copy(vm, args, true)),
    function("copyOfRange", 3, 3, |vm, args| copy(vm, args, false)),
    function("stream", 1, 1, |vm, args| on_first(vm, args, "stream")),
    function("binarySearch", 2, 2, search),
];

fn on_first(vm: &mut Vm, args: &[Value], name: &str) -> Answer {
    let first = args.first().ok_or(Raise::NoMatch)?;
    vm.call_method(first, name, &[])
}

fn map_of(vm: &mut Vm, args: &[Value]) -> Answer {
    let map = vm.map(MapKind::Immutable);
    for pair in args.chunks(2) {
        let [key, value] = pair else { return Err(Raise::NoMatch) };
        vm.map_put_raw(&map, key.clone(), value.clone())?;
    }
    Ok(Value::Map(map))
}

fn replace(vm: &mut Vm, list: &Value, items: Vec<Value>) -> Answer {
    let Value::List(list) = list else { return Err(Raise::NoMatch) };
    writable(vm, list)?;
    let gone = list.items.replace(items);
    drop(gone);
    Ok(Value::Null)
}

fn in_place(vm: &mut Vm, args: &[Value], change: fn(&mut Vec<Value>)) -> Answer {
    let list = args.first().ok_or(Raise::NoMatch)?;
    let mut items = vm.elements(list)?;
    change(&mut items);
    replace(vm, list, items)
}

fn sort(vm: &mut Vm, args: &[Value]) -> Answer {
    let [list, rest @ ..] = args else { return Err(Raise::NoMatch) };
    let items = vm.elements(list)?;
    let sorted = match rest {
        [by] => merge_sort(vm, items, &mut |vm, a, b| Ok(vm.compare_by(by, a, b)?.is_lt()))?,
        _ => merge_sort(vm, items, &mut |vm, a, b| Ok(vm.compare(a, b)?.is_lt()))?,
    };
    replace(vm, list, sorted)
}

fn search(vm: &mut Vm, args: &[Value]) -> Answer {
    let [list, wanted] = args else { return Err(Raise::NoMatch) };
    let items = vm.elements(list)?;
    if let Some(at) = position(vm, &items, wanted)? {
        return count(at);
    }
    let mut below = 0;
    for item in &items {
        below += i32::from(vm.compare(item, wanted)?.is_lt());
    }
    Ok(Value::Int(-below - 1))
}

fn copy(vm: &mut Vm, args: &[Value], from_start: bool) -> Answer {
    let (array, from, to) = match args {
        [array, to] if from_start => (array, 0, int(vm, to)?),
        [array, from, to] => (array, int(vm, from)?, int(vm, to)?),
        _ => return Err(Raise::NoMatch),
    };
    let Value::List(list) = array else { return Err(Raise::NoMatch) };
    let kind = list.kind.clone();
    let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
    vm.charge(to.saturating_mul(size_of::<Value>()))?;
    let items = list.items.borrow().clone();
    let filling = items.first().filter(|item| item.is_number()).map_or(Value::Null, |_| Value::Int(0));
    let picked = (from..to).map(|at| items.get(at).cloned().unwrap_or_else(|| filling.clone())).collect();
    Ok(vm.list_of(kind, picked))
}
