//! Classes, interfaces, traits, enums and annotation types.

use std::sync::Arc;

use super::decl::Declared;
use super::statement::Where;
use super::{Parsed, Parser};
use crate::ast::{
    Arg, Callee, Class, ClassKind, EnumConstant, Field, Ident, Initializer, Method, Modifiers, StmtKind, TypeRef,
    VarDecl,
};
use crate::token::T;

impl Parser<'_> {
    /// A type with its modifiers.
    pub(super) fn type_definition(&mut self) -> Parsed<Class> {
        self.nested(|this| {
            let start = this.at;
            let modifiers = this.modifiers()?;
            let kind = match this.next().kind {
                T::Class => ClassKind::Class,
                T::Interface => ClassKind::Interface,
                T::Trait => ClassKind::Trait,
                T::Enum => ClassKind::Enum,
                // `@interface`
                _ => {
                    this.next();
                    ClassKind::Annotation
                }
            };
            let name = this.ident()?;
            this.newlines();
            let mut class = empty_class(kind, name, modifiers);
            if this.is(T::Less) {
                class.generics = Some(this.type_arguments()?);
                this.newlines();
            }
            this.supertypes(&mut class)?;
            this.class_body(&mut class)?;
            class.span = this.span_from(start);
            Ok(class)
        })
    }

    /// `new A() { … }`, from the brace on.
    pub(super) fn anonymous_class(&mut self, ty: &TypeRef) -> Parsed<Arc<Class>> {
        let start = self.at;
        let name = Ident { name: "".into(), span: ty.span };
        let mut class = empty_class(ClassKind::Class, name, Modifiers::default());
        class.superclass = Some(ty.clone());
        self.class_body(&mut class)?;
        class.span = self.span_from(start);
        Ok(Arc::new(class))
    }

    fn supertypes(&mut self, class: &mut Class) -> Parsed<()> {
        if self.take(T::Extends) {
            let mut types = self.type_list()?;
            if class.kind == ClassKind::Interface {
                class.interfaces = types;
            } else {
                if types.len() > 1 {
                    return self.fail("a class extends one class", Some("interfaces stand after 'implements'".into()));
                }
                class.superclass = types.pop();
            }
        }
        if self.take(T::Implements) {
            class.interfaces = self.type_list()?;
        }
        Ok(())
    }

    fn type_list(&mut self) -> Parsed<Vec<TypeRef>> {
        let mut types = Vec::new();
        loop {
            self.newlines();
            types.push(self.type_name()?);
            self.newlines();
            if !self.take(T::Comma) {
                return Ok(types);
            }
        }
    }

    fn class_body(&mut self, class: &mut Class) -> Parsed<()> {
        let opening = self.expect(T::LCurly)?;
        self.classes.push(class.name.name.clone());
        self.newlines();
        if class.kind == ClassKind::Enum {
            // An error among the constants ends them; the members are read all the same.
            if self.enum_constants(class).is_err() {
                self.recover(Where::Block);
            }
        }
        self.members(class);
        self.classes.pop();
        self.expect_closing(T::RCurly, opening)?;
        Ok(())
    }

    /// Members up to the closing brace. Errors are recorded and passed over.
    fn members(&mut self, class: &mut Class) {
        loop {
            while matches!(self.kind(), T::Newline | T::Semi) {
                self.next();
            }
            if matches!(self.kind(), T::RCurly | T::End) || self.hopeless {
                return;
            }
            let member = self.nested(|this| this.member_of_class(class)).and_then(|()| {
                if matches!(self.kind(), T::Newline | T::Semi | T::RCurly | T::End) {
                    return Ok(());
                }
                let found = self.found();
                self.fail(format!("expecting '}}', found '{found}'"), None)
            });
            if member.is_err() {
                self.recover(Where::Block);
            }
        }
    }

    fn member_of_class(&mut self, class: &mut Class) -> Parsed<()> {
        let start = self.at;
        if self.constructor_starts() {
            let modifiers = self.modifiers()?;
            let name = self.ident()?;
            self.newlines();
            let constructor = self.method(name, modifiers, None, start)?;
            self.check_body(&constructor, start);
            self.check_delegation(&constructor);
            class.constructors.push(Arc::new(constructor));
            return Ok(());
        }
        if self.type_definition_starts(self.at) {
            class.classes.push(Arc::new(self.type_definition()?));
            return Ok(());
        }
        if self.is(T::LCurly) || (self.is(T::Static) && self.token(self.past_newlines(self.at + 1)).kind == T::LCurly) {
            let is_static = self.take(T::Static);
            self.newlines();
            let body = self.block()?;
            class.initializers.push(Initializer { is_static, body, span: self.span_from(start) });
            return Ok(());
        }
        if self.multiple_declaration_starts(self.at) {
            return self.unexpected(Some("the fields of a class are declared one by one"));
        }
        if !self.generic_method_starts(self.at) && !self.declaration_starts(self.at) {
            self.modifiers()?;
            return self.unexpected(Some("a class has fields, methods, constructors, blocks and classes"));
        }
        match self.declaration()? {
            Declared::Vars(vars) => self.fields(class, vars, start),
            Declared::Method(method) => {
                self.check_method(class, &method, start);
                class.methods.push(Arc::new(method));
            }
        }
        Ok(())
    }

    fn fields(&mut self, class: &mut Class, vars: VarDecl, start: usize) {
        let span = self.span_from(start);
        for var in vars.vars {
            class.fields.push(Field {
                name: var.name,
                ty: vars.ty.clone(),
                modifiers: vars.modifiers.clone(),
                value: var.value,
                span,
            });
        }
    }

    fn constructor_starts(&self) -> bool {
        let at = self.past_modifiers(self.at);
        let token = self.token(at);
        token.kind == T::Ident
            && self.token(self.past_newlines(at + 1)).kind == T::LParen
            && self.classes.last().is_some_and(|class| *class == self.name_of(token))
    }

    fn check_method(&mut self, class: &Class, method: &Method, start: usize) {
        let span = self.span_from(start);
        match class.kind {
            ClassKind::Interface | ClassKind::Annotation => {
                if method.body.is_some() && !method.modifiers.is_static() {
                    self.report(span, "Abstract methods do not define a body.", None);
                }
            }
            _ if method.modifiers.is_abstract() => {
                if method.body.is_some() {
                    self.report(span, "Abstract methods do not define a body.", None);
                }
            }
            _ => self.check_body(method, start),
        }
    }

    /// A method that is not abstract has a body.
    pub(super) fn check_body(&mut self, method: &Method, start: usize) {
        if method.body.is_none() && !method.modifiers.is_native() {
            let span = self.span_from(start);
            let message = "You defined a method without body. Try adding a body, or declare it abstract.";
            self.report(span, message, None);
        }
    }

    /// `this(…)` and `super(…)` come first in a constructor.
    fn check_delegation(&mut self, constructor: &Method) {
        let later = constructor.body.iter().flat_map(|body| body.stmts.iter().skip(1));
        for stmt in later {
            if let StmtKind::Expr(expr) = &stmt.kind
                && expr.as_call().is_some_and(|call| matches!(call.callee, Callee::This(_) | Callee::Super(_)))
            {
                self.report(stmt.span, "Constructor call must be the first statement in a constructor.", None);
            }
        }
    }

    fn enum_constants(&mut self, class: &mut Class) -> Parsed<()> {
        while self.enum_constant_starts() {
            let start = self.at;
            let modifiers = self.modifiers()?;
            let name = self.ident()?;
            let mut args: Vec<Arg> = Vec::new();
            if self.is(T::LParen) {
                args = self.call_args()?;
            }
            let mut body = None;
            if self.is(T::LCurly) {
                let ty = TypeRef { name: class.name.name.clone(), generics: None, dimensions: 0, span: name.span };
                body = Some(self.anonymous_class(&ty)?);
            }
            let span = self.span_from(start);
            class.constants.push(EnumConstant { name, modifiers, args, body, span });
            let comma = self.past_newlines(self.at);
            if self.token(comma).kind != T::Comma {
                return Ok(());
            }
            self.at = comma + 1;
            self.newlines();
        }
        Ok(())
    }

    /// A name that is followed by nothing that would make it a member of another kind.
    fn enum_constant_starts(&self) -> bool {
        let mut at = self.at;
        while let Some(next) = self.past_annotation(at) {
            at = self.past_newlines(next);
        }
        if self.token(at).kind != T::Ident {
            return false;
        }
        match self.token(at + 1).kind {
            T::LParen | T::LCurly => true,
            _ => {
                let next = self.past_newlines(at + 1);
                matches!(self.token(next).kind, T::Semi | T::Comma | T::RCurly)
                    || (next > at + 1 && self.member_starts(next))
            }
        }
    }

    fn member_starts(&self, at: usize) -> bool {
        self.declaration_starts(at) || self.generic_method_starts(at) || self.type_definition_starts(at) || {
            // A constructor.
            let token = self.token(self.past_modifiers(at));
            token.kind == T::Ident && self.classes.last().is_some_and(|class| *class == self.name_of(token))
        }
    }
}

fn empty_class(kind: ClassKind, name: Ident, modifiers: Modifiers) -> Class {
    Class {
        kind,
        name,
        modifiers,
        generics: None,
        superclass: None,
        interfaces: Vec::new(),
        constants: Vec::new(),
        fields: Vec::new(),
        methods: Vec::new(),
        constructors: Vec::new(),
        initializers: Vec::new(),
        classes: Vec::new(),
        span: crate::span::Span::default(),
    }
}
