//! A plain script in one call: what `haliotis groovy eval`, tests and simple embedders need.

use std::cell::Cell;
use std::rc::Rc;

use crate::host::Host;
use crate::limits;
use crate::vm::{Outcome, Vm};

/// How a plain script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With a value: Groovy's `toString` of it.
    Value(String),
    /// With an exception.
    Threw {
        /// Full class name.
        class: String,
        /// `getMessage()`.
        message: Option<String>,
        /// As `printStackTrace` shows it.
        trace: String,
    },
    /// It does not compile: Groovy's messages with line and column.
    Invalid(Vec<String>),
    /// A limit was passed.
    Fatal(String),
}

/// A host without steps: it prints through a function; its clock stands and its random numbers are counted, unless
/// [`PlainHost::at`] gives others.
pub struct PlainHost {
    print: Rc<dyn Fn(&str)>,
    now_ms: i64,
    seed: Cell<u64>,
}

impl PlainHost {
    /// A host at a moment (milliseconds since 1970), with a seed for random numbers.
    pub fn at(print: Rc<dyn Fn(&str)>, now_ms: i64, seed: u64) -> Self {
        Self { print, now_ms, seed: Cell::new(seed) }
    }
}

impl Host for PlainHost {
    fn print(&self, text: &str) {
        (self.print)(text);
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn random(&self) -> u64 {
        // SplitMix64, by Steele, Lea and Flood.
        let next = self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.seed.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Runs a script without steps, with the clock at zero. `class` is the name of its script class.
pub fn evaluate(text: &str, file: &str, class: &str, print: Rc<dyn Fn(&str)>) -> Ended {
    evaluate_on(text, file, class, Rc::new(PlainHost::at(print, 0, 0)))
}

/// Runs a script without steps on a host.
pub fn evaluate_on(text: &str, file: &str, class: &str, host: Rc<dyn Host>) -> Ended {
    let script = match haliotis_groovy_syntax::parse(text, file) {
        Ok(script) => script,
        Err(errors) => return Ended::Invalid(errors.iter().map(ToString::to_string).collect()),
    };
    let mut vm = Vm::new(host);
    if let Err(error) = vm.load(&[(&script, class)]) {
        return Ended::Invalid(vec![error.to_string()]);
    }
    let binding = vm.binding();
    let name = script.package.as_ref().map_or_else(|| class.to_owned(), |package| format!("{}.{class}", package.name));
    let started = match vm.has_class(&name) {
        true => vm.script(&name, &binding),
        // A file of classes alone has nothing to run but a `main`.
        false => return Ended::Value("null".to_owned()),
    };
    let script = match started {
        Ok(script) => script,
        Err(raise) => return ended(&mut vm, raise),
    };
    let mut thread = vm.thread(&script, "run", Vec::new());
    loop {
        match vm.run(&mut thread, limits::FUEL) {
            Outcome::Paused => {}
            Outcome::Done(value) => {
                return match vm.text(&value) {
                    Ok(text) => Ended::Value(text.to_string()),
                    Err(raise) => ended(&mut vm, raise),
                };
            }
            Outcome::Threw(exception) => return ended(&mut vm, crate::Raise::Throw(exception)),
            Outcome::Fatal(text) => return Ended::Fatal(text),
            Outcome::Call(call) => {
                let refusal =
                    vm.throw("java.lang.UnsupportedOperationException", format!("there is no step {}", call.name));
                thread.resume(Err(refusal));
            }
        }
    }
}

fn ended(vm: &mut Vm, raise: crate::Raise) -> Ended {
    match raise {
        crate::Raise::Throw(exception) => {
            let (class, message) = vm.exception_parts(&exception);
            let trace = vm.describe(&exception);
            Ended::Threw { class: class.to_string(), message: message.map(|message| message.to_string()), trace }
        }
        crate::Raise::Fatal(text) => Ended::Fatal(text),
        crate::Raise::NoMatch => Ended::Fatal("a library function refused its arguments".to_owned()),
    }
}
