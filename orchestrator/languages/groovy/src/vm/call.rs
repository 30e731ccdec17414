//! Calls: which method a name means, in Groovy's order.

use std::rc::Rc;

use super::run::Context;
use super::thread::{Called, Invocation, Then, Thread};
use super::{Raise, Vm};
use crate::class::{Class, Method};
use crate::code::{CallKind, Code};
use crate::host::{HostAnswer, HostCall, HostObject};
use crate::types::{TypeId, id};
use crate::value::{ClassRef, Closure, Value, strategy};

/// A call that found its method, or did not.
pub(crate) type Tried = Result<Option<Called>, Raise>;

impl Vm {
    /// Makes the call of a site: arguments and receiver come from the stack.
    pub(crate) fn call_site(&mut self, thread: &mut Thread, context: &Context, index: u32) -> Result<Called, Raise> {
        let Some(site) = context.code.calls.get(index as usize) else { return Err(Raise::NoMatch) };
        let stack = &mut thread.stack;
        let mut args = stack.split_off(stack.len().saturating_sub(site.count as usize));
        if site.spread {
            let list = args.pop().unwrap_or_default();
            args = self.elements(&list)?;
        }
        let name = if site.dynamic {
            let name = stack.pop().unwrap_or_default();
            self.text(&name)?
        } else {
            site.name.clone()
        };
        match site.kind {
            CallKind::Name => self.call_name(context, &name, args),
            CallKind::Method => {
                let receiver = stack.pop().unwrap_or_default();
                self.invoke_in(Some(context), &receiver, &name, args)
            }
            CallKind::Value => {
                let receiver = stack.pop().unwrap_or_default();
                match &receiver {
                    Value::Closure(closure) => self.call_closure_with(&closure.clone(), args),
                    _ => self.invoke(&receiver, "call", args),
                }
            }
            CallKind::Super => self.call_super(context, &name, args),
            CallKind::ThisInit | CallKind::SuperInit => self.chain_init(context, site.kind, args),
        }
    }

    /// `receiver.name(args)`.
    ///
    /// # Errors
    /// What the method throws at once; `MissingMethodException`.
    pub(crate) fn invoke(&mut self, receiver: &Value, name: &str, args: Vec<Value>) -> Result<Called, Raise> {
        self.invoke_in(None, receiver, name, args)
    }

    pub(crate) fn invoke_in(
        &mut self,
        context: Option<&Context>,
        receiver: &Value,
        name: &str,
        args: Vec<Value>,
    ) -> Result<Called, Raise> {
        let _ = context;
        if let Some(called) = self.try_call(receiver, name, &args)? {
            return Ok(called);
        }
        if let Some(called) = self.last_resort(receiver, name, &args)? {
            return Ok(called);
        }
        Err(self.missing_method(receiver, name, &args))
    }

    /// `name(args)` without a receiver.
    fn call_name(&mut self, context: &Context, name: &str, args: Vec<Value>) -> Result<Called, Raise> {
        if let Some(closure) = &context.closure
            && !context.code.hidden
        {
            return self.call_in_closure(closure, context, name, args);
        }
        if let Some(called) = self.try_implicit(context, &context.this, name, &args)? {
            return Ok(called);
        }
        if let Some(called) = self.last_resort(&context.this, name, &args)? {
            return Ok(called);
        }
        Err(self.missing_method(&context.this, name, &args))
    }

    /// Methods of `this`, static imports, then the objects and classes around.
    fn try_implicit(&mut self, context: &Context, this: &Value, name: &str, args: &[Value]) -> Tried {
        if let Some(class) = &context.class {
            // A static or private method of the class whose code runs, though `this` is of a subclass.
            if let Some(called) = self.try_private(class, this, name, args)? {
                return Ok(Some(called));
            }
        }
        if let Some(called) = self.try_call(this, name, args)? {
            return Ok(Some(called));
        }
        if let Some(called) = self.try_static_import(&context.code, name, args)? {
            return Ok(Some(called));
        }
        self.try_around(this, name, args)
    }

    fn try_private(&mut self, class: &Rc<Class>, this: &Value, name: &str, args: &[Value]) -> Tried {
        let methods = match class.methods.borrow().get(name) {
            Some(methods) if methods.iter().any(|method| method.private) => methods.clone(),
            _ => return Ok(None),
        };
        self.try_methods(&methods, this, args)
    }

    fn try_around(&mut self, this: &Value, name: &str, args: &[Value]) -> Tried {
        if let Some(outer) = self.outer_instance(this) {
            if let Some(called) = self.try_call(&outer, name, args)? {
                return Ok(Some(called));
            }
            return self.try_around(&outer, name, args);
        }
        let class = match this {
            Value::Class(ClassRef::User(class)) => Some(class.clone()),
            Value::Object(object) => match &object.class {
                ClassRef::User(class) => Some(class.clone()),
                ClassRef::Builtin(_) => None,
            },
            _ => None,
        };
        let mut around = class.and_then(|class| class.outer());
        while let Some(class) = around {
            let value = Value::Class(ClassRef::User(class.clone()));
            if let Some(called) = self.try_call(&value, name, args)? {
                return Ok(Some(called));
            }
            around = class.outer();
        }
        Ok(None)
    }

    fn try_static_import(&mut self, code: &Rc<Code>, name: &str, args: &[Value]) -> Tried {
        let unit = code.unit.clone();
        if let Some((owner, member)) = unit.statics.get(name)
            && let Some(class) = self.class_named(owner, &unit)
        {
            return self.try_call(&class, member, args);
        }
        for owner in &unit.static_stars {
            if let Some(class) = self.class_named(owner, &unit)
                && let Some(called) = self.try_call(&class, name, args)?
            {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    /// In a closure: owner and delegate by the strategy, each first for methods it has, then for what it does with
    /// unknown ones.
    fn call_in_closure(
        &mut self,
        closure: &Rc<Closure>,
        context: &Context,
        name: &str,
        args: Vec<Value>,
    ) -> Result<Called, Raise> {
        if name == "call" {
            return self.call_closure_with(closure, args);
        }
        if let Some(called) = self.try_closure(closure, context, name, &args)? {
            return Ok(called);
        }
        let mut targets = Vec::new();
        self.targets(closure, &mut targets);
        for target in &targets {
            if let Some(called) = self.last_resort(target, name, &args)? {
                return Ok(called);
            }
        }
        let blamed = targets.into_iter().next().unwrap_or_else(|| closure.this.clone());
        Err(self.missing_method(&blamed, name, &args))
    }

    /// Owners and delegates that are no closures, in the order of the strategies.
    pub(crate) fn targets(&self, closure: &Rc<Closure>, into: &mut Vec<Value>) {
        // Closures may delegate to each other in a circle, so each is walked once; and by a list, not by recursion.
        let mut seen: Vec<Rc<Closure>> = vec![closure.clone()];
        let mut open: Vec<Value> = resolution(closure);
        open.reverse();
        while let Some(value) = open.pop() {
            match value {
                Value::Closure(inner) => {
                    if seen.iter().any(|known| Rc::ptr_eq(known, &inner)) {
                        continue;
                    }
                    open.extend(resolution(&inner).into_iter().rev());
                    seen.push(inner);
                }
                Value::Null => {}
                other => {
                    if !into.iter().any(|known| known.same(&other)) {
                        into.push(other);
                    }
                }
            }
        }
    }

    fn try_closure(&mut self, closure: &Rc<Closure>, context: &Context, name: &str, args: &[Value]) -> Tried {
        let mut targets = Vec::new();
        self.targets(closure, &mut targets);
        for target in &targets {
            let found = if target.same(&context.this) {
                self.try_implicit(context, target, name, args)?
            } else {
                self.try_call(target, name, args)?
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        // Methods that every closure has: `curry`, `getDelegate`...
        self.try_library(&Value::Closure(closure.clone()), name, args)
    }

    /// A method that the receiver has.
    pub(crate) fn try_call(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Tried {
        if !self.categories.is_empty()
            && let Some(called) = self.try_categories(receiver, name, args)?
        {
            return Ok(Some(called));
        }
        match receiver {
            Value::Object(object) => {
                let ClassRef::User(class) = object.class.clone() else { return self.try_library(receiver, name, args) };
                if let Some(held) = self.raw_field(receiver, "$proxy")
                    && let Some(called) = self.try_stand_in(&held, name, args)?
                {
                    return Ok(Some(called));
                }
                let methods = class.find(name);
                if !methods.is_empty()
                    && let Some(called) = self.try_methods(&methods, receiver, args)?
                {
                    return Ok(Some(called));
                }
                if let Some(called) = self.try_generated(receiver, &class, name, args)? {
                    return Ok(Some(called));
                }
                if let Some(held) = self.raw_field(receiver, name)
                    && let Some(called) = self.try_callable(&held, args)?
                {
                    return Ok(Some(called));
                }
                if class.script || object.binding.is_some() {
                    return self.try_script(receiver, name, args);
                }
                self.try_library(receiver, name, args)
            }
            Value::Class(class) => self.try_static(receiver, class, name, args),
            Value::Closure(closure) => {
                if name == "call" || name == "doCall" {
                    return self.call_closure_with(&closure.clone(), args.to_vec()).map(Some);
                }
                self.try_library(receiver, name, args)
            }
            Value::Host(object) => {
                let object = object.clone();
                if let Some(called) = self.ask_object(&object, name, args)? {
                    return Ok(Some(called));
                }
                self.try_library(receiver, name, args)
            }
            Value::Map(map) => {
                if let Some(called) = self.try_library(receiver, name, args)? {
                    return Ok(Some(called));
                }
                match self.map_get(map, &Value::str(name))? {
                    Some(held) => self.try_callable(&held, args),
                    None => Ok(None),
                }
            }
            Value::Null => self.try_null(name, args),
            _ => self.try_library(receiver, name, args),
        }
    }

    /// `use (Category) { }`: static methods whose first parameter is the receiver.
    fn try_categories(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Tried {
        let mut with = vec![receiver.clone()];
        with.extend_from_slice(args);
        for class in self.categories.clone().iter().rev() {
            let mut methods = class.find(name);
            methods.retain(|method| method.is_static);
            if let Some(called) = self.try_methods(&methods, receiver, &with)? {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    fn try_callable(&mut self, held: &Value, args: &[Value]) -> Tried {
        match held {
            Value::Closure(closure) => self.call_closure_with(&closure.clone(), args.to_vec()).map(Some),
            Value::Object(object) => match object.class.clone() {
                ClassRef::User(class) if class.has("call") => {
                    let methods = class.find("call");
                    self.try_methods(&methods, held, args)
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The binding's closures, and the host before library methods of the same name (`sleep` is a step).
    fn try_script(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Tried {
        if let Some(held) = self.binding_value(receiver, name)
            && let Some(called) = self.try_callable(&held, args)?
        {
            return Ok(Some(called));
        }
        if let ("evaluate", [source]) = (name, args) {
            let source = self.str_arg(source)?;
            return self.evaluate(receiver, &source).map(Some);
        }
        let library = self.types.get(id::SCRIPT).found.contains_key(name) || self.prelude_has(id::OBJECT, name);
        if library {
            if let Some(called) = self.ask_host(name, args)? {
                return Ok(Some(called));
            }
            return self.try_library(receiver, name, args);
        }
        Ok(None)
    }

    /// What a receiver does with a method it does not have: the host's steps for a script, `invokeMethod`,
    /// `methodMissing`.
    fn last_resort(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Tried {
        let class = match receiver {
            Value::Object(object) => match &object.class {
                ClassRef::User(class) => class.clone(),
                ClassRef::Builtin(_) => return Ok(None),
            },
            // `library('x').org.acme.Names.new()`: how Jenkins makes an instance of a class that it has as a value.
            Value::Class(ClassRef::User(class)) if name == "new" => {
                return self.construct(&class.clone(), args.to_vec(), Vec::new()).map(Some);
            }
            Value::Class(ClassRef::User(class)) => {
                let methods = class.find("$static_methodMissing");
                if methods.is_empty() {
                    return Ok(None);
                }
                let list = self.list_of(crate::value::ListKind::Java(id::OBJECT), args.to_vec());
                return self.try_methods(&methods, receiver, &[Value::str(name), list]);
            }
            _ => return Ok(None),
        };
        if class.script
            && let Some(called) = self.ask_host(name, args)?
        {
            return Ok(Some(called));
        }
        for handler in ["methodMissing", "invokeMethod"] {
            let methods = class.find(handler);
            if methods.is_empty() || name == handler {
                continue;
            }
            let list = self.list_of(crate::value::ListKind::Java(id::OBJECT), args.to_vec());
            if let Some(called) = self.try_methods(&methods, receiver, &[Value::str(name), list])? {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    /// Offers a call to the host.
    fn ask_host(&mut self, name: &str, args: &[Value]) -> Tried {
        let host = self.host.clone();
        let answer = host.call(self, name, args);
        self.answered(answer, None, name, args, false)
    }

    fn ask_object(&mut self, object: &Rc<dyn HostObject>, name: &str, args: &[Value]) -> Tried {
        let answer = object.call(self, name, args);
        self.answered(answer, Some(object.clone()), name, args, false)
    }

    /// What an answer of the host means for the thread.
    pub(crate) fn answered(
        &mut self,
        answer: HostAnswer,
        receiver: Option<Rc<dyn HostObject>>,
        name: &str,
        args: &[Value],
        property: bool,
    ) -> Tried {
        match answer {
            HostAnswer::Unknown => Ok(None),
            HostAnswer::Value(value) => Ok(Some(Called::Value(value))),
            HostAnswer::Throw(raise) => Err(raise),
            HostAnswer::Suspend => Ok(Some(Called::Host(Box::new(HostCall {
                receiver,
                name: Rc::from(name),
                args: args.to_vec(),
                property,
                at: super::objects::nowhere(),
            })))),
        }
    }

    fn try_null(&mut self, name: &str, args: &[Value]) -> Tried {
        Ok(Some(Called::Value(match (name, args) {
            ("toString", []) => Value::str("null"),
            ("equals" | "is", [other]) => Value::Bool(other.is_null()),
            ("asBoolean" | "hashCode", []) if name == "asBoolean" => Value::Bool(false),
            ("iterator", []) => self.iterator(Vec::new()),
            ("getClass", []) => Value::Class(ClassRef::Builtin(id::NULL)),
            ("plus", [Value::Str(text)]) => Value::from(format!("null{text}")),
            _ => return self.try_library(&Value::Null, name, args),
        })))
    }

    /// Static methods of a class, then what every `Class` object has.
    fn try_static(&mut self, receiver: &Value, class: &ClassRef, name: &str, args: &[Value]) -> Tried {
        match class {
            ClassRef::User(class) => {
                self.init_class(class)?;
                let mut methods = class.find(name);
                methods.retain(|method| method.is_static);
                if !methods.is_empty()
                    && let Some(called) = self.try_methods(&methods, receiver, args)?
                {
                    return Ok(Some(called));
                }
                if let Some(called) = self.try_generated_static(class, name, args)? {
                    return Ok(Some(called));
                }
                if let Some(held) = self.static_field(class, name)
                    && let Some(called) = self.try_callable(&held, args)?
                {
                    return Ok(Some(called));
                }
                if let ClassRef::Builtin(above) = class.builtin_super()
                    && let Some(value) = self.library_static(above, name, args)?
                {
                    return Ok(Some(Called::Value(value)));
                }
            }
            ClassRef::Builtin(class) => {
                if let Some(raise) = crate::vm::sandbox::rejected_static(self, *class, name) {
                    return Err(raise);
                }
                if let Some(value) = self.library_static(*class, name, args)? {
                    return Ok(Some(Called::Value(value)));
                }
                if let Some(called) = self.try_prelude_static(*class, name, args)? {
                    return Ok(Some(called));
                }
            }
        }
        self.try_library(receiver, name, args)
    }

    /// A static method of the library, of a class or those above it.
    pub(crate) fn library_static(&mut self, class: TypeId, name: &str, args: &[Value]) -> Result<Option<Value>, Raise> {
        let types = self.types.clone();
        let count = u8::try_from(args.len()).unwrap_or(u8::MAX);
        for above in types.get(class).ancestors.iter() {
            for function in types.get(*above).statics.iter().filter(|function| function.name == name) {
                if function.min <= count && count <= function.max {
                    match (function.run)(self, args) {
                        Err(Raise::NoMatch) => {}
                        answer => return answer.map(Some),
                    }
                }
            }
        }
        Ok(None)
    }

    /// Library methods of a value: native ones, then those of the prelude.
    pub(crate) fn try_library(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Tried {
        if let Some(raise) = crate::vm::sandbox::rejected(self, receiver, name, args) {
            return Err(raise);
        }
        let types = self.types.clone();
        let count = u8::try_from(args.len()).unwrap_or(u8::MAX);
        let class = self.class_of(receiver);
        let nearest: Rc<[TypeId]> = match &class {
            ClassRef::Builtin(class) => Rc::from([*class]),
            ClassRef::User(class) => self.user_ancestors(class),
        };
        for above in nearest.iter() {
            for method in types.get(*above).found.get(name).map_or(&[][..], Vec::as_slice) {
                if method.min <= count && count <= method.max {
                    match (method.run)(self, receiver, args) {
                        Err(Raise::NoMatch) => {}
                        answer => return answer.map(|value| Some(Called::Value(value))),
                    }
                }
            }
        }
        self.try_prelude(receiver, name, args)
    }

    /// Library classes of a value, nearest first.
    pub(crate) fn library_ancestors(&self, receiver: &Value) -> Rc<[TypeId]> {
        match self.class_of(receiver) {
            ClassRef::Builtin(class) => self.types.get(class).ancestors.clone(),
            ClassRef::User(class) => self.user_ancestors(&class),
        }
    }

    /// The best of several methods for arguments.
    pub(crate) fn try_methods(&mut self, methods: &[Rc<Method>], this: &Value, args: &[Value]) -> Tried {
        let mut best: Option<(u32, usize)> = None;
        for (at, method) in methods.iter().enumerate() {
            if method.is_abstract {
                continue;
            }
            if let Some(distance) = self.distance(&method.code, args)?
                && best.is_none_or(|(least, _)| distance < least)
            {
                best = Some((distance, at));
            }
        }
        let Some(method) = best.and_then(|(_, at)| methods.get(at)) else { return Ok(None) };
        let class = method.class.borrow().upgrade();
        let this = match (method.is_static, &class, this) {
            (true, Some(_), Value::Class(_)) => this.clone(),
            (true, Some(class), _) => Value::Class(ClassRef::User(class.clone())),
            _ => this.clone(),
        };
        if let (Some(class), true) = (&class, method.is_static) {
            self.init_class(class)?;
        }
        let Some((args, given)) = self.bind(&method.code, args.to_vec())? else { return Ok(None) };
        Ok(Some(Called::Enter(Box::new(Invocation {
            code: method.code.clone(),
            this,
            closure: None,
            class,
            args,
            given,
            then: Then::Push,
        }))))
    }

    /// `super.name(args)`.
    fn call_super(&mut self, context: &Context, name: &str, args: Vec<Value>) -> Result<Called, Raise> {
        let class = context.class.clone().or_else(|| self.user_class(&context.this));
        if let Some(class) = class {
            let mut methods = Vec::new();
            for above in class.lineage().into_iter().skip(1) {
                if let Some(found) = above.methods.borrow().get(name) {
                    methods.extend(found.iter().cloned());
                }
            }
            if let Some(called) = self.try_methods(&methods, &context.this, &args)? {
                return Ok(called);
            }
            if let Some(above) = class.user_super()
                && let Some(called) = self.try_generated(&context.this, &above, name, &args)?
            {
                return Ok(called);
            }
        }
        if let Some(value) = self.plain_method(&context.this, name, &args)? {
            return Ok(Called::Value(value));
        }
        if let Some(called) = self.try_library(&context.this, name, &args)? {
            return Ok(called);
        }
        Err(self.missing_method(&context.this, name, &args))
    }
}

/// Where a closure looks, in order.
pub(crate) fn resolution(closure: &Closure) -> Vec<Value> {
    let delegate = closure.delegate.borrow().clone();
    let owner = closure.owner.clone();
    match closure.strategy.get() {
        strategy::DELEGATE_FIRST => vec![delegate, owner],
        strategy::OWNER_ONLY => vec![owner],
        strategy::DELEGATE_ONLY => vec![delegate],
        strategy::TO_SELF => Vec::new(),
        _ => vec![owner, delegate],
    }
}
