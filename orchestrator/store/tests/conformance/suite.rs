//! What every store does; one function a promise, each run against every store by `main.rs`.

use haliotis_engine::{AuditEntry, BuildFilter, Credential, Delivery, JournalError};
use haliotis_model::bounds::{Bounds, Scope};
use haliotis_model::{BuildId, BuildResult, BuildStatus, Millis, Object, Pipeline};

use crate::Subject;
use crate::fixtures::{append, append_end, item, new_build, new_build_once, turn};

pub(crate) async fn builds_are_numbered_per_pipeline_and_found_again(subject: Subject) {
    let store = subject.open().await;
    let first = store.create(new_build("a")).await.unwrap();
    let other = store.create(new_build("b")).await.unwrap();
    let second = store.create(new_build("a")).await.unwrap();
    assert_eq!((first.number, other.number, second.number), (1, 1, 2));
    assert!(first.id < other.id && other.id < second.id && !second.existing);
    assert_eq!(store.find_build("a", 2).await.unwrap(), Some(second.id));
    assert_eq!(store.find_build("a", 3).await.unwrap(), None);
    assert_eq!(store.find_build("c", 1).await.unwrap(), None);

    let (pinned, turns) = store.load(second.id).await.unwrap();
    let mut expected = new_build("a");
    expected.number = 2;
    assert_eq!(pinned, expected);
    let names: Vec<&String> = pinned.parameters.keys().collect();
    assert_eq!(names, ["Zeta", "Alpha"], "parameters keep their order");
    assert_eq!(turns, []);
}

pub(crate) async fn a_once_key_makes_one_build(subject: Subject) {
    let store = subject.open().await;
    let made = store.create(new_build_once("a", "poll:x")).await.unwrap();
    let again = store.create(new_build_once("a", "poll:x")).await.unwrap();
    assert_eq!((again.id, again.number, again.existing), (made.id, made.number, true));
    let other = store.create(new_build_once("a", "poll:y")).await.unwrap();
    assert_eq!((other.number, other.existing), (2, false), "the refused one took no number");
}

pub(crate) async fn concurrent_creates_with_one_key_make_one_build(subject: Subject) {
    let store = subject.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..64 {
        let store = store.clone();
        tasks.spawn(async move { store.create(new_build_once("a", &format!("key:{}", index % 4))).await.unwrap() });
    }
    let created = tasks.join_all().await;
    assert_eq!(created.iter().filter(|created| !created.existing).count(), 4);
    let mut numbers: Vec<u32> = created.iter().filter(|made| !made.existing).map(|made| made.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let builds = store.builds(&BuildFilter::default()).await.unwrap();
    assert_eq!(builds.len(), 4);
}

pub(crate) async fn turns_load_in_order(subject: Subject) {
    let store = subject.open().await;
    let build = store.create(new_build("a")).await.unwrap().id;
    for after in 0..300 {
        store.append(vec![append(build, after)]).await.unwrap().remove(0).unwrap();
    }
    let (_, turns) = store.load(build).await.unwrap();
    assert_eq!(turns, (1..=300).map(turn).collect::<Vec<_>>());
}

pub(crate) async fn a_fenced_turn_changes_nothing_and_the_others_are_written(subject: Subject) {
    let store = subject.open().await;
    let (a, b) = (store.create(new_build("a")).await.unwrap().id, store.create(new_build("b")).await.unwrap().id);
    let mut stale = append_end(a, 7, BuildResult::Failure);
    stale.outbox.push(item("never"));
    let results = store.append(vec![stale, append(b, 0), append(BuildId(99), 0)]).await.unwrap();
    assert!(matches!(results[0], Err(JournalError::Fenced { build, expected: 7 }) if build == a), "{results:?}");
    assert!(results[1].is_ok());
    assert!(matches!(results[2], Err(JournalError::NoBuild(BuildId(99)))), "{results:?}");
    assert_eq!(store.load(a).await.unwrap().1, []);
    assert_eq!(store.load(b).await.unwrap().1, [turn(1)]);
    let summary = store.build(a).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.result), (BuildStatus::Queued, None));
    assert_eq!(store.outbox_due(Millis(i64::MAX), 10).await.unwrap(), []);
    assert!(matches!(store.load(BuildId(99)).await, Err(JournalError::NoBuild(BuildId(99)))));
}

pub(crate) async fn several_turns_of_one_build_may_be_in_one_append(subject: Subject) {
    let store = subject.open().await;
    let build = store.create(new_build("a")).await.unwrap().id;
    let results =
        store.append(vec![append(build, 0), append(build, 1), append(build, 1), append(build, 2)]).await.unwrap();
    let taken: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, false, true]);
    assert_eq!(store.load(build).await.unwrap().1, [turn(1), turn(2), turn(3)]);
    assert_eq!(store.append(Vec::new()).await.unwrap().len(), 0);
}

pub(crate) async fn of_two_that_race_for_a_turn_one_wins(subject: Subject) {
    let store = subject.open().await;
    let build = store.create(new_build("a")).await.unwrap().id;
    for after in 0..20 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let store = store.clone();
            tasks.spawn(async move { store.append(vec![append(build, after)]).await.unwrap().remove(0).is_ok() });
        }
        let won = tasks.join_all().await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "turn {}", after + 1);
    }
    assert_eq!(store.load(build).await.unwrap().1.len(), 20);
}

pub(crate) async fn many_builds_in_one_append_and_many_appends_at_once(subject: Subject) {
    let store = subject.open().await;
    let mut builds = Vec::new();
    for _ in 0..150 {
        builds.push(store.create(new_build("a")).await.unwrap().id);
    }
    let results = store.append(builds.iter().map(|build| append(*build, 0)).collect()).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    let mut tasks = tokio::task::JoinSet::new();
    for build in builds.clone() {
        let store = store.clone();
        tasks.spawn(async move {
            for after in 1..6 {
                store.append(vec![append(build, after)]).await.unwrap().remove(0).unwrap();
            }
            store.append(vec![append_end(build, 6, BuildResult::Success)]).await.unwrap().remove(0).unwrap();
        });
    }
    tasks.join_all().await;
    for build in builds {
        assert_eq!(store.load(build).await.unwrap().1, (1..=7).map(turn).collect::<Vec<_>>());
    }
    assert_eq!(store.unfinished().await.unwrap(), []);
}

pub(crate) async fn status_result_and_end_are_those_of_the_last_turn(subject: Subject) {
    let store = subject.open().await;
    let build = store.create(new_build("a")).await.unwrap();
    let summary = store.build(build.id).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.result, summary.ended_at), (BuildStatus::Queued, None, None));
    assert_eq!((summary.number, summary.created_at), (1, Millis(1_000)));
    assert_eq!(summary.commit.as_deref(), Some("0123456789abcdef"));
    assert_eq!(summary.causes, new_build("a").causes);
    assert_eq!(summary.parameters, new_build("a").parameters);
    for (after, status) in [BuildStatus::Running, BuildStatus::Waiting, BuildStatus::Running].into_iter().enumerate() {
        let mut next = append(build.id, after as u64);
        next.status = status;
        store.append(vec![next]).await.unwrap().remove(0).unwrap();
        assert_eq!(store.build(build.id).await.unwrap().unwrap().status, status);
    }
    store.append(vec![append_end(build.id, 3, BuildResult::NotBuilt)]).await.unwrap().remove(0).unwrap();
    let summary = store.build(build.id).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.result), (BuildStatus::Ended, Some(BuildResult::NotBuilt)));
    assert_eq!((summary.message.as_deref(), summary.ended_at), (Some("it broke"), Some(Millis(2_004))));
    assert_eq!(store.build(BuildId(99)).await.unwrap(), None);
}

pub(crate) async fn lists_are_newest_first_filtered_and_paged(subject: Subject) {
    let store = subject.open().await;
    for index in 0..600 {
        let build = store.create(new_build(if index % 3 == 0 { "a" } else { "b" })).await.unwrap().id;
        if index % 2 == 0 {
            store.append(vec![append_end(build, 0, BuildResult::Success)]).await.unwrap().remove(0).unwrap();
        }
    }
    let ids = async |filter: BuildFilter| -> Vec<i64> {
        store.builds(&filter).await.unwrap().iter().map(|build| build.id.0).collect()
    };
    let all = ids(BuildFilter { limit: 10_000, ..BuildFilter::default() }).await;
    assert_eq!(all, (101..=600).rev().collect::<Vec<_>>(), "a page has at most {} rows", BuildFilter::MAX);
    assert_eq!(ids(BuildFilter::default()).await, all, "no limit named: the largest page");
    let before = Some(BuildId(101));
    assert_eq!(ids(BuildFilter { before, limit: 3, ..BuildFilter::default() }).await, [100, 99, 98]);
    let pipeline = Some("a".to_owned());
    assert_eq!(
        ids(BuildFilter { pipeline: pipeline.clone(), limit: 3, ..BuildFilter::default() }).await,
        [598, 595, 592]
    );
    let ended = Some(BuildStatus::Ended);
    assert_eq!(ids(BuildFilter { status: ended, limit: 2, ..BuildFilter::default() }).await, [599, 597]);
    let queued =
        BuildFilter { pipeline, status: Some(BuildStatus::Queued), before, limit: 2, ..BuildFilter::default() };
    assert_eq!(ids(queued).await, [100, 94]);
    let none = BuildFilter { status: Some(BuildStatus::Waiting), ..BuildFilter::default() };
    assert_eq!(ids(none).await, Vec::<i64>::new());
    let unfinished: Vec<i64> = store.unfinished().await.unwrap().iter().map(|build| build.0).collect();
    assert_eq!(unfinished, (1..=300).map(|half| half * 2).collect::<Vec<_>>(), "oldest first");
}

pub(crate) async fn the_outbox_is_written_with_its_turn(subject: Subject) {
    let store = subject.open().await;
    let build = store.create(new_build("a")).await.unwrap().id;
    let mut end = append_end(build, 0, BuildResult::Success);
    end.outbox = vec![item("build-ended"), item("mail")];
    store.append(vec![end]).await.unwrap().remove(0).unwrap();
    assert_eq!(store.outbox_due(Millis(2_000), 10).await.unwrap(), [], "not before the turn");
    let due = store.outbox_due(Millis(2_001), 10).await.unwrap();
    let kinds: Vec<&str> = due.iter().map(|row| row.item.kind.as_str()).collect();
    assert_eq!(kinds, ["build-ended", "mail"]);
    assert_eq!((due[0].build, due[0].attempts, &due[0].item), (build, 0, &item("build-ended")));
    store.outbox_failed(due[0].id, "no route", Millis(9_000)).await.unwrap();
    store.outbox_done(due[1].id).await.unwrap();
    store.outbox_done(due[1].id).await.unwrap();
    assert_eq!(store.outbox_due(Millis(8_999), 10).await.unwrap(), []);
    let later = store.outbox_due(Millis(9_000), 10).await.unwrap();
    assert_eq!((later.len(), later[0].id, later[0].attempts), (1, due[0].id, 1));
}

pub(crate) async fn pipelines_are_kept_by_name(subject: Subject) {
    let store = subject.open().await;
    let pipeline = |name: &str, text: &str| -> Pipeline {
        let body = serde_json::json!({"name": name, "language": "yaml", "path": "p.yaml", "text": text});
        serde_json::from_value(body).unwrap()
    };
    for name in ["b", "a/deep", "a"] {
        store.put_pipeline(&pipeline(name, "1")).await.unwrap();
    }
    store.put_pipeline(&pipeline("b", "2")).await.unwrap();
    assert_eq!(store.pipeline("b").await.unwrap(), Some(pipeline("b", "2")));
    let names: Vec<String> = store.pipelines().await.unwrap().into_iter().map(|pipeline| pipeline.name).collect();
    assert_eq!(names, ["a", "a/deep", "b"]);
    let build = store.create(new_build("b")).await.unwrap();
    assert!(store.remove_pipeline("b").await.unwrap());
    assert!(!store.remove_pipeline("b").await.unwrap());
    assert_eq!(store.pipeline("b").await.unwrap(), None);
    assert_eq!(store.find_build("b", 1).await.unwrap(), Some(build.id), "its builds stay");
    assert_eq!(store.create(new_build("b")).await.unwrap().number, 2, "and its numbers go on");
}

pub(crate) async fn cursors_are_replaced(subject: Subject) {
    let store = subject.open().await;
    assert_eq!(store.cursor("poll:x").await.unwrap(), None);
    for value in ["1", "2"] {
        store.set_cursor("poll:x", value).await.unwrap();
        assert_eq!(store.cursor("poll:x").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.cursor("poll:y").await.unwrap(), None);
}

pub(crate) async fn a_delivery_is_recorded_once(subject: Subject) {
    let store = subject.open().await;
    let delivery = |id: &str| Delivery {
        id: id.to_owned(),
        at: Millis(5),
        host: "github".to_owned(),
        event: "push".to_owned(),
        payload: "{\"ref\": 1}".to_owned(),
        outcome: String::new(),
    };
    for id in ["github:1", "github:2", "github:3"] {
        assert!(store.record_delivery(&delivery(id)).await.unwrap());
    }
    let changed = Delivery { payload: "other".to_owned(), ..delivery("github:1") };
    assert!(!store.record_delivery(&changed).await.unwrap());
    store.delivery_outcome("github:2", "build 1").await.unwrap();
    assert!(store.delivery_outcome("github:9", "lost").await.is_err());
    let waiting = store.deliveries(true, 10).await.unwrap();
    assert_eq!(waiting, [delivery("github:1"), delivery("github:3")], "oldest first, as first received");
    let newest: Vec<String> = store.deliveries(false, 2).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(newest, ["github:3", "github:2"]);
}

pub(crate) async fn the_audit_trail_is_newest_first_by_subject(subject: Subject) {
    let store = subject.open().await;
    let entry = |number: i64, subject: &str| AuditEntry {
        at: Millis(number),
        by: "ada".to_owned(),
        action: "model.approve".to_owned(),
        subject: subject.to_owned(),
        reason: "good \u{1F44D}".to_owned(),
        detail: Object::from_iter([("mse".to_owned(), serde_json::json!(4.5))]),
    };
    for number in 0..6 {
        store.record_audit(&entry(number, if number % 2 == 0 { "even" } else { "odd" })).await.unwrap();
    }
    assert_eq!(store.audit(None, 2).await.unwrap(), [entry(5, "odd"), entry(4, "even")]);
    assert_eq!(store.audit(Some("even"), 2).await.unwrap(), [entry(4, "even"), entry(2, "even")]);
    assert_eq!(store.audit(Some("none"), 2).await.unwrap(), []);
}

pub(crate) async fn credentials_are_listed_without_their_fields(subject: Subject) {
    let store = subject.open().await;
    let credential = |id: &str, secret: &str| Credential {
        id: id.to_owned(),
        kind: "text".to_owned(),
        description: "for tests".to_owned(),
        fields: [("text".to_owned(), secret.to_owned())].into(),
        bounds: Bounds { scope: Scope::Folder("team".to_owned()), hosts: vec!["h".to_owned()], ..Bounds::default() },
    };
    store.put_credential(&credential("git", "one")).await.unwrap();
    store.put_credential(&credential("aws", "two")).await.unwrap();
    store.put_credential(&credential("git", "three")).await.unwrap();
    assert!(store.credential("git").await.unwrap() == Some(credential("git", "three")));
    let listed = store.credentials().await.unwrap();
    let ids: Vec<&str> = listed.iter().map(|credential| credential.id.as_str()).collect();
    assert_eq!(ids, ["aws", "git"]);
    assert!(listed.iter().all(|credential| credential.fields.is_empty() && credential.kind == "text"));
    assert!(store.remove_credential("git").await.unwrap());
    assert!(!store.remove_credential("git").await.unwrap());
    assert!(store.credential("git").await.unwrap().is_none());
}

pub(crate) async fn everything_is_there_after_a_restart(subject: Subject) {
    let store = subject.open().await;
    let build = store.create(new_build_once("a", "k")).await.unwrap().id;
    let ended = store.create(new_build("a")).await.unwrap().id;
    let mut first = append(build, 0);
    first.outbox.push(item("kept"));
    let results = store.append(vec![first, append_end(ended, 0, BuildResult::Aborted)]).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    store.set_cursor("c", "v").await.unwrap();
    drop(store);

    let store = subject.open().await;
    assert_eq!(store.unfinished().await.unwrap(), [build]);
    assert_eq!(store.load(build).await.unwrap().1, [turn(1)]);
    assert_eq!(store.cursor("c").await.unwrap().as_deref(), Some("v"));
    assert_eq!(store.outbox_due(Millis(i64::MAX), 10).await.unwrap().len(), 1);
    assert!(store.create(new_build_once("a", "k")).await.unwrap().existing);
    assert_eq!(store.create(new_build("a")).await.unwrap().number, 3);
    store.append(vec![append(build, 1)]).await.unwrap().remove(0).unwrap();
    assert!(store.append(vec![append(build, 1)]).await.unwrap().remove(0).is_err(), "the fence holds over a restart");
}

pub(crate) async fn of_two_openers_one_advances_a_build(subject: Subject) {
    let (one, two) = (subject.open().await, subject.open().await);
    let build = one.create(new_build_once("a", "k")).await.unwrap().id;
    assert!(two.create(new_build_once("a", "k")).await.unwrap().existing);
    one.append(vec![append(build, 0)]).await.unwrap().remove(0).unwrap();
    let late = two.append(vec![append(build, 0)]).await.unwrap().remove(0);
    assert!(matches!(late, Err(JournalError::Fenced { .. })), "{late:?}");
    assert_eq!(two.unfinished().await.unwrap(), [build], "who goes on with a build takes it over first");
    let (_, turns) = two.load(build).await.unwrap();
    two.append(vec![append(build, turns.len() as u64)]).await.unwrap().remove(0).unwrap();
    assert_eq!(one.load(build).await.unwrap().1, [turn(1), turn(2)]);
}

pub(crate) async fn documents_are_kept_by_kind_and_name(subject: Subject) {
    let store = subject.open().await;
    store.put_document("config", "b", "<b/>").await.unwrap();
    store.put_document("config", "a", "<a/>").await.unwrap();
    store.put_document("view", "a", "<view/>").await.unwrap();
    store.put_document("config", "a", "<a>2</a>").await.unwrap();
    assert_eq!(store.document("config", "a").await.unwrap().as_deref(), Some("<a>2</a>"));
    assert_eq!(store.document("config", "c").await.unwrap(), None);
    let pair = |name: &str, body: &str| (name.to_owned(), body.to_owned());
    assert_eq!(store.documents("config").await.unwrap(), [pair("a", "<a>2</a>"), pair("b", "<b/>")]);
    assert!(store.remove_document("config", "a").await.unwrap());
    assert!(!store.remove_document("config", "a").await.unwrap());
    assert_eq!(store.document("view", "a").await.unwrap().as_deref(), Some("<view/>"));
    for (expected, body, done) in [
        (Some("x"), "1", false),
        (None, "1", true),
        (None, "2", false),
        (Some("2"), "3", false),
        (Some("1"), "2", true),
    ] {
        assert_eq!(store.swap_document("table", "t", expected, body).await.unwrap(), done, "{expected:?} -> {body}");
    }
    assert_eq!(store.document("table", "t").await.unwrap().as_deref(), Some("2"));
}

pub(crate) async fn a_renamed_pipeline_keeps_its_builds_numbers_and_documents(subject: Subject) {
    let store = subject.open().await;
    store.put_pipeline(&pipeline("a")).await.unwrap();
    store.put_pipeline(&pipeline("used")).await.unwrap();
    let build = store.create(new_build("a")).await.unwrap().id;
    store.put_document("config", "a", "<a/>").await.unwrap();
    assert!(!store.rename_pipeline("absent", "x").await.unwrap());
    assert!(store.rename_pipeline("a", "used").await.is_err());
    assert_eq!(store.pipeline("a").await.unwrap().map(|found| found.name).as_deref(), Some("a"));
    assert_eq!(store.find_build("a", 1).await.unwrap(), Some(build), "a refused rename changes nothing");

    assert!(store.rename_pipeline("a", "team/b").await.unwrap());
    assert_eq!(store.pipeline("a").await.unwrap(), None);
    assert_eq!(store.pipeline("team/b").await.unwrap().map(|found| found.name).as_deref(), Some("team/b"));
    assert_eq!(store.find_build("team/b", 1).await.unwrap(), Some(build));
    assert_eq!(store.next_number("team/b").await.unwrap(), 2);
    assert_eq!(store.next_number("a").await.unwrap(), 1);
    assert_eq!(store.document("config", "team/b").await.unwrap().as_deref(), Some("<a/>"));
    assert_eq!(store.create(new_build("team/b")).await.unwrap().number, 2);
}

pub(crate) async fn numbers_only_rise_and_the_newest_build_of_each_pipeline_is_found(subject: Subject) {
    let store = subject.open().await;
    for name in ["a", "b", "none"] {
        store.put_pipeline(&pipeline(name)).await.unwrap();
    }
    store.create(new_build("a")).await.unwrap();
    store.raise_next_number("a", 40).await.unwrap();
    store.raise_next_number("a", 7).await.unwrap();
    assert_eq!(store.next_number("a").await.unwrap(), 40);
    store.create(new_build("a")).await.unwrap();
    store.create(new_build("b")).await.unwrap();
    store.create(new_build("unregistered")).await.unwrap();
    let newest = store.newest_builds().await.unwrap();
    let names: Vec<_> = newest.iter().map(|build| (build.pipeline.as_str(), build.number)).collect();
    assert_eq!(names, [("a", 40), ("b", 1)]);
}

pub(crate) async fn an_ended_build_can_go_and_its_number_stays(subject: Subject) {
    let store = subject.open().await;
    let (gone, asks, runs) = (
        store.create(new_build("a")).await.unwrap().id,
        store.create(new_build("a")).await.unwrap().id,
        store.create(new_build("a")).await.unwrap().id,
    );
    let mut asking = append_end(asks, 0, BuildResult::Success);
    asking.outbox.push(item("build-ended"));
    let ends = vec![append_end(gone, 0, BuildResult::Failure), asking, append(runs, 0)];
    assert!(store.append(ends).await.unwrap().iter().all(Result::is_ok));

    assert!(store.remove_build(gone).await.unwrap());
    assert!(!store.remove_build(gone).await.unwrap(), "it is gone already");
    assert!(!store.remove_build(runs).await.unwrap(), "it runs");
    assert!(!store.remove_build(asks).await.unwrap(), "its outbox waits");
    assert!(matches!(store.load(gone).await, Err(JournalError::NoBuild(_))));
    assert_eq!(store.load(runs).await.unwrap().1.len(), 1);
    assert_eq!(store.find_build("a", 1).await.unwrap(), None);
    let row = store.outbox_due(Millis(i64::MAX), 10).await.unwrap().remove(0);
    store.outbox_done(row.id).await.unwrap();
    assert!(store.remove_build(asks).await.unwrap());
    assert_eq!(store.create(new_build("a")).await.unwrap().number, 4, "a number is never used twice");
}

pub(crate) async fn deliveries_go_once_dealt_with(subject: Subject) {
    let store = subject.open().await;
    for (id, at, outcome) in [("old", 1, "done"), ("waits", 1, ""), ("new", 9, "done")] {
        let delivery = Delivery {
            id: id.to_owned(),
            at: Millis(at),
            host: "github".to_owned(),
            event: "push".to_owned(),
            payload: "{}".to_owned(),
            outcome: outcome.to_owned(),
        };
        assert!(store.record_delivery(&delivery).await.unwrap());
    }
    assert_eq!(store.remove_deliveries(Millis(9)).await.unwrap(), 1);
    let left: Vec<_> = store.deliveries(false, 10).await.unwrap().into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(left, ["new", "waits"]);
}

fn pipeline(name: &str) -> Pipeline {
    serde_json::from_value(serde_json::json!({"name": name, "language": "yaml", "path": "p.yaml"})).unwrap()
}
