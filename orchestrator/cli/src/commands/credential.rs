//! `haliotis credential add|list|remove`: what pipelines name by id. Values come from standard input or a variable, never
//! from the command line, where every process of the machine could read them.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};
use haliotis_store::open_store;

use crate::app::users;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// A secret longer than this is a file by mistake.
const LONGEST: u64 = 1 << 20;

/// Arguments of `credential`.
#[derive(Args)]
pub struct Credential {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Store a credential; its secret part is read from standard input, or from --from-env
    Add {
        /// Its id, as pipelines name it
        id: String,
        /// text, username-password, aws, ssh-key or file
        #[arg(long, default_value = "text")]
        kind: String,
        /// User name or access key id, for the kinds that have one
        #[arg(long)]
        username: Option<String>,
        /// The variable that holds the secret part
        #[arg(long, value_name = "VARIABLE")]
        from_env: Option<String>,
        /// For people
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List ids and kinds, never values
    List,
    /// Put all credentials under a new key and forget the old one
    Rotate,
    /// Remove a credential
    Remove {
        /// Its id
        id: String,
    },
}

/// Works on the data folder itself, beside a running server or without one.
pub async fn run(args: Credential, ctx: &Context) -> Outcome {
    let dir = ctx.data_dir();
    std::fs::create_dir_all(&dir)?;
    let store = open_store(ctx.database.as_deref(), &dir).await.map_err(|error| Failure::world(error.to_string()))?;
    match args.verb {
        Verb::Add { id, kind, username, from_env, description } => {
            let fields = fields(&kind, username, secret(from_env.as_deref())?)?;
            let credential = haliotis_engine::Credential { id: id.clone(), kind, description, fields };
            store.put_credential(&credential).await?;
            users::note(store.as_ref(), &ctx.user, "credential.put", &format!("credential {id}"), "").await?;
            ctx.good(format!("credential {id} is stored; its value is not shown again"));
        }
        Verb::List => {
            let all = store.credentials().await?;
            if ctx.json {
                let rows = all
                    .iter()
                    .map(|one| serde_json::json!({"id": one.id, "kind": one.kind, "description": one.description}));
                ctx.print_json(&rows.collect::<Vec<_>>());
                return Ok(());
            }
            let mut table = show::table(&["CREDENTIAL", "KIND", "DESCRIPTION"]);
            for one in all {
                table.add_row([one.id, one.kind, one.description]);
            }
            ctx.print(table.to_string());
        }
        Verb::Remove { id } => {
            if !store.remove_credential(&id).await? {
                return Err(Failure::not_found(format!("there is no credential `{id}`")));
            }
            users::note(store.as_ref(), &ctx.user, "credential.remove", &format!("credential {id}"), "").await?;
            ctx.good(format!("credential {id} is removed"));
        }
        Verb::Rotate => {
            let count = store.rotate_key().await?;
            users::note(store.as_ref(), &ctx.user, "credential.rotate", &format!("{count} credentials"), "").await?;
            ctx.good(format!("{count} credential(s) are sealed under a new key; the old one is forgotten"));
        }
    }
    Ok(())
}

fn secret(variable: Option<&str>) -> Result<String, Failure> {
    if let Some(variable) = variable {
        return std::env::var(variable).map_err(|_| Failure::usage(format!("the variable {variable} is not set")));
    }
    if std::io::stdin().is_terminal() {
        let term = console::Term::stderr();
        let read = term.write_str("Secret: ").and_then(|()| term.read_secure_line());
        return read.map_err(|error| Failure::aborted(format!("no secret could be read: {error}")));
    }
    let mut text = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut text)?;
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

/// The fields each kind keeps; agent and scm read them by these names.
fn fields(kind: &str, username: Option<String>, secret: String) -> Result<BTreeMap<String, String>, Failure> {
    let need =
        || username.clone().ok_or_else(|| Failure::usage(format!("a credential of kind {kind} needs --username")));
    let pairs = match kind {
        "text" => vec![("text", secret)],
        "username-password" => vec![("username", need()?), ("password", secret)],
        "aws" => vec![("access-key-id", need()?), ("secret-access-key", secret)],
        "ssh-key" => vec![("key", secret)],
        "file" => vec![("content", secret)],
        _ => {
            return Err(Failure::usage(format!(
                "`{kind}` is no kind of credential; it is text, username-password, aws, ssh-key or file"
            )));
        }
    };
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
