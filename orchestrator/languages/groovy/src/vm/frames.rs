//! Opening and closing calls, and the way of an exception through them.

use super::thread::{Called, Frame, Invocation, Outcome, Then, Thread};
use super::{Raise, Vm};
use crate::limits;
use crate::value::{Slot, Value};

impl Vm {
    /// Goes on with what a call led to.
    pub(crate) fn settle(&mut self, thread: &mut Thread, called: Called) -> Result<Option<Outcome>, Raise> {
        // A library call is dearer than an instruction, and what ran within it counts too.
        thread.fuel += limits::FUEL_OF_CALL + std::mem::take(&mut self.spent);
        if self.weigh_stack {
            self.weigh_stack = false;
            self.stack_bytes = crate::heap::texts(&thread.stack) + thread.stack.capacity() * size_of::<Value>();
            self.charge(0)?;
            if self.stack_bytes > limits::MAX_BYTES {
                return Err(super::memory(self.stack_bytes));
            }
        }
        match called {
            Called::Value(value) => thread.stack.push(value),
            Called::Enter(invocation) => self.enter(thread, *invocation)?,
            Called::EnterAll(all) => {
                for invocation in all {
                    self.enter(thread, invocation)?;
                }
            }
            Called::Host(mut call) => {
                if self.nested > 0 {
                    let text = format!(
                        "{} was called where Groovy runs on its own (in a toString, equals, hashCode, compareTo or iterator), and such code cannot wait for a step",
                        call.name
                    );
                    return Err(self.throw("java.lang.UnsupportedOperationException", text));
                }
                thread.waiting = true;
                if let Some(line) = thread.trace().into_iter().next() {
                    call.at = line;
                }
                return Ok(Some(Outcome::Call(*call)));
            }
        }
        Ok(None)
    }

    /// Opens a call.
    pub(crate) fn enter(&mut self, thread: &mut Thread, invocation: Invocation) -> Result<(), Raise> {
        if thread.frames.len() >= limits::MAX_CALLS {
            return Err(self.exception_without_message("java.lang.StackOverflowError"));
        }
        let base = thread.stack.len();
        let code = invocation.code;
        thread.stack.extend(invocation.args);
        thread.stack.resize(base + code.slots as usize, Value::Null);
        for slot in &code.boxed {
            if let Some(place) = thread.stack.get_mut(base + *slot as usize) {
                let value = std::mem::take(place);
                *place = Value::Cell(self.heap.keep(Slot { value: value.into() }));
            }
        }
        thread.frames.push(Frame {
            code,
            pc: 0,
            base,
            this: invocation.this,
            closure: invocation.closure,
            class: invocation.class,
            handlers: Vec::new(),
            then: invocation.then,
            given: invocation.given,
            notes: Vec::new(),
        });
        Ok(())
    }

    /// Closes the innermost call with its value.
    pub(crate) fn give_back(&mut self, thread: &mut Thread, value: Value) -> Result<Option<Outcome>, Raise> {
        let Some(frame) = thread.frames.pop() else { return Ok(Some(Outcome::Done(value))) };
        thread.stack.truncate(frame.base);
        match frame.then {
            Then::Push => thread.stack.push(value),
            Then::Discard => {}
            Then::Instead(object) => thread.stack.push(object),
            Then::Into(closure) => {
                let called = self.call_closure_with(&closure, vec![value])?;
                return self.settle(thread, called);
            }
            Then::Keep(map, key) => {
                self.map_put_raw(&map, key, value.clone())?;
                thread.stack.push(value);
            }
            Then::Truth => {
                let truth = self.truth(&value)?;
                thread.stack.push(Value::Bool(truth));
            }
        }
        if thread.frames.is_empty() {
            return Ok(Some(Outcome::Done(thread.stack.pop().unwrap_or_default())));
        }
        Ok(None)
    }

    /// Finds the handler of an exception. `Err`: there is none.
    pub(crate) fn unwind(&mut self, thread: &mut Thread, raise: Raise) -> Result<(), Raise> {
        let value = match raise {
            Raise::Throw(value) => value,
            Raise::NoMatch => {
                match self.throw("groovy.lang.GroovyRuntimeException", "a library function refused its arguments") {
                    Raise::Throw(value) => value,
                    other => return Err(other),
                }
            }
            Raise::Fatal(text) => return Err(Raise::Fatal(format!("{text}{}", self.place_text(thread)))),
        };
        thread.fuel += limits::FUEL_OF_THROW + std::mem::take(&mut self.spent);
        if let Value::Object(object) = &value {
            let mut trace = object.trace.borrow_mut();
            if trace.is_empty() || std::mem::take(&mut self.extend_trace) {
                trace.extend(thread.trace());
            }
        }
        while let Some(frame) = thread.frames.last_mut() {
            if let Some((handler, height)) = frame.handlers.pop() {
                frame.pc = handler as usize;
                frame.notes.clear();
                thread.stack.truncate(height);
                thread.stack.push(value);
                return Ok(());
            }
            let base = frame.base;
            thread.stack.truncate(base);
            thread.frames.pop();
        }
        Err(Raise::Throw(value))
    }
}
