//! Methods of numbers, characters and truths, and the statics of their classes.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive};

use super::arguments::{double, int, long, string, whole, yes};
use super::{Answer, Extension, Method, Static, convert, function, method};
use crate::number::{self, Arith, NoResult};
use crate::value::Value;
use crate::vm::{Raise, Vm};

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.lang.Number", methods: NUMBER, statics: &[], new: None },
    Extension {
        of: "java.lang.Integer",
        methods: INTEGER,
        statics: INTEGER_STATICS,
        new: Some(|vm, args| parsed(vm, args, convert::parse_int)),
    },
    Extension {
        of: "java.lang.Long",
        methods: INTEGER,
        statics: LONG_STATICS,
        new: Some(|vm, args| parsed(vm, args, convert::parse_long)),
    },
    Extension { of: "java.lang.Short", methods: &[], statics: SHORT_STATICS, new: None },
    Extension { of: "java.lang.Byte", methods: &[], statics: BYTE_STATICS, new: None },
    Extension {
        of: "java.lang.Double",
        methods: DOUBLE,
        statics: DOUBLE_STATICS,
        new: Some(|vm, args| parsed(vm, args, convert::parse_double)),
    },
    Extension {
        of: "java.lang.Float",
        methods: DOUBLE,
        statics: FLOAT_STATICS,
        new: Some(|vm, args| parsed(vm, args, convert::parse_float)),
    },
    Extension {
        of: "java.math.BigInteger",
        methods: BIG,
        statics: BIG_STATICS,
        new: Some(|vm, args| parsed(vm, args, convert::parse_big)),
    },
    Extension { of: "java.lang.Boolean", methods: BOOLEAN, statics: BOOLEAN_STATICS, new: Some(boolean) },
];

const NUMBER: &[Method] = &[
    method("intValue", 0, 0, |_, this, _| number::to_i32(this).map(Value::Int).ok_or(Raise::NoMatch)),
    method("toInteger", 0, 0, |_, this, _| number::to_i32(this).map(Value::Int).ok_or(Raise::NoMatch)),
    method("longValue", 0, 0, |_, this, _| whole(this).map(Value::Long)),
    method("toLong", 0, 0, |_, this, _| whole(this).map(Value::Long)),
    method("doubleValue", 0, 0, |_, this, _| double(this).map(Value::Double)),
    method("toDouble", 0, 0, |_, this, _| double(this).map(Value::Double)),
    method("floatValue", 0, 0, |_, this, _| float(this)),
    method("toFloat", 0, 0, |_, this, _| float(this)),
    #[expect(clippy::cast_possible_truncation, reason = "Java keeps the low bits")]
    method("shortValue", 0, 0, |_, this, _| Ok(Value::Short(whole(this)? as i16))),
    #[expect(clippy::cast_possible_truncation, reason = "Java keeps the low bits")]
    method("byteValue", 0, 0, |_, this, _| Ok(Value::Byte(whole(this)? as i8))),
    method("toBigInteger", 0, 0, |_, this, _| number::to_big(this).map(Value::big).ok_or(Raise::NoMatch)),
    method("toBigDecimal", 0, 0, |_, this, _| number::to_decimal(this).map(Value::decimal).ok_or(Raise::NoMatch)),
    method("abs", 0, 0, |_, this, _| {
        if double(this)? < 0.0 { number::negate(this).ok_or(Raise::NoMatch) } else { Ok(this.clone()) }
    }),
    method("unaryMinus", 0, 0, |_, this, _| number::negate(this).ok_or(Raise::NoMatch)),
    method("negative", 0, 0, |_, this, _| number::negate(this).ok_or(Raise::NoMatch)),
    method("unaryPlus", 0, 0, |_, this, _| Ok(this.clone())),
    method("bitwiseNegate", 0, 0, |_, this, _| number::complement(this).ok_or(Raise::NoMatch)),
    method("plus", 1, 1, |vm, this, args| match args {
        [other @ (Value::Str(_) | Value::GStr(_))] => string(format!("{}{}", vm.text(this)?, vm.text(other)?)),
        _ => arith(vm, Arith::Add, this, args),
    }),
    method("minus", 1, 1, |vm, this, args| arith(vm, Arith::Subtract, this, args)),
    method("multiply", 1, 1, |vm, this, args| arith(vm, Arith::Multiply, this, args)),
    method("div", 1, 1, |vm, this, args| arith(vm, Arith::Divide, this, args)),
    method("mod", 1, 1, |vm, this, args| arith(vm, Arith::Remainder, this, args)),
    method("remainder", 1, 1, |vm, this, args| arith(vm, Arith::Remainder, this, args)),
    method("power", 1, 1, |vm, this, args| arith(vm, Arith::Power, this, args)),
    method("and", 1, 1, |vm, this, args| arith(vm, Arith::And, this, args)),
    method("or", 1, 1, |vm, this, args| arith(vm, Arith::Or, this, args)),
    method("xor", 1, 1, |vm, this, args| arith(vm, Arith::Xor, this, args)),
    method("leftShift", 1, 1, |vm, this, args| arith(vm, Arith::Left, this, args)),
    method("rightShift", 1, 1, |vm, this, args| arith(vm, Arith::Right, this, args)),
    method("rightShiftUnsigned", 1, 1, |vm, this, args| arith(vm, Arith::RightUnsigned, this, args)),
    method("next", 0, 0, |vm, this, _| arith(vm, Arith::Add, this, &[Value::Int(1)])),
    method("previous", 0, 0, |vm, this, _| arith(vm, Arith::Subtract, this, &[Value::Int(1)])),
    method("intdiv", 1, 1, intdiv),
    method("compareTo", 1, 1, |vm, this, args| match args {
        [other] if other.is_number() || matches!(other, Value::Char(_)) => {
            Ok(Value::Int(vm.compare(this, other)? as i32))
        }
        _ => Err(Raise::NoMatch),
    }),
    method("isCase", 1, 1, |vm, this, args| match args {
        [other] => yes(vm.equals(this, other)?),
        _ => Err(Raise::NoMatch),
    }),
    method("toCharacter", 0, 0, |_, this, _| {
        let code = u32::try_from(whole(this)?).ok().and_then(char::from_u32);
        code.map(Value::Char).ok_or(Raise::NoMatch)
    }),
];

const INTEGER: &[Method] =
    &[method("bitCount", 0, 0, |_, this, _| Ok(Value::Int(long(this)?.count_ones().cast_signed())))];

const DOUBLE: &[Method] = &[
    method("isNaN", 0, 0, |_, this, _| yes(double(this)?.is_nan())),
    method("isInfinite", 0, 0, |_, this, _| yes(double(this)?.is_infinite())),
    method("round", 0, 1, |vm, this, args| match args {
        [] => match this {
            #[expect(clippy::cast_possible_truncation, reason = "Java's Math.round(float) is an int")]
            Value::Float(number) => Ok(Value::Int((f64::from(*number) + 0.5).floor() as i32)),
            _ => Ok(Value::Long(java_round(double(this)?))),
        },
        [places] => scaled(vm, this, places, java_round),
        _ => Err(Raise::NoMatch),
    }),
    #[expect(clippy::cast_possible_truncation, reason = "Groovy's trunc goes through a long")]
    method("trunc", 0, 1, |vm, this, args| match args {
        [] => Ok(Value::Double(double(this)?.trunc())),
        [places] => scaled(vm, this, places, |number| number.trunc() as i64),
        _ => Err(Raise::NoMatch),
    }),
];

const BIG: &[Method] = &[
    method("pow", 1, 1, |vm, this, args| arith(vm, Arith::Power, this, args)),
    method("add", 1, 1, |vm, this, args| arith(vm, Arith::Add, this, args)),
    method("subtract", 1, 1, |vm, this, args| arith(vm, Arith::Subtract, this, args)),
    method("gcd", 1, 1, |_, this, args| with_big(this, args, |a, b| a.gcd(b))),
    method("max", 1, 1, |_, this, args| with_big(this, args, |a, b| a.max(b).clone())),
    method("min", 1, 1, |_, this, args| with_big(this, args, |a, b| a.min(b).clone())),
    method("modPow", 2, 2, |vm, this, args| {
        let (Value::BigInt(base), [Value::BigInt(exponent), Value::BigInt(modulus)]) = (this, args) else {
            return Err(Raise::NoMatch);
        };
        if !modulus.is_positive() || exponent.is_negative() {
            return Err(vm.throw("java.lang.ArithmeticException", "BigInteger: modulus not positive"));
        }
        Ok(Value::big(base.modpow(exponent, modulus)))
    }),
    method("signum", 0, 0, |_, this, _| Ok(Value::Int(whole(this)?.signum().to_i32().unwrap_or(0)))),
    method("bitLength", 0, 0, |_, this, _| match this {
        Value::BigInt(number) => Ok(Value::Int(number.bits().to_i32().unwrap_or(i32::MAX))),
        _ => Err(Raise::NoMatch),
    }),
    method("toString", 1, 1, |vm, this, args| match (this, args) {
        (Value::BigInt(number), [radix]) => string(number.to_str_radix(radix_arg(vm, radix)?)),
        _ => Err(Raise::NoMatch),
    }),
];

const BOOLEAN: &[Method] = &[
    method("booleanValue", 0, 0, |_, this, _| Ok(this.clone())),
    method("and", 1, 1, |vm, this, args| logic(vm, this, args, |a, b| a & b)),
    method("or", 1, 1, |vm, this, args| logic(vm, this, args, |a, b| a | b)),
    method("xor", 1, 1, |vm, this, args| logic(vm, this, args, |a, b| a ^ b)),
    method("implies", 1, 1, |vm, this, args| logic(vm, this, args, |a, b| !a | b)),
    method("compareTo", 1, 1, |_, this, args| match (this, args) {
        (Value::Bool(a), [Value::Bool(b)]) => Ok(Value::Int(a.cmp(b) as i32)),
        _ => Err(Raise::NoMatch),
    }),
];

const BOOLEAN_STATICS: &[Static] = &[
    function("parseBoolean", 1, 1, boolean),
    function("valueOf", 1, 1, boolean),
    function("toString", 1, 1, |vm, args| {
        args.first().ok_or(Raise::NoMatch).and_then(|value| vm.text(value)).map(Value::Str)
    }),
    function("logicalAnd", 2, 2, |_, args| bools(args, |a, b| a & b)),
    function("logicalOr", 2, 2, |_, args| bools(args, |a, b| a | b)),
    function("logicalXor", 2, 2, |_, args| bools(args, |a, b| a ^ b)),
    function("TRUE", 0, 0, |_, _| yes(true)),
    function("FALSE", 0, 0, |_, _| yes(false)),
];

const INTEGER_STATICS: &[Static] = &[
    function("MAX_VALUE", 0, 0, |_, _| Ok(Value::Int(i32::MAX))),
    function("MIN_VALUE", 0, 0, |_, _| Ok(Value::Int(i32::MIN))),
    function("parseInt", 1, 2, |vm, args| whole_text(vm, args).map(Value::Int)),
    function("valueOf", 1, 2, |vm, args| match args {
        [number @ (Value::Int(_) | Value::Short(_) | Value::Byte(_) | Value::Char(_))] => {
            int(vm, number).map(Value::Int)
        }
        _ => whole_text(vm, args).map(Value::Int),
    }),
    function("decode", 1, 1, decode),
    function("toString", 1, 2, radix_text),
    function("toHexString", 1, 1, |vm, args| string(format!("{:x}", first_int(vm, args)?))),
    function("toBinaryString", 1, 1, |vm, args| string(format!("{:b}", first_int(vm, args)?))),
    function("toOctalString", 1, 1, |vm, args| string(format!("{:o}", first_int(vm, args)?))),
    function("compare", 2, 2, compare),
    function("signum", 1, 1, |vm, args| Ok(Value::Int(first_int(vm, args)?.signum()))),
    function("bitCount", 1, 1, |vm, args| Ok(Value::Int(first_int(vm, args)?.count_ones().cast_signed()))),
    function("max", 2, 2, |vm, args| pick(vm, args, true)),
    function("min", 2, 2, |vm, args| pick(vm, args, false)),
    function("sum", 2, 2, |vm, args| match args {
        [a, b] => arith(vm, Arith::Add, a, std::slice::from_ref(b)),
        _ => Err(Raise::NoMatch),
    }),
    function("abs", 1, 1, |vm, args| Ok(Value::Int(first_int(vm, args)?.wrapping_abs()))),
];

const LONG_STATICS: &[Static] = &[
    function("MAX_VALUE", 0, 0, |_, _| Ok(Value::Long(i64::MAX))),
    function("MIN_VALUE", 0, 0, |_, _| Ok(Value::Long(i64::MIN))),
    function("parseLong", 1, 2, |vm, args| whole_text(vm, args).map(Value::Long)),
    function("valueOf", 1, 2, |vm, args| match args {
        [number] if number.as_i64().is_some() => long(number).map(Value::Long),
        _ => whole_text(vm, args).map(Value::Long),
    }),
    function("toString", 1, 2, radix_text),
    function("toHexString", 1, 1, |_, args| string(format!("{:x}", first_long(args)?))),
    function("toBinaryString", 1, 1, |_, args| string(format!("{:b}", first_long(args)?))),
    function("compare", 2, 2, compare),
    function("signum", 1, 1, |_, args| Ok(Value::Int(first_long(args)?.signum().to_i32().unwrap_or(0)))),
    function("max", 2, 2, |vm, args| pick(vm, args, true)),
    function("min", 2, 2, |vm, args| pick(vm, args, false)),
];

const SHORT_STATICS: &[Static] = &[
    function("MAX_VALUE", 0, 0, |_, _| Ok(Value::Short(i16::MAX))),
    function("MIN_VALUE", 0, 0, |_, _| Ok(Value::Short(i16::MIN))),
    function("parseShort", 1, 1, |vm, args| parsed(vm, args, convert::parse_short)),
];

const BYTE_STATICS: &[Static] = &[
    function("MAX_VALUE", 0, 0, |_, _| Ok(Value::Byte(i8::MAX))),
    function("MIN_VALUE", 0, 0, |_, _| Ok(Value::Byte(i8::MIN))),
];

const DOUBLE_STATICS: &[Static] = &[
    function("MAX_VALUE", 0, 0, |_, _| Ok(Value::Double(f64::MAX))),
    function("MIN_VALUE", 0, 0, |_, _| Ok(Value::Double(5e-324))),
    function("NaN", 0, 0, |_, _| Ok(Value::Double(f64::NAN))),
    function("POSITIVE_INFINITY", 0, 0, |_, _| Ok(Value::Double(f64::INFINITY))),
    function("NEGATIVE_INFINITY", 0, 0, |_, _| Ok(Value::Double(f64::NEG_INFINITY))),
    function("parseDouble", 1, 1, |vm, args| parsed(vm, args, convert::parse_double)),
    function("valueOf", 1, 1, |vm, args| parsed(vm, args, convert::parse_double)),
    function("toString", 1, 1, |vm, args| {
        args.first().ok_or(Raise::NoMatch).and_then(|value| vm.text(value)).map(Value::Str)
    }),
    function("compare", 2, 2, compare),
    function("isNaN", 1, 1, |_, args| yes(double(args.first().ok_or(Raise::NoMatch)?)?.is_nan())),
    function("isInfinite", 1, 1, |_, args| yes(double(args.first().ok_or(Raise::NoMatch)?)?.is_infinite())),
    function("max", 2, 2, |vm, args| pick(vm, args, true)),
    function("min", 2, 2, |vm, args| pick(vm, args, false)),
];

const FLOAT_STATICS: &[Static] = &[
    function("MAX_VALUE", 0, 0, |_, _| Ok(Value::Float(f32::MAX))),
    function("parseFloat", 1, 1, |vm, args| parsed(vm, args, convert::parse_float)),
    function("valueOf", 1, 1, |vm, args| parsed(vm, args, convert::parse_float)),
];

const BIG_STATICS: &[Static] = &[
    function("ZERO", 0, 0, |_, _| Ok(Value::big(BigInt::from(0)))),
    function("ONE", 0, 0, |_, _| Ok(Value::big(BigInt::from(1)))),
    function("TWO", 0, 0, |_, _| Ok(Value::big(BigInt::from(2)))),
    function("TEN", 0, 0, |_, _| Ok(Value::big(BigInt::from(10)))),
    function("valueOf", 1, 1, |_, args| Ok(Value::big(BigInt::from(first_long(args)?)))),
];

/// An operator between two numbers, its refusals as exceptions.
pub(super) fn arith(vm: &mut Vm, op: Arith, this: &Value, args: &[Value]) -> Answer {
    let [other] = args else { return Err(Raise::NoMatch) };
    number::arith(op, this, other).map_err(|refusal| match refusal {
        NoResult::NotNumbers => Raise::NoMatch,
        NoResult::Throws(class, text) => vm.throw(class, text),
    })
}

fn float(this: &Value) -> Answer {
    #[expect(clippy::cast_possible_truncation, reason = "Java's own narrowing")]
    double(this).map(|number| Value::Float(number as f32))
}

/// `Math.round(double)`.
#[expect(clippy::cast_possible_truncation, reason = "saturates, as Java's does")]
pub(super) fn java_round(number: f64) -> i64 {
    (number + 0.5).floor() as i64
}

fn scaled(vm: &mut Vm, this: &Value, places: &Value, cut: fn(f64) -> i64) -> Answer {
    let factor = 10f64.powi(int(vm, places)?);
    #[expect(clippy::cast_precision_loss, reason = "Groovy computes so")]
    let number = cut(double(this)? * factor) as f64 / factor;
    match this {
        Value::Float(_) => float(&Value::Double(number)),
        _ => Ok(Value::Double(number)),
    }
}

fn intdiv(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let [other] = args else { return Err(Raise::NoMatch) };
    if !other.is_number() {
        return Err(Raise::NoMatch);
    }
    if let Some(odd) =
        [this, other].into_iter().find(|value| matches!(value, Value::Decimal(_) | Value::Double(_) | Value::Float(_)))
    {
        let said =
            format!("Cannot use intdiv() on this number type: {} with value: {}", vm.class_name(odd), vm.text(this)?);
        return Err(vm.throw("java.lang.UnsupportedOperationException", said));
    }
    if matches!(this, Value::BigInt(_)) || matches!(other, Value::BigInt(_)) {
        let (Some(a), Some(b)) = (number::to_big(this), number::to_big(other)) else { return Err(Raise::NoMatch) };
        return match b == BigInt::from(0) {
            true => Err(vm.throw("java.lang.ArithmeticException", "BigInteger divide by zero")),
            false => Ok(Value::big(a / b)),
        };
    }
    let (a, b) = (whole(this)?, whole(other)?);
    if b == 0 {
        return Err(vm.throw("java.lang.ArithmeticException", "/ by zero"));
    }
    let answer = a.wrapping_div(b);
    match (this, other) {
        (Value::Long(_), _) | (_, Value::Long(_)) => Ok(Value::Long(answer)),
        #[expect(clippy::cast_possible_truncation, reason = "Java wraps MIN_VALUE / -1")]
        _ => Ok(Value::Int(answer as i32)),
    }
}

fn with_big(this: &Value, args: &[Value], run: fn(&BigInt, &BigInt) -> BigInt) -> Answer {
    match (this, args) {
        (Value::BigInt(a), [Value::BigInt(b)]) => Ok(Value::big(run(a, b))),
        _ => Err(Raise::NoMatch),
    }
}

fn logic(vm: &mut Vm, this: &Value, args: &[Value], run: fn(bool, bool) -> bool) -> Answer {
    match (this, args) {
        (Value::Bool(a), [b]) => yes(run(*a, vm.truth(b)?)),
        _ => Err(Raise::NoMatch),
    }
}

fn bools(args: &[Value], run: fn(bool, bool) -> bool) -> Answer {
    match args {
        [Value::Bool(a), Value::Bool(b)] => yes(run(*a, *b)),
        _ => Err(Raise::NoMatch),
    }
}

fn boolean(vm: &mut Vm, args: &[Value]) -> Answer {
    match args {
        [Value::Bool(truth)] => yes(*truth),
        [Value::Null] => yes(false),
        [text] => yes(vm.str_arg(text)?.eq_ignore_ascii_case("true")),
        _ => Err(Raise::NoMatch),
    }
}

/// A number from its text (as written, blanks refused), or from a number.
fn parsed(vm: &mut Vm, args: &[Value], parse: fn(&mut Vm, &str) -> Answer) -> Answer {
    let [value, ..] = args else { return Err(Raise::NoMatch) };
    if value.is_null() {
        return Err(null_text(vm));
    }
    let text = if value.is_number() { vm.text(value)? } else { vm.str_arg(value)? };
    parse(vm, &text)
}

fn null_text(vm: &mut Vm) -> Raise {
    vm.throw("java.lang.NumberFormatException", "null")
}

fn whole_text<T: TryFrom<i128>>(vm: &mut Vm, args: &[Value]) -> Result<T, Raise> {
    let (value, radix) = match args {
        [value] => (value, 10),
        [value, radix] => (value, radix_arg(vm, radix)?),
        _ => return Err(Raise::NoMatch),
    };
    if value.is_null() {
        return Err(vm.throw("java.lang.NumberFormatException", "Cannot parse null string"));
    }
    let text = vm.str_arg(value)?;
    convert::bounded(vm, &text, radix)
}

fn decode(vm: &mut Vm, args: &[Value]) -> Answer {
    let [text] = args else { return Err(Raise::NoMatch) };
    let text = vm.str_arg(text)?;
    let (sign, body) = text.strip_prefix('-').map_or(("", &*text), |body| ("-", body));
    let hex = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")).or_else(|| body.strip_prefix('#'));
    let (digits, radix) = match (hex, body.strip_prefix('0').filter(|rest| !rest.is_empty())) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) => (digits, 8),
        _ => (body, 10),
    };
    convert::bounded(vm, &format!("{sign}{digits}"), radix).map(Value::Int)
}

fn radix_arg(vm: &mut Vm, value: &Value) -> Result<u32, Raise> {
    let radix = int(vm, value)?;
    Ok(u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)).unwrap_or(10))
}

fn radix_text(vm: &mut Vm, args: &[Value]) -> Answer {
    match args {
        [number] if number.is_number() => Ok(Value::Str(vm.text(number)?)),
        [number, radix] => {
            let radix = radix_arg(vm, radix)?;
            string(BigInt::from(long(number)?).to_str_radix(radix))
        }
        _ => Err(Raise::NoMatch),
    }
}

fn first_int(vm: &mut Vm, args: &[Value]) -> Result<i32, Raise> {
    args.first().ok_or(Raise::NoMatch).and_then(|value| int(vm, value))
}

fn first_long(args: &[Value]) -> Result<i64, Raise> {
    args.first().ok_or(Raise::NoMatch).and_then(long)
}

fn compare(_: &mut Vm, args: &[Value]) -> Answer {
    match args {
        [a, b] => Ok(Value::Int(double(a)?.total_cmp(&double(b)?) as i32)),
        _ => Err(Raise::NoMatch),
    }
}

/// The larger or smaller of two, in the wider of their types.
pub(super) fn pick(vm: &mut Vm, args: &[Value], larger: bool) -> Answer {
    let [a, b] = args else { return Err(Raise::NoMatch) };
    double(a)?;
    double(b)?;
    let order = vm.compare(a, b)?;
    let chosen = if order.is_gt() == larger { a } else { b };
    // Adding a zero of the other's type widens the chosen one as Java's overloads do.
    let other = if order.is_gt() == larger { b } else { a };
    match (chosen, other) {
        (Value::Double(_), _) | (_, Value::Double(_)) | (Value::Decimal(_), _) | (_, Value::Decimal(_)) => {
            double(chosen).map(Value::Double)
        }
        (Value::Float(_), _) | (_, Value::Float(_)) => float(chosen),
        (Value::Long(_), _) | (_, Value::Long(_)) => long(chosen).map(Value::Long),
        _ => int(vm, chosen).map(Value::Int),
    }
}
