//! `properties([…])` of a scripted pipeline, as far as it is written in constants.

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{Expr, ExprKind, MapEntry, Script};

use super::Reader;
use super::matching::Found;
use super::model::{CallArg, Calls, MethodCall};
use crate::problems::Problems;

/// What a script says of its job.
pub(crate) struct Properties {
    pub(crate) parameters: Calls,
    pub(crate) triggers: Calls,
    pub(crate) options: Calls,
}

/// All that the script's `properties` calls say, wherever they stand.
pub(crate) fn properties(script: &Script) -> Properties {
    let none = || Calls { span: Span::new(0, 0), calls: Vec::new() };
    let mut said = Properties { parameters: none(), triggers: none(), options: none() };
    // What does not fit is left out: the script says it again when it runs.
    let mut unheard = Problems::new(&script.lines);
    let mut reader = Reader { lines: &script.lines, problems: &mut unheard, fragments: Vec::new() };
    crate::check::known::for_each(&script.body, &mut |expr| {
        let Some(found) = Found::of(expr).filter(|found| found.bare_name() == Some("properties")) else { return };
        for property in found.call.positional().flat_map(items) {
            reader.property(property, &mut said);
        }
    });
    said
}

impl Reader<'_, '_> {
    fn property(&mut self, expr: &Expr, said: &mut Properties) {
        if let ExprKind::Map(entries) = &expr.kind {
            // `[$class: 'ParametersDefinitionProperty', parameterDefinitions: […]]`
            let inner = value_of(entries, "parameterDefinitions").into_iter().flat_map(items);
            said.parameters.calls.extend(inner.filter_map(|one| self.symbol(one)));
            return;
        }
        let Some(found) = Found::of(expr) else { return };
        let inside = || found.call.positional().flat_map(items);
        match found.bare_name() {
            Some("parameters") => said.parameters.calls.extend(inside().filter_map(|one| self.symbol(one))),
            Some("pipelineTriggers") => said.triggers.calls.extend(inside().filter_map(|one| self.symbol(one))),
            Some(_) => said.options.calls.push(self.method_call(&found)),
            None => {}
        }
    }

    /// `string(name: 'a')` or `[$class: 'StringParameterDefinition', name: 'a']` as a call.
    fn symbol(&mut self, expr: &Expr) -> Option<MethodCall> {
        if let ExprKind::Map(entries) = &expr.kind {
            let class = value_of(entries, "$class")?.as_str()?.to_owned();
            let mut args = Vec::new();
            for entry in entries.iter().filter(|entry| entry.spread().is_none()) {
                let key = self.key(&entry.key);
                if key.name != "$class" {
                    args.push(CallArg::Named(key, Box::new(CallArg::Val(self.argument(&entry.value)))));
                }
            }
            return Some(MethodCall { span: expr.span, name: class, args });
        }
        let found = Found::of(expr)?;
        found.bare_name()?;
        Some(self.method_call(&found))
    }
}

/// The items of a list; anything else is a list of itself.
fn items(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::List(items) => items.iter().collect(),
        _ => vec![expr],
    }
}

fn value_of<'a>(entries: &'a [MapEntry], name: &str) -> Option<&'a Expr> {
    entries.iter().find(|entry| entry.key.as_str() == Some(name)).map(|entry| &entry.value)
}
