//! `haliotis seed`: fills a Git repository from a template.

use std::collections::BTreeMap;

use clap::Args;

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `seed`.
#[derive(Args)]
pub struct Seed {
    /// Git URL of the repository: https, ssh, or a path
    #[arg(long, required_unless_present = "list")]
    repo: Option<String>,
    /// The template
    #[arg(long, required_unless_present = "list")]
    template: Option<String>,
    /// The branch to make
    #[arg(long, default_value = "main")]
    branch: String,
    /// A value of the template, as NAME=VALUE
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// User name for the repository
    #[arg(long)]
    username: Option<String>,
    /// The variable that holds the password or token; the value itself never stands on a command line
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,
    /// List the templates and their values
    #[arg(long)]
    list: bool,
}

/// Seeds, or lists.
pub async fn run(args: Seed, ctx: &Context) -> Outcome {
    if args.list {
        return list(ctx);
    }
    let (Some(repo), Some(template)) = (&args.repo, &args.template) else {
        return Err(Failure::usage("--repo and --template are needed"));
    };
    let mut values = BTreeMap::new();
    for pair in &args.values {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| Failure::usage(format!("`{pair}`: write --set NAME=VALUE")))?;
        values.insert(name.to_owned(), value.to_owned());
    }
    let request = haliotis_seed::SeedRequest {
        repo_url: repo.clone(),
        branch: args.branch.clone(),
        template: template.clone(),
        values,
        author: format!("{0} <{0}@localhost>", ctx.user),
        credential: credential(&args)?,
    };
    let seeded = tokio::task::spawn_blocking(move || haliotis_seed::seed(&request))
        .await
        .map_err(|error| Failure::new(crate::failure::code::INTERNAL, error.to_string()))?
        .map_err(|error| Failure::world(error.to_string()))?;
    if ctx.json {
        ctx.print_json(
            &serde_json::json!({"commit": seeded.commit, "branch": seeded.branch, "changed": seeded.changed}),
        );
    } else if seeded.changed {
        ctx.good(format!("{repo} has branch {} at {}", seeded.branch, crate::show::short(&seeded.commit)));
    } else {
        ctx.good(format!("{repo} has this content already; nothing was changed"));
    }
    Ok(())
}

fn list(ctx: &Context) -> Outcome {
    if ctx.json {
        ctx.print_json(&haliotis_seed::templates());
        return Ok(());
    }
    for template in haliotis_seed::templates() {
        ctx.print(format!("{}  {}", console::style(template.name).bold(), template.description));
    }
    ctx.print("\nvalues (--set NAME=VALUE):");
    for placeholder in haliotis_seed::PLACEHOLDERS {
        let default = placeholder.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        ctx.print(format!("  {:<20} {}{default}", placeholder.name, placeholder.doc));
    }
    Ok(())
}

fn credential(args: &Seed) -> Result<Option<haliotis_scm::Credential>, Failure> {
    let Some(variable) = &args.password_env else { return Ok(None) };
    let password = std::env::var(variable).map_err(|_| {
        Failure::usage(format!("the variable {variable} is not set; it should hold the password or token"))
    })?;
    let password = haliotis_model::Secret::new(password);
    Ok(Some(match &args.username {
        Some(username) => haliotis_scm::Credential::UserPassword { username: username.clone(), password },
        None => haliotis_scm::Credential::Token { token: password },
    }))
}
