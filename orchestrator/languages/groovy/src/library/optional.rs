//! `java.util.Optional`; what takes a closure is in the prelude.

use super::arguments::{string, yes};
use super::{Declared, Extension, Method, Static, function, method};
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// State: the value, `null` for none.
pub(crate) struct Held(Value);

const OPTIONAL: &str = "java.util.Optional";

pub(super) const DECLARED: &[Declared] =
    &[Declared { name: OPTIONAL, parent: "java.lang.Object", interfaces: &[], interface: false }];

pub(super) const EXTENSIONS: &[Extension] =
    &[Extension { of: OPTIONAL, methods: METHODS, statics: STATICS, new: None }];

const METHODS: &[Method] = &[
    method("isPresent", 0, 0, |_, this, _| yes(!held(this)?.is_null())),
    method("isEmpty", 0, 0, |_, this, _| yes(held(this)?.is_null())),
    method("asBoolean", 0, 0, |_, this, _| yes(!held(this)?.is_null())),
    method("get", 0, 0, present),
    method("orElseThrow", 0, 0, present),
    method("orElse", 1, 1, |_, this, args| {
        let value = held(this)?;
        Ok(if value.is_null() { args.first().cloned().unwrap_or_default() } else { value })
    }),
    method("toString", 0, 0, |vm, this, _| match held(this)? {
        Value::Null => string("Optional.empty"),
        value => string(format!("Optional[{}]", vm.text(&value)?)),
    }),
];

const STATICS: &[Static] = &[
    function("of", 1, 1, |vm, args| match args {
        [Value::Null] => Err(vm.exception_without_message("java.lang.NullPointerException")),
        [value] => Ok(vm.native(OPTIONAL, Held(value.clone()))),
        _ => Err(Raise::NoMatch),
    }),
    function("ofNullable", 1, 1, |vm, args| Ok(vm.native(OPTIONAL, Held(args.first().cloned().unwrap_or_default())))),
    function("empty", 0, 0, |vm, _| Ok(vm.native(OPTIONAL, Held(Value::Null)))),
];

fn held(this: &Value) -> Result<Value, Raise> {
    match this {
        Value::Native(native) => native.state::<Held>().map(|held| held.0.clone()).ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn present(vm: &mut Vm, this: &Value, _: &[Value]) -> super::Answer {
    match held(this)? {
        Value::Null => Err(vm.throw("java.util.NoSuchElementException", "No value present")),
        value => Ok(value),
    }
}
