//! The templates: their names and files.

use include_dir::{Dir, include_dir};
use serde::Serialize;

static BUILD: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/abalone-model-build");
static DEPLOY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/abalone-model-deploy");

/// Every template, by name.
const TEMPLATES: &[Template] = &[
    Template {
        name: "abalone-model-build",
        description: "Processing, training, evaluation, quality gate and registration of the abalone model",
        files: &BUILD,
    },
    Template {
        name: "abalone-model-deploy",
        description: "An approved model to staging, a test that scores, an approval, production, and the way back",
        files: &DEPLOY,
    },
];

/// One template.
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    files: &'static Dir<'static>,
}

/// What a person may know of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateInfo {
    /// As `--template` takes it.
    pub name: &'static str,
    /// One line.
    pub description: &'static str,
    /// Paths of its files, sorted.
    pub files: Vec<String>,
}

/// All templates, by name.
pub fn templates() -> Vec<TemplateInfo> {
    let info = |one: &Template| TemplateInfo {
        name: one.name,
        description: one.description,
        files: one.files().into_iter().map(|(path, _)| path).collect(),
    };
    TEMPLATES.iter().map(info).collect()
}

pub(crate) fn find(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|one| one.name == name)
}

impl Template {
    /// Paths and contents, sorted by path.
    pub(crate) fn files(&self) -> Vec<(String, &'static [u8])> {
        let mut found = Vec::new();
        collect(self.files, &mut found);
        found.sort();
        found
    }
}

/// Python leaves compiled copies in a working copy; they are no part of a template.
fn collect(dir: &'static Dir<'static>, found: &mut Vec<(String, &'static [u8])>) {
    for file in dir.files() {
        let path = file.path().to_string_lossy().into_owned();
        if !path.ends_with(".pyc") {
            found.push((path, file.contents()));
        }
    }
    for inner in dir.dirs() {
        let name = inner.path().file_name().unwrap_or_default();
        // `build` is where a run in the template's own folder writes.
        if name != "__pycache__" && name != "build" {
            collect(inner, found);
        }
    }
}
