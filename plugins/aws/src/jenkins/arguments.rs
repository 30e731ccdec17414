//! Arguments as a Jenkinsfile gives them.

use haliotis_model::{Object, Value};
use haliotis_plugin_api::{StepContext, StepError};

/// The arguments of one step.
pub(super) struct Given(Object);

impl Given {
    pub(super) fn of(ctx: &StepContext) -> Self {
        Given(ctx.map("arguments"))
    }

    /// One as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// One that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, StepError> {
        self.text(name).ok_or_else(|| StepError::Usage(format!("Missing required parameter: \"{name}\"")))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).as_deref() == Some("true")
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
            }
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// A map, or a list of `name=value` or `name:value`.
    pub(super) fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.value(name) {
            Some(Value::Object(map)) => map.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            _ => {
                let split = |pair: &String| {
                    let at = pair.find(['=', ':'])?;
                    Some((pair.get(..at)?.trim().to_owned(), pair.get(at + 1..)?.trim().to_owned()))
                };
                self.texts(name).iter().filter_map(split).collect()
            }
        }
    }
}
