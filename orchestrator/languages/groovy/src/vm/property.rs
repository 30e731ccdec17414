//! Properties, names without a receiver, and indexes.

use std::rc::Rc;

use super::run::Context;
use super::thread::Called;
use super::{Raise, Vm};
use crate::class::Class;
use crate::code::flag;
use crate::types::id;
use crate::value::{ClassRef, Closure, Value};

impl Vm {
    /// A name that is no local variable.
    pub(crate) fn read_name(&mut self, context: &Context, name: &str) -> Result<Called, Raise> {
        if name.starts_with(|char: char| char.is_uppercase()) {
            let unit = context.code.unit.clone();
            if let Some(class) = self.class_named(name, &unit) {
                return Ok(Called::Value(class));
            }
        }
        if let Some(closure) = &context.closure {
            return self.read_in_closure(closure, context, name);
        }
        if let Some(called) = self.try_get_implicit(context, &context.this, name)? {
            return Ok(called);
        }
        if let Some(called) = self.property_missing(&context.this, name)? {
            return Ok(called);
        }
        Err(self.missing_property(&context.this, name))
    }

    fn read_in_closure(&mut self, closure: &Rc<Closure>, context: &Context, name: &str) -> Result<Called, Raise> {
        if let Some(value) = self.closure_property(closure, name) {
            return Ok(Called::Value(value));
        }
        let mut targets = Vec::new();
        self.targets(closure, &mut targets);
        for target in &targets {
            let found = if target.same(&context.this) {
                self.try_get_implicit(context, target, name)?
            } else {
                match target {
                    Value::Map(_) => self.try_map_key(target, name)?,
                    _ => self.try_get(target, name)?,
                }
            };
            if let Some(called) = found {
                return Ok(called);
            }
            if let Some(called) = self.property_missing(target, name)? {
                return Ok(called);
            }
        }
        let blamed = targets.into_iter().next().unwrap_or_else(|| closure.this.clone());
        Err(self.missing_property(&blamed, name))
    }

    /// A map answers for every key when it is asked in a closure with it as delegate, but only last.
    fn try_map_key(&mut self, target: &Value, name: &str) -> Result<Option<Called>, Raise> {
        let Value::Map(map) = target else { return Ok(None) };
        Ok(self.map_get(map, &Value::str(name))?.map(Called::Value).or(Some(Called::Value(Value::Null))))
    }

    fn try_get_implicit(&mut self, context: &Context, this: &Value, name: &str) -> Result<Option<Called>, Raise> {
        // Within its own class a field is read without its getter.
        if let Some(value) = self.raw_field(this, name) {
            return Ok(Some(Called::Value(value)));
        }
        if let Some(called) = self.try_get(this, name)? {
            return Ok(Some(called));
        }
        if let Some(class) = &context.class
            && let Some(value) = self.static_field_init(class, name)?
        {
            return Ok(Some(Called::Value(value)));
        }
        let unit = context.code.unit.clone();
        if let Some((owner, member)) = unit.statics.get(name)
            && let Some(class) = self.class_named(owner, &unit)
        {
            return self.try_get(&class, member);
        }
        for owner in &unit.static_stars {
            if let Some(class) = self.class_named(owner, &unit)
                && let Some(called) = self.try_get(&class, name)?
            {
                return Ok(Some(called));
            }
        }
        let mut at = this.clone();
        while let Some(outer) = self.outer_instance(&at) {
            if let Some(value) = self.raw_field(&outer, name) {
                return Ok(Some(Called::Value(value)));
            }
            if let Some(called) = self.try_get(&outer, name)? {
                return Ok(Some(called));
            }
            at = outer;
        }
        let mut around = self.user_class(&at).and_then(|class| class.outer());
        while let Some(class) = around {
            if let Some(value) = self.static_field_init(&class, name)? {
                return Ok(Some(Called::Value(value)));
            }
            around = class.outer();
        }
        Ok(None)
    }

    /// Sets a name that is no local variable.
    pub(crate) fn write_name(&mut self, context: &Context, name: &str, value: Value) -> Result<Called, Raise> {
        let mut targets = Vec::new();
        match &context.closure {
            Some(closure) => self.targets(closure, &mut targets),
            None => targets.push(context.this.clone()),
        }
        for target in &targets {
            if target.same(&context.this)
                && (self.set_raw(target, name, &value)?
                    || self.set_static_around(target, context.class.as_ref(), name, &value)?)
            {
                return Ok(Called::Value(value));
            }
            if let Some(called) = self.try_set(target, name, &value)? {
                return Ok(called);
            }
            let mut at = target.clone();
            while let Some(outer) = self.outer_instance(&at) {
                if self.set_raw(&outer, name, &value)? {
                    return Ok(Called::Value(value));
                }
                if let Some(called) = self.try_set(&outer, name, &value)? {
                    return Ok(called);
                }
                at = outer;
            }
            if let Value::Object(object) = target {
                if let Some(binding) = object.binding.clone() {
                    self.map_put(&binding, Value::str(name), value.clone())?;
                    return Ok(Called::Value(value));
                }
                if let ClassRef::User(class) = object.class.clone() {
                    let methods = class.find("propertyMissing");
                    if let Some(called) = self.try_methods(&methods, target, &[Value::str(name), value.clone()])? {
                        return Ok(called);
                    }
                }
            }
        }
        let blamed = targets.into_iter().next().unwrap_or_else(|| context.this.clone());
        Err(self.missing_property(&blamed, name))
    }

    /// `object.name`, by flags.
    pub(crate) fn get(&mut self, context: &Context, object: &Value, name: &str, flags: u8) -> Result<Called, Raise> {
        if flags & flag::SPREAD != 0 {
            return self.get_spread(object, name);
        }
        if flags & flag::ATTRIBUTE != 0 {
            if name.ends_with("$outer") {
                return self.outer_named(context, object).map(Called::Value);
            }
            if let Some(value) = self.raw_field(object, name) {
                return Ok(Called::Value(value));
            }
            if let Value::Class(ClassRef::User(class)) = object
                && let Some(value) = self.static_field_init(&class.clone(), name)?
            {
                return Ok(Called::Value(value));
            }
            if !matches!(object, Value::Null) && name.starts_with("val$") {
                return Ok(Called::Value(Value::Null));
            }
            let text = format!("No such field: {name} for class: {}", self.class_name(object));
            return Err(self.throw("groovy.lang.MissingFieldException", text));
        }
        if (flags & flag::THIS != 0 || object.same(&context.this))
            && let Some(value) = self.raw_field(object, name)
        {
            return Ok(Called::Value(value));
        }
        self.get_property(object, name)
    }

    fn get_spread(&mut self, object: &Value, name: &str) -> Result<Called, Raise> {
        if object.is_null() {
            return Ok(Called::Value(Value::Null));
        }
        let mut all = Vec::new();
        for item in self.elements(object)? {
            if item.is_null() {
                all.push(Value::Null);
                continue;
            }
            let called = self.get_property(&item, name)?;
            all.push(self.finish_nested(called)?);
        }
        Ok(Called::Value(self.list(all)))
    }

    /// `object.name`.
    ///
    /// # Errors
    /// `MissingPropertyException`; what a getter throws.
    pub(crate) fn get_property(&mut self, object: &Value, name: &str) -> Result<Called, Raise> {
        match object {
            Value::Null => {
                if name == "class" {
                    return Ok(Called::Value(Value::Class(ClassRef::Builtin(id::NULL))));
                }
                let text = format!("Cannot get property '{name}' on null object");
                return Err(self.throw("java.lang.NullPointerException", text));
            }
            Value::Map(map) => return self.map_value(&map.clone(), Value::str(name)),
            _ => {}
        }
        if let Some(called) = self.try_get(object, name)? {
            return Ok(called);
        }
        if let Some(called) = self.property_missing(object, name)? {
            return Ok(called);
        }
        Err(self.missing_property(object, name))
    }

    /// The value of a key, asking the closure of `withDefault`.
    pub(crate) fn map_value(&mut self, map: &Rc<crate::value::Map>, key: Value) -> Result<Called, Raise> {
        if let Some(value) = self.map_get(map, &key)? {
            return Ok(Called::Value(value));
        }
        let default = map.closure.borrow().clone();
        match (default, map.kind) {
            (Some(Value::Closure(closure)), kind) if kind != crate::value::MapKind::Sorted => {
                match self.call_closure_with(&closure, vec![key.clone()])? {
                    Called::Value(value) => {
                        self.map_put(map, key, value.clone())?;
                        Ok(Called::Value(value))
                    }
                    Called::Enter(mut invocation) => {
                        invocation.then = super::thread::Then::Keep(map.clone(), key);
                        Ok(Called::Enter(invocation))
                    }
                    other => Ok(other),
                }
            }
            _ => Ok(Called::Value(Value::Null)),
        }
    }

    /// A property that the object has: getter, field, or what its kind gives.
    pub(crate) fn try_get(&mut self, object: &Value, name: &str) -> Result<Option<Called>, Raise> {
        if name == "class" && !matches!(object, Value::Map(_) | Value::Null) {
            return Ok(Some(Called::Value(Value::Class(self.class_of(object)))));
        }
        match object {
            Value::Object(target) => {
                if let ClassRef::User(class) = target.class.clone() {
                    let own = class.find("getProperty");
                    if !own.is_empty()
                        && let Some(called) = self.try_methods(&own, object, &[Value::str(name)])?
                    {
                        return Ok(Some(called));
                    }
                }
                if let ClassRef::User(class) = target.class.clone()
                    && let Some(called) = self.try_getter(object, &class, name)?
                {
                    return Ok(Some(called));
                }
                if let Some(value) = self.raw_field(object, name) {
                    return Ok(Some(Called::Value(value)));
                }
                if let Some(class) = self.user_class(object)
                    && let Some(value) = self.static_field_init(&class, name)?
                {
                    return Ok(Some(Called::Value(value)));
                }
                if let Some(binding) = target.binding.clone() {
                    if name == "binding" {
                        return Ok(Some(Called::Value(self.binding_object(&binding))));
                    }
                    if let Some(value) = self.map_get(&binding, &Value::str(name))? {
                        return Ok(Some(Called::Value(value)));
                    }
                    let host = self.host.clone();
                    let answer = host.property(self, name);
                    if let Some(called) = self.answered(answer, None, name, &[], true)? {
                        return Ok(Some(called));
                    }
                }
                self.try_library_getter(object, name)
            }
            Value::Class(ClassRef::User(class)) => {
                let class = class.clone();
                if let Some(value) = self.static_field_init(&class, name)? {
                    return Ok(Some(Called::Value(value)));
                }
                let getter = accessor("get", name);
                let mut methods = class.find(&getter);
                methods.retain(|method| method.is_static);
                if let Some(called) = self.try_methods(&methods, object, &[])? {
                    return Ok(Some(called));
                }
                if let Some(called) = self.try_generated_static(&class, &getter, &[])? {
                    return Ok(Some(called));
                }
                if let Some(inner) = self.inner_class(&class.name, name) {
                    return Ok(Some(Called::Value(inner)));
                }
                self.try_library_getter(object, name)
            }
            Value::Class(ClassRef::Builtin(class)) => {
                let class = *class;
                if let Some(raise) = super::sandbox::rejected_static(self, class, name) {
                    return Err(raise);
                }
                for member in [name.to_owned(), accessor("get", name)] {
                    if let Some(value) = self.library_static(class, &member, &[])? {
                        return Ok(Some(Called::Value(value)));
                    }
                }
                let full = self.types.get(class).name;
                if let Some(inner) = self.inner_class(full, name) {
                    return Ok(Some(Called::Value(inner)));
                }
                self.try_library_getter(object, name)
            }
            Value::Closure(closure) => {
                if let Some(value) = self.closure_property(&closure.clone(), name) {
                    return Ok(Some(Called::Value(value)));
                }
                self.try_library_getter(object, name)
            }
            Value::Host(host) => {
                let host = host.clone();
                let answer = host.get(self, name);
                if let Some(called) = self.answered(answer, Some(host), name, &[], true)? {
                    return Ok(Some(called));
                }
                self.try_library_getter(object, name)
            }
            Value::List(list) if name == "length" && matches!(list.kind, crate::value::ListKind::Java(_)) => {
                let length = list.items.borrow().len();
                Ok(Some(Called::Value(Value::Int(i32::try_from(length).unwrap_or(i32::MAX)))))
            }
            Value::List(_) | Value::Set(_) | Value::Range(_) => {
                if let Some(called) = self.try_library_getter(object, name)? {
                    return Ok(Some(called));
                }
                let mut all = Vec::new();
                for item in self.elements(object)? {
                    match self.get_property(&item, name) {
                        Ok(called) => all.push(self.finish_nested(called)?),
                        Err(raise) => return Err(self.spread_missing(object, name, raise)),
                    }
                }
                Ok(Some(Called::Value(self.list(all))))
            }
            Value::Native(native) if native.class == id::MAP_ENTRY => {
                let Some(entry) = native.state::<super::Entry>() else { return Ok(None) };
                match name {
                    "key" => Ok(Some(Called::Value(entry.key.clone()))),
                    "value" => Ok(Some(Called::Value(entry.value.borrow().clone()))),
                    _ => Ok(None),
                }
            }
            Value::Native(_) if self.is_binding(object) => {
                let map = self.binding_of(object);
                match map {
                    Some(map) if name == "variables" => Ok(Some(Called::Value(Value::Map(map)))),
                    Some(map) => Ok(self.map_get(&map, &Value::str(name))?.map(Called::Value)),
                    None => Ok(None),
                }
            }
            _ => self.try_library_getter(object, name),
        }
    }

    /// Groovy's words for a property that an element lacks.
    fn spread_missing(&mut self, object: &Value, name: &str, raise: Raise) -> Raise {
        match &raise {
            Raise::Throw(value) if self.is_kind(value, id::MISSING_PROPERTY) => {
                let Ok(reason) = self.text(value) else { return raise };
                let text =
                    format!("Exception evaluating property '{name}' for {}, Reason: {reason}", self.class_name(object));
                self.throw("groovy.lang.MissingPropertyException", text)
            }
            _ => raise,
        }
    }

    fn try_getter(&mut self, object: &Value, class: &Rc<Class>, name: &str) -> Result<Option<Called>, Raise> {
        for getter in [accessor("get", name), accessor("is", name)] {
            let methods = class.find(&getter);
            if !methods.is_empty()
                && let Some(called) = self.try_methods(&methods, object, &[])?
            {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    /// `getX()` or `isX()` of the library.
    fn try_library_getter(&mut self, object: &Value, name: &str) -> Result<Option<Called>, Raise> {
        for getter in [accessor("get", name), accessor("is", name)] {
            if self.library_has(object, &getter)
                && let Some(called) = self.try_library(object, &getter, &[])?
            {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    fn closure_property(&mut self, closure: &Rc<Closure>, name: &str) -> Option<Value> {
        Some(match name {
            "delegate" => closure.delegate.borrow().clone(),
            "owner" => closure.owner.clone(),
            "thisObject" => closure.this.clone(),
            "resolveStrategy" => Value::Int(i32::from(closure.strategy.get())),
            "directive" => Value::Int(0),
            "maximumNumberOfParameters" => Value::Int(i32::try_from(self.parameter_count(closure)).unwrap_or(0)),
            _ => return None,
        })
    }

    /// `propertyMissing(name)`, `get(name)` of the class.
    fn property_missing(&mut self, object: &Value, name: &str) -> Result<Option<Called>, Raise> {
        let (class, handlers): (_, &[&str]) = match object {
            Value::Object(target) => match &target.class {
                ClassRef::User(class) => (class.clone(), &["propertyMissing", "getProperty"]),
                ClassRef::Builtin(_) => return Ok(None),
            },
            Value::Class(ClassRef::User(class)) => (class.clone(), &["$static_propertyMissing"]),
            _ => return Ok(None),
        };
        for handler in handlers {
            let methods = class.find(handler);
            if methods.is_empty() {
                continue;
            }
            if let Some(called) = self.try_methods(&methods, object, &[Value::str(name)])? {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    /// `object.name = value`.
    pub(crate) fn set(
        &mut self,
        context: &Context,
        object: &Value,
        name: &str,
        value: Value,
        flags: u8,
    ) -> Result<Called, Raise> {
        if object.is_null() {
            let text = format!("Cannot set property '{name}' on null object");
            return Err(self.throw("java.lang.NullPointerException", text));
        }
        if flags & flag::ATTRIBUTE != 0 {
            let done = self.set_raw(object, name, &value)?;
            if done {
                return Ok(Called::Value(value));
            }
            let text = format!("No such field: {name} for class: {}", self.class_name(object));
            return Err(self.throw("groovy.lang.MissingFieldException", text));
        }
        if (flags & flag::THIS != 0 || object.same(&context.this)) && self.set_raw(object, name, &value)? {
            return Ok(Called::Value(value));
        }
        self.set_property(object, name, value)
    }

    pub(crate) fn set_property(&mut self, object: &Value, name: &str, value: Value) -> Result<Called, Raise> {
        if let Some(called) = self.try_set(object, name, &value)? {
            return Ok(called);
        }
        if let Value::Object(target) = object {
            if let Some(binding) = target.binding.clone() {
                self.map_put(&binding, Value::str(name), value.clone())?;
                return Ok(Called::Value(value));
            }
            if let ClassRef::User(class) = target.class.clone() {
                for handler in ["propertyMissing", "setProperty"] {
                    let methods = class.find(handler);
                    if let Some(called) = self.try_methods(&methods, object, &[Value::str(name), value.clone()])? {
                        return Ok(called);
                    }
                }
            }
        }
        Err(self.missing_property(object, name))
    }

    /// Sets what the object has: by setter, field, key.
    fn try_set(&mut self, object: &Value, name: &str, value: &Value) -> Result<Option<Called>, Raise> {
        match object {
            Value::Map(map) => {
                self.map_put(&map.clone(), Value::str(name), value.clone())?;
                Ok(Some(Called::Value(value.clone())))
            }
            Value::Object(target) => {
                let setter = accessor("set", name);
                if let ClassRef::User(class) = target.class.clone() {
                    let own = class.find("setProperty");
                    if !own.is_empty()
                        && let Some(called) = self.try_methods(&own, object, &[Value::str(name), value.clone()])?
                    {
                        return Ok(Some(called));
                    }
                    let methods = class.find(&setter);
                    if !methods.is_empty()
                        && let Some(called) = self.try_methods(&methods, object, std::slice::from_ref(value))?
                    {
                        return Ok(Some(called));
                    }
                    if let Some(raise) = self.read_only(&class, name) {
                        return Err(raise);
                    }
                    if self.set_raw(object, name, value)? || self.set_static(&class, name, value)? {
                        return Ok(Some(Called::Value(value.clone())));
                    }
                    if target.binding.is_some() {
                        return Ok(None);
                    }
                    let getters = class.find(&accessor("get", name));
                    if !getters.is_empty() && class.find("propertyMissing").is_empty() {
                        let text = format!("Cannot set readonly property: {name} for class: {}", class.name);
                        return Err(self.throw("groovy.lang.ReadOnlyPropertyException", text));
                    }
                }
                self.try_library(object, &setter, std::slice::from_ref(value))
            }
            Value::Class(ClassRef::User(class)) => {
                let class = class.clone();
                let mut methods = class.find(&accessor("set", name));
                methods.retain(|method| method.is_static);
                if let Some(called) = self.try_methods(&methods, object, std::slice::from_ref(value))? {
                    return Ok(Some(called));
                }
                self.init_class(&class)?;
                Ok(self.set_static(&class, name, value)?.then(|| Called::Value(value.clone())))
            }
            Value::Closure(closure) => {
                match name {
                    "delegate" => {
                        let old = closure.delegate.replace(value.clone());
                        drop(old);
                    }
                    "resolveStrategy" => closure.strategy.set(u8::try_from(value.as_i64().unwrap_or(0)).unwrap_or(0)),
                    _ => {
                        let mut targets = Vec::new();
                        self.targets(closure, &mut targets);
                        for target in targets {
                            if let Some(called) = self.try_set(&target, name, value)? {
                                return Ok(Some(called));
                            }
                        }
                        return Ok(None);
                    }
                }
                Ok(Some(Called::Value(value.clone())))
            }
            Value::Host(host) => {
                let host = host.clone();
                let answer = host.set(self, name, value);
                self.answered(answer, Some(host), name, std::slice::from_ref(value), true)
            }
            Value::Native(native) if native.class == id::MAP_ENTRY && name == "value" => {
                self.try_library(object, "setValue", std::slice::from_ref(value))
            }
            Value::Native(_) if self.is_binding(object) => {
                if let Some(map) = self.binding_of(object) {
                    self.map_put(&map, Value::str(name), value.clone())?;
                    return Ok(Some(Called::Value(value.clone())));
                }
                Ok(None)
            }
            Value::List(_) | Value::Set(_) if !self.library_has(object, &accessor("set", name)) => {
                for item in self.elements(object)? {
                    let called = self.set_property(&item, name, value.clone())?;
                    self.finish_nested(called)?;
                }
                Ok(Some(Called::Value(value.clone())))
            }
            _ => {
                let setter = accessor("set", name);
                if let Some(called) = self.try_library(object, &setter, std::slice::from_ref(value))? {
                    return Ok(Some(called));
                }
                if self.library_has(object, &accessor("get", name)) {
                    let text = format!("Cannot set readonly property: {name} for class: {}", self.class_name(object));
                    return Err(self.throw("groovy.lang.ReadOnlyPropertyException", text));
                }
                Ok(None)
            }
        }
    }
}

/// `getName` for `get` and `name`.
pub(crate) fn accessor(prefix: &str, name: &str) -> String {
    let mut chars = name.chars();
    // Beans keep the case of `aB`, but Groovy capitalises a plain name.
    let first = chars.next().map(|char| char.to_uppercase().to_string()).unwrap_or_default();
    format!("{prefix}{first}{}", chars.as_str())
}
