//! Fields, static fields, bindings, and the objects around an object.

use std::rc::Rc;

use super::run::Context;
use super::thread::Frame;
use super::{Raise, Vm};
use crate::class::{Class, Kind};
use crate::code::{Capture, TypeSpec};
use crate::library::Answer;
use crate::value::{Body, ClassRef, Closure, Map, Value};

/// State of a `groovy.lang.Binding`.
pub(crate) struct BindingState {
    pub(crate) variables: Rc<Map>,
}

impl Vm {
    /// The script class of an object.
    pub(crate) fn user_class(&self, value: &Value) -> Option<Rc<Class>> {
        match value {
            Value::Object(object) => match &object.class {
                ClassRef::User(class) => Some(class.clone()),
                ClassRef::Builtin(_) => None,
            },
            Value::Class(ClassRef::User(class)) => Some(class.clone()),
            _ => None,
        }
    }

    /// A field as it is, without getter; a captured variable is read through its cell.
    pub(crate) fn raw_field(&self, object: &Value, name: &str) -> Option<Value> {
        let Value::Object(object) = object else { return None };
        let fields = object.fields.borrow();
        let (_, value) = fields.iter().find(|(field, _)| &**field == name)?;
        Some(match value {
            Value::Cell(cell) if !name.starts_with("cell$") => cell.value.borrow().clone(),
            other => other.clone(),
        })
    }

    /// Sets a field without setter, converted to its type; answers whether there is one.
    pub(crate) fn set_raw(&mut self, object: &Value, name: &str, value: &Value) -> Result<bool, Raise> {
        let Value::Object(target) = object else { return Ok(false) };
        if !target.fields.borrow().iter().any(|(field, _)| &**field == name) {
            return Ok(false);
        }
        let value = match self.user_class(object) {
            Some(class) => self.field_value(&class, name, value)?,
            None => value.clone(),
        };
        if let Some((_, place)) = target.fields.borrow_mut().iter_mut().find(|(field, _)| &**field == name) {
            match place {
                Value::Cell(cell) => drop(cell.value.replace(value)),
                place => *place = value,
            }
        }
        Ok(true)
    }

    fn field_value(&mut self, class: &Rc<Class>, name: &str, value: &Value) -> Answer {
        for above in class.lineage() {
            let spec = above
                .fields
                .borrow()
                .iter()
                .find(|field| &*field.name == name)
                .map(|field| TypeSpec { name: field.ty.name.clone(), dimensions: field.ty.dimensions });
            if let Some(spec) = spec {
                if spec.name.is_empty() {
                    return Ok(value.clone());
                }
                let ty = self.resolve_spec(&spec, &above.unit)?;
                return self.cast(value.clone(), &ty, true);
            }
        }
        Ok(value.clone())
    }

    /// Whether a field cannot be set from outside: `final`, or `@Immutable`.
    pub(crate) fn read_only(&mut self, class: &Rc<Class>, name: &str) -> Option<Raise> {
        for above in class.lineage() {
            let is_final = above
                .fields
                .borrow()
                .iter()
                .any(|field| &*field.name == name && (field.is_final || above.generated.immutable));
            if is_final {
                let text = format!("Cannot set readonly property: {name} for class: {}", class.name);
                return Some(self.throw("groovy.lang.ReadOnlyPropertyException", text));
            }
        }
        None
    }

    /// A static field or enum constant, without running the static part.
    pub(crate) fn static_field(&self, class: &Rc<Class>, name: &str) -> Option<Value> {
        let owner = class.with_static(name)?;
        let statics = owner.statics.borrow();
        statics.iter().find(|(field, _)| &**field == name).map(|(_, value)| value.clone())
    }

    /// A static field, after the static part of its class ran.
    pub(crate) fn static_field_init(&mut self, class: &Rc<Class>, name: &str) -> Result<Option<Value>, Raise> {
        let Some(owner) = class.with_static(name) else { return Ok(None) };
        self.init_class(&owner)?;
        let statics = owner.statics.borrow();
        Ok(statics.iter().find(|(field, _)| &**field == name).map(|(_, value)| value.clone()))
    }

    /// Sets a static field; answers whether there is one.
    pub(crate) fn set_static(&mut self, class: &Rc<Class>, name: &str, value: &Value) -> Result<bool, Raise> {
        let Some(owner) = class.with_static(name) else { return Ok(false) };
        self.init_class(&owner)?;
        let value = self.field_value(&owner, name, value)?;
        let mut statics = owner.statics.borrow_mut();
        match statics.iter_mut().find(|(field, _)| &**field == name) {
            Some((_, place)) => *place = value,
            None => statics.push((Rc::from(name), value)),
        }
        Ok(true)
    }

    /// Sets a static field of the class of `this`, of the class whose code runs, or of one around it.
    pub(crate) fn set_static_around(
        &mut self,
        this: &Value,
        running: Option<&Rc<Class>>,
        name: &str,
        value: &Value,
    ) -> Result<bool, Raise> {
        for class in self.user_class(this).iter().chain(running) {
            let mut at = Some(class.clone());
            while let Some(class) = at {
                if self.set_static(&class, name, value)? {
                    return Ok(true);
                }
                at = class.outer();
            }
        }
        Ok(false)
    }

    /// First values while a class or object is being made.
    pub(crate) fn init_field(
        &mut self,
        context: &Context,
        name: &str,
        value: Value,
        is_static: bool,
    ) -> Result<(), Raise> {
        if is_static {
            let class = context.class.clone().or_else(|| self.user_class(&context.this));
            let Some(class) = class else { return Ok(()) };
            let value = self.field_value(&class, name, &value)?;
            let mut statics = class.statics.borrow_mut();
            match statics.iter_mut().find(|(field, _)| &**field == name) {
                Some((_, place)) => *place = value,
                None => statics.push((Rc::from(name), value)),
            }
            return Ok(());
        }
        if !self.set_raw(&context.this, name, &value)?
            && let Value::Object(object) = &context.this
        {
            object.fields.borrow_mut().push((Rc::from(name), value));
        }
        Ok(())
    }

    /// The fields of a new object with their zero values, superclasses first.
    pub(crate) fn blank_fields(&mut self, class: &Rc<Class>) -> Vec<(Rc<str>, Value)> {
        let mut fields: Vec<(Rc<str>, Value)> = Vec::new();
        for above in class.lineage().into_iter().rev() {
            let specs: Vec<(Rc<str>, TypeSpec)> = above
                .fields
                .borrow()
                .iter()
                .filter(|field| !field.is_static)
                .map(|field| {
                    (field.name.clone(), TypeSpec { name: field.ty.name.clone(), dimensions: field.ty.dimensions })
                })
                .collect();
            for (name, spec) in specs {
                let primitive = crate::compile::is_primitive(&spec.name) && spec.dimensions == 0;
                let zero = match self.resolve_spec(&spec, &above.unit) {
                    Ok(ty) if primitive => self.zero(&ty),
                    _ => Value::Null,
                };
                if !fields.iter().any(|(known, _)| *known == name) {
                    fields.push((name, zero));
                }
            }
        }
        fields
    }

    /// The instance around an inner object.
    pub(crate) fn outer_instance(&self, value: &Value) -> Option<Value> {
        self.raw_field(value, "this$0").filter(|outer| !outer.is_null())
    }

    /// `Outer.this`: the instance of that class around `this`.
    pub(crate) fn outer_named(&mut self, context: &Context, class: &Value) -> Answer {
        let Value::Class(class) = class else { return Ok(context.this.clone()) };
        let mut at = Some(context.this.clone());
        while let Some(value) = at {
            if self.is_a(&value, class) {
                return Ok(value);
            }
            at = self.outer_instance(&value);
        }
        Ok(context.this.clone())
    }

    /// A variable of a script's binding.
    pub(crate) fn binding_value(&mut self, script: &Value, name: &str) -> Option<Value> {
        let Value::Object(object) = script else { return None };
        let binding = object.binding.clone()?;
        self.map_get(&binding, &Value::str(name)).ok().flatten()
    }

    /// The `groovy.lang.Binding` over variables.
    pub(crate) fn binding_object(&mut self, variables: &Rc<Map>) -> Value {
        self.native("groovy.lang.Binding", BindingState { variables: variables.clone() })
    }

    pub(crate) fn is_binding(&self, value: &Value) -> bool {
        matches!(value, Value::Native(native) if native.state::<BindingState>().is_some())
    }

    pub(crate) fn binding_of(&self, value: &Value) -> Option<Rc<Map>> {
        match value {
            Value::Native(native) => native.state::<BindingState>().map(|state| state.variables.clone()),
            _ => None,
        }
    }

    /// Makes a closure where it stands.
    pub(crate) fn make_closure(&mut self, frame: &Frame, stack: &[Value], index: u32) -> Value {
        let Some(code) = frame.code.closures.get(index as usize).cloned() else { return Value::Null };
        let captured = code
            .captures
            .iter()
            .map(|capture| match *capture {
                Capture::Local(slot) => match stack.get(frame.base + slot as usize) {
                    Some(Value::Cell(cell)) => cell.clone(),
                    other => self.heap.keep(crate::value::Slot { value: other.cloned().unwrap_or_default().into() }),
                },
                Capture::Up(index) => match frame.closure.as_ref().map(|closure| &closure.body) {
                    Some(Body::Code { captured, .. }) => match captured.get(index as usize) {
                        Some(cell) => cell.clone(),
                        None => self.heap.keep(crate::value::Slot { value: Value::Null.into() }),
                    },
                    _ => self.heap.keep(crate::value::Slot { value: Value::Null.into() }),
                },
            })
            .collect();
        let owner = frame.closure.clone().map_or_else(|| frame.this.clone(), Value::Closure);
        Value::Closure(self.closure_of(Body::Code { code, captured }, owner, frame.this.clone()))
    }

    /// How many parameters a closure takes.
    pub fn parameter_count(&self, closure: &Closure) -> usize {
        match &closure.body {
            Body::Code { code, .. } => code.params.len() + usize::from(code.implicit_it),
            Body::Curried { inner, kept, .. } => self.parameter_count(inner).saturating_sub(kept.len()),
            Body::Composed { first, .. } => self.parameter_count(first),
            Body::Memoized { inner, .. } => self.parameter_count(inner),
            Body::Method { receiver, name } => match self.user_class(receiver) {
                Some(class) => class.find(name).first().map_or(1, |method| method.code.params.len()),
                None => 1,
            },
        }
    }

    /// A value of an enum by name.
    pub(crate) fn enum_value(&mut self, class: &Rc<Class>, name: &str) -> Answer {
        if let Some(value) = self.static_field_init(class, name)? {
            return Ok(value);
        }
        let text = format!("No enum constant {}.{name}", class.name.replace('$', "."));
        Err(self.throw("java.lang.IllegalArgumentException", text))
    }

    /// The constants of an enum in order.
    pub(crate) fn enum_values(&mut self, class: &Rc<Class>) -> Result<Vec<Value>, Raise> {
        self.init_class(class)?;
        let names = class.constants.borrow().clone();
        Ok(names.iter().filter_map(|name| self.static_field(class, name)).collect())
    }

    /// The enum class of a constant, which may have a body of its own.
    pub(crate) fn enum_class(&self, value: &Value) -> Option<Rc<Class>> {
        let mut at = self.user_class(value);
        while let Some(class) = at {
            if class.kind == Kind::Enum {
                return Some(class);
            }
            at = class.user_super();
        }
        None
    }
}
