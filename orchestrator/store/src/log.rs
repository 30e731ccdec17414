//! What steps print, by byte offset.
//!
//! One file per attempt of a step: `<logs>/<build id>/<StepKey::slug()>.log`, with `.times`, when it grew; and beside them the
//! hashes of what an ended build printed (seal.rs). An agent appends to it; this only reads, and
//! removes a build's. A log grows while it is read: each answer says how many bytes there were at that moment, and who
//! asks again from where it stopped misses nothing and sees nothing twice. Bytes are what the process printed, so a block
//! may end inside a character.
//!
//! Reads are one seek and large reads into one buffer on a blocking thread; nothing is copied after that.

mod seal;
mod search;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use haliotis_model::{BuildId, StepKey};

pub use seal::Verified;
pub use search::{LogHit, LogSearch};

/// Bytes of one answer at most; who wants more asks again or streams the file. Bounds the memory of a request.
const READ_MAX: u64 = 8 * 1024 * 1024;

/// The logs of all builds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogStore {
    dir: PathBuf,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBytes {
    /// Where `bytes` begins in the log.
    pub offset: u64,
    /// The part; fewer than asked for at the end of the log, empty past it.
    pub bytes: Vec<u8>,
    /// Bytes of the whole log at that moment.
    pub total: u64,
}

/// One log of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The slug of its step key.
    pub slug: String,
    /// Bytes.
    pub size: u64,
}

impl LogStore {
    /// The logs under a folder, see [`crate::DataDir::logs`]. Touches nothing yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The file of an attempt, whether it is there or not. For the agent, which appends to it.
    pub fn path(&self, key: &StepKey) -> PathBuf {
        self.build_dir(key.build).join(format!("{}.log", key.slug()))
    }

    /// The folder of a build's logs.
    pub fn build_dir(&self, build: BuildId) -> PathBuf {
        self.dir.join(build.to_string())
    }

    /// Makes the folder of a build's logs, private to its owner. For the agent, before the first byte.
    pub async fn prepare(&self, build: BuildId) -> io::Result<()> {
        let dir = self.build_dir(build);
        blocking(move || crate::data_dir::private_dir(&dir)).await
    }

    /// At most `limit` bytes (and 8 MiB) from `offset`. A log that is not there yet is empty.
    pub async fn read(&self, key: &StepKey, offset: u64, limit: u64) -> io::Result<LogBytes> {
        let path = self.path(key);
        blocking(move || match open(&path)? {
            Some((file, total)) => read_at(file, total, offset, limit),
            None => Ok(LogBytes { offset, bytes: Vec::new(), total: 0 }),
        })
        .await
    }

    /// The last `limit` bytes (at most 8 MiB), beginning after a line break where the log is longer than that and has one.
    pub async fn tail(&self, key: &StepKey, limit: u64) -> io::Result<LogBytes> {
        let path = self.path(key);
        blocking(move || match open(&path)? {
            Some((file, total)) => {
                let mut tail = read_at(file, total, total.saturating_sub(limit.min(READ_MAX)), limit)?;
                if tail.offset > 0
                    && let Some(line_break) = tail.bytes.iter().position(|byte| *byte == b'\n')
                {
                    tail.bytes.drain(..=line_break);
                    tail.offset += line_break as u64 + 1;
                }
                Ok(tail)
            }
            None => Ok(LogBytes { offset: 0, bytes: Vec::new(), total: 0 }),
        })
        .await
    }

    /// Time marks of a log, by offset: it was so long at that moment (milliseconds since 1970). None for a step that ended
    /// within its first second.
    pub async fn times(&self, key: &StepKey) -> io::Result<Vec<(u64, i64)>> {
        let path = self.path(key).with_extension("times");
        blocking(move || match fs::read(&path) {
            Ok(bytes) => Ok(marks(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        })
        .await
    }

    /// Bytes of a log now; 0 while it is not there.
    pub async fn size(&self, key: &StepKey) -> io::Result<u64> {
        let path = self.path(key);
        blocking(move || Ok(open(&path)?.map_or(0, |(_, total)| total))).await
    }

    /// The file and its size now, to stream as a whole (stop at that size: it may still grow). `None`: no such log.
    pub async fn open(&self, key: &StepKey) -> io::Result<Option<(tokio::fs::File, u64)>> {
        let path = self.path(key);
        let opened = blocking(move || open(&path)).await?;
        Ok(opened.map(|(file, total)| (tokio::fs::File::from_std(file), total)))
    }

    /// The logs of a build, by name.
    pub async fn list(&self, build: BuildId) -> io::Result<Vec<LogEntry>> {
        let dir = self.build_dir(build);
        blocking(move || list(&dir)).await
    }

    /// Lines with a text in them, case ignored for ASCII letters, from `from` on; at most `limit` of them.
    pub async fn search(&self, key: &StepKey, text: &str, from: u64, limit: usize) -> io::Result<LogSearch> {
        let path = self.path(key);
        let text = text.to_owned();
        blocking(move || match open(&path)? {
            Some((file, total)) => search::search(file, total, &text, from, limit),
            None => Ok(LogSearch::default()),
        })
        .await
    }

    /// Keeps hashes of all logs of a build that has ended, chunk by chunk; how many logs.
    pub async fn seal(&self, build: BuildId) -> io::Result<usize> {
        let dir = self.build_dir(build);
        blocking(move || seal::seal(&dir)).await
    }

    /// Compares logs with their hashes, newest builds first, until so many bytes were read.
    pub async fn verify(&self, most: u64) -> io::Result<Verified> {
        let dir = self.dir.clone();
        blocking(move || {
            let mut found = Verified::default();
            let entries = match fs::read_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
                other => other?,
            };
            let mut builds: Vec<i64> =
                entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
            builds.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
            for build in builds {
                if found.bytes >= most {
                    found.more = true;
                    break;
                }
                seal::verify(&dir.join(build.to_string()), &mut found)?;
            }
            Ok(found)
        })
        .await
    }

    /// Removes all logs of a build. None there: nothing happens.
    pub async fn remove(&self, build: BuildId) -> io::Result<()> {
        let dir = self.build_dir(build);
        blocking(move || match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let total = file.metadata()?.len();
            Ok(Some((file, total)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("the log {} cannot be read: {error}", path.display()))),
    }
}

fn read_at(mut file: File, total: u64, offset: u64, limit: u64) -> io::Result<LogBytes> {
    let wanted = total.saturating_sub(offset).min(limit).min(READ_MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
    if wanted > 0 {
        file.seek(SeekFrom::Start(offset))?;
        file.take(wanted).read_to_end(&mut bytes)?;
    }
    Ok(LogBytes { offset, bytes, total })
}

/// Records of two little-endian numbers of 8 bytes, see the agent's `times.rs`; two writers may have left them out of
/// order, and a last one may be cut.
fn marks(bytes: &[u8]) -> Vec<(u64, i64)> {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or(0);
    let mut marks: Vec<(u64, i64)> = bytes
        .chunks_exact(16)
        .map(|mark| mark.split_at(8))
        .map(|(offset, at)| (number(offset), i64::try_from(number(at)).unwrap_or(i64::MAX)))
        .collect();
    marks.sort_unstable();
    marks
}

fn list(dir: &Path) -> io::Result<Vec<LogEntry>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut logs = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(slug) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".log")) {
            logs.push(LogEntry { slug: slug.to_owned(), size: entry.metadata()?.len() });
        }
    }
    logs.sort_by(|a, b| a.slug.cmp(&b.slug));
    Ok(logs)
}
