//! Closures: calling what they wrap, and making them.

use std::rc::Rc;

use super::thread::{Called, Invocation, Then};
use super::{Raise, Vm};
use crate::library::Answer;
use crate::value::{Body, Closure, MapKind, Value, strategy};

impl Vm {
    /// Calls a closure.
    pub(crate) fn call_closure_with(&mut self, closure: &Rc<Closure>, args: Vec<Value>) -> Result<Called, Raise> {
        match &closure.body {
            Body::Code { .. } => self.call_body(closure, args),
            // What wraps another closure calls it by recursion, and a wrapper of a wrapper has no natural end.
            _ => self.deeper(|vm| vm.call_body(closure, args)),
        }
    }

    pub(crate) fn call_body(&mut self, closure: &Rc<Closure>, args: Vec<Value>) -> Result<Called, Raise> {
        match &closure.body {
            Body::Code { code, .. } => {
                let Some((bound, given)) = self.bind(code, args.clone())? else {
                    return Err(self.missing_call(closure, &args));
                };
                Ok(Called::Enter(Box::new(Invocation {
                    code: code.clone(),
                    this: closure.this.clone(),
                    closure: Some(closure.clone()),
                    class: None,
                    args: bound,
                    given,
                    then: Then::Push,
                })))
            }
            Body::Method { receiver, name } => {
                let (receiver, name) = (receiver.clone(), name.clone());
                if let [Value::List(list)] = args.as_slice() {
                    // As any closure of several parameters, it takes a lone list apart.
                    if let Some(called) = self.try_call(&receiver, &name, &args)? {
                        return Ok(called);
                    }
                    let items = list.items.borrow().clone();
                    if let Some(called) = self.try_call(&receiver, &name, &items)? {
                        return Ok(called);
                    }
                }
                self.invoke(&receiver, &name, args)
            }
            Body::Curried { inner, kept, at } => {
                let mut all = args;
                let at = at.unwrap_or(all.len()).min(all.len());
                all.splice(at..at, kept.iter().cloned());
                let inner = inner.clone();
                self.call_closure_with(&inner, all)
            }
            Body::Composed { first, second } => {
                let (first, second) = (first.clone(), second.clone());
                let called = self.call_closure_with(&first, args)?;
                self.then_into(called, second)
            }
            Body::Memoized { inner, answers } => {
                let (inner, answers) = (inner.clone(), answers.clone());
                let key = self.list(args.clone());
                if let Some(known) = self.map_get(&answers, &key)? {
                    return Ok(Called::Value(known));
                }
                match self.call_closure_with(&inner, args)? {
                    Called::Value(value) => {
                        self.map_put_raw(&answers, key, value.clone())?;
                        Ok(Called::Value(value))
                    }
                    Called::Enter(mut invocation) if matches!(invocation.then, Then::Push) => {
                        invocation.then = Then::Keep(answers, key);
                        Ok(Called::Enter(invocation))
                    }
                    other => Ok(other),
                }
            }
        }
    }

    pub(crate) fn then_into(&mut self, called: Called, second: Rc<Closure>) -> Result<Called, Raise> {
        match called {
            Called::Value(value) => self.call_closure_with(&second, vec![value]),
            Called::Enter(mut invocation) => {
                invocation.then = match invocation.then {
                    Then::Into(inner) => {
                        let joined = self.composed(inner, second);
                        Then::Into(joined)
                    }
                    _ => Then::Into(second),
                };
                Ok(Called::Enter(invocation))
            }
            other => Ok(other),
        }
    }

    /// `first >> second`.
    pub fn composed(&mut self, first: Rc<Closure>, second: Rc<Closure>) -> Rc<Closure> {
        let (owner, this) = (first.owner.clone(), first.this.clone());
        self.closure_of(Body::Composed { first, second }, owner, this)
    }

    /// `receiver.&name`.
    pub fn method_pointer(&mut self, receiver: Value, name: Rc<str>) -> Value {
        let body = Body::Method { receiver: receiver.clone(), name };
        Value::Closure(self.closure_of(body, receiver.clone(), receiver))
    }

    /// A closure of a body.
    pub fn closure_of(&mut self, body: Body, owner: Value, this: Value) -> Rc<Closure> {
        self.next_id += 1;
        self.heap.keep(Closure {
            body,
            delegate: owner.clone().into(),
            owner,
            this,
            strategy: strategy::OWNER_FIRST.into(),
            id: self.next_id,
        })
    }

    /// `closure.memoize()`.
    pub fn memoized(&mut self, inner: Rc<Closure>) -> Value {
        let answers = self.map(MapKind::Linked);
        let (owner, this) = (inner.owner.clone(), inner.this.clone());
        Value::Closure(self.closure_of(Body::Memoized { inner, answers }, owner, this))
    }

    /// Calls a method, nested: no steps.
    ///
    /// # Errors
    /// What it throws.
    pub fn call_method(&mut self, receiver: &Value, name: &str, args: &[Value]) -> Answer {
        let called = self.invoke(receiver, name, args.to_vec())?;
        self.finish_nested(called)
    }

    /// Calls a closure, nested: no steps.
    ///
    /// # Errors
    /// What it throws.
    pub fn call_closure(&mut self, closure: &Value, args: &[Value]) -> Answer {
        let called = match closure {
            Value::Closure(closure) => self.call_closure_with(closure, args.to_vec())?,
            other => self.invoke(other, "call", args.to_vec())?,
        };
        self.finish_nested(called)
    }
}
