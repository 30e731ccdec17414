//! Takes a request's body in: off the network, out of its frame, hashed, compared with every promise in the headers.

use axum::body::Body;
use base64::Engine;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::body::{Decoder, Framing};
use super::checksum::Algorithm;
use super::http::{Request, blocking};
use super::staged::{MAX_OBJECT_BYTES, Staged};
use super::store::Store;
use crate::AwsError;

/// The largest XML request: CompleteMultipartUpload of 10,000 parts with checksums, in bytes.
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;
/// Pieces of a body that wait for the disk; the network waits beyond that.
const QUEUE: usize = 16;

/// What the headers promise of the body.
struct Promises {
    framing: Framing,
    length: Option<u64>,
    md5_base64: Option<String>,
    algorithms: Vec<Algorithm>,
    sums: Vec<(Algorithm, String)>,
}

impl Promises {
    fn read(request: &Request) -> Result<Self, AwsError> {
        let framing = Framing::parse(request.header("x-amz-content-sha256").unwrap_or_default())?;
        let chunked = matches!(framing, Framing::Chunked { .. });
        let name = if chunked { "x-amz-decoded-content-length" } else { "content-length" };
        let length = request.header(name).and_then(|text| text.parse().ok());
        if length.is_some_and(|length| length > MAX_OBJECT_BYTES) {
            let message = format!("Your proposed upload exceeds the maximum allowed size of {MAX_OBJECT_BYTES} bytes");
            return Err(AwsError::new(400, "EntityTooLarge", message));
        }
        let mut sums = Vec::new();
        let mut algorithms: Vec<Algorithm> = Vec::new();
        for (name, value) in &request.headers {
            if let Some(word) = checksum_word(name.as_str()) {
                let algorithm = Algorithm::parse(word)?;
                sums.push((algorithm, value.to_str().unwrap_or_default().to_owned()));
                algorithms.push(algorithm);
            }
        }
        let trailer = request.header("x-amz-trailer").and_then(|name| checksum_word(name.trim()));
        if let Some(word) = trailer {
            algorithms.push(Algorithm::parse(word)?);
        }
        algorithms.sort_unstable();
        algorithms.dedup();
        Ok(Self { framing, length, md5_base64: request.header("content-md5").map(str::to_owned), algorithms, sums })
    }
}

/// `x-amz-checksum-crc32` is of `crc32`; the algorithm's and the type's own headers are none.
fn checksum_word(header: &str) -> Option<&str> {
    let word = header.strip_prefix("x-amz-checksum-")?;
    (!matches!(word, "algorithm" | "type" | "mode")).then_some(word)
}

/// Streams the body into a temporary file of the store and checks it.
///
/// # Errors
/// `BadDigest`, `IncompleteBody`, `EntityTooLarge`, a bad chunk signature, a full disk.
pub(super) async fn stage(store: &std::sync::Arc<Store>, request: &mut Request) -> Result<Staged, AwsError> {
    let promises = Promises::read(request)?;
    let mut decoder = Decoder::new(promises.framing.clone(), request.signer.take());
    let mut staged = store.stage(&promises.algorithms)?;
    let (sender, mut receiver) = mpsc::channel::<Result<Bytes, AwsError>>(QUEUE);
    let body = std::mem::take(&mut request.body);
    let writer = blocking(move || {
        while let Some(piece) = receiver.blocking_recv() {
            decoder.feed(&piece?, &mut |bytes| staged.append(bytes))?;
        }
        decoder.finish()?;
        check(&promises, &decoder, staged)
    });
    let (result, ()) = tokio::join!(writer, pump(body, sender));
    result
}

async fn pump(body: Body, sender: mpsc::Sender<Result<Bytes, AwsError>>) {
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| AwsError::new(400, "IncompleteBody", format!("the body broke off: {error}")));
        // The writer gave up: it says why.
        if sender.send(piece).await.is_err() {
            return;
        }
    }
}

fn check(promises: &Promises, decoder: &Decoder, staged: Staged) -> Result<Staged, AwsError> {
    if promises.length.is_some_and(|length| length != staged.len()) {
        let message = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
        return Err(AwsError::new(400, "IncompleteBody", message));
    }
    let (md5, computed) = staged.hashes();
    if let Some(promised) = &promises.md5_base64
        && base64::engine::general_purpose::STANDARD.encode(&md5) != *promised
    {
        return Err(AwsError::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."));
    }
    let trailers = decoder
        .trailers
        .iter()
        .filter_map(|(name, value)| Some((Algorithm::parse(checksum_word(name)?).ok()?, value.clone())));
    for (algorithm, promised) in promises.sums.iter().cloned().chain(trailers) {
        if computed.0.get(&algorithm) != Some(&promised) {
            let word = algorithm.word();
            let message = format!("The {word} you specified did not match the calculated checksum.");
            return Err(AwsError::new(400, "BadDigest", message));
        }
    }
    Ok(staged)
}

/// A small body as text; its signed hash is checked.
///
/// # Errors
/// `IncompleteBody`, `XAmzContentSHA256Mismatch`; `MaxMessageLengthExceeded` for a larger one.
pub(super) async fn collect(mut request: Request) -> Result<String, AwsError> {
    let framing = Framing::parse(request.header("x-amz-content-sha256").unwrap_or_default())?;
    let mut decoder = Decoder::new(framing, request.signer.take());
    let mut text = Vec::new();
    let mut stream = std::mem::take(&mut request.body).into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece =
            piece.map_err(|error| AwsError::new(400, "IncompleteBody", format!("the body broke off: {error}")))?;
        decoder.feed(&piece, &mut |bytes| {
            if text.len() + bytes.len() > MAX_DOCUMENT_BYTES {
                return Err(AwsError::new(400, "MaxMessageLengthExceeded", "Your request was too big."));
            }
            text.extend_from_slice(bytes);
            Ok(())
        })?;
    }
    decoder.finish()?;
    String::from_utf8(text).map_err(|_| AwsError::new(400, "MalformedXML", "The request is not UTF-8"))
}
