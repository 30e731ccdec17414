//! `lock` and `milestone`: what builds share.

use std::rc::Rc;

use haliotis_groovy::{Raise, Value};
use haliotis_model::{BuildResult, Call, Value as Json};
use serde_json::json;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run};

impl Run {
    /// `lock('name') { … }`, `lock(label: 'gpu', quantity: 1, variable: 'GPU') { … }`.
    pub(super) async fn lock(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let wants = self.lock_wants(given)?;
        let shown: Vec<String> = wants.iter().map(|(shown, _)| shown.clone()).collect();
        let shown = shown.join(", ");
        if !self.shared.has_kind("lock") {
            return Err(self.abort_exception(&format!("lock: nobody keeps locks here ({shown})")));
        }
        self.shared.say(&format!("Trying to acquire lock on [{shown}]"));
        let mut call = self.call(ctx, "lock", "lock");
        call.slot = None;
        let wants: Vec<Json> = wants.into_iter().map(|(_, want)| want).collect();
        call.with.insert("resources".to_owned(), wants.into());
        call.with.insert("skip-if-locked".to_owned(), given.flag("skipIfLocked").into());
        call.with.insert("newest-first".to_owned(), given.flag("inversePrecedence").into());
        if let Some(priority) = given.integer("priority") {
            call.with.insert("priority".to_owned(), priority.into());
        }
        if let Some(time) = given.integer("timeoutForAllocateResource").filter(|time| *time > 0) {
            let unit = self.arg(given, "timeoutUnit")?.unwrap_or_else(|| "MINUTES".to_owned());
            let ms = super::UNITS.iter().find(|(name, _)| *name == unit.to_uppercase()).map_or(60_000, |(_, ms)| *ms);
            call.with.insert("timeout".to_owned(), format!("{}ms", time.unsigned_abs().saturating_mul(ms)).into());
        }
        let output = self.wait_for(ctx, call).await?;
        let output = self.judge(ctx, "lock", output)?;
        let holder = output.outputs.get("holder").cloned().unwrap_or_default();
        if output.outputs.get("acquired") != Some(&Json::Bool(true)) {
            self.shared.say(&format!("[{shown}] is locked, skipping execution..."));
            return Ok(Value::Null);
        }
        self.shared.say(&format!("Lock acquired on [{shown}]"));
        let names: Vec<&str> = output
            .outputs
            .get("names")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let mut inner = ctx.clone();
        if let Some(variable) = self.arg(given, "variable")? {
            let each = names.iter().enumerate().map(|(at, name)| (format!("{variable}{at}"), (*name).to_owned()));
            inner = inner.with_env(each.chain([(variable.clone(), names.join(","))]));
        }
        let answer = self.plain_block("lock", &inner, given).await;
        self.unlock(ctx, holder).await;
        self.shared.say(&format!("Lock released on resource [{shown}]"));
        answer
    }

    /// Gives it back, also in a scope that was stopped. What is not given back here (the build is stopped a second time)
    /// goes when the build ends.
    async fn unlock(&self, ctx: &Ctx, holder: Json) {
        let mut call = Call::new(self.shared.fresh(&ctx.path, "unlock"), "unlock");
        call.with.insert("holder".to_owned(), holder);
        let output = self.shared.root.step(call).await;
        if let (BuildResult::Failure, Some(why)) = (output.result, output.message) {
            self.shared.say(&format!("ERROR: the lock could not be given back, and goes when the build ends: {why}"));
        }
    }

    /// What is wanted: its words, and as the step kind takes it.
    fn lock_wants(&self, given: &Given) -> Result<Vec<(String, Json)>, Raise> {
        let mut all = vec![json!({
            "resource": self.arg(given, "resource")?, "label": self.arg(given, "label")?,
            "quantity": given.integer("quantity").unwrap_or(0),
        })];
        if let Some(Json::Array(extra)) = self.json_arg(given, "extra")? {
            all.extend(extra);
        }
        let text = |want: &Json, key: &str| want.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let mut wants = Vec::new();
        for want in all {
            let (resource, label) = (text(&want, "resource"), text(&want, "label"));
            let quantity = want.get("quantity").and_then(Json::as_i64).unwrap_or(0);
            if !resource.is_empty() {
                wants.push((format!("Resource: {resource}"), json!({ "resource": resource })));
            } else if !label.is_empty() {
                let count = if quantity > 0 { format!(", Quantity: {quantity}") } else { String::new() };
                wants.push((format!("Label: {label}{count}"), json!({ "label": label, "quantity": quantity })));
            }
        }
        if wants.is_empty() {
            return Err(self.throw(
                "java.lang.IllegalArgumentException",
                "Either resource label or resource name must be specified.",
            ));
        }
        Ok(wants)
    }

    /// `milestone 1`, or without a number: one more than the last.
    pub(super) async fn milestone(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let ordinal = {
            let mut state = self.shared.state.borrow_mut();
            let ordinal = given.integer("ordinal").unwrap_or(state.milestones + 1);
            state.milestones = ordinal;
            ordinal
        };
        self.shared.say(&format!("Trying to pass milestone {ordinal}"));
        if !self.shared.has_kind("milestone") {
            return Ok(Value::Null);
        }
        let mut call = self.call(ctx, "milestone", "milestone");
        call.slot = None;
        call.with.insert("ordinal".to_owned(), ordinal.into());
        let output = self.run_call(ctx, call).await?;
        match output.outputs.get("superseded-by").and_then(Json::as_i64) {
            Some(newer) => {
                self.shared.say(&format!("Canceled since build #{newer} already got here"));
                Err(self.interruption(&format!("Superseded by #{newer}"), BuildResult::NotBuilt))
            }
            None => Ok(Value::Null),
        }
    }
}
