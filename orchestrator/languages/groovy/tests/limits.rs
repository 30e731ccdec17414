//! Limits: whatever a script does, it ends in words, and the process lives.

use std::rc::Rc;

use haliotis_groovy::plain::{Ended, evaluate};

fn run(text: &str) -> String {
    // The stack of a test's thread is what an embedder's may be: nothing here may need more.
    match evaluate(text, "Script1.groovy", "Script1", Rc::new(|_| {})) {
        Ended::Value(value) => value,
        Ended::Threw { class, message, .. } => format!("{class}: {}", message.unwrap_or_default()),
        Ended::Invalid(problems) => format!("compile: {}", problems.join("; ")),
        Ended::Fatal(text) => format!("fatal: {text}"),
    }
}

fn check(text: &str, start: &str) {
    let ended = run(text);
    assert!(ended.starts_with(start), "{text}: {ended}");
}

#[test]
fn too_much_memory_ends_the_script() {
    let fatal = "fatal: the script uses too much memory";
    check("'x' * 2000000000", fatal);
    check("def s = 'x'; while (true) s += s", fatal);
    check("def l = [1]; while (true) l += l", fatal);
    check("(1..2000000000).toList()", fatal);
    check("def l = []; l[1000000000] = 1", fatal);
    check("''.padLeft(2000000000)", fatal);
    check("def s = new StringBuilder('x' * 1000000); while (true) s << s.toString()", fatal);
    check("new int[2000000000]", "java.lang.OutOfMemoryError");
    check("2 ** 100000000", "java.lang.ArithmeticException");
    check("1e2000000000 + 1", "java.lang.ArithmeticException");
}

#[test]
fn shared_texts_count_once() {
    check("def s = 'a' * 1000000; def l = []; 2000.times { l << s }; l.size()", "2000");
}

#[test]
fn too_deep_is_a_stack_overflow_that_can_be_caught() {
    let overflow = "java.lang.StackOverflowError";
    check("def f(n) { 1 + f(n + 1) }\nf(0)", overflow);
    check("def f(n) { n == 0 ? 0 : 1 + f(n - 1) }\nf(2500)", "2500");
    check("def f(n) { f(n + 1) }\ntry { f(0) } catch (StackOverflowError e) { 'caught' }", "caught");
    check("class A { def b; String toString() { \"$b\" } }\ndef a = new A(); a.b = a; a.toString()", overflow);
    check("def l = []; 1000.times { l = [l] }; l.toString()", overflow);
    check("def l = []; l << l; l.hashCode()", overflow);
    check("def c = { it }; 5000.times { c = c >> { it } }; c(1)", overflow);
    check("def g = ''; 5000.times { g = \"${g}x\" }; g.size()", overflow);
    check("def a = {}; def b = { foo }; a.delegate = b; b.delegate = a; b()", "groovy.lang.MissingPropertyException");
}

#[test]
fn deep_values_are_dropped_without_recursion() {
    check("def l = []; 200000.times { l = [l] }; l = null; 'gone'", "gone");
    check("def c = {}; 200000.times { def d = c; c = { d } }; c = null; 'gone'", "gone");
    check("def m = [:]; 100000.times { m = [m: m] }; m = null; 'gone'", "gone");
}

#[test]
fn nesting_in_the_text_is_refused_or_runs() {
    check(&format!("{}1{}", "(".repeat(100), ")".repeat(100)), "1");
    check(&vec!["1"; 2000].join(" + "), "2000");
    check(&format!("'x'{}", ".trim()".repeat(300)), "x");
    check(&format!("{}{}", "[".repeat(400), "]".repeat(400)), "compile: ");
}
