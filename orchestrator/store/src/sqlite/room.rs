//! Room in the write-ahead log, made before it is needed. An fsync of a file that grew also writes where it now ends and
//! which blocks it has; one that overwrites what is there writes the bytes alone, in half the time.
//!
//! The room is zeros behind the log's last frame. SQLite takes nothing behind the last frame with a right checksum for a
//! part of the log, whatever is there: an old log is overwritten from its beginning in the same way. Making room is a
//! wish: where it fails (a full disk), the log grows as it would have.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Room made at a time: some thirty commits of a small turn.
const STEP: u64 = 256 << 10;
/// With less left, more is made.
const LOW: u64 = 32 << 10;
/// From this size on the log is folded into the database and overwritten, and needs no more room.
const ENOUGH: u64 = 8 << 20;
/// Bytes of one frame in the log, a page with its header.
const FRAME: u64 = 4096 + 24;
/// Frames that a commit of next to nothing writes: of the build's row, of the journal's last page, and of the page above.
const FRAMES: u64 = 3;

/// The log's room. Counts what is written at most, so that the disk need not be asked.
#[derive(Debug)]
pub(super) struct Room {
    log: PathBuf,
    file: Option<File>,
    end: u64,
    written: u64,
}

impl Room {
    /// The room of the log of this database.
    pub(super) fn new(database: &Path) -> Room {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Room { log: log.into(), file: None, end: 0, written: 0 }
    }

    /// A commit of so many bytes of content is about to be written.
    pub(super) fn make_for(&mut self, content: u64) {
        if self.end >= ENOUGH {
            return;
        }
        self.written += FRAMES * FRAME + content + content / 8;
        if self.written + LOW <= self.end {
            return;
        }
        if self.file.is_none() {
            // Made by SQLite with the first write; until then there is nothing to lengthen.
            let Ok(file) = OpenOptions::new().write(true).open(&self.log) else { return };
            self.written += file.metadata().map_or(0, |meta| meta.len());
            self.file = Some(file);
        }
        let Some(file) = &self.file else { return };
        let length = file.metadata().map_or(0, |meta| meta.len());
        self.end = length.max(self.written) + STEP;
        let zeros = vec![0; usize::try_from(self.end - length).unwrap_or(0)];
        if file.write_all_at(&zeros, length).is_err() {
            // Whatever of it was written is room all the same; it is not tried again.
            self.end = ENOUGH;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_ahead_in_steps_and_not_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        let log = dir.path().join("a.db-wal");
        let mut room = Room::new(&database);
        room.make_for(100);
        assert!(!log.exists(), "the log itself is SQLite's to make");
        std::fs::write(&log, b"frames").unwrap();
        room.make_for(100);
        let length = std::fs::metadata(&log).unwrap().len();
        assert!((STEP..STEP + 10 * FRAME).contains(&length), "{length}");
        assert!(std::fs::read(&log).unwrap().starts_with(b"frames\0\0"));
        room.make_for(100);
        assert_eq!(std::fs::metadata(&log).unwrap().len(), length, "there is room left");
        for _ in 0..10_000 {
            room.make_for(2_000);
        }
        let length = std::fs::metadata(&log).unwrap().len();
        assert!((ENOUGH..ENOUGH + STEP + 10 * FRAME).contains(&length), "{length}");
    }
}
