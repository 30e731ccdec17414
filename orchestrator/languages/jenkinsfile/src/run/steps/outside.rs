//! Steps that talk to others by HTTP: requests, chat.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{BuildResult, Object, Value as Json};
use serde_json::json;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn outside_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        match name {
            "httpRequest" => self.http_request(ctx, given).await,
            "slackSend" => self.slack(ctx, given).await,
            "nodesByLabel" => self.vm(|vm| Ok(vm.list(vec![Value::str("local")]))),
            _ => Err(self.abort_exception(&format!("The step {name} is known and cannot be run yet"))),
        }
    }

    async fn http_request(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let url = self.vm(|vm| given.required(vm, "url"))?;
        let method = self.arg(given, "httpMode")?.unwrap_or_else(|| "GET".to_owned());
        self.shared.say(&format!("HttpMethod: {method}"));
        self.shared.say(&format!("URL: {url}"));
        let mut call = self.call(ctx, "httpRequest", "http");
        call.slot = None;
        call.with.insert("url".to_owned(), url.into());
        call.with.insert("method".to_owned(), method.into());
        if let Some(body) = self.arg(given, "requestBody")? {
            call.with.insert("body".to_owned(), body.into());
        }
        let mut headers = Object::new();
        for (name, header) in [("contentType", "Content-Type"), ("acceptType", "Accept")] {
            if let Some(kind) = self.arg(given, name)? {
                headers.insert(header.to_owned(), media_type(&kind).into());
            }
        }
        for header in self.json_arg(given, "customHeaders")?.as_ref().and_then(Json::as_array).into_iter().flatten() {
            let get = |name: &str| header.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            headers.insert(get("name"), get("value").into());
        }
        if let Some(id) = self.arg(given, "authentication")? {
            call.credentials.insert("HTTP".to_owned(), id);
        }
        if !headers.is_empty() {
            call.with.insert("headers".to_owned(), headers.into());
        }
        if let Some(seconds) = given.integer("timeout").filter(|seconds| *seconds > 0) {
            call.with.insert("timeout".to_owned(), seconds.into());
        }
        let valid = self.arg(given, "validResponseCodes")?.unwrap_or_else(|| "100:399".to_owned());
        let output = self.perform(ctx, call).await?;
        let status = output.outputs.get("status").and_then(Json::as_i64);
        let Some(status) = status else { return self.judge(ctx, "httpRequest", output).map(|_| Value::Null) };
        self.shared.say(&format!("Response Code: {status}"));
        if !is_valid(&valid, status) {
            return Err(
                self.abort_exception(&format!("Fail: Status code {status} is not in the accepted range: {valid}"))
            );
        }
        let body = output.outputs.get("body").cloned().unwrap_or_default();
        let content = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        if let Some(file) = self.arg(given, "outputFile")? {
            self.write_text(ctx, "httpRequest", &file, content.clone()).await?;
        }
        let headers = output.outputs.get("headers").cloned().unwrap_or_else(|| json!({}));
        let response = json!({ "status": status, "content": content, "headers": headers });
        self.vm(|vm| values::from_json(vm, &response))
    }

    async fn slack(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let token = self.arg(given, "tokenCredentialId")?;
        let mut body = Object::new();
        for (theirs, ours) in
            [("channel", "channel"), ("message", "text"), ("username", "username"), ("iconEmoji", "icon_emoji")]
        {
            if let Some(text) = self.arg(given, theirs)? {
                body.insert(ours.to_owned(), text.into());
            }
        }
        for name in ["attachments", "blocks"] {
            if let Some(json) = self.json_arg(given, name)? {
                body.insert(name.to_owned(), json);
            }
        }
        let base = self.arg(given, "baseUrl")?.unwrap_or_else(|| "https://slack.com/api/chat.postMessage".to_owned());
        let mut call = self.call(ctx, "slackSend", "http");
        call.slot = None;
        call.with.insert("url".to_owned(), base.into());
        call.with.insert("method".to_owned(), "POST".into());
        call.with.insert("body".to_owned(), body.into());
        if let Some(id) = token {
            call.credentials.insert("SLACK_TOKEN".to_owned(), id);
            let bearer = format!("Bearer {}", haliotis_model::placeholder("SLACK_TOKEN"));
            call.with.insert("headers".to_owned(), json!({ "Authorization": bearer }));
        }
        let output = self.perform(ctx, call).await?;
        if output.result == BuildResult::Success {
            return Ok(Value::Null);
        }
        let why = output.message.clone().unwrap_or_default();
        self.shared.say(&format!("Slack notification failed: {why}"));
        if given.flag("failOnError") {
            self.judge(ctx, "slackSend", output).map(|_| Value::Null)
        } else {
            Ok(Value::Null)
        }
    }
}

/// The plugin's words for media types.
fn media_type(word: &str) -> String {
    match word {
        "APPLICATION_JSON" | "APPLICATION_JSON_UTF8" => "application/json; charset=UTF-8",
        "APPLICATION_FORM" => "application/x-www-form-urlencoded",
        "APPLICATION_XML" => "application/xml",
        "TEXT_HTML" => "text/html",
        "TEXT_PLAIN" => "text/plain",
        "APPLICATION_ZIP" => "application/zip",
        "APPLICATION_OCTETSTREAM" => "application/octet-stream",
        other => other,
    }
    .to_owned()
}

/// `200`, `100:399`, `200,404`.
fn is_valid(codes: &str, status: i64) -> bool {
    codes.split(',').any(|range| match range.trim().split_once(':') {
        Some((from, to)) => {
            let number = |text: &str| text.trim().parse::<i64>().ok();
            number(from).is_some_and(|from| status >= from) && number(to).is_none_or(|to| status <= to)
        }
        None => range.trim().parse() == Ok(status),
    })
}
