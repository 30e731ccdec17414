//! Questions that several pages and calls ask: what waits for a person, and who is busy.

use std::collections::BTreeMap;
use std::time::Duration;

use haliotis_engine::{BuildFilter, InputView, NodeState};
use haliotis_model::{BuildStatus, BuildSummary};

use crate::access::current;
use crate::edges::ModelPackage;
use crate::error::Failed;
use crate::state::AppState;

/// Builds looked into for one page; more than this wait on no team's desk.
const LOOKED_INTO: u32 = 50;
/// A registry that is slow must not hold up the home page.
const REGISTRY_PATIENCE: Duration = Duration::from_millis(400);
/// The approval state of a package that waits for a person.
pub(crate) const PENDING: &str = "PendingManualApproval";

/// An open question and the build that asks.
pub(crate) struct Waiting {
    pub(crate) build: BuildSummary,
    pub(crate) input: InputView,
}

/// Open questions, the longest waiting first.
pub(crate) async fn waiting(state: &AppState) -> Result<Vec<Waiting>, Failed> {
    let mut all = Vec::new();
    for build in with_status(state, BuildStatus::Waiting).await? {
        let view = state.engine.view(build.id).await?;
        let open = view.inputs.into_iter().filter(InputView::open);
        all.extend(open.map(|input| Waiting { build: build.clone(), input }));
    }
    all.sort_by_key(|waiting| (waiting.input.asked_at, waiting.build.id));
    Ok(all)
}

/// Model versions that nobody decided on, oldest first. A registry that does not answer gives none here; its own page
/// says why.
pub(crate) async fn pending_models(state: &AppState) -> Vec<ModelPackage> {
    let ask = async {
        let mut all = Vec::new();
        for group in state.models.groups().await? {
            all.extend(state.models.packages(&group.name).await?);
        }
        Ok::<_, crate::edges::EdgeError>(all)
    };
    let Ok(Ok(mut all)) = tokio::time::timeout(REGISTRY_PATIENCE, ask).await else { return Vec::new() };
    all.retain(|package| package.status == PENDING);
    all.sort_by_key(|package| package.created_at);
    all
}

/// Builds in one state, newest first.
pub(crate) async fn with_status(state: &AppState, status: BuildStatus) -> Result<Vec<BuildSummary>, Failed> {
    let filter = BuildFilter { status: Some(status), limit: LOOKED_INTO, ..BuildFilter::default() };
    let caller = current();
    let mut builds = state.catalog.builds(&filter).await?;
    builds.retain(|build| caller.sees(&build.pipeline));
    Ok(builds)
}

/// Steps at work by agent.
pub(crate) async fn busy(state: &AppState) -> Result<BTreeMap<String, u32>, Failed> {
    let mut busy = BTreeMap::new();
    let mut builds = with_status(state, BuildStatus::Running).await?;
    builds.extend(with_status(state, BuildStatus::Waiting).await?);
    for build in builds {
        for node in state.engine.view(build.id).await?.nodes {
            if let (NodeState::Running, Some(agent)) = (node.state, node.agent) {
                *busy.entry(agent).or_default() += 1;
            }
        }
    }
    Ok(busy)
}
