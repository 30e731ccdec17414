//! Running a build again from its page: where it may begin, and with which parameters.

use haliotis_engine::{BuildView, NodeState};
use haliotis_flow::NodeKind;

use super::build::Link;
use super::pipeline::Field;
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Steps offered as a beginning; the command line takes any.
const STEPS_MAX: usize = 300;

/// The form.
pub(super) struct Again {
    /// Something did not end well.
    pub(super) failed: bool,
    /// A Declarative Jenkinsfile's stages.
    pub(super) stages: Vec<String>,
    /// Path and name of steps and groups.
    pub(super) steps: Vec<(String, String)>,
    pub(super) fields: Vec<Field>,
}

/// What the form of a build offers; `None` where its pipeline is gone.
pub(super) async fn of(state: &AppState, view: &BuildView) -> Result<Option<Again>, Failed> {
    let Some(pipeline) = state.catalog.pipeline(&view.build.pipeline).await? else { return Ok(None) };
    let stages = state.actions.restartable(&view.build.source);
    let bad = |state: NodeState| matches!(state, NodeState::Failure | NodeState::Aborted | NodeState::Interrupted);
    let steps = view.nodes.iter().filter(|node| node.kind != NodeKind::Post && node.state != NodeState::Pending);
    // A stage that is listed as such need not be listed as a group too.
    let steps = steps.filter(|node| !stages.contains(&node.name)).take(STEPS_MAX);
    Ok(Some(Again {
        failed: view.nodes.iter().any(|node| bad(node.state)),
        steps: steps.map(|node| (node.id.to_string(), node.id.as_str().trim_start_matches('/').to_owned())).collect(),
        fields: pipeline.parameters.iter().map(|spec| Field::of(spec, Some(&view.build.parameters))).collect(),
        stages,
    }))
}

/// From which build, and what.
pub(super) fn carried(view: &BuildView) -> Option<Link> {
    let carry = view.build.carry.as_ref()?;
    let taken = view.nodes.iter().filter(|node| node.carried).count();
    let begins = if carry.at.is_empty() { "what failed".to_owned() } else { carry.at.clone() };
    let files = if carry.workspace { ", in a copy of its workspace" } else { "" };
    let text = match taken {
        _ if carry.stage.is_some() => format!("#{} again from the stage {begins}", carry.number),
        1 => format!("#{} again from {begins}: 1 step is taken over{files}", carry.number),
        count => format!("#{} again from {begins}: {count} steps are taken over{files}", carry.number),
    };
    Some(Link { text, url: words::build_url(carry.from), detail: String::new() })
}
