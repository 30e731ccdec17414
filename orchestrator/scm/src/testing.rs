//! Real repositories and real HTTP hosts for the tests of this crate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git2::{Repository, Signature, Time};

use crate::RepoUrl;

/// A bare repository in a folder of its own; commits go straight into it.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    repo: Repository,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repository::init_bare(folder.path()).unwrap();
        Fixture { folder, repo }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> RepoUrl {
        RepoUrl::parse(self.path().to_str().unwrap()).unwrap()
    }

    pub(crate) fn commit(&self, path: &str, text: &str, message: &str) -> String {
        self.commit_on("main", path, text, message)
    }

    /// Changes one file on a branch.
    pub(crate) fn commit_on(&self, branch: &str, path: &str, text: &str, message: &str) -> String {
        let reference = format!("refs/heads/{branch}");
        let parent = self.repo.find_reference(&reference).ok().map(|found| found.peel_to_commit().unwrap());
        let tree = parent.as_ref().map(|commit| commit.tree().unwrap());
        let blob = self.repo.blob(text.as_bytes()).unwrap();
        let empty = self.repo.treebuilder(None).unwrap().write().unwrap();
        let base = tree.unwrap_or_else(|| self.repo.find_tree(empty).unwrap());
        let changed = git2::build::TreeUpdateBuilder::new()
            .upsert(path, blob, git2::FileMode::Blob)
            .create_updated(&self.repo, &base)
            .unwrap();
        let who = Signature::new("Ada", "ada@example.org", &Time::new(1_700_000_000, 0)).unwrap();
        let tree = self.repo.find_tree(changed).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        self.repo.commit(Some(&reference), &who, &who, message, &tree, &parents).unwrap().to_string()
    }
}

type Answer = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// An HTTP host on loopback: answers each request by a function, and keeps what it was asked.
pub(crate) struct HttpHost {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl HttpHost {
    /// Serves a bare repository's files (git's plain protocol) to one user.
    pub(crate) fn serve(folder: &Path, user: &str, password: &str) -> Self {
        write_server_info(folder);
        let wanted = format!("authorization: basic {}", base64(format!("{user}:{password}").as_bytes()));
        let folder = folder.to_owned();
        Self::start(Arc::new(move |request| {
            if !request.lines().any(|line| line.eq_ignore_ascii_case(&wanted)) {
                return answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"git\"\r\n", b"");
            }
            match std::fs::read(path_of(&folder, request)) {
                Ok(bytes) => answer("200 OK", "", &bytes),
                Err(_) => answer("404 Not Found", "", b""),
            }
        }))
    }

    /// Sends everybody on to another host.
    pub(crate) fn redirect(to: &str) -> Self {
        let to = to.to_owned();
        Self::start(Arc::new(move |request| {
            let path = target(request);
            let path = path.strip_prefix("/repo.git").unwrap_or(path);
            answer("302 Found", &format!("Location: {to}{path}\r\n"), b"")
        }))
    }

    /// Wants a password of everybody and gives nothing.
    pub(crate) fn collect() -> Self {
        Self::start(Arc::new(|_| answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"")))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/repo.git", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                std::thread::spawn(move || handle(stream, &answer, &log));
            }
        });
        HttpHost { address, seen }
    }
}

fn handle(mut stream: TcpStream, answer: &Answer, log: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        request.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let bytes = answer(&text);
    log.lock().unwrap().push(text);
    let _ = stream.write_all(&bytes);
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn target(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or("/")
}

fn path_of(folder: &Path, request: &str) -> PathBuf {
    let path = target(request).split('?').next().unwrap_or_default();
    folder.join(path.trim_start_matches("/repo.git").trim_start_matches('/'))
}

/// What `git update-server-info` writes.
fn write_server_info(folder: &Path) {
    let repo = Repository::open_bare(folder).unwrap();
    let mut lines = String::new();
    for reference in repo.references().unwrap().flatten() {
        let (name, id) = (reference.name().unwrap().to_owned(), reference.target().unwrap());
        lines.push_str(&format!("{id}\t{name}\n"));
    }
    std::fs::create_dir_all(folder.join("info")).unwrap();
    std::fs::write(folder.join("info/refs"), lines).unwrap();
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let padded = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from(padded[0]) << 16 | u32::from(padded[1]) << 8 | u32::from(padded[2]);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    text
}
