//! What Jenkinsfiles share: libraries from Git, builds that start builds, locks, milestones, artifacts, and steps that are
//! programs. Real repositories, the real binary, and the server killed while builds wait.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use haliotis_tests::{House, Value};

const LIMIT: Duration = Duration::from_secs(60);

fn git(repo: &Path, args: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    let done = Command::new("git").args(who).args(args).current_dir(repo).output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A repository with these files on `main`.
fn repository(house: &House, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let repo = house.dir.path().join(name);
    std::fs::create_dir_all(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    commit(house, name, files);
    repo
}

fn commit(house: &House, name: &str, files: &[(&str, &str)]) {
    for (path, text) in files {
        house.write(&format!("{name}/{path}"), text);
    }
    let repo = house.dir.path().join(name);
    git(&repo, &["add", "."]);
    git(&repo, &["commit", "-qm", "more"]);
}

/// A server's data folder with a configuration.
fn configure(house: &House, yaml: &str) {
    std::fs::create_dir_all(house.data()).unwrap();
    std::fs::write(house.data().join("jenkins.yaml"), yaml).unwrap();
}

/// A build as it stands.
fn build(house: &House, name: &str) -> Option<Value> {
    let done = house.run(&["builds", name, "--json"]);
    (done.code == 0).then(|| done.json())
}

/// What its console says.
fn console(build: &Value) -> String {
    let lines = build["lines"].as_array().unwrap();
    lines.iter().filter_map(|line| line[1].as_str()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn wait(house: &House, name: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let now = build(house, name);
        if let Some(now) = now.as_ref().filter(|now| enough(now)) {
            return now.clone();
        }
        if begin.elapsed() > LIMIT {
            panic!(
                "{name} not within {LIMIT:?}: {}",
                now.map(|now| format!("{}\n{}", console(&now), now["nodes"])).unwrap_or_default()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[track_caller]
fn ended(house: &House, name: &str, result: &str) -> String {
    let build = wait(house, name, |build| !build["result"].is_null());
    let text = console(&build);
    assert_eq!(build["result"], result, "{name}: {}\n{text}\n{}", build["message"], build["nodes"]);
    text
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

fn library(house: &House) -> String {
    let lib = repository(
        house,
        "lib",
        &[
            ("vars/greet.groovy", "def call(Map args) { echo \"one: ${args.who} ${org.acme.Names.first(args.who)}\" }"),
            (
                "vars/twice.groovy",
                "def call(x) { greet who: x\n sh \"echo ${libraryResource('org/acme/word.txt').trim()} ${x}\" }",
            ),
            (
                "src/org/acme/Names.groovy",
                "package org.acme\nclass Names implements Serializable { static String first(String s) { s.take(1) } }",
            ),
            ("resources/org/acme/word.txt", "resource-one\n"),
        ],
    );
    git(&lib, &["tag", "v1"]);
    commit(house, "lib", &[("vars/greet.groovy", "def call(Map args) { echo \"two: ${args.who}\" }")]);
    configure(
        house,
        &format!(
            "unclassified:\n  globalLibraries:\n    libraries:\n      - name: acme\n        defaultVersion: main\n        \
             retriever: {{ modernSCM: {{ scm: {{ git: {{ remote: '{}' }} }} }} }}\n",
            lib.display()
        ),
    );
    lib.display().to_string()
}

#[test]
fn a_library_at_a_version_a_branch_and_by_a_computed_name_in_a_run() {
    let house = House::new();
    let remote = library(&house);
    let pinned = house.write("a/Jenkinsfile", "@Library('acme@v1') _\nnode { greet who: 'ada'\n twice 'b' }\n");
    let done = house.run(&["run", pinned.to_str().unwrap()]).expect(0);
    says(&done.stdout, &["Loading library acme@v1", "one: ada a", "one: b b", "resource-one b"]);
    let text =
        "pipeline { agent any\n libraries { lib('acme') }\n stages { stage('s') { steps { greet who: 'ada' } } } }";
    let default = house.write("b/Jenkinsfile", text);
    says(&house.run(&["run", default.to_str().unwrap()]).expect(0).stdout, &["two: ada"]);
    let text = format!(
        "def v = 'v1'\nlibrary \"acme@${{v}}\"\ngreet who: 'x'\n\
         library(identifier: 'own@main', retriever: modernSCM([$class: 'GitSCMSource', remote: '{remote}']))\n"
    );
    let late = house.write("c/Jenkinsfile", &text);
    says(&house.run(&["run", late.to_str().unwrap()]).expect(0).stdout, &["one: x x", "Obtained own@main from"]);
    for (name, text, words) in [
        ("d", "@Library('nowhere@1') _\necho 'x'\n", "No library definition found for nowhere (known: acme)"),
        ("e", "@Library('acme@v9') _\necho 'x'\n", "No version v9 found for library acme"),
        ("f", "library \"no${'where'}\"\n", "No library definition found for nowhere"),
    ] {
        let file = house.write(&format!("{name}/Jenkinsfile"), text);
        let done = house.run(&["run", file.to_str().unwrap()]);
        assert_ne!(done.code, 0, "{name}");
        says(&format!("{}{}", done.stdout, done.stderr), &[words]);
    }
}

#[test]
fn a_servers_build_keeps_the_librarys_commit() {
    let house = House::new();
    library(&house);
    let file = "@Library('acme') _\npipeline { agent any\n stages { stage('s') { steps { greet who: 'ada'\n input 'go'\n greet who: 'bob' } } } }";
    let repo = repository(&house, "app", &[("Jenkinsfile", file)]);
    let (server, url) = house.serve();
    let add = |name: &str, repo: &Path| {
        let repo = repo.to_str().unwrap();
        house.run(&["pipeline", "add", name, "--repo", repo, "--path", "Jenkinsfile", "--server", &url])
    };
    add("app", &repo).expect(0);
    house.run(&["pipeline", "start", "app", "--server", &url]).expect(0);
    wait(&house, "app#1", |build| console(build).contains("Proceed or Abort"));
    // The library moves on, the server dies: the build goes on with what it began with.
    commit(&house, "lib", &[("vars/greet.groovy", "def call(Map args) { echo \"three: ${args.who}\" }")]);
    server.kill();
    let (_server, url) = house.serve();
    house.run(&["approve", "app#1", "--server", &url, "--reason", "ok"]).expect(0);
    says(&ended(&house, "app#1", "success"), &["two: ada", "two: bob"]);
    house.run(&["pipeline", "start", "app", "--server", &url]).expect(0);
    wait(&house, "app#2", |build| console(build).contains("three: ada"));
    let unknown = repository(&house, "bad", &[("Jenkinsfile", "@Library('nope@1') _\necho 'x'\n")]);
    let done = house.run(&[
        "pipeline",
        "add",
        "bad",
        "--repo",
        unknown.to_str().unwrap(),
        "--path",
        "Jenkinsfile",
        "--server",
        &url,
    ]);
    assert_ne!(done.code, 0);
    says(
        &done.stderr,
        &["the definition has 1 problem", "Jenkinsfile:1:", "No library definition found for nope (known: acme)"],
    );
}

/// Pipelines of one repository, each by its own file.
fn pipelines(house: &House, url: &str, files: &[(&str, &str)]) {
    let named: Vec<(String, &str)> = files.iter().map(|(name, text)| (format!("{name}.jenkinsfile"), *text)).collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let repo = repository(house, "pipelines", &named);
    for (name, _) in files {
        let path = format!("{name}.jenkinsfile");
        let repo = repo.to_str().unwrap();
        house.run(&["pipeline", "add", name, "--repo", repo, "--path", &path, "--server", url]).expect(0);
    }
}

fn start(house: &House, url: &str, name: &str) {
    house.run(&["pipeline", "start", name, "--server", url]).expect(0);
}

const DOWN: &str = "pipeline {
  agent any
  parameters { string(name: 'V', defaultValue: '') }
  stages { stage('s') { steps {
    writeFile file: 'out/made.txt', text: \"made ${params.V}\"
    archiveArtifacts 'out/**'
    input id: 'hold', message: 'hold'
  } } }
}
";
const UP: &str = "def other = build job: 'down', parameters: [string(name: 'V', value: '7')]
echo \"down was ${other.result} number ${other.number} of ${other.fullProjectName}\"
node {
  copyArtifacts projectName: 'down', filter: '**/*.txt', flatten: true
  sh 'cat made.txt'
}
def bad = build job: 'fails', propagate: false
echo \"bad was ${bad.result}\"
try { build 'fails' } catch (e) { echo \"thrown: ${e.message}\" }
try { build 'missing' } catch (e) { echo \"thrown: ${e.message}\" }
echo \"before: ${currentBuild.previousBuild?.result}\"
build job: 'fails', wait: false
";

#[test]
fn builds_start_builds_and_outlive_the_server() {
    let house = House::new();
    let (server, url) = house.serve();
    pipelines(&house, &url, &[("down", DOWN), ("fails", "error 'no'"), ("up", UP)]);
    start(&house, &url, "up");
    wait(&house, "down#1", |build| console(build).contains("Proceed or Abort"));
    server.kill();
    let (_server, url) = house.serve();
    assert!(build(&house, "down#2").is_none(), "the restart made no second build");
    house.run(&["approve", "down#1", "--server", &url, "--reason", "ok"]).expect(0);
    let text = ended(&house, "up#1", "success");
    says(
        &text,
        &[
            "Build down #1 completed: SUCCESS",
            "down was SUCCESS number 1 of down",
            "Copied 1 artifacts from \"down\" build number 1",
            "bad was FAILURE",
            "thrown: fails #2 completed with status FAILURE (propagate: false to ignore)",
            "thrown: No item named missing found",
            "before: null",
        ],
    );
    let down = build(&house, "down#1").unwrap();
    says(&console(&down), &["Started by upstream project \"up\" build number 1"]);
    assert_eq!(ended(&house, "fails#3", "failure").matches("ERROR: no").count(), 1);
    // The next one is told how this one ended.
    start(&house, &url, "up");
    wait(&house, "down#2", |build| console(build).contains("Proceed or Abort"));
    house.run(&["abort", "up#2", "--server", &url]).expect(0);
    ended(&house, "up#2", "aborted");
    ended(&house, "down#2", "aborted");
}

const HOLDS: &str = "lock(label: 'gpu', variable: 'GPU') {
  echo \"holds ${env.GPU}\"
  input id: 'hold', message: 'hold'
}
";
const WAITS: &str = "lock('gpu-1') { echo 'has it' }\necho 'gave it back'\n";

#[test]
fn a_lock_is_kept_across_builds_and_a_kill() {
    let house = House::new();
    configure(
        &house,
        "unclassified: { lockableResourcesManager: { declaredResources: [ { name: gpu-1, labels: gpu } ] } }\n",
    );
    let (server, url) = house.serve();
    pipelines(&house, &url, &[("holds", HOLDS), ("waits", WAITS)]);
    start(&house, &url, "holds");
    wait(&house, "holds#1", |build| console(build).contains("Proceed or Abort"));
    start(&house, &url, "waits");
    start(&house, &url, "waits");
    for name in ["waits#1", "waits#2"] {
        wait(&house, name, |build| console(build).contains("Trying to acquire lock on [Resource: gpu-1]"));
    }
    server.kill();
    let (_server, url) = house.serve();
    std::thread::sleep(Duration::from_secs(1));
    for name in ["waits#1", "waits#2"] {
        let text = console(&build(&house, name).unwrap());
        assert!(!text.contains("has it"), "{name} must wait still:\n{text}");
    }
    // A build that is stopped gives it back.
    house.run(&["abort", "holds#1", "--server", &url]).expect(0);
    says(&ended(&house, "holds#1", "aborted"), &["holds gpu-1", "Lock released on resource [Label: gpu]"]);
    for name in ["waits#1", "waits#2"] {
        says(&ended(&house, name, "success"), &["Lock acquired on [Resource: gpu-1]", "has it", "gave it back"]);
    }
}

const MILESTONES: &str = "milestone 1\ninput id: 'hold', message: 'hold'\nmilestone 2\necho 'past two'\n";

#[test]
fn a_newer_build_overtakes_at_a_milestone() {
    let house = House::new();
    let (_server, url) = house.serve();
    pipelines(&house, &url, &[("m", MILESTONES)]);
    for name in ["m#1", "m#2"] {
        start(&house, &url, "m");
        wait(&house, name, |build| console(build).contains("Proceed or Abort"));
    }
    house.run(&["approve", "m#2", "--server", &url, "--reason", "ok"]).expect(0);
    says(&ended(&house, "m#2", "success"), &["past two"]);
    let text = ended(&house, "m#1", "not-built");
    assert!(!text.contains("past two"));
}

const PROGRAM: &str = "pipeline {
  agent any
  stages { stage('s') { steps {
    writeFile file: 'evaluation.json', text: '{\"mse\": 4.5}'
    script {
      def card = modelCard(model: 'abalone', metrics: 'evaluation.json', best: 4.0)
      echo \"card at ${card.path}, mse ${card.metrics.mse}\"
    }
  } } }
}
";

#[test]
fn a_program_of_the_plugins_folder_is_a_step() {
    let house = House::new();
    let file = house.write("Jenkinsfile", PROGRAM);
    let done = house.run(&["lint", file.to_str().unwrap()]).expect(1);
    says(&format!("{}{}", done.stdout, done.stderr), &["No such DSL method 'modelCard' found among steps", "plugins"]);
    for name in ["plugin.json", "model_card.py"] {
        let from = haliotis_tests::root().join("plugins/examples/model-card").join(name);
        let to = house.data().join("plugins/model-card").join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
    house.run(&["lint", file.to_str().unwrap()]).expect(0);
    says(&house.run(&["steps"]).expect(0).stdout, &["modelCard", "Writes a model card"]);
    says(&house.run(&["steps", "modelCard"]).expect(0).stdout, &["metrics: path (required)"]);
    let done = house.run(&["run", file.to_str().unwrap(), "--json"]).expect(0);
    let view: Value = done.json();
    assert_eq!(view["result"], "unstable");
    says(&console(&view), &["card at model-card.md, mse 4.5"]);
    assert!(view["message"].as_str().unwrap().contains("mse is 4.5, worse than 4"), "{}", view["message"]);
}
