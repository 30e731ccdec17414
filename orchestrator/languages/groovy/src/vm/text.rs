//! Values as text: `toString`, `inspect`, and Groovy's forms of lists and maps.

use std::fmt::Write as _;
use std::rc::Rc;

use super::{Raise, Vm};
use crate::limits;
use crate::number::{double_text, float_text};
use crate::types::id;
use crate::value::{ClassRef, ListKind, Range, Value};
use crate::vm::maps::Entry;

impl Vm {
    /// `value.toString()` as Groovy prints it (`[a:1]`, `null`).
    ///
    /// # Errors
    /// What a script's own `toString` throws; too much text.
    pub fn text(&mut self, value: &Value) -> Result<Rc<str>, Raise> {
        match value {
            Value::Str(text) => Ok(text.clone()),
            _ => {
                let mut out = String::new();
                self.write(&mut out, value, false)?;
                Ok(Rc::from(out))
            }
        }
    }

    /// `value.inspect()`: strings in quotes.
    ///
    /// # Errors
    /// As [`Vm::text`].
    pub fn inspect(&mut self, value: &Value) -> Result<Rc<str>, Raise> {
        let mut out = String::new();
        self.write(&mut out, value, true)?;
        Ok(Rc::from(out))
    }

    fn write(&mut self, out: &mut String, value: &Value, quoted: bool) -> Result<(), Raise> {
        if out.len() > limits::MAX_SINGLE {
            self.charge(out.len())?;
        }
        let _ = match value {
            Value::Null => write!(out, "null"),
            Value::Bool(truth) => write!(out, "{truth}"),
            Value::Byte(number) => write!(out, "{number}"),
            Value::Short(number) => write!(out, "{number}"),
            Value::Int(number) => write!(out, "{number}"),
            Value::Long(number) => write!(out, "{number}"),
            Value::Char(char) => write!(out, "{char}"),
            Value::Float(number) => write!(out, "{}", float_text(*number)),
            Value::Double(number) => write!(out, "{}", double_text(*number)),
            Value::BigInt(number) => write!(out, "{number}"),
            Value::Decimal(number) => write!(out, "{number}"),
            Value::Str(text) if quoted => return quote(out, text),
            Value::Str(text) => write!(out, "{text}"),
            Value::GStr(_) => {
                let mut text = String::new();
                self.write_gstring(&mut text, value)?;
                if quoted {
                    return quote(out, &text);
                }
                out.push_str(&text);
                Ok(())
            }
            Value::List(list) if list.kind == ListKind::Java(id::P_CHAR) && !quoted => {
                return self.write_items(out, &list.items.borrow().clone(), value, false);
            }
            Value::List(list) => {
                let items = list.items.borrow().clone();
                return self.deeper(|vm| vm.write_items(out, &items, value, quoted));
            }
            Value::Set(map) => {
                let items: Vec<Value> = self.entries(map).into_iter().map(|(key, _)| key).collect();
                return self.deeper(|vm| vm.write_items(out, &items, value, quoted));
            }
            Value::Map(map) => {
                let entries = self.entries(map);
                return self.deeper(|vm| vm.write_entries(out, &entries, value, quoted));
            }
            Value::Range(range) => return self.write_range(out, value, range, quoted),
            Value::Class(ClassRef::User(class)) if class.is_interface() => write!(out, "interface {}", class.name),
            Value::Class(class) => {
                let name = self.name_of(class);
                let kind = match class {
                    ClassRef::Builtin(class) if self.types.get(*class).interface => "interface ",
                    ClassRef::Builtin(class) if self.types.get(*class).parent.is_none() && *class != id::OBJECT => "",
                    _ => "class ",
                };
                write!(out, "{kind}{name}")
            }
            Value::Host(object) => write!(out, "{}", object.text()),
            Value::Native(native) => {
                if let Some(entry) = native.state::<Entry>() {
                    let (key, content) = (entry.key.clone(), entry.value.borrow().clone());
                    self.write(out, &key, quoted)?;
                    out.push('=');
                    return self.write(out, &content, quoted);
                }
                let text = self.own_text(value)?;
                write!(out, "{text}")
            }
            Value::Cell(slot) => {
                let inner = slot.value.borrow().clone();
                return self.write(out, &inner, quoted);
            }
            Value::Object(_) | Value::Closure(_) | Value::Iter(_) => {
                let text = self.own_text(value)?;
                write!(out, "{text}")
            }
        };
        Ok(())
    }

    fn write_gstring(&mut self, out: &mut String, value: &Value) -> Result<(), Raise> {
        let Value::GStr(gstring) = value else { return Ok(()) };
        for (at, text) in gstring.strings.iter().enumerate() {
            out.push_str(text);
            let Some(embedded) = gstring.values.get(at).cloned() else { continue };
            let embedded = match &embedded {
                Value::Closure(_) => self.gstring_part(&embedded)?,
                _ => embedded,
            };
            self.deeper(|vm| vm.write(out, &embedded, false))?;
        }
        Ok(())
    }

    fn write_items(&mut self, out: &mut String, items: &[Value], whole: &Value, quoted: bool) -> Result<(), Raise> {
        out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            if item.same(whole) && !item.is_null() {
                out.push_str("(this Collection)");
            } else {
                self.write(out, item, quoted)?;
            }
        }
        out.push(']');
        Ok(())
    }

    fn write_entries(
        &mut self,
        out: &mut String,
        entries: &[(Value, Value)],
        whole: &Value,
        quoted: bool,
    ) -> Result<(), Raise> {
        if entries.is_empty() {
            out.push_str("[:]");
            return Ok(());
        }
        out.push('[');
        for (at, (key, value)) in entries.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            for (part, item) in [key, value].into_iter().enumerate() {
                if part == 1 {
                    out.push(':');
                }
                if item.same(whole) {
                    out.push_str("(this Map)");
                } else {
                    self.write(out, item, quoted)?;
                }
            }
        }
        out.push(']');
        Ok(())
    }

    fn write_range(&mut self, out: &mut String, value: &Value, range: &Range, quoted: bool) -> Result<(), Raise> {
        if range.empty {
            self.write(out, &range.from, quoted)?;
            out.push_str("..<");
            return self.write(out, &range.from, quoted);
        }
        if !quoted {
            let items = self.range_elements(value)?;
            return self.write_items(out, &items, &Value::Null, false);
        }
        let (first, last) = if range.reverse { (&range.to, &range.from) } else { (&range.from, &range.to) };
        let (first, mut last) = (first.clone(), last.clone());
        if range.exclusive
            && let Value::Int(number) = last
        {
            last = Value::Int(if range.empty {
                number
            } else if range.reverse {
                number - 1
            } else {
                number + 1
            });
        }
        self.write(out, &first, quoted)?;
        out.push_str(if range.exclusive { "..<" } else { ".." });
        self.write(out, &last, quoted)
    }
}

fn quote(out: &mut String, text: &str) -> Result<(), Raise> {
    out.push('\'');
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            other => out.push(other),
        }
    }
    out.push('\'');
    Ok(())
}
