//! What an expression reads, found without running it.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr as Ast, LiteralValue, operators};

/// A name that an expression reads, as far as it is written out: `steps.a.outputs.b` or `steps["a"]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    /// Never empty.
    pub(crate) path: Vec<String>,
    /// It ends in a computed index, as in `steps[x]`.
    pub(crate) open: bool,
    /// Inside `has()` or `.?`: may be missing.
    pub(crate) may_miss: bool,
    /// Where it begins, characters from the expression's start.
    pub(crate) start: usize,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) references: Vec<Reference>,
    /// Called functions that are no operators, with their places.
    pub(crate) functions: Vec<(String, usize)>,
}

/// Walks a tree that is known to be shallow enough.
pub(crate) struct Walk<'a> {
    offset: &'a dyn Fn(u64) -> usize,
    bound: Vec<String>,
    found: Found,
}

impl<'a> Walk<'a> {
    pub(crate) fn run(expr: &IdedExpr, offset: &'a dyn Fn(u64) -> usize) -> Found {
        let mut walk = Walk { offset, bound: Vec::new(), found: Found::default() };
        walk.visit(expr, false);
        walk.found
    }

    fn visit(&mut self, expr: &IdedExpr, may_miss: bool) {
        if let Some(reference) = self.path(expr, may_miss) {
            if !self.bound.contains(&reference.path[0]) {
                self.found.references.push(reference);
            }
            return;
        }
        match &expr.expr {
            Ast::Call(call) => {
                if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.found.functions.push((call.func_name.clone(), (self.offset)(expr.id)));
                }
                let optional = matches!(call.func_name.as_str(), operators::OPT_SELECT | operators::OPT_INDEX);
                call.target.iter().for_each(|target| self.visit(target, may_miss || optional));
                call.args.iter().for_each(|arg| self.visit(arg, may_miss || optional));
            }
            Ast::Comprehension(comprehension) => {
                self.visit(&comprehension.iter_range, may_miss);
                self.visit(&comprehension.accu_init, false);
                let outside = self.bound.len();
                self.bound.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
                self.bound.extend(comprehension.iter_var2.clone());
                for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                    self.visit(part, false);
                }
                self.bound.truncate(outside);
            }
            Ast::List(list) => list.elements.iter().for_each(|element| self.visit(element, false)),
            Ast::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key, false);
                        self.visit(&entry.value, false);
                    }
                }
            }
            Ast::Struct(made) => {
                for entry in &made.entries {
                    if let EntryExpr::StructField(field) = &entry.expr {
                        self.visit(&field.value, false);
                    }
                }
            }
            Ast::Select(select) => self.visit(&select.operand, may_miss || select.test),
            Ast::Ident(_) | Ast::Literal(_) | Ast::Unspecified => {}
        }
    }

    /// The path when the expression is one, up to a computed index (whose own names are visited).
    fn path(&mut self, expr: &IdedExpr, may_miss: bool) -> Option<Reference> {
        match &expr.expr {
            Ast::Ident(name) if !name.starts_with('@') => {
                let start = (self.offset)(expr.id);
                Some(Reference { path: vec![name.clone()], open: false, may_miss, start })
            }
            Ast::Select(select) => {
                let mut reference = self.path(&select.operand, may_miss || select.test)?;
                reference.may_miss |= select.test;
                if !reference.open {
                    reference.path.push(select.field.clone());
                }
                Some(reference)
            }
            Ast::Call(call)
                if call.args.len() == 2
                    && matches!(
                        call.func_name.as_str(),
                        operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT
                    ) =>
            {
                let optional = call.func_name != operators::INDEX;
                let mut reference = self.path(&call.args[0], may_miss || optional)?;
                reference.may_miss |= optional;
                match &call.args[1].expr {
                    Ast::Literal(LiteralValue::String(text)) if !reference.open => {
                        reference.path.push(text.inner().to_owned());
                    }
                    _ => {
                        reference.open = true;
                        self.visit(&call.args[1], false);
                    }
                }
                Some(reference)
            }
            _ => None,
        }
    }
}

/// The path of an expression that is nothing but a path.
pub(crate) fn plain_path(expr: &IdedExpr) -> Option<Vec<String>> {
    match &expr.expr {
        Ast::Ident(name) => Some(vec![name.clone()]),
        Ast::Select(select) if !select.test => {
            let mut path = plain_path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        Ast::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
            let Ast::Literal(LiteralValue::String(text)) = &call.args[1].expr else { return None };
            let mut path = plain_path(&call.args[0])?;
            path.push(text.inner().to_owned());
            Some(path)
        }
        _ => None,
    }
}

/// The depth of a tree, found without recursion: the tree may be too deep to recurse.
pub(crate) fn depth(expr: &IdedExpr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(expr, 1)];
    while let Some((expr, depth)) = open.pop() {
        deepest = deepest.max(depth);
        open.extend(children(expr).into_iter().map(|child| (child, depth + 1)));
    }
    deepest
}

fn children(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Ast::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).collect(),
        Ast::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Ast::List(list) => list.elements.iter().collect(),
        Ast::Map(map) => map.entries.iter().flat_map(|entry| entry_children(&entry.expr)).collect(),
        Ast::Struct(made) => made.entries.iter().flat_map(|entry| entry_children(&entry.expr)).collect(),
        Ast::Select(select) => vec![&select.operand],
        Ast::Ident(_) | Ast::Literal(_) | Ast::Unspecified => Vec::new(),
    }
}

fn entry_children(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

/// The names of all references, for tests and for building scopes.
pub(crate) fn roots(references: &[Reference]) -> BTreeSet<&str> {
    references.iter().map(|reference| reference.path[0].as_str()).collect()
}
