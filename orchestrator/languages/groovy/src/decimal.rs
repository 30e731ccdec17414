//! `java.math.BigDecimal`, and Groovy's rules for dividing it.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// Digits that Groovy adds to the longer operand's precision when a quotient does not end.
const DIVISION_EXTRA_PRECISION: u64 = 10;
/// Scale that such a quotient keeps at least.
const DIVISION_MIN_SCALE: i32 = 10;
/// How far apart two scales may be: `1e999999999 + 1` would need gigabytes of digits.
const MAX_SHIFT: i64 = 100_000;

/// `unscaled * 10^-scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits.
    pub unscaled: BigInt,
    /// Digits behind the point; negative for trailing zeros before it.
    pub scale: i32,
}

/// How a digit that is cut off changes the one before it. `java.math.RoundingMode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "Java's names say it")]
pub enum Rounding {
    Up,
    Down,
    Ceiling,
    Floor,
    HalfUp,
    HalfDown,
    HalfEven,
}

/// `10^exponent`.
pub fn pow10(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

impl Decimal {
    /// From parts.
    pub fn new(unscaled: BigInt, scale: i32) -> Self {
        Self { unscaled, scale }
    }

    /// As `new BigDecimal(String)`; none when that would throw.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let bare = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
        if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let unscaled: BigInt = digits.strip_prefix('+').unwrap_or(&digits).parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Some(Self { unscaled, scale })
    }

    /// The shortest decimal that reads back as the same double, as `BigDecimal.valueOf(double)`.
    pub fn from_f64(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        Self::parse(&crate::number::double_text(number))
    }

    /// Number of decimal digits; 1 for zero.
    pub fn precision(&self) -> u64 {
        if self.unscaled.is_zero() { 1 } else { self.unscaled.abs().to_string().len() as u64 }
    }

    /// The value with another scale, rounded; `None` when the shift is absurd.
    pub fn set_scale(&self, scale: i32, rounding: Rounding) -> Option<Self> {
        let shift = i64::from(scale) - i64::from(self.scale);
        if shift.abs() > MAX_SHIFT {
            return self.unscaled.is_zero().then(|| Self::new(BigInt::zero(), scale));
        }
        let factor = pow10(u32::try_from(shift.abs()).ok()?);
        let unscaled =
            if shift >= 0 { &self.unscaled * factor } else { round_quotient(&self.unscaled, &factor, rounding) };
        Some(Self { unscaled, scale })
    }

    /// Rounded to so many significant digits; 0 leaves it as it is.
    pub fn round(&self, precision: u64, rounding: Rounding) -> Self {
        let mut value = self.clone();
        while precision > 0 && value.precision() > precision {
            let drop = value.precision() - precision;
            let scale = i64::from(value.scale) - i64::try_from(drop).unwrap_or(0);
            match i32::try_from(scale).ok().and_then(|scale| value.set_scale(scale, rounding)) {
                Some(rounded) => value = rounded,
                None => return value,
            }
        }
        value
    }

    /// Without trailing zeros.
    pub fn strip(&self) -> Self {
        if self.unscaled.is_zero() {
            return Self::new(BigInt::zero(), 0);
        }
        self.strip_to(i32::MIN)
    }

    fn strip_to(&self, least: i32) -> Self {
        let mut value = self.clone();
        let ten = BigInt::from(10);
        while value.scale > least && !value.unscaled.is_zero() {
            let (quotient, rest) = value.unscaled.div_rem(&ten);
            if !rest.is_zero() {
                break;
            }
            value = Self::new(quotient, value.scale - 1);
        }
        value
    }

    fn aligned(&self, other: &Self) -> Option<(BigInt, BigInt, i32)> {
        let scale = self.scale.max(other.scale);
        Some((self.set_scale(scale, Rounding::Down)?.unscaled, other.set_scale(scale, Rounding::Down)?.unscaled, scale))
    }

    /// Sum; `None` when the scales are absurdly far apart.
    pub fn add(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self::new(a + b, scale))
    }

    /// Difference.
    pub fn subtract(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self::new(a - b, scale))
    }

    /// Product.
    pub fn multiply(&self, other: &Self) -> Option<Self> {
        Some(Self::new(&self.unscaled * &other.unscaled, self.scale.checked_add(other.scale)?))
    }

    /// Quotient by Groovy's rules: exact when it ends, else 10 digits more than the longer operand. `None` for
    /// division by zero.
    pub fn divide(&self, other: &Self) -> Option<Self> {
        if other.unscaled.is_zero() {
            return None;
        }
        if let Some(exact) = self.divide_exact(other) {
            return Some(exact);
        }
        let precision = self.precision().max(other.precision()) + DIVISION_EXTRA_PRECISION;
        let result = self.divide_to(other, precision, Rounding::HalfUp)?;
        let scale = self.scale.max(other.scale).max(DIVISION_MIN_SCALE);
        if result.scale > scale { result.set_scale(scale, Rounding::HalfUp) } else { Some(result) }
    }

    /// `BigDecimal.divide(BigDecimal)`: `None` when the quotient does not end (or the divisor is zero).
    pub fn divide_exact(&self, other: &Self) -> Option<Self> {
        let preferred = self.scale.saturating_sub(other.scale);
        if other.unscaled.is_zero() {
            return None;
        }
        if self.unscaled.is_zero() {
            return Some(Self::new(BigInt::zero(), preferred));
        }
        let common = self.unscaled.gcd(&other.unscaled);
        let (mut top, mut bottom) = (&self.unscaled / &common, &other.unscaled / &common);
        if bottom.is_negative() {
            top = -top;
            bottom = -bottom;
        }
        let (mut twos, mut fives) = (0u32, 0u32);
        for (prime, count) in [(2, &mut twos), (5, &mut fives)] {
            loop {
                let (quotient, rest) = bottom.div_rem(&BigInt::from(prime));
                if !rest.is_zero() {
                    break;
                }
                bottom = quotient;
                *count += 1;
            }
        }
        if !bottom.is_one() {
            return None;
        }
        let digits = twos.max(fives);
        top *= BigInt::from(2).pow(digits - twos) * BigInt::from(5).pow(digits - fives);
        Some(Self::new(top, preferred.checked_add(i32::try_from(digits).ok()?)?))
    }

    /// Quotient to so many significant digits; zeros are stripped down to the preferred scale, as Java does.
    pub fn divide_to(&self, other: &Self, precision: u64, rounding: Rounding) -> Option<Self> {
        let preferred = i64::from(self.scale) - i64::from(other.scale);
        let wanted = precision + other.precision() + 3;
        let shift = u32::try_from(wanted.saturating_sub(self.precision()).max(1)).ok()?;
        let (quotient, rest) = (&self.unscaled * pow10(shift)).div_rem(&other.unscaled);
        // A digit behind the cut keeps "more than half" and "exactly half" apart.
        let sticky = if rest.is_zero() { BigInt::zero() } else { self.unscaled.signum() * other.unscaled.signum() };
        let scale = i32::try_from(preferred + i64::from(shift) + 1).ok()?;
        let rounded = Self::new(quotient * 10 + sticky, scale).round(precision, rounding);
        Some(rounded.strip_to(i32::try_from(preferred).ok()?))
    }

    /// Numeric order; scales do not matter.
    pub fn compare(&self, other: &Self) -> Ordering {
        match self.aligned(other) {
            Some((a, b, _)) => a.cmp(&b),
            None => self.to_f64().total_cmp(&other.to_f64()),
        }
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        format!("{}e{}", self.unscaled, -i64::from(self.scale)).parse().unwrap_or(f64::NAN)
    }

    /// Cut at the point.
    pub fn to_bigint(&self) -> BigInt {
        self.set_scale(0, Rounding::Down).map_or_else(BigInt::zero, |value| value.unscaled)
    }

    /// `toPlainString()`.
    pub fn plain(&self) -> String {
        if self.scale <= 0 {
            let zeros = if self.unscaled.is_zero() { 0 } else { self.scale.unsigned_abs() as usize };
            return format!("{}{}", self.unscaled, "0".repeat(zeros));
        }
        let digits = self.unscaled.abs().to_string();
        let scale = self.scale.unsigned_abs() as usize;
        let padded =
            if digits.len() <= scale { format!("{}{digits}", "0".repeat(scale + 1 - digits.len())) } else { digits };
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let sign = if self.unscaled.is_negative() { "-" } else { "" };
        format!("{sign}{whole}.{fraction}")
    }

    /// `hashCode()`.
    pub fn hash(&self) -> i32 {
        big_hash(&self.unscaled).wrapping_mul(31).wrapping_add(self.scale)
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.unscaled.is_zero()
    }
}

impl From<BigInt> for Decimal {
    fn from(unscaled: BigInt) -> Self {
        Self { unscaled, scale: 0 }
    }
}

impl fmt::Display for Decimal {
    /// `BigDecimal.toString()`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.abs().to_string();
        let adjusted = i64::try_from(digits.len()).unwrap_or(0) - 1 - i64::from(self.scale);
        if self.scale == 0 || (self.scale > 0 && adjusted >= -6) {
            return f.write_str(&self.plain());
        }
        let sign = if self.unscaled.is_negative() { "-" } else { "" };
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{sign}{first}{point}{rest}")?;
        if adjusted != 0 { write!(f, "E{adjusted:+}") } else { Ok(()) }
    }
}

/// `top / bottom` rounded to a whole number; `bottom` is positive.
fn round_quotient(top: &BigInt, bottom: &BigInt, rounding: Rounding) -> BigInt {
    let (quotient, rest) = top.div_rem(bottom);
    if rest.is_zero() {
        return quotient;
    }
    let negative = top.is_negative();
    let twice: BigInt = rest.abs() * 2u32;
    let half = twice.cmp(bottom);
    let away = match rounding {
        Rounding::Up => true,
        Rounding::Down => false,
        Rounding::Ceiling => !negative,
        Rounding::Floor => negative,
        Rounding::HalfUp => half != Ordering::Less,
        Rounding::HalfDown => half == Ordering::Greater,
        Rounding::HalfEven => half == Ordering::Greater || (half == Ordering::Equal && quotient.is_odd()),
    };
    if !away {
        quotient
    } else if negative {
        quotient - 1
    } else {
        quotient + 1
    }
}

/// `BigInteger.hashCode()`.
pub fn big_hash(number: &BigInt) -> i32 {
    let (sign, digits) = number.to_u32_digits();
    let hash = digits.iter().rev().fold(0i32, |hash, digit| hash.wrapping_mul(31).wrapping_add(digit.cast_signed()));
    if sign == Sign::Minus { hash.wrapping_neg() } else { hash }
}

/// The low 64 bits, as Java's `longValue()`.
pub fn low_i64(number: &BigInt) -> i64 {
    number.to_i64().unwrap_or_else(|| {
        let modulus: BigInt = BigInt::one() << 64u32;
        let wrapped = number.mod_floor(&modulus);
        wrapped.to_u64().unwrap_or(0).cast_signed()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: &str, right: &str, quotient: &str) {
        let quotient_here = Decimal::parse(left).unwrap().divide(&Decimal::parse(right).unwrap()).unwrap();
        assert_eq!(quotient_here.to_string(), quotient, "{left} / {right}");
    }

    #[test]
    fn division_is_groovys() {
        check("1", "3", "0.3333333333");
        check("2", "3", "0.6666666667");
        check("10", "2", "5");
        check("1", "8", "0.125");
        check("1.0", "3", "0.3333333333");
        check("100", "0.3", "333.3333333333");
        check("1", "1000", "0.001");
    }

    #[test]
    fn text_is_javas() {
        for text in ["0", "1.50", "-0.001", "1E+3", "1.2E-7", "0E-10", "123456789012345678901234567890.5"] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
        }
    }
}
