//! Values on pages: what a person reads at a glance, with the whole of it at hand.
//!
//! A card beside a build shows the brief form: a model's name instead of its ARN, a dozen digits of a hash, four digits of
//! a number, how many items a list has; pointing at it gives the rest. Where somebody decides, and on the page of a step,
//! values are whole. Either way long ones break where a reader would break them.

use haliotis_model::{Object, Value};

use crate::words;

/// A list or an object of more characters than this is counted, not written out.
const INLINE_CHARS: usize = 44;
/// Text of a card is cut here.
const BRIEF_CHARS: usize = 160;
/// Hexadecimal text from this length on is a hash that nobody reads to its end.
const HASH_DIGITS: usize = 32;
/// A decimal number written as text is rounded from this length on.
const LONG_NUMBER: usize = 9;

/// A named value, ready for a template.
pub(crate) struct Shown {
    /// A line may end after each, here as well.
    pub(crate) name: Vec<String>,
    /// A line may end after each.
    pub(crate) pieces: Vec<String>,
    /// All of it, where the pieces are not.
    pub(crate) whole: String,
    /// Where it leads; empty: nowhere.
    pub(crate) url: String,
    /// Made for machines: shown in letters of one width.
    pub(crate) code: bool,
}

impl Shown {
    /// Wider than a narrow box.
    pub(crate) fn long(&self) -> bool {
        self.pieces.iter().map(|piece| piece.chars().count()).sum::<usize>() > 26
    }
}

/// As short as it can be told apart.
pub(crate) fn brief(name: &str, value: &Value) -> Shown {
    let whole = words::value(value);
    let text = match value {
        Value::Number(number) => number.as_f64().filter(|_| number.is_f64()).map(|number| shorter(number, &whole)),
        Value::Array(items) if whole.chars().count() > INLINE_CHARS => Some(counted(items.len(), "item")),
        Value::Object(fields) if whole.chars().count() > INLINE_CHARS => Some(counted(fields.len(), "field")),
        Value::String(text) => brief_text(text),
        _ => None,
    };
    let shortened = text.as_ref().is_some_and(|text| *text != whole);
    let mut shown = shown(name, text.as_deref().unwrap_or(&whole), value);
    if shortened {
        shown.whole = whole;
    }
    shown
}

/// All of it, up to what any page shows of a value.
pub(crate) fn whole(name: &str, value: &Value) -> Shown {
    shown(name, &words::value(value), value)
}

/// What somebody decides on: whole, but for digits of a number that nobody decides by.
pub(crate) fn decided(object: &Object) -> Vec<Shown> {
    let number = |value: &Value| value.is_f64() || value.as_str().is_some_and(is_long_number);
    object.iter().map(|(name, value)| if number(value) { brief(name, value) } else { whole(name, value) }).collect()
}

/// The brief forms of all fields.
pub(crate) fn all_brief(object: &Object) -> Vec<Shown> {
    object.iter().map(|(name, value)| brief(name, value)).collect()
}

/// The whole of all fields.
pub(crate) fn all_whole(object: &Object) -> Vec<Shown> {
    object.iter().map(|(name, value)| whole(name, value)).collect()
}

fn shown(name: &str, text: &str, value: &Value) -> Shown {
    let code = match value {
        Value::String(text) => is_hash(text) || text.starts_with("arn:"),
        Value::Array(_) | Value::Object(_) => text.starts_with(['[', '{']),
        _ => false,
    };
    Shown {
        name: name.split_inclusive(['.', '_', '-', '/']).map(str::to_owned).collect(),
        pieces: pieces(text),
        whole: String::new(),
        url: value.as_str().map(words::model_url).unwrap_or_default(),
        code,
    }
}

/// Four digits, unless the number itself has no more.
fn shorter(number: f64, written: &str) -> String {
    let rounded = words::number(number);
    if rounded.len() < written.len() { rounded } else { written.to_owned() }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn brief_text(text: &str) -> Option<String> {
    if is_hash(text) {
        return Some(format!("{}…", words::digest(text)));
    }
    if is_long_number(text) {
        return text.parse().ok().map(|number| shorter(number, text));
    }
    if let Some(rest) = text.strip_prefix("arn:") {
        // Partition, service, region and account are the same all over a page.
        let resource = rest.splitn(5, ':').nth(4).filter(|resource| !resource.is_empty())?;
        return Some(resource.strip_prefix("model-package/").unwrap_or(resource).to_owned());
    }
    let (at, _) = text.char_indices().nth(BRIEF_CHARS)?;
    Some(format!("{}…", &text[..at]))
}

fn is_long_number(text: &str) -> bool {
    text.len() >= LONG_NUMBER && text.contains('.') && text.bytes().all(|byte| b"0123456789.-".contains(&byte))
}

fn is_hash(text: &str) -> bool {
    text.len() >= HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Parts of a text after which a line may end: what separates the parts of addresses, ARNs and lists.
fn pieces(text: &str) -> Vec<String> {
    text.split_inclusive(['/', ':', ',', '&', '?', '=']).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value, text: &str, whole: &str) {
        let shown = brief("x", value);
        assert_eq!((shown.pieces.concat().as_str(), shown.whole.as_str()), (text, whole));
    }

    #[test]
    fn a_card_shows_what_tells_values_apart() {
        check(&json!(4.705_806_411_373_126), "4.706", "4.705806411373126");
        check(&json!("4.705806411373126"), "4.706", "4.705806411373126");
        check(&json!(627), "627", "");
        check(&json!(0.2), "0.2", "");
        check(&json!(6.0), "6", "6.0");
        check(&json!("1.2.3"), "1.2.3", "");
        check(&json!([1, 2]), "[1,2]", "");
        let long = json!((0..40).collect::<Vec<_>>());
        check(&long, "40 items", &long.to_string());
        let hash = "0123456789abcdef".repeat(4);
        check(&json!(hash), "0123456789ab…", &hash);
        let arn = "arn:aws:sagemaker:us-east-1:000000000000:training-job/a-1";
        check(&json!(arn), "training-job/a-1", arn);
        check(&json!("arn:odd"), "arn:odd", "");
    }

    #[test]
    fn a_decision_sees_names_and_hashes_whole_and_numbers_round() {
        let binds = json!({ "hash": "0123456789abcdef".repeat(4), "mse": "4.705806411373134", "rows": 627 });
        let seen: Vec<_> = decided(binds.as_object().unwrap()).iter().map(|shown| shown.pieces.concat()).collect();
        assert_eq!(seen, ["0123456789abcdef".repeat(4).as_str(), "4.706", "627"]);
    }

    #[test]
    fn a_model_package_leads_to_its_page() {
        let arn = json!("arn:aws:sagemaker:us-east-1:000000000000:model-package/abalone/2");
        let (short, long) = (brief("x", &arn), whole("x", &arn));
        assert_eq!((short.pieces.concat().as_str(), short.url.as_str()), ("abalone/2", "/models/abalone#v2"));
        assert_eq!((long.pieces.concat(), long.whole), (arn.as_str().unwrap().to_owned(), String::new()));
        assert!(long.pieces.len() > 6 && long.code);
    }
}
