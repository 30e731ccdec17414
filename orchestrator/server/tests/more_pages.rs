//! Pages beside a build and about the server, over the real router: files, tests, comparison, search, approvals, models,
//! deployments, favourites, badges and administration. All without a script.

mod world;

use std::sync::Arc;

use axum::http::header;
use haliotis_engine::{BuildView, Catalog};
use haliotis_model::{BuildId, BuildStatus, Cause, Millis, Pipeline, StepId, StepKey, TriggerSpec};
use haliotis_server::{EndpointInfo, ModelPackage, router};
use haliotis_store::MemoryStore;
use serde_json::json;
use world::edges::{FakeLogs, new_build};
use world::http::{form, get};
use world::{World, config, history, object, pipeline};

fn arn(version: u32) -> String {
    format!("arn:aws:sagemaker:eu-west-1:000000000000:model-package/abalone/{version}")
}

/// Deploys to staging, asks, deploys to production.
fn deploy_text() -> String {
    json!([
        { "id": "/staging", "name": "staging", "kind": "step", "uses": "cloudformation.deploy", "environment": "staging",
          "with": { "outputs": { "change-set": [{ "action": "Modify", "resource": "Endpoint", "type": "AWS::SageMaker::Endpoint", "replacement": true }] } } },
        { "id": "/approve", "name": "approve", "kind": "input", "needs": ["/staging"], "environment": "production",
          "input": { "message": "Into production?", "ok": "Deploy", "reason_required": true, "binds": { "model": arn(2) }, "digest": "d1" } },
        { "id": "/production", "name": "production", "kind": "step", "needs": ["/approve"], "uses": "cloudformation.deploy", "environment": "production" },
    ])
    .to_string()
}

fn package(version: u32, mse: f64, status: &str) -> ModelPackage {
    ModelPackage {
        arn: arn(version),
        group: "abalone".to_owned(),
        version,
        status: status.to_owned(),
        metrics: [("mse".to_owned(), mse), ("rows".to_owned(), 627.0)].into(),
        ..ModelPackage::default()
    }
}

/// A world whose deploy pipeline put version 1 into production at `then`, and waits with version 2.
async fn deploying(then: i64) -> (World, Pipeline) {
    let store = Arc::new(MemoryStore::new());
    let mut deploy = pipeline("deploy", &deploy_text());
    deploy.triggers =
        vec![TriggerSpec::ModelPackage { group: "abalone".to_owned(), status: vec!["Approved".to_owned()] }];
    deploy.parameters[0].name = "ModelPackageArn".to_owned();
    deploy.parameters[0].kind = haliotis_model::ParameterKind::String;
    deploy.parameters[0].default = Some("".into());
    let cause = |version| {
        let (status, by, reason) = ("Approved".to_owned(), "ada".to_owned(), "good".to_owned());
        vec![Cause::ModelPackage { arn: arn(version), status, by, reason }]
    };
    let logs = FakeLogs::default();
    let mut old = new_build(&deploy, object("ModelPackageArn", arn(1)), cause(1));
    old.created_at = Millis(then);
    history::past(&store, &logs, old, "grace").await;
    store.put_pipeline(&deploy).await.expect("a store in memory takes it");
    let world = World::over(store, config()).await;
    world
        .models
        .packages
        .lock()
        .expect("nobody panicked")
        .extend([package(1, 5.0, "Approved"), package(2, 4.0, "Approved")]);
    let id = world
        .engine
        .create(new_build(&deploy, object("ModelPackageArn", arn(2)), cause(2)))
        .await
        .expect("it is made")
        .id;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    (world, deploy)
}

#[tokio::test]
async fn an_approval_shows_what_would_change_against_what_serves() {
    let (world, _) = deploying(1_700_000_000_000).await;
    let app = router(world.state.clone());
    let page = get(&app, "/builds/2").await.text();
    for part in [
        "What would change in production",
        "<a href=\"/models/abalone/1\">version 1</a>",
        "<a href=\"/models/abalone/2\"><strong>abalone version 2</strong></a>",
        "−1 (−20.0 %)",
        "better",
        "Change set on staging",
        "AWS::SageMaker::Endpoint · replaced",
        "production has version 1 since 2023-11-14",
        "let in by grace",
        "data-digest=\"d1\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // An answer to something else counts for nothing.
    let stale = [("step", "/approve"), ("digest", "another"), ("decision", "approved"), ("reason", "x"), ("by", "ada")];
    assert_eq!(form(&app, "/builds/2/answer", &stale).await.status, 409);
}

#[tokio::test]
async fn what_served_at_a_time_is_read_from_the_builds() {
    let (world, _) = deploying(1_700_000_000_000).await;
    let app = router(world.state.clone());
    let now = get(&app, "/served").await.text();
    assert!(now.contains("<strong>production</strong>") && now.contains("abalone/1") && now.contains("grace"), "{now}");
    let now = now.split("All deployments").next().unwrap();
    assert!(now.contains("abalone/2"), "staging has the new one: {now}");
    let before = get(&app, "/served?at=2023-11-14T22:12").await.text();
    assert!(before.contains("Nothing served then"), "{before}");
    let between = get(&app, "/served?at=2023-12-01T00:00").await.text();
    let between = between.split("All deployments").next().unwrap();
    assert!(between.contains("abalone/1") && !between.contains("abalone/2"), "{between}");
    assert!(get(&app, "/served?at=soon").await.text().contains("That is no date and time"));
}

#[tokio::test]
async fn a_version_has_its_lineage_and_goes_back_through_the_same_pipeline() {
    let (world, deploy) = deploying(1_700_000_000_000).await;
    let app = router(world.state.clone());
    let page = get(&app, "/models/abalone/1").await.text();
    assert!(page.contains("Deploy this version with deploy") && page.contains("Where it served"), "{page}");
    assert_eq!(get(&app, "/models/abalone/9").await.status, 404);
    let fields = [("p.ModelPackageArn", arn(1))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let started = form(&app, "/pipelines/deploy/start", &fields).await;
    let id = BuildId(started.header("location").rsplit('/').next().unwrap().parse().unwrap());
    let asks = |view: &BuildView| view.inputs.iter().any(|input| input.open());
    world.until(id, asks).await;
    assert_eq!(deploy.name, world.engine.view(id).await.unwrap().build.pipeline);
}

#[tokio::test]
async fn an_endpoint_says_what_it_is_and_why_it_does_not_answer() {
    let world = World::new().await;
    let endpoint = EndpointInfo {
        name: "abalone-prod".to_owned(),
        status: "InService".to_owned(),
        instance: "ml.m5.large".to_owned(),
        instances: 2,
        ..EndpointInfo::default()
    };
    world.models.endpoints.lock().unwrap().push(endpoint);
    let app = router(world.state.clone());
    assert!(get(&app, "/endpoints/abalone-prod").await.text().contains("2 × ml.m5.large"));
    assert_eq!(get(&app, "/endpoints/other").await.status, 404);
    let fields = [("body", "1,2,3"), ("content_type", "text/csv")];
    let answer = form(&app, "/endpoints/abalone-prod/invoke", &fields).await.text();
    assert!(answer.contains("has no way to ask the endpoint") && answer.contains(">1,2,3</textarea>"), "{answer}");
    let fields = [("body", "1,2,3"), ("content_type", "text/html")];
    assert!(form(&app, "/endpoints/abalone-prod/invoke", &fields).await.text().contains("one of the types"));
}

#[tokio::test]
async fn kept_files_are_shown_and_can_do_nothing() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let id = world.start("p").await;
    let app = router(world.state.clone());
    let hostile = "<script>alert(1)</script>";
    for (path, bytes) in [
        ("r.json", "{\"mse\":4.7}"),
        ("r.csv", "name,<b>value\na,1\n"),
        ("r.html", hostile),
        ("r.svg", "<svg onload='alert(1)'/>"),
        ("r.txt", hostile),
        ("r.bin", "\u{0}\u{1}"),
    ] {
        world.artifacts.0.lock().unwrap().insert((id, path.to_owned()), bytes.as_bytes().to_vec());
    }
    let view = async |path: &str| get(&app, &format!("/builds/1/artifacts/view?path={path}")).await;
    assert!(
        view("r.json").await.text().contains("&quot;mse&quot;: 4.7")
            || view("r.json").await.text().contains("&#34;mse&#34;: 4.7")
    );
    assert!(
        view("r.csv").await.text().contains("&lt;b&gt;value")
            || view("r.csv").await.text().contains("&#60;b&#62;value")
    );
    assert!(!view("r.txt").await.text().contains("<script>alert"));
    assert!(view("r.bin").await.text().contains("It is no text"));
    let framed = view("r.html").await;
    assert!(framed.text().contains("<iframe class=\"card framed\" sandbox src="), "{}", framed.text());
    assert!(framed.header("content-security-policy").contains("frame-src 'self'"));
    assert!(!view("r.json").await.header("content-security-policy").contains("frame-src"));
    for path in ["r.html", "r.svg", "r.txt"] {
        let raw = get(&app, &format!("/builds/1/artifacts/raw?path={path}")).await;
        let policy = raw.header("content-security-policy");
        assert!(
            policy.contains("sandbox") && policy.contains("default-src 'none'") && !policy.contains("allow-"),
            "{policy}"
        );
        assert_eq!(raw.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(
        get(&app, "/builds/1/artifacts/raw?path=r.txt").await.header("content-type"),
        "text/plain; charset=utf-8"
    );
    assert_eq!(view("..%2fsecret").await.status, 404);
}

#[tokio::test]
async fn failed_tests_name_the_first_bad_build() {
    let world = World::new().await;
    let text = json!([{ "id": "/t", "name": "t", "kind": "step", "uses": "junit",
        "with": { "outputs": { "total": 2, "failed": 1, "skipped": 0, "summary": "junit/t.json" } } }]);
    world.pipeline("p", &text.to_string()).await;
    for build in 1..=3 {
        let id = world.start("p").await;
        world.engine.wait(id).await.unwrap();
        let status = if build > 1 { "failed" } else { "passed" };
        let cases = json!({ "cases": [{ "suite": "s", "name": "sums <up>", "status": status, "message": "1 != 2" },
            { "suite": "s", "name": "other", "status": "passed" }] });
        world.artifacts.0.lock().unwrap().insert((id, "junit/t.json".to_owned()), cases.to_string().into_bytes());
    }
    let app = router(world.state.clone());
    let page = get(&app, "/builds/3/tests").await.text();
    assert!(page.contains("Fails since #2; it passed in #1") && page.contains("/builds/2/diff?with=1"), "{page}");
    assert!(!page.contains("<up>") && page.contains("Last 3 builds"));
    assert!(get(&app, "/builds/3").await.text().contains("1 of 2 failed"));
    world.pipeline("q", "[]").await;
    world.start("q").await;
    assert_eq!(get(&app, "/builds/4/tests").await.status, 404);
}

#[tokio::test]
async fn two_builds_are_compared_line_by_line_and_value_by_value() {
    let world = World::new().await;
    let text = |mse: f64| {
        json!([{ "id": "/train", "name": "train", "kind": "step", "uses": "sh", "with": { "outputs": { "mse": mse, "job-name": format!("job-{mse}"), "report": format!("{{\"mae\": {}}}", mse / 2.0) } } }]).to_string()
    };
    world.pipeline("p", &text(5.0)).await;
    let first = world.start("p").await;
    world.engine.wait(first).await.unwrap();
    world.pipeline("p", &text(4.0)).await;
    let second = world.start("p").await;
    world.engine.wait(second).await.unwrap();
    for (id, log) in [(first, "at 2026-01-01T10:00:00Z\nloss 1\n"), (second, "at 2026-02-02T11:11:11Z\nloss 2\n")] {
        let key = StepKey { build: id, step: StepId::new("/train"), attempt: 1 };
        world.logs.0.lock().unwrap().insert(key, log.as_bytes().to_vec());
    }
    let app = router(world.state.clone());
    let page = get(&app, "/builds/2/diff").await.text();
    assert!(page.contains("p #2") && page.contains("train: mse") && page.contains("-1 (-20.0 %)"), "{page}");
    // Values inside values are compared too; what only has another name in each build is folded away.
    assert!(page.contains("train: report.mae") && page.contains("-0.5000 (-20.0 %)"), "{page}");
    let folded = page.split("Names and addresses of outputs that differ").nth(1).unwrap();
    assert!(folded.contains("train: job-name"), "{folded}");
    assert!(page.contains("<tr class=\"del\">") && page.contains("<tr class=\"add\">"));
    let logs = get(&app, "/builds/2/diff?with=1&log=%2Ftrain").await.text();
    let part = logs.split("Log of /train").nth(1).unwrap();
    assert!(part.contains("loss 1") && part.contains("loss 2") && !part.contains("2026-02-02"), "{part}");
    assert_eq!(get(&app, "/builds/1/diff").await.status, 404);
}

#[tokio::test]
async fn a_word_is_found_in_the_whole_log() {
    let world = World::new().await;
    world.pipeline("p", world::ASKS).await;
    let id = world.start("p").await;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    let key = StepKey { build: id, step: StepId::new("/train"), attempt: 1 };
    let log: Vec<u8> = (1..=50_000).flat_map(|line| format!("row {line} <b>\n").into_bytes()).collect();
    world.logs.0.lock().unwrap().insert(key, log);
    let app = router(world.state.clone());
    let page = get(&app, "/builds/1/step/search?path=%2Ftrain&q=ROW+44321").await.text();
    assert!(
        page.contains("<mark>row 44321</mark>") && page.contains("line=44321#L44321") && page.contains("1 line"),
        "{page}"
    );
    assert!(!page.contains(" <b>") && page.contains("all 50000 lines"));
    assert_eq!(get(&app, "/builds/1/step/search?path=%2Ftrain&q=").await.status, 400);
}

#[tokio::test]
async fn a_group_folds_by_its_address_and_a_large_graph_folds_itself() {
    let world = World::new().await;
    let mut nodes = vec![json!({ "id": "/g", "name": "grid", "kind": "group" })];
    nodes.extend((0..400).map(|at| json!({ "id": format!("/g/{at}"), "name": format!("cell {at}"), "kind": "step", "uses": "sh", "group": "/g" })));
    nodes.push(json!({ "id": "/end", "name": "end", "kind": "step", "uses": "sh", "needs": ["/g/0"] }));
    world.pipeline("large", &serde_json::to_string(&nodes).unwrap()).await;
    nodes.truncate(5);
    world.pipeline("small", &serde_json::to_string(&nodes).unwrap()).await;
    world.start("large").await;
    world.start("small").await;
    let app = router(world.state.clone());
    let large = get(&app, "/builds/1").await.text();
    assert!(large.contains("400 steps") && large.contains("<svg class=\"graph across"), "a folded graph is drawn");
    let graph = large.split("</svg>\n</div>").next().unwrap_or(&large);
    assert!(!graph.contains("class=\"name\">cell 0<"));
    let open = get(&app, "/builds/2").await.text();
    assert!(open.contains("class=\"name\">cell 0<") && open.contains("/builds/2?fold=%2Fg#graph-title"), "{open}");
    let folded = get(&app, "/builds/2?fold=%2Fg").await.text();
    assert!(!folded.contains("class=\"name\">cell 0<") && folded.contains("4 steps"), "{folded}");
}

#[tokio::test]
async fn a_build_runs_again_as_it_was() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    form(&app, "/pipelines/p/start", &[("p.rounds", "90")]).await;
    world.engine.wait(BuildId(1)).await.unwrap();
    let again = form(&app, "/builds/1/rerun", &[]).await;
    assert_eq!(again.header("location"), "/builds/2");
    let build = world.engine.wait(BuildId(2)).await.unwrap().build;
    assert_eq!(build.parameters["rounds"], 90);
    assert_eq!(build.causes, [Cause::Rerun { number: 1, by: "ada".to_owned() }]);
}

#[tokio::test]
async fn the_first_page_filters_by_word_state_and_folder_and_keeps_favourites() {
    let world = World::new().await;
    for name in ["team/a", "team/b", "other/c", "d"] {
        world.pipeline(name, "[]").await;
    }
    let id = world.start("team/b").await;
    world.engine.wait(id).await.unwrap();
    let app = router(world.state.clone());
    let names = async |url: &str| {
        let page = get(&app, url).await.text();
        let rows = page.split("data-name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        rows.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("/").await, "d other/c team/a team/b");
    assert_eq!(names("/?folder=team").await, "team/a team/b");
    assert_eq!(names("/?state=success").await, "team/b");
    assert_eq!(names("/?state=never&q=M%2FA").await, "team/a");
    assert!(get(&app, "/?q=zzz").await.text().contains("No pipeline fits"));
    let set = form(&app, "/favourites", &[("pipeline", "team/b"), ("on", "1")]).await;
    let cookie = set.header("set-cookie").split(';').next().unwrap().to_owned();
    let request = axum::http::Request::get("/").header(header::HOST, "127.0.0.1:8080").header(header::COOKIE, cookie);
    let page = world::http::send(&app, request.body(axum::body::Body::empty()).unwrap()).await.text();
    assert!(page.find("data-name=\"team/b\"") < page.find("data-name=\"d\""), "{page}");
}

#[tokio::test]
async fn badges_and_previews_say_how_a_pipeline_stands() {
    let world = World::new().await;
    world.pipeline("team/p", "[]").await;
    let app = router(world.state.clone());
    assert!(get(&app, "/badge/team%2Fp.svg").await.text().contains("never built"));
    let id = world.start("team/p").await;
    world.engine.wait(id).await.unwrap();
    let badge = get(&app, "/badge/team/p.svg").await;
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    assert!(badge.text().contains("team/p: success"));
    assert_eq!(get(&app, "/badge/none.svg").await.status, 404);
    let page = get(&app, "/builds/1").await.text();
    assert!(
        page.contains("<meta property=\"og:title\" content=\"team/p #1\">") && page.contains("Success. Started by ada")
    );
}

#[tokio::test]
async fn administration_stores_what_it_never_shows_again() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let fields = [("id", "git-bot"), ("kind", "username-password"), ("name", "bot"), ("secret", "s3cr3t-canary")];
    assert_eq!(form(&app, "/system/credentials", &fields).await.header("location"), "/system/credentials");
    assert_eq!(world.store.credential("git-bot").await.unwrap().unwrap().fields["password"], "s3cr3t-canary");
    for url in ["/system/credentials", "/system/audit", "/system"] {
        let page = get(&app, url).await.text();
        assert!(!page.contains("s3cr3t-canary"), "{url}");
    }
    assert!(get(&app, "/system/credentials").await.text().contains("git-bot"));
    assert!(get(&app, "/system/audit?q=credential.put").await.text().contains("credential git-bot"));
    assert!(get(&app, "/system/audit?q=nothing-like-it").await.text().contains("Nothing fits"));
    form(&app, "/system/credentials/remove", &[("id", "git-bot")]).await;
    assert!(world.store.credential("git-bot").await.unwrap().is_none());

    let added = form(&app, "/system/users", &[("do", "add"), ("name", "grace")]).await.text();
    assert!(added.contains("first password of grace"), "{added}");
    form(&app, "/system/users", &[("do", "grant"), ("subject", "grace"), ("role", "admin"), ("scope", "")]).await;
    let refused = form(&app, "/system/users", &[("do", "disable"), ("name", "grace")]).await;
    assert!(refused.status == 400 && refused.text().contains("last administrator"));
    let page = get(&app, "/system/users").await.text();
    assert!(page.contains("user:grace") && page.contains("has a first password") && !page.contains("first-password"));
}

#[tokio::test]
async fn the_queue_says_why_and_a_delivery_is_looked_at_again() {
    let world = World::new().await;
    let nodes: Vec<_> = (0..6)
        .map(|at| json!({ "id": format!("/{at}"), "name": format!("s{at}"), "kind": "step", "uses": "sh", "slot": "linux", "with": { "seconds": 20 } }))
        .collect();
    world.pipeline("p", &serde_json::to_string(&nodes).unwrap()).await;
    let id = world.start("p").await;
    world.until(id, |view| view.nodes.iter().filter(|node| node.agent.is_some()).count() >= 4).await;
    let app = router(world.state.clone());
    let page = get(&app, "/system/queue").await.text();
    assert!(page.contains("slots of 1 agent") || page.contains("Waits for a free slot"), "{page}");
    let delivery = haliotis_engine::Delivery {
        id: "github:1".to_owned(),
        at: Millis(1),
        host: "github".to_owned(),
        event: "push".to_owned(),
        payload: "{\"ref\":\"<script>\"}".to_owned(),
        outcome: "no pipeline hears it".to_owned(),
    };
    world.store.record_delivery(&delivery).await.unwrap();
    world.store.delivery_outcome("github:1", "no pipeline hears it").await.unwrap();
    let page = get(&app, "/system/deliveries").await.text();
    assert!(page.contains("no pipeline hears it") && !page.contains("<script>\""), "{page}");
    assert_eq!(form(&app, "/system/deliveries/again", &[("id", "github:1")]).await.status, 303);
    assert_eq!(world.store.deliveries(true, 10).await.unwrap().len(), 1, "it waits to be looked at");
    assert_eq!(form(&app, "/system/deliveries/again", &[("id", "github:2")]).await.status, 404);
}
