//! Operators between any two values.

use std::cmp::Ordering;
use std::rc::Rc;

use super::thread::{Called, Then};
use super::{Raise, Vm};
use crate::code::{Binary, Ty, Unary};
use crate::library::Answer;
use crate::limits;
use crate::number::{self, Arith, NoResult};
use crate::types::id;
use crate::value::{Iter, ListKind, Range, Value, Walk};

impl Vm {
    /// `a op b`.
    pub(crate) fn binary(&mut self, op: Binary, a: Value, b: Value) -> Result<Called, Raise> {
        let arith = match op {
            Binary::Add => (Arith::Add, "plus"),
            Binary::Subtract => (Arith::Subtract, "minus"),
            Binary::Multiply => (Arith::Multiply, "multiply"),
            Binary::Divide => (Arith::Divide, "div"),
            Binary::Remainder => (Arith::Remainder, "mod"),
            Binary::Power => (Arith::Power, "power"),
            Binary::And => (Arith::And, "and"),
            Binary::Or => (Arith::Or, "or"),
            Binary::Xor => (Arith::Xor, "xor"),
            Binary::Left => (Arith::Left, "leftShift"),
            Binary::Right => (Arith::Right, "rightShift"),
            Binary::RightUnsigned => (Arith::RightUnsigned, "rightShiftUnsigned"),
            other => return self.relation(other, a, b),
        };
        self.arithmetic(arith.0, arith.1, a, b)
    }

    fn arithmetic(&mut self, op: Arith, name: &str, a: Value, b: Value) -> Result<Called, Raise> {
        match (op, &a, &b) {
            (Arith::Add, Value::Str(x), _) => {
                let y = self.text(&b)?;
                self.charge(x.len() + y.len())?;
                return Ok(Called::Value(Value::from(format!("{x}{y}"))));
            }
            (Arith::Add, Value::GStr(x), Value::GStr(y)) => {
                let joined = self.join_gstrings(x, y);
                return Ok(Called::Value(joined));
            }
            (Arith::Add, Value::GStr(x), _) => {
                let text = self.text(&b)?;
                let tail = Rc::new(crate::value::GStr { strings: vec![text], values: Vec::new() });
                let joined = self.join_gstrings(x, &tail);
                return Ok(Called::Value(joined));
            }
            (
                Arith::Add,
                Value::Null | Value::Char(_) | Value::Bool(_) | Value::Class(_),
                Value::Str(_) | Value::GStr(_),
            ) => {
                let text = format!("{}{}", self.text(&a)?, self.text(&b)?);
                return Ok(Called::Value(Value::from(text)));
            }
            (Arith::And | Arith::Or | Arith::Xor, Value::Bool(x), other) => {
                let y = self.truth(other)?;
                return Ok(Called::Value(Value::Bool(match op {
                    Arith::And => *x & y,
                    Arith::Or => *x | y,
                    _ => *x ^ y,
                })));
            }
            _ => {}
        }
        match number::arith(op, &a, &b) {
            Ok(value) => {
                if let Value::BigInt(number) = &value {
                    self.charge(usize::try_from(number.bits() / 8).unwrap_or(usize::MAX))?;
                }
                return Ok(Called::Value(value));
            }
            Err(NoResult::Throws(class, text)) => return Err(self.throw(class, text)),
            Err(NoResult::NotNumbers) => {}
        }
        if a.is_number() && matches!(b, Value::Str(_) | Value::GStr(_)) && op == Arith::Add {
            let text = format!("{}{}", self.text(&a)?, self.text(&b)?);
            return Ok(Called::Value(Value::from(text)));
        }
        if a.is_null() && op == Arith::Add {
            let text = format!("Cannot execute null+{}", self.text(&b)?);
            return Err(self.throw("java.lang.NullPointerException", text));
        }
        if a.is_null() {
            let text = format!("Cannot invoke method {name}() on null object");
            return Err(self.throw("java.lang.NullPointerException", text));
        }
        self.invoke(&a, name, vec![b])
    }

    fn join_gstrings(&mut self, a: &crate::value::GStr, b: &crate::value::GStr) -> Value {
        let mut strings = a.strings.clone();
        let joint =
            format!("{}{}", strings.pop().unwrap_or_else(|| Rc::from("")), b.strings.first().map_or("", |text| text));
        strings.push(Rc::from(joint));
        strings.extend(b.strings.iter().skip(1).cloned());
        let values = a.values.iter().chain(&b.values).cloned().collect();
        self.gstring(strings, values)
    }

    fn relation(&mut self, op: Binary, a: Value, b: Value) -> Result<Called, Raise> {
        Ok(Called::Value(match op {
            Binary::Equal => Value::Bool(self.equals(&a, &b)?),
            Binary::NotEqual => Value::Bool(!self.equals(&a, &b)?),
            Binary::Compare => Self::order_number(self.compare(&a, &b)?),
            Binary::In => return self.is_case(&b, a),
            Binary::Find => self.regex_find(&a, &b)?,
            Binary::Match => self.regex_match(&a, &b)?,
            _ => Value::Bool(self.ordered(op, &a, &b)?),
        }))
    }

    /// `<`, `<=`, `>`, `>=`.
    pub(crate) fn ordered(&mut self, op: Binary, a: &Value, b: &Value) -> Result<bool, Raise> {
        let order = self.compare(a, b)?;
        Ok(match op {
            Binary::Less => order == Ordering::Less,
            Binary::LessEqual => order != Ordering::Greater,
            Binary::Greater => order == Ordering::Greater,
            _ => order != Ordering::Less,
        })
    }

    /// Prefix operators, and `next`/`previous` of `++`/`--`.
    pub(crate) fn unary(&mut self, op: Unary, value: Value) -> Result<Called, Raise> {
        let name = match op {
            Unary::Minus => "negative",
            Unary::Plus => "positive",
            Unary::BitNot => "bitwiseNegate",
            Unary::Next => "next",
            Unary::Previous => "previous",
        };
        match (op, &value) {
            (Unary::Minus, number) if number.is_number() => {
                return Ok(Called::Value(number::negate(number).unwrap_or_default()));
            }
            (Unary::Plus, number) if number.is_number() => return Ok(Called::Value(value)),
            (Unary::BitNot, Value::Str(_) | Value::GStr(_)) => return self.regex_pattern(&value).map(Called::Value),
            (Unary::BitNot, number) => {
                if let Some(result) = number::complement(number) {
                    return Ok(Called::Value(result));
                }
            }
            (Unary::Next | Unary::Previous, number) if number.is_number() => {
                let step = Value::Int(if op == Unary::Next { 1 } else { -1 });
                let result = number::arith(Arith::Add, number, &step).unwrap_or_default();
                return Ok(Called::Value(result));
            }
            (Unary::Next | Unary::Previous, Value::Str(_) | Value::Char(_)) => {
                return self.next_of(&value, op == Unary::Next).map(Called::Value);
            }
            (Unary::Minus | Unary::Plus, Value::List(list)) => {
                let items = list.items.borrow().clone();
                let mut result = Vec::new();
                for item in items {
                    let called = self.unary(op, item)?;
                    result.push(self.finish_nested(called)?);
                }
                return Ok(Called::Value(self.list(result)));
            }
            _ => {}
        }
        if value.is_null() {
            let text = format!("Cannot invoke method {name}() on null object");
            return Err(self.throw("java.lang.NullPointerException", text));
        }
        self.invoke(&value, name, Vec::new())
    }

    /// `from..to`.
    pub(crate) fn range(&mut self, from: Value, to: Value, inclusive: bool) -> Answer {
        let (from, to) = match (&from, &to) {
            (Value::Byte(_) | Value::Short(_), _) | (_, Value::Byte(_) | Value::Short(_)) => {
                (shrunk(&from), shrunk(&to))
            }
            (Value::GStr(_), _) | (_, Value::GStr(_)) => (Value::Str(self.text(&from)?), Value::Str(self.text(&to)?)),
            _ => (from, to),
        };
        let order = self.compare(&from, &to)?;
        let reverse = order == Ordering::Greater;
        if inclusive {
            let (from, to) = if reverse { (to, from) } else { (from, to) };
            return Ok(Value::Range(Rc::new(Range { from, to, reverse, empty: false, exclusive: false })));
        }
        if order == Ordering::Equal {
            return Ok(Value::Range(Rc::new(Range {
                from: from.clone(),
                to,
                reverse: false,
                empty: true,
                exclusive: true,
            })));
        }
        let last = self.next_of(&to, reverse)?;
        let (from, to) = if reverse { (last, from) } else { (from, last) };
        Ok(Value::Range(Rc::new(Range { from, to, reverse, empty: false, exclusive: true })))
    }

    /// `switch`: whether a value fits a case; also `value in case`.
    pub(crate) fn is_case(&mut self, case: &Value, value: Value) -> Result<Called, Raise> {
        Ok(Called::Value(Value::Bool(match case {
            Value::Null => value.is_null(),
            Value::Class(class) => match &value {
                Value::Class(other) => self.descends(other, class) || self.is_a(&value, class),
                _ => self.is_a(&value, class),
            },
            Value::Closure(closure) => {
                let called = self.call_closure_with(&closure.clone(), vec![value])?;
                return self.truth_of(called);
            }
            Value::List(_) | Value::Set(_) | Value::Range(_) => self.contains(case, &value)?,
            Value::Map(map) => {
                let held = self.map_get(&map.clone(), &value)?.unwrap_or_default();
                self.truth(&held)?
            }
            Value::Object(_) if self.has_own(case, "isCase") => {
                let called = self.invoke(case, "isCase", vec![value])?;
                return self.truth_of(called);
            }
            Value::Native(native) if native.class == id::PATTERN => {
                if value.is_null() {
                    false
                } else {
                    let text = Value::Str(self.text(&value)?);
                    let answer = self.regex_match(&text, case)?;
                    self.truth(&answer)?
                }
            }
            _ => self.equals(case, &value)?,
        })))
    }

    fn truth_of(&mut self, called: Called) -> Result<Called, Raise> {
        Ok(match called {
            Called::Value(value) => Called::Value(Value::Bool(self.truth(&value)?)),
            Called::Enter(mut invocation) if matches!(invocation.then, Then::Push) => {
                invocation.then = Then::Truth;
                Called::Enter(invocation)
            }
            other => other,
        })
    }

    /// `a.equals(b)`: unlike `==`, `1` is not `1L`, and a `GString` is no `String`.
    ///
    /// # Errors
    /// What a script's own `equals` throws.
    pub fn java_equals(&mut self, a: &Value, b: &Value) -> Result<bool, Raise> {
        if a.same(b) {
            return Ok(true);
        }
        match a {
            Value::Object(_) => self.object_equals(a, b),
            _ => Ok(!matches!(b, Value::Object(_)) && self.key(a)? == self.key(b)?),
        }
    }

    /// Whether a collection has an element, by Groovy's `==` for ranges of numbers and by `equals` else.
    pub fn contains(&mut self, collection: &Value, value: &Value) -> Result<bool, Raise> {
        match collection {
            Value::Set(set) => Ok(self.map_get(&set.clone(), value)?.is_some()),
            Value::Range(range) if range.empty => Ok(false),
            Value::Range(range) if range.from.is_number() => {
                if !value.is_number() {
                    return Ok(false);
                }
                let low = number::compare(&range.from, value).is_some_and(|order| order != Ordering::Greater);
                let high = number::compare(value, &range.to).is_some_and(|order| order != Ordering::Greater);
                Ok(low && high && number::to_decimal(value).is_some_and(|number| number.strip().scale <= 0))
            }
            other => {
                for item in self.elements(other)? {
                    if self.java_equals(&item, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// An iterator over anything that `for (x in ...)` takes.
    pub(crate) fn iterate(&mut self, value: &Value) -> Answer {
        let state = match value {
            Value::Iter(_) => return Ok(value.clone()),
            Value::List(list) => Walk::Live { list: list.clone(), next: 0, len: list.items.borrow().len() },
            Value::Map(map) => Walk::Keyed { map: map.clone(), items: self.map_entries(map), next: 0 },
            Value::Set(map) => Walk::Keyed { map: map.clone(), items: self.elements(value)?, next: 0 },
            Value::Range(range) => match (range.from.as_i64(), range.to.as_i64(), range.empty) {
                (Some(from), Some(to), false) if matches!(range.from, Value::Int(_)) => {
                    if range.reverse {
                        Walk::Ints { next: to, last: from, step: -1 }
                    } else {
                        Walk::Ints { next: from, last: to, step: 1 }
                    }
                }
                _ => Walk::Copy { items: self.elements(value)?, next: 0 },
            },
            Value::Object(_) if self.has_own(value, "iterator") => {
                let iterator = self.call_method(value, "iterator", &[])?;
                return if iterator.same(value) { Ok(self.user_iterator(iterator)) } else { self.iterate(&iterator) };
            }
            Value::Object(_) if self.has_own(value, "hasNext") && self.has_own(value, "next") => {
                return Ok(self.user_iterator(value.clone()));
            }
            other => Walk::Copy { items: self.elements(other)?, next: 0 },
        };
        Ok(Value::Iter(self.heap.keep(Iter { state: state.into() })))
    }

    fn user_iterator(&mut self, value: Value) -> Value {
        Value::Iter(self.heap.keep(Iter { state: Walk::User(value).into() }))
    }

    /// The element of a list for one variable of `def (a, b) = list`.
    pub(crate) fn unpack(&mut self, list: &Value, at: &Value) -> Answer {
        let index = usize::try_from(at.as_i64().unwrap_or(0)).unwrap_or(0);
        match list {
            Value::List(list) => Ok(list.items.borrow().get(index).cloned().unwrap_or_default()),
            Value::Null => {
                Err(self.throw("java.lang.NullPointerException", "Cannot invoke method getAt() on null object"))
            }
            Value::Str(text) => Ok(text.chars().nth(index).map_or(Value::Null, |char| Value::from(char.to_string()))),
            Value::Range(_) | Value::Set(_) | Value::Iter(_) => {
                Ok(self.elements(list)?.get(index).cloned().unwrap_or_default())
            }
            other => {
                let called = self.index(other, at.clone())?;
                self.finish_nested(called)
            }
        }
    }

    /// `new int[3][2]`.
    pub(crate) fn new_array(&mut self, code: &Rc<crate::code::Code>, index: u32, sizes: &[Value]) -> Answer {
        let Some(spec) = code.types.get(index as usize) else { return Err(Raise::NoMatch) };
        let element = crate::code::TypeSpec { name: spec.name.clone(), dimensions: 0 };
        let ty = self.resolve_spec(&element, &code.unit)?;
        let open = (spec.dimensions as usize + 1).saturating_sub(sizes.len());
        self.array(&ty, sizes, open)
    }

    fn array(&mut self, ty: &Ty, sizes: &[Value], open: usize) -> Answer {
        let Some((first, rest)) = sizes.split_first() else { return Ok(Value::Null) };
        let count = number::to_i64(first).unwrap_or(0);
        if count < 0 {
            return Err(self.throw("java.lang.NegativeArraySizeException", count.to_string()));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > limits::MAX_SINGLE / size_of::<Value>() {
            return Err(self.throw("java.lang.OutOfMemoryError", "Requested array size exceeds VM limit"));
        }
        self.charge(count * size_of::<Value>())?;
        let nested = !rest.is_empty() || open > 0;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(if rest.is_empty() {
                if nested { Value::Null } else { self.zero(ty) }
            } else {
                self.array(ty, rest, open)?
            });
        }
        let kind = if nested { ListKind::Java(id::A_OBJECT) } else { self.array_kind(ty) };
        Ok(self.list_of(kind, items))
    }

    /// The first value of a variable of a type: zero for primitives, else `null`.
    pub(crate) fn zero(&self, ty: &Ty) -> Value {
        let Ty::Class(crate::value::ClassRef::Builtin(class)) = ty else { return Value::Null };
        match *class {
            id::P_INT => Value::Int(0),
            id::P_LONG => Value::Long(0),
            id::P_SHORT => Value::Short(0),
            id::P_BYTE => Value::Byte(0),
            id::P_CHAR => Value::Char('\0'),
            id::P_FLOAT => Value::Float(0.0),
            id::P_DOUBLE => Value::Double(0.0),
            id::P_BOOLEAN => Value::Bool(false),
            _ => Value::Null,
        }
    }

    fn regex_find(&mut self, text: &Value, pattern: &Value) -> Answer {
        let text = Value::Str(self.text(text)?);
        crate::library::find(self, &text, pattern)
    }

    fn regex_match(&mut self, text: &Value, pattern: &Value) -> Answer {
        if text.is_null() {
            return Ok(Value::Bool(pattern.is_null()));
        }
        let text = Value::Str(self.text(text)?);
        crate::library::matches(self, &text, pattern)
    }

    fn regex_pattern(&mut self, text: &Value) -> Answer {
        let text = Value::Str(self.text(text)?);
        crate::library::pattern(self, &text)
    }
}

fn shrunk(value: &Value) -> Value {
    match value.as_i64().map(i32::try_from) {
        Some(Ok(number)) => Value::Int(number),
        _ => value.clone(),
    }
}
