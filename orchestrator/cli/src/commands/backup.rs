//! `haliotis backup DEST`: a whole copy of a data folder and its database, while the server goes on.

use std::path::{Path, PathBuf};

use clap::Args;
use haliotis_store::{DataDir, open_store};

use crate::app::keepsake::{self, FILES, Manifest, TABLES};
use crate::app::reading::Reading;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `backup`.
#[derive(Args)]
pub struct Backup {
    /// A folder that is not there yet; its disk needs room for the copy
    dest: PathBuf,
    /// The database alone, without logs, artifacts and the local cloud
    #[arg(long)]
    database_only: bool,
}

/// Copies, lists, and only then gives the folder its name.
pub async fn run(args: Backup, ctx: &Context) -> Outcome {
    let dest = std::path::absolute(&args.dest)?;
    if !keepsake::is_free(&dest) {
        return Err(Failure::usage(format!("{} is there already; name a folder that is not", dest.display())));
    }
    let dir = ctx.data_dir();
    // Says clearly when there is nothing, and when the file is damaged or of a newer version.
    let reading = Reading::open(ctx).await?;
    let growing = keepsake::unfinished(&dest);
    let made = make(&args, ctx, &dir, &growing, &reading).await;
    let manifest = match made {
        Ok(manifest) => manifest,
        Err(failure) => {
            let _ = std::fs::remove_dir_all(&growing);
            return Err(failure);
        }
    };
    if dest.exists() {
        std::fs::remove_dir(&dest)?;
    }
    std::fs::rename(&growing, &dest)?;
    let bytes: u64 = manifest.files.values().map(|file| file.size).sum();
    if ctx.json {
        ctx.print_json(&serde_json::json!({"backup": dest, "files": manifest.files.len(), "bytes": bytes}));
    }
    ctx.good(format!("{}: {} files, {bytes} bytes", dest.display(), manifest.files.len()));
    if !args.database_only && !dir.join("credentials.key").exists() {
        ctx.say("  the key of credentials is not in the data folder, so it is not in the backup: keep it elsewhere");
    }
    ctx.say(format!("  verify it: haliotis restore {} --check", dest.display()));
    Ok(())
}

async fn make(args: &Backup, ctx: &Context, dir: &Path, root: &Path, reading: &Reading) -> Result<Manifest, Failure> {
    keepsake::make_private(root)?;
    let postgres = ctx.database.is_some();
    let folder = if postgres { root.join(TABLES) } else { root.to_owned() };
    keepsake::make_private(&folder)?;
    let schema = reading.store.copy_to(&folder).await?;
    if !postgres {
        verify(root).await?;
    }
    if !args.database_only {
        keepsake::copy_files(dir, &root.join(FILES))?;
    }
    let manifest = Manifest {
        haliotis: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        database: if postgres { "postgres" } else { "sqlite" }.to_owned(),
        made_at: jiff::Timestamp::now().to_string(),
        files: keepsake::sums(root)?,
    };
    manifest.write(root)?;
    Ok(manifest)
}

/// A copy of a damaged file is no backup.
async fn verify(root: &Path) -> Outcome {
    let store = open_store(None, root).await.map_err(|error| Failure::world(error.to_string()))?;
    let findings = store.check().await?;
    store.close().await;
    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{beside}", DataDir::database(root).display()));
    }
    match findings.as_slice() {
        [] => Ok(()),
        findings => Err(Failure::failed(format!(
            "the database is damaged, so its copy is no backup: {}; run `haliotis doctor`",
            findings.join("; ")
        ))),
    }
}
