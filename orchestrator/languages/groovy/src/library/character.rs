//! `java.lang.Character`.

use super::arguments::{char_arg, string, yes};
use super::{Answer, Extension, Method, Static, function, method};
use crate::value::Value;
use crate::vm::Raise;

pub(super) const EXTENSIONS: &[Extension] =
    &[Extension { of: "java.lang.Character", methods: METHODS, statics: STATICS, new: None }];

const METHODS: &[Method] = &[
    method("charValue", 0, 0, |_, this, _| Ok(this.clone())),
    method("toInteger", 0, 0, |_, this, _| Ok(Value::Int(code(this)?))),
    method("toUpperCase", 0, 0, |_, this, _| upper(this)),
    method("toLowerCase", 0, 0, |_, this, _| lower(this)),
    method("isLetter", 0, 0, |_, this, _| yes(char_arg(this)?.is_alphabetic())),
    method("isDigit", 0, 0, |_, this, _| yes(char_arg(this)?.is_numeric())),
    method("isLetterOrDigit", 0, 0, |_, this, _| yes(char_arg(this)?.is_alphanumeric())),
    method("isUpperCase", 0, 0, |_, this, _| yes(char_arg(this)?.is_uppercase())),
    method("isLowerCase", 0, 0, |_, this, _| yes(char_arg(this)?.is_lowercase())),
    method("isWhitespace", 0, 0, |_, this, _| yes(char_arg(this)?.is_whitespace())),
    method("next", 0, 0, |_, this, _| moved(this, 1)),
    method("previous", 0, 0, |_, this, _| moved(this, -1)),
    method("plus", 1, 1, |vm, this, args| match args {
        [other @ (Value::Str(_) | Value::GStr(_))] => string(format!("{}{}", vm.text(this)?, vm.text(other)?)),
        [number] if number.is_number() => {
            super::numbers::arith(vm, crate::number::Arith::Add, &Value::Int(code(this)?), args)
        }
        _ => Err(Raise::NoMatch),
    }),
    method("minus", 1, 1, |vm, this, args| {
        let other = args.first().cloned().unwrap_or_default();
        let other = if let Value::Char(_) = other { Value::Int(code(&other)?) } else { other };
        super::numbers::arith(vm, crate::number::Arith::Subtract, &Value::Int(code(this)?), &[other])
    }),
    method("compareTo", 1, 1, |vm, this, args| match args {
        [other] => Ok(Value::Int(vm.compare(this, other)? as i32)),
        _ => Err(Raise::NoMatch),
    }),
    method("isCase", 1, 1, |vm, this, args| match args {
        [other] => yes(vm.equals(this, other)?),
        _ => Err(Raise::NoMatch),
    }),
];

const STATICS: &[Static] = &[
    function("isDigit", 1, 1, |_, args| test(args, |char| char.is_numeric())),
    function("isLetter", 1, 1, |_, args| test(args, char::is_alphabetic)),
    function("isLetterOrDigit", 1, 1, |_, args| test(args, char::is_alphanumeric)),
    function("isAlphabetic", 1, 1, |_, args| test(args, char::is_alphabetic)),
    function("isUpperCase", 1, 1, |_, args| test(args, char::is_uppercase)),
    function("isLowerCase", 1, 1, |_, args| test(args, char::is_lowercase)),
    function("isWhitespace", 1, 1, |_, args| test(args, char::is_whitespace)),
    function("toUpperCase", 1, 1, |_, args| upper(args.first().ok_or(Raise::NoMatch)?)),
    function("toLowerCase", 1, 1, |_, args| lower(args.first().ok_or(Raise::NoMatch)?)),
    function("toString", 1, 1, |_, args| string(of(args)?.to_string())),
    function("valueOf", 1, 1, |_, args| of(args).map(Value::Char)),
    function("getNumericValue", 1, 1, |_, args| {
        Ok(Value::Int(of(args)?.to_digit(36).and_then(|digit| i32::try_from(digit).ok()).unwrap_or(-1)))
    }),
    function("toChars", 1, 1, |vm, args| {
        let char = of(args)?;
        Ok(vm.list_of(crate::value::ListKind::Java(crate::types::id::P_CHAR), vec![Value::Char(char)]))
    }),
];

fn of(args: &[Value]) -> Result<char, Raise> {
    match args {
        [Value::Int(code)] => u32::try_from(*code).ok().and_then(char::from_u32).ok_or(Raise::NoMatch),
        [value] => char_arg(value),
        _ => Err(Raise::NoMatch),
    }
}

fn test(args: &[Value], is: fn(char) -> bool) -> Answer {
    yes(is(of(args)?))
}

fn code(this: &Value) -> Result<i32, Raise> {
    char_arg(this).map(|char| u32::from(char).cast_signed())
}

fn upper(this: &Value) -> Answer {
    char_arg(this).map(|char| Value::Char(char.to_uppercase().next().unwrap_or(char)))
}

fn lower(this: &Value) -> Answer {
    char_arg(this).map(|char| Value::Char(char.to_lowercase().next().unwrap_or(char)))
}

fn moved(this: &Value, by: i32) -> Answer {
    let char = char_arg(this)?;
    Ok(Value::Char(u32::from(char).checked_add_signed(by).and_then(char::from_u32).unwrap_or(char)))
}
