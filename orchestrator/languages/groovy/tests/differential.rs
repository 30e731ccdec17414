//! The corpus `tests/groovy-corpus` in our interpreter and in the real Groovy 2.4.21.
//!
//! `golden/` holds what the real one says; a test makes it anew where a `groovy` program is installed (`tests/run` installs
//! it), so the goldens cannot grow stale. Every case that differs must be explained in `differences.txt`.
//! `CORPUS_SHOW=1 cargo test -p haliotis-groovy --test differential -- --nocapture` prints both sides of what differs;
//! `CORPUS_ONLY=lists/` narrows it.

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test reads the corpus and says what differs")]
#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what helps it")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use haliotis_groovy::plain::{Ended, PlainHost, evaluate_on};
use serde_json::Value;

/// What the issue asks for.
const LEAST_AGREEMENT: f64 = 0.99;
/// What the issue asks for.
const LEAST_CASES: usize = 500;

/// What the scripts' clock says: some day in 2023.
const NOW_MS: i64 = 1_700_000_000_000;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/groovy-corpus")
}

/// Every case by `category/name`, with its text.
fn cases() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let category = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        for case in text.split("// case: ").skip(1) {
            let (name, body) = case.split_once('\n').unwrap();
            all.push((format!("{category}/{}", name.trim()), body.to_owned()));
        }
    }
    all
}

/// What a script did: printed text, and its value or error, in one text to compare.
fn shown(out: &str, value: Option<&str>, error: Option<(&str, Option<&str>)>) -> String {
    match error {
        Some(("compile", _)) => "does not compile".to_owned(),
        Some((class, message)) => format!("{out}!!! {class}: {}", message.unwrap_or("null")),
        None => format!("{out}--> {}", value.unwrap_or("null")),
    }
}

fn goldens(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let page: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(page["groovy"], "2.4.21", "{} was made by another Groovy", file.display());
        let category = file.file_stem().unwrap().to_string_lossy().into_owned();
        for case in page["cases"].as_array().unwrap() {
            let error = case["error"].as_str().map(|class| (class, case["message"].as_str()));
            let text = shown(case["out"].as_str().unwrap(), case["value"].as_str(), error);
            all.insert(format!("{category}/{}", case["name"].as_str().unwrap()), text);
        }
    }
    all
}

fn ours(text: &str) -> String {
    let out = Rc::new(RefCell::new(String::new()));
    let sink = out.clone();
    let print = Rc::new(move |text: &str| sink.borrow_mut().push_str(text));
    let ended = evaluate_on(text, "Script1.groovy", "Script1", Rc::new(PlainHost::at(print, NOW_MS, 1)));
    let out = out.borrow();
    match ended {
        Ended::Value(value) => shown(&out, Some(&value), None),
        Ended::Threw { class, message, .. } => shown(&out, None, Some((&class, message.as_deref()))),
        Ended::Invalid(_) => shown(&out, None, Some(("compile", None))),
        Ended::Fatal(text) => format!("{out}fatal: {text}"),
    }
}

/// What is compared: a message without Groovy's guesses at what was meant (those list the methods of the Java classes of
/// one JVM), and without the numbers of objects (`Foo@1a2b`), which differ from run to run.
fn comparable(text: &str) -> String {
    let text = text.find("\nPossible solutions: ").and_then(|at| text.get(..at)).unwrap_or(text);
    let mut parts = text.split('@');
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push('@');
        out.push_str(part.trim_start_matches(|char: char| char.is_ascii_hexdigit()));
    }
    out
}

fn explained() -> BTreeMap<String, String> {
    let text = fs::read_to_string(corpus().join("differences.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (case, reason) = line.split_once(" = ").unwrap_or_else(|| panic!("no reason in: {line}"));
            assert!(reason.len() > 20, "a reason says why: {line}");
            (case.to_owned(), reason.to_owned())
        })
        .collect()
}

/// Runs on a thread with a stack as large as the engine's.
fn on_large_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn we_agree_with_the_real_groovy() {
    let (agreed, total, wrong) = on_large_stack(compare);
    let share = f64::from(u32::try_from(agreed).unwrap()) / f64::from(u32::try_from(total).unwrap());
    eprintln!("{agreed} of {total} cases agree ({:.2} %), {} differ without a reason", share * 100.0, wrong.len());
    assert!(total >= LEAST_CASES || std::env::var("CORPUS_ONLY").is_ok(), "the corpus has only {total} cases");
    assert!(
        wrong.is_empty(),
        "differ, and differences.txt does not say why (or agree, and it says they differ): {wrong:#?}"
    );
    assert!(share >= LEAST_AGREEMENT, "only {:.2} % agree", share * 100.0);
}

fn compare() -> (usize, usize, Vec<String>) {
    let (goldens, explained) = (goldens(&corpus().join("golden")), explained());
    let only = std::env::var("CORPUS_ONLY").unwrap_or_default();
    let show = std::env::var("CORPUS_SHOW").is_ok();
    let mut wrong = Vec::new();
    let (mut agreed, mut total) = (0, 0);
    for (name, text) in cases().into_iter().filter(|(name, _)| name.starts_with(&only)) {
        let golden = goldens.get(&name).unwrap_or_else(|| panic!("{name} has no golden: run the driver"));
        let ours = std::panic::catch_unwind(|| ours(&text)).unwrap_or_else(|_| "PANIC".to_owned());
        let same = comparable(&ours) == comparable(golden);
        total += 1;
        agreed += usize::from(same);
        if same == explained.contains_key(&name) {
            if show {
                eprintln!("=== {name}\n{text}--- real\n{golden}\n--- ours\n{ours}\n");
            }
            wrong.push(name);
        }
    }
    (agreed, total, wrong)
}

/// What Jenkins' sandbox refuses, a script here may not do either, in the same words.
#[test]
fn the_sandbox_refuses() {
    for (script, refused) in [
        ("'ls'.execute()", "method java.lang.String execute"),
        ("['ls', '-l'].execute()", "method java.util.List execute"),
        ("System.getenv('PATH')", "staticMethod java.lang.System getenv java.lang.String"),
        ("System.getProperty('user.home')", "staticMethod java.lang.System getProperty java.lang.String"),
        ("System.exit(1)", "staticMethod java.lang.System exit int"),
        ("new File('/etc/passwd').text", "new java.io.File java.lang.String"),
        ("Runtime.getRuntime()", "staticMethod java.lang.Runtime getRuntime"),
        ("Class.forName('java.io.File')", "staticMethod java.lang.Class forName java.lang.String"),
        ("new XmlSlurper()", "new groovy.util.XmlSlurper"),
        ("new ConfigSlurper()", "new groovy.util.ConfigSlurper"),
        ("new Expando()", "new groovy.util.Expando"),
        ("new groovy.text.SimpleTemplateEngine()", "new groovy.text.SimpleTemplateEngine"),
    ] {
        let expect = format!("!!! {REJECTED}: Scripts not permitted to use {refused}");
        assert_eq!(on_large_stack(move || ours(script)), expect, "{script}");
    }
}

const REJECTED: &str = "org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException";

#[test]
fn the_goldens_are_what_the_installed_groovy_says() {
    let installed = Command::new("groovy").arg("--version").output();
    let Some(version) = installed.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()) else {
        eprintln!("no groovy here: the goldens are taken as they are (tests/run installs one)");
        return;
    };
    if !version.contains("2.4.21") || !version.contains("JVM: 17") {
        eprintln!("another Groovy or Java than that of the goldens: {version}");
        return;
    }
    let fresh = tempfile::tempdir().unwrap();
    let status = Command::new("groovy")
        .env("JAVA_OPTS", "-Duser.timezone=UTC -Duser.language=en -Duser.country=US -Dfile.encoding=UTF-8 -XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .arg(corpus().join("driver.groovy"))
        .args([corpus().join("cases"), fresh.path().to_owned()])
        .status()
        .unwrap();
    assert!(status.success());
    let (kept, fresh) = (goldens(&corpus().join("golden")), goldens(fresh.path()));
    let names: BTreeSet<&String> = kept.keys().chain(fresh.keys()).collect();
    let stale: Vec<_> = names
        .into_iter()
        .filter(|name| kept.get(*name).map(|text| comparable(text)) != fresh.get(*name).map(|text| comparable(text)))
        .collect();
    assert!(stale.is_empty(), "run the driver again (tests/groovy-corpus/README.md): {stale:#?}");
}
