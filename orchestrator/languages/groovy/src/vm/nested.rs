//! Runs within runs: where the library needs a script's own `toString`, `equals`, `compareTo`, comparator or iterator.
//! Such a run uses the host's stack, so its depth is limited, and it cannot wait for a step.

use std::cmp::Ordering;
use std::rc::Rc;

use super::thread::{Called, Outcome, Thread};
use super::{Raise, Vm};
use crate::library::Answer;
use crate::limits;
use crate::value::{ClassRef, TraceLine, Value};

impl Vm {
    /// Runs what a call led to until its value is there.
    pub(crate) fn finish_nested(&mut self, called: Called) -> Answer {
        if let Called::Value(value) = called {
            return Ok(value);
        }
        if self.nested >= limits::MAX_NESTED_RUNS {
            return Err(self.exception_without_message("java.lang.StackOverflowError"));
        }
        self.nested += 1;
        let mut thread = Thread { first: Some(called), ..Thread::default() };
        let outcome = self.run(&mut thread, limits::FUEL);
        self.nested -= 1;
        self.spent += thread.fuel;
        match outcome {
            Outcome::Done(value) => Ok(value),
            Outcome::Threw(value) => {
                self.extend_trace = true;
                Err(Raise::Throw(value))
            }
            Outcome::Fatal(text) => Err(Raise::Fatal(text)),
            Outcome::Paused => Err(Raise::Fatal("a nested call used up all its instructions".to_owned())),
            Outcome::Call(call) => {
                Err(Raise::Fatal(format!("{} was asked of the host within a nested call", call.name)))
            }
        }
    }

    /// The stack of a new exception is written when it is thrown.
    pub(crate) fn trace(&self) -> Vec<TraceLine> {
        Vec::new()
    }

    /// `toString()` of an object, closure, iterator or library value.
    pub(crate) fn own_text(&mut self, value: &Value) -> Result<Rc<str>, Raise> {
        if let Value::Object(_) = value {
            if let Some(class) = self.user_class(value) {
                let methods = class.find("toString");
                if !methods.is_empty()
                    && let Some(called) = self.try_methods(&methods, value, &[])?
                {
                    let text = self.finish_nested(called)?;
                    return match text {
                        Value::Object(_) => Ok(Rc::from("null")),
                        other => self.text(&other),
                    };
                }
                if let Some(held) = self.raw_field(value, "$proxy")
                    && let Value::Map(map) = &held
                    && let Some(Value::Closure(closure)) = self.map_get(&map.clone(), &Value::str("toString"))?
                {
                    let called = self.call_closure_with(&closure, Vec::new())?;
                    let text = self.finish_nested(called)?;
                    return self.text(&text);
                }
            }
            return self.object_text(value);
        }
        if let Value::Closure(closure) = value {
            let class = self.closure_class(closure);
            return Ok(Rc::from(format!("{class}@{:x}", closure.id)));
        }
        if matches!(value, Value::Native(_))
            && let Some(text) = self.native_method(value, "toString", &[])
        {
            return match text? {
                Value::Str(text) => Ok(text),
                other => self.text(&other),
            };
        }
        Ok(self.plain_text(value))
    }

    /// The value of `${-> ...}` when its string becomes text; `${w -> w << ...}` writes into a writer.
    pub(crate) fn gstring_part(&mut self, value: &Value) -> Answer {
        let Value::Closure(closure) = value else { return Ok(value.clone()) };
        let count = self.parameter_count(closure);
        if count > 1 {
            let text = "Trying to evaluate a GString containing a Closure taking more than one parameter";
            return Err(self.throw("groovy.lang.GroovyRuntimeException", text));
        }
        if count == 1 {
            let Some(class) = self.type_named("java.io.StringWriter") else { return Ok(Value::Null) };
            let ClassRef::Builtin(class) = class else { return Ok(Value::Null) };
            let writer = self.library_new(class, &[])?.unwrap_or_default();
            self.call_closure(value, std::slice::from_ref(&writer))?;
            return Ok(writer);
        }
        self.call_closure(value, &[])
    }

    /// The order that a comparator gives: a closure of one (a key) or two parameters, or an object with `compare`.
    ///
    /// # Errors
    /// What it throws.
    pub fn compare_by(&mut self, comparator: &Value, a: &Value, b: &Value) -> Result<Ordering, Raise> {
        let answer = match comparator {
            Value::Closure(closure) if self.parameter_count(closure) == 1 => {
                let x = self.call_closure(comparator, std::slice::from_ref(a))?;
                let y = self.call_closure(comparator, std::slice::from_ref(b))?;
                return self.compare(&x, &y);
            }
            Value::Closure(_) => self.call_closure(comparator, &[a.clone(), b.clone()])?,
            other => self.call_method(other, "compare", &[a.clone(), b.clone()])?,
        };
        Ok(crate::number::to_f64(&answer).unwrap_or(0.0).total_cmp(&0.0))
    }

    /// Groovy truth of an object: its `asBoolean`, or that it is there.
    pub(crate) fn object_truth(&mut self, value: &Value) -> Result<bool, Raise> {
        if self.has_own(value, "asBoolean") {
            let answer = self.call_method(value, "asBoolean", &[])?;
            return Ok(matches!(answer, Value::Bool(true)));
        }
        Ok(true)
    }

    /// The elements of an object with `iterator()`, of a library value with one, or the value itself.
    pub(crate) fn other_elements(&mut self, value: &Value) -> Result<Vec<Value>, Raise> {
        if self.has_own(value, "iterator") || (self.has_own(value, "hasNext") && self.has_own(value, "next")) {
            let iterator = self.iterate(value)?;
            return self.elements(&iterator);
        }
        if let Value::Class(ClassRef::User(class)) = value
            && class.kind == crate::class::Kind::Enum
        {
            return self.enum_values(&class.clone());
        }
        if let Value::Native(_) = value
            && let Some(answer) = self.native_method(value, "iterator", &[])
        {
            let iterator = answer?;
            if !iterator.same(value) {
                return self.elements(&iterator);
            }
        }
        Ok(vec![value.clone()])
    }
}
