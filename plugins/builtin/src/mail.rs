//! `mail`: one message over SMTP.
//!
//! Its Message-ID is made of the step's key, so that a message which is sent again after a crash is the same message to
//! those who look; a mark in the scratch folder keeps one that was taken by the server from being sent again at all.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::mime::MimePart;
use serde_json::json;

use crate::{files, smtp};

/// Most bytes of all attachments together; mail servers refuse more.
const MAX_ATTACHED: u64 = 20 * 1024 * 1024;
/// Most recipients of one message.
const MAX_RECIPIENTS: usize = 200;
/// In the scratch folder: the server has taken the message.
const SENT: &str = "sent";

/// The mail server, and what it adds.
#[derive(Clone, Default, PartialEq)]
pub struct MailServer {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS from the first byte.
    pub ssl: bool,
    /// STARTTLS, required.
    pub tls: bool,
    /// User and password.
    pub login: Option<(String, String)>,
    /// From whom, unless a step says.
    pub from: String,
    /// Where answers go, unless a step says.
    pub reply_to: String,
    /// Added to an address without `@`, as `@example.org`.
    pub suffix: String,
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailServer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Tells the mail server when a message is to be sent: `Ok(None)` where none is configured.
pub type FindServer = Arc<dyn Fn() -> Result<Option<MailServer>, String> + Send + Sync>;

/// The step kind.
pub struct Mail {
    /// Asked for each message.
    pub server: FindServer,
}

#[async_trait]
impl StepRunner for Mail {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{String, Strings};
        let people = "Addresses, separated by commas or spaces; `Name <a@b>` where commas separate.";
        StepSchema {
            name: "mail",
            doc: "Sends a message over SMTP.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::optional("to", String, people),
                ArgumentSchema::optional("cc", String, people),
                ArgumentSchema::optional("bcc", String, people),
                ArgumentSchema::optional("from", String, "Default: the configured one."),
                ArgumentSchema::optional("reply-to", String, "Default: the configured one."),
                ArgumentSchema::required("subject", String, "One line."),
                ArgumentSchema::required("body", String, "The text."),
                ArgumentSchema::optional("mime-type", String, "Of the text, as `text/html`.").or("text/plain"),
                ArgumentSchema::optional("attach", Strings, "Globs of files of the workspace, at most 20 MiB."),
            ],
            outputs: vec![OutputSchema { name: "message-id", doc: "Of the message." }],
            open_outputs: false,
            cloud: false,
            example: "to: team@example.org\nsubject: model approved\nbody: See the build.",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let server = (self.server)().map_err(StepError::Usage)?.filter(|server| !server.host.is_empty());
        let server = server.ok_or_else(|| {
            StepError::Usage(
                "no mail server is configured; write unclassified: {mailer: {smtpHost: HOST}} in jenkins.yaml of the \
                 data folder"
                    .to_owned(),
            )
        })?;
        let ctx = ctx.clone();
        files::off_thread(move || send(&ctx, &server)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        // It is short: attach reports its end.
        Ok(())
    }
}

fn send(ctx: &StepContext, server: &MailServer) -> Result<StepOutput, StepError> {
    let id = format!("{}@haliotis", ctx.slug());
    let outputs = Object::from_iter([("message-id".to_owned(), id.as_str().into())]);
    let mark = ctx.scratch.join(SENT);
    if mark.exists() {
        return Ok(StepOutput::success(outputs));
    }
    let letter = letter(ctx, server, &id)?;
    let to = letter.to;
    smtp::send(server, &letter.from, &to, &letter.bytes).map_err(|why| {
        StepError::World(format!("the mail server {}:{} did not take the message: {why}", server.host, server.port))
    })?;
    fs::create_dir_all(&ctx.scratch)?;
    fs::write(mark, json!(to).to_string())?;
    ctx.log.line(&format!("sent to {}", to.join(", ")));
    Ok(StepOutput::success(outputs))
}

/// A message, and to whom.
struct Letter {
    from: String,
    to: Vec<String>,
    bytes: Vec<u8>,
}

fn letter(ctx: &StepContext, server: &MailServer, id: &str) -> Result<Letter, StepError> {
    let or = |name: &str, default: &str| {
        ctx.text(name).filter(|text| !text.trim().is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let from = or("from", &server.from);
    if from.is_empty() {
        return Err(StepError::Usage(
            "mail: nobody sends it; give `from`, or configure unclassified.location.adminAddress".to_owned(),
        ));
    }
    let from = Mailbox::parse(&from, server)?;
    let mut builder = MessageBuilder::new().message_id(id.to_owned()).from(from.address());
    let mut to = Vec::new();
    for name in ["to", "cc", "bcc"] {
        let some =
            people(&or(name, "")).iter().map(|person| Mailbox::parse(person, server)).collect::<Result<Vec<_>, _>>()?;
        if some.is_empty() {
            continue;
        }
        to.extend(some.iter().map(|person| person.mail.clone()));
        let list = Address::new_list(some.iter().map(Mailbox::address).collect());
        builder = match name {
            "to" => builder.to(list),
            "cc" => builder.cc(list),
            // Whom nobody else shall see stands in the envelope alone.
            _ => builder,
        };
    }
    if to.is_empty() || to.len() > MAX_RECIPIENTS {
        return Err(StepError::Usage(format!("mail: {} recipients; give 1 to {MAX_RECIPIENTS}", to.len())));
    }
    if let Some(person) = people(&or("reply-to", &server.reply_to)).first() {
        builder = builder.reply_to(Mailbox::parse(person, server)?.address());
    }
    // A line end in a subject would begin another header.
    builder = builder.subject(ctx.required("subject")?.replace(['\r', '\n'], " "));
    let kind = or("mime-type", "text/plain");
    let plain = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let token = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-+.".contains(c));
    if !plain.split_once('/').is_some_and(|(one, other)| token(one) && token(other)) {
        return Err(StepError::Usage(format!("mail: `{kind}` is no media type as text/html")));
    }
    let text = MimePart::new(ContentType::new(plain).attribute("charset", "utf-8"), ctx.required("body")?);
    let globs = ctx.texts("attach");
    let body = if globs.is_empty() {
        text
    } else {
        let picked = files::pick(&ctx.workspace, &globs, &[])?;
        files::total_size(&picked, MAX_ATTACHED, "mail")?;
        let mut parts = vec![text];
        for file in picked {
            let name = file.relative.rsplit('/').next().unwrap_or(&file.relative).to_owned();
            let bytes = fs::read(&file.path).map_err(|error| files::cannot("read", &file.path, &error))?;
            parts.push(MimePart::new("application/octet-stream", bytes).attachment(name));
        }
        MimePart::new("multipart/mixed", parts)
    };
    Ok(Letter { from: from.mail, to, bytes: builder.body(body).write_to_vec()? })
}

/// Addresses of a list: by commas and semicolons, or by spaces where there is no name.
fn people(list: &str) -> Vec<String> {
    let named = list.contains('<');
    let separates = |c: char| matches!(c, ',' | ';' | '\n') || (!named && c.is_whitespace());
    list.split(separates).map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// A person: `Name <a@b>` or `a@b`.
struct Mailbox {
    name: Option<String>,
    mail: String,
}

impl Mailbox {
    fn parse(text: &str, server: &MailServer) -> Result<Self, StepError> {
        let (name, mail) = match text.rsplit_once('<') {
            Some((name, mail)) => {
                (Some(name.trim().trim_matches('"').to_owned()), mail.trim_end().trim_end_matches('>'))
            }
            None => (None, text),
        };
        let mail = if mail.contains('@') { mail.to_owned() } else { format!("{mail}{}", server.suffix) };
        // What the dialogue with the server could take for something else is refused, not quoted.
        let part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>,;:\\\"@".contains(c))
        };
        if !mail.split_once('@').is_some_and(|(user, host)| part(user) && part(host)) {
            return Err(StepError::Usage(format!("mail: `{text}` is no address as name@example.org")));
        }
        let name = name.filter(|name| !name.is_empty()).map(|name| name.replace(['\r', '\n'], " "));
        Ok(Mailbox { name, mail })
    }

    fn address(&self) -> Address<'static> {
        Address::new_address(self.name.clone(), self.mail.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use haliotis_model::BuildResult;
    use haliotis_plugin_dummy::bench::{DirectProcesses, context};

    use super::*;

    /// An SMTP server (RFC 5321's minimum) that takes `count` connections and tells the commands and the data of each.
    fn server(count: usize, refuse: bool) -> (MailServer, Receiver<(Vec<String>, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(count) {
                let mut out = stream.unwrap();
                let mut lines = BufReader::new(out.try_clone().unwrap()).lines();
                let (mut commands, mut data) = (Vec::new(), String::new());
                out.write_all(b"220 try ESMTP\r\n").unwrap();
                while let Some(Ok(line)) = lines.next() {
                    let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
                    commands.push(line);
                    let answer: &[u8] = match verb.as_str() {
                        "EHLO" => b"250-try\r\n250-8BITMIME\r\n250 AUTH LOGIN PLAIN\r\n",
                        "RCPT" if refuse => b"550 nobody of that name\r\n",
                        "DATA" => {
                            out.write_all(b"354 go on\r\n").unwrap();
                            for line in lines.by_ref().map_while(Result::ok).take_while(|line| line != ".") {
                                data.push_str(&line);
                                data.push('\n');
                            }
                            b"250 taken\r\n"
                        }
                        "QUIT" => {
                            let _ = out.write_all(b"221 bye\r\n");
                            break;
                        }
                        _ => b"250 ok\r\n",
                    };
                    out.write_all(answer).unwrap();
                }
                let _ = sender.send((commands, data));
            }
        });
        let server = MailServer {
            host: "127.0.0.1".to_owned(),
            port,
            from: "CI <ci@example.org>".to_owned(),
            suffix: "@example.org".to_owned(),
            login: Some(("ci".to_owned(), "pass".to_owned())),
            ..MailServer::default()
        };
        (server, received)
    }

    fn runner(server: Option<MailServer>) -> Mail {
        Mail { server: Arc::new(move || Ok(server.clone())) }
    }

    async fn run(server: &MailServer, with: Value, prepare: impl Fn(&StepContext)) -> Result<StepOutput, StepError> {
        let dir = tempfile::tempdir().unwrap();
        let ctx = context(dir.path(), "mail", with, &DirectProcesses::shared()).unwrap();
        prepare(&ctx);
        let runner = runner(Some(server.clone()));
        let output = runner.attach(&ctx, &Value::Null).await?;
        // Asked again after a restart: not sent again, the same answer.
        assert_eq!(runner.attach(&ctx, &Value::Null).await?, output);
        Ok(output)
    }

    #[tokio::test]
    async fn a_message_arrives_whole_and_once() {
        let (to, received) = server(1, false);
        let with = json!({
            "to": "ada@example.org bob", "cc": "Eve <eve@example.com>", "bcc": "hidden@example.org",
            "subject": "build\r\nBcc: x@y done", "body": "grüße", "mime-type": "text/html", "attach": ["out/*.txt"],
        });
        let output = run(&to, with, |ctx| {
            std::fs::create_dir_all(ctx.workspace.join("out")).unwrap();
            std::fs::write(ctx.workspace.join("out/a.txt"), "attached").unwrap();
        });
        let output = output.await.unwrap();
        assert_eq!(output.result, BuildResult::Success);
        let (commands, data) = received.recv_timeout(Duration::from_secs(10)).unwrap();
        // RFC 4616: base64 of \0ci\0pass.
        assert!(commands.contains(&"AUTH PLAIN AGNpAHBhc3M=".to_owned()), "{commands:?}");
        let rcpt: Vec<&String> = commands.iter().filter(|line| line.starts_with("RCPT")).collect();
        assert_eq!(rcpt.len(), 4, "{commands:?}");
        assert!(commands.iter().any(|line| line.starts_with("MAIL FROM:<ci@example.org>")), "{commands:?}");
        for words in ["bob@example.org", "Subject: build  Bcc: x@y done", "text/html", "a.txt", "multipart/mixed"] {
            assert!(data.contains(words), "{words}\n{data}");
        }
        assert!(data.contains(output.outputs["message-id"].as_str().unwrap()) && !data.contains("hidden@"), "{data}");
    }

    #[tokio::test]
    async fn refusals_are_told() {
        let (to, _received) = server(1, true);
        let with = json!({ "to": "x@example.org", "subject": "s", "body": "b" });
        let error = run(&to, with.clone(), |_| ()).await.unwrap_err().to_string();
        assert!(error.contains("nobody of that name"), "{error}");
        for (with, words) in [
            (json!({ "subject": "s", "body": "b" }), "0 recipients"),
            (json!({ "to": "a b c@", "subject": "s", "body": "b" }), "no address"),
            (json!({ "to": "a@b.c", "subject": "s", "body": "b", "mime-type": "html" }), "no media type"),
        ] {
            let error = run(&to, with, |_| ()).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        let ctx = context(dir.path(), "mail", with, &DirectProcesses::shared()).unwrap();
        let error = runner(None).attach(&ctx, &Value::Null).await.unwrap_err().to_string();
        assert!(error.contains("jenkins.yaml"), "{error}");
    }
}
