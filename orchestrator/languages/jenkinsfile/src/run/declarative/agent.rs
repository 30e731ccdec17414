//! `agent`: where things run, and the checkout that comes with it.

use std::rc::Rc;

use haliotis_flow::BlockKind;
use haliotis_groovy::Raise;

use super::super::context::{Container, Ctx};
use super::{Body, Pipeline};
use crate::declare::model::{Agent, Settings, Val};

impl Pipeline {
    /// Runs something on an agent.
    pub(super) async fn on_agent(&self, ctx: &Ctx, agent: &Agent, root: bool, body: Body) -> Result<(), Raise> {
        let kind = agent.kind.as_ref().map_or("any", |key| key.name.as_str());
        let setting = |name: &str| setting(&agent.settings, name);
        match kind {
            "none" => return body(ctx.clone()).await,
            "kubernetes" => {
                return Err(self.run.abort_exception(
                    "agent kubernetes: this server has no Kubernetes launcher; use agent any, a label, or docker",
                ));
            }
            _ => {}
        }
        let label = match (kind, &agent.settings) {
            ("label", Settings::One(val)) => self.text(ctx, val).await?,
            _ => match setting("label") {
                Some(val) => self.text(ctx, val).await?,
                None => String::new(),
            },
        };
        let folder = match setting("customWorkspace") {
            Some(val) => Some(self.text(ctx, val).await?),
            None => None,
        };
        let container = self.container(ctx, agent, kind).await?;
        let reuse = match setting("reuseNode") {
            Some(val) => self.text(ctx, val).await? == "true",
            None => false,
        };
        let this = self.clone();
        let inside = move |mut ctx: Ctx| -> super::Async<'static, Result<(), Raise>> {
            Box::pin(async move {
                if !reuse {
                    this.default_checkout(&ctx, root).await?;
                }
                if let Some((container, build)) = container {
                    if let Some(build) = build {
                        // On the node itself, whatever container is around it.
                        let outside = Ctx { container: None, ..ctx.clone() };
                        this.run.docker_sh(&outside, &build).await?;
                    }
                    ctx.container = Some(container);
                }
                body(ctx).await
            })
        };
        if reuse && ctx.node.is_some() {
            return inside(ctx.clone()).await;
        }
        self.run.on_node(ctx, &label, folder, inside).await
    }

    /// The container that an agent asks for, and how its image is built where it has to be: arguments of docker.
    async fn container(
        &self,
        ctx: &Ctx,
        agent: &Agent,
        kind: &str,
    ) -> Result<Option<(Rc<Container>, Option<String>)>, Raise> {
        let text = async |name: &str| match setting(&agent.settings, name) {
            Some(val) => self.text(ctx, val).await.map(Some),
            None => Ok(None),
        };
        let args = text("args").await?.unwrap_or_default();
        let (image, build) = match (kind, &agent.settings) {
            ("docker", Settings::One(val)) => (self.text(ctx, val).await?, None),
            ("docker", _) => match text("image").await? {
                Some(image) => (image, None),
                None => return Ok(None),
            },
            ("dockerfile", _) => {
                let dir = text("dir").await?.unwrap_or_else(|| ".".to_owned());
                let file = text("filename").await?.unwrap_or_else(|| "Dockerfile".to_owned());
                let more = text("additionalBuildArgs").await?.unwrap_or_default();
                let build = &self.run.shared.facts.build;
                let name = format!("{}-{dir}-{file}", build.pipeline).to_lowercase();
                let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
                let image = format!("haliotis-{}:{}", name.trim_matches('-'), build.number);
                let command =
                    format!("build -t {image} {more} -f {} {}", quoted(&format!("{dir}/{file}")), quoted(&dir));
                (image, Some(command))
            }
            _ => return Ok(None),
        };
        Ok(Some((Rc::new(Container { image, args }), build)))
    }

    /// The checkout that Declarative does by itself where the Jenkinsfile comes from a repository.
    async fn default_checkout(&self, ctx: &Ctx, root: bool) -> Result<(), Raise> {
        let from_repository = self.run.shared.facts.build.source.repo.is_some();
        if !from_repository || self.flags.skip_checkout.get() || self.run.shared.in_place() {
            return Ok(());
        }
        let this = self.clone();
        let check_out = move |ctx: Ctx| -> super::Async<'static, Result<(), Raise>> {
            Box::pin(async move {
                this.run.shared.say("[Pipeline] checkout");
                let mut ctx = ctx;
                if let Some(folder) = this.flags.subdirectory.borrow().clone() {
                    ctx.folder = folder.into();
                }
                this.run.check_out(&ctx, &serde_json::json!({ "$own": true })).await.map(drop)
            })
        };
        if root {
            self.run.in_stage(ctx, "Declarative: Checkout SCM", BlockKind::Stage, check_out).await
        } else {
            check_out(ctx.clone()).await
        }
    }
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A setting of an agent's block.
fn setting<'a>(settings: &'a Settings, name: &str) -> Option<&'a Val> {
    match settings {
        Settings::Map(map) => map.iter().find(|(key, _)| key.name == name).and_then(|(_, value)| match value {
            Settings::One(val) => Some(val),
            _ => None,
        }),
        _ => None,
    }
}
