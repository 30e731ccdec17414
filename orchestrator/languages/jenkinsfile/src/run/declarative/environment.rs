//! `environment` and `tools`.

use haliotis_flow::BlockKind;
use haliotis_groovy::Raise;
use haliotis_model::Vars;

use super::super::context::Ctx;
use super::{Async, Pipeline};
use crate::declare::model::{EnvVal, Environment, Tools};

impl Pipeline {
    /// The context with the variables of a section; each may use those before it.
    pub(super) async fn environment(&self, ctx: &Ctx, environment: Option<&Environment>) -> Result<Ctx, Raise> {
        let mut inner = ctx.clone();
        let Some(environment) = environment else { return Ok(inner) };
        for (key, val) in &environment.vars {
            if let EnvVal::Credentials { args, .. } = val {
                let Some(id) = args.first() else { continue };
                let id = self.text(&inner, id).await?;
                let name = key.name.clone();
                let names = [name.clone(), format!("{name}_USR"), format!("{name}_PSW")];
                inner = inner.with_credentials(Vars::from([(name, id)]), names);
            }
        }
        for (key, val) in &environment.vars {
            if let EnvVal::Val(val) = val {
                let text = self.text(&inner, val).await?;
                inner = inner.with_env([(key.name.clone(), text)]);
            }
        }
        Ok(inner)
    }

    /// The context with the tools of a section: their folders in `PATH` and in the variables that they look at.
    pub(super) async fn tools(&self, ctx: &Ctx, tools: Option<&Tools>) -> Result<Ctx, Raise> {
        let Some(tools) = tools else { return Ok(ctx.clone()) };
        if ctx.node.is_none() {
            return Err(self.run.no_node(ctx));
        }
        let (this, tools) = (self.clone(), tools.clone());
        let install = move |inner: Ctx| -> Async<'static, Result<Vec<(String, String)>, Raise>> {
            Box::pin(async move {
                let mut vars = Vec::new();
                for (key, val) in &tools.tools {
                    this.run.shared.say("[Pipeline] tool");
                    let name = this.text(&inner, val).await?;
                    vars.extend(this.tool(&inner, &key.name, &name).await?);
                }
                Ok(vars)
            })
        };
        let vars = self.run.in_stage(ctx, "Declarative: Tool Install", BlockKind::Stage, install).await?;
        Ok(ctx.with_env(vars))
    }

    async fn tool(&self, ctx: &Ctx, kind: &str, name: &str) -> Result<Vec<(String, String)>, Raise> {
        let clean: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        let variable = format!("TOOL_{clean}");
        let Some(home) = self.run.variable(ctx, &variable).await? else {
            self.run.shared.say(&format!(
                "The tool {kind} '{name}' is not configured ({variable} of the agent is not set): programs of PATH are used"
            ));
            return Ok(Vec::new());
        };
        let path = self.run.variable(ctx, "PATH").await?.unwrap_or_default();
        let mut vars = vec![("PATH".to_owned(), format!("{home}/bin:{path}"))];
        let homes: &[&str] = match kind {
            "maven" => &["M2_HOME", "MAVEN_HOME"],
            "jdk" => &["JAVA_HOME"],
            "gradle" => &["GRADLE_HOME"],
            "ant" => &["ANT_HOME"],
            "nodejs" => &["NODEJS_HOME"],
            _ => &[],
        };
        vars.extend(homes.iter().map(|name| ((*name).to_owned(), home.clone())));
        Ok(vars)
    }
}
