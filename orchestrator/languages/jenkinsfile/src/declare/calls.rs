//! `options`, `parameters`, `triggers`: sections of calls.

use haliotis_groovy_syntax::ast::{Arg, Expr, ExprKind, Stmt, StmtKind};

use super::Reader;
use super::matching::{Found, block_of, call_of};
use super::model::{CallArg, Calls, MethodCall};
use crate::words;

/// How such a section is called.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    /// Its name in the source.
    name: &'static str,
    /// In the plural, in messages.
    plural: &'static str,
    /// What is expected where something else stands.
    expected: &'static str,
    /// How one of them is written.
    example: &'static str,
}

pub(crate) const OPTIONS: Section = Section {
    name: "options",
    plural: "Options",
    expected: "Expected an option",
    example: "timeout(time: 1, unit: 'HOURS')",
};
pub(crate) const PARAMETERS: Section = Section {
    name: "parameters",
    plural: "Build parameters",
    expected: "Expected a build parameter definition",
    example: "string(name: 'A', defaultValue: 'b')",
};
pub(crate) const TRIGGERS: Section =
    Section { name: "triggers", plural: "Triggers", expected: "Expected a trigger", example: "cron('H 4 * * *')" };

impl Reader<'_, '_> {
    pub(crate) fn calls(&mut self, stmt: &Stmt, section: Section) -> Calls {
        let mut calls = Calls { span: stmt.span, calls: Vec::new() };
        let Some(block) = block_of(stmt) else {
            let hint = format!("write {} {{ {} }}", section.name, section.example);
            self.problems.hinted(stmt.span, words::expected_block_for(section.name), hint);
            return calls;
        };
        for inner in &block.body.body.stmts {
            calls.calls.push(self.section_call(inner, section));
        }
        calls
    }

    fn section_call(&mut self, stmt: &Stmt, section: Section) -> MethodCall {
        let unread = MethodCall { span: stmt.span, name: String::new(), args: Vec::new() };
        let Some(found) = call_of(stmt) else {
            let is_map =
                matches!(&stmt.kind, StmtKind::Expr(expr) if matches!(expr.kind, ExprKind::Map(_) | ExprKind::List(_)));
            if is_map {
                self.problems.error(stmt.span, words::no_maps(section.plural));
            } else {
                self.problems.hinted(stmt.span, section.expected, format!("as in {}", section.example));
            }
            return unread;
        };
        if block_of(stmt).is_some() {
            self.problems.error(stmt.span, words::no_blocks(section.plural));
            return unread;
        }
        self.method_call(&found)
    }

    /// A call as an argument or entry.
    pub(crate) fn method_call(&mut self, found: &Found<'_>) -> MethodCall {
        let name = self.method_name(found);
        let mut args = Vec::new();
        for arg in &found.call.args {
            match arg {
                Arg::Named(entry) => {
                    let key = self.key(&entry.key);
                    if let Some(value) = self.call_argument(&entry.value) {
                        args.push(CallArg::Named(key, Box::new(value)));
                    }
                }
                Arg::Positional(expr) => args.extend(self.call_argument(expr)),
            }
        }
        MethodCall { span: found.span, name, args }
    }

    fn call_argument(&mut self, expr: &Expr) -> Option<CallArg> {
        if matches!(expr.kind, ExprKind::Closure(_)) {
            self.problems.error(expr.span, words::closure_argument());
            return None;
        }
        match Found::of(expr) {
            Some(found) if found.bare_name().is_some() => Some(CallArg::Call(self.method_call(&found))),
            _ => Some(CallArg::Val(self.argument(expr))),
        }
    }
}
