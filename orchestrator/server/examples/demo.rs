//! A server full of invented builds, to look at the pages: `cargo run -p haliotis-server --example demo -- 8090`.
//! With a second argument `empty` nothing is in it.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "an example for looking at pages")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::sync::Arc;

use haliotis_engine::Catalog;
use haliotis_model::{BuildId, Cause, Millis, Pipeline, TriggerSpec};
use haliotis_server::{EndpointInfo, ModelPackage};
use haliotis_store::MemoryStore;
use serde_json::json;
use world::edges::{FakeLogs, new_build};
use world::{World, history, object, pipeline};

const GROUP: &str = "abalone";
const HOUR: i64 = 3_600_000;

fn node(id: &str, name: &str, needs: &[&str], uses: &str, with: serde_json::Value) -> serde_json::Value {
    let slot = if uses == "sh" { Some("linux") } else { None };
    json!({ "id": id, "name": name, "kind": "step", "needs": needs, "uses": uses, "with": with, "slot": slot })
}

/// Build pipeline; `mse` decides what the condition says, `pace` how long things take.
fn build_text(mse: f64, pace: u64, fails: bool) -> String {
    let train_log = "[%n]\t\u{1b}[36mtrain-rmse\u{1b}[0m:2.31%n\t\u{1b}[35mvalidation-rmse\u{1b}[0m:2.44%n";
    let result = if fails { "failure" } else { "success" };
    let mut nodes = vec![
        node(
            "/smoke",
            "smoke",
            &[],
            "sh",
            json!({ "took": pace, "script": "python3 -m compileall -q pipelines", "log": "::group::Compile\nCompiling pipelines/abalone… \u{1b}[32mok\u{1b}[0m\n::endgroup::\n::group::Check\nall good\n::endgroup::" }),
        ),
        node(
            "/lint",
            "lint",
            &[],
            "sh",
            json!({ "took": pace + 1, "log": "\u{1b}[1;33mwarning\u{1b}[0m: line %n is long", "lines": 4 }),
        ),
        node(
            "/preprocess",
            "preprocess",
            &["/smoke", "/lint"],
            "sagemaker.processing",
            json!({ "took": 9 * pace, "image": "sagemaker-scikit-learn:1.2-1", "code": "pipelines/abalone/preprocess.py", "log": "rows 2923 train, 627 validation, 627 test", "outputs": { "train": "s3://haliotis-local/abalone/train", "rows": 2923 } }),
        ),
        node(
            "/train",
            "train",
            &["/preprocess"],
            "sagemaker.training",
            json!({ "took": 14 * pace, "log": train_log, "lines": 50, "outputs": { "model": "s3://haliotis-local/abalone/model.tar.gz" } }),
        ),
        node(
            "/evaluate",
            "evaluate",
            &["/train"],
            "sagemaker.evaluate",
            json!({ "took": 5 * pace, "result": result, "message": "the report evaluation.json holds no mse; look at the last lines of the log", "log": "{\"regression_metrics\": {\"mse\": {\"value\": 4.7}}}", "outputs": { "mse": mse } }),
        ),
    ];
    let skip = (mse > 6.0).then(|| format!("the condition was not met: mse {mse} <= 6.0"));
    nodes.push(json!({ "id": "/register", "name": "register", "kind": "step", "needs": ["/evaluate"], "uses": "sagemaker.register-model",
        "condition": "steps.evaluate.outputs.mse <= 6.0", "skip": skip, "with": { "took": 1, "outputs": { "arn": arn(3) } } }));
    nodes.push(json!({ "id": "/reports", "name": "reports", "kind": "group" }));
    nodes.push(json!({ "id": "/reports/junit", "name": "junit", "kind": "step", "needs": ["/evaluate"], "uses": "junit", "group": "/reports", "with": { "took": 1, "outputs": { "total": 33, "failed": 1, "skipped": 1, "passed": 31, "summary": "junit/junit.json" } } }));
    nodes.push(json!({ "id": "/reports/archive", "name": "archive", "kind": "step", "needs": ["/reports/junit"], "uses": "archive", "group": "/reports", "with": { "took": 2 } }));
    serde_json::to_string(&nodes).unwrap()
}

fn arn(version: u32) -> String {
    format!("arn:aws:sagemaker:eu-west-1:000000000000:model-package/{GROUP}/{version}")
}

fn deploy_text(seconds: f64) -> String {
    let input = json!({
        "message": "Put version 3 into production?", "ok": "Deploy to production", "approvers": ["ada", "ml-leads"], "reason_required": true,
        "binds": { "model": arn(3), "mse": 4.71, "live now": "version 2, mse 4.83", "staging test": "627 rows, mse 4.74", "stack": "abalone-prod", "instance": "ml.m5.large × 1" },
        "parameters": [{ "name": "canary", "kind": "choice", "choices": ["10 %", "50 %", "all at once"], "default": "10 %", "description": "How much of the traffic goes to the new version first." }],
        "digest": "4c3f1d9be7a1c05e22d8a5f0e6b6f0f7d1a2b3c4d5e6f708192a3b4c5d6e7f80" });
    let nodes = json!([
        node("/params", "parameters", &[], "sh", json!({ "took": 3, "seconds": seconds })),
        { "id": "/staging", "name": "staging", "kind": "group" },
        { "id": "/staging/deploy", "name": "deploy", "kind": "step", "group": "/staging", "needs": ["/params"], "uses": "cloudformation.deploy", "environment": "staging", "with": { "took": 64, "seconds": seconds, "outputs": { "change-set": [{ "action": "Modify", "resource": "EndpointConfig", "type": "AWS::SageMaker::EndpointConfig", "replacement": true }, { "action": "Modify", "resource": "Endpoint", "type": "AWS::SageMaker::Endpoint", "replacement": false }] } } },
        { "id": "/staging/test", "name": "test the endpoint", "kind": "step", "group": "/staging", "needs": ["/staging/deploy"], "uses": "sagemaker.test-endpoint", "with": { "took": 21, "seconds": seconds, "outputs": { "mse": 4.74 } } },
        { "id": "/approve", "name": "approve production", "kind": "input", "environment": "production", "needs": ["/staging"], "approvers": ["ada", "ml-leads"], "input": input },
        { "id": "/production", "name": "production", "kind": "group" },
        { "id": "/production/deploy", "name": "deploy", "kind": "step", "group": "/production", "needs": ["/approve"], "uses": "cloudformation.deploy", "environment": "production", "with": { "took": 71 } },
        { "id": "/production/smoke", "name": "smoke", "kind": "step", "group": "/production", "needs": ["/production/deploy"], "uses": "sagemaker.test-endpoint", "with": { "took": 8 } }
    ]);
    // Needs of a group are needs of its last node in this small language.
    serde_json::to_string(&nodes).unwrap().replace("\"needs\":[\"/staging\"]", "\"needs\":[\"/staging/test\"]")
}

fn live_text() -> String {
    let log = "epoch %n \u{1b}[32mok\u{1b}[0m loss=0.\u{1b}[1m%n\u{1b}[0m <img src=x onerror=alert(1)>";
    let cells = (0..6).map(|cell| {
        json!({ "id": format!("/grid/cell[{cell}]"), "name": format!("depth {}", cell + 3), "kind": "step", "group": "/grid", "needs": ["/data"],
            "uses": "sh", "slot": "linux", "with": { "seconds": 60 + 20 * cell, "lines": 400, "log": log } })
    });
    let mut nodes = vec![
        node(
            "/data",
            "fetch data",
            &[],
            "sh",
            json!({ "seconds": 1.5, "attempts": 3, "good_at": 2, "message": "curl: (6) could not resolve host" }),
        ),
        json!({ "id": "/grid", "name": "grid of depths", "kind": "group" }),
    ];
    nodes.extend(cells);
    let needs: Vec<_> = (0..6).map(|cell| format!("/grid/cell[{cell}]")).collect();
    nodes.push(json!({ "id": "/best", "name": "choose the best", "kind": "step", "needs": needs, "uses": "sh", "slot": "linux" }));
    nodes.push(json!({ "id": "/report", "name": "send the report", "kind": "post", "needs": [], "uses": "http", "condition": "always", "skip": "nothing to report yet" }));
    serde_json::to_string(&nodes).unwrap()
}

fn commit(subject: &str, author: &str) -> Vec<Cause> {
    vec![Cause::Commit {
        repo: "https://git.example/team/abalone-model-build.git".to_owned(),
        branch: "main".to_owned(),
        commit: "7f3c9a2e5b1d4c6f8a0e2d4b6c8f0a1e3d5c7b9f".to_owned(),
        via: "poll".to_owned(),
        author: author.to_owned(),
        subject: subject.to_owned(),
    }]
}

async fn fill(store: &MemoryStore, logs: &FakeLogs) -> (Pipeline, Pipeline) {
    let mut build = pipeline("abalone/model-build", &build_text(4.71, 2, false));
    build.description = "Trains on 4177 shells and registers what is good enough".to_owned();
    build.triggers.push(TriggerSpec::Poll {
        repo: "https://git.example/team/abalone-model-build.git".to_owned(),
        branch: "main".to_owned(),
        every_ms: 60_000,
    });
    let mut deploy = pipeline("abalone/model-deploy", &deploy_text(0.5));
    deploy.description = "Staging, a test that really scores, a person, production".to_owned();
    deploy.triggers = vec![TriggerSpec::ModelPackage { group: GROUP.to_owned(), status: vec!["Approved".to_owned()] }];
    let now = haliotis_engine::now().0;
    for number in 0_u32..22 {
        let (mse, fails) =
            (if number == 9 { 6.4 } else { 4.6 + f64::from(number % 5) / 10.0 }, number == 4 || number == 16);
        let mut run = build.clone();
        run.text = build_text(mse, 2 + u64::from(number * 7 % 5), fails);
        let mut new =
            new_build(&run, object("rounds", 50 + number * 10), commit("Use 80 rounds and a smaller eta", "Mara"));
        new.created_at = Millis(now - i64::from(24 - number) * 5 * HOUR);
        new.source.commit = Some("7f3c9a2e5b1d4c6f8a0e2d4b6c8f0a1e3d5c7b9f".to_owned());
        new.source.branch = Some("main".to_owned());
        history::past(store, logs, new, "ada").await;
    }
    for number in 0_u32..3 {
        let mut new = new_build(
            &deploy,
            object("rounds", 50),
            vec![Cause::ModelPackage {
                arn: arn(number.min(1) + 1),
                status: "Approved".to_owned(),
                by: "ada".to_owned(),
                reason: "better than live".to_owned(),
            }],
        );
        new.created_at = Millis(now - i64::from(4 - number) * 26 * HOUR);
        history::past(store, logs, new, "ada").await;
    }
    (build, deploy)
}

fn packages() -> Vec<ModelPackage> {
    let mse = [5.32, 4.83, 4.71, 6.9, 4.95, 4.62, 4.58];
    let now = haliotis_engine::now().0;
    (1_u32..)
        .zip(mse)
        .map(|(version, mse)| {
            let status = match version {
                4 | 5 => "Rejected",
                7 => "PendingManualApproval",
                _ => "Approved",
            };
            let decided = version != 7;
            ModelPackage {
                arn: arn(version),
                group: GROUP.to_owned(),
                version,
                status: status.to_owned(),
                created_at: now - i64::from(8 - version) * 21 * HOUR,
                metrics: [("mse".to_owned(), mse), ("mae".to_owned(), mse / 3.1), ("r2".to_owned(), 1.0 - mse / 10.4)]
                    .into(),
                decided_by: if decided { "ada".to_owned() } else { String::new() },
                reason: if decided {
                    "compared with the live version on the same rows".to_owned()
                } else {
                    String::new()
                },
                decided_at: decided.then_some(now - i64::from(8 - version) * 20 * HOUR),
                build: Some(i64::from(version)),
                model_data: String::new(),
            }
        })
        .collect()
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(8090);
    let empty = arguments.next().is_some();
    let store = Arc::new(MemoryStore::new());
    let mut config = world::config();
    config.listen = ([127, 0, 0, 1], port).into();
    config.base_url = format!("http://127.0.0.1:{port}");
    let past = FakeLogs::default();
    let filled = if empty { None } else { Some(fill(&store, &past).await) };
    let world = World::over(store, config.clone()).await;
    *world.logs.0.lock().unwrap() = past.0.into_inner().unwrap();
    if let Some((build, deploy)) = filled {
        show(&world, &build, &deploy).await;
    }
    let listener = tokio::net::TcpListener::bind(config.listen).await.unwrap();
    eprintln!("http://127.0.0.1:{port}");
    haliotis_server::serve(listener, world.state, async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await;
}

async fn show(world: &World, build: &Pipeline, deploy: &Pipeline) {
    let mut grid = pipeline("abalone/grid-search", &live_text());
    grid.description = "Tries six depths beside each other".to_owned();
    let mut idle = pipeline("nightly-data-check", "[]");
    idle.description = "Counts rows and compares them with yesterday".to_owned();
    for pipeline in [build, deploy, &grid, &idle] {
        world.store.put_pipeline(pipeline).await.unwrap();
    }
    *world.models.packages.lock().unwrap() = packages();
    let now = haliotis_engine::now().0;
    let endpoint = |name: &str, status: &str, version| EndpointInfo {
        name: name.to_owned(),
        status: status.to_owned(),
        failure: String::new(),
        model_package: arn(version),
        created_at: now - 70 * HOUR,
        updated_at: now - 2 * HOUR,
        config: format!("{name}-config-{version}"),
        instance: "ml.m5.large".to_owned(),
        instances: 1,
    };
    *world.models.endpoints.lock().unwrap() =
        vec![endpoint("abalone-staging", "InService", 3), endpoint("abalone-prod", "InService", 2)];
    let mut waiting = new_build(
        deploy,
        object("rounds", 50),
        vec![Cause::ModelPackage {
            arn: arn(3),
            status: "Approved".to_owned(),
            by: "ada".to_owned(),
            reason: "mse 4.71, better than live".to_owned(),
        }],
    );
    waiting.created_at = Millis(now - 9_000);
    world.engine.create(waiting).await.unwrap();
    world
        .engine
        .create(new_build(&grid, object("rounds", 50), vec![Cause::Cron { cron: "H 3 * * *".to_owned() }]))
        .await
        .unwrap();
    let report = b"{\"mse\": 4.71}".to_vec();
    world.artifacts.0.lock().unwrap().insert((BuildId(22), "reports/evaluation.json".to_owned()), report);
    let csv = b"rings,predicted,error\n9,8.7,0.3\n15,12.1,2.9\n7,7.4,-0.4\n".to_vec();
    let html =
        b"<!doctype html><h1>Report</h1><p style=\"color:teal\">MSE 4.71</p><script>document.title='ran'</script>"
            .to_vec();
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='300' height='120'><rect width='300' height='120' fill='#dde'/><path d='M0 110L60 70L140 50L300 20' stroke='#63b' fill='none' stroke-width='4'/></svg>".to_vec();
    for (path, bytes) in [
        ("reports/residuals.csv", csv),
        ("reports/report.html", html),
        ("reports/curve.svg", svg),
        ("model.tar.gz", vec![0; 48_211]),
    ] {
        world.artifacts.0.lock().unwrap().insert((BuildId(22), path.to_owned()), bytes);
    }
    for build in 1..=22_i64 {
        let status = |bad: bool| if bad { "failed" } else { "passed" };
        let mut cases = vec![
            json!({ "suite": "unit", "class": "tests.data", "name": "rows_add_up", "status": status(build > 17), "seconds": 0.4,
            "message": if build > 17 { "assert 2923 == 2922" } else { "" }, "details": "Traceback (most recent call last):\n  tests/data.py:31 in rows_add_up\nAssertionError" }),
            json!({ "suite": "unit", "class": "tests.data", "name": "no_empty_cells", "status": "passed", "seconds": 0.02 }),
            json!({ "suite": "unit", "class": "tests.train", "name": "seed_is_kept", "status": status(build % 3 == 1), "seconds": 1.7, "message": "differs in the 4th digit" }),
        ];
        cases.extend((0..30).map(|case| json!({ "suite": "unit", "class": "tests.split", "name": format!("share_{case}"), "status": if case == 3 { "skipped" } else { "passed" }, "seconds": 0.01 })));
        world.artifacts.0.lock().unwrap().insert(
            (BuildId(build), "junit/junit.json".to_owned()),
            json!({ "cases": cases }).to_string().into_bytes(),
        );
    }
    for (by, action, subject, reason) in [
        ("ada", "pipeline.register", "abalone/model-build", ""),
        ("ada", "model.approve", "abalone/3", "mse 4.71, better than live"),
        ("jo", "build.abort", "build 7", "wrong branch"),
    ] {
        world.store.record_audit(&world::edges::audit(by, action, subject, reason)).await.unwrap();
    }
}
