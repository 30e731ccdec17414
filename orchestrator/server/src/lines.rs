//! Lines of a log by number, found without reading a gigabyte each time.
//!
//! A log is bytes; a permalink is a line. For each log that somebody looks at, an index keeps the offset of every
//! [`STRIDE`]th line, grows with the log and is dropped when it was not used for long. It is only a cache: made again
//! from the bytes whenever it is missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use haliotis_model::StepKey;

use crate::ansi::{self, Style};
use crate::edges::{EdgeError, Logs};

/// Lines between two remembered offsets: 50 million lines take 100 KB.
const STRIDE: u64 = 4096;
/// Bytes read at once while counting.
const CHUNK: usize = 1 << 20;
/// Bytes read for one window: bounds the page, whatever the lines are.
const WINDOW_BYTES: usize = 512 * 1024;
/// Logs remembered at once; the least lately used goes first.
const INDEXES: usize = 64;

/// Where lines begin, as far as the log was read.
#[derive(Clone, Debug, Default)]
struct Index {
    /// Offsets of line 1 + n * STRIDE.
    starts: Vec<u64>,
    /// Newlines seen.
    lines: u64,
    /// Bytes read.
    read: u64,
    /// For dropping the oldest.
    used: u64,
}

/// The indexes of the logs that people look at.
#[derive(Default)]
pub(crate) struct Indexes(Mutex<(u64, BTreeMap<StepKey, Index>)>);

impl Indexes {
    fn take(&self, key: &StepKey) -> Index {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.1.get(key).cloned().unwrap_or_default()
    }

    /// Keeps the index unless another reader has read further meanwhile.
    fn keep(&self, key: &StepKey, mut index: Index) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 += 1;
        index.used = held.0;
        match held.1.get_mut(key) {
            Some(kept) if kept.read > index.read => kept.used = index.used,
            _ => drop(held.1.insert(key.clone(), index)),
        }
        if held.1.len() > INDEXES {
            let oldest = held.1.iter().min_by_key(|(_, index)| index.used).map(|(key, _)| key.clone());
            oldest.and_then(|key| held.1.remove(&key));
        }
    }

    /// Reads on to the log's end; the number of lines, counting an unfinished last one.
    async fn grow(&self, logs: &dyn Logs, key: &StepKey) -> Result<(Index, u64, u64), EdgeError> {
        let mut index = self.take(key);
        let mut total;
        let mut open_line = false;
        loop {
            let chunk = logs.read(key, index.read, CHUNK).await?;
            total = chunk.total;
            if chunk.bytes.is_empty() {
                break;
            }
            index.add(&chunk.bytes);
            open_line = chunk.bytes.last() != Some(&b'\n');
        }
        if index.read > 0 && !open_line {
            let last = logs.read(key, index.read - 1, 1).await?;
            open_line = last.bytes.first().is_some_and(|byte| *byte != b'\n');
        }
        let lines = index.lines + u64::from(open_line);
        self.keep(key, index.clone());
        Ok((index, lines, total))
    }
}

impl Index {
    fn add(&mut self, bytes: &[u8]) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        for at in memchr::memchr_iter(b'\n', bytes) {
            self.lines += 1;
            if self.lines.is_multiple_of(STRIDE) {
                self.starts.push(self.read + at as u64 + 1);
            }
        }
        self.read += bytes.len() as u64;
    }

    /// The nearest remembered start at or before `line` (from 0): its offset and its line.
    fn before(&self, line: u64) -> (u64, u64) {
        let place = (line / STRIDE).min((self.starts.len() as u64).saturating_sub(1));
        let offset = usize::try_from(place).ok().and_then(|at| self.starts.get(at)).copied().unwrap_or(0);
        (offset, place * STRIDE)
    }
}

/// One line on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Escaped, with colours.
    pub(crate) html: String,
    /// Where it ends in the log.
    pub(crate) end: u64,
    /// When it was printed, milliseconds since 1970, where that is another time than the line's before; 0: the same.
    pub(crate) at: i64,
}

/// A window on a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// The lines.
    pub(crate) lines: Vec<Line>,
    /// Lines there are in all.
    pub(crate) count: u64,
    /// Bytes there are in all.
    pub(crate) total: u64,
    /// Where the byte after the last shown line stands; a stream goes on from here.
    pub(crate) next_offset: u64,
    /// The number of the line after the last shown one.
    pub(crate) next_line: u64,
}

/// Which lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// From this line on, from 1; `None`: the last ones.
    pub(crate) first: Option<u64>,
    /// So many at most.
    pub(crate) count: u64,
    /// The log still grows: an unfinished last line is left out, a stream brings it.
    pub(crate) grows: bool,
}

/// Those lines.
pub(crate) async fn window(
    indexes: &Indexes,
    logs: &dyn Logs,
    key: &StepKey,
    Wanted { first, count, grows }: Wanted,
) -> Result<Window, EdgeError> {
    let (index, lines, total) = indexes.grow(logs, key).await?;
    let wanted = first.map_or_else(|| lines.saturating_sub(count), |first| first.saturating_sub(1).min(lines));
    let (offset, line) = seek(logs, key, &index, wanted).await?;
    let mut bytes = Vec::new();
    while bytes.len() < WINDOW_BYTES {
        let chunk = logs.read(key, offset + bytes.len() as u64, WINDOW_BYTES - bytes.len()).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        bytes.extend_from_slice(&chunk.bytes);
    }
    let (mut lines_shown, used) = cut(&bytes, line, count, grows);
    stamp(&mut lines_shown, offset, &logs.times(key).await?);
    let next_line = line + 1 + lines_shown.len() as u64;
    Ok(Window { lines: lines_shown, count: lines, total, next_offset: offset + used, next_line })
}

/// The offset at which line `wanted` (from 0) begins.
async fn seek(logs: &dyn Logs, key: &StepKey, index: &Index, wanted: u64) -> Result<(u64, u64), EdgeError> {
    let (mut offset, mut line) = index.before(wanted);
    while line < wanted {
        let chunk = logs.read(key, offset, CHUNK).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        let mut used = chunk.bytes.len();
        for at in memchr::memchr_iter(b'\n', &chunk.bytes) {
            line += 1;
            if line == wanted {
                used = at + 1;
                break;
            }
        }
        offset += used as u64;
    }
    Ok((offset, line))
}

/// Says when lines were printed: at the first mark that covers their end. `offset`: where the first line begins.
fn stamp(lines: &mut [Line], offset: u64, marks: &[(u64, i64)]) {
    let mut last = 0;
    for line in lines {
        line.end += offset;
        let mark = marks.partition_point(|(seen, _)| *seen < line.end);
        if let Some((_, at)) = marks.get(mark).filter(|(_, at)| *at != last) {
            (line.at, last) = (*at, *at);
        }
    }
}

/// Lines of `bytes`, the first one numbered `line + 1`, and the bytes they take.
fn cut(bytes: &[u8], line: u64, count: u64, grows: bool) -> (Vec<Line>, u64) {
    let mut style = Style::default();
    let mut lines = Vec::new();
    let mut used = 0;
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        let complete = raw.ends_with(b"\n");
        let more_comes = grows || bytes.len() >= WINDOW_BYTES;
        // A line that fills the whole window is shown cut rather than never.
        let fills = used == 0 && bytes.len() >= WINDOW_BYTES;
        if lines.len() as u64 >= count || (!complete && more_comes && !fills) {
            break;
        }
        let text = raw.strip_suffix(b"\n").unwrap_or(raw);
        lines.push(Line {
            number: line + 1 + lines.len() as u64,
            html: ansi::line(text, &mut style),
            end: (used + raw.len()) as u64,
            at: 0,
        });
        used += raw.len();
    }
    (lines, used as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edges::{EdgeError, LogChunk};
    use haliotis_model::{BuildId, StepId};

    struct Text(Vec<u8>);

    #[async_trait::async_trait]
    impl Logs for Text {
        async fn read(&self, _: &StepKey, offset: u64, limit: usize) -> Result<LogChunk, EdgeError> {
            let from = usize::try_from(offset).unwrap().min(self.0.len());
            let to = (from + limit.min(1000)).min(self.0.len());
            Ok(LogChunk { bytes: self.0[from..to].to_vec(), total: self.0.len() as u64 })
        }

        async fn remove(&self, _: BuildId) -> Result<(), EdgeError> {
            Ok(())
        }
    }

    fn lines(first: Option<u64>, count: u64) -> Wanted {
        Wanted { first, count, grows: false }
    }

    fn key() -> StepKey {
        StepKey { build: BuildId(1), step: StepId::new("/a"), attempt: 1 }
    }

    #[tokio::test]
    async fn any_line_of_a_long_log_is_found() {
        let log = Text((1..=20_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect());
        let indexes = Indexes::default();
        for first in [1, 2, 4096, 4097, 4098, 8193, 19_999] {
            let window = window(&indexes, &log, &key(), lines(Some(first), 2)).await.unwrap();
            assert_eq!((window.lines[0].number, &window.lines[0].html), (first, &format!("line {first}")));
            assert_eq!(window.count, 20_000);
        }
        let tail = window(&indexes, &log, &key(), lines(None, 3)).await.unwrap();
        assert_eq!(tail.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [19_998, 19_999, 20_000]);
        assert_eq!((tail.next_offset, tail.next_line), (tail.total, 20_001));
    }

    #[test]
    fn a_line_has_the_time_of_the_first_mark_that_covers_it() {
        let mut lines = cut(b"one\ntwo\nthree\nfour\n", 0, 9, false).0;
        stamp(&mut lines, 100, &[(104, 1_000), (113, 2_000), (114, 3_000)]);
        // `two` and `three` were seen at different marks; `four` has none yet.
        assert_eq!(lines.iter().map(|line| line.at).collect::<Vec<_>>(), [1_000, 2_000, 3_000, 0]);
        let mut lines = cut(b"one\ntwo\n", 0, 9, false).0;
        stamp(&mut lines, 0, &[(50, 7)]);
        assert_eq!(lines.iter().map(|line| line.at).collect::<Vec<_>>(), [7, 0], "said once");
    }

    #[tokio::test]
    async fn an_empty_log_and_an_unfinished_line_are_fine() {
        let indexes = Indexes::default();
        let empty = window(&indexes, &Text(Vec::new()), &key(), lines(None, 10)).await.unwrap();
        assert_eq!((empty.lines.len(), empty.count, empty.next_line), (0, 0, 1));
        let open = Text(b"one\ntwo".to_vec());
        let indexes = Indexes::default();
        let seen = window(&indexes, &open, &key(), lines(None, 10)).await.unwrap();
        assert_eq!((seen.lines.len(), seen.count), (2, 2));
        let again = window(&indexes, &open, &key(), lines(None, 10)).await.unwrap();
        assert_eq!(again.count, 2);
        let growing = Wanted { first: None, count: 10, grows: true };
        let seen = window(&indexes, &open, &key(), growing).await.unwrap();
        assert_eq!((seen.lines.len(), seen.next_offset, seen.next_line), (1, 4, 2));
    }
}
