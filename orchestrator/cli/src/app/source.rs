//! Sources from files of this machine.

use std::path::{Path, PathBuf};

use haliotis_model::{Object, Source, Value};

use crate::app::registry;
use crate::failure::Failure;

/// Files a pipeline may name, and files those name, and so on: a bound that no honest pipeline meets.
const MAX_FILES: usize = 256;

/// Reads a pipeline file and every local file it names.
pub fn read(file: &Path) -> Result<Source, Failure> {
    let text = read_text(file)?;
    let mut source = Source {
        language: registry::language_of(file).to_owned(),
        path: file.display().to_string(),
        text,
        files: Object::new(),
        repo: None,
        branch: None,
        commit: None,
        credential: None,
    };
    let root = root_of(file);
    loop {
        let wanted: Vec<_> = registry::language(&source.language)
            .wants(&source)
            .into_iter()
            .filter(|path| !source.files.contains_key(path))
            .collect();
        if wanted.is_empty() || source.files.len() > MAX_FILES {
            return Ok(source);
        }
        for path in wanted {
            // A file that is not there is left out: the language says so, with the place that names it.
            let text = std::fs::read_to_string(root.join(&path)).ok();
            source.files.insert(path, text.map_or(Value::Null, Value::from));
        }
        source.files.retain(|_, text| !text.is_null());
        if source.files.is_empty() {
            return Ok(source);
        }
    }
}

/// The folder a pipeline file's paths count from: the nearest one above it with a `.git`, or its own.
pub fn root_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let own = file.parent().unwrap_or(Path::new("/")).to_owned();
    own.ancestors().find(|dir| dir.join(".git").exists()).map_or(own.clone(), Path::to_owned)
}

fn read_text(file: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("there is no file {}", file.display())),
        _ => Failure::world(format!("cannot read {}: {error}", file.display())),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        Failure::usage(format!("{} is not UTF-8 text (byte {})", file.display(), error.utf8_error().valid_up_to()))
    })
}
