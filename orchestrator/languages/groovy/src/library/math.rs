//! `java.lang.Math` and `java.lang.StrictMath`.

use super::arguments::{double, int, long};
use super::numbers::{java_round, pick};
use super::{Answer, Declared, Extension, Static, function};
use crate::number;
use crate::value::Value;
use crate::vm::{Raise, Vm};

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: "java.lang.Math", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "java.lang.StrictMath", parent: "java.lang.Object", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.lang.Math", methods: &[], statics: STATICS, new: None },
    Extension { of: "java.lang.StrictMath", methods: &[], statics: STATICS, new: None },
];

const STATICS: &[Static] = &[
    function("PI", 0, 0, |_, _| Ok(Value::Double(std::f64::consts::PI))),
    function("E", 0, 0, |_, _| Ok(Value::Double(std::f64::consts::E))),
    function("abs", 1, 1, abs),
    function("max", 2, 2, |vm, args| pick(vm, args, true)),
    function("min", 2, 2, |vm, args| pick(vm, args, false)),
    function("round", 1, 1, |_, args| match args {
        #[expect(clippy::cast_possible_truncation, reason = "Java's Math.round(float) is an int")]
        [Value::Float(number)] => Ok(Value::Int((f64::from(*number) + 0.5).floor() as i32)),
        [number] => Ok(Value::Long(java_round(double(number)?))),
        _ => Err(Raise::NoMatch),
    }),
    function("ceil", 1, 1, |_, args| of(args, f64::ceil)),
    function("floor", 1, 1, |_, args| of(args, f64::floor)),
    function("rint", 1, 1, |_, args| of(args, f64::round_ties_even)),
    function("sqrt", 1, 1, |_, args| of(args, f64::sqrt)),
    function("cbrt", 1, 1, |_, args| of(args, f64::cbrt)),
    function("exp", 1, 1, |_, args| of(args, f64::exp)),
    function("expm1", 1, 1, |_, args| of(args, f64::exp_m1)),
    function("log", 1, 1, |_, args| of(args, f64::ln)),
    function("log10", 1, 1, |_, args| of(args, f64::log10)),
    function("log1p", 1, 1, |_, args| of(args, f64::ln_1p)),
    function("sin", 1, 1, |_, args| of(args, f64::sin)),
    function("cos", 1, 1, |_, args| of(args, f64::cos)),
    function("tan", 1, 1, |_, args| of(args, f64::tan)),
    function("asin", 1, 1, |_, args| of(args, f64::asin)),
    function("acos", 1, 1, |_, args| of(args, f64::acos)),
    function("atan", 1, 1, |_, args| of(args, f64::atan)),
    function("sinh", 1, 1, |_, args| of(args, f64::sinh)),
    function("cosh", 1, 1, |_, args| of(args, f64::cosh)),
    function("tanh", 1, 1, |_, args| of(args, f64::tanh)),
    function("toDegrees", 1, 1, |_, args| of(args, f64::to_degrees)),
    function("toRadians", 1, 1, |_, args| of(args, f64::to_radians)),
    function("signum", 1, 1, |_, args| of(args, |number| if number == 0.0 { number } else { number.signum() })),
    function("pow", 2, 2, |_, args| two(args, f64::powf)),
    function("atan2", 2, 2, |_, args| two(args, f64::atan2)),
    function("hypot", 2, 2, |_, args| two(args, f64::hypot)),
    function("floorMod", 2, 2, |vm, args| divided(vm, args, |a, b| divisible(b).map(|b| floor_mod(a, b)))),
    function("floorDiv", 2, 2, |vm, args| {
        divided(vm, args, |a, b| {
            divisible(b).map(|b| a.wrapping_div(b) - i64::from(a.wrapping_rem(b) != 0 && (a < 0) != (b < 0)))
        })
    }),
    function("addExact", 2, 2, |vm, args| whole(vm, args, i64::checked_add)),
    function("subtractExact", 2, 2, |vm, args| whole(vm, args, i64::checked_sub)),
    function("multiplyExact", 2, 2, |vm, args| whole(vm, args, i64::checked_mul)),
    function("toIntExact", 1, 1, |vm, args| {
        let number = args.first().ok_or(Raise::NoMatch).and_then(long)?;
        i32::try_from(number).map(Value::Int).map_err(|_| vm.throw("java.lang.ArithmeticException", "integer overflow"))
    }),
    function("random", 0, 0, |vm, _| Ok(Value::Double(super::random::unit(vm.random())))),
];

fn floor_mod(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

fn divisible(b: i64) -> Option<i64> {
    (b != 0).then_some(b)
}

fn of(args: &[Value], run: fn(f64) -> f64) -> Answer {
    match args {
        [number] => Ok(Value::Double(run(double(number)?))),
        _ => Err(Raise::NoMatch),
    }
}

fn two(args: &[Value], run: fn(f64, f64) -> f64) -> Answer {
    match args {
        [a, b] => Ok(Value::Double(run(double(a)?, double(b)?))),
        _ => Err(Raise::NoMatch),
    }
}

fn abs(_: &mut Vm, args: &[Value]) -> Answer {
    match args {
        [Value::Decimal(number)] => Ok(Value::Double(number.to_f64().abs())),
        [number] if double(number)? < 0.0 => number::negate(number).ok_or(Raise::NoMatch),
        [number] => Ok(number.clone()),
        _ => Err(Raise::NoMatch),
    }
}

fn divided(vm: &mut Vm, args: &[Value], run: fn(i64, i64) -> Option<i64>) -> Answer {
    match args {
        [_, b] if b.as_i64() == Some(0) => Err(vm.throw("java.lang.ArithmeticException", "/ by zero")),
        _ => whole(vm, args, run),
    }
}

/// Between two ints an int, else a long; an exception when it does not fit, or for a division by zero.
fn whole(vm: &mut Vm, args: &[Value], run: fn(i64, i64) -> Option<i64>) -> Answer {
    let [a, b] = args else { return Err(Raise::NoMatch) };
    let ints = int(vm, a).is_ok() && int(vm, b).is_ok();
    let (a, b) = (long(a)?, long(b)?);
    let answer = run(a, b);
    let kind = if ints { "integer overflow" } else { "long overflow" };
    match answer {
        Some(number) if ints => match i32::try_from(number) {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Err(vm.throw("java.lang.ArithmeticException", kind)),
        },
        Some(number) => Ok(Value::Long(number)),
        None => Err(vm.throw("java.lang.ArithmeticException", kind)),
    }
}
