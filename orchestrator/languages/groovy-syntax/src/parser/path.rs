//! Paths: a primary and what is attached to it by dots, brackets and braces; and commands, calls without parentheses.

use super::{Parsed, Parser};
use crate::ast::{Access, Arg, Call, Callee, Expr, ExprKind, Ident, Literal, Member, MemberName};
use crate::token::T;

impl Parser<'_> {
    /// `a.b(1)[2] { }`. `block`: a `{` may stand on the next line.
    pub(super) fn path(&mut self, block: bool) -> Parsed<Expr> {
        let start = self.at;
        let paren = self.is(T::LParen);
        let primary = self.primary()?;
        let path = self.path_chain(primary, paren, start, block)?;
        self.last_path = (start, self.at);
        Ok(path)
    }

    /// What is attached to an expression. `paren`: it stands in parentheses, so `(a.b)(1)` calls its value.
    fn path_chain(&mut self, mut expr: Expr, mut paren: bool, start: usize, block: bool) -> Parsed<Expr> {
        loop {
            let after = self.past_newlines(self.at);
            let far = self.token(after).kind;
            expr = match self.kind() {
                T::LParen => {
                    let args = self.call_args()?;
                    self.call(expr, paren, args, 0, start)?
                }
                T::LBrack => self.index(expr, start)?,
                T::LCurly => self.appended(expr, paren, start)?,
                T::Newline if block && far == T::LCurly => {
                    self.newlines();
                    self.appended(expr, paren, start)?
                }
                _ if matches!(far, T::Dot | T::SafeDot | T::SpreadDot | T::Pointer) => {
                    self.newlines();
                    self.member_of(expr, start)?
                }
                _ => return Ok(expr),
            };
            paren = false;
        }
    }

    fn member_of(&mut self, object: Expr, start: usize) -> Parsed<Expr> {
        let operator = self.next();
        self.newlines();
        if self.is(T::Less) {
            self.type_arguments()?;
        }
        let attribute = operator.kind != T::Pointer && self.take(T::At);
        let member = self.member()?;
        let object = Box::new(object);
        let access = match operator.kind {
            T::SafeDot => Access::Safe,
            T::SpreadDot => Access::Spread,
            T::Pointer => return self.node(ExprKind::MethodPointer { object, member }, start),
            _ => Access::Dot,
        };
        self.node(ExprKind::Property { object, access, attribute, member }, start)
    }

    /// What may follow a dot: a name, also a keyword, a string, or an expression in parentheses.
    fn member(&mut self) -> Parsed<Member> {
        let token = self.here();
        let start = self.at;
        let name = match token.kind {
            T::Ident | T::String => {
                self.next();
                MemberName::Fixed(self.name_of(token))
            }
            kind if kind.is_keyword() => {
                self.next();
                MemberName::Fixed(self.name_of(token))
            }
            T::TextStart => MemberName::Dynamic(Box::new(self.gstring()?)),
            T::LParen => MemberName::Dynamic(Box::new(self.nested(Self::parenthesized)?)),
            _ => return self.unexpected(Some("after a dot stands the name of a property or method")),
        };
        Ok(Member { name, span: self.span_from(start) })
    }

    /// The call of an expression with arguments, of which the last `trailing` stood behind the parentheses.
    pub(super) fn call(
        &mut self,
        callee: Expr,
        paren: bool,
        args: Vec<Arg>,
        trailing: usize,
        start: usize,
    ) -> Parsed<Expr> {
        self.call_as(callee, paren, args, trailing, false, start)
    }

    fn call_as(
        &mut self,
        callee: Expr,
        paren: bool,
        args: Vec<Arg>,
        trailing: usize,
        command: bool,
        start: usize,
    ) -> Parsed<Expr> {
        let span = callee.span;
        let callee = match callee.kind {
            _ if paren => Callee::Value(callee),
            ExprKind::Name(name) => Callee::Name(Ident { name, span }),
            // `'a b'(1)` calls the method of that name.
            ExprKind::Literal(Literal::String(name, _)) => Callee::Name(Ident { name, span }),
            ExprKind::GString(..) => Callee::Method {
                object: Expr::new(ExprKind::This, span),
                access: Access::Dot,
                attribute: false,
                member: Member { span, name: MemberName::Dynamic(Box::new(callee)) },
            },
            ExprKind::Property { object, access, attribute, member } => {
                Callee::Method { object: *object, access, attribute, member }
            }
            ExprKind::This => Callee::This(span),
            ExprKind::Super => Callee::Super(span),
            _ => Callee::Value(callee),
        };
        self.node(ExprKind::Call(Box::new(Call { callee, args, trailing, command })), start)
    }

    /// `a { }`, `a(1) { }`.
    fn appended(&mut self, mut expr: Expr, paren: bool, start: usize) -> Parsed<Expr> {
        let closure = self.closure()?;
        if !paren && let ExprKind::Call(call) = &mut expr.kind {
            let depth = closure.depth();
            call.args.push(Arg::Positional(closure));
            call.trailing += 1;
            let span = self.span_from(start);
            expr.grow(span, depth);
            return Ok(expr);
        }
        let closure = Arg::Positional(closure);
        self.call(expr, paren, vec![closure], 1, start)
    }

    /// Any expression, also a command: `sh 'x'`, `a b c d`.
    pub(super) fn expression_statement(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let head = self.expression(true)?;
        if self.last_path != (start, self.at) || self.is(T::Else) {
            return Ok(head);
        }
        self.command(head, start)
    }

    /// What makes a path a command: arguments, then pairs of a name and its arguments.
    fn command(&mut self, head: Expr, start: usize) -> Parsed<Expr> {
        let paren = self.past_bracket(start) == Some(self.at) && self.token(start).kind == T::LParen;
        let mut expr = head;
        if (paren || !matches!(expr.kind, ExprKind::Call(_))) && self.command_argument_starts() {
            expr = self.command_args(expr, paren, start)?;
        }
        while Self::primary_starts(self.kind()) {
            let name = self.at;
            let member = self.command_name()?;
            let object = Box::new(expr);
            expr = self.node(ExprKind::Property { object, access: Access::Dot, attribute: false, member }, start)?;
            let far = self.token(self.past_newlines(self.at)).kind;
            if matches!(self.kind(), T::LParen | T::LBrack | T::LCurly)
                || matches!(far, T::Dot | T::SafeDot | T::SpreadDot | T::Pointer)
            {
                expr = self.path_chain(expr, false, start, true)?;
            } else if self.command_argument_starts() {
                expr = self.command_args(expr, false, start)?;
            }
            debug_assert!(self.at > name, "each turn reads something");
        }
        Ok(expr)
    }

    fn command_name(&mut self) -> Parsed<Member> {
        let start = self.at;
        let token = self.here();
        let name = match token.kind {
            T::Ident | T::String => {
                self.next();
                MemberName::Fixed(self.name_of(token))
            }
            kind if kind.is_number() => {
                self.next();
                MemberName::Fixed(Self::span(token).of(self.text).into())
            }
            T::TextStart => MemberName::Dynamic(Box::new(self.gstring()?)),
            _ => return self.unexpected(Some("a comma or a new line is missing before this")),
        };
        Ok(Member { name, span: self.span_from(start) })
    }

    fn command_argument_starts(&self) -> bool {
        let kind = self.kind();
        // `a !in b` is a habit of later Groovys; the error is at the `!`.
        if kind == T::Not && matches!(self.ahead(1), T::In | T::Instanceof) {
            return false;
        }
        // `*` multiplies; a sign adds; brackets were taken by the path.
        Self::operand_starts(kind) || (kind.is_keyword() && self.ahead(1) == T::Colon)
    }

    fn command_args(&mut self, callee: Expr, paren: bool, start: usize) -> Parsed<Expr> {
        let mut args = Vec::new();
        loop {
            args.push(if self.label_starts() {
                let key = self.label()?;
                self.expect(T::Colon)?;
                self.newlines();
                let value = self.expression(false)?;
                Arg::Named(crate::ast::MapEntry { key, value })
            } else {
                Arg::Positional(self.expression(false)?)
            });
            if !self.take(T::Comma) {
                break;
            }
            self.newlines();
        }
        self.call_as(callee, paren, args, 0, true, start)
    }
}
