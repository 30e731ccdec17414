//! `options`, `triggers`, `parameters`: which there are, and their arguments.

use haliotis_groovy_syntax::ast::Literal;

use super::{Check, signature, twice};
use crate::declare::model::{CallArg, Calls, MethodCall, Val};
use crate::problems::{did_you_mean, nearest};
use crate::table::{self, Symbol, Type};
use crate::words;

impl Check<'_, '_> {
    pub(super) fn options(&mut self, options: &Calls, in_stage: bool) {
        if options.calls.is_empty() {
            self.problems.error(options.span, words::empty_section("options"));
        }
        for name in twice(options.calls.iter().map(|call| call.name.as_str())) {
            self.problems.error(options.span, words::duplicate_option(name));
        }
        for call in options.calls.iter().filter(|call| !call.name.is_empty()) {
            if ["parameters", "pipelineTriggers"].contains(&call.name.as_str()) {
                let section = if call.name == "parameters" { "parameters" } else { "triggers" };
                self.problems.hinted(
                    call.span,
                    format!("Job property \"{}\" is not allowed in options", call.name),
                    format!("use the {section} section"),
                );
                continue;
            }
            let section = table::section(if in_stage { "stageoption" } else { "option" });
            let wrapper = table::step(&call.name).filter(|step| step.wrapper && step.foreign.is_none());
            match section.get(call.name.as_str()).or(wrapper) {
                Some(known) => self.call(call, known),
                None => {
                    let wrappers = table::steps().values().filter(|step| step.wrapper && step.foreign.is_none());
                    let mut names: Vec<&str> = section.keys().copied().chain(wrappers.map(|step| step.name)).collect();
                    names.sort_unstable();
                    let hint = did_you_mean(&call.name, names.iter().copied());
                    let message = words::invalid_section_type("option", &call.name, &words::list(&names));
                    self.problems.maybe(call.span, message, hint);
                }
            }
        }
    }

    pub(super) fn triggers(&mut self, triggers: &Calls) {
        if triggers.calls.is_empty() {
            self.problems.error(triggers.span, words::empty_section("triggers"));
        }
        for name in twice(triggers.calls.iter().map(|call| call.name.as_str())) {
            self.problems.error(triggers.span, words::duplicate_trigger(name));
        }
        self.of_section(triggers, "trigger");
    }

    pub(super) fn parameters(&mut self, parameters: &Calls) {
        if parameters.calls.is_empty() {
            self.problems.error(parameters.span, words::empty_section("parameters"));
        }
        self.of_section(parameters, "parameter");
    }

    fn of_section(&mut self, calls: &Calls, kind: &str) {
        let section = table::section(kind);
        for call in calls.calls.iter().filter(|call| !call.name.is_empty() && call.name != "error") {
            match section.get(call.name.as_str()) {
                Some(known) => self.call(call, known),
                None => {
                    let names: Vec<&str> = section.keys().copied().collect();
                    let hint = did_you_mean(&call.name, names.iter().copied());
                    let message = words::invalid_section_type(kind, &call.name, &words::list(&names));
                    self.problems.maybe(call.span, message, hint);
                }
            }
        }
    }

    fn call(&mut self, call: &MethodCall, known: &Symbol) {
        let named = call.args.iter().filter(|arg| matches!(arg, CallArg::Named(..))).count();
        if named > 0 && named < call.args.len() {
            self.problems.error(call.span, words::mixed_arguments());
            return;
        }
        if known.is_open() {
            return;
        }
        if named > 0 {
            for arg in &call.args {
                self.named_argument(arg, known);
            }
            return;
        }
        let required: Vec<_> = known.params.iter().filter(|param| param.required).collect();
        match call.args.as_slice() {
            [] if required.is_empty() => {}
            [] => {
                let message = words::wrong_count(&call.name, &required.len().to_string(), "0");
                self.problems.hinted(call.span, message, signature(known));
            }
            [arg] => match known.sole().or_else(|| known.params.first().filter(|_| required.is_empty())) {
                Some(param) => {
                    if let CallArg::Val(val) = arg {
                        self.type_of(val, param.ty, None);
                    }
                }
                None => {
                    let message = words::wrong_count(&call.name, &required.len().to_string(), "1");
                    self.problems.hinted(call.span, message, signature(known));
                }
            },
            _ => self.problems.hinted(call.span, words::must_be_named(&call.name), signature(known)),
        }
        if let [CallArg::Call(inner)] = call.args.as_slice()
            && let Some(known) = table::section("value").get(inner.name.as_str())
        {
            self.call(inner, known);
        }
    }

    fn named_argument(&mut self, arg: &CallArg, known: &Symbol) {
        let CallArg::Named(key, value) = arg else { return };
        let Some(param) = known.param(&key.name) else {
            let names = || known.params.iter().map(|param| param.name);
            let near = nearest(&key.name, names()).or_else(|| names().next()).unwrap_or("");
            self.problems.hinted(key.span, words::invalid_parameter(&key.name, near), signature(known));
            return;
        };
        if let CallArg::Val(val) = value.as_ref() {
            self.type_of(val, param.ty, Some(&key.name));
        }
    }

    /// Booleans, numbers and text do not stand for each other in Jenkins.
    pub(super) fn type_of(&mut self, val: &Val, wanted: Type, name: Option<&str>) {
        let Some(literal) = val.literal() else { return };
        let (shown, got) = match literal {
            Literal::Int(number) => (number.to_string(), "class java.lang.Integer"),
            Literal::Long(number) => (number.to_string(), "class java.lang.Long"),
            Literal::Bool(truth) => (truth.to_string(), "class java.lang.Boolean"),
            Literal::String(text, _) => (text.to_string(), "class java.lang.String"),
            _ => return,
        };
        let wrong = match wanted {
            Type::Text => matches!(literal, Literal::Int(_) | Literal::Bool(_)),
            Type::Integer => matches!(literal, Literal::String(..) | Literal::Bool(_)),
            Type::Boolean | Type::List | Type::Any => false,
        };
        if !wrong {
            return;
        }
        let message = match name {
            Some(name) => words::invalid_parameter_type(wanted.java(), name, &shown, got),
            None => words::invalid_unnamed_type(wanted.java(), &shown, got),
        };
        let hint = match wanted {
            Type::Text => format!("write '{shown}'"),
            _ => "write a number without quotes".to_owned(),
        };
        self.problems.hinted(val.span, message, hint);
    }
}
