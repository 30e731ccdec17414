//! What of an object a request wants: by `depth`, or by `tree`.
//!
//! With `depth` an object shows all its plain fields at the top and, below, only those that identify it; each step of
//! depth moves that border one level down. With `tree=jobs[name,builds[number]{0,5}]` it shows what is named, a list cut to
//! the range behind its name. An object is built along its [`Want`], so what nobody asked for is not looked up.

use crate::error::Failed;

/// Names in one `tree`; a client asks for a few dozen.
const TREE_NAMES: usize = 2_000;
/// Levels of one `tree`; python-jenkins asks for ten of folders.
const TREE_LEVELS: usize = 64;
/// Deeper than this nothing of ours goes.
const DEPTH_MAX: i32 = 10;

/// A field shown wherever its object is: its name and address.
pub(crate) const ALWAYS: i32 = 3;
/// A field shown one level below the top, too.
pub(crate) const OFTEN: i32 = 2;
/// A field shown at the top.
pub(crate) const TOP: i32 = 1;

/// Which fields of one object are wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Want {
    select: Select,
    range: Range,
}

#[derive(Clone, Debug, PartialEq)]
enum Select {
    /// Fields of at least this visibility.
    Level(i32),
    /// Fields of these names.
    Named(Vec<(String, Want)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    from: usize,
    to: usize,
}

const WHOLE: Range = Range { from: 0, to: usize::MAX };

impl Want {
    /// What a depth asks for; 0 is the object alone.
    pub(crate) fn depth(depth: i32) -> Self {
        Self { select: Select::Level(1 - depth.clamp(0, DEPTH_MAX)), range: WHOLE }
    }

    /// Everything that identifies an object, nothing else: how it stands in a list.
    #[cfg(test)]
    pub(crate) fn brief() -> Self {
        Self { select: Select::Level(ALWAYS), range: WHOLE }
    }

    /// From the text after `tree=`.
    ///
    /// # Errors
    /// When brackets do not fit or it is larger than any client's.
    pub(crate) fn tree(text: &str) -> Result<Self, Failed> {
        let mut parser = Parser { rest: text, names: 0 };
        let select = parser.list(0)?;
        if !parser.rest.is_empty() {
            return Err(malformed(parser.rest));
        }
        Ok(Self { select: Select::Named(select), range: WHOLE })
    }

    /// What is wanted of a field's value; `None`: the field is not wanted.
    pub(crate) fn field(&self, name: &str, visibility: i32) -> Option<Want> {
        match &self.select {
            Select::Level(level) if visibility >= *level => {
                Some(Want { select: Select::Level(level + 1), range: WHOLE })
            }
            Select::Level(_) => None,
            Select::Named(named) => {
                let found = named.iter().find(|(wanted, _)| wanted == name);
                let star = || named.iter().find(|(wanted, _)| wanted == "*");
                found.or_else(star).map(|(_, want)| want.clone())
            }
        }
    }

    /// The same for a value that stands on its object's own level, as the parameters of an action.
    pub(crate) fn inline(&self, name: &str) -> Option<Want> {
        match &self.select {
            Select::Level(_) => Some(self.clone()),
            Select::Named(_) => self.field(name, TOP),
        }
    }

    /// The part of a list that is wanted.
    pub(crate) fn cut<T>(&self, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let Range { from, to } = self.range;
        all.into_iter().skip(from).take(to.saturating_sub(from))
    }

    /// How many items from the start are needed to make the wanted part.
    pub(crate) fn reach(&self) -> usize {
        self.range.to
    }
}

struct Parser<'t> {
    rest: &'t str,
    names: usize,
}

impl Parser<'_> {
    fn list(&mut self, level: usize) -> Result<Vec<(String, Want)>, Failed> {
        if level > TREE_LEVELS {
            return Err(malformed(self.rest));
        }
        let mut fields = Vec::new();
        loop {
            let end = self.rest.find([',', '[', ']', '{', '}']).unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(end);
            self.rest = rest;
            self.names += 1;
            if self.names > TREE_NAMES {
                return Err(malformed(self.rest));
            }
            let inner = if self.take('[') {
                let inner = self.list(level + 1)?;
                if !self.take(']') {
                    return Err(malformed(self.rest));
                }
                inner
            } else {
                Vec::new()
            };
            let range = if self.take('{') { self.range()? } else { WHOLE };
            if !name.trim().is_empty() {
                add(&mut fields, name.trim(), Want { select: Select::Named(inner), range });
            }
            if !self.take(',') {
                return Ok(fields);
            }
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let taken = self.rest.strip_prefix(wanted);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    /// `M,N`, `M,`, `,N` or `N`: items from M, up to and without N; `N` alone is one item.
    fn range(&mut self) -> Result<Range, Failed> {
        let (inside, rest) = self.rest.split_once('}').ok_or_else(|| malformed(self.rest))?;
        self.rest = rest;
        let number = |text: &str, default: usize| match text.trim() {
            "" => Ok(default),
            text => text.parse().map_err(|_| malformed(text)),
        };
        match inside.split_once(',') {
            Some((from, to)) => Ok(Range { from: number(from, 0)?, to: number(to, usize::MAX)? }),
            None => {
                let at = number(inside, 0)?;
                Ok(Range { from: at, to: at.saturating_add(1) })
            }
        }
    }
}

/// A name that is given twice wants what both want.
fn add(fields: &mut Vec<(String, Want)>, name: &str, want: Want) {
    let Some((_, known)) = fields.iter_mut().find(|(known, _)| known == name) else {
        fields.push((name.to_owned(), want));
        return;
    };
    if let (Select::Named(known), Select::Named(more)) = (&mut known.select, want.select) {
        for (name, want) in more {
            add(known, &name, want);
        }
    }
}

fn malformed(at: &str) -> Failed {
    let at: String = at.chars().take(40).collect();
    Failed::bad_request(
        format!("`tree` cannot be read at {at:?}"),
        "Write names with commas, their fields in [ ], a range in { }.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_moves_the_border_down() {
        let top = Want::depth(0);
        assert!(top.field("description", TOP).is_some());
        let job = top.field("jobs", TOP).unwrap();
        assert!(job.field("description", TOP).is_none() && job.field("number", OFTEN).is_some());
        let build = job.field("lastBuild", ALWAYS).unwrap();
        assert!(build.field("number", OFTEN).is_none() && build.field("url", ALWAYS).is_some());
        assert!(Want::depth(1).field("jobs", TOP).unwrap().field("description", TOP).is_some());
        assert!(Want::brief().field("description", TOP).is_none());
    }

    #[test]
    fn a_tree_names_fields_and_ranges() {
        let want = Want::tree("jobs[name,builds[number]{1,3}],mode,jobs[url]").unwrap();
        assert!(want.field("views", ALWAYS).is_none());
        let jobs = want.field("jobs", TOP).unwrap();
        assert!(jobs.field("name", TOP).is_some() && jobs.field("url", TOP).is_some());
        let builds = jobs.field("builds", TOP).unwrap();
        assert_eq!(builds.cut(vec![9, 8, 7, 6]).collect::<Vec<_>>(), [8, 7]);
        assert_eq!(builds.reach(), 3);
        let one = Want::tree("builds{2}").unwrap().field("builds", TOP).unwrap();
        assert_eq!(one.cut(0..5).collect::<Vec<_>>(), [2]);
        assert!(Want::tree("*").unwrap().field("anything", TOP).is_some());
        for text in ["jobs[name", "a]", "a{x}", "a{1"] {
            assert!(Want::tree(text).is_err(), "{text}");
        }
        assert!(Want::tree(&"a[".repeat(500)).is_err());
    }
}
