//! The registry from outside, and what jobs say when they fail.

use haliotis_model::BuildResult;
use haliotis_plugin_aws::registry;
use serde_json::json;

use crate::bed::{Bed, SKLEARN, XGBOOST, log, run};

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_newest_first() {
    let bed = Bed::new().await;
    assert_eq!(registry::list_approvals(&bed.settings, "none").await.unwrap(), []);
    registry::ensure_bucket(&bed.settings, "bench-artifacts").await.unwrap();
    let file = bed.dir.path().join("report.json");
    std::fs::write(&file, "{\"mse\": 4.5}").unwrap();
    registry::put_object_file(&bed.settings, "s3://bench-artifacts/report.json", &file).await.unwrap();
    registry::put_object_file(&bed.settings, "s3://bench-artifacts/m.tar.gz", &file).await.unwrap();
    for step in ["one", "two"] {
        let with = json!({
            "group": "g", "group-description": "a group", "image": XGBOOST, "description": step,
            "model-data": "s3://bench-artifacts/m.tar.gz", "report-uri": "s3://bench-artifacts/report.json",
            "metadata": {"odd": "a#b"},
        });
        bed.run(step, "sagemaker.register-model", with).await;
    }
    let packages = registry::list_model_packages(&bed.settings, "g").await.unwrap();
    let shown: Vec<_> = packages.iter().map(|p| (p.version, p.description.as_str(), p.status.as_str())).collect();
    assert_eq!(shown, [(2, "two", "PendingManualApproval"), (1, "one", "PendingManualApproval")]);
    assert_eq!(packages[0].metrics, Some(json!({"mse": 4.5})));
    assert_eq!((packages[0].metadata["odd"].as_str(), packages[0].metadata["haliotis-build"].as_str()), ("a-b", "1"));
    registry::set_approval(&bed.settings, &packages[1].arn, "Rejected", "ada", "two\nlines").await.unwrap();
    let approvals = registry::list_approvals(&bed.settings, "g").await.unwrap();
    let states: Vec<_> = approvals.iter().map(|package| package.status.as_str()).collect();
    assert_eq!(states, ["PendingManualApproval", "Rejected"]);
    let error = registry::set_approval(&bed.settings, &packages[1].arn, "Fine", "ada", "").await.unwrap_err();
    assert!(error.to_string().contains("no approval status"), "{error}");
    let groups = registry::list_groups(&bed.settings).await.unwrap();
    assert_eq!((groups[0].name.as_str(), groups[0].description.as_str()), ("g", "a group"));
    assert_eq!(registry::caller_account(&bed.settings).await.unwrap(), "000000000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_says_why_and_its_log_is_ours() {
    let bed = Bed::new().await;
    bed.file(
        "fail.py",
        "import sys\nprint('before the end')\nopen('/opt/ml/output/message', 'w').write('no rows')\nsys.exit(3)\n",
    );
    let ctx = bed.context("fail", "sagemaker.processing", json!({"image": SKLEARN, "code": "fail.py"}));
    let output = run(&ctx).await.unwrap();
    assert_eq!((output.result, &output.outputs["exit-message"]), (BuildResult::Failure, &json!("no rows")));
    let text = log(&ctx);
    assert!(text.starts_with(&format!("local cloud {}\n", bed.settings.endpoint_url.as_deref().unwrap())), "{text}");
    assert_eq!(text.matches("before the end").count(), 1, "{text}");
    // Attaching again adds nothing to the log.
    assert_eq!(run(&ctx).await.unwrap(), output);
    assert_eq!(log(&ctx), text);
}
