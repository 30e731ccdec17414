//! `java.util.Date`, `Calendar`, `TimeZone`, `SimpleDateFormat`. Without a zone, times are shown in UTC.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};

use super::arguments::{illegal, int, long, string, whole, yes};
use super::time_pattern::{Dialect, Fields, Read, read, write};
use super::{Answer, Declared, Extension, Method, Static, function, method};
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// State of a `Date` or `Timestamp`: milliseconds since 1970.
pub(crate) struct Moment(pub(crate) Cell<i64>);

/// State of a `TimeZone`.
#[derive(Clone)]
pub(crate) struct Zone(pub(crate) TimeZone);

/// State of a `SimpleDateFormat`.
pub(crate) struct Format {
    pattern: Rc<str>,
    zone: RefCell<TimeZone>,
}

/// State of a `Calendar`.
pub(crate) struct Calendar {
    millis: Cell<i64>,
    zone: RefCell<TimeZone>,
}

pub(super) const DATE: &str = "java.util.Date";
const ZONE: &str = "java.util.TimeZone";
const FORMAT: &str = "java.text.SimpleDateFormat";
const CALENDAR: &str = "java.util.GregorianCalendar";
const DAY: i64 = 86_400_000;

pub(super) const DECLARED: &[Declared] = &[
    Declared {
        name: DATE,
        parent: "java.lang.Object",
        interfaces: &["java.lang.Comparable", "java.io.Serializable"],
        interface: false,
    },
    Declared { name: "java.sql.Timestamp", parent: DATE, interfaces: &[], interface: false },
    Declared { name: ZONE, parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: "java.text.DateFormat", parent: "java.lang.Object", interfaces: &[], interface: false },
    Declared { name: FORMAT, parent: "java.text.DateFormat", interfaces: &[], interface: false },
    Declared {
        name: "java.util.Calendar",
        parent: "java.lang.Object",
        interfaces: &["java.lang.Comparable"],
        interface: false,
    },
    Declared { name: CALENDAR, parent: "java.util.Calendar", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: DATE, methods: DATES, statics: DATE_STATICS, new: Some(new_date) },
    Extension { of: ZONE, methods: ZONES, statics: ZONE_STATICS, new: None },
    Extension { of: FORMAT, methods: FORMATS, statics: &[], new: Some(new_format) },
    Extension { of: "java.util.Calendar", methods: CALENDARS, statics: CALENDAR_STATICS, new: None },
    Extension { of: CALENDAR, methods: &[], statics: &[], new: Some(calendar) },
];

const DATES: &[Method] = &[
    method("getTime", 0, 0, |_, this, _| Ok(Value::Long(millis(this)?))),
    method("setTime", 1, 1, |_, this, args| {
        moment(this)?.0.set(long(args.first().ok_or(Raise::NoMatch)?)?);
        Ok(Value::Null)
    }),
    method("toString", 0, 0, |_, this, _| {
        string(written("EEE MMM dd HH:mm:ss zzz yyyy", millis(this)?, &TimeZone::UTC).unwrap_or_default())
    }),
    method("format", 1, 2, |vm, this, args| {
        let (pattern, zone) = match args {
            [pattern] => (vm.str_arg(pattern)?, TimeZone::UTC),
            [pattern, zone] => (vm.str_arg(pattern)?, zone_of(zone)?),
            _ => return Err(Raise::NoMatch),
        };
        formatted(vm, &pattern, millis(this)?, &zone)
    }),
    method("getDateString", 0, 0, |vm, this, _| formatted(vm, "M/d/yy", millis(this)?, &TimeZone::UTC)),
    method("getTimeString", 0, 0, |vm, this, _| formatted(vm, "h:mm:ss a", millis(this)?, &TimeZone::UTC)),
    method("plus", 1, 1, |vm, this, args| days(vm, this, args, 1)),
    method("minus", 1, 1, |vm, this, args| match args {
        [other] if moment(other).is_ok() => {
            let (a, b) = (millis(this)?.div_euclid(DAY), millis(other)?.div_euclid(DAY));
            Ok(Value::Int(i32::try_from(a - b).unwrap_or(i32::MAX)))
        }
        _ => days(vm, this, args, -1),
    }),
    method("next", 0, 0, |vm, this, _| days(vm, this, &[Value::Int(1)], 1)),
    method("previous", 0, 0, |vm, this, _| days(vm, this, &[Value::Int(1)], -1)),
    method("before", 1, 1, |_, this, args| yes(millis(this)? < millis(args.first().ok_or(Raise::NoMatch)?)?)),
    method("after", 1, 1, |_, this, args| yes(millis(this)? > millis(args.first().ok_or(Raise::NoMatch)?)?)),
    method("compareTo", 1, 1, |_, this, args| {
        Ok(Value::Int(millis(this)?.cmp(&millis(args.first().ok_or(Raise::NoMatch)?)?) as i32))
    }),
    method("hashCode", 0, 0, |_, this, _| Ok(Value::Int(crate::number::long_hash(millis(this)?.cast_unsigned())))),
    method("clone", 0, 0, |vm, this, _| Ok(date(vm, millis(this)?))),
    method("clearTime", 0, 0, |_, this, _| {
        let state = moment(this)?;
        state.0.set(state.0.get().div_euclid(DAY).saturating_mul(DAY));
        Ok(this.clone())
    }),
    method("toInstant", 0, 0, |vm, this, _| Ok(super::java_time::instant(vm, millis(this)?))),
    method("toTimestamp", 0, 0, |vm, this, _| Ok(vm.native("java.sql.Timestamp", Moment(millis(this)?.into())))),
    method("toCalendar", 0, 0, |vm, this, _| {
        Ok(vm.native(CALENDAR, Calendar { millis: millis(this)?.into(), zone: TimeZone::UTC.into() }))
    }),
    method("getAt", 1, 1, |vm, this, args| {
        let field = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
        Ok(Value::Int(calendar_field(vm, &civil(millis(this)?, &TimeZone::UTC), field)?))
    }),
    method("getYear", 0, 0, |_, this, _| Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).year()) - 1900))),
    method("getMonth", 0, 0, |_, this, _| Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).month()) - 1))),
    method("getDate", 0, 0, |_, this, _| Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).day())))),
    method("getHours", 0, 0, |_, this, _| Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).hour())))),
    method("getMinutes", 0, 0, |_, this, _| Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).minute())))),
    method("getSeconds", 0, 0, |_, this, _| Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).second())))),
    method("getDay", 0, 0, |_, this, _| {
        Ok(Value::Int(i32::from(civil(millis(this)?, &TimeZone::UTC).weekday().to_sunday_zero_offset())))
    }),
];

const DATE_STATICS: &[Static] = &[
    function("parse", 2, 3, |vm, args| {
        let [pattern, text, ..] = args else { return Err(Raise::NoMatch) };
        let (pattern, text) = (vm.str_arg(pattern)?, vm.str_arg(text)?);
        let zone = args.get(2).map_or(Ok(TimeZone::UTC), zone_of)?;
        parsed(vm, &pattern, &text, &zone)
    }),
    function("from", 1, 1, |vm, args| {
        let millis = super::java_time::instant_millis(args.first().ok_or(Raise::NoMatch)?)?;
        Ok(date(vm, millis))
    }),
];

const ZONES: &[Method] = &[
    method("getID", 0, 0, |_, this, _| string(zone_name(&zone_of(this)?))),
    method("toString", 0, 0, |_, this, _| string(zone_name(&zone_of(this)?))),
    method("getDisplayName", 0, 0, |_, this, _| string(zone_name(&zone_of(this)?))),
];

const ZONE_STATICS: &[Static] = &[
    function("getTimeZone", 1, 1, |vm, args| {
        let name = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        // Java takes an unknown name for Greenwich.
        let zone = zone(&name).unwrap_or(TimeZone::UTC);
        Ok(vm.native(ZONE, Zone(zone)))
    }),
    function("getDefault", 0, 0, |vm, _| Ok(vm.native(ZONE, Zone(TimeZone::UTC)))),
];

const FORMATS: &[Method] = &[
    method("format", 1, 1, |vm, this, args| {
        let format = format_of(this)?;
        let when = match args {
            [Value::Long(millis)] => *millis,
            [when] => millis(when)?,
            _ => return Err(Raise::NoMatch),
        };
        let zone = format.zone.borrow().clone();
        formatted(vm, &format.pattern.clone(), when, &zone)
    }),
    method("parse", 1, 1, |vm, this, args| {
        let format = format_of(this)?;
        let text = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        let zone = format.zone.borrow().clone();
        parsed(vm, &format.pattern.clone(), &text, &zone)
    }),
    method("setTimeZone", 1, 1, |_, this, args| {
        format_of(this)?.zone.replace(zone_of(args.first().ok_or(Raise::NoMatch)?)?);
        Ok(Value::Null)
    }),
    method("getTimeZone", 0, 0, |vm, this, _| {
        let zone = format_of(this)?.zone.borrow().clone();
        Ok(vm.native(ZONE, Zone(zone)))
    }),
    method("setLenient", 1, 1, |_, _, _| Ok(Value::Null)),
    method("toPattern", 0, 0, |_, this, _| string(&format_of(this)?.pattern)),
];

const CALENDARS: &[Method] = &[
    method("getTime", 0, 0, |vm, this, _| {
        let millis = calendar_of(this)?.millis.get();
        Ok(date(vm, millis))
    }),
    method("setTime", 1, 1, |_, this, args| {
        calendar_of(this)?.millis.set(millis(args.first().ok_or(Raise::NoMatch)?)?);
        Ok(Value::Null)
    }),
    method("getTimeInMillis", 0, 0, |_, this, _| Ok(Value::Long(calendar_of(this)?.millis.get()))),
    method("setTimeInMillis", 1, 1, |_, this, args| {
        calendar_of(this)?.millis.set(long(args.first().ok_or(Raise::NoMatch)?)?);
        Ok(Value::Null)
    }),
    method("setTimeZone", 1, 1, |_, this, args| {
        calendar_of(this)?.zone.replace(zone_of(args.first().ok_or(Raise::NoMatch)?)?);
        Ok(Value::Null)
    }),
    method("get", 1, 1, calendar_get),
    method("getAt", 1, 1, calendar_get),
    method("add", 2, 2, |vm, this, args| calendar_change(vm, this, args, true)),
    method("set", 2, 2, |vm, this, args| calendar_change(vm, this, args, false)),
    method("putAt", 2, 2, |vm, this, args| calendar_change(vm, this, args, false)),
    method("set", 3, 6, |vm, this, args| {
        for (field, value) in [1, 2, 5, 11, 12, 13].into_iter().zip(args) {
            calendar_change(vm, this, &[Value::Int(field), value.clone()], false)?;
        }
        Ok(Value::Null)
    }),
    method("format", 1, 1, |vm, this, args| {
        let (state, pattern) = (calendar_of(this)?, vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?);
        let zone = state.zone.borrow().clone();
        formatted(vm, &pattern, state.millis.get(), &zone)
    }),
    method("clone", 0, 0, |vm, this, _| {
        let state = calendar_of(this)?;
        Ok(vm.native(CALENDAR, Calendar { millis: state.millis.clone(), zone: state.zone.clone() }))
    }),
    method("compareTo", 1, 1, |_, this, args| {
        let other = calendar_of(args.first().ok_or(Raise::NoMatch)?)?.millis.get();
        Ok(Value::Int(calendar_of(this)?.millis.get().cmp(&other) as i32))
    }),
];

const CALENDAR_STATICS: &[Static] = &[
    function("getInstance", 0, 1, calendar),
    function("YEAR", 0, 0, |_, _| Ok(Value::Int(1))),
    function("MONTH", 0, 0, |_, _| Ok(Value::Int(2))),
    function("WEEK_OF_YEAR", 0, 0, |_, _| Ok(Value::Int(3))),
    function("DATE", 0, 0, |_, _| Ok(Value::Int(5))),
    function("DAY_OF_MONTH", 0, 0, |_, _| Ok(Value::Int(5))),
    function("DAY_OF_YEAR", 0, 0, |_, _| Ok(Value::Int(6))),
    function("DAY_OF_WEEK", 0, 0, |_, _| Ok(Value::Int(7))),
    function("AM_PM", 0, 0, |_, _| Ok(Value::Int(9))),
    function("HOUR", 0, 0, |_, _| Ok(Value::Int(10))),
    function("HOUR_OF_DAY", 0, 0, |_, _| Ok(Value::Int(11))),
    function("MINUTE", 0, 0, |_, _| Ok(Value::Int(12))),
    function("SECOND", 0, 0, |_, _| Ok(Value::Int(13))),
    function("MILLISECOND", 0, 0, |_, _| Ok(Value::Int(14))),
    function("SUNDAY", 0, 0, |_, _| Ok(Value::Int(1))),
    function("MONDAY", 0, 0, |_, _| Ok(Value::Int(2))),
    function("SATURDAY", 0, 0, |_, _| Ok(Value::Int(7))),
    function("JANUARY", 0, 0, |_, _| Ok(Value::Int(0))),
    function("DECEMBER", 0, 0, |_, _| Ok(Value::Int(11))),
];

thread_local! {
    /// The zones of the binary itself: those of a machine may change between a run and its replay.
    static DATABASE: TimeZoneDatabase = TimeZoneDatabase::bundled();
}

/// The zone of a name (`Europe/Berlin`, `UTC`, `GMT+2`, `+02:00`).
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "UTC" | "GMT" | "Z" | "Etc/UTC") {
        return Some(TimeZone::UTC);
    }
    let bare = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC")).unwrap_or(name);
    if let Some(sign) = bare.chars().next().filter(|char| matches!(char, '+' | '-')) {
        let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
        let (hours, minutes) =
            if digits.len() > 2 { digits.split_at(digits.len() - 2) } else { (digits.as_str(), "0") };
        let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
        let seconds = if sign == '-' { -seconds } else { seconds };
        return jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    DATABASE.with(|database| database.get(name).ok())
}

/// Its name.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) if offset.seconds() != 0 => super::time_pattern::offset_text(offset.seconds(), true, true),
        _ => "UTC".to_owned(),
    }
}

fn zoned(millis: i64, zone: &TimeZone) -> Zoned {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// Date and time of day of a moment.
pub(super) fn civil(millis: i64, zone: &TimeZone) -> DateTime {
    zoned(millis, zone).datetime()
}

/// What a pattern can show of a time with a zone.
pub(super) fn fields(zoned: &Zoned) -> Fields {
    let short = zoned.strftime("%Z").to_string();
    Fields {
        when: zoned.datetime(),
        offset: Some(zoned.offset().seconds()),
        zone: Some(zone_name(zoned.time_zone())),
        short: Some(if short.is_empty() || short.starts_with(['+', '-']) {
            zone_name(zoned.time_zone())
        } else {
            short
        }),
    }
}

fn written(pattern: &str, millis: i64, zone: &TimeZone) -> Result<String, String> {
    write(pattern, &fields(&zoned(millis, zone)), Dialect::Simple)
}

fn formatted(vm: &mut Vm, pattern: &str, millis: i64, zone: &TimeZone) -> Answer {
    match written(pattern, millis, zone) {
        Ok(text) => string(text),
        Err(refusal) => illegal(vm, refusal),
    }
}

/// How `JsonOutput` writes a `Date`.
pub(super) fn json_text(_: &mut Vm, value: &Value) -> Result<String, Raise> {
    Ok(written("yyyy-MM-dd'T'HH:mm:ssZ", millis(value)?, &TimeZone::UTC).unwrap_or_default())
}

/// `%tY` and its siblings of `String.format`.
pub(super) fn format_conversion(vm: &mut Vm, value: &Value, conversion: char) -> Result<String, Raise> {
    let when = match value {
        Value::Long(millis) => *millis,
        other => millis(other)?,
    };
    let pattern = match conversion {
        'Y' => "yyyy",
        'y' => "yy",
        'm' => "MM",
        'd' => "dd",
        'e' => "d",
        'H' => "HH",
        'I' => "hh",
        'M' => "mm",
        'S' => "ss",
        'L' => "SSS",
        'p' => "a",
        'B' => "MMMM",
        'b' | 'h' => "MMM",
        'A' => "EEEE",
        'a' => "EEE",
        'j' => "DDD",
        'Z' => "z",
        'z' => "Z",
        'F' => "yyyy-MM-dd",
        'T' => "HH:mm:ss",
        'R' => "HH:mm",
        'D' => "MM/dd/yy",
        'c' => "EEE MMM dd HH:mm:ss z yyyy",
        's' => return Ok((when.div_euclid(1000)).to_string()),
        'Q' => return Ok(when.to_string()),
        other => return Err(vm.throw("java.util.UnknownFormatConversionException", format!("Conversion = 't{other}'"))),
    };
    Ok(written(pattern, when, &TimeZone::UTC).unwrap_or_default())
}

/// A `Date`.
pub(super) fn date(vm: &mut Vm, millis: i64) -> Value {
    vm.native(DATE, Moment(millis.into()))
}

fn moment(value: &Value) -> Result<&Moment, Raise> {
    match value {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

/// Milliseconds of a `Date`.
pub(super) fn millis(value: &Value) -> Result<i64, Raise> {
    moment(value).map(|moment| moment.0.get())
}

pub(super) fn zone_of(value: &Value) -> Result<TimeZone, Raise> {
    match value {
        Value::Native(native) => native.state::<Zone>().map(|zone| zone.0.clone()).ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn format_of(value: &Value) -> Result<&Format, Raise> {
    match value {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn calendar_of(value: &Value) -> Result<&Calendar, Raise> {
    match value {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn new_date(vm: &mut Vm, args: &[Value]) -> Answer {
    let millis = match args {
        [] => vm.now_ms(),
        [millis] if millis.is_number() => whole(millis)?,
        [year, month, day, rest @ ..] if rest.len() <= 3 => {
            let mut parts = [0; 6];
            for (place, value) in parts.iter_mut().zip([year, month, day].into_iter().chain(rest)) {
                *place = i64::from(int(vm, value)?);
            }
            let [year, month, day, hour, minute, second] = parts;
            moment_of(&[year + 1900, month + 1, day, hour, minute, second, 0], &TimeZone::UTC).ok_or(Raise::NoMatch)?
        }
        _ => return Err(Raise::NoMatch),
    };
    Ok(date(vm, millis))
}

fn new_format(vm: &mut Vm, args: &[Value]) -> Answer {
    let pattern = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
    Ok(vm.native(FORMAT, Format { pattern, zone: TimeZone::UTC.into() }))
}

fn calendar(vm: &mut Vm, args: &[Value]) -> Answer {
    let zone = args.first().map_or(Ok(TimeZone::UTC), zone_of)?;
    let millis = vm.now_ms();
    Ok(vm.native(CALENDAR, Calendar { millis: millis.into(), zone: zone.into() }))
}

fn days(vm: &mut Vm, this: &Value, args: &[Value], sign: i64) -> Answer {
    let many = whole(args.first().ok_or(Raise::NoMatch)?)?;
    let moved = millis(this)?.saturating_add(many.saturating_mul(DAY).saturating_mul(sign));
    Ok(date(vm, moved))
}

/// Milliseconds of year, month, day, hour, minute, second, millisecond; what is too large carries over, as in Java.
fn moment_of(parts: &[i64; 7], zone: &TimeZone) -> Option<i64> {
    let [year, month, day, hour, minute, second, milli] = *parts;
    let months = year.checked_mul(12)?.checked_add(month - 1)?;
    let (year, month) = (i16::try_from(months.div_euclid(12)).ok()?, i8::try_from(months.rem_euclid(12) + 1).ok()?);
    let first = jiff::civil::Date::new(year, month, 1).ok()?;
    let start = first.to_datetime(jiff::civil::Time::midnight());
    let seconds =
        (day - 1).checked_mul(86_400)?.checked_add(hour.checked_mul(3600)?)?.checked_add(minute.checked_mul(60)?)?;
    let span = jiff::SignedDuration::new(seconds.checked_add(second)?, 0) + jiff::SignedDuration::from_millis(milli);
    let when = start.checked_add(span).ok()?;
    Some(when.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

fn parsed(vm: &mut Vm, pattern: &str, text: &str, zone: &TimeZone) -> Answer {
    let found = read(pattern, text, Dialect::Simple).ok().and_then(|read| from_read(&read, zone));
    match found {
        Some(millis) => Ok(date(vm, millis)),
        None => Err(vm.throw("java.text.ParseException", format!("Unparseable date: \"{text}\""))),
    }
}

fn from_read(read: &Read, default: &TimeZone) -> Option<i64> {
    let zone = match (read.offset, &read.zone) {
        (Some(offset), _) => TimeZone::fixed(jiff::tz::Offset::from_seconds(offset).ok()?),
        (None, Some(name)) => zone(name)?,
        _ => default.clone(),
    };
    let part = |value: Option<i64>, otherwise| value.unwrap_or(otherwise);
    let parts = [
        part(read.year, 1970),
        part(read.month, 1),
        part(read.day, 1),
        part(read.hour, 0),
        part(read.minute, 0),
        part(read.second, 0),
        part(read.nano, 0) / 1_000_000,
    ];
    moment_of(&parts, &zone)
}

fn calendar_field(vm: &mut Vm, when: &DateTime, field: i32) -> Result<i32, Raise> {
    Ok(match field {
        1 => i32::from(when.year()),
        2 => i32::from(when.month()) - 1,
        3 => write("w", &Fields { when: *when, offset: None, zone: None, short: None }, Dialect::Simple)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
        5 => i32::from(when.day()),
        6 => i32::from(when.date().day_of_year()),
        7 => i32::from(when.weekday().to_sunday_zero_offset()) + 1,
        9 => i32::from(when.hour() >= 12),
        10 => i32::from(when.hour() % 12),
        11 => i32::from(when.hour()),
        12 => i32::from(when.minute()),
        13 => i32::from(when.second()),
        14 => when.subsec_nanosecond() / 1_000_000,
        _ => {
            return Err(vm.throw(
                "java.lang.ArrayIndexOutOfBoundsException",
                format!("Index {field} out of bounds for length 17"),
            ));
        }
    })
}

fn calendar_get(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let field = int(vm, args.first().ok_or(Raise::NoMatch)?)?;
    let state = calendar_of(this)?;
    let when = civil(state.millis.get(), &state.zone.borrow());
    Ok(Value::Int(calendar_field(vm, &when, field)?))
}

fn calendar_change(vm: &mut Vm, this: &Value, args: &[Value], add: bool) -> Answer {
    let (state, [field, value]) = (calendar_of(this)?, args) else { return Err(Raise::NoMatch) };
    let (field, value) = (int(vm, field)?, i64::from(int(vm, value)?));
    let when = civil(state.millis.get(), &state.zone.borrow());
    let mut parts = [
        i64::from(when.year()),
        i64::from(when.month()),
        i64::from(when.day()),
        i64::from(when.hour()),
        i64::from(when.minute()),
        i64::from(when.second()),
        i64::from(when.subsec_nanosecond() / 1_000_000),
    ];
    let place = match field {
        1 => 0,
        2 => 1,
        5..=7 => 2,
        10 | 11 => 3,
        12 => 4,
        13 => 5,
        14 => 6,
        3 => 2,
        _ => return illegal(vm, format!("Calendar field {field} cannot be changed")),
    };
    let value = if field == 3 { value * 7 } else { value };
    // A month more never goes beyond the end of the month it lands in.
    if let Some(part) = parts.get_mut(place) {
        *part = match (add, field) {
            (true, _) => *part + value,
            (false, 2) => value + 1,
            (false, 7) => *part + value - 1 - i64::from(when.weekday().to_sunday_zero_offset()),
            (false, _) => value,
        };
    }
    if add && place < 2 {
        let months = parts[0] * 12 + parts[1] - 1;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        if let (Ok(year), Ok(month)) = (i16::try_from(year), i8::try_from(month)) {
            let most = jiff::civil::Date::new(year, month, 1).map_or(31, |date| date.days_in_month());
            parts[2] = parts[2].min(i64::from(most));
        }
    }
    let zone = state.zone.borrow().clone();
    match moment_of(&parts, &zone) {
        Some(millis) => {
            state.millis.set(millis);
            Ok(Value::Null)
        }
        None => illegal(vm, "the calendar's year is beyond 9999"),
    }
}
