//! Times as the SageMaker API writes them: seconds since the epoch, with milliseconds after the point.

use serde_json::{Value, json};

/// Now, in seconds since 1970, to the millisecond.
pub(crate) fn now() -> f64 {
    let ms = jiff::Timestamp::now().as_millisecond();
    ms as f64 / 1000.0
}

/// A time of a request: a number of seconds, or text as RFC 3339.
pub(crate) fn read(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond() as f64 / 1000.0),
        _ => None,
    }
}

/// A time of an answer.
pub(crate) fn write(seconds: f64) -> Value {
    json!(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        assert_eq!(read(&json!(1.5)), Some(1.5));
        assert_eq!(read(&json!("1970-01-01T00:00:02Z")), Some(2.0));
        assert_eq!(read(&json!(true)), None);
        assert!(now() > 1.6e9);
    }
}
