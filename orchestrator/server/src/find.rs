//! A word in a whole log, found on the server: a browser holds a thousand lines, a log may have fifty million.
//!
//! The log is read once from its beginning in large pieces. A piece without an escape sequence is searched as it lies;
//! in others each line that has one is searched as a person reads it, so that colours inside a word do not hide it.

use haliotis_model::StepKey;
use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::{Regex, RegexBuilder};

use crate::ansi;
use crate::edges::{EdgeError, Logs};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;
/// Lines shown; the number of all is told beside them.
const HITS: usize = 200;
/// A line longer than this is searched in pieces.
const LINE_MAX: usize = 4 << 20;
/// Longer words are a mistake.
pub(crate) const WORD_MAX: usize = 200;

/// A line with the word in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// From 1.
    pub(crate) line: u64,
    /// The line in turn: text without the word, the word, text without...
    pub(crate) parts: Vec<(bool, String)>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The first lines.
    pub(crate) hits: Vec<Hit>,
    /// Lines with the word in all.
    pub(crate) count: u64,
    /// Lines of the log.
    pub(crate) lines: u64,
    /// Bytes of the log.
    pub(crate) bytes: u64,
}

/// All lines with `word`, whatever its case.
pub(crate) async fn find(logs: &dyn Logs, key: &StepKey, word: &str) -> Result<Found, EdgeError> {
    let invalid = |error: regex::Error| EdgeError::Invalid(format!("{word:?} cannot be looked for: {error}"));
    let regex = RegexBuilder::new(&regex::escape(word)).case_insensitive(true).build().map_err(invalid)?;
    let mut found = Found::default();
    let mut open: Vec<u8> = Vec::new();
    loop {
        let chunk = logs.read(key, found.bytes, CHUNK).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        found.bytes += chunk.bytes.len() as u64;
        open.extend_from_slice(&chunk.bytes);
        let whole = match memrchr(b'\n', &open) {
            Some(at) => at + 1,
            None if open.len() > LINE_MAX => open.len(),
            None => continue,
        };
        found.search(&regex, &open[..whole]);
        open.drain(..whole);
    }
    found.search(&regex, &open);
    found.lines += u64::from(!open.is_empty());
    Ok(found)
}

impl Found {
    /// Looks through whole lines.
    fn search(&mut self, regex: &Regex, bytes: &[u8]) {
        if memchr(0x1b, bytes).is_some() {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                if regex.is_match(text)
                    || (memchr(0x1b, text).is_some() && regex.is_match(ansi::plain(text).as_bytes()))
                {
                    self.add(regex, self.lines + 1, text);
                }
                self.lines += u64::from(line.ends_with(b"\n"));
            }
            return;
        }
        let (mut counted, mut at) = (0, 0);
        while let Some(hit) = regex.find_at(bytes, at) {
            self.lines += memchr_iter(b'\n', &bytes[counted..hit.start()]).count() as u64;
            counted = hit.start();
            let from = memrchr(b'\n', &bytes[..hit.start()]).map_or(0, |at| at + 1);
            let to = memchr(b'\n', &bytes[hit.start()..]).map_or(bytes.len(), |at| hit.start() + at);
            self.add(regex, self.lines + 1, &bytes[from..to]);
            at = to + 1;
            if at > bytes.len() {
                break;
            }
        }
        self.lines += memchr_iter(b'\n', &bytes[counted..]).count() as u64;
    }

    fn add(&mut self, regex: &Regex, line: u64, raw: &[u8]) {
        self.count += 1;
        if self.hits.len() >= HITS {
            return;
        }
        let text = ansi::plain(raw);
        let mut parts = Vec::new();
        let mut at = 0;
        for hit in regex.find_iter(text.as_bytes()) {
            parts.push((false, text.get(at..hit.start()).unwrap_or_default().to_owned()));
            parts.push((true, text.get(hit.range()).unwrap_or_default().to_owned()));
            at = hit.end();
        }
        parts.push((false, text.get(at..).unwrap_or_default().to_owned()));
        self.hits.push(Hit { line, parts });
    }
}

#[cfg(test)]
mod tests {
    use haliotis_model::{BuildId, StepId};

    use super::*;
    use crate::edges::LogChunk;

    struct Text(Vec<u8>, usize);

    #[async_trait::async_trait]
    impl Logs for Text {
        async fn read(&self, _: &StepKey, offset: u64, limit: usize) -> Result<LogChunk, EdgeError> {
            let from = usize::try_from(offset).unwrap().min(self.0.len());
            let to = (from + limit.min(self.1)).min(self.0.len());
            Ok(LogChunk { bytes: self.0[from..to].to_vec(), total: self.0.len() as u64 })
        }

        async fn remove(&self, _: BuildId) -> Result<(), EdgeError> {
            Ok(())
        }
    }

    fn key() -> StepKey {
        StepKey { build: BuildId(1), step: StepId::new("/a"), attempt: 1 }
    }

    /// The same however the log is cut into pieces.
    #[tokio::test]
    async fn every_line_with_the_word_is_found_whatever_its_colours() {
        let log = b"one Error\ntwo\n\x1b[31mErr\x1b[0mor three\nfour error error\nfive\nlast error".to_vec();
        for piece in [1, 3, 7, 1000] {
            let found = find(&Text(log.clone(), piece), &key(), "ERROR").await.unwrap();
            let lines: Vec<_> = found.hits.iter().map(|hit| hit.line).collect();
            assert_eq!((lines, found.count, found.lines), (vec![1, 3, 4, 6], 4, 6), "pieces of {piece}");
            assert_eq!(found.hits[0].parts, [(false, "one ".into()), (true, "Error".into()), (false, String::new())]);
            assert_eq!(found.hits[2].parts.iter().filter(|(hit, _)| *hit).count(), 2);
        }
    }

    #[tokio::test]
    async fn more_lines_are_counted_than_shown_and_signs_are_no_patterns() {
        let log = "a.b\naxb\n".repeat(1000).into_bytes();
        let found = find(&Text(log, 1 << 20), &key(), "a.b").await.unwrap();
        assert_eq!((found.hits.len(), found.count, found.lines), (HITS, 1000, 2000));
    }
}
