//! Shapes of statements: a call, a call with a block.

use std::sync::Arc;

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{Arg, Call, Callee, Closure, Expr, ExprKind, MemberName, Stmt, StmtKind};

/// A statement that is a call.
pub(crate) struct Found<'a> {
    pub(crate) call: &'a Call,
    pub(crate) span: Span,
}

impl<'a> Found<'a> {
    /// Of an expression.
    pub(crate) fn of(expr: &'a Expr) -> Option<Self> {
        Some(Found { call: expr.as_call()?, span: expr.span })
    }

    /// The name, when it is called on nothing or on `this`.
    pub(crate) fn bare_name(&self) -> Option<&'a str> {
        match &self.call.callee {
            Callee::Name(ident) => Some(&ident.name),
            Callee::Method { object, member, .. } if matches!(object.kind, ExprKind::This) => match &member.name {
                MemberName::Fixed(name) => Some(name),
                MemberName::Dynamic(_) => None,
            },
            _ => None,
        }
    }

    /// Whether it is called on a variable.
    pub(crate) fn on_variable(&self) -> bool {
        match &self.call.callee {
            Callee::Method { object, .. } => {
                matches!(object.kind, ExprKind::Name(_) | ExprKind::Property { .. } | ExprKind::Call(_))
            }
            _ => false,
        }
    }

    /// `a { } b { }` on one line, which is `a({ }).b({ })` to Groovy: the two names.
    pub(crate) fn chained(&self) -> Option<(&'a str, &'a str)> {
        let Callee::Method { object, member, .. } = &self.call.callee else { return None };
        let MemberName::Fixed(after) = &member.name else { return None };
        let before = object.as_call()?;
        Some((before.bare_name()?, after))
    }

    /// Where the name stands.
    pub(crate) fn name_span(&self) -> Span {
        match &self.call.callee {
            Callee::Name(ident) => ident.span,
            Callee::Method { member, .. } => member.span,
            Callee::Value(expr) => expr.span,
            Callee::This(span) | Callee::Super(span) => *span,
        }
    }
}

/// A call whose last argument is a closure.
pub(crate) struct BlockFound<'a> {
    pub(crate) found: Found<'a>,
    pub(crate) body: &'a Arc<Closure>,
}

impl<'a> BlockFound<'a> {
    pub(crate) fn name(&self) -> Option<&'a str> {
        self.found.bare_name()
    }
}

/// The call that a statement is.
pub(crate) fn call_of(stmt: &Stmt) -> Option<Found<'_>> {
    match &stmt.kind {
        StmtKind::Expr(expr) => Found::of(expr),
        _ => None,
    }
}

/// The block that a statement is.
pub(crate) fn block_of(stmt: &Stmt) -> Option<BlockFound<'_>> {
    let found = call_of(stmt)?;
    match found.call.args.last() {
        Some(Arg::Positional(expr)) => {
            let body = expr.as_closure()?;
            Some(BlockFound { found, body })
        }
        _ => None,
    }
}

/// Named arguments that are closures, in order.
pub(crate) fn closures_in<'a>(found: &'a Found<'a>) -> Vec<(String, &'a Expr)> {
    let named = found.call.named().filter_map(|entry| {
        let key = entry.key.as_str().map(str::to_owned).or_else(|| entry.key.as_name().map(ToString::to_string))?;
        Some((key, &entry.value))
    });
    named.collect()
}
