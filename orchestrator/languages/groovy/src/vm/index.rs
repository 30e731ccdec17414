//! `object[index]` and `object[index] = value`.

use std::rc::Rc;

use super::thread::Called;
use super::{Raise, Vm};
use crate::types::id;
use crate::value::{ClassRef, Value};

impl Vm {
    /// `object[index]`.
    pub(crate) fn index(&mut self, object: &Value, index: Value) -> Result<Called, Raise> {
        match (object, &index) {
            (Value::List(list), Value::Int(number)) => {
                let items = list.items.borrow();
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *number < 0 { i64::from(*number) + length } else { i64::from(*number) };
                if let Some(item) = usize::try_from(at).ok().and_then(|at| items.get(at)) {
                    return Ok(Called::Value(item.clone()));
                }
                drop(items);
                if matches!(list.kind, crate::value::ListKind::Java(_)) {
                    let text = if at < 0 {
                        format!("Negative array index [{number}] too large for array size {length}")
                    } else {
                        format!("Index {number} out of bounds for length {length}")
                    };
                    return Err(self.throw("java.lang.ArrayIndexOutOfBoundsException", text));
                }
                if at < 0 {
                    let text = format!("Negative array index [{number}] too large for array size {length}");
                    return Err(self.throw("java.lang.ArrayIndexOutOfBoundsException", text));
                }
                Ok(Called::Value(Value::Null))
            }
            // Groovy takes `map["${x}"]` for a property, whose name is a `String`.
            (Value::Map(map), Value::GStr(_)) => {
                let key = Value::Str(self.text(&index)?);
                self.map_value(&map.clone(), key)
            }
            (Value::Map(map), _) => self.map_value(&map.clone(), index),
            (Value::Null, Value::Str(name)) => {
                let text = format!("Cannot get property '{name}' on null object");
                Err(self.throw("java.lang.NullPointerException", text))
            }
            (Value::Null, _) => {
                Err(self.throw("java.lang.NullPointerException", "Cannot invoke method getAt() on null object"))
            }
            (Value::Class(class), Value::List(list)) if list.items.borrow().is_empty() => {
                let element = match class {
                    ClassRef::Builtin(class) => *class,
                    ClassRef::User(_) => id::OBJECT,
                };
                Ok(Called::Value(Value::Class(ClassRef::Builtin(self.array_of(element)))))
            }
            (_, Value::Str(name)) if !matches!(object, Value::Str(_) | Value::GStr(_)) => {
                let name = name.clone();
                // Groovy's own `getAt(Object, String)` is nearer than a script's `getAt` that takes anything.
                if !self.takes_anything(object, "getAt")?
                    && let Some(called) = self.try_call(object, "getAt", std::slice::from_ref(&index))?
                {
                    return Ok(called);
                }
                self.get_property(object, &name)
            }
            _ => self.invoke(object, "getAt", vec![index]),
        }
    }

    /// Whether a script's method takes a first argument of any type.
    pub(crate) fn takes_anything(&mut self, object: &Value, name: &str) -> Result<bool, Raise> {
        let Some(class) = self.user_class(object) else { return Ok(false) };
        for method in class.find(name) {
            let Some(ty) = method.code.params.first().map(|param| param.ty) else { continue };
            if self.resolve(&method.code, ty)? != crate::code::Ty::Any {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `object[index] = value`.
    pub(crate) fn set_index(&mut self, object: &Value, index: Value, value: Value) -> Result<Called, Raise> {
        match (object, &index) {
            (Value::Map(map), _) => {
                let index = match index {
                    Value::GStr(_) => Value::Str(self.text(&index)?),
                    other => other,
                };
                self.map_put(&map.clone(), index, value)?;
                Ok(Called::Value(Value::Null))
            }
            (Value::List(list), Value::Int(number)) if list.kind != crate::value::ListKind::Immutable => {
                self.set_item(object, &list.clone(), *number, value)
            }
            (Value::Null, _) => {
                Err(self.throw("java.lang.NullPointerException", "Cannot invoke method putAt() on null object"))
            }
            (Value::List(_), _) => self.invoke(object, "putAt", vec![index, value]),
            (_, Value::Str(name)) => {
                let name = name.clone();
                if !self.takes_anything(object, "putAt")?
                    && let Some(called) = self.try_call(object, "putAt", &[index.clone(), value.clone()])?
                {
                    return Ok(called);
                }
                self.set_property(object, &name, value)
            }
            _ => self.invoke(object, "putAt", vec![index, value]),
        }
    }

    pub(crate) fn set_item(
        &mut self,
        object: &Value,
        list: &Rc<crate::value::List>,
        number: i32,
        value: Value,
    ) -> Result<Called, Raise> {
        let length = list.items.borrow().len();
        let at = if number < 0 { i64::from(number) + i64::try_from(length).unwrap_or(0) } else { i64::from(number) };
        let Ok(at) = usize::try_from(at) else {
            let text = format!("Negative array index [{number}] too large for array size {length}");
            return Err(self.throw("java.lang.ArrayIndexOutOfBoundsException", text));
        };
        if let crate::value::ListKind::Java(element) = list.kind {
            if at >= length {
                let text = format!("Index {number} out of bounds for length {length}");
                return Err(self.throw("java.lang.ArrayIndexOutOfBoundsException", text));
            }
            let ty = crate::code::Ty::Class(ClassRef::Builtin(element));
            let value =
                if element == id::OBJECT || element == id::A_OBJECT { value } else { self.cast(value, &ty, true)? };
            if let Some(place) = list.items.borrow_mut().get_mut(at) {
                *place = value;
            }
            return Ok(Called::Value(Value::Null));
        }
        let _ = object;
        if at >= length {
            self.charge((at - length + 1).saturating_mul(size_of::<Value>()))?;
            list.items.borrow_mut().resize(at + 1, Value::Null);
        }
        if let Some(place) = list.items.borrow_mut().get_mut(at) {
            *place = value;
        }
        Ok(Called::Value(Value::Null))
    }
}
