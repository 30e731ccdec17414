//! Java's numbers: their text, and Groovy's rules for operators between them.

use std::cmp::Ordering;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{Pow, Signed, ToPrimitive, Zero};

use crate::decimal::{Decimal, low_i64};
use crate::value::Value;

/// Most bits a power or a shift may have; a gigantic one ends the script with an `ArithmeticException`.
const MAX_BITS: u64 = 8_000_000;

/// An operator between two numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Arith {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    And,
    Or,
    Xor,
    Left,
    Right,
    RightUnsigned,
}

/// Why an operator has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoResult {
    /// Not two numbers, or an operator they do not have: look for a method.
    NotNumbers,
    /// An exception: class and message.
    Throws(&'static str, String),
}

const ARITHMETIC: &str = "java.lang.ArithmeticException";

fn zero<T>(text: &str) -> Result<T, NoResult> {
    Err(NoResult::Throws(ARITHMETIC, text.to_owned()))
}

fn huge() -> NoResult {
    NoResult::Throws(ARITHMETIC, "BigInteger would overflow supported range".to_owned())
}

/// As a `BigInteger`, cut at the point; none for what is no number.
pub fn to_big(value: &Value) -> Option<BigInt> {
    Some(match value {
        Value::BigInt(number) => (**number).clone(),
        Value::Decimal(number) => number.to_bigint(),
        Value::Float(number) => to_big(&Value::Double(f64::from(*number)))?,
        Value::Double(number) => {
            Decimal::parse(&format!("{number:.0}")).map(|whole| whole.to_bigint()).unwrap_or_default()
        }
        Value::Char(char) => BigInt::from(u32::from(*char)),
        other => BigInt::from(other.as_i64()?),
    })
}

/// As a `BigDecimal`.
pub fn to_decimal(value: &Value) -> Option<Decimal> {
    Some(match value {
        Value::Decimal(number) => (**number).clone(),
        Value::Float(number) => Decimal::parse(&float_text(*number))?,
        Value::Double(number) => Decimal::from_f64(*number)?,
        other => Decimal::from(to_big(other)?),
    })
}

/// As a `double`.
pub fn to_f64(value: &Value) -> Option<f64> {
    Some(match value {
        Value::Float(number) => f64::from(*number),
        Value::Double(number) => *number,
        Value::Decimal(number) => number.to_f64(),
        Value::BigInt(number) => number.to_f64().unwrap_or(f64::NAN),
        Value::Char(char) => f64::from(u32::from(*char)),
        #[expect(clippy::cast_precision_loss, reason = "Java's own widening")]
        other => other.as_i64()? as f64,
    })
}

/// As Java's `longValue()`: wraps and cuts.
pub fn to_i64(value: &Value) -> Option<i64> {
    Some(match value {
        Value::BigInt(number) => low_i64(number),
        Value::Decimal(number) => low_i64(&number.to_bigint()),
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as Java's cast does")]
        Value::Float(number) => *number as i64,
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as Java's cast does")]
        Value::Double(number) => *number as i64,
        Value::Char(char) => i64::from(u32::from(*char)),
        other => other.as_i64()?,
    })
}

/// As Java's `intValue()`.
pub fn to_i32(value: &Value) -> Option<i32> {
    Some(match value {
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as Java's cast does")]
        Value::Float(number) => *number as i32,
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as Java's cast does")]
        Value::Double(number) => *number as i32,
        #[expect(clippy::cast_possible_truncation, reason = "Java keeps the low bits")]
        other => to_i64(other)? as i32,
    })
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Rank {
    Int,
    Long,
    Big,
    Decimal,
    Double,
}

fn rank(value: &Value) -> Option<Rank> {
    Some(match value {
        Value::Byte(_) | Value::Short(_) | Value::Int(_) | Value::Char(_) => Rank::Int,
        Value::Long(_) => Rank::Long,
        Value::BigInt(_) => Rank::Big,
        Value::Decimal(_) => Rank::Decimal,
        Value::Float(_) | Value::Double(_) => Rank::Double,
        _ => return None,
    })
}

/// `left op right`.
///
/// # Errors
/// When there is none, or Java throws.
pub fn arith(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        match op {
            Arith::Add => return Ok(Value::Int(a.wrapping_add(*b))),
            Arith::Subtract => return Ok(Value::Int(a.wrapping_sub(*b))),
            Arith::Multiply => return Ok(Value::Int(a.wrapping_mul(*b))),
            _ => {}
        }
    }
    let (Some(a), Some(b)) = (rank(left), rank(right)) else { return Err(NoResult::NotNumbers) };
    match op {
        Arith::Left | Arith::Right | Arith::RightUnsigned => shift(op, left, right),
        Arith::And | Arith::Or | Arith::Xor => bits(op, a.max(b), left, right),
        Arith::Power => power(left, right),
        Arith::Divide if a.max(b) < Rank::Double => divide(left, right),
        _ => match a.max(b) {
            Rank::Int => ints(op, left, right),
            Rank::Long => longs(op, left, right),
            Rank::Big => bigs(op, left, right),
            Rank::Decimal => decimals(op, left, right),
            Rank::Double => doubles(op, left, right),
        },
    }
}

fn both<T>(convert: fn(&Value) -> Option<T>, left: &Value, right: &Value) -> Result<(T, T), NoResult> {
    convert(left).zip(convert(right)).ok_or(NoResult::NotNumbers)
}

fn ints(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let (a, b) = both(to_i32, left, right)?;
    Ok(Value::Int(match op {
        Arith::Add => a.wrapping_add(b),
        Arith::Subtract => a.wrapping_sub(b),
        Arith::Multiply => a.wrapping_mul(b),
        _ if b == 0 => return zero("/ by zero"),
        _ => a.wrapping_rem(b),
    }))
}

fn longs(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let (a, b) = both(to_i64, left, right)?;
    Ok(Value::Long(match op {
        Arith::Add => a.wrapping_add(b),
        Arith::Subtract => a.wrapping_sub(b),
        Arith::Multiply => a.wrapping_mul(b),
        _ if b == 0 => return zero("/ by zero"),
        _ => a.wrapping_rem(b),
    }))
}

fn bigs(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let (a, b) = both(to_big, left, right)?;
    Ok(Value::big(match op {
        Arith::Add => a + b,
        Arith::Subtract => a - b,
        Arith::Multiply if a.bits() + b.bits() > MAX_BITS => return Err(huge()),
        Arith::Multiply => a * b,
        _ if !b.is_positive() => return zero("BigInteger: modulus not positive"),
        _ => ((a % &b) + &b) % &b,
    }))
}

fn decimals(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let (a, b) = both(to_decimal, left, right)?;
    let result = match op {
        Arith::Add => a.add(&b),
        Arith::Subtract => a.subtract(&b),
        Arith::Multiply if a.unscaled.bits() + b.unscaled.bits() > MAX_BITS => return Err(huge()),
        Arith::Multiply => a.multiply(&b),
        _ => {
            let class = if matches!(left, Value::Decimal(_)) { "BigDecimal" } else { "Integer" };
            let text = format!("Cannot use mod() on this number type: java.math.{class} with value: {a}");
            return Err(NoResult::Throws("java.lang.UnsupportedOperationException", text));
        }
    };
    result.map(Value::decimal).ok_or_else(huge)
}

fn doubles(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let (a, b) = both(to_f64, left, right)?;
    Ok(Value::Double(match op {
        Arith::Add => a + b,
        Arith::Subtract => a - b,
        Arith::Multiply => a * b,
        Arith::Divide => a / b,
        _ => a % b,
    }))
}

fn divide(left: &Value, right: &Value) -> Result<Value, NoResult> {
    let (a, b) = both(to_decimal, left, right)?;
    if b.is_zero() {
        return zero(if a.is_zero() { "Division undefined" } else { "Division by zero" });
    }
    a.divide(&b).map(Value::decimal).ok_or_else(huge)
}

fn bits(op: Arith, rank: Rank, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let pick = |a: i64, b: i64| match op {
        Arith::And => a & b,
        Arith::Or => a | b,
        _ => a ^ b,
    };
    match rank {
        Rank::Int => {
            let (a, b) = both(to_i64, left, right)?;
            #[expect(clippy::cast_possible_truncation, reason = "both fit an int, and so do their bits")]
            Ok(Value::Int(pick(a, b) as i32))
        }
        Rank::Long => both(to_i64, left, right).map(|(a, b)| Value::Long(pick(a, b))),
        Rank::Big => both(to_big, left, right).map(|(a, b)| {
            Value::big(match op {
                Arith::And => a & b,
                Arith::Or => a | b,
                _ => a ^ b,
            })
        }),
        Rank::Decimal | Rank::Double => {
            let name = match op {
                Arith::And => "and",
                Arith::Or => "or",
                _ => "xor",
            };
            Err(unsupported(name, left))
        }
    }
}

fn unsupported(name: &str, value: &Value) -> NoResult {
    let (class, text) = match value {
        Value::Decimal(number) => ("java.math.BigDecimal", number.to_string()),
        Value::Float(number) => ("java.lang.Float", float_text(*number)),
        Value::Double(number) => ("java.lang.Double", double_text(*number)),
        other => ("java.lang.Integer", to_i64(other).unwrap_or(0).to_string()),
    };
    let text = format!("Cannot use {name}() on this number type: {class} with value: {text}");
    NoResult::Throws("java.lang.UnsupportedOperationException", text)
}

fn shift(op: Arith, left: &Value, right: &Value) -> Result<Value, NoResult> {
    let by = to_i32(right).ok_or(NoResult::NotNumbers)?.cast_unsigned();
    match left {
        Value::Decimal(_) | Value::Float(_) | Value::Double(_) => Err(unsupported(
            match op {
                Arith::Left => "leftShift",
                Arith::Right => "rightShift",
                _ => "rightShiftUnsigned",
            },
            left,
        )),
        Value::BigInt(number) => match op {
            Arith::Left if number.bits() + u64::from(by) > MAX_BITS => Err(huge()),
            Arith::Left => Ok(Value::big(&**number << by)),
            Arith::Right => Ok(Value::big(&**number >> by)),
            _ => Err(unsupported("rightShiftUnsigned", left)),
        },
        Value::Long(number) => Ok(Value::Long(match op {
            Arith::Left => number.wrapping_shl(by),
            Arith::Right => number.wrapping_shr(by),
            _ => number.cast_unsigned().wrapping_shr(by).cast_signed(),
        })),
        _ => {
            let number = to_i32(left).ok_or(NoResult::NotNumbers)?;
            Ok(Value::Int(match op {
                Arith::Left => number.wrapping_shl(by),
                Arith::Right => number.wrapping_shr(by),
                _ => number.cast_unsigned().wrapping_shr(by).cast_signed(),
            }))
        }
    }
}

/// A `BigInteger`, or the smallest of `Integer` and `Long` that holds it, as Groovy's `**` answers.
pub fn shrink(number: BigInt) -> Value {
    if let Some(small) = number.to_i32() {
        return Value::Int(small);
    }
    number.to_i64().map_or_else(|| Value::big(number), Value::Long)
}

fn power(left: &Value, right: &Value) -> Result<Value, NoResult> {
    let exponent = match right {
        Value::Int(exponent) if *exponent >= 0 => Some(exponent.unsigned_abs()),
        _ => None,
    };
    let (a, b) = both(to_f64, left, right)?;
    if let Some(exponent) = exponent {
        match left {
            Value::Int(_) | Value::Long(_) | Value::BigInt(_) | Value::Decimal(_) => {
                let base = to_decimal(left).ok_or(NoResult::NotNumbers)?;
                if base.unscaled.bits().saturating_mul(u64::from(exponent)) > MAX_BITS && base.unscaled.bits() > 1 {
                    return Err(huge());
                }
                let scale = i32::try_from(i64::from(base.scale) * i64::from(exponent)).map_err(|_| huge())?;
                let number: BigInt = Pow::pow(&base.unscaled, exponent);
                return Ok(match left {
                    Value::Decimal(_) => Value::decimal(Decimal::new(number, scale)),
                    Value::BigInt(_) => Value::big(number),
                    Value::Int(_) => number.to_i32().map_or_else(|| Value::big(number.clone()), Value::Int),
                    _ => number.to_i64().map_or_else(|| Value::big(number.clone()), Value::Long),
                });
            }
            _ => {}
        }
    }
    let answer = a.powf(b);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "Groovy asks so whether the double is whole"
    )]
    Ok(if f64::from(answer as i32) == answer {
        Value::Int(answer as i32)
    } else if (answer as i64) as f64 == answer {
        Value::Long(answer as i64)
    } else {
        Value::Double(answer)
    })
}

/// `-number`.
pub fn negate(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Byte(number) => Value::Int(-i32::from(*number)),
        Value::Short(number) => Value::Int(-i32::from(*number)),
        Value::Int(number) => Value::Int(number.wrapping_neg()),
        Value::Long(number) => Value::Long(number.wrapping_neg()),
        Value::Float(number) => Value::Float(-number),
        Value::Double(number) => Value::Double(-number),
        Value::BigInt(number) => Value::big(-(**number).clone()),
        Value::Decimal(number) => Value::decimal(Decimal::new(-number.unscaled.clone(), number.scale)),
        _ => return None,
    })
}

/// `~number`.
pub fn complement(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Byte(_) | Value::Short(_) | Value::Int(_) => Value::Int(!to_i32(value)?),
        Value::Long(number) => Value::Long(!number),
        Value::BigInt(number) => Value::big(-(**number).clone() - 1),
        _ => return None,
    })
}

/// Numeric order (characters count by their code); none when one is no number or NaN.
pub fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        return Some(a.cmp(b));
    }
    match rank(left)?.max(rank(right)?) {
        Rank::Int | Rank::Long => Some(to_i64(left)?.cmp(&to_i64(right)?)),
        Rank::Big => Some(to_big(left)?.cmp(&to_big(right)?)),
        Rank::Decimal => Some(to_decimal(left)?.compare(&to_decimal(right)?)),
        Rank::Double => Some(double_order(to_f64(left)?, to_f64(right)?)),
    }
}

/// `Double.compare`: NaN is equal to itself and above all, and `-0.0` is below `0.0`.
pub fn double_order(left: f64, right: f64) -> Ordering {
    let plain = |number: f64| if number.is_nan() { f64::NAN.abs() } else { number };
    plain(left).total_cmp(&plain(right))
}

/// `Double.toString`.
pub fn double_text(number: f64) -> String {
    java_text(number, number.is_nan(), &format!("{:e}", number.abs()))
}

/// `Float.toString`.
pub fn float_text(number: f32) -> String {
    java_text(f64::from(number), number.is_nan(), &format!("{:e}", number.abs()))
}

fn java_text(number: f64, nan: bool, scientific: &str) -> String {
    if nan {
        return "NaN".to_owned();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if number.is_infinite() {
        return format!("{sign}Infinity");
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.replace('.', "");
    let abs = number.abs();
    if abs.is_zero() {
        return format!("{sign}0.0");
    }
    if (1e-3..1e7).contains(&abs) {
        let point = exponent + 1;
        let text = if point <= 0 {
            format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
        } else {
            let point = point.unsigned_abs() as usize;
            let padded = format!("{digits:0<width$}", width = point + 1);
            format!("{}.{}", padded.get(..point).unwrap_or(""), padded.get(point..).unwrap_or(""))
        };
        return format!("{sign}{text}");
    }
    let rest = digits.get(1..).filter(|rest| !rest.is_empty()).unwrap_or("0");
    format!("{sign}{}.{rest}E{exponent}", digits.get(..1).unwrap_or("0"))
}

/// `hashCode()` of a `Long` or the bits of a `Double`.
#[expect(clippy::cast_possible_truncation, reason = "Java keeps the low bits")]
pub fn long_hash(bits: u64) -> i32 {
    (bits ^ (bits >> 32)) as i32
}

/// The value as a shared `BigInteger`.
pub fn shared_big(number: &BigInt) -> Rc<BigInt> {
    Rc::new(number.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_java_does() {
        for (number, text) in [
            (0.1, "0.1"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (1.5e-4, "1.5E-4"),
            (-0.001, "-0.001"),
            (123_456.789, "123456.789"),
            (9_999_999.0, "9999999.0"),
        ] {
            assert_eq!(double_text(number), text);
        }
    }
}
