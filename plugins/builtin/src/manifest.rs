//! Manifests of programs that are steps: read, checked, made into step kinds.

use std::path::{Path, PathBuf};

use haliotis_model::{ArgumentKind, ArgumentSchema, Delivery, OutputSchema, Placement, StepSchema};
use haliotis_plugin_api::StepRunner;
use haliotis_plugin_api::program::{Argument, MAX_MANIFEST, Manifest, Output, PROTOCOL, Step};

use crate::program::Program;

/// The manifest's file.
const FILE: &str = "plugin.json";
/// Longest name of a step, in characters.
const MAX_NAME: usize = 60;

/// The step kinds of all programs in a folder of folders, by name, and what is wrong with the rest. Names in `taken` are
/// not given away. Kinds live as long as the process.
pub fn programs(folder: &Path, taken: &[&str]) -> (Vec<&'static dyn StepRunner>, Vec<String>) {
    let (mut found, mut problems): (Vec<(String, &'static dyn StepRunner)>, Vec<String>) = (Vec::new(), Vec::new());
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for folder in folders {
        let file = folder.join(FILE);
        if !file.is_file() {
            continue;
        }
        let manifest = match read(&file) {
            Ok(manifest) => manifest,
            Err(why) => {
                problems.push(format!("{}: {why}", file.display()));
                continue;
            }
        };
        for step in manifest.steps {
            let name = step.name.clone();
            if taken.contains(&name.as_str()) || found.iter().any(|(known, _)| *known == name) {
                problems.push(format!("{}: there is a step kind `{name}` already", file.display()));
                continue;
            }
            match schema(&step) {
                Ok(schema) => {
                    let argv = argv(&folder, &step.program);
                    // As long as the process, as every step kind.
                    found.push((name, Box::leak(Box::new(Program { schema, argv }))));
                }
                Err(why) => problems.push(format!("{}: the step `{name}`: {why}", file.display())),
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    (found.into_iter().map(|(_, runner)| runner).collect(), problems)
}

fn read(file: &Path) -> Result<Manifest, String> {
    let length = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if length > MAX_MANIFEST {
        return Err(format!("it has {length} bytes; at most {MAX_MANIFEST} are read"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    // The version first: a later one may have other keys.
    let version = serde_json::from_str::<haliotis_model::Value>(&text).map_err(|error| error.to_string())?;
    match version.get("protocol").and_then(haliotis_model::Value::as_u64) {
        Some(number) if number == u64::from(PROTOCOL) => {}
        Some(other) => return Err(format!("it speaks protocol {other}, this Haliotis speaks {PROTOCOL}")),
        None => return Err(format!("it does not say its protocol; write \"protocol\": {PROTOCOL}")),
    }
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// Program and arguments; what names a file of the plugin's folder is taken from there.
fn argv(folder: &Path, program: &[String]) -> Vec<String> {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let of = |part: &String| match absolute.join(part) {
        file if !part.is_empty() && !part.starts_with('-') && file.is_file() => file.display().to_string(),
        _ => part.clone(),
    };
    program.iter().map(of).collect()
}

fn schema(step: &Step) -> Result<StepSchema, String> {
    let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_uppercase() || c.is_ascii_digit() || "-_.".contains(c);
    let first = |c: char| c.is_ascii_lowercase();
    if step.name.len() > MAX_NAME || !step.name.starts_with(first) || !step.name.chars().all(safe) {
        return Err(format!("a name begins with a small letter and has at most {MAX_NAME} letters, digits, - _ ."));
    }
    if step.program.first().is_none_or(String::is_empty) {
        return Err("it names no program".to_owned());
    }
    Ok(StepSchema {
        name: text(&step.name),
        doc: text(&step.doc),
        placement: match step.placement.as_deref() {
            None | Some("agent") => Placement::Agent,
            Some("server") => Placement::Server,
            Some(other) => return Err(format!("the placement `{other}` is neither agent nor server")),
        },
        delivery: match step.delivery.as_deref() {
            None | Some("at-least-once") => Delivery::AtLeastOnce,
            Some("token") => Delivery::Token,
            Some("at-most-once") => Delivery::AtMostOnce,
            Some(other) => {
                return Err(format!("the delivery `{other}` is none of at-least-once, token, at-most-once"));
            }
        },
        arguments: step.arguments.iter().map(argument).collect::<Result<_, _>>()?,
        outputs: step.outputs.iter().map(output).collect(),
        open_outputs: true,
        cloud: false,
        example: text(&step.example),
    })
}

fn argument(argument: &Argument) -> Result<ArgumentSchema, String> {
    let kind = match argument.kind.as_deref() {
        None | Some("string") => ArgumentKind::String,
        Some("integer") => ArgumentKind::Integer,
        Some("number") => ArgumentKind::Number,
        Some("boolean") => ArgumentKind::Boolean,
        Some("duration") => ArgumentKind::Duration,
        Some("path") => ArgumentKind::Path,
        Some("strings") => ArgumentKind::Strings,
        Some("list") => ArgumentKind::List,
        Some("map") => ArgumentKind::Map,
        Some("any") => ArgumentKind::Any,
        Some(other) => return Err(format!("the argument `{}` has the unknown kind `{other}`", argument.name)),
    };
    let schema = ArgumentSchema::optional(text(&argument.name), kind, text(&argument.doc));
    let default = argument.default.clone().filter(|_| !argument.required);
    Ok(ArgumentSchema { required: argument.required, default, ..schema })
}

fn output(output: &Output) -> OutputSchema {
    OutputSchema { name: text(&output.name), doc: text(&output.doc) }
}

/// A text as long as the process, as schemas have them.
fn text(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}
