//! The socket: how many may speak at once, how long a request may take to arrive, and how long an answer to be read.
//!
//! A client that is slow on purpose holds a connection and nothing else; what it may hold is bounded here, before any
//! route is looked at:
//!
//! | what a client does | what stops it |
//! |---|---|
//! | opens connections and says nothing | [`Limits::connections`], [`Limits::per_address`]; [`Limits::head`] closes a silent one |
//! | sends a head byte by byte, or a huge one | [`Limits::head`]; [`Limits::head_bytes`] and [`Limits::headers`]: 431 |
//! | sends a body byte by byte | [`Limits::body_start`] and [`Limits::body_rate`]: the body breaks off, 408 |
//! | does not read its answer | [`Limits::unread`] closes the connection |
//! | asks what takes very long | [`Limits::answer`]: 503 |
//! | many requests at once | [`Limits::at_once`]: 503 with `Retry-After` |
//!
//! A live stream may be silent for hours: only a write that the client does not take counts as unread.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};
use tower::Service;

use crate::error::Failed;

/// What one client, and all together, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once. Each costs some 20 KiB; a thousand people with live pages need a few thousand.
    pub connections: usize,
    /// Of one address; behind a proxy all have one, so this is half of all.
    pub per_address: usize,
    /// From the connection, or the answer before, to the end of the next head.
    pub head: Duration,
    /// Bytes of a head; a browser with many cookies sends a few KiB. At least 8 KiB.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// A body may be this slow to begin.
    pub body_start: Duration,
    /// Bytes a second that a body must have on average after that.
    pub body_rate: u64,
    /// An answer that the client does not take.
    pub unread: Duration,
    /// From a request's head to the head of its answer.
    pub answer: Duration,
    /// Requests that are being answered at once.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            per_address: 4_096,
            head: Duration::from_secs(20),
            head_bytes: 64 << 10,
            headers: 100,
            body_start: Duration::from_secs(10),
            body_rate: 4 << 10,
            unread: Duration::from_secs(60),
            answer: Duration::from_secs(120),
            at_once: 1_024,
        }
    }
}

/// Accepts until `stop` says so; connections end their request and close then.
pub(crate) async fn accept(listener: TcpListener, app: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let door = Arc::new(Door {
        free: Arc::new(Semaphore::new(limits.connections)),
        at_work: Arc::new(Semaphore::new(limits.at_once)),
        by_address: Mutex::default(),
        limits,
    });
    let open = Arc::new(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // One too many is closed at once: answering it would cost what the limit saves.
                let Some(place) = door.enter(peer.ip()) else { continue };
                let (app, stop, open) = (app.clone(), stop.clone(), Arc::clone(&open));
                tokio::spawn(async move {
                    connection(stream, peer, app, &place, stop).await;
                    drop((place, open));
                });
            }
            Err(error) => {
                // Out of descriptors, mostly: those at work give some back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    while Arc::strong_count(&open) > 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Door {
    free: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    limits: Limits,
}

/// A place among the connections; given back when it is dropped.
struct Place {
    door: Arc<Door>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Door {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= self.limits.per_address {
            return None;
        }
        *count += 1;
        Some(Place { door: Arc::clone(self), address, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.door.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, app: Router, place: &Place, mut stop: watch::Receiver<bool>) {
    let limits = &place.door.limits;
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Patient { stream, unread: limits.unread, waits: None });
    let door = Arc::clone(&place.door);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(app.clone(), Arc::clone(&door), peer, request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes.max(8 << 10))
        .serve_connection(stream, service)
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

async fn answer(
    mut app: Router,
    door: Arc<Door>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let limits = &door.limits;
    let Ok(_turn) = door.at_work.try_acquire() else {
        return Ok(busy("busy", "too many requests at once", "Wait a second and send it again."));
    };
    let (start, rate) = (limits.body_start, limits.body_rate);
    let mut request = request.map(|body| Body::new(Timed::new(body, start, rate)));
    request.extensions_mut().insert(ConnectInfo(peer));
    match tokio::time::timeout(limits.answer, app.call(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => Ok(busy("slow", "the answer took too long", "Look at the server's load and try again.")),
    }
}

fn busy(code: &'static str, message: &str, help: &str) -> Response<Body> {
    let mut response = Failed::new(StatusCode::SERVICE_UNAVAILABLE, code, message, help).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A body that has to come at a pace.
struct Timed {
    body: Incoming,
    rate: u64,
    received: u64,
    /// Until then there must be as many bytes as the pace asks for.
    due: Pin<Box<Sleep>>,
    begun: Instant,
    start: Duration,
}

impl Timed {
    fn new(body: Incoming, start: Duration, rate: u64) -> Self {
        let begun = Instant::now();
        let due = Box::pin(tokio::time::sleep_until(begun + start));
        Self { body, rate: rate.max(1), received: 0, due, begun, start }
    }
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly")]
pub(crate) struct TooSlow;

/// Whether a body broke off for that.
pub(crate) fn too_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<TooSlow>())
}

/// What is answered then.
pub(crate) fn slow_body() -> Failed {
    Failed::new(StatusCode::REQUEST_TIMEOUT, "slow-body", TooSlow.to_string(), "Send the body without pauses.")
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                let until = self.begun + self.start + Duration::from_secs(self.received / self.rate);
                self.due.as_mut().reset(until);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(axum::Error::new(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.due.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(axum::Error::new(TooSlow)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// A stream that does not wait for ever for a client to read.
struct Patient {
    stream: TcpStream,
    unread: Duration,
    /// Since when a write waits.
    waits: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<std::io::Result<T>>) -> Poll<std::io::Result<T>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let unread = self.unread;
        let waits = self.waits.get_or_insert_with(|| Box::pin(tokio::time::sleep(unread)));
        waits.as_mut().poll(context).map(|()| Err(std::io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
