//! `haliotis upgrade --check`: would this version go on with this data folder? Tried on a copy; the data stays as it is.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use haliotis_store::{DataDir, PostgresStore, SqliteStore, Store, newest_version, open_store};

use crate::app::keepsake;
use crate::app::reading::Reading;
use crate::commands::replay;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `upgrade`.
#[derive(Args)]
pub struct Upgrade {
    /// Change nothing; say what an upgrade would do and whether every unfinished build would go on
    #[arg(long, required = true)]
    check: bool,
}

/// Exit code 1 when a build would not go on, 3 when the database is not this version's to open.
pub async fn run(_: Upgrade, ctx: &Context) -> Outcome {
    // Beside the data, where there is room for it if anywhere.
    let copy = keepsake::unfinished(&ctx.data_dir());
    let outcome = check(ctx, &copy).await;
    let _ = std::fs::remove_dir_all(&copy);
    outcome
}

async fn check(ctx: &Context, copy: &Path) -> Outcome {
    let known = newest_version();
    let (found, store) = match ctx.database.as_deref() {
        None => copied(ctx, copy).await?,
        Some(url) => in_place(url, ctx).await?,
    };
    ctx.good(format!(
        "the database has schema {found}, this haliotis {} writes {known}: {}",
        env!("CARGO_PKG_VERSION"),
        if found == known { "nothing to migrate" } else { "the first start migrates it, in one transaction" }
    ));
    let Some(store) = store else {
        ctx.say("  its unfinished builds can only be tried on a database of this version: restore a backup into one");
        return Ok(());
    };
    let findings = store.check().await?;
    if !findings.is_empty() {
        return Err(Failure::failed(format!(
            "the database is not sound: {}; run `haliotis doctor`",
            findings.join("; ")
        )));
    }
    let mut stuck = Vec::new();
    let unfinished = store.unfinished().await?;
    for &build in &unfinished {
        let (pinned, turns) = store.load(build).await?;
        if let Err(why) = replay::replay(build, &pinned, &turns) {
            stuck.push(format!("{}#{}: {why}", pinned.pipeline, pinned.number));
        }
    }
    store.close().await;
    if !stuck.is_empty() {
        return Err(Failure::failed(format!(
            "{} of {} unfinished builds would end with an error; let them end before the upgrade:\n  {}",
            stuck.len(),
            unfinished.len(),
            stuck.join("\n  ")
        )));
    }
    ctx.good(format!("{} unfinished builds would go on where they are", unfinished.len()));
    Ok(())
}

/// The version of the file, and a store over a copy of it that this version has opened: a migration is tried there.
async fn copied(ctx: &Context, to: &Path) -> Result<(i64, Option<Arc<dyn Store>>), Failure> {
    let file = DataDir::database(&ctx.data_dir());
    if !file.exists() {
        return Err(Failure::not_found(format!(
            "there is no database {}; --data-dir names another folder",
            file.display()
        )));
    }
    let world = |error: &dyn std::fmt::Display| Failure::world(error.to_string());
    let found = SqliteStore::version(&file).map_err(|error| world(&error))?;
    keepsake::make_private(to)?;
    SqliteStore::copy_file(&file, &DataDir::database(to)).map_err(|error| world(&error))?;
    let store = open_store(None, to).await.map_err(|error| world(&error))?;
    Ok((found, Some(store)))
}

async fn in_place(url: &str, ctx: &Context) -> Result<(i64, Option<Arc<dyn Store>>), Failure> {
    let world = |error: &dyn std::fmt::Display| Failure::world(error.to_string());
    let (found, known) = (PostgresStore::version(url).await.map_err(|error| world(&error))?, newest_version());
    if found > known {
        return Err(Failure::world(format!(
            "the database has schema {found}, this haliotis knows up to {known}: use the newer haliotis that wrote it"
        )));
    }
    if found < known {
        return Ok((found, None));
    }
    Ok((found, Some(Reading::open(ctx).await?.store)))
}
