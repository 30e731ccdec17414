//! Between JSON and CEL.
//!
//! Whole numbers of JSON are CEL's `int` (not `uint`), so that `parameters.N + 1` works; a map that comes out of CEL has
//! its keys sorted, since CEL's have no order.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::Value as Cel;
use cel::objects::{Key, Map, OptionalValue};
use haliotis_model::{Object, Value};

/// JSON to CEL.
#[expect(clippy::disallowed_types, reason = "CEL's own map type; never iterated here")]
pub(crate) fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(object) => {
            let entries: std::collections::HashMap<Key, Cel> =
                object.iter().map(|(name, value)| (Key::from(name.as_str()), to_cel(value))).collect();
            Cel::Map(Map { map: Arc::new(entries) })
        }
    }
}

/// CEL to JSON; `Err` names the type that JSON has not.
pub(crate) fn to_json(value: &Cel) -> Result<Value, String> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(flag) => Value::Bool(*flag),
        Cel::Int(whole) => Value::from(*whole),
        Cel::UInt(whole) => Value::from(*whole),
        Cel::Float(number) => serde_json::Number::from_f64(*number)
            .map(Value::Number)
            .ok_or_else(|| format!("{number} is not a number that can be stored"))?,
        Cel::String(text) => Value::String(text.to_string()),
        Cel::List(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let mut sorted = BTreeMap::new();
            for (key, value) in map.map.iter() {
                sorted.insert(key.to_string(), to_json(value)?);
            }
            Value::Object(sorted.into_iter().collect::<Object>())
        }
        Cel::Opaque(_) => {
            let optional = <&OptionalValue>::try_from(value).map_err(|_| "this value cannot be stored".to_owned())?;
            optional.value().map_or(Ok(Value::Null), to_json)?
        }
        other => return Err(format!("a value of type {} cannot be stored", other.type_of())),
    })
}

/// A value inside text: texts as they are, whole floats without `.0`, lists and maps as JSON.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// A value as a condition; text `true` and `false` count, since outputs of scripts are text.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text == "true" => Some(true),
        Value::String(text) if text == "false" => Some(false),
        _ => None,
    }
}
