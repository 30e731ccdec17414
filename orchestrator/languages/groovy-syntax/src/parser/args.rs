//! What stands in `(…)` and `[…]`: arguments, lists, maps, indexes.

use super::{Parsed, Parser};
use crate::ast::{Arg, Expr, ExprKind, Literal, MapEntry, Quote};
use crate::token::{T, Token};

impl Parser<'_> {
    /// `(a, b: 1)`
    pub(super) fn call_args(&mut self) -> Parsed<Vec<Arg>> {
        let opening = self.next();
        self.arguments(T::RParen, opening)
    }

    /// Arguments up to and with the closing bracket.
    pub(super) fn arguments(&mut self, closing: T, opening: Token) -> Parsed<Vec<Arg>> {
        let mut args = Vec::new();
        while !self.is(closing) {
            args.push(self.nested(Self::argument)?);
            if !self.take(T::Comma) {
                break;
            }
        }
        if self.is(T::Comma) {
            return self.unexpected(Some("there is nothing before this comma"));
        }
        self.expect_closing(closing, opening)?;
        Ok(args)
    }

    fn argument(&mut self) -> Parsed<Arg> {
        let start = self.at;
        if self.label_starts() {
            let key = self.label()?;
            self.expect(T::Colon)?;
            let value = self.argument_value()?;
            return Ok(Arg::Named(MapEntry { key, value }));
        }
        if !self.take(T::Star) {
            return Ok(Arg::Positional(self.argument_value()?));
        }
        let map = self.take(T::Colon);
        let value = self.argument_value()?;
        let span = self.span_from(start);
        let spread = self.node(ExprKind::Spread(Box::new(value)), start)?;
        if !map {
            return Ok(Arg::Positional(spread));
        }
        let value = self.node_at(ExprKind::Literal(Literal::Null), span)?;
        Ok(Arg::Named(MapEntry { key: spread, value }))
    }

    fn argument_value(&mut self) -> Parsed<Expr> {
        if matches!(self.kind(), T::Comma | T::RParen | T::RBrack) {
            return self.unexpected(Some("a value is missing before this"));
        }
        let value = self.expression(false)?;
        if self.is(T::Colon) {
            return self.fail(
                "illegal colon after argument expression",
                Some("a complex label expression before a colon must be parenthesized".to_owned()),
            );
        }
        Ok(value)
    }

    /// The key before a colon. A name stands for itself: `[a: 1]` has the key "a", `[(a): 1]` the value of `a`.
    pub(super) fn label(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let token = self.here();
        match token.kind {
            T::LParen => self.nested(Self::parenthesized),
            T::TextStart => self.gstring(),
            T::String => {
                self.next();
                let quote = self.quote_of(token);
                self.node(ExprKind::Literal(Literal::String(self.name_of(token), quote)), start)
            }
            kind if kind.is_number() => self.number(start, false),
            _ => {
                self.next();
                self.node(ExprKind::Literal(Literal::String(self.name_of(token), Quote::Single)), start)
            }
        }
    }

    /// `[…]`: a list or a map.
    pub(super) fn list_or_map(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let opening = self.next();
        if self.is(T::Colon) && self.ahead(1) == T::RBrack {
            self.next();
            self.next();
            return self.node(ExprKind::Map(Vec::new()), start);
        }
        let args = self.arguments(T::RBrack, opening)?;
        if !args.iter().any(|arg| matches!(arg, Arg::Named(_))) {
            let items = args.into_iter().filter_map(positional).collect();
            return self.node(ExprKind::List(items), start);
        }
        let mut entries = Vec::with_capacity(args.len());
        for arg in args {
            match arg {
                Arg::Named(entry) => entries.push(entry),
                Arg::Positional(expr) => {
                    return self.fail_at(
                        expr.span,
                        "Unexpected node type: EXPR found when expecting type: LABELED_ARG",
                        Some("in a map every value has a key: [a: 1, b: 2]".to_owned()),
                    );
                }
            }
        }
        self.node(ExprKind::Map(entries), start)
    }

    /// `a[…]`. Keys in the brackets make one map of them.
    pub(super) fn index(&mut self, object: Expr, start: usize) -> Parsed<Expr> {
        let bracket = self.at;
        let opening = self.next();
        let args = self.arguments(T::RBrack, opening)?;
        let mut indexes = Vec::new();
        let mut entries = Vec::new();
        for arg in args {
            match arg {
                Arg::Positional(expr) => indexes.push(expr),
                Arg::Named(entry) => entries.push(entry),
            }
        }
        if !entries.is_empty() {
            let map = self.node(ExprKind::Map(entries), bracket)?;
            indexes.insert(0, map);
        }
        self.node(ExprKind::Index { object: Box::new(object), indexes }, start)
    }
}

fn positional(arg: Arg) -> Option<Expr> {
    match arg {
        Arg::Positional(expr) => Some(expr),
        Arg::Named(_) => None,
    }
}
