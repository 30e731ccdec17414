//! One client of the supervisor: bytes in, bytes out, never waiting.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use super::wire::{self, Reply, Request};

/// A client, as a server or a command line tool.
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

impl Connection {
    /// Takes the client in, unless it is of another user: whoever speaks here runs programs as us.
    pub(crate) fn new(stream: UnixStream) -> std::io::Result<Connection> {
        let peer = rustix::net::sockopt::socket_peercred(&stream)?;
        if peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
            return Err(std::io::Error::new(ErrorKind::PermissionDenied, "a client of another user"));
        }
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, inbox: Vec::new(), outbox: Vec::new() })
    }

    /// Reads what has come. `Err` when the client is gone or speaks nonsense.
    pub(crate) fn receive(&mut self) -> Result<Vec<Request>, String> {
        let mut chunk = [0; 16 << 10];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("closed".to_owned()),
                Ok(length) => self.inbox.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
            // The length is checked by `take`; this stops a client that never completes a frame.
            if self.inbox.len() > 2 * wire::MAX_FRAME {
                break;
            }
        }
        let mut requests = Vec::new();
        while let Some(request) = wire::take(&mut self.inbox)? {
            requests.push(request);
        }
        Ok(requests)
    }

    /// Puts a reply into the queue and sends as much as goes.
    pub(crate) fn send(&mut self, reply: &Reply) {
        if let Err(reason) = wire::put(reply, &mut self.outbox) {
            super::note(&format!("a reply cannot be written: {reason}"));
        }
        self.flush();
    }

    /// Sends as much as goes; errors are seen by the next read.
    pub(crate) fn flush(&mut self) {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(length) => {
                    self.outbox.drain(..length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_full(&self) -> bool {
        !self.outbox.is_empty()
    }
}
