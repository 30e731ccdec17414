//! A Groovy 2.4 interpreter whose running scripts are data.
//!
//! ```text
//! text -> haliotis_groovy_syntax::parse -> Vm::load (compile) -> Vm::script (object over a binding)
//!      -> Vm::thread(script, "run") -> Vm::run -> Done | Threw | Call(HostCall) | Paused | Fatal
//! ```
//!
//! # How to embed it
//! * Implement [`Host`]: what it answers [`HostAnswer::Unknown`] to stays Groovy's business; [`HostAnswer::Suspend`]
//!   makes [`Vm::run`] return [`Outcome::Call`]. The driver then takes its time, and goes on with [`Thread::resume`].
//!   Two runs with the same answers do the same: there is no clock, no chance, no unordered map in here.
//! * Calls that reach the host are those *on a script* (or its closures): `sh 'x'`, `steps.sh`. A class asks the script it was
//!   given. Host objects ([`HostObject`], [`Value::Host`]) get their own calls and properties (`env.X`, `docker.image`).
//! * A closure handed to a step is an argument like others: [`Vm::closure_thread`] makes a thread of it, which shares
//!   heap and bindings. Run as many as there are branches, in any order, each until it waits; then resume the caller.
//! * Several sources: [`Vm::load`] takes them together or one after another; [`Vm::script`] makes an instance of any
//!   script class over the binding of your choice (`load`, `vars/`). Class names beyond them: [`Host::class`].
//! * Exceptions: [`Vm::throw`] and [`Vm::exception`] make them by Java's class name; [`Vm::exception_parts`],
//!   [`Vm::describe`] and [`Vm::thrown_at`] show them. A host may declare nothing new: `hudson.AbortException` and the
//!   like are in [`types`].
//! * A [`Vm`] is not `Send`. Dropping it empties its heap. Limits are in [`limits`].
//! * Constructors of a script's classes and its `toString`, `equals`, `hashCode`, `compareTo`, iterators and static
//!   initialisers that the machine itself asks for run nested and cannot wait for a step.
//!
//! ```
//! use std::rc::Rc;
//! use haliotis_groovy::{Host, HostAnswer, Outcome, Value, Vm};
//!
//! struct Steps;
//! impl Host for Steps {
//!     fn call(&self, _vm: &mut Vm, name: &str, _args: &[Value]) -> HostAnswer {
//!         match name {
//!             "sh" | "node" => HostAnswer::Suspend,
//!             _ => HostAnswer::Unknown,
//!         }
//!     }
//!     fn property(&self, _vm: &mut Vm, name: &str) -> HostAnswer {
//!         if name == "BUILD_NUMBER" { HostAnswer::Value(Value::Int(7)) } else { HostAnswer::Unknown }
//!     }
//!     fn print(&self, _text: &str) {}
//!     fn now_ms(&self) -> i64 { 0 }
//!     fn random(&self) -> u64 { 4 }
//! }
//!
//! /// Runs a thread to its end: `sh` answers its text in capitals, `node` runs its body.
//! fn drive(vm: &mut Vm, thread: &mut haliotis_groovy::Thread) -> Value {
//!     loop {
//!         match vm.run(thread, 1_000_000) {
//!             Outcome::Done(value) => return value,
//!             Outcome::Paused => {}
//!             Outcome::Call(call) if &*call.name == "node" => {
//!                 let body = call.args.last().cloned().unwrap_or_default();
//!                 let mut inner = vm.closure_thread(&body, Vec::new());
//!                 let value = drive(vm, &mut inner);
//!                 thread.resume(Ok(value));
//!             }
//!             Outcome::Call(call) => {
//!                 let text = vm.text(&call.args[0]).unwrap_or_else(|_| "".into());
//!                 thread.resume(Ok(Value::from(text.to_uppercase())));
//!             }
//!             Outcome::Threw(exception) => panic!("{}", vm.describe(&exception)),
//!             Outcome::Fatal(text) => panic!("{text}"),
//!         }
//!     }
//! }
//!
//! let text = "def said = ['a', 'b'].collect { sh it }\nnode('linux') { said << sh(\"n$BUILD_NUMBER\") }\nsaid.join(' ')";
//! let script = haliotis_groovy_syntax::parse(text, "Jenkinsfile").expect("it is Groovy");
//! let mut vm = Vm::new(Rc::new(Steps));
//! vm.load(&[(&script, "WorkflowScript")]).expect("it compiles");
//! let binding = vm.binding();
//! let object = vm.script("WorkflowScript", &binding).unwrap_or_default();
//! let mut thread = vm.thread(&object, "run", Vec::new());
//! let value = drive(&mut vm, &mut thread);
//! assert_eq!(value.as_str(), Some("A B N7"));
//! ```

#![forbid(unsafe_code)]

pub mod class;
pub mod code;
mod compile;
pub mod decimal;
mod heap;
pub mod host;
pub mod key;
pub mod library;
pub mod limits;
pub mod number;
pub mod plain;
pub mod types;
pub mod value;
mod vm;

pub use heap::{Container, Heap};
pub use host::{Host, HostAnswer, HostCall, HostObject};
pub use value::TraceLine;
pub use value::Value;
pub use vm::{Entry, LoadError, Outcome, Raise, Thread, Vm};
