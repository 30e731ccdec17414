//! `haliotis hook`: secrets of webhooks. With one, deliveries of that host must be signed, and a signed push starts builds
//! directly; without one a delivery only makes polling look at once.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};

use super::user::Book;
use crate::app::triggers::HOOK_PREFIX;
use crate::app::users;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Hosts whose signatures are known.
const HOSTS: [&str; 5] = ["github", "gitlab", "gitea", "bitbucket", "bitbucket-dc"];
/// A secret shorter than this can be guessed from a single signed delivery.
const SHORTEST: usize = 16;
/// A secret is a line; more is a file by mistake.
const LONGEST: u64 = 4 << 10;

/// Arguments of `hook`.
#[derive(Args)]
pub struct Hook {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Set the secret of a host's webhooks; it is read from the terminal or standard input
    Secret {
        /// github, gitlab, gitea, bitbucket or bitbucket-dc
        host: String,
        /// For this repository alone
        #[arg(long)]
        repo: Option<String>,
    },
    /// For which hosts and repositories there is a secret
    List,
    /// Remove a secret
    Remove {
        /// The host
        host: String,
        /// As it was set
        #[arg(long)]
        repo: Option<String>,
    },
}

fn id(host: &str, repo: Option<&str>) -> Result<String, Failure> {
    if !HOSTS.contains(&host) {
        return Err(Failure::usage(format!("`{host}` is no known host; they are {}", HOSTS.join(", "))));
    }
    Ok(repo.map_or_else(|| format!("{HOOK_PREFIX}{host}"), |repo| format!("{HOOK_PREFIX}{host}:{repo}")))
}

/// Runs the verb.
pub async fn run(args: Hook, ctx: &Context) -> Outcome {
    let book = Book::open(ctx).await?;
    match args.verb {
        Verb::Secret { host, repo } => {
            let id = id(&host, repo.as_deref())?;
            let secret = read_secret()?;
            if secret.len() < SHORTEST {
                return Err(Failure::usage(format!(
                    "a secret has at least {SHORTEST} characters; try: openssl rand -hex 32"
                )));
            }
            let fields = [("text".to_owned(), secret)].into();
            let description = "secret of webhooks".to_owned();
            let credential = haliotis_engine::Credential {
                id: id.clone(),
                kind: "text".to_owned(),
                description,
                fields,
                bounds: Default::default(),
            };
            book.store.put_credential(&credential).await?;
            users::note(book.store.as_ref(), &ctx.user, "hook.secret", &id, "").await?;
            ctx.good(format!("deliveries of {host} must be signed from now on"));
        }
        Verb::List => {
            for one in book.store.credentials().await? {
                if let Some(what) = one.id.strip_prefix(HOOK_PREFIX) {
                    ctx.print(what);
                }
            }
        }
        Verb::Remove { host, repo } => {
            let id = id(&host, repo.as_deref())?;
            if !book.store.remove_credential(&id).await? {
                return Err(Failure::not_found(format!("there is no secret {id}")));
            }
            users::note(book.store.as_ref(), &ctx.user, "hook.remove", &id, "").await?;
            ctx.good(format!("{id} is removed"));
        }
    }
    Ok(())
}

fn read_secret() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        let term = console::Term::stderr();
        let read = term.write_str("Secret: ").and_then(|()| term.read_secure_line());
        return read.map_err(|error| Failure::aborted(format!("no secret could be read: {error}")));
    }
    let mut text = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
