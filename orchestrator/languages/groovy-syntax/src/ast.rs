//! The tree: what a Groovy text says, with a position on every node.
//!
//! Nodes that outlive the place where they stand (closures, methods, classes) are shared by `Arc`: an interpreter keeps
//! them by cloning the `Arc`. Names are `Arc<str>`; within one script equal names share one allocation.

mod class;
mod depth;
mod expr;
mod stmt;

pub use class::{
    Annotation, AnnotationMember, Class, ClassKind, EnumConstant, Field, Initializer, Method, Modifiers, Param, TypeRef,
};
pub use expr::{
    Access, Arg, BinaryOp, Call, Callee, Closure, Expr, ExprKind, GStringPart, IncDec, Literal, MapEntry, Member,
    MemberName, New, NewArray, Quote, UnaryOp,
};
pub use stmt::{Block, Case, Catch, ForInit, Import, Stmt, StmtKind, VarDecl, VarName};

use crate::span::{Lines, Place, Span};

/// A name or a piece of text, shared.
pub type Name = std::sync::Arc<str>;

/// A name where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Ident {
    /// The name.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
}

/// A parsed file: a script, a file of classes, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The file's name as given to the parser.
    pub file: Name,
    /// The text and its lines.
    pub lines: Lines,
    /// `package a.b`, dotted.
    pub package: Option<Ident>,
    /// All imports, wherever they stand.
    pub imports: Vec<Import>,
    /// Classes, interfaces, traits, enums and annotation types of the file, in the order of the text.
    pub classes: Vec<std::sync::Arc<Class>>,
    /// Methods of the script, in the order of the text.
    pub methods: Vec<std::sync::Arc<Method>>,
    /// The statements of the script, without its methods and classes.
    pub body: Block,
}

impl Script {
    /// The line and column of the start of a node.
    pub fn place(&self, span: Span) -> Place {
        self.lines.place(span.start)
    }

    /// A node's text as it stands in the source.
    pub fn text(&self, span: Span) -> &str {
        span.of(self.lines.text())
    }
}
