//! Values of `java.time` as text, and texts read as values.

use super::*;

pub(super) fn seconds_text(when: &Clock) -> String {
    let nanos = when.subsec_nanosecond();
    if nanos == 0 && when.second() == 0 {
        return String::new();
    }
    format!(":{:02}{}", when.second(), fraction(nanos))
}

/// Three, six or nine digits, as many as are needed.
pub(super) fn fraction(nanos: i32) -> String {
    match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        _ => format!(".{nanos:09}"),
    }
}

pub(super) fn local_text(when: &DateTime) -> String {
    format!("{}T{}", when.date(), clock_text(&when.time()))
}

pub(super) fn clock_text(when: &Clock) -> String {
    format!("{:02}:{:02}{}", when.hour(), when.minute(), seconds_text(when))
}

pub(super) fn short_offset(offset: Offset) -> String {
    if offset.seconds() == 0 {
        "Z".to_owned()
    } else {
        crate::library::time_pattern::offset_text(offset.seconds(), true, true)
    }
}

pub(super) fn instant_text(at: &Timestamp) -> String {
    let when = at.to_zoned(TimeZone::UTC).datetime();
    format!(
        "{}T{:02}:{:02}:{:02}{}Z",
        when.date(),
        when.hour(),
        when.minute(),
        when.second(),
        fraction(when.subsec_nanosecond())
    )
}

/// `toString()`.
pub(in crate::library) fn text(value: &Value) -> Result<String, Raise> {
    Ok(match of(value)? {
        Time::Instant(at) => instant_text(at),
        Time::Date(date) => date.to_string(),
        Time::Clock(time) => clock_text(time),
        Time::Local(when) => local_text(when),
        Time::Offset(when, offset) => format!("{}{}", local_text(when), short_offset(*offset)),
        Time::Zoned(zoned) => {
            let (when, offset) = (local_text(&zoned.datetime()), short_offset(zoned.offset()));
            match zoned.time_zone().iana_name() {
                Some("UTC") | None => {
                    format!("{when}{offset}{}", if zoned.time_zone().iana_name().is_some() { "[UTC]" } else { "" })
                }
                Some(name) => format!("{when}{offset}[{name}]"),
            }
        }
        Time::Duration(duration) => duration_text(duration),
        Time::Period(years, months, days) => {
            let part = |many: &i32, letter: &str| if *many == 0 { String::new() } else { format!("{many}{letter}") };
            let text = format!("P{}{}{}", part(years, "Y"), part(months, "M"), part(days, "D"));
            if text == "P" { "P0D".to_owned() } else { text }
        }
        Time::Zone(zone) => match constant(zone) {
            Some(offset) if zone.iana_name().is_none() => short_offset(offset),
            _ => zone_name(zone),
        },
        Time::Formatter(pattern) => pattern.to_string(),
    })
}

pub(super) fn duration_text(duration: &SignedDuration) -> String {
    if duration.is_zero() {
        return "PT0S".to_owned();
    }
    let (all, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let (hours, minutes, seconds) = (all / 3600, all % 3600 / 60, all % 60);
    let mut text = "PT".to_owned();
    if hours != 0 {
        text.push_str(&format!("{hours}H"));
    }
    if minutes != 0 {
        text.push_str(&format!("{minutes}M"));
    }
    if seconds != 0 || nanos != 0 {
        let sign = if seconds == 0 && nanos < 0 { "-" } else { "" };
        let digits = format!("{:09}", nanos.abs());
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { "" } else { "." };
        text.push_str(&format!("{sign}{seconds}{point}{digits}S"));
    }
    text
}

/// What makes two values the same key of a map; `None` for what is compared by identity.
pub(in crate::library) fn key(value: &Value) -> Option<String> {
    of(value).ok().and_then(|time| match time {
        Time::Formatter(_) => None,
        _ => text(value).ok(),
    })
}

/// A date, or Java's words for why there is none.
pub(super) fn checked_date(year: i64, month: i64, day: i64) -> Result<Date, String> {
    if !(1..=12).contains(&month) {
        return Err(format!("Invalid value for MonthOfYear (valid values 1 - 12): {month}"));
    }
    if !(1..=31).contains(&day) {
        return Err(format!("Invalid value for DayOfMonth (valid values 1 - 28/31): {day}"));
    }
    let parts = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    if let (Ok(year), Ok(month), Ok(day)) = parts
        && let Ok(date) = Date::new(year, month, day)
    {
        return Ok(date);
    }
    let name = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("").to_uppercase();
    Err(if month == 2 && day == 29 {
        format!("Invalid date 'February 29' as '{year}' is not a leap year")
    } else {
        format!("Invalid date '{name} {day}'")
    })
}

pub(super) fn formatted(vm: &mut Vm, pattern: &str, time: &Value) -> Answer {
    let unsupported = |vm: &mut Vm, said: String| vm.throw("java.time.temporal.UnsupportedTemporalTypeException", said);
    if let Some(kind) = pattern.strip_prefix('\u{1}') {
        let when = || {
            local(time).map(|when| {
                format!(
                    "{}T{:02}:{:02}:{:02}{}",
                    when.date(),
                    when.hour(),
                    when.minute(),
                    when.second(),
                    fraction(when.subsec_nanosecond())
                )
            })
        };
        let said = match (kind, of(time)?) {
            ("T", _) => clock(time).map(|time| {
                format!(
                    "{:02}:{:02}:{:02}{}",
                    time.hour(),
                    time.minute(),
                    time.second(),
                    fraction(time.subsec_nanosecond())
                )
            }),
            ("L", _) => when(),
            ("I", _) => instant_of(time).map(|at| instant_text(&at)),
            ("O", Time::Offset(_, offset)) => when().map(|text| text + &short_offset(*offset)),
            ("O" | "Z", Time::Zoned(zoned)) => {
                let zone = if kind == "Z" { format!("[{}]", zone_name(zoned.time_zone())) } else { String::new() };
                when().map(|text| format!("{text}{}{zone}", short_offset(zoned.offset())))
            }
            ("Z", _) => when(),
            _ => Err(Raise::NoMatch),
        };
        return match said {
            Ok(text) => string(text),
            Err(_) => Err(unsupported(vm, "Unsupported field: OffsetSeconds".to_owned())),
        };
    }
    let fields = match of(time)? {
        Time::Date(date) => Fields { when: date.to_datetime(Clock::midnight()), offset: None, zone: None, short: None },
        Time::Clock(time) => {
            Fields { when: jiff::civil::date(1970, 1, 1).to_datetime(*time), offset: None, zone: None, short: None }
        }
        Time::Local(when) => Fields { when: *when, offset: None, zone: None, short: None },
        Time::Offset(when, offset) => Fields {
            when: *when,
            offset: Some(offset.seconds()),
            zone: Some(short_offset(*offset)),
            short: Some(short_offset(*offset)),
        },
        Time::Zoned(zoned) => date::fields(zoned),
        Time::Instant(_) => return Err(unsupported(vm, "Unsupported field: YearOfEra".to_owned())),
        _ => return Err(Raise::NoMatch),
    };
    match write(pattern, &fields, Dialect::Modern) {
        Ok(text) => string(text),
        Err(said) => Err(unsupported(vm, said)),
    }
}

pub(super) fn zoned_text(text: &str) -> Option<Time> {
    let (bare, name) = match text.split_once('[') {
        Some((bare, name)) => (bare, name.strip_suffix(']')),
        None => (text, None),
    };
    let at: Timestamp = bare.parse().ok()?;
    let body = bare.find('T').and_then(|t| bare.get(t..))?;
    let zone = match name {
        Some(name) => zone(name)?,
        None if bare.ends_with('Z') => greenwich(),
        None => zone(body.get(body.rfind(['+', '-'])?..)?)?,
    };
    Some(Time::Zoned(at.to_zoned(zone)))
}

/// `parse(text[, formatter])`. Java's messages name what is wrong.
pub(super) fn parse(vm: &mut Vm, args: &[Value], iso: fn(&str) -> Option<Time>) -> Answer {
    let [text, rest @ ..] = args else { return Err(Raise::NoMatch) };
    let text = vm.str_arg(text)?;
    let refuse = |vm: &mut Vm, said: &str| {
        vm.throw("java.time.format.DateTimeParseException", format!("Text '{text}' could not be parsed{said}"))
    };
    if let [formatter] = rest {
        let pattern = match of(formatter) {
            Ok(Time::Formatter(pattern)) => pattern.clone(),
            _ => vm.str_arg(formatter)?,
        };
        if pattern.starts_with('\u{1}') {
            return parse(vm, &args[..1], iso);
        }
        let found = match read(&pattern, &text, Dialect::Modern) {
            Ok(found) => found,
            Err(at) => return Err(refuse(vm, &format!(" at index {at}"))),
        };
        return match from_read(&found, iso("2000-01-01").is_some(), iso("10:00").is_some()) {
            Ok(time) => Ok(wrap(vm, time)),
            Err(said) => Err(refuse(vm, &said)),
        };
    }
    if let Some(time) = iso(&text) {
        return Ok(wrap(vm, time));
    }
    let said = match read("yyyy-MM-dd", text.get(..10).unwrap_or(&text), Dialect::Modern) {
        Ok(Read { year: Some(year), month: Some(month), day: Some(day), .. }) => match checked_date(year, month, day) {
            Err(said) => format!(": {said}"),
            Ok(_) => " at index 10".to_owned(),
        },
        Ok(_) => " at index 0".to_owned(),
        Err(at) => format!(" at index {at}"),
    };
    Err(refuse(vm, &said))
}

pub(super) fn from_read(read: &Read, only_date: bool, only_clock: bool) -> Result<Time, String> {
    let part = |value: Option<i64>| value.unwrap_or(0);
    let small = |value: i64| i8::try_from(value).unwrap_or(-1);
    let time = Clock::new(
        small(part(read.hour)),
        small(part(read.minute)),
        small(part(read.second)),
        i32::try_from(part(read.nano)).unwrap_or(-1),
    )
    .map_err(|_| format!(": Invalid value for HourOfDay (valid values 0 - 23): {}", part(read.hour)))?;
    if only_clock {
        return Ok(Time::Clock(time));
    }
    let (Some(year), Some(month), Some(day)) = (read.year, read.month, read.day) else {
        return Err(": Unable to obtain LocalDate from TemporalAccessor".to_owned());
    };
    let date = checked_date(year, month, day).map_err(|said| format!(": {said}"))?;
    if only_date {
        return Ok(Time::Date(date));
    }
    let when = date.to_datetime(time);
    let named = read.zone.as_deref().and_then(zone);
    match (read.offset.map(Offset::from_seconds), named) {
        (Some(Ok(offset)), _) => when
            .to_zoned(TimeZone::fixed(offset))
            .map(Time::Zoned)
            .map_err(|_| ": the time is beyond the year 9999".to_owned()),
        (_, Some(zone)) => {
            when.to_zoned(zone).map(Time::Zoned).map_err(|_| ": the time is beyond the year 9999".to_owned())
        }
        _ => Ok(Time::Local(when)),
    }
}
