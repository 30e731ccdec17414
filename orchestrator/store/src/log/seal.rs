//! Hashes of logs: what an ended build printed, chunk by chunk, so that a byte that changed on the disk is found and named.
//!
//! ```text
//! logs/BUILD/sums     SLUG SIZE HASH HASH …      a line a log: bytes of the whole, SHA-256 of each chunk of 1 MiB
//! ```
//! Written once, when the build has ended and nobody appends any more; logs of a build that ended while nobody looked
//! have none, and nothing can be said of them. Logs that retention removed go with the line's file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Bytes of one chunk: the same as one read, so a damaged place is named to the megabyte.
const CHUNK: u64 = 1 << 20;
/// The file of a build's hashes.
pub(super) const SUMS: &str = "sums";

/// What a look at the hashes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Logs that were compared.
    pub logs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What differs, one line each, for people.
    pub findings: Vec<String>,
    /// There were more than the limit allowed to look at.
    pub more: bool,
}

/// Writes the hashes of the logs in a build's folder; how many logs. No folder, or no logs: nothing is written.
pub(super) fn seal(dir: &Path) -> io::Result<usize> {
    let logs = super::list(dir)?;
    if logs.is_empty() {
        return Ok(0);
    }
    let mut text = String::new();
    for log in &logs {
        let hashes = hashes(&dir.join(format!("{}.log", log.slug)), log.size)?;
        text.push_str(&format!("{} {} {}\n", log.slug, log.size, hashes.join(" ")));
    }
    let fresh = dir.join("sums.new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, dir.join(SUMS))?;
    Ok(logs.len())
}

/// Compares the logs of one build with their hashes.
pub(super) fn verify(dir: &Path, into: &mut Verified) -> io::Result<()> {
    let sums = match fs::read_to_string(dir.join(SUMS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for line in sums.lines() {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let (Some(slug), Some(size)) = (words.next(), words.next().and_then(|size| size.parse::<u64>().ok())) else {
            into.findings.push(format!("{} cannot be read: {line}", dir.join(SUMS).display()));
            continue;
        };
        let path = dir.join(format!("{slug}.log"));
        let shown = path.display().to_string();
        let found = match fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(error) => {
                into.findings.push(format!("{shown}: {error}; it had {size} bytes"));
                continue;
            }
        };
        (into.logs, into.bytes) = (into.logs + 1, into.bytes + found);
        if found != size {
            into.findings.push(format!("{shown} has {found} bytes, the step had printed {size}"));
        }
        let now = hashes(&path, size.min(found))?;
        for (at, expected) in words.enumerate().take(now.len()) {
            let begin = at as u64 * CHUNK;
            let whole = begin + CHUNK <= found || found == size;
            if whole && now.get(at).is_none_or(|hash| hash != expected) {
                let end = (begin + CHUNK).min(size);
                into.findings.push(format!("{shown}: bytes {begin} to {end} are not what the step printed"));
            }
        }
    }
    Ok(())
}

/// SHA-256 of each chunk of the first `size` bytes.
fn hashes(path: &Path, size: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let mut hashes = Vec::new();
    let mut left = size;
    while left > 0 {
        let mut chunk = Vec::new();
        let read = (&mut file).take(left.min(CHUNK)).read_to_end(&mut chunk)? as u64;
        if read == 0 {
            break;
        }
        left -= read;
        hashes.push(hex::encode(Sha256::digest(&chunk)));
    }
    Ok(hashes)
}
