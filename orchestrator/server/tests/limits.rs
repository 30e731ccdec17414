//! Clients that are slow, large or many on purpose, over real sockets: each is stopped, and the others are not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use haliotis_server::{Limits, Rate, Rates, serve_within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use world::World;

/// No test waits longer for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

async fn server(limits: Limits) -> (SocketAddr, oneshot::Sender<()>) {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve_within(listener, world.state, limits, async {
        let _ = stopped.await;
    }));
    (address, stop)
}

/// Sends these bytes and reads until the server closes.
async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has refused already may not take all of it.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut told = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut told)).await;
    assert!(read.is_ok(), "the server let the connection be");
    String::from_utf8_lossy(&told).into_owned()
}

async fn lives(address: SocketAddr) {
    let told = talk(address, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let (address, _stop) = server(Limits { head: SHORT, ..Limits::default() }).await;
    let since = Instant::now();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ").await.unwrap();
    let told = rest(&mut slow).await;
    assert!(!told.starts_with("HTTP/1.1 200"), "{told}");
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert!(since.elapsed() >= SHORT && since.elapsed() < PATIENCE);
    lives(address).await;
}

#[tokio::test]
async fn a_head_has_a_size() {
    let (address, _stop) = server(Limits::default()).await;
    let many = "X-Many: 1\r\n".repeat(200);
    let told = talk(address, format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n{many}\r\n").as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 431"), "{told}");
    let long = "x".repeat(200 << 10);
    let told = talk(address, format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {long}\r\n\r\n").as_bytes()).await;
    // The rest of the head meets a closed connection, so the answer may be lost on the way; it is never a success.
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    lives(address).await;
}

#[tokio::test]
async fn a_body_comes_at_a_pace() {
    let (address, _stop) = server(Limits { body_start: SHORT, ..Limits::default() }).await;
    for path in ["/createItem?name=x", "/api/v1/builds", "/hooks/github"] {
        let mut slow = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{{"
        );
        slow.write_all(head.as_bytes()).await.unwrap();
        let told = rest(&mut slow).await;
        assert!(told.starts_with("HTTP/1.1 4"), "{path}: {told}");
    }
    lives(address).await;
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let (address, _stop) = server(Limits { per_address: 3, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // An answer on a kept connection shows that it was accepted.
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
        let mut some = [0; 12];
        stream.read_exact(&mut some).await.unwrap();
        held.push(stream);
    }
    let mut one_more = TcpStream::connect(address).await.unwrap();
    let _ = one_more.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    let mut told = Vec::new();
    let read = tokio::time::timeout(PATIENCE, one_more.read_to_end(&mut told)).await.expect("it is closed at once");
    assert!(told.is_empty(), "{read:?}: it was answered");
    held.clear();
    let again = async {
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await;
            let mut told = Vec::new();
            let _ = stream.read_to_end(&mut told).await;
            if told.starts_with(b"HTTP/1.1 200") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("a place that was left is free again");
}

#[tokio::test]
async fn a_server_that_stops_ends_what_is_open() {
    let (address, stop) = server(Limits::default()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut some = [0; 12];
    idle.read_exact(&mut some).await.unwrap();
    stop.send(()).unwrap();
    rest(&mut idle).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_client_that_asks_for_too_much_is_told_when_to_come_again() {
    let mut world =
        World::over(std::sync::Arc::default(), haliotis_server::ServerConfig { dev: false, ..world::config() }).await;
    let slow = Rate { burst: 3.0, per_second: 0.01 };
    world.state = world.state.with_rates(Rates { known: slow, unknown: slow });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_within(listener, world.state, Limits::default(), std::future::pending()));
    let ask = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    for _ in 0..3 {
        assert!(talk(address, ask.as_bytes()).await.starts_with("HTTP/1.1 200"));
    }
    let told = talk(address, ask.as_bytes()).await.to_lowercase();
    assert!(told.starts_with("http/1.1 429") && told.contains("retry-after: "), "{told}");
}
