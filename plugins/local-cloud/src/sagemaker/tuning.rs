//! Hyperparameter tuning: a search over ranges by training jobs on this machine.
//!
//! `Grid` walks all combinations of categories, everything else draws at random. (Bayesian and Hyperband are promises
//! about finding a good place sooner, not about what is found; drawing keeps the contract.) The draws follow from the
//! job's name and seed alone, so a restarted server goes on with the same candidates.
//!
//! Races: the record holds only how many training jobs were begun; their names follow from the number. A crash between
//! the count and the making of a job makes it again under its name. One task carries a tuning job.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::AwsError;
use crate::sagemaker::job::{Job, JobKind, Phase, Status};
use crate::sagemaker::listing::{self, Item, NEWEST_FIRST};
use crate::sagemaker::{SageMaker, clock, tags};

/// Training jobs unless the request says otherwise.
const DEFAULT_JOBS: u64 = 1;
/// A tuning job is looked at this often even if nobody nudges it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One tuning job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tuning {
    pub(crate) name: String,
    pub(crate) arn: String,
    request: Value,
    pub(crate) status: Status,
    stop_requested: bool,
    /// Training jobs that were begun.
    begun: u64,
    created: f64,
    modified: f64,
    ended: Option<f64>,
    pub(crate) failure: Option<String>,
}

impl Tuning {
    fn limit(&self, name: &str) -> u64 {
        self.request["HyperParameterTuningJobConfig"]["ResourceLimits"][name].as_u64().unwrap_or(DEFAULT_JOBS)
    }

    fn objective(&self) -> (&str, bool) {
        let config = &self.request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"];
        let objective =
            if config.is_null() { &self.request["TrainingJobDefinition"]["TuningObjective"] } else { config };
        (objective["MetricName"].as_str().unwrap_or_default(), objective["Type"] == "Maximize")
    }

    /// The names follow from the number, so that no job is made twice.
    fn job_name(&self, number: u64) -> String {
        let digest = hex::encode(&Sha256::digest(format!("{}/{number}", self.name).as_bytes())[..4]);
        format!("{}-{:03}-{digest}", self.name, number + 1)
    }
}

impl SageMaker {
    /// `CreateHyperParameterTuningJob`
    pub(crate) fn create_tuning(self: &Arc<Self>, input: Value) -> Result<Value, AwsError> {
        tags::check(&input)?;
        check(&input)?;
        let name = input["HyperParameterTuningJobName"].as_str().unwrap_or_default().to_owned();
        let arn = self.arn("hyper-parameter-tuning-job", &name);
        let now = clock::now();
        let tuning = Tuning {
            name: name.clone(),
            arn: arn.clone(),
            request: input,
            status: Status::InProgress,
            stop_requested: false,
            begun: 0,
            created: now,
            modified: now,
            ended: None,
            failure: None,
        };
        // The first candidate is checked like any training job, so that all cannot fail for a slip of the request.
        crate::sagemaker::shape::check("CreateTrainingJob", &candidate(&tuning, 0))?;
        crate::sagemaker::training::check(&candidate(&tuning, 0))?;
        if !self.tuning_jobs.insert(&name, tuning)? {
            return Err(AwsError::in_use(format!(
                "A hyperparameter tuning job with the name {name} already exists ({arn})"
            )));
        }
        self.begin_tuning(&name);
        Ok(json!({"HyperParameterTuningJobArn": arn}))
    }

    /// Takes up the tuning jobs that were under way.
    pub(crate) fn resume_tuning(self: &Arc<Self>) {
        for tuning in self.tuning_jobs.select(|tuning| tuning.ended.is_none()) {
            self.begin_tuning(&tuning.name);
        }
    }

    fn begin_tuning(self: &Arc<Self>, name: &str) {
        let (this, name) = (Arc::clone(self), name.to_owned());
        self.background(async move {
            loop {
                let changed = this.changes.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                match this.advance_tuning(&name).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(tuning = name, %error, "the tuning job's state cannot be written; trying again")
                    }
                }
                let _ = tokio::time::timeout(LOOK_EVERY, changed).await;
            }
        });
    }

    /// Begins what there is room for; `true` when all is over.
    async fn advance_tuning(self: &Arc<Self>, name: &str) -> Result<bool, AwsError> {
        let Some(tuning) = self.tuning_jobs.get(name).filter(|tuning| tuning.ended.is_none()) else { return Ok(true) };
        let jobs = self.jobs_of(&tuning);
        let missing: Vec<u64> =
            (0..tuning.begun).filter(|number| !jobs.iter().any(|job| job.name == tuning.job_name(*number))).collect();
        let running = jobs.iter().filter(|job| job.phase != Phase::Ended).count() as u64;
        if tuning.stop_requested {
            for job in jobs.iter().filter(|job| job.phase != Phase::Ended && !job.stop_requested) {
                // It may have ended just now.
                let _ = self.stop_job(JobKind::Training, &json!({"TrainingJobName": job.name})).await;
            }
            return if running > 0 { Ok(false) } else { self.end_tuning(&tuning, &jobs) };
        }
        let most = tuning.limit("MaxNumberOfTrainingJobs").min(combinations(&tuning.request));
        let room = tuning.limit("MaxParallelTrainingJobs").saturating_sub(running + missing.len() as u64);
        let fresh: Vec<u64> = (tuning.begun..most).take(usize::try_from(room).unwrap_or(usize::MAX)).collect();
        if let Some(last) = fresh.last() {
            self.tuning_jobs.update(name, |tuning| {
                tuning.begun = last + 1;
                tuning.modified = clock::now();
                Ok(())
            })?;
        }
        for number in missing.iter().chain(&fresh) {
            if let Err(error) = self.create_job(JobKind::Training, candidate(&tuning, *number)) {
                return self.fail_tuning(&tuning, &format!("ClientError: {}", error.message));
            }
        }
        let idle = running == 0 && missing.is_empty() && fresh.is_empty();
        if idle { self.end_tuning(&tuning, &jobs) } else { Ok(false) }
    }

    fn fail_tuning(&self, tuning: &Tuning, reason: &str) -> Result<bool, AwsError> {
        self.close_tuning(tuning, Status::Failed, Some(reason.to_owned()))
    }

    fn end_tuning(&self, tuning: &Tuning, jobs: &[Job]) -> Result<bool, AwsError> {
        let good = jobs.iter().any(|job| job.status == Status::Completed);
        match (tuning.stop_requested, good) {
            (true, _) => self.close_tuning(tuning, Status::Stopped, None),
            (false, true) => self.close_tuning(tuning, Status::Completed, None),
            (false, false) => {
                let first = jobs.iter().find_map(|job| job.failure.clone()).unwrap_or_default();
                self.fail_tuning(tuning, &format!("All training jobs failed. Please take a look at the training jobs failures to get more details: {first}"))
            }
        }
    }

    fn close_tuning(&self, tuning: &Tuning, status: Status, failure: Option<String>) -> Result<bool, AwsError> {
        self.tuning_jobs.update(&tuning.name, |tuning| {
            let now = clock::now();
            (tuning.status, tuning.failure) = (status, failure);
            (tuning.modified, tuning.ended) = (now, Some(now));
            Ok(())
        })?;
        self.changes.notify_waiters();
        Ok(true)
    }

    fn tuning(&self, input: &Value) -> Result<Tuning, AwsError> {
        let name = input["HyperParameterTuningJobName"].as_str().unwrap_or_default();
        self.tuning_jobs.get(name).ok_or_else(|| {
            AwsError::not_found(format!(
                "Could not find hyperparameter tuning job {}",
                self.arn("hyper-parameter-tuning-job", name)
            ))
        })
    }

    /// `StopHyperParameterTuningJob`
    pub(crate) fn stop_tuning(&self, input: &Value) -> Result<Value, AwsError> {
        let name = self.tuning(input)?.name;
        self.tuning_jobs.update(&name, |tuning| {
            if tuning.ended.is_none() {
                tuning.stop_requested = true;
                tuning.status = Status::Stopping;
            }
            Ok(())
        })?;
        self.changes.notify_waiters();
        Ok(json!({}))
    }

    /// Those that are there, in the order in which they were begun.
    fn jobs_of(&self, tuning: &Tuning) -> Vec<Job> {
        (0..tuning.begun).filter_map(|number| self.jobs(JobKind::Training).get(&tuning.job_name(number))).collect()
    }

    /// `DescribeHyperParameterTuningJob`
    pub(crate) fn describe_tuning(&self, input: &Value) -> Result<Value, AwsError> {
        Ok(self.tuning_answer(&self.tuning(input)?))
    }

    fn tuning_answer(&self, tuning: &Tuning) -> Value {
        let jobs = self.jobs_of(tuning);
        let count = |wanted: Status| jobs.iter().filter(|job| job.status == wanted).count();
        let mut answer = tuning.request.clone();
        if let Some(members) = answer.as_object_mut() {
            members.remove("Tags");
        }
        answer["HyperParameterTuningJobArn"] = json!(tuning.arn);
        answer["HyperParameterTuningJobStatus"] = json!(tuning.status.word());
        answer["CreationTime"] = clock::write(tuning.created);
        answer["LastModifiedTime"] = clock::write(tuning.modified);
        if let Some(ended) = tuning.ended {
            answer["HyperParameterTuningEndTime"] = clock::write(ended);
        }
        answer["TrainingJobStatusCounters"] = json!({"Completed": count(Status::Completed), "InProgress": count(Status::InProgress),
            "RetryableError": 0, "NonRetryableError": count(Status::Failed), "Stopped": count(Status::Stopped)});
        let measured = jobs.iter().filter(|job| value_of(tuning, job).is_some()).count();
        let pending = jobs.iter().filter(|job| job.phase != Phase::Ended).count();
        answer["ObjectiveStatusCounters"] =
            json!({"Succeeded": measured, "Pending": pending, "Failed": jobs.len() - measured - pending});
        if let Some(best) = self.ranked(tuning).first() {
            answer["BestTrainingJob"] = summary(tuning, best);
        }
        if let Some(reason) = &tuning.failure {
            answer["FailureReason"] = json!(reason);
        }
        answer
    }

    /// The best first; those without the objective's value are not among them.
    fn ranked(&self, tuning: &Tuning) -> Vec<Job> {
        let (_, maximize) = tuning.objective();
        let jobs = self.jobs_of(tuning).into_iter().filter(|job| job.status == Status::Completed);
        let mut measured: Vec<_> = jobs.filter_map(|job| Some((value_of(tuning, &job)?, job))).collect();
        measured.sort_by(|(a, _), (b, _)| if maximize { b.total_cmp(a) } else { a.total_cmp(b) });
        measured.into_iter().map(|(_, job)| job).collect()
    }

    /// What later steps of a pipeline can refer to: the description, and the training jobs with the best first.
    pub(crate) fn tuning_properties(&self, tuning: &Tuning) -> Value {
        let mut properties = self.tuning_answer(tuning);
        properties["TrainingJobSummaries"] = self.ranked(tuning).iter().map(|job| summary(tuning, job)).collect();
        properties
    }

    /// `ListHyperParameterTuningJobs`
    pub(crate) fn list_tunings(&self, input: &Value) -> Result<Value, AwsError> {
        let items = self.tuning_jobs.all().into_iter().map(|tuning| {
            let answer = self.tuning_answer(&tuning);
            let shown = [
                "HyperParameterTuningJobName",
                "HyperParameterTuningJobArn",
                "HyperParameterTuningJobStatus",
                "CreationTime",
                "LastModifiedTime",
                "TrainingJobStatusCounters",
                "ObjectiveStatusCounters",
            ];
            let mut summary: Map<String, Value> =
                shown.iter().map(|name| ((*name).to_owned(), answer[*name].clone())).collect();
            summary.insert("Strategy".into(), tuning.request["HyperParameterTuningJobConfig"]["Strategy"].clone());
            Item {
                status: tuning.status.word().to_owned(),
                created: tuning.created,
                modified: tuning.modified,
                tie: 0,
                summary: Value::Object(summary),
                name: tuning.name,
            }
        });
        listing::page(input, items.collect(), NEWEST_FIRST, "HyperParameterTuningJobSummaries")
    }

    /// `ListTrainingJobsForHyperParameterTuningJob`
    pub(crate) fn list_tuning_jobs(&self, input: &Value) -> Result<Value, AwsError> {
        let tuning = self.tuning(input)?;
        let (_, maximize) = tuning.objective();
        let items = self.jobs_of(&tuning).into_iter().enumerate().map(|(number, job)| {
            let by_value = input["SortBy"] == "FinalObjectiveMetricValue";
            let value = value_of(&tuning, &job).unwrap_or(if maximize { f64::MIN } else { f64::MAX });
            Item {
                name: job.name.clone(),
                created: if by_value { value } else { job.created },
                modified: job.modified,
                status: job.status.word().to_owned(),
                tie: number as u64,
                summary: summary(&tuning, &job),
            }
        });
        listing::page(input, items.collect(), NEWEST_FIRST, "TrainingJobSummaries")
    }
}

/// What the shape cannot say.
fn check(input: &Value) -> Result<(), AwsError> {
    let config = &input["HyperParameterTuningJobConfig"];
    if !input["TrainingJobDefinition"].is_object() {
        return Err(AwsError::validation(
            "TrainingJobDefinition is required; the local cloud tunes one algorithm at a time.",
        ));
    }
    if ranges(input).is_empty() {
        return Err(AwsError::validation("ParameterRanges must have at least one range."));
    }
    for range in ranges(input) {
        let name = range["Name"].as_str().unwrap_or_default();
        let bad = if range["Values"].is_array() {
            range["Values"].as_array().is_some_and(Vec::is_empty)
        } else {
            !matches!((bound(&range, "MinValue"), bound(&range, "MaxValue")), (Some(low), Some(high)) if low <= high)
        };
        if bad {
            return Err(AwsError::validation(format!(
                "The range of the hyperparameter {name} is empty or is no range."
            )));
        }
        if config["Strategy"] == "Grid" && !range["Values"].is_array() {
            return Err(AwsError::validation("The Grid strategy takes categorical ranges only."));
        }
    }
    Ok(())
}

/// All ranges, in the order of their kinds.
fn ranges(request: &Value) -> Vec<Value> {
    let given = &request["HyperParameterTuningJobConfig"]["ParameterRanges"];
    let given = if given.is_null() { &request["TrainingJobDefinition"]["HyperParameterRanges"] } else { given };
    let kinds =
        [("IntegerParameterRanges", true), ("ContinuousParameterRanges", false), ("CategoricalParameterRanges", false)];
    let of = |(kind, integer): (&str, bool)| {
        let ranges = given[kind].as_array().cloned().unwrap_or_default();
        ranges.into_iter().map(move |mut range| {
            range["Integer"] = json!(integer);
            range
        })
    };
    kinds.into_iter().flat_map(of).collect()
}

fn bound(range: &Value, name: &str) -> Option<f64> {
    range[name].as_f64().or_else(|| range[name].as_str()?.parse().ok())
}

/// How many different candidates a grid has; a random search has no end.
fn combinations(request: &Value) -> u64 {
    if request["HyperParameterTuningJobConfig"]["Strategy"] != "Grid" {
        return u64::MAX;
    }
    let sizes = ranges(request).into_iter().map(|range| range["Values"].as_array().map_or(1, Vec::len) as u64);
    sizes.fold(1, u64::saturating_mul)
}

/// The request of one training job.
fn candidate(tuning: &Tuning, number: u64) -> Value {
    let definition = &tuning.request["TrainingJobDefinition"];
    let mut job = definition.clone();
    let mut values = definition["StaticHyperParameters"].as_object().cloned().unwrap_or_default();
    values.extend(draws(tuning, number));
    if let Some(members) = job.as_object_mut() {
        for name in
            ["StaticHyperParameters", "DefinitionName", "TuningObjective", "HyperParameterRanges", "RetryStrategy"]
        {
            members.remove(name);
        }
    }
    job["TrainingJobName"] = json!(tuning.job_name(number));
    job["HyperParameters"] = Value::Object(values);
    job
}

fn draws(tuning: &Tuning, number: u64) -> Map<String, Value> {
    let grid = tuning.request["HyperParameterTuningJobConfig"]["Strategy"] == "Grid";
    let mut left = number;
    let mut found = Map::new();
    for range in ranges(&tuning.request) {
        let name = range["Name"].as_str().unwrap_or_default().to_owned();
        let share = share(tuning, number, &name);
        let value = match range["Values"].as_array() {
            Some(values) if grid => {
                let index = left % values.len() as u64;
                left /= values.len() as u64;
                values.get(usize::try_from(index).unwrap_or(0)).cloned().unwrap_or_default()
            }
            Some(values) => values.get((share * values.len() as f64) as usize).cloned().unwrap_or_default(),
            None => json!(between(&range, share)),
        };
        found.insert(name, value);
    }
    found
}

/// From 0 to below 1, from the job's name, its seed, the number and the hyperparameter alone.
fn share(tuning: &Tuning, number: u64, name: &str) -> f64 {
    let seed = &tuning.request["HyperParameterTuningJobConfig"]["RandomSeed"];
    let from = if seed.is_null() { tuning.name.clone() } else { seed.to_string() };
    let digest = Sha256::digest(format!("{from}/{number}/{name}").as_bytes());
    let bits = digest.iter().take(6).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    bits as f64 / (1_u64 << 48) as f64
}

fn between(range: &Value, share: f64) -> String {
    let (low, high) = (bound(range, "MinValue").unwrap_or(0.0), bound(range, "MaxValue").unwrap_or(0.0));
    let integer = range["Integer"] == true;
    let high = if integer { high + 1.0 } else { high };
    let drawn = match range["ScalingType"].as_str() {
        Some("Logarithmic") if low > 0.0 => (low.ln() + share * (high.ln() - low.ln())).exp(),
        _ => low + share * (high - low),
    };
    if integer { format!("{}", drawn.floor() as i64) } else { format!("{drawn}") }
}

fn value_of(tuning: &Tuning, job: &Job) -> Option<f64> {
    let (name, _) = tuning.objective();
    job.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
}

fn summary(tuning: &Tuning, job: &Job) -> Value {
    let described = job.describe();
    let tuned: Vec<_> =
        ranges(&tuning.request).iter().filter_map(|range| range["Name"].as_str().map(str::to_owned)).collect();
    let tuned: Map<String, Value> = tuned
        .into_iter()
        .map(|name| {
            let value = described["HyperParameters"][&name].clone();
            (name, value)
        })
        .collect();
    let mut summary = json!({"TrainingJobName": job.name, "TrainingJobArn": job.arn, "CreationTime": clock::write(job.created),
        "TrainingJobStatus": job.status.word(), "TunedHyperParameters": tuned});
    for member in ["TrainingStartTime", "TrainingEndTime", "FailureReason"] {
        if !described[member].is_null() {
            summary[member] = described[member].clone();
        }
    }
    if let Some(value) = value_of(tuning, job) {
        let (name, maximize) = tuning.objective();
        summary["FinalHyperParameterTuningJobObjectiveMetric"] =
            json!({"MetricName": name, "Value": value, "Type": if maximize { "Maximize" } else { "Minimize" }});
        summary["ObjectiveStatus"] = json!("Succeeded");
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning(strategy: &str, ranges: Value) -> Tuning {
        let request = json!({"HyperParameterTuningJobConfig": {"Strategy": strategy, "ParameterRanges": ranges},
            "TrainingJobDefinition": {"StaticHyperParameters": {"num_round": "3"}}});
        serde_json::from_value(
            json!({"name": "t", "arn": "a", "request": request, "status": "InProgress", "stop_requested": false,
            "begun": 0, "created": 0.0, "modified": 0.0}),
        )
        .unwrap()
    }

    #[test]
    fn draws_stay_in_range_and_repeat() {
        let search = tuning(
            "Random",
            json!({
            "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "4"}],
            "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.01", "MaxValue": "0.5", "ScalingType": "Logarithmic"}]}),
        );
        let mut depths = std::collections::BTreeSet::new();
        for number in 0..60 {
            let values = candidate(&search, number)["HyperParameters"].clone();
            assert_eq!(values, candidate(&search, number)["HyperParameters"]);
            assert_eq!(values["num_round"], "3");
            depths.insert(values["max_depth"].as_str().unwrap().to_owned());
            let eta: f64 = values["eta"].as_str().unwrap().parse().unwrap();
            assert!((0.01..=0.5).contains(&eta), "{eta}");
        }
        assert_eq!(depths.into_iter().collect::<Vec<_>>(), ["2", "3", "4"]);
    }

    #[test]
    fn a_grid_has_every_combination_once() {
        let grid = tuning(
            "Grid",
            json!({"CategoricalParameterRanges": [
            {"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y", "z"]}]}),
        );
        assert_eq!(combinations(&grid.request), 6);
        let all: std::collections::BTreeSet<_> =
            (0..6).map(|n| candidate(&grid, n)["HyperParameters"].to_string()).collect();
        assert_eq!(all.len(), 6);
    }
}
