//! Plain text in a log, in bounded memory however long the log or a line is.
//!
//! The log is read in blocks; the last bytes of a block, one fewer than the text has, are looked at again with the next,
//! so a text across a border is found. Each line counts once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use aho_corasick::{AhoCorasick, Input};

/// Bytes looked at in one go.
const BLOCK: usize = 1024 * 1024;
/// Bytes of a text to look for at most; more is a paste by mistake.
const TEXT_MAX: usize = 1024;
/// Hits of one search at most, whoever asks.
const HITS_MAX: usize = 1_000;
/// Bytes of a line that are shown.
const LINE_MAX: usize = 400;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSearch {
    /// Lines with the text in them, in order.
    pub hits: Vec<LogHit>,
    /// `Some(offset)`: the limit was reached; ask again from there. `None`: the log was read to its end.
    pub next: Option<u64>,
}

/// A line with the text in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHit {
    /// Where the line begins in the log; where the search began, for a hit in its first line.
    pub line: u64,
    /// Where the text begins in the log.
    pub offset: u64,
    /// The line, at most 400 bytes of it from where it begins, without its line break.
    pub text: String,
}

/// Reads the first `total` bytes of `file` from `from` on.
pub(super) fn search(mut file: File, total: u64, text: &str, from: u64, limit: usize) -> io::Result<LogSearch> {
    let limit = limit.min(HITS_MAX);
    if text.is_empty() || text.len() > TEXT_MAX || limit == 0 || from >= total {
        return Ok(LogSearch::default());
    }
    let finder = AhoCorasick::builder().ascii_case_insensitive(true).build([text]).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(from))?;
    let mut scan = Scan { base: from, line: from, last_hit_line: None, hits: Vec::new() };
    let mut rest = file.take(total - from);
    let mut block: Vec<u8> = Vec::with_capacity(BLOCK + TEXT_MAX);
    loop {
        let kept = block.len();
        (&mut rest).take(BLOCK as u64).read_to_end(&mut block)?;
        let at_end = block.len() < kept + BLOCK;
        if let Some(next) = scan.block(&finder, &block, limit) {
            return Ok(LogSearch { hits: with_text(rest.get_mut(), total, scan.hits)?, next: Some(next) });
        }
        if at_end {
            return Ok(LogSearch { hits: with_text(rest.get_mut(), total, scan.hits)?, next: None });
        }
        scan.drop_all_but(&mut block, text.len() - 1);
    }
}

struct Scan {
    /// Offset of the block's first byte in the log.
    base: u64,
    /// Where the line that the block begins in begins.
    line: u64,
    last_hit_line: Option<u64>,
    hits: Vec<(u64, u64)>,
}

impl Scan {
    /// Adds the block's hits. Answers where to go on when there are more than `limit`. Looks at each byte a fixed number
    /// of times, whatever the lines and hits are: after a hit it goes on behind the hit's line.
    fn block(&mut self, finder: &AhoCorasick, block: &[u8], limit: usize) -> Option<u64> {
        let mut from = match self.last_hit_line {
            Some(line) if line == self.line => line_end(block, 0),
            _ => 0,
        };
        while let Some(found) = finder.find(Input::new(block).range(from..)) {
            let in_first_line = || if from == 0 { self.line } else { self.base + from as u64 };
            let line = line_start(&block[from..found.start()])
                .map_or_else(in_first_line, |start| self.base + (from + start) as u64);
            if self.hits.len() == limit {
                return Some(line);
            }
            self.last_hit_line = Some(line);
            self.hits.push((line, self.base + found.start() as u64));
            from = line_end(block, found.end());
        }
        None
    }

    fn drop_all_but(&mut self, block: &mut Vec<u8>, keep: usize) {
        let dropped = block.len().saturating_sub(keep);
        if let Some(start) = line_start(&block[..dropped]) {
            self.line = self.base + start as u64;
        }
        self.base += dropped as u64;
        block.drain(..dropped);
    }
}

/// Where the last line of these bytes begins, if one begins in them.
fn line_start(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == b'\n').map(|line_break| line_break + 1)
}

/// Behind the first line break at or after `at`, or the block's end.
fn line_end(block: &[u8], at: usize) -> usize {
    block[at..].iter().position(|byte| *byte == b'\n').map_or(block.len(), |line_break| at + line_break + 1)
}

fn with_text(file: &mut File, total: u64, found: Vec<(u64, u64)>) -> io::Result<Vec<LogHit>> {
    let mut hits = Vec::with_capacity(found.len());
    for (line, offset) in found {
        file.seek(SeekFrom::Start(line))?;
        let mut bytes = Vec::with_capacity(LINE_MAX);
        file.take((total - line).min(LINE_MAX as u64)).read_to_end(&mut bytes)?;
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        hits.push(LogHit { line, offset, text: String::from_utf8_lossy(&bytes[..end]).into_owned() });
    }
    Ok(hits)
}
