//! What every object has (`Object`, `DefaultGroovyMethods` on `Object`), and `Comparable`.

use std::rc::Rc;

use super::arguments::{string, yes};
use super::{Extension, MANY, Method, format, method};
use crate::value::{ListKind, Value};
use crate::vm::{Raise, Vm};

pub(super) const EXTENSIONS: &[Extension] =
    &[Extension { of: "java.lang.Object", methods: METHODS, statics: &[], new: None }];

const METHODS: &[Method] = &[
    method("toString", 0, 0, |vm, this, _| Ok(Value::Str(vm.text(this)?))),
    // Groovy puts strings in quotes, but a GString that is asked itself it does not.
    method("inspect", 0, 0, |vm, this, _| {
        Ok(Value::Str(if matches!(this, Value::GStr(_)) { vm.text(this)? } else { vm.inspect(this)? }))
    }),
    method("equals", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        yes(java_equals(vm, this, other)?)
    }),
    method("hashCode", 0, 0, |vm, this, _| Ok(Value::Int(vm.hash(this)?))),
    method("is", 1, 1, |_, this, args| yes(args.first().is_some_and(|other| this.same(other)))),
    method("getClass", 0, 0, |vm, this, _| Ok(Value::Class(vm.class_of(this)))),
    method("asBoolean", 0, 0, |vm, this, _| yes(vm.truth(this)?)),
    method("isCase", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        yes(vm.equals(this, other)?)
    }),
    method("sprintf", 1, MANY, |vm, _, args| {
        let [pattern, rest @ ..] = args else { return Err(Raise::NoMatch) };
        let pattern = vm.str_arg(pattern)?;
        let spread = spread(rest);
        string(format::format(vm, &pattern, &spread)?)
    }),
    method("invokeMethod", 2, 2, |vm, this, args| {
        let [name, given] = args else { return Err(Raise::NoMatch) };
        let (name, given) = (vm.str_arg(name)?, super::collection::one_or_many(vm, given)?);
        vm.call_method(this, &name, &given)
    }),
];

/// Groovy hands a single list to a format as its arguments.
fn spread(args: &[Value]) -> Vec<Value> {
    match args {
        [Value::List(list)] if list.kind == ListKind::Array || matches!(list.kind, ListKind::Java(_)) => {
            list.items.borrow().clone()
        }
        many => many.to_vec(),
    }
}

/// What Java's own `toString()` says, where it differs from what Groovy prints: maps are written `{a=1}`.
pub(super) fn java_text(vm: &mut Vm, value: &Value) -> Result<Rc<str>, Raise> {
    match value {
        Value::Map(map) => {
            let entries = vm.entries(map);
            let mut parts = Vec::new();
            for (key, value) in entries {
                let (key, value) = vm.deeper(|vm| Ok((java_text(vm, &key)?, java_text(vm, &value)?)))?;
                parts.push(format!("{key}={value}"));
            }
            Ok(Rc::from(format!("{{{}}}", parts.join(", "))))
        }
        Value::List(list) if !matches!(list.kind, ListKind::Java(_)) => {
            let items = list.items.borrow().clone();
            items_text(vm, items)
        }
        Value::Set(_) => {
            let items = vm.elements(value)?;
            items_text(vm, items)
        }
        _ => vm.text(value),
    }
}

fn items_text(vm: &mut Vm, items: Vec<Value>) -> Result<Rc<str>, Raise> {
    let mut parts = Vec::new();
    for item in items {
        parts.push(vm.deeper(|vm| java_text(vm, &item))?.to_string());
    }
    Ok(Rc::from(format!("[{}]", parts.join(", "))))
}

/// `equals`, where `1` is not `1L` and a `GString` is no `String`.
pub(super) fn java_equals(vm: &mut Vm, a: &Value, b: &Value) -> Result<bool, Raise> {
    if a.is_number()
        || b.is_number()
        || matches!(a, Value::GStr(_) | Value::Char(_))
        || matches!(b, Value::GStr(_) | Value::Char(_))
    {
        return Ok(vm.key(a)? == vm.key(b)?);
    }
    vm.equals(a, b)
}
