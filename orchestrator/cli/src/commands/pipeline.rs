//! `haliotis pipeline add|list|start|remove`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::parameters;
use crate::client::Client;
use crate::context::Context;
use crate::failure::Outcome;
use crate::show;

/// Arguments of `pipeline`.
#[derive(Args)]
pub struct Pipeline {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Register the pipeline of a repository; its own file says what starts it
    Add {
        /// Its name
        name: String,
        /// Git URL
        #[arg(long)]
        repo: String,
        /// Branch
        #[arg(long, default_value = "main")]
        branch: String,
        /// The pipeline file in the repository
        #[arg(long, default_value = "haliotis.yaml")]
        path: String,
        /// Id of the credential for the repository
        #[arg(long)]
        credential: Option<String>,
    },
    /// List the registered pipelines
    List,
    /// Start a build now
    Start {
        /// The pipeline
        name: String,
        /// A parameter, as NAME=VALUE
        #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
        parameters: Vec<String>,
    },
    /// Remove a pipeline; its builds stay
    Remove {
        /// The pipeline
        name: String,
    },
}

/// Talks to the running server.
pub async fn run(args: Pipeline, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    match args.verb {
        Verb::Add { name, repo, branch, path, credential } => {
            let body = json!({
                "name": name, "language": crate::app::registry::language_of(std::path::Path::new(&path)), "repo": repo, "branch": branch, "path": path, "credential": credential,
            });
            let answer = client.put(&format!("/api/v1/pipelines/{name}"), body).await?;
            done(ctx, &answer, &format!("pipeline {name} is registered"));
        }
        Verb::List => {
            let answer = client.get("/api/v1/pipelines", &[]).await?;
            list(ctx, &answer);
        }
        Verb::Start { name, parameters: pairs } => {
            let parameters = parameters::parse(&pairs)?;
            let body = json!({"parameters": parameters, "by": ctx.user});
            let answer = client.post(&format!("/api/v1/pipelines/{name}/builds"), body).await?;
            done(ctx, &answer, &format!("{name} #{} is on its way", answer["number"]));
        }
        Verb::Remove { name } => {
            let answer = client.delete(&format!("/api/v1/pipelines/{name}")).await?;
            done(ctx, &answer, &format!("pipeline {name} is removed; its builds stay"));
        }
    }
    Ok(())
}

fn done(ctx: &Context, answer: &Value, text: &str) {
    if ctx.json {
        ctx.print_json(answer);
    } else {
        ctx.good(text);
    }
}

fn list(ctx: &Context, answer: &Value) {
    let rows = answer.get("pipelines").unwrap_or(answer);
    if ctx.json {
        ctx.print_json(rows);
        return;
    }
    let mut table = show::table(&["PIPELINE", "REPOSITORY", "BRANCH", "FILE"]);
    for row in rows.as_array().into_iter().flatten() {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        table.add_row([text("name"), text("repo"), text("branch"), text("path")]);
    }
    ctx.print(table.to_string());
}
