//! Pipelines: definitions are checked, executions really run, and a restart goes on where the last server stopped.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Bed, ROLE, XGBOOST, channel, csv, processing};

/// Any text of 32 to 128 characters.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

impl Bed {
    async fn create_pipeline(&self, name: &str, definition: &Value) -> String {
        let input = json!({"PipelineName": name, "PipelineDefinition": definition.to_string(), "ClientRequestToken": TOKEN, "RoleArn": ROLE});
        self.call("CreatePipeline", input).await["PipelineArn"].as_str().unwrap().to_owned()
    }

    async fn start_pipeline(&self, name: &str, token: &str, more: Value) -> String {
        let mut input = json!({"PipelineName": name, "ClientRequestToken": format!("{TOKEN}{token}")});
        for (member, value) in more.as_object().into_iter().flatten() {
            input[member] = value.clone();
        }
        self.call("StartPipelineExecution", input).await["PipelineExecutionArn"].as_str().unwrap().to_owned()
    }

    /// Waits for the end; gives the status.
    async fn execution_over(&self, arn: &str) -> String {
        let answer = self
            .until("DescribePipelineExecution", json!({"PipelineExecutionArn": arn}), |answer| {
                !matches!(answer["PipelineExecutionStatus"].as_str().unwrap(), "Executing" | "Stopping")
            })
            .await;
        answer["PipelineExecutionStatus"].as_str().unwrap().to_owned()
    }

    /// Name and status of each step, in the order in which they began.
    async fn steps(&self, arn: &str) -> Vec<Value> {
        let input = json!({"PipelineExecutionArn": arn, "SortOrder": "Ascending"});
        let answer = self.call("ListPipelineExecutionSteps", input).await;
        answer["PipelineExecutionSteps"].as_array().unwrap().clone()
    }

    async fn run(&self, name: &str, token: &str, more: Value) -> (String, Vec<Value>) {
        let arn = self.start_pipeline(name, token, more).await;
        let status = self.execution_over(&arn).await;
        (status, self.steps(&arn).await)
    }
}

fn names(steps: &[Value]) -> Vec<String> {
    steps
        .iter()
        .map(|step| format!("{} {}", step["StepName"].as_str().unwrap(), step["StepStatus"].as_str().unwrap()))
        .collect()
}

fn definition(parameters: Value, steps: Value) -> Value {
    json!({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters,
        "PipelineExperimentConfig": {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": {"Get": "Execution.PipelineExecutionId"}},
        "Steps": steps})
}

fn string(name: &str, default: &str) -> Value {
    json!({"Name": name, "Type": "String", "DefaultValue": default})
}

/// A processing step that runs a script, writing below the execution's own prefix.
fn script(name: &str, uri: &str, arguments: &Value) -> Value {
    let mut job = processing("x", uri);
    job.as_object_mut().unwrap().remove("ProcessingJobName");
    job.as_object_mut().unwrap().remove("RoleArn");
    job["AppSpecification"]["ContainerArguments"] = arguments.clone();
    job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = json!({"Std:Join": {"On": "/", "Values":
        ["s3://bkt", {"Get": "Execution.PipelineExecutionId"}, name]}});
    json!({"Name": name, "Type": "Processing", "Arguments": job})
}

fn fail(name: &str, message: Value) -> Value {
    json!({"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}})
}

fn condition(name: &str, conditions: Value, then: Value, otherwise: Value) -> Value {
    json!({"Name": name, "Type": "Condition", "Arguments": {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}})
}

/// Writes a report whose value is the script's first argument.
const REPORT: &str = "import json, sys
json.dump({'metrics': {'value': float(sys.argv[1])}}, open('/opt/ml/processing/out/report.json', 'w'))
";

/// Measure -> Gate -> Register or Stop: the shape of the seeds' pipeline, with a small script in place of the training.
fn gated(bed: &Bed) -> Value {
    let code = bed.put("code/report.py", REPORT);
    let model = bed.archive("model.tar.gz", &[("xgboost-model", "x")]);
    let mut measure = script("Measure", &code, &json!([{"Get": "Parameters.Value"}]));
    measure["Arguments"]["AppSpecification"]["ContainerEntrypoint"] =
        json!(["python3", "/opt/ml/processing/input/code/report.py"]);
    measure["PropertyFiles"] = json!([{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "report.json"}]);
    measure["CacheConfig"] = json!({"Enabled": true, "ExpireAfter": "PT1H"});
    let value = json!({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Measure.PropertyFiles.Report"}, "Path": "metrics.value"}});
    let register = json!({"Name": "Register-RegisterModel", "Type": "RegisterModel", "Arguments": {
        "ModelPackageGroupName": "group",
        "ModelApprovalStatus": {"Get": "Parameters.Approval"},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": {"Std:Join": {"On": "/", "Values":
            [{"Get": "Steps.Measure.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}, "report.json"]}}}}},
        "InferenceSpecification": {"Containers": [{"Image": XGBOOST, "ModelDataUrl": model}],
            "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}}});
    let gate = condition(
        "Gate",
        json!([{"Type": "LessThanOrEqualTo", "LeftValue": value, "RightValue": {"Get": "Parameters.Limit"}}]),
        json!([register]),
        json!([fail(
            "TooBad",
            json!({"Std:Join": {"On": " ", "Values": ["the limit was", {"Get": "Parameters.Limit"}]}})
        )]),
    );
    let parameters = json!([string("Value", "4.5"), string("Approval", "PendingManualApproval"), {"Name": "Limit", "Type": "Float", "DefaultValue": 6.0}]);
    definition(parameters, json!([gate, measure]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_reads_the_report_and_one_branch_runs() {
    let bed = Bed::new().await;
    let arn = bed.create_pipeline("gated", &gated(&bed)).await;
    let (status, steps) = bed.run("gated", "1", json!({})).await;
    assert_eq!(status, "Succeeded", "{steps:#?}");
    assert_eq!(names(&steps), ["Measure Succeeded", "Gate Succeeded", "Register-RegisterModel Succeeded"]);
    assert_eq!(steps[1]["Metadata"]["Condition"]["Outcome"], "True");
    let package = steps[2]["Metadata"]["RegisterModel"]["Arn"].clone();
    let package = bed.call("DescribeModelPackage", json!({"ModelPackageName": package})).await;
    assert_eq!(package["ModelApprovalStatus"], "PendingManualApproval");
    let metrics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].as_str().unwrap();
    assert_eq!(bed.get(metrics.strip_prefix("s3://bkt/").unwrap()), r#"{"metrics": {"value": 4.5}}"#);
    assert!(package["MetadataProperties"]["GeneratedBy"].as_str().unwrap().starts_with(&arn), "{package}");

    let worse = json!({"PipelineParameters": [{"Name": "Limit", "Value": "4"}]});
    let execution = bed.start_pipeline("gated", "2", worse).await;
    assert_eq!(bed.execution_over(&execution).await, "Failed");
    let steps = bed.steps(&execution).await;
    assert_eq!(names(&steps), ["Measure Succeeded", "Gate Succeeded", "TooBad Failed"]);
    assert_eq!(steps[2]["FailureReason"], "the limit was 4.0");
    assert_eq!(steps[2]["Metadata"]["Fail"]["ErrorMessage"], "the limit was 4.0");
    let execution = bed.call("DescribePipelineExecution", json!({"PipelineExecutionArn": execution})).await;
    assert_eq!(execution["FailureReason"], "Step failure: One or multiple steps failed.");
    let all = bed.call("ListPipelineExecutions", json!({"PipelineName": arn})).await;
    assert_eq!(all["PipelineExecutionSummaries"].as_array().unwrap().len(), 2);
    assert_eq!(all["PipelineExecutionSummaries"][0]["PipelineExecutionStatus"], "Failed", "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_success_is_taken_until_its_bytes_change() {
    let bed = Bed::new().await;
    bed.create_pipeline("gated", &gated(&bed)).await;
    let run = async |token: &str| {
        let arn = bed.start_pipeline("gated", token, json!({})).await;
        assert_eq!(bed.execution_over(&arn).await, "Succeeded");
        let id = arn.rsplit('/').next().unwrap().to_owned();
        let report = bed.cloud.report("gated", &id).unwrap();
        let step = report["steps"].as_array().unwrap().iter().find(|step| step["name"] == "Measure").unwrap().clone();
        (arn, bed.steps(&step_arn(&report)).await[0].clone(), step["cache"]["why"].as_str().unwrap().to_owned())
    };
    let (first, step, why) = run("1").await;
    assert!(step.get("CacheHitResult").is_none(), "{step}");
    assert_eq!(why, "no earlier execution of this pipeline has a success of this step");
    let (_, step, why) = run("2").await;
    assert_eq!(step["CacheHitResult"]["SourcePipelineExecutionArn"], first.as_str());
    assert_eq!(why, format!("arguments and contents are those of {first}"));
    // The same address, other bytes: AWS would be fooled.
    bed.put("code/report.py", REPORT.replace("float(sys.argv[1])", "float(sys.argv[1]) / 2"));
    let (_, step, why) = run("3").await;
    assert!(step.get("CacheHitResult").is_none(), "{step}");
    assert_eq!(why, format!("changed: content of s3://bkt/code/report.py since {first}"));
    // The old bytes again, but what the first run left is gone.
    bed.put("code/report.py", REPORT);
    let id = first.rsplit('/').next().unwrap();
    bed.s3.delete("bkt", &format!("{id}/Measure/report.json")).unwrap();
    let (_, _, why) = run("4").await;
    assert!(why.starts_with(&format!("the output at s3://bkt/{id}/Measure is gone or changed")), "{why}");
}

fn step_arn(report: &Value) -> String {
    report["arn"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_would_refuse_is_refused() {
    let bed = Bed::new().await;
    let create = |name: &str, text: String| json!({"PipelineName": name, "PipelineDefinition": text, "ClientRequestToken": TOKEN, "RoleArn": ROLE});
    let good = definition(json!([{"Name": "N", "Type": "Integer"}]), json!([fail("F", json!("x"))]));
    for (text, words) in [
        ("not json".to_owned(), "Unable to parse pipeline definition. Not JSON"),
        (
            definition(json!([]), json!([{"Name": "A", "Type": "EMR", "Arguments": {}}])).to_string(),
            "does not run steps of Type 'EMR'",
        ),
        (definition(json!([]), json!([fail("F", json!({"Get": "Steps.G.X"}))])).to_string(), "there is no step 'G'"),
    ] {
        let said = bed.refused("CreatePipeline", create("p", text)).await;
        assert!(said.starts_with("ValidationException: ") && said.contains(words), "{said}");
    }
    bed.call("CreatePipeline", create("p", good.to_string())).await;
    bed.call("CreatePipeline", create("p", good.to_string())).await;
    let mut other = create("p", good.to_string());
    other["ClientRequestToken"] = json!(format!("{TOKEN}2"));
    let said = bed.refused("CreatePipeline", other).await;
    assert_eq!(
        said,
        "ValidationException: Pipeline names must be unique within an AWS account and region. Pipeline with name (p) already exists."
    );
    let start =
        |parameters: Value| json!({"PipelineName": "p", "ClientRequestToken": TOKEN, "PipelineParameters": parameters});
    let said = bed
        .refused("StartPipelineExecution", start(json!([{"Name": "N", "Value": "x"}, {"Name": "M", "Value": "1"}])))
        .await;
    assert!(said.contains("Unknown parameters [M]") && said.contains("must be of type Integer"), "{said}");
    assert!(bed.refused("StartPipelineExecution", start(json!([]))).await.contains("Parameter [N] has no default"));
    for (operation, input) in [
        ("DescribePipeline", json!({"PipelineName": "q"})),
        (
            "DescribePipelineExecution",
            json!({"PipelineExecutionArn": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/x"}),
        ),
        ("SendPipelineExecutionStepSuccess", json!({"CallbackToken": "abcdefghij"})),
    ] {
        assert!(bed.refused(operation, input).await.starts_with("ResourceNotFound: "), "{operation}");
    }
    let (status, _) = bed.run("p", "9", json!({"PipelineParameters": [{"Name": "N", "Value": "1"}]})).await;
    assert_eq!(status, "Failed");
    bed.call("DeletePipeline", json!({"PipelineName": "p", "ClientRequestToken": TOKEN})).await;
    assert!(bed.call("ListPipelines", json!({})).await["PipelineSummaries"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_at_any_moment_goes_on() {
    let mut bed = Bed::new().await;
    bed.create_pipeline("gated", &gated(&bed)).await;
    for round in 0..6_u64 {
        // Another value each time, so that no earlier success stands for the step.
        let value = json!({"PipelineParameters": [{"Name": "Value", "Value": format!("{round}.5")}]});
        let arn = bed.start_pipeline("gated", &round.to_string(), value).await;
        tokio::time::sleep(Duration::from_millis(round * 45)).await;
        bed.restart().await;
        assert_eq!(bed.execution_over(&arn).await, "Succeeded", "round {round}: {:#?}", bed.steps(&arn).await);
        assert_eq!(names(&bed.steps(&arn).await).len(), 3);
    }
    let versions = bed.call("ListModelPackages", json!({"ModelPackageGroupName": "group"})).await;
    assert_eq!(versions["ModelPackageSummaryList"].as_array().unwrap().len(), 6, "each execution registered once");
    assert!(bed.processes.running().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reaches_the_jobs_and_a_retry_goes_on_from_there() {
    let bed = Bed::new().await;
    let quick = bed.put("code/script.py", "print('quick')");
    let slow = bed.put(
        "slow/script.py",
        "import os, time\nprint('began', flush=True)\nwhile not os.path.exists('/tmp/never'): time.sleep(0.05)",
    );
    let mut second = script("Slow", &slow, &json!(["x"]));
    second["DependsOn"] = json!(["Quick"]);
    bed.create_pipeline("two", &definition(json!([]), json!([second, script("Quick", &quick, &json!(["x"]))]))).await;
    let arn = bed.start_pipeline("two", "1", json!({})).await;
    let job = loop {
        let steps = bed.steps(&arn).await;
        if let Some(job) = steps.get(1).and_then(|step| step["Metadata"]["ProcessingJob"]["Arn"].as_str()) {
            break job.rsplit('/').next().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    while !bed.log("processing", &job).contains("began") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bed.call("StopPipelineExecution", json!({"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN})).await;
    assert_eq!(bed.execution_over(&arn).await, "Stopped");
    assert_eq!(names(&bed.steps(&arn).await), ["Quick Succeeded", "Slow Stopped"]);
    assert!(
        bed.refused("StopPipelineExecution", json!({"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN}))
            .await
            .starts_with("ConflictException")
    );
    bed.put("slow/script.py", "print('quick now')");
    bed.call("RetryPipelineExecution", json!({"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN})).await;
    assert_eq!(bed.execution_over(&arn).await, "Succeeded");
    assert!(
        bed.refused("RetryPipelineExecution", json!({"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN}))
            .await
            .contains("only a failed or stopped")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_side_by_side_up_to_the_limit_and_a_selection_reuses_results() {
    let bed = Bed::new().await;
    let code = bed.put("code/script.py", "import time; print(time.time()); time.sleep(0.4); print(time.time())");
    let mut last = script("C", &code, &json!(["c"]));
    last["DependsOn"] = json!(["A", "B"]);
    bed.create_pipeline(
        "wide",
        &definition(json!([]), json!([script("A", &code, &json!(["a"])), script("B", &code, &json!(["b"])), last])),
    )
    .await;
    let overlap = |steps: &[Value]| {
        let spans: Vec<(f64, f64)> = steps[..2]
            .iter()
            .map(|step| {
                let job =
                    step["Metadata"]["ProcessingJob"]["Arn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                let times: Vec<f64> = bed.log("processing", &job).lines().map(|line| line.parse().unwrap()).collect();
                (times[0], times[1])
            })
            .collect();
        spans[0].0.max(spans[1].0) < spans[0].1.min(spans[1].1)
    };
    let (status, steps) =
        bed.run("wide", "1", json!({"ParallelismConfiguration": {"MaxParallelExecutionSteps": 1}})).await;
    assert_eq!(status, "Succeeded");
    assert!(!overlap(&steps), "one at a time");
    let source = bed.call("ListPipelineExecutions", json!({"PipelineName": "wide"})).await["PipelineExecutionSummaries"][0]["PipelineExecutionArn"].clone();
    let selected = json!({"SelectiveExecutionConfig": {"SourcePipelineExecutionArn": source, "SelectedSteps": [{"StepName": "C"}]}});
    let (status, again) = bed.run("wide", "2", selected).await;
    assert_eq!((status.as_str(), again.len()), ("Succeeded", 3));
    assert_eq!(again[0]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"], source);
    assert_eq!(again[0]["Metadata"], steps[0]["Metadata"]);
    assert_ne!(again[2]["Metadata"], steps[2]["Metadata"], "C ran again");
    let missing = json!({"PipelineName": "wide", "ClientRequestToken": format!("{TOKEN}x"),
        "SelectiveExecutionConfig": {"SelectedSteps": [{"StepName": "Z"}]}});
    assert!(bed.refused("StartPipelineExecution", missing).await.contains("no step 'Z'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tuning_finds_the_best_of_its_trainings_and_a_model_and_a_transform_use_it() {
    let bed = Bed::new().await;
    bed.put("data/train/train.csv", csv(120, true));
    bed.put("data/validation/validation.csv", csv(40, true));
    bed.put("rows/rows.csv", csv(3, false));
    let tuning = json!({"Name": "Tune", "Type": "Tuning", "Arguments": {
        "HyperParameterTuningJobConfig": {"Strategy": "Grid", "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "num_round", "Values": ["1", "20"]}]}},
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"objective": "reg:squarederror", "max_depth": "4", "eta": "0.4"},
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"}, "RoleArn": ROLE,
            "InputDataConfig": [channel("train"), channel("validation")],
            "OutputDataConfig": {"S3OutputPath": "s3://bkt/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600}}}});
    let best = json!({"Std:Join": {"On": "/", "Values": ["s3://bkt/models", {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"}, "output/model.tar.gz"]}});
    let model = json!({"Name": "Make_Model", "Type": "Model", "Arguments": {"PrimaryContainer": {"Image": XGBOOST, "ModelDataUrl": best}}});
    let transform = json!({"Name": "Score", "Type": "Transform", "Arguments": {"ModelName": {"Get": "Steps.Make_Model.ModelName"},
        "TransformInput": {"ContentType": "text/csv", "SplitType": "Line", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bkt/rows"}}},
        "TransformOutput": {"S3OutputPath": "s3://bkt/scored"}, "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}});
    bed.create_pipeline("tuned", &definition(json!([]), json!([transform, model, tuning]))).await;
    let (status, steps) = bed.run("tuned", "1", json!({})).await;
    assert_eq!(status, "Succeeded", "{steps:#?}");
    assert_eq!(names(&steps), ["Tune Succeeded", "Make_Model Succeeded", "Score Succeeded"]);
    let job = steps[0]["Metadata"]["TuningJob"]["Arn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let described = bed.call("DescribeHyperParameterTuningJob", json!({"HyperParameterTuningJobName": job})).await;
    assert_eq!(described["TrainingJobStatusCounters"]["Completed"], 2, "a grid of two: {described:#}");
    assert_eq!(described["BestTrainingJob"]["TunedHyperParameters"], json!({"num_round": "20"}));
    let listed =
        bed.call("ListTrainingJobsForHyperParameterTuningJob", json!({"HyperParameterTuningJobName": job})).await;
    let value = |index: usize| {
        listed["TrainingJobSummaries"][index]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"].as_f64().unwrap()
    };
    assert_ne!(value(0), value(1));
    assert_eq!(bed.get("scored/rows.csv.out").lines().count(), 3);
}
