//! `haliotis jobdsl apply` against a running server: what a seed script generates is there, by Jenkins' own API, and a
//! second run changes nothing; `haliotis lint` knows such scripts. A freestyle job with "Process Job DSLs" does the same on
//! the server, and jobs keep as many builds as their `logRotator` says.

use std::process::Command;
use std::time::{Duration, Instant};

use haliotis_tests::{Done, House, Value, python};

const SEED: &str = r#"
import javaposse.jobdsl.dsl.DslException
import jenkins.model.Jenkins
import hudson.model.AbstractProject

def given = getBinding().getVariables()
if (!given['AWS_CREDENTIAL']) { throw new DslException('AWS_CREDENTIAL is not set') }
def project = (AbstractProject) Jenkins.getInstance().getItem(given['JOB_NAME'])
def key = project.getScm().getUserRemoteConfigs()[0].getCredentialsId()

folder('team')
pipelineJob('team/train') {
    description('Trains')
    parameters { stringParam('BUCKET', 'b', 'Where'); credentialsParam('AWS') { defaultValue(given['AWS_CREDENTIAL']) } }
    authenticationToken('word')
    properties { disableConcurrentBuilds() }
    definition {
        cpsScm {
            scm { git { remote { url(given['GIT_URL']); credentials(key) }; branch(given['GIT_BRANCH']) } }
            scriptPath('jenkins/Jenkinsfile')
        }
    }
}
pipelineJob('inline') { definition { cps { script(readFileFromWorkspace('ci/Jenkinsfile')); sandbox() } } }
listView('Team') { jobs { regex('team.*') }; columns { status(); name() } }
println 'generated'
"#;

const ENV: [&str; 6] = [
    "--env",
    "AWS_CREDENTIAL=dev",
    "--env",
    "GIT_URL=https://git.example.test/a.git",
    "--env",
    "GIT_BRANCH=origin/main",
];

fn apply<'a>(script: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["jobdsl", "apply", script, "--json", "--credential", "git-key"];
    args.extend(ENV);
    args.extend(more);
    args
}

#[test]
fn a_seed_script_is_applied_and_then_changes_nothing() {
    let house = House::new();
    let script = house.write("repo/jenkins/seed_job.groovy", SEED).display().to_string();
    house.write("repo/.git/HEAD", "");
    house.write("repo/ci/Jenkinsfile", "node { echo 'hi' }");

    // Without a server, all would be new.
    let dry = house.run(&apply(&script, &["--dry-run"])).expect(0).json();
    assert_eq!(dry["applied"], false);
    assert_eq!(dry["items"].as_array().map(Vec::len), Some(4), "{dry}");
    assert!(dry["items"].as_array().into_iter().flatten().all(|item| item["action"] == "create"));

    let (_server, _) = house.serve();
    let applied = house.run(&apply(&script, &[])).expect(0).json();
    let actions: Vec<_> = applied["items"].as_array().into_iter().flatten().map(|item| &item["action"]).collect();
    assert!(actions.iter().all(|action| **action == "create"), "{applied}");
    assert_eq!(applied["output"], "generated\n");

    // It is a pipeline like any other.
    let rows = house.run(&["pipeline", "list", "--json"]).expect(0).json();
    let train =
        rows.as_array().into_iter().flatten().find(|row| row["name"] == "team/train").expect("it is registered");
    assert_eq!((&train["language"], &train["path"]), (&"jenkinsfile".into(), &"jenkins/Jenkinsfile".into()));

    assert_eq!((&train["concurrency"], &train["credential"]), (&1.into(), &"git-key".into()), "{train}");
    assert_eq!(train["parameters"][1]["default"], "dev", "{train}");

    // Again: nothing, since the server's config.xml is what was generated. After a change: that change alone, and only when it is applied.
    let again = house.run(&apply(&script, &[])).expect(0).json();
    assert!(again["items"].as_array().into_iter().flatten().all(|item| item["action"] == "none"), "{again}");
    house.write("repo/jenkins/seed_job.groovy", &SEED.replace("'Trains'", "'Trains more'"));
    for flags in [&["--dry-run"][..], &[], &["--dry-run"]] {
        let changed = house.run(&apply(&script, flags)).expect(0).json();
        let rows = changed["items"].as_array().cloned().unwrap_or_default();
        let of = |action: &str| rows.iter().filter(|item| item["action"] == action).count();
        let last = flags == ["--dry-run"] && of("change") == 0;
        if last {
            assert_eq!(of("none"), 4, "{changed}");
        } else {
            assert_eq!((of("change"), of("none")), (1, 3), "{changed}");
            let diff = rows.iter().find(|item| item["action"] == "change").map(|item| item["diff"].to_string());
            let diff = diff.unwrap_or_default();
            assert!(
                diff.contains("-   <description>Trains<") && diff.contains("+   <description>Trains more<"),
                "{diff}"
            );
        }
    }
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_changed() {
    let house = House::new();
    let script = house.write("seed.groovy", SEED).display().to_string();
    let missing = house.run(&["jobdsl", "apply", &script, "--dry-run"]).expect(1);
    missing.says(&["seed.groovy:7:", "DslException: AWS_CREDENTIAL is not set", "nothing was changed"]);

    let wrong = house.write("wrong.groovy", "pipelineJob('x') {\n    definitions { }\n}\n").display().to_string();
    house.run(&["jobdsl", "apply", &wrong, "--dry-run"]).expect(1).says(&[
        "wrong.groovy:2:",
        "definitions",
        "definition",
    ]);

    let verdicts = house.run(&["lint", "--json", &script, &wrong]).expect(1).json();
    assert_eq!((&verdicts[0]["valid"], &verdicts[1]["valid"]), (&true.into(), &false.into()), "{verdicts}");
    let problem = &verdicts[1]["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&2.into(), &5.into()), "{verdicts}");
    assert_eq!(problem["message"], "`pipelineJob` has no method `definitions`");
}

/// Sends a request as a client of Jenkins does, and prints the answer.
const SEND: &str = "
import sys, urllib.request as r
body = sys.argv[3].encode() if len(sys.argv) > 3 else None
print(r.urlopen(r.Request(sys.argv[2], data=body, method=sys.argv[1], headers={'Content-Type': 'text/xml'})).read().decode())
";

/// A request, and its answer's text.
#[track_caller]
fn ask(method: &str, url: &str, xml: Option<&str>) -> String {
    let mut command = Command::new(python());
    command.args(["-c", SEND, method, url]).args(xml);
    Done::from(command.output().expect("python runs")).expect(0).stdout
}

/// Asks until the answer pleases; an address that is not there yet is asked again.
#[track_caller]
fn until(what: &str, url: &str, good: impl Fn(&Value) -> bool) -> Value {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let mut command = Command::new(python());
        let output = command.args(["-c", SEND, "GET", url]).output().expect("python runs");
        let seen = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if good(&seen) {
            return seen;
        }
        assert!(Instant::now() < limit, "{what} did not happen: {seen}");
    }
}

const SHORT: &str = r#"
folder('team')
pipelineJob('team/short') {
    logRotator(-1, 2)
    parameters { stringParam('WHO', 'nobody') }
    definition { cps {
        script("node { writeFile file: 'a.txt', text: 'a'; archiveArtifacts 'a.txt' }")
        sandbox()
    } }
}
queue('team/short')
println "made by ${JOB_NAME}"
"#;

#[test]
fn a_freestyle_seed_job_makes_jobs_which_keep_as_many_builds_as_they_say() {
    let house = House::new();
    let (server, url) = house.serve();
    let config = format!(
        "<project><builders><javaposse.jobdsl.plugin.ExecuteDslScripts><usingScriptText>true</usingScriptText>\
         <scriptText>{SHORT}</scriptText></javaposse.jobdsl.plugin.ExecuteDslScripts></builders></project>"
    );
    ask("POST", &format!("{url}/createItem?name=seed"), Some(&config));
    ask("POST", &format!("{url}/job/seed/build"), None);
    until("the seed build", &format!("{url}/job/seed/1/api/json"), |build| build["result"] == "SUCCESS");
    let console = ask("GET", &format!("{url}/job/seed/1/consoleText"), None);
    for line in ["Processing DSL script", "GeneratedJob{name='team/short'}", "made by seed"] {
        assert!(console.contains(line), "no {line} in {console}");
    }
    // The script queued the first build; three more, and two are left, with their artifacts.
    let job = format!("{url}/job/team/job/short");
    for number in 1..=4 {
        if number > 1 {
            ask("POST", &format!("{job}/buildWithParameters?WHO=ada"), None);
        }
        until("the build", &format!("{job}/{number}/api/json"), |build| build["result"] == "SUCCESS");
    }
    let numbers = |seen: &Value| -> Vec<i64> {
        seen["builds"].as_array().into_iter().flatten().filter_map(|build| build["number"].as_i64()).collect()
    };
    until("discarding", &format!("{job}/api/json?tree=builds[number]"), |seen| numbers(seen) == [4, 3]);
    let kept = until("the artifacts", &format!("{job}/4/api/json?tree=artifacts[fileName]"), |_| true);
    assert_eq!(kept["artifacts"][0]["fileName"], "a.txt", "{kept}");
    let folders = std::fs::read_dir(house.data().join("artifacts")).expect("artifacts").count();
    assert_eq!(folders, 2, "what was discarded is no longer on the disk");
    server.stop();
}

const SEEDED: &str = "folder('kept')
for (name in NAMES.split(',')) { pipelineJob(\"kept/${name}\") { definition { cps { script('echo 1') } } } }
if (NAMES.contains('a')) { listView('Mine') { jobs { regex('.*') } } }
";

#[test]
fn jobs_that_a_seed_does_not_describe_any_more_are_left_disabled_or_removed() {
    let house = House::new();
    let (server, url) = house.serve();
    let config = |action: &str, names: &str| {
        format!(
            "<project><builders><javaposse.jobdsl.plugin.ExecuteDslScripts><usingScriptText>true</usingScriptText>\
             <scriptText>def NAMES = '{names}'\n{SEEDED}</scriptText><removedJobAction>{action}</removedJobAction>\
             <removedViewAction>DELETE</removedViewAction></javaposse.jobdsl.plugin.ExecuteDslScripts></builders></project>"
        )
    };
    let mut number = 0;
    let mut seed = |action: &str, names: &str| -> String {
        let address =
            if number == 0 { format!("{url}/createItem?name=seed") } else { format!("{url}/job/seed/config.xml") };
        ask("POST", &address, Some(&config(action, names)));
        ask("POST", &format!("{url}/job/seed/build"), None);
        number += 1;
        until("the seed build", &format!("{url}/job/seed/{number}/api/json"), |build| build["result"] == "SUCCESS");
        ask("GET", &format!("{url}/job/seed/{number}/consoleText"), None)
    };
    let jobs = || -> Vec<(String, bool)> {
        let tree = "api/json?tree=jobs[name,disabled,color]";
        let seen = until("the folder", &format!("{url}/job/kept/{tree}"), |seen| seen["jobs"].is_array());
        let mut jobs: Vec<_> = seen["jobs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|job| (job["name"].as_str().unwrap_or_default().to_owned(), job["color"] == "disabled"))
            .collect();
        jobs.sort();
        jobs
    };
    let names =
        |of: &[(&str, bool)]| -> Vec<(String, bool)> { of.iter().map(|(a, b)| ((*a).to_owned(), *b)).collect() };
    assert!(!seed("IGNORE", "a,b,c").contains("Unreferenced"));
    let said = seed("IGNORE", "a,b");
    assert!(said.contains("Unreferenced items:") && said.contains("GeneratedJob{name='kept/c'}"), "{said}");
    assert_eq!(jobs(), names(&[("a", false), ("b", false), ("c", false)]), "IGNORE leaves it");
    assert!(seed("DISABLE", "a").contains("GeneratedJob{name='kept/b'} (disabled)"));
    assert_eq!(jobs(), names(&[("a", false), ("b", true), ("c", false)]));
    let said = seed("DELETE", "d");
    assert!(
        said.contains("{name='kept/a'} (removed)") && said.contains("GeneratedView{name='Mine'} (removed)"),
        "{said}"
    );
    assert_eq!(jobs(), names(&[("b", true), ("c", false), ("d", false)]), "what was forgotten before is left");
    server.stop();
}
