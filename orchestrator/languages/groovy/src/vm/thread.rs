//! A Groovy thread: its open calls and its stack, as data.

use std::rc::Rc;

use crate::class::Class;
use crate::code::Code;
use crate::host::HostCall;
use crate::value::{Closure, Map, TraceLine, Value};
use crate::vm::Raise;

/// What a run ended with.
pub enum Outcome {
    /// The thread is over; its value.
    Done(Value),
    /// The thread is over; an exception nobody caught ([`crate::Vm::describe`] shows it).
    Threw(Value),
    /// It waits for the host: answer with [`Thread::resume`] and run on.
    Call(HostCall),
    /// The slice is used up; run on.
    Paused,
    /// A limit was passed: the build must end. The thread cannot run on.
    Fatal(String),
}

/// What becomes of a call's value.
#[derive(Clone)]
pub(crate) enum Then {
    /// Onto the caller's stack.
    Push,
    /// Nowhere.
    Discard,
    /// This one instead: the object that a constructor made.
    Instead(Value),
    /// Into a closure, whose value it then is (`first >> second`).
    Into(Rc<Closure>),
    /// Kept under a key, then onto the stack (`memoize`, `withDefault`).
    Keep(Rc<Map>, Value),
    /// Its truth onto the stack.
    Truth,
}

/// A call about to be made: code, and its parameters' values.
pub(crate) struct Invocation {
    pub(crate) code: Rc<Code>,
    pub(crate) this: Value,
    pub(crate) closure: Option<Rc<Closure>>,
    pub(crate) class: Option<Rc<Class>>,
    pub(crate) args: Vec<Value>,
    /// Bit `n`: parameter `n` was given.
    pub(crate) given: u64,
    pub(crate) then: Then,
}

/// What making a call led to.
pub(crate) enum Called {
    /// A value at once.
    Value(Value),
    /// Code to run.
    Enter(Box<Invocation>),
    /// Several codes to run, the last one first; all but the first-listed are run for their effects.
    EnterAll(Vec<Invocation>),
    /// The host is asked, and answers later.
    Host(Box<HostCall>),
}

/// An open call.
pub(crate) struct Frame {
    pub(crate) code: Rc<Code>,
    pub(crate) pc: usize,
    pub(crate) base: usize,
    pub(crate) this: Value,
    pub(crate) closure: Option<Rc<Closure>>,
    pub(crate) class: Option<Rc<Class>>,
    pub(crate) handlers: Vec<(u32, usize)>,
    pub(crate) then: Then,
    pub(crate) given: u64,
    pub(crate) notes: Vec<Vec<(u32, Value)>>,
}

/// A Groovy thread. Threads of one machine share its classes, bindings and heap.
#[derive(Default)]
pub struct Thread {
    pub(crate) stack: Vec<Value>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) answer: Option<Result<Value, Raise>>,
    pub(crate) start: Option<Box<Invocation>>,
    pub(crate) first: Option<Called>,
    pub(crate) waiting: bool,
    pub(crate) fuel: u64,
}

impl Thread {
    /// Gives the host's answer to the call that the thread waits for.
    pub fn resume(&mut self, answer: Result<Value, Raise>) {
        self.answer = Some(answer);
        self.waiting = false;
    }

    /// Whether it waits for an answer.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// The open calls, innermost first.
    pub fn trace(&self) -> Vec<TraceLine> {
        self.frames.iter().rev().filter(|frame| !frame.code.hidden).map(Frame::line).collect()
    }
}

impl Frame {
    /// Where it stands.
    pub(crate) fn line(&self) -> TraceLine {
        let byte = self.code.places.get(self.pc.saturating_sub(1)).copied().unwrap_or(0);
        let place = self.code.unit.lines.place(byte);
        TraceLine {
            class: self.code.class.clone(),
            method: self.code.name.clone(),
            file: self.code.unit.file.clone(),
            line: place.line,
            column: place.column,
        }
    }
}
