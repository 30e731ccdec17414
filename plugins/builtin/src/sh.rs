//! `sh`: runs a script in the workspace.
//!
//! The script is an argument of the shell, not a file: one process image and no file stand between a trivial script and
//! its start. Only a script too long for an argument, or one that names its own interpreter by `#!`, becomes a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildResult, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Exit, ProcessSpec, Started, StepContext, StepError, StepRunner};

use crate::process;

/// The variable that names the file for outputs.
const OUTPUT_VARIABLE: &str = "HALIOTIS_OUTPUT";
/// What reads a script, as for make and Jenkins; not the first `sh` of `PATH`, which costs a look into each of its folders.
const SHELL: &str = "/bin/sh";
/// Longest script passed as an argument, in bytes; Linux refuses a single argument of 128 KiB.
const MAX_ARGUMENT: usize = 96 * 1024;
/// Most bytes of standard output or of the output file that become outputs; they live in the journal.
const MAX_OUTPUT: u64 = 1024 * 1024;

pub(crate) struct Sh;

#[async_trait]
impl StepRunner for Sh {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Path, String};
        StepSchema {
            name: "sh",
            doc: "Runs a script in the workspace; `run: SCRIPT` is its short form.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments: vec![
                ArgumentSchema::required(
                    "script",
                    String,
                    "The script. It stops at the first command that fails. A first line `#!...` names its interpreter. \
                     Lines `name=value`, or `name<<END` and lines up to `END`, appended to the file `$HALIOTIS_OUTPUT` \
                     become outputs.",
                ),
                ArgumentSchema::optional("shell", String, "What reads the script.")
                    .or("sh")
                    .one_of(&["sh", "bash", "python"]),
                ArgumentSchema::optional("working-directory", Path, "Where to run, in the workspace; must exist."),
                ArgumentSchema::optional("trace", Boolean, "Logs each command before it runs; not for python.")
                    .or(false),
                ArgumentSchema::optional(
                    "return-stdout",
                    Boolean,
                    "Standard output becomes the output `stdout` without its last line ends, at most 1 MiB, and is not \
                     logged.",
                )
                .or(false),
                ArgumentSchema::optional(
                    "keep-line-ends",
                    Boolean,
                    "With `return-stdout`, the output keeps its last line ends.",
                )
                .or(false),
                ArgumentSchema::optional(
                    "return-status",
                    Boolean,
                    "Any exit code is a success; the output `exit-code` tells.",
                )
                .or(false),
                ArgumentSchema::optional(
                    "allow-failure",
                    Boolean,
                    "A failing script makes the build unstable, no more.",
                )
                .or(false),
            ],
            outputs: vec![OutputSchema { name: "exit-code", doc: "The exit code, a number." }],
            open_outputs: true,
            cloud: false,
            example: "script: |\n  python3 -m compileall -q pipelines\n  echo \"checked=yes\" >> \"$HALIOTIS_OUTPUT\"",
        }
    }

    fn wants_scratch(&self) -> bool {
        false
    }

    fn follows(&self) -> bool {
        true
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        process::begin(ctx, spec(ctx)?).await?;
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        match process::wait(ctx).await? {
            Ok(exit) => finished(ctx, exit),
            Err(stopped) => Ok(stopped),
        }
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        process::kill(ctx).await
    }
}

fn spec(ctx: &StepContext) -> Result<ProcessSpec, StepError> {
    let cwd = match ctx.text("working-directory") {
        None => ctx.workspace.clone(),
        Some(relative) => existing_dir(ctx.path(&relative)?, &relative)?,
    };
    let mut spec = process::spec(ctx, argv(ctx)?, cwd);
    spec.vars.insert(OUTPUT_VARIABLE.to_owned(), output_file(ctx).display().to_string());
    if ctx.flag("return-stdout") {
        fs::create_dir_all(&ctx.scratch)?;
        spec.stdout = Some(stdout_file(ctx));
    }
    Ok(spec)
}

fn existing_dir(path: PathBuf, relative: &str) -> Result<PathBuf, StepError> {
    if path.is_dir() {
        return Ok(path);
    }
    Err(StepError::Usage(format!("sh: the working directory `{relative}` is not in the workspace; make it before")))
}

/// Program and arguments of the script.
fn argv(ctx: &StepContext) -> Result<Vec<String>, StepError> {
    let script = ctx.required("script")?;
    if script.contains('\0') {
        return Err(StepError::Usage("sh: the script holds a zero byte".to_owned()));
    }
    if script.starts_with("#!") {
        return Ok(vec![script_file(ctx, &script)?]);
    }
    let trace = ctx.flag("trace");
    let mut argv: Vec<&str> = match ctx.text("shell").as_deref() {
        None | Some("sh") => vec![SHELL, if trace { "-ex" } else { "-e" }],
        Some("bash") => {
            vec!["bash", "--noprofile", "--norc", if trace { "-ex" } else { "-e" }, "-o", "pipefail"]
        }
        Some("python") => vec!["python3"],
        Some(other) => {
            return Err(StepError::Usage(format!("sh: the shell `{other}` is not one of sh, bash, python")));
        }
    };
    let file;
    if script.len() <= MAX_ARGUMENT {
        argv.extend(["-c", &script]);
    } else {
        file = script_file(ctx, &script)?;
        argv.push(&file);
    }
    Ok(argv.into_iter().map(str::to_owned).collect())
}

fn script_file(ctx: &StepContext, script: &str) -> Result<String, StepError> {
    let path = ctx.scratch.join("script");
    // A second start must not write what a running process executes: the kernel would refuse ("text file busy").
    if !path.exists() {
        fs::create_dir_all(&ctx.scratch)?;
        let fresh = ctx.scratch.join("script.new");
        fs::write(&fresh, script)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o700))?;
        fs::rename(&fresh, &path)?;
    }
    Ok(path.display().to_string())
}

/// Beside the scratch folder, not in it: a script that has no outputs needs no folder, and the shell makes the file.
fn output_file(ctx: &StepContext) -> PathBuf {
    let mut name = ctx.scratch.clone().into_os_string();
    name.push(".outputs");
    PathBuf::from(name)
}

fn stdout_file(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("stdout")
}

/// The step's end from the exit code and the files the script left.
fn finished(ctx: &StepContext, exit: Exit) -> Result<StepOutput, StepError> {
    let mut outputs = match read_capped(&output_file(ctx), "$HALIOTIS_OUTPUT").and_then(|text| parse_outputs(&text)) {
        Ok(outputs) => outputs,
        Err(problem) if exit.code == 0 => return Ok(StepOutput::failure(problem)),
        Err(_) => Object::new(),
    };
    if ctx.flag("return-stdout") {
        match read_capped(&stdout_file(ctx), "standard output") {
            Ok(text) if ctx.flag("keep-line-ends") => outputs.insert("stdout".to_owned(), text.into()),
            Ok(text) => outputs.insert("stdout".to_owned(), text.trim_end_matches(['\n', '\r']).into()),
            Err(problem) => return Ok(StepOutput::failure(problem)),
        };
    }
    for value in outputs.values_mut() {
        if let Value::String(text) = value {
            *text = process::masked(ctx, std::mem::take(text));
        }
    }
    outputs.insert("exit-code".to_owned(), exit.code.into());
    Ok(verdict(ctx, exit, outputs))
}

fn verdict(ctx: &StepContext, exit: Exit, outputs: Object) -> StepOutput {
    let by_status = ctx.flag("return-status") && exit.signal.is_none();
    if exit.code == 0 || by_status {
        return StepOutput::success(outputs);
    }
    let hint = match (exit.signal, exit.code) {
        (None, 127) => " (a command was not found)",
        (None, 126) => " (a command cannot be executed)",
        _ => "",
    };
    let how = if exit.signal.is_some() { "was ended by" } else { "returned" };
    let mut output = StepOutput::failure(format!("script {how} {}{hint}", process::ending(exit))).with_outputs(outputs);
    if ctx.flag("allow-failure") {
        output.result = BuildResult::Unstable;
    }
    output
}

/// The text of a file, empty if it is not there; `Err` when it is too long.
fn read_capped(path: &Path, what: &str) -> Result<String, String> {
    match fs::metadata(path) {
        Err(_) => Ok(String::new()),
        Ok(meta) if meta.len() > MAX_OUTPUT => Err(format!(
            "{what} has {} bytes but only {MAX_OUTPUT} can be an output; write a file and archive it",
            meta.len()
        )),
        Ok(_) => fs::read(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|error| format!("cannot read {what}: {error}")),
    }
}

/// `name=value` and `name<<END` lines; the last of a name counts.
fn parse_outputs(text: &str) -> Result<Object, String> {
    let mut outputs = Object::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |why: &str| format!("$HALIOTIS_OUTPUT, line {}: {why}", at + 1);
        let equals = line.find('=').unwrap_or(usize::MAX);
        let heredoc = line.find("<<").unwrap_or(usize::MAX);
        let (name, value) = if heredoc < equals {
            let end = line[heredoc + 2..].trim();
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some((_, line)) if line == end => break,
                    Some((_, line)) => value.push(line),
                    None => return Err(wrong(&format!("the line `{end}` that ends this value is missing"))),
                }
            }
            (&line[..heredoc], value.join("\n"))
        } else if equals < usize::MAX {
            (&line[..equals], line[equals + 1..].to_owned())
        } else {
            return Err(wrong("neither name=value nor name<<END"));
        };
        if !is_name(name) {
            return Err(wrong(&format!("`{name}` is not a name: a letter or _, then letters, digits, _ and -")));
        }
        outputs.insert(name.to_owned(), value.into());
    }
    Ok(outputs)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use haliotis_model::Secret;
    use haliotis_plugin_api::conformance::{self, Pace};
    use serde_json::json;

    use super::*;
    use crate::bench::{Case, Paced};

    async fn run(with: Value) -> (StepOutput, String) {
        let case = Case::new("sh", with);
        (case.run().await, case.log())
    }

    #[tokio::test]
    async fn conforms() {
        let bench = Paced::new("sh", |pace| match pace {
            Pace::Quick => json!({"script": "echo once >> $EFFECTS"}),
            Pace::Slow => json!({"script": "echo once >> $EFFECTS; sleep 0.5"}),
            Pace::Endless => json!({"script": "sleep 1000 & wait"}),
        });
        conformance::check(&Sh, &bench).await.unwrap();
    }

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_is_killed_after_the_grace() {
        let case = Case::new("sh", json!({"script": "trap '' TERM; echo up; while :; do sleep 0.05; done"}));
        Sh.start(&case.ctx).await.unwrap();
        while case.log().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Sh.cancel(&case.ctx, &Value::Null).await.unwrap();
        assert_eq!(Sh.attach(&case.ctx, &Value::Null).await.unwrap().result, BuildResult::Aborted);
    }

    #[tokio::test]
    async fn it_stops_at_the_first_failure_and_says_the_code() {
        let (output, log) = run(json!({"script": "echo a\n(exit 3)\necho b"})).await;
        assert_eq!(output.message.as_deref(), Some("script returned exit code 3"));
        assert_eq!((output.outputs["exit-code"].as_i64(), log.as_str()), (Some(3), "a\n"));
        let (output, _) = run(json!({"script": "no-such-program"})).await;
        assert!(output.message.unwrap().contains("a command was not found"));
        let (output, _) = run(json!({"script": "kill -9 $$"})).await;
        assert!(output.message.unwrap().starts_with("script was ended by signal 9"));
    }

    #[tokio::test]
    async fn codes_can_be_wanted() {
        let (output, _) = run(json!({"script": "exit 4", "return-status": true})).await;
        assert_eq!((output.result, &output.outputs["exit-code"]), (BuildResult::Success, &json!(4)));
        let (output, _) = run(json!({"script": "exit 4", "allow-failure": true})).await;
        assert_eq!(output.result, BuildResult::Unstable);
    }

    #[tokio::test]
    async fn shells_shebangs_and_long_scripts() {
        let (output, log) = run(json!({"script": "set -o | grep pipefail", "shell": "bash"})).await;
        assert_eq!((output.result, log.contains("on")), (BuildResult::Success, true), "{log}");
        assert_eq!(run(json!({"script": "print(6 * 7)", "shell": "python"})).await.1, "42\n");
        assert_eq!(run(json!({"script": "#!/usr/bin/env python3\nprint('own')"})).await.1, "own\n");
        let long = format!("# {}\necho end", "x".repeat(200_000));
        assert_eq!(run(json!({"script": long})).await.1, "end\n");
        assert!(Case::new("sh", json!({"script": "ls", "shell": "fish"})).try_run().await.is_err());
    }

    #[tokio::test]
    async fn outputs_come_from_the_file_and_from_stdout() {
        let script = "echo a=1 >> $HALIOTIS_OUTPUT\nprintf 'b<<X\\n1\\n2\\nX\\n' >> $HALIOTIS_OUTPUT\necho shown";
        let (output, log) = run(json!({"script": script, "return-stdout": true})).await;
        assert_eq!(output.outputs["a"], "1");
        assert_eq!(output.outputs["b"], "1\n2");
        assert_eq!((&output.outputs["stdout"], log.as_str()), (&json!("shown"), ""));
    }

    #[tokio::test]
    async fn secrets_reach_the_script_but_neither_log_nor_outputs() {
        let mut case = Case::new("sh", json!({"script": "echo key $KEY; echo got=$KEY >> $HALIOTIS_OUTPUT"}));
        case.ctx.secrets = vec![("KEY".to_owned(), Secret::new("hunter22"))];
        let output = case.run().await;
        assert_eq!((case.log().as_str(), &output.outputs["got"]), ("key ****\n", &json!("****")));
    }

    #[tokio::test]
    async fn folders_outside_the_workspace_are_refused() {
        for dir in ["../x", "/etc", "missing"] {
            let error = Case::new("sh", json!({"script": "ls", "working-directory": dir})).try_run().await.unwrap_err();
            assert!(error.to_string().contains("workspace"), "{error}");
        }
    }

    #[test]
    fn wrong_output_lines_are_named() {
        for (text, part) in [("x", "line 1"), ("\na b=1", "line 2"), ("a<<E\n1", "`E`"), ("1=2", "`1`")] {
            let error = parse_outputs(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(parse_outputs("a=x<<y\na=2").unwrap()["a"], "2");
    }
}
