//! Script mode: the user's program under the toolkit's environment, for both images.

use serde_json::json;

use crate::bed::{Bed, SKLEARN, csv, training};

const TRAIN: &str = r#"
import argparse, json, os, joblib, pandas
from sklearn.linear_model import LinearRegression
parser = argparse.ArgumentParser()
parser.add_argument("--fit-intercept", type=int)
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
args = parser.parse_args()
assert args.fit_intercept == 1 and json.loads(os.environ["SM_HPS"]) == {"fit-intercept": 1}
assert json.loads(os.environ["SM_CHANNELS"]) == ["train", "validation"]
import helper
table = pandas.read_csv(os.path.join(args.train, "train.csv"), header=None)
model = LinearRegression().fit(table.iloc[:, 1:], table.iloc[:, 0])
joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "notes.txt"), "w").write(helper.NOTE)
print("r2=%.3f;" % model.score(table.iloc[:, 1:], table.iloc[:, 0]))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_scikit_learn_script_trains_and_its_own_metric_is_read() {
    let bed = Bed::new().await;
    bed.put("data/train/train.csv", csv(60, true));
    bed.put("data/validation/validation.csv", csv(10, true));
    let code = bed.archive("code/source.tar.gz", &[("train.py", TRAIN), ("helper.py", "NOTE = 'noted'")]);
    let mut request = training("script", SKLEARN);
    // The SageMaker SDK writes JSON within text; plain text must do as well.
    request["HyperParameters"] = json!({"sagemaker_program": "\"train.py\"", "sagemaker_submit_directory": code,
        "sagemaker_region": "us-east-1", "fit-intercept": "1"});
    request["AlgorithmSpecification"]["MetricDefinitions"] = json!([{"Name": "r2", "Regex": "r2=([0-9.]+);"}]);
    bed.call("CreateTrainingJob", request).await;
    let job = bed.ended("Training", "script").await;
    assert_eq!(job["TrainingJobStatus"], "Completed", "{job:#}\n{}", bed.log("training", "script"));
    assert_eq!(
        (&job["FinalMetricDataList"][0]["MetricName"], &job["FinalMetricDataList"][0]["Value"]),
        (&json!("r2"), &json!(1.0))
    );
    assert_eq!(bed.keys("models/script"), ["models/script/output/model.tar.gz", "models/script/output/output.tar.gz"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_fails_is_the_algorithms_error() {
    let bed = Bed::new().await;
    bed.put("data/train/train.csv", csv(5, true));
    bed.put("data/validation/validation.csv", csv(5, true));
    let code = bed.archive("code/bad.tar.gz", &[("train.py", "raise SystemExit('no luck')")]);
    let mut request = training("bad", SKLEARN);
    request["HyperParameters"] = json!({"sagemaker_program": "train.py", "sagemaker_submit_directory": code});
    bed.call("CreateTrainingJob", request.clone()).await;
    request["TrainingJobName"] = json!("absent");
    request["HyperParameters"]["sagemaker_program"] = json!("other.py");
    bed.call("CreateTrainingJob", request).await;
    let reason = bed.ended("Training", "bad").await["FailureReason"].clone();
    assert!(reason.as_str().unwrap().starts_with("AlgorithmError: RuntimeError: ExecuteUserScriptError:"), "{reason}");
    assert!(bed.log("training", "bad").contains("no luck"));
    let reason = bed.ended("Training", "absent").await["FailureReason"].clone();
    assert_eq!(
        reason,
        "ClientError: The program other.py is not in the submit directory; it holds: ['train.py'], exit code: 2"
    );
}
