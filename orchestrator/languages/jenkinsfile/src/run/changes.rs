//! What changed since the build before: `currentBuild.changeSets`, and the conditions `changeset` and `changelog`.
//!
//! The server is asked once, when the script first wants to know; its answer is in the journal.

use std::any::Any;
use std::rc::Rc;

use haliotis_groovy::value::MapKind;
use haliotis_groovy::{HostAnswer, HostObject, Raise, Value, Vm};
use haliotis_model::Value as Json;

use super::context::Ctx;
use super::{Answer, Run, values};

impl Run {
    /// The commits that are new, oldest first.
    pub(crate) async fn commits(self: &Rc<Self>, ctx: &Ctx) -> Result<Rc<Vec<Json>>, Raise> {
        if let Some(known) = self.shared.state.borrow().changes.clone() {
            return Ok(known);
        }
        let mut commits = Vec::new();
        if self.shared.has_kind("changes") {
            let mut bare = ctx.clone();
            bare.env = Rc::default();
            bare.credentials = Rc::default();
            let mut call = self.call(&bare, "~changes", "changes");
            call.slot = None;
            let output = self.run_call(ctx, call).await?;
            commits = output.outputs.get("commits").and_then(Json::as_array).cloned().unwrap_or_default();
        }
        let commits = Rc::new(commits);
        self.shared.state.borrow_mut().changes = Some(Rc::clone(&commits));
        Ok(commits)
    }

    /// `currentBuild.changeSets`: a list of one change set, or of none.
    pub(crate) async fn change_sets(self: &Rc<Self>, ctx: &Ctx) -> Answer {
        let commits = self.commits(ctx).await?;
        self.vm(|vm| {
            let items = commits.iter().map(|commit| entry(vm, commit)).collect::<Result<Vec<_>, Raise>>()?;
            if items.is_empty() {
                return Ok(vm.list(Vec::new()));
            }
            let set = vm.map(MapKind::Linked);
            vm.map_put(&set, Value::str("kind"), Value::str("git"))?;
            let items = vm.list(items);
            vm.map_put(&set, Value::str("items"), items)?;
            Ok(vm.list(vec![Value::Map(set)]))
        })
    }

    /// Paths of all changes, and their messages.
    pub(crate) async fn changed(self: &Rc<Self>, ctx: &Ctx) -> Result<(Vec<String>, Vec<String>), Raise> {
        let commits = self.commits(ctx).await?;
        let files = commits.iter().filter_map(|commit| commit.get("files")?.as_array()).flatten();
        let paths = files.filter_map(|file| Some(file.get("path")?.as_str()?.to_owned())).collect();
        let messages = commits.iter().filter_map(|commit| Some(commit.get("message")?.as_str()?.to_owned())).collect();
        Ok((paths, messages))
    }
}

/// One commit as the Git plugin's change set entry looks.
fn entry(vm: &mut Vm, commit: &Json) -> Answer {
    let text = |name: &str| commit.get(name).and_then(Json::as_str).unwrap_or_default();
    let files = commit.get("files").and_then(Json::as_array).cloned().unwrap_or_default();
    let of = |file: &Json, name: &str| file.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let affected: Vec<Json> = files
        .iter()
        .map(|file| {
            let path = of(file, "path");
            serde_json::json!({ "path": path, "src": path, "dst": path, "editType": { "name": of(file, "edit") } })
        })
        .collect();
    let paths: Vec<String> = files.iter().map(|file| of(file, "path")).collect();
    let json = serde_json::json!({
        "commitId": text("commit"),
        "id": text("commit"),
        "msg": text("message").lines().next().unwrap_or_default(),
        "comment": text("message"),
        "authorEmail": text("email"),
        "timestamp": commit.get("at"),
        "affectedPaths": paths,
        "affectedFiles": affected,
        "paths": affected,
    });
    let map = values::from_json(vm, &json)?;
    if let Value::Map(map) = &map {
        let person = Person { name: text("author").to_owned(), email: text("email").to_owned() };
        vm.map_put(map, Value::str("author"), Value::Host(Rc::new(person)))?;
    }
    Ok(map)
}

/// A commit's author, as Jenkins' user.
struct Person {
    name: String,
    email: String,
}

impl HostObject for Person {
    fn class_name(&self) -> &str {
        "hudson.model.User"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, _vm: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "fullName" | "displayName" => HostAnswer::Value(Value::str(&self.name)),
            "id" => HostAnswer::Value(Value::str(self.email.split('@').next().unwrap_or_default())),
            _ => HostAnswer::Unknown,
        }
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        match (name, args) {
            ("getFullName" | "getDisplayName" | "toString", []) => self.get(vm, "fullName"),
            ("getId", []) => self.get(vm, "id"),
            _ => HostAnswer::Unknown,
        }
    }

    fn text(&self) -> String {
        self.name.clone()
    }
}
