//! Addresses of Jenkins' pages, which people have in mails, chats and bookmarks: they lead to our own.

use axum::response::Response;

use super::build::Target;
use super::call::{Call, redirect};
use super::items::Item;
use crate::error::Failed;
use crate::words;

/// Pages of a job that show the job, here.
const OF_ITEM: [&str; 8] =
    ["changes", "configure", "ws", "builds", "buildHistory", "workflow-stage", "lastBuild", "scmPollLog"];
/// Pages of a build that show the build, here.
const OF_BUILD: [&str; 14] = [
    "console",
    "consoleFull",
    "changes",
    "input",
    "parameters",
    "artifact",
    "testReport",
    "pipeline-graph",
    "pipeline-overview",
    "stages",
    "flowGraphTable",
    "replay",
    "timings",
    "ws",
];

/// The page of a job; a folder or view is on the list of all.
pub(crate) fn item(call: &Call, item: &Item) -> Result<Response, Failed> {
    Ok(redirect(&match item {
        Item::Job(pipeline) => call.url(words::pipeline_url(&pipeline.name).trim_start_matches('/')),
        _ => call.url(""),
    }))
}

/// A page below a job's.
pub(crate) fn page_of_item(call: &Call, found: &Item, page: &str) -> Result<Response, Failed> {
    let first = page.split('/').next().unwrap_or("");
    if OF_ITEM.contains(&first) && *found != Item::Root {
        return item(call, found);
    }
    Err(Failed::not_found(format!("there is nothing at /{}", call.path.join("/"))))
}

/// The page of a build.
pub(crate) fn build(call: &Call, target: &Target) -> Result<Response, Failed> {
    Ok(redirect(&call.url(words::build_url(target.build.id).trim_start_matches('/'))))
}

/// A page below a build's.
pub(crate) fn page_of_build(call: &Call, target: &Target, page: &str) -> Result<Response, Failed> {
    if OF_BUILD.contains(&page.split('/').next().unwrap_or("")) && !page.ends_with("/api/json") {
        return build(call, target);
    }
    Err(Failed::not_found(format!("there is nothing at /{}", call.path.join("/"))))
}
