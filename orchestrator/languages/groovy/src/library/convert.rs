//! Texts made numbers, with Java's refusals.

use num_bigint::BigInt;

use super::Answer;
use super::arguments::yes;
use crate::decimal::Decimal;
use crate::value::Value;
use crate::vm::{Raise, Vm};

const REFUSED: &str = "java.lang.NumberFormatException";

/// The receiver's text, trimmed as Groovy's `toInteger()` and its siblings trim it, through a parser.
pub(super) fn trimmed(vm: &mut Vm, this: &Value, parse: fn(&mut Vm, &str) -> Answer) -> Answer {
    let text = vm.text(this)?;
    parse(vm, super::text::trim(&text))
}

/// Whether the receiver's text, trimmed, has a form.
pub(super) fn holds(vm: &mut Vm, this: &Value, form: fn(&str) -> bool) -> Answer {
    let text = vm.text(this)?;
    yes(form(super::text::trim(&text)))
}

/// `NumberFormatException: For input string: "x"`.
pub(super) fn refuse(vm: &mut Vm, text: &str) -> Raise {
    vm.throw(REFUSED, format!("For input string: \"{text}\""))
}

/// Digits of a radix with a sign, as `Integer.parseInt` takes them (no blanks, no underscores).
pub(super) fn digits(text: &str, radix: u32) -> Option<i128> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    // `from_str_radix` takes a second sign, Java does not.
    if body.is_empty() || !body.chars().all(|char| char.is_digit(radix)) {
        return None;
    }
    let number = i128::from_str_radix(body, radix).ok()?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Java adds the radix to its message when it is not ten.
fn radix_note(radix: u32) -> String {
    if radix == 10 { String::new() } else { format!(" under radix {radix}") }
}

/// A whole number between two bounds.
pub(super) fn bounded<T: TryFrom<i128>>(vm: &mut Vm, text: &str, radix: u32) -> Result<T, Raise> {
    match digits(text, radix).and_then(|number| T::try_from(number).ok()) {
        Some(number) => Ok(number),
        None => Err(vm.throw(REFUSED, format!("For input string: \"{text}\"{}", radix_note(radix)))),
    }
}

pub(super) fn parse_int(vm: &mut Vm, text: &str) -> Answer {
    bounded(vm, text, 10).map(Value::Int)
}

pub(super) fn parse_long(vm: &mut Vm, text: &str) -> Answer {
    bounded(vm, text, 10).map(Value::Long)
}

pub(super) fn parse_short(vm: &mut Vm, text: &str) -> Answer {
    match digits(text, 10) {
        Some(number) => match i16::try_from(number) {
            Ok(number) => Ok(Value::Short(number)),
            Err(_) => Err(vm.throw(REFUSED, format!("Value out of range. Value:\"{text}\" Radix:10"))),
        },
        None => Err(refuse(vm, text)),
    }
}

/// Java's forms of a floating number: a trailing `d` or `f` is allowed, `NaN` and `Infinity` are written so.
fn floating(text: &str) -> Option<f64> {
    let text = super::text::trim(text);
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = match body {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let bare = body.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(body);
            if !bare.starts_with(|char: char| char.is_ascii_digit() || char == '.') {
                return None;
            }
            bare.parse().ok()?
        }
    };
    Some(if text.starts_with('-') { -number } else { number })
}

pub(super) fn parse_double(vm: &mut Vm, text: &str) -> Answer {
    match floating(text) {
        Some(number) => Ok(Value::Double(number)),
        None if text.is_empty() => Err(vm.throw(REFUSED, "empty String")),
        None => Err(refuse(vm, text)),
    }
}

pub(super) fn parse_float(vm: &mut Vm, text: &str) -> Answer {
    match parse_double(vm, text)? {
        #[expect(clippy::cast_possible_truncation, reason = "Java's own narrowing")]
        Value::Double(number) => Ok(Value::Float(number as f32)),
        other => Ok(other),
    }
}

pub(super) fn parse_big(vm: &mut Vm, text: &str) -> Answer {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    if body.is_empty() || !body.chars().all(|char| char.is_ascii_digit()) {
        return Err(if text.is_empty() { vm.throw(REFUSED, "Zero length BigInteger") } else { refuse(vm, text) });
    }
    vm.charge(text.len())?;
    let number: BigInt = body.parse().unwrap_or_default();
    Ok(Value::big(if text.starts_with('-') { -number } else { number }))
}

pub(super) fn parse_decimal(vm: &mut Vm, text: &str) -> Answer {
    match Decimal::parse(text) {
        Some(number) if is_decimal(text) => Ok(Value::decimal(number)),
        _ => {
            let odd = text.chars().find(|char| !char.is_ascii_digit() && !"+-.eE".contains(*char));
            let said = match odd {
                Some(char) => format!(
                    "Character {char} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."
                ),
                None => "No digits found.".to_owned(),
            };
            Err(vm.throw(REFUSED, if text.is_empty() { "Index 0 out of bounds for length 0".to_owned() } else { said }))
        }
    }
}

pub(super) fn is_int(text: &str) -> bool {
    digits(text, 10).is_some_and(|number| i32::try_from(number).is_ok())
}

pub(super) fn is_long(text: &str) -> bool {
    digits(text, 10).is_some_and(|number| i64::try_from(number).is_ok())
}

pub(super) fn is_double(text: &str) -> bool {
    floating(text).is_some()
}

pub(super) fn is_big(text: &str) -> bool {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    !body.is_empty() && body.chars().all(|char| char.is_ascii_digit())
}

pub(super) fn is_decimal(text: &str) -> bool {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (number, exponent) =
        body.split_once(['e', 'E']).map_or((body, None), |(number, exponent)| (number, Some(exponent)));
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let points = number.chars().filter(|char| *char == '.').count();
    digits > 0 && points <= 1 && digits + points == number.chars().count() && exponent.is_none_or(is_int)
}
