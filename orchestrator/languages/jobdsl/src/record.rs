//! The blocks of a running script: objects that take any call their context knows and write it down.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use haliotis_groovy::value::{Map, strategy};
use haliotis_groovy::{HostAnswer, HostObject, Raise, Value, Vm};

use crate::context::{Context, Known};
use crate::item::ItemKind;
use crate::node::{Arg, Node};

/// How deep lists and maps of an argument may nest; deeper ones are no arguments of any method.
const MAX_ARG_DEPTH: u32 = 20;

/// An item as it is recorded.
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) kind: ItemKind,
    pub(crate) block: Rc<Block>,
}

/// What all blocks of a run share.
pub(crate) struct Shared {
    /// Items in the order of the script.
    pub(crate) items: RefCell<Vec<Recorded>>,
    /// Jobs that are to be started when all is applied.
    pub(crate) queued: RefCell<Vec<String>>,
    /// Methods that the script defines: in an open block these are meant.
    pub(crate) own: BTreeSet<String>,
    pub(crate) binding: RefCell<Option<Rc<Map>>>,
    /// The last name that a closed block did not know: what a `MissingMethodException` is probably about.
    pub(crate) unknown: RefCell<Option<(Context, String)>>,
}

impl Shared {
    pub(crate) fn new(own: BTreeSet<String>) -> Rc<Self> {
        Rc::new(Self {
            items: RefCell::default(),
            queued: RefCell::default(),
            own,
            binding: RefCell::default(),
            unknown: RefCell::default(),
        })
    }

    fn is_own(&self, vm: &mut Vm, name: &str) -> bool {
        if self.own.contains(name) {
            return true;
        }
        let binding = self.binding.borrow().clone();
        binding.is_some_and(|binding| matches!(vm.map_get(&binding, &Value::str(name)), Ok(Some(Value::Closure(_)))))
    }
}

/// A block: `parameters { … }`, or an item itself.
pub(crate) struct Block {
    context: Context,
    /// Of an item: its name.
    name: Option<String>,
    nodes: RefCell<Vec<Node>>,
    shared: Rc<Shared>,
}

impl Block {
    pub(crate) fn new(context: Context, name: Option<String>, shared: &Rc<Shared>) -> Rc<Self> {
        Rc::new(Self { context, name, nodes: RefCell::default(), shared: shared.clone() })
    }

    /// What was said in it so far.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.nodes.borrow().clone()
    }

    /// Runs a closure with this block as its delegate.
    pub(crate) fn run(self: &Rc<Self>, vm: &mut Vm, closure: &Value) -> Result<(), Raise> {
        let own: Rc<dyn HostObject> = self.clone();
        if let Value::Closure(code) = closure {
            *code.delegate.borrow_mut() = Value::Host(own);
            code.strategy.set(strategy::DELEGATE_FIRST);
        }
        vm.call_closure(closure, &[]).map(|_| ())
    }

    fn record(&self, vm: &mut Vm, block: Context, name: &str, args: &[Value]) -> Result<Value, Raise> {
        let (plain, closure) = split(args);
        let args = plain.iter().map(|value| argument(vm, value, 0)).collect::<Result<_, _>>()?;
        let mut node = Node { name: name.to_owned(), args, children: Vec::new() };
        match closure {
            // What it does to XML cannot be known; that it was there is.
            Some(_) if name == "configure" => {}
            Some(closure) => {
                let inner = Self::new(block, None, &self.shared);
                inner.run(vm, closure)?;
                node.children = inner.nodes.take();
            }
            None => {}
        }
        self.nodes.borrow_mut().push(node);
        Ok(Value::Null)
    }
}

impl HostObject for Block {
    fn class_name(&self) -> &str {
        match self.context.name {
            "pipelineJob" => "javaposse.jobdsl.dsl.jobs.WorkflowJob",
            "freeStyleJob" => "javaposse.jobdsl.dsl.jobs.FreeStyleJob",
            "multibranchPipelineJob" => "javaposse.jobdsl.dsl.jobs.MultibranchWorkflowJob",
            "organizationFolder" => "javaposse.jobdsl.dsl.jobs.OrganizationFolderJob",
            "folder" => "javaposse.jobdsl.dsl.Folder",
            "listView" => "javaposse.jobdsl.dsl.views.ListView",
            "nestedView" => "javaposse.jobdsl.dsl.views.NestedView",
            _ => "javaposse.jobdsl.dsl.Context",
        }
    }

    fn is_a(&self, class: &str) -> bool {
        class == self.class_name() || matches!(class, "javaposse.jobdsl.dsl.Item" | "javaposse.jobdsl.dsl.Job")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        if name == "getName" && args.is_empty() {
            return self.get(vm, "name");
        }
        let block = match self.context.method(name) {
            Known::Method(block) => block,
            // An item is made by the script, wherever it says so.
            Known::Open if crate::kind::made_by(name).is_some() => return HostAnswer::Unknown,
            Known::Open if !self.shared.is_own(vm, name) && !is_groovy(name) => Context::named("any"),
            Known::Open => return HostAnswer::Unknown,
            Known::No => {
                // The innermost block is asked first, and it is the one that was meant.
                let mut unknown = self.shared.unknown.borrow_mut();
                if unknown.as_ref().is_none_or(|(_, known)| known != name) {
                    *unknown = Some((self.context, name.to_owned()));
                }
                return HostAnswer::Unknown;
            }
        };
        match self.record(vm, block, name, args) {
            Ok(value) => HostAnswer::Value(value),
            Err(raise) => HostAnswer::Throw(raise),
        }
    }

    fn get(&self, _vm: &mut Vm, name: &str) -> HostAnswer {
        match (name, &self.name) {
            ("name", Some(own)) => HostAnswer::Value(Value::str(own)),
            _ => HostAnswer::Unknown,
        }
    }

    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or(self.context.name);
        format!("{}({name})", self.class_name())
    }
}

/// Methods that Groovy gives every object or script, and that no block means to be its own; and those that make items.
fn is_groovy(name: &str) -> bool {
    matches!(
        name,
        "println"
            | "print"
            | "printf"
            | "sprintf"
            | "with"
            | "tap"
            | "each"
            | "use"
            | "getBinding"
            | "getClass"
            | "toString"
            | "hashCode"
            | "equals"
            | "getProperty"
            | "setProperty"
            | "invokeMethod"
            | "getMetaClass"
            | "readFileFromWorkspace"
            | "streamFileFromWorkspace"
            | "queue"
            | "identity"
            | "evaluate"
            | "sleep"
            | "find"
            | "any"
            | "every"
            | "collect"
            | "asBoolean"
            | "is"
            | "isCase"
            | "call"
    )
}

/// The closure at the end of arguments, and those before it.
pub(crate) fn split(args: &[Value]) -> (&[Value], Option<&Value>) {
    match args.split_last() {
        Some((last @ Value::Closure(_), before)) => (before, Some(last)),
        _ => (args, None),
    }
}

/// A Groovy value as an argument.
pub(crate) fn argument(vm: &mut Vm, value: &Value, depth: u32) -> Result<Arg, Raise> {
    if depth > MAX_ARG_DEPTH {
        return Err(vm.throw("java.lang.IllegalArgumentException", "an argument of the DSL nests too deep"));
    }
    Ok(match value {
        Value::Null => Arg::Null,
        Value::Bool(value) => Arg::Bool(*value),
        Value::List(list) => {
            let items = list.items.borrow().clone();
            Arg::List(items.iter().map(|item| argument(vm, item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Value::Set(set) => {
            let entries = vm.entries(set);
            Arg::List(entries.iter().map(|(item, _)| argument(vm, item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in vm.entries(map) {
                entries.push((vm.text(&key)?.to_string(), argument(vm, &value, depth + 1)?));
            }
            Arg::Map(entries)
        }
        other => Arg::Text(vm.text(other)?.to_string()),
    })
}
