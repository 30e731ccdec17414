//! What is alive: every container registers here, so that a machine that ends leaves nothing behind.
//!
//! * A cycle (a list in itself, a recursive closure in the variable it captured) keeps its count above zero for ever.
//!   [`Heap::clear`] empties all containers that are left, and with them every cycle.
//! * Dropping is iterative. A container hands its contents to a queue of the thread; the outermost drop works it off.
//!   Else a list nested a million deep would end the process by overflowing its stack.
//! * [`Heap::weigh`] counts the bytes that are reachable, for the memory limit.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use crate::value::{Body, Closure, Iter, List, Map, Object, Slot, Value, Walk};

/// A container that the heap can empty.
pub trait Container: Any {
    /// Takes all values out of it.
    fn empty(&self) -> Vec<Value>;
    /// Shows each of its values, and answers its own bytes.
    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize;
}

thread_local! {
    static TRASH: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
    static DRAINING: Cell<bool> = const { Cell::new(false) };
}

/// Drops values without recursion.
pub(crate) fn discard(values: Vec<Value>) {
    if values.is_empty() {
        return;
    }
    // During the end of a thread its locals may be gone; then the values drop as they are.
    let queued = TRASH.try_with(|trash| trash.borrow_mut().extend(values)).is_ok();
    if !queued || DRAINING.try_with(|draining| draining.replace(true)).unwrap_or(true) {
        return;
    }
    while let Ok(Some(value)) = TRASH.try_with(|trash| trash.borrow_mut().pop()) {
        drop(value);
    }
    let _ = DRAINING.try_with(|draining| draining.set(false));
}

fn holds(value: &Value) -> bool {
    !matches!(
        value,
        Value::Null
            | Value::Bool(_)
            | Value::Byte(_)
            | Value::Short(_)
            | Value::Int(_)
            | Value::Long(_)
            | Value::Char(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Str(_)
            | Value::BigInt(_)
            | Value::Decimal(_)
            | Value::Class(_)
    )
}

macro_rules! drops {
    ($($type:ty),*) => {
        $(impl Drop for $type {
            fn drop(&mut self) {
                let mut values = self.empty();
                values.retain(holds);
                discard(values);
            }
        })*
    };
}

drops!(List, Map, Object, Slot, Iter, crate::value::GStr, crate::value::Range);

impl Drop for Closure {
    fn drop(&mut self) {
        let nothing = Body::Method { receiver: Value::Null, name: Rc::from("") };
        let mut values = match std::mem::replace(&mut self.body, nothing) {
            Body::Code { .. } => Vec::new(),
            Body::Method { receiver, .. } => vec![receiver],
            Body::Curried { inner, mut kept, .. } => {
                kept.push(Value::Closure(inner));
                kept
            }
            Body::Composed { first, second } => vec![Value::Closure(first), Value::Closure(second)],
            Body::Memoized { inner, answers } => vec![Value::Closure(inner), Value::Map(answers)],
        };
        values.extend(self.empty());
        values.push(std::mem::take(&mut self.owner));
        values.push(std::mem::take(&mut self.this));
        values.retain(holds);
        discard(values);
    }
}

const VALUE: usize = size_of::<Value>();

impl Container for List {
    fn empty(&self) -> Vec<Value> {
        self.items.try_borrow_mut().map(|mut items| std::mem::take(&mut *items)).unwrap_or_default()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        let items = self.items.borrow();
        items.iter().for_each(visit);
        items.capacity() * VALUE
    }
}

impl Container for Map {
    fn empty(&self) -> Vec<Value> {
        let closure = self.closure.try_borrow_mut().ok().and_then(|mut closure| closure.take());
        let entries =
            self.entries.try_borrow_mut().map(|mut entries| std::mem::take(&mut *entries)).unwrap_or_default();
        entries.into_values().flat_map(|(key, value)| [key, value]).chain(closure).collect()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        let entries = self.entries.borrow();
        for (key, value) in entries.values() {
            visit(key);
            visit(value);
        }
        entries.capacity() * VALUE * 5
    }
}

impl Container for Object {
    fn empty(&self) -> Vec<Value> {
        let fields = self.fields.try_borrow_mut().map(|mut fields| std::mem::take(&mut *fields)).unwrap_or_default();
        fields.into_iter().map(|(_, value)| value).collect()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        let fields = self.fields.borrow();
        fields.iter().for_each(|(_, value)| visit(value));
        fields.capacity() * VALUE * 2
    }
}

impl Container for Slot {
    fn empty(&self) -> Vec<Value> {
        self.value.try_borrow_mut().map(|mut value| vec![std::mem::take(&mut *value)]).unwrap_or_default()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        visit(&self.value.borrow());
        VALUE
    }
}

impl Container for Closure {
    fn empty(&self) -> Vec<Value> {
        // Owner and `this` cannot be taken out of a shared closure; they lead outwards, and the slots inwards are
        // containers of their own.
        self.delegate.try_borrow_mut().map(|mut value| vec![std::mem::take(&mut *value)]).unwrap_or_default()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        visit(&self.delegate.borrow());
        if let Body::Curried { kept, .. } = &self.body {
            kept.iter().for_each(visit);
        }
        VALUE * 6
    }
}

impl Container for Iter {
    fn empty(&self) -> Vec<Value> {
        match self.state.try_borrow_mut() {
            Ok(mut state) => match std::mem::replace(&mut *state, Walk::Copy { items: Vec::new(), next: 0 }) {
                Walk::Copy { items, .. } | Walk::Keyed { items, .. } => items,
                Walk::User(value) => vec![value],
                Walk::Live { .. } | Walk::Ints { .. } => Vec::new(),
            },
            Err(_) => Vec::new(),
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        match &*self.state.borrow() {
            Walk::Copy { items, .. } | Walk::Keyed { items, .. } => {
                items.iter().for_each(visit);
                items.len() * VALUE
            }
            Walk::User(value) => {
                visit(value);
                VALUE
            }
            Walk::Live { .. } | Walk::Ints { .. } => VALUE,
        }
    }
}

impl Container for crate::value::Native {
    fn empty(&self) -> Vec<Value> {
        Vec::new()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Value)) -> usize {
        if let Some(entry) = self.state::<crate::vm::Entry>() {
            visit(&entry.key);
            visit(&entry.value.borrow());
        }
        crate::library::native_bytes(self)
    }
}

impl crate::value::GStr {
    fn empty(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.values)
    }
}

impl crate::value::Range {
    fn empty(&mut self) -> Vec<Value> {
        vec![std::mem::take(&mut self.from), std::mem::take(&mut self.to)]
    }
}

/// The containers of one machine.
#[derive(Default)]
pub struct Heap {
    alive: RefCell<Vec<Weak<dyn Container>>>,
    /// Length of `alive` at which the dead are next taken out.
    sweep_at: Cell<usize>,
    /// Bytes announced since the last weighing.
    charged: Cell<usize>,
}

/// Registered containers before the first sweep.
const FIRST_SWEEP: usize = 4_096;

impl Heap {
    /// Registers a container.
    pub fn keep<T: Container>(&self, container: T) -> Rc<T> {
        let container = Rc::new(container);
        let weak: Weak<T> = Rc::downgrade(&container);
        let mut alive = self.alive.borrow_mut();
        alive.push(weak);
        if alive.len() >= self.sweep_at.get().max(FIRST_SWEEP) {
            alive.retain(|weak| weak.strong_count() > 0);
            self.sweep_at.set(alive.len() * 2);
        }
        self.charged.set(self.charged.get() + size_of::<T>() + VALUE);
        container
    }

    /// Announces bytes about to be used; answers how many were announced since the last [`Heap::weigh`].
    pub fn charge(&self, bytes: usize) -> usize {
        let charged = self.charged.get().saturating_add(bytes);
        self.charged.set(charged);
        charged
    }

    /// Bytes announced since the last [`Heap::weigh`].
    pub fn charged(&self) -> usize {
        self.charged.get()
    }

    /// Counts the bytes of all living containers and of the strings in them.
    pub fn weigh(&self) -> usize {
        self.charged.set(0);
        let mut seen = BTreeSet::new();
        let mut bytes = 0usize;
        let alive: Vec<Rc<dyn Container>> = self.alive.borrow().iter().filter_map(Weak::upgrade).collect();
        for container in &alive {
            let mut strings = 0usize;
            let own = container.visit(&mut |value| strings += text_bytes(value, &mut seen));
            bytes = bytes.saturating_add(own).saturating_add(strings).saturating_add(VALUE * 2);
        }
        bytes
    }

    /// Empties every container that is left.
    pub fn clear(&self) {
        let alive: Vec<Rc<dyn Container>> =
            self.alive.borrow_mut().drain(..).filter_map(|weak| weak.upgrade()).collect();
        for container in alive {
            discard(container.empty());
        }
    }

    /// How many containers are alive.
    pub fn alive(&self) -> usize {
        self.alive.borrow().iter().filter(|weak| weak.strong_count() > 0).count()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Bytes of a text above which it is worth remembering that it was counted already.
const SHARED_TEXT: usize = 256;

/// Bytes of the texts and numbers that values hold; a text shared by many counts once.
pub(crate) fn texts(values: &[Value]) -> usize {
    let mut seen = BTreeSet::new();
    values.iter().map(|value| text_bytes(value, &mut seen)).sum()
}

fn text_bytes(value: &Value, seen: &mut BTreeSet<usize>) -> usize {
    match value {
        Value::Str(text) if text.len() >= SHARED_TEXT && !seen.insert(text.as_ptr() as usize) => 0,
        Value::Str(text) => text.len(),
        Value::BigInt(number) => usize::try_from(number.bits() / 8).unwrap_or(0),
        _ => 0,
    }
}
