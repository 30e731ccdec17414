//! `new`, constructors that call constructors, and objects made from lists, maps and closures.

use std::cell::RefCell;
use std::rc::Rc;

use super::run::Context;
use super::thread::{Called, Invocation, Then, Thread};
use super::{Raise, Vm};
use crate::class::{Class, Kind, Method};
use crate::code::{CallKind, TypeSpec};
use crate::host::HostAnswer;
use crate::library::Answer;
use crate::types::{TypeId, id};
use crate::value::{ClassRef, MapKind, Object, Value};

impl Vm {
    /// `new T(args)` of a site.
    pub(crate) fn new_site(&mut self, thread: &mut Thread, context: &Context, index: u32) -> Result<Called, Raise> {
        let Some(site) = context.code.calls.get(index as usize) else { return Err(Raise::NoMatch) };
        let stack = &mut thread.stack;
        let mut args = stack.split_off(stack.len().saturating_sub(site.count as usize));
        let mut extra: Vec<(Rc<str>, Value)> = Vec::new();
        if &*site.name == "<enum>" {
            let (ordinal, name) = (stack.pop().unwrap_or_default(), stack.pop().unwrap_or_default());
            extra.push((Rc::from("$name"), name));
            extra.push((Rc::from("$ordinal"), ordinal));
        }
        if site.dynamic
            && let Some(Value::List(list)) = stack.pop()
        {
            let pairs = list.items.borrow().clone();
            let mut pairs = pairs.into_iter();
            while let (Some(Value::Str(name)), Some(cell)) = (pairs.next(), pairs.next()) {
                extra.push((name, cell));
            }
        }
        if site.spread {
            let list = args.pop().unwrap_or_default();
            args = self.elements(&list)?;
        }
        let Some(spec) = context.code.types.get(site.ty as usize).cloned() else { return Err(Raise::NoMatch) };
        let called = self.new_named(context, &spec, args, extra)?;
        let made = match &called {
            Called::Value(value) => Some(value.clone()),
            Called::Enter(invocation) => match &invocation.then {
                Then::Instead(value) => Some(value.clone()),
                _ => None,
            },
            _ => None,
        };
        if let Some(Value::Object(object)) = made.filter(|made| self.is_throwable(made)) {
            *object.trace.borrow_mut() = thread.trace();
        }
        Ok(called)
    }

    fn new_named(
        &mut self,
        context: &Context,
        spec: &TypeSpec,
        args: Vec<Value>,
        mut extra: Vec<(Rc<str>, Value)>,
    ) -> Result<Called, Raise> {
        match self.class_named(&spec.name, &context.code.unit) {
            Some(Value::Class(ClassRef::User(class))) => {
                if class.inner {
                    let outer = if let Value::Object(_) = context.this { context.this.clone() } else { Value::Null };
                    extra.push((Rc::from("this$0"), outer));
                }
                self.construct(&class, args, extra)
            }
            Some(Value::Class(ClassRef::Builtin(class))) => self.new_builtin(class, &args).map(Called::Value),
            Some(Value::Host(object)) => match object.call(self, "<init>", &args) {
                HostAnswer::Unknown => {
                    let text = format!("Scripts not permitted to use new {}", object.class_name());
                    Err(self.throw("org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException", text))
                }
                HostAnswer::Value(value) => Ok(Called::Value(value)),
                HostAnswer::Throw(raise) => Err(raise),
                HostAnswer::Suspend => {
                    Err(self.throw("java.lang.UnsupportedOperationException", "a constructor cannot wait"))
                }
            },
            _ => {
                let text = format!("unable to resolve class {} ", spec.name);
                Err(self.throw("org.codehaus.groovy.control.MultipleCompilationErrorsException", text))
            }
        }
    }

    fn new_builtin(&mut self, class: TypeId, args: &[Value]) -> Answer {
        if let Some(raise) = super::sandbox::rejected_new(self, class, args) {
            return Err(raise);
        }
        if let Some(value) = self.library_new(class, args)? {
            return Ok(value);
        }
        let name = self.types.get(class).name;
        let text = format!("Could not find matching constructor for: {name}({})", self.type_list(args));
        Err(self.throw("groovy.lang.GroovyRuntimeException", text))
    }

    /// An instance of a library class.
    pub(crate) fn library_new(&mut self, class: TypeId, args: &[Value]) -> Result<Option<Value>, Raise> {
        let types = self.types.clone();
        if let Some(new) = types.get(class).new {
            return match new(self, args) {
                Err(Raise::NoMatch) => Ok(None),
                answer => answer.map(Some),
            };
        }
        if self.types.is_a(class, id::THROWABLE) {
            let Some((message, cause)) = self.exception_arguments(args)? else { return Ok(None) };
            return Ok(Some(self.throwable(ClassRef::Builtin(class), message, cause)));
        }
        if class == id::OBJECT && args.is_empty() {
            return Ok(Some(Value::Object(self.new_object(ClassRef::Builtin(class), Vec::new()))));
        }
        Ok(None)
    }

    /// Message and cause from an exception's arguments.
    pub(crate) fn exception_arguments(&mut self, args: &[Value]) -> Result<Option<(Value, Value)>, Raise> {
        Ok(Some(match args {
            [] => (Value::Null, Value::Null),
            [cause] if self.is_throwable(cause) => (Value::Str(self.text(cause)?), cause.clone()),
            [Value::Null] => (Value::Null, Value::Null),
            [message] => (Value::Str(self.text(message)?), Value::Null),
            [message, cause, ..] if cause.is_null() || self.is_throwable(cause) => {
                let message = if message.is_null() { Value::Null } else { Value::Str(self.text(message)?) };
                (message, cause.clone())
            }
            [message, ..] => (Value::Str(self.text(message)?), Value::Null),
        }))
    }

    /// `new Foo(args)` of a script's class; `extra` fields are there before any of its code runs.
    pub(crate) fn construct(
        &mut self,
        class: &Rc<Class>,
        args: Vec<Value>,
        extra: Vec<(Rc<str>, Value)>,
    ) -> Result<Called, Raise> {
        let building = extra.iter().any(|(name, _)| &**name == "$name");
        if class.is_interface() || (class.is_abstract && !building) {
            let kind = if class.is_interface() { "interface" } else { "abstract class" };
            let text = format!(
                "You cannot create an instance from the abstract {} '{}'.",
                kind.replace("abstract ", ""),
                class.name
            );
            return Err(self.throw("java.lang.InstantiationException", text));
        }
        if !building {
            self.init_class(class)?;
        }
        let value = self.blank(class, extra);
        let constructors = class.constructors.borrow().clone();
        if let Some(called) = self.run_constructor(&constructors, &value, &args, Then::Instead(value.clone()))? {
            return Ok(called);
        }
        self.construct_otherwise(class, &constructors, value, args)
    }

    fn blank(&mut self, class: &Rc<Class>, extra: Vec<(Rc<str>, Value)>) -> Value {
        let mut fields = self.blank_fields(class);
        if self.is_a_throwable(class) {
            fields.push((Rc::from("message"), Value::Null));
            fields.push((Rc::from("cause"), Value::Null));
        }
        fields.extend(extra);
        self.next_id += 1;
        let script = class.script || self.descends(&ClassRef::User(class.clone()), &ClassRef::Builtin(id::SCRIPT));
        let binding = script.then(|| self.binding());
        Value::Object(self.heap.keep(Object {
            id: self.next_id,
            class: ClassRef::User(class.clone()),
            fields: fields.into(),
            binding,
            trace: RefCell::default(),
        }))
    }

    fn is_a_throwable(&self, class: &Rc<Class>) -> bool {
        self.descends(&ClassRef::User(class.clone()), &ClassRef::Builtin(id::THROWABLE))
    }

    fn run_constructor(
        &mut self,
        constructors: &[Rc<Method>],
        value: &Value,
        args: &[Value],
        then: Then,
    ) -> Result<Option<Called>, Raise> {
        Ok(self.try_methods(constructors, value, args)?.map(|called| match called {
            Called::Enter(mut invocation) => {
                invocation.then = then;
                Called::Enter(invocation)
            }
            other => other,
        }))
    }

    /// Named arguments set properties; `@TupleConstructor` takes values in order.
    fn construct_otherwise(
        &mut self,
        class: &Rc<Class>,
        constructors: &[Rc<Method>],
        value: Value,
        args: Vec<Value>,
    ) -> Result<Called, Raise> {
        if let [Value::Map(named)] = args.as_slice()
            && let Some(called) = self.run_constructor(constructors, &value, &[], Then::Discard)?
        {
            self.finish_nested(called)?;
            for (key, item) in self.entries(named) {
                let name = self.text(&key)?;
                if class.generated.immutable {
                    if !self.set_raw(&value, &name, &item)? {
                        return Err(self.missing_property(&value, &name));
                    }
                    continue;
                }
                let called = self.set_property(&value, &name, item)?;
                self.finish_nested(called)?;
            }
            return Ok(Called::Value(value));
        }
        if class.generated.tuple && !args.is_empty() {
            let names: Vec<Rc<str>> = class
                .fields
                .borrow()
                .iter()
                .filter(|field| !field.is_static && field.property)
                .map(|field| field.name.clone())
                .collect();
            if args.len() <= names.len()
                && let Some(called) = self.run_constructor(constructors, &value, &[], Then::Discard)?
            {
                self.finish_nested(called)?;
                for (name, item) in names.iter().zip(args) {
                    self.set_raw(&value, name, &item)?;
                }
                return Ok(Called::Value(value));
            }
        }
        let text = format!("Could not find matching constructor for: {}({})", class.name, self.type_list(&args));
        Err(self.throw("groovy.lang.GroovyRuntimeException", text))
    }

    /// `this(...)` and `super(...)` within a constructor.
    pub(crate) fn chain_init(&mut self, context: &Context, kind: CallKind, args: Vec<Value>) -> Result<Called, Raise> {
        let Some(class) = context.class.clone() else { return Ok(Called::Value(Value::Null)) };
        let target = if kind == CallKind::ThisInit { Some(class.clone()) } else { class.user_super() };
        let Some(target) = target else {
            if self.is_a_throwable(&class)
                && let Some((message, cause)) = self.exception_arguments(&args)?
            {
                self.set_raw(&context.this, "message", &message)?;
                self.set_raw(&context.this, "cause", &cause)?;
            }
            return Ok(Called::Value(Value::Null));
        };
        let constructors = target.constructors.borrow().clone();
        if let Some(called) = self.run_constructor(&constructors, &context.this, &args, Then::Push)? {
            return Ok(called);
        }
        if let [Value::Map(_)] = args.as_slice() {
            return self.construct_otherwise(&target, &constructors, context.this.clone(), args);
        }
        let text = format!("Could not find matching constructor for: {}({})", target.name, self.type_list(&args));
        Err(self.throw("groovy.lang.GroovyRuntimeException", text))
    }

    /// First values of the fields of the class being constructed, and of its traits.
    pub(crate) fn run_init(&mut self, context: &Context) -> Called {
        let Some(class) = context.class.clone() else { return Called::EnterAll(Vec::new()) };
        let mut all: Vec<Invocation> = Vec::new();
        let traits = class.user_interfaces().into_iter().filter(|interface| interface.kind == Kind::Trait);
        for one in std::iter::once(class.clone()).chain(traits) {
            if let Some(code) = one.init.borrow().clone() {
                all.push(self.plain_invocation(code, context.this.clone(), Some(one.clone())));
            }
        }
        Called::EnterAll(all)
    }

    /// An object from a list of constructor arguments or a map of properties: `Foo f = [1, 2]`.
    pub(crate) fn construct_from(&mut self, class: &Rc<Class>, value: Value) -> Answer {
        let args = match &value {
            Value::List(list) => list.items.borrow().clone(),
            other => vec![other.clone()],
        };
        let called = self.construct(class, args, Vec::new())?;
        self.finish_nested(called)
    }

    /// `closure as Interface`, `[name: { }] as Interface`.
    pub(crate) fn proxy(&mut self, value: Value, class: &Rc<Class>) -> Answer {
        Ok(self.stand_in(class, value))
    }

    /// `[name: { }] as SomeClass`: an instance whose methods the map replaces.
    pub(crate) fn map_as_class(&mut self, value: &Value, class: &Rc<Class>) -> Answer {
        let Value::Map(map) = value else { return Ok(self.stand_in(class, value.clone())) };
        let entries = self.entries(map);
        let plain: Vec<(Value, Value)> =
            entries.into_iter().filter(|(_, value)| !matches!(value, Value::Closure(_))).collect();
        if plain.len() == map.entries.borrow().len() && !class.is_abstract {
            return self.construct_from(class, value.clone());
        }
        let made = self.stand_in(class, value.clone());
        for (key, value) in plain {
            let name = self.text(&key)?;
            self.set_raw(&made, &name, &value)?;
        }
        Ok(made)
    }

    fn stand_in(&mut self, class: &Rc<Class>, held: Value) -> Value {
        self.blank(class, vec![(Rc::from("$proxy"), held)])
    }

    /// `object as Trait`: a copy that has the trait's methods first and the object's behind them.
    pub(crate) fn with_trait(&mut self, value: Value, class: &Rc<Class>) -> Answer {
        let map = self.map(MapKind::Linked);
        let _ = map;
        Ok(self.blank(class, vec![(Rc::from("$proxy"), value)]))
    }

    /// Types of arguments as messages show them.
    pub(crate) fn type_list(&self, args: &[Value]) -> String {
        let names: Vec<Rc<str>> =
            args.iter().map(|arg| if arg.is_null() { Rc::from("null") } else { self.class_name(arg) }).collect();
        names.join(", ")
    }

    /// A class of the source by type, for those who only have its name.
    pub fn type_named(&mut self, name: &str) -> Option<ClassRef> {
        let spec = TypeSpec { name: Rc::from(name), dimensions: 0 };
        match self.find_class(&spec.name)? {
            Value::Class(class) => Some(class),
            _ => None,
        }
    }
}
