//! The arguments of a step call.

use haliotis_groovy::{Raise, Value, Vm};

use super::values;
use crate::table::Symbol;

/// What a step was given: names resolved, the block apart.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) named: Vec<(String, Value)>,
    /// Arguments without a name that no parameter takes.
    pub(crate) rest: Vec<Value>,
    pub(crate) body: Option<Value>,
}

impl Given {
    /// Sorts the arguments of a call: a map in front may be named arguments, a closure at the end is the block.
    ///
    /// # Errors
    /// What the text of an interpolated string throws.
    pub(crate) fn read(vm: &mut Vm, known: &Symbol, args: &[Value]) -> Result<Given, Raise> {
        let mut given = Given::default();
        let mut args = args.to_vec();
        if known.block && matches!(args.last(), Some(Value::Closure(_))) {
            given.body = args.pop();
        }
        if let [Value::Map(map), ..] = args.as_slice() {
            let entries = vm.entries(map);
            let mut keys = Vec::new();
            for (key, _) in &entries {
                keys.push(values::text(vm, key)?);
            }
            let is_object = keys.iter().any(|key| key == "$class");
            let fits = known.is_open() || keys.iter().any(|key| known.param(key).is_some());
            if !is_object && (fits || (known.params.is_empty() && keys.is_empty())) {
                args.remove(0);
                for (key, (_, value)) in keys.into_iter().zip(entries) {
                    given.named.push((key, plain(vm, value)?));
                }
            }
        }
        for arg in args {
            let arg = plain(vm, arg)?;
            match known.sole().or_else(|| known.params.first()) {
                Some(param) if given.rest.is_empty() && given.get(param.name).is_none() && param.name != "*" => {
                    given.named.push((param.name.to_owned(), arg));
                }
                _ => given.rest.push(arg),
            }
        }
        Ok(given)
    }

    /// An argument that is not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// An argument as text.
    ///
    /// # Errors
    /// What its `toString` throws.
    pub(crate) fn text(&self, vm: &mut Vm, name: &str) -> Result<Option<String>, Raise> {
        self.get(name).map(|value| values::text(vm, value)).transpose()
    }

    /// An argument that must be there.
    ///
    /// # Errors
    /// Jenkins' words when it is not.
    pub(crate) fn required(&self, vm: &mut Vm, name: &str) -> Result<String, Raise> {
        match self.text(vm, name)? {
            Some(text) => Ok(text),
            None => {
                Err(vm.throw("java.lang.IllegalArgumentException", format!("Missing required parameter: \"{name}\"")))
            }
        }
    }

    /// An argument as true or false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.flag_or(name, false)
    }

    /// Likewise with a default.
    pub(crate) fn flag_or(&self, name: &str, default: bool) -> bool {
        match self.get(name) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::Str(text)) => &**text == "true",
            Some(_) => true,
            None => default,
        }
    }

    /// An argument as a whole number; text is parsed.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Str(text) => text.trim().parse().ok(),
            value => value.as_i64(),
        }
    }

    /// An argument as a list of texts; a lone text is a list of one.
    ///
    /// # Errors
    /// What a `toString` throws.
    pub(crate) fn texts(&self, vm: &mut Vm, name: &str) -> Result<Vec<String>, Raise> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        if let Value::Str(text) = value {
            return Ok(vec![text.to_string()]);
        }
        let items = vm.elements(value)?;
        items.iter().map(|item| values::text(vm, item)).collect()
    }
}

/// Interpolated strings become text when a step gets them.
fn plain(vm: &mut Vm, value: Value) -> Result<Value, Raise> {
    match value {
        Value::GStr(_) => Ok(Value::Str(vm.text(&value)?)),
        other => Ok(other),
    }
}
