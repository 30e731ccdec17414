//! Programs: a source plus scripted outcomes gives a journal; every prefix of it replays to the same commands.

mod support;

use haliotis_flow::{Command, Language};
use support::drive;

#[test]
fn programs() {
    let mut failed = Vec::new();
    let fixtures = support::fixtures("programs");
    assert!(fixtures.len() >= 20, "fixtures are gone");
    for (name, text) in fixtures {
        let script = drive::Script::parse(&text);
        let build = script.build(&name, &text);
        let turns = drive::run(&build, &script);
        drive::check_prefixes(&build, &turns);
        let ends =
            turns.iter().flat_map(|turn| &turn.commands).filter(|command| matches!(command, Command::Finish { .. }));
        assert_eq!(ends.count(), 1, "{name} ends once");
        if let Err(why) = support::golden("programs", &name, &drive::print(&build, &turns)) {
            failed.push(why);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Every command names a node of the outline or something below one.
#[test]
fn outlines_know_what_runs() {
    for (name, text) in support::fixtures("programs") {
        let script = drive::Script::parse(&text);
        let build = script.build(&name, &text);
        let outline = drive::load(&build).outline;
        for turn in drive::run(&build, &script) {
            for command in turn.commands {
                let id = match &command {
                    Command::StartStep(call) => &call.id,
                    Command::AskInput { id, .. } | Command::Skip { id, .. } => id,
                    _ => continue,
                };
                let known = outline.nodes.iter().any(|node| node.id == *id) || id.as_str().contains("/interrupted");
                assert!(known, "{name}: {id} is not in the outline");
            }
        }
        for node in &outline.nodes {
            for need in node.needs.iter().chain(&node.group) {
                assert!(outline.nodes.iter().any(|other| other.id == *need), "{name}: {need} is not in the outline");
            }
        }
    }
}

/// What `wants` asks for is what the fixtures pin.
#[test]
fn called_files_are_wanted() {
    for (name, text) in support::fixtures("programs") {
        let script = drive::Script::parse(&text);
        let mut source = support::source(&name, &text);
        loop {
            let wanted = haliotis_yaml::Yaml.wants(&source);
            if wanted.is_empty() {
                break;
            }
            for path in wanted {
                let file = script.files.get(&path).cloned().unwrap_or_else(|| panic!("{name} wants {path}"));
                source.files.insert(path, file);
            }
        }
        assert_eq!(source.files.keys().collect::<Vec<_>>().len(), script.files.len(), "{name}");
    }
}
