//! Steps on files of the workspace.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{Call, Object, Value as Json};

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn file_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        match name {
            "readFile" => {
                let path = self.vm(|vm| given.required(vm, "file"))?;
                Ok(Value::from(self.read_text(ctx, name, &path).await?))
            }
            "writeFile" => {
                let path = self.vm(|vm| given.required(vm, "file"))?;
                let text = self.arg(given, "text")?.unwrap_or_default();
                self.write_text(ctx, name, &path, text).await?;
                Ok(Value::Null)
            }
            "fileExists" => {
                let path = self.vm(|vm| given.required(vm, "file"))?;
                let outputs = self.do_files(ctx, name, "stat", [("path", path.into())]).await?;
                Ok(Value::Bool(outputs.get("exists") == Some(&true.into())))
            }
            "pwd" => {
                let outputs = self.do_files(ctx, name, "pwd", [("tmp", given.flag("tmp").into())]).await?;
                Ok(text(&outputs, "path"))
            }
            "deleteDir" | "cleanWs" => {
                let mut with = Object::new();
                if let Some(patterns) = self.json_arg(given, "patterns")? {
                    with.insert("patterns".to_owned(), patterns);
                }
                let outputs = self.do_files(ctx, name, "delete-dir", with).await;
                match outputs {
                    Err(_) if given.flag("notFailBuild") => Ok(Value::Null),
                    other => other.map(|_| Value::Null),
                }
            }
            "findFiles" => {
                let glob = self.arg(given, "glob")?.unwrap_or_else(|| "*".to_owned());
                let exclude = self.arg(given, "excludes")?.unwrap_or_default();
                let outputs =
                    self.do_files(ctx, name, "find", [("glob", glob.into()), ("exclude", exclude.into())]).await?;
                let files = outputs.get("files").cloned().unwrap_or_default();
                self.vm(|vm| values::from_json(vm, &files))
            }
            "touch" => {
                let path = self.vm(|vm| given.required(vm, "file"))?;
                self.do_files(ctx, name, "touch", [("path", path.into())]).await?;
                Ok(Value::Null)
            }
            "sha1" | "sha256" => {
                let path = self.vm(|vm| given.required(vm, "file"))?;
                let outputs =
                    self.do_files(ctx, name, "hash", [("path", path.into()), ("algorithm", name.into())]).await?;
                Ok(text(&outputs, "hash"))
            }
            "verifySha1" | "verifySha256" => {
                let path = self.vm(|vm| given.required(vm, "file"))?;
                let wanted = self.vm(|vm| given.required(vm, "hash"))?;
                let algorithm = if name == "verifySha1" { "sha1" } else { "sha256" };
                let with = [("path", path.clone().into()), ("algorithm", algorithm.into())];
                let outputs = self.do_files(ctx, name, "hash", with).await?;
                let found = outputs.get("hash").and_then(Json::as_str).unwrap_or_default();
                if found.eq_ignore_ascii_case(wanted.trim()) {
                    return Ok(Value::Null);
                }
                Err(self.abort_exception(&format!("The {algorithm} hash of {path} is {found}, not {wanted}")))
            }
            "unzip" | "untar" if given.flag("test") || given.flag("read") => self.look_into(ctx, name, given).await,
            "zip" | "tar" | "unzip" | "untar" => self.pack(ctx, name, given).await,
            "stash" | "unstash" => self.stash(ctx, name, given).await,
            "archiveArtifacts" | "archive" => self.archive(ctx, name, given).await,
            "junit" => self.junit(ctx, given).await,
            "publishHTML" => self.publish_html(ctx, given).await,
            _ => Err(self.abort_exception(&format!("The step {name} is known and cannot be run yet"))),
        }
    }

    /// A file's text.
    pub(super) async fn read_text(
        self: &Rc<Self>,
        ctx: &Ctx,
        name: &str,
        path: &str,
    ) -> Result<String, haliotis_groovy::Raise> {
        let mut call = self.call(ctx, name, "read-file");
        call.with.insert("path".to_owned(), path.into());
        let output = self.run_call(ctx, call).await?;
        Ok(output.outputs.get("text").and_then(Json::as_str).unwrap_or_default().to_owned())
    }

    /// Writes a file.
    pub(super) async fn write_text(
        self: &Rc<Self>,
        ctx: &Ctx,
        name: &str,
        path: &str,
        text: String,
    ) -> Result<(), haliotis_groovy::Raise> {
        let mut call = self.call(ctx, name, "write-file");
        call.with.insert("path".to_owned(), path.into());
        call.with.insert("text".to_owned(), text.into());
        self.run_call(ctx, call).await.map(drop)
    }

    /// `WORKSPACE@tmp`, made.
    pub(crate) async fn tmp_folder(self: &Rc<Self>, ctx: &Ctx) -> Result<String, haliotis_groovy::Raise> {
        let root = Ctx { folder: "".into(), ..ctx.clone() };
        let outputs = self.do_files(&root, "pwd", "pwd", [("tmp", true.into())]).await?;
        Ok(outputs.get("path").and_then(Json::as_str).unwrap_or_default().to_owned())
    }

    /// The step kind `files`, whose `do` says what.
    async fn do_files(
        self: &Rc<Self>,
        ctx: &Ctx,
        name: &str,
        action: &str,
        with: impl IntoIterator<Item = (impl Into<String>, Json)>,
    ) -> Result<Object, haliotis_groovy::Raise> {
        let mut call = self.call(ctx, name, "files");
        call.with.insert("do".to_owned(), action.into());
        call.with.extend(with.into_iter().map(|(name, value)| (name.into(), value)));
        Ok(self.run_call(ctx, call).await?.outputs)
    }

    /// `unzip read: true`: text by file name. `unzip test: true`: whether the archive can be read.
    async fn look_into(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let parameter = if name == "unzip" { "zipFile" } else { "file" };
        let mut call = self.call(ctx, name, "files");
        call.with.insert("do".to_owned(), "list".into());
        call.with.insert("path".to_owned(), self.vm(|vm| given.required(vm, parameter))?.into());
        call.with.insert("format".to_owned(), if name == "unzip" { "zip" } else { "tar" }.into());
        call.with.insert("texts".to_owned(), given.flag("read").into());
        if let Some(glob) = self.arg(given, "glob")?.filter(|glob| !glob.is_empty()) {
            call.with.insert("glob".to_owned(), glob.into());
        }
        if given.flag("test") {
            let output = self.perform(ctx, call).await?;
            return Ok(Value::Bool(output.result == haliotis_model::BuildResult::Success));
        }
        let texts = self.run_call(ctx, call).await?.outputs.get("texts").cloned().unwrap_or_default();
        self.vm(|vm| values::from_json(vm, &texts))
    }

    async fn pack(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let file = match self.arg(given, "zipFile")? {
            Some(file) => file,
            None => self.vm(|vm| given.required(vm, "file"))?,
        };
        let packing = matches!(name, "zip" | "tar");
        let mut with = Object::new();
        with.insert("path".to_owned(), file.clone().into());
        for (ours, theirs) in [("dir", "dir"), ("glob", "glob"), ("exclude", "exclude")] {
            if let Some(value) = self.arg(given, theirs)?.filter(|value| !value.is_empty()) {
                with.insert(ours.to_owned(), value.into());
            }
        }
        with.insert("format".to_owned(), if name.ends_with("zip") { "zip" } else { "tar" }.into());
        let outputs = self.do_files(ctx, name, if packing { "pack" } else { "unpack" }, with).await?;
        if packing && given.flag("archive") {
            let mut call = self.call(ctx, "archiveArtifacts", "archive");
            call.with.insert("files".to_owned(), Json::from(vec![file]));
            self.run_call(ctx, call).await?;
        }
        let files = outputs.get("files").cloned().unwrap_or_default();
        self.vm(|vm| values::from_json(vm, &files))
    }

    async fn stash(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let mut call = self.call(ctx, name, name);
        let stash = self.vm(|vm| given.required(vm, "name"))?;
        call.with.insert("name".to_owned(), stash.into());
        if name == "stash" {
            if let Some(files) = self.arg(given, "includes")?.filter(|text| !text.is_empty()) {
                call.with.insert("files".to_owned(), files.into());
            }
            self.exclude(given, &mut call)?;
            call.with.insert("allow-empty".to_owned(), given.flag("allowEmpty").into());
        }
        self.run_call(ctx, call).await?;
        Ok(Value::Null)
    }

    fn exclude(&self, given: &Given, call: &mut Call) -> Result<(), haliotis_groovy::Raise> {
        if let Some(files) = self.arg(given, "excludes")?.filter(|text| !text.is_empty()) {
            call.with.insert("exclude".to_owned(), files.into());
        }
        Ok(())
    }

    async fn archive(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        let parameter = if name == "archive" { "includes" } else { "artifacts" };
        let files = self.vm(|vm| given.required(vm, parameter))?;
        self.shared.say("Archiving artifacts");
        let mut call = self.call(ctx, name, "archive");
        call.with.insert("files".to_owned(), files.into());
        self.exclude(given, &mut call)?;
        call.with.insert("allow-empty".to_owned(), given.flag("allowEmptyArchive").into());
        self.run_call(ctx, call).await?;
        Ok(Value::Null)
    }

    async fn junit(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let files = self.vm(|vm| given.required(vm, "testResults"))?;
        self.shared.say("Recording test results");
        let mut call = self.call(ctx, "junit", "junit");
        call.with.insert("files".to_owned(), files.into());
        call.with.insert("allow-empty".to_owned(), given.flag("allowEmptyResults").into());
        let mut output = self.perform(ctx, call).await?;
        if output.result == haliotis_model::BuildResult::Unstable && given.flag("skipMarkingBuildUnstable") {
            output.result = haliotis_model::BuildResult::Success;
        }
        let output = self.judge(ctx, "junit", output)?;
        let get = |name: &str| output.outputs.get(name).cloned().unwrap_or(Json::from(0));
        let summary = serde_json::json!({
            "totalCount": get("total"), "failCount": get("failed"), "skipCount": get("skipped"),
            "passCount": get("passed"),
        });
        self.vm(|vm| values::from_json(vm, &summary))
    }

    async fn publish_html(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let target = self.json_arg(given, "target")?.unwrap_or_default();
        let get = |name: &str| target.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let dir = get("reportDir");
        let files = if dir.is_empty() { "**".to_owned() } else { format!("{}/**", dir.trim_end_matches('/')) };
        self.shared.say(&format!("[htmlpublisher] Archiving HTML reports {}", get("reportName")));
        let mut call = self.call(ctx, "publishHTML", "archive");
        call.with.insert("files".to_owned(), files.into());
        let allowed = target.get("allowMissing").and_then(Json::as_bool).unwrap_or(false);
        call.with.insert("allow-empty".to_owned(), allowed.into());
        self.run_call(ctx, call).await?;
        Ok(Value::Null)
    }
}

fn text(outputs: &Object, name: &str) -> Value {
    outputs.get(name).and_then(Json::as_str).map_or(Value::Null, Value::str)
}
