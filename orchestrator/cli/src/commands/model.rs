//! `haliotis model list|approve|reject`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Arguments of `model`.
#[derive(Args)]
pub struct Model {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// All versions of all groups, or of one
    List {
        /// The model package group
        group: Option<String>,
    },
    /// Approve a version: what waits for it starts with exactly this version
    Approve(Decide),
    /// Reject a version
    Reject(Decide),
}

#[derive(Args)]
struct Decide {
    /// The version: its ARN, or GROUP/VERSION
    model: String,
    /// Why; kept with the version
    #[arg(short, long)]
    reason: String,
}

/// Lists or decides, through the running server.
pub async fn run(args: Model, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    match args.verb {
        Verb::List { group } => list(&client, group, ctx).await,
        Verb::Approve(decide) => set(&client, &decide, "Approved", ctx).await,
        Verb::Reject(decide) => set(&client, &decide, "Rejected", ctx).await,
    }
}

async fn list(client: &Client, group: Option<String>, ctx: &Context) -> Outcome {
    let mut packages = Vec::new();
    for group in groups(client, group).await? {
        packages.extend(packages_of(client, &group).await?);
    }
    if ctx.json {
        ctx.print_json(&packages);
        return Ok(());
    }
    let mut table = show::table(&["MODEL", "STATE", "MSE", "BY", "WHY", "ARN"]);
    for package in &packages {
        let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let mse = package["metrics"]["mse"].as_f64().map_or_else(|| "-".to_owned(), |mse| format!("{mse:.3}"));
        let name = format!("{}/{}", text("group"), package["version"]);
        table.add_row([name, text("status"), mse, text("decided_by"), text("reason"), text("arn")]);
    }
    ctx.print(table.to_string());
    Ok(())
}

async fn set(client: &Client, decide: &Decide, status: &str, ctx: &Context) -> Outcome {
    let arn = resolve(client, &decide.model).await?;
    let body = json!({"arn": arn, "status": status, "by": ctx.user, "reason": decide.reason});
    let answer = client.post("/api/v1/models/approval", body).await?;
    if ctx.json {
        ctx.print_json(&answer);
    } else {
        ctx.good(format!("{} is {status} by {}: {}", show::model_name(&arn), ctx.user, decide.reason));
    }
    Ok(())
}

async fn groups(client: &Client, only: Option<String>) -> Result<Vec<String>, Failure> {
    if let Some(group) = only {
        return Ok(vec![group]);
    }
    let answer = client.get("/api/v1/models", &[]).await?;
    let rows = answer.get("groups").unwrap_or(&answer);
    Ok(rows.as_array().into_iter().flatten().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect())
}

async fn packages_of(client: &Client, group: &str) -> Result<Vec<Value>, Failure> {
    let answer = client.get(&format!("/api/v1/models/{group}"), &[]).await?;
    Ok(answer.get("packages").unwrap_or(&answer).as_array().cloned().unwrap_or_default())
}

async fn resolve(client: &Client, model: &str) -> Result<String, Failure> {
    if model.starts_with("arn:") {
        return Ok(model.to_owned());
    }
    let (group, version) = model
        .rsplit_once('/')
        .ok_or_else(|| Failure::usage(format!("`{model}` names no version; write GROUP/VERSION or the ARN")))?;
    let packages = packages_of(client, group).await?;
    let number: u64 = version
        .parse()
        .map_err(|_| Failure::usage(format!("`{version}` is no version; write GROUP/VERSION or the ARN")))?;
    let found = packages.iter().find(|package| package["version"].as_u64() == Some(number));
    found.and_then(|package| package["arn"].as_str().map(str::to_owned)).ok_or_else(|| {
        Failure::not_found(format!("there is no version {version} in {group}; `haliotis model list` lists them"))
    })
}
