//! Durations and cron expressions.

use crate::limits::MAX_DURATION_MS;

/// `90s`, `15m`, `2h`, `1h30m`, `250ms`, `7d`, or a number of seconds.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return bounded(seconds * 1e3);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|index| *index > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = match &after[..letters] {
            "ms" => 1.0,
            "s" => 1e3,
            "m" | "min" => 60e3,
            "h" => 3600e3,
            "d" => 86_400e3,
            _ => return None,
        };
        total += number * unit;
        rest = after[letters..].trim_start();
    }
    if text.is_empty() { None } else { bounded(total) }
}

fn bounded(ms: f64) -> Option<u64> {
    let fits = ms.is_finite() && ms >= 0.0 && ms <= MAX_DURATION_MS as f64;
    fits.then_some(ms as u64)
}

/// The five fields with their ranges and names.
const CRON: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of the week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Short forms, as in Jenkins.
const ALIASES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// What is wrong with a cron expression: the offset and length of the part in characters, and the reason.
pub(super) fn cron_problem(text: &str) -> Option<(usize, usize, String)> {
    if text.starts_with('@') {
        let known = ALIASES.contains(&text);
        return (!known).then(|| (0, text.len(), format!("{text:?} is none of {}", ALIASES.join(", "))));
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        let reason =
            format!("a cron expression has 5 fields (minute hour day month weekday), this has {}", fields.len());
        return Some((0, text.chars().count(), reason));
    }
    let mut from = 0;
    for (field, rule) in fields.iter().zip(&CRON) {
        let start = text[from..].find(field).map_or(from, |index| from + index);
        from = start + field.len();
        if let Some(reason) = field.split(',').find_map(|part| part_problem(part, rule)) {
            let offset = text[..start].chars().count();
            return Some((offset, field.chars().count(), format!("{} {field:?}: {reason}", rule.0)));
        }
    }
    None
}

fn part_problem(part: &str, rule: &(&str, u32, u32, &[&str])) -> Option<String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step
        && !step.parse::<u32>().is_ok_and(|step| step >= 1 && step <= rule.2)
    {
        return Some(format!("{step:?} is not a step from 1 to {}", rule.2));
    }
    if range == "*" || range == "H" {
        return None;
    }
    let range = match range.strip_prefix("H(") {
        Some(inside) => match inside.strip_suffix(')') {
            Some(inside) if inside.contains('-') => inside,
            _ => return Some("write H, H/15 or H(0-29)".to_owned()),
        },
        None => range,
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Some(first), Some(last)) = (cron_number(first, rule), cron_number(last, rule)) else {
        return Some(format!("write *, H, or numbers from {} to {}", rule.1, rule.2));
    };
    (first > last).then(|| format!("{first} comes after {last}"))
}

fn cron_number(text: &str, rule: &(&str, u32, u32, &[&str])) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    if let Some(index) = rule.3.iter().position(|name| *name == lower) {
        return u32::try_from(index).ok().map(|index| index + rule.1);
    }
    text.parse().ok().filter(|number| (rule.1..=rule.2).contains(number))
}

#[cfg(test)]
mod tests {
    use super::{cron_problem, duration_ms};

    #[test]
    fn durations() {
        for (text, ms) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("2 h", 0),
            ("45", 45_000),
            ("1.5", 1500),
            ("7d", 604_800_000),
        ] {
            assert_eq!(duration_ms(text), (ms > 0).then_some(ms), "{text}");
        }
        for bad in ["", "soon", "-1", "5x", "m", "9999d", "NaN", "inf"] {
            assert_eq!(duration_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn cron() {
        for good in ["H 3 * * *", "*/5 * * * *", "H/15 8-18 * * mon-fri", "H(0-29)/10 * 1,15 jan 0", "@daily"] {
            assert_eq!(cron_problem(good), None, "{good}");
        }
        for bad in ["* * * *", "60 * * * *", "* * * foo *", "*/0 * * * *", "5-1 * * * *", "H(3 * * * *", "@never"] {
            assert!(cron_problem(bad).is_some(), "{bad}");
        }
    }
}
