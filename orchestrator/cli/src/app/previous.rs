//! What a new build is told of the builds before it: pinned when it is made, so a replay answers the same.
//!
//! `event["previous-result"]` is the result of the newest ended build (`changed`, `fixed`, `regression`);
//! `event["previous-builds"]` are the newest ones, for `currentBuild.previousBuild` and its kin.

use haliotis_engine::{BuildFilter, JournalError};
use haliotis_model::{Object, Value};
use serde_json::json;

use crate::app::App;

/// Builds that are pinned: scripts look at the one before, or for the last good one.
const KEPT: usize = 10;
/// Builds that are looked at for one with a wanted result.
const LOOKED_AT: u32 = 100;

/// The event with what is known of earlier builds of the pipeline; nothing is added to that of a first build.
///
/// # Errors
/// Those of the store.
pub async fn told(app: &App, pipeline: &str, mut event: Object) -> Result<Object, JournalError> {
    let filter = BuildFilter { pipeline: Some(pipeline.to_owned()), limit: LOOKED_AT, ..BuildFilter::default() };
    let builds = app.store_catalog().builds(&filter).await?;
    if let Some(result) = builds.iter().find_map(|build| build.result) {
        event.insert("previous-result".to_owned(), result.to_string().into());
    }
    let mut kept: Vec<&haliotis_model::BuildSummary> = builds.iter().take(KEPT).collect();
    // The last one of each result, however far back it lies.
    for build in builds.iter().skip(KEPT) {
        if build.result.is_some() && !kept.iter().any(|known| known.result == build.result) {
            kept.push(build);
        }
    }
    if !kept.is_empty() {
        let shown = kept.iter().map(|build| {
            json!({
                "number": build.number,
                "result": build.result.map(|result| result.to_string()),
                "created": build.created_at.0,
                "ended": build.ended_at.map(|at| at.0),
            })
        });
        event.insert("previous-builds".to_owned(), Value::Array(shown.collect()));
    }
    Ok(event)
}
