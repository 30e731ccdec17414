//! Programs: a Jenkinsfile plus scripted outcomes gives a journal; every prefix of it replays to the same commands.

mod support;

use haliotis_flow::Command;

#[test]
fn programs() {
    let mut failed = Vec::new();
    let fixtures = support::fixtures("programs");
    assert!(fixtures.len() >= 12, "fixtures are gone");
    for (name, text) in fixtures {
        let script = support::Script::parse(&text);
        let build = script.build(&name, &text);
        let turns = support::run(&build, &script);
        support::check_prefixes(&build, &turns);
        let commands = || turns.iter().flat_map(|turn| &turn.commands);
        let ends = commands().filter(|command| matches!(command, Command::Finish { .. })).count();
        assert_eq!(ends, 1, "{name} ends once");
        let leased = commands().filter(|command| matches!(command, Command::LeaseAgent { .. })).count();
        let released = commands().filter(|command| matches!(command, Command::ReleaseAgent { .. })).count();
        assert_eq!(leased, released, "{name} gives its slots back");
        if let Err(why) = support::golden("programs", &name, &support::print(&turns)) {
            failed.push(why);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
