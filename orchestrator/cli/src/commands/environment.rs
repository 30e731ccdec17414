//! `haliotis environment put|list|remove`: deploy targets with their rules. They are kept on the server, so no branch can
//! loosen them: a credential that is bound to one goes to builds of its pipelines, from its branches, and to nothing else.

use clap::{Args, Subcommand};
use haliotis_model::bounds::{ENVIRONMENTS, Environment as Kept, environment_document};
use haliotis_store::open_store;

use crate::app::{credentials, users};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Arguments of `environment`.
#[derive(Args)]
pub struct Environment {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make an environment, or give it other rules
    Put {
        /// Its name, as prod
        name: String,
        /// A pipeline that may deploy there, `*` stands for anything; repeat for several
        #[arg(long = "pipeline", value_name = "PATTERN", required = true)]
        pipelines: Vec<String>,
        /// A branch that may, or tags/PATTERN; repeat for several. Without any, every build of the pipelines may
        #[arg(long = "branch", value_name = "PATTERN")]
        branches: Vec<String>,
    },
    /// List them
    List,
    /// Remove one; credentials bound to it are withheld from then on
    Remove {
        /// Its name
        name: String,
    },
}

/// Works on the data folder itself, beside a running server or without one.
pub async fn run(args: Environment, ctx: &Context) -> Outcome {
    let dir = ctx.data_dir();
    std::fs::create_dir_all(&dir)?;
    let store = open_store(ctx.database.as_deref(), &dir).await.map_err(|error| Failure::world(error.to_string()))?;
    match args.verb {
        Verb::Put { name, pipelines, branches } => {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                return Err(Failure::usage("an environment's name has letters, digits and - _ . alone"));
            }
            let kept = Kept { name: name.clone(), pipelines, branches };
            let text = serde_json::to_string(&kept).map_err(|error| Failure::world(error.to_string()))?;
            store.put_document(ENVIRONMENTS, &environment_document(&name), &text).await?;
            users::note(store.as_ref(), &ctx.user, "environment.put", &format!("environment {name}"), &text).await?;
            ctx.good(format!("environment {name} is kept; bind credentials to it with --environment {name}"));
        }
        Verb::List => {
            let all = credentials::environments(store.as_ref()).await?;
            if ctx.json {
                ctx.print_json(&all);
                return Ok(());
            }
            let mut table = show::table(&["ENVIRONMENT", "PIPELINES", "BRANCHES"]);
            for one in all {
                table.add_row([one.name, one.pipelines.join(", "), one.branches.join(", ")]);
            }
            ctx.print(table.to_string());
        }
        Verb::Remove { name } => {
            if !store.remove_document(ENVIRONMENTS, &environment_document(&name)).await? {
                return Err(Failure::not_found(format!("there is no environment `{name}`")));
            }
            users::note(store.as_ref(), &ctx.user, "environment.remove", &format!("environment {name}"), "").await?;
            ctx.good(format!("environment {name} is removed"));
        }
    }
    Ok(())
}
