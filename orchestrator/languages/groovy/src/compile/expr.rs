//! Expressions: each leaves one value on the stack.

use std::rc::Rc;
use std::sync::Arc;

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{
    self, Access, BinaryOp, Expr, ExprKind, GStringPart, IncDec, Literal, MapEntry, Member, MemberName,
    Param as AstParam, TypeRef, UnaryOp,
};
use num_bigint::BigInt;

use super::{CompileError, Compiler, Done, Found};
use crate::code::{Binary, Code, Op, Param, TypeSpec, Unary, flag};
use crate::decimal::Decimal;
use crate::value::Value;

impl<'a> Compiler<'a> {
    /// Evaluates for its effects.
    pub(super) fn discard(&mut self, expr: &'a Expr) -> Done {
        if let ExprKind::IncDec { op, target, .. } = &expr.kind
            && let Some(Found::Slot(local)) = target.as_name().and_then(|name| self.find(name))
            && !self.func().boxed.contains(&local.slot)
        {
            let by = if *op == IncDec::Increment { 1 } else { -1 };
            self.at = expr.span.start;
            self.emit(Op::Bump(local.slot, by));
            return Ok(());
        }
        self.expr(expr)?;
        self.emit(Op::Pop);
        Ok(())
    }

    pub(super) fn expr(&mut self, expr: &'a Expr) -> Done {
        self.descend(expr.span, |this| {
            this.expr_kind(expr)?;
            if this.func().noting {
                this.note(expr);
            }
            Ok(())
        })
    }

    fn expr_kind(&mut self, expr: &'a Expr) -> Done {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::GString(parts, _) => self.gstring(parts),
            ExprKind::Name(name) => self.read_name(name),
            ExprKind::Type(ty) => {
                let ty = self.type_of(ty);
                self.emit(Op::Class(ty));
                Ok(())
            }
            ExprKind::This => {
                self.emit(Op::This);
                Ok(())
            }
            ExprKind::Super => {
                self.emit(Op::This);
                Ok(())
            }
            ExprKind::List(items) => self.list(items),
            ExprKind::Map(entries) => self.map(entries.iter()),
            ExprKind::Range { from, to, inclusive } => {
                self.expr(from)?;
                self.expr(to)?;
                self.emit(Op::Range(*inclusive));
                Ok(())
            }
            ExprKind::Property { object, access, attribute, member } => {
                self.property(expr, object, *access, *attribute, member)
            }
            ExprKind::MethodPointer { object, member } => {
                self.expr(object)?;
                match &member.name {
                    MemberName::Fixed(name) => {
                        let name = self.name(name);
                        self.emit(Op::MethodPointer(name));
                    }
                    MemberName::Dynamic(name) => {
                        self.expr(name)?;
                        self.emit(Op::MethodPointerDynamic);
                    }
                }
                Ok(())
            }
            ExprKind::Index { object, indexes } => {
                self.expr(object)?;
                self.index(indexes)?;
                self.at = expr.span.start;
                self.emit(Op::Index);
                Ok(())
            }
            ExprKind::Call(call) => self.call(call, expr.span),
            ExprKind::New(new) => self.new_object(new, expr.span),
            ExprKind::NewArray(array) => {
                for size in &array.sizes {
                    self.expr(size)?;
                }
                let count = u8::try_from(array.sizes.len()).unwrap_or(u8::MAX);
                let dimensions = array.open + u32::from(count) - 1;
                let ty = self.type_index(TypeSpec { name: Rc::from(&*array.ty.name), dimensions });
                self.emit(Op::NewArray(ty, count));
                Ok(())
            }
            ExprKind::Closure(closure) => self.closure(closure),
            ExprKind::Unary { op, operand } => self.unary(*op, operand),
            ExprKind::IncDec { op, prefix, target } => self.step(*op, *prefix, target, expr.span),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, expr.span),
            ExprKind::Assign { op, target, value } => self.assign(*op, target, value, expr.span),
            ExprKind::MultiAssign { targets, value } => self.multi_assign(targets, value),
            ExprKind::Ternary { condition, then, otherwise } => {
                let skip = self.unless(condition)?;
                self.expr(then)?;
                let end = self.emit(Op::Jump(0));
                self.land(skip);
                self.expr(otherwise)?;
                self.land(end);
                Ok(())
            }
            ExprKind::Elvis { value, otherwise } => {
                self.expr(value)?;
                self.emit(Op::Dup);
                let end = self.emit(Op::JumpIf(0));
                self.emit(Op::Pop);
                self.expr(otherwise)?;
                self.land(end);
                Ok(())
            }
            ExprKind::Cast { ty, value } => self.typed(value, ty, Op::Cast),
            ExprKind::As { value, ty } => self.typed(value, ty, Op::As),
            ExprKind::InstanceOf { value, ty } => self.typed(value, ty, Op::InstanceOf),
            ExprKind::Spread(inner) => self.expr(inner),
            ExprKind::Annotation(_) => {
                self.emit(Op::Null);
                Ok(())
            }
        }
    }

    fn typed(&mut self, value: &'a Expr, ty: &TypeRef, op: fn(u32) -> Op) -> Done {
        self.expr(value)?;
        let ty = self.type_of(ty);
        self.emit(op(ty));
        Ok(())
    }

    fn literal(&mut self, literal: &Literal) -> Done {
        match literal {
            Literal::Null => {
                self.emit(Op::Null);
            }
            Literal::Bool(truth) => {
                self.emit(if *truth { Op::True } else { Op::False });
            }
            Literal::Int(number) => {
                self.emit(Op::Int(*number));
            }
            Literal::Long(number) => self.constant(Value::Long(*number)),
            Literal::BigInteger(digits) => {
                self.constant(Value::big(digits.parse::<BigInt>().unwrap_or_default()));
            }
            Literal::Float(number) => self.constant(Value::Float(*number)),
            Literal::Double(number) => self.constant(Value::Double(*number)),
            Literal::BigDecimal(digits) => {
                self.constant(Value::decimal(
                    Decimal::parse(digits).unwrap_or_else(|| Decimal::from(BigInt::default())),
                ));
            }
            Literal::String(text, _) => self.string(text),
        }
        Ok(())
    }

    fn gstring(&mut self, parts: &'a [GStringPart]) -> Done {
        let mut texts: Vec<Rc<str>> = Vec::new();
        let mut text = String::new();
        for part in parts {
            match part {
                GStringPart::Text(more) => text.push_str(more),
                GStringPart::Expr(expr) => {
                    texts.push(Rc::from(std::mem::take(&mut text)));
                    self.expr(expr)?;
                }
            }
        }
        texts.push(Rc::from(text));
        let func = self.func();
        func.gstrings.push(texts);
        let index = u32::try_from(func.gstrings.len() - 1).unwrap_or(u32::MAX);
        self.emit(Op::GString(index));
        Ok(())
    }

    pub(super) fn read_name(&mut self, name: &str) -> Done {
        match self.find(name) {
            Some(Found::Slot(local)) => self.emit(Op::Load(local.slot)),
            Some(Found::Up(index, _)) => self.emit(Op::LoadUp(index)),
            Some(Found::Field(field)) => {
                self.emit(Op::This);
                let field = self.name(&field);
                self.emit(Op::Get(field, flag::ATTRIBUTE))
            }
            None => {
                let name = self.name(name);
                self.emit(Op::Name(name))
            }
        };
        Ok(())
    }

    fn list(&mut self, items: &'a [Expr]) -> Done {
        if items.iter().any(|item| matches!(item.kind, ExprKind::Spread(_))) {
            self.emit(Op::List(0));
            for item in items {
                self.expr(item)?;
                self.emit(if matches!(item.kind, ExprKind::Spread(_)) { Op::ListAddAll } else { Op::ListAdd });
            }
            return Ok(());
        }
        for item in items {
            self.expr(item)?;
        }
        self.emit(Op::List(u32::try_from(items.len()).unwrap_or(0)));
        Ok(())
    }

    pub(super) fn map(&mut self, entries: impl Iterator<Item = &'a MapEntry>) -> Done {
        let entries: Vec<&MapEntry> = entries.collect();
        if entries.iter().any(|entry| entry.spread().is_some()) {
            self.emit(Op::Map(0));
            for entry in entries {
                if let Some(map) = entry.spread() {
                    self.expr(map)?;
                    self.emit(Op::MapPutAll);
                } else {
                    self.expr(&entry.key)?;
                    self.expr(&entry.value)?;
                    self.emit(Op::MapPut);
                }
            }
            return Ok(());
        }
        let count = u32::try_from(entries.len()).unwrap_or(0);
        for entry in entries {
            self.expr(&entry.key)?;
            self.expr(&entry.value)?;
        }
        self.emit(Op::Map(count));
        Ok(())
    }

    /// What stands in the brackets: one value, or a list of several.
    pub(super) fn index(&mut self, indexes: &'a [Expr]) -> Done {
        match indexes {
            [only] if !matches!(only.kind, ExprKind::Spread(_)) => self.expr(only),
            several => self.list(several),
        }
    }

    /// `a.b.C` as written, when all are bare names and the first is no variable: it may be a class.
    fn dotted(&mut self, expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Name(name) => self.find(name).is_none().then(|| name.to_string()),
            ExprKind::Property { object, access: Access::Dot, attribute: false, member } => match &member.name {
                MemberName::Fixed(name) => Some(format!("{}.{name}", self.dotted(object)?)),
                MemberName::Dynamic(_) => None,
            },
            _ => None,
        }
    }

    fn property(
        &mut self,
        expr: &'a Expr,
        object: &'a Expr,
        access: Access,
        attribute: bool,
        member: &'a Member,
    ) -> Done {
        if let Some(path) = self.dotted(expr) {
            let last = path.rsplit('.').next().unwrap_or("");
            if last == "class" || last == "this" || last == "super" {
                let owner = path.get(..path.len() - last.len() - 1).unwrap_or("");
                if owner.rsplit('.').next().is_some_and(|name| name.starts_with(char::is_uppercase)) {
                    let ty = self.type_index(TypeSpec { name: Rc::from(owner), dimensions: 0 });
                    self.emit(Op::Class(ty));
                    if last != "class" {
                        // `Outer.this`: the machine finds the enclosing instance by the name.
                        let name = self.name(&format!("{last}$outer"));
                        self.emit(Op::This);
                        self.emit(Op::Swap);
                        self.emit(Op::Pop);
                        self.emit(Op::Get(name, flag::ATTRIBUTE));
                    }
                    return Ok(());
                }
            }
            if last.starts_with(char::is_uppercase)
                && path.starts_with(char::is_lowercase)
                && path.matches('.').count() > 1
            {
                // A dotted name of a package and a class; if there is none, the machine reads it as properties.
                let ty = self.type_index(TypeSpec { name: Rc::from(path.as_str()), dimensions: 0 });
                self.emit(Op::Class(ty));
                return Ok(());
            }
        }
        if let (ExprKind::Type(_), MemberName::Fixed(name)) = (&object.kind, &member.name)
            && &**name == "class"
        {
            return self.expr(object);
        }
        let mut flags = if attribute { flag::ATTRIBUTE } else { 0 };
        match object.kind {
            ExprKind::Super => flags |= flag::SUPER,
            ExprKind::This => flags |= flag::THIS,
            _ => {}
        }
        self.expr(object)?;
        if access == Access::Spread {
            flags |= flag::SPREAD;
        }
        let skip = (access == Access::Safe).then(|| self.emit(Op::JumpNull(0)));
        match &member.name {
            MemberName::Fixed(name) => {
                let name = self.name(name);
                self.at = member.span.start;
                self.emit(Op::Get(name, flags));
            }
            MemberName::Dynamic(name) => {
                self.expr(name)?;
                self.emit(Op::GetDynamic(flags));
            }
        }
        if let Some(skip) = skip {
            self.land(skip);
        }
        Ok(())
    }

    fn unary(&mut self, op: UnaryOp, operand: &'a Expr) -> Done {
        self.expr(operand)?;
        self.emit(match op {
            UnaryOp::Minus => Op::Unary(Unary::Minus),
            UnaryOp::Plus => Op::Unary(Unary::Plus),
            UnaryOp::BitNot => Op::Unary(Unary::BitNot),
            UnaryOp::Not => Op::Not,
        });
        Ok(())
    }

    fn binary(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr, span: Span) -> Done {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            self.expr(left)?;
            let skip = self.emit(if op == BinaryOp::And { Op::JumpUnless(0) } else { Op::JumpIf(0) });
            self.expr(right)?;
            self.emit(Op::Truth);
            let end = self.emit(Op::Jump(0));
            self.land(skip);
            self.emit(if op == BinaryOp::And { Op::False } else { Op::True });
            self.land(end);
            return Ok(());
        }
        // A long chain `a + b + c + ...` leans to the left: walk it down instead of recursing.
        let mut chain = vec![(op, right, span)];
        let mut first = left;
        if !self.func().noting {
            while let ExprKind::Binary { op, left, right } = &first.kind {
                if matches!(op, BinaryOp::And | BinaryOp::Or) {
                    break;
                }
                chain.push((*op, right, first.span));
                first = left;
            }
        }
        self.expr(first)?;
        for (op, right, span) in chain.into_iter().rev() {
            self.expr(right)?;
            self.at = span.start;
            self.emit(Op::Binary(binary(op)));
        }
        Ok(())
    }

    /// A closure: its code, and what it captures.
    pub(super) fn closure(&mut self, closure: &'a Arc<ast::Closure>) -> Done {
        let is_static = self.func().is_static;
        self.open("doCall", is_static, true);
        let done = self.closure_body(closure);
        let code = self.seal();
        done?;
        self.push_closure(code);
        Ok(())
    }

    fn closure_body(&mut self, closure: &'a ast::Closure) -> Done {
        if closure.arrow {
            self.params(&closure.params)?;
        } else {
            self.declare("it", None, closure.span)?;
            self.func().implicit_it = true;
        }
        self.body(&closure.body, true)
    }

    fn push_closure(&mut self, code: Rc<Code>) {
        let func = self.func();
        func.closures.push(code);
        let index = u32::try_from(func.closures.len() - 1).unwrap_or(u32::MAX);
        self.emit(Op::Closure(index));
    }

    /// Declares parameters, and evaluates the defaults of those that were not given.
    pub(super) fn params(&mut self, params: &'a [AstParam]) -> Done {
        let mut declared = Vec::new();
        for param in params {
            let name: Rc<str> = Rc::from(&*param.name.name);
            let spec = match &param.ty {
                Some(ty) => {
                    TypeSpec { name: Rc::from(&*ty.name), dimensions: ty.dimensions + u32::from(param.varargs) }
                }
                None if param.varargs => TypeSpec { name: Rc::from("Object"), dimensions: 1 },
                None => TypeSpec::any(),
            };
            let conversion =
                if spec.name.is_empty() || (&*spec.name == "Object" && spec.dimensions == 0) || &*spec.name == "def" {
                    None
                } else {
                    Some(self.type_index(spec.clone()))
                };
            let ty = self.type_index(spec);
            let varargs = param.varargs || self.func().types.get(ty as usize).is_some_and(|ty| ty.dimensions > 0);
            let slot = self.declare(&name, conversion, param.span)?;
            declared.push((slot, conversion));
            self.func().params.push(Param { name, ty, default: param.default.is_some(), varargs });
        }
        for (at, param) in params.iter().enumerate() {
            let Some(default) = &param.default else { continue };
            let Some((slot, ty)) = declared.get(at).copied() else { continue };
            let given = self.emit(Op::IfGiven(u32::try_from(at).unwrap_or(0), 0));
            self.expr(default)?;
            if let Some(ty) = ty {
                self.emit(Op::Coerce(ty));
            }
            self.emit(Op::Store(slot));
            self.land(given);
        }
        Ok(())
    }

    pub(super) fn wrong(&self, message: impl Into<String>, span: Span) -> CompileError {
        CompileError { message: message.into(), span }
    }
}

/// The machine's operator.
pub(super) fn binary(op: BinaryOp) -> Binary {
    match op {
        BinaryOp::Add => Binary::Add,
        BinaryOp::Subtract => Binary::Subtract,
        BinaryOp::Multiply => Binary::Multiply,
        BinaryOp::Divide => Binary::Divide,
        BinaryOp::Remainder => Binary::Remainder,
        BinaryOp::Power => Binary::Power,
        BinaryOp::BitAnd | BinaryOp::And => Binary::And,
        BinaryOp::BitOr | BinaryOp::Or => Binary::Or,
        BinaryOp::BitXor => Binary::Xor,
        BinaryOp::ShiftLeft => Binary::Left,
        BinaryOp::ShiftRight => Binary::Right,
        BinaryOp::ShiftRightUnsigned => Binary::RightUnsigned,
        BinaryOp::Equal => Binary::Equal,
        BinaryOp::NotEqual => Binary::NotEqual,
        BinaryOp::Less => Binary::Less,
        BinaryOp::LessEqual => Binary::LessEqual,
        BinaryOp::Greater => Binary::Greater,
        BinaryOp::GreaterEqual => Binary::GreaterEqual,
        BinaryOp::Compare => Binary::Compare,
        BinaryOp::Find => Binary::Find,
        BinaryOp::Match => Binary::Match,
        BinaryOp::In => Binary::In,
    }
}
