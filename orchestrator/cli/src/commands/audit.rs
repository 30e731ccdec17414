//! `haliotis audit`: the trail of who changed what. `verify` walks the hash chain; `export` writes it as JSON lines.
//!
//! A chain cannot show that its end was cut off. Note what `verify` prints (the head) somewhere else, and give it to
//! `--head` later: then it can.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use haliotis_access::chain::Walk;
use haliotis_store::AuditRow;

use super::user::Book;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Rows read at once.
const ROWS: u32 = 1_000;

/// Arguments of `audit`.
#[derive(Args)]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Walk the chain; fails when a row was changed, taken out or put in
    Verify {
        /// A head noted earlier, as NUMBER:HASH; it must still be in the chain
        #[arg(long)]
        head: Option<String>,
    },
    /// Write all rows with their hashes as JSON lines
    Export {
        /// A file that is not there yet; standard output without it
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

/// Runs the verb.
pub async fn run(args: Audit, ctx: &Context) -> Outcome {
    let book = Book::open(ctx).await?;
    match args.verb {
        Verb::Verify { head } => verify(&book, head.as_deref(), ctx).await,
        Verb::Export { out } => export(&book, out, ctx).await,
    }
}

async fn each(book: &Book, mut take: impl FnMut(&AuditRow) -> Outcome) -> Outcome {
    let mut after = 0;
    loop {
        let rows = book.store.audit_rows(after, ROWS).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.entry;
        rows.iter().try_for_each(&mut take)?;
    }
}

async fn verify(book: &Book, head: Option<&str>, ctx: &Context) -> Outcome {
    let noted = head.map(|text| {
        let pair = text.split_once(':').and_then(|(entry, hash)| Some((entry.parse::<i64>().ok()?, hash.to_owned())));
        pair.ok_or_else(|| Failure::usage(format!("`{text}` is no head; it is NUMBER:HASH, as verify prints it")))
    });
    let noted = noted.transpose()?;
    let mut walk = Walk::default();
    let mut found = noted.is_none();
    each(book, |row| {
        walk.step(row.entry, &row.link(), &row.hash);
        found |= noted.as_ref().is_some_and(|(entry, hash)| row.entry == *entry && row.hash == *hash);
        Ok(())
    })
    .await?;
    let verdict = walk.verdict();
    if let Some((entry, reason)) = verdict.broken {
        return Err(Failure::failed(format!("the audit trail is broken at row {entry}: {reason}")));
    }
    if !found {
        return Err(Failure::failed(
            "the audit trail is a chain, but not the one whose head was noted: its end was cut off or all of it was made anew",
        ));
    }
    ctx.good(format!("{} rows, each follows from the one before", verdict.rows));
    ctx.print(format!("{}:{}", verdict.head.0, verdict.head.1));
    Ok(())
}

async fn export(book: &Book, out: Option<PathBuf>, ctx: &Context) -> Outcome {
    let mut file: Box<dyn Write + Send> = match &out {
        None => Box::new(std::io::stdout()),
        Some(path) => {
            let file = std::fs::File::create_new(path);
            Box::new(std::io::BufWriter::new(
                file.map_err(|error| Failure::usage(format!("{}: {error}; name a new file", path.display())))?,
            ))
        }
    };
    let mut rows = 0_u64;
    each(book, |row| {
        let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap_or_default();
        let line = serde_json::json!({"entry": row.entry, "previous": row.previous, "at": row.at, "by": row.by,
            "action": row.action, "subject": row.subject, "reason": row.reason, "detail": detail, "hash": row.hash});
        writeln!(file, "{line}")?;
        rows += 1;
        Ok(())
    })
    .await?;
    file.flush()?;
    ctx.good(format!("{rows} rows"));
    Ok(())
}
