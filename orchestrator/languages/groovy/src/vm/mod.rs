//! The machine: what natives and embedders may ask of it. Running code is in `run.rs`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::class::Class;
use crate::heap::Heap;
use crate::host::Host;
use crate::library::Answer;
use crate::limits;
use crate::types::{TypeId, Types, id};
use crate::value::{ClassRef, GStr, Iter, List, ListKind, Map, MapKind, Native, Object, Value, Walk};

mod assertion;
mod bind;
mod call;
mod cast;
mod closures;
mod construct;
mod equal;
mod fields;
mod frames;
mod generated;
mod index;
mod load;
mod maps;
mod missing;
mod names;
pub(crate) mod natives;
mod nested;
mod objects;
mod operators;
mod property;
mod run;
pub(crate) mod sandbox;
mod text;
mod thread;

pub use load::LoadError;
pub use thread::{Outcome, Thread};

pub use maps::Entry;

/// Why a native has no value.
#[derive(Clone)]
pub enum Raise {
    /// A Groovy exception: an object whose class descends from `Throwable`.
    Throw(Value),
    /// The arguments are not what the method takes; the next candidate is tried.
    NoMatch,
    /// A limit was passed. No script can catch it.
    Fatal(String),
}

/// The machine of one build: its classes, its heap, its way to the host.
pub struct Vm {
    pub(crate) types: Rc<Types>,
    pub(crate) heap: Heap,
    pub(crate) host: Rc<dyn Host>,
    pub(crate) next_id: u32,
    /// How deep a walk over nested values is.
    pub(crate) depth: u32,
    /// How many runs within runs there are.
    pub(crate) nested: u32,
    /// The next unwinding adds its calls to a trace that a nested run began.
    pub(crate) extend_trace: bool,
    /// Fuel that nested runs used, not yet counted by the run around them.
    pub(crate) spent: u64,
    /// The stack is to be weighed.
    pub(crate) weigh_stack: bool,
    /// Bytes of texts that only the stack held when it was last weighed.
    pub(crate) stack_bytes: usize,
    /// Classes of scripts by full name.
    pub(crate) classes: BTreeMap<Rc<str>, Rc<Class>>,
    /// Classes of `use (Category) { }`, the innermost last.
    pub(crate) categories: Vec<Rc<Class>>,
    pub(crate) prelude: Rc<load::Prelude>,
    pub(crate) ancestors: RefCell<BTreeMap<Rc<str>, Rc<[TypeId]>>>,
}

impl Vm {
    /// A list (`ArrayList`).
    pub fn list(&mut self, items: Vec<Value>) -> Value {
        self.list_of(ListKind::Array, items)
    }

    /// A list or array of a kind.
    pub fn list_of(&mut self, kind: ListKind, items: Vec<Value>) -> Value {
        self.heap.charge(items.len() * size_of::<Value>());
        Value::List(self.heap.keep(List { kind, items: items.into() }))
    }

    /// An empty map; fill it with [`Vm::map_put`].
    pub fn map(&mut self, kind: MapKind) -> Rc<Map> {
        self.heap.keep(Map { kind, entries: Default::default(), closure: Default::default() })
    }

    /// A `LinkedHashMap` of entries.
    ///
    /// # Errors
    /// What a key's own `hashCode` or `equals` throws.
    pub fn map_from(&mut self, entries: Vec<(Value, Value)>) -> Answer {
        let map = self.map(MapKind::Linked);
        for (key, value) in entries {
            self.map_put(&map, key, value)?;
        }
        Ok(Value::Map(map))
    }

    /// A set of elements.
    ///
    /// # Errors
    /// What an element's own `hashCode` or `equals` throws.
    pub fn set_from(&mut self, kind: MapKind, items: Vec<Value>) -> Answer {
        let map = self.map(kind);
        for item in items {
            self.set_add(&map, item)?;
        }
        Ok(Value::Set(map))
    }

    /// An instance of a library class with state of its own. `class` must be declared.
    pub fn native<T: 'static>(&mut self, class: &str, state: T) -> Value {
        let class = self.types.find(class).unwrap_or(id::OBJECT);
        Value::Native(self.heap.keep(Native { class, state: Box::new(state) }))
    }

    /// An iterator over a copy of elements.
    pub fn iterator(&mut self, items: Vec<Value>) -> Value {
        Value::Iter(self.heap.keep(Iter { state: Walk::Copy { items, next: 0 }.into() }))
    }

    /// A new exception of a library class (full name), with the present stack. `cause` may be `null`.
    pub fn exception(&mut self, class: &str, message: &str, cause: Value) -> Raise {
        let class = self.types.find(class).unwrap_or(id::RUNTIME_EXCEPTION);
        Raise::Throw(self.throwable(ClassRef::Builtin(class), Value::str(message), cause))
    }

    /// [`Vm::exception`] without a cause.
    pub fn throw(&mut self, class: &str, message: impl AsRef<str>) -> Raise {
        self.exception(class, message.as_ref(), Value::Null)
    }

    /// An exception object.
    pub(crate) fn throwable(&mut self, class: ClassRef, message: Value, cause: Value) -> Value {
        let fields = vec![(Rc::from("message"), message), (Rc::from("cause"), cause)];
        Value::Object(self.new_object(class, fields))
    }

    pub(crate) fn new_object(&mut self, class: ClassRef, fields: Vec<(Rc<str>, Value)>) -> Rc<Object> {
        self.next_id += 1;
        let trace = self.trace();
        self.heap.keep(Object { id: self.next_id, class, fields: fields.into(), binding: None, trace: trace.into() })
    }

    /// Announces bytes that are about to be used.
    ///
    /// # Errors
    /// When the script has too much alive: the end of the build.
    pub fn charge(&mut self, bytes: usize) -> Result<(), Raise> {
        if bytes > limits::MAX_SINGLE {
            return Err(memory(bytes));
        }
        if self.heap.charge(bytes) > limits::WEIGH_EVERY {
            // What only the stack holds is counted by the loop, when the present call is over.
            self.weigh_stack = true;
            let alive = self.heap.weigh() + self.stack_bytes;
            if alive.saturating_add(bytes) > limits::MAX_BYTES {
                return Err(memory(alive.saturating_add(bytes)));
            }
        }
        Ok(())
    }

    /// Milliseconds since 1970, from the host.
    pub fn now_ms(&mut self) -> i64 {
        self.host.now_ms()
    }

    /// 64 random bits, from the host.
    pub fn random(&mut self) -> u64 {
        self.host.random()
    }

    /// Prints through the host.
    pub fn print(&mut self, text: &str) {
        self.host.print(text);
    }

    /// Text of an argument where Java wants a `String`: a `String` or a `GString`.
    ///
    /// # Errors
    /// [`Raise::NoMatch`] for anything else.
    pub fn str_arg(&mut self, value: &Value) -> Result<Rc<str>, Raise> {
        match value {
            Value::Str(text) => Ok(text.clone()),
            Value::GStr(_) => self.text(value),
            _ => Err(Raise::NoMatch),
        }
    }

    /// A whole number where Java wants an `int`.
    ///
    /// # Errors
    /// [`Raise::NoMatch`] for anything that Groovy would not pass as an `int`.
    pub fn int_arg(&mut self, value: &Value) -> Result<i32, Raise> {
        match value {
            Value::Byte(_) | Value::Short(_) | Value::Int(_) => {
                value.as_i64().and_then(|number| i32::try_from(number).ok()).ok_or(Raise::NoMatch)
            }
            _ => Err(Raise::NoMatch),
        }
    }

    /// Whether a value is an instance of a class (`instanceof`).
    pub fn is_a(&self, value: &Value, class: &ClassRef) -> bool {
        !value.is_null() && self.descends(&self.class_of(value), class)
    }

    /// Whether a value is an instance of a library class, by id.
    pub fn is_kind(&self, value: &Value, class: TypeId) -> bool {
        self.is_a(value, &ClassRef::Builtin(class))
    }

    /// The full name of a value's class.
    pub fn class_name(&self, value: &Value) -> Rc<str> {
        match value {
            Value::Host(object) => Rc::from(object.class_name()),
            _ => self.name_of(&self.class_of(value)),
        }
    }

    /// The full name of a class.
    pub fn name_of(&self, class: &ClassRef) -> Rc<str> {
        match class {
            ClassRef::Builtin(id) => Rc::from(self.types.get(*id).name),
            ClassRef::User(class) => class.name.clone(),
        }
    }

    /// The class of a value.
    pub fn class_of(&self, value: &Value) -> ClassRef {
        ClassRef::Builtin(match value {
            Value::Object(object) => return object.class.clone(),
            Value::Null => id::NULL,
            Value::Bool(_) => id::BOOLEAN,
            Value::Byte(_) => id::BYTE,
            Value::Short(_) => id::SHORT,
            Value::Int(_) => id::INTEGER,
            Value::Long(_) => id::LONG,
            Value::Char(_) => id::CHARACTER,
            Value::Float(_) => id::FLOAT,
            Value::Double(_) => id::DOUBLE,
            Value::BigInt(_) => id::BIG_INTEGER,
            Value::Decimal(_) => id::BIG_DECIMAL,
            Value::Str(_) => id::STRING,
            Value::GStr(_) => id::GSTRING_IMPL,
            Value::List(list) => match list.kind {
                ListKind::Array => id::ARRAY_LIST,
                ListKind::Linked => id::LINKED_LIST,
                ListKind::Immutable => id::IMMUTABLE_LIST,
                ListKind::Java(element) => self.array_of(element),
            },
            Value::Map(map) => match map.kind {
                MapKind::Linked => id::LINKED_HASH_MAP,
                MapKind::Hash => id::HASH_MAP,
                MapKind::Sorted => id::TREE_MAP,
                MapKind::Immutable => id::IMMUTABLE_MAP,
            },
            Value::Set(map) => match map.kind {
                MapKind::Linked => id::LINKED_HASH_SET,
                MapKind::Hash => id::HASH_SET,
                MapKind::Sorted => id::TREE_SET,
                MapKind::Immutable => id::IMMUTABLE_SET,
            },
            Value::Range(range) => match (&range.from, range.empty) {
                (_, true) => id::EMPTY_RANGE,
                (Value::Int(_), _) => id::INT_RANGE,
                _ => id::OBJECT_RANGE,
            },
            Value::Closure(closure) => match closure.body {
                crate::value::Body::Method { .. } => id::METHOD_CLOSURE,
                _ => id::CLOSURE,
            },
            Value::Class(_) => id::CLASS,
            Value::Iter(_) => id::ITERATOR_IMPL,
            Value::Native(native) => native.class,
            Value::Host(_) | Value::Cell(_) => id::OBJECT,
        })
    }

    /// The class of arrays of an element type.
    pub fn array_of(&self, element: TypeId) -> TypeId {
        match element {
            id::STRING => id::A_STRING,
            id::P_BOOLEAN => id::A_BOOLEAN,
            id::P_BYTE => id::A_BYTE,
            id::P_SHORT => id::A_SHORT,
            id::P_INT => id::A_INT,
            id::P_LONG => id::A_LONG,
            id::P_CHAR => id::A_CHAR,
            id::P_FLOAT => id::A_FLOAT,
            id::P_DOUBLE => id::A_DOUBLE,
            _ => id::A_OBJECT,
        }
    }

    /// Whether `class` is `above` or below it.
    pub fn descends(&self, class: &ClassRef, above: &ClassRef) -> bool {
        match (class, above) {
            (ClassRef::Builtin(class), ClassRef::Builtin(above)) => self.types.is_a(*class, *above),
            (ClassRef::Builtin(_), ClassRef::User(_)) => false,
            (ClassRef::User(user), _) => {
                class == above
                    || *above == ClassRef::Builtin(id::OBJECT)
                    || *above == ClassRef::Builtin(id::GROOVY_OBJECT)
                    || self.descends(&user.superclass.borrow(), above)
                    || user.interfaces.borrow().iter().any(|interface| self.descends(interface, above))
            }
        }
    }

    /// The elements of anything that Groovy iterates: lists, arrays, sets, maps (entries), ranges, strings
    /// (characters as strings), iterators (used up), an object with `iterator()`; `null` has none, and anything else
    /// is its own only element.
    ///
    /// # Errors
    /// What a script's own iterator throws; too many elements.
    pub fn elements(&mut self, value: &Value) -> Result<Vec<Value>, Raise> {
        Ok(match value {
            Value::List(list) => list.items.borrow().clone(),
            Value::Set(map) => self.entries(map).into_iter().map(|(key, _)| key).collect(),
            Value::Map(map) => self.map_entries(map),
            Value::Range(_) => self.range_elements(value)?,
            Value::Str(text) => text.chars().map(|char| Value::str(char.encode_utf8(&mut [0; 4]))).collect(),
            Value::GStr(_) => {
                let text = Value::Str(self.text(value)?);
                self.elements(&text)?
            }
            Value::Null => Vec::new(),
            Value::Iter(iter) => {
                let mut all = Vec::new();
                while let Some(next) = self.iter_next(iter)? {
                    self.charge(size_of::<Value>())?;
                    all.push(next);
                }
                all
            }
            other => self.other_elements(other)?,
        })
    }

    /// A GString.
    pub fn gstring(&mut self, strings: Vec<Rc<str>>, values: Vec<Value>) -> Value {
        Value::GStr(Rc::new(GStr { strings, values }))
    }
}

fn memory(bytes: usize) -> Raise {
    Raise::Fatal(format!(
        "the script uses too much memory: {} MiB, and {} MiB are allowed for one build",
        bytes / (1024 * 1024),
        limits::MAX_BYTES / (1024 * 1024)
    ))
}
