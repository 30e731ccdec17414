//! Groovy values and JSON, there and back.

use std::rc::Rc;

use haliotis_groovy::value::MapKind;
use haliotis_groovy::{Raise, Value, Vm};
use haliotis_model::Value as Json;

/// Deepest nesting converted; what is deeper is no data.
const MAX_DEPTH: usize = 200;

/// A Groovy value as JSON. Maps, lists, sets, numbers, texts, booleans; anything else by its `toString`.
///
/// # Errors
/// What a `toString` of the script throws.
pub(crate) fn to_json(vm: &mut Vm, value: &Value) -> Result<Json, Raise> {
    convert(vm, value, 0)
}

fn convert(vm: &mut Vm, value: &Value, depth: usize) -> Result<Json, Raise> {
    if depth > MAX_DEPTH {
        return Err(vm.throw("java.lang.StackOverflowError", "the value is nested too deep, or holds itself"));
    }
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Byte(_) | Value::Short(_) | Value::Int(_) | Value::Long(_) => value.as_i64().unwrap_or(0).into(),
        Value::Float(number) => f64::from(*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Decimal(_) | Value::BigInt(_) => {
            let text = vm.text(value)?;
            serde_json::from_str(&text).unwrap_or_else(|_| Json::from(&*text))
        }
        Value::Map(map) => {
            let mut object = haliotis_model::Object::new();
            for (key, inner) in vm.entries(map) {
                let key = vm.text(&key)?.to_string();
                object.insert(key, convert(vm, &inner, depth + 1)?);
            }
            object.into()
        }
        Value::List(_) | Value::Set(_) | Value::Range(_) => {
            let items = vm.elements(value)?;
            let items: Result<Vec<Json>, Raise> = items.iter().map(|item| convert(vm, item, depth + 1)).collect();
            items?.into()
        }
        other => Json::from(&*vm.text(other)?),
    })
}

/// JSON as Groovy values: maps and lists that the script may change.
///
/// # Errors
/// When the script has too much alive.
pub(crate) fn from_json(vm: &mut Vm, json: &Json) -> Result<Value, Raise> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::String(text) => Value::str(text),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => i32::try_from(whole).map_or(Value::Long(whole), Value::Int),
            None => Value::Double(number.as_f64().unwrap_or(0.0)),
        },
        Json::Array(items) => {
            let items: Result<Vec<Value>, Raise> = items.iter().map(|item| from_json(vm, item)).collect();
            let items = items?;
            vm.list(items)
        }
        Json::Object(object) => {
            let map = vm.map(MapKind::Linked);
            for (key, inner) in object {
                let inner = from_json(vm, inner)?;
                vm.map_put(&map, Value::str(key), inner)?;
            }
            Value::Map(map)
        }
    })
}

/// A text for every value, `null` included.
pub(crate) fn text(vm: &mut Vm, value: &Value) -> Result<String, Raise> {
    Ok(vm.text(value)?.to_string())
}

/// The entry of a map.
pub(crate) fn entry(vm: &mut Vm, value: &Value, name: &str) -> Option<Value> {
    let Value::Map(map) = value else { return None };
    let map = Rc::clone(map);
    vm.map_get(&map, &Value::str(name)).ok().flatten().filter(|value| !value.is_null())
}
