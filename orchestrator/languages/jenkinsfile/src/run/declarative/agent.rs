//! `agent`: where things run, and the checkout that comes with it.

use haliotis_flow::BlockKind;
use haliotis_groovy::Raise;

use super::super::context::Ctx;
use super::super::steps::docker::{qualified, quoted};
use super::{Body, Pipeline};
use crate::declare::model::{Agent, Settings, Val};

impl Pipeline {
    /// Runs something on an agent.
    pub(super) async fn on_agent(
        &self,
        ctx: &Ctx,
        agent: &Agent,
        root: bool,
        no_checkout: bool,
        body: Body,
    ) -> Result<(), Raise> {
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
        let wanted = self.container(ctx, agent, kind).await?;
        let reuse = match setting("reuseNode") {
            Some(val) => self.text(ctx, val).await? == "true",
            None => false,
        };
        let this = self.clone();
        let inside = move |ctx: Ctx| -> super::Async<'static, Result<(), Raise>> {
            Box::pin(async move {
                if !reuse && !no_checkout {
                    this.default_checkout(&ctx, root).await?;
                }
                match wanted {
                    Some(wanted) => this.in_image(&ctx, wanted, body).await,
                    None => body(ctx).await,
                }
            })
        };
        if reuse && ctx.node.is_some() {
            return inside(ctx.clone()).await;
        }
        self.run.on_node(ctx, &label, folder, inside).await
    }

    /// The container that an agent asks for.
    async fn container(&self, ctx: &Ctx, agent: &Agent, kind: &str) -> Result<Option<Wanted>, Raise> {
        let text = async |name: &str| match setting(&agent.settings, name) {
            Some(val) => self.text(ctx, val).await.map(Some),
            None => Ok(None),
        };
        let mut wanted = Wanted {
            args: text("args").await?.unwrap_or_default(),
            pull: text("alwaysPull").await?.as_deref() == Some("true"),
            registry: text("registryUrl").await?.unwrap_or_default(),
            credential: text("registryCredentialsId").await?,
            ..Wanted::default()
        };
        match (kind, &agent.settings) {
            ("docker", Settings::One(val)) => wanted.image = self.text(ctx, val).await?,
            ("docker", _) => match text("image").await? {
                Some(image) => wanted.image = image,
                None => return Ok(None),
            },
            ("dockerfile", _) => {
                let dir = text("dir").await?.unwrap_or_else(|| ".".to_owned());
                let file = text("filename").await?.unwrap_or_else(|| "Dockerfile".to_owned());
                let more = text("additionalBuildArgs").await?.unwrap_or_default();
                let build = &self.run.shared.facts.build;
                let name = format!("{}-{dir}-{file}", build.pipeline).to_lowercase();
                let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
                wanted.image = format!("haliotis-{}:{}", name.trim_matches('-'), build.number);
                let path = quoted(&format!("{dir}/{file}"));
                wanted.build =
                    Some(format!("set -x\n\"$program\" build -t {} {more} -f {path} {}", wanted.image, quoted(&dir)));
            }
            _ => return Ok(None),
        }
        Ok(Some(wanted))
    }

    /// Runs something in the container that is wanted: logs in, builds or pulls its image, starts it.
    async fn in_image(&self, ctx: &Ctx, wanted: Wanted, body: Body) -> Result<(), Raise> {
        if wanted.registry.is_empty() && wanted.credential.is_none() {
            return self.started(ctx, &wanted, body).await;
        }
        let this = self.clone();
        let (registry, credential) = (wanted.registry.clone(), wanted.credential.clone());
        self.run
            .in_registry(ctx, &registry, credential.as_deref(), move |ctx| {
                Box::pin(async move { this.started(&ctx, &wanted, body).await })
            })
            .await
    }

    async fn started(&self, ctx: &Ctx, wanted: &Wanted, body: Body) -> Result<(), Raise> {
        // What is built here is in no registry.
        let image = match &wanted.build {
            Some(_) => wanted.image.clone(),
            None => qualified(ctx, &wanted.image),
        };
        if let Some(build) = &wanted.build {
            self.run.docker_sh(ctx, "docker build", build).await?;
        } else if wanted.pull {
            self.run.docker_sh(ctx, "docker pull", &format!("set -x\n\"$program\" pull {image}")).await?;
        }
        self.run.in_container(ctx, &image, &wanted.args, move |ctx| body(ctx)).await
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

/// What an agent says of its container.
#[derive(Default)]
struct Wanted {
    image: String,
    args: String,
    /// How the image is built where it has to be: a script that calls docker.
    build: Option<String>,
    pull: bool,
    registry: String,
    credential: Option<String>,
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
