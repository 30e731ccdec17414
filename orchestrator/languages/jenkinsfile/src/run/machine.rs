//! The one place that knows how the Groovy machine is made and asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_flow::Severity;
use haliotis_groovy::value::Map;
pub(crate) use haliotis_groovy::{Outcome, Thread};
use haliotis_groovy::{Raise, Value, Vm};
use haliotis_groovy_syntax::Script;

use super::Shared;
use super::host::JenkinsHost;
use crate::declare::model::Model;
use crate::problems::Problems;
use crate::{check, declare};

/// The class of the Jenkinsfile's script, as Jenkins calls it.
const SCRIPT: &str = "WorkflowScript";

/// The machine with the script and its libraries loaded, and the thread that runs the script.
///
/// # Errors
/// What the parser or the compiler refuses, for people.
pub(crate) fn start(shared: &Rc<Shared>) -> Result<(Vm, Thread), String> {
    let mut vm = Vm::new(Rc::new(JenkinsHost(Rc::clone(shared))));
    let parsed = parsed(&shared.facts.libraries, &shared.models)?;
    let mut sources: Vec<(&Script, &str)> = parsed.iter().map(|(script, class)| (script, class.as_str())).collect();
    sources.push((&shared.facts.script, SCRIPT));
    load(&mut vm, &sources)?;
    let binding = vm.binding();
    let mut names = Names { scopes: vec![Rc::clone(&binding)], globals: Vec::new() };
    names.add(&mut vm, &parsed)?;
    *shared.names.borrow_mut() = names;
    let script = vm.script(SCRIPT, &binding).map_err(|raise| said(&mut vm, raise))?;
    let thread = vm.thread(&script, "run", Vec::new());
    Ok((vm, thread))
}

/// The global variables of libraries, and the bindings of all scripts, each of which has them.
#[derive(Default)]
pub(crate) struct Names {
    scopes: Vec<Rc<Map>>,
    globals: Vec<(String, Value)>,
}

impl Names {
    /// A script's binding: it has all variables, and will have those that come.
    fn scope(&mut self, vm: &mut Vm, scope: Rc<Map>) -> Result<(), String> {
        for (name, value) in &self.globals {
            vm.map_put(&scope, Value::str(name), value.clone()).map_err(|raise| said(vm, raise))?;
        }
        self.scopes.push(scope);
        Ok(())
    }

    /// An instance of each `vars/x.groovy` of loaded files, known to all scripts.
    fn add(&mut self, vm: &mut Vm, parsed: &[(Script, String)]) -> Result<(), String> {
        for (_, class) in parsed.iter().filter(|(script, _)| is_global(script)) {
            let own = vm.binding();
            let instance = vm.script(class, &own).map_err(|raise| said(vm, raise))?;
            self.scope(vm, own)?;
            for scope in &self.scopes {
                vm.map_put(scope, Value::str(class), instance.clone()).map_err(|raise| said(vm, raise))?;
            }
            self.globals.push((class.clone(), instance));
        }
        Ok(())
    }
}

/// Loads a library while the script runs.
///
/// # Errors
/// What the parser or the compiler refuses.
pub(crate) fn load_library(
    vm: &mut Vm,
    names: &mut Names,
    files: &BTreeMap<String, String>,
    models: &RefCell<Vec<Rc<Model>>>,
) -> Result<(), String> {
    let parsed = parsed(files, models)?;
    let sources: Vec<(&Script, &str)> = parsed.iter().map(|(script, class)| (script, class.as_str())).collect();
    load(vm, &sources)?;
    names.add(vm, &parsed)
}

/// The Groovy files of libraries, each with its class. A Declarative pipeline in `call()` of one becomes one of `models`.
fn parsed(files: &BTreeMap<String, String>, models: &RefCell<Vec<Rc<Model>>>) -> Result<Vec<(Script, String)>, String> {
    let mut parsed = Vec::new();
    for (path, text) in files {
        let Some(class) = library_class(path) else { continue };
        let script = haliotis_groovy_syntax::parse(text, path).map_err(|errors| listed(path, &errors))?;
        parsed.push((with_pipeline(path, script, models)?, class));
    }
    Ok(parsed)
}

fn with_pipeline(path: &str, script: Script, models: &RefCell<Vec<Rc<Model>>>) -> Result<Script, String> {
    if !is_global(&script) || declare::pipeline_in_call(&script).is_none() {
        return Ok(script);
    }
    let (model, wrong) = {
        let mut problems = Problems::new(&script.lines);
        let model = declare::read(&script, &mut problems);
        if let Some(model) = &model {
            check::check(model, &mut problems);
        }
        let errors = problems.into_sorted().into_iter().filter(|problem| problem.severity == Severity::Error);
        let lines = errors.map(|one| format!("{path}: {}: {}", one.line, one.message)).collect::<Vec<_>>();
        (model, lines)
    };
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    let number = models.borrow().len();
    let script = crate::language::prepared(script, model.as_ref(), number);
    models.borrow_mut().extend(model.map(Rc::new));
    Ok(script)
}

fn load(vm: &mut Vm, sources: &[(&Script, &str)]) -> Result<(), String> {
    vm.load(sources).map_err(|error| {
        format!("{}: {}: {} @ line {}, column {}.", error.file, error.line, error.message, error.line, error.column)
    })
}

/// `vars/x.groovy` is the script `x`, `src/a/B.groovy` the class file `B`; other files are none.
fn library_class(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.strip_suffix(".groovy")?;
    (path.contains("/vars/") || path.contains("/src/")).then(|| name.to_owned())
}

fn is_global(script: &Script) -> bool {
    script.file.contains("/vars/")
}

fn listed(path: &str, errors: &[haliotis_groovy_syntax::SyntaxError]) -> String {
    let lines: Vec<String> = errors.iter().map(|error| format!("{path}: {}: {error}", error.start.line)).collect();
    lines.join("\n")
}

/// What a raise says.
fn said(vm: &mut Vm, raise: Raise) -> String {
    match raise {
        Raise::Throw(value) => vm.describe(&value),
        Raise::Fatal(text) => text,
        Raise::NoMatch => "a library function refused its arguments".to_owned(),
    }
}

/// A thread that calls a closure.
pub(crate) fn closure(vm: &mut Vm, closure: &Value, args: &[Value]) -> Thread {
    vm.closure_thread(closure, args.to_vec())
}

/// An exception with its stack, for the console.
pub(crate) fn describe(vm: &mut Vm, value: &Value) -> String {
    vm.describe(value)
}

/// A thread that runs a further file (`load`), and the script, which is the value when the file answers none.
///
/// # Errors
/// What the parser or the compiler refuses.
pub(crate) fn load_file(
    vm: &mut Vm,
    names: &mut Names,
    number: usize,
    path: &str,
    text: &str,
) -> Result<Thread, String> {
    let script = haliotis_groovy_syntax::parse(text, path).map_err(|errors| listed(path, &errors))?;
    let class = format!("Script{number}");
    vm.load(&[(&script, &class)]).map_err(|error| format!("{path}: {}: {}", error.line, error.message))?;
    let binding = vm.binding();
    names.scope(vm, Rc::clone(&binding))?;
    let instance = vm.script(&class, &binding).map_err(|raise| said(vm, raise))?;
    Ok(vm.thread(&instance, "run", Vec::new()))
}
