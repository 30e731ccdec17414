//! Jenkins' API over the real router, engine and a store in memory: statuses, addresses and formats that clients build on.
//! The clients themselves run in `tests/clients`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use haliotis_engine::Catalog;
use haliotis_server::router;
use serde_json::json;
use world::http::{Answer, get, send};
use world::{ASKS, World};

const TOKEN: &str = "<flow-definition><description>made</description><authToken>s3same</authToken><definition \
    class=\"io.haliotis.Definition\"><language>outline</language><path>a.json</path><text>[]</text></definition></flow-definition>";

async fn post(app: &Router, url: &str, kind: &str, body: &str) -> Answer {
    let request = Request::post(url).header(header::HOST, "127.0.0.1:8080").header(header::CONTENT_TYPE, kind);
    send(app, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn form(app: &Router, url: &str, body: &str) -> Answer {
    post(app, url, "application/x-www-form-urlencoded", body).await
}

async fn ended(world: &World, id: i64) {
    world.engine.wait(haliotis_model::BuildId(id)).await.unwrap();
}

#[tokio::test]
async fn a_build_is_asked_for_by_post_or_by_the_jobs_token() {
    let world = World::new().await;
    let app = router(world.state.clone());
    assert_eq!(post(&app, "/createItem?name=x", "text/xml", TOKEN).await.status, 200);
    let taken = post(&app, "/createItem?name=x", "text/xml", TOKEN).await;
    assert_eq!((taken.status.as_u16(), taken.header("x-error")), (400, "A job already exists with the name 'x'"));

    let refused = get(&app, "/job/x/build").await;
    assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, "POST"));
    assert_eq!(get(&app, "/job/x/build?token=wrong").await.status, 403);
    let started = get(&app, "/job/x/build?token=s3same&cause=approved").await;
    assert_eq!((started.status.as_u16(), started.header("location")), (201, "http://127.0.0.1:8080/queue/item/1/"));
    ended(&world, 1).await;
    let build = get(&app, "/job/x/1/api/json?tree=result,actions[causes[shortDescription,note]]").await.json();
    assert_eq!(build["result"], "SUCCESS");
    assert_eq!(build["actions"][0]["causes"][0]["note"], "approved");
    let item = get(&app, "/queue/item/1/api/json").await.json();
    assert_eq!(
        (&item["_class"], &item["executable"]["url"]),
        (&json!("hudson.model.Queue$LeftItem"), &json!("http://127.0.0.1:8080/job/x/1/"))
    );
    assert_eq!(get(&app, "/queue/item/1/").await.status, 200);

    assert_eq!(form(&app, "/job/x/buildWithParameters", "").await.status, 400, "it has no parameters");
    assert_eq!(form(&app, "/job/x/disable", "").await.status, 302);
    assert_eq!(form(&app, "/job/x/build", "").await.status, 409);
    assert!(get(&app, "/job/x/config.xml").await.text().contains("<disabled>true</disabled>"));
    assert_eq!(form(&app, "/job/absent/build", "").await.status, 404);
    assert_eq!(get(&app, "/job/x/doDelete").await.status, 405, "a GET removes nothing");
}

#[tokio::test]
async fn a_delay_waits_in_the_queue_and_equal_requests_wait_once() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    let first = form(&app, "/job/p/buildWithParameters?delay=3600sec", "rounds=7").await;
    let again = form(&app, "/job/p/buildWithParameters?delay=3600sec", "rounds=7").await;
    let other = form(&app, "/job/p/buildWithParameters?delay=3600sec", "rounds=8").await;
    assert_eq!((first.status.as_u16(), again.status.as_u16(), other.status.as_u16()), (201, 303, 201));
    assert_eq!(first.header("location"), again.header("location"));
    assert_ne!(first.header("location"), other.header("location"));
    let queue = get(&app, "/queue/api/json").await.json();
    let items = queue["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items[0]["why"].as_str().unwrap().starts_with("In the quiet period. Expires in "), "{queue}");
    let id = items[0]["id"].as_i64().unwrap();
    assert_eq!(form(&app, &format!("/queue/cancelItem?id={id}"), "").await.status, 204);
    assert_eq!(form(&app, "/queue/cancelItem?id=77", "").await.status, 404);
    assert_eq!(get(&app, &format!("/queue/item/{id}/api/json")).await.json()["cancelled"], true);
    assert_eq!(get(&app, "/job/p/api/json?tree=inQueue").await.json()["inQueue"], true);
    assert_eq!(form(&app, "/job/p/build?delay=soon", "").await.status, 400);
}

#[tokio::test]
async fn a_quiet_server_keeps_what_is_asked_of_it() {
    let world = World::new().await;
    world.pipeline("p", "[]").await;
    let app = router(world.state.clone());
    assert_eq!(form(&app, "/quietDown", "").await.status, 302);
    let asked = form(&app, "/job/p/buildWithParameters", "").await;
    let item = asked.header("location").trim_start_matches("http://127.0.0.1:8080").to_owned();
    let waiting = get(&app, &format!("{item}api/json")).await.json();
    assert_eq!(waiting["_class"], "hudson.model.Queue$WaitingItem");
    assert_eq!(get(&app, "/api/json?tree=quietingDown").await.json()["quietingDown"], true);
    assert_eq!(form(&app, "/cancelQuietDown", "").await.status, 302);
    let begun = async {
        loop {
            let left = get(&app, &format!("{item}api/json?tree=executable[number]")).await.json();
            if left["executable"]["number"] == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), begun).await.expect("it begins once it may");
    let build = get(&app, "/job/p/1/api/json?tree=queueId").await.json();
    assert!(item.contains(&build["queueId"].to_string()), "the build knows its item");
}

#[tokio::test]
async fn objects_in_three_formats_along_what_is_wanted() {
    let world = World::new().await;
    world.pipeline("team/p", "[]").await;
    let app = router(world.state.clone());
    for number in 1..=3 {
        assert_eq!(form(&app, "/job/team/job/p/buildWithParameters", "").await.status, 201);
        ended(&world, number).await;
    }
    let tree = get(&app, "/job/team/job/p/api/json?tree=builds[number]{1,3},lastBuild[number]").await.json();
    let builds: Vec<_> = tree["builds"].as_array().unwrap().iter().map(|build| build["number"].clone()).collect();
    assert_eq!((builds, &tree["lastBuild"]["number"]), (vec![json!(2), json!(1)], &json!(3)));
    let nested = get(&app, "/api/json?tree=jobs[name,jobs[name,color]]").await.json();
    assert_eq!(
        nested["jobs"][0]["jobs"][0],
        json!({ "_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob", "name": "p", "color": "blue" })
    );
    let python = get(&app, "/job/team/job/p/api/python").await.text();
    assert!(python.contains("\"buildable\":True") && python.contains("\"queueItem\":None"), "{python}");
    let color = get(&app, "/job/team/job/p/api/xml?xpath=/*/color/text()").await;
    assert_eq!((color.text().as_str(), color.header("content-type")), ("blue", "text/plain;charset=utf-8"));
    let numbers = get(&app, "/job/team/job/p/api/xml?tree=builds[number]&xpath=//number&wrapper=all").await.text();
    assert_eq!(numbers, "<all><number>3</number><number>2</number><number>1</number></all>");
    assert_eq!(get(&app, "/job/team/job/p/api/xml?xpath=//absent").await.status, 404);
    let call = get(&app, "/job/team/job/p/api/json?tree=name&jsonp=f").await.text();
    assert!(call.starts_with("f({") && call.ends_with("})"));
    assert_eq!(get(&app, "/api/json?tree=jobs[name").await.status, 400);
    assert_eq!(get(&app, "/job/team/job/p/lastSuccessfulBuild/api/json").await.json()["number"], 3);
    let page = get(&app, "/job/team/job/p/2/console").await;
    assert_eq!((page.status.as_u16(), page.header("location")), (302, "http://127.0.0.1:8080/builds/2"));
}

#[tokio::test]
async fn a_console_only_grows_and_an_offset_goes_on() {
    let world = World::new().await;
    world.pipeline("p", ASKS).await;
    let app = router(world.state.clone());
    form(&app, "/job/p/buildWithParameters", "").await;
    world.until(haliotis_model::BuildId(1), |view| view.inputs.iter().any(|input| input.open())).await;
    let first = get(&app, "/job/p/1/logText/progressiveText").await;
    assert_eq!(first.header("x-more-data"), "true");
    let size: usize = first.header("x-text-size").parse().unwrap();
    assert_eq!(size, first.body.len());
    assert!(first.text().contains("ok") && first.text().contains("Deploy or Abort"), "{}", first.text());

    let pending = get(&app, "/job/p/1/wfapi/pendingInputActions").await.json();
    assert_eq!(
        (&pending[0]["id"], &pending[0]["abortUrl"]),
        (&json!("Approve"), &json!("/job/p/1/input/Approve/abort"))
    );
    let described = get(&app, "/job/p/1/wfapi/describe").await.json();
    assert_eq!(described["status"], "PAUSED_PENDING_INPUT");
    assert_eq!(form(&app, "/job/p/1/input/Approve/proceedEmpty", "").await.status, 400, "this question wants a reason");
    assert_eq!(form(&app, "/job/p/1/wfapi/inputSubmit?inputId=Approve", "reason=good").await.status, 200);
    ended(&world, 1).await;
    let rest = get(&app, &format!("/job/p/1/logText/progressiveText?start={size}")).await;
    assert_eq!(rest.header("x-more-data"), "");
    let whole = get(&app, "/job/p/1/consoleText").await.text();
    assert_eq!(whole, format!("{}{}", first.text(), rest.text()));
    assert!(whole.contains("Approved by ada") && whole.ends_with("Finished: SUCCESS\n"), "{whole}");
    let html = get(&app, "/job/p/1/logText/progressiveHtml").await;
    assert!(html.text().contains("&lt;done&gt;") && !html.text().contains("<done>"));
    assert_eq!(get(&app, "/job/p/1/logText/progressiveText?start=-8").await.text(), "SUCCESS\n");
}

#[tokio::test]
async fn secrets_go_in_and_never_come_out() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let store = "/credentials/store/system/domain/_";
    let xml = "<com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl><id>a</id><description>d</description>\
        <username>bot</username><password>canary-1</password></com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>";
    assert_eq!(post(&app, &format!("{store}/createCredentials"), "text/xml", xml).await.status, 200);
    assert_eq!(post(&app, &format!("{store}/createCredentials"), "text/xml", xml).await.status, 409);
    let shown = get(&app, &format!("{store}/credential/a/config.xml")).await.text();
    assert!(shown.contains("<username>bot</username>") && shown.contains("<secret-redacted/>"), "{shown}");
    for url in [
        format!("{store}/credential/a/config.xml"),
        format!("{store}/api/json?depth=3"),
        format!("{store}/credential/a/api/xml"),
    ] {
        assert!(!get(&app, &url).await.text().contains("canary"), "{url}");
    }
    // What was given out and comes back changed keeps the secret it stands for.
    let changed = shown.replace("<description>d<", "<description>e<");
    assert_eq!(post(&app, &format!("{store}/credential/a/config.xml"), "text/xml", &changed).await.status, 200);
    let kept = world.store.credential("a").await.unwrap().unwrap();
    assert_eq!((kept.description.as_str(), kept.fields.get("password").map(String::as_str)), ("e", Some("canary-1")));
    assert_eq!(form(&app, &format!("{store}/credential/a/doDelete"), "").await.status, 302);
    assert!(world.store.credential("a").await.unwrap().is_none());
    let bomb = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    assert_eq!(post(&app, "/createItem?name=bomb", "text/xml", bomb).await.status, 400);
}

#[tokio::test]
async fn a_generic_webhook_starts_what_its_token_names() {
    let world = World::new().await;
    let app = router(world.state.clone());
    let job = |token: &str| {
        let trigger = "<properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>\
            <hudson.model.StringParameterDefinition><name>ref</name><defaultValue>none</defaultValue></hudson.model.StringParameterDefinition>\
            </parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties><triggers>\
            <org.jenkinsci.plugins.gwt.GenericTrigger><genericVariables><org.jenkinsci.plugins.gwt.GenericVariable>\
            <expressionType>JSONPath</expressionType><key>ref</key><value>$.ref</value><regexpFilter>^refs/heads/</regexpFilter></org.jenkinsci.plugins.gwt.GenericVariable></genericVariables>\
            <regexpFilterText>$ref</regexpFilterText><regexpFilterExpression>^(main|dev)$</regexpFilterExpression>\
            <token>TOKEN</token><causeString>pushed $ref</causeString></org.jenkinsci.plugins.gwt.GenericTrigger></triggers><definition";
        TOKEN.replace("<definition", trigger).replace("TOKEN", token)
    };
    assert_eq!(post(&app, "/createItem?name=one", "text/xml", &job("first")).await.status, 200);
    assert_eq!(post(&app, "/createItem?name=two", "text/xml", &job("second")).await.status, 200);
    let invoke = "/generic-webhook-trigger/invoke";
    let body = r#"{"ref": "refs/heads/main"}"#;
    let started = post(&app, &format!("{invoke}?token=first"), "application/json", body).await;
    assert_eq!(started.status, 200, "{}", started.text());
    let told = started.json();
    assert_eq!((&told["jobs"]["one"]["triggered"], &told["jobs"]["two"]), (&json!(true), &json!(null)), "{told}");
    let id = told["jobs"]["one"]["id"].as_i64().unwrap();
    ended(&world, id).await;
    let build = get(&app, "/job/one/1/api/json?tree=actions[parameters[name,value],causes[note]]").await.json();
    assert!(
        build.to_string().contains(r#"{"name":"ref","value":"main"}"#) || build.to_string().contains("\"main\""),
        "{build}"
    );
    let other = post(&app, &format!("{invoke}?token=first"), "application/json", r#"{"ref": "refs/heads/x"}"#).await;
    assert_eq!(other.json()["jobs"]["one"]["triggered"], false, "the filter");
    let dry = post(&app, &format!("{invoke}?token=second&gwt-dry-run"), "application/json", body).await.json();
    assert_eq!(
        (&dry["jobs"]["two"]["triggered"], &dry["jobs"]["two"]["resolvedVariables"]["ref"]),
        (&json!(false), &json!("main"))
    );
    assert_eq!(post(&app, &format!("{invoke}?token=wrong"), "application/json", body).await.status, 404);
    assert_eq!(post(&app, invoke, "application/json", body).await.status, 404, "a token is asked for");
    assert_eq!(get(&app, "/job/two/api/json?tree=nextBuildNumber").await.json()["nextBuildNumber"], 1);
}
