//! `awsIdentity`, `ecrLogin`, `invokeLambda`, `snsPublish`. Elastic Container Registry, Lambda and the notification service
//! are asked by signed HTTP: one call each is not worth three more clients of the SDK in every build of Haliotis.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use haliotis_model::{StepOutput, Value};
use haliotis_plugin_api::StepError;
use serde_json::json;

use super::{Work, answer, failure};
use crate::error::Told;
use crate::signed::{Request, send};

/// Most bytes of a function's answer; AWS gives 6 MB, the journal takes less.
const MAX_ANSWER: usize = 1 << 20;
/// A function may run 15 minutes.
const LAMBDA_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 30);
const ECR_TIMEOUT: Duration = Duration::from_secs(60);
const SNS_TIMEOUT: Duration = Duration::from_secs(60);

impl Work<'_> {
    pub(super) async fn service(&self, step: &str) -> Result<StepOutput, StepError> {
        match step {
            "awsIdentity" => {
                let who = self.clients.sts.get_caller_identity().send().await;
                let who = who.told(&self.clients.cloud, "asking for the identity")?;
                Ok(answer(json!({ "account": who.account, "user": who.user_id, "arn": who.arn })))
            }
            "ecrLogin" => self.ecr_login().await,
            "invokeLambda" => self.invoke_lambda().await,
            "snsPublish" => self.sns_publish().await,
            other => Err(StepError::Usage(format!("there is no step {other}"))),
        }
    }

    /// The command that logs docker in.
    async fn ecr_login(&self) -> Result<StepOutput, StepError> {
        let ids = self.given.texts("registryIds");
        let body = if ids.is_empty() { json!({}) } else { json!({ "registryIds": ids }) };
        let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
        let request = Request {
            service: "ecr",
            host_prefix: "api.ecr",
            method: "POST",
            path: "/".to_owned(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", target.to_owned()),
            ],
            body: body.to_string().into_bytes(),
            timeout: ECR_TIMEOUT,
        };
        let told = send(self.clients, request).await?;
        if told.status != 200 {
            return Ok(failure(format!("ecrLogin: the registry answers {}: {}", told.status, told.text())));
        }
        let told: Value = serde_json::from_slice(&told.body).unwrap_or_default();
        let mut commands = Vec::new();
        for data in told.get("authorizationData").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
            let token = STANDARD.decode(text("authorizationToken")).unwrap_or_default();
            let token = String::from_utf8_lossy(&token).into_owned();
            let Some((user, password)) = token.split_once(':') else { continue };
            let email = if self.given.flag("email") { "-e none " } else { "" };
            commands.push(format!("docker login -u {user} -p {password} {email}{}", text("proxyEndpoint")));
        }
        if commands.is_empty() {
            return Ok(failure("ecrLogin: the registry gave no login"));
        }
        Ok(answer(commands.join(" && ")))
    }

    /// Publishes a message; its id is the value.
    async fn sns_publish(&self) -> Result<StepOutput, StepError> {
        let mark = self.ctx.scratch.join("published");
        if mark.exists() {
            return Err(StepError::Unknown("the message was published before the server went down".to_owned()));
        }
        let topic = self.given.required("topicArn")?;
        let mut form = vec![
            ("Action".to_owned(), "Publish".to_owned()),
            ("Version".to_owned(), "2010-03-31".to_owned()),
            ("TopicArn".to_owned(), topic.clone()),
            ("Message".to_owned(), self.given.required("message")?),
        ];
        form.extend(
            self.given.text("subject").filter(|text| !text.is_empty()).map(|text| ("Subject".to_owned(), text)),
        );
        for (at, (name, value)) in self.given.pairs("messageAttributes").into_iter().enumerate() {
            let entry = format!("MessageAttributes.entry.{}", at + 1);
            form.push((format!("{entry}.Name"), name));
            form.push((format!("{entry}.Value.DataType"), "String".to_owned()));
            form.push((format!("{entry}.Value.StringValue"), value));
        }
        let pairs: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        std::fs::write(&mark, "")?;
        let request = Request {
            service: "sns",
            host_prefix: "sns",
            method: "POST",
            path: "/".to_owned(),
            headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
            body: pairs.join("&").into_bytes(),
            timeout: SNS_TIMEOUT,
        };
        let told = send(self.clients, request).await?;
        let text = told.text();
        if told.status != 200 {
            return Ok(failure(format!("snsPublish: {topic} answers {}: {text}", told.status)));
        }
        let id = text.split_once("<MessageId>").and_then(|(_, rest)| rest.split_once("</MessageId>"));
        Ok(answer(id.map_or("", |(id, _)| id)))
    }

    async fn invoke_lambda(&self) -> Result<StepOutput, StepError> {
        let mark = self.ctx.scratch.join("invoked");
        if mark.exists() {
            return Err(StepError::Unknown("the function was called before the server went down".to_owned()));
        }
        let name = self.given.required("functionName")?;
        let payload = match (self.given.text("payloadAsString"), self.given.value("payload")) {
            (Some(text), _) => text,
            (None, Some(Value::String(text))) => text.clone(),
            (None, Some(other)) => other.to_string(),
            (None, None) => String::new(),
        };
        let waits = self.given.text("synchronous").as_deref() != Some("false");
        let kind = if waits { "RequestResponse" } else { "Event" };
        let qualifier = self.given.text("qualifier").filter(|qualifier| !qualifier.is_empty());
        let query = qualifier.map_or_else(String::new, |qualifier| format!("?Qualifier={qualifier}"));
        std::fs::write(&mark, "")?;
        let request = Request {
            service: "lambda",
            host_prefix: "lambda",
            method: "POST",
            path: format!("/2015-03-31/functions/{}/invocations{query}", name.replace(':', "%3A")),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("x-amz-invocation-type", kind.to_owned()),
                ("x-amz-log-type", if waits { "Tail" } else { "None" }.to_owned()),
            ],
            body: payload.into_bytes(),
            timeout: LAMBDA_TIMEOUT,
        };
        let told = send(self.clients, request).await?;
        if let Some(log) = told.header("x-amz-log-result").and_then(|log| STANDARD.decode(log).ok()) {
            self.ctx.log.write(&log);
        }
        if told.status >= 300 || told.header("x-amz-function-error").is_some() {
            return Ok(failure(format!("Lambda {name} failed ({}): {}", told.status, told.text())));
        }
        if told.body.len() > MAX_ANSWER {
            return Ok(failure(format!(
                "Lambda {name} answered {} bytes; at most {MAX_ANSWER} are kept",
                told.body.len()
            )));
        }
        let text = told.text();
        if self.given.flag("returnValueAsString") || text.is_empty() {
            return Ok(answer(text));
        }
        Ok(answer(serde_json::from_str::<Value>(&text).unwrap_or_else(|_| text.into())))
    }
}

/// A value of a form.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn forms() {
        assert_eq!(encoded("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
