//! Expressions with operators, from assignment down to the sign before a number.

use super::{Parsed, Parser};
use crate::ast::{BinaryOp, Expr, ExprKind, IncDec, UnaryOp};
use crate::number;
use crate::token::T;

/// How tightly the operators bind, loosest first. Groovy's table; ranges stand with the shifts.
mod level {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const BIT_OR: u8 = 3;
    pub(super) const BIT_XOR: u8 = 4;
    pub(super) const BIT_AND: u8 = 5;
    pub(super) const REGEX: u8 = 6;
    pub(super) const EQUALITY: u8 = 7;
    pub(super) const RELATION: u8 = 8;
    pub(super) const SHIFT: u8 = 9;
    pub(super) const SUM: u8 = 10;
    pub(super) const PRODUCT: u8 = 11;
    pub(super) const POWER: u8 = 12;
}

/// What an infix token makes of its two sides.
enum Infix {
    Binary(BinaryOp),
    Range(bool),
    Instanceof,
    As,
}

fn infix(kind: T) -> Option<(u8, Infix)> {
    use BinaryOp as B;
    let (level, op) = match kind {
        T::Or => (level::OR, B::Or),
        T::And => (level::AND, B::And),
        T::BitOr => (level::BIT_OR, B::BitOr),
        T::BitXor => (level::BIT_XOR, B::BitXor),
        T::BitAnd => (level::BIT_AND, B::BitAnd),
        T::Find => (level::REGEX, B::Find),
        T::Match => (level::REGEX, B::Match),
        T::Equal => (level::EQUALITY, B::Equal),
        T::NotEqual => (level::EQUALITY, B::NotEqual),
        T::Compare => (level::EQUALITY, B::Compare),
        T::Less => (level::RELATION, B::Less),
        T::LessEqual => (level::RELATION, B::LessEqual),
        T::Greater => (level::RELATION, B::Greater),
        T::GreaterEqual => (level::RELATION, B::GreaterEqual),
        T::In => (level::RELATION, B::In),
        T::Instanceof => return Some((level::RELATION, Infix::Instanceof)),
        T::As => return Some((level::RELATION, Infix::As)),
        T::ShiftLeft => (level::SHIFT, B::ShiftLeft),
        T::ShiftRight => (level::SHIFT, B::ShiftRight),
        T::ShiftRightUnsigned => (level::SHIFT, B::ShiftRightUnsigned),
        T::Range => return Some((level::SHIFT, Infix::Range(true))),
        T::RangeExclusive => return Some((level::SHIFT, Infix::Range(false))),
        T::Plus => (level::SUM, B::Add),
        T::Minus => (level::SUM, B::Subtract),
        T::Star => (level::PRODUCT, B::Multiply),
        T::Slash => (level::PRODUCT, B::Divide),
        T::Percent => (level::PRODUCT, B::Remainder),
        T::Power => (level::POWER, B::Power),
        _ => return None,
    };
    Some((level, Infix::Binary(op)))
}

/// The operator of a compound assignment, or none of a plain one.
fn assignment(kind: T) -> Option<Option<BinaryOp>> {
    Some(Some(match kind {
        T::Assign => return Some(None),
        T::PlusAssign => BinaryOp::Add,
        T::MinusAssign => BinaryOp::Subtract,
        T::StarAssign => BinaryOp::Multiply,
        T::SlashAssign => BinaryOp::Divide,
        T::PercentAssign => BinaryOp::Remainder,
        T::PowerAssign => BinaryOp::Power,
        T::ShiftLeftAssign => BinaryOp::ShiftLeft,
        T::ShiftRightAssign => BinaryOp::ShiftRight,
        T::ShiftRightUnsignedAssign => BinaryOp::ShiftRightUnsigned,
        T::AndAssign => BinaryOp::BitAnd,
        T::OrAssign => BinaryOp::BitOr,
        T::XorAssign => BinaryOp::BitXor,
        _ => return None,
    }))
}

const fn is_sign(kind: T) -> bool {
    matches!(kind, T::Plus | T::Minus | T::Increment | T::Decrement)
}

impl Parser<'_> {
    /// Any expression but a command. `block` says whether a `{` of the next line may belong to a call in it: only at the
    /// start of a statement.
    pub(super) fn expression(&mut self, block: bool) -> Parsed<Expr> {
        self.nested(|this| {
            if this.multiple_assignment_starts() {
                return this.multiple_assignment();
            }
            this.assignment(block)
        })
    }

    /// `(a, b) =`
    fn multiple_assignment_starts(&self) -> bool {
        if !self.is(T::LParen) {
            return false;
        }
        let mut at = self.past_newlines(self.at + 1);
        loop {
            if self.token(at).kind != T::Ident {
                return false;
            }
            match self.token(at + 1).kind {
                T::Comma => at = self.past_newlines(at + 2),
                T::RParen => return self.token(at + 2).kind == T::Assign,
                _ => return false,
            }
        }
    }

    fn multiple_assignment(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.next();
        let mut targets = Vec::new();
        while !self.take(T::RParen) {
            let at = self.at;
            let ident = self.ident()?;
            targets.push(self.node(ExprKind::Name(ident.name), at)?);
            self.take(T::Comma);
        }
        self.expect(T::Assign)?;
        self.newlines();
        let value = Box::new(self.assignment(false)?);
        self.node(ExprKind::MultiAssign { targets, value }, start)
    }

    pub(super) fn assignment(&mut self, block: bool) -> Parsed<Expr> {
        let start = self.at;
        let target = self.conditional(block)?;
        let Some(op) = assignment(self.kind()) else { return Ok(target) };
        self.check_target(&target);
        self.next();
        self.newlines();
        let value = self.nested(Self::expression_statement)?;
        let kind = ExprKind::Assign { op, target: Box::new(target), value: Box::new(value) };
        self.node(kind, start)
    }

    /// Groovy refuses what cannot be assigned, in these words.
    fn check_target(&mut self, target: &Expr) {
        let what = match &target.kind {
            ExprKind::Name(_)
            | ExprKind::This
            | ExprKind::Super
            | ExprKind::Property { .. }
            | ExprKind::Index { .. } => return,
            ExprKind::Literal(_) => "a constant expression, but it should be a variable expression",
            ExprKind::Call(_) => "a method call expression, but it should be a variable expression",
            ExprKind::GString(..) => "a GString expression, but it should be a variable expression",
            ExprKind::Binary { .. } => "a binary expression, but it should be a variable expression",
            _ => "a bad expression as the left hand side of an assignment operator",
        };
        let text = super::shorten(target.span.of(self.text));
        let hint = self.is(T::Assign).then(|| "to compare two values write ==".to_owned());
        let span = Self::span(self.here());
        self.report(span, format!("\"{text}\" is {what}"), hint);
    }

    /// An expression without assignment: the question of an `if`, for one.
    pub(super) fn conditional(&mut self, block: bool) -> Parsed<Expr> {
        let start = self.at;
        let left = self.binary(level::OR, block)?;
        let operator = self.past_newlines(self.at);
        match self.token(operator).kind {
            T::Elvis => {
                self.at = operator + 1;
                self.newlines();
                let otherwise = Box::new(self.nested(|this| this.conditional(false))?);
                self.node(ExprKind::Elvis { value: Box::new(left), otherwise }, start)
            }
            T::Question => {
                self.at = operator + 1;
                self.newlines();
                let then = Box::new(self.nested(|this| this.assignment(false))?);
                self.newlines();
                self.expect(T::Colon)?;
                self.newlines();
                let otherwise = Box::new(self.nested(|this| this.conditional(false))?);
                self.node(ExprKind::Ternary { condition: Box::new(left), then, otherwise }, start)
            }
            _ => Ok(left),
        }
    }

    /// `for (a in …)`: what is walked binds like the operands of a comparison.
    pub(super) fn shift_expression(&mut self) -> Parsed<Expr> {
        self.nested(|this| this.binary(level::SHIFT, false))
    }

    /// Operators that bind at least as tightly as `least`. It calls itself for what is on their right, each time with a
    /// higher level, so the table's height bounds that recursion.
    fn binary(&mut self, least: u8, block: bool) -> Parsed<Expr> {
        let start = self.at;
        let mut left = if is_sign(self.kind()) { self.signed(least <= level::PRODUCT)? } else { self.unary(block)? };
        let mut related = false;
        while let Some((level, op)) = infix(self.kind()) {
            if level < least || (level == level::RELATION && related) {
                break;
            }
            related = level == level::RELATION;
            self.next();
            self.newlines();
            let left_box = Box::new(left);
            let kind = match op {
                Infix::Instanceof => ExprKind::InstanceOf { value: left_box, ty: self.type_ref()? },
                Infix::As => ExprKind::As { value: left_box, ty: self.type_ref()? },
                Infix::Range(inclusive) => {
                    let to = Box::new(self.operand(level)?);
                    ExprKind::Range { from: left_box, to, inclusive }
                }
                Infix::Binary(op) => {
                    let right = Box::new(self.operand(level)?);
                    ExprKind::Binary { op, left: left_box, right }
                }
            };
            left = self.node(kind, start)?;
        }
        if matches!(self.kind(), T::Identical | T::NotIdentical) {
            let found = self.found();
            let hint = "use == or !=, and a.is(b) for identity".to_owned();
            return self.fail(format!("Operator (\"{found}\") not supported"), Some(hint));
        }
        Ok(left)
    }

    /// The right side of an operator of this level.
    fn operand(&mut self, level: u8) -> Parsed<Expr> {
        match level {
            // The operands of a product are powers whose first sign binds tighter: `3 * -2 ** 2` is 12.
            level::PRODUCT.. if is_sign(self.kind()) => {
                let start = self.at;
                let left = self.signed(false)?;
                if level == level::PRODUCT { self.powers(left, start) } else { Ok(left) }
            }
            _ => self.binary(level + 1, false),
        }
    }

    fn powers(&mut self, mut left: Expr, start: usize) -> Parsed<Expr> {
        while self.take(T::Power) {
            self.newlines();
            let right = Box::new(self.operand(level::POWER)?);
            left = self.node(ExprKind::Binary { op: BinaryOp::Power, left: Box::new(left), right }, start)?;
        }
        Ok(left)
    }

    /// A sign before an operand. One that begins a product takes the whole power after it (`power`): `-2 ** 2` is -4.
    fn signed(&mut self, power: bool) -> Parsed<Expr> {
        self.nested(|this| {
            let start = this.at;
            let sign = this.next();
            this.newlines();
            if sign.kind == T::Minus && this.kind().is_number() && this.lone_number(power) {
                return this.number(start, true);
            }
            let operand = match this.kind() {
                kind if is_sign(kind) && power => return this.unexpected(Some("put the second sign in parentheses")),
                kind if is_sign(kind) => this.signed(false)?,
                _ if power => this.binary(level::POWER, false)?,
                _ => this.unary(false)?,
            };
            let kind = match sign.kind {
                T::Minus => ExprKind::Unary { op: UnaryOp::Minus, operand: Box::new(operand) },
                T::Plus => ExprKind::Unary { op: UnaryOp::Plus, operand: Box::new(operand) },
                kind => {
                    let op = if kind == T::Increment { IncDec::Increment } else { IncDec::Decrement };
                    ExprKind::IncDec { op, prefix: true, target: Box::new(operand) }
                }
            };
            this.node(kind, start)
        })
    }

    /// Whether the number here is the whole operand of the minus before it, so that the two are one constant.
    fn lone_number(&self, power: bool) -> bool {
        let dot = |kind| matches!(kind, T::Dot | T::SafeDot | T::SpreadDot | T::Pointer);
        let next = self.ahead(1);
        let path = dot(next)
            || matches!(next, T::LBrack | T::LParen | T::LCurly | T::Increment | T::Decrement)
            || (next == T::Newline && dot(self.token(self.past_newlines(self.at + 1)).kind));
        !(path || (power && next == T::Power))
    }

    pub(super) fn number(&mut self, start: usize, negative: bool) -> Parsed<Expr> {
        let token = self.next();
        let text = Self::span(token).of(self.text);
        match number::value(token.kind, text, negative) {
            Ok(literal) => self.node(ExprKind::Literal(literal), start),
            Err(message) => self.fail_at(Self::span(token), message, None),
        }
    }

    /// `!`, `~`, casts, and paths with `++` or `--` after them.
    fn unary(&mut self, block: bool) -> Parsed<Expr> {
        let op = match self.kind() {
            T::Not => UnaryOp::Not,
            T::BitNot => UnaryOp::BitNot,
            _ => return self.cast_or_postfix(block),
        };
        self.nested(|this| {
            let start = this.at;
            this.next();
            this.newlines();
            let operand = Box::new(this.unary_operand()?);
            this.node(ExprKind::Unary { op, operand }, start)
        })
    }

    fn unary_operand(&mut self) -> Parsed<Expr> {
        if is_sign(self.kind()) { self.signed(false) } else { self.unary(false) }
    }

    fn cast_or_postfix(&mut self, block: bool) -> Parsed<Expr> {
        if self.cast_starts() {
            return self.nested(Self::cast);
        }
        let start = self.at;
        let expr = self.path(block)?;
        let op = match self.kind() {
            T::Increment => IncDec::Increment,
            T::Decrement => IncDec::Decrement,
            _ => return Ok(expr),
        };
        self.next();
        self.node(ExprKind::IncDec { op, prefix: false, target: Box::new(expr) }, start)
    }

    /// `(Type)` and an operand: whatever could be a cast is one to Groovy, so `(a)[0]` is a list cast to `a`.
    fn cast_starts(&self) -> bool {
        if !self.is(T::LParen) {
            return false;
        }
        let Some(after) = self.past_type(self.at + 1) else { return false };
        let next = self.token(after + 1).kind;
        if self.token(after).kind != T::RParen {
            return false;
        }
        match next {
            T::LParen => self.one_expression_inside(after + 1),
            _ => Self::operand_starts(next) || (self.ahead(1).is_builtin_type() && Self::expression_starts(next)),
        }
    }

    /// Whether the parentheses at `paren` may hold one expression, and not the arguments of a call: `(f)(1, 2)`, `(f)()`.
    fn one_expression_inside(&self, paren: usize) -> bool {
        let Some(end) = self.past_bracket(paren) else { return true };
        let mut at = paren + 1;
        if self.token(at).kind == T::Star || self.token(at + 1).kind == T::Colon {
            return false;
        }
        while at + 1 < end {
            match self.token(at).kind {
                T::Comma => return false,
                T::LParen | T::LBrack | T::LCurly | T::TextStart => at = self.past_bracket(at).unwrap_or(at + 1),
                _ => at += 1,
            }
        }
        end > paren + 2
    }

    fn cast(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.next();
        let builtin = self.kind().is_builtin_type();
        let ty = self.type_ref()?;
        self.expect(T::RParen)?;
        let value = Box::new(if builtin { self.unary_operand()? } else { self.unary(false)? });
        self.node(ExprKind::Cast { ty, value }, start)
    }
}
