//! Who may speak to the server, what a browser may do with its answers, and that looking changes nothing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use axum::http::Request;
use haliotis_engine::Catalog;
use haliotis_model::BuildStatus;
use haliotis_server::{ModelPackage, ServerConfig, router};
use world::http::{Answer, call, form, get, send};
use world::{ASKS, World};

async fn start(app: &axum::Router, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post("/api/v1/builds").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(app, request.body(r#"{"pipeline":"p"}"#.into()).unwrap()).await
}

#[tokio::test]
async fn foreign_hosts_and_foreign_sites_are_refused() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:8080", ""] {
        let answer = send(&app, Request::get("/").header("host", host).body("".into()).unwrap()).await;
        assert_eq!(answer.status, 421, "{host:?}");
        assert_eq!(start(&app, &[("host", host)]).await.status, 421, "{host:?}");
    }
    for headers in [
        [("host", "127.0.0.1:8080"), ("origin", "http://evil.example")],
        [("host", "127.0.0.1:8080"), ("origin", "null")],
        [("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:9999")],
        [("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site")],
        [("host", "127.0.0.1:8080"), ("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(start(&app, &headers).await.refusal(), (403, "cross-site".to_owned()), "{headers:?}");
    }
    assert!(
        world.store.builds(&haliotis_engine::BuildFilter { limit: 9, ..Default::default() }).await.unwrap().is_empty()
    );
    for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"] {
        let origin = format!("http://{host}");
        let headers = [("host", host), ("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        assert_eq!(start(&app, &headers).await.status, 201, "{host}");
    }
    // A form of another site cannot pass for JSON either.
    let text = Request::post("/api/v1/builds").header("host", "localhost").header("content-type", "text/plain");
    assert_eq!(send(&app, text.body(r#"{"pipeline":"p"}"#.into()).unwrap()).await.status, 415);
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let world = World::new().await;
    let app = router(world.state.clone());
    for url in ["/", "/nope", "/system", "/api/v1/builds", "/api/openapi.json", "/healthz"] {
        let answer = get(&app, url).await;
        let policy = answer.header("content-security-policy").to_owned();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{url}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{url}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{url}");
        assert_eq!(answer.header("cache-control"), "no-store", "{url}");
    }
}

#[tokio::test]
async fn without_dev_mode_nobody_changes_anything() {
    let config = ServerConfig { dev: false, ..world::config() };
    let world = World::over(Default::default(), config).await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    assert_eq!(start(&app, &[]).await.refusal(), (401, "no-login".to_owned()));
    let posted = form(&app, "/pipelines/p/start", &[("p.rounds", "5")]).await;
    assert_eq!(posted.status, 401);
    assert!(posted.text().contains("nobody is logged in"));
    assert_eq!(get(&app, "/pipelines/p").await.status, 401, "nor sees anything");
}

#[tokio::test]
async fn looking_at_everything_changes_nothing() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    let id = world.start("p").await;
    world.until(id, |view| view.status == BuildStatus::Waiting).await;
    let package =
        ModelPackage { arn: "arn:x/1".to_owned(), group: "g".to_owned(), version: 1, ..ModelPackage::default() };
    world.models.packages.lock().unwrap().push(package);
    let before = format!("{:?} {:?}", world.store, world.models.packages.lock().unwrap());
    let mut urls: Vec<String> = [
        "/",
        "/pipelines/p",
        "/pipelines/p?from=1",
        "/pipelines/p/1",
        "/builds/1",
        "/builds/1/journal",
        "/builds/1/step?path=%2Ftrain",
        "/models",
        "/models/g",
        "/endpoints",
        "/system",
        "/metrics",
        "/readyz",
        "/builds/1/answer",
        "/builds/1/abort",
        "/pipelines/p/start",
        "/models/g/decide",
        "/github-webhook/",
    ]
    .map(str::to_owned)
    .to_vec();
    let document = get(&app, "/api/openapi.json").await.json();
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace("{id}", "1").replace("{name}", "p").replace("{group}", "g");
        urls.push(format!("{path}?step=%2Ftrain&path=x"));
    }
    for url in &urls {
        let answer = get(&app, url).await;
        assert!(answer.status.as_u16() < 500, "{url}: {}", answer.text());
    }
    assert_eq!(before, format!("{:?} {:?}", world.store, world.models.packages.lock().unwrap()));
}

#[tokio::test]
async fn the_frame_of_a_page_is_ours_and_kept_by_the_browser() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let page = get(&app, "/").await.text();
    let mut seen = 0;
    for url in page.split('"').filter(|part| part.starts_with("/assets/")) {
        let answer = get(&app, url).await;
        assert_eq!(answer.status, 200, "{url}");
        assert!(answer.header("cache-control").contains("immutable"));
        seen += 1;
    }
    assert!(seen >= 4, "{page}");
    assert_eq!(get(&app, "/assets/000000000000/app.css").await.status, 404);
    let zipped =
        Request::get("/").header("host", "localhost").header("accept-encoding", "gzip").body("".into()).unwrap();
    assert_eq!(send(&app, zipped).await.header("content-encoding"), "gzip");
    assert_eq!(call(&app, "POST", "/", serde_json::json!({})).await.status, 405);
}
