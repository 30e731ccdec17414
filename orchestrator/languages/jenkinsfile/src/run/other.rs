//! Other builds as a script sees them: what `build` answers, and `currentBuild.previousBuild` and its kin.

use std::any::Any;
use std::rc::Rc;

use haliotis_groovy::{HostAnswer, HostObject, Value, Vm};
use haliotis_model::{BuildResult, NewBuild, Value as Json};

use super::{console, values};

/// A build that is not this one, as it stood when it was asked for.
pub(crate) struct OtherBuild {
    /// As the step kind `build` and the pinned event tell it.
    facts: Json,
    /// The builds before it that are known, newest first.
    before: Vec<Json>,
}

impl OtherBuild {
    /// As a value.
    pub(crate) fn value(facts: Json) -> Value {
        Value::Host(Rc::new(OtherBuild { facts, before: Vec::new() }))
    }

    fn text(&self, name: &str) -> &str {
        self.facts.get(name).and_then(Json::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self.facts.get(name).and_then(Json::as_i64).unwrap_or(0)
    }

    fn result(&self) -> Option<BuildResult> {
        BuildResult::parse(self.text("result"))
    }

    fn property(&self, vm: &mut Vm, name: &str) -> Option<HostAnswer> {
        let pipeline = self.text("pipeline");
        let number = self.number("number");
        let word = self.result().map(console::word);
        let duration = u64::try_from(self.number("ended").saturating_sub(self.number("created"))).unwrap_or(0);
        let json = match name {
            "result" => word.into(),
            "currentResult" => word.unwrap_or("SUCCESS").into(),
            "number" => number.into(),
            "id" => number.to_string().into(),
            "displayName" => format!("#{number}").into(),
            "fullDisplayName" => format!("{} #{number}", pipeline.replace('/', " » ")).into(),
            "projectName" => pipeline.rsplit('/').next().unwrap_or_default().into(),
            "fullProjectName" => pipeline.into(),
            "absoluteUrl" => self.facts.get("url").cloned().unwrap_or_default(),
            "duration" => duration.into(),
            "durationString" => super::host::span_text(duration).into(),
            "timeInMillis" | "startTimeInMillis" => self.number("created").into(),
            "buildVariables" => {
                self.facts.get("parameters").cloned().unwrap_or_else(|| Json::Object(Default::default()))
            }
            "description" | "nextBuild" => Json::Null,
            "keepLog" => false.into(),
            "changeSets" | "upstreamBuilds" => Json::Array(Vec::new()),
            _ if name.starts_with("previous") => return among(&self.before, pipeline, name).map(HostAnswer::Value),
            _ => return None,
        };
        Some(match values::from_json(vm, &json) {
            Ok(value) => HostAnswer::Value(value),
            Err(raise) => HostAnswer::Throw(raise),
        })
    }
}

impl HostObject for OtherBuild {
    fn class_name(&self) -> &str {
        "org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        if name == "rawBuild" {
            return HostAnswer::Throw(vm.throw(
                "org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException",
                "Scripts not permitted to use method org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper getRawBuild",
            ));
        }
        self.property(vm, name).unwrap_or(HostAnswer::Unknown)
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        if let ("resultIsBetterOrEqualTo" | "resultIsWorseOrEqualTo", [other]) = (name, args) {
            let other = values::text(vm, other).ok().and_then(|word| console::parse(&word));
            let (Some(other), now) = (other, self.result().unwrap_or(BuildResult::Success)) else {
                return HostAnswer::Throw(vm.throw("java.lang.IllegalArgumentException", "no build result"));
            };
            return HostAnswer::Value(Value::Bool(if name.contains("Better") { now <= other } else { now >= other }));
        }
        match (name.strip_prefix("get"), args) {
            (Some(rest), []) => {
                let mut chars = rest.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                let property: String = first.into_iter().chain(chars).collect();
                self.get(vm, &property)
            }
            _ => HostAnswer::Unknown,
        }
    }

    fn text(&self) -> String {
        format!("{} #{}", self.text("pipeline"), self.number("number"))
    }
}

/// `currentBuild.previousBuild`, `previousSuccessfulBuild`…: as they stood when the build was made. `None`: no such name.
pub(crate) fn previous(build: &NewBuild, number: u32, name: &str) -> Option<Value> {
    let known = build.event.get("previous-builds").and_then(Json::as_array);
    let earlier = |one: &&Json| one.get("number").and_then(Json::as_i64).is_some_and(|other| other < i64::from(number));
    let before: Vec<Json> = known.into_iter().flatten().filter(earlier).cloned().collect();
    among(&before, &build.pipeline, name)
}

fn among(before: &[Json], pipeline: &str, name: &str) -> Option<Value> {
    use BuildResult::{Aborted, Failure, NotBuilt, Success, Unstable};
    let wanted = |result: Option<BuildResult>| match name {
        "previousBuild" => Some(true),
        "previousCompletedBuild" => Some(result.is_some()),
        "previousBuildInProgress" => Some(result.is_none()),
        "previousSuccessfulBuild" => Some(matches!(result, Some(Success | Unstable))),
        "previousBuiltBuild" => Some(matches!(result, Some(Success | Unstable | Failure))),
        "previousFailedBuild" => Some(result == Some(Failure)),
        "previousNotFailedBuild" => Some(matches!(result, Some(Success | Unstable | NotBuilt | Aborted))),
        _ => None,
    };
    wanted(None)?;
    let result = |one: &Json| one.get("result").and_then(Json::as_str).and_then(BuildResult::parse);
    let Some(at) = before.iter().position(|one| wanted(result(one)) == Some(true)) else { return Some(Value::Null) };
    let mut facts = before.get(at).cloned().unwrap_or_default();
    if let Some(object) = facts.as_object_mut() {
        object.insert("pipeline".to_owned(), pipeline.into());
    }
    let before = before.get(at + 1..).unwrap_or_default().to_vec();
    Some(Value::Host(Rc::new(OtherBuild { facts, before })))
}
