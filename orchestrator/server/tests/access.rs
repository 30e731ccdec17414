//! Every route with every role and without login, from the table that the router is made of; and what a caller may not
//! see is not there for them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use haliotis_access::{
    Grant, Group, Kind, MemoryRecords, Name, Permission, Permissions, Role, Subject, Typed, User, password, token,
};
use haliotis_server::access::{Access, NeedRow};
use haliotis_server::{ModelPackage, ServerConfig, router, routes};
use serde_json::json;
use tower::ServiceExt;
use world::http::{Answer, send};
use world::{ASKS, World};

/// Those who may do something, and where.
const PEOPLE: [(&str, Option<Role>, &str); 7] = [
    ("nobody-in-particular", None, ""),
    ("viewer", Some(Role::Viewer), ""),
    ("builder", Some(Role::Builder), ""),
    ("approver", Some(Role::Approver), ""),
    ("maintainer", Some(Role::Maintainer), ""),
    ("admin", Some(Role::Admin), ""),
    ("elsewhere", Some(Role::Admin), "other-team"),
];

fn user(name: &str) -> User {
    User {
        name: Name::parse(name).unwrap(),
        full_name: String::new(),
        password: None,
        must_change: false,
        disabled: false,
        external: None,
        created_at: 0,
    }
}

struct House {
    world: World,
    app: Router,
    records: Arc<MemoryRecords>,
    tokens: Vec<String>,
}

/// A server with a login, one user of each kind, a pipeline `p` with a build that asks, and a pipeline of another team.
async fn house() -> House {
    let config = ServerConfig { dev: false, ..world::config() };
    let mut world = World::over(Default::default(), config).await;
    world.pipeline("p", ASKS).await;
    world.pipeline("other-team/q", "[]").await;
    let build = world.start("p").await;
    world.until(build, |view| view.inputs.iter().any(haliotis_engine::InputView::open)).await;
    let package = ModelPackage { arn: arn(), group: "g".to_owned(), version: 1, ..ModelPackage::default() };
    world.models.packages.lock().unwrap().push(package);
    let records = Arc::new(MemoryRecords::default());
    let store = Typed(records.as_ref());
    let mut tokens = Vec::new();
    for (name, role, scope) in PEOPLE {
        store.put_user(&user(name)).await.unwrap();
        let subject = Subject::User(Name::parse(name).unwrap());
        if let Some(role) = role {
            store.put_grant(&Grant { subject, role, scope: scope.to_owned() }).await.unwrap();
        }
        let wish = token::Wish { permissions: Permissions::EVERY, ..token::Wish::default() };
        let (text, token) = token::mint(Name::parse(name).unwrap(), wish, 0).unwrap();
        store.put(Kind::Token, &token.id, &token).await.unwrap();
        tokens.push(text);
    }
    world.state = world.state.clone().with_access(Access::new(records.clone(), None));
    let app = router(world.state.clone());
    House { world, app, records, tokens }
}

fn arn() -> String {
    "arn:aws:sagemaker:eu-west-1:000000000000:model-package/g/1".to_owned()
}

impl House {
    fn token(&self, name: &str) -> &str {
        &self.tokens[PEOPLE.iter().position(|(one, ..)| *one == name).unwrap()]
    }

    fn request(&self, method: &Method, url: &str, token: Option<&str>) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(url).header("host", "127.0.0.1:8080");
        match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Status and, of a refusal, its code; the body of a stream is not waited for.
    async fn ask(&self, method: &Method, url: &str, token: Option<&str>) -> (u16, String) {
        let request = self.request(method, url, token).header("content-type", "application/json");
        let response = self.app.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
        let status = response.status();
        if !status.is_client_error() {
            return (status.as_u16(), String::new());
        }
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        (status.as_u16(), json["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn get(&self, url: &str, name: &str) -> Answer {
        let request = self.request(&Method::GET, url, Some(self.token(name)));
        send(&self.app, request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, url: &str, name: &str, body: serde_json::Value) -> Answer {
        let request = self.request(&Method::POST, url, Some(self.token(name)));
        let request = request.header("content-type", "application/json");
        send(&self.app, request.body(Body::from(body.to_string())).unwrap()).await
    }
}

/// A path of the table with something in the place of each parameter that is there.
fn filled(path: &str) -> String {
    let mut path = path.replace("{id}", "1").replace("{name}", "p").replace("{number}", "1").replace("{group}", "g");
    path = path.replace("{host}", "github").replace("{hash}", "0");
    path.replace("{*rest}", "x")
}

/// What a role may do with `p` and with the server; the same words as the roles' documentation, written down once more.
fn granted(role: Option<Role>, permission: Permission) -> bool {
    use Permission::{Administer, Approve, Build, Configure, View};
    let allowed: &[Permission] = match role {
        None => &[],
        Some(Role::Viewer) => &[View],
        Some(Role::Builder) => &[View, Build],
        Some(Role::Approver) => &[View, Approve],
        Some(Role::Maintainer) => &[View, Build, Configure],
        Some(Role::Admin) => &[View, Build, Approve, Configure, Administer],
    };
    allowed.contains(&permission)
}

#[tokio::test]
async fn every_route_with_every_role() {
    let house = house().await;
    let table = routes();
    assert!(table.len() > 40, "only {} routes: the table is not whole", table.len());
    let mut tried = 0;
    for listed in &table {
        let method = listed.method.clone().unwrap_or(Method::GET);
        // Removing what the next rows need would be no test of them.
        if method == Method::DELETE {
            house.world.pipeline("p", ASKS).await;
        }
        let url = filled(&listed.path);
        for who in std::iter::once(None).chain(PEOPLE.iter().map(Some)) {
            let token = who.map(|(name, ..)| house.token(name));
            let (status, code) = house.ask(&method, &url, token).await;
            let at = format!("{method} {url} as {who:?}: {status} {code}");
            let expected = match (listed.need.row(), who) {
                (NeedRow::Public(why), _) => {
                    let let_in = !["no-login", "login-refused", "not-allowed"].contains(&code.as_str());
                    assert!(!why.is_empty() && let_in && status < 500, "{at}");
                    continue;
                }
                (NeedRow::ByPath, _) => None,
                (_, None) => {
                    assert_eq!(status, 401, "{at}");
                    continue;
                }
                (NeedRow::Login, _) => Some(true),
                (NeedRow::System(permission), Some((_, role, scope))) => {
                    Some(scope.is_empty() && granted(*role, permission))
                }
                (NeedRow::Somewhere(permission), Some((_, role, _))) => Some(granted(*role, permission)),
                (NeedRow::Pipeline(permission), Some((_, role, scope))) => {
                    if !scope.is_empty() || role.is_none() {
                        assert_eq!(status, 404, "not theirs, so not there: {at}");
                        continue;
                    }
                    Some(granted(*role, permission))
                }
            };
            tried += 1;
            match expected {
                Some(true) => assert!(status != 401 && code != "not-allowed" && status < 500, "{at}"),
                Some(false) => assert!(status == 403, "{at}"),
                None => assert!(status < 500, "{at}"),
            }
        }
        house.world.pipeline("p", ASKS).await;
    }
    assert!(tried > 200, "{tried}");
}

#[tokio::test]
async fn what_needs_no_login_is_written_down() {
    let mut open: Vec<String> = routes()
        .iter()
        .filter(|one| matches!(one.need.row(), NeedRow::Public(_)))
        .map(|one| one.path.clone())
        .collect();
    open.sort();
    open.dedup();
    let known = [
        "/api/openapi.json",
        "/assets/{hash}/{name}",
        "/bitbucket-hook/",
        "/favicon.ico",
        "/generic-webhook-trigger/invoke",
        "/git/notifyCommit",
        "/gitea-webhook/post",
        "/github-webhook/",
        "/gitlab-webhook/post",
        "/healthz",
        "/hooks/{host}",
        "/login",
        "/login/provider",
        "/login/provider/back",
        "/readyz",
    ];
    assert_eq!(open, known, "a route without login is added here on purpose, or not at all");
}

#[tokio::test]
async fn odd_paths_open_no_door() {
    let house = house().await;
    for url in [
        "/system;a",
        "//system",
        "/%73ystem",
        "/system/",
        "/SYSTEM",
        "/api//v1/builds",
        "/api/v1/builds;x=/healthz",
        "/api/v1/builds/..%2f..%2fhealthz",
        "/healthz/../api/v1/audit",
        "/healthz%2f..%2fapi/v1/audit",
        "/api/v1/audit?jsp=/healthz",
        "/api/v1/audit%00",
        "/api/v1/audit.",
        "/assets/0/../../api/v1/audit",
        "/./api/v1/audit",
        "/hooks/../api/v1/audit",
    ] {
        let (status, _) = house.ask(&Method::GET, url, None).await;
        assert!([400, 401, 404, 405].contains(&status), "{url}: {status}");
    }
}

#[tokio::test]
async fn what_is_not_theirs_is_answered_like_what_never_was() {
    let house = house().await;
    for (theirs, never) in [
        ("/api/v1/pipelines/p", "/api/v1/pipelines/x"),
        ("/api/v1/builds/1", "/api/v1/builds/9"),
        ("/api/v1/builds/1/journal", "/api/v1/builds/9/journal"),
        ("/api/v1/builds/1/artifacts", "/api/v1/builds/9/artifacts"),
    ] {
        let (theirs, never) = (house.get(theirs, "elsewhere").await, house.get(never, "elsewhere").await);
        assert_eq!((theirs.status.as_u16(), never.status.as_u16()), (404, 404));
        let same = |text: String| text.replace(['1', '9'], "N").replace("\\\"p\\\"", "N").replace("\\\"x\\\"", "N");
        assert_eq!(same(theirs.text()), same(never.text()));
    }
    let names = |answer: Answer| -> Vec<String> {
        let rows = answer.json();
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(house.get("/api/v1/pipelines", "elsewhere").await), ["other-team/q"]);
    assert_eq!(names(house.get("/api/v1/pipelines", "viewer").await), ["other-team/q", "p"]);
    assert_eq!(house.get("/api/v1/builds", "elsewhere").await.json(), json!([]));
    assert_eq!(house.get("/api/v1/inputs", "elsewhere").await.json(), json!([]));
    assert!(!house.get("/", "elsewhere").await.text().contains("/pipelines/p\""));
    assert!(house.get("/", "viewer").await.text().contains("/pipelines/p\""));
    // The name in the body is checked like one in the path.
    let body = json!({ "pipeline": "p" });
    assert_eq!(house.post("/api/v1/builds", "elsewhere", body.clone()).await.refusal().0, 404);
    assert_eq!(house.post("/api/v1/builds", "viewer", body.clone()).await.refusal().0, 403);
    assert_eq!(house.post("/api/v1/builds", "builder", body).await.status, 201);
}

#[tokio::test]
async fn a_change_is_the_callers_own() {
    let house = house().await;
    let as_ada = json!({ "pipeline": "p", "by": "ada" });
    assert_eq!(house.post("/api/v1/builds", "builder", as_ada).await.refusal(), (403, "acts-as".to_owned()));
    let started = house.post("/api/v1/builds", "builder", json!({ "pipeline": "p" })).await.json();
    let rows = house.get("/api/v1/builds", "builder").await.json();
    let row = rows.as_array().unwrap().iter().find(|row| row["id"] == started["id"]).unwrap();
    assert_eq!(row["causes"][0]["by"], "builder", "{row}");
    // The question names ada as its approver: a right to approve is not enough.
    let question = house.get("/api/v1/builds/1", "approver").await.json()["inputs"][0].clone();
    let answer =
        json!({ "step": "/approve", "decision": "approved", "reason": "r", "digest": question["input"]["digest"] });
    let refused = house.post("/api/v1/builds/1/answer", "approver", answer).await.refusal();
    assert_eq!(refused, (403, "not-approver".to_owned()), "{question}");
    let decision = json!({ "arn": arn(), "status": "Approved", "reason": "good" });
    assert_eq!(house.post("/api/v1/models/approval", "elsewhere", decision.clone()).await.refusal().0, 404);
    assert_eq!(house.post("/api/v1/models/approval", "builder", decision.clone()).await.refusal().0, 403);
    let decided = house.post("/api/v1/models/approval", "approver", decision).await;
    assert_eq!(decided.json()["decided_by"], "approver");
}

#[tokio::test]
async fn groups_grant_and_what_is_taken_away_is_gone() {
    let house = house().await;
    let store = Typed(house.records.as_ref());
    let name = Name::parse("nobody-in-particular").unwrap();
    let group = Group { name: Name::parse("ml").unwrap(), members: [name.clone()].into() };
    let grant = Grant { subject: Subject::parse("group:ml").unwrap(), role: Role::Viewer, scope: "p".to_owned() };
    store.put(Kind::Group, "ml", &group).await.unwrap();
    store.put_grant(&grant).await.unwrap();
    // Another process may have written that, so it counts after a second at most.
    let until = async |wanted: u16| {
        for _ in 0..40 {
            if house.get("/api/v1/pipelines/p", name.as_str()).await.status == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("never {wanted}");
    };
    until(200).await;
    assert_eq!(house.get("/api/v1/pipelines/other-team%2Fq", name.as_str()).await.status, 404);
    store.put_user(&User { disabled: true, ..user(name.as_str()) }).await.unwrap();
    until(401).await;
}

/// A form as a browser sends it, with a cookie.
async fn form(house: &House, url: &str, cookie: &str, origin: bool, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = house.request(&Method::POST, url, None).header("cookie", cookie);
    request = request.header("content-type", "application/x-www-form-urlencoded");
    if origin {
        request = request.header("origin", "http://127.0.0.1:8080").header("sec-fetch-site", "same-origin");
    }
    send(&house.app, request.body(Body::from(body)).unwrap()).await
}

async fn look(house: &House, url: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = house.request(&Method::GET, url, None);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&house.app, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_person_logs_in_sets_a_password_makes_a_token_and_leaves() {
    let house = house().await;
    let store = Typed(house.records.as_ref());
    let mut admin = user("admin");
    admin.password = Some(password::hash("for-once-only").unwrap());
    admin.must_change = true;
    store.put_user(&admin).await.unwrap();
    // Where a person looks, nobody is asked to log in by a dialogue of the browser.
    let sent = look(&house, "/builds/1?x=1", &[("accept", "text/html")]).await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/login?next=%2Fbuilds%2F1%3Fx%3D1"));
    assert_eq!(sent.header("www-authenticate"), "");
    let wrong = form(&house, "/login", "", true, &[("name", "admin"), ("password", "no")]).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.header("set-cookie"), "");

    let planted = "haliotis_session=planted-by-somebody";
    let right = [("name", "Admin"), ("password", "for-once-only"), ("next", "//evil.example")];
    let entered = form(&house, "/login", planted, true, &right).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/account"));
    let set = entered.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && !set.contains("planted"), "{set}");
    let first = set.split(';').next().unwrap().to_owned();

    // Until the password is changed nothing else is open.
    let elsewhere = look(&house, "/", &[("accept", "text/html"), ("cookie", &first)]).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.header("location")), (303, "/account"));
    let short = [("old", "for-once-only"), ("new", "short"), ("again", "short")];
    assert_eq!(form(&house, "/account", &first, true, &short).await.status, 422);
    let fields = [("old", "for-once-only"), ("new", "correct horse"), ("again", "correct horse")];
    assert_eq!(form(&house, "/account", &first, false, &fields).await.status, 403, "no origin, no crumb");
    let changed = form(&house, "/account", &first, true, &fields).await;
    assert_eq!(changed.status, 303);
    let second = changed.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(look(&house, "/api/v1/builds", &[("cookie", &first)]).await.status, 401, "the old session is over");
    assert_eq!(look(&house, "/api/v1/builds", &[("cookie", &second)]).await.status, 200);

    let asked = [("label", "ci"), ("may-view", "on"), ("days", "1")];
    let made = form(&house, "/account/tokens", &second, true, &asked).await.text();
    let token = made.split("<code id=\"token\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(!look(&house, "/account", &[("cookie", &second)]).await.text().contains(&token), "shown once");
    let bearer = format!("Bearer {token}");
    assert_eq!(
        look(&house, "/api/v1/audit", &[("authorization", &bearer)]).await.status,
        403,
        "only view was asked for"
    );
    assert_eq!(look(&house, "/api/v1/builds", &[("authorization", &bearer)]).await.status, 200);
    let kept = format!("{:?}", house.records);
    assert!(!kept.contains(&token) && !kept.contains(second.split('=').nth(1).unwrap()) && !kept.contains("horse"));

    assert_eq!(form(&house, "/logout", &second, true, &[]).await.status, 303);
    assert_eq!(look(&house, "/api/v1/builds", &[("cookie", &second)]).await.status, 401);
}

#[tokio::test]
async fn a_password_in_each_request_needs_a_crumb_for_changes_and_guessing_is_slow() {
    use base64::Engine as _;
    let house = house().await;
    let mut builder = user("builder");
    builder.password = Some(password::hash("correct horse").unwrap());
    Typed(house.records.as_ref()).put_user(&builder).await.unwrap();
    let basic = |password: &str| {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("builder:{password}")))
    };
    let start = async |headers: &[(&str, &str)]| {
        let mut request = house.request(&Method::POST, "/api/v1/builds", None);
        for (name, value) in headers.iter().chain(&[("content-type", "application/json")]) {
            request = request.header(*name, *value);
        }
        send(&house.app, request.body(Body::from(r#"{"pipeline":"p"}"#)).unwrap()).await
    };
    let right = basic("correct horse");
    let refused = start(&[("authorization", &right)]).await;
    assert!(refused.text().contains("No valid crumb was included in the request"));
    assert_eq!(refused.refusal(), (403, "crumb".to_owned()));
    let crumb = look(&house, "/crumbIssuer/api/json", &[("authorization", &right)]).await.json();
    let crumb = crumb["crumb"].as_str().unwrap().to_owned();
    assert_eq!(start(&[("authorization", &right), ("jenkins-crumb", &crumb)]).await.status, 201);
    assert_eq!(start(&[("authorization", &right), ("jenkins-crumb", "00")]).await.status, 403);
    let token = basic(house.token("builder"));
    assert_eq!(start(&[("authorization", &token)]).await.status, 201, "a token needs no crumb");
    let others = basic(house.token("admin"));
    assert_eq!(start(&[("authorization", &others)]).await.status, 401, "another's token under this name");

    let wrong = basic("wrong horse");
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(look(&house, "/api/v1/builds", &[("authorization", &wrong)]).await.status.as_u16());
    }
    assert_eq!(seen, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(look(&house, "/api/v1/builds", &[("authorization", &token)]).await.status, 200, "nobody is locked out");
}

#[tokio::test]
async fn the_queue_shows_and_gives_up_what_is_the_callers_own() {
    let house = house().await;
    let mut items = Vec::new();
    for job in ["p", "other-team/job/q"] {
        let asked = house.post(&format!("/job/{job}/buildWithParameters?delay=3600sec"), "admin", json!({})).await;
        assert_eq!(asked.status, 201, "{}", asked.text());
        items.push(asked.header("location").trim_start_matches("http://127.0.0.1:8080").to_owned());
    }
    let id = |item: &str| item.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    let waiting = house.get("/queue/api/json", "elsewhere").await.json();
    let names: Vec<_> = waiting["items"].as_array().unwrap().iter().map(|item| item["task"]["name"].clone()).collect();
    assert_eq!(names, ["q"], "only the own team's");
    assert_eq!(house.get(&format!("{}api/json", items[0]), "elsewhere").await.status, 404);
    assert_eq!(house.get(&items[0], "elsewhere").await.status, 404);
    let cancel = |item: &str| format!("/queue/cancelItem?id={}", id(item));
    assert_eq!(house.post(&cancel(&items[0]), "elsewhere", json!({})).await.status, 404, "not there for them");
    assert_eq!(house.post(&cancel(&items[0]), "viewer", json!({})).await.status, 403);
    assert_eq!(house.post(&format!("{}cancelQueue", items[0]), "viewer", json!({})).await.status, 403);
    assert_eq!(
        house.get(&format!("{}api/json?tree=cancelled", items[0]), "admin").await.json()["cancelled"],
        json!(null)
    );
    assert_eq!(house.post(&cancel(&items[0]), "builder", json!({})).await.status, 204);
    assert_eq!(house.post(&cancel(&items[1]), "elsewhere", json!({})).await.status, 204);
}

#[tokio::test]
async fn a_question_takes_an_answer_of_its_groups() {
    let house = house().await;
    let text = ASKS.replace(r#""approvers": ["ada"]"#, r#""approvers": ["release"]"#);
    house.world.pipeline("g", &text).await;
    let build = house.world.start("g").await;
    house.world.until(build, |view| view.inputs.iter().any(haliotis_engine::InputView::open)).await;
    let answer = json!({"step": "/approve", "decision": "approved", "reason": "good", "digest": "d1a2"});
    let url = format!("/api/v1/builds/{}/answer", build.0);
    assert_eq!(house.post(&url, "approver", answer.clone()).await.status, 403, "in no group yet");
    let group = Group { name: Name::parse("release").unwrap(), members: [Name::parse("approver").unwrap()].into() };
    Typed(house.records.as_ref()).put(Kind::Group, "release", &group).await.unwrap();
    let later = async {
        // The directory is read again within a second.
        while house.post(&url, "approver", answer.clone()).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), later).await.expect("the group counts");
    assert_eq!(house.post(&url, "admin", answer).await.status, 409, "it was answered");
}

#[tokio::test]
async fn the_process_is_the_administrators_business() {
    let house = house().await;
    for path in ["/scriptText", "/safeRestart", "/restart", "/exit", "/safeExit", "/quietDown", "/cancelQuietDown"] {
        for name in ["viewer", "builder", "approver", "maintainer", "elsewhere"] {
            assert_eq!(house.post(path, name, json!({})).await.status, 403, "{path} by {name}");
        }
        assert_eq!(house.ask(&Method::POST, path, None).await.0, 401, "{path} by nobody");
        assert_eq!(house.get(path, "admin").await.status, 405, "{path} by GET");
    }
}
