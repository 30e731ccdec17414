//! Steps: scripts wait for the host wherever they call it, and go on with its answer or its exception.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use haliotis_groovy::{Host, HostAnswer, HostObject, Outcome, Thread, Value, Vm};

#[derive(Default)]
struct Steps {
    printed: RefCell<String>,
}

impl Host for Steps {
    fn call(&self, _: &mut Vm, name: &str, _: &[Value]) -> HostAnswer {
        if matches!(name, "sh" | "node" | "parallel" | "fail" | "sleep") {
            HostAnswer::Suspend
        } else {
            HostAnswer::Unknown
        }
    }

    fn property(&self, _: &mut Vm, name: &str) -> HostAnswer {
        if name == "currentBuild" { HostAnswer::Value(Value::Host(Rc::new(Build))) } else { HostAnswer::Unknown }
    }

    fn print(&self, text: &str) {
        self.printed.borrow_mut().push_str(text);
    }

    fn now_ms(&self) -> i64 {
        0
    }

    fn random(&self) -> u64 {
        0
    }
}

struct Build;

impl HostObject for Build {
    fn class_name(&self) -> &str {
        "RunWrapper"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get(&self, _: &mut Vm, name: &str) -> HostAnswer {
        match name {
            "number" => HostAnswer::Value(Value::Int(42)),
            "slow" => HostAnswer::Suspend,
            _ => HostAnswer::Unknown,
        }
    }
}

/// Runs a thread to its end; `log` gets every call in order.
fn drive(vm: &mut Vm, thread: &mut Thread, log: &mut Vec<String>) -> Result<Value, Value> {
    loop {
        match vm.run(thread, 10_000) {
            Outcome::Done(value) => return Ok(value),
            Outcome::Threw(exception) => return Err(exception),
            Outcome::Fatal(text) => panic!("{text}"),
            Outcome::Paused => {}
            Outcome::Call(call) => {
                let args = vm.list(call.args.clone());
                let shown =
                    if &*call.name == "sh" { vm.text(&args).unwrap_or_default().to_string() } else { String::new() };
                log.push(format!("{}{shown}", call.name));
                let answer = match &*call.name {
                    "fail" => Err(vm.throw("hudson.AbortException", "script returned exit code 1")),
                    "node" => {
                        let mut inner = vm.closure_thread(call.args.last().unwrap_or(&Value::Null), Vec::new());
                        drive(vm, &mut inner, log).map_err(haliotis_groovy::Raise::Throw)
                    }
                    "parallel" => parallel(vm, &call.args[0], log),
                    "slow" => Ok(Value::str("slow")),
                    _ => Ok(Value::from(format!("<{}>", shown.trim_matches(['[', ']'])))),
                };
                thread.resume(answer);
            }
        }
    }
}

/// Branches take turns: one call each.
fn parallel(vm: &mut Vm, branches: &Value, log: &mut Vec<String>) -> Result<Value, haliotis_groovy::Raise> {
    let Value::Map(map) = branches else { panic!("parallel takes a map") };
    let mut threads: Vec<Thread> =
        vm.entries(map).into_iter().map(|(_, body)| vm.closure_thread(&body, Vec::new())).collect();
    let mut open = threads.len();
    while open > 0 {
        open = 0;
        for thread in &mut threads {
            match vm.run(thread, 10_000) {
                Outcome::Call(call) => {
                    let text = vm.text(&call.args[0])?;
                    log.push(text.to_string());
                    thread.resume(Ok(Value::Null));
                    open += 1;
                }
                Outcome::Paused => open += 1,
                _ => {}
            }
        }
    }
    Ok(Value::Null)
}

fn machine(text: &str) -> (Vm, Value, Rc<Steps>) {
    let script = haliotis_groovy_syntax::parse(text, "Jenkinsfile").unwrap();
    let host = Rc::new(Steps::default());
    let mut vm = Vm::new(host.clone());
    vm.load(&[(&script, "WorkflowScript")]).unwrap();
    let binding = vm.binding();
    let object = vm.script("WorkflowScript", &binding).unwrap_or_default();
    (vm, object, host)
}

/// What a script gives, and the calls it made.
fn check(text: &str, value: &str, calls: &[&str]) {
    let (mut vm, object, _) = machine(text);
    let mut thread = vm.thread(&object, "run", Vec::new());
    let mut log = Vec::new();
    let ended = match drive(&mut vm, &mut thread, &mut log) {
        Ok(value) => vm.text(&value).unwrap_or_default().to_string(),
        Err(exception) => format!("!{}", vm.describe(&exception).lines().next().unwrap_or("")),
    };
    assert_eq!(ended, value, "{text}");
    assert_eq!(log, calls, "{text}");
}

#[test]
fn a_step_may_stand_in_any_closure_of_the_library() {
    check("[1, 2].each { sh it }; 'ok'", "ok", &["sh[1]", "sh[2]"]);
    check("[1, 2].collect { sh it }", "[<1>, <2>]", &["sh[1]", "sh[2]"]);
    check("[a: 1].collect { k, v -> sh \"$k$v\" }", "[<a1>]", &["sh[a1]"]);
    check("[3, 1].sort { a, b -> a <=> b }.findAll { sh(it) }", "[1, 3]", &["sh[1]", "sh[3]"]);
    check("[1, 2].inject('') { acc, x -> acc + sh(x) }", "<1><2>", &["sh[1]", "sh[2]"]);
    check("def n = 0; 2.times { sh it; n++ }; n", "2", &["sh[0]", "sh[1]"]);
    check("'x'.with { sh it }", "<x>", &["sh[x]"]);
    check("[1, 2].any { sh(it) == '<2>' }", "true", &["sh[1]", "sh[2]"]);
    check("def m = [:].withDefault { sh it }; m.a + m.a", "<a><a>", &["sh[a]"]);
    check("(1..2).collectEntries { [it, sh(it)] }", "[1:<1>, 2:<2>]", &["sh[1]", "sh[2]"]);
    check("def f = { sh it }.memoize(); f(1) + f(1)", "<1><1>", &["sh[1]"]);
    check("['a', 'b']*.with { sh it }", "[<a>, <b>]", &["sh[a]", "sh[b]"]);
}

#[test]
fn a_step_may_stand_in_methods_classes_and_conditions() {
    check("def go(x) { sh(x) + sh(x) }; go('a')", "<a><a>", &["sh[a]", "sh[a]"]);
    check("class D { def s; def go() { s.sh 'x' } }; new D(s: this).go()", "<x>", &["sh[x]"]);
    check("if (sh('a') == '<a>' && sh('b')) 'yes' else 'no'", "yes", &["sh[a]", "sh[b]"]);
    check("switch (sh('a')) { case ~/<.>/: sh 'b'; break }", "<b>", &["sh[a]", "sh[b]"]);
    check("currentBuild.number + currentBuild.slow", "42slow", &["slow"]);
    check("def x = 1; node('l') { node { x += 1; sh \"$x\" } }; x", "2", &["node", "node", "sh[2]"]);
    check("sleep 5; 'woke'", "woke", &["sleep"]);
}

#[test]
fn exceptions_of_steps_are_caught_where_groovy_catches() {
    check("try { fail() } catch (hudson.AbortException e) { e.message }", "script returned exit code 1", &["fail"]);
    check(
        "try { node { fail() } } catch (e) { sh 'c' } finally { sh 'f' }",
        "<c>",
        &["node", "fail", "sh[c]", "sh[f]"],
    );
    check(
        "try { [1].each { fail() } } finally { sh 'f' }",
        "!hudson.AbortException: script returned exit code 1",
        &["fail", "sh[f]"],
    );
}

#[test]
fn branches_share_variables_and_take_turns() {
    check(
        "def seen = []; parallel(a: { sh 'a1'; seen << 'a'; sh 'a2' }, b: { sh 'b1'; seen << 'b' }); seen",
        "[a, b]",
        &["parallel", "a1", "b1", "a2"],
    );
}

#[test]
fn a_step_where_groovy_runs_on_its_own_is_refused_in_words() {
    let (mut vm, object, _) =
        machine("class A { def s; String toString() { s.sh('x') } }; \"${new A(s: this)}\".size()");
    let mut thread = vm.thread(&object, "run", Vec::new());
    let exception = drive(&mut vm, &mut thread, &mut Vec::new()).err().unwrap_or_default();
    let text = vm.describe(&exception);
    assert!(text.contains("sh was called where Groovy runs on its own"), "{text}");
}

/// The same answers give the same calls and the same value, whatever the slices.
#[test]
fn a_run_is_determined_by_its_answers() {
    let text =
        "def out = [:]\n(1..5).each { n -> out[\"k$n\"] = sh(n).size() * n }\nout.findAll { it.value > 3 }.toString()";
    let mut ends = Vec::new();
    for slice in [1, 7, 1_000_000] {
        let (mut vm, object, _) = machine(text);
        let mut thread = vm.thread(&object, "run", Vec::new());
        let mut calls = Vec::new();
        let value = loop {
            match vm.run(&mut thread, slice) {
                Outcome::Done(value) => break vm.text(&value).unwrap_or_default(),
                Outcome::Call(call) => {
                    calls.push((call.name.to_string(), call.at.line));
                    thread.resume(Ok(Value::str("abc")));
                }
                Outcome::Paused => {}
                _ => panic!("it does not fail"),
            }
        };
        ends.push((value.to_string(), calls));
    }
    assert_eq!(ends[0].0, "[k2:6, k3:9, k4:12, k5:15]");
    assert_eq!(ends[0].1[0], ("sh".to_owned(), 2));
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
}

#[test]
fn a_dropped_machine_leaves_nothing_behind() {
    let probe: Rc<dyn HostObject> = Rc::new(Build);
    let (mut vm, object, host) = machine(
        "x = [probe]; x << x; f = { f; x }; m = [a: x, c: f]; m.m = m; class K { static held }; K.held = m; sh 'stop'",
    );
    if let Value::Object(script) = &object {
        let binding = script.binding.clone().unwrap();
        vm.map_put(&binding, Value::str("probe"), Value::Host(probe.clone())).ok();
    }
    let mut thread = vm.thread(&object, "run", Vec::new());
    assert!(matches!(vm.run(&mut thread, 10_000), Outcome::Call(_)));
    assert!(Rc::strong_count(&probe) > 1);
    drop(thread);
    drop(object);
    drop(vm);
    assert_eq!(Rc::strong_count(&probe), 1);
    assert_eq!(Rc::strong_count(&host), 1);
}
