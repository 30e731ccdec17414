//! How deep a tree is. Each node remembers the longest path below it, so that the parser can refuse a tree that nobody
//! could walk by recursion, whether it grew by nesting or by a long chain such as `a + a + a + …`.

use std::sync::Arc;

use super::{
    Annotation, Arg, Block, Call, Callee, Case, Class, Expr, ExprKind, ForInit, GStringPart, MapEntry, Member,
    MemberName, Method, Modifiers, Param, Stmt, StmtKind, VarDecl,
};
use crate::span::Span;

impl Expr {
    /// An expression; measures its depth.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        let depth = kind.below().saturating_add(1);
        Self { kind, span, depth }
    }

    /// The longest path from here to a leaf, in nodes.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// The node got one more child, of this depth. Measuring it anew each time would cost the square of their number.
    pub(crate) fn grow(&mut self, span: Span, child: u32) {
        self.span = span;
        self.depth = self.depth.max(child.saturating_add(1));
    }
}

impl Stmt {
    /// A statement without labels; measures its depth.
    pub fn new(kind: StmtKind, span: Span) -> Self {
        let depth = kind.below().saturating_add(1);
        Self { kind, span, labels: Vec::new(), depth }
    }

    /// The longest path from here to a leaf, in nodes.
    pub const fn depth(&self) -> u32 {
        self.depth
    }
}

impl Block {
    /// A block; measures its depth.
    pub fn new(stmts: Vec<Stmt>, span: Span) -> Self {
        let depth = deepest(&stmts, |stmt| stmt.depth).saturating_add(1);
        Self { stmts, span, depth }
    }

    /// The longest path from here to a leaf, in nodes.
    pub const fn depth(&self) -> u32 {
        self.depth
    }
}

fn deepest<T>(nodes: &[T], depth: impl Fn(&T) -> u32) -> u32 {
    nodes.iter().map(depth).max().unwrap_or(0)
}

fn maybe(expr: Option<&Expr>) -> u32 {
    expr.map_or(0, Expr::depth)
}

fn entry(entry: &MapEntry) -> u32 {
    entry.key.depth.max(entry.value.depth)
}

fn arguments(args: &[Arg]) -> u32 {
    deepest(args, |arg| match arg {
        Arg::Positional(expr) => expr.depth,
        Arg::Named(named) => entry(named),
    })
}

fn member(member: &Member) -> u32 {
    match &member.name {
        MemberName::Fixed(_) => 0,
        MemberName::Dynamic(expr) => expr.depth,
    }
}

fn annotation(annotation: &Annotation) -> u32 {
    deepest(&annotation.members, |member| member.value.depth)
}

fn modifiers(modifiers: &Modifiers) -> u32 {
    deepest(&modifiers.annotations, annotation)
}

fn parameters(params: &[Param]) -> u32 {
    deepest(params, |param| maybe(param.default.as_ref()).max(modifiers(&param.modifiers)))
}

impl Call {
    fn below(&self) -> u32 {
        let callee = match &self.callee {
            Callee::Method { object, member: name, .. } => object.depth.max(member(name)),
            Callee::Value(expr) => expr.depth,
            Callee::Name(_) | Callee::This(_) | Callee::Super(_) => 0,
        };
        callee.max(arguments(&self.args))
    }
}

impl ExprKind {
    fn below(&self) -> u32 {
        match self {
            Self::Literal(_) | Self::Name(_) | Self::Type(_) | Self::This | Self::Super => 0,
            Self::GString(parts, _) => deepest(parts, |part| match part {
                GStringPart::Text(_) => 0,
                GStringPart::Expr(expr) => expr.depth,
            }),
            Self::List(items) => deepest(items, Expr::depth),
            Self::Map(entries) => deepest(entries, entry),
            Self::Range { from: a, to: b, .. }
            | Self::Binary { left: a, right: b, .. }
            | Self::Assign { target: a, value: b, .. }
            | Self::Elvis { value: a, otherwise: b } => a.depth.max(b.depth),
            Self::Property { object, member: name, .. } | Self::MethodPointer { object, member: name } => {
                object.depth.max(member(name))
            }
            Self::Index { object, indexes } => object.depth.max(deepest(indexes, Expr::depth)),
            Self::MultiAssign { targets, value } => value.depth.max(deepest(targets, Expr::depth)),
            Self::Call(call) => call.below(),
            Self::New(new) => arguments(&new.args).max(new.body.as_ref().map_or(0, |class| class.depth())),
            Self::NewArray(array) => deepest(&array.sizes, Expr::depth),
            Self::Closure(closure) => closure.body.depth.max(parameters(&closure.params)),
            Self::Unary { operand: expr, .. }
            | Self::IncDec { target: expr, .. }
            | Self::Cast { value: expr, .. }
            | Self::As { value: expr, .. }
            | Self::InstanceOf { value: expr, .. }
            | Self::Spread(expr) => expr.depth,
            Self::Ternary { condition, then, otherwise } => condition.depth.max(then.depth).max(otherwise.depth),
            Self::Annotation(inner) => annotation(inner),
        }
    }
}

impl StmtKind {
    fn below(&self) -> u32 {
        match self {
            Self::Expr(expr) | Self::Throw(expr) => expr.depth,
            Self::Var(decl) => decl.below(),
            Self::If { condition, then, otherwise } => {
                condition.depth.max(then.depth).max(otherwise.as_ref().map_or(0, |stmt| stmt.depth))
            }
            Self::While { condition, body } => condition.depth.max(body.depth),
            Self::For { init, condition, update, body } => {
                let init = match init {
                    ForInit::None => 0,
                    ForInit::Var(decl) => decl.below(),
                    ForInit::Exprs(exprs) => deepest(exprs, Expr::depth),
                };
                init.max(maybe(condition.as_ref())).max(deepest(update, Expr::depth)).max(body.depth)
            }
            Self::ForIn { iterable, body, .. } => iterable.depth.max(body.depth),
            Self::Switch { value, cases } => value.depth.max(deepest(cases, case)),
            Self::Try { body, catches, finally } => {
                body.depth.max(deepest(catches, |catch| catch.body.depth)).max(finally.as_ref().map_or(0, Block::depth))
            }
            Self::Return(value) => maybe(value.as_ref()),
            Self::Assert { condition, message } => condition.depth.max(maybe(message.as_ref())),
            Self::Synchronized { monitor, body } => monitor.depth.max(body.depth),
            Self::Block(block) => block.depth,
            Self::Break(_) | Self::Continue(_) | Self::Empty => 0,
        }
    }
}

fn case(case: &Case) -> u32 {
    maybe(case.value.as_ref()).max(deepest(&case.body, Stmt::depth))
}

impl VarDecl {
    fn below(&self) -> u32 {
        let values = deepest(&self.vars, |var| maybe(var.value.as_ref()));
        values.max(maybe(self.unpacked.as_ref())).max(modifiers(&self.modifiers))
    }
}

impl Method {
    fn depth(&self) -> u32 {
        parameters(&self.params)
            .max(self.body.as_ref().map_or(0, Block::depth))
            .max(maybe(self.default.as_ref()))
            .max(modifiers(&self.modifiers))
            .saturating_add(1)
    }
}

impl Class {
    /// The longest path from here to a leaf, in nodes. Measured anew at each call, from the members' own measures.
    pub fn depth(&self) -> u32 {
        let methods = |methods: &[Arc<Method>]| deepest(methods, |method| method.depth());
        deepest(&self.fields, |field| maybe(field.value.as_ref()))
            .max(methods(&self.methods))
            .max(methods(&self.constructors))
            .max(deepest(&self.initializers, |block| block.body.depth))
            .max(deepest(&self.classes, |class| class.depth()))
            .max(deepest(&self.constants, |constant| {
                arguments(&constant.args).max(constant.body.as_ref().map_or(0, |class| class.depth()))
            }))
            .max(modifiers(&self.modifiers))
            .saturating_add(1)
    }
}
