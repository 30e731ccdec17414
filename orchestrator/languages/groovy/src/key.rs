//! Canonical keys of maps and sets: two values are the same key when Java's `equals` says so.

use std::rc::Rc;

use num_bigint::BigInt;

/// A value in the form in which a map compares it. Made by [`crate::Vm::key`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    /// `null`.
    Null,
    /// A truth.
    Bool(bool),
    /// A whole number with its Java type's letter (`1` and `1L` are two keys).
    Whole(u8, i64),
    /// A character.
    Char(char),
    /// The bits of a `Double` (or, widened, a `Float`: second field true).
    Float(u64, bool),
    /// A `BigInteger`.
    Big(Rc<BigInt>),
    /// A `BigDecimal`: unscaled value and scale.
    Decimal(Rc<BigInt>, i32),
    /// A `String`.
    Str(Rc<str>),
    /// A `GString`, which is never equal to a `String`.
    GStr(Rc<str>),
    /// A list.
    List(Rc<[Key]>),
    /// A set: keys in canonical order.
    Set(Rc<[Key]>),
    /// A map: entries in canonical order.
    Map(Rc<[(Key, Key)]>),
    /// Anything that is only equal to itself: its address. The map keeps the value, so the address stays taken.
    Identity(usize),
    /// A script's own `hashCode`, and the address of the first equal key in the map.
    Custom(i32, usize),
    /// A class.
    Class(Rc<str>),
    /// A library value with its class and the text that tells it apart.
    Text(u16, Rc<str>),
}
