//! Conditions and ranges of requests: whether an object may be sent or replaced, and which bytes of it.

use axum::http::HeaderMap;

use super::object::ObjectInfo;
use crate::AwsError;

/// What a conditional read comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    Send,
    NotModified,
}

/// `If-Match` outranks `If-Unmodified-Since`, `If-None-Match` outranks `If-Modified-Since`.
pub(super) fn check_read(headers: &HeaderMap, info: &ObjectInfo) -> Result<Met, AwsError> {
    precondition(headers, "if-match", "if-unmodified-since", info)?;
    if let Some(tags) = text(headers, "if-none-match") {
        return Ok(if matches_any(tags, &info.etag) { Met::NotModified } else { Met::Send });
    }
    let since = text(headers, "if-modified-since").and_then(parse_date);
    Ok(if since.is_some_and(|since| seconds(info) <= since) { Met::NotModified } else { Met::Send })
}

/// The conditions of a copy's source, all of which refuse.
pub(super) fn check_copy(headers: &HeaderMap, source: &ObjectInfo) -> Result<(), AwsError> {
    let name = |rest: &str| format!("x-amz-copy-source-{rest}");
    precondition(headers, &name("if-match"), &name("if-unmodified-since"), source)?;
    let none = text(headers, &name("if-none-match")).is_some_and(|tags| matches_any(tags, &source.etag));
    let since = text(headers, &name("if-modified-since")).and_then(parse_date);
    if none || since.is_some_and(|since| seconds(source) <= since) { Err(failed()) } else { Ok(()) }
}

/// `If-None-Match: *` makes only new objects, `If-Match` replaces only that very one.
pub(super) fn allow_write(headers: &HeaderMap, present: Option<&ObjectInfo>) -> Result<(), AwsError> {
    if text(headers, "if-none-match") == Some("*") && present.is_some() {
        return Err(failed());
    }
    match (text(headers, "if-match"), present) {
        (Some(_), None) => Err(AwsError::new(404, "NoSuchKey", "The specified key does not exist.")),
        (Some(tags), Some(info)) if !matches_any(tags, &info.etag) => Err(failed()),
        _ => Ok(()),
    }
}

fn precondition(headers: &HeaderMap, tag_name: &str, date_name: &str, info: &ObjectInfo) -> Result<(), AwsError> {
    let fine = match text(headers, tag_name) {
        Some(tags) => matches_any(tags, &info.etag),
        None => text(headers, date_name).and_then(parse_date).is_none_or(|date| seconds(info) <= date),
    };
    if fine { Ok(()) } else { Err(failed()) }
}

/// First and last byte of a `Range` header; `None`: the whole. Several ranges and other units mean the whole, as in S3.
pub(super) fn range(header: Option<&str>, size: u64) -> Result<Option<(u64, u64)>, AwsError> {
    let Some(spec) = header.and_then(|text| text.strip_prefix("bytes=")) else { return Ok(None) };
    let Some((first, last)) = spec.split_once('-') else { return Ok(None) };
    let (first, last) = (first.trim(), last.trim());
    let parsed = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => Some((first, last.min(size.saturating_sub(1)))),
        (Ok(first), Err(_)) if last.is_empty() => Some((first, size.saturating_sub(1))),
        (Err(_), Ok(0)) if first.is_empty() => Some((size, size)),
        (Err(_), Ok(count)) if first.is_empty() => Some((size.saturating_sub(count), size.saturating_sub(1))),
        _ => None,
    };
    match parsed {
        Some((first, _)) if first >= size => {
            let message = "The requested range is not satisfiable";
            Err(AwsError::new(416, "InvalidRange", format!("{message}: the object has {size} bytes")))
        }
        parsed => Ok(parsed),
    }
}

fn matches_any(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
        .any(|tag| tag == "*" || tag == etag)
}

fn failed() -> AwsError {
    let message = "At least one of the pre-conditions you specified did not hold";
    AwsError::new(412, "PreconditionFailed", message)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Mon, 02 Jan 2006 15:04:05 GMT`.
pub(super) fn http_date(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Seconds since 1970; a date that cannot be read is no condition.
fn parse_date(date: &str) -> Option<i64> {
    let parsed = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", date).ok()?;
    Some(parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

fn seconds(info: &ObjectInfo) -> i64 {
    info.modified_ms.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-9", Some((0, 9))),
            ("bytes=90-200", Some((90, 99))),
            ("bytes=95-", Some((95, 99))),
            ("bytes=-5", Some((95, 99))),
            ("bytes=-500", Some((0, 99))),
            ("bytes=5-1", None),
            ("bytes=0-1,5-6", None),
            ("lines=1-2", None),
        ];
        for (header, expected) in cases {
            assert_eq!(range(Some(header), 100).unwrap(), expected, "{header}");
        }
        for (header, size) in [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-0", 0)] {
            assert_eq!(range(Some(header), size).unwrap_err().code, "InvalidRange", "{header}");
        }
    }

    #[test]
    fn dates_come_back() {
        assert_eq!(http_date(1_136_214_245_000), "Mon, 02 Jan 2006 15:04:05 GMT");
        assert_eq!(parse_date("Mon, 02 Jan 2006 15:04:05 GMT"), Some(1_136_214_245));
        assert_eq!(parse_date("soon"), None);
    }
}
