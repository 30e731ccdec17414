//! What was tried, what was measured, what broke; as a table for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::{Options, Size};

/// How a fault ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything promised was kept.
    Held,
    /// Something was not.
    Broken,
    /// It could not be tried here.
    NotTried,
}

/// One fault.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// As `F1`.
    pub name: String,
    /// What was done.
    pub title: String,
    /// Name to value, in the order they were measured.
    pub measures: Vec<(String, String)>,
    /// What broke, one line each.
    pub findings: Vec<String>,
    /// Why it, or a part of it, was not tried.
    pub not_tried: Vec<String>,
    /// Something was tried.
    pub tried: bool,
    /// How long it took.
    pub seconds: f64,
}

/// All of them.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Repeats every random choice.
    pub seed: u64,
    /// `short` or `full`.
    pub size: &'static str,
    /// What the binary says of itself.
    pub version: String,
    /// Of the machine: kernel, processors, databases.
    pub machine: BTreeMap<String, String>,
    /// One a fault.
    pub outcomes: Vec<Outcome>,
}

/// More lines of one kind say nothing new.
const FINDINGS_MOST: usize = 20;

impl Outcome {
    pub(crate) fn new(name: &str, title: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            measures: Vec::new(),
            findings: Vec::new(),
            not_tried: Vec::new(),
            tried: false,
            seconds: 0.0,
        }
    }

    /// Something broke.
    pub(crate) fn find(&mut self, what: impl Into<String>) {
        self.tried = true;
        if self.findings.len() < FINDINGS_MOST {
            self.findings.push(what.into());
        }
    }

    /// Something was measured, and holds or not.
    pub(crate) fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.tried = true;
        if !holds {
            self.find(otherwise());
        }
    }

    pub(crate) fn measure(&mut self, name: &str, value: impl std::fmt::Display) {
        self.tried = true;
        self.measures.push((name.to_owned(), value.to_string()));
    }

    pub(crate) fn skip(&mut self, why: impl Into<String>) {
        self.not_tried.push(why.into());
    }

    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        match (self.findings.is_empty(), self.tried) {
            (false, _) => Verdict::Broken,
            (true, true) => Verdict::Held,
            (true, false) => Verdict::NotTried,
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        let measures: Vec<_> = self.measures.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let mut line = match self.verdict() {
            Verdict::Held => format!("held in {:.0} s: {}", self.seconds, measures.join(", ")),
            Verdict::Broken => format!("BROKEN: {}", self.findings.join("; ")),
            Verdict::NotTried => "not tried".to_owned(),
        };
        if !self.not_tried.is_empty() {
            let _ = write!(line, " (not tried: {})", self.not_tried.join("; "));
        }
        line
    }
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let version = std::process::Command::new(&options.binary).arg("--version").output();
        let version = version.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let machine = BTreeMap::from([
            ("kernel".to_owned(), read("/proc/sys/kernel/osrelease")),
            ("processors".to_owned(), processors.to_string()),
            ("load at the start".to_owned(), read("/proc/loadavg")),
            ("postgres".to_owned(), options.postgres.as_ref().map_or("none", |_| "given").to_owned()),
        ]);
        let size = if options.size == Size::Short { "short" } else { "full" };
        Self { seed: options.seed, size, version, machine, outcomes: Vec::new() }
    }

    /// Nothing promised was broken.
    pub fn held(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.verdict() != Verdict::Broken)
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("# Reliability report\n\n{}, the {} form, seed {}.\n", self.version, self.size, self.seed);
        for (name, value) in &self.machine {
            let _ = write!(text, " {name}: {value}.");
        }
        text.push_str("\n\n| | Fault | Verdict | Measured | Seconds |\n|---|---|---|---|---|\n");
        for outcome in &self.outcomes {
            let verdict = match outcome.verdict() {
                Verdict::Held => "held",
                Verdict::Broken => "**broken**",
                Verdict::NotTried => "not tried",
            };
            let measures: Vec<_> = outcome.measures.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let _ = writeln!(
                text,
                "| {} | {} | {verdict} | {} | {:.0} |",
                outcome.name,
                outcome.title,
                measures.join("; "),
                outcome.seconds
            );
        }
        let lines = |heading: &str, pick: fn(&Outcome) -> &Vec<String>| {
            let lines: String = self
                .outcomes
                .iter()
                .flat_map(|outcome| pick(outcome).iter().map(|line| format!("- {}: {line}\n", outcome.name)))
                .collect();
            if lines.is_empty() { String::new() } else { format!("\n## {heading}\n\n{lines}") }
        };
        text.push_str(&lines("What broke", |outcome| &outcome.findings));
        text.push_str(&lines("What was not tried", |outcome| &outcome.not_tried));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_breaks_and_nothing_tried_is_no_success() {
        let mut outcome = Outcome::new("F1", "x");
        assert_eq!(outcome.verdict(), Verdict::NotTried);
        outcome.expect(true, || "never".to_owned());
        assert_eq!(outcome.verdict(), Verdict::Held);
        outcome.expect(false, || "a build is lost".to_owned());
        assert_eq!(outcome.verdict(), Verdict::Broken);
        assert!(outcome.line().contains("a build is lost"));
    }
}
