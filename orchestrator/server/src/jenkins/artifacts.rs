//! Files that a build kept: one by one, and all as a zip.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;
use zip::write::SimpleFileOptions;

use super::bean::{Bean, Data};
use super::build::Target;
use super::call::Call;
use super::want::Want;
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Whatever a build wrote, a browser may show it as nothing but itself, and run none of it.
const SANDBOX: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";
/// Bytes of one read.
const CHUNK: usize = 256 << 10;
/// Pieces of a zip that wait for a slow client; more stops the reading.
const AHEAD: usize = 8;

/// A file in a build's list.
pub(crate) fn row(path: &str, want: &Want) -> Data {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut bean = Bean::new("", want);
    // Artifacts stand on their build's own level.
    for (field, text) in [("displayPath", name), ("fileName", name), ("relativePath", path)] {
        if want.inline(field).is_some() {
            bean.set(field, text);
        }
    }
    bean.done()
}

/// `artifact/PATH`.
pub(crate) async fn one(call: &Call, target: &Target, path: &str) -> Result<Response, Failed> {
    let body = call.state.artifacts.open(target.build.id, path).await?;
    let name = words::part(path.rsplit('/').next().unwrap_or("artifact"));
    let headers = [
        (header::CONTENT_TYPE, kind(path).to_owned()),
        (header::CONTENT_LENGTH, body.size.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
        (header::CONTENT_SECURITY_POLICY, SANDBOX.to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(body.reader))).into_response())
}

/// Types that programs ask for; everything else is bytes.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "json" => "application/json",
        "txt" | "log" => "text/plain;charset=utf-8",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

/// `artifact/*zip*/archive.zip`: made as it is read, kept nowhere.
pub(crate) async fn all(call: &Call, target: &Target) -> Result<Response, Failed> {
    let kept = call.state.artifacts.list(target.build.id).await?;
    if kept.is_empty() {
        return Err(Failed::not_found(format!("build {} kept no files", target.build.number)));
    }
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(AHEAD);
    let (state, build) = (call.state.clone(), target.build.id);
    tokio::task::spawn_blocking(move || {
        let mut out = zip::ZipWriter::new_stream(Pipe { sender: sender.clone() });
        let runtime = tokio::runtime::Handle::current();
        let result = kept.iter().try_for_each(|file| {
            // A file may have more than 4 GiB, which the entry must say before its first byte.
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored)
                .large_file(file.size > u64::from(u32::MAX / 2));
            out.start_file(format!("archive/{}", file.path), options).map_err(std::io::Error::other)?;
            copy(&runtime, &state, build, &file.path, &mut out)
        });
        let result = result.and_then(|()| out.finish().map(drop).map_err(std::io::Error::other));
        if let Err(error) = result {
            // The client sees a cut download instead of a whole one that lacks a file.
            drop(sender.blocking_send(Err(error)));
        }
    });
    // Compression asks once more after the end.
    let parts =
        stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|part| (part, receiver)) });
    let body = parts.fuse();
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"archive.zip\""),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

fn copy(
    runtime: &tokio::runtime::Handle,
    state: &AppState,
    build: haliotis_model::BuildId,
    path: &str,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let opened = runtime.block_on(state.artifacts.open(build, path)).map_err(std::io::Error::other)?;
    let mut reader = opened.reader;
    let mut buffer = vec![0; CHUNK];
    loop {
        match runtime.block_on(reader.read(&mut buffer))? {
            0 => return Ok(()),
            read => out.write_all(buffer.get(..read).unwrap_or_default())?,
        }
    }
}

/// What is written goes to the client.
struct Pipe {
    sender: mpsc::Sender<std::io::Result<Bytes>>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let gone = |_| std::io::Error::new(std::io::ErrorKind::BrokenPipe, "the client is gone");
        self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
