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
    /// The number of the row before; 0: there is none.
    pub previous: i64,
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
    let (previous, at) = (row.previous.to_string(), row.at.to_string());
    for field in [before, &previous, &at, row.by, row.action, row.subject, row.reason, row.detail] {
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
    /// The next row in order: its number, and the hash that is kept for it. Rows at the start without a hash are from
    /// before there was a chain; nothing is known of them but that they are there.
    pub fn step(&mut self, entry: i64, row: &Row<'_>, kept: &str) {
        self.rows += 1;
        if self.broken.is_some() {
            return;
        }
        if kept.is_empty() && self.hash == START {
            self.entry = entry;
            return;
        }
        let expected = hash(&self.hash, row);
        let reason = if row.previous != self.entry {
            Some(format!(
                "it follows row {} and stands behind row {}; what was between is gone",
                row.previous, self.entry
            ))
        } else if kept != expected {
            Some("its hash is not that of its content and of the row before; one of the two was changed".to_owned())
        } else {
            None
        };
        self.broken = reason.map(|reason| (entry, reason));
        (self.entry, self.hash) = (entry, expected);
    }

    /// What was found.
    pub fn verdict(self) -> Verdict {
        Verdict { rows: self.rows, head: (self.entry, self.hash), broken: self.broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(previous: i64, by: &str) -> Row<'_> {
        Row { previous, at: 5, by, action: "build.abort", subject: "build 1", reason: "why", detail: "{}" }
    }

    fn kept(rows: &[Row<'_>]) -> Vec<String> {
        let mut hashes = Vec::new();
        for row in rows {
            let before = hashes.last().map_or(START, String::as_str);
            hashes.push(hash(before, row));
        }
        hashes
    }

    fn walk(rows: &[(i64, Row<'_>)], hashes: &[String]) -> Verdict {
        let mut walk = Walk::default();
        for ((entry, row), hash) in rows.iter().zip(hashes) {
            walk.step(*entry, row, hash);
        }
        walk.verdict()
    }

    #[test]
    fn a_whole_chain_is_right_and_every_change_is_found() {
        let rows = [row(0, "ada"), row(1, "bob"), row(2, "eve")];
        let hashes = kept(&rows);
        let rows = [(1, rows[0].clone()), (2, rows[1].clone()), (3, rows[2].clone())];
        assert_eq!(walk(&rows, &hashes), Verdict { rows: 3, head: (3, hashes[2].clone()), broken: None });
        let mut forged = rows.clone();
        forged[1].1.by = "eve";
        assert_eq!(walk(&forged, &hashes).broken.unwrap().0, 2);
        let taken = [rows[0].clone(), rows[2].clone()];
        assert_eq!(walk(&taken, &[hashes[0].clone(), hashes[2].clone()]).broken.unwrap().0, 3);
        // Whoever makes all hashes anew ends at another head.
        let plain: Vec<_> = forged.iter().map(|(_, row)| row.clone()).collect();
        assert_ne!(walk(&forged, &kept(&plain)).head, walk(&rows, &hashes).head);
        // A row that came in by another way, behind the chain.
        let unhashed = [hashes[0].clone(), String::new(), hashes[2].clone()];
        assert_eq!(walk(&rows, &unhashed).broken.unwrap().0, 2);
    }

    #[test]
    fn rows_from_before_the_chain_are_followed_by_it() {
        let first = row(2, "ada");
        let mut walk = Walk::default();
        walk.step(1, &row(0, "old"), "");
        walk.step(2, &row(0, "old"), "");
        walk.step(3, &first, &hash(START, &first));
        assert_eq!(walk.verdict().broken, None);
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let (mut one, mut other) = (row(0, "ab"), row(0, "a"));
        (one.action, other.action) = ("c", "bc");
        assert_ne!(hash(START, &one), hash(START, &other));
    }
}
