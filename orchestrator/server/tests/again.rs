//! Builds run again from the middle, and four eyes: through pages, the API and Jenkins' API.

mod world;

use haliotis_model::BuildId;
use haliotis_server::router;
use serde_json::json;
use world::World;
use world::http::{call, form, get};

#[tokio::test]
async fn a_build_runs_again_from_what_failed_and_from_a_step() {
    let world = World::new().await;
    let nodes = json!([
        {"id": "/prepare", "name": "Prepare", "kind": "step", "uses": "sh", "with": {"outputs": {"rows": 5}}},
        {"id": "/train", "name": "Train", "kind": "step", "needs": ["/prepare"], "uses": "sh",
         "with": {"result": "failure", "message": "no memory"}},
    ]);
    world.pipeline("p", &nodes.to_string()).await;
    let app = router(world.state.clone());
    form(&app, "/pipelines/p/start", &[]).await;
    world.engine.wait(BuildId(1)).await.unwrap();
    let page = get(&app, "/builds/1").await.text();
    assert!(
        page.contains("Run again from what failed") && page.contains("<option value=\"/train\">train</option>"),
        "{page}"
    );
    let again = form(&app, "/builds/1/rerun", &[("from", "failed")]).await;
    assert_eq!(again.header("location"), "/builds/2");
    let second = world.engine.wait(BuildId(2)).await.unwrap();
    let taken: Vec<_> = second.nodes.iter().filter(|node| node.carried).map(|node| node.id.as_str()).collect();
    assert_eq!(taken, ["/prepare"]);
    let page = get(&app, "/builds/2").await.text();
    assert!(
        page.contains("#1 again from what failed: 1 step is taken over") && page.contains("taken over from #1"),
        "{page}"
    );
    let step = get(&app, "/builds/2/step?path=%2Fprepare").await.text();
    assert!(step.contains("its log is there") && step.contains("/builds/1/step?path=%2Fprepare"), "{step}");
    // The API says which one it made, the trail who asked.
    let made =
        call(&app, "POST", "/api/v1/builds/1/rerun", json!({"from": "/train", "parameters": {"rounds": 7}})).await;
    assert_eq!((made.status.as_u16(), &made.json()["number"]), (201, &json!(3)));
    assert_eq!(world.engine.wait(BuildId(3)).await.unwrap().build.parameters["rounds"], 7);
    assert_eq!(call(&app, "POST", "/api/v1/builds/9/rerun", json!({})).await.refusal(), (404, "not-found".to_owned()));
    let trail = get(&app, "/system/audit").await.text();
    assert!(trail.contains("build.rerun") && trail.contains("#1 again, from /train"), "{trail}");
}

#[tokio::test]
async fn no_way_to_answer_lets_people_approve_their_own_work() {
    let world = World::new().await;
    let nodes = json!([{"id": "/ok", "name": "OK?", "kind": "input",
        "input": {"message": "Deploy?", "self_approval": false, "digest": "d1", "binds": {"id": "Ok"}}}]);
    world.pipeline("p", &nodes.to_string()).await;
    let app = router(world.state.clone());
    form(&app, "/pipelines/p/start", &[]).await;
    world.until(BuildId(1), |view| view.inputs.iter().any(|input| input.open())).await;
    let page = get(&app, "/builds/1").await.text();
    assert!(page.contains("Whoever started the build") && page.contains("You started this build"), "{page}");
    let fields = [("step", "/ok"), ("digest", "d1"), ("decision", "approved"), ("reason", "mine")];
    assert_eq!(form(&app, "/builds/1/answer", &fields).await.status.as_u16(), 403);
    let answer = json!({"step": "/ok", "decision": "approved", "digest": "d1"});
    let refused = call(&app, "POST", "/api/v1/builds/1/answer", answer.clone()).await;
    assert_eq!(refused.refusal(), (403, "own-work".to_owned()));
    for path in ["/job/p/1/input/Ok/proceedEmpty", "/job/p/1/input/Ok/submit", "/job/p/1/wfapi/inputSubmit?inputId=Ok"]
    {
        assert_eq!(form(&app, path, &[]).await.status.as_u16(), 403, "{path}");
    }
    assert!(world.engine.view(BuildId(1)).await.unwrap().inputs[0].open());
    let other = json!({"step": "/ok", "decision": "approved", "digest": "d1", "by": "ben"});
    assert_eq!(call(&app, "POST", "/api/v1/builds/1/answer", other).await.status.as_u16(), 200);
}
