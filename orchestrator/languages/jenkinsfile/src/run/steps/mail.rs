//! `mail` and `emailext`, over the step kind `mail`.

use std::rc::Rc;

use haliotis_groovy::Value;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run};

impl Run {
    pub(super) async fn mail(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        if !self.shared.has_kind("mail") {
            return Err(self.abort_exception(&format!("{name}: this server has no step kind for mail")));
        }
        let mut call = self.call(ctx, name, "mail");
        call.slot = None;
        let names = [
            ("subject", "subject"),
            ("body", "body"),
            ("to", "to"),
            ("cc", "cc"),
            ("bcc", "bcc"),
            ("from", "from"),
            ("replyTo", "reply-to"),
            ("mimeType", "mime-type"),
            ("attachmentsPattern", "attach"),
        ];
        for (theirs, ours) in names {
            if let Some(text) = self.arg(given, theirs)?.filter(|text| !text.is_empty()) {
                call.with.insert(ours.to_owned(), self.filled(text).into());
            }
        }
        if !call.with.contains_key("to") && !call.with.contains_key("cc") && !call.with.contains_key("bcc") {
            // emailext without a recipient is no error: its providers may find nobody.
            let none = "An attempt to send an e-mail to empty list of recipients, ignored.";
            if name == "emailext" {
                self.shared.say(none);
                return Ok(Value::Null);
            }
            return Err(self.abort_exception(none));
        }
        if name == "emailext" {
            self.shared
                .say(&format!("Sending email to: {}", call.with.get("to").and_then(|to| to.as_str()).unwrap_or("")));
        }
        self.run_call(ctx, call).await?;
        Ok(Value::Null)
    }

    /// `$DEFAULT_…` and the tokens of the plugin that mean something here.
    fn filled(&self, text: String) -> String {
        if !text.contains('$') {
            return text;
        }
        let build = &self.shared.facts.build;
        let state = self.shared.state.borrow();
        let result = state.result.map_or("SUCCESS", super::super::console::word);
        let tokens = [
            ("DEFAULT_SUBJECT", format!("{} - Build # {} - {result}!", build.pipeline, build.number)),
            ("DEFAULT_CONTENT", format!("{} - Build # {} - {result}", build.pipeline, build.number)),
            ("PROJECT_NAME", build.pipeline.clone()),
            ("JOB_NAME", build.pipeline.clone()),
            ("BUILD_NUMBER", build.number.to_string()),
            ("BUILD_STATUS", result.to_owned()),
        ];
        tokens.into_iter().fold(text, |text, (name, value)| {
            text.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value)
        })
    }
}
