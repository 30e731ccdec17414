//! What expressions are made of: names, constants, strings, `new`, and everything in brackets.

use super::{Parsed, Parser};
use crate::ast::{Expr, ExprKind, GStringPart, Literal, New, NewArray, StmtKind};
use crate::token::T;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let token = self.here();
        let kind = match token.kind {
            T::Ident => ExprKind::Name(self.name_of(token)),
            T::String => ExprKind::Literal(Literal::String(self.name_of(token), self.quote_of(token))),
            T::True => ExprKind::Literal(Literal::Bool(true)),
            T::False => ExprKind::Literal(Literal::Bool(false)),
            T::Null => ExprKind::Literal(Literal::Null),
            T::This => ExprKind::This,
            T::Super => ExprKind::Super,
            T::TextStart => return self.gstring(),
            T::LParen => return self.nested(Self::parenthesized),
            T::LBrack => return self.nested(Self::list_or_map),
            T::LCurly => return self.closure(),
            T::New => return self.nested(Self::creation),
            kind if kind.is_number() => return self.number(start, false),
            kind if kind.is_builtin_type() => {
                let ty = self.type_ref()?;
                return self.node(ExprKind::Type(ty), start);
            }
            _ => return self.no_primary(),
        };
        self.next();
        self.node(kind, start)
    }

    fn no_primary(&mut self) -> Parsed<Expr> {
        let hint = match self.kind() {
            T::End => Some("the text ends in the middle of an expression"),
            T::Newline => Some("the line ends in the middle of an expression"),
            T::Assign => Some("there is nothing to assign to before this"),
            T::Return | T::Throw | T::Break | T::Continue | T::Assert => {
                Some("this is a statement; it cannot stand inside an expression")
            }
            T::If | T::While | T::For | T::Switch | T::Try => {
                Some("this is a statement; put it on a line of its own, or use a ? b : c")
            }
            T::RCurly => Some("there is one '}' too many, or something is missing before it"),
            _ => None,
        };
        self.unexpected(hint)
    }

    /// `( … )`; the parentheses leave no trace in the tree.
    pub(super) fn parenthesized(&mut self) -> Parsed<Expr> {
        let opening = self.next();
        let expr = self.expression(false)?;
        self.expect_closing(T::RParen, opening)?;
        Ok(expr)
    }

    /// `"a $b ${c}"`
    pub(super) fn gstring(&mut self) -> Parsed<Expr> {
        self.nested(|this| {
            let start = this.at;
            let first = this.next();
            let quote = this.quote_of(first);
            let mut parts = Vec::new();
            let text = this.name_of(first);
            if !text.is_empty() {
                parts.push(GStringPart::Text(text));
            }
            loop {
                parts.push(GStringPart::Expr(this.gstring_value()?));
                let token = this.here();
                if !matches!(token.kind, T::TextMiddle | T::TextEnd) {
                    return this.fail("expecting a string literal end", None);
                }
                this.next();
                let text = this.name_of(token);
                if !text.is_empty() {
                    parts.push(GStringPart::Text(text));
                }
                if token.kind == T::TextEnd {
                    return this.node(ExprKind::GString(parts, quote), start);
                }
            }
        })
    }

    /// `{ … }`, or names with dots.
    fn gstring_value(&mut self) -> Parsed<Expr> {
        if self.is(T::LCurly) {
            return self.gstring_block();
        }
        let start = self.at;
        match self.kind() {
            T::This | T::Super => return self.primary(),
            T::Ident => {}
            _ => return self.unexpected(Some("write ${…} around anything but a name")),
        }
        let first = self.next();
        let mut expr = self.node(ExprKind::Name(self.name_of(first)), start)?;
        while self.is(T::Dot) {
            self.next();
            let part = self.ident()?;
            let member = crate::ast::Member { name: crate::ast::MemberName::Fixed(part.name), span: part.span };
            let access = crate::ast::Access::Dot;
            let kind = ExprKind::Property { object: Box::new(expr), access, attribute: false, member };
            expr = self.node(kind, start)?;
        }
        Ok(expr)
    }

    /// `${a}` is the expression, `${-> a}` a closure, `${}` null. Several statements make a closure that is called.
    fn gstring_block(&mut self) -> Parsed<Expr> {
        let start = self.at;
        if self.here().arrow {
            return self.closure();
        }
        let span = Self::span(self.here());
        let closure = self.closure()?;
        let Some(inner) = closure.as_closure() else { return Ok(closure) };
        match inner.body.stmts.as_slice() {
            [] => self.node_at(ExprKind::Literal(Literal::Null), span),
            [only] if matches!(only.kind, StmtKind::Expr(_)) => match &only.kind {
                StmtKind::Expr(expr) => Ok(expr.clone()),
                _ => Ok(closure),
            },
            _ => self.call(closure, true, Vec::new(), 0, start),
        }
    }

    /// `new A(…)`, `new A(…) { … }`, `new A[1][]`.
    fn creation(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.next();
        self.newlines();
        if self.is(T::Less) {
            self.type_arguments()?;
        }
        let ty = self.type_name()?;
        if self.is(T::LBrack) {
            return self.array(ty, start);
        }
        let paren = self.past_newlines(self.at);
        if self.token(paren).kind != T::LParen {
            return self.unexpected(Some("a constructor's arguments stand in parentheses: new A()"));
        }
        self.at = paren;
        let args = self.call_args()?;
        let body = if self.is(T::LCurly) { Some(self.anonymous_class(&ty)?) } else { None };
        self.node(ExprKind::New(Box::new(New { ty, args, body })), start)
    }

    fn array(&mut self, ty: crate::ast::TypeRef, start: usize) -> Parsed<Expr> {
        let mut sizes = Vec::new();
        let mut open = 0;
        while self.is(T::LBrack) {
            let opening = self.next();
            if self.is(T::RBrack) {
                open += 1;
            } else {
                sizes.push(self.expression(false)?);
            }
            self.expect_closing(T::RBrack, opening)?;
        }
        if sizes.is_empty() {
            return self.fail_at(
                self.span_from(start),
                "No expression for the array constructor call",
                Some("give a size, or make one of a list: [1, 2] as int[]".to_owned()),
            );
        }
        self.node(ExprKind::NewArray(Box::new(NewArray { ty, sizes, open })), start)
    }
}
