//! What an administrator asks of the process: `quietDown`, `safeRestart`, `exit`, `scriptText`.
//!
//! A restart need not wait for builds: their steps belong to the supervisor and go on, and the next life follows them. So
//! `restart` and `safeRestart` are the same here, and so are `exit` and `safeExit`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::call::{Call, bad, redirect};
use crate::edges::Ending;
use crate::error::Failed;

/// Longer scripts are a mistake: 256 KiB.
const SCRIPT_MAX: usize = 256 << 10;
/// So much of a script is kept in the audit trail.
const AUDITED: usize = 2_000;

fn absent(what: &str) -> Failed {
    let help = "Do it where the server was started.";
    Failed::new(StatusCode::NOT_IMPLEMENTED, "no-process", format!("this server cannot {what}"), help)
}

/// `quietDown`, `cancelQuietDown`: no trigger of any kind makes a build until it is over. What they saw waits.
pub(crate) async fn set_quiet(call: &Call, quiet: bool) -> Result<Response, Failed> {
    let by = call.by()?;
    call.state.own.jenkins.set_quiet(quiet);
    if let Some(process) = &call.state.process {
        process.set_quiet(quiet);
    }
    let action = if quiet { "server.quiet" } else { "server.unquiet" };
    crate::api::audit(&call.state, &by, action, "server", "").await?;
    Ok(redirect(&call.url("")))
}

/// Ends this life of the server, after the answer.
pub(crate) async fn end(call: &Call, how: Ending) -> Result<Response, Failed> {
    let by = call.by()?;
    let process = call.state.process.as_ref().ok_or_else(|| absent("end itself"))?;
    let action = match how {
        Ending::Restart => "server.restart",
        Ending::Exit => "server.exit",
    };
    crate::api::audit(&call.state, &by, action, "server", "").await?;
    process.end(how);
    Ok(redirect(&call.url("")))
}

/// `scriptText`: runs plain Groovy in our machine, which reaches no file, process, network or object of the server.
pub(crate) async fn script(call: &Call) -> Result<Response, Failed> {
    let by = call.by()?;
    let text = call.needed("script")?;
    if text.len() > SCRIPT_MAX {
        return Err(bad(format!("the script has more than {} KiB", SCRIPT_MAX >> 10)));
    }
    let process = call.state.process.as_ref().ok_or_else(|| absent("run scripts"))?;
    let shown: String = text.chars().take(AUDITED).collect();
    crate::api::audit(&call.state, &by, "server.script", "server", &shown).await?;
    let output = process.script(text.to_owned()).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], output).into_response())
}
