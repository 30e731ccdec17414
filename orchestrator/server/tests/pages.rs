//! The pages over the real router: what they say, that forms work without scripts, and that no text becomes markup.

mod world;

use haliotis_engine::Catalog;
use haliotis_model::{BuildId, BuildResult, BuildStatus, StepId, StepKey};
use haliotis_server::{EndpointInfo, ModelPackage, router};
use serde_json::json;
use world::http::{form, get, stream};
use world::{ASKS, World, pipeline};

/// Names as an attacker chooses them.
const PAYLOADS: [&str; 10] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title><svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "&lt;script&gt;",
    "\u{202e}gpj.exe<b>",
    "]]><iframe srcdoc=x>",
];

/// Tags that no page of ours has, and attributes that no tag of ours has.
fn check_clean(html: &str, place: &str) {
    let lower = html.to_lowercase();
    for tag in ["<img src=x", "<iframe", "<svg onload", "<script>alert", "<b>"] {
        assert!(!lower.contains(tag), "{place}: {tag}");
    }
    // Inside a tag an event handler would follow a quote; as text it stands escaped.
    for handler in ["' onmouseover=", "\" onerror="] {
        assert!(!lower.contains(handler), "{place}: {handler}");
    }
    assert!(!lower.contains("href=\"javascript:"), "{place}");
    assert!(!lower.contains(" style=\""), "{place}: the policy forbids inline styles");
}

#[tokio::test]
async fn hostile_names_stay_text_on_every_page() {
    for payload in PAYLOADS {
        let world = World::new().await;
        let text = json!([
            { "id": "/g", "name": payload, "kind": "group" },
            { "id": format!("/{payload}"), "name": payload, "kind": "step", "uses": payload, "group": "/g", "environment": payload,
              "with": { payload: payload, "result": "failure", "message": payload, "log": payload, "outputs": { payload: payload } } },
            { "id": "/ask", "name": payload, "kind": "input", "input": { "message": payload, "ok": payload, "approvers": [payload],
              "binds": { payload: payload }, "digest": payload,
              "parameters": [{ "name": payload, "kind": "choice", "choices": [payload], "description": payload }] } },
        ]);
        let mut registered = pipeline(payload, &text.to_string());
        registered.description = payload.to_owned();
        registered.repo = Some(payload.to_owned());
        registered.parameters[0].name = payload.to_owned();
        registered.parameters[0].description = payload.to_owned();
        world.store.put_pipeline(&registered).await.unwrap();
        let id = world.start(payload).await;
        world.until(id, |view| view.status == BuildStatus::Waiting && view.nodes[1].ended_at.is_some()).await;
        world.models.packages.lock().unwrap().push(ModelPackage {
            arn: payload.to_owned(),
            group: payload.to_owned(),
            version: 1,
            status: payload.to_owned(),
            metrics: [(payload.to_owned(), 4.5)].into(),
            decided_by: payload.to_owned(),
            reason: payload.to_owned(),
            ..ModelPackage::default()
        });
        let endpoint =
            EndpointInfo { name: payload.to_owned(), failure: payload.to_owned(), ..EndpointInfo::default() };
        world.models.endpoints.lock().unwrap().push(endpoint);
        world.artifacts.0.lock().unwrap().insert((id, payload.to_owned()), vec![1]);
        let entry = world::edges::audit(payload, payload, payload, payload);
        world.store.record_audit(&entry).await.unwrap();

        let app = router(world.state.clone());
        let name: String =
            url::form_urlencoded::byte_serialize(payload.as_bytes()).collect::<String>().replace('+', "%20");
        let step: String = url::form_urlencoded::byte_serialize(format!("/{payload}").as_bytes()).collect();
        for url in [
            "/".to_owned(),
            format!("/pipelines/{name}"),
            "/builds/1".to_owned(),
            format!("/builds/1/step?path={step}"),
            "/builds/1/journal".to_owned(),
            "/models".to_owned(),
            format!("/models/{name}"),
            "/endpoints".to_owned(),
            "/system".to_owned(),
            format!("/{name}"),
        ] {
            let page = get(&app, &url).await;
            assert!(page.status == 200 || url == format!("/{name}"), "{url}: {}", page.text());
            check_clean(&page.text(), &url);
        }
    }
}

#[tokio::test]
async fn a_hostile_log_is_shown_as_text_live_and_at_rest() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    let hostile = "\u{1b}[31m<img src=x onerror=alert(1)>\u{1b}[0m\n\u{1b}]8;;javascript:alert(1)\u{7}link\u{1b}]8;;\u{7}\n\u{1b}[2Jgone\n";
    let key = StepKey { build: id, step: StepId::new("/train"), attempt: 1 };
    world.logs.0.lock().unwrap().insert(key, hostile.as_bytes().to_vec());
    let page = get(&app, "/builds/1/step?path=%2Ftrain").await.text();
    let events =
        stream(&app, "/live/log?build=1&step=%2Ftrain&attempt=1", None, |text| text.contains("event: end")).await;
    for shown in [page.as_str(), &events.replace("\\\"", "\"")] {
        assert!(shown.contains("<span class=\"f1\">&lt;img src=x onerror=alert(1)&gt;</span>"), "{shown}");
        assert!(!shown.contains("javascript:") && !shown.contains('\u{1b}') && shown.contains("gone"));
    }
    assert!(events.contains("\"first\":1"), "{events}");
}

#[tokio::test]
async fn an_approval_by_form_needs_no_script() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    let home = get(&app, "/").await.text();
    assert!(home.contains("Waits for a person") && home.contains("Deploy?"), "{home}");
    let page = get(&app, "/builds/1").await.text();
    for part in [
        "action=\"/builds/1/answer\"",
        "value=\"d1a2\"",
        "name=\"reason\"",
        "required",
        "May answer: ada",
        "3 steps: 1 waiting (approve), 1 success, 1 pending",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let fields = [("step", "/approve"), ("digest", "d1a2"), ("decision", "approved"), ("by", "ada")];
    let refused = form(&app, "/builds/1/answer", &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("a reason is required"));
    let done = form(&app, "/builds/1/answer", &[fields.as_slice(), &[("reason", "mse is fine")]].concat()).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/builds/1"));
    assert_eq!(world.engine.wait(id).await.unwrap().result, Some(BuildResult::Success));
    let page = get(&app, "/builds/1").await.text();
    assert!(page.contains("approved") && page.contains("mse is fine") && !page.contains("action=\"/builds/1/answer\""));
}

#[tokio::test]
async fn a_build_is_started_by_form_and_again_with_the_same_parameters() {
    let world = World::new().await;
    world.pipeline("team/p", "[]").await;
    let app = router(world.state.clone());
    let done = form(&app, "/pipelines/team%2Fp/start", &[("p.rounds", "90")]).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/builds/1"));
    let view = world.engine.wait(BuildId(1)).await.unwrap();
    assert_eq!(view.build.parameters["rounds"], 90);
    assert!(get(&app, "/builds/1").await.text().contains("/pipelines/team%2Fp?from=1#start"));
    let page = get(&app, "/pipelines/team%2Fp?from=1").await.text();
    assert!(page.contains("value=\"90\"") && page.contains("with the parameters of #1"), "{page}");
    assert_eq!(get(&app, "/pipelines/team%2Fp/1").await.header("location"), "/builds/1");
    assert_eq!(get(&app, "/pipelines/team%2Fp/9").await.status, 404);
}

#[tokio::test]
async fn a_model_is_rejected_by_form() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let package = ModelPackage {
        arn: "arn:aws:sagemaker:eu-west-1:000000000000:model-package/g/1".to_owned(),
        group: "g".to_owned(),
        version: 1,
        status: "PendingManualApproval".to_owned(),
        metrics: [("mse".to_owned(), 4.713_2)].into(),
        ..ModelPackage::default()
    };
    world.models.packages.lock().unwrap().push(package.clone());
    assert!(get(&app, "/").await.text().contains("A new model version waits for a decision"));
    let page = get(&app, "/models/g").await.text();
    assert!(page.contains("4.713") && page.contains("mse over versions 1 to 1"), "{page}");
    let done =
        form(&app, "/models/g/decide", &[("arn", &package.arn), ("status", "Rejected"), ("reason", "worse than live")])
            .await;
    assert_eq!(done.header("location"), "/models/g#v1");
    assert_eq!(world.models.packages.lock().unwrap()[0].status, "Rejected");
    assert!(get(&app, "/models/g").await.text().contains("worse than live"));
}

#[tokio::test]
async fn a_page_is_told_of_changes_and_resumes_where_it_stood() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    let seq = world.engine.view(id).await.unwrap().seq;
    let first = stream(&app, "/events?build=1", None, |text| text.contains("\n\n")).await;
    assert!(first.contains(&format!("id: {seq}\n")) && first.contains("\"status\":\"waiting\""), "{first}");
    let resumed = tokio::spawn({
        let app = app.clone();
        async move { stream(&app, "/events?build=1", Some(&seq.to_string()), |text| text.contains("\"ended\"")).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    world.engine.abort(id, "ada", "enough").await.unwrap();
    let seen = resumed.await.unwrap();
    assert!(!seen.contains("\"waiting\""), "it said again what the page had: {seen}");
    let home = stream(&app, "/events", None, |text| text.contains("changed")).await;
    assert!(home.contains("event: changed"));
    assert_eq!(get(&app, "/events?build=77").await.status, 404);
}

#[tokio::test]
async fn a_live_log_shows_the_open_line_and_then_the_whole() {
    let world = World::new().await;
    let step = r#"[{"id": "/a", "name": "a", "kind": "step", "uses": "sh", "with": {"seconds": 0.7, "log": "first"}}]"#;
    world.pipeline("p", step).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    let key = StepKey { build: id, step: StepId::new("/a"), attempt: 1 };
    let url = "/live/log?build=1&step=%2Fa&attempt=1";
    stream(&app, url, None, |text| text.contains("[\"first\"]")).await;
    world.logs.add(&key, b"half a li");
    let open = stream(&app, url, None, |text| text.contains("partial\":\"half")).await;
    assert!(open.contains("\"partial\":\"half a li\""), "{open}");
    world.logs.add(&key, b"ne\nno newline");
    let whole = stream(&app, url, Some("6:2"), |text| text.contains("event: end")).await;
    assert!(whole.contains("\"first\":2,\"lines\":[\"half a line\"]"), "{whole}");
    assert!(whole.contains("\"first\":3,\"lines\":[\"no newline\"],\"partial\":\"\""), "{whole}");
}

#[tokio::test]
async fn a_permalink_opens_its_part_of_a_long_log() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    let key = StepKey { build: id, step: StepId::new("/train"), attempt: 1 };
    let log = (1..=30_000).flat_map(|line| format!("row {line}\n").into_bytes()).collect();
    world.logs.0.lock().unwrap().insert(key, log);
    let tail = get(&app, "/builds/1/step?path=%2Ftrain").await.text();
    assert!(tail.contains("row 30000<") && tail.contains("Earlier lines") && !tail.contains("row 29000<"));
    let part = get(&app, "/builds/1/step?path=%2Ftrain&line=12345").await.text();
    assert!(
        part.contains("<li id=\"L12345\" class=\"marked\">")
            && part.contains("row 12345<")
            && part.contains("Later lines")
    );
}

#[tokio::test]
async fn empty_places_teach_and_every_page_is_light() {
    let world = World::new().await;
    let app = router(world.state.clone());
    for (url, hint) in [
        ("/", "haliotis demo"),
        ("/models", "sagemaker.register-model"),
        ("/endpoints", "cloudformation.deploy"),
        ("/system", "Nobody changed anything yet"),
    ] {
        let page = get(&app, url).await;
        assert!(page.text().contains(hint), "{url}");
        assert!(page.text().contains("the local cloud on this machine"), "{url}");
        assert!(page.body.len() < 40_000, "{url}: {} bytes before compression", page.body.len());
    }
}
