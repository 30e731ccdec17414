//! Reading arguments as Java reads them, and short ways to answer.

use std::rc::Rc;

use num_traits::ToPrimitive;

use super::Answer;
use crate::number;
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// A truth as an answer.
pub(super) fn yes(truth: bool) -> Answer {
    Ok(Value::Bool(truth))
}

/// A size or index as an `Integer`.
pub(super) fn count(number: usize) -> Answer {
    Ok(Value::Int(i32::try_from(number).unwrap_or(i32::MAX)))
}

/// A text as an answer.
pub(super) fn string(text: impl AsRef<str>) -> Answer {
    Ok(Value::str(text))
}

/// One string for each part, as an `ArrayList`.
pub(super) fn strings<T: AsRef<str>>(vm: &mut Vm, parts: impl IntoIterator<Item = T>) -> Value {
    let items = parts.into_iter().map(Value::str).collect();
    vm.list(items)
}

/// An `int` argument that must not be negative.
pub(super) fn index(vm: &mut Vm, value: &Value) -> Result<usize, Raise> {
    let number = int(vm, value)?;
    match usize::try_from(number) {
        Ok(index) => Ok(index),
        Err(_) => Err(vm.throw("java.lang.IndexOutOfBoundsException", format!("Index out of range: {number}"))),
    }
}

/// An `int` argument; a character counts by its code.
pub(super) fn int(vm: &mut Vm, value: &Value) -> Result<i32, Raise> {
    match value {
        Value::Char(char) => Ok(u32::from(*char).cast_signed()),
        _ => vm.int_arg(value),
    }
}

/// A `long` argument.
pub(super) fn long(value: &Value) -> Result<i64, Raise> {
    value.as_i64().ok_or(Raise::NoMatch)
}

/// A `double` argument: any number.
pub(super) fn double(value: &Value) -> Result<f64, Raise> {
    if value.is_number() { number::to_f64(value).ok_or(Raise::NoMatch) } else { Err(Raise::NoMatch) }
}

/// Any number as a `long`, cut.
pub(super) fn whole(value: &Value) -> Result<i64, Raise> {
    if value.is_number() { number::to_i64(value).ok_or(Raise::NoMatch) } else { Err(Raise::NoMatch) }
}

/// A `CharSequence` argument: a string, a GString, a builder.
pub(super) fn chars(vm: &mut Vm, value: &Value) -> Result<Rc<str>, Raise> {
    match value {
        Value::Native(native) if native.state::<super::builder::Text>().is_some() => vm.text(value),
        _ => vm.str_arg(value),
    }
}

/// A character argument: a `char`, or a string of one character.
pub(super) fn char_arg(value: &Value) -> Result<char, Raise> {
    match value {
        Value::Char(char) => Ok(*char),
        Value::Str(text) => {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none()).ok_or(Raise::NoMatch)
        }
        _ => Err(Raise::NoMatch),
    }
}

/// How often something of `bytes` bytes may be repeated: announces the result, so that an exploding string ends the
/// build and not the process.
pub(super) fn announce(vm: &mut Vm, bytes: usize, times: usize) -> Result<(), Raise> {
    vm.charge(bytes.saturating_mul(times))
}

/// A number as a count of elements; negative ones count as none.
pub(super) fn amount(value: &Value) -> Result<usize, Raise> {
    Ok(whole(value)?.max(0).to_usize().unwrap_or(0))
}

/// `java.lang.IllegalArgumentException`.
pub(super) fn illegal<T>(vm: &mut Vm, text: impl AsRef<str>) -> Result<T, Raise> {
    Err(vm.throw("java.lang.IllegalArgumentException", text))
}
