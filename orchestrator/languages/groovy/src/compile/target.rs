//! Assignments: `=`, `+=`, `++`, `(a, b) =`.

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{BinaryOp, Expr, ExprKind, IncDec, Member, MemberName};

use super::expr::binary;
use super::{Compiler, Done, Found};
use crate::code::{Op, Unary, flag};

impl<'a> Compiler<'a> {
    pub(super) fn assign(&mut self, op: Option<BinaryOp>, target: &'a Expr, value: &'a Expr, span: Span) -> Done {
        match &target.kind {
            ExprKind::Name(name) => {
                if let Some(op) = op {
                    self.read_name(name)?;
                    self.expr(value)?;
                    self.at = span.start;
                    self.emit(Op::Binary(binary(op)));
                } else {
                    self.expr(value)?;
                }
                self.write_name(name)
            }
            ExprKind::Property { object, attribute, member, .. } => {
                let flags = self.property_flags(object, *attribute);
                self.expr(object)?;
                let dynamic = self.member(member)?;
                if let Some(op) = op {
                    self.emit(if dynamic { Op::Dup2 } else { Op::Dup });
                    self.get(member, dynamic, flags);
                    self.expr(value)?;
                    self.emit(Op::Binary(binary(op)));
                } else {
                    self.expr(value)?;
                }
                self.at = member.span.start;
                self.set(member, dynamic, flags);
                Ok(())
            }
            ExprKind::Index { object, indexes } => {
                self.expr(object)?;
                self.index(indexes)?;
                if let Some(op) = op {
                    self.emit(Op::Dup2);
                    self.emit(Op::Index);
                    self.expr(value)?;
                    self.emit(Op::Binary(binary(op)));
                } else {
                    self.expr(value)?;
                }
                self.at = span.start;
                self.emit(Op::SetIndex);
                Ok(())
            }
            _ => Err(self.wrong("the target of an assignment must be a variable, a property or an index", target.span)),
        }
    }

    fn property_flags(&self, object: &Expr, attribute: bool) -> u8 {
        let mut flags = if attribute { flag::ATTRIBUTE } else { 0 };
        match object.kind {
            ExprKind::This => flags |= flag::THIS,
            ExprKind::Super => flags |= flag::SUPER,
            _ => {}
        }
        flags
    }

    /// Pushes the name of a dynamic member; answers whether it is one.
    fn member(&mut self, member: &'a Member) -> Result<bool, super::CompileError> {
        match &member.name {
            MemberName::Fixed(_) => Ok(false),
            MemberName::Dynamic(name) => {
                self.expr(name)?;
                Ok(true)
            }
        }
    }

    fn get(&mut self, member: &Member, dynamic: bool, flags: u8) {
        match &member.name {
            MemberName::Fixed(name) if !dynamic => {
                let name = self.name(name);
                self.emit(Op::Get(name, flags));
            }
            _ => {
                self.emit(Op::GetDynamic(flags));
            }
        }
    }

    fn set(&mut self, member: &Member, dynamic: bool, flags: u8) {
        match &member.name {
            MemberName::Fixed(name) if !dynamic => {
                let name = self.name(name);
                self.emit(Op::Set(name, flags));
            }
            _ => {
                self.emit(Op::SetDynamic(flags));
            }
        }
    }

    /// Stores the top of the stack under a name; the value stays.
    fn write_name(&mut self, name: &str) -> Done {
        match self.find(name) {
            Some(Found::Slot(local)) => {
                if let Some(ty) = local.ty {
                    self.emit(Op::Coerce(ty));
                }
                self.emit(Op::Dup);
                self.emit(Op::Store(local.slot));
            }
            Some(Found::Up(index, ty)) => {
                if let Some(ty) = ty {
                    let ty = self.type_index(ty);
                    self.emit(Op::Coerce(ty));
                }
                self.emit(Op::Dup);
                self.emit(Op::StoreUp(index));
            }
            Some(Found::Field(field)) => {
                let field = self.name(&field);
                self.emit(Op::This);
                self.emit(Op::Swap);
                self.emit(Op::Set(field, flag::ATTRIBUTE));
            }
            None => {
                let name = self.name(name);
                self.emit(Op::SetName(name));
            }
        }
        Ok(())
    }

    /// `++a`, `a--`: the old or the new value stays on the stack.
    pub(super) fn step(&mut self, op: IncDec, prefix: bool, target: &'a Expr, span: Span) -> Done {
        let unary = Op::Unary(if op == IncDec::Increment { Unary::Next } else { Unary::Previous });
        match &target.kind {
            ExprKind::Name(name) => {
                self.read_name(name)?;
                if !prefix {
                    self.emit(Op::Dup);
                }
                self.at = span.start;
                self.emit(unary);
                self.write_name(name)?;
                if !prefix {
                    self.emit(Op::Pop);
                }
                Ok(())
            }
            ExprKind::Property { object, attribute, member, .. } => {
                let flags = self.property_flags(object, *attribute);
                self.expr(object)?;
                let dynamic = self.member(member)?;
                self.emit(if dynamic { Op::Dup2 } else { Op::Dup });
                self.get(member, dynamic, flags);
                if !prefix {
                    self.emit(if dynamic { Op::DupUnder2 } else { Op::DupUnder });
                }
                self.emit(unary);
                self.set(member, dynamic, flags);
                if !prefix {
                    self.emit(Op::Pop);
                }
                Ok(())
            }
            ExprKind::Index { object, indexes } => {
                self.expr(object)?;
                self.index(indexes)?;
                self.emit(Op::Dup2);
                self.emit(Op::Index);
                if !prefix {
                    self.emit(Op::DupUnder2);
                }
                self.emit(unary);
                self.emit(Op::SetIndex);
                if !prefix {
                    self.emit(Op::Pop);
                }
                Ok(())
            }
            // `5++` and the like: the value with nowhere to go.
            _ => {
                self.expr(target)?;
                if prefix {
                    self.emit(unary);
                }
                Ok(())
            }
        }
    }

    pub(super) fn multi_assign(&mut self, targets: &'a [Expr], value: &'a Expr) -> Done {
        self.expr(value)?;
        let held = self.fresh_slot();
        self.emit(Op::Dup);
        self.emit(Op::Store(held));
        for (at, target) in targets.iter().enumerate() {
            self.emit(Op::Load(held));
            self.emit(Op::Int(i32::try_from(at).unwrap_or(0)));
            self.emit(Op::Unpack);
            match &target.kind {
                ExprKind::Name(name) => self.write_name(name)?,
                _ => return Err(self.wrong("a multiple assignment takes names only", target.span)),
            }
            self.emit(Op::Pop);
        }
        Ok(())
    }
}
