//! `when`: whether a stage runs.

use haliotis_groovy::{Raise, Value};
use haliotis_model::Cause;

use super::super::context::Ctx;
use super::super::values;
use super::{Async, Pipeline};
use crate::declare::model::{Condition, When};

impl Pipeline {
    /// All conditions hold.
    pub(super) async fn holds(&self, ctx: &Ctx, when: &When) -> Result<bool, Raise> {
        for condition in &when.conditions {
            if !self.condition(ctx, condition).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn condition<'a>(&'a self, ctx: &'a Ctx, condition: &'a Condition) -> Async<'a, Result<bool, Raise>> {
        Box::pin(async move {
            if let Some((fragment, _)) = condition.code {
                let value = self.fragment(ctx, fragment).await?;
                return self.run.vm(|vm| vm.truth(&value));
            }
            match condition.name.as_str() {
                "allOf" => {
                    for child in &condition.children {
                        if !self.condition(ctx, child).await? {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                }
                "anyOf" => {
                    for child in &condition.children {
                        if self.condition(ctx, child).await? {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                }
                "not" => match condition.children.first() {
                    Some(child) => Ok(!self.condition(ctx, child).await?),
                    None => Ok(true),
                },
                _ => self.leaf(ctx, condition).await,
            }
        })
    }

    async fn leaf(&self, ctx: &Ctx, condition: &Condition) -> Result<bool, Raise> {
        let lone = if condition.name == "triggeredBy" { "cause" } else { "pattern" };
        let args = self.arguments(ctx, condition.args.as_ref(), lone).await?;
        let value = |name: &str| args.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let text = |name: &str| -> Result<String, Raise> {
            match value(name) {
                Some(value) => self.run.vm(|vm| values::text(vm, &value)),
                None => Ok(String::new()),
            }
        };
        let variable = |name: &'static str| self.run.shared.known_variable(ctx, name);
        let comparator = text("comparator")?;
        match condition.name.as_str() {
            "branch" => Ok(match variable("BRANCH_NAME") {
                Some(branch) => matches(&text("pattern")?, &branch, &comparator),
                None => false,
            }),
            "tag" => Ok(match variable("TAG_NAME") {
                Some(tag) => {
                    let pattern = text("pattern")?;
                    pattern.is_empty() || matches(&pattern, &tag, &comparator)
                }
                None => false,
            }),
            "buildingTag" => Ok(variable("TAG_NAME").is_some()),
            "changeRequest" => {
                let Some(id) = variable("CHANGE_ID") else { return Ok(false) };
                for (name, variable_name) in [
                    ("target", "CHANGE_TARGET"),
                    ("branch", "CHANGE_BRANCH"),
                    ("author", "CHANGE_AUTHOR"),
                    ("title", "CHANGE_TITLE"),
                ] {
                    let pattern = text(name)?;
                    if !pattern.is_empty()
                        && !matches(&pattern, &variable(variable_name).unwrap_or_default(), &comparator)
                    {
                        return Ok(false);
                    }
                }
                let pattern = text("id")?;
                Ok(pattern.is_empty() || matches(&pattern, &id, &comparator))
            }
            "environment" => {
                let (name, wanted) = (text("name")?, text("value")?);
                let found = self.run.variable(ctx, &name).await?.unwrap_or_default();
                let ignore = matches!(value("ignoreCase"), Some(Value::Bool(true)));
                Ok(if ignore { found.eq_ignore_ascii_case(&wanted) } else { found == wanted })
            }
            "equals" => {
                let (expected, actual) = (value("expected").unwrap_or_default(), value("actual").unwrap_or_default());
                self.run.vm(|vm| vm.equals(&expected, &actual))
            }
            "triggeredBy" => Ok(self.triggered_by(&text("cause")?)),
            "isRestartedRun" => Ok(self.run.shared.facts.build.carry.is_some()),
            "changeset" => {
                let (paths, _) = self.run.changed(ctx).await?;
                let strict = matches!(value("caseSensitive"), Some(Value::Bool(true)));
                let folded = |text: &str| if strict { text.to_owned() } else { text.to_lowercase() };
                let pattern = folded(&text("pattern")?);
                Ok(paths.iter().any(|path| matches(&pattern, &folded(path), &comparator)))
            }
            "changelog" => {
                let pattern = text("pattern")?;
                // As Jenkins: the whole message, or one of its lines.
                let regex = regex::Regex::new(&format!("(?s)^(?:{pattern})$"))
                    .map_err(|error| self.run.throw("java.util.regex.PatternSyntaxException", &error.to_string()))?;
                let (_, messages) = self.run.changed(ctx).await?;
                let holds = |message: &String| {
                    regex.is_match(message.trim_end()) || message.lines().any(|line| regex.is_match(line))
                };
                Ok(messages.iter().any(holds))
            }
            other => Err(self.run.abort_exception(&format!("the condition {other} is not known"))),
        }
    }

    fn triggered_by(&self, wanted: &str) -> bool {
        self.run.shared.facts.build.causes.iter().any(|cause| {
            let name = match cause {
                Cause::User { .. } => "UserIdCause",
                Cause::Commit { via, .. } if via == "poll" => "SCMTrigger",
                Cause::Commit { .. } => "BranchEventCause",
                Cause::Cron { .. } => "TimerTrigger",
                Cause::Upstream { .. } => "BuildUpstreamCause",
                _ => "RemoteCause",
            };
            wanted.eq_ignore_ascii_case(name)
                || wanted.ends_with(name)
                || format!("{name}Cause").eq_ignore_ascii_case(wanted)
        })
    }
}

/// A pattern against a name: as Ant does, or by a regular expression, or by text.
fn matches(pattern: &str, name: &str, comparator: &str) -> bool {
    match comparator {
        "EQUALS" => pattern == name,
        "REGEXP" => regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(name)),
        _ => ant(pattern.as_bytes(), name.as_bytes()),
    }
}

/// `*` stays within a part, `**` crosses parts, `?` is one character. Work is bounded by the product of the lengths.
fn ant(pattern: &[u8], name: &[u8]) -> bool {
    let mut states = vec![false; name.len() + 1];
    states[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let crosses = pattern[at..].starts_with(b"**");
        let width = if crosses { 2 } else { 1 };
        let mut next = vec![false; name.len() + 1];
        match pattern[at] {
            b'*' => {
                let mut open = false;
                for (index, state) in states.iter().enumerate() {
                    open |= *state;
                    next[index] = open;
                    if !crosses && name.get(index) == Some(&b'/') {
                        open = false;
                    }
                }
                // `**/x` also means `x`.
                if crosses && pattern.get(at + 2) == Some(&b'/') {
                    let skipped = ant(&pattern[at + 3..], name);
                    if states[0] && skipped {
                        return true;
                    }
                }
            }
            b'?' => {
                for index in 0..name.len() {
                    next[index + 1] = states[index] && name[index] != b'/';
                }
            }
            byte => {
                for index in 0..name.len() {
                    next[index + 1] = states[index] && name[index] == byte;
                }
            }
        }
        states = next;
        at += width;
    }
    states[name.len()]
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, name, holds) in [
            ("main", "main", true),
            ("main", "mainline", false),
            ("release-*", "release-1.0", true),
            ("release-*", "release-1/x", false),
            ("feature/**", "feature/a/b", true),
            ("**/fix", "a/b/fix", true),
            ("**/fix", "fix", true),
            ("PR-?", "PR-1", true),
            ("*", "a", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name, ""), holds, "{pattern} {name}");
        }
        assert!(matches("v\\d+", "v12", "REGEXP") && !matches("v\\d+", "xv12", "REGEXP"));
        assert!(matches("a*", "a*", "EQUALS") && !matches("a*", "ab", "EQUALS"));
    }
}
