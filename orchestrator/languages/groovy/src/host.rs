//! The embedder's side: what a script may reach beyond itself.
//!
//! A name that is neither local, nor a method or field of the script, nor a class, nor in the binding, is offered to
//! the [`Host`]. It answers at once, or *suspends*: then [`crate::Vm::run`] returns [`crate::Outcome::Call`], the
//! driver does the work however long it takes, and goes on with [`crate::Thread::resume`].

use std::any::Any;
use std::rc::Rc;

use crate::value::Value;
use crate::vm::{Raise, Vm};

/// What the host says to a call or a look-up.
pub enum HostAnswer {
    /// It does not know the name; Groovy's own rules go on (and end in `MissingMethodException` and so on).
    Unknown,
    /// The answer.
    Value(Value),
    /// An exception ([`Vm::exception`] makes one).
    Throw(Raise),
    /// The driver answers later: the thread stops with [`crate::Outcome::Call`].
    Suspend,
}

/// What the machine asks of its embedder. Methods take `&self`, since a host may run
/// the machine again while it answers. All must be deterministic, or journaled by the embedder.
pub trait Host {
    /// `name(args)` on a script: a step, a global function.
    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        let _ = (vm, name, args);
        HostAnswer::Unknown
    }

    /// `name` on a script: `env`, `params`, `currentBuild`, `docker`.
    fn property(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        let _ = (vm, name);
        HostAnswer::Unknown
    }

    /// A class that scripts name and the embedder stands for (`jenkins.model.Jenkins`); mostly a [`Value::Host`].
    fn class(&self, vm: &mut Vm, name: &str) -> Option<Value> {
        let _ = (vm, name);
        None
    }

    /// Text that the script prints, line ends included.
    fn print(&self, text: &str);

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// 64 random bits (seeds of `Random`, `UUID.randomUUID`).
    fn random(&self) -> u64;
}

/// An object of the embedder. Default methods know nothing.
pub trait HostObject: Any {
    /// Java class name that messages show (`org.jenkinsci.plugins.workflow.cps.EnvActionImpl`).
    fn class_name(&self) -> &str;

    /// Whether it passes for an instance of a class, by full name.
    fn is_a(&self, class: &str) -> bool {
        let _ = class;
        false
    }

    /// `this` for downcasts.
    fn as_any(&self) -> &dyn Any;

    /// `object.name(args)`. `Suspend` gives [`crate::Outcome::Call`] with this object as receiver.
    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        let _ = (vm, name, args);
        HostAnswer::Unknown
    }

    /// `object.name`.
    fn get(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        let _ = (vm, name);
        HostAnswer::Unknown
    }

    /// `object.name = value`. `Value(_)` means done.
    fn set(&self, vm: &mut Vm, name: &str, value: &Value) -> HostAnswer {
        let _ = (vm, name, value);
        HostAnswer::Unknown
    }

    /// `toString()`.
    fn text(&self) -> String {
        self.class_name().to_owned()
    }

    /// Values it holds, so that the machine can count and clear them.
    fn held(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// What a thread waits for.
#[derive(Clone)]
pub struct HostCall {
    /// The host object whose method it is; `None` for a call on the script.
    pub receiver: Option<Rc<dyn HostObject>>,
    /// Method or property name.
    pub name: Rc<str>,
    /// Arguments; named arguments are a map in front, a trailing closure is last.
    pub args: Vec<Value>,
    /// `object.name` without a call.
    pub property: bool,
    /// Where the script asks.
    pub at: crate::value::TraceLine,
}
