//! `httpRequest`, `nodesByLabel`.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{Object, Value as Json};
use serde_json::json;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn outside_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        match name {
            "httpRequest" => self.http_request(ctx, given).await,
            "nodesByLabel" => self.nodes_by_label(ctx, given).await,
            _ => Err(self.abort_exception(&format!("The step {name} is known and cannot be run yet"))),
        }
    }

    /// The agents that have a label, by name.
    async fn nodes_by_label(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        if !self.shared.has_kind("agents") {
            return Err(self.abort_exception("nodesByLabel: the agents are known to a server alone"));
        }
        let label = self.vm(|vm| given.required(vm, "label"))?;
        let mut call = self.call(ctx, "nodesByLabel", "agents");
        call.slot = None;
        call.with.insert("label".to_owned(), label.clone().into());
        let names = self.run_call(ctx, call).await?.outputs.get("names").cloned().unwrap_or_default();
        let count = names.as_array().map_or(0, Vec::len);
        self.shared.say(&format!("Found a total of {count} nodes with the label '{label}'"));
        self.vm(|vm| values::from_json(vm, &names))
    }

    async fn http_request(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let url = self.vm(|vm| given.required(vm, "url"))?;
        let method = self.arg(given, "httpMode")?.unwrap_or_else(|| "GET".to_owned());
        for name in ["httpProxy", "uploadFile", "multipartName", "formData"] {
            if self
                .json_arg(given, name)?
                .is_some_and(|value| !matches!(&value, Json::Array(items) if items.is_empty()))
            {
                return Err(self.abort_exception(&format!("httpRequest: {name} is not supported; use sh with curl")));
            }
        }
        if given.flag("ignoreSslErrors") {
            return Err(self.abort_exception(
                "httpRequest: ignoreSslErrors is not supported; install the host's certificate authority on this machine",
            ));
        }
        let quiet = given.flag("quiet");
        let tell = |text: String| {
            if !quiet {
                self.shared.say(&text)
            }
        };
        tell(format!("HttpMethod: {method}"));
        tell(format!("URL: {url}"));
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
        tell(format!("Response Code: {status}"));
        if !is_valid(&valid, status) {
            return Err(
                self.abort_exception(&format!("Fail: Status code {status} is not in the accepted range: {valid}"))
            );
        }
        let body = output.outputs.get("body").cloned().unwrap_or_default();
        let content = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        if given.flag("consoleLogResponseBody") {
            tell(format!("Response: \n{content}"));
        }
        if let Some(wanted) = self.arg(given, "validResponseContent")?.filter(|wanted| !wanted.is_empty())
            && !content.contains(&wanted)
        {
            return Err(self.abort_exception(&format!("Fail: Response doesn't contain expected content '{wanted}'")));
        }
        if let Some(file) = self.arg(given, "outputFile")? {
            self.write_text(ctx, "httpRequest", &file, content.clone()).await?;
        }
        // The plugin answers a list for each header.
        let headers = output.outputs.get("headers").and_then(Json::as_object).into_iter().flatten();
        let headers: Object = headers.map(|(name, value)| (name.clone(), json!([value]))).collect();
        let response = json!({ "status": status, "content": content, "headers": headers });
        self.vm(|vm| values::from_json(vm, &response))
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
