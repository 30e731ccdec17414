//! Statements, lists of them, and how a list goes on after an error.

use std::sync::Arc;

use super::decl::Declared;
use super::{Failed, Parsed, Parser};
use crate::ast::{Block, Case, Catch, ForInit, Ident, Import, Modifiers, Stmt, StmtKind, VarDecl};
use crate::span::Span;
use crate::token::T;

/// Where a list of statements stands, which says where it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// The script itself.
    Top,
    /// Braces.
    Block,
    /// After `case x:`.
    Case,
}

/// What separates a statement from the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Newline,
    Semicolon,
}

impl Where {
    const fn ends(self, kind: T) -> bool {
        match kind {
            T::End => true,
            T::RCurly => !matches!(self, Self::Top),
            T::Case | T::Default => matches!(self, Self::Case),
            _ => false,
        }
    }
}

impl Parser<'_> {
    /// The whole file.
    pub(super) fn script(&mut self) -> Block {
        self.newlines();
        if self.annotated(self.at, T::Package) {
            let _ = self.package().map_err(|Failed| self.recover(Where::Top));
        }
        let start = self.at;
        let stmts = self.statements(Where::Top);
        Block::new(stmts, self.span_from(start))
    }

    fn package(&mut self) -> Parsed<()> {
        self.modifiers()?;
        self.expect(T::Package)?;
        self.top.package = Some(self.dotted()?);
        self.separated(Where::Top)
    }

    /// Statements up to what ends them. Errors are recorded and passed over.
    pub(super) fn statements(&mut self, place: Where) -> Vec<Stmt> {
        let mut stmts = Vec::new();
        let mut before = Before::Nothing;
        loop {
            while matches!(self.kind(), T::Newline | T::Semi) {
                let semicolon = self.next().kind == T::Semi;
                before = if semicolon { Before::Semicolon } else { Before::Newline };
            }
            if place.ends(self.kind()) || self.hopeless {
                return stmts;
            }
            let statement = self.statement(place, before).and_then(|statement| {
                stmts.extend(statement);
                self.separated(place)
            });
            if statement.is_err() {
                self.recover(place);
            }
        }
    }

    /// After a statement there must be a separator or the end.
    fn separated(&mut self, place: Where) -> Parsed<()> {
        if matches!(self.kind(), T::Newline | T::Semi) || place.ends(self.kind()) {
            return Ok(());
        }
        let found = self.found();
        let hint = match self.kind() {
            T::RCurly => Some("there is one '}' too many, or a '{' is missing before it"),
            T::RParen => Some("there is one ')' too many, or a '(' is missing before it"),
            T::RBrack => Some("there is one ']' too many, or a '[' is missing before it"),
            T::Not if matches!(self.ahead(1), T::In | T::Instanceof) => Some("write !(a in b)"),
            _ => None,
        };
        let wanted = if place == Where::Top { "EOF" } else { "'}'" };
        match self.kind() {
            T::RCurly | T::RParen | T::RBrack => self.unexpected(hint),
            _ => self.fail(format!("expecting {wanted}, found '{found}'"), hint.map(str::to_owned)),
        }
    }

    /// Moves to where the next statement may begin, past whole brackets.
    pub(super) fn recover(&mut self, place: Where) {
        loop {
            match self.kind() {
                T::End | T::Newline | T::Semi => return,
                T::RCurly if place != Where::Top => return,
                T::LParen | T::LBrack | T::LCurly | T::TextStart => match self.past_bracket(self.at) {
                    Some(after) => self.at = after,
                    None => {
                        self.next();
                    }
                },
                _ => {
                    self.next();
                }
            }
        }
    }

    /// One statement; nothing for what belongs to the file instead: imports, classes, methods.
    fn statement(&mut self, place: Where, before: Before) -> Parsed<Option<Stmt>> {
        self.nested(|this| {
            let start = this.at;
            let kind = match this.kind() {
                T::Ident if this.ahead(1) == T::Colon => return this.labelled(place).map(Some),
                T::LCurly => this.leading_closure(before)?,
                T::If => this.if_statement()?,
                T::While => this.while_statement()?,
                T::For => this.for_statement()?,
                T::Switch => this.switch()?,
                T::Try => this.try_statement()?,
                T::Synchronized if this.ahead(1) == T::LParen => this.synchronized()?,
                T::Return => {
                    this.next();
                    let value = Self::expression_starts(this.kind());
                    StmtKind::Return(if value { Some(this.expression(false)?) } else { None })
                }
                T::Break => StmtKind::Break(this.jump()?),
                T::Continue => StmtKind::Continue(this.jump()?),
                T::Throw => {
                    this.next();
                    StmtKind::Throw(this.expression(false)?)
                }
                T::Assert => this.assert()?,
                T::Import => return this.import().map(|()| None),
                T::Do | T::Goto | T::Const | T::Else | T::Catch | T::Finally | T::Case | T::Default => {
                    return this.misplaced();
                }
                _ => match this.declared(place)? {
                    Some(Some(kind)) => kind,
                    Some(None) => return Ok(None),
                    None => StmtKind::Expr(this.expression_statement()?),
                },
            };
            Ok(Some(Stmt::new(kind, this.span_from(start))))
        })
    }

    /// The declaration here: none, one of variables, or one that belongs to the file.
    fn declared(&mut self, place: Where) -> Parsed<Option<Option<StmtKind>>> {
        let kind = self.kind();
        let marked = kind == T::Def || kind == T::At || kind.is_modifier();
        if marked && self.annotated(self.at, T::Import) {
            return self.import().map(|()| Some(None));
        }
        if (marked || matches!(kind, T::Class | T::Interface | T::Enum | T::Trait))
            && self.type_definition_starts(self.at)
        {
            return self.class_in_file(place).map(|()| Some(None));
        }
        if marked && self.multiple_declaration_starts(self.at) {
            return Ok(Some(Some(StmtKind::Var(self.multiple_declaration()?))));
        }
        let generic = marked && self.generic_method_starts(self.at);
        if !generic && !self.declaration_starts(self.at) {
            if marked {
                return self.broken_declaration();
            }
            return Ok(None);
        }
        let start = self.at;
        match self.declaration()? {
            Declared::Vars(vars) => Ok(Some(Some(StmtKind::Var(vars)))),
            Declared::Method(method) => {
                if place != Where::Top {
                    return self.fail_at(
                        self.span_from(start),
                        "Method definition not expected here. Please define the method at an appropriate place or \
                         perhaps try using a block/Closure instead.",
                        None,
                    );
                }
                self.check_body(&method, start);
                self.top.methods.push(Arc::new(method));
                Ok(Some(None))
            }
        }
    }

    /// Modifiers with nothing to modify: the error is at what follows them.
    fn broken_declaration<R>(&mut self) -> Parsed<R> {
        self.modifiers()?;
        let hint = self.kind().is_keyword().then_some("this is a keyword of Groovy and cannot be a name");
        self.unexpected(hint)
    }

    fn class_in_file(&mut self, place: Where) -> Parsed<()> {
        let start = self.at;
        let class = self.type_definition()?;
        if place != Where::Top {
            return self.fail_at(
                self.span_from(start),
                "Class definition not expected here. Please define the class at an appropriate place or perhaps try \
                 using a block/Closure instead.",
                None,
            );
        }
        self.top.classes.push(Arc::new(class));
        Ok(())
    }

    fn misplaced<R>(&mut self) -> Parsed<R> {
        let hint = match self.kind() {
            T::Do => "Groovy 2.4 has no do-while; write while (true) { ...; if (!condition) break }",
            T::Else => "there is no 'if' that this belongs to",
            T::Catch | T::Finally => "there is no 'try' that this belongs to",
            T::Case | T::Default => "there is no 'switch' around this",
            _ => "this word is reserved",
        };
        self.unexpected(Some(hint))
    }

    fn labelled(&mut self, place: Where) -> Parsed<Stmt> {
        let start = self.at;
        let label = self.ident()?;
        self.next();
        self.newlines();
        let mut stmt = if self.is(T::LCurly) && !self.here().arrow {
            let block = self.block()?;
            Stmt::new(StmtKind::Block(block), self.span_from(start))
        } else {
            match self.statement(place, Before::Semicolon)? {
                Some(stmt) => stmt,
                None => Stmt::new(StmtKind::Empty, self.span_from(start)),
            }
        };
        stmt.labels.insert(0, label);
        stmt.span = self.span_from(start);
        Ok(stmt)
    }

    /// A statement that begins with `{` must show that it is a closure.
    fn leading_closure(&mut self, before: Before) -> Parsed<StmtKind> {
        if self.here().arrow {
            return self.expression_statement().map(StmtKind::Expr);
        }
        let span = Self::span(self.here());
        let (message, hint) = if before == Before::Newline {
            (
                "Ambiguous expression could be a parameterless closure expression, an isolated open code block, or it \
                 may continue a previous statement",
                "Add an explicit parameter list, e.g. {it -> ...}, or force it to be treated as an open block by \
                 giving it a label, e.g. L:{...}, and also either remove the previous newline, or add an explicit \
                 semicolon ';'",
            )
        } else {
            (
                "Ambiguous expression could be either a parameterless closure expression or an isolated open code \
                 block",
                "Add an explicit closure parameter list, e.g. {it -> ...}, or force it to be treated as an open block \
                 by giving it a label, e.g. L:{...}",
            )
        };
        // What is inside is looked at all the same.
        self.report(span, message, Some(hint.to_owned()));
        Ok(StmtKind::Block(self.block()?))
    }

    /// What a loop or `if` governs: a block or one statement.
    fn body(&mut self) -> Parsed<Box<Stmt>> {
        let start = self.at;
        if self.is(T::LCurly) {
            let block = self.block()?;
            return Ok(Box::new(Stmt::new(StmtKind::Block(block), self.span_from(start))));
        }
        match self.statement(Where::Block, Before::Nothing)? {
            Some(stmt) => Ok(Box::new(stmt)),
            None => Ok(Box::new(Stmt::new(StmtKind::Empty, self.span_from(start)))),
        }
    }

    fn loop_body(&mut self) -> Parsed<Box<Stmt>> {
        self.newlines();
        if self.is(T::Semi) {
            let span = Self::span(self.here());
            return Ok(Box::new(Stmt::new(StmtKind::Empty, span)));
        }
        self.body()
    }

    fn if_statement(&mut self) -> Parsed<StmtKind> {
        self.next();
        let opening = self.expect(T::LParen)?;
        let condition = self.nested(|this| this.conditional(false))?;
        if self.is(T::Assign) {
            let found = self.found();
            let hint = Some("to compare two values write ==".to_owned());
            return self.fail(format!("expecting ')', found '{found}'"), hint);
        }
        self.expect_closing(T::RParen, opening)?;
        self.newlines();
        let then = self.body()?;
        let mut at = self.at;
        while matches!(self.token(at).kind, T::Newline | T::Semi) {
            at += 1;
        }
        let mut otherwise = None;
        if self.token(at).kind == T::Else {
            self.at = at + 1;
            self.newlines();
            otherwise = Some(self.body()?);
        }
        Ok(StmtKind::If { condition, then, otherwise })
    }

    fn while_statement(&mut self) -> Parsed<StmtKind> {
        self.next();
        let opening = self.expect(T::LParen)?;
        let condition = self.expression(false)?;
        self.expect_closing(T::RParen, opening)?;
        let body = self.loop_body()?;
        Ok(StmtKind::While { condition, body })
    }

    fn for_statement(&mut self) -> Parsed<StmtKind> {
        self.next();
        let paren = self.at;
        let opening = self.expect(T::LParen)?;
        if self.semicolon_inside(paren) {
            return self.classic_for(opening);
        }
        let mut modifiers = Modifiers::default();
        let mut ty = None;
        let declared = self.declaration_starts(self.at);
        if declared {
            modifiers = self.modifiers()?;
            let typed = self.past_type(self.at).is_some_and(|after| self.token(after).kind == T::Ident);
            ty = if typed { Some(self.type_ref()?) } else { None };
        }
        let var = self.ident()?;
        let iterable = if self.take(T::In) {
            self.shift_expression()?
        } else {
            if self.is(T::Colon) && !declared {
                return self.fail(
                    "Java-style for-each statement requires a type declaration.",
                    Some("Use the 'in' keyword, as for (x in y) {...}".to_owned()),
                );
            }
            if !self.is(T::Colon) {
                return self.unexpected(Some("write for (x in y) { ... } or for (int i = 0; i < n; i++) { ... }"));
            }
            self.next();
            self.expression(false)?
        };
        self.expect_closing(T::RParen, opening)?;
        let body = self.loop_body()?;
        Ok(StmtKind::ForIn { modifiers, ty, var, iterable, body })
    }

    /// Whether a `;` stands directly in the parentheses that begin at `paren`.
    fn semicolon_inside(&self, paren: usize) -> bool {
        let mut at = paren + 1;
        loop {
            match self.token(at).kind {
                T::Semi => return true,
                T::RParen | T::End | T::RCurly | T::Newline => return false,
                T::LParen | T::LBrack | T::LCurly | T::TextStart => at = self.past_bracket(at).unwrap_or(at + 1),
                _ => at += 1,
            }
        }
    }

    fn classic_for(&mut self, opening: crate::token::Token) -> Parsed<StmtKind> {
        let init = if self.is(T::Semi) {
            ForInit::None
        } else if self.multiple_declaration_starts(self.at) {
            ForInit::Var(self.multiple_declaration()?)
        } else if self.declaration_starts(self.at) {
            ForInit::Var(self.single_declaration()?)
        } else {
            ForInit::Exprs(vec![self.expression(false)?])
        };
        if self.is(T::Comma) {
            return self.unexpected(Some("a for loop has one variable; use def (i, j) = [0, 1]"));
        }
        self.expect(T::Semi)?;
        let condition = if self.is(T::Semi) { None } else { Some(self.expression(false)?) };
        self.expect(T::Semi)?;
        let update = if self.is(T::RParen) { Vec::new() } else { vec![self.expression(false)?] };
        self.expect_closing(T::RParen, opening)?;
        let body = self.loop_body()?;
        Ok(StmtKind::For { init, condition, update, body })
    }

    fn single_declaration(&mut self) -> Parsed<VarDecl> {
        match self.declaration()? {
            Declared::Vars(vars) => Ok(vars),
            Declared::Method(method) => self.fail_at(method.span, "a method cannot be defined here", None),
        }
    }

    fn switch(&mut self) -> Parsed<StmtKind> {
        self.next();
        let opening = self.expect(T::LParen)?;
        let value = self.expression(false)?;
        self.expect_closing(T::RParen, opening)?;
        self.newlines();
        let brace = self.expect(T::LCurly)?;
        self.newlines();
        let mut cases = Vec::new();
        while matches!(self.kind(), T::Case | T::Default) {
            cases.push(self.case()?);
        }
        self.expect_closing(T::RCurly, brace)?;
        Ok(StmtKind::Switch { value, cases })
    }

    fn case(&mut self) -> Parsed<Case> {
        let start = self.at;
        let value = if self.next().kind == T::Case { Some(self.expression(false)?) } else { None };
        self.expect(T::Colon)?;
        self.newlines();
        if matches!(self.kind(), T::Case | T::Default) {
            return Ok(Case { value, body: Vec::new(), span: self.span_from(start) });
        }
        if self.is(T::RCurly) {
            return self.unexpected(Some("the last case of a switch needs a statement, if only 'break'"));
        }
        let body = self.statements(Where::Case);
        Ok(Case { value, body, span: self.span_from(start) })
    }

    fn try_statement(&mut self) -> Parsed<StmtKind> {
        let start = self.at;
        self.next();
        self.newlines();
        let body = self.block()?;
        let mut catches = Vec::new();
        while self.token(self.past_newlines(self.at)).kind == T::Catch {
            self.newlines();
            catches.push(self.catch()?);
        }
        let mut finally = None;
        if self.token(self.past_newlines(self.at)).kind == T::Finally {
            self.newlines();
            self.next();
            self.newlines();
            finally = Some(self.block()?);
        }
        if catches.is_empty() && finally.is_none() {
            let span = Self::span(self.token(start));
            self.report(span, "A try statement must have at least one catch or finally block.", None);
        }
        Ok(StmtKind::Try { body, catches, finally })
    }

    fn catch(&mut self) -> Parsed<Catch> {
        let start = self.at;
        self.next();
        let opening = self.expect(T::LParen)?;
        self.take(T::Final);
        self.take(T::Def);
        let mut types = Vec::new();
        if self.past_type(self.at).is_some_and(|after| matches!(self.token(after).kind, T::Ident | T::BitOr)) {
            types.push(self.type_name()?);
            while self.take(T::BitOr) {
                types.push(self.type_name()?);
            }
        }
        let var = self.ident()?;
        self.expect_closing(T::RParen, opening)?;
        self.newlines();
        let body = self.block()?;
        Ok(Catch { types, var, body, span: self.span_from(start) })
    }

    fn synchronized(&mut self) -> Parsed<StmtKind> {
        self.next();
        let opening = self.next();
        let monitor = self.expression(false)?;
        self.expect_closing(T::RParen, opening)?;
        self.newlines();
        let body = self.block()?;
        Ok(StmtKind::Synchronized { monitor, body })
    }

    fn jump(&mut self) -> Parsed<Option<Ident>> {
        self.next();
        if self.is(T::Ident) { self.ident().map(Some) } else { Ok(None) }
    }

    fn assert(&mut self) -> Parsed<StmtKind> {
        self.next();
        let condition = self.nested(|this| this.conditional(false))?;
        let mut message = None;
        if matches!(self.kind(), T::Colon | T::Comma) {
            self.next();
            self.newlines();
            message = Some(self.expression(false)?);
        }
        Ok(StmtKind::Assert { condition, message })
    }

    fn import(&mut self) -> Parsed<()> {
        let start = self.at;
        let modifiers = self.modifiers()?;
        self.expect(T::Import)?;
        let is_static = self.take(T::Static);
        let path = self.dotted()?;
        let mut star = false;
        let mut alias = None;
        if self.is(T::Dot) {
            self.next();
            self.newlines();
            self.expect(T::Star)?;
            star = true;
        } else if self.take(T::As) {
            self.newlines();
            alias = Some(self.ident()?);
        }
        let span: Span = self.span_from(start);
        self.top.imports.push(Import { modifiers, path: path.name, star, is_static, alias, span });
        Ok(())
    }
}
