//! The Python environment of the job runtimes: made once, reused by every build, with progress for the person who waits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use haliotis_local_cloud::PythonEnv;
use haliotis_local_cloud::sagemaker::dataset::obtain_abalone;
use haliotis_local_cloud::sagemaker::python::{PythonProgress, ensure_python, is_ready};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Where it lies: `HALIOTIS_PYTHON_DIR`, else in the data folder.
pub fn venv_dir(data_dir: &Path) -> PathBuf {
    let shared = std::env::var_os("HALIOTIS_PYTHON_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    // Runs of several folders below one data folder share the environment of that folder.
    let own = if data_dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run")) {
        data_dir.parent().unwrap_or(data_dir)
    } else {
        data_dir
    };
    shared.unwrap_or_else(|| own.join("python"))
}

/// The environment as the local cloud wants it, made or not.
pub fn local(data_dir: &Path) -> PythonEnv {
    PythonEnv { interpreter: haliotis_local_cloud::sagemaker::python::interpreter(&venv_dir(data_dir)) }
}

/// Makes the environment if it is not there; nothing to do when steps talk to AWS.
pub async fn ensure(app: &App, ctx: &Context) -> Outcome {
    if app.local_cloud.is_none() {
        return Ok(());
    }
    let dir = venv_dir(&app.options.dir);
    if is_ready(&dir) {
        ctx.good(format!("Python environment: {}", dir.display()));
        return Ok(());
    }
    let bar = spinner(ctx, "making the Python environment of the job runtimes (once, a few minutes)");
    let made = ensure_python(&dir, |progress| {
        let text = match progress {
            PythonProgress::Ready => "ready".to_owned(),
            PythonProgress::Waiting => "another process makes it; waiting".to_owned(),
            PythonProgress::Creating { python } => format!("making it with {python}"),
            PythonProgress::Installing(line) => line,
        };
        bar.set_message(text.chars().take(100).collect::<String>());
    })
    .await;
    bar.finish_and_clear();
    made.map_err(|error| Failure::world(error.to_string()))?;
    ctx.good(format!("Python environment: {}", dir.display()));
    Ok(())
}

/// The abalone data, checked.
pub struct Abalone {
    /// The file.
    pub path: PathBuf,
    /// Its lines.
    pub rows: usize,
    /// Hexadecimal.
    pub sha256: String,
}

/// Finds or fetches the data.
pub async fn abalone(app: &App, ctx: &Context) -> Result<Abalone, Failure> {
    // Beside the environment, so that several data folders share one download.
    let dir = venv_dir(&app.options.dir).join("datasets");
    std::fs::create_dir_all(&dir)?;
    let bar = spinner(ctx, "fetching the UCI abalone data (15 MB, once)");
    let found = obtain_abalone(&dir, &local(&app.options.dir)).await;
    bar.finish_and_clear();
    let path = found.map_err(|error| Failure::world(error.to_string()))?;
    let bytes = std::fs::read(&path)?;
    let rows = bytes.iter().filter(|byte| **byte == b'\n').count();
    Ok(Abalone { path, rows, sha256: hex::encode(Sha256::digest(&bytes)) })
}

fn spinner(ctx: &Context, text: &str) -> ProgressBar {
    if ctx.plain {
        ctx.say(format!("  {text}"));
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.blue} {prefix} {elapsed:.dim}\n  {msg:.dim}") {
        bar.set_style(style);
    }
    bar.set_prefix(text.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
