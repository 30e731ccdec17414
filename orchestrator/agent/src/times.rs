//! When a log grew: time marks by byte offset, in a file beside it. The log itself stays what the process printed.
//!
//! `SLUG.times` holds records of 16 bytes, little-endian: how long the log was, and when that was seen (milliseconds since
//! 1970). Whatever lies before a mark and after the one before it was printed between the two. The process writes its log
//! itself, so the size is looked at every [`LOOK_EVERY`] while it grows, and less often while it does not: the time of a
//! line is right to that pause. Nothing is written for a step that ends within [`KEEP_AFTER`]; its start says enough.
//!
//! The supervisor marks the logs of processes, the agent what it writes itself; both may mark one log, each by appending a
//! whole record. More than [`MOST_MARKS`]: every second one goes and the pause doubles, so the file stays under 128 KiB
//! however long the step runs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The shortest pause between two marks: what a person tells apart when reading.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest pause between two looks at a log that is silent: a line after silence is late by no more than this.
const LOOK_SELDOM: Duration = Duration::from_millis(200);
/// Marks of the first moments are kept in memory: most steps end before and leave no file.
const KEEP_AFTER: Duration = Duration::from_secs(1);
/// Marks of one log: a day at one mark in ten seconds.
const MOST_MARKS: u64 = 8_192;
/// Bytes of a mark.
const RECORD: usize = 16;

/// The marks of one log that grows.
pub(crate) struct Times {
    path: PathBuf,
    since: Instant,
    /// The size at the last mark.
    marked: u64,
    next: Instant,
    pause: Duration,
    /// The shortest pause by now.
    shortest: Duration,
    /// Not written yet.
    first: Vec<u8>,
}

impl Times {
    /// For the log at `log`, which begins to grow now.
    pub(crate) fn new(log: &Path) -> Times {
        let now = Instant::now();
        Times {
            path: log.with_extension("times"),
            since: now,
            marked: 0,
            next: now + LOOK_EVERY,
            pause: LOOK_EVERY,
            shortest: LOOK_EVERY,
            first: Vec::new(),
        }
    }

    /// When the size is to be looked at next.
    pub(crate) fn due(&self) -> Instant {
        self.next
    }

    /// The log has so many bytes now.
    pub(crate) fn seen(&mut self, size: u64, now: Instant) {
        if size > self.marked {
            self.mark(size, now);
            self.pause = self.shortest;
        } else {
            self.pause = (self.pause * 2).min(LOOK_SELDOM.max(self.shortest));
        }
        self.next = now + self.pause;
    }

    /// The step has ended.
    pub(crate) fn end(&mut self, size: u64, now: Instant) {
        if size > self.marked {
            self.mark(size, now);
        }
    }

    fn mark(&mut self, size: u64, now: Instant) {
        self.marked = size;
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.first.extend_from_slice(&size.to_le_bytes());
        self.first.extend_from_slice(&i64::try_from(at).unwrap_or(i64::MAX).to_le_bytes());
        if now.duration_since(self.since) < KEEP_AFTER {
            return;
        }
        // A mark that cannot be written is no reason to trouble anybody: the log itself is there.
        let written = OpenOptions::new().create(true).append(true).open(&self.path).and_then(|mut file| {
            file.write_all(&self.first)?;
            file.metadata()
        });
        self.first.clear();
        if written.is_ok_and(|meta| meta.len() > MOST_MARKS * RECORD as u64) {
            self.thin();
        }
    }

    /// Every second mark goes, and further ones come half as often.
    fn thin(&mut self) {
        self.shortest *= 2;
        let Ok(bytes) = fs::read(&self.path) else { return };
        let kept: Vec<u8> = bytes.chunks_exact(RECORD).skip(1).step_by(2).flatten().copied().collect();
        let new = self.path.with_extension("times.new");
        let _ = fs::write(&new, kept).and_then(|()| fs::rename(&new, &self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(path: &Path) -> Vec<u64> {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.chunks_exact(RECORD).map(|mark| u64::from_le_bytes(mark[..8].try_into().unwrap())).collect()
    }

    #[test]
    fn a_short_step_leaves_no_file_and_a_longer_one_all_its_marks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.times");
        let mut times = Times::new(&dir.path().join("a.log"));
        let begin = Instant::now();
        times.seen(10, begin);
        times.end(12, begin);
        assert!(!path.exists());
        times.seen(20, begin + KEEP_AFTER + LOOK_EVERY);
        times.seen(20, begin + KEEP_AFTER * 2);
        assert_eq!(marks(&path), [10, 12, 20]);
        // Silence is looked at less often.
        let first = times.due();
        times.seen(20, first);
        assert!(times.due() - first > LOOK_EVERY && times.due() - first <= LOOK_SELDOM);
    }

    #[test]
    fn the_file_stays_small_however_long_the_log_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.times");
        let mut times = Times::new(&dir.path().join("a.log"));
        let late = Instant::now() + KEEP_AFTER * 2;
        // The marks of a long life at once, so that the test writes twice only.
        times.first = (1..=MOST_MARKS).flat_map(|size| [size.to_le_bytes(), 7_u64.to_le_bytes()].concat()).collect();
        times.seen(MOST_MARKS + 1, late);
        let left = marks(&path);
        assert_eq!((left.len() as u64, left[0]), (MOST_MARKS / 2, 2));
        assert!(times.shortest > LOOK_EVERY && left.is_sorted());
        times.seen(MOST_MARKS + 2, late + KEEP_AFTER);
        assert_eq!(marks(&path).last(), Some(&(MOST_MARKS + 2)));
    }
}
