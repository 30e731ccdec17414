//! Calls and constructions.

use std::rc::Rc;

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{Access, Arg, Call, Callee, Expr, ExprKind, Member, MemberName, New};

use super::{Compiler, Done, Found};
use crate::code::{CallKind, CallSite, Op, TypeSpec, flag};

impl<'a> Compiler<'a> {
    pub(super) fn call(&mut self, call: &'a Call, span: Span) -> Done {
        match &call.callee {
            Callee::Name(ident) => {
                if self.find(&ident.name).is_some() {
                    self.read_name(&ident.name)?;
                    return self.finish(CallKind::Value, "call", &call.args, ident.span);
                }
                self.finish(CallKind::Name, &ident.name, &call.args, ident.span)
            }
            Callee::Value(value) => {
                self.expr(value)?;
                self.finish(CallKind::Value, "call", &call.args, span)
            }
            Callee::This(place) => self.finish(CallKind::ThisInit, "this", &call.args, *place),
            Callee::Super(place) => self.finish(CallKind::SuperInit, "super", &call.args, *place),
            Callee::Method { object, access, attribute, member } => {
                if *access == Access::Spread {
                    return self.spread_call(object, member, &call.args, span);
                }
                if *attribute {
                    self.expr(object)?;
                    if let MemberName::Fixed(name) = &member.name {
                        let name = self.name(name);
                        self.emit(Op::Get(name, flag::ATTRIBUTE));
                    }
                    return self.finish(CallKind::Value, "call", &call.args, span);
                }
                if matches!(object.kind, ExprKind::Super) {
                    return self.method(CallKind::Super, member, &call.args);
                }
                self.expr(object)?;
                let skip = (*access == Access::Safe).then(|| self.emit(Op::JumpNull(0)));
                self.method(CallKind::Method, member, &call.args)?;
                if let Some(skip) = skip {
                    self.land(skip);
                }
                Ok(())
            }
        }
    }

    fn method(&mut self, kind: CallKind, member: &'a Member, args: &'a [Arg]) -> Done {
        match &member.name {
            MemberName::Fixed(name) => self.finish(kind, name, args, member.span),
            MemberName::Dynamic(name) => {
                self.expr(name)?;
                let (count, spread) = self.args(args)?;
                self.at = member.span.start;
                self.site(CallSite { kind, name: Rc::from(""), dynamic: true, count, spread, ty: 0 });
                Ok(())
            }
        }
    }

    fn finish(&mut self, kind: CallKind, name: &str, args: &'a [Arg], span: Span) -> Done {
        let (count, spread) = self.args(args)?;
        self.at = span.start;
        self.site(CallSite { kind, name: Rc::from(name), dynamic: false, count, spread, ty: 0 });
        Ok(())
    }

    fn site(&mut self, site: CallSite) {
        let func = self.func();
        func.calls.push(site);
        let index = u32::try_from(func.calls.len() - 1).unwrap_or(u32::MAX);
        self.emit(Op::Call(index));
    }

    /// Arguments on the stack: how many, and whether they are in one list.
    pub(super) fn args(&mut self, args: &'a [Arg]) -> Result<(u32, bool), super::CompileError> {
        let named: Vec<_> = args
            .iter()
            .filter_map(|arg| match arg {
                Arg::Named(entry) => Some(entry),
                Arg::Positional(_) => None,
            })
            .collect();
        let positional: Vec<&'a Expr> = args
            .iter()
            .filter_map(|arg| match arg {
                Arg::Positional(expr) => Some(expr),
                Arg::Named(_) => None,
            })
            .collect();
        let spread = positional.iter().any(|expr| matches!(expr.kind, ExprKind::Spread(_)));
        if spread {
            self.emit(Op::List(0));
        }
        let mut count = 0;
        if !named.is_empty() {
            self.map(named.into_iter())?;
            count += 1;
            if spread {
                self.emit(Op::ListAdd);
            }
        }
        for expr in positional {
            self.expr(expr)?;
            count += 1;
            if spread {
                self.emit(if matches!(expr.kind, ExprKind::Spread(_)) { Op::ListAddAll } else { Op::ListAdd });
            }
        }
        Ok((if spread { 1 } else { count }, spread))
    }

    /// `list*.name(args)`: a loop, so that each call may wait.
    fn spread_call(&mut self, object: &'a Expr, member: &'a Member, args: &'a [Arg], span: Span) -> Done {
        self.expr(object)?;
        let skip = self.emit(Op::JumpNull(0));
        self.emit(Op::Iter);
        let iter = self.fresh_slot();
        self.emit(Op::Store(iter));
        let name = match &member.name {
            MemberName::Fixed(_) => None,
            MemberName::Dynamic(name) => {
                self.expr(name)?;
                let slot = self.fresh_slot();
                self.emit(Op::Store(slot));
                Some(slot)
            }
        };
        let (count, spread) = self.args(args)?;
        let slots: Vec<u32> = (0..count).map(|_| self.fresh_slot()).collect();
        for slot in slots.iter().rev() {
            self.emit(Op::Store(*slot));
        }
        self.emit(Op::List(0));
        let start = self.here();
        let out = self.emit(Op::IterNext(iter, 0));
        let null = self.emit(Op::JumpNull(0));
        if let Some(slot) = name {
            self.emit(Op::Load(slot));
        }
        for slot in &slots {
            self.emit(Op::Load(*slot));
        }
        self.at = span.start;
        let fixed = match &member.name {
            MemberName::Fixed(name) => Rc::from(&**name),
            MemberName::Dynamic(_) => Rc::from(""),
        };
        self.site(CallSite { kind: CallKind::Method, name: fixed, dynamic: name.is_some(), count, spread, ty: 0 });
        self.land(null);
        self.emit(Op::ListAdd);
        self.emit(Op::Jump(start));
        self.land(out);
        self.land(skip);
        Ok(())
    }

    pub(super) fn new_object(&mut self, new: &'a New, span: Span) -> Done {
        let (ty, hidden) = match &new.body {
            Some(body) => {
                let (name, hidden) = self.anonymous_class(body)?;
                (self.type_index(TypeSpec { name, dimensions: 0 }), hidden)
            }
            None => (self.type_of(&new.ty), Vec::new()),
        };
        // The cells of captured variables come first: list of name, cell pairs as one map.
        if !hidden.is_empty() {
            for name in &hidden {
                self.string(&format!("val${name}"));
                let load = match self.find(name) {
                    Some(Found::Slot(local)) => {
                        self.func().boxed.insert(local.slot);
                        Op::CellOf(local.slot)
                    }
                    Some(Found::Up(index, _)) => Op::CellUp(index),
                    Some(Found::Field(field)) => {
                        self.emit(Op::This);
                        let field = self.name(&field);
                        Op::CellField(field)
                    }
                    None => Op::Null,
                };
                self.emit(load);
            }
            self.emit(Op::Hidden(u32::try_from(hidden.len()).unwrap_or(0)));
        }
        let (count, spread) = self.args(&new.args)?;
        self.at = span.start;
        let func = self.func();
        func.calls.push(CallSite {
            kind: CallKind::Value,
            name: Rc::from("<init>"),
            dynamic: !hidden.is_empty(),
            count,
            spread,
            ty,
        });
        let index = u32::try_from(func.calls.len() - 1).unwrap_or(u32::MAX);
        self.emit(Op::New(index));
        Ok(())
    }
}
