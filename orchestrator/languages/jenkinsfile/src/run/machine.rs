//! The one place that knows how the Groovy machine is made and asked.

use std::rc::Rc;

pub(crate) use haliotis_groovy::{Outcome, Thread};
use haliotis_groovy::{Raise, Value, Vm};
use haliotis_groovy_syntax::Script;

use super::Shared;
use super::host::JenkinsHost;

/// The class of the Jenkinsfile's script, as Jenkins calls it.
const SCRIPT: &str = "WorkflowScript";

/// The machine with the script and its libraries loaded, and the thread that runs the script.
///
/// # Errors
/// What the parser or the compiler refuses, for people.
pub(crate) fn start(shared: &Rc<Shared>) -> Result<(Vm, Thread), String> {
    let mut vm = Vm::new(Rc::new(JenkinsHost(Rc::clone(shared))));
    let mut parsed: Vec<(Script, String)> = Vec::new();
    for (path, text) in &shared.facts.libraries {
        let Some(class) = library_class(path) else { continue };
        let script = haliotis_groovy_syntax::parse(text, path).map_err(|errors| listed(path, &errors))?;
        parsed.push((script, class));
    }
    let mut sources: Vec<(&Script, &str)> = parsed.iter().map(|(script, class)| (script, class.as_str())).collect();
    sources.push((&shared.facts.script, SCRIPT));
    vm.load(&sources).map_err(|error| {
        format!("{}: {}: {} @ line {}, column {}.", error.file, error.line, error.message, error.line, error.column)
    })?;
    let binding = vm.binding();
    let globals: Vec<&str> =
        parsed.iter().filter(|(script, _)| is_global(script)).map(|(_, class)| class.as_str()).collect();
    for name in globals {
        let own = vm.binding();
        let instance = vm.script(name, &own).map_err(|raise| said(&mut vm, raise))?;
        vm.map_put(&binding, Value::str(name), instance).map_err(|raise| said(&mut vm, raise))?;
    }
    let script = vm.script(SCRIPT, &binding).map_err(|raise| said(&mut vm, raise))?;
    let thread = vm.thread(&script, "run", Vec::new());
    Ok((vm, thread))
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
pub(crate) fn load_file(vm: &mut Vm, number: usize, path: &str, text: &str) -> Result<Thread, String> {
    let script = haliotis_groovy_syntax::parse(text, path).map_err(|errors| listed(path, &errors))?;
    let class = format!("Script{number}");
    vm.load(&[(&script, &class)]).map_err(|error| format!("{path}: {}: {}", error.line, error.message))?;
    let binding = vm.binding();
    let instance = vm.script(&class, &binding).map_err(|raise| said(vm, raise))?;
    Ok(vm.thread(&instance, "run", Vec::new()))
}
