//! Patterns of `SimpleDateFormat` and `DateTimeFormatter`: writing a time, and reading one.
//!
//! The two dialects differ in a few letters: `u` is the number of the weekday in the old one and the year in the new,
//! `S` is milliseconds in the old one and a fraction of the second in the new. Texts are English.

use jiff::civil::{Date, DateTime, Weekday};

/// Most digits that a number is filled up to; more letters of one kind in a row are a mistake.
const MAX_WIDTH: usize = 100;

/// Which of the two a pattern is written for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `SimpleDateFormat`, `Date.format`.
    Simple,
    /// `DateTimeFormatter`.
    Modern,
}

/// What is written: a date and time, and its zone when it has one.
pub(crate) struct Fields {
    pub(crate) when: DateTime,
    /// Seconds east of Greenwich.
    pub(crate) offset: Option<i32>,
    /// `Europe/Berlin`.
    pub(crate) zone: Option<String>,
    /// `CEST`.
    pub(crate) short: Option<String>,
}

/// What was read; what the pattern does not name is absent.
#[derive(Default, Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) year: Option<i64>,
    pub(crate) month: Option<i64>,
    pub(crate) day: Option<i64>,
    pub(crate) hour: Option<i64>,
    pub(crate) minute: Option<i64>,
    pub(crate) second: Option<i64>,
    pub(crate) nano: Option<i64>,
    pub(crate) afternoon: Option<bool>,
    pub(crate) offset: Option<i32>,
    pub(crate) zone: Option<String>,
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

enum Part {
    Text(String),
    Field(char, usize),
}

fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    let mut out: Vec<Part> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\'' {
            let mut text = String::new();
            if chars.peek() == Some(&'\'') {
                chars.next();
                text.push('\'');
            } else {
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            text.push('\'');
                        }
                        Some('\'') => break,
                        Some(char) => text.push(char),
                        None => return Err("Unterminated quote".to_owned()),
                    }
                }
            }
            out.push(Part::Text(text));
        } else if char.is_ascii_alphabetic() {
            let mut many = 1;
            while chars.peek() == Some(&char) {
                chars.next();
                many += 1;
            }
            out.push(Part::Field(char, many));
        } else {
            out.push(Part::Text(char.to_string()));
        }
    }
    Ok(out)
}

/// `+0200`, `+02:00`, `Z`.
pub(crate) fn offset_text(seconds: i32, colon: bool, minutes: bool) -> String {
    let (sign, all) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let (hours, rest) = (all / 3600, all % 3600 / 60);
    match (minutes || rest != 0, colon) {
        (true, true) => format!("{sign}{hours:02}:{rest:02}"),
        (true, false) => format!("{sign}{hours:02}{rest:02}"),
        (false, _) => format!("{sign}{hours:02}"),
    }
}

fn named(names: &[&str], at: i8, many: usize) -> String {
    let name =
        usize::try_from(at).ok().and_then(|at| at.checked_sub(1)).and_then(|at| names.get(at)).copied().unwrap_or("");
    if many >= 4 { name.to_owned() } else { name.get(..3).unwrap_or(name).to_owned() }
}

/// A week of the year as the United States count: weeks start on Sunday, the first holds January 1st.
fn week(date: Date) -> i64 {
    let first = Date::new(date.year(), 1, 1).map_or(Weekday::Monday, Date::weekday);
    let lead = i64::from(first.to_sunday_zero_offset());
    let week = (i64::from(date.day_of_year()) - 1 + lead) / 7 + 1;
    let left = i64::from(date.days_in_year()) - i64::from(date.day_of_year());
    // The last days of December belong to week 1 when their week holds the next January 1st.
    if left < 6 - i64::from(date.weekday().to_sunday_zero_offset()) && week >= 53 { 1 } else { week }
}

/// Writes a time by a pattern.
///
/// # Errors
/// Java's word for what is wrong with the pattern.
pub(crate) fn write(pattern: &str, fields: &Fields, dialect: Dialect) -> Result<String, String> {
    let mut out = String::new();
    for part in parts(pattern)? {
        match part {
            Part::Text(text) => out.push_str(&text),
            Part::Field(letter, many) => out.push_str(&field(letter, many, fields, dialect)?),
        }
    }
    Ok(out)
}

fn field(letter: char, many: usize, fields: &Fields, dialect: Dialect) -> Result<String, String> {
    let when = &fields.when;
    let width = many.min(MAX_WIDTH);
    let padded = |number: i64| format!("{number:0width$}");
    let hour = i64::from(when.hour());
    let modern = dialect == Dialect::Modern;
    Ok(match letter {
        'G' => "AD".to_owned(),
        'u' if !modern => padded(i64::from(when.date().weekday().to_monday_one_offset())),
        'y' | 'u' | 'Y' if many == 2 => format!("{:02}", when.year().rem_euclid(100)),
        'y' | 'u' | 'Y' => padded(i64::from(when.year())),
        'M' | 'L' if many >= 3 => named(&MONTHS, when.month(), many),
        'M' | 'L' => padded(i64::from(when.month())),
        'd' => padded(i64::from(when.day())),
        'D' => padded(i64::from(when.date().day_of_year())),
        'E' => named(&DAYS, when.date().weekday().to_monday_one_offset(), many),
        'e' if modern => padded(i64::from(when.date().weekday().to_sunday_zero_offset()) + 1),
        'w' => padded(week(when.date())),
        'W' => padded((i64::from(when.day()) + 6) / 7),
        'F' => padded((i64::from(when.day()) - 1) / 7 + 1),
        'a' => (if hour < 12 { "AM" } else { "PM" }).to_owned(),
        'H' => padded(hour),
        'k' => padded(if hour == 0 { 24 } else { hour }),
        'K' => padded(hour % 12),
        'h' => padded(if hour % 12 == 0 { 12 } else { hour % 12 }),
        'm' => padded(i64::from(when.minute())),
        's' => padded(i64::from(when.second())),
        'S' if modern => format!("{:09}", when.subsec_nanosecond()).get(..many.min(9)).unwrap_or("").to_owned(),
        'S' => padded(i64::from(when.subsec_nanosecond() / 1_000_000)),
        'n' if modern => padded(i64::from(when.subsec_nanosecond())),
        'Q' if modern => padded(i64::from((when.month() - 1) / 3 + 1)),
        'z' | 'Z' | 'X' | 'x' | 'V' | 'O' | 'v' => return zone_field(letter, many, fields),
        other => return Err(format!("Illegal pattern character '{other}'")),
    })
}

fn zone_field(letter: char, many: usize, fields: &Fields) -> Result<String, String> {
    let Some(offset) = fields.offset else { return Err(format!("Unsupported field: {letter}")) };
    let zone = || fields.zone.clone().unwrap_or_else(|| "UTC".to_owned());
    Ok(match letter {
        'z' | 'v' => fields.short.clone().unwrap_or_else(zone),
        'V' => zone(),
        'Z' => offset_text(offset, many == 5, true),
        'O' => format!("GMT{}", if offset == 0 { String::new() } else { offset_text(offset, true, many == 4) }),
        'X' if offset == 0 => "Z".to_owned(),
        _ => offset_text(offset, many == 3 || many == 5, many >= 2),
    })
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn eat(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal);
        if found {
            self.at += literal.len();
        }
        found
    }

    fn digits(&mut self, most: usize, sign: bool) -> Option<i64> {
        let rest = self.rest();
        let lead = usize::from(sign && rest.starts_with(['+', '-']));
        let many = rest.get(lead..)?.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number = rest.get(..lead + many).filter(|_| many > 0)?.parse().ok()?;
        self.at += lead + many;
        Some(number)
    }

    fn name(&mut self, names: &[&str]) -> Option<i64> {
        let rest = self.rest().to_ascii_lowercase();
        for short in [false, true] {
            for (at, name) in names.iter().enumerate() {
                let name = if short { name.get(..3).unwrap_or(name) } else { name };
                if rest.starts_with(&name.to_ascii_lowercase()) {
                    self.at += name.len();
                    return i64::try_from(at + 1).ok();
                }
            }
        }
        None
    }

    fn offset(&mut self) -> Option<i32> {
        if self.eat("Z") {
            return Some(0);
        }
        let sign = if self.eat("-") {
            -1
        } else if self.eat("+") {
            1
        } else {
            return None;
        };
        let hours = self.digits(2, false)?;
        self.eat(":");
        let minutes = self.digits(2, false).unwrap_or(0);
        i32::try_from(sign * (hours * 3600 + minutes * 60)).ok()
    }

    fn zone(&mut self) -> Option<String> {
        let end = self
            .rest()
            .find(|char: char| !char.is_ascii_alphanumeric() && !"/_+-".contains(char))
            .unwrap_or(self.rest().len());
        let name = self.rest().get(..end).filter(|name| !name.is_empty())?.to_owned();
        self.at += end;
        Some(name)
    }
}

/// Reads a text by a pattern.
///
/// # Errors
/// The byte at which the text does not fit. Text behind the end is refused in the modern dialect only.
pub(crate) fn read(pattern: &str, text: &str, dialect: Dialect) -> Result<Read, usize> {
    let parts = parts(pattern).map_err(|_| 0usize)?;
    let mut cursor = Cursor { text, at: 0 };
    let mut read = Read::default();
    for (at, part) in parts.iter().enumerate() {
        let before = cursor.at;
        let fits = match part {
            Part::Text(literal) => cursor.eat(literal),
            Part::Field(letter, many) => {
                let adjacent = matches!(parts.get(at + 1), Some(Part::Field(next, many)) if "yuMdHhkKmsSDn".contains(*next) && *many < 3 || *next == 'S' || *next == 'y');
                read_field(&mut cursor, &mut read, *letter, *many, adjacent, dialect).is_some()
            }
        };
        if !fits {
            return Err(before);
        }
    }
    if dialect == Dialect::Modern && cursor.at < text.len() {
        return Err(cursor.at);
    }
    if let (Some(afternoon), Some(hour)) = (read.afternoon, read.hour) {
        read.hour = Some(hour % 12 + if afternoon { 12 } else { 0 });
    }
    Ok(read)
}

fn read_field(
    cursor: &mut Cursor<'_>,
    read: &mut Read,
    letter: char,
    many: usize,
    adjacent: bool,
    dialect: Dialect,
) -> Option<()> {
    let modern = dialect == Dialect::Modern;
    let exact = adjacent || (modern && many >= 2);
    let most = if exact { many } else { 9 };
    match letter {
        'y' | 'u' | 'Y' if many == 2 => {
            let year = cursor.digits(2, false)?;
            read.year = Some(if modern || year < 50 { 2000 + year } else { 1900 + year });
        }
        'y' | 'u' | 'Y' => read.year = Some(cursor.digits(most, !exact)?),
        'M' | 'L' if many >= 3 => read.month = Some(cursor.name(&MONTHS)?),
        'M' | 'L' => read.month = Some(number(cursor, most, many, exact)?),
        'd' => read.day = Some(number(cursor, most, many, exact)?),
        'E' => {
            cursor.name(&DAYS)?;
        }
        'a' => read.afternoon = Some(cursor.name(&["AM ", "PM "]).or_else(|| half(cursor))? == 2),
        'H' | 'h' | 'K' => read.hour = Some(number(cursor, most, many, exact)?),
        'k' => read.hour = Some(number(cursor, most, many, exact)? % 24),
        'm' => read.minute = Some(number(cursor, most, many, exact)?),
        's' => read.second = Some(number(cursor, most, many, exact)?),
        'S' if modern => {
            let before = cursor.at;
            let digits = cursor.digits(many, false)?;
            let width = u32::try_from(cursor.at - before).ok()?;
            read.nano = Some(digits * 10i64.pow(9u32.checked_sub(width)?));
        }
        'S' => read.nano = Some(cursor.digits(most, false)? * 1_000_000),
        'Z' | 'X' | 'x' => read.offset = Some(cursor.offset()?),
        'z' | 'V' | 'v' => match cursor.offset() {
            Some(offset) => read.offset = Some(offset),
            None => read.zone = Some(cursor.zone()?),
        },
        _ => return None,
    }
    Some(())
}

fn number(cursor: &mut Cursor<'_>, most: usize, many: usize, exact: bool) -> Option<i64> {
    let before = cursor.at;
    let number = cursor.digits(if exact { many } else { most }, false)?;
    (!exact || cursor.at - before == many).then_some(number)
}

fn half(cursor: &mut Cursor<'_>) -> Option<i64> {
    let rest = cursor.rest().get(..2)?.to_ascii_uppercase();
    cursor.at += 2;
    match rest.as_str() {
        "AM" => Some(1),
        "PM" => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;

    #[track_caller]
    fn check(pattern: &str, expect: &str) {
        let when = datetime(2023, 11, 14, 22, 13, 20, 5_000_000);
        let fields = Fields { when, offset: Some(0), zone: Some("UTC".into()), short: Some("UTC".into()) };
        assert_eq!(write(pattern, &fields, Dialect::Simple).unwrap(), expect);
    }

    #[test]
    fn times_are_written() {
        check("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2023-11-14T22:13:20.005+0000");
        check("EEE, d MMM yy h:mm a", "Tue, 14 Nov 23 10:13 PM");
        check("w u D 'o''clock'", "46 2 318 o'clock");
    }

    #[test]
    fn times_are_read() {
        let read = read("yyyyMMddHHmm", "202402291345", Dialect::Simple).unwrap();
        assert_eq!(
            (read.year, read.month, read.day, read.hour, read.minute),
            (Some(2024), Some(2), Some(29), Some(13), Some(45))
        );
        assert_eq!(super::read("yyyy-MM-dd", "nonsense", Dialect::Simple), Err(0));
        assert_eq!(super::read("dd/MM/yyyy", "06/05/2024x", Dialect::Modern), Err(10));
    }
}
