//! Casts: `(T) x`, `x as T`, and the quiet conversions of typed variables and parameters.

use std::rc::Rc;

use super::thread::Called;
use super::{Raise, Vm};
use crate::class::Kind;
use crate::code::Ty;
use crate::library::Answer;
use crate::number;
use crate::types::{TypeId, id};
use crate::value::{ClassRef, ListKind, MapKind, Value};

impl Vm {
    /// `value instanceof ty`.
    pub(crate) fn instance_of(&self, value: &Value, ty: &Ty) -> bool {
        match (value, ty) {
            (Value::Null, _) => false,
            (_, Ty::Any) => true,
            (Value::Host(object), Ty::Unknown(name)) => object.class_name() == &**name || object.is_a(name),
            (_, Ty::Unknown(_)) => false,
            (_, Ty::Class(class)) => match value {
                Value::Host(object) => {
                    let wanted = self.name_of(class);
                    object.class_name() == &*wanted || *class == ClassRef::Builtin(id::OBJECT) || object.is_a(&wanted)
                }
                _ => self.is_a(value, class),
            },
            (Value::List(list), Ty::Array(element)) => match &list.kind {
                ListKind::Java(own) => match &**element {
                    Ty::Any | Ty::Unknown(_) => !super::bind::is_primitive_id(*own),
                    Ty::Class(class) => {
                        *class == ClassRef::Builtin(*own) || self.descends(&ClassRef::Builtin(*own), class)
                    }
                    Ty::Array(_) => *own == id::A_OBJECT,
                },
                _ => false,
            },
            _ => false,
        }
    }

    /// `(ty) value`; with `quiet`, what an assignment to a typed variable does, which is the same in Groovy.
    pub(crate) fn cast(&mut self, value: Value, ty: &Ty, quiet: bool) -> Answer {
        let _ = quiet;
        match ty {
            Ty::Any | Ty::Unknown(_) => Ok(value),
            Ty::Array(element) => self.cast_array(value, element),
            Ty::Class(class) => self.cast_class(value, class),
        }
    }

    fn cast_array(&mut self, value: Value, element: &Ty) -> Answer {
        let items = match &value {
            Value::Null => return Ok(value),
            Value::List(list) => {
                let same = list.kind == self.array_kind(element);
                if same
                    || (matches!(list.kind, ListKind::Java(_))
                        && matches!(element, Ty::Any | Ty::Array(_) | Ty::Class(ClassRef::User(_))))
                {
                    return Ok(value);
                }
                list.items.borrow().clone()
            }
            Value::Set(_) | Value::Range(_) => self.elements(&value)?,
            Value::Str(_) | Value::GStr(_) if *element == Ty::Class(ClassRef::Builtin(id::P_CHAR)) => {
                self.text(&value)?.chars().map(Value::Char).collect()
            }
            Value::Str(_) | Value::GStr(_) if *element == Ty::Class(ClassRef::Builtin(id::STRING)) => {
                self.elements(&value)?
            }
            _ => {
                let name = self.type_text(&Ty::Array(Box::new(element.clone())));
                return Err(self.cast_failed(&value, &name));
            }
        };
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            all.push(self.cast(item, element, true)?);
        }
        let kind = self.array_kind(element);
        Ok(self.list_of(kind, all))
    }

    fn cast_class(&mut self, value: Value, class: &ClassRef) -> Answer {
        let wanted = match class {
            ClassRef::Builtin(wanted) => *wanted,
            ClassRef::User(user) => {
                if value.is_null() || self.is_a(&value, class) {
                    return Ok(value);
                }
                match (&value, user.kind) {
                    (Value::Str(_) | Value::GStr(_), Kind::Enum) => {
                        let name = self.text(&value)?;
                        return self.enum_value(user, &name);
                    }
                    (Value::Closure(_) | Value::Map(_), Kind::Interface | Kind::Trait) => {
                        return self.proxy(value, user);
                    }
                    (Value::List(_) | Value::Map(_), Kind::Class) => return self.construct_from(user, value),
                    _ => {}
                }
                let name = user.name.clone();
                return Err(self.cast_failed(&value, &name));
            }
        };
        if let Some(result) = self.cast_simple(&value, wanted)? {
            return Ok(result);
        }
        let own = ClassRef::Builtin(wanted);
        if value.is_null() || self.is_a(&value, &own) || matches!(value, Value::Host(_)) {
            return Ok(value);
        }
        if matches!(value, Value::Closure(_)) && self.types.get(wanted).interface {
            return Ok(value);
        }
        if let Some(result) = self.cast_collection(&value, wanted)? {
            return Ok(result);
        }
        if let Value::List(list) = &value
            && self.types.get(wanted).new.is_some()
            && !self.types.get(wanted).interface
        {
            let args = list.items.borrow().clone();
            if let Some(made) = self.library_new(wanted, &args)? {
                return Ok(made);
            }
        }
        let name = self.types.get(wanted).name;
        if let Value::List(list) = &value {
            let args = self.type_list(&list.items.borrow().clone());
            let text = format!(
                "Cannot cast object '{}' with class '{}' to class '{name}' due to: groovy.lang.GroovyRuntimeException: Could not find matching constructor for: {name}({args})",
                self.text(&value)?,
                self.class_name(&value)
            );
            return Err(self.throw("org.codehaus.groovy.runtime.typehandling.GroovyCastException", text));
        }
        Err(self.cast_failed(&value, name))
    }

    /// Strings, truths, characters and numbers.
    fn cast_simple(&mut self, value: &Value, wanted: TypeId) -> Result<Option<Value>, Raise> {
        if value.is_null() {
            return match wanted {
                id::P_BOOLEAN => Ok(Some(Value::Bool(false))),
                wanted if super::bind::is_primitive_id(wanted) => {
                    let name = self.types.get(wanted).name;
                    Err(self.cast_null(name))
                }
                _ => Ok(None),
            };
        }
        Ok(match wanted {
            id::STRING => match value {
                Value::Str(_) => Some(value.clone()),
                _ => Some(Value::Str(self.text(value)?)),
            },
            id::BOOLEAN | id::P_BOOLEAN => Some(Value::Bool(self.truth(value)?)),
            id::CHARACTER | id::P_CHAR => match value {
                Value::Char(_) => Some(value.clone()),
                Value::Str(_) | Value::GStr(_) => {
                    let text = self.text(value)?;
                    let mut chars = text.chars();
                    match (chars.next(), chars.next()) {
                        (Some(char), None) => Some(Value::Char(char)),
                        _ => {
                            let name = self.types.get(wanted).name;
                            return Err(self.cast_failed(value, name));
                        }
                    }
                }
                number if number.is_number() => {
                    let code = number::to_i32(number).unwrap_or(0).cast_unsigned() & 0xffff;
                    Some(Value::Char(char::from_u32(code).unwrap_or('\u{fffd}')))
                }
                _ => None,
            },
            id::CLASS if matches!(value, Value::Str(_)) => None,
            _ => to_number(value, wanted).or_else(|| match value {
                // A text of one character is a number by its code, as in Groovy.
                Value::Str(text) if is_number_id(wanted) && text.chars().count() == 1 => {
                    to_number(&Value::Char(text.chars().next().unwrap_or(' ')), wanted)
                }
                _ => None,
            }),
        })
    }

    fn cast_collection(&mut self, value: &Value, wanted: TypeId) -> Result<Option<Value>, Raise> {
        Ok(match (value, wanted) {
            (
                Value::List(_) | Value::Set(_) | Value::Range(_) | Value::Iter(_),
                id::SET | id::LINKED_HASH_SET | id::HASH_SET | id::TREE_SET | id::SORTED_SET,
            ) => {
                let kind = match wanted {
                    id::HASH_SET => MapKind::Hash,
                    id::TREE_SET | id::SORTED_SET => MapKind::Sorted,
                    _ => MapKind::Linked,
                };
                let items = self.elements(value)?;
                Some(self.set_from(kind, items)?)
            }
            (
                Value::List(_) | Value::Set(_) | Value::Range(_) | Value::Iter(_),
                id::LIST | id::ARRAY_LIST | id::COLLECTION | id::ITERABLE | id::ABSTRACT_LIST,
            ) => {
                let items = self.elements(value)?;
                Some(self.list(items))
            }
            (Value::List(_) | Value::Set(_) | Value::Range(_), id::LINKED_LIST | id::QUEUE | id::DEQUE) => {
                let items = self.elements(value)?;
                Some(self.list_of(ListKind::Linked, items))
            }
            (Value::Map(map), id::TREE_MAP | id::SORTED_MAP | id::HASH_MAP) => {
                let kind = if wanted == id::HASH_MAP { MapKind::Hash } else { MapKind::Sorted };
                let made = self.map(kind);
                for (key, value) in self.entries(map) {
                    self.map_put(&made, key, value)?;
                }
                Some(Value::Map(made))
            }
            _ => None,
        })
    }

    /// `value as ty`: as a cast, and beyond it.
    pub(crate) fn as_type(&mut self, value: Value, ty: &Ty) -> Result<Called, Raise> {
        if value.is_null() {
            return Ok(Called::Value(value));
        }
        if let (Value::Object(_), Ty::Class(class)) = (&value, ty)
            && self.has_own(&value, "asType")
        {
            return self.invoke(&value, "asType", vec![Value::Class(class.clone())]);
        }
        if let (Value::Str(_) | Value::GStr(_), Ty::Class(ClassRef::Builtin(wanted))) = (&value, ty) {
            let name = match *wanted {
                id::INTEGER | id::P_INT => "toInteger",
                id::LONG | id::P_LONG => "toLong",
                id::DOUBLE | id::P_DOUBLE => "toDouble",
                id::FLOAT | id::P_FLOAT => "toFloat",
                id::BIG_DECIMAL => "toBigDecimal",
                id::BIG_INTEGER => "toBigInteger",
                id::SHORT | id::P_SHORT => "toShort",
                id::LIST | id::ARRAY_LIST => "toList",
                id::SET => "toSet",
                _ => "",
            };
            if !name.is_empty() {
                return self.invoke(&value, name, Vec::new());
            }
        }
        if let (Value::Map(_) | Value::Closure(_), Ty::Class(ClassRef::User(class))) = (&value, ty)
            && class.kind == Kind::Class
            && !class.script
        {
            return self.map_as_class(&value, &class.clone()).map(Called::Value);
        }
        if let (Value::Object(_), Ty::Class(ClassRef::User(class))) = (&value, ty)
            && class.kind == Kind::Trait
            && !self.is_a(&value, &ClassRef::User(class.clone()))
        {
            return self.with_trait(value, &class.clone()).map(Called::Value);
        }
        self.cast(value, ty, false).map(Called::Value)
    }

    /// A type as messages show it.
    pub(crate) fn type_text(&self, ty: &Ty) -> Rc<str> {
        match ty {
            Ty::Any => Rc::from("java.lang.Object"),
            Ty::Unknown(name) => name.clone(),
            Ty::Class(class) => self.name_of(class),
            Ty::Array(element) => Rc::from(format!("{}[]", self.type_text(element))),
        }
    }

    fn cast_null(&mut self, name: &str) -> Raise {
        let boxed = match name {
            "int" => "java.lang.Integer",
            _ => name,
        };
        let _ = boxed;
        let text = format!(
            "Cannot cast object 'null' with class 'null' to class '{name}'. Try '{}' instead",
            boxed_name(name)
        );
        self.throw("org.codehaus.groovy.runtime.typehandling.GroovyCastException", text)
    }

    /// The exception of a cast that cannot be.
    pub(crate) fn cast_failed(&mut self, value: &Value, name: &str) -> Raise {
        let text = self.text(value).unwrap_or_else(|_| Rc::from("?"));
        let own = self.class_name(value);
        let text = format!("Cannot cast object '{text}' with class '{own}' to class '{name}'");
        self.throw("org.codehaus.groovy.runtime.typehandling.GroovyCastException", text)
    }
}

fn boxed_name(name: &str) -> &'static str {
    match name {
        "int" => "java.lang.Integer",
        "long" => "java.lang.Long",
        "short" => "java.lang.Short",
        "byte" => "java.lang.Byte",
        "char" => "java.lang.Character",
        "float" => "java.lang.Float",
        "double" => "java.lang.Double",
        _ => "java.lang.Boolean",
    }
}

fn is_number_id(wanted: TypeId) -> bool {
    matches!(
        wanted,
        id::P_INT
            | id::INTEGER
            | id::P_LONG
            | id::LONG
            | id::P_SHORT
            | id::SHORT
            | id::P_BYTE
            | id::BYTE
            | id::P_DOUBLE
            | id::DOUBLE
            | id::P_FLOAT
            | id::FLOAT
    )
}

/// A number or character as another number type, wrapped and cut as Java does.
#[expect(clippy::cast_possible_truncation, reason = "Java keeps the low bits")]
pub(crate) fn to_number(value: &Value, wanted: TypeId) -> Option<Value> {
    if !(value.is_number() || matches!(value, Value::Char(_))) {
        return None;
    }
    Some(match wanted {
        id::P_INT | id::INTEGER => Value::Int(number::to_i32(value)?),
        id::P_LONG | id::LONG => Value::Long(number::to_i64(value)?),
        id::P_SHORT | id::SHORT => Value::Short(number::to_i32(value)? as i16),
        id::P_BYTE | id::BYTE => Value::Byte(number::to_i32(value)? as i8),
        id::P_FLOAT | id::FLOAT => match value {
            Value::Float(_) => value.clone(),
            _ => Value::Float(number::to_f64(value)? as f32),
        },
        id::P_DOUBLE | id::DOUBLE => match value {
            Value::Float(number) => Value::Double(f64::from(*number)),
            _ => Value::Double(number::to_f64(value)?),
        },
        id::BIG_INTEGER => Value::big(number::to_big(value)?),
        id::BIG_DECIMAL => match value {
            Value::Decimal(_) => value.clone(),
            _ => Value::decimal(number::to_decimal(value)?),
        },
        _ => return None,
    })
}
