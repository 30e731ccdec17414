//! Bodies on their way in: plain or `aws-chunked`, signed chunk by chunk or not, with trailing checksums or not.
//!
//! The decoder is fed whatever pieces the network brings and hands whole pieces of content on; the caller hashes and
//! writes them. A body that ends early or does not match what was promised is refused before the object exists.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::AwsError;
use crate::auth::{hmac, sha256_hex};

/// A chunk's header or a trailer line is short; a longer one is not ours.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// How the body is framed, by `x-amz-content-sha256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The body is the content; its hash is checked where the client gave one.
    Plain { sha256: Option<String> },
    /// `aws-chunked`.
    Chunked { signed: bool },
}

impl Framing {
    /// By the header's word.
    pub(crate) fn parse(word: &str) -> Result<Self, AwsError> {
        match word {
            "" | "UNSIGNED-PAYLOAD" => Ok(Self::Plain { sha256: None }),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::Chunked { signed: false }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Ok(Self::Chunked { signed: true })
            }
            hash if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Ok(Self::Plain { sha256: Some(hash.to_ascii_lowercase()) })
            }
            other => Err(AwsError::new(
                400,
                "InvalidRequest",
                format!("the local cloud does not know the x-amz-content-sha256 value {other}"),
            )),
        }
    }
}

/// What chunk signatures are verified with.
pub(crate) struct ChunkSigner {
    pub(crate) key: Vec<u8>,
    pub(crate) timestamp: String,
    pub(crate) scope: String,
    /// The request's signature at first, then the last chunk's.
    pub(crate) previous: String,
}

impl ChunkSigner {
    fn check(&mut self, given: &str, hash: &str) -> Result<(), AwsError> {
        let empty = sha256_hex(b"");
        let text =
            format!("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{empty}\n{hash}", self.timestamp, self.scope, self.previous);
        let expected = hex::encode(hmac(&self.key, text.as_bytes()));
        if expected != given {
            return Err(AwsError::new(403, "SignatureDoesNotMatch", "The signature of a chunk does not match."));
        }
        self.previous = expected;
        Ok(())
    }
}

/// Where the decoder is.
enum State {
    Plain,
    Header,
    Data { left: u64, signature: Option<String>, hasher: Option<Sha256> },
    DataEnd,
    Trailer,
    Done,
}

/// Takes the frame off a body.
pub(crate) struct Decoder {
    state: State,
    line: Vec<u8>,
    signer: Option<ChunkSigner>,
    plain: Option<(String, Sha256)>,
    /// Headers after the last chunk, by lower-case name.
    pub(crate) trailers: BTreeMap<String, String>,
}

impl Decoder {
    pub(crate) fn new(framing: Framing, signer: Option<ChunkSigner>) -> Self {
        let (state, plain, signer) = match framing {
            Framing::Plain { sha256 } => (State::Plain, sha256.map(|hash| (hash, Sha256::new())), None),
            Framing::Chunked { signed } => (State::Header, None, signer.filter(|_| signed)),
        };
        Self { state, line: Vec::new(), signer, plain, trailers: BTreeMap::new() }
    }

    /// Takes bytes as they come; content goes to `sink`.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Plain => {
                    if let Some((_, hasher)) = &mut self.plain {
                        hasher.update(bytes);
                    }
                    return sink(bytes);
                }
                State::Data { left, hasher, .. } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, rest) = bytes.split_at(count);
                    if let Some(hasher) = hasher {
                        hasher.update(now);
                    }
                    *left -= count as u64;
                    let ended = *left == 0;
                    bytes = rest;
                    sink(now)?;
                    if ended {
                        self.end_chunk()?;
                    }
                }
                State::Done => return Err(incomplete("there are bytes after its end")),
                State::Header | State::DataEnd | State::Trailer => {
                    bytes = self.take_line(bytes)?;
                }
            }
        }
        Ok(())
    }

    /// The body is over.
    pub(crate) fn finish(&mut self) -> Result<(), AwsError> {
        if let Some((promised, hasher)) = self.plain.take()
            && hex::encode(hasher.finalize()) != promised
        {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(AwsError::new(400, "XAmzContentSHA256Mismatch", message));
        }
        match self.state {
            // Some clients leave out the empty line after the trailers.
            State::Plain | State::Done | State::Trailer => Ok(()),
            _ => Err(incomplete("it ended in the middle of a chunk")),
        }
    }

    /// Gathers bytes up to a line end and acts on a whole line. Answers what is left.
    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], AwsError> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (now, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.line.extend_from_slice(now);
        if self.line.len() > MAX_LINE_BYTES {
            return Err(incomplete("a line between chunks is too long"));
        }
        if end.is_some() {
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
            self.act_on(&line)?;
        }
        Ok(rest)
    }

    fn act_on(&mut self, line: &str) -> Result<(), AwsError> {
        match self.state {
            State::Header => self.start_chunk(line),
            State::DataEnd if line.is_empty() => {
                self.state = State::Header;
                Ok(())
            }
            State::DataEnd => Err(incomplete("a chunk is longer than its header says")),
            State::Trailer if line.is_empty() => {
                self.state = State::Done;
                Ok(())
            }
            _ => {
                let (name, value) = line.split_once(':').ok_or_else(|| incomplete("a trailer has no value"))?;
                self.trailers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
                Ok(())
            }
        }
    }

    fn start_chunk(&mut self, line: &str) -> Result<(), AwsError> {
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let size = u64::from_str_radix(size.trim(), 16).map_err(|_| incomplete("a chunk has no size"))?;
        let signature = extension.trim().strip_prefix("chunk-signature=").map(str::to_owned);
        if size > 0 {
            let hasher = self.signer.is_some().then(Sha256::new);
            self.state = State::Data { left: size, signature, hasher };
            return Ok(());
        }
        self.check_chunk(signature.as_deref(), &sha256_hex(b""))?;
        self.state = State::Trailer;
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), AwsError> {
        if let State::Data { signature, hasher: Some(hasher), .. } = std::mem::replace(&mut self.state, State::DataEnd)
        {
            self.check_chunk(signature.as_deref(), &hex::encode(hasher.finalize()))?;
        }
        Ok(())
    }

    fn check_chunk(&mut self, signature: Option<&str>, hash: &str) -> Result<(), AwsError> {
        match &mut self.signer {
            Some(signer) => signer.check(signature.unwrap_or_default(), hash),
            None => Ok(()),
        }
    }
}

fn incomplete(why: &str) -> AwsError {
    AwsError::new(400, "IncompleteBody", format!("The request body is not as its headers say: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(framing: Framing, body: &[u8], piece: usize) -> Result<(Vec<u8>, BTreeMap<String, String>), AwsError> {
        let mut decoder = Decoder::new(framing, None);
        let mut out = Vec::new();
        for part in body.chunks(piece) {
            decoder.feed(part, &mut |bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        decoder.finish()?;
        Ok((out, decoder.trailers))
    }

    #[test]
    fn chunks_come_whole_however_the_network_cuts_them() {
        let body = b"5\r\nhello\r\n6;chunk-signature=ab\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        for piece in [1, 2, 3, 7, 1000] {
            let (content, trailers) = decode(Framing::Chunked { signed: false }, body, piece).unwrap();
            assert_eq!(content, b"hello world");
            assert_eq!(trailers["x-amz-checksum-crc32"], "DUoRhQ==");
        }
    }

    #[test]
    fn signed_chunks_of_the_documented_example() {
        // The chunked upload of the SigV4 documentation for S3: its published key, seed and chunk signatures.
        let scope = "20130524/us-east-1/s3/aws4_request";
        let mut key = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_vec();
        for part in scope.split('/') {
            key = hmac(&key, part.as_bytes());
        }
        let previous = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let chunks = [
            (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ];
        let check = |letter: &str| {
            let frame = |(size, signature): (usize, &str)| {
                format!("{size:x};chunk-signature={signature}\r\n{}\r\n", letter.repeat(size))
            };
            let body: String = chunks.into_iter().map(frame).collect();
            let signer = ChunkSigner {
                key: key.clone(),
                timestamp: "20130524T000000Z".to_owned(),
                scope: scope.to_owned(),
                previous: previous.to_owned(),
            };
            let mut decoder = Decoder::new(Framing::Chunked { signed: true }, Some(signer));
            let mut size = 0;
            decoder.feed(body.as_bytes(), &mut |bytes| {
                size += bytes.len();
                Ok(())
            })?;
            decoder.finish().map(|()| size)
        };
        assert_eq!(check("a").unwrap(), 66560);
        assert_eq!(check("b").unwrap_err().code, "SignatureDoesNotMatch");
    }

    #[test]
    fn broken_frames_are_refused() {
        let bodies: [&[u8]; 5] =
            [b"5\r\nhel", b"zz\r\n", b"5\r\nhelloxx\r\n0\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\nmore"];
        for body in bodies {
            let result = decode(Framing::Chunked { signed: false }, body, 3);
            assert_eq!(result.unwrap_err().code, "IncompleteBody", "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_plain_body_must_hash_as_promised() {
        let right = Framing::parse(&sha256_hex(b"hello")).unwrap();
        assert!(decode(right.clone(), b"hello", 2).is_ok());
        assert_eq!(decode(right, b"hellO", 2).unwrap_err().code, "XAmzContentSHA256Mismatch");
        assert!(Framing::parse("STREAMING-SOMETHING").is_err());
    }
}
