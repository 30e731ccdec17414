//! `java.util.Formatter`: `String.format`, `sprintf`, `printf`.

use std::rc::Rc;

use num_bigint::{BigInt, Sign};

use super::Answer;
use super::arguments::string;
use super::date;
use crate::decimal::{Decimal, Rounding};
use crate::number;
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// Widest field and longest precision; wider ones are a mistake and would only cost memory.
const MAX_WIDTH: usize = 1_000_000;

/// One `%…` of a pattern.
struct Spec<'a> {
    /// As written.
    text: &'a str,
    /// `2$`: from 1.
    index: Option<usize>,
    /// `<`: the argument before.
    again: bool,
    flags: &'a str,
    width: usize,
    precision: Option<usize>,
    /// `t` or `T` of a date conversion, else NUL.
    date: bool,
    conversion: char,
}

/// [`format`] as an answer; a single list argument of Groovy's `sprintf` is spread by the caller.
pub(super) fn answer(vm: &mut Vm, pattern: &str, args: &[Value]) -> Answer {
    let text = match args {
        [Value::List(list)] if matches!(list.kind, crate::value::ListKind::Java(_)) => {
            let items = list.items.borrow().clone();
            format(vm, pattern, &items)?
        }
        _ => format(vm, pattern, args)?,
    };
    string(text)
}

/// The pattern with its arguments put in.
pub(super) fn format(vm: &mut Vm, pattern: &str, args: &[Value]) -> Result<String, Raise> {
    let mut out = String::new();
    let (mut ordinary, mut last) = (0, 0);
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some(spec) = parse(from) else {
            let odd = from.chars().nth(1).map_or_else(|| "%".to_owned(), |_| odd_conversion(from));
            return Err(vm.throw("java.util.UnknownFormatConversionException", format!("Conversion = '{odd}'")));
        };
        rest = from.get(spec.text.len()..).unwrap_or("");
        match spec.conversion {
            'n' => out.push('\n'),
            '%' => out.push_str(&padded(&spec, "%".to_owned())),
            _ => {
                let place = match (spec.again, spec.index) {
                    (true, _) => last,
                    (false, Some(index)) => index.saturating_sub(1),
                    (false, None) => {
                        ordinary += 1;
                        ordinary - 1
                    }
                };
                last = place;
                let Some(value) = args.get(place) else {
                    let said = format!("Format specifier '{}'", spec.text);
                    return Err(vm.throw("java.util.MissingFormatArgumentException", said));
                };
                let text = convert(vm, &spec, value)?;
                vm.charge(text.len())?;
                out.push_str(&text);
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn odd_conversion(from: &str) -> String {
    from.chars()
        .skip(1)
        .find(|char| !"-#+ 0,(<.$".contains(*char) && !char.is_ascii_digit())
        .map_or("%".to_owned(), String::from)
}

fn parse(from: &str) -> Option<Spec<'_>> {
    let bytes = from.as_bytes();
    let mut at = 1;
    let number = |at: &mut usize| -> Option<usize> {
        let start = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        from.get(start..*at).filter(|digits| !digits.is_empty()).and_then(|digits| digits.parse().ok())
    };
    let mut spec = Spec {
        text: "",
        index: None,
        again: false,
        flags: "",
        width: 0,
        precision: None,
        date: false,
        conversion: ' ',
    };
    let mut ahead = at;
    if bytes.get(ahead) != Some(&b'0')
        && let Some(index) = number(&mut ahead)
        && bytes.get(ahead) == Some(&b'$')
    {
        spec.index = Some(index);
        at = ahead + 1;
    }
    if bytes.get(at) == Some(&b'<') {
        spec.again = true;
        at += 1;
    }
    let flags = at;
    while bytes.get(at).is_some_and(|byte| b"-#+ 0,(".contains(byte)) {
        at += 1;
    }
    spec.flags = from.get(flags..at)?;
    spec.width = number(&mut at).unwrap_or(0).min(MAX_WIDTH);
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        spec.precision = Some(number(&mut at)?.min(MAX_WIDTH));
    }
    if matches!(bytes.get(at), Some(b't' | b'T')) {
        spec.date = true;
        at += 1;
    }
    spec.conversion = from.get(at..)?.chars().next()?;
    if !spec.date && !"bBhHsScCdoxXeEfgGaA%n".contains(spec.conversion) {
        return None;
    }
    spec.text = from.get(..at + spec.conversion.len_utf8())?;
    Some(spec)
}

fn padded(spec: &Spec<'_>, text: String) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if spec.flags.contains('-') { text + &" ".repeat(missing) } else { " ".repeat(missing) + &text }
}

fn wrong(vm: &mut Vm, spec: &Spec<'_>, value: &Value) -> Raise {
    let said = format!("{} != {}", spec.conversion.to_ascii_lowercase(), vm.class_name(value));
    vm.throw("java.util.IllegalFormatConversionException", said)
}

fn convert(vm: &mut Vm, spec: &Spec<'_>, value: &Value) -> Result<String, Raise> {
    if spec.date {
        return date::format_conversion(vm, value, spec.conversion).map(|text| padded(spec, text));
    }
    let text = match spec.conversion.to_ascii_lowercase() {
        'b' => cut(spec, &(if let Value::Bool(truth) = value { *truth } else { !value.is_null() }).to_string()),
        's' => cut(spec, &java_text(vm, value)?),
        'h' if value.is_null() => "null".to_owned(),
        'h' => format!("{:x}", vm.hash(value)?),
        'c' => match value {
            Value::Null => "null".to_owned(),
            Value::Char(char) => char.to_string(),
            Value::Int(code) => u32::try_from(*code).ok().and_then(char::from_u32).unwrap_or('?').to_string(),
            _ => return Err(wrong(vm, spec, value)),
        },
        _ if value.is_null() => "null".to_owned(),
        'd' => return decimal_integer(vm, spec, value),
        'x' | 'o' => return based(vm, spec, value),
        'f' | 'e' | 'g' => return floating(vm, spec, value),
        _ => return Err(wrong(vm, spec, value)),
    };
    let text = if spec.conversion.is_ascii_uppercase() { text.to_uppercase() } else { text };
    Ok(padded(spec, text))
}

/// What Java's `toString` says: as Groovy's, but maps in braces.
fn java_text(vm: &mut Vm, value: &Value) -> Result<Rc<str>, Raise> {
    super::object::java_text(vm, value)
}

fn cut(spec: &Spec<'_>, text: &str) -> String {
    match spec.precision {
        Some(many) => text.chars().take(many).collect(),
        None => text.to_owned(),
    }
}

/// Digits with the signs, groups and zeros that the flags ask for.
fn dressed(spec: &Spec<'_>, negative: bool, digits: &str) -> String {
    let has = |flag: char| spec.flags.contains(flag);
    let mut body = if has(',') { grouped(digits) } else { digits.to_owned() };
    let (left, right) = match (negative, has('('), has('+'), has(' ')) {
        (true, true, ..) => ("(", ")"),
        (true, ..) => ("-", ""),
        (false, _, true, _) => ("+", ""),
        (false, _, _, true) => (" ", ""),
        _ => ("", ""),
    };
    if has('0') {
        let missing = spec.width.saturating_sub(body.chars().count() + left.len() + right.len());
        body = "0".repeat(missing) + &body;
    }
    padded(spec, format!("{left}{body}{right}"))
}

fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (at, char) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(char);
    }
    out + fraction
}

fn decimal_integer(vm: &mut Vm, spec: &Spec<'_>, value: &Value) -> Result<String, Raise> {
    let whole = match value {
        Value::Byte(_) | Value::Short(_) | Value::Int(_) | Value::Long(_) | Value::BigInt(_) => number::to_big(value),
        _ => None,
    };
    let Some(whole) = whole else { return Err(wrong(vm, spec, value)) };
    Ok(dressed(spec, whole.sign() == Sign::Minus, &whole.magnitude().to_string()))
}

/// `%x` and `%o`: a negative number of a Java size shows its bits, a `BigInteger` its sign.
fn based(vm: &mut Vm, spec: &Spec<'_>, value: &Value) -> Result<String, Raise> {
    let hex = spec.conversion.eq_ignore_ascii_case(&'x');
    let bits: u64 = match value {
        Value::Byte(number) => u64::from(number.cast_unsigned()),
        Value::Short(number) => u64::from(number.cast_unsigned()),
        Value::Int(number) => u64::from(number.cast_unsigned()),
        Value::Long(number) => number.cast_unsigned(),
        Value::BigInt(number) => {
            let text = big_radix(number, if hex { 16 } else { 8 });
            return Ok(padded(spec, if spec.conversion == 'X' { text.to_uppercase() } else { text }));
        }
        _ => return Err(wrong(vm, spec, value)),
    };
    let mut text = if hex { format!("{bits:x}") } else { format!("{bits:o}") };
    if spec.flags.contains('#') {
        text.insert_str(0, if hex { "0x" } else { "0" });
    }
    if spec.flags.contains('0') {
        text = "0".repeat(spec.width.saturating_sub(text.len())) + &text;
    }
    Ok(padded(spec, if spec.conversion == 'X' { text.to_uppercase() } else { text }))
}

fn big_radix(number: &BigInt, radix: u32) -> String {
    number.to_str_radix(radix)
}

fn floating(vm: &mut Vm, spec: &Spec<'_>, value: &Value) -> Result<String, Raise> {
    let exact = match value {
        Value::Float(number) if !number.is_finite() => None,
        Value::Double(number) if !number.is_finite() => None,
        Value::Float(number) => Decimal::parse(&number::float_text(*number)),
        // Java rounds the shortest text that means the double, not the double itself.
        Value::Double(number) => Decimal::parse(&number::double_text(*number)),
        Value::Decimal(number) => Some((**number).clone()),
        _ => return Err(wrong(vm, spec, value)),
    };
    let Some(exact) = exact else {
        let text = vm.text(value)?;
        return Ok(padded(spec, text.to_string()));
    };
    let negative =
        exact.unscaled.sign() == Sign::Minus || matches!(value, Value::Double(number) if number.is_sign_negative());
    let exact = Decimal::new(BigInt::from(exact.unscaled.magnitude().clone()), exact.scale);
    let precision = spec.precision.unwrap_or(6);
    vm.charge(precision)?;
    let text = match spec.conversion.to_ascii_lowercase() {
        'f' => fixed(&exact, precision),
        'e' => scientific(&exact, precision),
        _ => general(&exact, precision.max(1)),
    };
    let text = dressed(spec, negative, &text);
    Ok(if spec.conversion.is_ascii_uppercase() { text.to_uppercase() } else { text })
}

fn fixed(number: &Decimal, precision: usize) -> String {
    let scale = i32::try_from(precision).unwrap_or(i32::MAX);
    number.set_scale(scale, Rounding::HalfUp).map(|number| number.plain()).unwrap_or_default()
}

fn scientific(number: &Decimal, precision: usize) -> String {
    if number.is_zero() {
        return format!("{}e+00", fixed(number, precision));
    }
    let rounded = number.round(precision as u64 + 1, Rounding::HalfUp);
    let mut digits = rounded.unscaled.to_string();
    let exponent = i64::try_from(digits.len()).unwrap_or(0) - 1 - i64::from(rounded.scale);
    while digits.len() < precision + 1 {
        digits.push('0');
    }
    let (first, rest) = digits.split_at(1);
    let rest = rest.get(..precision).unwrap_or(rest);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{first}{point}{rest}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `%g`: fixed from 10^-4 to 10^precision, else scientific; the precision counts digits.
fn general(number: &Decimal, precision: usize) -> String {
    if number.is_zero() {
        return fixed(number, precision - 1);
    }
    let rounded = number.round(precision as u64, Rounding::HalfUp);
    let digits = i64::try_from(rounded.unscaled.to_string().len()).unwrap_or(0);
    let exponent = digits - 1 - i64::from(rounded.scale);
    let places = i64::try_from(precision).unwrap_or(0) - exponent - 1;
    match usize::try_from(places) {
        Ok(places) if exponent >= -4 => fixed(number, places),
        _ => scientific(number, precision - 1),
    }
}
