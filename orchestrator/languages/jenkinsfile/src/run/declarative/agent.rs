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
                if container.is_some() {
                    ctx.container = container;
                }
                body(ctx).await
            })
        };
        if reuse && ctx.node.is_some() {
            return inside(ctx.clone()).await;
        }
        self.run.on_node(ctx, &label, folder, inside).await
    }

    async fn container(&self, ctx: &Ctx, agent: &Agent, kind: &str) -> Result<Option<Rc<Container>>, Raise> {
        let image = match (kind, &agent.settings) {
            ("docker", Settings::One(val)) => self.text(ctx, val).await?,
            ("docker", _) => match setting(&agent.settings, "image") {
                Some(val) => self.text(ctx, val).await?,
                None => return Ok(None),
            },
            ("dockerfile", _) => {
                return Err(self.run.abort_exception(
                    "agent dockerfile: building the image is not supported yet; build it with sh and use agent docker",
                ));
            }
            _ => return Ok(None),
        };
        let args = match setting(&agent.settings, "args") {
            Some(val) => self.text(ctx, val).await?,
            None => String::new(),
        };
        Ok(Some(Rc::new(Container { image, args })))
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
