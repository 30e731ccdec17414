//! A step that is a program of its own; see [`haliotis_plugin_api::program`] for what it is told and tells.
//!
//! The request is a file in the scratch folder, which a shell makes the program's standard input; its standard output is
//! a file there too. So nothing of the conversation needs this process, and a restart reads the rest of it. What was
//! read is noted by its length, so a line is logged once; a crash between logging and noting logs it twice.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use haliotis_model::{BuildResult, Object, StepOutput, StepSchema, Value};
use haliotis_plugin_api::program::{MAX_STDOUT, Message, PROTOCOL, Request};
use haliotis_plugin_api::{Exit, Started, StepContext, StepError, StepRunner};
use serde_json::json;

use crate::process;

/// How often new lines are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Opens the request as standard input and becomes the program.
const SHELL: &str = r#"in=$1; shift; exec "$@" < "$in""#;

pub(crate) struct Program {
    pub(crate) schema: StepSchema,
    pub(crate) argv: Vec<String>,
}

#[async_trait]
impl StepRunner for Program {
    fn schema(&self) -> StepSchema {
        self.schema.clone()
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        fs::create_dir_all(&ctx.scratch)?;
        let request = ctx.scratch.join("request.json");
        fs::write(&request, serde_json::to_vec(&self.request(ctx)).unwrap_or_default())?;
        let mut argv = vec!["sh".to_owned(), "-c".to_owned(), SHELL.to_owned(), "sh".to_owned()];
        argv.push(request.display().to_string());
        argv.extend(self.argv.iter().cloned());
        let mut spec = process::spec(ctx, argv, ctx.workspace.clone());
        spec.stdout = Some(told(ctx));
        process::spawn(ctx, spec).await?;
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let mut talk = Talk::resume(ctx);
        let end = process::wait(ctx);
        tokio::pin!(end);
        let ended = loop {
            tokio::select! {
                ended = &mut end => break ended?,
                () = tokio::time::sleep(LOOK_EVERY) => talk.listen(ctx)?,
            }
        };
        talk.listen(ctx)?;
        talk.rest(ctx);
        match ended {
            Ok(exit) => Ok(talk.output(ctx, exit)),
            Err(stopped) => Ok(stopped),
        }
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        process::kill(ctx).await
    }
}

impl Program {
    fn request(&self, ctx: &StepContext) -> Request {
        let build = json!({
            "pipeline": ctx.build.pipeline, "number": ctx.build.number, "parameters": ctx.build.parameters,
            "commit": ctx.build.source.commit,
        });
        Request {
            protocol: PROTOCOL,
            step: self.schema.name.to_owned(),
            key: ctx.key.to_string(),
            arguments: ctx.call.with.clone(),
            workspace: ctx.workspace.display().to_string(),
            scratch: ctx.scratch.display().to_string(),
            artifacts: ctx.artifacts.display().to_string(),
            build: build.as_object().cloned().unwrap_or_default(),
        }
    }
}

fn told(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("told.jsonl")
}

fn noted(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("told.length")
}

/// What a program has said so far.
#[derive(Default)]
struct Talk {
    /// Bytes read.
    read: u64,
    /// Bytes whose lines are in the log, from an earlier life.
    logged: u64,
    /// The begin of a line.
    open: Vec<u8>,
    outputs: Object,
    result: Option<BuildResult>,
    message: Option<String>,
}

impl Talk {
    fn resume(ctx: &StepContext) -> Self {
        let logged = fs::read_to_string(noted(ctx)).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        Talk { logged, ..Talk::default() }
    }

    /// Reads what is new.
    fn listen(&mut self, ctx: &StepContext) -> Result<(), StepError> {
        let Ok(mut file) = fs::File::open(told(ctx)) else { return Ok(()) };
        file.seek(SeekFrom::Start(self.read))?;
        let mut fresh = Vec::new();
        file.take(MAX_STDOUT.saturating_sub(self.read)).read_to_end(&mut fresh)?;
        if fresh.is_empty() {
            return Ok(());
        }
        self.read += fresh.len() as u64;
        self.open.extend(fresh);
        while let Some(at) = self.open.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.open.drain(..=at).collect();
            let place = self.read - self.open.len() as u64;
            self.line(ctx, &String::from_utf8_lossy(&line), place > self.logged);
        }
        let complete = self.read - self.open.len() as u64;
        if complete > self.logged {
            self.logged = complete;
            fs::write(noted(ctx), complete.to_string())?;
        }
        Ok(())
    }

    /// A last line without an end.
    fn rest(&mut self, ctx: &StepContext) {
        let line = std::mem::take(&mut self.open);
        if !line.is_empty() {
            self.line(ctx, &String::from_utf8_lossy(&line), self.read > self.logged);
        }
        if self.read >= MAX_STDOUT {
            ctx.log.line(&format!("what it wrote to standard output beyond {MAX_STDOUT} bytes was not read"));
        }
    }

    fn line(&mut self, ctx: &StepContext, line: &str, log: bool) {
        let line = line.trim_end_matches(['\n', '\r']);
        let message = line.starts_with('{').then(|| serde_json::from_str::<Message>(line).ok()).flatten();
        let Some(message) = message else {
            if log && !line.is_empty() {
                ctx.log.line(line);
            }
            return;
        };
        if let (Some(text), true) = (&message.log, log) {
            ctx.log.line(text);
        }
        self.outputs.extend(message.outputs);
        if let Some(word) = message.result {
            self.result = BuildResult::parse(&word);
            if self.result.is_none() {
                self.result = Some(BuildResult::Failure);
                self.message = Some(format!("it said the result `{word}`, which is none"));
            }
        }
        self.message = message.message.or(self.message.take());
    }

    fn output(self, ctx: &StepContext, exit: Exit) -> StepOutput {
        let outputs: Object = self.outputs.into_iter().map(|(name, value)| (name, masked(ctx, value))).collect();
        let message = self.message.map(|text| process::masked(ctx, text));
        let result = match self.result {
            // A program that died did not mean its success.
            Some(BuildResult::Success) | None if exit.code != 0 => BuildResult::Failure,
            Some(result) => result,
            None => BuildResult::Success,
        };
        if result == BuildResult::Success {
            return StepOutput::success(outputs);
        }
        let message = message.unwrap_or_else(|| format!("the program ended with {}", process::ending(exit)));
        StepOutput { result, message: Some(message), outputs, interrupted: None }
    }
}

/// No secret enters the journal, however deep it stands.
fn masked(ctx: &StepContext, value: Value) -> Value {
    match value {
        Value::String(text) => process::masked(ctx, text).into(),
        Value::Array(items) => items.into_iter().map(|item| masked(ctx, item)).collect(),
        Value::Object(object) => {
            Value::Object(object.into_iter().map(|(name, value)| (name, masked(ctx, value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use haliotis_model::Secret;
    use haliotis_plugin_dummy::bench::{DirectProcesses, context};

    use super::*;
    use crate::programs;

    /// A plugins folder with one program.
    fn plugin(dir: &Path, script: &str) -> Vec<&'static dyn StepRunner> {
        let folder = dir.join("plugins/try");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("try.py"), script).unwrap();
        let manifest = json!({ "protocol": 1, "steps": [{
            "name": "try", "doc": "Tries.", "program": ["python3", "try.py"],
            "arguments": [{ "name": "who", "required": true, "doc": "Whom." }, { "name": "n", "kind": "integer", "default": 2 }],
        }] });
        fs::write(folder.join("plugin.json"), manifest.to_string()).unwrap();
        let (found, problems) = programs(&dir.join("plugins"), &[]);
        assert_eq!(problems, Vec::<String>::new());
        found
    }

    async fn run(script: &str, change: impl FnOnce(&mut StepContext)) -> (StepOutput, String) {
        let dir = tempfile::tempdir().unwrap();
        let runner = plugin(dir.path(), script)[0];
        let mut ctx = context(dir.path(), "try", json!({ "who": "ada" }), &DirectProcesses::shared()).unwrap();
        change(&mut ctx);
        runner.start(&ctx).await.unwrap();
        let output = runner.attach(&ctx, &Value::Null).await.unwrap();
        // Asked again, also after a restart: the same.
        assert_eq!(runner.attach(&ctx, &Value::Null).await.unwrap(), output);
        (output, fs::read_to_string(ctx.log.path()).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_program_is_told_and_tells() {
        let script = r#"
import json, os, sys
asked = json.load(sys.stdin)
assert asked["protocol"] == 1 and asked["step"] == "try", asked
assert os.getcwd() == os.path.realpath(asked["workspace"])
print(json.dumps({"log": "greeting " + asked["arguments"]["who"]}), flush=True)
print("plain words")
print("to the log", file=sys.stderr)
print(json.dumps({"outputs": {"said": "hello " + asked["arguments"]["who"], "deep": [os.environ["PASS"]]}}))
"#;
        let (output, log) = run(script, |ctx| ctx.secrets.push(("PASS".to_owned(), Secret::new("hunter2")))).await;
        assert_eq!(output.result, BuildResult::Success, "{log}");
        assert_eq!(Value::Object(output.outputs), json!({ "said": "hello ada", "deep": ["****"] }));
        for words in ["greeting ada", "plain words", "to the log"] {
            assert_eq!(log.matches(words).count(), 1, "{words} in {log}");
        }
    }

    #[tokio::test]
    async fn how_it_ends() {
        for (script, result, words) in [
            ("print('{\"result\": \"unstable\", \"message\": \"twice\"}')", BuildResult::Unstable, "twice"),
            ("import sys; sys.exit(3)", BuildResult::Failure, "exit code 3"),
            ("import sys; print('{\"result\": \"success\"}'); sys.exit(1)", BuildResult::Failure, "exit code 1"),
            ("print('{\"result\": \"great\"}')", BuildResult::Failure, "the result `great`"),
            ("print('{\"message\": \"no\", \"result\": \"failure\"}', end='')", BuildResult::Failure, "no"),
        ] {
            let (output, log) = run(script, |_| ()).await;
            assert_eq!(output.result, result, "{script}: {log}");
            assert!(output.message.unwrap().contains(words), "{script}");
        }
    }

    #[test]
    fn wrong_manifests_are_told_and_the_others_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, manifest: &str| {
            fs::create_dir_all(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("plugin.json"), manifest).unwrap();
        };
        let step = |name: &str, more: &str| {
            format!(r#"{{"protocol": 1, "steps": [{{"name": "{name}", "doc": "d", "program": ["x"]{more}}}]}}"#)
        };
        write("a", "{");
        write("b", r#"{"protocol": 2, "new": true}"#);
        write("c", &step("Upper", ""));
        write("d", &step("sh", ""));
        write("e", &step("fine", ""));
        write("f", &step("fine", ""));
        write("g", &step("kinds", r#", "arguments": [{"name": "a", "kind": "colour"}]"#));
        write("h", r#"{"steps": []}"#);
        let (found, problems) = programs(dir.path(), &["sh"]);
        assert_eq!(found.iter().map(|runner| runner.schema().name).collect::<Vec<_>>(), ["fine"]);
        let words = ["EOF", "protocol 2", "small letter", "already", "already", "colour", "does not say"];
        assert_eq!(problems.len(), words.len(), "{problems:#?}");
        for (problem, word) in problems.iter().zip(words) {
            assert!(problem.contains(word), "{problem}: {word}");
        }
    }

    #[test]
    fn the_example_is_read() {
        let (found, problems) = programs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"), &[]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(found[0].schema().name, "modelCard");
    }
}
