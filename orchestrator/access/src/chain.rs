//! The chain over the audit trail: each row's hash covers the row and the hash before it, so a row changed, taken out or
//! put in between breaks every hash after it.
//!
//! What a chain alone cannot show is that its *end* was cut off. For that the head (number and hash of the last row) is
//! noted somewhere else and given to `haliotis audit verify --head`.

use sha2::{Digest, Sha256};

/// The hash before the first row.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One row, as it is kept. `detail` is the text in the store, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Counted from 1.
    pub entry: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub by: &'a str,
    /// What was done.
    pub action: &'a str,
    /// To what.
    pub subject: &'a str,
    /// Why.
    pub reason: &'a str,
    /// More, as JSON.
    pub detail: &'a str,
}

/// The hash of a row after the hash before it. Every field is led by its length, so no two rows read the same.
pub fn hash(before: &str, row: &Row<'_>) -> String {
    let mut digest = Sha256::new();
    let (entry, at) = (row.entry.to_string(), row.at.to_string());
    for field in [before, &entry, &at, row.by, row.action, row.subject, row.reason, row.detail] {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field.as_bytes());
    }
    hex::encode(digest.finalize())
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that were looked at.
    pub rows: u64,
    /// The last row's number and hash; of an empty trail `0` and [`START`].
    pub head: (i64, String),
    /// The first row that is not right, and why.
    pub broken: Option<(i64, String)>,
}

/// Walks a chain.
#[derive(Clone, Debug)]
pub struct Walk {
    rows: u64,
    entry: i64,
    hash: String,
    broken: Option<(i64, String)>,
}

impl Default for Walk {
    fn default() -> Self {
        Self { rows: 0, entry: 0, hash: START.to_owned(), broken: None }
    }
}

impl Walk {
    /// The next row in order, with the hash that is kept for it (`None`: there is none).
    pub fn step(&mut self, row: &Row<'_>, kept: Option<&str>) {
        self.rows += 1;
        if self.broken.is_some() {
            return;
        }
        let expected = hash(&self.hash, row);
        let reason = if row.entry != self.entry + 1 {
            Some(format!("row {} is followed by row {}; what was between is gone", self.entry, row.entry))
        } else if kept.is_none() {
            Some("it has no hash; it was not written by Haliotis".to_owned())
        } else if kept != Some(expected.as_str()) {
            Some("its hash is not that of its content and of the row before; one of the two was changed".to_owned())
        } else {
            None
        };
        self.broken = reason.map(|reason| (row.entry, reason));
        (self.entry, self.hash) = (row.entry, expected);
    }

    /// What was found.
    pub fn verdict(self) -> Verdict {
        Verdict { rows: self.rows, head: (self.entry, self.hash), broken: self.broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(entry: i64, by: &str) -> Row<'_> {
        Row { entry, at: 5, by, action: "build.abort", subject: "build 1", reason: "why", detail: "{}" }
    }

    fn kept(rows: &[Row<'_>]) -> Vec<String> {
        let mut hashes = Vec::new();
        for row in rows {
            let before = hashes.last().map_or(START, String::as_str);
            hashes.push(hash(before, row));
        }
        hashes
    }

    fn walk<'a>(rows: &'a [Row<'a>], hashes: &[String]) -> Verdict {
        let mut walk = Walk::default();
        for (row, hash) in rows.iter().zip(hashes) {
            walk.step(row, Some(hash));
        }
        walk.verdict()
    }

    #[test]
    fn a_whole_chain_is_right_and_every_change_is_found() {
        let rows = [row(1, "ada"), row(2, "bob"), row(3, "eve")];
        let hashes = kept(&rows);
        assert_eq!(walk(&rows, &hashes), Verdict { rows: 3, head: (3, hashes[2].clone()), broken: None });
        let mut forged = rows.clone();
        forged[1].by = "eve";
        assert_eq!(walk(&forged, &hashes).broken.unwrap().0, 2);
        let taken = [rows[0].clone(), rows[2].clone()];
        assert_eq!(walk(&taken, &[hashes[0].clone(), hashes[2].clone()]).broken.unwrap().0, 3);
        // Whoever makes all hashes anew ends at another head.
        assert_ne!(walk(&forged, &kept(&forged)).head, walk(&rows, &hashes).head);
        let mut unhashed = Walk::default();
        unhashed.step(&rows[0], None);
        assert!(unhashed.verdict().broken.is_some());
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let (mut one, mut other) = (row(1, "ab"), row(1, "a"));
        (one.action, other.action) = ("c", "bc");
        assert_ne!(hash(START, &one), hash(START, &other));
    }
}
