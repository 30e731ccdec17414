//! What the compiler makes of a tree: flat instructions for a stack machine, so that a running script is data.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::value::{ClassRef, Value};

/// A binary operator of the machine. `==` and so on answer a `Boolean`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    And,
    Or,
    Xor,
    Left,
    Right,
    RightUnsigned,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Compare,
    Find,
    Match,
    In,
}

/// A prefix operator of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unary {
    Minus,
    Plus,
    BitNot,
    Next,
    Previous,
}

/// One instruction. `u32` operands are indexes into the tables of [`Code`] or targets of jumps.
#[derive(Clone, Copy, PartialEq, Debug)]
#[expect(missing_docs, reason = "each is told by its comment")]
pub enum Op {
    /// Push a constant.
    Const(u32),
    Int(i32),
    Null,
    True,
    False,
    /// Push `this`.
    This,
    /// Push the running closure.
    Own,
    /// Push or set a local variable; setting pops.
    Load(u32),
    Store(u32),
    /// The same through a captured variable's cell.
    LoadCell(u32),
    StoreCell(u32),
    /// Makes a fresh cell for the slot.
    Cell(u32),
    /// Push the cell itself, for an anonymous class: of a slot, of a captured variable, of a hidden field of the object
    /// on the stack. `Hidden` gathers `n` pairs of field name and cell into a list, below the arguments of `New`.
    CellOf(u32),
    CellUp(u32),
    CellField(u32),
    Hidden(u32),
    /// A variable captured from outside.
    LoadUp(u32),
    StoreUp(u32),
    /// `slot += 1` for an `int` loop counter whose old value nobody wants.
    Bump(u32, i32),
    /// Stack shuffling: drop, copy top, copy top two, swap, copy top under the second, copy top under the third.
    Pop,
    Dup,
    Dup2,
    Swap,
    DupUnder,
    DupUnder2,
    /// A name that is no local variable: read, and set (keeps the value on the stack).
    Name(u32),
    SetName(u32),
    /// A class named in the source.
    Class(u32),
    /// `object.name`; name index, then flags ([`flag`]).
    Get(u32, u8),
    /// object, value -> value.
    Set(u32, u8),
    /// object, name -> value, and object, name, value -> value.
    GetDynamic(u8),
    SetDynamic(u8),
    /// object, index -> value, and object, index, value -> value.
    Index,
    SetIndex,
    Binary(Binary),
    Unary(Unary),
    Not,
    /// Makes a `Boolean`.
    Truth,
    Jump(u32),
    /// Pop, and jump if (not) true.
    JumpIf(u32),
    JumpUnless(u32),
    /// Jump if the top is null, which stays.
    JumpNull(u32),
    /// Slot < constant loops are common: compare two on the stack and jump unless it holds.
    JumpUnlessLess(u32),
    /// `n` values -> list; nothing -> list; list, value -> list.
    List(u32),
    ListAdd,
    ListAddAll,
    /// `n` pairs -> map; map, key, value -> map; map, map -> map.
    Map(u32),
    MapPut,
    MapPutAll,
    /// from, to -> range; inclusive or not.
    Range(bool),
    /// Values -> GString: index into `gstrings`.
    GString(u32),
    Closure(u32),
    MethodPointer(u32),
    MethodPointerDynamic,
    /// Index into `calls`.
    Call(u32),
    New(u32),
    /// sizes -> array: type index, number of sizes.
    NewArray(u32, u8),
    Cast(u32),
    As(u32),
    InstanceOf(u32),
    /// Converts for a typed variable: type index.
    Coerce(u32),
    /// value, case value -> Boolean.
    IsCase,
    /// iterable -> iterator; the next element of the iterator in a slot, or jump.
    Iter,
    IterNext(u32, u32),
    /// Opens and closes a try block: where its handler begins. The handler finds the exception on the stack.
    Try(u32),
    EndTry,
    Throw,
    Return,
    /// list, index -> element or null, for `def (a, b) = list`.
    Unpack,
    /// Jump if the argument of this parameter was given.
    IfGiven(u32, u32),
    /// Power assert: begin, note the top of the stack at a column, success, failure (message on the stack if flagged).
    AssertBegin,
    Note(u32),
    AssertEnd,
    AssertFail(u32, bool),
    /// Sets up a class declared in the middle (anonymous, or an enum constant with a body).
    InitStatic(u32),
    /// Sets a field of `this` or a static field without setter: value popped.
    InitField(u32),
    InitStaticField(u32),
    /// Runs the field initializers of the class being constructed.
    RunInit,
    /// Does nothing.
    Nop,
}

/// Flags of [`Op::Get`] and [`CallSite`].
pub mod flag {
    /// `?.` is compiled to jumps; this marks `*.`.
    pub const SPREAD: u8 = 1;
    /// `.@`.
    pub const ATTRIBUTE: u8 = 2;
    /// The object is `super`.
    pub const SUPER: u8 = 4;
    /// The object is the implicit or explicit `this`.
    pub const THIS: u8 = 8;
}

/// How a call is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallKind {
    /// `name(args)`.
    Name,
    /// receiver, args: `receiver.name(args)`.
    Method,
    /// value, args: `value(args)`.
    Value,
    /// `super.name(args)`.
    Super,
    /// `this(args)` in a constructor.
    ThisInit,
    /// `super(args)` in a constructor.
    SuperInit,
}

/// A call in the source.
#[derive(Clone, Debug)]
pub struct CallSite {
    /// How.
    pub kind: CallKind,
    /// Name, unless it is on the stack below the arguments.
    pub name: Rc<str>,
    /// Name is on the stack, under the arguments.
    pub dynamic: bool,
    /// Number of arguments on the stack.
    pub count: u32,
    /// All arguments are one list on the stack.
    pub spread: bool,
    /// Class, for `new`.
    pub ty: u32,
}

/// A type as written, with its place of look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSpec {
    /// Dotted name; empty for `def`.
    pub name: Rc<str>,
    /// How many `[]`.
    pub dimensions: u32,
}

impl TypeSpec {
    /// `def`.
    pub fn any() -> Self {
        Self { name: Rc::from(""), dimensions: 0 }
    }
}

/// A type after look-up.
#[derive(Clone, PartialEq)]
pub enum Ty {
    /// `def`, `Object`.
    Any,
    /// A class.
    Class(ClassRef),
    /// An array of it.
    Array(Box<Ty>),
    /// A name that leads to no class: a type parameter, or a class of the embedder.
    Unknown(Rc<str>),
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: Rc<str>,
    /// Index into `types`.
    pub ty: u32,
    /// Has a default value.
    pub default: bool,
    /// `...`.
    pub varargs: bool,
}

/// Where a closure finds a variable when it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capture {
    /// A cell in a slot of the function around it.
    Local(u32),
    /// A variable that the closure around it captured.
    Up(u32),
}

/// A compiled function.
pub struct Code {
    /// Name that traces show: `run`, `doCall`, `deploy`.
    pub name: Rc<str>,
    /// Class that traces show.
    pub class: Rc<str>,
    /// Parameters; they are the first slots.
    pub params: Vec<Param>,
    /// A closure without arrow: `it`.
    pub implicit_it: bool,
    /// Number of local slots.
    pub slots: u32,
    /// Parameters that closures capture: they are put into cells on entry.
    pub boxed: Vec<u32>,
    /// Instructions.
    pub ops: Vec<Op>,
    /// Byte of the source for each instruction.
    pub places: Vec<u32>,
    /// Constants.
    pub consts: Vec<Value>,
    /// Names.
    pub names: Vec<Rc<str>>,
    /// Calls.
    pub calls: Vec<CallSite>,
    /// GStrings: texts around the values.
    pub gstrings: Vec<Vec<Rc<str>>>,
    /// Closures in it.
    pub closures: Vec<Rc<Code>>,
    /// Types in it.
    pub types: Vec<TypeSpec>,
    /// Types after look-up.
    pub resolved: RefCell<Vec<Option<Ty>>>,
    /// For a closure: what it captures.
    pub captures: Vec<Capture>,
    /// Assertions: source text and the byte at which it begins.
    pub asserts: Vec<(Rc<str>, u32)>,
    /// Declared type of the result; index into `types`, none for `def`.
    pub result: Option<u32>,
    /// Where it was compiled.
    pub unit: Rc<Unit>,
    /// Whether it is static.
    pub is_static: bool,
    /// Whether it belongs to the prelude: traces leave it out.
    pub hidden: bool,
}

/// What code of one file shares.
pub struct Unit {
    /// The file's name.
    pub file: Rc<str>,
    /// Lines of its text.
    pub lines: haliotis_groovy_syntax::Lines,
    /// Package, dotted.
    pub package: Option<Rc<str>>,
    /// Imported names: local name to full name.
    pub imports: BTreeMap<Rc<str>, Rc<str>>,
    /// Packages and classes of `import a.*`.
    pub stars: Vec<Rc<str>>,
    /// `import static a.B.c`: local name to class and member.
    pub statics: BTreeMap<Rc<str>, (Rc<str>, Rc<str>)>,
    /// `import static a.B.*`.
    pub static_stars: Vec<Rc<str>>,
    /// Classes of the file: name as written (`Outer.Inner` and `Inner` too) to full name.
    pub classes: BTreeMap<Rc<str>, Rc<str>>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} {:?}", self.class, self.name, self.ops)
    }
}
