//! No text overflows the stack, panics, or takes more than a moment: nesting of every kind, and mutations of real scripts.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use haliotis_groovy_syntax::limits::MAX_NESTING;
use haliotis_groovy_syntax::parse;

/// Much more than any stack would hold.
const MANY: usize = 100_000;

fn refused(what: &str, text: &str) {
    let errors = parse(text, "deep").err().unwrap_or_else(|| panic!("{what} was accepted"));
    assert!(!errors.is_empty(), "{what}");
}

#[test]
fn nesting_of_every_kind_is_refused_and_not_suffered() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{ -> ", "}"),
        ("f {", "}"),
        ("f(", ")"),
        ("f([a: ", "])"),
        ("\"${", "}\""),
        ("\"\"\"${", "}\"\"\""),
        ("a[", "]"),
        ("if (x) {", "}"),
        ("L: {", "}"),
        ("try {", "} finally { }"),
        ("switch (x) { case 1: ", "break }"),
        ("class A {", "}"),
        ("new A() { def x() {", "} }"),
        ("x = { y = ", "}"),
        ("a ? b : ", ""),
        ("a ?: ", ""),
        ("a = ", ""),
        ("!", "a"),
        ("-", "a"),
        ("~", "a"),
        ("(int) ", "a"),
        ("new A(", ")"),
        ("@A(", ")"),
        ("if (x) ", ""),
        ("L: ", ""),
        ("while (x) ", ""),
        ("if (x) y else ", ""),
        ("def f(a = ", ") {}"),
        ("{ a = ", "-> }"),
    ] {
        let whole = format!("{}1{}", open.repeat(MANY), close.repeat(MANY));
        refused(open, &whole);
        refused(open, &open.repeat(MANY));
    }
}

#[test]
fn chains_of_every_kind_are_bounded() {
    for link in [" + a", ".a", "()", "[0]", " && a", " ** 2", " << 1", "?.a", " .. 1", " == 1", "{}", " b c"] {
        let text = format!("a{}", link.repeat(MANY));
        // A call's trailing closures lie side by side; all else grows deep.
        if link == "{}" {
            assert!(parse(&text, "long").is_ok(), "{link}");
        } else {
            refused(link, &text);
        }
    }
}

#[test]
fn what_people_write_fits() {
    let sum = format!("x = 'a'{}", " + 'a'".repeat(1000));
    assert!(parse(&sum, "sum").is_ok());
    let deep = MAX_NESTING as usize / 8;
    let blocks = format!("{}1{}", "f {".repeat(deep), "}".repeat(deep));
    assert!(parse(&blocks, "blocks").is_ok(), "{:?}", parse(&blocks, "blocks").unwrap_err());
    // Wide is not deep.
    let many = "f(1)\n".repeat(20_000);
    assert_eq!(parse(&many, "many").unwrap().body.stmts.len(), 20_000);
    let values = format!("\"{}\"", "$a ${b}".repeat(20_000));
    assert!(parse(&values, "values").is_ok());
    let list = format!("[{}]", "1,".repeat(20_000));
    assert!(parse(&list, "list").is_ok());
}

#[test]
fn brackets_that_never_close_do_not_cost_their_square() {
    for open in ["(", "[", "{", "\"${", "'", "/*", "$/", "A<", "@A(", "f(a:", "\"$a ", "case 1:", "a?"] {
        let _ = parse(&open.repeat(MANY), "open");
        let _ = parse(&format!("{open}\n").repeat(MANY / 4), "open lines");
    }
}

/// A generator with a fixed seed: the same texts in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap()
    }
}

const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "'''",
    "\"\"\"",
    "/",
    "$/",
    "/$",
    "${",
    "$a",
    "->",
    "<",
    ">",
    ">>",
    ":",
    ";",
    ",",
    "\n",
    "\\",
    "\\u00e9",
    "@",
    "*",
    "*:",
    "?",
    "?:",
    ".",
    "..",
    "+",
    "-",
    "=",
    "==",
    "!",
    "def ",
    "class A ",
    "enum E ",
    "if (",
    "else ",
    "for (",
    "while (",
    "switch (",
    "case ",
    "try ",
    "catch (",
    "new ",
    "in ",
    "as ",
    "return ",
    "é",
    "0x",
    "1e",
    "//",
    "/*",
    "*/",
    "import ",
    "static ",
    "assert ",
    " ",
    "\u{feff}",
    "\u{1f600}",
];

#[test]
fn mutations_of_scripts_do_not_panic() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for seed in [include_str!("scripts/jenkinsfile.groovy"), include_str!("scripts/language.groovy")] {
        for _ in 0..1500 {
            let mut text: Vec<char> = seed.chars().collect();
            for _ in 0..=dice.roll(6) {
                let at = dice.roll(text.len());
                match dice.roll(4) {
                    0 => {
                        text.drain(at..(at + dice.roll(40)).min(text.len()));
                    }
                    1 => {
                        let end = (at + dice.roll(60)).min(text.len());
                        let copied: Vec<char> = text.get(at..end).unwrap().to_vec();
                        let to = dice.roll(text.len());
                        text.splice(to..to, copied);
                    }
                    2 => text.truncate(at.max(1)),
                    _ => {
                        let piece = PIECES.get(dice.roll(PIECES.len())).unwrap();
                        text.splice(at..at, piece.chars());
                    }
                }
            }
            let text: String = text.into_iter().collect();
            if let Err(errors) = parse(&text, "mutation") {
                for error in errors {
                    assert!(error.start <= error.end, "{error}");
                    assert!(error.span.end as usize <= text.len(), "{error}");
                }
            }
        }
    }
}
