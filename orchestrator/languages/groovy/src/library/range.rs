//! `groovy.lang.Range`.

use super::arguments::{int, yes};
use super::{Answer, Extension, Method, method};
use crate::value::{Range, Value};
use crate::vm::{Raise, Vm};

pub(super) const EXTENSIONS: &[Extension] =
    &[Extension { of: "groovy.lang.Range", methods: METHODS, statics: &[], new: None }];

const METHODS: &[Method] = &[
    method("getFrom", 0, 0, |_, this, _| Ok(of(this)?.from.clone())),
    method("getTo", 0, 0, |_, this, _| Ok(of(this)?.to.clone())),
    method("isReverse", 0, 0, |_, this, _| yes(of(this)?.reverse)),
    method("getFromInt", 0, 0, |_, this, _| Ok(of(this)?.from.clone())),
    method("getToInt", 0, 0, |_, this, _| Ok(of(this)?.to.clone())),
    method("containsWithinBounds", 1, 1, within),
    method("isCase", 1, 1, within),
    method("step", 1, 1, step),
    method("clear", 0, 0, |vm, _, _| Err(vm.exception_without_message("java.lang.UnsupportedOperationException"))),
    method("remove", 1, 1, |vm, _, _| Err(vm.exception_without_message("java.lang.UnsupportedOperationException"))),
    method("set", 2, 2, |vm, _, _| Err(vm.exception_without_message("java.lang.UnsupportedOperationException"))),
];

fn of(this: &Value) -> Result<&Range, Raise> {
    match this {
        Value::Range(range) => Ok(range),
        _ => Err(Raise::NoMatch),
    }
}

fn within(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (range, [value]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
    if range.empty || value.is_null() {
        return yes(false);
    }
    let comparable = value.is_number() == range.from.is_number();
    yes(comparable && vm.compare(&range.from, value)?.is_le() && vm.compare(value, &range.to)?.is_le())
}

/// Every n-th element; a negative step walks from the end.
fn step(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let [by] = args else { return Err(Raise::NoMatch) };
    let by = int(vm, by)?;
    if by == 0 {
        let items = vm.elements(this)?;
        if items.len() < 2 {
            return Ok(vm.list(Vec::new()));
        }
        return Err(vm.throw("groovy.lang.GroovyRuntimeException", "Infinite loop detected due to step size of 0"));
    }
    let mut items = vm.elements(this)?;
    if by < 0 {
        items.reverse();
    }
    let every = usize::try_from(by.unsigned_abs()).unwrap_or(1);
    let picked = items.into_iter().step_by(every).collect();
    Ok(vm.list(picked))
}
