//! Constants of Java's own enums (`RoundingMode`, `TimeUnit`, `DayOfWeek`, `Month`, `ChronoUnit`).

use super::arguments::{count, string, yes};
use super::{Method, method};
use crate::value::Value;
use crate::vm::Raise;

/// State of a constant.
pub(crate) struct Constant {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its place among its siblings, from 0.
    pub(crate) ordinal: usize,
}

/// The constant that a value is.
pub(super) fn constant(value: &Value) -> Option<&Constant> {
    match value {
        Value::Native(native) => native.state::<Constant>(),
        _ => None,
    }
}

/// Its ordinal.
pub(super) fn ordinal(value: &Value) -> Option<usize> {
    constant(value).map(|constant| constant.ordinal)
}

fn of(this: &Value) -> Result<&Constant, Raise> {
    constant(this).ok_or(Raise::NoMatch)
}

/// What every constant has.
pub(super) const METHODS: &[Method] = &[
    method("name", 0, 0, |_, this, _| string(of(this)?.name)),
    method("toString", 0, 0, |_, this, _| string(of(this)?.name)),
    method("ordinal", 0, 0, |_, this, _| count(of(this)?.ordinal)),
    method("compareTo", 1, 1, |_, this, args| {
        let (Some(a), Some(b)) = (ordinal(this), args.first().and_then(ordinal)) else { return Err(Raise::NoMatch) };
        Ok(Value::Int(i32::try_from(a).unwrap_or(0) - i32::try_from(b).unwrap_or(0)))
    }),
    method("isCase", 1, 1, |_, this, args| yes(ordinal(this) == args.first().and_then(ordinal))),
];
