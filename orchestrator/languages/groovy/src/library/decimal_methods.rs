//! Methods of `BigDecimal`, `RoundingMode`, `MathContext`.

use num_traits::ToPrimitive;

use super::arguments::{int, string};
use super::enumeration::{self, Constant};
use super::numbers::arith;
use super::{Answer, Declared, Extension, Method, Static, convert, function, method};
use crate::decimal::{Decimal, Rounding};
use crate::number::{self, Arith};
use crate::value::Value;
use crate::vm::{Raise, Vm};

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: ROUNDING, parent: "java.lang.Enum", interfaces: &[], interface: false },
    Declared { name: CONTEXT, parent: "java.lang.Object", interfaces: &[], interface: false },
];

const CONTEXT: &str = "java.math.MathContext";

/// State of a `MathContext`: digits, 0 for all.
pub(crate) struct Context(u64);

const ROUNDING: &str = "java.math.RoundingMode";

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.math.BigDecimal", methods: METHODS, statics: STATICS, new: Some(new) },
    Extension { of: ROUNDING, methods: enumeration::METHODS, statics: MODES, new: None },
    Extension {
        of: CONTEXT,
        methods: &[],
        statics: CONTEXTS,
        new: Some(|vm, args| {
            let digits = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
            Ok(vm.native(CONTEXT, Context(digits.unsigned_abs().into())))
        }),
    },
];

const METHODS: &[Method] = &[
    method("add", 1, 1, |vm, this, args| arith(vm, Arith::Add, this, args)),
    method("subtract", 1, 1, |vm, this, args| arith(vm, Arith::Subtract, this, args)),
    method("pow", 1, 1, |vm, this, args| arith(vm, Arith::Power, this, args)),
    method("divide", 1, 3, divide),
    method("setScale", 1, 2, |vm, this, args| {
        let (scale, mode) = match args {
            [scale] => (int(vm, scale)?, None),
            [scale, mode] => (int(vm, scale)?, Some(rounding(mode)?)),
            _ => return Err(Raise::NoMatch),
        };
        let exact = of(this)?;
        match exact.set_scale(scale, mode.unwrap_or(Rounding::Down)) {
            Some(number) if mode.is_some() || number.compare(exact).is_eq() => Ok(Value::decimal(number)),
            _ => Err(vm.throw("java.lang.ArithmeticException", "Rounding necessary")),
        }
    }),
    method("round", 1, 1, |_, this, args| match args {
        [Value::Native(native)] => match native.state::<Context>() {
            Some(Context(0)) => Ok(this.clone()),
            Some(Context(digits)) => Ok(Value::decimal(of(this)?.round(*digits, Rounding::HalfUp))),
            None => Err(Raise::NoMatch),
        },
        _ => Err(Raise::NoMatch),
    }),
    method("scale", 0, 0, |_, this, _| Ok(Value::Int(of(this)?.scale))),
    method("precision", 0, 0, |_, this, _| Ok(Value::Int(of(this)?.precision().to_i32().unwrap_or(i32::MAX)))),
    method("signum", 0, 0, |_, this, _| Ok(Value::Int(of(this)?.compare(&Decimal::new(0.into(), 0)) as i32))),
    method("negate", 0, 0, |_, this, _| number::negate(this).ok_or(Raise::NoMatch)),
    method("stripTrailingZeros", 0, 0, |_, this, _| Ok(Value::decimal(of(this)?.strip()))),
    method("toPlainString", 0, 0, |vm, this, _| {
        vm.charge(of(this)?.scale.unsigned_abs() as usize)?;
        string(of(this)?.plain())
    }),
    method("unscaledValue", 0, 0, |_, this, _| Ok(Value::big(of(this)?.unscaled.clone()))),
    method("max", 1, 1, |vm, this, args| extreme(vm, this, args, true)),
    method("min", 1, 1, |vm, this, args| extreme(vm, this, args, false)),
];

const STATICS: &[Static] = &[
    function("ZERO", 0, 0, |_, _| Ok(Value::decimal(Decimal::new(0.into(), 0)))),
    function("ONE", 0, 0, |_, _| Ok(Value::decimal(Decimal::new(1.into(), 0)))),
    function("TEN", 0, 0, |_, _| Ok(Value::decimal(Decimal::new(10.into(), 0)))),
    function("valueOf", 1, 1, |_, args| match args {
        [value] if value.is_number() => number::to_decimal(value).map(Value::decimal).ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }),
    function("ROUND_HALF_UP", 0, 0, |_, _| Ok(Value::Int(4))),
    function("ROUND_UP", 0, 0, |_, _| Ok(Value::Int(0))),
    function("ROUND_DOWN", 0, 0, |_, _| Ok(Value::Int(1))),
    function("ROUND_HALF_EVEN", 0, 0, |_, _| Ok(Value::Int(6))),
];

/// The digits of the standard's decimal32, 64 and 128.
const CONTEXTS: &[Static] = &[
    function("UNLIMITED", 0, 0, |vm, _| Ok(vm.native(CONTEXT, Context(0)))),
    function("DECIMAL32", 0, 0, |vm, _| Ok(vm.native(CONTEXT, Context(7)))),
    function("DECIMAL64", 0, 0, |vm, _| Ok(vm.native(CONTEXT, Context(16)))),
    function("DECIMAL128", 0, 0, |vm, _| Ok(vm.native(CONTEXT, Context(34)))),
];

/// Java's order of the modes, which is also that of the old integer constants.
const NAMES: [(&str, Rounding); 7] = [
    ("UP", Rounding::Up),
    ("DOWN", Rounding::Down),
    ("CEILING", Rounding::Ceiling),
    ("FLOOR", Rounding::Floor),
    ("HALF_UP", Rounding::HalfUp),
    ("HALF_DOWN", Rounding::HalfDown),
    ("HALF_EVEN", Rounding::HalfEven),
];

const MODES: &[Static] = &[
    function("UP", 0, 0, |vm, _| Ok(mode(vm, 0))),
    function("DOWN", 0, 0, |vm, _| Ok(mode(vm, 1))),
    function("CEILING", 0, 0, |vm, _| Ok(mode(vm, 2))),
    function("FLOOR", 0, 0, |vm, _| Ok(mode(vm, 3))),
    function("HALF_UP", 0, 0, |vm, _| Ok(mode(vm, 4))),
    function("HALF_DOWN", 0, 0, |vm, _| Ok(mode(vm, 5))),
    function("HALF_EVEN", 0, 0, |vm, _| Ok(mode(vm, 6))),
];

fn mode(vm: &mut Vm, at: usize) -> Value {
    let name = NAMES.get(at).map_or("UP", |(name, _)| name);
    vm.native(ROUNDING, Constant { name, ordinal: at })
}

fn rounding(value: &Value) -> Result<Rounding, Raise> {
    let at = match value {
        Value::Int(old) => usize::try_from(*old).ok(),
        other => enumeration::ordinal(other),
    };
    at.and_then(|at| NAMES.get(at)).map(|(_, mode)| *mode).ok_or(Raise::NoMatch)
}

fn of(this: &Value) -> Result<&Decimal, Raise> {
    match this {
        Value::Decimal(number) => Ok(number),
        _ => Err(Raise::NoMatch),
    }
}

fn new(vm: &mut Vm, args: &[Value]) -> Answer {
    match args {
        // The exact value of the double, digit by digit, as Java makes it.
        [Value::Double(number)] => Decimal::parse(&exact(*number)).map(Value::decimal).ok_or(Raise::NoMatch),
        [value] if value.is_number() => number::to_decimal(value).map(Value::decimal).ok_or(Raise::NoMatch),
        [text] => {
            let text = vm.str_arg(text)?;
            convert::parse_decimal(vm, &text)
        }
        _ => Err(Raise::NoMatch),
    }
}

fn exact(number: f64) -> String {
    let text = format!("{number:.1074}");
    let text = text.trim_end_matches('0');
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// Digits behind the point that a quotient may be asked for; more would cost minutes.
const MAX_SCALE: u32 = 10_000;

fn divide(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (other, scale, mode) = match args {
        [other] => (other, None, Rounding::HalfUp),
        [other, mode] => (other, Some(of(this)?.scale), rounding(mode)?),
        [other, scale, mode] => (other, Some(int(vm, scale)?), rounding(mode)?),
        _ => return Err(Raise::NoMatch),
    };
    let (a, b) = (of(this)?, number::to_decimal(other).ok_or(Raise::NoMatch)?);
    if b.is_zero() {
        return Err(vm.throw(
            "java.lang.ArithmeticException",
            if a.is_zero() { "Division undefined" } else { "Division by zero" },
        ));
    }
    if scale.is_some_and(|scale| scale.unsigned_abs() > MAX_SCALE) {
        return Err(vm.throw("java.lang.ArithmeticException", "Overflow: the quotient would have too many digits"));
    }
    let Some(scale) = scale else {
        return match a.divide_exact(&b) {
            Some(number) => Ok(Value::decimal(number)),
            None => Err(vm.throw(
                "java.lang.ArithmeticException",
                "Non-terminating decimal expansion; no exact representable decimal result.",
            )),
        };
    };
    // Enough digits that cutting to the scale is right.
    let digits = a.precision()
        + b.precision()
        + u64::from(scale.unsigned_abs())
        + u64::from(a.scale.unsigned_abs())
        + u64::from(b.scale.unsigned_abs())
        + 3;
    let long = a.divide_to(&b, digits, Rounding::Down).and_then(|number| number.set_scale(scale, mode));
    long.map(Value::decimal).ok_or_else(|| vm.throw("java.lang.ArithmeticException", "Overflow"))
}

fn extreme(vm: &mut Vm, this: &Value, args: &[Value], larger: bool) -> Answer {
    match args {
        [other @ Value::Decimal(_)] => {
            Ok(if vm.compare(this, other)?.is_lt() == larger { other.clone() } else { this.clone() })
        }
        _ => Err(Raise::NoMatch),
    }
}
