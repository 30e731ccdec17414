//! `java.util.Random`: Java's own generator, so that a seed gives the numbers that it gives there. Without a seed it is
//! seeded by the host.

use std::cell::Cell;

use super::arguments::{int, string, whole, yes};
use super::{Answer, Declared, Extension, Method, method};
use crate::types::id;
use crate::value::{ListKind, Value};
use crate::vm::{Raise, Vm};

/// State: 48 bits.
pub(crate) struct Random(Cell<u64>);

const RANDOM: &str = "java.util.Random";
const MASK: u64 = (1 << 48) - 1;
const MULTIPLIER: u64 = 0x5_DEEC_E66D;

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: RANDOM, parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "java.security.SecureRandom", parent: RANDOM, interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: RANDOM, methods: METHODS, statics: &[], new: Some(new) },
    Extension { of: "java.security.SecureRandom", methods: &[], statics: &[], new: Some(|vm, _| new(vm, &[])) },
];

const METHODS: &[Method] = &[
    method("nextInt", 0, 2, next_int),
    method("nextLong", 0, 0, |_, this, _| {
        let state = of(this)?;
        let high = i64::from(state.bits(32)) << 32;
        Ok(Value::Long(high.wrapping_add(i64::from(state.bits(32)))))
    }),
    method("nextBoolean", 0, 0, |_, this, _| yes(of(this)?.bits(1) != 0)),
    method("nextDouble", 0, 0, |_, this, _| Ok(Value::Double(of(this)?.double()))),
    method("nextFloat", 0, 0, |_, this, _| {
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
        Ok(Value::Float(of(this)?.bits(24) as f32 / (1 << 24) as f32))
    }),
    method("nextGaussian", 0, 0, |_, this, _| {
        let state = of(this)?;
        loop {
            let (a, b) = (2.0 * state.double() - 1.0, 2.0 * state.double() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square != 0.0 {
                return Ok(Value::Double(a * (-2.0 * square.ln() / square).sqrt()));
            }
        }
    }),
    method("nextBytes", 1, 1, |_, this, args| {
        let (state, [Value::List(list)]) = (of(this)?, args) else { return Err(Raise::NoMatch) };
        if list.kind != ListKind::Java(id::P_BYTE) {
            return Err(Raise::NoMatch);
        }
        let mut items = list.items.borrow_mut();
        for four in items.chunks_mut(4) {
            let mut bits = state.bits(32);
            for item in four {
                #[expect(clippy::cast_possible_truncation, reason = "Java keeps the low byte")]
                let byte = bits as i8;
                *item = Value::Byte(byte);
                bits >>= 8;
            }
        }
        Ok(Value::Null)
    }),
    method("setSeed", 1, 1, |_, this, args| {
        let seed = whole(args.first().ok_or(Raise::NoMatch)?)?;
        of(this)?.0.set((seed.cast_unsigned() ^ MULTIPLIER) & MASK);
        Ok(Value::Null)
    }),
    method("toString", 0, 0, |_, _, _| string("java.util.Random@1")),
];

impl Random {
    fn bits(&self, many: u32) -> i32 {
        let next = self.0.get().wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        self.0.set(next);
        #[expect(clippy::cast_possible_truncation, reason = "Java keeps the low 32 bits")]
        let high = (next.cast_signed() >> (48 - many)) as i32;
        high
    }

    fn double(&self) -> f64 {
        let high = i64::from(self.bits(26)) << 27;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let whole = (high + i64::from(self.bits(27))) as f64;
        whole / (1i64 << 53) as f64
    }

    fn below(&self, bound: i32) -> i32 {
        let bits = self.bits(31);
        if bound & (bound - 1) == 0 {
            #[expect(clippy::cast_possible_truncation, reason = "less than the bound")]
            return ((i64::from(bound) * i64::from(bits)) >> 31) as i32;
        }
        let mut bits = bits;
        loop {
            let value = bits % bound;
            if bits.wrapping_sub(value).wrapping_add(bound - 1) >= 0 {
                return value;
            }
            bits = self.bits(31);
        }
    }
}

/// A number of `[0, 1)` from 64 bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

fn new(vm: &mut Vm, args: &[Value]) -> Answer {
    let seed = match args {
        [] => vm.random(),
        [seed] => whole(seed)?.cast_unsigned(),
        _ => return Err(Raise::NoMatch),
    };
    Ok(vm.native(RANDOM, Random(Cell::new((seed ^ MULTIPLIER) & MASK))))
}

fn of(this: &Value) -> Result<&Random, Raise> {
    match this {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn next_int(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let state = of(this)?;
    match args {
        [] => Ok(Value::Int(state.bits(32))),
        [bound] => match int(vm, bound)? {
            bound if bound > 0 => Ok(Value::Int(state.below(bound))),
            _ => super::arguments::illegal(vm, "bound must be positive"),
        },
        [from, to] => {
            let (from, to) = (int(vm, from)?, int(vm, to)?);
            match to.checked_sub(from) {
                Some(width) if width > 0 => Ok(Value::Int(from + state.below(width))),
                _ => super::arguments::illegal(vm, "bound must be greater than origin"),
            }
        }
        _ => Err(Raise::NoMatch),
    }
}
