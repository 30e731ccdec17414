//! `haliotis approve BUILD [INPUT]`: answers a question that a build waits on.

use clap::Args;
use haliotis_engine::InputView;
use serde_json::{Value, json};

use crate::app::parameters;
use crate::app::reading::Reading;
use crate::client::Client;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `approve`.
#[derive(Args)]
pub struct Approve {
    /// The build: its id, PIPELINE#NUMBER, or PIPELINE for its newest
    build: String,
    /// The question, when more than one is open
    input: Option<String>,
    /// Say no instead
    #[arg(long)]
    reject: bool,
    /// Why
    #[arg(short, long, default_value = "")]
    reason: String,
    /// A value the question asks for, as NAME=VALUE
    #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
}

/// Shows what is approved, and answers it.
pub async fn run(args: Approve, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    let reading = Reading::open(ctx).await?;
    let id = reading.find(&args.build).await?;
    let view = reading.view(id).await?;
    let input = pick(&view.inputs, args.input.as_deref())?;
    show(ctx, input);
    let values = parameters::parse(&args.parameters)?;
    let decision = if args.reject { "rejected" } else { "approved" };
    let body = json!({
        "decision": decision, "reason": args.reason, "values": values, "digest": input.input.digest, "by": ctx.user,
        "step": input.id,
    });
    let answer = client.post(&format!("/api/v1/builds/{id}/answer"), body).await?;
    if ctx.json {
        ctx.print_json(&answer);
    } else {
        ctx.good(format!("{} {decision} by {}", input.id.name(), ctx.user));
    }
    Ok(())
}

/// The one open question, or the one of that name.
pub fn pick<'a>(inputs: &'a [InputView], name: Option<&str>) -> Result<&'a InputView, Failure> {
    let open: Vec<_> = inputs.iter().filter(|input| input.open()).collect();
    let names = || open.iter().map(|input| input.id.as_str().trim_start_matches('/')).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => open
            .iter()
            .find(|input| input.id.as_str().trim_start_matches('/') == name.trim_start_matches('/'))
            .copied()
            .ok_or_else(|| Failure::not_found(format!("no open question `{name}`; open: {}", names()))),
        None => match open.as_slice() {
            [] => Err(Failure::not_found("this build waits for nobody")),
            [one] => Ok(one),
            _ => Err(Failure::usage(format!("more than one question is open; name one of {}", names()))),
        },
    }
}

/// Prints the question and what it binds.
pub fn show(ctx: &Context, input: &InputView) {
    ctx.say(format!("{}", console::style(&input.input.message).bold().for_stderr()));
    for (name, value) in &input.input.binds {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        ctx.say(format!("  {name}: {value}"));
    }
    let digest = input.input.digest.get(..12).unwrap_or(&input.input.digest);
    ctx.say(format!("  bound to digest {digest}"));
}
