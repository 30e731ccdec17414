//! Statements.

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{Block, Case, Catch, Expr, ExprKind, ForInit, Ident, Stmt, StmtKind, VarDecl};
use std::rc::Rc;

use super::{Cleanup, CompileError, Compiler, Done, Target, annotated};
use crate::code::{Op, TypeSpec};

impl<'a> Compiler<'a> {
    /// A body; with `tail`, its last statement is its value.
    pub(super) fn body(&mut self, block: &'a Block, tail: bool) -> Done {
        self.stmts(&block.stmts, tail)
    }

    fn stmts(&mut self, stmts: &'a [Stmt], tail: bool) -> Done {
        let last = stmts.iter().rposition(|stmt| !matches!(stmt.kind, StmtKind::Empty));
        for (at, stmt) in stmts.iter().enumerate() {
            self.stmt(stmt, tail && Some(at) == last)?;
        }
        Ok(())
    }

    fn block(&mut self, block: &'a Block, tail: bool) -> Done {
        self.scoped(|this| this.stmts(&block.stmts, tail))
    }

    pub(super) fn stmt(&mut self, stmt: &'a Stmt, tail: bool) -> Done {
        self.descend(stmt.span, |this| this.stmt_kind(stmt, tail))
    }

    fn stmt_kind(&mut self, stmt: &'a Stmt, tail: bool) -> Done {
        match &stmt.kind {
            StmtKind::Expr(expr) if tail => {
                self.expr(expr)?;
                self.leave()
            }
            StmtKind::Expr(expr) => self.discard(expr),
            StmtKind::Var(decl) => self.var(decl, tail),
            StmtKind::If { condition, then, otherwise } => {
                let skip = self.unless(condition)?;
                self.scoped(|this| this.stmt(then, tail))?;
                if let Some(otherwise) = otherwise {
                    let end = self.emit(Op::Jump(0));
                    self.land(skip);
                    self.scoped(|this| this.stmt(otherwise, tail))?;
                    self.land(end);
                } else {
                    self.land(skip);
                }
                Ok(())
            }
            StmtKind::While { condition, body } => {
                let start = self.here();
                let out = self.unless(condition)?;
                let target = self.looped(stmt, |this| this.scoped(|this| this.stmt(body, false)))?;
                self.land_all(&target.continues, start);
                self.emit(Op::Jump(start));
                self.land(out);
                self.land_here(&target.breaks);
                Ok(())
            }
            StmtKind::For { init, condition, update, body } => {
                self.scoped(|this| this.for_loop(stmt, init, condition.as_ref(), update, body))
            }
            StmtKind::ForIn { ty, var, iterable, body, .. } => self.scoped(|this| {
                let ty = this.conversion(ty.as_ref());
                this.expr(iterable)?;
                this.emit(Op::Iter);
                let iter = this.fresh_slot();
                this.emit(Op::Store(iter));
                let slot = this.declare(&var.name, ty, var.span)?;
                this.emit(Op::Cell(slot));
                let start = this.here();
                let out = this.emit(Op::IterNext(iter, 0));
                if let Some(ty) = ty {
                    this.emit(Op::Coerce(ty));
                }
                this.emit(Op::Store(slot));
                let target = this.looped(stmt, |this| this.scoped(|this| this.stmt(body, false)))?;
                this.land_all(&target.continues, start);
                this.emit(Op::Jump(start));
                this.land(out);
                this.land_here(&target.breaks);
                Ok(())
            }),
            StmtKind::Switch { value, cases } => self.switch(stmt, value, cases, tail),
            StmtKind::Try { body, catches, finally } => self.try_stmt(body, catches, finally.as_ref(), tail),
            StmtKind::Throw(value) => {
                self.expr(value)?;
                self.emit(Op::Throw);
                Ok(())
            }
            StmtKind::Return(value) => {
                match value {
                    Some(value) => self.expr(value)?,
                    None => {
                        self.emit(Op::Null);
                    }
                }
                self.leave()
            }
            StmtKind::Break(label) => self.jump_out(label.as_ref(), true, stmt.span),
            StmtKind::Continue(label) => self.jump_out(label.as_ref(), false, stmt.span),
            StmtKind::Assert { condition, message } => self.assert(condition, message.as_ref(), stmt.span),
            StmtKind::Synchronized { monitor, body } => {
                self.discard(monitor)?;
                self.block(body, tail)
            }
            StmtKind::Block(block) if !stmt.labels.is_empty() => {
                let target = self.target(stmt, false, |this| this.block(block, tail))?;
                self.land_here(&target.breaks);
                Ok(())
            }
            StmtKind::Block(block) => self.block(block, tail),
            StmtKind::Empty => Ok(()),
        }
    }

    fn land_here(&mut self, jumps: &[usize]) {
        for jump in jumps {
            self.land(*jump);
        }
    }

    fn land_all(&mut self, jumps: &[usize], there: u32) {
        for jump in jumps {
            if let Some(op) = self.func().ops.get_mut(*jump) {
                *op = Op::Jump(there);
            }
        }
    }

    fn looped(&mut self, stmt: &'a Stmt, inside: impl FnOnce(&mut Self) -> Done) -> Result<Target, CompileError> {
        self.target(stmt, true, inside)
    }

    fn target(
        &mut self,
        stmt: &'a Stmt,
        is_loop: bool,
        inside: impl FnOnce(&mut Self) -> Done,
    ) -> Result<Target, CompileError> {
        let labels = stmt.labels.iter().map(|label| Rc::from(&*label.name)).collect();
        let cleanups = self.func().cleanups.len();
        self.func().targets.push(Target { labels, is_loop, cleanups, breaks: Vec::new(), continues: Vec::new() });
        let done = inside(self);
        let target = self.func().targets.pop();
        done?;
        target.ok_or_else(|| CompileError { message: "a loop was closed twice".to_owned(), span: stmt.span })
    }

    fn jump_out(&mut self, label: Option<&Ident>, is_break: bool, span: Span) -> Done {
        let found = self.func().targets.iter().rposition(|target| match label {
            Some(label) => target.labels.iter().any(|known| **known == *label.name),
            None => target.is_loop || (is_break && target.labels.is_empty()),
        });
        let Some(at) = found else {
            let message = match (label, is_break) {
                (Some(label), true) => format!("break to missing label {}", label.name),
                (Some(label), false) => format!("continue to missing label {}", label.name),
                (None, true) => "the break statement is only allowed inside loops or switches".to_owned(),
                (None, false) => "the continue statement is only allowed inside loops".to_owned(),
            };
            return Err(CompileError { message, span });
        };
        let cleanups = self.func().targets.get(at).map_or(0, |target| target.cleanups);
        self.clean_up(cleanups)?;
        let jump = self.emit(Op::Jump(0));
        if let Some(target) = self.func().targets.get_mut(at) {
            if is_break { target.breaks.push(jump) } else { target.continues.push(jump) }
        }
        Ok(())
    }

    /// Closes handlers and runs `finally` blocks down to a level, as control leaves them.
    fn clean_up(&mut self, down_to: usize) -> Done {
        let all = self.func().cleanups.clone();
        for (at, cleanup) in all.iter().enumerate().skip(down_to).rev() {
            self.emit(Op::EndTry);
            if let Cleanup::Finally(block) = cleanup {
                // While the block runs, it and what is inside it are closed already.
                self.func().cleanups.truncate(at);
                self.block(block, false)?;
            }
        }
        self.func().cleanups = all;
        Ok(())
    }

    /// Returns the value on the stack, through all `finally` blocks.
    fn leave(&mut self) -> Done {
        if self.func().void {
            self.emit(Op::Pop);
            self.emit(Op::Null);
        } else if let Some(ty) = self.func().result {
            self.emit(Op::Coerce(ty));
        }
        if !self.func().cleanups.is_empty() {
            let slot = self.fresh_slot();
            self.emit(Op::Store(slot));
            self.clean_up(0)?;
            self.emit(Op::Load(slot));
        }
        self.emit(Op::Return);
        Ok(())
    }

    fn var(&mut self, decl: &'a VarDecl, tail: bool) -> Done {
        if annotated(&decl.modifiers, "Field") {
            // Fields of the script: declared with its class, first values set in `init`.
            return Ok(());
        }
        if let Some(list) = &decl.unpacked {
            self.expr(list)?;
            if tail {
                self.emit(Op::Dup);
            }
            let types: Vec<Option<u32>> =
                decl.vars.iter().map(|var| self.conversion(var.ty.as_ref().or(decl.ty.as_ref()))).collect();
            let held = self.fresh_slot();
            self.emit(Op::Store(held));
            for (at, (var, ty)) in decl.vars.iter().zip(types).enumerate() {
                let slot = self.declare(&var.name.name, ty, var.name.span)?;
                self.emit(Op::Load(held));
                self.emit(Op::Int(i32::try_from(at).unwrap_or(0)));
                self.emit(Op::Unpack);
                if let Some(ty) = ty {
                    self.emit(Op::Coerce(ty));
                }
                self.emit(Op::Cell(slot));
                self.emit(Op::Store(slot));
            }
            return if tail { self.leave() } else { Ok(()) };
        }
        let last = decl.vars.len().saturating_sub(1);
        for (at, var) in decl.vars.iter().enumerate() {
            if &*var.name.name == "_" && annotated(&decl.modifiers, "Library") {
                continue;
            }
            let written = var.ty.as_ref().or(decl.ty.as_ref());
            let ty = self.conversion(written);
            // A closure in the value that uses its own name finds no local variable yet, as in Groovy.
            match &var.value {
                Some(value) => self.expr(value)?,
                None => match written.filter(|ty| ty.dimensions == 0).map(|ty| &*ty.name) {
                    Some("int" | "byte" | "short") => {
                        self.emit(Op::Int(0));
                    }
                    Some("boolean") => {
                        self.emit(Op::False);
                    }
                    Some("long" | "float" | "double" | "char") => {
                        self.emit(Op::Int(0));
                    }
                    _ => {
                        self.emit(Op::Null);
                    }
                },
            }
            let primitive = written.is_some_and(|ty| ty.dimensions == 0 && is_primitive(&ty.name));
            if let (Some(ty), true) = (ty, var.value.is_some() || primitive) {
                self.emit(Op::Coerce(ty));
            }
            let slot = self.declare(&var.name.name, ty, var.name.span)?;
            if tail && at == last {
                self.emit(Op::Dup);
            }
            self.emit(Op::Cell(slot));
            self.emit(Op::Store(slot));
        }
        if tail { self.leave() } else { Ok(()) }
    }

    fn for_loop(
        &mut self,
        stmt: &'a Stmt,
        init: &'a ForInit,
        condition: Option<&'a Expr>,
        update: &'a [Expr],
        body: &'a Stmt,
    ) -> Done {
        match init {
            ForInit::None => {}
            ForInit::Var(decl) => self.var(decl, false)?,
            ForInit::Exprs(exprs) => {
                for expr in exprs {
                    self.discard(expr)?;
                }
            }
        }
        let start = self.here();
        let out = condition.map(|condition| self.unless(condition)).transpose()?;
        let target = self.looped(stmt, |this| this.scoped(|this| this.stmt(body, false)))?;
        self.land_here(&target.continues);
        for expr in update {
            self.discard(expr)?;
        }
        self.emit(Op::Jump(start));
        if let Some(out) = out {
            self.land(out);
        }
        self.land_here(&target.breaks);
        Ok(())
    }

    /// Evaluates a condition; answers the jump that is taken if it does not hold.
    pub(super) fn unless(&mut self, condition: &'a Expr) -> Result<usize, CompileError> {
        if let ExprKind::Binary { op: haliotis_groovy_syntax::ast::BinaryOp::Less, left, right } = &condition.kind
            && !self.func().noting
        {
            self.expr(left)?;
            self.expr(right)?;
            self.at = condition.span.start;
            return Ok(self.emit(Op::JumpUnlessLess(0)));
        }
        self.expr(condition)?;
        Ok(self.emit(Op::JumpUnless(0)))
    }

    fn switch(&mut self, stmt: &'a Stmt, value: &'a Expr, cases: &'a [Case], tail: bool) -> Done {
        self.expr(value)?;
        let held = self.fresh_slot();
        self.emit(Op::Store(held));
        let mut entries: Vec<Option<usize>> = Vec::new();
        for case in cases {
            let Some(value) = &case.value else {
                entries.push(None);
                continue;
            };
            self.emit(Op::Load(held));
            self.expr(value)?;
            self.emit(Op::IsCase);
            entries.push(Some(self.emit(Op::JumpIf(0))));
        }
        let otherwise = self.emit(Op::Jump(0));
        let target = self.target(stmt, false, |this| {
            // An unlabelled `break` finds a switch by its lack of labels.
            if let Some(target) = this.func().targets.last_mut() {
                target.labels.clear();
            }
            for (at, case) in cases.iter().enumerate() {
                match entries.get(at).copied().flatten() {
                    Some(jump) => this.land(jump),
                    None => this.land(otherwise),
                }
                let last = at + 1 == cases.len();
                this.scoped(|this| this.case_body(&case.body, tail, last))?;
            }
            Ok(())
        })?;
        if !entries.iter().any(Option::is_none) {
            self.land(otherwise);
        }
        self.land_here(&target.breaks);
        Ok(())
    }

    /// The statement before a `break` is the value of the switch, when that stands last.
    fn case_body(&mut self, body: &'a [Stmt], tail: bool, last: bool) -> Done {
        let breaks = matches!(body.last().map(|stmt| &stmt.kind), Some(StmtKind::Break(None)));
        match body.len().checked_sub(2) {
            Some(value) if tail && breaks => {
                for (at, stmt) in body.iter().enumerate() {
                    self.stmt(stmt, at == value)?;
                }
                Ok(())
            }
            _ => self.stmts(body, tail && last),
        }
    }

    fn try_stmt(&mut self, body: &'a Block, catches: &'a [Catch], finally: Option<&'a Block>, tail: bool) -> Done {
        let outer = finally.map(|finally| {
            let handler = self.emit(Op::Try(0));
            self.func().cleanups.push(Cleanup::Finally(finally));
            handler
        });
        let mut ends = Vec::new();
        if catches.is_empty() {
            self.block(body, tail)?;
        } else {
            let handler = self.emit(Op::Try(0));
            self.func().cleanups.push(Cleanup::Handler);
            self.block(body, tail)?;
            self.func().cleanups.pop();
            self.emit(Op::EndTry);
            ends.push(self.emit(Op::Jump(0)));
            self.land(handler);
            let held = self.fresh_slot();
            self.emit(Op::Store(held));
            for catch in catches {
                ends.push(self.catch(catch, held, tail)?);
            }
            self.emit(Op::Load(held));
            self.emit(Op::Throw);
        }
        for end in ends {
            self.land(end);
        }
        if let (Some(handler), Some(finally)) = (outer, finally) {
            self.func().cleanups.pop();
            self.emit(Op::EndTry);
            self.block(finally, false)?;
            let end = self.emit(Op::Jump(0));
            self.land(handler);
            let held = self.fresh_slot();
            self.emit(Op::Store(held));
            self.block(finally, false)?;
            self.emit(Op::Load(held));
            self.emit(Op::Throw);
            self.land(end);
        }
        Ok(())
    }

    fn catch(&mut self, catch: &'a Catch, held: u32, tail: bool) -> Result<usize, CompileError> {
        let mut types: Vec<u32> = catch.types.iter().map(|ty| self.type_of(ty)).collect();
        if types.is_empty() {
            types.push(self.type_index(TypeSpec { name: Rc::from("java.lang.Exception"), dimensions: 0 }));
        }
        let mut hits = Vec::new();
        for ty in types {
            self.emit(Op::Load(held));
            self.emit(Op::InstanceOf(ty));
            hits.push(self.emit(Op::JumpIf(0)));
        }
        let next = self.emit(Op::Jump(0));
        self.land_here(&hits);
        self.scoped(|this| {
            let slot = this.declare(&catch.var.name, None, catch.var.span)?;
            this.emit(Op::Load(held));
            this.emit(Op::Cell(slot));
            this.emit(Op::Store(slot));
            this.stmts(&catch.body.stmts, tail)
        })?;
        let end = self.emit(Op::Jump(0));
        self.land(next);
        Ok(end)
    }
}

/// Whether a type's name is one of Java's primitives.
pub(crate) fn is_primitive(name: &str) -> bool {
    matches!(name, "int" | "long" | "short" | "byte" | "char" | "boolean" | "float" | "double")
}
