//! Numbers as they are written.

use crate::ast::Literal;
use crate::token::T;

/// A number's token kind and how many bytes it has, or how many bytes are no number and why. `rest` begins with a digit.
pub(crate) fn scan(rest: &[u8]) -> Result<(T, usize), (usize, &'static str)> {
    let at = |index: usize| rest.get(index).copied().unwrap_or(0);
    if at(0) == b'0' && matches!(at(1), b'x' | b'X') {
        return radix(rest, |byte| byte.is_ascii_hexdigit(), "a hexadecimal digit");
    }
    if at(0) == b'0' && matches!(at(1), b'b' | b'B') {
        return radix(rest, |byte| matches!(byte, b'0' | b'1'), "'0' or '1'");
    }
    let mut end = digits(rest, 0);
    let mut decimal = false;
    if at(end) == b'.' && at(end + 1).is_ascii_digit() {
        decimal = true;
        end = digits(rest, end + 1);
    }
    if matches!(at(end), b'e' | b'E') {
        let sign = usize::from(matches!(at(end + 1), b'+' | b'-'));
        if at(end + 1 + sign).is_ascii_digit() {
            decimal = true;
            end = digits(rest, end + 1 + sign);
        }
    }
    let suffix = at(end).to_ascii_lowercase();
    Ok(match (suffix, decimal) {
        (b'f', _) => (T::Float, end + 1),
        (b'd', _) => (T::Double, end + 1),
        (b'g', true) => (T::BigDecimal, end + 1),
        (b'g', false) => (T::BigInteger, end + 1),
        (b'l', false) => (T::Long, end + 1),
        (b'i', false) => (T::Int, end + 1),
        (_, true) => (T::BigDecimal, end),
        (_, false) => (T::Int, end),
    })
}

/// Digits with underscores between them; an underscore is never the last.
fn digits(rest: &[u8], from: usize) -> usize {
    run(rest, from, |byte| byte.is_ascii_digit())
}

fn run(rest: &[u8], from: usize, digit: impl Fn(u8) -> bool) -> usize {
    let mut end = from;
    let mut at = from;
    while let Some(byte) = rest.get(at) {
        at += 1;
        if digit(*byte) {
            end = at;
        } else if *byte != b'_' || end == from {
            break;
        }
    }
    end
}

fn radix(rest: &[u8], digit: impl Fn(u8) -> bool, wanted: &'static str) -> Result<(T, usize), (usize, &'static str)> {
    let end = run(rest, 2, digit);
    if end == 2 {
        return Err((2, wanted));
    }
    Ok(match rest.get(end).map(u8::to_ascii_lowercase) {
        Some(b'g') => (T::BigInteger, end + 1),
        Some(b'l') => (T::Long, end + 1),
        Some(b'i') => (T::Int, end + 1),
        _ => (T::Int, end),
    })
}

/// The value of a number's text, with the minus before it if there is one.
///
/// # Errors
/// What Groovy says about a number that its suffix cannot hold.
pub(crate) fn value(kind: T, text: &str, negative: bool) -> Result<Literal, String> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let lower = plain.to_ascii_lowercase();
    let sign = if negative { "-" } else { "" };
    match kind {
        T::Float => {
            let value = lower.trim_end_matches('f').parse::<f32>().unwrap_or(f32::NAN);
            Ok(Literal::Float(if negative { -value } else { value }))
        }
        T::Double => {
            let value = lower.trim_end_matches('d').parse::<f64>().unwrap_or(f64::NAN);
            Ok(Literal::Double(if negative { -value } else { value }))
        }
        T::BigDecimal => Ok(Literal::BigDecimal(format!("{sign}{}", plain.trim_end_matches(['g', 'G'])).into())),
        _ => integer(&lower, sign),
    }
}

fn integer(lower: &str, sign: &str) -> Result<Literal, String> {
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (lower.get(2..).unwrap_or(""), 16),
        [b'0', b'b', ..] => (lower.get(2..).unwrap_or(""), 2),
        [b'0', b'0'..=b'9', ..] => (lower.get(1..).unwrap_or(""), 8),
        _ => (lower, 10),
    };
    let bare = digits.trim_end_matches(['i', 'l', 'g']);
    let suffix = digits.as_bytes().get(bare.len()).copied();
    let decimal = in_decimal(bare, base)
        .ok_or_else(|| format!("For input string: \"{bare}\" (an octal number has the digits 0 to 7)"))?;
    let signed = format!("{sign}{decimal}");
    let small = signed.parse::<i32>();
    let large = signed.parse::<i64>();
    match (suffix, small, large) {
        (None | Some(b'i'), Ok(value), _) => Ok(Literal::Int(value)),
        (None | Some(b'l'), _, Ok(value)) => Ok(Literal::Long(value)),
        (None | Some(b'g'), ..) => Ok(Literal::BigInteger(signed.into())),
        (Some(b'i'), ..) => Ok(Literal::Int(low_bits(&decimal, !sign.is_empty()) as u32 as i32)),
        _ => Ok(Literal::Long(low_bits(&decimal, !sign.is_empty()) as i64)),
    }
}

/// The lowest 64 bits of a number: Groovy cuts off what a suffix cannot hold.
fn low_bits(decimal: &str, negative: bool) -> u64 {
    let bits = decimal
        .bytes()
        .fold(0_u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0'))));
    if negative { bits.wrapping_neg() } else { bits }
}

/// Digits of any base as decimal digits without leading zeros; nothing if one is not of the base.
fn in_decimal(digits: &str, base: u32) -> Option<String> {
    if base == 10 {
        let stripped = digits.trim_start_matches('0');
        return Some(if stripped.is_empty() { "0".into() } else { stripped.into() });
    }
    // Nine decimal digits a limb, the least significant first.
    const LIMB: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = vec![0];
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(base)?);
        for limb in &mut limbs {
            let sum = *limb * u64::from(base) + carry;
            *limb = sum % LIMB;
            carry = sum / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = limbs.pop().unwrap_or(0).to_string();
    for limb in limbs.iter().rev() {
        text.push_str(&format!("{limb:09}"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Literal) {
        let (kind, length) = scan(text.as_bytes()).unwrap();
        assert_eq!(length, text.len(), "{text}");
        assert_eq!(value(kind, text, false).unwrap(), expected, "{text}");
    }

    #[test]
    fn numbers_have_groovys_types() {
        check("0", Literal::Int(0));
        check("1_000", Literal::Int(1000));
        check("2147483647", Literal::Int(i32::MAX));
        check("2147483648", Literal::Long(2_147_483_648));
        check("9223372036854775808", Literal::BigInteger("9223372036854775808".into()));
        check("0xFF", Literal::Int(255));
        check("0xFFFFFFFF", Literal::Long(4_294_967_295));
        check("0x1_0000_0000_0000_0000g", Literal::BigInteger("18446744073709551616".into()));
        check("010", Literal::Int(8));
        check("0b101L", Literal::Long(5));
        check("1.50", Literal::BigDecimal("1.50".into()));
        check("1e3", Literal::BigDecimal("1e3".into()));
        check("1.5G", Literal::BigDecimal("1.5".into()));
        check("2f", Literal::Float(2.0));
        check("2.5d", Literal::Double(2.5));
    }

    #[test]
    fn a_minus_reaches_the_smallest_int() {
        assert_eq!(value(T::Int, "2147483648", true).unwrap(), Literal::Int(i32::MIN));
        assert_eq!(value(T::Int, "99999999999i", false).unwrap(), Literal::Int(1_215_752_191));
    }

    #[test]
    fn what_follows_a_number_is_left() {
        assert_eq!(scan(b"1.foo").unwrap(), (T::Int, 1));
        assert_eq!(scan(b"1..2").unwrap(), (T::Int, 1));
        assert_eq!(scan(b"1_a").unwrap(), (T::Int, 1));
        assert_eq!(scan(b"0x").unwrap_err().0, 2);
    }
}
