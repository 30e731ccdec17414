//! What the tests share: step kinds like the real ones, a driver that plays the engine, goldens.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "tests read fixtures; the crate itself has no files")]

pub(crate) mod drive;

use std::path::{Path, PathBuf};

use haliotis_model::{ArgumentKind as Kind, ArgumentSchema, Delivery, OutputSchema, Placement, Source, StepSchema};

/// Step kinds with the shapes of the real ones.
pub(crate) fn kinds() -> Vec<StepSchema> {
    let agent = |name, doc, arguments, outputs: &[&'static str], open| StepSchema {
        name,
        doc,
        placement: Placement::Agent,
        delivery: Delivery::AtLeastOnce,
        arguments,
        outputs: outputs.iter().map(|name| OutputSchema { name, doc: "an output" }).collect(),
        open_outputs: open,
        cloud: false,
        example: "",
    };
    let server = |name, doc, arguments, outputs, cloud| StepSchema {
        placement: Placement::Server,
        cloud,
        ..agent(name, doc, arguments, outputs, false)
    };
    let need = |name, kind| ArgumentSchema::required(name, kind, "What it is told.");
    let may = |name, kind| ArgumentSchema::optional(name, kind, "What it may be told.");
    vec![
        agent(
            "sh",
            "Runs a shell script.",
            vec![need("script", Kind::String), may("shell", Kind::String)],
            &["exit"],
            true,
        ),
        agent(
            "checkout",
            "Gets the sources.",
            vec![may("repo", Kind::String), may("branch", Kind::String), may("commit", Kind::String)],
            &["commit"],
            false,
        ),
        agent(
            "archive",
            "Keeps files.",
            vec![need("files", Kind::Strings), may("allow-empty", Kind::Boolean)],
            &["count"],
            false,
        ),
        agent("junit", "Reads test reports.", vec![need("files", Kind::Strings)], &["passed", "failed"], false),
        server("noop", "Does nothing.", vec![], &[], false),
        server("echo", "Says something.", vec![need("message", Kind::String)], &[], false),
        server("sleep", "Waits.", vec![need("for", Kind::Duration)], &[], false),
        server(
            "http",
            "Asks a server.",
            vec![
                need("url", Kind::String),
                may("method", Kind::String).one_of(&["GET", "POST"]),
                may("retries", Kind::Integer),
                may("headers", Kind::Map),
            ],
            &["status", "body"],
            false,
        ),
        server(
            "condition",
            "Checks.",
            vec![need("check", Kind::Boolean), may("message", Kind::String)],
            &["met"],
            false,
        ),
        server(
            "sagemaker.training",
            "Trains a model.",
            vec![
                need("image", Kind::String),
                may("channels", Kind::Map),
                may("hyperparameters", Kind::Map),
                may("instance-count", Kind::Integer),
                may("eta", Kind::Number),
                may("arguments", Kind::Strings),
                may("max-runtime", Kind::Duration),
            ],
            &["job-name", "job-arn", "model-data", "metrics"],
            true,
        ),
        server(
            "sagemaker.evaluate",
            "Evaluates a model.",
            vec![need("image", Kind::String)],
            &["report", "report-uri"],
            true,
        ),
        server(
            "sagemaker.register-model",
            "Registers a model.",
            vec![need("group", Kind::String), may("model-data", Kind::String)],
            &["arn", "version", "group"],
            true,
        ),
        server(
            "cloudformation.deploy",
            "Deploys.",
            vec![need("stack", Kind::String), may("template", Kind::Path), may("parameters", Kind::Map)],
            &["stack-id", "outputs", "previous-parameters"],
            true,
        ),
        server(
            "sagemaker.processing",
            "Runs a processing job.",
            vec![
                need("image", Kind::String),
                may("code", Kind::Path),
                may("inputs", Kind::Map),
                may("outputs", Kind::Map),
                may("arguments", Kind::Strings),
            ],
            &["job-name", "output-NAME"],
            true,
        ),
        server(
            "sagemaker.test-endpoint",
            "Invokes an endpoint.",
            vec![need("endpoint", Kind::String), may("data", Kind::String), may("max-mse", Kind::Number)],
            &["mse", "rows"],
            true,
        ),
    ]
}

/// A source as it is read from a file.
pub(crate) fn source(path: &str, text: &str) -> Source {
    Source {
        language: "yaml".to_owned(),
        path: path.to_owned(),
        text: text.to_owned(),
        files: haliotis_model::Object::new(),
        repo: None,
        branch: None,
        commit: None,
        credential: None,
    }
}

/// The fixtures of a folder: all `.yaml` files, in name order.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
        .into_iter()
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Compares with the golden text beside a fixture; `UPDATE=1` writes it.
pub(crate) fn golden(folder: &str, name: &str, actual: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder).join(format!("{name}.txt"));
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, actual).unwrap();
        return Ok(());
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    let line = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or(expected.lines().count().min(actual.lines().count()));
    Err(format!(
        "{folder}/{name}.txt differs in line {}:\n  golden: {}\n  now:    {}\n(UPDATE=1 writes it)",
        line + 1,
        expected.lines().nth(line).unwrap_or("(end)"),
        actual.lines().nth(line).unwrap_or("(end)"),
    ))
}
