//! Size: ten layers of a thousand steps, and files made to hurt.

#![expect(clippy::print_stderr, reason = "the times are of interest")]
#![expect(clippy::disallowed_types, reason = "measures itself; the crate has no clock")]

mod support;

use std::fmt::Write as _;
use std::time::Instant;

use haliotis_flow::{Command, Event, Language};
use haliotis_model::{Millis, StepOutput};
use haliotis_yaml::Yaml;
use support::drive::{Script, load};

/// Ten layers of a thousand, each step needing the whole layer before through a shared list.
fn layers() -> String {
    let mut text = "name: layers\nsteps:\n".to_owned();
    for layer in 0..10 {
        for step in 0..1000 {
            let needs = match (layer, step) {
                (0, _) => String::new(),
                (_, 0) => {
                    let names: Vec<String> = (0..1000).map(|step| format!("l{}_{step}", layer - 1)).collect();
                    format!("needs: &layer{} [{}], ", layer - 1, names.join(", "))
                }
                _ => format!("needs: *layer{}, ", layer - 1),
            };
            let _ = writeln!(text, "  l{layer}_{step}: {{ {needs}uses: noop }}");
        }
    }
    text
}

/// Generous: this also runs unoptimised beside other tests. `benches/` has the real bar.
const LIMIT_MS: u128 = 8_000;

#[test]
fn ten_thousand_steps() {
    let begun = Instant::now();
    let text = layers();
    let build = Script::default().build("layers", &text);
    let mut program = load(&build).program;
    let loaded = begun.elapsed();
    let mut events = vec![Event::Begun];
    let (mut steps, mut turns) = (0, 0);
    loop {
        let commands = program.resume(Millis(turns), &events);
        turns += 1;
        events.clear();
        for command in commands {
            match command {
                Command::StartStep(call) => {
                    steps += 1;
                    events.push(Event::StepEnded { id: call.id, output: StepOutput::success(Default::default()) });
                }
                Command::Finish { .. } => {
                    eprintln!("{} KB, loaded in {loaded:?}, all in {:?}", text.len() / 1024, begun.elapsed());
                    assert_eq!((steps, turns), (10_000, 11));
                    assert!(begun.elapsed().as_millis() < LIMIT_MS, "{:?}", begun.elapsed());
                    return;
                }
                _ => {}
            }
        }
    }
}

/// Conditions and arguments with expressions, compiled once however often they stand.
#[test]
fn ten_thousand_expressions() {
    let mut text = "name: many\nparameters: { N: { type: integer, default: 3 } }\nsteps:\n".to_owned();
    for step in 0..10_000 {
        let _ = writeln!(
            text,
            "  s{step}: {{ if: parameters.N > 2, uses: echo, with: {{ message: \"n ${{{{ parameters.N + 1 }}}}\" }} }}"
        );
    }
    let begun = Instant::now();
    let mut program = load(&Script::default().build("many", &text)).program;
    let loaded = begun.elapsed();
    assert_eq!(program.resume(Millis(0), &[Event::Begun]).len(), 10_000);
    eprintln!("10,000 expressions: loaded in {loaded:?}, all in {:?}", begun.elapsed());
    assert!(begun.elapsed().as_millis() < LIMIT_MS, "{:?}", begun.elapsed());
}

#[test]
fn a_long_chain_does_not_recurse() {
    let mut text = "name: chain\nsteps:\n  s0: { run: \"false\" }\n".to_owned();
    for step in 1..15_000 {
        let _ = writeln!(text, "  s{step}: {{ needs: [s{}], uses: noop }}", step - 1);
    }
    let mut program = load(&Script::default().build("chain", &text)).program;
    program.resume(Millis(0), &[Event::Begun]);
    let failed = Event::StepEnded { id: haliotis_model::StepId::new("/s0"), output: StepOutput::failure("no") };
    let commands = program.resume(Millis(1), &[failed]);
    assert_eq!(commands.len(), 15_000, "14,999 skips and the end");
}

#[test]
fn bombs_are_refused_quickly() {
    let wide = format!("steps: {{ a: {{ uses: echo, with: {{ message: [{}] }} }} }}", "x, ".repeat(400_000));
    let shared = format!(
        "steps:\n  a: {{ uses: echo, with: {{ message: &m [{}] }} }}\n{}",
        "x, ".repeat(1000),
        (0..5000).map(|step| format!("  b{step}: {{ uses: echo, with: {{ message: *m }} }}\n")).collect::<String>()
    );
    let full_lists = {
        let names = (0..1000).map(|step| format!("l{step}")).collect::<Vec<_>>().join(", ");
        (0..1000).map(|step| format!("  b{step}: {{ needs: [{names}], uses: noop }}\n")).collect::<String>()
    };
    let full_lists = format!("steps:\n{full_lists}");
    let keys = format!("steps: {{ {} }}", (0..100_000).map(|key| format!("k{key}: 1, ")).collect::<String>());
    let flow = format!("steps: {}", "{a: [".repeat(100_000));
    let block = (0..3000).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<String>();
    let quotes = format!("a: \"{}", "\\n".repeat(1_000_000));
    for (name, text) in [
        ("wide", wide),
        ("shared", shared),
        ("full lists", full_lists),
        ("keys", keys),
        ("flow", flow),
        ("block", block),
        ("quotes", quotes),
    ] {
        let begun = Instant::now();
        let problems = Yaml.inspect(&support::source("bomb.yaml", &text), &support::kinds()).err();
        eprintln!("{name}: {} KB in {:?}", text.len() / 1024, begun.elapsed());
        assert!(problems.is_some_and(|problems| !problems.is_empty() && problems.len() <= 200), "{name}");
        assert!(begun.elapsed().as_millis() < LIMIT_MS, "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn expressions_cannot_eat_the_server() {
    for expression in [
        // Doubles with every map.
        format!("size(['aaaaaaaa']{}[0])", ".map(x, x + x)".repeat(40)),
        format!("size([[1]]{}[0])", ".map(x, [x, x])".repeat(40)),
        format!("size([[1, 2, 3]]{}[0])", ".map(x, x + x)".repeat(40)),
        // Walks.
        (0..8).fold("1".to_owned(), |inner, level| format!("size([1,2,3,4,5,6,7,8,9].map(x{level}, {inner}))")),
        (0..8).fold("false".to_owned(), |inner, level| {
            format!("([1,2,3,4,5,6,7,8,9].exists(x{level}, {inner}) || false)")
        }),
        "1 + ".repeat(900) + "1",
        "a?".repeat(900),
        "-".repeat(3000) + "1",
        "!".repeat(3000) + "true",
        "[".repeat(2000),
        "a.b".to_owned() + &".c".repeat(1500),
        "f(".repeat(1200),
    ] {
        let text = format!("steps:\n  a:\n    uses: echo\n    with:\n      message: \"${{{{ {expression} }}}}\"\n");
        let begun = Instant::now();
        let build = Script::default().build("greedy", &text);
        if let Ok(loaded) = Yaml.load(haliotis_model::BuildId(1), &build, &support::kinds()) {
            let mut program = loaded.program;
            let commands = program.resume(Millis(0), &[Event::Begun]);
            let failed = matches!(&commands[..], [.., Command::Finish { message: Some(message), .. }] if message.contains("too much work"));
            let ran = matches!(&commands[..], [Command::StartStep(_)]);
            assert!(failed || ran, "{expression}: {commands:?}");
        }
        eprintln!("{:.40}: {:?}", expression, begun.elapsed());
        assert!(begun.elapsed().as_millis() < LIMIT_MS, "{expression}");
    }
}
