//! Statics of the classes of `java.time`: making values, and their constants.

use super::*;

pub(super) const INSTANTS: &[Static] = &[
    function("now", 0, 0, |vm, _| {
        let millis = vm.now_ms();
        Ok(instant(vm, millis))
    }),
    function("ofEpochMilli", 1, 1, |vm, args| {
        let millis = long(args.first().ok_or(Raise::NoMatch)?)?;
        Ok(instant(vm, millis))
    }),
    function("ofEpochSecond", 1, 1, |vm, args| {
        let seconds = long(args.first().ok_or(Raise::NoMatch)?)?;
        let at = Timestamp::from_second(seconds);
        made(vm, at.map(Time::Instant), "instant")
    }),
    function("parse", 1, 1, |vm, args| parse(vm, args, |text| text.parse().ok().map(Time::Instant))),
    function("EPOCH", 0, 0, |vm, _| Ok(instant(vm, 0))),
];

pub(super) const DATES: &[Static] = &[
    function("now", 0, 1, |vm, args| {
        let now = now(vm, args)?.date();
        Ok(wrap(vm, Time::Date(now)))
    }),
    function("of", 3, 3, |vm, args| {
        let date = date_from(vm, args)?;
        Ok(wrap(vm, Time::Date(date)))
    }),
    function("ofEpochDay", 1, 1, |vm, args| {
        let days = long(args.first().ok_or(Raise::NoMatch)?)?;
        let date = jiff::civil::date(1970, 1, 1)
            .checked_add(SignedDuration::from_hours(days.saturating_mul(24).clamp(-999_999_999, 999_999_999)));
        made(vm, date.map(Time::Date), "date")
    }),
    function("parse", 1, 2, |vm, args| {
        parse(vm, args, |text| text.parse().ok().filter(|_| text.len() == 10).map(Time::Date))
    }),
];

pub(super) const CLOCKS: &[Static] = &[
    function("now", 0, 1, |vm, args| {
        let now = now(vm, args)?.time();
        Ok(wrap(vm, Time::Clock(now)))
    }),
    function("of", 2, 4, |vm, args| {
        let time = clock_from(vm, args)?;
        Ok(wrap(vm, Time::Clock(time)))
    }),
    function("parse", 1, 2, |vm, args| parse(vm, args, |text| text.parse().ok().map(Time::Clock))),
    function("MIDNIGHT", 0, 0, |vm, _| Ok(wrap(vm, Time::Clock(Clock::midnight())))),
    function("NOON", 0, 0, |vm, _| Ok(wrap(vm, Time::Clock(jiff::civil::time(12, 0, 0, 0))))),
];

pub(super) const LOCALS: &[Static] = &[
    function("now", 0, 1, |vm, args| {
        let now = now(vm, args)?.datetime();
        Ok(wrap(vm, Time::Local(now)))
    }),
    function("of", 2, 7, |vm, args| {
        let when = local_from(vm, args)?;
        Ok(wrap(vm, Time::Local(when)))
    }),
    function("ofInstant", 2, 2, |vm, args| match args {
        [at, zone] => {
            let when = instant_of(at)?.to_zoned(zone_arg(zone)?).datetime();
            Ok(wrap(vm, Time::Local(when)))
        }
        _ => Err(Raise::NoMatch),
    }),
    function("parse", 1, 2, |vm, args| {
        parse(vm, args, |text| text.parse().ok().filter(|_| text.contains('T')).map(Time::Local))
    }),
];

pub(super) const ZONEDS: &[Static] = &[
    function("now", 0, 1, |vm, args| {
        let now = now(vm, args)?;
        Ok(wrap(vm, Time::Zoned(now)))
    }),
    function("of", 3, 8, |vm, args| {
        let Some((zone, rest)) = args.split_last() else { return Err(Raise::NoMatch) };
        let (zone, when) = (zone_arg(zone)?, local_from(vm, rest)?);
        Ok(wrap(vm, Time::Zoned(zoned_at(when, &zone)?)))
    }),
    function("ofInstant", 2, 2, |vm, args| match args {
        [at, zone] => {
            let zoned = instant_of(at)?.to_zoned(zone_arg(zone)?);
            Ok(wrap(vm, Time::Zoned(zoned)))
        }
        _ => Err(Raise::NoMatch),
    }),
    function("parse", 1, 2, |vm, args| parse(vm, args, zoned_text)),
];

pub(super) const OFFSETS: &[Static] = &[
    function("now", 0, 1, |vm, args| {
        let now = now(vm, args)?;
        Ok(wrap(vm, Time::Offset(now.datetime(), now.offset())))
    }),
    function("of", 3, 8, |vm, args| {
        let Some((zone, rest)) = args.split_last() else { return Err(Raise::NoMatch) };
        let offset = constant(&zone_arg(zone)?).ok_or(Raise::NoMatch)?;
        let when = local_from(vm, rest)?;
        Ok(wrap(vm, Time::Offset(when, offset)))
    }),
    function("parse", 1, 2, |vm, args| {
        parse(vm, args, |text| match zoned_text(text)? {
            Time::Zoned(zoned) => Some(Time::Offset(zoned.datetime(), zoned.offset())),
            _ => None,
        })
    }),
];

pub(super) const DURATIONS: &[Static] = &[
    function("ofDays", 1, 1, |vm, args| span(vm, args, 86_400_000_000_000)),
    function("ofHours", 1, 1, |vm, args| span(vm, args, 3_600_000_000_000)),
    function("ofMinutes", 1, 1, |vm, args| span(vm, args, 60_000_000_000)),
    function("ofSeconds", 1, 1, |vm, args| span(vm, args, 1_000_000_000)),
    function("ofMillis", 1, 1, |vm, args| span(vm, args, 1_000_000)),
    function("ofNanos", 1, 1, |vm, args| span(vm, args, 1)),
    function("ZERO", 0, 0, |vm, _| Ok(wrap(vm, Time::Duration(SignedDuration::ZERO)))),
    function("between", 2, 2, |vm, args| match args {
        [from, to] => {
            let nanos = nanos_between(from, to)?;
            Ok(wrap(vm, Time::Duration(from_nanos(nanos))))
        }
        _ => Err(Raise::NoMatch),
    }),
    function("parse", 1, 1, |vm, args| parse(vm, args, |text| text.parse().ok().map(Time::Duration))),
];

pub(super) const PERIODS: &[Static] = &[
    function("of", 3, 3, |vm, args| match args {
        [years, months, days] => {
            let parts = (int(vm, years)?, int(vm, months)?, int(vm, days)?);
            Ok(wrap(vm, Time::Period(parts.0, parts.1, parts.2)))
        }
        _ => Err(Raise::NoMatch),
    }),
    function("ofDays", 1, 1, |vm, args| some_period(vm, args, |many| Time::Period(0, 0, many))),
    function("ofWeeks", 1, 1, |vm, args| some_period(vm, args, |many| Time::Period(0, 0, many.saturating_mul(7)))),
    function("ofMonths", 1, 1, |vm, args| some_period(vm, args, |many| Time::Period(0, many, 0))),
    function("ofYears", 1, 1, |vm, args| some_period(vm, args, |many| Time::Period(many, 0, 0))),
    function("ZERO", 0, 0, |vm, _| Ok(wrap(vm, Time::Period(0, 0, 0)))),
    function("between", 2, 2, |vm, args| match args {
        [from, to] => Ok(wrap(vm, period_between(day(from)?, day(to)?))),
        _ => Err(Raise::NoMatch),
    }),
];

pub(super) const ZONES: &[Static] = &[
    function("of", 1, 1, zone_named),
    function("systemDefault", 0, 0, |vm, _| Ok(wrap(vm, Time::Zone(TimeZone::UTC)))),
];

pub(super) const FORMATTERS: &[Static] = &[
    function("ofPattern", 1, 2, |vm, args| {
        let pattern = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        Ok(wrap(vm, Time::Formatter(pattern)))
    }),
    function("ISO_LOCAL_DATE", 0, 0, |vm, _| Ok(formatter(vm, "yyyy-MM-dd"))),
    function("ISO_DATE", 0, 0, |vm, _| Ok(formatter(vm, "yyyy-MM-dd"))),
    function("BASIC_ISO_DATE", 0, 0, |vm, _| Ok(formatter(vm, "yyyyMMdd"))),
    function("ISO_LOCAL_TIME", 0, 0, |vm, _| Ok(formatter(vm, "\u{1}T"))),
    function("ISO_LOCAL_DATE_TIME", 0, 0, |vm, _| Ok(formatter(vm, "\u{1}L"))),
    function("ISO_DATE_TIME", 0, 0, |vm, _| Ok(formatter(vm, "\u{1}Z"))),
    function("ISO_OFFSET_DATE_TIME", 0, 0, |vm, _| Ok(formatter(vm, "\u{1}O"))),
    function("ISO_ZONED_DATE_TIME", 0, 0, |vm, _| Ok(formatter(vm, "\u{1}Z"))),
    function("ISO_INSTANT", 0, 0, |vm, _| Ok(formatter(vm, "\u{1}I"))),
];

pub(super) const WEEKDAYS: &[Static] = &[
    function("of", 1, 1, |vm, args| {
        let at = named_place(vm, args, "DayOfWeek", 7)?;
        Ok(weekday(vm, at))
    }),
    function("MONDAY", 0, 0, |vm, _| Ok(weekday(vm, 1))),
    function("TUESDAY", 0, 0, |vm, _| Ok(weekday(vm, 2))),
    function("WEDNESDAY", 0, 0, |vm, _| Ok(weekday(vm, 3))),
    function("THURSDAY", 0, 0, |vm, _| Ok(weekday(vm, 4))),
    function("FRIDAY", 0, 0, |vm, _| Ok(weekday(vm, 5))),
    function("SATURDAY", 0, 0, |vm, _| Ok(weekday(vm, 6))),
    function("SUNDAY", 0, 0, |vm, _| Ok(weekday(vm, 7))),
];

pub(super) const MONTH_STATICS: &[Static] = &[
    function("of", 1, 1, |vm, args| {
        let at = named_place(vm, args, "MonthOfYear", 12)?;
        Ok(month(vm, at))
    }),
    function("JANUARY", 0, 0, |vm, _| Ok(month(vm, 1))),
    function("FEBRUARY", 0, 0, |vm, _| Ok(month(vm, 2))),
    function("MARCH", 0, 0, |vm, _| Ok(month(vm, 3))),
    function("APRIL", 0, 0, |vm, _| Ok(month(vm, 4))),
    function("MAY", 0, 0, |vm, _| Ok(month(vm, 5))),
    function("JUNE", 0, 0, |vm, _| Ok(month(vm, 6))),
    function("JULY", 0, 0, |vm, _| Ok(month(vm, 7))),
    function("AUGUST", 0, 0, |vm, _| Ok(month(vm, 8))),
    function("SEPTEMBER", 0, 0, |vm, _| Ok(month(vm, 9))),
    function("OCTOBER", 0, 0, |vm, _| Ok(month(vm, 10))),
    function("NOVEMBER", 0, 0, |vm, _| Ok(month(vm, 11))),
    function("DECEMBER", 0, 0, |vm, _| Ok(month(vm, 12))),
];

pub(super) const UNIT_STATICS: &[Static] = &[
    function("NANOS", 0, 0, |vm, _| Ok(unit(vm, 0))),
    function("MICROS", 0, 0, |vm, _| Ok(unit(vm, 1))),
    function("MILLIS", 0, 0, |vm, _| Ok(unit(vm, 2))),
    function("SECONDS", 0, 0, |vm, _| Ok(unit(vm, 3))),
    function("MINUTES", 0, 0, |vm, _| Ok(unit(vm, 4))),
    function("HOURS", 0, 0, |vm, _| Ok(unit(vm, 5))),
    function("HALF_DAYS", 0, 0, |vm, _| Ok(unit(vm, 6))),
    function("DAYS", 0, 0, |vm, _| Ok(unit(vm, 7))),
    function("WEEKS", 0, 0, |vm, _| Ok(unit(vm, 8))),
    function("MONTHS", 0, 0, |vm, _| Ok(unit(vm, 9))),
    function("YEARS", 0, 0, |vm, _| Ok(unit(vm, 10))),
    function("DECADES", 0, 0, |vm, _| Ok(unit(vm, 11))),
];

/// A number of a weekday or month, from 1.
fn named_place(vm: &mut Vm, args: &[Value], what: &str, most: i8) -> Result<i8, Raise> {
    let at = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
    match i8::try_from(at) {
        Ok(at) if (1..=most).contains(&at) => Ok(at),
        _ => Err(vm.throw("java.time.DateTimeException", format!("Invalid value for {what}: {at}"))),
    }
}
