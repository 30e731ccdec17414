//! Cron as Jenkins has it: five fields, `H` for "some fixed value of this pipeline's own", `H/n`, `H(a-b)`, `H(a-b)/n`,
//! `@daily` and its kin. No crate knows `H`, so it is replaced by numbers drawn from a hash of the pipeline's name
//! (stable for ever), and the plain rest is croner's.

use croner::Cron;
use croner::parser::CronParser;
use haliotis_model::Millis;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use sha2::{Digest, Sha256};

/// An expression ready to be asked.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// Lowest and highest value of each field; days of a month stop at 28 for `H`, so that every month has one.
const FIELDS: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 6)];

impl Schedule {
    /// Reads an expression for the pipeline named `name`. `zone`: IANA name, empty for UTC.
    ///
    /// # Errors
    /// One sentence on what is wrong.
    pub fn parse(expression: &str, zone: &str, name: &str) -> Result<Self, String> {
        let plain = plain(expression, name)?;
        let cron = CronParser::new()
            .parse(&plain)
            .map_err(|error| format!("`{expression}` is no cron expression: {error}"))?;
        let zone = if zone.is_empty() {
            TimeZone::UTC
        } else {
            TimeZone::get(zone).map_err(|_| format!("`{zone}` is no time zone; use a name as Europe/Berlin"))?
        };
        Ok(Self { cron, zone })
    }

    /// The first time after `after` that matches; `None` when there is none.
    pub fn next(&self, after: Millis) -> Option<Millis> {
        let after: Zoned = Timestamp::from_millisecond(after.0).ok()?.to_zoned(self.zone.clone());
        let next: Zoned = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(Millis(next.timestamp().as_millisecond()))
    }
}

/// The expression with `H` and aliases replaced by plain fields.
fn plain(expression: &str, name: &str) -> Result<String, String> {
    let expanded = match expression.trim() {
        "@yearly" | "@annually" => "H H H H *",
        "@monthly" => "H H H * *",
        "@weekly" => "H H * * H",
        "@daily" => "H H * * *",
        "@midnight" => "H H(0-2) * * *",
        "@hourly" => "H * * * *",
        other => other,
    };
    let fields: Vec<_> = expanded.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "`{expression}` has {} fields; a cron expression has five: minute, hour, day of month, month, day of week",
            fields.len()
        ));
    }
    let replaced: Result<Vec<_>, _> = fields.iter().enumerate().map(|(at, field)| hashed(field, at, name)).collect();
    Ok(replaced?.join(" "))
}

fn hashed(field: &str, at: usize, name: &str) -> Result<String, String> {
    let parts: Result<Vec<_>, _> = field.split(',').map(|part| hashed_part(part, at, name)).collect();
    Ok(parts?.join(","))
}

fn hashed_part(part: &str, at: usize, name: &str) -> Result<String, String> {
    let Some(rest) = part.strip_prefix('H') else { return Ok(part.to_owned()) };
    let bad = || format!("`{part}` is not understood; write H, H/n, H(a-b) or H(a-b)/n");
    let (range, rest) = match rest.strip_prefix('(') {
        Some(inner) => {
            let (inside, rest) = inner.split_once(')').ok_or_else(bad)?;
            let (low, high) = inside.split_once('-').ok_or_else(bad)?;
            (Some((low.trim().parse().map_err(|_| bad())?, high.trim().parse().map_err(|_| bad())?)), rest)
        }
        None => (None, rest),
    };
    let (least, most) = FIELDS[at];
    let (low, high): (u32, u32) = range.unwrap_or((least, most));
    let top = if at == 2 { 31 } else { most };
    if low > high || low < least || high > top {
        return Err(format!("`{part}`: the range must lie within {least}-{top}"));
    }
    let hash = hash(name, at);
    if rest.is_empty() {
        return Ok((low + hash % (high - low + 1)).to_string());
    }
    let step: u32 =
        rest.strip_prefix('/').and_then(|step| step.parse().ok()).filter(|step| *step > 0).ok_or_else(bad)?;
    let first = low + hash % step.min(high - low + 1);
    Ok(format!("{first}-{high}/{step}"))
}

fn hash(name: &str, field: usize) -> u32 {
    let digest = Sha256::digest(format!("{field}:{name}"));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, zone: &str, after: &str) -> String {
        let after = Millis(after.parse::<Timestamp>().unwrap().as_millisecond());
        let next = Schedule::parse(expression, zone, "team/job").unwrap().next(after).unwrap();
        Timestamp::from_millisecond(next.0).unwrap().to_string()
    }

    #[test]
    fn plain_fields() {
        assert_eq!(next("*/15 * * * *", "", "2026-11-22T10:07:00Z"), "2026-11-22T10:15:00Z");
        assert_eq!(next("30 3 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z"), "2026-07-01T01:30:00Z");
        assert_eq!(next("0 0 29 2 *", "", "2026-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn h_is_stable_within_its_range_and_differs_between_pipelines() {
        for part in ["H", "H/15", "H(10-20)", "H(10-20)/5"] {
            assert_eq!(plain(&format!("{part} * * * *"), "a"), plain(&format!("{part} * * * *"), "a"));
        }
        let minutes: std::collections::BTreeSet<_> =
            (0..40).map(|n| plain("H * * * *", &format!("job{n}")).unwrap()).collect();
        assert!(minutes.len() > 15, "{minutes:?}");
        for n in 0..200 {
            let text = plain("H(10-20) H * * *", &format!("job{n}")).unwrap();
            let minute: u32 = text.split(' ').next().unwrap().parse().unwrap();
            assert!((10..=20).contains(&minute), "{text}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        for (expression, word) in
            [("* * *", "five"), ("H(5-99) * * * *", "within"), ("H/0 * * * *", "H/n"), ("61 * * * *", "cron")]
        {
            let error = Schedule::parse(expression, "", "x").unwrap_err();
            assert!(error.contains(word), "{expression}: {error}");
        }
        assert!(Schedule::parse("@daily", "Mars/Olympus", "x").unwrap_err().contains("time zone"));
    }
}
