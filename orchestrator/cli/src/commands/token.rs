//! `haliotis token`: API tokens. One is printed when it is made, and never again.

use clap::{Args, Subcommand};
use haliotis_access::{Kind, Permission, Permissions, Records, token};
use haliotis_engine::now;

use super::user::{Book, lost, name_of};
use crate::app::users;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Arguments of `token`.
#[derive(Args)]
pub struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a token and print it, this once
    Make {
        /// Whose; it is never more than its owner
        user: String,
        /// What it is for
        #[arg(long, default_value = "")]
        label: String,
        /// view, build, approve, configure, administer
        #[arg(long, value_delimiter = ',', default_value = "view,build")]
        may: Vec<String>,
        /// Within this folder or pipeline
        #[arg(long, default_value = "")]
        scope: String,
        /// Days it lives; 0: for ever
        #[arg(long, default_value_t = 90)]
        days: i64,
    },
    /// All tokens, never their text
    List,
    /// From now on it counts for nothing
    Revoke {
        /// As the list shows it
        id: String,
    },
}

/// Runs the verb.
pub async fn run(args: Token, ctx: &Context) -> Outcome {
    let book = Book::open(ctx).await?;
    match args.verb {
        Verb::Make { user, label, may, scope, days } => {
            let name = name_of(&user)?;
            if book.typed().directory().await.map_err(lost)?.active(&name).is_none() {
                return Err(Failure::not_found(format!("there is no user `{name}` who may enter")));
            }
            let asked = may.iter().map(|word| {
                let known = Permission::ALL.map(Permission::as_str).join(", ");
                Permission::parse(word)
                    .ok_or_else(|| Failure::usage(format!("`{word}` is nothing a token may; choose of {known}")))
            });
            let permissions = Permissions::of(&asked.collect::<Result<Vec<_>, _>>()?);
            let expires_at = (days > 0).then(|| now().0.saturating_add(days.saturating_mul(DAY_MS)));
            let scope = scope.trim_matches('/').to_owned();
            let wish = token::Wish { label: label.clone(), permissions, scope, expires_at };
            let (text, token) = token::mint(name, wish, now().0).map_err(lost)?;
            book.typed().put(Kind::Token, &token.id, &token).await.map_err(lost)?;
            users::note(book.store.as_ref(), &ctx.user, "token.make", &format!("token {}", token.id), &label).await?;
            ctx.say(format!("token {} of {}; it is not shown again:", token.id, token.user));
            ctx.print(text);
        }
        Verb::List => {
            let mut table = show::table(&["TOKEN", "USER", "FOR", "MAY", "IN", "ENDS"]);
            let mut rows = Vec::new();
            for token in book.typed().tokens().await.map_err(lost)? {
                let may = token.permissions.list().into_iter().map(Permission::as_str).collect::<Vec<_>>().join(",");
                let left = token.expires_at.map(|end| (end - now().0).div_euclid(DAY_MS));
                let ends = left.map_or_else(
                    || "never".to_owned(),
                    |days| if days < 0 { "over".to_owned() } else { format!("in {days} d") },
                );
                rows.push(serde_json::json!({"id": token.id, "user": token.user, "label": token.label, "may": may,
                    "scope": token.scope, "expires_at": token.expires_at}));
                table.add_row([token.id, token.user.to_string(), token.label, may, token.scope, ends]);
            }
            if ctx.json {
                ctx.print_json(&rows);
            } else {
                ctx.print(table.to_string());
            }
        }
        Verb::Revoke { id } => {
            if !book.records.remove_record(Kind::Token, &id).await.map_err(lost)? {
                return Err(Failure::not_found(format!("there is no token `{id}`; `haliotis token list` shows them")));
            }
            users::note(book.store.as_ref(), &ctx.user, "token.revoke", &format!("token {id}"), "").await?;
            ctx.good(format!("token {id} counts for nothing any more"));
        }
    }
    Ok(())
}
