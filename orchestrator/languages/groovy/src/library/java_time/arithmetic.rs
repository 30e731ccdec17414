//! Moving, cutting and measuring times.

use super::*;

/// Units that an amount is counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
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

pub(super) const UNIT_TABLE: [(&str, Unit, i128); 12] = [
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

pub(super) fn from_nanos(nanos: i128) -> SignedDuration {
    let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
    SignedDuration::new(seconds, i32::try_from(nanos % 1_000_000_000).unwrap_or(0))
}

pub(super) fn epoch_day(date: Date) -> i64 {
    date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24
}

pub(super) fn period_between(from: Date, to: Date) -> Time {
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

pub(super) fn add_months(date: Date, months: i64) -> Option<Date> {
    let all = (i64::from(date.year()) * 12 + i64::from(date.month()) - 1).checked_add(months)?;
    let (year, month) = (i16::try_from(all.div_euclid(12)).ok()?, i8::try_from(all.rem_euclid(12) + 1).ok()?);
    let most = Date::new(year, month, 1).ok()?.days_in_month();
    Date::new(year, month, date.day().min(most)).ok()
}

pub(super) fn nanos_between(from: &Value, to: &Value) -> Result<i128, Raise> {
    match (of(from)?, of(to)?) {
        (Time::Clock(a), Time::Clock(b)) => Ok(b.duration_since(*a).as_nanos()),
        (Time::Local(a), Time::Local(b)) => Ok(b.duration_since(*a).as_nanos()),
        _ => Ok(instant_of(to)?.duration_since(instant_of(from)?).as_nanos()),
    }
}

pub(super) fn unit_between(vm: &mut Vm, unit: &Value, from: &Value, to: &Value) -> Answer {
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

pub(super) fn shift(vm: &mut Vm, this: &Value, args: &[Value], unit: Unit, sign: i64) -> Answer {
    let many = long(args.first().ok_or(Raise::NoMatch)?)?.saturating_mul(sign);
    let moved = moved(of(this)?, unit, many)?;
    Ok(wrap(vm, moved))
}

pub(super) fn moved(time: &Time, unit: Unit, many: i64) -> Result<Time, Raise> {
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
pub(super) fn add(vm: &mut Vm, this: &Value, args: &[Value], sign: i64) -> Answer {
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

pub(super) fn with(vm: &mut Vm, this: &Value, args: &[Value], place: usize) -> Answer {
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

pub(super) fn truncated(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
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
