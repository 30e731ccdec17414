//! Declarations of variables, fields and methods, which look alike up to their name.

use super::{Parsed, Parser};
use crate::ast::{Expr, Ident, Method, Modifiers, TypeRef, VarDecl, VarName};
use crate::token::T;

/// What a declaration declared.
pub(super) enum Declared {
    Vars(VarDecl),
    Method(Method),
}

impl Parser<'_> {
    /// Modifiers, a type, a name, and then either parameters and a body or values.
    pub(super) fn declaration(&mut self) -> Parsed<Declared> {
        let start = self.at;
        let modifiers = self.modifiers()?;
        let generics = if self.is(T::Less) { Some(self.type_arguments()?) } else { None };
        self.newlines();
        let typed = self.past_type(self.at).is_some_and(|after| matches!(self.token(after).kind, T::Ident | T::String));
        let ty = if typed { Some(self.type_ref()?) } else { None };
        if matches!(self.kind(), T::Ident | T::String) && self.ahead(1) == T::LParen {
            let name = self.next();
            let name = Ident { name: self.name_of(name), span: Self::span(name) };
            let mut method = self.method(name, modifiers, ty, start)?;
            method.generics = generics;
            return Ok(Declared::Method(method));
        }
        if !self.is(T::Ident) {
            return self.unexpected(None);
        }
        let mut vars = Vec::new();
        loop {
            let name = self.ident()?;
            let value = self.initializer()?;
            vars.push(VarName { ty: None, name, value });
            if !self.take(T::Comma) {
                break;
            }
            self.newlines();
        }
        Ok(Declared::Vars(VarDecl { modifiers, ty, vars, unpacked: None, multiple: false }))
    }

    /// `= value`, which may be a command.
    fn initializer(&mut self) -> Parsed<Option<Expr>> {
        if !self.take(T::Assign) {
            return Ok(None);
        }
        self.newlines();
        self.nested(Self::expression_statement).map(Some)
    }

    /// `def (a, int b) = list`
    pub(super) fn multiple_declaration(&mut self) -> Parsed<VarDecl> {
        let modifiers = self.modifiers()?;
        let opening = self.expect(T::LParen)?;
        let mut vars = Vec::new();
        loop {
            let typed = self.past_type(self.at).is_some_and(|after| self.token(after).kind == T::Ident);
            let ty = if typed { Some(self.type_ref()?) } else { None };
            vars.push(VarName { ty, name: self.ident()?, value: None });
            if !self.take(T::Comma) {
                break;
            }
        }
        self.expect_closing(T::RParen, opening)?;
        self.expect(T::Assign)?;
        self.newlines();
        let unpacked = Some(self.nested(|this| this.assignment(false))?);
        Ok(VarDecl { modifiers, ty: None, vars, unpacked, multiple: true })
    }

    /// From the parameters on. `start` is where the declaration begins.
    pub(super) fn method(
        &mut self,
        name: Ident,
        modifiers: Modifiers,
        ty: Option<TypeRef>,
        start: usize,
    ) -> Parsed<Method> {
        let opening = self.expect(T::LParen)?;
        let params = self.params(T::RParen)?;
        self.expect_closing(T::RParen, opening)?;
        let throws = self.throws()?;
        let mut default = None;
        if self.take(T::Default) {
            self.newlines();
            default = Some(self.annotation_value()?);
        }
        let brace = self.past_newlines(self.at);
        let mut body = None;
        if self.token(brace).kind == T::LCurly {
            self.at = brace;
            body = Some(self.block()?);
        }
        let span = self.span_from(start);
        Ok(Method { name, modifiers, generics: None, ty, params, throws, body, default, span })
    }

    fn throws(&mut self) -> Parsed<Vec<TypeRef>> {
        let keyword = self.past_newlines(self.at);
        if self.token(keyword).kind != T::Throws {
            return Ok(Vec::new());
        }
        self.at = keyword + 1;
        let mut types = Vec::new();
        loop {
            self.newlines();
            types.push(self.type_name()?);
            if !self.take(T::Comma) {
                return Ok(types);
            }
        }
    }
}
