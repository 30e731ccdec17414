//! Closures, blocks, and the parameters of closures and methods.

use std::sync::Arc;

use super::statement::Where;
use super::{Parsed, Parser};
use crate::ast::{Block, Closure, Expr, ExprKind, Modifiers, Param};
use crate::token::T;

impl Parser<'_> {
    /// `{ a, b -> … }`
    pub(super) fn closure(&mut self) -> Parsed<Expr> {
        self.nested(|this| {
            let start = this.at;
            let opening = this.expect(T::LCurly)?;
            this.newlines();
            let mut params = Vec::new();
            if opening.arrow {
                if !this.is(T::Arrow) {
                    params = this.params(T::Arrow)?;
                }
                this.newlines();
                this.expect(T::Arrow)?;
            }
            let inside = this.at;
            let stmts = this.statements(Where::Block);
            let body_span = this.span_from(inside);
            this.expect_closing(T::RCurly, opening)?;
            let span = this.span_from(start);
            let span_of_body = if opening.arrow { body_span } else { span };
            let body = Block::new(stmts, span_of_body);
            this.node_at(ExprKind::Closure(Arc::new(Closure { params, arrow: opening.arrow, body, span })), span)
        })
    }

    /// `{ … }` that is no closure.
    pub(super) fn block(&mut self) -> Parsed<Block> {
        self.nested(|this| {
            let start = this.at;
            let opening = this.expect(T::LCurly)?;
            let stmts = this.statements(Where::Block);
            this.expect_closing(T::RCurly, opening)?;
            Ok(Block::new(stmts, this.span_from(start)))
        })
    }

    /// Parameters, up to but without `end`.
    pub(super) fn params(&mut self, end: T) -> Parsed<Vec<Param>> {
        let mut params = Vec::new();
        while !self.is(end) {
            params.push(self.nested(Self::param)?);
            if !self.take(T::Comma) {
                break;
            }
            self.newlines();
            if self.is(end) {
                return self.unexpected(Some("a parameter is missing after the comma"));
            }
        }
        Ok(params)
    }

    fn param(&mut self) -> Parsed<Param> {
        let start = self.at;
        let modifiers = self.modifiers()?;
        let others = modifiers.flags & !(Modifiers::DEF | Modifiers::FINAL);
        if others != 0 {
            return self.fail_at(self.span_from(start), "a parameter may only be 'final' or 'def'", None);
        }
        let typed =
            self.past_type(self.at).is_some_and(|after| matches!(self.token(after).kind, T::Ident | T::Ellipsis));
        let ty = if typed { Some(self.type_ref()?) } else { None };
        let varargs = self.take(T::Ellipsis);
        let name = self.ident()?;
        let mut default = None;
        if self.take(T::Assign) {
            self.newlines();
            default = Some(self.expression_statement()?);
        }
        Ok(Param { name, ty, modifiers, default, varargs, span: self.span_from(start) })
    }
}
