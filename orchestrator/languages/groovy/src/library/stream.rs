//! `java.util.stream`: a stream is its elements; the operations that take a closure are in the prelude.

use super::arguments::{count, string, yes};
use super::{Declared, Extension, Method, function, method};
use crate::types::id;
use crate::value::{ListKind, MapKind, Value};
use crate::vm::{Raise, Vm};

/// State: the elements.
pub(crate) struct Elements(Vec<Value>);

/// State of a `Collector`.
pub(crate) struct Collector(&'static str, Vec<Value>);

const STREAM: &str = "java.util.stream.Stream";
const COLLECTOR: &str = "java.util.stream.Collector";

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: STREAM, parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: COLLECTOR, parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "java.util.stream.Collectors", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "java.util.stream.IntStream", parent: "java.lang.Object", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension {
        of: STREAM,
        methods: METHODS,
        statics: &[function("of", 0, super::MANY, |vm, args| Ok(of(vm, args.to_vec())))],
        new: None,
    },
    Extension {
        of: "java.util.stream.IntStream",
        methods: &[],
        statics: &[
            function("range", 2, 2, |vm, args| ints(vm, args, 0)),
            function("rangeClosed", 2, 2, |vm, args| ints(vm, args, 1)),
        ],
        new: None,
    },
    Extension {
        of: "java.util.stream.Collectors",
        methods: &[],
        statics: &[
            function("toList", 0, 0, |vm, args| Ok(vm.native(COLLECTOR, Collector("toList", args.to_vec())))),
            function("toSet", 0, 0, |vm, args| Ok(vm.native(COLLECTOR, Collector("toSet", args.to_vec())))),
            function("joining", 0, 1, |vm, args| Ok(vm.native(COLLECTOR, Collector("joining", args.to_vec())))),
        ],
        new: None,
    },
];

const METHODS: &[Method] = &[
    method("$items", 0, 0, |vm, this, _| {
        let items = elements(this)?;
        Ok(vm.list(items))
    }),
    method("iterator", 0, 0, |vm, this, _| {
        let items = elements(this)?;
        Ok(vm.iterator(items))
    }),
    method("toList", 0, 0, |vm, this, _| {
        let items = elements(this)?;
        Ok(vm.list(items))
    }),
    method("toArray", 0, 1, |vm, this, _| {
        let items = elements(this)?;
        Ok(vm.list_of(ListKind::Java(id::OBJECT), items))
    }),
    method("count", 0, 0, |_, this, _| Ok(Value::Long(i64::try_from(elements(this)?.len()).unwrap_or(i64::MAX)))),
    method("sum", 0, 0, |vm, this, _| {
        let items = elements(this)?;
        let list = vm.list(items);
        let sum = vm.call_method(&list, "sum", &[])?;
        Ok(if sum.is_null() { Value::Int(0) } else { sum })
    }),
    method("collect", 1, 1, |vm, this, args| {
        let ([Value::Native(native)], items) = (args, elements(this)?) else { return Err(Raise::NoMatch) };
        let Some(Collector(kind, options)) = native.state::<Collector>() else { return Err(Raise::NoMatch) };
        match *kind {
            "toSet" => vm.set_from(MapKind::Hash, items),
            "joining" => {
                let list = vm.list(items);
                vm.call_method(&list, "join", options)
            }
            _ => Ok(vm.list(items)),
        }
    }),
    method("distinct", 0, 0, |vm, this, _| through(vm, this, "toUnique", &[])),
    method("sorted", 0, 0, |vm, this, _| through(vm, this, "toSorted", &[])),
    method("limit", 1, 1, |vm, this, args| through(vm, this, "take", args)),
    method("skip", 1, 1, |vm, this, args| through(vm, this, "drop", args)),
    method("boxed", 0, 0, |_, this, _| Ok(this.clone())),
    method("isEmpty", 0, 0, |_, this, _| yes(elements(this)?.is_empty())),
    method("size", 0, 0, |_, this, _| count(elements(this)?.len())),
    method("toString", 0, 0, |_, _, _| string("java.util.stream.ReferencePipeline")),
];

/// A stream over elements.
pub(super) fn of(vm: &mut Vm, items: Vec<Value>) -> Value {
    vm.native(STREAM, Elements(items))
}

fn elements(this: &Value) -> Result<Vec<Value>, Raise> {
    match this {
        Value::Native(native) => native.state::<Elements>().map(|state| state.0.clone()).ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn through(vm: &mut Vm, this: &Value, name: &str, args: &[Value]) -> super::Answer {
    let items = elements(this)?;
    let list = vm.list(items);
    let answer = vm.call_method(&list, name, args)?;
    let items = vm.elements(&answer)?;
    Ok(of(vm, items))
}

fn ints(vm: &mut Vm, args: &[Value], more: i32) -> super::Answer {
    let [from, to] = args else { return Err(Raise::NoMatch) };
    let (from, to) = (super::arguments::int(vm, from)?, super::arguments::int(vm, to)?.saturating_add(more));
    vm.charge(usize::try_from(i64::from(to) - i64::from(from)).unwrap_or(0) * size_of::<Value>())?;
    Ok(of(vm, (from..to).map(Value::Int).collect()))
}
