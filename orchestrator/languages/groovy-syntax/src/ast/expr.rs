//! Expressions.

use std::sync::Arc;

use super::class::{Class, Param, TypeRef};
use super::stmt::Block;
use super::{Ident, Name};
use crate::span::Span;

/// An expression. Made by [`Expr::new`], which measures its depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands; parentheses around it are not part of it.
    pub span: Span,
    /// The longest path from here to a leaf, in nodes.
    pub(super) depth: u32,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A constant, also a string without interpolation.
    Literal(Literal),
    /// A string with interpolation; `Text` parts are never empty.
    GString(Vec<GStringPart>, Quote),
    /// A bare name: a local variable, a property of `this`, or a class. Which one, only the interpreter knows.
    Name(Name),
    /// A built-in type used as a value: `int`, `int.class` is a property of it. Also `String[]`.
    Type(TypeRef),
    /// `this`.
    This,
    /// `super`.
    Super,
    /// `[1, 2, *more]`.
    List(Vec<Expr>),
    /// `[a: 1, (b): 2, *: more]`, `[:]`.
    Map(Vec<MapEntry>),
    /// `a..b`, `a..<b`.
    Range {
        /// The first.
        from: Box<Expr>,
        /// The last, or the one after it.
        to: Box<Expr>,
        /// Whether `to` belongs to the range.
        inclusive: bool,
    },
    /// `a.b`, `a?.b`, `a*.b`, `a.@b`, `a."$b"`.
    Property {
        /// Whose.
        object: Box<Expr>,
        /// By which operator.
        access: Access,
        /// `.@`: the field itself, no getter.
        attribute: bool,
        /// Which.
        member: Member,
    },
    /// `a.&b`.
    MethodPointer {
        /// Whose.
        object: Box<Expr>,
        /// Which.
        member: Member,
    },
    /// `a[i]`, `a[i, j]`, `a[*list]`. Several are one list index.
    Index {
        /// What is indexed.
        object: Box<Expr>,
        /// What stands in the brackets; none for `a[]`, which Groovy takes as a type.
        indexes: Vec<Expr>,
    },
    /// A call of a method, a closure or a constructor (`this(…)`, `super(…)`).
    Call(Box<Call>),
    /// `new A(…)`, also with an anonymous body.
    New(Box<New>),
    /// `new int[2][]`.
    NewArray(Box<NewArray>),
    /// `{ a, b -> … }`.
    Closure(Arc<Closure>),
    /// `-a`, `!a`, …
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `++a`, `a--`, …
    IncDec {
        /// Which way.
        op: IncDec,
        /// Whether the operator stands before.
        prefix: bool,
        /// What is changed.
        target: Box<Expr>,
    },
    /// `a + b`, `a && b`, `a =~ b`, `a in b`, …
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand; lazily evaluated for `&&` and `||`.
        right: Box<Expr>,
    },
    /// `a = b`, `a += b`.
    Assign {
        /// The operator of a compound assignment.
        op: Option<BinaryOp>,
        /// A name, property, index or (in wrong scripts) anything that the parser let pass.
        target: Box<Expr>,
        /// The new value, or the operator's right operand.
        value: Box<Expr>,
    },
    /// `(a, b) = c`.
    MultiAssign {
        /// What is assigned.
        targets: Vec<Expr>,
        /// The list.
        value: Box<Expr>,
    },
    /// `a ? b : c`.
    Ternary {
        /// The question.
        condition: Box<Expr>,
        /// If it holds.
        then: Box<Expr>,
        /// If it does not.
        otherwise: Box<Expr>,
    },
    /// `a ?: b`.
    Elvis {
        /// Taken if true.
        value: Box<Expr>,
        /// Taken otherwise.
        otherwise: Box<Expr>,
    },
    /// `(String) a`.
    Cast {
        /// To what.
        ty: TypeRef,
        /// What.
        value: Box<Expr>,
    },
    /// `a as String`.
    As {
        /// What.
        value: Box<Expr>,
        /// To what.
        ty: TypeRef,
    },
    /// `a instanceof String`.
    InstanceOf {
        /// What.
        value: Box<Expr>,
        /// Of what.
        ty: TypeRef,
    },
    /// `*a` in a list, an index or arguments.
    Spread(Box<Expr>),
    /// `@A({ … })`, `[@A, @B]` as the value of an annotation member.
    Annotation(Box<super::Annotation>),
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// `java.lang.Integer`.
    Int(i32),
    /// `java.lang.Long`: suffix `L`, or too large for an int.
    Long(i64),
    /// `java.math.BigInteger`, in decimal digits with an optional `-`.
    BigInteger(Name),
    /// `java.lang.Float`: suffix `F`.
    Float(f32),
    /// `java.lang.Double`: suffix `D`.
    Double(f64),
    /// `java.math.BigDecimal`, as `new BigDecimal(String)` takes it: `1.50`, `-2e3`.
    BigDecimal(Name),
    /// `java.lang.String`, escapes resolved.
    String(Name, Quote),
}

/// How a string was quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// `'a'`
    Single,
    /// `'''a'''`
    TripleSingle,
    /// `"a"`
    Double,
    /// `"""a"""`
    TripleDouble,
    /// `/a/`
    Slashy,
    /// `$/a/$`
    DollarSlashy,
}

/// A piece of an interpolated string.
#[derive(Debug, Clone, PartialEq)]
pub enum GStringPart {
    /// Text, escapes resolved; never empty.
    Text(Name),
    /// `$a.b` or `${…}`. A closure (`${-> a}`) is evaluated whenever the string is turned into text. `${}` is null.
    Expr(Expr),
}

/// One entry of a map, or a named argument.
#[derive(Debug, Clone, PartialEq)]
pub struct MapEntry {
    /// The key: a string literal for `a:`, any expression for `(a):`, and for `*: map` a `Spread` of the map.
    pub key: Expr,
    /// The value; `Literal::Null` for a spread.
    pub value: Expr,
}

/// How a member is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `.`
    Dot,
    /// `?.`
    Safe,
    /// `*.`
    Spread,
}

/// The name of a member where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The name.
    pub name: MemberName,
    /// Where it stands.
    pub span: Span,
}

/// A member's name.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberName {
    /// `.b`, `.'b'`.
    Fixed(Name),
    /// `."$b"`, `.(b)`.
    Dynamic(Box<Expr>),
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What is called.
    pub callee: Callee,
    /// Arguments in the order of the text; trailing closures are the last.
    pub args: Vec<Arg>,
    /// How many of the last arguments are closures that stand behind the parentheses: `a(1) { }` has one.
    pub trailing: usize,
    /// Whether it stands without parentheses: `sh 'x'`. `a { }` is not a command but a call with a trailing closure.
    pub command: bool,
}

/// What is called.
#[derive(Debug, Clone, PartialEq)]
pub enum Callee {
    /// `a(…)`: a method of `this`, or a variable that holds a closure.
    Name(Ident),
    /// `o.a(…)`, `o?.a(…)`, `o*.a(…)`. `attribute` is for `o.@a(…)`.
    Method {
        /// Whose.
        object: Expr,
        /// By which operator.
        access: Access,
        /// `.@`.
        attribute: bool,
        /// Which.
        member: Member,
    },
    /// `(expression)(…)`, `a[0](…)`, `{ }(…)`: the method `call` of the value.
    Value(Expr),
    /// `this(…)` in a constructor.
    This(Span),
    /// `super(…)` in a constructor.
    Super(Span),
}

/// One argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// `a`, or `*a` as `ExprKind::Spread`.
    Positional(Expr),
    /// `a: 1`, `(a): 1`, `*: map`. All of a call make one map, its first argument.
    Named(MapEntry),
}

/// A constructor call by name.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    /// Which class.
    pub ty: TypeRef,
    /// Arguments.
    pub args: Vec<Arg>,
    /// The body of an anonymous class, whose superclass or interface is `ty`.
    pub body: Option<Arc<Class>>,
}

/// The making of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct NewArray {
    /// The element's type with no dimension.
    pub ty: TypeRef,
    /// The given sizes; at least one.
    pub sizes: Vec<Expr>,
    /// How many `[]` follow.
    pub open: u32,
}

/// A closure.
#[derive(Debug, Clone, PartialEq)]
pub struct Closure {
    /// Declared parameters.
    pub params: Vec<Param>,
    /// Whether there is an arrow. Without one there is the parameter `it`; with one and no parameters there is none.
    pub arrow: bool,
    /// The statements.
    pub body: Block,
    /// From brace to brace.
    pub span: Span,
}

/// A prefix operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `!`
    Not,
    /// `~`: of a number its bits' complement, of a string a pattern.
    BitNot,
}

/// `++` or `--`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncDec {
    /// `++`
    Increment,
    /// `--`
    Decrement,
}

/// An operator between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the symbols say it; see BinaryOp::symbol")]
pub enum BinaryOp {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    NotEqual,
    Compare,
    Find,
    Match,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    ShiftLeft,
    ShiftRight,
    ShiftRightUnsigned,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl BinaryOp {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::BitAnd => "&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Compare => "<=>",
            Self::Find => "=~",
            Self::Match => "==~",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::ShiftRightUnsigned => ">>>",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

impl Expr {
    /// The name, if this is a bare name.
    pub fn as_name(&self) -> Option<&Name> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The text, if this is a string without interpolation.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Literal(Literal::String(text, _)) => Some(text),
            _ => None,
        }
    }

    /// The call, if this is one.
    pub fn as_call(&self) -> Option<&Call> {
        match &self.kind {
            ExprKind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The closure, if this is one.
    pub fn as_closure(&self) -> Option<&Arc<Closure>> {
        match &self.kind {
            ExprKind::Closure(closure) => Some(closure),
            _ => None,
        }
    }
}

impl MapEntry {
    /// The map that `*:` spreads, if this is such an entry.
    pub fn spread(&self) -> Option<&Expr> {
        match &self.key.kind {
            ExprKind::Spread(map) => Some(map),
            _ => None,
        }
    }
}

impl Call {
    /// The name called, unless it is computed at run time.
    pub fn name(&self) -> Option<&Name> {
        match &self.callee {
            Callee::Name(ident) => Some(&ident.name),
            Callee::Method { member: Member { name: MemberName::Fixed(name), .. }, .. } => Some(name),
            _ => None,
        }
    }

    /// The name called on no object: `sh` in `sh 'x'`.
    pub fn bare_name(&self) -> Option<&Name> {
        match &self.callee {
            Callee::Name(ident) => Some(&ident.name),
            _ => None,
        }
    }

    /// Named arguments in the order of the text.
    pub fn named(&self) -> impl Iterator<Item = &MapEntry> {
        self.args.iter().filter_map(|arg| match arg {
            Arg::Named(entry) => Some(entry),
            Arg::Positional(_) => None,
        })
    }

    /// The other arguments in the order of the text, trailing closures last.
    pub fn positional(&self) -> impl Iterator<Item = &Expr> {
        self.args.iter().filter_map(|arg| match arg {
            Arg::Positional(expr) => Some(expr),
            Arg::Named(_) => None,
        })
    }

    /// The last argument, if it is a closure that stands behind the parentheses: the body of a block.
    pub fn body(&self) -> Option<&Arc<Closure>> {
        if self.trailing == 0 {
            return None;
        }
        match self.args.last() {
            Some(Arg::Positional(expr)) => expr.as_closure(),
            _ => None,
        }
    }
}
