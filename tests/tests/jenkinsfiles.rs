//! Jenkinsfiles by the real binary: steps on files, containers, HTTP and chat, what changed, what a script declares, and
//! their conversion. Docker is not on every machine that runs this: `docker` here is a stand-in, a shell script that does on
//! the host what a container would do inside.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use haliotis_tests::{Done, House, Value};

fn run(house: &House, name: &str, text: &str) -> Done {
    let file = house.write(&format!("{name}/Jenkinsfile"), text);
    house.run(&["run", file.to_str().unwrap()])
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

const FILES: &str = r#"
node {
  writeFile file: 'in/a.txt', text: 'alpha'
  writeFile file: 'in/b/c.csv', text: 'name,n\n"x, y",2\n'
  touch 'in/empty'
  def found = findFiles(glob: 'in/**', excludes: '**/*.csv')
  echo "found ${found*.path.sort().join(' ')} first ${found[0].name} ${found[0].length} ${found[0].directory}"
  zip zipFile: 'all.zip', dir: 'in', glob: '**/*.txt,**/*.csv'
  echo "tested ${unzip(zipFile: 'all.zip', test: true)} ${unzip(zipFile: 'in/a.txt', test: true)}"
  echo "read ${unzip(zipFile: 'all.zip', read: true, glob: '*.txt')}"
  unzip zipFile: 'all.zip', dir: 'out', glob: '**/*.csv'
  echo "unzipped ${fileExists('out/b/c.csv')} ${fileExists('out/a.txt')}"
  tar file: 'all.tar.gz', dir: 'in', exclude: 'empty', compress: true
  untar file: 'all.tar.gz', dir: 'out2'
  echo "untarred ${readFile('out2/a.txt')} ${fileExists('out2/empty')}"
  def rows = readCSV file: 'in/b/c.csv'
  echo "rows ${rows.size()} ${rows[1][0]}|${rows[1][1]}"
  writeCSV file: 'out/w.csv', records: [['a', 'b "q"'], ['c', '1,2']]
  echo "csv ${readFile('out/w.csv').trim().replace('\r\n', ';')}"
  writeFile file: 'p.properties', text: 'a = 1\n# no\nb: two \\\n  lines\n'
  def p = readProperties file: 'p.properties', defaults: [a: 'x', z: '26']
  echo "properties ${p.a} ${p.b} ${p.z}"
  writeJSON file: 'x.json', json: [k: [1, 2], t: 'ü'], pretty: 2
  writeYaml file: 'x.yaml', data: [k: [1, 2]]
  echo "json ${readJSON(file: 'x.json').k[1]} yaml ${readYaml(file: 'x.yaml').k[0]} ${readYaml(text: 'a: 1\n---\nb: 2')[1].b}"
  echo "sums ${sha1('in/a.txt')} ${sha256(file: 'in/a.txt').take(8)}"
  verifySha1 file: 'in/a.txt', hash: sha1('in/a.txt')
  try { verifySha256 file: 'in/a.txt', hash: 'beef' } catch (e) { echo "thrown: ${e.message}" }
  echo "versions ${compareVersions(v1: '1.10', v2: '1.9')}"
  writeFile file: 'Other', text: 'pipeline { agent any }'
  echo "valid ${validateDeclarativePipeline('Other')}"
  def pom = '<project><modelVersion>4.0.0</modelVersion><groupId>org.acme</groupId><artifactId>app</artifactId><version>1.2</version><packaging>jar</packaging><properties><java.version>17</java.version></properties><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>3</version></dependency></dependencies></project>'
  writeFile file: 'pom.xml', text: pom
  def read = readMavenPom file: 'pom.xml'
  echo "pom ${read.artifactId} ${read.version} ${read.properties['java.version']} ${read.dependencies[0].version}"
  def manifest = readManifest text: 'Manifest-Version: 1.0\nMain-Class: org.acme\n .App\n\nName: a/b\nSealed: true\n'
  echo "manifest ${manifest.main['Main-Class']} ${manifest.entries['a/b'].Sealed}"
  dir('deep/er') { echo "pwd ${pwd().endsWith('deep/er')} ${pwd(tmp: true).endsWith('@tmp')}"; deleteDir() }
  cleanWs patterns: [[pattern: 'out2/**', type: 'INCLUDE']]
  echo "cleaned ${fileExists('out2/a.txt')} ${fileExists('in/a.txt')}"
}
"#;

#[test]
fn steps_on_files_do_what_they_say() {
    let house = House::new();
    let done = run(&house, "a", FILES).expect(0);
    says(
        &done.stdout,
        &[
            "found in/a.txt in/empty first a.txt 5 false",
            "tested true false",
            "read [a.txt:alpha]",
            "unzipped true false",
            "untarred alpha false",
            "rows 2 x, y|2",
            "csv a,\"b \"\"q\"\"\";c,\"1,2\"",
            "properties 1 two lines 26",
            "json 2 yaml 1 2",
            "sums be76331b95dfc399cd776d2fc68021e0db03cc4f 8ed3f6ad",
            "thrown: The sha256 hash of in/a.txt is 8ed3f6ad",
            "versions 1",
            "Missing required section \"stages\"",
            "valid false",
            "pom app 1.2 17 3",
            "manifest org.acme.App true",
            "pwd true true",
            "cleaned false true",
        ],
    );
}

#[test]
fn a_run_in_ones_own_folder_never_empties_it() {
    let house = House::new();
    let text = "node { writeFile file: 'made/x.txt', text: 'x'\n dir('made') { deleteDir() }\n echo \"made ${fileExists('made/x.txt')}\"\n \
                deleteDir()\n cleanWs() }";
    house.write("work/precious.txt", "p");
    let done = run(&house, "work", text).expect(0);
    says(&done.stdout, &["made false", "nothing is removed: the workspace is your own folder"]);
    assert!(house.dir.path().join("work/precious.txt").exists() && house.dir.path().join("work/Jenkinsfile").exists());
    let aside = house.write("aside/left.txt", "x");
    let file = house.dir.path().join("work/Jenkinsfile");
    let aside_dir = aside.parent().unwrap().to_str().unwrap();
    house.run(&["run", file.to_str().unwrap(), "--workspace", aside_dir]).expect(0);
    assert!(!aside.exists(), "a folder that was named for it is emptied");
}

const BASIC: &str = r##"
def helper(x, y = 2) { return x + y }
@groovy.transform.Field def counter = 10
pipeline {
  agent any
  options { timestamps(); buildDiscarder(logRotator(numToKeepStr: '3')); skipStagesAfterUnstable(); preserveStashes(buildCount: 2); disableResume(); durabilityHint('MAX_SURVIVABILITY') }
  parameters { string(name: 'S', defaultValue: 'sv'); choice(name: 'C', choices: 'a\nb'); booleanParam(name: 'B', defaultValue: true); text(name: 'T', defaultValue: 'l1\nl2') }
  environment { TOOL_MYTOOL = '/opt/mytool' }
  stages { stage('Basic') { steps { script {
    echo "helper ${helper(1)} counter ${++counter} params ${params.S} ${params.C} ${params.B} ${params.T.split('\n').length}"
    def out = sh(returnStdout: true, script: 'printf "a\\nb\\n"', label: 'two lines')
    echo "out ${out.readLines().size()} status ${sh(returnStatus: true, script: 'exit 3')} unix ${isUnix()}"
    try { sh 'exit 9' } catch (e) { echo "caught ${e.class.name}: ${e.message}" }
    try { error 'boom' } catch (hudson.AbortException e) { echo "aborted ${e.message}" } finally { echo 'finally' }
    try { bat 'dir' } catch (e) { echo "no bat: ${e.message}" }
    echo "tool ${tool 'mytool'}"
    try { tool 'none' } catch (e) { echo "no tool: ${e.message}" }
    retry(3) { counter++; if (counter < 14) { error "again ${counter}" } }
    try { timeout(time: 300, unit: 'MILLISECONDS') { sleep 20 } } catch (org.jenkinsci.plugins.workflow.steps.FlowInterruptedException e) { echo "timeout ${e.message}" }
    def n = 0
    waitUntil(initialRecurrencePeriod: 50, quiet: true) { n++; n > 1 }
    ws('other') { echo "ws ${pwd().tokenize('/').last()} waited ${n}" }
    dir('d1/d2') { writeFile file: 'x.txt', text: 'x'; writeFile file: 'y.bin', text: 'y' }
    stash name: 'st', includes: 'd1/**', excludes: '**/*.bin'
    dir('copy') { unstash 'st'; echo "unstashed ${fileExists('d1/d2/x.txt')} ${fileExists('d1/d2/y.bin')}" }
    writeFile file: 'lib.groovy', text: 'def twice(x) { x * 2 }\nreturn this'
    echo "load ${load('lib.groovy').twice(21)}"
    catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE', message: 'caught it') { error 'inside' }
    echo "parallel ${parallel(a: { echo 'pa'; return 1 }, b: { 2 })}"
    currentBuild.displayName = "#${currentBuild.number} custom"
    currentBuild.description = 'desc'
    echo "build ${currentBuild.displayName} ${currentBuild.description} ${currentBuild.result} ${currentBuild.currentResult}"
    step([$class: 'ArtifactArchiver', artifacts: 'd1/**/*.txt'])
    writeFile file: 'r/TEST-a.xml', text: '<testsuite name="s" tests="2" failures="1"><testcase classname="c" name="ok"/><testcase classname="c" name="bad"><failure message="m">t</failure></testcase></testsuite>'
    def j = junit testResults: 'r/*.xml', skipMarkingBuildUnstable: true
    echo "junit ${j.totalCount} ${j.failCount} ${currentBuild.currentResult}"
    publishHTML target: [reportDir: 'd1', reportFiles: 'd2/x.txt', reportName: 'R', keepAll: true, alwaysLinkToLastBuild: false, allowMissing: false]
    switch (params.C) { case ~/a.*/: echo 'switch a'; break; default: echo 'other' }
    unstable 'a little'
    bound_late = 'binding'
    echo "${bound_late} ${currentBuild.getBuildCauses()[0].shortDescription.startsWith('Started by user')}"
  } } }
  stage('Never') { steps { echo 'not after unstable' } } }
  post { always { echo "post ${currentBuild.currentResult}" } ; unstable { echo 'post unstable' } ; success { echo 'post success' } }
}
"##;

#[test]
fn the_basic_steps_answer_as_jenkins_does() {
    let house = House::new();
    let done = run(&house, "basic", BASIC);
    says(
        &done.stdout,
        &[
            "helper 3 counter 11 params sv a true 2",
            "out 2 status 3 unix true",
            "caught hudson.AbortException: script returned exit code 9",
            "aborted boom",
            "finally",
            "no bat: bat: this agent runs Linux",
            "tool /opt/mytool",
            "no tool: No tool named none found",
            "ERROR: again 13\nRetrying",
            "timeout Timeout has been exceeded",
            "ws other waited 2",
            "unstashed true false",
            "load 42",
            "ERROR: caught it\nERROR: inside",
            "parallel [a:1, b:2]",
            "build #1 custom desc null SUCCESS",
            "junit 2 1 SUCCESS",
            "switch a",
            "WARNING: a little",
            "binding true",
            "Stage \"Never\" skipped due to earlier stage(s) marking the build as unstable",
            "post UNSTABLE\n",
            "post unstable\n",
            "Finished: UNSTABLE",
        ],
    );
    assert!(!done.stdout.contains("post success") && !done.stdout.contains("again 14"), "{}", done.stdout);
}

const ENVIRONMENT: &str = r#"
pipeline {
  agent any
  parameters { string(name: 'WHO', defaultValue: 'ada') }
  environment {
    A = 'one'
    B = "${A}-two"
    C = "${params.WHO}/" + 'x'
    D = sh(returnStdout: true, script: 'printf "from %s" "$A"')
    PATH = "/opt/first:${PATH}"
  }
  stages {
    stage('s') {
      environment { A = "inner ${A}" ; E = 'e' }
      steps {
        sh 'echo "shell $A|$B|$C|$D|$E|$WHO|${PATH%%:*}"'
        echo "groovy ${A}|${env.B}|${env.E}|${env.NOT_THERE}|${WHO}"
        script { env.LATE = 'late'; env['ODD'] = 3 }
        withEnv(['B=with', 'PATH+X=/x/bin']) { sh 'echo "with $B|$LATE|$ODD|${PATH%%:*}"' }
        sh 'echo "after $B|$STAGE_NAME"'
      }
    }
    stage('t') { steps { sh 'echo "outer $A|[$E]|$LATE|$BUILD_NUMBER|$JOB_NAME"' ; echo "${env.getEnvironment().LATE}" } }
  }
}
"#;

#[test]
fn the_environment_is_jenkins() {
    let house = House::new();
    let done = run(&house, "env", ENVIRONMENT).expect(0);
    says(
        &done.stdout,
        &[
            "shell inner one|one-two|ada/x|from one|e|ada|/opt/first",
            "groovy inner one|one-two|e|null|ada",
            "with with|late|3|/x/bin",
            "after one-two|s",
            "outer one|[]|late|1|",
        ],
    );
}

/// A stand-in for docker: containers are files, and what runs inside runs here with `INSIDE` set.
const DOCKER: &str = r#"#!/bin/sh
# A stand-in for docker, for a test: nothing is contained.
here=$(dirname "$0"); echo "$*" >> "$here/calls"
verb=$1; shift
case $verb in
  run)
    name= image=
    while [ $# -gt 0 ]; do case $1 in
      --name) name=$2; shift 2 ;; -u|-v|-w|-e|-p|--network) shift 2 ;; -*) shift ;; *) image=$1; break ;; esac; done
    [ "$image" = missing:1 ] && { echo "Unable to find image" >&2; exit 125; }
    name=${name:-c$$}; echo "$image" > "$here/container-$name"; echo "$name" ;;
  exec)
    dir=.
    while [ $# -gt 0 ]; do case $1 in -w) dir=$2; shift 2 ;; -e) shift 2 ;; -*) shift ;; *) break ;; esac; done
    name=$1; shift
    [ -f "$here/container-$name" ] || { echo "No such container: $name" >&2; exit 1; }
    cd "$dir" && INSIDE=$(cat "$here/container-$name") exec "$@" ;;
  inspect) [ -f "$here/container-$1" ] ;;
  rm) shift; rm -f "$here/container-$1" ;;
  stop) : ;;
  port) echo "0.0.0.0:4242" ;;
  login) cat > "$here/password" ;;
  build|pull|push|tag|logout) : ;;
  *) echo "stand-in: $verb?" >&2; exit 1 ;;
esac
"#;

const CONTAINERS: &str = r#"
pipeline {
  agent none
  stages {
    stage('Image') {
      agent { docker { image 'python:3'; args '--network none' } }
      environment { WORD = "it's" }
      steps {
        sh 'echo "one in $INSIDE $WORD" > made.txt'
        sh 'cat made.txt'
        sh '''#!/usr/bin/env python3
import os
print("python in", os.environ["INSIDE"])'''
        echo "out ${sh(returnStdout: true, script: 'echo captured').trim()} ${sh(returnStatus: true, script: 'exit 7')}"
        dir('sub') { sh 'basename "$PWD"' }
      }
    }
    stage('Dockerfile') {
      agent { dockerfile { filename 'Dockerfile.ci'; dir 'ci'; additionalBuildArgs '--build-arg A=1' } }
      steps { sh 'echo "built $INSIDE"' }
    }
    stage('Scripted') {
      agent any
      steps {
        script {
          docker.image('redis:7').withRun('-p 6379') { c -> echo "port ${c.port(6379)}" }
          def image = docker.build('acme/app:1')
          image.inside('-e X=1') { sh 'echo "scripted $INSIDE"' }
          docker.withRegistry('https://registry.example') { image.push('v2') }
          try { docker.image('missing:1').inside { sh 'echo never' } } catch (e) { echo "no image: ${e.message}" }
        }
      }
    }
  }
}
"#;

#[test]
fn containers_by_a_stand_in_for_docker() {
    let mut house = House::new();
    let docker = house.write("bin/docker", DOCKER);
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", docker.parent().unwrap().display(), std::env::var("PATH").unwrap());
    house.vars.push(("PATH".to_owned(), path));
    let done = run(&house, "c", CONTAINERS).expect(0);
    says(
        &done.stdout,
        &[
            "one in python:3 it's",
            "python in python:3",
            "out captured 7",
            "sub",
            "built haliotis-",
            "port 0.0.0.0:4242",
            "scripted acme/app:1",
            "no image: script returned exit code 1",
        ],
    );
    assert!(!done.stdout.contains("never"), "{}", done.stdout);
    let calls = std::fs::read_to_string(docker.with_file_name("calls")).unwrap();
    says(
        &calls,
        &[
            "--build-arg A=1 -f ci/Dockerfile.ci ci",
            "build -t acme/app:1 .",
            "tag acme/app:1 registry.example/acme/app:v2",
            "push registry.example/acme/app:v2",
        ],
    );
    let left = std::fs::read_dir(docker.parent().unwrap()).unwrap().flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("container-")).collect();
    assert!(left.is_empty(), "containers are left: {left:?}");
}

/// A server that answers each request with the next of these texts as JSON, and tells what it was asked.
fn answering(answers: &'static [&'static str]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                    break;
                }
                let lower = line.to_lowercase();
                if let Some(number) = lower.strip_prefix("content-length:") {
                    length = number.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = asked.send((head, String::from_utf8_lossy(&body).into_owned()));
            let mut stream = reader.into_inner();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-One: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    (url, requests)
}

#[test]
fn chat_and_http_against_a_server_that_listens() {
    let house = House::new();
    let (url, requests) = answering(&[
        r#"{"ok":true,"channel":"C1","ts":"17.5"}"#,
        "ok",
        r#"{"ok":false,"error":"not_in_channel"}"#,
        r#"{"a":1}"#,
        r#"{"a":1}"#,
    ]);
    let text = format!(
        "def sent = slackSend botUser: true, baseUrl: '{url}/api', token: 't0', channel: '#ml', color: 'good', message: 'built'\n\
         echo \"thread ${{sent.threadId}}\"\n\
         slackSend baseUrl: '{url}/hook/', token: 't1', channel: \"${{sent.threadId}}\", message: 'more', replyBroadcast: true, sendAsText: true\n\
         slackSend botUser: true, baseUrl: '{url}/api', token: 't0', blocks: [[type: 'divider']], message: 'x'\n\
         def r = httpRequest url: '{url}/r', httpMode: 'POST', contentType: 'APPLICATION_JSON', requestBody: '{{\"q\":1}}', customHeaders: [[name: 'X-K', value: 'v']], quiet: true, validResponseContent: 'a'\n\
         echo \"http ${{r.status}} ${{readJSON(text: r.content).a}} ${{r.headers['x-one'][0]}}\"\n\
         try {{ httpRequest url: '{url}/r', validResponseContent: 'nothing' }} catch (e) {{ echo \"thrown: ${{e.message}}\" }}\n"
    );
    // readJSON wants a node, as in Jenkins.
    let text = format!("node {{\n{text}}}\n");
    let done = run(&house, "h", &text).expect(0);
    says(
        &done.stdout,
        &[
            "thread C1:17.5",
            "Slack notification failed. Slack answered: not_in_channel",
            "http 200 1 1",
            "thrown: Fail: Response doesn't contain expected content 'nothing'",
        ],
    );
    let asked: Vec<(String, String)> = requests.iter().take(5).collect();
    let json = |at: usize| -> Value { serde_json::from_str(&asked[at].1).unwrap() };
    assert!(asked[0].0.to_lowercase().contains("authorization: bearer t0"), "{}", asked[0].0);
    assert_eq!((&json(0)["channel"], &json(0)["attachments"][0]["color"]), (&"#ml".into(), &"good".into()));
    assert_eq!(json(0)["attachments"][0]["text"], "built");
    assert!(asked[1].0.starts_with("POST /hook/t1 "), "{}", asked[1].0);
    let thread = (&json(1)["channel"], &json(1)["thread_ts"], &json(1)["text"], &json(1)["reply_broadcast"]);
    assert_eq!(thread, (&"C1".into(), &"17.5".into(), &"more".into(), &true.into()));
    assert_eq!(json(2)["blocks"][0]["type"], "divider");
    assert!(asked[3].0.contains("x-k: v") && asked[3].1 == "{\"q\":1}", "{:?}", asked[3]);
}

fn git(repo: &Path, args: &[&str]) {
    let who = ["-c", "user.name=Ada L", "-c", "user.email=ada@localhost"];
    let done = Command::new("git").args(who).args(args).current_dir(repo).output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn repository(house: &House, files: &[(&str, &str)]) -> PathBuf {
    let repo = house.dir.path().join("repo");
    std::fs::create_dir_all(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    commit(house, files, "first");
    repo
}

fn commit(house: &House, files: &[(&str, &str)], message: &str) {
    for (path, text) in files {
        house.write(&format!("repo/{path}"), text);
    }
    let repo = house.dir.path().join("repo");
    git(&repo, &["add", "."]);
    git(&repo, &["commit", "-qm", message]);
}

/// The console of a build that has ended so.
#[track_caller]
fn ended(house: &House, name: &str, result: &str) -> String {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let done = house.run(&["builds", name, "--json"]);
        let build = if done.code == 0 { done.json() } else { Value::Null };
        if !build["result"].is_null() {
            let lines = build["lines"].as_array().unwrap();
            let text = lines.iter().filter_map(|line| line[1].as_str()).collect::<Vec<_>>().join("\n");
            assert_eq!(build["result"], result, "{text}");
            return text;
        }
        assert!(Instant::now() < limit, "{name} does not end: {build}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

const CHANGED: &str = r#"
properties([disableConcurrentBuilds(), parameters([string(name: 'WHO', defaultValue: 'nobody'), choice(name: 'SIZE', choices: ['s', 'm'])])])
echo "for ${params.WHO} ${params.SIZE}, on ${nodesByLabel('linux')}, none on ${nodesByLabel(label: 'no-such').size()}"
for (set in currentBuild.changeSets) { for (entry in set.items) { echo "change by ${entry.author}: ${entry.msg} ${entry.affectedPaths}" } }
"#;

#[test]
fn a_server_knows_what_changed_and_what_a_script_declares() {
    let house = House::new();
    let repo = repository(&house, &[("Jenkinsfile", CHANGED)]);
    let (_server, url) = house.serve();
    let repo = repo.to_str().unwrap();
    house.run(&["pipeline", "add", "p", "--repo", repo, "--path", "Jenkinsfile", "--server", &url]).expect(0);
    let listed = house.run(&["pipeline", "list", "--json", "--server", &url]).expect(0).json();
    assert_eq!(listed[0]["parameters"][0]["default"], "nobody", "{listed}");
    assert_eq!(
        (&listed[0]["parameters"][1]["choices"][1], &listed[0]["concurrency"]),
        (&"m".into(), &1.into()),
        "{listed}"
    );
    house.run(&["pipeline", "start", "p", "--server", &url, "-p", "SIZE=m"]).expect(0);
    let text = ended(&house, "p#1", "success");
    says(&text, &["for nobody m, on [", "none on 0"]);
    assert!(!text.contains("change by"), "the first build has no changes:\n{text}");
    commit(&house, &[("docs/a.md", "a")], "docs: a page\n\nwith words");
    house.run(&["pipeline", "start", "p", "--server", &url, "-p", "WHO=bob"]).expect(0);
    says(&ended(&house, "p#2", "success"), &["for bob s", "change by Ada L: docs: a page [docs/a.md]"]);
}

const CONVERTED: &str = r#"
pipeline {
  agent any
  options { disableConcurrentBuilds(); timeout(time: 1, unit: 'HOURS') }
  parameters { string(name: 'WHO', defaultValue: 'world', description: 'Whom') ; choice(name: 'SIZE', choices: ['s', 'm']) }
  environment { MODE = 'fast' }
  triggers { cron('H 4 * * *') }
  stages {
    stage('Make it') { steps { sh 'echo "made $MODE" > out.txt'; archiveArtifacts 'out.txt, *.md'; sleep time: 1, unit: 'MILLISECONDS' } }
    stage('Both') { parallel {
      stage('One') { steps { echo 'one' } }
      stage('Two') { steps { sh 'cat out.txt' } }
    } }
    stage('Computed') { steps { sh "echo ${params.WHO}"; script { def x = 1 } } }
  }
  post { always { echo 'the end' } ; changed { echo 'changed' } }
}
"#;

#[test]
fn a_jenkinsfile_becomes_a_pipeline_that_runs_and_says_what_it_left_out() {
    let house = House::new();
    let file = house.write("Jenkinsfile", CONVERTED);
    let done = house.run(&["convert", file.to_str().unwrap(), "--to", "yaml"]).expect(0);
    let left = [
        "option timeout",
        "trigger cron",
        "a computed script in the stage Computed",
        "the step script in the stage Computed",
        "post changed",
    ];
    for what in left {
        says(&done.stdout, &[&format!("# not translated: {what}")]);
        says(&done.stderr, &[&format!("not translated: {what}")]);
    }
    let made = house.write("made.yaml", &done.stdout);
    house.run(&["lint", made.to_str().unwrap()]).expect(0);
    let ran = house.run(&["run", made.to_str().unwrap(), "--logs"]).expect(0);
    ran.says(&["made fast", "the end", "one"]);
    let json = house.run(&["convert", file.to_str().unwrap(), "--to", "json"]).expect(0);
    let back = house.write("model.json", &json.stdout);
    let back = house.run(&["convert", back.to_str().unwrap(), "--from", "json", "--to", "jenkinsfile"]).expect(0);
    let again = house.write("again/Jenkinsfile", &back.stdout);
    house.run(&["lint", again.to_str().unwrap()]).expect(0);
    let broken = house.write("bad/Jenkinsfile", "pipeline { agent any }");
    house.run(&["convert", broken.to_str().unwrap(), "--to", "yaml"]).expect(2).says(&["Missing required section"]);
}

#[test]
fn the_doctor_names_a_bad_manifest_and_lint_a_launcher_that_is_not_there() {
    let house = House::new();
    let manifest = r#"{"protocol": 1, "steps": [{"name": "Greet", "doc": "d", "program": ["x"]}]}"#;
    let path = house.data().join("plugins/greet/plugin.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, manifest).unwrap();
    let done = house.run(&["doctor", "--json"]).expect(1);
    let checks: Value = serde_json::from_str(&done.stdout).unwrap();
    let plugins = checks.as_array().unwrap().iter().find(|check| check["name"] == "plugins").unwrap();
    assert_eq!(plugins["verdict"], "bad", "{plugins}");
    says(plugins["detail"].as_str().unwrap(), &["greet/plugin.json", "begins with a small letter"]);

    let text =
        "pipeline {\n  agent { kubernetes { yaml 'kind: Pod' } }\n  stages { stage('a') { steps { echo 'x' } } }\n}\n";
    let file = house.write("Jenkinsfile", text);
    let verdict = house.run(&["lint", "--json", file.to_str().unwrap()]).expect(0).json();
    let problem = &verdict[0]["problems"][0];
    assert_eq!(
        (&verdict[0]["valid"], &problem["severity"], &problem["line"]),
        (&true.into(), &"warning".into(), &2.into())
    );
    says(problem["message"].as_str().unwrap(), &["no Kubernetes launcher"]);
    house.run(&["run", file.to_str().unwrap()]).expect(1).says(&["no Kubernetes launcher"]);
}
