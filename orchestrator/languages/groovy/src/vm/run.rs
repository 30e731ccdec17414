//! The loop: one instruction after another, until the thread is done, throws, or waits.
//!
//! A user's call is a [`Frame`] in the thread, never a call on the host's stack. An instruction that cannot go on at
//! once (a step) leaves the thread as it is, with the frame's counter behind it; the answer is pushed when it comes.

use std::rc::Rc;

use super::thread::{Called, Frame, Outcome, Then, Thread};
use super::{Raise, Vm};
use crate::class::Class;
use crate::code::{Binary, Op, Unary};
use crate::limits;
use crate::number::{self, Arith};
use crate::value::{Closure, Slot, Value};

/// The frame's surroundings that look-ups need.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) this: Value,
    pub(crate) closure: Option<Rc<Closure>>,
    pub(crate) class: Option<Rc<Class>>,
    pub(crate) code: Rc<crate::code::Code>,
}

enum Flow {
    Next,
    Return(Value),
    Called(Called),
}

impl Vm {
    /// Runs a thread until it is done, throws, waits or has used `slice` instructions.
    pub fn run(&mut self, thread: &mut Thread, slice: u64) -> Outcome {
        if let Some(start) = thread.start.take()
            && let Err(raise) = self.enter(thread, *start)
        {
            return self.over(raise);
        }
        if let Some(first) = thread.first.take() {
            match self.settle(thread, first) {
                Ok(Some(outcome)) => return outcome,
                Ok(None) => {}
                Err(raise) => return self.over(raise),
            }
        }
        if let Some(answer) = thread.answer.take() {
            thread.fuel = 0;
            match answer {
                Ok(value) => thread.stack.push(value),
                Err(raise) => {
                    if let Err(raise) = self.unwind(thread, raise) {
                        return self.over(raise);
                    }
                }
            }
        }
        if thread.waiting {
            return Outcome::Fatal("the thread was run while it waits for an answer".to_owned());
        }
        let mut left = slice;
        loop {
            if left == 0 {
                return Outcome::Paused;
            }
            let steps = left.min(4096);
            left -= steps;
            thread.fuel += steps;
            if thread.fuel > limits::FUEL {
                return Outcome::Fatal(format!(
                    "the script ran {} million instructions without a step: it seems to loop without end{}",
                    limits::FUEL / 1_000_000,
                    self.place_text(thread)
                ));
            }
            for _ in 0..steps {
                match self.turn(thread) {
                    Ok(None) => {}
                    Ok(Some(outcome)) => return outcome,
                    Err(raise) => {
                        if let Err(raise) = self.unwind(thread, raise) {
                            return self.over(raise);
                        }
                    }
                }
            }
        }
    }

    pub(crate) fn place_text(&self, thread: &Thread) -> String {
        thread.trace().first().map(|line| format!(" ({}: line {})", line.file, line.line)).unwrap_or_default()
    }

    fn over(&mut self, raise: Raise) -> Outcome {
        match raise {
            Raise::Throw(value) => Outcome::Threw(value),
            Raise::Fatal(text) => Outcome::Fatal(text),
            Raise::NoMatch => {
                let text = "a library function refused its arguments";
                match self.throw("groovy.lang.GroovyRuntimeException", text) {
                    Raise::Throw(value) => Outcome::Threw(value),
                    _ => Outcome::Fatal(text.to_owned()),
                }
            }
        }
    }

    /// One instruction.
    #[inline]
    fn turn(&mut self, thread: &mut Thread) -> Result<Option<Outcome>, Raise> {
        let Some(frame) = thread.frames.last_mut() else {
            return Ok(Some(Outcome::Done(thread.stack.pop().unwrap_or_default())));
        };
        let Some(op) = frame.code.ops.get(frame.pc).copied() else {
            return self.give_back(thread, Value::Null);
        };
        frame.pc += 1;
        let stack = &mut thread.stack;
        match op {
            Op::Load(slot) => {
                let value = stack.get(frame.base + slot as usize).cloned().unwrap_or_default();
                stack.push(value);
            }
            Op::Store(slot) => {
                let value = stack.pop().unwrap_or_default();
                if let Some(place) = stack.get_mut(frame.base + slot as usize) {
                    *place = value;
                }
            }
            Op::Int(number) => stack.push(Value::Int(number)),
            Op::Const(index) => stack.push(frame.code.consts.get(index as usize).cloned().unwrap_or_default()),
            Op::Jump(to) => frame.pc = to as usize,
            Op::JumpUnlessLess(to) => {
                if let [.., Value::Int(a), Value::Int(b)] = stack.as_slice() {
                    let holds = a < b;
                    stack.truncate(stack.len() - 2);
                    if !holds {
                        frame.pc = to as usize;
                    }
                } else {
                    let (b, a) = (stack.pop().unwrap_or_default(), stack.pop().unwrap_or_default());
                    if !self.ordered(Binary::Less, &a, &b)? {
                        jump(thread, to);
                    }
                }
            }
            Op::Binary(op) => {
                if let [.., Value::Int(a), Value::Int(b)] = stack.as_slice() {
                    let quick = match op {
                        Binary::Add => Some(Value::Int(a.wrapping_add(*b))),
                        Binary::Subtract => Some(Value::Int(a.wrapping_sub(*b))),
                        Binary::Multiply => Some(Value::Int(a.wrapping_mul(*b))),
                        Binary::Equal => Some(Value::Bool(a == b)),
                        Binary::NotEqual => Some(Value::Bool(a != b)),
                        Binary::Less => Some(Value::Bool(a < b)),
                        Binary::LessEqual => Some(Value::Bool(a <= b)),
                        Binary::Greater => Some(Value::Bool(a > b)),
                        Binary::GreaterEqual => Some(Value::Bool(a >= b)),
                        _ => None,
                    };
                    if let Some(value) = quick {
                        stack.truncate(stack.len() - 1);
                        if let Some(top) = stack.last_mut() {
                            *top = value;
                        }
                        return Ok(None);
                    }
                }
                let (b, a) = (stack.pop().unwrap_or_default(), stack.pop().unwrap_or_default());
                let called = self.binary(op, a, b)?;
                return self.settle(thread, called);
            }
            Op::Bump(slot, by) => {
                let place = frame.base + slot as usize;
                if let Some(Value::Int(number)) = stack.get_mut(place) {
                    *number = number.wrapping_add(by);
                    return Ok(None);
                }
                return self.bump(thread, place, by);
            }
            Op::Null => stack.push(Value::Null),
            Op::True => stack.push(Value::Bool(true)),
            Op::False => stack.push(Value::Bool(false)),
            Op::Pop => {
                stack.pop();
            }
            Op::Dup => {
                let top = stack.last().cloned().unwrap_or_default();
                stack.push(top);
            }
            Op::This => stack.push(frame.this.clone()),
            Op::JumpUnless(to) | Op::JumpIf(to) => {
                let value = stack.pop().unwrap_or_default();
                let truth = match value {
                    Value::Bool(truth) => truth,
                    Value::Null => false,
                    other => self.truth(&other)?,
                };
                if truth == matches!(op, Op::JumpIf(_)) {
                    jump(thread, to);
                }
            }
            Op::JumpNull(to) => {
                if matches!(stack.last(), None | Some(Value::Null)) {
                    frame.pc = to as usize;
                }
            }
            Op::LoadCell(slot) => {
                let value = match stack.get(frame.base + slot as usize) {
                    Some(Value::Cell(cell)) => cell.value.borrow().clone(),
                    Some(other) => other.clone(),
                    None => Value::Null,
                };
                stack.push(value);
            }
            Op::StoreCell(slot) => {
                let value = stack.pop().unwrap_or_default();
                match stack.get_mut(frame.base + slot as usize) {
                    Some(Value::Cell(cell)) => {
                        let old = cell.value.replace(value);
                        drop(old);
                    }
                    Some(place) => *place = value,
                    None => {}
                }
            }
            Op::Cell(slot) => {
                let cell = Value::Cell(self.heap.keep(Slot { value: Value::Null.into() }));
                if let Some(place) = stack.get_mut(frame.base + slot as usize) {
                    *place = cell;
                }
            }
            Op::LoadUp(index) => {
                let value = captured(frame, index).map(|cell| cell.value.borrow().clone()).unwrap_or_default();
                stack.push(value);
            }
            Op::StoreUp(index) => {
                let value = stack.pop().unwrap_or_default();
                if let Some(cell) = captured(frame, index) {
                    let old = cell.value.replace(value);
                    drop(old);
                }
            }
            Op::IterNext(slot, to) => {
                let iter = match stack.get(frame.base + slot as usize) {
                    Some(Value::Iter(iter)) => iter.clone(),
                    _ => return Err(Raise::NoMatch),
                };
                match self.iter_next(&iter)? {
                    Some(item) => thread.stack.push(item),
                    None => jump(thread, to),
                }
            }
            Op::Return => {
                let value = stack.pop().unwrap_or_default();
                return self.give_back(thread, value);
            }
            other => {
                let flow = self.slow(thread, other)?;
                return match flow {
                    Flow::Next => Ok(None),
                    Flow::Return(value) => self.give_back(thread, value),
                    Flow::Called(called) => self.settle(thread, called),
                };
            }
        }
        Ok(None)
    }

    /// Instructions that are rarer or longer.
    #[expect(clippy::too_many_lines, reason = "one arm an instruction, as a machine is read")]
    fn slow(&mut self, thread: &mut Thread, op: Op) -> Result<Flow, Raise> {
        let Some(frame) = thread.frames.last_mut() else { return Ok(Flow::Return(Value::Null)) };
        let code = frame.code.clone();
        let stack = &mut thread.stack;
        let name = |index: u32| code.names.get(index as usize).cloned().unwrap_or_else(|| Rc::from(""));
        let mut pop = || stack.pop().unwrap_or_default();
        match op {
            Op::Own => {
                let own = frame.closure.clone().map_or(Value::Null, Value::Closure);
                stack.push(own);
            }
            Op::Dup2 => {
                if let [.., a, b] = stack.as_slice() {
                    let (a, b) = (a.clone(), b.clone());
                    stack.extend([a, b]);
                }
            }
            Op::Swap => {
                let len = stack.len();
                if len >= 2 {
                    stack.swap(len - 1, len - 2);
                }
            }
            Op::DupUnder => {
                let (b, a) = (pop(), pop());
                stack.extend([b.clone(), a, b]);
            }
            Op::DupUnder2 => {
                let (c, b, a) = (pop(), pop(), pop());
                stack.extend([c.clone(), a, b, c]);
            }
            Op::CellOf(slot) => {
                let cell = stack.get(frame.base + slot as usize).cloned().unwrap_or_default();
                stack.push(cell);
            }
            Op::CellUp(index) => {
                let cell = captured(frame, index).cloned().map_or(Value::Null, Value::Cell);
                stack.push(cell);
            }
            Op::CellField(field) => {
                let object = pop();
                let cell = self.raw_field(&object, &name(field)).unwrap_or_default();
                thread.stack.push(cell);
            }
            Op::Hidden(count) => {
                let at = stack.len().saturating_sub(count as usize * 2);
                let pairs = stack.split_off(at);
                let list = self.list(pairs);
                thread.stack.push(list);
            }
            Op::Name(index) => {
                let context = context(frame);
                return self.read_name(&context, &name(index)).map(Flow::Called);
            }
            Op::SetName(index) => {
                let value = stack.last().cloned().unwrap_or_default();
                let context = context(frame);
                let called = self.write_name(&context, &name(index), value)?;
                return Ok(discard(called));
            }
            Op::Class(index) => {
                let value = self.class_value(&code, index)?;
                thread.stack.push(value);
            }
            Op::Get(index, flags) => {
                let object = pop();
                let context = context(frame);
                return self.get(&context, &object, &name(index), flags).map(Flow::Called);
            }
            Op::GetDynamic(flags) => {
                let (member, object) = (pop(), pop());
                let context = context(frame);
                let member = self.text(&member)?;
                return self.get(&context, &object, &member, flags).map(Flow::Called);
            }
            Op::Set(index, flags) => {
                let (value, object) = (pop(), pop());
                stack.push(value.clone());
                let context = context(frame);
                let called = self.set(&context, &object, &name(index), value, flags)?;
                return Ok(discard(called));
            }
            Op::SetDynamic(flags) => {
                let (value, member, object) = (pop(), pop(), pop());
                stack.push(value.clone());
                let context = context(frame);
                let member = self.text(&member)?;
                let called = self.set(&context, &object, &member, value, flags)?;
                return Ok(discard(called));
            }
            Op::Index => {
                let (index, object) = (pop(), pop());
                return self.index(&object, index).map(Flow::Called);
            }
            Op::SetIndex => {
                let (value, index, object) = (pop(), pop(), pop());
                stack.push(value.clone());
                let called = self.set_index(&object, index, value)?;
                return Ok(discard(called));
            }
            Op::Unary(op) => {
                let value = pop();
                return self.unary(op, value).map(Flow::Called);
            }
            Op::Not => {
                let value = pop();
                let truth = self.truth(&value)?;
                thread.stack.push(Value::Bool(!truth));
            }
            Op::Truth => {
                let value = pop();
                let truth = self.truth(&value)?;
                thread.stack.push(Value::Bool(truth));
            }
            Op::List(count) => {
                let items = stack.split_off(stack.len().saturating_sub(count as usize));
                let list = self.list(items);
                thread.stack.push(list);
            }
            Op::ListAdd => {
                let value = pop();
                self.charge(size_of::<Value>())?;
                if let Some(Value::List(list)) = thread.stack.last() {
                    list.items.borrow_mut().push(value);
                }
            }
            Op::ListAddAll => {
                let value = pop();
                let items = match &value {
                    Value::Null => vec![Value::Null],
                    other => self.elements(other)?,
                };
                self.charge(items.len() * size_of::<Value>())?;
                if let Some(Value::List(list)) = thread.stack.last() {
                    list.items.borrow_mut().extend(items);
                }
            }
            Op::Map(count) => {
                let flat = stack.split_off(stack.len().saturating_sub(count as usize * 2));
                let map = self.map(crate::value::MapKind::Linked);
                let mut flat = flat.into_iter();
                while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
                    self.map_put(&map, key, value)?;
                }
                thread.stack.push(Value::Map(map));
            }
            Op::MapPut => {
                let (value, key) = (pop(), pop());
                if let Some(Value::Map(map)) = thread.stack.last().cloned() {
                    self.map_put(&map, key, value)?;
                }
            }
            Op::MapPutAll => {
                let more = pop();
                if let (Some(Value::Map(map)), Value::Map(more)) = (thread.stack.last().cloned(), more) {
                    for (key, value) in self.entries(&more) {
                        self.map_put(&map, key, value)?;
                    }
                }
            }
            Op::Range(inclusive) => {
                let (to, from) = (pop(), pop());
                let range = self.range(from, to, inclusive)?;
                thread.stack.push(range);
            }
            Op::GString(index) => {
                let strings = code.gstrings.get(index as usize).cloned().unwrap_or_default();
                let values = stack.split_off(stack.len().saturating_sub(strings.len().saturating_sub(1)));
                let value = self.gstring(strings, values);
                thread.stack.push(value);
            }
            Op::Closure(index) => {
                let closure = self.make_closure(frame, stack, index);
                thread.stack.push(closure);
            }
            Op::MethodPointer(index) => {
                let receiver = pop();
                let value = self.method_pointer(receiver, name(index));
                thread.stack.push(value);
            }
            Op::MethodPointerDynamic => {
                let (member, receiver) = (pop(), pop());
                let member = self.text(&member)?;
                let value = self.method_pointer(receiver, member);
                thread.stack.push(value);
            }
            Op::Call(index) => {
                let context = context(frame);
                return self.call_site(thread, &context, index).map(Flow::Called);
            }
            Op::New(index) => {
                let context = context(frame);
                return self.new_site(thread, &context, index).map(Flow::Called);
            }
            Op::NewArray(index, count) => {
                let sizes = stack.split_off(stack.len().saturating_sub(usize::from(count)));
                let value = self.new_array(&code, index, &sizes)?;
                thread.stack.push(value);
            }
            Op::Cast(index) => {
                let value = pop();
                let ty = self.resolve(&code, index)?;
                let value = self.cast(value, &ty, false)?;
                thread.stack.push(value);
            }
            Op::Coerce(index) => {
                let value = pop();
                let ty = self.resolve(&code, index)?;
                let value = self.cast(value, &ty, true)?;
                thread.stack.push(value);
            }
            Op::As(index) => {
                let value = pop();
                let ty = self.resolve(&code, index)?;
                return self.as_type(value, &ty).map(Flow::Called);
            }
            Op::InstanceOf(index) => {
                let value = pop();
                let ty = self.resolve(&code, index)?;
                let is = self.instance_of(&value, &ty);
                thread.stack.push(Value::Bool(is));
            }
            Op::IsCase => {
                let (case, value) = (pop(), pop());
                return self.is_case(&case, value).map(Flow::Called);
            }
            Op::Iter => {
                let value = pop();
                let iter = self.iterate(&value)?;
                thread.stack.push(iter);
            }
            Op::Try(handler) => {
                let height = stack.len();
                frame.handlers.push((handler, height));
            }
            Op::EndTry => {
                frame.handlers.pop();
            }
            Op::Throw => {
                let value = pop();
                if self.is_throwable(&value) {
                    return Err(Raise::Throw(value));
                }
                let class = self.class_name(&value);
                if value.is_null() {
                    return Err(self.exception_without_message("java.lang.NullPointerException"));
                }
                let text = format!(
                    "Cannot cast object '{}' with class '{class}' to class 'java.lang.Throwable'",
                    self.text(&value)?
                );
                return Err(self.throw("org.codehaus.groovy.runtime.typehandling.GroovyCastException", text));
            }
            Op::Unpack => {
                let (at, list) = (pop(), pop());
                let value = self.unpack(&list, &at)?;
                thread.stack.push(value);
            }
            Op::IfGiven(param, to) if frame.given & (1u64 << param.min(63)) != 0 => {
                frame.pc = to as usize;
            }
            Op::AssertBegin => frame.notes.push(Vec::new()),
            Op::Note(column) => {
                let value = stack.last().cloned().unwrap_or_default();
                if let Some(notes) = frame.notes.last_mut() {
                    notes.push((column, value));
                }
            }
            Op::AssertEnd => {
                frame.notes.pop();
            }
            Op::AssertFail(index, message) => {
                let notes = if message { Vec::new() } else { frame.notes.pop().unwrap_or_default() };
                let said = message.then(|| stack.pop().unwrap_or_default());
                return Err(self.assertion_failed(&code, index, said, notes));
            }
            Op::InitField(index) | Op::InitStaticField(index) => {
                let value = pop();
                let context = context(frame);
                self.init_field(&context, &name(index), value, matches!(op, Op::InitStaticField(_)))?;
            }
            Op::RunInit => {
                let context = context(frame);
                return Ok(Flow::Called(self.run_init(&context)));
            }
            _ => {}
        }
        Ok(Flow::Next)
    }

    fn bump(&mut self, thread: &mut Thread, place: usize, by: i32) -> Result<Option<Outcome>, Raise> {
        let old = thread.stack.get(place).cloned().unwrap_or_default();
        let cell = match &old {
            Value::Cell(cell) => Some(cell.clone()),
            _ => None,
        };
        let value = cell.as_ref().map_or(old, |cell| cell.value.borrow().clone());
        let new = match &value {
            number if number.is_number() => number::arith(Arith::Add, number, &Value::Int(by)).unwrap_or_default(),
            other => {
                let called = self.unary(if by > 0 { Unary::Next } else { Unary::Previous }, other.clone())?;
                self.finish_nested(called)?
            }
        };
        match (cell, thread.stack.get_mut(place)) {
            (Some(cell), _) => drop(cell.value.replace(new)),
            (None, Some(place)) => *place = new,
            (None, None) => {}
        }
        Ok(None)
    }
}

fn jump(thread: &mut Thread, to: u32) {
    if let Some(frame) = thread.frames.last_mut() {
        frame.pc = to as usize;
    }
}

fn captured(frame: &Frame, index: u32) -> Option<&Rc<Slot>> {
    match &frame.closure.as_ref()?.body {
        crate::value::Body::Code { captured, .. } => captured.get(index as usize),
        _ => None,
    }
}

fn context(frame: &Frame) -> Context {
    Context {
        this: frame.this.clone(),
        closure: frame.closure.clone(),
        class: frame.class.clone(),
        code: frame.code.clone(),
    }
}

/// A call for its effects: the value that stays is on the stack already.
fn discard(called: Called) -> Flow {
    match called {
        Called::Value(_) => Flow::Next,
        Called::Enter(mut invocation) => {
            invocation.then = Then::Discard;
            Flow::Called(Called::Enter(invocation))
        }
        other => Flow::Called(other),
    }
}
