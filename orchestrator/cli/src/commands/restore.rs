//! `haliotis restore SRC`: verifies a backup file by file, and makes a data folder of it.

use std::path::{Path, PathBuf};

use clap::Args;
use haliotis_store::{DataDir, PostgresStore, newest_version, open_store};

use crate::app::keepsake::{self, FILES, Manifest, TABLES};
use crate::app::settle::settle;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `restore`.
#[derive(Args)]
pub struct Restore {
    /// A folder made by `haliotis backup`
    src: PathBuf,
    /// Verify only; nothing is written
    #[arg(long)]
    check: bool,
}

/// Into `--data-dir`, which must be empty or not there; with `--database` into that database, which must be empty.
pub async fn run(args: Restore, ctx: &Context) -> Outcome {
    let src = std::path::absolute(&args.src)?;
    let manifest = Manifest::read(&src).map_err(Failure::usage)?;
    let known = newest_version();
    if manifest.schema > known {
        return Err(Failure::world(format!(
            "the backup has schema {}, this haliotis knows up to {known}: use the newer haliotis {} that made it",
            manifest.schema, manifest.haliotis
        )));
    }
    let differences = manifest.differences(&src)?;
    if !differences.is_empty() {
        return Err(Failure::failed(format!(
            "the backup is not as it was made, nothing was restored:\n  {}",
            differences.join("\n  ")
        )));
    }
    ctx.good(format!("{} files are as listed, made {}", manifest.files.len(), manifest.made_at));
    if args.check {
        return Ok(());
    }
    match (manifest.database.as_str(), &ctx.database) {
        ("postgres", None) => {
            return Err(Failure::usage(
                "the backup is of PostgreSQL; name an empty database with --database".to_owned(),
            ));
        }
        ("sqlite", Some(_)) => {
            return Err(Failure::usage("the backup is of SQLite; restore it without --database".to_owned()));
        }
        _ => {}
    }
    let dir = ctx.data_dir();
    if !keepsake::is_free(&dir) {
        return Err(Failure::usage(format!(
            "{} is not empty; name another folder with --data-dir, or move this one away first",
            dir.display()
        )));
    }
    let growing = keepsake::unfinished(&dir);
    if let Err(failure) = fill(&src, &growing, &manifest, ctx).await {
        let _ = std::fs::remove_dir_all(&growing);
        return Err(failure);
    }
    if dir.exists() {
        std::fs::remove_dir(&dir)?;
    }
    std::fs::rename(&growing, &dir)?;
    ctx.good(format!("restored into {}", dir.display()));
    Ok(())
}

async fn fill(src: &Path, to: &Path, manifest: &Manifest, ctx: &Context) -> Outcome {
    keepsake::make_private(to)?;
    keepsake::copy_files(&src.join(FILES), to)?;
    let database = ctx.database.as_deref();
    match database {
        None => {
            std::fs::copy(DataDir::database(src), DataDir::database(to))?;
            std::fs::File::open(DataDir::database(to))?.sync_all()?;
        }
        Some(url) => PostgresStore::restore(url, &src.join(TABLES), manifest.schema)
            .await
            .map_err(|error| Failure::world(error.to_string()))?,
    }
    let store = open_store(database, to).await.map_err(|error| Failure::world(error.to_string()))?;
    // On PostgreSQL the builds belong to servers that are gone; on a file there is nobody to take them from.
    store.take_over().await?;
    let findings = store.check().await?;
    if !findings.is_empty() {
        return Err(Failure::failed(format!("the restored database is not sound: {}", findings.join("; "))));
    }
    let why = format!("restored from a backup of {}; what it did since nobody here can tell", manifest.made_at);
    let (steps, builds) = settle(&store, &why).await?;
    if steps > 0 {
        ctx.say(format!("  {steps} steps of {builds} builds were at work: interrupted, a person says how they go on"));
    }
    store.close().await;
    Ok(())
}
