//! `java.time`: instants, local and zoned dates and times, durations and periods.
//!
//! One state for all of them and one method for all that have it: a method that a class lacks answers
//! [`Raise::NoMatch`]. "Now" and the default zone come from the host and are UTC.

use std::rc::Rc;

use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::arguments::{int, long, string, yes};
use super::date::{self, zone, zone_name};
use super::enumeration::{self, Constant};
use super::time_pattern::{DAYS, Dialect, Fields, MONTHS, Read, read, write};
use super::{Answer, Declared, Extension, Method, Static, function, method};
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// State of every value here.
#[derive(Clone)]
pub(crate) enum Time {
    Instant(Timestamp),
    Date(Date),
    Clock(Clock),
    Local(DateTime),
    Zoned(Zoned),
    Offset(DateTime, Offset),
    Duration(SignedDuration),
    /// Years, months, days.
    Period(i32, i32, i32),
    Zone(TimeZone),
    Formatter(Rc<str>),
}

const INSTANT: &str = "java.time.Instant";
const DATE: &str = "java.time.LocalDate";
const CLOCK: &str = "java.time.LocalTime";
const LOCAL: &str = "java.time.LocalDateTime";
const ZONED: &str = "java.time.ZonedDateTime";
const OFFSET: &str = "java.time.OffsetDateTime";
const DURATION: &str = "java.time.Duration";
const PERIOD: &str = "java.time.Period";
const ZONE: &str = "java.time.ZoneId";
const ZONE_OFFSET: &str = "java.time.ZoneOffset";
const FORMATTER: &str = "java.time.format.DateTimeFormatter";
const WEEKDAY: &str = "java.time.DayOfWeek";
const MONTH: &str = "java.time.Month";
const UNIT: &str = "java.time.temporal.ChronoUnit";

const fn class(name: &'static str, parent: &'static str) -> Declared {
    Declared { name, parent, interfaces: &["java.lang.Comparable"], interface: false }
}

pub(super) const DECLARED: &[Declared] = &[
    class(INSTANT, "java.lang.Object"),
    class(DATE, "java.lang.Object"),
    class(CLOCK, "java.lang.Object"),
    class(LOCAL, "java.lang.Object"),
    class(ZONED, "java.lang.Object"),
    class(OFFSET, "java.lang.Object"),
    class(DURATION, "java.lang.Object"),
    class(PERIOD, "java.lang.Object"),
    class(ZONE, "java.lang.Object"),
    class(ZONE_OFFSET, ZONE),
    class(FORMATTER, "java.lang.Object"),
    class(WEEKDAY, "java.lang.Enum"),
    class(MONTH, "java.lang.Enum"),
    class(UNIT, "java.lang.Enum"),
];

const fn times(of: &'static str, statics: &'static [Static]) -> Extension {
    Extension { of, methods: METHODS, statics, new: None }
}

pub(super) const EXTENSIONS: &[Extension] = &[
    times(INSTANT, INSTANTS),
    times(DATE, DATES),
    times(CLOCK, CLOCKS),
    times(LOCAL, LOCALS),
    times(ZONED, ZONEDS),
    times(OFFSET, OFFSETS),
    times(DURATION, DURATIONS),
    times(PERIOD, PERIODS),
    times(ZONE, ZONES),
    times(FORMATTER, FORMATTERS),
    Extension {
        of: ZONE_OFFSET,
        methods: &[],
        statics: &[
            function("UTC", 0, 0, |vm, _| fixed(vm, 0)),
            function("ofHours", 1, 1, |vm, args| {
                let hours = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
                fixed(vm, hours.saturating_mul(3600))
            }),
            function("of", 1, 1, zone_named),
        ],
        new: None,
    },
    Extension { of: WEEKDAY, methods: NAMED, statics: WEEKDAYS, new: None },
    Extension { of: MONTH, methods: NAMED, statics: MONTH_STATICS, new: None },
    Extension { of: UNIT, methods: UNITS, statics: UNIT_STATICS, new: None },
    Extension { of: WEEKDAY, methods: enumeration::METHODS, statics: &[], new: None },
    Extension { of: MONTH, methods: enumeration::METHODS, statics: &[], new: None },
    Extension { of: UNIT, methods: enumeration::METHODS, statics: &[], new: None },
];

/// Units that an amount is counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Nanos,
    Micros,
    Millis,
    Seconds,
    Minutes,
    Hours,
    HalfDays,
    Days,
    Weeks,
    Months,
    Years,
    Decades,
}

const METHODS: &[Method] = &[
    method("toString", 0, 0, |_, this, _| string(text(this)?)),
    method("compareTo", 1, 1, |_, this, args| {
        Ok(Value::Int(order(this, args.first().ok_or(Raise::NoMatch)?)?.map_or(0, |order| order as i32)))
    }),
    method("isBefore", 1, 1, |_, this, args| {
        yes(order(this, args.first().ok_or(Raise::NoMatch)?)?.is_some_and(|order| order.is_lt()))
    }),
    method("isAfter", 1, 1, |_, this, args| {
        yes(order(this, args.first().ok_or(Raise::NoMatch)?)?.is_some_and(|order| order.is_gt()))
    }),
    method("isEqual", 1, 1, |_, this, args| {
        yes(order(this, args.first().ok_or(Raise::NoMatch)?)?.is_some_and(|order| order.is_eq()))
    }),
    method("hashCode", 0, 0, |_, this, _| Ok(Value::Int(super::text::hash(&text(this)?)))),
    method("plusYears", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Years, 1)),
    method("plusMonths", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Months, 1)),
    method("plusWeeks", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Weeks, 1)),
    method("plusDays", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Days, 1)),
    method("plusHours", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Hours, 1)),
    method("plusMinutes", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Minutes, 1)),
    method("plusSeconds", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Seconds, 1)),
    method("plusMillis", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Millis, 1)),
    method("plusNanos", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Nanos, 1)),
    method("minusYears", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Years, -1)),
    method("minusMonths", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Months, -1)),
    method("minusWeeks", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Weeks, -1)),
    method("minusDays", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Days, -1)),
    method("minusHours", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Hours, -1)),
    method("minusMinutes", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Minutes, -1)),
    method("minusSeconds", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Seconds, -1)),
    method("minusMillis", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Millis, -1)),
    method("minusNanos", 1, 1, |vm, this, args| shift(vm, this, args, Unit::Nanos, -1)),
    method("plus", 1, 2, |vm, this, args| add(vm, this, args, 1)),
    method("minus", 1, 2, |vm, this, args| add(vm, this, args, -1)),
    method("next", 0, 0, |vm, this, _| shift(vm, this, &[Value::Int(1)], Unit::Days, 1)),
    method("previous", 0, 0, |vm, this, _| shift(vm, this, &[Value::Int(1)], Unit::Days, -1)),
    method("withYear", 1, 1, |vm, this, args| with(vm, this, args, 0)),
    method("withMonth", 1, 1, |vm, this, args| with(vm, this, args, 1)),
    method("withDayOfMonth", 1, 1, |vm, this, args| with(vm, this, args, 2)),
    method("withHour", 1, 1, |vm, this, args| with(vm, this, args, 3)),
    method("withMinute", 1, 1, |vm, this, args| with(vm, this, args, 4)),
    method("withSecond", 1, 1, |vm, this, args| with(vm, this, args, 5)),
    method("withNano", 1, 1, |vm, this, args| with(vm, this, args, 6)),
    method("getYear", 0, 0, |_, this, _| Ok(Value::Int(day(this)?.year().into()))),
    method("getMonthValue", 0, 0, |_, this, _| Ok(Value::Int(day(this)?.month().into()))),
    method("getMonth", 0, 0, |vm, this, _| Ok(month(vm, day(this)?.month()))),
    method("getDayOfMonth", 0, 0, |_, this, _| Ok(Value::Int(day(this)?.day().into()))),
    method("getDayOfYear", 0, 0, |_, this, _| Ok(Value::Int(day(this)?.day_of_year().into()))),
    method("getDayOfWeek", 0, 0, |vm, this, _| Ok(weekday(vm, day(this)?.weekday().to_monday_one_offset()))),
    method("lengthOfMonth", 0, 0, |_, this, _| Ok(Value::Int(day(this)?.days_in_month().into()))),
    method("lengthOfYear", 0, 0, |_, this, _| Ok(Value::Int(day(this)?.days_in_year().into()))),
    method("isLeapYear", 0, 0, |_, this, _| yes(day(this)?.in_leap_year())),
    method("toEpochDay", 0, 0, |_, this, _| Ok(Value::Long(epoch_day(day(this)?)))),
    method("getHour", 0, 0, |_, this, _| Ok(Value::Int(clock(this)?.hour().into()))),
    method("getMinute", 0, 0, |_, this, _| Ok(Value::Int(clock(this)?.minute().into()))),
    method("getSecond", 0, 0, |_, this, _| Ok(Value::Int(clock(this)?.second().into()))),
    method("getNano", 0, 0, |_, this, _| match of(this)? {
        Time::Duration(duration) => Ok(Value::Int(duration.subsec_nanos())),
        Time::Instant(at) => Ok(Value::Int(at.subsec_nanosecond())),
        _ => Ok(Value::Int(clock(this)?.subsec_nanosecond())),
    }),
    method("toLocalDate", 0, 0, |vm, this, _| Ok(wrap(vm, Time::Date(day(this)?)))),
    method("toLocalTime", 0, 0, |vm, this, _| Ok(wrap(vm, Time::Clock(clock(this)?)))),
    method("toLocalDateTime", 0, 0, |vm, this, _| Ok(wrap(vm, Time::Local(local(this)?)))),
    method("toInstant", 0, 1, |vm, this, args| {
        let at = match args {
            [zone] => zoned_at(local(this)?, &zone_arg(zone)?)?.timestamp(),
            _ => instant_of(this)?,
        };
        Ok(wrap(vm, Time::Instant(at)))
    }),
    method("getEpochSecond", 0, 0, |_, this, _| Ok(Value::Long(instant_of(this)?.as_second()))),
    method("toEpochSecond", 0, 1, |_, this, args| match args {
        [zone] => Ok(Value::Long(zoned_at(local(this)?, &zone_arg(zone)?)?.timestamp().as_second())),
        _ => Ok(Value::Long(instant_of(this)?.as_second())),
    }),
    method("toEpochMilli", 0, 0, |_, this, _| Ok(Value::Long(instant_of(this)?.as_millisecond()))),
    method("atZone", 1, 1, |vm, this, args| {
        let zone = zone_arg(args.first().ok_or(Raise::NoMatch)?)?;
        let zoned = match of(this)? {
            Time::Instant(at) => at.to_zoned(zone),
            _ => zoned_at(local(this)?, &zone)?,
        };
        Ok(wrap(vm, Time::Zoned(zoned)))
    }),
    method("atOffset", 1, 1, |vm, this, args| {
        let zone = zone_arg(args.first().ok_or(Raise::NoMatch)?)?;
        let offset = constant(&zone).ok_or(Raise::NoMatch)?;
        let when = match of(this)? {
            Time::Instant(at) => offset.to_datetime(*at),
            _ => local(this)?,
        };
        Ok(wrap(vm, Time::Offset(when, offset)))
    }),
    method("atStartOfDay", 0, 1, |vm, this, args| {
        let start = day(this)?.to_datetime(Clock::midnight());
        let time = match args {
            [zone] => Time::Zoned(zoned_at(start, &zone_arg(zone)?)?),
            _ => Time::Local(start),
        };
        Ok(wrap(vm, time))
    }),
    method("atTime", 1, 3, |vm, this, args| {
        let time = match args {
            [time @ Value::Native(_)] => clock(time)?,
            _ => clock_from(vm, args)?,
        };
        Ok(wrap(vm, Time::Local(day(this)?.to_datetime(time))))
    }),
    method("withZoneSameInstant", 1, 1, |vm, this, args| {
        let zone = zone_arg(args.first().ok_or(Raise::NoMatch)?)?;
        Ok(wrap(vm, Time::Zoned(instant_of(this)?.to_zoned(zone))))
    }),
    method("withZoneSameLocal", 1, 1, |vm, this, args| {
        let zone = zone_arg(args.first().ok_or(Raise::NoMatch)?)?;
        Ok(wrap(vm, Time::Zoned(zoned_at(local(this)?, &zone)?)))
    }),
    method("getZone", 0, 0, |vm, this, _| match of(this)? {
        Time::Zoned(zoned) => Ok(wrap(vm, Time::Zone(zoned.time_zone().clone()))),
        _ => Err(Raise::NoMatch),
    }),
    method("getOffset", 0, 0, |vm, this, _| match of(this)? {
        Time::Zoned(zoned) => fixed(vm, zoned.offset().seconds()),
        Time::Offset(_, offset) => fixed(vm, offset.seconds()),
        _ => Err(Raise::NoMatch),
    }),
    method("toOffsetDateTime", 0, 0, |vm, this, _| match of(this)? {
        Time::Zoned(zoned) => Ok(wrap(vm, Time::Offset(zoned.datetime(), zoned.offset()))),
        _ => Err(Raise::NoMatch),
    }),
    method("truncatedTo", 1, 1, truncated),
    method("until", 1, 2, |vm, this, args| match args {
        [other] => Ok(wrap(vm, period_between(day(this)?, day(other)?))),
        [other, unit] => unit_between(vm, unit, this, other),
        _ => Err(Raise::NoMatch),
    }),
    method("format", 1, 1, |vm, this, args| match args {
        [formatter @ Value::Native(_)] => match of(formatter)? {
            Time::Formatter(pattern) => formatted(vm, &pattern.clone(), this),
            _ => Err(Raise::NoMatch),
        },
        [pattern @ (Value::Str(_) | Value::GStr(_))] => {
            let pattern = vm.str_arg(pattern)?;
            formatted(vm, &pattern, this)
        }
        _ => Err(Raise::NoMatch),
    }),
    method("format", 1, 1, |vm, this, args| match (of(this)?, args) {
        (Time::Formatter(pattern), [time]) => formatted(vm, &pattern.clone(), time),
        _ => Err(Raise::NoMatch),
    }),
    method("withZone", 1, 1, |_, this, _| Ok(this.clone())),
    method("withLocale", 1, 1, |_, this, _| Ok(this.clone())),
    method("getId", 0, 0, |_, this, _| string(text(this)?)),
    method("getTotalSeconds", 0, 0, |_, this, _| match of(this)? {
        Time::Zone(zone) => Ok(Value::Int(constant(zone).map_or(0, |offset| offset.seconds()))),
        _ => Err(Raise::NoMatch),
    }),
    method("getSeconds", 0, 0, |_, this, _| Ok(Value::Long(duration(this)?.as_secs()))),
    method("toDays", 0, 0, |_, this, _| Ok(Value::Long(duration(this)?.as_secs() / 86_400))),
    method("toHours", 0, 0, |_, this, _| Ok(Value::Long(duration(this)?.as_secs() / 3_600))),
    method("toMinutes", 0, 0, |_, this, _| Ok(Value::Long(duration(this)?.as_secs() / 60))),
    method("toSeconds", 0, 0, |_, this, _| Ok(Value::Long(duration(this)?.as_secs()))),
    method("toMillis", 0, 0, |_, this, _| {
        Ok(Value::Long(i64::try_from(duration(this)?.as_millis()).unwrap_or(i64::MAX)))
    }),
    method("toNanos", 0, 0, |_, this, _| {
        Ok(Value::Long(i64::try_from(duration(this)?.as_nanos()).unwrap_or(i64::MAX)))
    }),
    method("toHoursPart", 0, 0, |_, this, _| part(this, 3_600, 24)),
    method("toMinutesPart", 0, 0, |_, this, _| part(this, 60, 60)),
    method("toSecondsPart", 0, 0, |_, this, _| part(this, 1, 60)),
    method("isZero", 0, 0, |_, this, _| match of(this)? {
        Time::Period(years, months, days) => yes(*years == 0 && *months == 0 && *days == 0),
        _ => yes(duration(this)?.is_zero()),
    }),
    method("isNegative", 0, 0, |_, this, _| yes(duration(this)?.is_negative())),
    method("multipliedBy", 1, 1, |vm, this, args| {
        let by = i32::try_from(long(args.first().ok_or(Raise::NoMatch)?)?).map_err(|_| Raise::NoMatch)?;
        let all = duration(this)?.checked_mul(by).ok_or(Raise::NoMatch)?;
        Ok(wrap(vm, Time::Duration(all)))
    }),
    method("abs", 0, 0, |vm, this, _| {
        let all = duration(this)?.abs();
        Ok(wrap(vm, Time::Duration(all)))
    }),
    method("getYears", 0, 0, |_, this, _| Ok(Value::Int(period(this)?.0))),
    method("getMonths", 0, 0, |_, this, _| Ok(Value::Int(period(this)?.1))),
    method("getDays", 0, 0, |_, this, _| Ok(Value::Int(period(this)?.2))),
    method("toTotalMonths", 0, 0, |_, this, _| {
        let (years, months, _) = period(this)?;
        Ok(Value::Long(i64::from(years) * 12 + i64::from(months)))
    }),
    method("normalized", 0, 0, |vm, this, _| {
        let (years, months, days) = period(this)?;
        let all = years.saturating_mul(12).saturating_add(months);
        Ok(wrap(vm, Time::Period(all / 12, all % 12, days)))
    }),
];

const INSTANTS: &[Static] = &[
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

const DATES: &[Static] = &[
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

const CLOCKS: &[Static] = &[
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

const LOCALS: &[Static] = &[
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

const ZONEDS: &[Static] = &[
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

const OFFSETS: &[Static] = &[
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

const DURATIONS: &[Static] = &[
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

const PERIODS: &[Static] = &[
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

const ZONES: &[Static] = &[
    function("of", 1, 1, zone_named),
    function("systemDefault", 0, 0, |vm, _| Ok(wrap(vm, Time::Zone(TimeZone::UTC)))),
];

const FORMATTERS: &[Static] = &[
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

const NAMED: &[Method] = &[
    method("getValue", 0, 0, |_, this, _| Ok(Value::Int(place(this)? + 1))),
    method("plus", 1, 1, |vm, this, args| turn(vm, this, args, 1)),
    method("minus", 1, 1, |vm, this, args| turn(vm, this, args, -1)),
];

const WEEKDAYS: &[Static] = &[
    function("of", 1, 1, |vm, args| {
        let at = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
        Ok(weekday(vm, i8::try_from(at).unwrap_or(1)))
    }),
    function("MONDAY", 0, 0, |vm, _| Ok(weekday(vm, 1))),
    function("TUESDAY", 0, 0, |vm, _| Ok(weekday(vm, 2))),
    function("WEDNESDAY", 0, 0, |vm, _| Ok(weekday(vm, 3))),
    function("THURSDAY", 0, 0, |vm, _| Ok(weekday(vm, 4))),
    function("FRIDAY", 0, 0, |vm, _| Ok(weekday(vm, 5))),
    function("SATURDAY", 0, 0, |vm, _| Ok(weekday(vm, 6))),
    function("SUNDAY", 0, 0, |vm, _| Ok(weekday(vm, 7))),
];

const MONTH_STATICS: &[Static] = &[
    function("of", 1, 1, |vm, args| {
        let at = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
        Ok(month(vm, i8::try_from(at).unwrap_or(1)))
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

const UNITS: &[Method] = &[
    method("between", 2, 2, |vm, this, args| match args {
        [from, to] => unit_between(vm, this, from, to),
        _ => Err(Raise::NoMatch),
    }),
    method("toString", 0, 0, |_, this, _| {
        let name = enumeration::constant(this).ok_or(Raise::NoMatch)?.name;
        let lower = name.to_lowercase();
        string(format!("{}{}", name.get(..1).unwrap_or(""), lower.get(1..).unwrap_or("")))
    }),
];

const UNIT_TABLE: [(&str, Unit, i128); 12] = [
    ("NANOS", Unit::Nanos, 1),
    ("MICROS", Unit::Micros, 1_000),
    ("MILLIS", Unit::Millis, 1_000_000),
    ("SECONDS", Unit::Seconds, 1_000_000_000),
    ("MINUTES", Unit::Minutes, 60_000_000_000),
    ("HOURS", Unit::Hours, 3_600_000_000_000),
    ("HALF_DAYS", Unit::HalfDays, 43_200_000_000_000),
    ("DAYS", Unit::Days, 86_400_000_000_000),
    ("WEEKS", Unit::Weeks, 604_800_000_000_000),
    ("MONTHS", Unit::Months, 0),
    ("YEARS", Unit::Years, 0),
    ("DECADES", Unit::Decades, 0),
];

const UNIT_STATICS: &[Static] = &[
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

fn unit(vm: &mut Vm, at: usize) -> Value {
    vm.native(UNIT, Constant { name: UNIT_TABLE.get(at).map_or("", |row| row.0), ordinal: at })
}

fn upper(name: &'static str, names: &'static str) -> &'static str {
    // The names of the enums are the English names in capitals, kept as one text to borrow from.
    names.split(' ').find(|other| other.eq_ignore_ascii_case(name)).unwrap_or(name)
}

fn weekday(vm: &mut Vm, at: i8) -> Value {
    let place = usize::try_from(at - 1).unwrap_or(0) % 7;
    let name =
        upper(DAYS.get(place).copied().unwrap_or(""), "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY");
    vm.native(WEEKDAY, Constant { name, ordinal: place })
}

fn month(vm: &mut Vm, at: i8) -> Value {
    let place = usize::try_from(at - 1).unwrap_or(0) % 12;
    let name = upper(
        MONTHS.get(place).copied().unwrap_or(""),
        "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER",
    );
    vm.native(MONTH, Constant { name, ordinal: place })
}

fn place(this: &Value) -> Result<i32, Raise> {
    enumeration::ordinal(this).and_then(|at| i32::try_from(at).ok()).ok_or(Raise::NoMatch)
}

fn turn(vm: &mut Vm, this: &Value, args: &[Value], sign: i64) -> Answer {
    let by = long(args.first().ok_or(Raise::NoMatch)?)?;
    let is_month = &*vm.class_name(this) == MONTH;
    let size = if is_month { 12 } else { 7 };
    let at = (i64::from(place(this)?) + sign * (by % size)).rem_euclid(size) + 1;
    let at = i8::try_from(at).unwrap_or(1);
    Ok(if is_month { month(vm, at) } else { weekday(vm, at) })
}

fn wrap(vm: &mut Vm, time: Time) -> Value {
    let class = match &time {
        Time::Instant(_) => INSTANT,
        Time::Date(_) => DATE,
        Time::Clock(_) => CLOCK,
        Time::Local(_) => LOCAL,
        Time::Zoned(_) => ZONED,
        Time::Offset(..) => OFFSET,
        Time::Duration(_) => DURATION,
        Time::Period(..) => PERIOD,
        Time::Zone(_) => ZONE,
        Time::Formatter(_) => FORMATTER,
    };
    vm.native(class, time)
}

fn of(value: &Value) -> Result<&Time, Raise> {
    match value {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

/// An `Instant`.
pub(super) fn instant(vm: &mut Vm, millis: i64) -> Value {
    wrap(vm, Time::Instant(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// Milliseconds since 1970 of an `Instant`.
pub(super) fn instant_millis(value: &Value) -> Result<i64, Raise> {
    instant_of(value).map(|at| at.as_millisecond())
}

fn formatter(vm: &mut Vm, pattern: &str) -> Value {
    wrap(vm, Time::Formatter(Rc::from(pattern)))
}

/// The zone of `ZoneOffset.UTC`, which prints as `Z`, while the region `UTC` prints as `Z[UTC]`: a zone by rule, which has
/// no name.
fn greenwich() -> TimeZone {
    TimeZone::posix("UTC0").unwrap_or(TimeZone::UTC)
}

/// The offset of a zone that has the same all year.
fn constant(zone: &TimeZone) -> Option<Offset> {
    zone.to_fixed_offset().ok().or_else(|| (zone.iana_name().is_none()).then_some(Offset::UTC))
}

fn fixed(vm: &mut Vm, seconds: i32) -> Answer {
    if seconds == 0 {
        return Ok(wrap(vm, Time::Zone(greenwich())));
    }
    let offset = Offset::from_seconds(seconds);
    made(vm, offset.map(|offset| Time::Zone(TimeZone::fixed(offset))), "offset")
}

fn made(vm: &mut Vm, time: Result<Time, jiff::Error>, what: &str) -> Answer {
    match time {
        Ok(time) => Ok(wrap(vm, time)),
        Err(error) => Err(vm.throw("java.time.DateTimeException", format!("Invalid {what}: {error}"))),
    }
}

fn zone_named(vm: &mut Vm, args: &[Value]) -> Answer {
    let name = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
    match zone(&name) {
        Some(zone) => Ok(wrap(vm, Time::Zone(zone))),
        None => Err(vm.throw("java.time.zone.ZoneRulesException", format!("Unknown time-zone ID: {name}"))),
    }
}

fn zone_arg(value: &Value) -> Result<TimeZone, Raise> {
    match of(value) {
        Ok(Time::Zone(zone)) => Ok(zone.clone()),
        _ => date::zone_of(value),
    }
}

fn now(vm: &mut Vm, args: &[Value]) -> Result<Zoned, Raise> {
    let zone = args.first().map_or(Ok(TimeZone::UTC), zone_arg)?;
    Ok(Timestamp::from_millisecond(vm.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone))
}

fn zoned_at(when: DateTime, zone: &TimeZone) -> Result<Zoned, Raise> {
    when.to_zoned(zone.clone()).map_err(|_| Raise::NoMatch)
}

fn day(value: &Value) -> Result<Date, Raise> {
    match of(value)? {
        Time::Date(date) => Ok(*date),
        _ => local(value).map(|when| when.date()),
    }
}

fn clock(value: &Value) -> Result<Clock, Raise> {
    match of(value)? {
        Time::Clock(time) => Ok(*time),
        _ => local(value).map(|when| when.time()),
    }
}

fn local(value: &Value) -> Result<DateTime, Raise> {
    match of(value)? {
        Time::Local(when) | Time::Offset(when, _) => Ok(*when),
        Time::Zoned(zoned) => Ok(zoned.datetime()),
        _ => Err(Raise::NoMatch),
    }
}

fn instant_of(value: &Value) -> Result<Timestamp, Raise> {
    match of(value)? {
        Time::Instant(at) => Ok(*at),
        Time::Zoned(zoned) => Ok(zoned.timestamp()),
        Time::Offset(when, offset) => offset.to_timestamp(*when).map_err(|_| Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn duration(value: &Value) -> Result<SignedDuration, Raise> {
    match of(value)? {
        Time::Duration(duration) => Ok(*duration),
        _ => Err(Raise::NoMatch),
    }
}

fn period(value: &Value) -> Result<(i32, i32, i32), Raise> {
    match of(value)? {
        Time::Period(years, months, days) => Ok((*years, *months, *days)),
        _ => Err(Raise::NoMatch),
    }
}

fn part(this: &Value, unit: i64, most: i64) -> Answer {
    Ok(Value::Int(i32::try_from(duration(this)?.as_secs() / unit % most).unwrap_or(0)))
}

fn order(a: &Value, b: &Value) -> Result<Option<std::cmp::Ordering>, Raise> {
    Ok(match (of(a)?, of(b)?) {
        (Time::Date(a), Time::Date(b)) => Some(a.cmp(b)),
        (Time::Clock(a), Time::Clock(b)) => Some(a.cmp(b)),
        (Time::Local(a), Time::Local(b)) => Some(a.cmp(b)),
        (Time::Duration(a), Time::Duration(b)) => Some(a.cmp(b)),
        (Time::Instant(_) | Time::Zoned(_) | Time::Offset(..), _) => Some(instant_of(a)?.cmp(&instant_of(b)?)),
        _ => return Err(Raise::NoMatch),
    })
}

fn seconds_text(when: &Clock) -> String {
    let nanos = when.subsec_nanosecond();
    if nanos == 0 && when.second() == 0 {
        return String::new();
    }
    format!(":{:02}{}", when.second(), fraction(nanos))
}

/// Three, six or nine digits, as many as are needed.
fn fraction(nanos: i32) -> String {
    match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        _ => format!(".{nanos:09}"),
    }
}

fn local_text(when: &DateTime) -> String {
    format!("{}T{}", when.date(), clock_text(&when.time()))
}

fn clock_text(when: &Clock) -> String {
    format!("{:02}:{:02}{}", when.hour(), when.minute(), seconds_text(when))
}

fn short_offset(offset: Offset) -> String {
    if offset.seconds() == 0 { "Z".to_owned() } else { super::time_pattern::offset_text(offset.seconds(), true, true) }
}

fn instant_text(at: &Timestamp) -> String {
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
pub(super) fn text(value: &Value) -> Result<String, Raise> {
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

fn duration_text(duration: &SignedDuration) -> String {
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
pub(super) fn key(value: &Value) -> Option<String> {
    of(value).ok().and_then(|time| match time {
        Time::Formatter(_) => None,
        _ => text(value).ok(),
    })
}

fn date_from(vm: &mut Vm, args: &[Value]) -> Result<Date, Raise> {
    let [year, month, day, ..] = args else { return Err(Raise::NoMatch) };
    let month = match month {
        Value::Native(_) => place(month)? + 1,
        number => int(vm, number)?,
    };
    let (year, day) = (int(vm, year)?, int(vm, day)?);
    checked_date(year.into(), month.into(), day.into()).map_err(|said| vm.throw("java.time.DateTimeException", said))
}

/// A date, or Java's words for why there is none.
fn checked_date(year: i64, month: i64, day: i64) -> Result<Date, String> {
    if !(1..=12).contains(&month) {
        return Err(format!("Invalid value for MonthOfYear (valid values 1 - 12): {month}"));
    }
    if !(1..=31).contains(&day) {
        return Err(format!("Invalid value for DayOfMonth (valid values 1 - 28/31): {day}"));
    }
    let parts = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    if let (Ok(year), Ok(month), Ok(day)) = parts {
        if let Ok(date) = Date::new(year, month, day) {
            return Ok(date);
        }
    }
    let name = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("").to_uppercase();
    Err(if month == 2 && day == 29 {
        format!("Invalid date 'February 29' as '{year}' is not a leap year")
    } else {
        format!("Invalid date '{name} {day}'")
    })
}

fn clock_from(vm: &mut Vm, args: &[Value]) -> Result<Clock, Raise> {
    let mut parts = [0i32; 4];
    for (place, value) in parts.iter_mut().zip(args) {
        *place = int(vm, value)?;
    }
    let names = [("HourOfDay", 23), ("MinuteOfHour", 59), ("SecondOfMinute", 59), ("NanoOfSecond", 999_999_999)];
    for (part, (name, most)) in parts.iter().zip(names) {
        if !(0..=most).contains(part) {
            return Err(vm.throw(
                "java.time.DateTimeException",
                format!("Invalid value for {name} (valid values 0 - {most}): {part}"),
            ));
        }
    }
    let [hour, minute, second, nano] = parts;
    let small = |number: i32| i8::try_from(number).unwrap_or(0);
    Clock::new(small(hour), small(minute), small(second), nano).map_err(|_| Raise::NoMatch)
}

fn local_from(vm: &mut Vm, args: &[Value]) -> Result<DateTime, Raise> {
    match args {
        [date @ Value::Native(_), time] if of(date).is_ok() => Ok(day(date)?.to_datetime(clock(time)?)),
        [already @ Value::Native(_)] => local(already),
        [_, _, _, rest @ ..] => Ok(date_from(vm, args)?.to_datetime(clock_from(vm, rest)?)),
        _ => Err(Raise::NoMatch),
    }
}

fn span(vm: &mut Vm, args: &[Value], nanos: i128) -> Answer {
    let many = i128::from(long(args.first().ok_or(Raise::NoMatch)?)?);
    Ok(wrap(vm, Time::Duration(from_nanos(many * nanos))))
}

fn from_nanos(nanos: i128) -> SignedDuration {
    let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
    SignedDuration::new(seconds, i32::try_from(nanos % 1_000_000_000).unwrap_or(0))
}

fn some_period(vm: &mut Vm, args: &[Value], make: fn(i32) -> Time) -> Answer {
    let many = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
    Ok(wrap(vm, make(many)))
}

fn epoch_day(date: Date) -> i64 {
    date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24
}

fn period_between(from: Date, to: Date) -> Time {
    let months = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
    let mut all = months(to) - months(from);
    let mut days = i64::from(to.day()) - i64::from(from.day());
    if all > 0 && days < 0 {
        all -= 1;
        let middle = add_months(from, all).unwrap_or(from);
        days = epoch_day(to) - epoch_day(middle);
    } else if all < 0 && days > 0 {
        all += 1;
        days -= i64::from(to.days_in_month());
    }
    let small = |number: i64| i32::try_from(number).unwrap_or(0);
    Time::Period(small(all / 12), small(all % 12), small(days))
}

fn add_months(date: Date, months: i64) -> Option<Date> {
    let all = (i64::from(date.year()) * 12 + i64::from(date.month()) - 1).checked_add(months)?;
    let (year, month) = (i16::try_from(all.div_euclid(12)).ok()?, i8::try_from(all.rem_euclid(12) + 1).ok()?);
    let most = Date::new(year, month, 1).ok()?.days_in_month();
    Date::new(year, month, date.day().min(most)).ok()
}

fn nanos_between(from: &Value, to: &Value) -> Result<i128, Raise> {
    match (of(from)?, of(to)?) {
        (Time::Clock(a), Time::Clock(b)) => Ok(b.duration_since(*a).as_nanos()),
        (Time::Local(a), Time::Local(b)) => Ok(b.duration_since(*a).as_nanos()),
        _ => Ok(instant_of(to)?.duration_since(instant_of(from)?).as_nanos()),
    }
}

fn unit_between(vm: &mut Vm, unit: &Value, from: &Value, to: &Value) -> Answer {
    let row = enumeration::ordinal(unit).and_then(|at| UNIT_TABLE.get(at)).ok_or(Raise::NoMatch)?;
    let answer = match row.1 {
        Unit::Months | Unit::Years | Unit::Decades => {
            let Time::Period(years, months, _) = period_between(day(from)?, day(to)?) else {
                return Err(Raise::NoMatch);
            };
            let months = i64::from(years) * 12 + i64::from(months);
            match row.1 {
                Unit::Months => months,
                Unit::Years => months / 12,
                _ => months / 120,
            }
        }
        _ => {
            let nanos = match (of(from)?, of(to)?) {
                (Time::Date(a), _) => i128::from(epoch_day(day(to)?) - epoch_day(*a)) * 86_400_000_000_000,
                _ => nanos_between(from, to)?,
            };
            if matches!(of(from)?, Time::Date(_)) && row.2 < 86_400_000_000_000 {
                let name = vm.text(unit)?;
                return Err(vm.throw(
                    "java.time.temporal.UnsupportedTemporalTypeException",
                    format!("Unsupported unit: {name}"),
                ));
            }
            i64::try_from(nanos / row.2.max(1)).unwrap_or(i64::MAX)
        }
    };
    Ok(Value::Long(answer))
}

fn shift(vm: &mut Vm, this: &Value, args: &[Value], unit: Unit, sign: i64) -> Answer {
    let many = long(args.first().ok_or(Raise::NoMatch)?)?.saturating_mul(sign);
    let moved = moved(of(this)?, unit, many)?;
    Ok(wrap(vm, moved))
}

fn moved(time: &Time, unit: Unit, many: i64) -> Result<Time, Raise> {
    let months = match unit {
        Unit::Months => Some(many),
        Unit::Years => many.checked_mul(12),
        Unit::Decades => many.checked_mul(120),
        _ => None,
    };
    let nanos = UNIT_TABLE.iter().find(|row| row.1 == unit).map_or(0, |row| row.2) * i128::from(many);
    let length = from_nanos(nanos);
    let days = matches!(unit, Unit::Days | Unit::Weeks);
    let moved = match (time, months) {
        (Time::Date(date), Some(months)) => add_months(*date, months).map(Time::Date),
        (Time::Local(when), Some(months)) => {
            add_months(when.date(), months).map(|date| Time::Local(date.to_datetime(when.time())))
        }
        (Time::Offset(when, offset), Some(months)) => {
            add_months(when.date(), months).map(|date| Time::Offset(date.to_datetime(when.time()), *offset))
        }
        (Time::Zoned(zoned), Some(months)) => add_months(zoned.date(), months)
            .and_then(|date| date.to_datetime(zoned.time()).to_zoned(zoned.time_zone().clone()).ok())
            .map(Time::Zoned),
        (_, Some(_)) => None,
        (Time::Date(date), None) if days => date.checked_add(length).ok().map(Time::Date),
        (Time::Clock(time), None) if !days => Some(Time::Clock(time.wrapping_add(length))),
        (Time::Local(when), None) => when.checked_add(length).ok().map(Time::Local),
        (Time::Offset(when, offset), None) => when.checked_add(length).ok().map(|when| Time::Offset(when, *offset)),
        (Time::Zoned(zoned), None) if days => zoned
            .datetime()
            .checked_add(length)
            .ok()
            .and_then(|when| when.to_zoned(zoned.time_zone().clone()).ok())
            .map(Time::Zoned),
        (Time::Zoned(zoned), None) => zoned.checked_add(length).ok().map(Time::Zoned),
        (Time::Instant(at), None) => at.checked_add(length).ok().map(Time::Instant),
        (Time::Duration(duration), None) => duration.checked_add(length).map(Time::Duration),
        _ => None,
    };
    moved.ok_or(Raise::NoMatch)
}

/// `plus(amount)`, `plus(number, unit)`.
fn add(vm: &mut Vm, this: &Value, args: &[Value], sign: i64) -> Answer {
    let answer = match args {
        [many, unit] => {
            let row = enumeration::ordinal(unit).and_then(|at| UNIT_TABLE.get(at)).ok_or(Raise::NoMatch)?;
            moved(of(this)?, row.1, long(many)?.saturating_mul(sign))?
        }
        [amount @ Value::Native(_)] => match of(amount)? {
            Time::Duration(length) => {
                let nanos = i64::try_from(length.as_nanos()).map_err(|_| Raise::NoMatch)?;
                moved(of(this)?, Unit::Nanos, nanos.saturating_mul(sign))?
            }
            Time::Period(years, months, days) => {
                let months = i64::from(*years) * 12 + i64::from(*months);
                let first = moved(of(this)?, Unit::Months, months * sign)?;
                moved(&first, Unit::Days, i64::from(*days) * sign)?
            }
            _ => return Err(Raise::NoMatch),
        },
        // `date + 3` means days, `time + 3` seconds.
        [many] => {
            let unit = if matches!(of(this)?, Time::Date(_)) { Unit::Days } else { Unit::Seconds };
            moved(of(this)?, unit, long(many)?.saturating_mul(sign))?
        }
        _ => return Err(Raise::NoMatch),
    };
    Ok(wrap(vm, answer))
}

fn with(vm: &mut Vm, this: &Value, args: &[Value], place: usize) -> Answer {
    let value = i64::from(int(vm, args.first().ok_or(Raise::NoMatch)?)?);
    let (date, time) = (day(this).unwrap_or(jiff::civil::date(1970, 1, 1)), clock(this).unwrap_or(Clock::midnight()));
    let mut parts = [
        i64::from(date.year()),
        i64::from(date.month()),
        i64::from(date.day()),
        i64::from(time.hour()),
        i64::from(time.minute()),
        i64::from(time.second()),
        i64::from(time.subsec_nanosecond()),
    ];
    if let Some(part) = parts.get_mut(place) {
        *part = value;
    }
    let [year, month, day, hour, minute, second, nano] = parts;
    // Java keeps the day within a month that is shorter.
    let day = if place < 2 {
        let most = i16::try_from(year)
            .ok()
            .zip(i8::try_from(month).ok())
            .and_then(|(year, month)| Date::new(year, month, 1).ok());
        day.min(most.map_or(31, |date| i64::from(date.days_in_month())))
    } else {
        day
    };
    let date = checked_date(year, month, day).map_err(|said| vm.throw("java.time.DateTimeException", said))?;
    let numbers: Vec<Value> =
        [hour, minute, second, nano].into_iter().map(|part| Value::Int(i32::try_from(part).unwrap_or(-1))).collect();
    let time = clock_from(vm, &numbers)?;
    let when = date.to_datetime(time);
    let answer = match of(this)? {
        Time::Date(_) if place < 3 => Time::Date(date),
        Time::Clock(_) if place >= 3 => Time::Clock(time),
        Time::Local(_) => Time::Local(when),
        Time::Offset(_, offset) => Time::Offset(when, *offset),
        Time::Zoned(zoned) => Time::Zoned(zoned_at(when, zoned.time_zone())?),
        _ => return Err(Raise::NoMatch),
    };
    Ok(wrap(vm, answer))
}

fn truncated(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let row = enumeration::ordinal(args.first().ok_or(Raise::NoMatch)?)
        .and_then(|at| UNIT_TABLE.get(at))
        .ok_or(Raise::NoMatch)?;
    if row.2 == 0 || row.2 > 86_400_000_000_000 {
        return Err(vm.throw(
            "java.time.temporal.UnsupportedTemporalTypeException",
            "Unit is too large to be used for truncation",
        ));
    }
    let cut = |time: Clock| {
        let nanos = time.duration_since(Clock::midnight()).as_nanos();
        Clock::midnight().wrapping_add(from_nanos(nanos - nanos % row.2))
    };
    let answer = match of(this)? {
        Time::Clock(time) => Time::Clock(cut(*time)),
        Time::Local(when) => Time::Local(when.date().to_datetime(cut(when.time()))),
        Time::Offset(when, offset) => Time::Offset(when.date().to_datetime(cut(when.time())), *offset),
        Time::Zoned(zoned) => Time::Zoned(zoned_at(zoned.date().to_datetime(cut(zoned.time())), zoned.time_zone())?),
        Time::Instant(at) => {
            let nanos = at.as_nanosecond();
            Time::Instant(Timestamp::from_nanosecond(nanos - nanos.rem_euclid(row.2)).map_err(|_| Raise::NoMatch)?)
        }
        _ => return Err(Raise::NoMatch),
    };
    Ok(wrap(vm, answer))
}

fn formatted(vm: &mut Vm, pattern: &str, time: &Value) -> Answer {
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

fn zoned_text(text: &str) -> Option<Time> {
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
fn parse(vm: &mut Vm, args: &[Value], iso: fn(&str) -> Option<Time>) -> Answer {
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

fn from_read(read: &Read, only_date: bool, only_clock: bool) -> Result<Time, String> {
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
