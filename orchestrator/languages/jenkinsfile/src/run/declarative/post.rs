//! `post`: conditions in Jenkins' order; one that fails does not keep the others from running.

use haliotis_flow::BlockKind;
use haliotis_groovy::Raise;
use haliotis_model::BuildResult;

use super::super::context::Ctx;
use super::{Async, Pipeline};
use crate::declare::model::Post;
use crate::words::CONDITIONS;

impl Pipeline {
    pub(super) async fn pipeline_post(&self, ctx: &Ctx, post: &Post, error: Option<&Raise>) -> Result<(), Raise> {
        let wanted = self.wanted(post, self.combined(error));
        if wanted.is_empty() {
            return Ok(());
        }
        let (this, post) = (self.clone(), post.clone());
        let run = move |ctx: Ctx| -> Async<'static, Result<(), Raise>> {
            Box::pin(async move { this.conditions(&ctx, &post, wanted).await })
        };
        self.run.in_stage(ctx, "Declarative: Post Actions", BlockKind::Post, run).await
    }

    pub(super) async fn stage_post(&self, ctx: &Ctx, post: &Post, error: Option<&Raise>) -> Result<(), Raise> {
        let own = ctx.stage.as_ref().map_or(BuildResult::Success, |stage| stage.result.get());
        let wanted = self.wanted(post, self.combined(error).worst(own));
        if wanted.is_empty() {
            return Ok(());
        }
        self.run.shared.say("Post stage");
        self.conditions(ctx, post, wanted).await
    }

    /// The conditions that hold, in order.
    fn wanted(&self, post: &Post, result: BuildResult) -> Vec<&'static str> {
        let previous = self.run.shared.facts.build.event.get("previous-result");
        let previous = previous.and_then(|word| word.as_str()).and_then(BuildResult::parse);
        let names = CONDITIONS.into_iter().filter(|name| post.conditions.iter().any(|(key, _)| key.name == *name));
        names.filter(|name| holds(name, result, previous)).collect()
    }

    async fn conditions(&self, ctx: &Ctx, post: &Post, wanted: Vec<&'static str>) -> Result<(), Raise> {
        let mut first = Ok(());
        for name in wanted {
            let Some((_, branch)) = post.conditions.iter().find(|(key, _)| key.name == name) else { continue };
            if let Err(raise) = self.fragment(ctx, branch.block).await {
                if matches!(raise, Raise::Fatal(_)) {
                    return Err(raise);
                }
                let (result, message) = self.run.meaning(&raise);
                self.run.shared.say(&format!("Error when executing {name} post condition:"));
                self.run.shared.say(&message);
                self.run.mark(ctx, result, &message);
                if first.is_ok() {
                    first = Err(raise);
                }
            }
        }
        first
    }
}

/// Whether a condition holds for a result, given that of the build before.
fn holds(name: &str, result: BuildResult, previous: Option<BuildResult>) -> bool {
    use BuildResult::{Aborted, Failure, NotBuilt, Success, Unstable};
    match name {
        "always" | "cleanup" => true,
        "changed" => previous != Some(result),
        "fixed" => result == Success && matches!(previous, Some(Failure | Unstable)),
        "regression" => {
            matches!(result, Failure | Unstable | Aborted) && previous.is_some_and(|previous| result > previous)
        }
        "aborted" => result == Aborted,
        "success" => result == Success,
        "unsuccessful" => result != Success,
        "unstable" => result == Unstable,
        "failure" => result == Failure,
        "notBuilt" => result == NotBuilt,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_by_result_and_history() {
        use BuildResult::{Aborted, Failure, Success, Unstable};
        let of = |result, previous| -> Vec<&str> {
            CONDITIONS.into_iter().filter(|name| holds(name, result, previous)).collect()
        };
        assert_eq!(of(Success, None), ["always", "changed", "success", "cleanup"]);
        assert_eq!(of(Success, Some(Failure)), ["always", "changed", "fixed", "success", "cleanup"]);
        assert_eq!(of(Unstable, Some(Unstable)), ["always", "unsuccessful", "unstable", "cleanup"]);
        assert_eq!(
            of(Failure, Some(Success)),
            ["always", "changed", "regression", "unsuccessful", "failure", "cleanup"]
        );
        assert_eq!(of(Aborted, Some(Aborted)), ["always", "aborted", "unsuccessful", "cleanup"]);
    }
}
