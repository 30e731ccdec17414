//! Held-out rows, what a model says of them, and how far off it is.

use haliotis_plugin_api::StepError;

/// One row: what should come out, and the text that goes in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) expected: f64,
    /// The features as CSV, without the label.
    pub(super) features: String,
}

/// The first rows of a CSV whose first column is the label. `drop` are column numbers, the label's being 0.
pub(super) fn rows(csv: &str, max: usize, skip_header: bool, drop: &[usize]) -> Result<Vec<Row>, StepError> {
    let lines = csv.lines().enumerate().skip(usize::from(skip_header));
    let rows = lines.filter(|(_, line)| !line.trim().is_empty()).take(max);
    rows.map(|(at, line)| row(line, drop).map_err(|why| StepError::Usage(format!("the data, line {}: {why}", at + 1))))
        .collect()
}

fn row(line: &str, drop: &[usize]) -> Result<Row, String> {
    let mut columns = line.split(',').enumerate();
    let label = columns.next().map_or("", |(_, label)| label.trim());
    let expected = label.parse().map_err(|_| {
        format!("the first column must be the label, a number, but is `{label}` (a header? set `skip-header: true`)")
    })?;
    let features: Vec<&str> = columns.filter(|(at, _)| !drop.contains(at)).map(|(_, text)| text.trim()).collect();
    if features.is_empty() {
        Err("it has no features".to_owned())
    } else {
        Ok(Row { expected, features: features.join(",") })
    }
}

/// The number that a model answered for one row: plain text, CSV, or the usual shapes of JSON.
pub(super) fn prediction(answer: &[u8]) -> Result<f64, String> {
    let text = String::from_utf8_lossy(answer);
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(number) = first_number(&json)
    {
        return Ok(number);
    }
    let first = text.split([',', '\n']).next().unwrap_or("").trim();
    first.parse().map_err(|_| format!("the answer `{}` holds no number", text.chars().take(200).collect::<String>()))
}

/// `[1.0]`, `{"predictions": [{"score": 1.0}]}`, `{"predictions": [[1.0]]}` and the like.
fn first_number(json: &serde_json::Value) -> Option<f64> {
    match json {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::Array(items) => first_number(items.first()?),
        serde_json::Value::Object(map) => {
            let known = ["predictions", "prediction", "score", "predicted_label", "outputs"];
            known.iter().find_map(|key| map.get(*key)).and_then(first_number)
        }
        _ => None,
    }
}

/// How far predictions are off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Errors {
    /// Mean of the squares.
    pub(super) mse: f64,
    /// The largest, without sign.
    pub(super) max: f64,
}

/// `None` for no pairs at all.
pub(super) fn errors(pairs: &[(f64, f64)]) -> Option<Errors> {
    if pairs.is_empty() {
        return None;
    }
    let offs = pairs.iter().map(|(expected, predicted)| predicted - expected);
    let sum: f64 = offs.clone().map(|off| off * off).sum();
    let max = offs.map(f64::abs).fold(0.0, |max, off| if off > max || off.is_nan() { off } else { max });
    #[expect(clippy::cast_precision_loss, reason = "row counts are small")]
    let count = pairs.len() as f64;
    Some(Errors { mse: sum / count, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_wrong_ones_named() {
        let found = rows("rings,a,b\n9, 1 ,2\n\n10,3,4\n11,5,6\n", 2, true, &[2]).unwrap();
        let row = |expected, features: &str| Row { expected, features: features.to_owned() };
        assert_eq!(found, [row(9.0, "1"), row(10.0, "3")]);
        let error = rows("rings,a\n9,1", 5, false, &[]).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("skip-header"), "{error}");
        assert!(rows("9", 5, false, &[]).is_err());
    }

    #[test]
    fn answers_of_many_shapes() {
        for answer in
            ["9.5\n", "9.5,1", "9.5\n8", "[9.5]", "{\"predictions\":[{\"score\":9.5}]}", "{\"predictions\":[[9.5]]}"]
        {
            assert_eq!(prediction(answer.as_bytes()), Ok(9.5), "{answer}");
        }
        assert!(prediction(b"<html>").is_err());
    }

    #[test]
    fn errors_are_means_and_maxima() {
        assert_eq!(errors(&[(1.0, 2.0), (5.0, 2.0)]), Some(Errors { mse: 5.0, max: 3.0 }));
        assert_eq!(errors(&[]), None);
        assert!(errors(&[(1.0, f64::NAN)]).unwrap().mse.is_nan());
    }
}
