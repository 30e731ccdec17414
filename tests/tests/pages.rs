//! The pages in Debian's Chromium: every page at desktop and phone size, light and dark; pictures in
//! `target/screenshots`, which are looked at before work is called done.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and one that did not run says so")]

use std::process::Command;

use haliotis_tests::{Done, House, root};

#[test]
fn every_page_holds_in_chromium() {
    let Some(modules) = std::env::var_os("HALIOTIS_BROWSER_MODULES") else {
        eprintln!("not run: HALIOTIS_BROWSER_MODULES is not set; ./tests/run sets it");
        return;
    };
    let house = House::new();
    // A build that failed, one that waits for a person, one that went well: pages with something on them.
    house.write(
        "repo/ok.yaml",
        "name: ok\nsteps:\n  a: { run: 'printf \"\\033[32mgreen\\033[0m\\n\"' }\n  b: { needs: [a], run: 'true' }\n",
    );
    house.write(
        "repo/bad.yaml",
        "name: bad\nsteps:\n  a: { run: 'echo <b>no</b>; exit 3' }\n  b: { needs: [a], run: 'true' }\n",
    );
    house.write(
        "repo/ask.yaml",
        "name: ask\nsteps:\n  a: { run: 'true' }\n  approve: { needs: [a], input: { message: 'Go to production?', binds: { what: '42' } } }\n",
    );
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"];
        let done =
            Command::new("git").args(identity).args(args).current_dir(house.dir.path().join("repo")).output().unwrap();
        Done::from(done).expect(0);
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    let (server, url) = house.serve();
    let repo = house.dir.path().join("repo").display().to_string();
    for name in ["ok", "bad", "ask"] {
        let path = format!("{name}.yaml");
        house.run(&["pipeline", "add", name, "--repo", &repo, "--path", &path, "--server", &url]).expect(0);
        house.run(&["pipeline", "start", name, "--server", &url]).expect(0);
    }
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let builds = house.run(&["builds", "--json", "--server", &url]).expect(0).json();
        let settled = |build: &serde_json::Value| build["status"] == "ended" || build["status"] == "waiting";
        if builds.as_array().is_some_and(|builds| builds.len() == 3 && builds.iter().all(settled)) {
            break;
        }
        assert!(std::time::Instant::now() < until, "{builds:#}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let pictures = haliotis_tests::binary().parent().unwrap().parent().unwrap().join("screenshots");
    let done = Command::new("node")
        .arg(root().join("tests/browser/pages.mjs"))
        .arg(&url)
        .arg(&pictures)
        .env("HALIOTIS_BROWSER_MODULES", &modules)
        .output()
        .unwrap();
    let done = Done::from(done);
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert!(done.json()["shots"].as_i64().unwrap() >= 40, "{}", done.stdout);
    // The same in a terminal: what goes on, and a build to where it waits.
    house.run(&["top", "--once", "--server", &url]).expect(0).shows(&[
        "Waits for a person (1)",
        "ask #1",
        "bad #1",
        "slots",
    ]);
    house.run(&["watch", "ask", "--until-input", "--server", &url]).expect(0).shows(&["approve", "waiting"]);
    house.run(&["watch", "bad#1", "--exit-status", "--server", &url]).expect(1).shows(&["failure"]);
    // The question is answered from the command line, and the build goes on.
    house.run(&["approve", "ask#1", "--reason", "looks right", "--server", &url]).expect(0).says(&["approved by mia"]);
    a_phone_approves_and_a_desk_is_told(&house, &url, &modules);
    server.stop();
}

/// One more question, answered in the browser.
fn a_phone_approves_and_a_desk_is_told(house: &House, url: &str, modules: &std::ffi::OsStr) {
    house.run(&["pipeline", "start", "ask", "--server", url]).expect(0);
    house.run(&["watch", "ask", "--until-input", "--server", url]).expect(0).shows(&["waiting"]);
    let builds = house.run(&["builds", "--json", "--server", url]).expect(0).json();
    let newest = builds.as_array().and_then(|builds| builds.iter().find(|build| build["pipeline"] == "ask")).unwrap();
    let done = Command::new("node")
        .arg(root().join("tests/browser/approve.mjs"))
        .args([url, &newest["id"].to_string()])
        .env("HALIOTIS_BROWSER_MODULES", modules)
        .output()
        .unwrap();
    let done = Done::from(done);
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    house.run(&["watch", "ask", "--exit-status", "--server", url]).expect(0).shows(&["success"]);
}
