//! The dialogue with a mail server (RFC 5321): plain, TLS from the first byte, or STARTTLS (RFC 3207); PLAIN and LOGIN
//! authentication (RFC 4954). Blocking; each answer has a time limit. A password leaves only over TLS, or to this machine.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_platform_verifier::ConfigVerifierExt;

use crate::mail::MailServer;

/// How long connecting, and each answer, may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes; RFC 5321 allows 512 a line.
const MAX_ANSWER: usize = 64 * 1024;
/// How we call ourselves; servers that care look at the address.
const HELLO: &str = "EHLO [127.0.0.1]";

/// A connection, before or within TLS.
enum Wire {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(into),
            Wire::Secured(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Secured(stream) => stream.flush(),
        }
    }
}

/// Hands a message over.
///
/// # Errors
/// What the server or the network said, in one sentence.
pub(crate) fn send(server: &MailServer, from: &str, to: &[String], message: &[u8]) -> Result<(), String> {
    let stream = connect(server)?;
    let local = stream.peer_addr().is_ok_and(|address| address.ip().is_loopback());
    let mut talk = Talk(if server.ssl { secured(server, stream)? } else { Wire::Plain(stream) });
    talk.expect(2)?;
    let mut offers = talk.say(HELLO, 2)?;
    if server.tls && !server.ssl {
        if !offers.lines().any(|line| line.to_uppercase().contains("STARTTLS")) {
            return Err("it does not offer STARTTLS, which the configuration (useTls) asks for".to_owned());
        }
        talk.say("STARTTLS", 2)?;
        // Nothing is read ahead, so what an attacker sent before TLS is not taken for a part of it.
        if let Wire::Plain(stream) = talk.0 {
            talk = Talk(secured(server, stream)?);
        } else {
            return Err("it is secured already".to_owned());
        }
        offers = talk.say(HELLO, 2)?;
    }
    if let Some((user, password)) = &server.login {
        if !server.ssl && !server.tls && !local {
            return Err("a password is configured and no TLS; set useSsl or useTls".to_owned());
        }
        login(&mut talk, &offers, user, password)?;
    }
    talk.say(&format!("MAIL FROM:<{from}>"), 2)?;
    for person in to {
        talk.say(&format!("RCPT TO:<{person}>"), 2)?;
    }
    talk.say("DATA", 3)?;
    talk.write(&stuffed(message))?;
    talk.expect(2)?;
    // The message is taken; whether the farewell arrives changes nothing.
    let _ = talk.say("QUIT", 2);
    Ok(())
}

fn connect(server: &MailServer) -> Result<TcpStream, String> {
    let addresses = (server.host.as_str(), server.port).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "its name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                let limits = stream.set_read_timeout(Some(TIMEOUT)).and(stream.set_write_timeout(Some(TIMEOUT)));
                return limits.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

fn secured(server: &MailServer, stream: TcpStream) -> Result<Wire, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig::with_platform_verifier().map_err(|error| error.to_string())?;
    let name = ServerName::try_from(server.host.clone()).map_err(|error| error.to_string())?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    Ok(Wire::Secured(Box::new(StreamOwned::new(connection, stream))))
}

fn login(talk: &mut Talk, offers: &str, user: &str, password: &str) -> Result<(), String> {
    let offered = |way: &str| {
        offers
            .to_uppercase()
            .lines()
            .any(|line| line.contains("AUTH") && line.split([' ', '=']).any(|word| word == way))
    };
    if offered("PLAIN") || !offered("LOGIN") {
        let token = STANDARD.encode(format!("\0{user}\0{password}"));
        return talk.secret(&format!("AUTH PLAIN {token}"), 2);
    }
    talk.say("AUTH LOGIN", 3)?;
    talk.secret(&STANDARD.encode(user), 3)?;
    talk.secret(&STANDARD.encode(password), 2)
}

/// A message as DATA wants it: lines end in CRLF, a dot in front is doubled, a lone dot ends it.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    for line in message.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// Says and hears.
struct Talk(Wire);

impl Talk {
    /// Says a line; the answer must be of this class (`2`: done, `3`: go on).
    fn say(&mut self, line: &str, class: u8) -> Result<String, String> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.expect(class).map_err(|why| format!("{why} (to {line})"))
    }

    /// The same for a line that no message may show.
    fn secret(&mut self, line: &str, class: u8) -> Result<(), String> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.expect(class).map(drop).map_err(|why| format!("{why} (to AUTH)"))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.0.write_all(bytes).and_then(|()| self.0.flush());
        sent.map_err(|error| format!("the connection broke: {error}"))
    }

    /// Reads an answer: lines `250-text`, the last one `250 text`.
    fn expect(&mut self, class: u8) -> Result<String, String> {
        let mut answer = Vec::new();
        let mut begin = 0;
        loop {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1..) => answer.extend(byte),
                Ok(0) => return Err("it hung up".to_owned()),
                Err(error) => return Err(format!("no answer: {error}")),
            }
            if answer.len() > MAX_ANSWER {
                return Err("its answer does not end".to_owned());
            }
            if byte == *b"\n" {
                let line = answer.get(begin..).unwrap_or_default();
                if line.get(3) != Some(&b'-') {
                    let right = line.first() == Some(&(b'0' + class));
                    let text = String::from_utf8_lossy(&answer).trim().to_owned();
                    return if right { Ok(text) } else { Err(text) };
                }
                begin = answer.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn dots_and_line_ends() {
        assert_eq!(stuffed(b"a\n.b\r\n..c"), b"a\r\n..b\r\n...c\r\n.\r\n");
    }

    /// A server that answers each line by the next of `answers`, and gives the lines.
    fn server(answers: &'static [&'static str]) -> (MailServer, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = std::thread::spawn(move || {
            let (mut out, _) = listener.accept().unwrap();
            let mut lines = std::io::BufReader::new(out.try_clone().unwrap()).lines();
            let mut heard = Vec::new();
            for answer in answers {
                out.write_all(answer.as_bytes()).unwrap();
                match lines.next() {
                    Some(Ok(line)) => heard.push(line),
                    _ => break,
                }
            }
            heard
        });
        (MailServer { host: "127.0.0.1".to_owned(), port, ..MailServer::default() }, heard)
    }

    fn try_send(server: &MailServer) -> String {
        send(server, "a@b", &["c@d".to_owned()], b"x").unwrap_err()
    }

    #[test]
    fn login_by_two_lines_and_its_refusal() {
        let answers = &["220 hi\r\n", "250-x\r\n250 AUTH LOGIN\r\n", "334 u\r\n", "334 p\r\n", "535 no\r\n"];
        let (mut server, heard) = server(answers);
        server.login = Some(("ci".to_owned(), "pass".to_owned()));
        assert_eq!(try_send(&server), "535 no (to AUTH)");
        assert_eq!(heard.join().unwrap()[1..], ["AUTH LOGIN", "Y2k=", "cGFzcw=="]);
    }

    #[test]
    fn what_the_server_lacks_is_told() {
        let (mut plain, _heard) = server(&["220 hi\r\n", "250 x\r\n"]);
        plain.tls = true;
        assert!(try_send(&plain).contains("does not offer STARTTLS"));
        let (full, _heard) = server(&["421 too many\r\n"]);
        assert_eq!(try_send(&full), "421 too many");
        let closed = MailServer { host: "127.0.0.1".to_owned(), port: 1, ..MailServer::default() };
        assert!(try_send(&closed).contains("refused"));
    }

    #[test]
    fn tls_checks_who_answers() {
        // No certificate comes: the handshake fails, and nothing was said in the clear.
        let (mut secure, heard) = server(&["220 hi\r\n"]);
        secure.ssl = true;
        assert!(send(&secure, "a@b", &["c@d".to_owned()], b"x").is_err());
        drop(heard);
    }
}
