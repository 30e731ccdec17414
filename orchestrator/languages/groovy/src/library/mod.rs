//! The library: methods of Java's and Groovy's classes, as tables of native functions.
//!
//! **How to add a method.** Write `fn trim(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer` and list it in the
//! table of the type that declares it, sorted by name or not. One name may stand there more than once: each is tried in
//! order until one does not answer [`Raise::NoMatch`]. A subtype's table comes before its supertypes' (`ArrayList`,
//! `List`, `Collection`, `Iterable`, `Object`). An array is asked as a `List` too.
//!
//! * `args` hold GStrings as they are: use [`Vm::text`] or [`Vm::str_arg`] where Java wants a `String`.
//! * An argument of a wrong type: `Err(Raise::NoMatch)`; the caller gets Groovy's `MissingMethodException`.
//! * An exception: `Err(vm.throw("java.lang.IllegalArgumentException", "text"))`.
//! * Containers are made by [`Vm::list`], [`Vm::map`], `Vm::set`; large results are announced by [`Vm::charge`]
//!   *before* they are built (`vm.charge(bytes)?`), so that an exploding string ends the build, not the process.
//! * Elements of anything iterable: [`Vm::elements`]. Never hold a `borrow()` of a container across a call of `vm`.
//! * `vm.equals`, `vm.compare`, `vm.hash`, `vm.truth`, `vm.text`, `vm.inspect` may run a script's own `equals` and so
//!   on, nested and without steps.
//! * **A method that takes a closure is not native.** It is Groovy, in `prelude.groovy` (or `prelude/*.groovy`):
//!   `class ListMethods`-like classes whose static methods take the receiver first. So `list.each { sh it }` can wait.
//! * Properties need nothing: `date.time` looks for `getTime` and `isTime`.
//! * Time and randomness come from [`Vm::now_ms`] and [`Vm::random`], never from Rust.

use crate::value::Value;
use crate::vm::{Raise, Vm};

mod arguments;
mod arrangement;
mod builder;
mod character;
mod codec;
mod collection;
mod collections;
mod comparator;
mod convert;
mod date;
mod decimal_methods;
mod enumeration;
mod format;
mod java_time;
pub(crate) mod json;
mod list;
mod map;
mod matcher;
mod math;
mod numbers;
mod object;
mod optional;
mod random;
mod range;
pub(crate) mod regex;
mod regex_syntax;
mod stream;
mod string;
mod string_gdk;
mod system;
mod text;
mod time_pattern;

/// What a native function answers.
pub type Answer = Result<Value, Raise>;

/// A method of an instance.
#[derive(Clone, Copy)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Fewest arguments.
    pub min: u8,
    /// Most arguments; [`MANY`] for any number.
    pub max: u8,
    /// What it does.
    pub run: fn(&mut Vm, &Value, &[Value]) -> Answer,
}

/// A static method.
#[derive(Clone, Copy)]
pub struct Static {
    /// Its name.
    pub name: &'static str,
    /// Fewest arguments.
    pub min: u8,
    /// Most arguments; [`MANY`] for any number.
    pub max: u8,
    /// What it does.
    pub run: fn(&mut Vm, &[Value]) -> Answer,
}

/// Any number of arguments.
pub const MANY: u8 = u8::MAX;

/// Methods that a file adds to a type. A type may be extended by many files.
pub struct Extension {
    /// Full name of the type, as [`crate::types`] or [`Declared`] declares it.
    pub of: &'static str,
    /// Methods of its instances.
    pub methods: &'static [Method],
    /// Static methods. A constant (`Integer.MAX_VALUE`) is a static method of no arguments with that name.
    pub statics: &'static [Static],
    /// `new T(args)`.
    pub new: Option<fn(&mut Vm, &[Value]) -> Answer>,
}

/// A type that the library adds to those of [`crate::types`].
pub struct Declared {
    /// Full name.
    pub name: &'static str,
    /// Superclass; for an interface `java.lang.Object`.
    pub parent: &'static str,
    /// Interfaces it names itself.
    pub interfaces: &'static [&'static str],
    /// Whether it is an interface.
    pub interface: bool,
}

/// Shorthand for a row of a method table.
pub const fn method(name: &'static str, min: u8, max: u8, run: fn(&mut Vm, &Value, &[Value]) -> Answer) -> Method {
    Method { name, min, max, run }
}

/// Shorthand for a row of a static table.
pub const fn function(name: &'static str, min: u8, max: u8, run: fn(&mut Vm, &[Value]) -> Answer) -> Static {
    Static { name, min, max, run }
}

/// All extensions, file by file.
pub const EXTENSIONS: &[&[Extension]] = &[
    builder::EXTENSIONS,
    character::EXTENSIONS,
    codec::EXTENSIONS,
    collection::EXTENSIONS,
    collections::EXTENSIONS,
    comparator::EXTENSIONS,
    date::EXTENSIONS,
    decimal_methods::EXTENSIONS,
    java_time::EXTENSIONS,
    json::EXTENSIONS,
    list::EXTENSIONS,
    map::EXTENSIONS,
    math::EXTENSIONS,
    numbers::EXTENSIONS,
    object::EXTENSIONS,
    optional::EXTENSIONS,
    random::EXTENSIONS,
    range::EXTENSIONS,
    regex::EXTENSIONS,
    stream::EXTENSIONS,
    string::EXTENSIONS,
    string_gdk::EXTENSIONS,
    system::EXTENSIONS,
];

/// All types beyond those of [`crate::types`], file by file.
pub const DECLARED: &[&[Declared]] = &[
    builder::DECLARED,
    codec::DECLARED,
    collections::DECLARED,
    comparator::DECLARED,
    date::DECLARED,
    decimal_methods::DECLARED,
    java_time::DECLARED,
    json::DECLARED,
    list::DECLARED,
    map::DECLARED,
    math::DECLARED,
    optional::DECLARED,
    random::DECLARED,
    stream::DECLARED,
    system::DECLARED,
];

/// Groovy source compiled once per thread: class `<Name>` here holds the closure-taking methods of type `<of>`.
/// A static method's first parameter is the receiver. `(of, class name, source)`.
pub const PRELUDE: &[(&str, &str, &str)] = &[
    ("java.lang.Object", "ObjectMethods", include_str!("../prelude/object.groovy")),
    ("java.lang.Iterable", "IterableMethods", include_str!("../prelude/iterable.groovy")),
    ("java.util.Collection", "CollectionMethods", include_str!("../prelude/iterable.groovy")),
    ("java.util.List", "ListMethods", include_str!("../prelude/list.groovy")),
    ("java.util.Map", "MapMethods", include_str!("../prelude/map.groovy")),
    ("java.util.Iterator", "IteratorMethods", include_str!("../prelude/iterable.groovy")),
    ("java.lang.CharSequence", "TextMethods", include_str!("../prelude/text.groovy")),
    ("java.util.regex.Matcher", "MatcherMethods", include_str!("../prelude/text.groovy")),
    ("java.lang.Number", "NumberMethods", include_str!("../prelude/number.groovy")),
    ("groovy.lang.Range", "RangeMethods", include_str!("../prelude/number.groovy")),
    ("java.util.stream.Stream", "StreamMethods", include_str!("../prelude/stream.groovy")),
    ("java.util.Optional", "OptionalMethods", include_str!("../prelude/stream.groovy")),
];

/// Text that tells equal library values from unequal ones, for those whose `equals` is not identity (`Date`, `UUID`,
/// `LocalDate`). It is their key in maps, and `==` compares it.
///
/// # Errors
/// What making the text throws.
pub fn native_key(vm: &mut Vm, native: &std::rc::Rc<crate::value::Native>) -> Result<Option<std::rc::Rc<str>>, Raise> {
    let _ = &vm;
    let value = Value::Native(native.clone());
    let text = if let Some(moment) = native.state::<date::Moment>() {
        Some(moment.0.get().to_string())
    } else if let Some(uuid) = native.state::<codec::Uuid>() {
        Some(uuid.0.to_string())
    } else if let Some(constant) = native.state::<enumeration::Constant>() {
        Some(constant.name.to_owned())
    } else {
        java_time::key(&value)
    };
    Ok(text.map(std::rc::Rc::from))
}

/// Jenkins' refusal of what its sandbox does not let a script do.
pub(crate) fn rejected(vm: &mut Vm, signature: &str) -> Raise {
    vm.throw(
        "org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException",
        format!("Scripts not permitted to use {signature}"),
    )
}

/// `text =~ pattern`: a `Matcher`.
///
/// # Errors
/// A pattern that Java would refuse.
pub fn find(vm: &mut Vm, text: &Value, pattern: &Value) -> Answer {
    regex::find_operator(vm, text, pattern)
}

/// `text ==~ pattern`: whether all of the text matches.
///
/// # Errors
/// A pattern that Java would refuse.
pub fn matches(vm: &mut Vm, text: &Value, pattern: &Value) -> Answer {
    regex::match_operator(vm, text, pattern)
}

/// `~text`: a `Pattern`.
///
/// # Errors
/// A pattern that Java would refuse.
pub fn pattern(vm: &mut Vm, text: &Value) -> Answer {
    let text = vm.text(text)?;
    regex::compile(vm, &text, 0)
}

/// Bytes that a library value holds beyond itself, for the memory limit.
pub(crate) fn native_bytes(native: &crate::value::Native) -> usize {
    builder::bytes(native)
}
