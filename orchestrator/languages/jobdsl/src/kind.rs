//! The methods of a script that make items.

use crate::item::ItemKind;

/// A method that makes items of a kind, whose closure is the block of that name.
const KINDS: &[(&str, ItemKind, &str)] = &[
    ("folder", ItemKind::Folder, "folder"),
    ("freeStyleJob", ItemKind::Freestyle, "freeStyleJob"),
    ("job", ItemKind::Freestyle, "freeStyleJob"),
    ("listView", ItemKind::ListView, "listView"),
    ("multibranchPipelineJob", ItemKind::Multibranch, "multibranchPipelineJob"),
    ("multibranchWorkflowJob", ItemKind::Multibranch, "multibranchPipelineJob"),
    ("nestedView", ItemKind::NestedView, "nestedView"),
    ("organizationFolder", ItemKind::OrganizationFolder, "organizationFolder"),
    ("pipelineJob", ItemKind::Pipeline, "pipelineJob"),
    ("workflowJob", ItemKind::Pipeline, "pipelineJob"),
];

/// Kinds of Jenkins that Haliotis has not.
pub(crate) const MISSING: &[&str] = &[
    "buildFlowJob",
    "buildMonitorView",
    "buildPipelineView",
    "categorizedJobsView",
    "dashboardView",
    "deliveryPipelineView",
    "ivyJob",
    "matrixJob",
    "mavenJob",
    "multiJob",
    "pipelineView",
    "sectionedView",
];

/// The kind that a method makes, and its block.
pub(crate) fn made_by(method: &str) -> Option<(ItemKind, &'static str)> {
    KINDS.iter().find(|(name, ..)| *name == method).map(|(_, kind, block)| (*kind, *block))
}
