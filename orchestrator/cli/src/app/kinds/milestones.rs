//! Which builds of a pipeline have passed which milestone, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Builds remembered; an older one that still runs is superseded anyway.
const KEPT: usize = 200;

/// The milestones of one pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestones {
    /// Number to the build's id and the last milestone it passed.
    builds: BTreeMap<u32, (i64, i64)>,
}

/// What a build that comes to a milestone is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; these older builds, between the milestone before and this one, are superseded: their ids.
    Passed(Vec<i64>),
    /// A newer build, of this number, was here first.
    Superseded(u32),
}

impl Milestones {
    /// A build comes to a milestone. Told again, the answer is the same.
    pub fn pass(&mut self, number: u32, id: i64, ordinal: i64) -> Verdict {
        let newer = self.builds.iter().rev().find(|(other, (_, passed))| **other > number && *passed >= ordinal);
        if let Some((newer, _)) = newer {
            return Verdict::Superseded(*newer);
        }
        let passed = self.builds.get(&number).map_or(ordinal, |(_, before)| ordinal.max(*before));
        self.builds.insert(number, (id, passed));
        while self.builds.len() > KEPT {
            self.builds.pop_first();
        }
        let older = self.builds.range(..number).filter(|(_, (_, passed))| *passed < ordinal);
        Verdict::Passed(older.map(|(_, (id, _))| *id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_build_supersedes_older_ones() {
        let mut all = Milestones::default();
        assert_eq!(all.pass(1, 11, 1), Verdict::Passed(vec![]));
        assert_eq!(all.pass(2, 12, 1), Verdict::Passed(vec![]));
        // #2 is at 2 before #1, which is in between.
        assert_eq!(all.pass(2, 12, 2), Verdict::Passed(vec![11]));
        assert_eq!(all.pass(1, 11, 2), Verdict::Superseded(2));
        // Told again after a restart.
        assert_eq!(all.pass(2, 12, 2), Verdict::Passed(vec![11]));
        // One that never came to any is refused at its first.
        assert_eq!(all.pass(4, 14, 3), Verdict::Passed(vec![11, 12]));
        assert_eq!(all.pass(3, 13, 1), Verdict::Superseded(4));
    }
}
