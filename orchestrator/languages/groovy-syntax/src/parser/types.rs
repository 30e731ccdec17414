//! Types, their arguments, modifiers and annotations.

use super::{Parsed, Parser};
use crate::ast::{Annotation, AnnotationMember, Expr, ExprKind, Ident, Modifiers, Name, TypeRef};
use crate::span::Span;
use crate::token::T;

impl Parser<'_> {
    /// A type with its arguments and `[]`.
    pub(super) fn type_ref(&mut self) -> Parsed<TypeRef> {
        let mut ty = self.type_name()?;
        while self.is(T::LBrack) && self.ahead(1) == T::RBrack {
            self.next();
            ty.span = ty.span.to(Self::span(self.next()));
            ty.dimensions += 1;
        }
        Ok(ty)
    }

    /// A type without `[]`.
    pub(super) fn type_name(&mut self) -> Parsed<TypeRef> {
        let start = self.at;
        if self.kind().is_builtin_type() {
            let token = self.next();
            let span = Self::span(token);
            return Ok(TypeRef { name: self.name_of(token), generics: None, dimensions: 0, span });
        }
        let mut parts = vec![self.ident()?.name];
        let mut generics = None;
        loop {
            if self.is(T::Less) {
                generics = Some(self.type_arguments()?);
            }
            if !(self.is(T::Dot) && self.ahead(1) == T::Ident) {
                break;
            }
            self.next();
            parts.push(self.ident()?.name);
        }
        Ok(TypeRef { name: join(parts), generics, dimensions: 0, span: self.span_from(start) })
    }

    /// `<…>`, kept as text.
    pub(super) fn type_arguments(&mut self) -> Parsed<Name> {
        let opening = self.here();
        let Some(after) = self.past_type_arguments(self.at) else {
            return self.fail(
                "Missing closing bracket '>' for generics types",
                Some("Please specify the missing bracket!".to_owned()),
            );
        };
        self.at = after;
        let end = self.token(after - 1).end;
        Ok(Span::new(opening.end, end.saturating_sub(1)).of(self.text).trim().into())
    }

    /// `a.b.C`.
    pub(super) fn dotted(&mut self) -> Parsed<Ident> {
        let first = self.ident()?;
        let mut span = first.span;
        let mut parts = vec![first.name];
        while self.is(T::Dot) && self.token(self.past_newlines(self.at + 1)).kind == T::Ident {
            self.next();
            self.newlines();
            let part = self.ident()?;
            span = span.to(part.span);
            parts.push(part.name);
        }
        Ok(Ident { name: join(parts), span })
    }

    /// Modifiers, `def` and annotations, with the line ends after each.
    pub(super) fn modifiers(&mut self) -> Parsed<Modifiers> {
        let mut modifiers = Modifiers::default();
        loop {
            let token = self.here();
            if token.kind == T::Def || token.kind.is_modifier() {
                let word = Self::span(token).of(self.text);
                let bit = Modifiers::bit(word).unwrap_or(0);
                if modifiers.flags & bit != 0 {
                    return match token.kind {
                        T::Def => self.unexpected(Some("one 'def' is enough")),
                        _ => self.fail(format!("Cannot repeat modifier: {word}"), None),
                    };
                }
                modifiers.flags |= bit;
                self.next();
            } else if token.kind == T::At && self.ahead(1) != T::Interface {
                modifiers.annotations.push(self.annotation()?);
            } else {
                break;
            }
            self.newlines();
        }
        let visible = [Modifiers::PUBLIC, Modifiers::PRIVATE, Modifiers::PROTECTED];
        if visible.iter().filter(|bit| modifiers.flags & **bit != 0).count() > 1 {
            return self.fail("Cannot specify more than one of public, private and protected", None);
        }
        Ok(modifiers)
    }

    pub(super) fn annotation(&mut self) -> Parsed<Annotation> {
        self.nested(|this| {
            let start = this.at;
            this.expect(T::At)?;
            let name = this.dotted()?;
            let mut members = Vec::new();
            let paren = this.past_newlines(this.at);
            if this.token(paren).kind == T::LParen {
                this.at = paren;
                let opening = this.next();
                if !this.is(T::RParen) {
                    this.annotation_members(&mut members)?;
                }
                this.expect_closing(T::RParen, opening)?;
            }
            Ok(Annotation { name, members, span: this.span_from(start) })
        })
    }

    fn annotation_members(&mut self, members: &mut Vec<AnnotationMember>) -> Parsed<()> {
        let named = (self.is(T::Ident) || self.kind().is_keyword()) && self.ahead(1) == T::Assign;
        if !named {
            let value = self.annotation_value()?;
            members.push(AnnotationMember { name: "value".into(), value });
            return Ok(());
        }
        loop {
            let token = self.next();
            self.expect(T::Assign)?;
            self.newlines();
            let value = self.annotation_value()?;
            members.push(AnnotationMember { name: self.name_of(token), value });
            if !self.take(T::Comma) {
                return Ok(());
            }
            self.newlines();
        }
    }

    /// What an annotation's member may be: an expression or another annotation.
    pub(super) fn annotation_value(&mut self) -> Parsed<Expr> {
        if self.is(T::At) {
            let start = self.at;
            let annotation = self.annotation()?;
            return self.node(ExprKind::Annotation(Box::new(annotation)), start);
        }
        self.conditional(false)
    }
}

fn join(parts: Vec<Name>) -> Name {
    match parts.as_slice() {
        [only] => only.clone(),
        _ => parts.iter().map(|part| &**part).collect::<Vec<_>>().join(".").into(),
    }
}
