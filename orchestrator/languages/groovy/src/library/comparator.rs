//! Comparators that the library makes itself, and the statics of `Comparator`.

use super::arguments::string;
use super::{Answer, Declared, Extension, Method, Static, function, method};
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// State of a comparator.
#[derive(Clone)]
pub(crate) enum Order {
    /// By `compareTo`.
    Natural,
    /// The other way round.
    Reverse(Option<Value>),
    /// Strings, capitals or not.
    IgnoreCase,
    /// `groovy.util.OrderBy`: by what closures answer, one after the other.
    By(Vec<Value>),
}

pub(super) const DECLARED: &[Declared] = &[Declared {
    name: "groovy.util.OrderBy",
    parent: "java.lang.Object",
    interfaces: &["java.util.Comparator"],
    interface: false,
}];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.util.Comparator", methods: METHODS, statics: STATICS, new: None },
    Extension { of: "groovy.util.OrderBy", methods: &[], statics: &[], new: Some(order_by) },
];

const METHODS: &[Method] = &[
    method("compare", 2, 2, compare),
    method("reversed", 0, 0, |vm, this, _| Ok(reverse(vm, Some(this.clone())))),
    method("toString", 0, 0, |_, _, _| string("java.util.Comparator")),
];

const STATICS: &[Static] = &[
    function("naturalOrder", 0, 0, |vm, _| Ok(vm.native("java.util.Comparator", Order::Natural))),
    function("reverseOrder", 0, 0, |vm, _| Ok(reverse(vm, None))),
    function("comparing", 1, 1, |vm, args| Ok(vm.native("java.util.Comparator", Order::By(args.to_vec())))),
    function("comparingInt", 1, 1, |vm, args| Ok(vm.native("java.util.Comparator", Order::By(args.to_vec())))),
];

/// `Collections.reverseOrder()`.
pub(super) fn reverse(vm: &mut Vm, of: Option<Value>) -> Value {
    vm.native("java.util.Comparator", Order::Reverse(of))
}

fn order_by(vm: &mut Vm, args: &[Value]) -> Answer {
    let keys = super::collection::spread(vm, args).unwrap_or_else(|_| args.to_vec());
    Ok(vm.native("groovy.util.OrderBy", Order::By(keys)))
}

fn compare(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (Value::Native(native), [a, b]) = (this, args) else { return Err(Raise::NoMatch) };
    let Some(order) = native.state::<Order>().cloned() else { return Err(Raise::NoMatch) };
    match order {
        Order::Natural => Ok(Value::Int(vm.compare(a, b)? as i32)),
        Order::Reverse(None) => Ok(Value::Int(vm.compare(b, a)? as i32)),
        Order::Reverse(Some(inner)) => vm.call_method(&inner, "compare", &[b.clone(), a.clone()]),
        Order::IgnoreCase => {
            let (a, b) = (vm.text(a)?.to_lowercase(), vm.text(b)?.to_lowercase());
            Ok(Value::Int(super::string::java_distance(&a, &b)))
        }
        Order::By(keys) => {
            for key in keys {
                let (x, y) =
                    (vm.call_closure(&key, std::slice::from_ref(a))?, vm.call_closure(&key, std::slice::from_ref(b))?);
                let order = vm.compare(&x, &y)?;
                if order.is_ne() {
                    return Ok(Value::Int(order as i32));
                }
            }
            Ok(Value::Int(0))
        }
    }
}
