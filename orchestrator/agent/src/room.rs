//! Room on the disk of the data folder. What Haliotis itself writes there for a step (folders, marks, log lines,
//! artifacts, stashes) waits while the disk is full and goes on by itself; no build fails of it.
//!
//! ```text
//! a step is to begin, little room is left     it is held, with its slot, until there is some
//! a write of ours meets a full disk           the step waits for room and tries again
//! the step is asked to stop                   it stops waiting
//! ```
//! A disk that is too small for what a step writes is tried again with growing pauses, for as long as nobody stops it:
//! whoever looks finds the reason in the step's log and in the server's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;

/// With less left no further step begins: what runs needs the rest for its logs, and the journal for its turns.
const FLOOR_BYTES: u64 = 16 << 20;
/// Of a small disk the floor is this part alone.
const FLOOR_PART: u64 = 100;
/// How often it is looked for room; a look is one system call.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The first pause after a write that met a full disk; the next are twice as long each.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const PAUSE_MOST: Duration = Duration::from_secs(300);
/// So much more room than before ends a pause early.
const NEWS: u64 = 64 << 10;

/// The disk of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    dir: PathBuf,
}

/// How often one step has waited.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    times: u32,
}

impl Room {
    pub(crate) fn new(dir: &Path) -> Room {
        Room { dir: dir.to_owned() }
    }

    /// Bytes that can still be written, and how many there are in all. Nobody can say: more than anybody needs.
    fn bytes(&self) -> (u64, u64) {
        // Where nothing was written yet, the folder above is on the same disk.
        let there = self.dir.ancestors().find(|dir| dir.exists()).unwrap_or(&self.dir);
        match statvfs(there) {
            Ok(disk) => (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)),
            Err(_) => (u64::MAX, u64::MAX),
        }
    }

    /// Enough is left for another step to begin.
    fn is_enough(&self) -> bool {
        let (left, all) = self.bytes();
        left >= FLOOR_BYTES.min(all / FLOOR_PART)
    }

    /// Returns once another step may begin.
    pub(crate) async fn to_begin(&self) {
        if self.is_enough() {
            return;
        }
        tracing::warn!(folder = %self.dir.display(), "the disk is full: steps are held until there is room; free some");
        while !self.is_enough() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// After a write that met a full disk: returns when there is more room than now, or after a pause.
    pub(crate) async fn more(&self, patience: &mut Patience) {
        let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(patience.times)).min(PAUSE_MOST);
        patience.times = patience.times.saturating_add(1);
        let (before, begin) = (self.bytes().0, Instant::now());
        while begin.elapsed() < pause && self.bytes().0 < before.saturating_add(NEWS) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// A disk or a quota is full.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// The same of an error that has become a text on its way: the system's words stay in it (also in those of git).
pub(crate) fn tells_full(text: &str) -> bool {
    ["os error 28)", "os error 122)", "No space left on device", "Disk quota exceeded"]
        .iter()
        .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_full_disk_is_known_by_its_error_and_by_its_words() {
        let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = full.write_all(b"x").unwrap_err();
        assert!(is_full(&error) && tells_full(&format!("the folder x cannot be made: {error}")));
        let other = std::fs::File::open("/no/such/file").unwrap_err();
        assert!(!is_full(&other) && !tells_full(&other.to_string()));
    }

    #[tokio::test]
    async fn a_disk_with_room_holds_nobody_and_a_folder_to_come_is_on_the_disk_above() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::new(&dir.path().join("not/yet"));
        assert!(room.bytes().0 > 0 && room.bytes().0 < u64::MAX);
        tokio::time::timeout(Duration::from_secs(10), room.to_begin()).await.unwrap();
    }
}
