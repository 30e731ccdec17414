//! What Jenkins' steps, options, parameters and their kin are called and take. Read from the two tables beside.
//!
//! A row is `name flags parameters`. Flags: `n` needs a node, `b` takes a block, `w` stands in `options` as a wrapper,
//! `x` is known but not here (the reason follows). A parameter is `name`, `!` when it must be given, and a type: `S`
//! text, `I` whole number, `B` true or false, `L` list, `A` anything.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Integer,
    Boolean,
    List,
    Any,
}

impl Type {
    /// As Jenkins' messages name it.
    pub(crate) fn java(self) -> &'static str {
        match self {
            Type::Text => "class java.lang.String",
            Type::Integer => "int",
            Type::Boolean => "boolean",
            Type::List => "interface java.util.List",
            Type::Any => "class java.lang.Object",
        }
    }
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) ty: Type,
}

/// A step or another thing with parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: &'static str,
    /// For steps: needs a node.
    pub(crate) node: bool,
    /// Takes a block.
    pub(crate) block: bool,
    /// May stand in `options`.
    pub(crate) wrapper: bool,
    /// Known to Jenkins, not to be had here; what it belongs to.
    pub(crate) foreign: Option<&'static str>,
    pub(crate) params: Vec<Param>,
}

impl Symbol {
    /// The parameter that a single argument without a name means.
    pub(crate) fn sole(&self) -> Option<&Param> {
        match self.params.as_slice() {
            [only] => Some(only),
            _ => self.sole_required(),
        }
    }

    /// The only required one.
    pub(crate) fn sole_required(&self) -> Option<&Param> {
        let mut required = self.params.iter().filter(|param| param.required);
        required.next().filter(|_| required.next().is_none())
    }

    /// A parameter by name.
    pub(crate) fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// Whether it takes names that are not in the table.
    pub(crate) fn is_open(&self) -> bool {
        self.params.iter().any(|param| param.name == "*")
    }
}

type Table = BTreeMap<&'static str, Symbol>;

/// A step by name.
pub(crate) fn step(name: &str) -> Option<&'static Symbol> {
    steps().get(name)
}

/// All steps.
pub(crate) fn steps() -> &'static Table {
    static STEPS: OnceLock<Table> = OnceLock::new();
    STEPS.get_or_init(|| read(include_str!("tables/steps.txt")).remove("step").unwrap_or_default())
}

/// What may stand in a section: `option`, `trigger`, `parameter`, `when`, `agent`, `tool`, `value`.
pub(crate) fn section(kind: &str) -> &'static Table {
    static SECTIONS: OnceLock<BTreeMap<&'static str, Table>> = OnceLock::new();
    static EMPTY: Table = BTreeMap::new();
    SECTIONS.get_or_init(|| read(include_str!("tables/symbols.txt"))).get(kind).unwrap_or(&EMPTY)
}

/// A symbol that makes a value, wherever it may stand: `string(…)`, `usernamePassword(…)`, `logRotator(…)`.
pub(crate) fn value_symbol(name: &str) -> Option<&'static Symbol> {
    ["parameter", "value", "trigger", "option"].into_iter().find_map(|kind| section(kind).get(name))
}

fn read(text: &'static str) -> BTreeMap<&'static str, Table> {
    let mut tables: BTreeMap<&'static str, Table> = BTreeMap::new();
    let mut kind = "step";
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            kind = name;
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(flags)) = (words.next(), words.next()) else { continue };
        let foreign = flags.contains('x');
        let rest = line.splitn(3, char::is_whitespace).nth(2).unwrap_or("").trim();
        let symbol = Symbol {
            name,
            node: flags.contains('n'),
            block: flags.contains('b'),
            wrapper: flags.contains('w'),
            foreign: foreign.then_some(rest),
            params: if foreign { Vec::new() } else { words.map(param).collect() },
        };
        tables.entry(kind).or_default().insert(name, symbol);
    }
    tables
}

fn param(word: &'static str) -> Param {
    let (head, ty) = word.split_once(':').unwrap_or((word, "S"));
    let ty = match ty {
        "I" => Type::Integer,
        "B" => Type::Boolean,
        "L" => Type::List,
        "A" => Type::Any,
        _ => Type::Text,
    };
    match head.strip_suffix('!') {
        Some(name) => Param { name, required: true, ty },
        None => Param { name: head, required: false, ty },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_read() {
        let sh = step("sh").unwrap();
        assert!(sh.node && !sh.block);
        assert_eq!(sh.sole().unwrap().name, "script");
        assert_eq!(step("echo").unwrap().sole().unwrap().name, "message");
        assert_eq!(step("timeout").unwrap().param("time").unwrap().ty, Type::Integer);
        assert!(step("recordIssues").unwrap().foreign.is_some());
        assert!(section("trigger").contains_key("cron"));
        assert!(section("option").contains_key("buildDiscarder"));
    }
}
