//! `slackSend`, as the Slack plugin sends: by the bot's API, by a team's own address, or by a compatible service's.
//!
//! What cannot be sent is told in the console and fails nothing, unless `failOnError` says so.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{BuildResult, Object, Value as Json};
use serde_json::json;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

/// Where bots post.
const API: &str = "https://slack.com/api/chat.postMessage";
/// The variable that the token is bound to.
const TOKEN: &str = "SLACK_TOKEN";

impl Run {
    pub(super) async fn slack(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let some = |name: &str| self.arg(given, name).map(|text| text.filter(|text| !text.is_empty()));
        let bot = given.flag("botUser");
        let (base, team) = (some("baseUrl")?, some("teamDomain")?);
        let credential = some("tokenCredentialId")?;
        let token = match (&credential, some("token")?) {
            (Some(_), _) => Some(haliotis_model::placeholder(TOKEN)),
            (None, plain) => plain,
        };
        let channel = some("channel")?;
        self.shared.say(&format!(
            "Slack Send Pipeline step running, values are - baseUrl: {}, teamDomain: {}, channel: {}, color: {}, botUser: {bot}",
            base.as_deref().unwrap_or("<empty>"),
            team.as_deref().unwrap_or("<empty>"),
            channel.as_deref().unwrap_or("<empty>"),
            some("color")?.as_deref().unwrap_or("<empty>"),
        ));
        let bearer = bot || (base.is_none() && team.is_none());
        let url = match (&base, &team) {
            (Some(base), _) if bot => base.clone(),
            (Some(base), _) => format!("{base}{}", token.clone().unwrap_or_default()),
            (None, Some(team)) if !bot => {
                format!(
                    "https://{team}.slack.com/services/hooks/jenkins-ci?token={}",
                    token.clone().unwrap_or_default()
                )
            }
            _ => API.to_owned(),
        };
        let body = self.message(given, channel)?;
        let mut call = self.call(ctx, "slackSend", "http");
        call.slot = None;
        call.with.insert("url".to_owned(), url.into());
        call.with.insert("method".to_owned(), "POST".into());
        call.with.insert("body".to_owned(), body.into());
        if let Some(id) = credential {
            call.credentials.insert(TOKEN.to_owned(), id);
        }
        if let Some(token) = token.filter(|_| bearer) {
            call.with.insert("headers".to_owned(), json!({ "Authorization": format!("Bearer {token}") }));
        }
        let output = self.perform(ctx, call).await?;
        // Slack answers 200 and says in the body whether it took the message.
        let told = output.outputs.get("json").cloned().unwrap_or_default();
        let refused = told.get("ok") == Some(&Json::Bool(false));
        if output.result == BuildResult::Success && !refused {
            return self.response(&told);
        }
        let why = match told.get("error").and_then(Json::as_str).filter(|_| refused) {
            Some(error) => format!("Slack answered: {error}"),
            None => output.message.unwrap_or_default(),
        };
        let message = format!("Slack notification failed. {why}");
        if given.flag("failOnError") {
            return Err(self.abort_exception(&message));
        }
        self.shared.say(&message);
        Ok(Value::Null)
    }

    /// The message as Slack takes it: blocks, attachments, or the text as a coloured attachment.
    fn message(&self, given: &Given, channel: Option<String>) -> Result<Object, haliotis_groovy::Raise> {
        let mut body = Object::new();
        // `channel:ts` names a thread.
        let (channel, thread) = match channel.as_deref().and_then(|channel| channel.split_once(':')) {
            Some((channel, thread)) => (Some(channel.to_owned()), Some(thread.to_owned())),
            None => (channel, None),
        };
        let message = self.arg(given, "message")?.unwrap_or_default();
        let color = self.arg(given, "color")?.filter(|color| !color.is_empty());
        for (name, text) in [
            ("channel", channel),
            ("thread_ts", thread),
            ("username", self.arg(given, "username")?),
            ("icon_emoji", self.arg(given, "iconEmoji")?),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                body.insert(name.to_owned(), text.into());
            }
        }
        if given.flag("replyBroadcast") {
            body.insert("reply_broadcast".to_owned(), true.into());
        }
        body.insert("link_names".to_owned(), "1".into());
        match (self.json_arg(given, "blocks")?, self.json_arg(given, "attachments")?) {
            (Some(blocks), _) => {
                body.insert("blocks".to_owned(), parsed(blocks));
                body.insert("text".to_owned(), message.into());
            }
            (None, Some(attachments)) => drop(body.insert("attachments".to_owned(), parsed(attachments))),
            (None, None) if given.flag("sendAsText") => drop(body.insert("text".to_owned(), message.into())),
            (None, None) => {
                let mut attachment = json!({ "fallback": message, "text": message, "mrkdwn_in": ["text"] });
                if let (Some(color), Some(attachment)) = (color, attachment.as_object_mut()) {
                    attachment.insert("color".to_owned(), color.into());
                }
                body.insert("attachments".to_owned(), json!([attachment]));
            }
        }
        Ok(body)
    }

    /// What later messages of the same thread are sent with.
    fn response(&self, told: &Json) -> Answer {
        let (channel, ts) = (told.get("channel"), told.get("ts"));
        let (Some(channel), Some(ts)) = (channel.and_then(Json::as_str), ts.and_then(Json::as_str)) else {
            return Ok(Value::Null);
        };
        let response = json!({ "channelId": channel, "ts": ts, "threadId": format!("{channel}:{ts}") });
        self.vm(|vm| values::from_json(vm, &response))
    }
}

/// Attachments and blocks may come as the text of their JSON.
fn parsed(given: Json) -> Json {
    match given {
        Json::String(text) => serde_json::from_str(&text).unwrap_or(Json::String(text)),
        other => other,
    }
}
