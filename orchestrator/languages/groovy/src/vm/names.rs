//! Names of the source become classes and types.

use std::rc::Rc;

use super::{Raise, Vm};
use crate::code::{Code, Ty, TypeSpec, Unit};
use crate::library::Answer;
use crate::types::id;
use crate::value::{ClassRef, Value};

/// Packages whose classes need no import.
const DEFAULT_PACKAGES: &[&str] = &["java.lang", "java.util", "java.io", "java.net", "groovy.lang", "groovy.util"];

impl Vm {
    /// A class by the name that a source uses.
    pub(crate) fn class_named(&mut self, name: &str, unit: &Unit) -> Option<Value> {
        if let Some(full) = unit.classes.get(name)
            && let Some(class) = self.classes.get(full)
        {
            return Some(Value::Class(ClassRef::User(class.clone())));
        }
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let found = self.first_named(first, unit);
        match (found, rest) {
            (Some(class), None) => Some(class),
            (Some(Value::Class(class)), Some(rest)) => {
                let inner = format!("{}${}", self.name_of(&class), rest.replace('.', "$"));
                self.find_class(&inner).or_else(|| self.find_class(name))
            }
            _ if rest.is_some() => self.find_class(name).or_else(|| {
                // `a.b.Outer.Inner`: the last point may stand for a dollar.
                let (outer, inner) = name.rsplit_once('.')?;
                self.find_class(&format!("{outer}${inner}"))
            }),
            _ => None,
        }
    }

    pub(crate) fn first_named(&mut self, name: &str, unit: &Unit) -> Option<Value> {
        if let Some(full) = unit.imports.get(name) {
            return self.find_class(full).or_else(|| {
                let (outer, inner) = full.rsplit_once('.')?;
                self.find_class(&format!("{outer}${inner}"))
            });
        }
        if let Some(package) = &unit.package
            && let Some(class) = self.find_class(&format!("{package}.{name}"))
        {
            return Some(class);
        }
        if let Some(class) = self.find_class(name) {
            return Some(class);
        }
        match name {
            "BigInteger" | "BigDecimal" => return self.find_class(&format!("java.math.{name}")),
            _ => {}
        }
        for package in DEFAULT_PACKAGES {
            if let Some(class) = self.types.find(&format!("{package}.{name}")) {
                return Some(Value::Class(ClassRef::Builtin(class)));
            }
        }
        for star in &unit.stars {
            if let Some(class) =
                self.find_class(&format!("{star}.{name}")).or_else(|| self.find_class(&format!("{star}${name}")))
            {
                return Some(class);
            }
        }
        None
    }

    /// A class by its full name.
    pub(crate) fn find_class(&mut self, full: &str) -> Option<Value> {
        if let Some(class) = self.classes.get(full) {
            return Some(Value::Class(ClassRef::User(class.clone())));
        }
        if let Some(class) = self.types.find(full) {
            return Some(Value::Class(ClassRef::Builtin(class)));
        }
        let host = self.host.clone();
        host.class(self, full)
    }

    /// `Outer.Inner`.
    pub(crate) fn inner_class(&mut self, outer: &str, name: &str) -> Option<Value> {
        if !name.starts_with(char::is_uppercase) {
            return None;
        }
        self.find_class(&format!("{outer}${name}"))
    }

    /// A type of a code's table.
    pub(crate) fn resolve(&mut self, code: &Rc<Code>, index: u32) -> Result<Ty, Raise> {
        if let Some(Some(known)) = code.resolved.borrow().get(index as usize) {
            return Ok(known.clone());
        }
        let Some(spec) = code.types.get(index as usize) else { return Ok(Ty::Any) };
        let ty = self.resolve_spec(spec, &code.unit)?;
        if !matches!(ty, Ty::Unknown(_))
            && let Some(place) = code.resolved.borrow_mut().get_mut(index as usize)
        {
            *place = Some(ty.clone());
        }
        Ok(ty)
    }

    pub(crate) fn resolve_spec(&mut self, spec: &TypeSpec, unit: &Unit) -> Result<Ty, Raise> {
        let mut ty = match &*spec.name {
            "" | "def" | "Object" | "java.lang.Object" | "var" => Ty::Any,
            name => match self.class_named(name, unit) {
                Some(Value::Class(class)) => Ty::Class(class),
                Some(Value::Host(object)) => Ty::Unknown(Rc::from(object.class_name())),
                _ => Ty::Unknown(Rc::from(unit.imports.get(name).map_or(name, |full| full))),
            },
        };
        for _ in 0..spec.dimensions {
            ty = Ty::Array(Box::new(ty));
        }
        Ok(ty)
    }

    /// A class named in an expression.
    pub(crate) fn class_value(&mut self, code: &Rc<Code>, index: u32) -> Answer {
        let Some(spec) = code.types.get(index as usize).cloned() else { return Ok(Value::Null) };
        if spec.dimensions > 0 {
            let element = match self.resolve_spec(&TypeSpec { name: spec.name.clone(), dimensions: 0 }, &code.unit)? {
                Ty::Class(ClassRef::Builtin(class)) if spec.dimensions == 1 => class,
                _ => id::OBJECT,
            };
            return Ok(Value::Class(ClassRef::Builtin(self.array_of(element))));
        }
        if matches!(&*spec.name, "Object" | "java.lang.Object") {
            return Ok(Value::Class(ClassRef::Builtin(id::OBJECT)));
        }
        match self.class_named(&spec.name, &code.unit) {
            Some(class) => Ok(class),
            None => {
                // The last parts may be properties of the class that the first name: `a.b.C.D`.
                if let Some((owner, member)) = spec.name.rsplit_once('.')
                    && let Some(class) = self.class_named(owner, &code.unit)
                {
                    let called = self.get_property(&class, member)?;
                    return self.finish_nested(called);
                }
                // Groovy reads an unknown `a.b.C` as properties, and misses the first.
                let first = spec.name.split('.').next().unwrap_or("");
                let class = code.class.split("$_").next().unwrap_or("");
                let text = format!("No such property: {first} for class: {class}");
                Err(self.throw("groovy.lang.MissingPropertyException", text))
            }
        }
    }
}
