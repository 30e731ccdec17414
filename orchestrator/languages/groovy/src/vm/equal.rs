//! Equality, order, hashes and truth, by Groovy's rules.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Raise, Vm};
use crate::decimal::big_hash;
use crate::key::Key;
use crate::number;
use crate::types::id;
use crate::value::{ClassRef, ListKind, Value};
use crate::vm::maps::Entry;

impl Vm {
    /// `a == b`: numbers by value, `String` and `GString` by text, lists and maps by elements, then `compareTo` for
    /// what is comparable, then `equals`.
    ///
    /// # Errors
    /// What a script's own `equals` or `compareTo` throws.
    pub fn equals(&mut self, a: &Value, b: &Value) -> Result<bool, Raise> {
        if a.same(b) {
            return Ok(true);
        }
        match (a, b) {
            (Value::Null, _) | (_, Value::Null) => Ok(false),
            (Value::Str(_), Value::Str(_)) => Ok(false),
            (Value::Str(_) | Value::GStr(_), Value::Str(_) | Value::GStr(_)) => Ok(self.text(a)? == self.text(b)?),
            (Value::Str(_) | Value::GStr(_), Value::Char(char)) => Ok(&*self.text(a)? == char.encode_utf8(&mut [0; 4])),
            (Value::Char(_), Value::Str(_) | Value::GStr(_)) => self.equals(b, a),
            _ if (a.is_number() || matches!(a, Value::Char(_))) && (b.is_number() || matches!(b, Value::Char(_))) => {
                Ok(number::compare(a, b) == Some(Ordering::Equal))
            }
            (Value::List(_) | Value::Range(_), Value::List(_) | Value::Range(_)) => self.lists_equal(a, b),
            (Value::Set(x), Value::Set(y)) => {
                if x.entries.borrow().len() != y.entries.borrow().len() {
                    return Ok(false);
                }
                let items: Vec<Value> = x.entries.borrow().values().map(|(key, _)| key.clone()).collect();
                for item in items {
                    if !self.in_set(y, &item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Map(x), Value::Map(y)) => {
                if x.entries.borrow().len() != y.entries.borrow().len() {
                    return Ok(false);
                }
                let entries = self.entries(x);
                self.deeper(|vm| {
                    for (key, value) in entries {
                        match vm.map_get(y, &key)? {
                            Some(other) if vm.equals(&value, &other)? => {}
                            _ => return Ok(false),
                        }
                    }
                    Ok(true)
                })
            }
            (Value::Closure(x), Value::Closure(y)) => match (&x.body, &y.body) {
                (
                    crate::value::Body::Method { receiver: a, name: x },
                    crate::value::Body::Method { receiver: b, name: y },
                ) => Ok(x == y && a.same(b)),
                _ => Ok(false),
            },
            (Value::Native(x), Value::Native(y)) => {
                if let (Some(x), Some(y)) = (x.state::<Entry>(), y.state::<Entry>()) {
                    let pairs = [(x.key.clone(), y.key.clone()), (x.value.borrow().clone(), y.value.borrow().clone())];
                    return Ok(self.equals(&pairs[0].0, &pairs[0].1)? && self.equals(&pairs[1].0, &pairs[1].1)?);
                }
                match (self.key(a)?, self.key(b)?) {
                    (Key::Text(x, s), Key::Text(y, t)) => Ok(x == y && s == t),
                    _ => Ok(false),
                }
            }
            (Value::Object(_), _) => {
                // Groovy asks what is comparable for its order, and only the rest for `equals`.
                let comparable = self.user_class(a).is_some_and(|class| !class.find("compareTo").is_empty())
                    && self.is_kind(a, id::COMPARABLE)
                    && matches!(b, Value::Object(_));
                if comparable {
                    return Ok(self.compare_objects(a, b)? == Ordering::Equal);
                }
                self.object_equals(a, b)
            }
            _ => Ok(false),
        }
    }

    fn in_set(&mut self, set: &Rc<crate::value::Map>, item: &Value) -> Result<bool, Raise> {
        if self.map_get(set, item)?.is_some() {
            return Ok(true);
        }
        // Groovy compares the elements of two sets by its own `==`: 1 and 1L are one.
        if !(item.is_number() || matches!(item, Value::GStr(_) | Value::Str(_))) {
            return Ok(false);
        }
        let items: Vec<Value> = set.entries.borrow().values().map(|(key, _)| key.clone()).collect();
        for other in items {
            if self.equals(item, &other)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lists_equal(&mut self, a: &Value, b: &Value) -> Result<bool, Raise> {
        if let (Value::List(x), Value::List(y)) = (a, b)
            && x.items.borrow().len() != y.items.borrow().len()
        {
            return Ok(false);
        }
        let (a, b) = (self.elements(a)?, self.elements(b)?);
        if a.len() != b.len() {
            return Ok(false);
        }
        self.deeper(|vm| {
            for (x, y) in a.iter().zip(&b) {
                if !vm.equals(x, y)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// `a <=> b`; `null` comes first.
    ///
    /// # Errors
    /// What a script's own `compareTo` throws; `IllegalArgumentException` for what has no order.
    pub fn compare(&mut self, a: &Value, b: &Value) -> Result<Ordering, Raise> {
        match (a, b) {
            (Value::Null, Value::Null) => return Ok(Ordering::Equal),
            (Value::Null, _) => return Ok(Ordering::Less),
            (_, Value::Null) => return Ok(Ordering::Greater),
            (Value::Str(x), Value::Str(y)) => return Ok(java_order(x, y)),
            (Value::Str(_) | Value::GStr(_), Value::Str(_) | Value::GStr(_)) => {
                return Ok(java_order(&self.text(a)?, &self.text(b)?));
            }
            (Value::Bool(x), Value::Bool(y)) => return Ok(x.cmp(y)),
            (Value::Char(x), Value::Char(y)) => return Ok(x.cmp(y)),
            (Value::Str(x), Value::Char(y)) => return Ok((**x).cmp(y.encode_utf8(&mut [0; 4]))),
            (Value::Char(_), Value::Str(_)) => return Ok(self.compare(b, a)?.reverse()),
            _ => {}
        }
        if let Some(order) = number::compare(a, b) {
            return Ok(order);
        }
        self.compare_objects(a, b)
    }

    /// A number in Java's way: negative, zero, positive.
    pub(crate) fn order_number(order: Ordering) -> Value {
        Value::Int(order as i32)
    }

    /// `hashCode()`.
    ///
    /// # Errors
    /// What a script's own `hashCode` throws.
    pub fn hash(&mut self, value: &Value) -> Result<i32, Raise> {
        Ok(match value {
            Value::Null => 0,
            Value::Bool(true) => 1231,
            Value::Bool(false) => 1237,
            Value::Byte(_) | Value::Short(_) | Value::Int(_) => number::to_i32(value).unwrap_or(0),
            Value::Long(number) => number::long_hash(number.cast_unsigned()),
            Value::Char(char) => u32::from(*char).cast_signed(),
            Value::Float(number) => number.to_bits().cast_signed(),
            Value::Double(number) => number::long_hash(number.to_bits()),
            Value::BigInt(number) => big_hash(number),
            Value::Decimal(number) => number.hash(),
            Value::Str(text) => text_hash(text),
            Value::GStr(_) => 37i32.wrapping_add(text_hash(&self.text(value)?)),
            Value::List(list) if matches!(list.kind, ListKind::Java(_)) => 1,
            Value::List(_) | Value::Range(_) => {
                let items = self.elements(value)?;
                self.deeper(|vm| {
                    items.iter().try_fold(1i32, |hash, item| Ok(hash.wrapping_mul(31).wrapping_add(vm.hash(item)?)))
                })?
            }
            Value::Set(set) => {
                let items: Vec<Value> = set.entries.borrow().values().map(|(key, _)| key.clone()).collect();
                self.deeper(|vm| items.iter().try_fold(0i32, |hash, item| Ok(hash.wrapping_add(vm.hash(item)?))))?
            }
            Value::Map(map) => {
                let entries: Vec<(Value, Value)> = map.entries.borrow().values().cloned().collect();
                self.deeper(|vm| {
                    entries
                        .iter()
                        .try_fold(0i32, |hash, (key, value)| Ok(hash.wrapping_add(vm.hash(key)? ^ vm.hash(value)?)))
                })?
            }
            Value::Class(class) => text_hash(&self.name_of(class)),
            Value::Closure(closure) => closure.id.cast_signed(),
            Value::Native(native) => {
                if let Some(entry) = native.state::<Entry>() {
                    let (key, value) = (entry.key.clone(), entry.value.borrow().clone());
                    return Ok(self.hash(&key)? ^ self.hash(&value)?);
                }
                match self.native_method(value, "hashCode", &[]) {
                    Some(answer) => number::to_i32(&answer?).unwrap_or(0),
                    None => 1,
                }
            }
            Value::Object(_) => self.object_hash(value)?,
            Value::Iter(_) | Value::Host(_) | Value::Cell(_) => 1,
        })
    }

    /// Groovy truth.
    ///
    /// # Errors
    /// What a script's own `asBoolean` throws.
    pub fn truth(&mut self, value: &Value) -> Result<bool, Raise> {
        Ok(match value {
            Value::Null => false,
            Value::Bool(truth) => *truth,
            Value::Int(number) => *number != 0,
            Value::Char(char) => *char != '\0',
            Value::Str(text) => !text.is_empty(),
            Value::GStr(_) => !self.text(value)?.is_empty(),
            Value::List(list) => !list.items.borrow().is_empty(),
            Value::Map(map) | Value::Set(map) => !map.entries.borrow().is_empty(),
            Value::Range(range) => !range.empty,
            Value::Iter(iter) => self.iter_has_next(iter)?,
            Value::Closure(_) | Value::Class(_) | Value::Host(_) | Value::Cell(_) => true,
            Value::Object(_) => self.object_truth(value)?,
            Value::Native(_) => match self.native_method(value, "asBoolean", &[]) {
                Some(answer) => matches!(answer?, Value::Bool(true)),
                None => true,
            },
            number => number::to_f64(number).is_some_and(|number| number != 0.0),
        })
    }

    /// Calls a method of the library by name, when the value's class has one.
    pub(crate) fn native_method(
        &mut self,
        value: &Value,
        name: &str,
        args: &[Value],
    ) -> Option<crate::library::Answer> {
        let ClassRef::Builtin(class) = self.class_of(value) else { return None };
        let types = self.types.clone();
        let count = u8::try_from(args.len()).unwrap_or(u8::MAX);
        for method in types.get(class).found.get(name)? {
            if method.min <= count && (count <= method.max) {
                match (method.run)(self, value, args) {
                    Err(Raise::NoMatch) => {}
                    answer => return Some(answer),
                }
            }
        }
        None
    }

    /// The text of a library value without a `toString` of its own: `java.util.Foo@1`.
    pub(crate) fn plain_text(&mut self, value: &Value) -> Rc<str> {
        let name = self.class_name(value);
        let number = match value {
            Value::Object(object) => object.id,
            Value::Closure(closure) => closure.id,
            _ => 1,
        };
        Rc::from(format!("{name}@{number:x}"))
    }

    /// Whether a value is a `Throwable`.
    pub fn is_throwable(&self, value: &Value) -> bool {
        matches!(value, Value::Object(_)) && self.is_kind(value, id::THROWABLE)
    }
}

/// `String.compareTo`: by UTF-16 units.
fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// `String.hashCode`.
pub(crate) fn text_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}
