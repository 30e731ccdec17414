//! What every `List` operation has in common: filters, order, pages.
//!
//! A page token names the last item shown and the order, not a count: items added or removed between two pages are
//! neither skipped nor shown twice.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::AwsError;
use crate::sagemaker::clock;

/// Items per page unless the request says otherwise; also AWS' most.
const DEFAULT_PAGE: usize = 100;

/// One resource as a list sees it.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) created: f64,
    pub(crate) modified: f64,
    pub(crate) status: String,
    /// Breaks ties of time: resources made in the same millisecond keep their order.
    pub(crate) tie: u64,
    pub(crate) summary: Value,
}

/// How AWS orders a list when the request does not say: each operation has its own default.
#[derive(Clone, Copy)]
pub(crate) struct DefaultOrder {
    pub(crate) by: &'static str,
    pub(crate) descending: bool,
}

/// Jobs, models: newest first.
pub(crate) const NEWEST_FIRST: DefaultOrder = DefaultOrder { by: "CreationTime", descending: true };
/// Model packages and groups: oldest first, as the API model documents.
pub(crate) const OLDEST_FIRST: DefaultOrder = DefaultOrder { by: "CreationTime", descending: false };

/// Filters, orders and cuts; the answer's list goes under `list_name`.
///
/// # Errors
/// `ValidationException` for a token that is not ours or belongs to another order.
pub(crate) fn page(input: &Value, items: Vec<Item>, default: DefaultOrder, list_name: &str) -> Result<Value, AwsError> {
    let mut items: Vec<Item> = items.into_iter().filter(|item| keeps(input, item)).collect();
    let by = input["SortBy"].as_str().unwrap_or(default.by);
    let descending = input["SortOrder"].as_str().map_or(default.descending, |order| order == "Descending");
    let order = |a: &Item, b: &Item| {
        let order = compare(by, a, b);
        if descending { order.reverse() } else { order }
    };
    items.sort_by(order);
    let start = match input["NextToken"].as_str() {
        Some(token) => position_after(token, by, descending, &items)?,
        None => 0,
    };
    let size = input["MaxResults"].as_u64().map_or(DEFAULT_PAGE, |n| n as usize).clamp(1, DEFAULT_PAGE);
    let end = (start + size).min(items.len());
    let mut answer = Map::new();
    if end < items.len() {
        answer.insert("NextToken".into(), token(by, descending, &items[end - 1]).into());
    }
    let summaries = items.drain(start..end).map(|item| item.summary).collect();
    answer.insert(list_name.to_owned(), Value::Array(summaries));
    Ok(Value::Object(answer))
}

fn keeps(input: &Value, item: &Item) -> bool {
    let text = |name: &str| input[name].as_str();
    let time = |name: &str| clock::read(&input[name]);
    text("NameContains").is_none_or(|part| item.name.to_ascii_lowercase().contains(&part.to_ascii_lowercase()))
        && text("StatusEquals").is_none_or(|status| item.status == status)
        && time("CreationTimeAfter").is_none_or(|after| item.created > after)
        && time("CreationTimeBefore").is_none_or(|before| item.created < before)
        && time("LastModifiedTimeAfter").is_none_or(|after| item.modified > after)
        && time("LastModifiedTimeBefore").is_none_or(|before| item.modified < before)
}

fn compare(by: &str, a: &Item, b: &Item) -> Ordering {
    let age = a.created.total_cmp(&b.created).then(a.tie.cmp(&b.tie)).then_with(|| a.name.cmp(&b.name));
    match by {
        "Name" => a.name.cmp(&b.name).then(age),
        "Status" => a.status.cmp(&b.status).then(age),
        _ => age,
    }
}

fn token(by: &str, descending: bool, last: &Item) -> String {
    let content = serde_json::json!([by, descending, last.name, last.created, last.tie, last.status]);
    URL_SAFE_NO_PAD.encode(content.to_string())
}

fn position_after(token: &str, by: &str, descending: bool, items: &[Item]) -> Result<usize, AwsError> {
    let bad = || AwsError::validation("Invalid NextToken: it is not one this list gave, or the order was changed");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
    let content: (String, bool, String, f64, u64, String) = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let (token_by, token_descending, name, created, tie, status) = content;
    if token_by != by || token_descending != descending {
        return Err(bad());
    }
    let last = Item { name, created, modified: created, status, tie, summary: Value::Null };
    let after = if descending { Ordering::Less } else { Ordering::Greater };
    Ok(items.iter().position(|item| compare(by, item, &last) == after).unwrap_or(items.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn items(count: u64) -> Vec<Item> {
        (0..count)
            .map(|n| Item {
                name: format!("job-{}", (n * 7) % count),
                created: (n / 2) as f64,
                modified: n as f64,
                status: if n % 3 == 0 { "Failed" } else { "Completed" }.into(),
                tie: n,
                summary: json!(n),
            })
            .collect()
    }

    fn numbers(answer: &Value) -> Vec<u64> {
        answer["L"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    }

    fn walk(mut input: Value, default: DefaultOrder) -> Vec<u64> {
        let mut seen = Vec::new();
        loop {
            let answer = page(&input, items(10), default, "L").unwrap();
            seen.extend(numbers(&answer));
            match answer.get("NextToken") {
                Some(token) => input["NextToken"] = token.clone(),
                None => return seen,
            }
        }
    }

    #[test]
    fn pages_cover_everything_once_in_order() {
        assert_eq!(walk(json!({"MaxResults": 3}), NEWEST_FIRST), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(walk(json!({"MaxResults": 4}), OLDEST_FIRST), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(walk(json!({"MaxResults": 2, "SortBy": "Name", "SortOrder": "Ascending"}), NEWEST_FIRST).len(), 10);
        assert_eq!(walk(json!({"MaxResults": 1, "SortBy": "Status"}), NEWEST_FIRST)[..4], [9, 6, 3, 0]);
    }

    #[test]
    fn filters() {
        let get = |input: Value| numbers(&page(&input, items(10), OLDEST_FIRST, "L").unwrap());
        assert_eq!(get(json!({"StatusEquals": "Failed"})), [0, 3, 6, 9]);
        assert_eq!(get(json!({"NameContains": "JOB-7"})), [1]);
        assert_eq!(get(json!({"CreationTimeAfter": 2.5, "LastModifiedTimeBefore": 8})), [6, 7]);
    }

    #[test]
    fn a_foreign_token_is_refused() {
        assert!(page(&json!({"NextToken": "x"}), items(3), NEWEST_FIRST, "L").is_err());
        let token = page(&json!({"MaxResults": 1}), items(3), NEWEST_FIRST, "L").unwrap()["NextToken"].clone();
        let other = json!({"NextToken": token, "SortOrder": "Ascending"});
        assert!(page(&other, items(3), NEWEST_FIRST, "L").is_err());
    }
}
