//! Steps that nobody knows: found before anything runs.
//!
//! A bare call is a step unless the script says otherwise: a method, a closure, a variable, a class of the same name, a
//! global variable of a shared library. Code of classes and closures with a delegate of their own (`with`, `tap`, builder
//! calls) is not looked into. Where a library is loaded whose files are not pinned, nothing can be said and nothing is.

use std::collections::BTreeSet;

use haliotis_groovy_syntax::ast::{
    Arg, Block, Call, Callee, Closure, Expr, ExprKind, ForInit, GStringPart, MemberName, Method, Script, Stmt,
    StmtKind, VarDecl,
};

use crate::problems::{Problems, nearest};
use crate::table;

/// Functions that every script has beside the steps.
const FUNCTIONS: [&str; 17] = [
    "print",
    "println",
    "printf",
    "sprintf",
    "evaluate",
    "run",
    "getBinding",
    "setBinding",
    "sleep",
    "use",
    "with",
    "invokeMethod",
    "getProperty",
    "setProperty",
    "pipeline",
    "call",
    "library",
];
/// Sections of Declarative, whose bodies look like calls.
const SECTIONS: [&str; 31] = [
    "agent",
    "stages",
    "stage",
    "steps",
    "post",
    "environment",
    "tools",
    "options",
    "parameters",
    "triggers",
    "libraries",
    "when",
    "input",
    "parallel",
    "matrix",
    "axes",
    "axis",
    "excludes",
    "exclude",
    "failFast",
    "always",
    "changed",
    "fixed",
    "regression",
    "aborted",
    "success",
    "unsuccessful",
    "unstable",
    "failure",
    "notBuilt",
    "cleanup",
];
/// Sections whose contents are no steps.
const OPAQUE: [&str; 10] =
    ["agent", "environment", "tools", "options", "parameters", "triggers", "libraries", "input", "axes", "excludes"];
/// Methods that call a closure with a delegate of its own.
const DELEGATING: [&str; 3] = ["with", "tap", "delegate"];

/// Reports every call of a step that is not known; `extra` are names that pinned library files define, `open` means
/// that a library is not pinned.
pub(crate) fn check(script: &Script, extra: &BTreeSet<String>, open: bool, problems: &mut Problems<'_>) {
    let mut names = Names::default();
    names.script(script);
    let mut walk = Walk { names: &names.0, extra, open, problems, in_pipeline: false };
    walk.block(&script.body);
    for method in &script.methods {
        walk.method(method);
    }
}

/// Every name that the script itself gives to something.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn script(&mut self, script: &Script) {
        for class in &script.classes {
            self.add(&class.name.name);
        }
        for import in &script.imports {
            self.0.extend(import.local_name().map(str::to_owned));
        }
        for method in &script.methods {
            self.add(&method.name.name);
            self.0.extend(method.params.iter().map(|param| param.name.name.to_string()));
        }
        let mut visit = |expr: &Expr| match &expr.kind {
            ExprKind::Assign { target, .. } => {
                if let Some(name) = target.as_name() {
                    self.0.insert(name.to_string());
                }
                if let ExprKind::Property { member, .. } = &target.kind
                    && let MemberName::Fixed(name) = &member.name
                {
                    self.0.insert(name.to_string());
                }
            }
            ExprKind::Closure(closure) => self.0.extend(closure.params.iter().map(|param| param.name.name.to_string())),
            _ => {}
        };
        for_each(&script.body, &mut visit);
        for method in &script.methods {
            if let Some(body) = &method.body {
                for_each(body, &mut visit);
            }
        }
        let mut declared = |decl: &VarDecl| self.0.extend(decl.vars.iter().map(|var| var.name.name.to_string()));
        declarations(&script.body, &mut declared);
        for method in script.methods.iter().filter_map(|method| method.body.as_ref()) {
            declarations(method, &mut declared);
        }
    }

    fn add(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }
}

struct Walk<'a, 'p> {
    names: &'a BTreeSet<String>,
    extra: &'a BTreeSet<String>,
    open: bool,
    problems: &'a mut Problems<'p>,
    /// Inside `pipeline { }` but not inside a block of Groovy.
    in_pipeline: bool,
}

impl Walk<'_, '_> {
    fn method(&mut self, method: &Method) {
        if let Some(body) = &method.body {
            self.block(body);
        }
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        each_expr_of(stmt, &mut |expr| self.expr(expr));
        each_stmt_of(stmt, &mut |stmt| self.stmt(stmt));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Call(call) => self.call(call, expr),
            ExprKind::Closure(closure) => self.closure(closure),
            _ => each_child(expr, &mut |child| self.expr(child)),
        }
    }

    fn closure(&mut self, closure: &Closure) {
        self.block(&closure.body);
    }

    fn call(&mut self, call: &Call, expr: &Expr) {
        match &call.callee {
            Callee::Name(ident) => {
                let name: &str = &ident.name;
                if self.in_pipeline && OPAQUE.contains(&name) {
                    return;
                }
                let section = self.in_pipeline && SECTIONS.contains(&name);
                if !section {
                    self.judge(name, ident.span, call);
                }
                let before = self.in_pipeline;
                self.in_pipeline = match name {
                    "pipeline" => true,
                    // Inside steps everything is a step, also what shares its name with a section.
                    "steps" | "always" | "changed" | "fixed" | "regression" | "aborted" | "success"
                    | "unsuccessful" | "unstable" | "failure" | "notBuilt" | "cleanup" | "script" => false,
                    "when" => {
                        self.conditions(call);
                        return;
                    }
                    _ => before && section,
                };
                self.arguments(call);
                self.in_pipeline = before;
            }
            Callee::Method { object, member, .. } => {
                self.expr(object);
                let delegating = matches!(&member.name, MemberName::Fixed(name) if DELEGATING.contains(&&**name));
                let steps_object = object.as_name().is_some_and(|name| &**name == "steps");
                if !delegating || steps_object {
                    self.arguments(call);
                }
            }
            Callee::Value(value) => {
                self.expr(value);
                self.arguments(call);
            }
            Callee::This(_) | Callee::Super(_) => each_child(expr, &mut |child| self.expr(child)),
        }
    }

    /// Only `expression { }` holds code; other conditions are no steps.
    fn conditions(&mut self, call: &Call) {
        for arg in &call.args {
            let Arg::Positional(expr) = arg else { continue };
            let Some(closure) = expr.as_closure() else { continue };
            for stmt in &closure.body.stmts {
                each_expr_of(stmt, &mut |expr| {
                    let Some(inner) = expr.as_call() else { return };
                    match inner.bare_name().map(|name| &**name) {
                        Some("expression") => {
                            let before = std::mem::replace(&mut self.in_pipeline, false);
                            self.arguments(inner);
                            self.in_pipeline = before;
                        }
                        Some("allOf" | "anyOf" | "not") => self.conditions(inner),
                        _ => {}
                    }
                });
            }
        }
    }

    fn arguments(&mut self, call: &Call) {
        for arg in &call.args {
            match arg {
                Arg::Positional(expr) => self.expr(expr),
                Arg::Named(entry) => self.expr(&entry.value),
            }
        }
    }

    fn judge(&mut self, name: &str, span: haliotis_groovy_syntax::Span, call: &Call) {
        if self.names.contains(name) || self.extra.contains(name) || FUNCTIONS.contains(&name) {
            return;
        }
        if let Some(step) = table::step(name) {
            if let Some(owner) = step.foreign {
                self.problems.hinted(
                    span,
                    format!("The step \"{name}\" is known to Jenkins ({owner}) and is not part of Haliotis"),
                    how_to_add(name),
                );
            }
            return;
        }
        // A symbol that makes a value, or a constructor-like call.
        if table::value_symbol(name).is_some() || name.starts_with(char::is_uppercase) || self.open {
            return;
        }
        let _ = call;
        let near = nearest(name, table::steps().keys().copied().chain(self.names.iter().map(String::as_str)));
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"? Otherwise {}", how_to_add(name)),
            None => how_to_add(name),
        };
        self.problems.hinted(span, format!("No such DSL method '{name}' found among steps"), hint);
    }
}

fn how_to_add(name: &str) -> String {
    format!(
        "define it in the script (def {name}(…) {{ … }}), as vars/{name}.groovy of a shared library loaded with @Library, \
         or as a program of the plugins folder (haliotis steps --how)"
    )
}

/// Calls `visit` for every expression below a block, closures included.
pub(crate) fn for_each(block: &Block, visit: &mut impl FnMut(&Expr)) {
    fn expr(node: &Expr, visit: &mut dyn FnMut(&Expr)) {
        visit(node);
        if let ExprKind::Closure(closure) = &node.kind {
            for stmt in &closure.body.stmts {
                statement(stmt, visit);
            }
        }
        each_child(node, &mut |child| expr(child, visit));
    }
    fn statement(stmt: &Stmt, visit: &mut dyn FnMut(&Expr)) {
        each_expr_of(stmt, &mut |node| expr(node, visit));
        each_stmt_of(stmt, &mut |inner| statement(inner, visit));
    }
    for stmt in &block.stmts {
        statement(stmt, visit);
    }
}

fn declarations(block: &Block, visit: &mut impl FnMut(&VarDecl)) {
    fn statement(stmt: &Stmt, visit: &mut dyn FnMut(&VarDecl)) {
        match &stmt.kind {
            StmtKind::Var(decl) => visit(decl),
            StmtKind::For { init: ForInit::Var(decl), .. } => visit(decl),
            _ => {}
        }
        each_stmt_of(stmt, &mut |inner| statement(inner, visit));
        each_expr_of(stmt, &mut |expr| inside(expr, visit));
    }
    fn inside(expr: &Expr, visit: &mut dyn FnMut(&VarDecl)) {
        if let ExprKind::Closure(closure) = &expr.kind {
            for stmt in &closure.body.stmts {
                statement(stmt, visit);
            }
        }
        each_child(expr, &mut |child| inside(child, visit));
    }
    for stmt in &block.stmts {
        statement(stmt, visit);
    }
}

/// The statements directly inside one.
fn each_stmt_of(stmt: &Stmt, visit: &mut dyn FnMut(&Stmt)) {
    match &stmt.kind {
        StmtKind::If { then, otherwise, .. } => {
            visit(then);
            if let Some(otherwise) = otherwise {
                visit(otherwise);
            }
        }
        StmtKind::While { body, .. } | StmtKind::For { body, .. } | StmtKind::ForIn { body, .. } => visit(body),
        StmtKind::Switch { cases, .. } => cases.iter().flat_map(|case| &case.body).for_each(visit),
        StmtKind::Try { body, catches, finally } => {
            body.stmts.iter().for_each(&mut *visit);
            catches.iter().flat_map(|catch| &catch.body.stmts).for_each(&mut *visit);
            finally.iter().flat_map(|block| &block.stmts).for_each(visit);
        }
        StmtKind::Synchronized { body, .. } => body.stmts.iter().for_each(visit),
        StmtKind::Block(block) => block.stmts.iter().for_each(visit),
        _ => {}
    }
}

/// The expressions directly inside a statement.
fn each_expr_of(stmt: &Stmt, visit: &mut dyn FnMut(&Expr)) {
    match &stmt.kind {
        StmtKind::Expr(expr) | StmtKind::Throw(expr) => visit(expr),
        StmtKind::Var(decl) => {
            decl.vars.iter().filter_map(|var| var.value.as_ref()).for_each(&mut *visit);
            decl.unpacked.iter().for_each(visit);
        }
        StmtKind::If { condition, .. } | StmtKind::While { condition, .. } => visit(condition),
        StmtKind::For { init, condition, update, .. } => {
            match init {
                ForInit::Var(decl) => decl.vars.iter().filter_map(|var| var.value.as_ref()).for_each(&mut *visit),
                ForInit::Exprs(exprs) => exprs.iter().for_each(&mut *visit),
                ForInit::None => {}
            }
            condition.iter().for_each(&mut *visit);
            update.iter().for_each(visit);
        }
        StmtKind::ForIn { iterable, .. } => visit(iterable),
        StmtKind::Switch { value, cases } => {
            visit(value);
            cases.iter().filter_map(|case| case.value.as_ref()).for_each(visit);
        }
        StmtKind::Return(value) => value.iter().for_each(visit),
        StmtKind::Assert { condition, message } => {
            visit(condition);
            message.iter().for_each(visit);
        }
        StmtKind::Synchronized { monitor, .. } => visit(monitor),
        _ => {}
    }
}

/// The expressions directly inside an expression; the body of a closure is not among them.
fn each_child(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    match &expr.kind {
        ExprKind::GString(parts, _) => {
            for part in parts {
                if let GStringPart::Expr(inner) = part {
                    visit(inner);
                }
            }
        }
        ExprKind::List(items) => items.iter().for_each(visit),
        ExprKind::Map(entries) => {
            for entry in entries {
                visit(&entry.key);
                visit(&entry.value);
            }
        }
        ExprKind::Range { from: a, to: b, .. }
        | ExprKind::Binary { left: a, right: b, .. }
        | ExprKind::Assign { target: a, value: b, .. }
        | ExprKind::Elvis { value: a, otherwise: b } => {
            visit(a);
            visit(b);
        }
        ExprKind::Property { object, .. } | ExprKind::MethodPointer { object, .. } => visit(object),
        ExprKind::Index { object, indexes } => {
            visit(object);
            indexes.iter().for_each(visit);
        }
        ExprKind::MultiAssign { value, .. } => visit(value),
        ExprKind::Call(call) => {
            if let Callee::Method { object, .. } = &call.callee {
                visit(object);
            }
            for arg in &call.args {
                match arg {
                    Arg::Positional(inner) => visit(inner),
                    Arg::Named(entry) => visit(&entry.value),
                }
            }
        }
        ExprKind::New(new) => {
            for arg in &new.args {
                match arg {
                    Arg::Positional(inner) => visit(inner),
                    Arg::Named(entry) => visit(&entry.value),
                }
            }
        }
        ExprKind::Unary { operand: inner, .. }
        | ExprKind::IncDec { target: inner, .. }
        | ExprKind::Cast { value: inner, .. }
        | ExprKind::As { value: inner, .. }
        | ExprKind::InstanceOf { value: inner, .. }
        | ExprKind::Spread(inner) => visit(inner),
        ExprKind::Ternary { condition, then, otherwise } => {
            visit(condition);
            visit(then);
            visit(otherwise);
        }
        _ => {}
    }
}
