//! `haliotis login set|show|remove`: the provider of OpenID Connect that people may log in by. Passwords go on working
//! beside it, so that an administrator gets in when the provider does not answer.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use haliotis_access::oidc::Provider;
use haliotis_access::{Kind, Records};

use super::user::{Book, lost, name_of};
use crate::app::{oidc, users};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `login`.
#[derive(Args)]
pub struct Login {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Set the provider up; register URL/login/provider/back with it as the address it sends people back to
    Set {
        /// Its address, exactly as in its tokens
        #[arg(long)]
        issuer: String,
        /// Our id there
        #[arg(long)]
        client_id: String,
        /// The credential with our secret there; store it with --scope system and --host of the provider
        #[arg(long, value_name = "ID")]
        credential: Option<String>,
        /// The claim that a new person's name is taken from
        #[arg(long, default_value = "preferred_username")]
        name_claim: String,
        /// The claim that lists the provider's groups
        #[arg(long, requires = "groups")]
        groups_claim: Option<String>,
        /// A group of the provider and the group here that it means; repeat for several
        #[arg(long = "group", value_name = "THEIRS=OURS", id = "groups")]
        groups: Vec<String>,
        /// Let nobody in who was not here before
        #[arg(long)]
        no_create: bool,
    },
    /// Show it
    Show,
    /// Nobody logs in by it any more; sessions that are open end in their time
    Remove,
}

/// Works on the data folder itself, beside a running server or without one.
pub async fn run(args: Login, ctx: &Context) -> Outcome {
    let book = Book::open(ctx).await?;
    match args.verb {
        Verb::Set { issuer, client_id, credential, name_claim, groups_claim, groups, no_create } => {
            oidc::address(&issuer).map_err(|error| Failure::usage(error.to_string()))?;
            let groups = groups.iter().map(|pair| group(pair)).collect::<Result<BTreeMap<_, _>, _>>()?;
            let provider =
                Provider { issuer, client_id, credential, name_claim, groups_claim, groups, create: !no_create };
            book.typed().put(Kind::Setting, oidc::SETTING, &provider).await.map_err(lost)?;
            users::note(book.store.as_ref(), &ctx.user, "login.set", &provider.issuer, "").await?;
            ctx.good(format!("people may log in by {}", provider.issuer));
        }
        Verb::Show => {
            let kept: Option<Provider> = book.typed().get(Kind::Setting, oidc::SETTING).await.map_err(lost)?;
            let kept = kept.ok_or_else(|| Failure::not_found("no provider for logins is set up"))?;
            ctx.print(serde_json::to_string_pretty(&kept).map_err(lost)?);
        }
        Verb::Remove => {
            if !book.records.remove_record(Kind::Setting, oidc::SETTING).await.map_err(lost)? {
                return Err(Failure::not_found("no provider for logins is set up"));
            }
            users::note(book.store.as_ref(), &ctx.user, "login.remove", "", "").await?;
            ctx.good("nobody logs in by a provider any more");
        }
    }
    Ok(())
}

fn group(pair: &str) -> Result<(String, haliotis_access::Name), Failure> {
    let (theirs, ours) = pair
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("`{pair}` is no pair; write --group THEIRS=OURS")))?;
    Ok((theirs.to_owned(), name_of(ours)?))
}
