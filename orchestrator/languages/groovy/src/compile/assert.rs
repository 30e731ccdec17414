//! `assert`: every part of the condition notes its value, so that a failure can show them all (Groovy's power assert).

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{Callee, Expr, ExprKind};
use std::rc::Rc;

use super::{Compiler, Done};
use crate::code::Op;

impl<'a> Compiler<'a> {
    pub(super) fn assert(&mut self, condition: &'a Expr, message: Option<&'a Expr>, span: Span) -> Done {
        let power = message.is_none();
        if power {
            self.emit(Op::AssertBegin);
        }
        let before = std::mem::replace(&mut self.func().noting, power);
        let done = self.expr(condition);
        self.func().noting = before;
        done?;
        let holds = self.emit(Op::JumpIf(0));
        let mut text: Rc<str> = Rc::from(self.script.text(Span::new(span.start, condition.span.end.max(span.start))));
        if matches!(condition.kind, ExprKind::Binary { .. }) && !power {
            // The message shows the expression as the compiler would print it.
            text = Rc::from(format!("({})", self.script.text(condition.span)));
        } else if !power {
            text = Rc::from(self.script.text(condition.span));
        }
        let func = self.func();
        func.asserts.push((text, span.start));
        let index = u32::try_from(func.asserts.len() - 1).unwrap_or(u32::MAX);
        if let Some(message) = message {
            self.expr(message)?;
        }
        self.at = span.start;
        self.emit(Op::AssertFail(index, !power));
        self.land(holds);
        if power {
            self.emit(Op::AssertEnd);
        }
        Ok(())
    }

    /// Notes the value on the stack at the column where Groovy shows it.
    pub(super) fn note(&mut self, expr: &'a Expr) {
        let place = match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Type(_) | ExprKind::Closure(_) | ExprKind::Spread(_) => return,
            ExprKind::Binary { left, right, .. } => {
                let gap = Span::new(left.span.end, right.span.start);
                let text = self.script.text(gap);
                let blank = text.find(|char: char| !char.is_whitespace() && char != ')').unwrap_or(0);
                gap.start + u32::try_from(blank).unwrap_or(0)
            }
            ExprKind::Property { member, .. } => member.span.start,
            ExprKind::Call(call) => match &call.callee {
                Callee::Method { member, .. } => member.span.start,
                _ => expr.span.start,
            },
            ExprKind::Index { object, .. } => object.span.end,
            ExprKind::List(_) | ExprKind::Map(_) | ExprKind::Range { .. } | ExprKind::GString(..) => expr.span.start,
            ExprKind::Name(name) if name.starts_with(char::is_uppercase) && self.find(name).is_none() => return,
            _ => expr.span.start,
        };
        self.emit(Op::Note(place));
    }
}
