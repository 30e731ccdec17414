//! Where closures find names, and what Jenkins pipelines rely on in maps with interpolated keys.

use std::rc::Rc;

use haliotis_groovy::plain::{Ended, evaluate};

fn check(text: &str, value: &str) {
    let ended = evaluate(text, "Script1.groovy", "Script1", Rc::new(|_| {}));
    assert_eq!(ended, Ended::Value(value.to_owned()), "{text}");
}

/// Checked against groovy 2.4.21.
#[test]
fn an_interpolated_index_is_a_string_key() {
    check("def k = 'a'; def m = [a: 1]; [m[\"${k}\"], m.get(\"${k}\"), m.\"${k}\"]", "[1, null, 1]");
    check("def k = 'a'; def m = [:]; m[\"${k}x\"] = 2; m.keySet()*.class.simpleName", "[String]");
    check("def k = 'a'; def n = [\"${k}\": 3]; [n['a'], n[\"${k}\"]]", "[null, null]");
}

#[test]
fn a_delegate_that_sets_properties_itself_is_asked_first() {
    let class = "class T { def p = [:]; void setProperty(String n, v) { p[n] = v }; def getProperty(String n) { n == 'p' ? this.@p : p[n] } }\n";
    let body = "def t = new T(); def c = { name = 'n'; val = 2 }; c.delegate = t; c.resolveStrategy = Closure.DELEGATE_FIRST; c(); t.@p";
    check(&format!("{class}{body}"), "[name:n, val:2]");
    check(
        "class T { def p = [:]; def propertyMissing(String n, v) { p[n] = v } }\ndef t = new T(); def c = { name = 'n' }; c.delegate = t; c.resolveStrategy = 1; c(); t.p",
        "[name:n]",
    );
}
