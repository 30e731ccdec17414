//! What the machine asks of objects: their own `toString`, `equals`, `hashCode`, `compareTo`, `iterator`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Raise, Vm};
use crate::library::Answer;
use crate::number;
use crate::types::id;
use crate::value::{Iter, Range, TraceLine, Value, Walk};

impl Vm {
    /// An exception whose message is `null`.
    pub fn exception_without_message(&mut self, class: &str) -> Raise {
        let class = self.types.find(class).unwrap_or(id::RUNTIME_EXCEPTION);
        Raise::Throw(self.throwable(crate::value::ClassRef::Builtin(class), Value::Null, Value::Null))
    }

    /// Elements of a range.
    pub(crate) fn range_elements(&mut self, value: &Value) -> Result<Vec<Value>, Raise> {
        let Value::Range(range) = value else { return Ok(Vec::new()) };
        if range.empty {
            return Ok(Vec::new());
        }
        let mut all = match (whole(&range.from), whole(&range.to)) {
            (Some(from), Some(to)) => {
                self.charge(usize::try_from(to - from).unwrap_or(usize::MAX).saturating_mul(size_of::<Value>()))?;
                (from..=to).map(|number| like(&range.from, number)).collect()
            }
            _ => self.object_range(range)?,
        };
        if range.reverse {
            all.reverse();
        }
        Ok(all)
    }

    fn object_range(&mut self, range: &Range) -> Result<Vec<Value>, Raise> {
        let mut all = Vec::new();
        let mut at = range.from.clone();
        while self.compare(&at, &range.to)? != Ordering::Greater {
            self.charge(size_of::<Value>())?;
            let next = self.next_of(&at, true)?;
            let wraps = self.compare(&next, &at)? != Ordering::Greater;
            all.push(std::mem::replace(&mut at, next));
            // A longer string than the last one would never be met (`'a'..'zz'` ends where Groovy's does).
            if wraps {
                break;
            }
        }
        Ok(all)
    }

    /// The next value of an iterator.
    ///
    /// # Errors
    /// What a script's own iterator throws; `ConcurrentModificationException`.
    pub fn iter_next(&mut self, iter: &Rc<Iter>) -> Result<Option<Value>, Raise> {
        let mut changed = false;
        let user = {
            let mut state = iter.state.borrow_mut();
            match &mut *state {
                Walk::Live { list, next, len } => {
                    let items = list.items.borrow();
                    if *next == items.len() {
                        return Ok(None);
                    }
                    changed = items.len() != *len;
                    if !changed {
                        let item = items.get(*next).cloned();
                        *next += 1;
                        return Ok(item);
                    }
                    None
                }
                Walk::Copy { items, next } => {
                    let item = items.get(*next).cloned();
                    *next += 1;
                    return Ok(item);
                }
                Walk::Keyed { map, items, next } => {
                    if *next >= items.len() {
                        return Ok(None);
                    }
                    changed = map.entries.borrow().len() != items.len();
                    if !changed {
                        let item = items.get(*next).cloned();
                        *next += 1;
                        return Ok(item);
                    }
                    None
                }
                Walk::Ints { next, last, step } => {
                    if (*step > 0 && *next > *last) || (*step < 0 && *next < *last) {
                        return Ok(None);
                    }
                    let item = i32::try_from(*next).map_or(Value::Long(*next), Value::Int);
                    *next += *step;
                    return Ok(Some(item));
                }
                Walk::User(value) => Some(value.clone()),
            }
        };
        if changed {
            return Err(self.exception_without_message("java.util.ConcurrentModificationException"));
        }
        let Some(user) = user else { return Ok(None) };
        let more = self.call_method(&user, "hasNext", &[])?;
        if self.truth(&more)? { self.call_method(&user, "next", &[]).map(Some) } else { Ok(None) }
    }

    /// Whether an iterator has another value.
    pub(crate) fn iter_has_next(&mut self, iter: &Rc<Iter>) -> Result<bool, Raise> {
        let user = match &*iter.state.borrow() {
            Walk::Live { list, next, .. } => return Ok(*next != list.items.borrow().len()),
            Walk::Copy { items, next } | Walk::Keyed { items, next, .. } => return Ok(*next < items.len()),
            Walk::Ints { next, last, step } => return Ok(if *step > 0 { *next <= *last } else { *next >= *last }),
            Walk::User(value) => value.clone(),
        };
        let more = self.call_method(&user, "hasNext", &[])?;
        self.truth(&more)
    }

    /// `next()` or `previous()` of a value that a range walks over.
    pub(crate) fn next_of(&mut self, value: &Value, up: bool) -> Answer {
        let step = if up { 1 } else { -1 };
        if value.is_number() {
            let op = number::Arith::Add;
            return Ok(number::arith(op, value, &Value::Int(step)).unwrap_or_default());
        }
        match value {
            Value::Char(char) => {
                let code = u32::from(*char).wrapping_add_signed(step);
                Ok(Value::Char(char::from_u32(code).unwrap_or(*char)))
            }
            Value::Str(text) => {
                let mut all: Vec<char> = text.chars().collect();
                match all.last_mut() {
                    Some(last) => *last = char::from_u32(u32::from(*last).wrapping_add_signed(step)).unwrap_or(*last),
                    None => all.push('\0'),
                }
                Ok(Value::from(all.into_iter().collect::<String>()))
            }
            other => self.call_method(other, if up { "next" } else { "previous" }, &[]),
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Char(_) => None,
        other => other.as_i64(),
    }
}

fn like(sample: &Value, number: i64) -> Value {
    match (sample, i32::try_from(number)) {
        (Value::Long(_), _) | (_, Err(_)) => Value::Long(number),
        (_, Ok(small)) => Value::Int(small),
    }
}

/// No place.
pub(crate) fn nowhere() -> TraceLine {
    TraceLine { class: "".into(), method: "".into(), file: "".into(), line: 0, column: 0 }
}
