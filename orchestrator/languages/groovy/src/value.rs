//! What a Groovy variable can hold.
//!
//! Numbers are Java's, one variant a type. Containers are shared and mutable as in Java; each is made by
//! [`crate::Heap`], which counts what is alive and empties all of it when its machine is dropped, so that cycles do
//! not leak. Dropping is iterative (see `heap.rs`): a list nested a million deep does not use the host's stack.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;
use num_bigint::BigInt;

use crate::class::Class;
use crate::code::Code;
use crate::decimal::Decimal;
use crate::host::HostObject;
use crate::key::Key;
use crate::types::TypeId;

/// A Groovy value. Cloning is cheap; containers are shared.
#[derive(Clone, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `java.lang.Boolean`.
    Bool(bool),
    /// `java.lang.Byte`.
    Byte(i8),
    /// `java.lang.Short`.
    Short(i16),
    /// `java.lang.Integer`.
    Int(i32),
    /// `java.lang.Long`.
    Long(i64),
    /// `java.lang.Character`. A Java `char` outside the basic plane is kept whole here.
    Char(char),
    /// `java.lang.Float`.
    Float(f32),
    /// `java.lang.Double`.
    Double(f64),
    /// `java.math.BigInteger`.
    BigInt(Rc<BigInt>),
    /// `java.math.BigDecimal`.
    Decimal(Rc<Decimal>),
    /// `java.lang.String`.
    Str(Rc<str>),
    /// `org.codehaus.groovy.runtime.GStringImpl`.
    GStr(Rc<GStr>),
    /// A `java.util.List` or an array; [`List::kind`] says which.
    List(Rc<List>),
    /// A `java.util.Map`.
    Map(Rc<Map>),
    /// A `java.util.Set`: the keys of a [`Map`].
    Set(Rc<Map>),
    /// `groovy.lang.IntRange` or `groovy.lang.ObjectRange`.
    Range(Rc<Range>),
    /// `groovy.lang.Closure`.
    Closure(Rc<Closure>),
    /// An instance of a script's class, or of a built-in class that has plain fields (exceptions).
    Object(Rc<Object>),
    /// A `java.lang.Class`.
    Class(ClassRef),
    /// A `java.util.Iterator`.
    Iter(Rc<Iter>),
    /// An instance of a library class with state of its own (a `Date`, a `Matcher`, a `StringBuilder`).
    Native(Rc<Native>),
    /// An object of the embedder (`env`, `currentBuild`).
    Host(Rc<dyn HostObject>),
    /// A captured variable in its frame's slot. Never seen outside the machine.
    #[doc(hidden)]
    Cell(Rc<Slot>),
}

/// A class: of the library, or of a script.
#[derive(Clone)]
pub enum ClassRef {
    /// Of the library.
    Builtin(TypeId),
    /// Of a script.
    User(Rc<Class>),
}

/// A string with embedded values, made text each time it is asked.
pub struct GStr {
    /// Text around the values; one longer than `values`.
    pub strings: Vec<Rc<str>>,
    /// The embedded values; a closure is called for its text (`"${-> x}"`).
    pub values: Vec<Value>,
}

/// Which Java class a [`List`] is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// `java.util.ArrayList`.
    Array,
    /// `java.util.LinkedList`, and the other mutable lists and queues of Java.
    Linked,
    /// A Java array, with its element type (`String`, `int`, `Object`).
    Java(TypeId),
    /// `java.util.Collections$UnmodifiableRandomAccessList`: a change throws `UnsupportedOperationException`.
    Immutable,
}

/// A list or an array.
pub struct List {
    /// Which Java class it is.
    pub kind: ListKind,
    /// The elements.
    pub items: RefCell<Vec<Value>>,
}

/// Which Java class a [`Map`] (or a set) is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapKind {
    /// `LinkedHashMap`/`LinkedHashSet`: insertion order.
    Linked,
    /// `HashMap`/`HashSet`: iteration in Java's bucket order, which [`crate::Vm::entries`] works out.
    Hash,
    /// `TreeMap`/`TreeSet`: kept sorted at insertion by [`crate::Vm::map_put`].
    Sorted,
    /// Unmodifiable, in insertion order.
    Immutable,
}

/// A map, or the keys of a set. Use [`crate::Vm::map_put`], [`crate::Vm::map_get`], [`crate::Vm::entries`].
pub struct Map {
    /// Which Java class it is.
    pub kind: MapKind,
    /// By canonical key: the key as given, and its value (`null` in a set).
    pub entries: RefCell<IndexMap<Key, (Value, Value)>>,
    /// Closure of `withDefault`, or the comparator of a sorted map.
    pub closure: RefCell<Option<Value>>,
}

/// `from..to`. Bounds are both inclusive once made; `from <= to` always, `reverse` says in which order it is walked.
pub struct Range {
    /// Smaller bound.
    pub from: Value,
    /// Larger bound, inclusive.
    pub to: Value,
    /// Walked from `to` down to `from`.
    pub reverse: bool,
    /// `5..<5`: nothing in it.
    pub empty: bool,
    /// Written with `..<`; only its text shows it, the bounds here are inclusive.
    pub exclusive: bool,
}

/// Where a closure looks for names that are not its own: `Closure.OWNER_FIRST` and so on, by Groovy's numbers.
pub mod strategy {
    /// Owner, then delegate.
    pub const OWNER_FIRST: u8 = 0;
    /// Delegate, then owner.
    pub const DELEGATE_FIRST: u8 = 1;
    /// Owner only.
    pub const OWNER_ONLY: u8 = 2;
    /// Delegate only.
    pub const DELEGATE_ONLY: u8 = 3;
    /// The closure itself only.
    pub const TO_SELF: u8 = 4;
}

/// What calling a closure does.
pub enum Body {
    /// Runs code with the variables it captured.
    Code {
        /// Parameters and instructions.
        code: Rc<Code>,
        /// Variables of the functions around it.
        captured: Vec<Rc<Slot>>,
    },
    /// `receiver.&name`.
    Method {
        /// Whose method.
        receiver: Value,
        /// Its name.
        name: Rc<str>,
    },
    /// `curry`, `rcurry`, `ncurry`: arguments put in at a place. `at < 0` counts from the end (`rcurry`: -1 is "last").
    Curried {
        /// The closure that gets all arguments.
        inner: Rc<Closure>,
        /// The arguments kept.
        kept: Vec<Value>,
        /// Index at which they are put in; `None`: at the end.
        at: Option<usize>,
    },
    /// `first >> second`.
    Composed {
        /// Called with the arguments.
        first: Rc<Closure>,
        /// Called with the answer of `first`.
        second: Rc<Closure>,
    },
    /// `memoize()`: answers kept by argument list.
    Memoized {
        /// Asked when there is no answer yet.
        inner: Rc<Closure>,
        /// Answers by argument list.
        answers: Rc<Map>,
    },
}

/// A closure.
pub struct Closure {
    /// What it does.
    pub body: Body,
    /// `owner`: the closure around it, or `this`.
    pub owner: Value,
    /// `thisObject`.
    pub this: Value,
    /// `delegate`; the owner at first.
    pub delegate: RefCell<Value>,
    /// `resolveStrategy`.
    pub strategy: Cell<u8>,
    /// Number for `Closure@1a2b`, in order of making.
    pub id: u32,
}

/// A variable that a closure captured.
pub struct Slot {
    /// What it holds.
    pub value: RefCell<Value>,
}

/// An instance with named fields.
pub struct Object {
    /// Number for `Foo@1a2b` and the identity hash, in order of making.
    pub id: u32,
    /// Its class.
    pub class: ClassRef,
    /// Fields in order of declaration, those of superclasses first.
    pub fields: RefCell<Vec<(Rc<str>, Value)>>,
    /// The binding, when this is a script.
    pub binding: Option<Rc<Map>>,
    /// The stack at the time of making, innermost first, when this is a `Throwable`.
    pub trace: RefCell<Vec<TraceLine>>,
}

/// One line of a Groovy stack trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// `WorkflowScript`, `org.acme.Deploy`.
    pub class: Rc<str>,
    /// `run`, `deploy`, `doCall`.
    pub method: Rc<str>,
    /// Name of the source as given at load.
    pub file: Rc<str>,
    /// From 1; 0 when unknown.
    pub line: u32,
    /// From 1; 0 when unknown.
    pub column: u32,
}

/// An instance of a library class with state of its own.
pub struct Native {
    /// Its class, one that [`crate::types`] or [`crate::library`] declares.
    pub class: TypeId,
    /// Its state, downcast by the library's methods. Interior mutability is theirs.
    pub state: Box<dyn Any>,
}

/// A walk over elements.
pub struct Iter {
    /// Where it stands.
    pub state: RefCell<Walk>,
}

/// The state of an [`Iter`].
pub enum Walk {
    /// Over a list that may change meanwhile: index of the next element, and the length at the last step.
    Live {
        /// The list.
        list: Rc<List>,
        /// Index of the next.
        next: usize,
        /// Length when last seen; another one is a `ConcurrentModificationException`.
        len: usize,
    },
    /// Over a copy.
    Copy {
        /// All of them.
        items: Vec<Value>,
        /// Index of the next.
        next: usize,
    },
    /// Over the keys or entries of a map that must not change meanwhile.
    Keyed {
        /// The map.
        map: Rc<Map>,
        /// What to answer, copied at the start.
        items: Vec<Value>,
        /// Index of the next.
        next: usize,
    },
    /// Over a range of whole numbers, never laid out.
    Ints {
        /// The next one.
        next: i64,
        /// The last one, inclusive.
        last: i64,
        /// 1 or -1.
        step: i64,
    },
    /// A script's own iterator: asked by `hasNext()` and `next()`.
    User(Value),
}

impl Value {
    /// A string.
    pub fn str(text: impl AsRef<str>) -> Self {
        Value::Str(Rc::from(text.as_ref()))
    }

    /// A `BigInteger`.
    pub fn big(number: BigInt) -> Self {
        Value::BigInt(Rc::new(number))
    }

    /// A `BigDecimal`.
    pub fn decimal(number: Decimal) -> Self {
        Value::Decimal(Rc::new(number))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether it is a number (not a character).
    pub fn is_number(&self) -> bool {
        matches!(
            self,
            Value::Byte(_)
                | Value::Short(_)
                | Value::Int(_)
                | Value::Long(_)
                | Value::Float(_)
                | Value::Double(_)
                | Value::BigInt(_)
                | Value::Decimal(_)
        )
    }

    /// The text, when it is a `String`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when it is a `Byte`, `Short`, `Integer` or `Long`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Byte(number) => Some(i64::from(*number)),
            Value::Short(number) => Some(i64::from(*number)),
            Value::Int(number) => Some(i64::from(*number)),
            Value::Long(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether both are the same object (`is()`), or equal plain values.
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Byte(a), Value::Byte(b)) => a == b,
            (Value::Short(a), Value::Short(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Long(a), Value::Long(b)) => a == b,
            (Value::Char(a), Value::Char(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
            (Value::BigInt(a), Value::BigInt(b)) => Rc::ptr_eq(a, b),
            (Value::Decimal(a), Value::Decimal(b)) => Rc::ptr_eq(a, b),
            (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(a, b) || a == b,
            (Value::GStr(a), Value::GStr(b)) => Rc::ptr_eq(a, b),
            (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
            (Value::Map(a), Value::Map(b)) | (Value::Set(a), Value::Set(b)) => Rc::ptr_eq(a, b),
            (Value::Range(a), Value::Range(b)) => Rc::ptr_eq(a, b),
            (Value::Closure(a), Value::Closure(b)) => Rc::ptr_eq(a, b),
            (Value::Object(a), Value::Object(b)) => Rc::ptr_eq(a, b),
            (Value::Class(a), Value::Class(b)) => a == b,
            (Value::Iter(a), Value::Iter(b)) => Rc::ptr_eq(a, b),
            (Value::Native(a), Value::Native(b)) => Rc::ptr_eq(a, b),
            (Value::Host(a), Value::Host(b)) => std::ptr::addr_eq(Rc::as_ptr(a), Rc::as_ptr(b)),
            _ => false,
        }
    }
}

impl PartialEq for ClassRef {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (ClassRef::Builtin(a), ClassRef::Builtin(b)) => a == b,
            (ClassRef::User(a), ClassRef::User(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::str(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(Rc::from(text))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Value::Int(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Long(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Double(number)
    }
}

impl Native {
    /// The state, when it is a `T`.
    pub fn state<T: 'static>(&self) -> Option<&T> {
        self.state.downcast_ref()
    }
}
