//! The way of a masked step's output: a pipe that the supervisor empties into the log, secrets replaced.
//!
//! A step that begins when the disk is short of room has one, too: while the disk is full the pipe is not emptied, so the
//! step waits in its write instead of being told that the disk is full, and goes on when there is room.
//!
//! Any other step without secrets has no pump: it writes its log itself, which costs nothing. The price of a pump beside the
//! copying: if the supervisor dies, the step's next write ends it by SIGPIPE, since nobody is left who knows the
//! secrets. Its end is then `lost`.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::mask::Masker;
use crate::room;

/// One read; as much as the kernel keeps in a pipe by default.
const CHUNK: usize = 64 << 10;
/// What is read at most after the end of a step: a pipe holds no more than 1 MiB unless root widened it, so beyond
/// this somebody unkillable is still writing.
const LAST_CHUNKS: usize = 64;

/// One step's pipe, filter and log.
pub(crate) struct Pump {
    pipe: File,
    log: File,
    masker: Masker,
    chunk: Vec<u8>,
    out: Vec<u8>,
    open: bool,
    /// The log's disk is full; `out` waits.
    stuck: bool,
}

/// What a look into the pipe brought.
#[derive(PartialEq)]
enum Taken {
    Some,
    NothingNow,
    End,
}

impl Pump {
    /// Bytes of the log by now.
    pub(crate) fn log_size(&self) -> u64 {
        self.log.metadata().map_or(0, |meta| meta.len())
    }

    /// A pump into `log` and the end of the pipe that the process gets.
    pub(crate) fn new(log: File, secrets: &[String]) -> std::io::Result<(Pump, OwnedFd)> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&read, rustix::fs::OFlags::NONBLOCK)?;
        let masker = Masker::new(secrets.iter().map(String::as_str));
        let pump = Pump {
            pipe: File::from(read),
            log,
            masker,
            chunk: vec![0; CHUNK],
            out: Vec::new(),
            open: true,
            stuck: false,
        };
        Ok((pump, write))
    }

    /// The pipe; `None` once every writer has closed it.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.open.then(|| self.pipe.as_fd())
    }

    /// The log's disk is full: there is nothing to wait for at the pipe.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Tries once more to write what the full disk did not take.
    pub(crate) fn retry(&mut self) {
        self.flush();
    }

    /// Moves one chunk.
    pub(crate) fn run(&mut self) {
        if !self.stuck {
            self.take();
        }
    }

    /// The step has ended: moves what is left and what was held back. `false`: the log's disk is full, to be called again.
    pub(crate) fn finish(&mut self) -> bool {
        self.flush();
        for _ in 0..LAST_CHUNKS {
            if self.stuck {
                return false;
            }
            if !self.open || self.take() == Taken::NothingNow {
                break;
            }
        }
        self.masker.finish(&mut self.out);
        self.flush();
        !self.stuck
    }

    /// Nobody waits for room any more; how many bytes of the log are lost.
    pub(crate) fn give_up(&mut self) -> usize {
        self.stuck = false;
        std::mem::take(&mut self.out).len()
    }

    fn take(&mut self) -> Taken {
        match self.pipe.read(&mut self.chunk) {
            Ok(0) => {
                self.open = false;
                Taken::End
            }
            Ok(length) => {
                self.masker.push(&self.chunk[..length], &mut self.out);
                self.flush();
                Taken::Some
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Taken::Some,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Taken::NothingNow,
            Err(error) => {
                super::note(&format!("cannot read the output of a step: {error}"));
                self.open = false;
                Taken::End
            }
        }
    }

    /// What a full disk does not take stays.
    fn flush(&mut self) {
        self.stuck = false;
        let mut written = 0;
        while written < self.out.len() {
            match self.log.write(&self.out[written..]) {
                Ok(length) if length > 0 => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if room::is_full(&error) => {
                    self.stuck = true;
                    break;
                }
                refused => {
                    let lost = self.out.len() - written;
                    super::note(&format!("{lost} bytes of a log are lost: {:?}", refused.err()));
                    written = self.out.len();
                }
            }
        }
        self.out.drain(..written);
    }
}
