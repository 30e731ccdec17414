//! From the located tree to a [`Doc`], noting every problem on the way.

mod fields;
mod graph;
mod input;
mod matrix;
mod parameters;
mod pipeline;
mod schedule;
mod step;
mod triggers;
mod with;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_flow::Diagnostic;
use haliotis_model::{Source, StepSchema};

pub(crate) use parameters::coerce;
pub(crate) use pipeline::calls;
pub(crate) use with::fit;

use crate::check;
use crate::doc::{Action, Doc};
use crate::expr::Compiler;
use crate::limits::{MAX_CALL_DEPTH, MAX_STEPS};
use crate::problems::Problems;
use crate::tree::{self, At};

/// Step kinds by name.
pub(crate) struct Catalog<'a> {
    kinds: BTreeMap<&'a str, &'a StepSchema>,
}

impl<'a> Catalog<'a> {
    pub(crate) fn new(steps: &'a [StepSchema]) -> Self {
        Self { kinds: steps.iter().map(|schema| (schema.name, schema)).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a StepSchema> {
        self.kinds.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.kinds.keys().copied()
    }
}

/// What one file is read with.
pub(crate) struct Reading<'a> {
    pub(crate) catalog: &'a Catalog<'a>,
    pub(crate) source: &'a Source,
    pub(crate) problems: Problems,
    pub(crate) compiler: Compiler,
}

/// A source read whole, with the files it calls.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) doc: Rc<Doc>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// The source read last on this thread, the step kinds it was read with, and what came of it. A build's source is
/// inspected (parameters, triggers) and then loaded, on the engine's thread both times; a large one takes long enough to
/// read that doing it twice shows.
struct Last {
    source: Source,
    kinds: Vec<String>,
    read: Read,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Reads a source and the files it calls; the same source again at no cost.
pub(crate) fn read(source: &Source, catalog: &Catalog<'_>) -> Result<Read, Vec<Diagnostic>> {
    let kinds: Vec<String> = catalog.kinds.keys().map(|kind| (*kind).to_owned()).collect();
    let known = LAST.with_borrow(|last| {
        last.as_ref().filter(|last| last.source == *source && last.kinds == kinds).map(|last| last.read.clone())
    });
    if let Some(read) = known {
        return Ok(read);
    }
    let read = read_anew(source, catalog)?;
    LAST.set(Some(Last { source: source.clone(), kinds, read: read.clone() }));
    Ok(read)
}

fn read_anew(source: &Source, catalog: &Catalog<'_>) -> Result<Read, Vec<Diagnostic>> {
    let mut library = Library { source, catalog, found: Vec::new(), failed: false, path: Vec::new(), steps: 0 };
    let doc = library.file(&source.path, &source.text);
    match doc {
        Some(doc) if !library.failed => Ok(Read { doc, warnings: library.found }),
        _ => Err(library.found),
    }
}

struct Library<'a> {
    source: &'a Source,
    catalog: &'a Catalog<'a>,
    found: Vec<Diagnostic>,
    failed: bool,
    /// Files being read, outermost first.
    path: Vec<String>,
    steps: usize,
}

impl Library<'_> {
    fn file(&mut self, path: &str, text: &str) -> Option<Rc<Doc>> {
        let file: Rc<str> = path.into();
        let problems = Problems::new(&file);
        let compiler = Compiler::new(text);
        let mut reading = Reading { catalog: self.catalog, source: self.source, problems, compiler };
        let root = tree::parse(text, &mut reading.problems);
        let doc = root.and_then(|root| pipeline::read(&root, &mut reading));
        let Reading { mut problems, .. } = reading;
        let doc = doc.map(|mut doc| {
            self.path.push(path.to_owned());
            self.call_files(&mut doc, &mut problems);
            self.path.pop();
            self.count(&doc, &mut problems);
            check::references(&doc, self.catalog, &mut problems);
            Rc::new(doc)
        });
        self.failed |= problems.errors() > 0;
        let own = problems.finish();
        // The caller's problems come before those of what it calls.
        self.found.splice(0..0, own);
        doc
    }

    fn call_files(&mut self, doc: &mut Doc, problems: &mut Problems) {
        let mut read: BTreeMap<String, Option<Rc<Doc>>> = BTreeMap::new();
        for step in &mut doc.steps {
            let Action::File { path, doc: called, at, .. } = &mut step.action else { continue };
            if !read.contains_key(path) {
                let doc = self.called(path, *at, problems);
                read.insert(path.clone(), doc);
            }
            *called = read.get(path).cloned().flatten();
        }
    }

    fn called(&mut self, path: &str, at: At, problems: &mut Problems) -> Option<Rc<Doc>> {
        if self.path.iter().any(|open| open == path) {
            let way = self.path.iter().map(String::as_str).chain([path]).collect::<Vec<_>>().join(" -> ");
            problems.error("yaml-call-cycle", at, format!("files call each other in a circle: {way}"), None);
            return None;
        }
        if self.path.len() >= MAX_CALL_DEPTH {
            problems.error("yaml-too-deep", at, format!("files call files deeper than {MAX_CALL_DEPTH}"), None);
            return None;
        }
        match self.source.files.get(path).and_then(|text| text.as_str()) {
            Some(text) => {
                let text = text.to_owned();
                self.file(path, &text)
            }
            None => {
                let help = "paths are relative to the root of the repository".to_owned();
                problems.error("yaml-no-file", at, format!("there is no file {path:?}"), help);
                None
            }
        }
    }

    fn count(&mut self, doc: &Doc, problems: &mut Problems) {
        for step in &doc.steps {
            self.steps += step.matrix.as_ref().map_or(1, |matrix| matrix.cells.len());
            if self.steps > MAX_STEPS {
                problems.error("yaml-too-large", step.at, format!("more than {MAX_STEPS} steps"), None);
                return;
            }
        }
    }
}
