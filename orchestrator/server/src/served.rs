//! What served where, and when: the ledger of deployments, read from the journals of builds.
//!
//! A deployment is a step that touches an environment with `cloudformation.deploy` and ended well, in a build that is
//! about a model: its parameters, its cause or its steps' outputs name a model package. Nothing is written for this
//! page, so it cannot differ from what the builds did. A step that puts the parameters of before back (a rollback)
//! says the model it put back in its own arguments.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use haliotis_engine::{BuildFilter, BuildView, NodeState, NodeView};
use haliotis_model::{BuildId, BuildSummary, Cause, Decision, Millis, Object, Value};

use crate::access::current;
use crate::error::Failed;
use crate::state::AppState;

/// The step that deploys.
const DEPLOY: &str = "cloudformation.deploy";
/// Builds about models that are looked through, newest first: a deployment every ten minutes for two months. Only those
/// not seen before are opened.
const BUILDS: usize = 10_000;
/// What the ARN of a model package holds.
const MARK: &str = ":model-package/";

/// One deployment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deployment {
    /// When it was in place.
    pub(crate) at: Millis,
    pub(crate) environment: String,
    /// ARN of the model package.
    pub(crate) model: String,
    pub(crate) pipeline: String,
    pub(crate) build: BuildId,
    pub(crate) number: u32,
    /// Who let it pass, and why, where a person was asked before it.
    pub(crate) by: String,
    pub(crate) reason: String,
    /// Commit of the pipeline that deployed.
    pub(crate) commit: String,
}

/// Deployments of builds that have ended, which never change: their journals are read once.
#[derive(Default)]
pub(crate) struct Known(Mutex<BTreeMap<BuildId, Arc<[Deployment]>>>);

impl Known {
    async fn of(&self, state: &AppState, build: &BuildSummary) -> Result<Arc<[Deployment]>, Failed> {
        let held = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held().get(&build.id) {
            return Ok(Arc::clone(known));
        }
        let view = state.engine.view(build.id).await?;
        let found: Arc<[Deployment]> = deployments(&view).into();
        if view.result.is_some() {
            let mut held = held();
            held.insert(build.id, Arc::clone(&found));
            if held.len() > BUILDS {
                held.pop_first();
            }
        }
        Ok(found)
    }
}

/// Deployments, newest first; of one model group where one is given.
pub(crate) async fn ledger(state: &AppState, group: Option<&str>) -> Result<Vec<Deployment>, Failed> {
    let caller = current();
    let mut filter = BuildFilter { about_models: true, limit: BuildFilter::MAX, ..BuildFilter::default() };
    let (mut all, mut looked) = (Vec::new(), 0);
    loop {
        let page = state.catalog.builds(&filter).await?;
        for build in page.iter().filter(|build| caller.sees(&build.pipeline) && names_model(build)) {
            all.extend(state.own.deployments.of(state, build).await?.iter().cloned());
        }
        looked += page.len();
        let Some(last) = page.last().filter(|_| page.len() == BuildFilter::MAX as usize && looked < BUILDS) else {
            break;
        };
        filter.before = Some(last.id);
    }
    let wanted = |one: &Deployment| group.is_none_or(|group| group_of(&one.model) == Some(group));
    all.retain(wanted);
    all.sort_by_key(|one| std::cmp::Reverse((one.at, one.build)));
    Ok(all)
}

/// What served at a moment: the last deployment of each environment and group before it.
pub(crate) fn at(ledger: &[Deployment], moment: Millis) -> Vec<&Deployment> {
    let mut seen: Vec<&Deployment> = Vec::new();
    for one in ledger.iter().filter(|one| one.at <= moment) {
        let same = |other: &&Deployment| {
            other.environment == one.environment && group_of(&other.model) == group_of(&one.model)
        };
        if !seen.iter().any(same) {
            seen.push(one);
        }
    }
    seen
}

/// The group in a model package's ARN.
pub(crate) fn group_of(arn: &str) -> Option<&str> {
    arn.split_once(MARK)?.1.rsplit_once('/').map(|(group, _)| group)
}

/// The version in a model package's ARN.
pub(crate) fn version_of(arn: &str) -> Option<u32> {
    arn.split_once(MARK)?.1.rsplit_once('/')?.1.parse().ok()
}

/// The model package that values name, however deep.
pub(crate) fn model_in(object: &Object) -> Option<&str> {
    object.values().find_map(in_value)
}

fn in_value(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.as_str()).filter(|text| text.starts_with("arn:") && text.contains(MARK)),
        Value::Object(fields) => fields.values().find_map(in_value),
        Value::Array(items) => items.iter().find_map(in_value),
        _ => None,
    }
}

fn names_model(build: &BuildSummary) -> bool {
    build.causes.iter().any(|cause| matches!(cause, Cause::ModelPackage { .. }))
        || model_in(&build.parameters).is_some()
}

/// The model a build is about.
pub(crate) fn model_of(view: &BuildView) -> Option<String> {
    let by_cause = view.build.causes.iter().find_map(|cause| match cause {
        Cause::ModelPackage { arn, .. } => Some(arn.clone()),
        _ => None,
    });
    let by_outputs = || view.nodes.iter().find_map(|node| model_in(&node.outputs).map(str::to_owned));
    model_in(&view.build.parameters).map(str::to_owned).or(by_cause).or_else(by_outputs)
}

/// The deployments of one build.
pub(crate) fn deployments(view: &BuildView) -> Vec<Deployment> {
    let Some(model) = model_of(view) else { return Vec::new() };
    let good = view.nodes.iter().filter(|node| node.uses == DEPLOY && node.state == NodeState::Success);
    let one = |node: &NodeView| {
        let at = node.ended_at?;
        let environment = node.environment.clone()?;
        let put_back = node.with.get("parameters").and_then(in_value).map(str::to_owned);
        let mut asked = view.inputs.iter().filter_map(|input| Some((input.closed_at?, input.answer.as_ref()?)));
        let passed = asked.rfind(|(closed, answer)| *closed <= at && answer.decision == Decision::Approved);
        // A question counts for what comes after it: an environment deployed before it was asked needed none.
        let passed = passed.filter(|(closed, _)| node.queued_at.is_some_and(|queued| *closed <= queued));
        Some(Deployment {
            at,
            environment,
            model: put_back.unwrap_or_else(|| model.clone()),
            pipeline: view.build.pipeline.clone(),
            build: view.id,
            number: view.build.number,
            by: passed.map(|(_, answer)| answer.by.clone()).unwrap_or_default(),
            reason: passed.map(|(_, answer)| answer.reason.clone()).unwrap_or_default(),
            commit: view.build.source.commit.clone().unwrap_or_default(),
        })
    };
    good.filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(at: i64, environment: &str, version: u32) -> Deployment {
        Deployment {
            at: Millis(at),
            environment: environment.to_owned(),
            model: format!("arn:aws:sagemaker:eu-west-1:000000000000:model-package/abalone/{version}"),
            pipeline: "deploy".to_owned(),
            build: BuildId(at),
            number: 1,
            by: String::new(),
            reason: String::new(),
            commit: String::new(),
        }
    }

    #[test]
    fn what_served_is_the_last_deployment_before_the_moment() {
        let ledger = [one(40, "prod", 3), one(30, "staging", 3), one(20, "prod", 2), one(10, "prod", 1)];
        let versions = |moment| {
            at(&ledger, Millis(moment))
                .iter()
                .map(|one| (one.environment.as_str(), version_of(&one.model)))
                .collect::<Vec<_>>()
        };
        assert_eq!(versions(5), []);
        assert_eq!(versions(25), [("prod", Some(2))]);
        assert_eq!(versions(40), [("prod", Some(3)), ("staging", Some(3))]);
    }

    #[test]
    fn a_model_is_found_in_values() {
        let values = serde_json::json!({ "a": 1, "b": { "c": ["x", "arn:aws:sagemaker:r:1:model-package/g/7"] } });
        let found = model_in(values.as_object().unwrap()).unwrap();
        assert_eq!((group_of(found), version_of(found)), (Some("g"), Some(7)));
        assert_eq!(group_of("text"), None);
    }
}
