//! The JSON API over the real router, engine and a store in memory: what works, and how it refuses.

mod world;

use haliotis_engine::{BuildView, Catalog};
use haliotis_model::{BuildId, BuildResult, BuildStatus, StepId, StepKey};
use haliotis_server::{ModelPackage, router};
use serde_json::{Value, json};
use world::http::{call, get, send, stream};
use world::{ASKS, World};

fn waiting(view: &BuildView) -> bool {
    view.status == BuildStatus::Waiting
}

#[tokio::test]
async fn a_build_from_start_to_end() {
    let world = World::new().await;
    world.pipeline("team/abalone", ASKS).await;
    let app = router(world.state.clone());

    let started =
        call(&app, "POST", "/api/v1/builds", json!({ "pipeline": "team/abalone", "parameters": { "rounds": 80 } }))
            .await;
    assert_eq!(started.status, 201, "{}", started.text());
    assert_eq!(
        started.json(),
        json!({ "id": 1, "pipeline": "team/abalone", "number": 1, "existing": false, "url": "http://127.0.0.1:8080/builds/1" })
    );
    world.until(BuildId(1), waiting).await;

    let build = get(&app, "/api/v1/builds/1").await.json();
    assert_eq!((&build["status"], &build["build"]["parameters"]), (&json!("waiting"), &json!({ "rounds": 80 })));
    let open = get(&app, "/api/v1/inputs").await.json();
    assert_eq!(open[0]["input"]["input"]["digest"], "d1a2");
    let rows = get(&app, "/api/v1/builds?pipeline=team%2Fabalone&status=waiting&limit=5").await.json();
    assert_eq!(rows.as_array().map(Vec::len), Some(1));

    let answer = |changes: Value| {
        let mut body = json!({ "step": "/approve", "decision": "approved", "reason": "good", "digest": "d1a2" });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    for (changes, refusal) in [
        (json!({ "digest": "other" }), (409, "digest")),
        (json!({ "reason": "" }), (422, "reason")),
        (json!({ "by": "mallory" }), (403, "not-approver")),
        (json!({ "step": "/train" }), (404, "not-found")),
        (json!({ "decision": "perhaps" }), (422, "bad-body")),
        (json!({ "by": "a\nb" }), (400, "bad-request")),
    ] {
        let refused = call(&app, "POST", "/api/v1/builds/1/answer", answer(changes)).await.refusal();
        assert_eq!((refused.0, refused.1.as_str()), refusal);
    }
    let given = call(&app, "POST", "/api/v1/builds/1/answer", answer(json!({}))).await;
    assert_eq!((given.status.as_u16(), given.json()["by"].clone()), (200, json!("ada")));
    assert_eq!(call(&app, "POST", "/api/v1/builds/1/answer", answer(json!({}))).await.status, 409);

    let view = world.engine.wait(BuildId(1)).await.unwrap();
    assert_eq!(view.result, Some(BuildResult::Success));
    let journal = get(&app, "/api/v1/builds/1/journal?format=text").await;
    assert!(journal.text().starts_with("0 created team/abalone #1 parameters {\"rounds\":80}\n"));
    assert!(get(&app, "/api/v1/builds/1/journal").await.json()["turns"].as_array().unwrap().len() > 3);
    let audit = get(&app, "/api/v1/audit?subject=build+1%2Fapprove").await.json();
    assert_eq!(
        (&audit[0]["by"], &audit[0]["action"], &audit[0]["reason"]),
        (&json!("ada"), &json!("input.approve"), &json!("good"))
    );
    assert_eq!(
        call(&app, "POST", "/api/v1/builds/1/abort", json!({})).await.refusal(),
        (409, "not-running".to_owned())
    );
}

#[tokio::test]
async fn one_key_makes_one_build() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    let start = || {
        let request = axum::http::Request::post("/api/v1/pipelines/p/builds")
            .header("content-type", "application/json")
            .header("idempotency-key", "push-7")
            .header("x-haliotis-user", "grace");
        send(&app, request.body("{}".into()).unwrap())
    };
    let (first, second) = (start().await, start().await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(
        (first.json()["id"].clone(), second.json()["existing"].clone()),
        (second.json()["id"].clone(), json!(true))
    );
    let rows = world.store.builds(&haliotis_engine::BuildFilter { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(matches!(&rows[0].causes[0], haliotis_model::Cause::User { by } if by == "grace"));
}

#[tokio::test]
async fn a_running_build_can_be_stopped() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, waiting).await;
    let stopped = call(&app, "POST", "/api/v1/builds/1/abort", json!({ "reason": "wrong branch", "by": "jo" })).await;
    assert_eq!(stopped.status, 202);
    assert_eq!(world.engine.wait(id).await.unwrap().result, Some(BuildResult::Aborted));
    assert_eq!(world.store.audit(None, 5).await.unwrap()[0].by, "jo");
}

#[tokio::test]
async fn pipelines_are_registered_looked_at_and_removed() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let body = json!({ "language": "outline", "path": "p.json", "text": "[]" });
    assert_eq!(call(&app, "PUT", "/api/v1/pipelines/a%2Fb", body.clone()).await.status, 200);
    assert_eq!(get(&app, "/api/v1/pipelines/a%2Fb").await.json()["name"], "a/b");
    assert_eq!(get(&app, "/api/v1/pipelines").await.json()[0]["path"], "p.json");
    let broken = json!({ "language": "outline", "path": "p.json", "text": "[\n oops" });
    let refused = call(&app, "PUT", "/api/v1/pipelines/bad", broken).await;
    assert_eq!(refused.refusal(), (422, "definition".to_owned()));
    assert_eq!(refused.json()["error"]["diagnostics"][0]["line"], 2);
    let mut other = body;
    other["name"] = json!("c");
    assert_eq!(call(&app, "PUT", "/api/v1/pipelines/a%2Fb", other).await.refusal(), (400, "bad-request".to_owned()));
    assert_eq!(call(&app, "DELETE", "/api/v1/pipelines/a%2Fb", json!({})).await.status, 204);
    assert_eq!(call(&app, "DELETE", "/api/v1/pipelines/a%2Fb", json!({})).await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_or_not_right_is_refused_in_one_shape() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    for url in [
        "/api/v1/builds/99",
        "/api/v1/builds/99/journal",
        "/api/v1/builds/99/steps/log?step=%2Fa",
        "/api/v1/builds/99/artifacts",
        "/api/v1/pipelines/none",
        "/api/v1/models/none",
        "/api/v1/nothing",
    ] {
        assert_eq!(get(&app, url).await.refusal(), (404, "not-found".to_owned()), "{url}");
    }
    let start = |body| call(&app, "POST", "/api/v1/builds", body);
    assert_eq!(start(json!({})).await.refusal().0, 400);
    assert_eq!(start(json!({ "pipeline": "none" })).await.refusal().0, 404);
    assert_eq!(
        start(json!({ "pipeline": "p", "parameters": { "nope": 1 } })).await.refusal(),
        (422, "invalid".to_owned())
    );
    assert_eq!(start(json!({ "pipeline": "p", "surprise": 1 })).await.refusal(), (422, "bad-body".to_owned()));
    assert_eq!(get(&app, "/api/v1/builds/abc").await.status, 400);
    assert_eq!(call(&app, "POST", "/api/v1/agents", json!({})).await.status, 405);
}

#[tokio::test]
async fn a_log_is_read_in_pieces_whole_and_as_a_stream() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, waiting).await;
    let key = StepKey { build: id, step: StepId::new("/train"), attempt: 1 };
    let bytes = "Zeile „äöü“\n".repeat(3).into_bytes();
    world.logs.0.lock().unwrap().insert(key, [bytes.as_slice(), b"\xff\x00end"].concat());

    let url = "/api/v1/builds/1/steps/log?step=%2Ftrain";
    let mut text = String::new();
    let mut offset = 0;
    loop {
        let piece = get(&app, &format!("{url}&offset={offset}&limit=7")).await.json();
        text.push_str(piece["text"].as_str().unwrap());
        offset = piece["next"].as_u64().unwrap();
        if piece["ended"] == true {
            break;
        }
    }
    assert_eq!(text, format!("{}\u{fffd}\u{0}end", "Zeile „äöü“\n".repeat(3)));

    let raw = get(&app, "/api/v1/builds/1/steps/log/raw?step=%2Ftrain").await;
    assert_eq!(raw.body, [bytes.as_slice(), b"\xff\x00end"].concat());
    assert_eq!(raw.header("content-type"), "text/plain; charset=utf-8");
    assert!(raw.header("content-security-policy").contains("sandbox"));

    let events = stream(&app, url, None, |text| text.contains("event: end")).await;
    assert!(events.contains(&format!("id: {}\n", offset)), "{events}");
    let resumed = stream(&app, url, Some(&(offset - 3).to_string()), |text| text.contains("event: end")).await;
    assert!(resumed.contains("\"text\":\"end\""), "{resumed}");
}

#[tokio::test]
async fn artifacts_are_listed_and_never_shown_as_a_page() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    let page = b"<script>alert(1)</script>".to_vec();
    world.artifacts.0.lock().unwrap().insert((id, "out/re port.html".to_owned()), page.clone());
    assert_eq!(get(&app, "/api/v1/builds/1/artifacts").await.json()[0]["size"], 25);
    let got = get(&app, "/api/v1/builds/1/artifacts/content?path=out%2Fre%20port.html").await;
    assert_eq!((got.body.as_slice(), got.header("content-type")), (page.as_slice(), "application/octet-stream"));
    assert_eq!(got.header("content-disposition"), "attachment; filename*=UTF-8''re%20port.html");
    assert!(got.header("content-security-policy").contains("sandbox"));
    assert_eq!(get(&app, "/api/v1/builds/1/artifacts/content?path=..%2F..%2Fetc%2Fpasswd").await.status, 404);
}

#[tokio::test]
async fn a_model_is_decided_on_with_a_reason() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let package =
        ModelPackage { arn: "arn:x/1".to_owned(), group: "g".to_owned(), version: 1, ..ModelPackage::default() };
    world.models.packages.lock().unwrap().push(package);
    let decide = |status: &str, reason: &str| {
        call(
            &app,
            "POST",
            "/api/v1/models/approval",
            json!({ "arn": "arn:x/1", "status": status, "reason": reason, "by": "ada" }),
        )
    };
    assert_eq!(decide("Maybe", "x").await.refusal(), (422, "status".to_owned()));
    assert_eq!(decide("Approved", " ").await.refusal(), (422, "reason".to_owned()));
    let done = decide("Approved", "better").await.json();
    assert_eq!(
        (&done["status"], &done["decided_by"], &done["reason"]),
        (&json!("Approved"), &json!("ada"), &json!("better"))
    );
    assert_eq!(get(&app, "/api/v1/models").await.json()[0]["name"], "g");
    assert_eq!(get(&app, "/api/v1/models/g").await.json()[0]["status"], "Approved");
}

#[tokio::test]
async fn a_failing_store_is_said_and_kept_apart_from_a_missing_thing() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    assert_eq!(get(&app, "/readyz").await.status, 200);
    world.store.refuse_writes(Some("no space left on device"));
    let refused = call(&app, "DELETE", "/api/v1/pipelines/p", json!({})).await;
    assert_eq!(refused.refusal(), (503, "store".to_owned()));
    assert!(refused.text().contains("no space left on device"));
    assert_eq!(get(&app, "/api/v1/pipelines/p").await.status, 200);
}

#[tokio::test]
async fn the_document_names_every_call_and_the_probes_answer() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let document = get(&app, "/api/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths.len(), 26, "{paths:?}");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            assert!(call["summary"].is_string() || call["description"].is_string(), "{method} {path} says nothing");
            assert!(call["tags"][0].is_string(), "{method} {path} has no tag");
        }
    }
    assert_eq!(get(&app, "/healthz").await.text(), "ok\n");
    let metrics = get(&app, "/metrics").await.text();
    for line in ["haliotis_slots 4", "haliotis_builds_open{status=\"running\"} 0", "haliotis_store_healthy 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    assert_eq!(
        get(&app, "/api/v1/agents").await.json(),
        json!([{ "name": "here", "labels": ["linux", "x86_64"], "slots": 4, "busy": 0, "next": 0 }])
    );
}

#[tokio::test]
async fn a_hook_is_handed_on_and_a_huge_one_is_not() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let hook = |url: &str, signed: bool, bytes: usize| {
        let mut request = axum::http::Request::post(url);
        if signed {
            request = request.header("x-hub-signature-256", "sha256=00");
        }
        send(&app, request.body(vec![b'x'; bytes].into()).unwrap())
    };
    assert_eq!(hook("/github-webhook/", false, 10).await.status, 401);
    assert_eq!(hook("/github-webhook/", true, 10).await.text(), "recorded\n");
    assert_eq!(hook("/hooks/gitlab", true, 20 << 20).await.status, 200);
    assert_eq!(hook("/hooks/gitlab", true, 26 << 20).await.status, 413);
    assert_eq!(*world.hooks.0.lock().unwrap(), [("github".to_owned(), 10), ("gitlab".to_owned(), 20 << 20)]);
}
