//! What can be said of a script without running it.

use haliotis_groovy_syntax::ast::{ExprKind, Script, Stmt, StmtKind};
use haliotis_groovy_syntax::parse;
use serde::Serialize;

use crate::context::{Context, Known};
use crate::kind;

/// A problem of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// Of the place after it.
    pub end_line: u32,
    /// Of the place after it.
    pub end_column: u32,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Whether a text is a script that describes jobs, and no Jenkinsfile: somewhere it calls a method that makes items.
/// Also of a text with syntax errors there is an answer.
pub fn is_job_dsl(text: &str) -> bool {
    let makes = |name: &str| kind::made_by(name).is_some();
    // `job` and `folder` are also names of variables, `build job: 'x'` is a step.
    let telling = |name: &str| makes(name) && !matches!(name, "job" | "folder");
    match parse(text, "script") {
        Ok(script) => {
            let calls: Vec<&str> = script.body.stmts.iter().filter_map(called).collect();
            let pipeline = calls.iter().any(|name| matches!(*name, "pipeline" | "node"));
            !pipeline && (calls.into_iter().any(makes) || words(text).any(telling))
        }
        Err(_) => words(text).any(telling) && !words(text).any(|word| word == "pipeline"),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The bare name that a statement calls.
fn called(stmt: &Stmt) -> Option<&str> {
    match &stmt.kind {
        StmtKind::Expr(expr) => expr.as_call()?.bare_name().map(|name| &**name),
        _ => None,
    }
}

/// All syntax errors, and names that a block at the top of the script does not know.
pub fn lint(text: &str, file: &str) -> Vec<Problem> {
    let script = match parse(text, file) {
        Ok(script) => script,
        Err(errors) => {
            return errors
                .into_iter()
                .map(|error| Problem {
                    severity: "error",
                    message: error.message,
                    line: error.start.line,
                    column: error.start.column,
                    end_line: error.end.line,
                    end_column: error.end.column,
                    hint: error.hint,
                })
                .collect();
        }
    };
    let mut problems = Vec::new();
    for stmt in &script.body.stmts {
        let Some((_, block)) = called(stmt).and_then(kind::made_by) else { continue };
        inspect(&script, stmt, Context::named(block), &mut problems);
    }
    problems
}

/// Calls of bare names in the block that a statement's call opens. The tree's depth is bounded, so recursion is.
fn inspect(script: &Script, stmt: &Stmt, context: Context, problems: &mut Vec<Problem>) {
    let StmtKind::Expr(expr) = &stmt.kind else { return };
    let Some(body) = expr.as_call().and_then(|call| call.body()) else { return };
    for inner in &body.body.stmts {
        let StmtKind::Expr(expr) = &inner.kind else { continue };
        let ExprKind::Call(call) = &expr.kind else { continue };
        let Some(name) = call.bare_name() else { continue };
        match context.method(name) {
            Known::Method(block) => inspect(script, inner, block, problems),
            Known::Open => {}
            Known::No if is_defined(script, name) || kind::made_by(name).is_some() || is_step(name) => {}
            Known::No => {
                let (start, end) = (script.lines.place(expr.span.start), script.lines.place(expr.span.end));
                let names: Vec<&str> = context.names().collect();
                problems.push(Problem {
                    severity: "error",
                    message: format!("`{}` has no method `{name}`", context.name),
                    line: start.line,
                    column: start.column,
                    end_line: end.line,
                    end_column: end.column,
                    hint: Some(format!("there are: {}", names.join(", "))),
                });
            }
        }
    }
}

fn is_defined(script: &Script, name: &str) -> bool {
    script.methods.iter().any(|method| &*method.name.name == name)
        || script.body.stmts.iter().any(|stmt| match &stmt.kind {
            StmtKind::Var(decl) => decl.vars.iter().any(|var| &*var.name.name == name),
            StmtKind::Expr(expr) => match &expr.kind {
                ExprKind::Assign { target, .. } => target.as_name().is_some_and(|target| &**target == name),
                _ => false,
            },
            _ => false,
        })
}

fn is_step(name: &str) -> bool {
    matches!(name, "println" | "print" | "queue" | "readFileFromWorkspace")
}
