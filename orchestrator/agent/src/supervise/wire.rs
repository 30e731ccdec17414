//! The words between a server and its supervisor: frames of JSON, each led by its length (four bytes, little end first).
//!
//! Secrets pass here, over a socket in a folder that only its owner may enter; they are on no command line and no disk.

use haliotis_model::Vars;
use serde::{Deserialize, Serialize};

/// A script of some megabytes and a large environment fit; a length beyond it means the other side speaks another
/// language.
pub(crate) const MAX_FRAME: usize = 32 << 20;

/// The socket in the supervisor's folder. The number is the version of this language: a newer binary starts a
/// supervisor of its own beside an older one that still runs.
pub(crate) const SOCKET: &str = "supervisor-3.sock";
/// Held for life by the supervisor that owns the socket.
pub(crate) const LOCK: &str = "supervisor-3.lock";

/// What a client wants. Every request may be sent again after a broken connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Only answer.
    Hello,
    /// Start, or find.
    Spawn { key: String, spec: Spec },
    /// Start, or find, and tell the end or why it did not start. `after`: not before that process has ended.
    Run { key: String, spec: Spec, after: Option<String> },
    /// Tell the end.
    Wait { key: String },
    /// SIGTERM, and SIGKILL after the grace.
    Kill { key: String, grace_ms: u64 },
    /// Remove what is kept of an ended process.
    Forget { key: String },
    /// Likewise of all whose keys begin so and that have ended.
    ForgetAll { prefix: String },
}

/// `ProcessSpec` as it travels.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) argv: Vec<String>,
    pub(crate) vars: Vars,
    pub(crate) cwd: String,
    pub(crate) log: String,
    pub(crate) stdout: Option<String>,
    pub(crate) mask: Vec<String>,
}

impl std::fmt::Debug for Spec {
    /// Neither variables nor masks: both hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spec").field("argv0", &self.argv.first()).field("cwd", &self.cwd).finish_non_exhaustive()
    }
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Done as asked.
    Done,
    /// The process has ended.
    Exit { code: i32, signal: Option<i32> },
    /// It could not be started.
    Start { program: String, reason: String },
    /// Nothing was ever started under the key.
    Unknown,
    /// Started, and its exit code is lost.
    Lost,
    /// Not done, and why.
    Refused { reason: String },
}

/// A request with the number its reply carries.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) ask: Ask,
}

/// A request that is still needed.
#[derive(Debug, Serialize)]
pub(crate) struct Sent<'a> {
    pub(crate) id: u64,
    pub(crate) ask: &'a Ask,
}

/// The reply to the request of that number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) id: u64,
    pub(crate) answer: Answer,
}

/// Appends one message as a frame.
pub(crate) fn put(message: &impl Serialize, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let written = serde_json::to_writer(&mut *out, message).map_err(|error| error.to_string());
    let length = out.len() - start - 4;
    if written.is_err() || length > MAX_FRAME {
        out.truncate(start);
        return written.and(Err(format!("{length} bytes are too much for one request; {MAX_FRAME} are the most")));
    }
    out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(())
}

/// Takes the next whole message off the front of `buffer`; `None` while it is incomplete.
pub(crate) fn take<T: for<'a> Deserialize<'a>>(buffer: &mut Vec<u8>) -> Result<Option<T>, String> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if length > MAX_FRAME {
        return Err(format!("a frame of {length} bytes"));
    }
    let Some(body) = buffer.get(4..4 + length) else { return Ok(None) };
    let message = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    buffer.drain(..4 + length);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let mut bytes = Vec::new();
        for id in 0..3 {
            put(&Sent { id, ask: &Ask::Wait { key: format!("k{id}") } }, &mut bytes).unwrap();
        }
        let (mut buffer, mut seen) = (Vec::new(), Vec::new());
        for byte in bytes {
            buffer.push(byte);
            while let Some(request) = take::<Request>(&mut buffer).unwrap() {
                seen.push(request.id);
            }
        }
        assert_eq!(seen, [0, 1, 2]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_stranger_is_refused() {
        assert!(take::<Request>(&mut b"GET / HTTP/1.1".to_vec()).is_err());
    }
}
