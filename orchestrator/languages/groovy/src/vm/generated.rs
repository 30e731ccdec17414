//! Members that annotations and kinds of class bring: getters and setters, `@ToString`, `@EqualsAndHashCode`, enums,
//! stand-ins for interfaces.

use std::cmp::Ordering;
use std::rc::Rc;

use super::call::Tried;
use super::thread::Called;
use super::{Raise, Vm};
use crate::class::{Class, Generated};
use crate::types::id;
use crate::value::{ClassRef, Value};

impl Vm {
    /// A method that no source has, but the class does.
    pub(crate) fn try_generated(&mut self, this: &Value, class: &Rc<Class>, name: &str, args: &[Value]) -> Tried {
        if let Some(called) = self.try_accessor(this, class, name, args)? {
            return Ok(Some(called));
        }
        let value = match (name, args) {
            ("toString", []) => Value::Str(self.object_text(this)?),
            ("equals", [other]) => Value::Bool(self.object_equals(this, other)?),
            ("hashCode", []) => Value::Int(self.object_hash(this)?),
            ("compareTo", [other]) if self.enum_class(this).is_some() && self.enum_class(other).is_some() => {
                let number =
                    |vm: &Vm, value: &Value| vm.raw_field(value, "$ordinal").and_then(|at| at.as_i64()).unwrap_or(0);
                Value::Int(i32::try_from(number(self, this) - number(self, other)).unwrap_or(0))
            }
            ("compareTo", [other])
                if class.lineage().iter().any(|class| class.generated.sortable) || self.enum_class(this).is_some() =>
            {
                Self::order_number(self.compare_objects(this, other)?)
            }
            ("name", []) if self.enum_class(this).is_some() => self.raw_field(this, "$name").unwrap_or_default(),
            ("ordinal", []) if self.enum_class(this).is_some() => self.raw_field(this, "$ordinal").unwrap_or_default(),
            ("getDeclaringClass", []) if self.enum_class(this).is_some() => {
                self.enum_class(this).map_or(Value::Null, |class| Value::Class(ClassRef::User(class)))
            }
            ("next" | "previous", []) if self.enum_class(this).is_some() => {
                let Some(class) = self.enum_class(this) else { return Ok(None) };
                let all = self.enum_values(&class)?;
                let at = self.raw_field(this, "$ordinal").and_then(|at| at.as_i64()).unwrap_or(0);
                let count = i64::try_from(all.len()).unwrap_or(1).max(1);
                let next = (at + if name == "next" { 1 } else { -1 }).rem_euclid(count);
                usize::try_from(next).ok().and_then(|next| all.get(next).cloned()).unwrap_or_default()
            }
            ("getClass", []) => Value::Class(self.class_of(this)),
            ("getProperties", []) => return self.properties(this, class).map(Some),
            ("getProperty", [member]) => {
                let member = self.text(member)?;
                return self.get_property(this, &member).map(Some);
            }
            ("setProperty", [member, value]) => {
                let member = self.text(member)?;
                return self.set_property(this, &member, value.clone()).map(Some);
            }
            ("invokeMethod", [member, arguments]) => {
                let member = self.text(member)?;
                let list = match arguments {
                    Value::List(list) => list.items.borrow().clone(),
                    Value::Null => Vec::new(),
                    other => vec![other.clone()],
                };
                return self.invoke(this, &member, list).map(Some);
            }
            ("getBinding", []) => match this {
                Value::Object(object) => match object.binding.clone() {
                    Some(binding) => self.binding_object(&binding),
                    None => return Ok(None),
                },
                _ => return Ok(None),
            },
            _ if self.is_throwable(this) => return Ok(self.throwable_method(this, name, args)?.map(Called::Value)),
            _ => return Ok(None),
        };
        Ok(Some(Called::Value(value)))
    }

    pub(crate) fn properties(&mut self, this: &Value, class: &Rc<Class>) -> Result<Called, Raise> {
        let names: Vec<Rc<str>> = class
            .lineage()
            .iter()
            .rev()
            .flat_map(|above| {
                above
                    .fields
                    .borrow()
                    .iter()
                    .filter(|field| field.property && !field.is_static)
                    .map(|field| field.name.clone())
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut entries = Vec::new();
        for name in names {
            let called = self.get_property(this, &name)?;
            entries.push((Value::Str(name), self.finish_nested(called)?));
        }
        entries.push((Value::str("class"), Value::Class(self.class_of(this))));
        let map = self.map(crate::value::MapKind::Hash);
        for (key, value) in entries {
            self.map_put(&map, key, value)?;
        }
        Ok(Called::Value(Value::Map(map)))
    }

    pub(crate) fn try_stand_in(&mut self, held: &Value, name: &str, args: &[Value]) -> Tried {
        match held {
            Value::Closure(closure) if !matches!(name, "toString" | "hashCode" | "equals" | "getClass") => {
                self.call_closure_with(&closure.clone(), args.to_vec()).map(Some)
            }
            Value::Map(map) => match self.map_get(&map.clone(), &Value::str(name))? {
                Some(Value::Closure(closure)) => self.call_closure_with(&closure, args.to_vec()).map(Some),
                _ => Ok(None),
            },
            Value::Object(_) => self.try_call(held, name, args),
            _ => Ok(None),
        }
    }

    /// `getX()`, `isX()`, `setX(v)` of properties.
    fn try_accessor(&mut self, this: &Value, class: &Rc<Class>, name: &str, args: &[Value]) -> Tried {
        let (property, setting) = match args {
            [] => (name.strip_prefix("get").or_else(|| name.strip_prefix("is")), false),
            [_] => (name.strip_prefix("set"), true),
            _ => return Ok(None),
        };
        let Some(property) =
            property.filter(|property| property.starts_with(|char: char| char.is_uppercase() || char == '_'))
        else {
            return Ok(None);
        };
        let mut chars = property.chars();
        let first = chars.next().map(|char| char.to_lowercase().to_string()).unwrap_or_default();
        for candidate in [format!("{first}{}", chars.as_str()), property.to_owned()] {
            let known = class.lineage().iter().any(|above| {
                above
                    .fields
                    .borrow()
                    .iter()
                    .any(|field| field.property && !field.is_static && *field.name == *candidate)
            });
            if !known {
                continue;
            }
            if setting {
                if let Some(raise) = self.read_only(class, &candidate) {
                    let _ = raise;
                    return Ok(None);
                }
                self.set_raw(this, &candidate, args.first().unwrap_or(&Value::Null))?;
                return Ok(Some(Called::Value(Value::Null)));
            }
            return Ok(self.raw_field(this, &candidate).map(Called::Value));
        }
        Ok(None)
    }

    /// `values()`, `valueOf(name)` of enums; `getInstance()` of `@Singleton`; static getters and setters.
    pub(crate) fn try_generated_static(&mut self, class: &Rc<Class>, name: &str, args: &[Value]) -> Tried {
        if class.kind == crate::class::Kind::Enum {
            match (name, args) {
                ("values", []) => {
                    let all = self.enum_values(class)?;
                    return Ok(Some(Called::Value(self.list_of(crate::value::ListKind::Java(id::OBJECT), all))));
                }
                ("valueOf", [constant]) => {
                    let constant = self.text(constant)?;
                    return self.enum_value(class, &constant).map(|value| Some(Called::Value(value)));
                }
                ("iterator" | "getMIN_VALUE" | "getMAX_VALUE", []) => {
                    let all = self.enum_values(class)?;
                    let value = match name {
                        "iterator" => self.iterator(all),
                        "getMIN_VALUE" => all.first().cloned().unwrap_or_default(),
                        _ => all.last().cloned().unwrap_or_default(),
                    };
                    return Ok(Some(Called::Value(value)));
                }
                _ => {}
            }
        }
        if class.generated.singleton && name == "getInstance" && args.is_empty() {
            let known =
                class.statics.borrow().iter().find(|(name, _)| &**name == "instance").map(|(_, value)| value.clone());
            if let Some(known) = known {
                return Ok(Some(Called::Value(known)));
            }
            let called = self.construct(class, Vec::new(), Vec::new())?;
            let made = self.finish_nested(called)?;
            class.statics.borrow_mut().push((Rc::from("instance"), made.clone()));
            return Ok(Some(Called::Value(made)));
        }
        for (prefix, count) in [("get", 0), ("is", 0), ("set", 1)] {
            let Some(rest) = name.strip_prefix(prefix).filter(|_| args.len() == count) else { continue };
            let mut chars = rest.chars();
            let first = chars.next().map(|char| char.to_lowercase().to_string()).unwrap_or_default();
            let field = format!("{first}{}", chars.as_str());
            if let Some(value) = args.first() {
                if self.set_static(class, &field, value)? {
                    return Ok(Some(Called::Value(Value::Null)));
                }
            } else if let Some(value) = self.static_field_init(class, &field)? {
                return Ok(Some(Called::Value(value)));
            }
        }
        Ok(None)
    }

    /// `toString()` that the class did not write: `@ToString`, an exception's, an enum's, `Foo@1`.
    pub(crate) fn object_text(&mut self, this: &Value) -> Result<Rc<str>, Raise> {
        if let Some(class) = self.user_class(this)
            && let Some(above) = class.lineage().into_iter().find(|above| above.generated.to_string)
        {
            return self.tuple_text(this, &above);
        }
        if self.is_throwable(this) {
            return self.throwable_text(this);
        }
        if let Some(Value::Str(name)) = self.raw_field(this, "$name") {
            return Ok(name);
        }
        Ok(self.plain_text(this))
    }

    /// The properties that an annotation writes about.
    fn shown(&self, class: &Rc<Class>) -> Vec<Rc<str>> {
        let Generated { excludes, includes, .. } = &class.generated;
        let fields = class.fields.borrow();
        let mut names: Vec<Rc<str>> = fields
            .iter()
            .filter(|field| field.property && !field.is_static && !excludes.contains(&field.name))
            .map(|field| field.name.clone())
            .collect();
        if !includes.is_empty() {
            names.retain(|name| includes.contains(name));
        }
        names
    }

    fn tuple_text(&mut self, this: &Value, class: &Rc<Class>) -> Result<Rc<str>, Raise> {
        let mut parts = Vec::new();
        for name in self.shown(class) {
            let called = self.get_property(this, &name)?;
            let value = self.finish_nested(called)?;
            if class.generated.ignore_nulls && value.is_null() {
                continue;
            }
            let text = if value.same(this) { Rc::from("(this)") } else { self.deeper(|vm| vm.text(&value))? };
            parts.push(if class.generated.include_names { format!("{name}:{text}") } else { text.to_string() });
        }
        if class.generated.include_super
            && let Some(above) = class.user_super().filter(|above| above.generated.to_string)
        {
            parts.push(format!("super:{}", self.tuple_text(this, &above)?));
        }
        let name = if class.generated.no_package { class.name.rsplit('.').next().unwrap_or("") } else { &class.name };
        Ok(Rc::from(format!("{name}({})", parts.join(", "))))
    }

    /// `a.equals(b)` for an object.
    pub(crate) fn object_equals(&mut self, a: &Value, b: &Value) -> Result<bool, Raise> {
        let Some(class) = self.user_class(a) else { return Ok(a.same(b)) };
        let equals = class.find("equals");
        if !equals.is_empty()
            && let Some(called) = self.try_methods(&equals, a, std::slice::from_ref(b))?
        {
            let value = self.finish_nested(called)?;
            return self.truth(&value);
        }
        if let Some(above) = class.lineage().into_iter().find(|above| above.generated.equals) {
            if !matches!((a, b), (Value::Object(x), Value::Object(y)) if x.class == y.class) {
                return Ok(false);
            }
            for name in self.shown(&above) {
                let (x, y) =
                    (self.raw_field(a, &name).unwrap_or_default(), self.raw_field(b, &name).unwrap_or_default());
                if !self.deeper(|vm| vm.equals(&x, &y))? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        Ok(a.same(b))
    }

    /// `hashCode()` of an object.
    pub(crate) fn object_hash(&mut self, this: &Value) -> Result<i32, Raise> {
        let Value::Object(object) = this else { return Ok(0) };
        let own = i32::try_from(object.id).unwrap_or(0);
        let Some(class) = self.user_class(this) else { return Ok(own) };
        let methods = class.find("hashCode");
        if !methods.is_empty()
            && let Some(called) = self.try_methods(&methods, this, &[])?
        {
            let value = self.finish_nested(called)?;
            return Ok(crate::number::to_i32(&value).unwrap_or(0));
        }
        if let Some(above) = class.lineage().into_iter().find(|above| above.generated.equals) {
            let mut hash = 7i32;
            for name in self.shown(&above) {
                let value = self.raw_field(this, &name).unwrap_or_default();
                hash = hash.wrapping_mul(31).wrapping_add(self.deeper(|vm| vm.hash(&value))?);
            }
            return Ok(hash);
        }
        Ok(own)
    }

    /// `a <=> b` where one is no plain value.
    pub(crate) fn compare_objects(&mut self, a: &Value, b: &Value) -> Result<Ordering, Raise> {
        if a.same(b) {
            return Ok(Ordering::Equal);
        }
        if self.has_own(a, "compareTo") && !self.user_class(a).is_some_and(|class| class.find("compareTo").is_empty()) {
            let answer = self.call_method(a, "compareTo", std::slice::from_ref(b))?;
            return Ok(crate::number::to_i32(&answer).unwrap_or(0).cmp(&0));
        }
        if let (Some(x), Some(y)) = (self.enum_class(a), self.enum_class(b))
            && Rc::ptr_eq(&x, &y)
        {
            let number =
                |vm: &Vm, value: &Value| vm.raw_field(value, "$ordinal").and_then(|at| at.as_i64()).unwrap_or(0);
            return Ok(number(self, a).cmp(&number(self, b)));
        }
        if let Some(above) =
            self.user_class(a).and_then(|class| class.lineage().into_iter().find(|above| above.generated.sortable))
        {
            for name in self.shown(&above) {
                let (x, y) =
                    (self.raw_field(a, &name).unwrap_or_default(), self.raw_field(b, &name).unwrap_or_default());
                let order = self.compare(&x, &y)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            return Ok(Ordering::Equal);
        }
        if let Some(answer) = self.native_method(a, "compareTo", std::slice::from_ref(b)) {
            return Ok(crate::number::to_i32(&answer?).unwrap_or(0).cmp(&0));
        }
        if let (Value::List(_) | Value::Map(_), true) = (a, self.equals(a, b)?) {
            return Ok(Ordering::Equal);
        }
        if self.equals(a, b)? {
            return Ok(Ordering::Equal);
        }
        let text = format!(
            "Cannot compare {} with value '{}' and {} with value '{}'",
            self.class_name(a),
            self.text(a)?,
            self.class_name(b),
            self.text(b)?
        );
        Err(self.throw("java.lang.IllegalArgumentException", text))
    }
}
