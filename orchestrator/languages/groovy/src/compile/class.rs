//! Files, classes, methods, fields.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{
    self, Annotation, Block, Callee, Expr, ExprKind, Literal, Modifiers, Stmt, StmtKind,
};

use super::{CompileError, Compiler, Done, annotated, spec};
use crate::class::{Class, Field, Generated, Init, Kind, Method};
use crate::code::{CallKind, CallSite, Code, Op, Param, TypeSpec};
use crate::types::id;
use crate::value::ClassRef;

/// A class, and the names that are still to be looked up.
pub(crate) struct ClassDef {
    /// The class; its superclass is `Object` until it is linked.
    pub(crate) class: Rc<Class>,
    /// `extends`.
    pub(crate) superclass: Option<TypeSpec>,
    /// `implements`.
    pub(crate) interfaces: Vec<TypeSpec>,
    /// Whether `superclass` may turn out to be an interface (anonymous classes).
    pub(crate) anonymous: bool,
    /// Where its name stands.
    pub(crate) span: Span,
}

enum Part<'a> {
    Field(&'a ast::Field),
    Block(&'a Block),
    Constant(&'a ast::EnumConstant, i32),
}

impl<'a> Compiler<'a> {
    /// The script's own class first, then the others.
    pub(super) fn file(&mut self, class: &str) -> Done {
        let script = self.script;
        let package = self.unit.package.clone().map(|package| format!("{package}.")).unwrap_or_default();
        let only_classes = script.methods.is_empty()
            && !script.classes.is_empty()
            && script.body.stmts.iter().all(|stmt| matches!(stmt.kind, StmtKind::Empty));
        if !only_classes {
            self.script_class(&format!("{package}{class}"), class)?;
        }
        for inner in &script.classes {
            self.class(inner, &format!("{package}{}", inner.name.name), None)?;
        }
        Ok(())
    }

    fn script_class(&mut self, full: &str, simple: &str) -> Done {
        let script = self.script;
        let class = self.bare(full, simple, Kind::Class, None, false, false, true, Generated::default());
        let place = self.classes.len();
        self.classes.push(ClassDef {
            class: class.clone(),
            superclass: None,
            interfaces: Vec::new(),
            anonymous: false,
            span: script.body.span,
        });
        *class.superclass.borrow_mut() = ClassRef::Builtin(id::SCRIPT);
        self.within.push(class.clone());
        let fields: Vec<&'a ast::VarDecl> = script
            .body
            .stmts
            .iter()
            .filter_map(|stmt| match &stmt.kind {
                StmtKind::Var(decl) if annotated(&decl.modifiers, "Field") => Some(decl),
                _ => None,
            })
            .collect();
        self.open("<init>", false, false);
        let mut done = Ok(());
        for decl in fields {
            for var in &decl.vars {
                let ty = var.ty.as_ref().or(decl.ty.as_ref()).map_or_else(TypeSpec::any, spec);
                let is_static = decl.modifiers.is_static();
                class.fields.borrow_mut().push(Field {
                    name: Rc::from(&*var.name.name),
                    ty,
                    is_static,
                    is_final: decl.modifiers.is_final(),
                    property: false,
                    private: false,
                    line: 0,
                });
                if let (Some(value), true) = (&var.value, done.is_ok()) {
                    done = self.expr(value);
                    let name = self.name(&var.name.name);
                    self.emit(if is_static { Op::InitStaticField(name) } else { Op::InitField(name) });
                }
            }
        }
        let init = self.seal();
        done?;
        *class.init.borrow_mut() = Some(init);
        for method in &script.methods {
            self.method_of(&class, method)?;
        }
        self.open("run", false, false);
        let done = self.body(&script.body, true);
        let code = self.seal();
        done?;
        self.add(&class, "run", code, false, false, false);
        self.within.pop();
        debug_assert!(place < self.classes.len(), "the class was pushed above");
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a class, each named at its only two callers")]
    fn bare(
        &self,
        full: &str,
        simple: &str,
        kind: Kind,
        outer: Option<Weak<Class>>,
        inner: bool,
        is_abstract: bool,
        script: bool,
        generated: Generated,
    ) -> Rc<Class> {
        Rc::new(Class {
            name: Rc::from(full),
            simple: Rc::from(simple),
            kind,
            is_abstract,
            script,
            outer,
            inner,
            unit: self.unit.clone(),
            superclass: RefCell::new(ClassRef::Builtin(id::OBJECT)),
            interfaces: RefCell::default(),
            fields: RefCell::default(),
            methods: RefCell::new(BTreeMap::new()),
            constructors: RefCell::default(),
            init: RefCell::default(),
            clinit: RefCell::default(),
            statics: RefCell::default(),
            constants: RefCell::default(),
            initialised: Cell::new(Init::No),
            generated,
        })
    }

    /// Compiles a class and those in it.
    fn class(
        &mut self,
        tree: &'a ast::Class,
        full: &str,
        outer: Option<&Rc<Class>>,
    ) -> Result<Rc<Class>, CompileError> {
        let kind = match tree.kind {
            ast::ClassKind::Class => Kind::Class,
            ast::ClassKind::Interface | ast::ClassKind::Annotation => Kind::Interface,
            ast::ClassKind::Trait => Kind::Trait,
            ast::ClassKind::Enum => Kind::Enum,
        };
        let anonymous = tree.name.name.is_empty();
        let inner = anonymous || (outer.is_some() && kind == Kind::Class && !tree.modifiers.is_static());
        let simple = if anonymous { "" } else { &*tree.name.name };
        let is_abstract = tree.modifiers.is_abstract();
        let class = self.bare(
            full,
            simple,
            kind,
            outer.map(Rc::downgrade),
            inner,
            is_abstract,
            false,
            generated(&tree.modifiers),
        );
        self.classes.push(ClassDef {
            class: class.clone(),
            superclass: tree.superclass.as_ref().map(spec),
            interfaces: tree.interfaces.iter().map(spec).collect(),
            anonymous,
            span: tree.name.span,
        });
        self.within.push(class.clone());
        let before = std::mem::take(&mut self.closures);
        let done = self.members(tree, &class, full);
        self.closures = before;
        self.within.pop();
        done?;
        Ok(class)
    }

    fn members(&mut self, tree: &'a ast::Class, class: &Rc<Class>, full: &str) -> Done {
        let interface = class.kind == Kind::Interface;
        for field in &tree.fields {
            class.fields.borrow_mut().push(Field {
                name: Rc::from(&*field.name.name),
                ty: field.ty.as_ref().map_or_else(TypeSpec::any, spec),
                is_static: field.modifiers.is_static() || interface,
                is_final: field.modifiers.is_final() || interface,
                property: field.is_property() && !interface,
                private: field.modifiers.is_private(),
                line: field.span.start,
            });
        }
        *class.constants.borrow_mut() = tree.constants.iter().map(|constant| Rc::from(&*constant.name.name)).collect();
        for inner in &tree.classes {
            self.class(inner, &format!("{full}${}", inner.name.name), Some(class))?;
        }
        self.initial(tree, class, full, interface)?;
        for method in &tree.methods {
            self.method_of(class, method)?;
        }
        for constructor in &tree.constructors {
            self.open("<init>", false, false);
            let done = self.constructor(constructor);
            let code = self.seal();
            done?;
            class.constructors.borrow_mut().push(Rc::new(Method {
                name: Rc::from("<init>"),
                code,
                is_static: false,
                is_abstract: false,
                private: constructor.modifiers.is_private(),
                class: RefCell::new(Rc::downgrade(class)),
            }));
        }
        if class.constructors.borrow().is_empty() && !class.is_interface() {
            self.default_constructor(class, tree.name.name.is_empty() || class.generated.inherit_constructors);
        }
        Ok(())
    }

    /// First values of fields and initializer blocks, in the order of the text.
    fn initial(&mut self, tree: &'a ast::Class, class: &Rc<Class>, full: &str, interface: bool) -> Done {
        let mut parts: Vec<(u32, bool, Part<'a>)> = Vec::new();
        for (at, constant) in tree.constants.iter().enumerate() {
            parts.push((constant.span.start, true, Part::Constant(constant, i32::try_from(at).unwrap_or(0))));
        }
        for field in &tree.fields {
            parts.push((field.span.start, field.modifiers.is_static() || interface, Part::Field(field)));
        }
        for block in &tree.initializers {
            parts.push((block.span.start, block.is_static, Part::Block(&block.body)));
        }
        parts.sort_by_key(|(start, _, _)| *start);
        for is_static in [true, false] {
            self.open(if is_static { "<clinit>" } else { "<init>" }, is_static, false);
            let mut done = Ok(());
            for (_, _, part) in parts.iter().filter(|(_, stat, _)| *stat == is_static) {
                if done.is_ok() {
                    done = self.part(part, is_static, full, class);
                }
            }
            let code = self.seal();
            done?;
            let place = if is_static { &class.clinit } else { &class.init };
            *place.borrow_mut() = Some(code);
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'a>, is_static: bool, full: &str, class: &Rc<Class>) -> Done {
        match part {
            Part::Field(field) => {
                let Some(value) = &field.value else { return Ok(()) };
                self.expr(value)?;
                let name = self.name(&field.name.name);
                self.at = field.span.start;
                self.emit(if is_static { Op::InitStaticField(name) } else { Op::InitField(name) });
                Ok(())
            }
            Part::Block(block) => self.scoped(|this| this.body(block, false)),
            Part::Constant(constant, ordinal) => self.constant_of(constant, *ordinal, full, class),
        }
    }

    fn constant_of(&mut self, constant: &'a ast::EnumConstant, ordinal: i32, full: &str, class: &Rc<Class>) -> Done {
        let name = match &constant.body {
            Some(body) => {
                let name = format!("{full}${}", ordinal + 1);
                let inner = self.class(body, &name, Some(class))?;
                if let Some(def) = self.classes.iter_mut().find(|def| Rc::ptr_eq(&def.class, &inner)) {
                    def.superclass = Some(TypeSpec { name: Rc::from(full), dimensions: 0 });
                    def.anonymous = false;
                }
                name
            }
            None => full.to_owned(),
        };
        let ty = self.type_index(TypeSpec { name: Rc::from(name), dimensions: 0 });
        self.string(&constant.name.name);
        self.emit(Op::Int(ordinal));
        let (count, spread) = self.args(&constant.args)?;
        self.at = constant.span.start;
        let func = self.func();
        func.calls.push(CallSite {
            kind: CallKind::Value,
            name: Rc::from("<enum>"),
            dynamic: false,
            count,
            spread,
            ty,
        });
        let index = u32::try_from(func.calls.len() - 1).unwrap_or(u32::MAX);
        self.emit(Op::New(index));
        let field = self.name(&constant.name.name);
        self.emit(Op::InitStaticField(field));
        Ok(())
    }

    fn add(
        &mut self,
        class: &Rc<Class>,
        name: &str,
        code: Rc<Code>,
        is_static: bool,
        is_abstract: bool,
        private: bool,
    ) {
        let method = Rc::new(Method {
            name: Rc::from(name),
            code,
            is_static,
            is_abstract,
            private,
            class: RefCell::new(Rc::downgrade(class)),
        });
        class.methods.borrow_mut().entry(Rc::from(name)).or_default().push(method);
    }

    fn method_of(&mut self, class: &Rc<Class>, tree: &'a ast::Method) -> Done {
        let is_static = tree.modifiers.is_static();
        self.open(&tree.name.name, is_static, false);
        let done = self.method_body(tree);
        let code = self.seal();
        done?;
        let is_abstract = tree.body.is_none();
        self.add(class, &tree.name.name, code, is_static, is_abstract, tree.modifiers.is_private());
        Ok(())
    }

    fn method_body(&mut self, tree: &'a ast::Method) -> Done {
        self.params(&tree.params)?;
        let void = tree.ty.as_ref().is_some_and(|ty| &*ty.name == "void" && ty.dimensions == 0);
        self.func().void = void;
        if !void {
            let result = self.conversion(tree.ty.as_ref());
            self.func().result = result;
        }
        match &tree.body {
            Some(body) => self.body(body, !void),
            None => Ok(()),
        }
    }

    fn constructor(&mut self, tree: &'a ast::Method) -> Done {
        self.params(&tree.params)?;
        self.func().void = true;
        let Some(body) = &tree.body else { return Ok(()) };
        let first = body.stmts.first().and_then(chained);
        if first.is_none() {
            self.super_init(0, false);
            self.emit(Op::RunInit);
        }
        if first == Some(false) {
            // `super(...)` runs before the fields get their first values.
            let (head, rest) = body.stmts.split_at(1);
            self.some(head)?;
            self.emit(Op::RunInit);
            return self.some(rest);
        }
        self.body(body, false)
    }

    fn some(&mut self, stmts: &'a [Stmt]) -> Done {
        for stmt in stmts {
            self.stmt(stmt, false)?;
        }
        Ok(())
    }

    fn super_init(&mut self, count: u32, spread: bool) {
        let func = self.func();
        func.calls.push(CallSite {
            kind: CallKind::SuperInit,
            name: Rc::from("super"),
            dynamic: false,
            count,
            spread,
            ty: 0,
        });
        let index = u32::try_from(func.calls.len() - 1).unwrap_or(u32::MAX);
        self.emit(Op::Call(index));
        self.emit(Op::Pop);
    }

    /// `Foo() { super() }`, or for an anonymous class one that hands all arguments on.
    fn default_constructor(&mut self, class: &Rc<Class>, hand_on: bool) {
        self.open("<init>", false, false);
        self.at = 0;
        if hand_on {
            let ty = self.type_index(TypeSpec { name: Rc::from("Object"), dimensions: 1 });
            let slot = self.fresh_slot();
            self.func().params.push(Param { name: Rc::from("args"), ty, default: false, varargs: true });
            self.emit(Op::Load(slot));
            self.super_init(1, true);
        } else {
            self.super_init(0, false);
        }
        self.emit(Op::RunInit);
        let code = self.seal();
        class.constructors.borrow_mut().push(Rc::new(Method {
            name: Rc::from(if hand_on { "<init>" } else { "<default>" }),
            code,
            is_static: false,
            is_abstract: false,
            private: false,
            class: RefCell::new(Rc::downgrade(class)),
        }));
    }

    /// Compiles an anonymous class; answers its name and the variables around it that it uses.
    pub(super) fn anonymous_class(&mut self, tree: &'a ast::Class) -> Result<(Rc<str>, Vec<Rc<str>>), CompileError> {
        self.anonymous += 1;
        let outer = self.within.last().cloned();
        let base = outer.as_ref().map_or_else(|| "Script".to_owned(), |class| class.name.to_string());
        let full: Rc<str> = Rc::from(format!("{base}${}", self.anonymous));
        let hidden = Rc::new(RefCell::new(BTreeSet::new()));
        self.hidden.push(hidden.clone());
        let done = self.class(tree, &full, outer.as_ref());
        self.hidden.pop();
        done?;
        let names = hidden.borrow().iter().cloned().collect();
        Ok((full, names))
    }
}

/// Whether a statement is `this(...)` (true) or `super(...)` (false).
fn chained(stmt: &Stmt) -> Option<bool> {
    match &stmt.kind {
        StmtKind::Expr(Expr { kind: ExprKind::Call(call), .. }) => match call.callee {
            Callee::This(_) => Some(true),
            Callee::Super(_) => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn names(annotation: &Annotation, member: &str) -> Vec<Rc<str>> {
    let texts =
        |expr: &Expr| expr.as_str().map(|text| text.split(',').map(|name| Rc::from(name.trim())).collect::<Vec<_>>());
    match annotation.member(member) {
        Some(Expr { kind: ExprKind::List(items), .. }) => items.iter().filter_map(texts).flatten().collect(),
        Some(expr) => texts(expr).unwrap_or_default(),
        None => Vec::new(),
    }
}

fn truth(annotation: &Annotation, member: &str) -> Option<bool> {
    match annotation.member(member).map(|expr| &expr.kind) {
        Some(ExprKind::Literal(Literal::Bool(truth))) => Some(*truth),
        _ => None,
    }
}

fn generated(modifiers: &Modifiers) -> Generated {
    let has = |name: &str| annotated(modifiers, name);
    let all = has("Canonical") || has("Immutable");
    let mut generated = Generated {
        to_string: has("ToString") || all,
        equals: has("EqualsAndHashCode") || all,
        tuple: has("TupleConstructor") || all,
        immutable: has("Immutable"),
        singleton: has("Singleton"),
        sortable: has("Sortable"),
        inherit_constructors: has("InheritConstructors"),
        ..Generated::default()
    };
    for name in ["ToString", "EqualsAndHashCode", "Canonical", "Sortable"] {
        let Some(annotation) = modifiers.annotation(name) else { continue };
        generated.excludes.extend(names(annotation, "excludes"));
        generated.includes.extend(names(annotation, "includes"));
        generated.include_names |= truth(annotation, "includeNames") == Some(true);
        generated.no_package |= truth(annotation, "includePackage") == Some(false);
        generated.ignore_nulls |= truth(annotation, "ignoreNulls") == Some(true);
        generated.include_super |= truth(annotation, "includeSuper") == Some(true);
    }
    generated
}
