//! A script, run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use haliotis_groovy::{Host, HostAnswer, HostObject, Outcome, Raise, Value, Vm};
use haliotis_groovy_syntax::{Script, SyntaxError, parse};

use crate::config_xml;
use crate::context::Context;
use crate::facade;
use crate::item::Item;
use crate::kind;
use crate::record::{Block, Recorded, Shared, argument, split};

/// Reads a file of a workspace by its relative path, or says why not.
pub type Files = Rc<dyn Fn(&str) -> Result<String, String>>;

/// What the seed job gives its script.
pub struct Seed {
    /// Variables of the binding: the build's parameters and environment.
    pub variables: Vec<(String, String)>,
    /// The seed job, as `Jenkins.getInstance().getItem(..)` shows it.
    pub job: SeedJob,
    /// Its workspace.
    pub files: Files,
    /// Milliseconds since 1970, for `new Date()`.
    pub now_ms: i64,
    /// 64 random bits, for `UUID` and `Random`.
    pub random: u64,
}

/// The seed job and its checkout.
#[derive(Debug, Clone, Default)]
pub struct SeedJob {
    /// Its full name: `JOB_NAME`.
    pub name: String,
    /// Git URL of its checkout.
    pub url: Option<String>,
    /// Branch specification.
    pub branch: Option<String>,
    /// Id of the credential of its checkout.
    pub credential: Option<String>,
    /// The server's own address.
    pub root_url: Option<String>,
}

/// What came of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// Items in the order of the script; folders before what is in them, if the script says so.
    pub items: Vec<Item>,
    /// Jobs to start afterwards: `queue('x')`.
    pub queued: Vec<String>,
    /// What the script printed.
    pub output: String,
}

/// Why nothing came of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, in Groovy's or Job DSL's words.
    pub message: String,
    /// Where in the script, from 1; nothing where nobody knows.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
    /// What helps.
    pub hint: Option<String>,
    /// What the script printed before.
    pub output: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for Failure {}

/// Instructions that a script may use: a fraction of a second. Seed scripts use thousands.
const FUEL: u64 = 20_000_000;

/// The name of the script's class where the file's name is none.
const SCRIPT: &str = "script";

/// Classes of Job DSL that scripts throw and catch.
const CLASSES: &str = "package javaposse.jobdsl.dsl
class DslException extends RuntimeException {
    DslException(String message) { super(message) }
    DslException(String message, Throwable cause) { super(message, cause) }
}
class ConfigurationMissingException extends DslException { ConfigurationMissingException(String m = null) { super(m) } }
class NameNotProvidedException extends DslException { NameNotProvidedException(String m = null) { super(m) } }
";

/// Runs a script.
///
/// # Errors
/// All syntax errors; or the one exception that ended the script, or the item that cannot be.
pub fn run(text: &str, file: &str, seed: Seed) -> Result<Generated, Vec<Failure>> {
    let script = parse(text, file).map_err(|errors| errors.into_iter().map(syntax).collect::<Vec<_>>())?;
    let classes = parse(CLASSES, "dsl.groovy").map_err(|errors| errors.into_iter().map(syntax).collect::<Vec<_>>())?;
    let own: BTreeSet<String> = script.methods.iter().map(|method| method.name.name.to_string()).collect();
    let shared = Shared::new(own);
    let host = Rc::new(Dsl {
        shared: shared.clone(),
        output: RefCell::default(),
        job: Rc::new(seed.job),
        files: seed.files,
        now_ms: seed.now_ms,
        random: RefCell::new(seed.random),
    });
    let mut vm = Vm::new(host.clone());
    let result = execute(&mut vm, &script, &classes, file, &shared, &seed.variables);
    let output = host.output.take();
    let finished = result.and_then(|()| items(&shared));
    // The items hold the machine's values no longer than this.
    *shared.binding.borrow_mut() = None;
    match finished {
        Ok(items) => Ok(Generated { items, queued: shared.queued.take(), output }),
        Err(failure) => Err(vec![Failure { output, ..failure }]),
    }
}

fn syntax(error: SyntaxError) -> Failure {
    Failure {
        message: error.message,
        line: Some(error.start.line),
        column: Some(error.start.column),
        hint: error.hint,
        output: String::new(),
    }
}

fn failure(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), line: None, column: None, hint: None, output: String::new() }
}

fn execute(
    vm: &mut Vm,
    script: &Script,
    classes: &Script,
    file: &str,
    shared: &Rc<Shared>,
    variables: &[(String, String)],
) -> Result<(), Failure> {
    let name = class_name(file);
    vm.load(&[(classes, "dsl"), (script, &name)]).map_err(|error| Failure {
        line: Some(error.line),
        column: Some(error.column),
        ..failure(error.message)
    })?;
    let binding = vm.binding();
    for (name, value) in variables {
        // A string's hash throws nothing.
        let _ = vm.map_put(&binding, Value::str(name), Value::str(value));
    }
    *shared.binding.borrow_mut() = Some(binding.clone());
    let object = match vm.script(&name, &binding) {
        Ok(object) => object,
        Err(raise) => return Err(raised(vm, raise, shared)),
    };
    let mut thread = vm.thread(&object, "run", Vec::new());
    match vm.run(&mut thread, FUEL) {
        Outcome::Done(_) => Ok(()),
        Outcome::Threw(exception) => Err(thrown(vm, &exception, shared)),
        Outcome::Call(call) => Err(failure(format!("the script waits for {}, which cannot be", call.name))),
        Outcome::Paused => Err(failure("the script runs too long; is there an endless loop?")),
        Outcome::Fatal(message) => Err(failure(message)),
    }
}

/// The script's class is named after its file.
fn class_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.strip_suffix(".groovy").unwrap_or(name);
    let fits = stem.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && stem.chars().all(|c| c.is_alphanumeric() || c == '_');
    if fits && stem != "dsl" { stem.to_owned() } else { SCRIPT.to_owned() }
}

fn raised(vm: &mut Vm, raise: Raise, shared: &Shared) -> Failure {
    match raise {
        Raise::Throw(exception) => thrown(vm, &exception, shared),
        Raise::Fatal(message) => failure(message),
        Raise::NoMatch => failure("a method was called with arguments that it does not take"),
    }
}

/// An exception that nobody caught.
fn thrown(vm: &mut Vm, exception: &Value, shared: &Shared) -> Failure {
    let (class, message) = vm.exception_parts(exception);
    let place = vm.thrown_at(exception);
    let message = message.map_or_else(|| class.to_string(), |message| format!("{class}: {message}"));
    let message = message.strip_prefix("javaposse.jobdsl.dsl.").unwrap_or(&message).to_owned();
    let hint = shared.unknown.take().filter(|(_, name)| message.contains(name.as_str())).map(|(context, _)| {
        let names: Vec<&str> = context.names().collect();
        format!("in `{}` there are: {}", context.name, names.join(", "))
    });
    let (line, column) = match place {
        Some(place) if place.line > 0 => (Some(place.line), Some(place.column)),
        _ => (None, None),
    };
    Failure { message, line, column, hint, output: String::new() }
}

fn items(shared: &Shared) -> Result<Vec<Item>, Failure> {
    let mut items: Vec<Item> = Vec::new();
    for recorded in shared.items.borrow().iter() {
        let item = config_xml::item(recorded.kind, &recorded.name, &recorded.block.nodes()).map_err(failure)?;
        // The last of a name wins, at the place of the first.
        match items.iter_mut().find(|known| known.name == item.name && known.kind.is_view() == item.kind.is_view()) {
            Some(known) => *known = item,
            None => items.push(item),
        }
    }
    Ok(items)
}

/// The script's surroundings.
struct Dsl {
    shared: Rc<Shared>,
    output: RefCell<String>,
    job: Rc<SeedJob>,
    files: Files,
    now_ms: i64,
    random: RefCell<u64>,
}

impl Dsl {
    /// `pipelineJob('x') { … }`
    fn make(&self, vm: &mut Vm, method: &str, args: &[Value]) -> Result<Option<Value>, Raise> {
        let Some((kind, block)) = kind::made_by(method) else { return Ok(None) };
        let (plain, closure) = split(args);
        let name = match plain.last() {
            Some(name) => argument(vm, name, 0)?.text().unwrap_or_default(),
            None => String::new(),
        };
        let name = name.trim_matches('/').to_owned();
        if name.trim().is_empty() {
            return Err(vm.throw("java.lang.IllegalArgumentException", format!("{method} needs a name")));
        }
        let block = Block::new(Context::named(block), Some(name.clone()), &self.shared);
        self.shared.items.borrow_mut().push(Recorded { name, kind, block: block.clone() });
        if let Some(closure) = closure {
            block.run(vm, closure)?;
        }
        let block: Rc<dyn HostObject> = block;
        Ok(Some(Value::Host(block)))
    }

    /// `readFileFromWorkspace('a')`, `readFileFromWorkspace('job', 'a')`
    fn read(&self, vm: &mut Vm, args: &[Value]) -> Result<Value, Raise> {
        let [path] = args else {
            let message = "only the workspace of the seed job can be read: readFileFromWorkspace('path')";
            return Err(vm.throw("java.lang.IllegalArgumentException", message));
        };
        let path = vm.text(path)?;
        match (self.files)(&path) {
            Ok(text) => Ok(Value::str(text)),
            Err(why) => {
                let message = format!("cannot read {path} of the workspace: {why}");
                Err(vm.throw("java.lang.IllegalStateException", message))
            }
        }
    }

    fn queue(&self, vm: &mut Vm, args: &[Value]) -> Result<Value, Raise> {
        for arg in args {
            let name = match arg {
                Value::Host(object) => match object.get(vm, "name") {
                    HostAnswer::Value(name) => vm.text(&name)?,
                    _ => vm.text(arg)?,
                },
                other => vm.text(other)?,
            };
            self.shared.queued.borrow_mut().push(name.trim_matches('/').to_owned());
        }
        Ok(Value::Null)
    }

    fn answer(&self, vm: &mut Vm, name: &str, args: &[Value]) -> Result<Option<Value>, Raise> {
        match name {
            "readFileFromWorkspace" | "streamFileFromWorkspace" => self.read(vm, args).map(Some),
            "queue" => self.queue(vm, args).map(Some),
            "getJm" | "getSeedJob" => Ok(None),
            _ if kind::MISSING.contains(&name) => {
                let message = format!("{name} is not provided here; there are pipelineJob, job, folder and others");
                Err(vm.throw("java.lang.UnsupportedOperationException", message))
            }
            _ => self.make(vm, name, args),
        }
    }
}

impl Host for Dsl {
    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        match self.answer(vm, name, args) {
            Ok(Some(value)) => HostAnswer::Value(value),
            Ok(None) => HostAnswer::Unknown,
            Err(raise) => HostAnswer::Throw(raise),
        }
    }

    fn property(&self, _vm: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "SEED_JOB" => HostAnswer::Value(facade::seed_job(&self.job)),
            "out" => HostAnswer::Value(Value::Host(Rc::new(Out))),
            _ => HostAnswer::Unknown,
        }
    }

    fn class(&self, _vm: &mut Vm, name: &str) -> Option<Value> {
        facade::class(name, &self.job)
    }

    fn print(&self, text: &str) {
        self.output.borrow_mut().push_str(text);
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn random(&self) -> u64 {
        // Splitmix64: another number each time, the same ones for the same seed.
        let mut state = self.random.borrow_mut();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// `out`: the seed build's log.
struct Out;

impl HostObject for Out {
    fn class_name(&self) -> &str {
        "java.io.PrintStream"
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        let end = match name {
            "println" => "\n",
            "print" => "",
            _ => return HostAnswer::Unknown,
        };
        let text = match args.first().map(|arg| vm.text(arg)).transpose() {
            Ok(text) => text.unwrap_or_default(),
            Err(raise) => return HostAnswer::Throw(raise),
        };
        vm.print(&format!("{text}{end}"));
        HostAnswer::Value(Value::Null)
    }
}
