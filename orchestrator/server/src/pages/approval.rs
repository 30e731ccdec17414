//! What an answer would change: beside a question about a model, the version that serves now, metric by metric, the
//! commits between the two, what the change did elsewhere, and what going back would mean.
//!
//! Nothing here is what the answer is bound to: that is the question's own digest over its values. This card reads what
//! there is now (registry, endpoints, journals of deployments), and says where it could not.

use std::time::Duration;

use haliotis_engine::{BuildView, InputView, NodeState};
use haliotis_model::BuildId;
use serde_json::Value;

use super::changes::{self, Changes};
use super::{Markup, time};
use crate::edges::{EndpointInfo, ModelPackage};
use crate::error::Failed;
use crate::served::{self, Deployment, group_of, version_of};
use crate::state::AppState;
use crate::words;

/// A registry that is slow must not hold up the question itself.
const PATIENCE: Duration = Duration::from_millis(600);
/// Metrics compared.
const METRICS: usize = 8;
/// Resources of a change set shown.
const RESOURCES: usize = 12;
/// Parts of a metric's name that say that less is better, and that more is.
const LESS: [&str; 7] = ["mse", "mae", "mape", "loss", "error", "deviation", "latency"];
const MORE: [&str; 7] = ["accuracy", "auc", "r2", "f1", "precision", "recall", "score"];

/// The card.
pub(super) struct Card {
    pub(super) environment: String,
    /// `abalone version 3`, and its page.
    pub(super) model: String,
    pub(super) model_url: String,
    pub(super) made: Markup,
    pub(super) decided: String,
    /// `version 2`; empty: nothing serves there yet.
    pub(super) serving: String,
    pub(super) serving_url: String,
    pub(super) metrics: Vec<Metric>,
    pub(super) changes: Option<Changes>,
    /// What the same change was elsewhere in this build, as `staging`.
    pub(super) resources_of: String,
    pub(super) resources: Vec<Resource>,
    pub(super) endpoints: Vec<Serving>,
    pub(super) back: String,
    /// What could not be asked.
    pub(super) missing: Vec<String>,
}

/// A metric of the two versions.
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) new: String,
    pub(super) old: String,
    /// Percent of the larger of the two.
    pub(super) new_width: f64,
    pub(super) old_width: f64,
    pub(super) delta: String,
    /// `better`, `worse`, `same`; empty where nobody can tell.
    pub(super) verdict: &'static str,
}

/// A resource of a change set.
pub(super) struct Resource {
    pub(super) action: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) replaced: bool,
}

/// An endpoint that serves a version of the same group.
pub(super) struct Serving {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) version: String,
    pub(super) since: Markup,
}

/// The card of an open question; `None` when it is not about a model.
pub(super) async fn card(state: &AppState, view: &BuildView, open: &InputView) -> Result<Option<Card>, Failed> {
    let bound = served::model_in(&open.input.binds).map(str::to_owned);
    let Some(arn) = bound.or_else(|| served::model_of(view)) else { return Ok(None) };
    let Some(group) = group_of(&arn) else { return Ok(None) };
    let node = view.nodes.iter().find(|node| node.id == open.id);
    let environment = node.and_then(|node| node.environment.clone()).unwrap_or_default();
    let mut missing = Vec::new();
    let packages = asked(state.models.packages(group)).await.unwrap_or_else(|| {
        missing.push("The registry did not answer in time; metrics are missing here.".to_owned());
        Vec::new()
    });
    let endpoints = asked(state.models.endpoints()).await.unwrap_or_else(|| {
        missing.push("The endpoints did not answer in time; what they serve is missing here.".to_owned());
        Vec::new()
    });
    let ledger = served::ledger(state, Some(group)).await?;
    let there = ledger.iter().find(|one| environment.is_empty() || one.environment == environment);
    let candidate = packages.iter().find(|package| package.arn == arn);
    let serving_arn = there.map(|one| one.model.clone()).or_else(|| only(&endpoints, group, &arn));
    let serving = packages.iter().find(|package| Some(&package.arn) == serving_arn.as_ref());
    let same = serving_arn.as_ref() == Some(&arn);
    let commits = match (serving.and_then(|package| package.build), candidate.and_then(|package| package.build)) {
        (Some(old), Some(new)) if !same => changes::between_builds(state, BuildId(old), BuildId(new)).await?,
        _ => None,
    };
    let (resources_of, resources) = resources(view, open);
    Ok(Some(Card {
        model: format!("{group} version {}", version_of(&arn).map(|version| version.to_string()).unwrap_or_default()),
        model_url: words::version_url(&arn),
        made: candidate.map(|package| time(crate::edges::millis(package.created_at))).unwrap_or_default(),
        decided: candidate.map(decided).unwrap_or_default(),
        serving: serving_arn
            .as_ref()
            .and_then(|arn| version_of(arn))
            .map(|version| format!("version {version}"))
            .unwrap_or_default(),
        serving_url: serving_arn.as_deref().map(words::version_url).unwrap_or_default(),
        metrics: candidate.map(|new| metrics(new, serving.filter(|_| !same))).unwrap_or_default(),
        changes: commits,
        resources_of,
        resources,
        endpoints: endpoints
            .iter()
            .filter(|endpoint| group_of(&endpoint.model_package) == Some(group))
            .map(row)
            .collect(),
        back: back(view, &environment, there, same),
        environment,
        missing,
    }))
}

async fn asked<T>(question: impl Future<Output = Result<T, crate::edges::EdgeError>>) -> Option<T> {
    tokio::time::timeout(PATIENCE, question).await.ok()?.ok()
}

/// The one version other than `candidate` that endpoints serve; two different ones tell nothing.
fn only(endpoints: &[EndpointInfo], group: &str, candidate: &str) -> Option<String> {
    let mut arns: Vec<_> = endpoints
        .iter()
        .map(|endpoint| &endpoint.model_package)
        .filter(|arn| group_of(arn) == Some(group) && *arn != candidate)
        .collect();
    arns.dedup();
    match arns.as_slice() {
        [arn] => Some((*arn).clone()),
        _ => None,
    }
}

fn decided(package: &ModelPackage) -> String {
    let reason = if package.reason.is_empty() { String::new() } else { format!(": “{}”", package.reason) };
    match package.decided_by.as_str() {
        "" => String::new(),
        by => format!("{} in the registry by {by}{reason}", package.status.to_lowercase()),
    }
}

fn metrics(new: &ModelPackage, old: Option<&ModelPackage>) -> Vec<Metric> {
    let mut names: Vec<&String> = new.metrics.keys().collect();
    names.sort_by_key(|name| (name.as_str() != "mse", name.contains('.'), (*name).clone()));
    let metric = |name: &String| {
        let value = new.metrics.get(name).copied().filter(|value| value.is_finite())?;
        let before = old.and_then(|old| old.metrics.get(name).copied()).filter(|value| value.is_finite());
        let most = value.abs().max(before.unwrap_or(0.0).abs()).max(f64::MIN_POSITIVE);
        let width = |value: f64| crate::graph::round(value.abs() / most * 100.0);
        Some(Metric {
            name: name.clone(),
            new: words::number(value),
            old: before.map(words::number).unwrap_or_default(),
            new_width: width(value),
            old_width: before.map(width).unwrap_or(0.0),
            delta: before.map(|before| delta(before, value)).unwrap_or_default(),
            verdict: before.map_or("", |before| verdict(name, before, value)),
        })
    };
    names.into_iter().filter_map(metric).take(METRICS).collect()
}

fn delta(before: f64, now: f64) -> String {
    if before == now {
        return "the same".to_owned();
    }
    let sign = if now > before { "+" } else { "−" };
    let by = words::number((now - before).abs());
    if before == 0.0 {
        format!("{sign}{by}")
    } else {
        format!("{sign}{by} ({sign}{:.1} %)", ((now - before) / before).abs() * 100.0)
    }
}

/// Whether a metric got better, where its name tells which way that is.
fn verdict(name: &str, before: f64, now: f64) -> &'static str {
    let name = name.to_lowercase();
    let less = LESS.iter().any(|part| name.contains(part));
    let more = MORE.iter().any(|part| name.contains(part));
    match now.partial_cmp(&before) {
        Some(std::cmp::Ordering::Equal) => "same",
        Some(order) if less != more => {
            if (order == std::cmp::Ordering::Less) == less {
                "better"
            } else {
                "worse"
            }
        }
        _ => "",
    }
}

/// The last change set of this build before the question: what the same template did elsewhere.
fn resources(view: &BuildView, open: &InputView) -> (String, Vec<Resource>) {
    let asked = open.asked_at;
    let deployed = view.nodes.iter().rfind(|node| {
        node.state == NodeState::Success
            && node.outputs.contains_key("change-set")
            && node.ended_at.is_some_and(|ended| ended <= asked)
    });
    let Some(node) = deployed else { return (String::new(), Vec::new()) };
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let one = |item: &Value| Resource {
        action: text(item, "action"),
        name: text(item, "resource"),
        kind: text(item, "type"),
        replaced: item.get("replacement").is_some_and(|value| value == true || value == "True" || value == "true"),
    };
    let set = node.outputs.get("change-set").and_then(Value::as_array);
    let all = set.into_iter().flatten().take(RESOURCES).map(one).collect();
    (node.environment.clone().unwrap_or_else(|| node.name.clone()), all)
}

fn row(endpoint: &EndpointInfo) -> Serving {
    Serving {
        name: endpoint.name.clone(),
        url: words::endpoint_url(&endpoint.name),
        version: version_of(&endpoint.model_package).map(|version| format!("version {version}")).unwrap_or_default(),
        since: time(crate::edges::millis(endpoint.updated_at)),
    }
}

/// What going back would mean.
fn back(view: &BuildView, environment: &str, there: Option<&Deployment>, same: bool) -> String {
    let place = if environment.is_empty() { "There" } else { environment };
    let own = view
        .nodes
        .iter()
        .any(|node| node.kind != haliotis_flow::NodeKind::Group && node.name.to_lowercase().contains("back"));
    let by_itself =
        if own { " If the new version answers badly, this pipeline puts the old one back by itself." } else { "" };
    match there {
        Some(_) if same => format!("This very version serves {place} already; approving deploys it again."),
        Some(one) => {
            let version = version_of(&one.model).map(|version| format!("version {version}")).unwrap_or_default();
            let by = if one.by.is_empty() { String::new() } else { format!(", let in by {}", one.by) };
            format!(
                "{place} has {version} since {} ({} #{}{by}). Going back means deploying that version again through this same gate; its page has the button.{by_itself}",
                words::moment(one.at, one.at).full,
                one.pipeline,
                one.number
            )
        }
        None => format!(
            "No deployment of this model to {place} is on record, so there is nothing to go back to.{by_itself}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_is_said_only_where_the_name_tells_the_way() {
        assert_eq!(
            (verdict("mse", 5.0, 4.0), verdict("Accuracy", 0.9, 0.8), verdict("rows", 1.0, 2.0)),
            ("better", "worse", "")
        );
        assert_eq!(verdict("validation:auc", 0.5, 0.5), "same");
        assert_eq!(delta(5.0, 4.0), "−1 (−20.0 %)");
    }

    #[test]
    fn one_other_version_is_what_serves_and_two_are_none() {
        let arn = |version: u32| format!("arn:aws:sagemaker:r:1:model-package/g/{version}");
        let endpoint = |version| EndpointInfo { model_package: arn(version), ..EndpointInfo::default() };
        assert_eq!(only(&[endpoint(3), endpoint(2)], "g", &arn(3)), Some(arn(2)));
        assert_eq!(only(&[endpoint(1), endpoint(2)], "g", &arn(3)), None);
    }
}
