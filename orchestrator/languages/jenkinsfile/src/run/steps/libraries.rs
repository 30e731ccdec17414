//! `library` and `libraryResource`.
//!
//! What a script names by a constant at its top level is pinned with the build. Anything else (`library "x@${v}"`, one
//! with a `retriever`) is read when the script comes to it; what was read is in the journal.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_groovy::{HostAnswer, HostObject, Value, Vm};
use haliotis_model::Value as Json;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, machine};

impl Run {
    pub(super) async fn library(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let identifier = self.vm(|vm| given.required(vm, "identifier"))?;
        let loaded = LibraryClasses::value("");
        let pinned = format!("library:{identifier}/");
        let own = self.json_arg(given, "retriever")?.filter(|retriever| !retriever.is_null());
        if own.is_none() && self.shared.facts.libraries.keys().any(|path| path.starts_with(&pinned)) {
            self.shared.say(&format!("Library {identifier} is loaded already"));
            return Ok(loaded);
        }
        if !self.shared.has_kind("library") {
            return Err(self.abort_exception(&format!("library: {identifier} cannot be read here")));
        }
        self.shared.say(&format!("Loading library {identifier}"));
        let mut call = self.call(ctx, "library", "library");
        call.slot = None;
        call.with.insert("identifier".to_owned(), identifier.clone().into());
        if let Some(own) = own {
            call.with.insert("retriever".to_owned(), own);
        }
        let outputs = self.run_call(ctx, call).await?.outputs;
        let text = |name: &str| outputs.get(name).and_then(Json::as_str).unwrap_or("?").to_owned();
        self.shared.say(&format!("Obtained {identifier} from {} at {}", text("remote"), text("commit")));
        let files: BTreeMap<String, String> = outputs
            .get("files")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(path, text)| Some((format!("{pinned}{path}"), text.as_str()?.to_owned())))
            .collect();
        let loading =
            self.vm(|vm| machine::load_library(vm, &mut self.shared.names.borrow_mut(), &files, &self.shared.models));
        loading.map_err(|message| {
            self.throw("org.codehaus.groovy.control.MultipleCompilationErrorsException", &message)
        })?;
        self.shared
            .state
            .borrow_mut()
            .resources
            .extend(files.into_iter().filter(|(path, _)| path.contains("/resources/")));
        Ok(loaded)
    }

    /// `libraryResource 'org/acme/x.json'`.
    pub(super) fn resource(&self, given: &Given) -> Answer {
        let path = self.vm(|vm| given.required(vm, "resource"))?;
        let wanted = format!("/resources/{path}");
        let pinned = self.shared.facts.libraries.iter().find(|(name, _)| name.ends_with(&wanted));
        if let Some((_, text)) = pinned {
            return Ok(Value::str(text));
        }
        let state = self.shared.state.borrow();
        let later = state.resources.iter().find(|(name, _)| name.ends_with(&wanted)).map(|(_, text)| Value::str(text));
        drop(state);
        later.ok_or_else(|| self.abort_exception(&format!("No such library resource {path} could be found.")))
    }
}

/// `library('x').org.acme.Names`: the way to a class.
struct LibraryClasses {
    path: String,
}

impl LibraryClasses {
    fn value(path: &str) -> Value {
        Value::Host(Rc::new(LibraryClasses { path: path.to_owned() }))
    }
}

impl HostObject for LibraryClasses {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.workflow.libs.LibraryStep$LoadedClasses"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        HostAnswer::Value(match vm.type_named(&path) {
            Some(class) => Value::Class(class),
            None => LibraryClasses::value(&path),
        })
    }
}
