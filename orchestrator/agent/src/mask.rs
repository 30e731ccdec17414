//! Replaces secrets by `****` in a stream of bytes, also where a secret is cut in two by the ends of two chunks.
//!
//! What is masked: the value itself, each line of a value of several lines, and the forms in which values usually
//! leak: base64 (both alphabets, at each of the three alignments inside a longer text), URL-encoded, JSON-escaped.
//! What is not: forms shorter than [`MIN_LENGTH`] characters, since a log where every `1` is `****` hides nothing but
//! the log; and anything a script does to a secret beyond these forms.
//!
//! **Carry-over.** Bytes are held back only while they may be the beginning of a secret, never more than the longest
//! form less one; so a line that holds no part of a secret is in the log as soon as it was written.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter forms are not masked: they occur everywhere by chance.
pub const MIN_LENGTH: usize = 4;
/// What stands in the place of a secret.
pub const MASK: &[u8] = b"****";

/// What `encodeURIComponent` and its like leave alone.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A masking filter for one stream.
pub struct Masker {
    search: Option<AhoCorasick>,
    forms: Vec<Vec<u8>>,
    longest: usize,
    carry: Vec<u8>,
}

impl Masker {
    /// A filter for these values.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Masker {
        let forms: Vec<Vec<u8>> = secrets.into_iter().flat_map(forms).collect::<BTreeSet<_>>().into_iter().collect();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        // Building fails only for gigabytes of patterns; without a searcher everything would pass, so hide it all.
        let search = (!forms.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok())
            .flatten();
        Masker { search, forms, longest, carry: Vec::new() }
    }

    /// Whether there is nothing to mask, so that bytes may go their way unseen.
    pub fn is_idle(&self) -> bool {
        self.forms.is_empty()
    }

    /// Takes the next bytes of the stream and appends to `out` all that is settled.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.forms.is_empty() {
            out.extend_from_slice(bytes);
            return;
        }
        let mut buffer = std::mem::take(&mut self.carry);
        buffer.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let open = self.first_open(&buffer, at);
            match self.find(&buffer, at) {
                // A match before every open beginning cannot grow any more.
                Some((start, end)) if start < open => {
                    out.extend_from_slice(&buffer[at..start]);
                    out.extend_from_slice(MASK);
                    at = end;
                }
                _ => {
                    out.extend_from_slice(&buffer[at..open]);
                    buffer.drain(..open);
                    break;
                }
            }
        }
        self.carry = buffer;
    }

    /// The stream has ended: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let buffer = std::mem::take(&mut self.carry);
        let mut at = 0;
        while let Some((start, end)) = self.find(&buffer, at) {
            out.extend_from_slice(&buffer[at..start]);
            out.extend_from_slice(MASK);
            at = end;
        }
        out.extend_from_slice(&buffer[at..]);
    }

    /// A whole text at once.
    pub fn mask_whole(&self, text: &str) -> String {
        let mut once =
            Masker { search: self.search.clone(), forms: self.forms.clone(), longest: self.longest, carry: Vec::new() };
        let mut out = Vec::with_capacity(text.len());
        once.push(text.as_bytes(), &mut out);
        once.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The next match at or after `at`.
    fn find(&self, buffer: &[u8], at: usize) -> Option<(usize, usize)> {
        if let Some(search) = &self.search {
            return search.find(aho_corasick::Input::new(buffer).range(at..)).map(|found| (found.start(), found.end()));
        }
        (!self.forms.is_empty() && at < buffer.len()).then_some((at, buffer.len()))
    }

    /// Where the first proper beginning of a form starts that reaches the end of the buffer; its length if none does.
    fn first_open(&self, buffer: &[u8], at: usize) -> usize {
        let from = buffer.len().saturating_sub(self.longest.saturating_sub(1)).max(at);
        (from..buffer.len())
            .find(|&start| {
                let rest = &buffer[start..];
                self.forms.iter().any(|form| form.len() > rest.len() && form.starts_with(rest))
            })
            .unwrap_or(buffer.len())
    }
}

/// All forms of one secret that are masked.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let lines = secret.lines().map(str::trim).filter(|line| line.len() < secret.len());
    let mut forms = Vec::new();
    for text in [secret, secret.trim()].into_iter().chain(lines) {
        if text.chars().count() < MIN_LENGTH {
            continue;
        }
        forms.push(text.as_bytes().to_vec());
        forms.push(utf8_percent_encode(text, UNRESERVED).to_string().into_bytes());
        let json = serde_json::Value::from(text).to_string();
        forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
        forms.extend((0..3).flat_map(|shift| base64_forms(text.as_bytes(), shift)));
    }
    forms.retain(|form| form.len() >= MIN_LENGTH);
    forms
}

/// The characters of base64 that depend on the secret alone when `shift` other bytes stand before it in the encoded
/// text, and unknown ones after it.
fn base64_forms(secret: &[u8], shift: usize) -> Vec<Vec<u8>> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(secret);
    // The first characters mix with what stands before, the last one with what follows.
    let from = (shift * 8).div_ceil(6);
    let to = padded.len() * 8 / 6;
    let plain = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&padded);
    let mut forms = Vec::new();
    for text in [plain, url] {
        if to.saturating_sub(from) >= MIN_LENGTH {
            forms.push(text.as_bytes()[from..to].to_vec());
        }
        // At the start of an encoded text nothing mixes in, so the whole encoding is a form too, its end included.
        if shift == 0 {
            forms.push(text.clone().into_bytes());
            forms.push(format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4)).into_bytes());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(masker: &mut Masker, chunks: &[&[u8]]) -> String {
        let mut out = Vec::new();
        for chunk in chunks {
            masker.push(chunk, &mut out);
        }
        masker.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_cut_gives_the_same() {
        let secrets = ["hunter2", "hunter2hunter3", "unterwegs", "aaaa"];
        let text = b"x hunter2 hunter2hunter3 hunter2hunterwegs aaaaaaaaa hunter2hunter unterweg huntes";
        let whole = run(&mut Masker::new(secrets), &[text]);
        assert_eq!(whole, "x **** **** ****h**** ********a ****hunter unterweg huntes");
        for first in 0..text.len() {
            for second in first..text.len() {
                let chunks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(run(&mut Masker::new(secrets), &chunks), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn holds_nothing_back_that_is_no_beginning() {
        let mut masker = Masker::new(["hunter2"]);
        let mut out = Vec::new();
        masker.push(b"a whole line\n", &mut out);
        assert_eq!(out, b"a whole line\n");
        masker.push(b"then hun", &mut out);
        assert_eq!(out, b"a whole line\nthen ");
    }

    #[test]
    fn masks_the_usual_disguises() {
        let secret = "p@ss w\"rd/one";
        let b64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let mut leaks = vec![
            "p%40ss%20w%22rd%2Fone".to_owned(),
            "{\"a\":\"p@ss w\\\"rd/one\"}".to_owned(),
            b64(secret),
            base64::engine::general_purpose::URL_SAFE.encode(secret),
        ];
        leaks.extend(["u:", "me:", "you:", "user:"].map(|user| b64(&format!("{user}{secret}\n"))));
        for leak in leaks {
            let masked = Masker::new([secret]).mask_whole(&leak);
            assert!(masked.contains("****"), "{leak} -> {masked}");
            assert!(masked.len() < leak.len(), "{leak} -> {masked}");
        }
    }

    #[test]
    fn masks_single_lines_of_a_key_and_leaves_short_ones() {
        let key = "-----BEGIN-----\nMIIEabcdefgh\nxy\n-----END-----\n";
        assert_eq!(Masker::new([key]).mask_whole("a MIIEabcdefgh b xy"), "a **** b xy");
        assert_eq!(Masker::new(["abc"]).mask_whole("abc abc"), "abc abc");
        assert!(Masker::new(["abc"]).is_idle());
    }
}
