//! Statements, and the imports of a file.

use super::class::{Modifiers, TypeRef};
use super::expr::Expr;
use super::{Ident, Name};
use crate::span::Span;

/// A statement. Made by [`Stmt::new`], which measures its depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where it stands, labels included.
    pub span: Span,
    /// `a: b: while (…)`; a label before anything but a loop is kept and means nothing to Groovy.
    pub labels: Vec<Ident>,
    /// The longest path from here to a leaf, in nodes.
    pub(super) depth: u32,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    /// An expression, evaluated. The last one of a closure, method or script is its value.
    Expr(Expr),
    /// `def a = 1`, `int a, b = 2`, `def (a, int b) = list`, `@Library('x') _`.
    Var(VarDecl),
    /// `if`.
    If {
        /// The question.
        condition: Expr,
        /// If it holds.
        then: Box<Stmt>,
        /// If it does not.
        otherwise: Option<Box<Stmt>>,
    },
    /// `while`.
    While {
        /// Asked before each turn.
        condition: Expr,
        /// One turn.
        body: Box<Stmt>,
    },
    /// `for (a; b; c)`.
    For {
        /// Before the first turn.
        init: ForInit,
        /// Asked before each turn; none is true.
        condition: Option<Expr>,
        /// After each turn.
        update: Vec<Expr>,
        /// One turn.
        body: Box<Stmt>,
    },
    /// `for (a in b)`, `for (T a : b)`.
    ForIn {
        /// Declared modifiers of the variable.
        modifiers: Modifiers,
        /// Its declared type.
        ty: Option<TypeRef>,
        /// Its name.
        var: Ident,
        /// What is walked.
        iterable: Expr,
        /// One turn.
        body: Box<Stmt>,
    },
    /// `switch`.
    Switch {
        /// What is compared.
        value: Expr,
        /// `case` and `default`, in the order of the text; each falls through to the next.
        cases: Vec<Case>,
    },
    /// `try`.
    Try {
        /// What may throw.
        body: Block,
        /// Handlers, the first that fits is taken.
        catches: Vec<Catch>,
        /// Always run.
        finally: Option<Block>,
    },
    /// `throw`.
    Throw(Expr),
    /// `return`; without a value it is null.
    Return(Option<Expr>),
    /// `break`, with a label.
    Break(Option<Ident>),
    /// `continue`, with a label.
    Continue(Option<Ident>),
    /// `assert a`, `assert a : b`.
    Assert {
        /// What must hold.
        condition: Expr,
        /// What to say otherwise.
        message: Option<Expr>,
    },
    /// `synchronized (a) { }`.
    Synchronized {
        /// The monitor.
        monitor: Expr,
        /// What is run.
        body: Block,
    },
    /// `{ }` as a statement: a scope of its own. Only after a label or where Groovy takes it so.
    Block(Block),
    /// `;`.
    Empty,
}

/// Statements in braces, or the body of a script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// The statements.
    pub stmts: Vec<Stmt>,
    /// From brace to brace.
    pub span: Span,
    /// The longest path from here to a leaf, in nodes.
    pub(super) depth: u32,
}

/// A declaration of variables.
#[derive(Debug, Clone, PartialEq)]
pub struct VarDecl {
    /// `final`, `@Field` and the like.
    pub modifiers: Modifiers,
    /// The declared type of all but those in parentheses; none for `def`.
    pub ty: Option<TypeRef>,
    /// The variables; at least one.
    pub vars: Vec<VarName>,
    /// `def (a, b) = list`: the list that is taken apart. Then no variable has a value of its own.
    pub unpacked: Option<Expr>,
    /// Whether it is the form with parentheses.
    pub multiple: bool,
}

/// One declared variable.
#[derive(Debug, Clone, PartialEq)]
pub struct VarName {
    /// Its own type, in `def (int a, b)`.
    pub ty: Option<TypeRef>,
    /// Its name.
    pub name: Ident,
    /// Its first value.
    pub value: Option<Expr>,
}

/// What a C-like `for` does first.
#[derive(Debug, Clone, PartialEq)]
pub enum ForInit {
    /// Nothing.
    None,
    /// `def i = 0`.
    Var(VarDecl),
    /// `i = 0, j = 1`.
    Exprs(Vec<Expr>),
}

/// A branch of a `switch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What the value is compared with by `isCase`; none for `default`.
    pub value: Option<Expr>,
    /// What is run.
    pub body: Vec<Stmt>,
    /// Where it stands.
    pub span: Span,
}

/// A handler of a `try`.
#[derive(Debug, Clone, PartialEq)]
pub struct Catch {
    /// `A | B`; empty means `Exception` (Groovy's `catch (e)`).
    pub types: Vec<TypeRef>,
    /// The variable.
    pub var: Ident,
    /// What is run.
    pub body: Block,
    /// Where it stands.
    pub span: Span,
}

/// `import a.b.C`, `import static a.B.c as d`, `import a.b.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Annotations before it, as of `@Library('x') import a.B`.
    pub modifiers: Modifiers,
    /// The dotted name without `.*`.
    pub path: Name,
    /// Whether `.*` follows.
    pub star: bool,
    /// Whether it is static; then the last part of `path` is a member.
    pub is_static: bool,
    /// `as x`.
    pub alias: Option<Ident>,
    /// Where it stands.
    pub span: Span,
}

impl Import {
    /// The name by which the imported is known here; none for `.*`.
    pub fn local_name(&self) -> Option<&str> {
        match &self.alias {
            Some(alias) => Some(&alias.name),
            None if self.star => None,
            None => self.path.rsplit('.').next(),
        }
    }
}
