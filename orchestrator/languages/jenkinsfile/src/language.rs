//! What the engine knows of Jenkinsfiles: [`haliotis_flow::Language`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use haliotis_flow::{Definition, Diagnostic, Language, Loaded, Severity};
use haliotis_groovy_syntax::Script;
use haliotis_groovy_syntax::ast::{Arg, Block, Call, Callee, Closure, Expr, ExprKind, Literal, Stmt, StmtKind};
use haliotis_model::{BuildId, NewBuild, Source, StepSchema};

use crate::declare::model::{Fragment, Model};
use crate::problems::{Problem, Problems};
use crate::{check, declare, definition, run};

/// Version of the program semantics. A change that makes a program answer old events differently raises it.
pub const VERSION: u32 = 1;
/// The language's name, as pipelines and builds pin it.
pub const NAME: &str = "jenkinsfile";
/// What library files are called among a source's files: `library:NAME@VERSION/vars/x.groovy`.
const LIBRARY: &str = "library:";

/// Declarative and scripted Jenkinsfiles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jenkinsfile;

/// A source read: the tree, the model if it is Declarative, and warnings.
struct Read {
    script: Script,
    model: Option<Model>,
    warnings: Vec<Problem>,
}

impl Language for Jenkinsfile {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn inspect(&self, source: &Source, steps: &[StepSchema]) -> Result<Definition, Vec<Diagnostic>> {
        let read = read(source, steps)?;
        let mut found = definition::of(read.model.as_ref(), &read.script);
        found.warnings = diagnostics(&read.warnings, source);
        Ok(found)
    }

    fn wants(&self, source: &Source) -> Vec<String> {
        let Ok(script) = haliotis_groovy_syntax::parse(&source.text, &source.path) else { return Vec::new() };
        let wanted = definition::libraries(&script).into_iter().map(|library| format!("{LIBRARY}{library}"));
        wanted.filter(|path| !source.files.keys().any(|file| is_of(file, path))).collect()
    }

    fn restartable(&self, source: &Source) -> Vec<String> {
        let Ok(script) = haliotis_groovy_syntax::parse(&source.text, "WorkflowScript") else { return Vec::new() };
        let model = declare::read(&script, &mut Problems::new(&script.lines));
        // As Jenkins: a Declarative Pipeline may forbid it.
        let forbids = |model: &&Model| {
            let calls = model.options.iter().flat_map(|options| &options.calls);
            calls.clone().any(|call| call.name == "disableRestartFromStage")
        };
        let model = model.as_ref().filter(|model| !forbids(model));
        let stages = model.and_then(|model| model.stages.as_ref()).map(|stages| &stages.stages);
        stages.into_iter().flatten().map(|stage| stage.name.clone()).collect()
    }

    fn load(&self, _: BuildId, build: &NewBuild, steps: &[StepSchema]) -> Result<Loaded, Vec<Diagnostic>> {
        let read = read(&build.source, steps)?;
        let found = definition::of(read.model.as_ref(), &read.script);
        let facts = run::Facts {
            build: build.clone(),
            kinds: steps.to_vec(),
            script: Arc::new(prepared(read.script, read.model.as_ref(), 0)),
            model: read.model.map(Rc::new),
            libraries: libraries(&build.source),
        };
        Ok(Loaded { outline: found.outline, concurrency: found.concurrency, program: Box::new(run::program(facts)) })
    }
}

/// Whether a file belongs to a library.
fn is_of(file: &str, library: &str) -> bool {
    file.strip_prefix(library).is_some_and(|rest| rest.starts_with('/'))
}

/// Libraries that could not be had: a problem each, where the script names them.
fn missing(source: &Source, script: &Script, problems: &mut Problems<'_>) {
    for (path, why) in &source.files {
        let name = path.strip_prefix(LIBRARY).and_then(|path| path.strip_suffix("/.error"));
        let (Some(name), Some(why)) = (name, why.as_str()) else { continue };
        let at = script.lines.text().find(name).unwrap_or(0);
        let start = u32::try_from(at).unwrap_or(0);
        let end = start.saturating_add(u32::try_from(name.len()).unwrap_or(0));
        let span = haliotis_groovy_syntax::Span::new(start, end);
        problems.hinted(span, why, format!("the library {name} is read from Git when a build is made"));
    }
}

fn read(source: &Source, steps: &[StepSchema]) -> Result<Read, Vec<Diagnostic>> {
    let script = haliotis_groovy_syntax::parse(&source.text, "WorkflowScript").map_err(|errors| {
        let problems: Vec<Problem> = errors.into_iter().map(Problem::from).collect();
        diagnostics(&problems, source)
    })?;
    let (mut names, open) = library_names(source, &script);
    names.extend(run::script_kinds(steps).map(str::to_owned));
    let (model, problems) = {
        let mut problems = Problems::new(&script.lines);
        let model = declare::read(&script, &mut problems);
        if let Some(model) = &model {
            check::check(model, &mut problems);
        }
        missing(source, &script, &mut problems);
        check::known::check(&script, &names, open, &mut problems);
        (model, problems.into_sorted())
    };
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(diagnostics(&problems, source));
    }
    Ok(Read { script, model, warnings: problems })
}

fn diagnostics(problems: &[Problem], source: &Source) -> Vec<Diagnostic> {
    problems.iter().map(|problem| problem.diagnostic(&source.path, &source.text)).collect()
}

/// Pinned library files by path.
fn libraries(source: &Source) -> BTreeMap<String, String> {
    let files = source.files.iter().filter(|(path, _)| path.starts_with(LIBRARY));
    files.filter_map(|(path, text)| Some((path.clone(), text.as_str()?.to_owned()))).collect()
}

/// Names that libraries define, and whether a library is named whose files are not here.
fn library_names(source: &Source, script: &Script) -> (BTreeSet<String>, bool) {
    let files = libraries(source);
    let globals = files.keys().filter(|path| path.contains("/vars/"));
    let names =
        globals.filter_map(|path| path.rsplit('/').next()?.strip_suffix(".groovy").map(str::to_owned)).collect();
    let open = definition::libraries(script)
        .iter()
        .any(|library| !files.keys().any(|path| is_of(path, &format!("{LIBRARY}{library}"))));
    (names, open || definition::loads_later(script))
}

/// The script with its `pipeline { }`, at the top or in `call()` of a library's global variable, replaced by a call that
/// hands the fragments over as closures, in their scope. `number` is the model's among those of the build.
pub(crate) fn prepared(mut script: Script, model: Option<&Model>, number: usize) -> Script {
    let Some(model) = model else { return script };
    if declare::pipeline_statement(&script).is_some() {
        script.body = handed_over(&script.body, model, number);
        return script;
    }
    for method in script.methods.iter_mut().filter(|method| &*method.name.name == "call") {
        let method = Arc::make_mut(method);
        if let Some(body) = method.body.as_ref().filter(|body| body.stmts.iter().any(declare::is_pipeline)) {
            let body = handed_over(body, model, number);
            method.body = Some(body);
            break;
        }
    }
    script
}

/// The block with its first `pipeline { }` replaced.
fn handed_over(block: &Block, model: &Model, number: usize) -> Block {
    let span = model.span;
    let closures = model.fragments.iter().map(closure).collect();
    let list = Expr::new(ExprKind::List(closures), span);
    let number = Literal::Int(i32::try_from(number).unwrap_or(i32::MAX));
    let args = vec![Arg::Positional(list), Arg::Positional(Expr::new(ExprKind::Literal(number), span))];
    let name = haliotis_groovy_syntax::ast::Ident { name: "pipeline".into(), span };
    let call = Call { callee: Callee::Name(name), args, trailing: 0, command: false };
    let stmt = Stmt::new(StmtKind::Expr(Expr::new(ExprKind::Call(Box::new(call)), span)), span);
    let mut stmts = block.stmts.clone();
    if let Some(place) = stmts.iter_mut().find(|stmt| declare::is_pipeline(stmt)) {
        *place = stmt;
    }
    Block::new(stmts, block.span)
}

fn closure(fragment: &Fragment) -> Expr {
    match fragment {
        Fragment::Block(closure) => Expr::new(ExprKind::Closure(Arc::clone(closure)), closure.span),
        Fragment::Expr(expr) => {
            let span = expr.span;
            let body = vec![Stmt::new(StmtKind::Expr(expr.clone()), span)];
            let body = haliotis_groovy_syntax::ast::Block::new(body, span);
            let closure = Closure { params: Vec::new(), arrow: true, body, span };
            Expr::new(ExprKind::Closure(Arc::new(closure)), span)
        }
    }
}
