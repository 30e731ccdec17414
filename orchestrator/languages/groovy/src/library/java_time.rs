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

mod arithmetic;
mod statics;
mod words;

use arithmetic::*;
use statics::*;
pub(super) use words::key;
use words::*;

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
        let length = duration(this)?;
        let all = if length.is_negative() { length.checked_neg().unwrap_or(SignedDuration::MAX) } else { length };
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

const NAMED: &[Method] = &[
    method("getValue", 0, 0, |_, this, _| Ok(Value::Int(place(this)? + 1))),
    method("plus", 1, 1, |vm, this, args| turn(vm, this, args, 1)),
    method("minus", 1, 1, |vm, this, args| turn(vm, this, args, -1)),
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

fn unit(vm: &mut Vm, at: usize) -> Value {
    vm.native(UNIT, Constant { name: UNIT_TABLE.get(at).map_or("", |row| row.0), ordinal: at })
}

fn upper(name: &'static str, names: &'static str) -> &'static str {
    // The names of the enums are the English names in capitals, kept as one text to borrow from.
    names.split(' ').find(|other| other.eq_ignore_ascii_case(name)).unwrap_or(name)
}

fn weekday(vm: &mut Vm, at: i8) -> Value {
    let place = usize::try_from(i32::from(at) - 1).unwrap_or(0) % 7;
    let name =
        upper(DAYS.get(place).copied().unwrap_or(""), "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY");
    vm.native(WEEKDAY, Constant { name, ordinal: place })
}

fn month(vm: &mut Vm, at: i8) -> Value {
    let place = usize::try_from(i32::from(at) - 1).unwrap_or(0) % 12;
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

fn date_from(vm: &mut Vm, args: &[Value]) -> Result<Date, Raise> {
    let [year, month, day, ..] = args else { return Err(Raise::NoMatch) };
    let month = match month {
        Value::Native(_) => place(month)? + 1,
        number => int(vm, number)?,
    };
    let (year, day) = (int(vm, year)?, int(vm, day)?);
    checked_date(year.into(), month.into(), day.into()).map_err(|said| vm.throw("java.time.DateTimeException", said))
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

fn some_period(vm: &mut Vm, args: &[Value], make: fn(i32) -> Time) -> Answer {
    let many = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
    Ok(wrap(vm, make(many)))
}
