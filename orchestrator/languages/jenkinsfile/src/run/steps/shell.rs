//! `sh`.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{BuildResult, Value as Json};

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run};

impl Run {
    pub(crate) async fn sh(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let script = self.vm(|vm| given.required(vm, "script"))?;
        let label = self.arg(given, "label")?;
        let (stdout, status) = (given.flag("returnStdout"), given.flag("returnStatus"));
        if stdout && status {
            let message = "you may not specify both returnStdout and returnStatus";
            return Err(self.throw("java.lang.IllegalArgumentException", message));
        }
        let mut call = self.call(ctx, label.as_deref().unwrap_or("sh"), "sh");
        let script = match &ctx.container {
            Some(container) => {
                let names = call.vars.keys().chain(call.credentials.keys()).cloned();
                self.inside(container, &script, names)
            }
            None => script,
        };
        call.with.insert("script".to_owned(), script.into());
        call.with.insert("trace".to_owned(), (ctx.container.is_none() && given.flag_or("trace", true)).into());
        if stdout {
            call.with.insert("return-stdout".to_owned(), true.into());
            call.with.insert("keep-line-ends".to_owned(), true.into());
        }
        if status {
            call.with.insert("return-status".to_owned(), true.into());
        }
        let output = self.perform(ctx, call).await?;
        let code = output.outputs.get("exit-code").and_then(Json::as_i64);
        if output.result == BuildResult::Failure
            && let Some(code) = code.filter(|code| *code != 0)
        {
            return Err(self.abort_exception(&format!("script returned exit code {code}")));
        }
        let output = self.judge(ctx, "sh", output)?;
        if stdout {
            return Ok(Value::from(output.outputs.get("stdout").and_then(Json::as_str).unwrap_or_default()));
        }
        if status {
            return Ok(Value::Int(i32::try_from(code.unwrap_or(0)).unwrap_or(-1)));
        }
        Ok(Value::Null)
    }
}
