//! Java's view of a string: indices count UTF-16 units, while ours are bytes of UTF-8.
//!
//! Nearly all strings of a pipeline are ASCII, where both are the same; every function looks for that first.
//! A cut through the middle of a surrogate pair gives U+FFFD in place of the half, which Java would keep.

/// Length in UTF-16 units.
pub(crate) fn len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

/// The byte at which UTF-16 unit `unit` starts; the end of the text for its length, none beyond. A unit inside a pair
/// counts as the byte behind it.
pub(crate) fn byte_of(text: &str, unit: usize) -> Option<usize> {
    if text.is_ascii() {
        return (unit <= text.len()).then_some(unit);
    }
    let mut at = 0;
    for (byte, char) in text.char_indices() {
        if at >= unit {
            return Some(byte);
        }
        at += char.len_utf16();
    }
    (at >= unit).then_some(text.len())
}

/// The UTF-16 unit at which byte `byte` stands.
pub(crate) fn unit_of(text: &str, byte: usize) -> usize {
    len(text.get(..byte).unwrap_or(text))
}

/// Units `from..to`; the caller has checked the bounds.
pub(crate) fn slice(text: &str, from: usize, to: usize) -> String {
    if text.is_ascii() {
        return text.get(from..to).unwrap_or("").to_owned();
    }
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to.saturating_sub(from)).collect();
    String::from_utf16_lossy(&units)
}

/// The character that starts at unit `unit`.
pub(crate) fn char_at(text: &str, unit: usize) -> Option<char> {
    if text.is_ascii() {
        return text.as_bytes().get(unit).map(|byte| char::from(*byte));
    }
    let mut at = 0;
    for char in text.chars() {
        let next = at + char.len_utf16();
        if unit < next {
            return Some(if at == unit { char } else { char::REPLACEMENT_CHARACTER });
        }
        at = next;
    }
    None
}

/// `String.trim()`: cuts everything up to and with the blank (U+0020) at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| char <= ' ')
}

/// The text cut at line ends as `readLines()` cuts it: `\n`, `\r\n` and `\r` end a line; an end at the very end starts
/// no new one.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(end) = rest.find(['\n', '\r']) else {
            out.push(rest);
            break;
        };
        let (line, tail) = rest.split_at(end);
        out.push(line);
        rest = tail.strip_prefix("\r\n").or_else(|| tail.get(1..)).unwrap_or("");
    }
    out
}

/// `String.hashCode()`.
pub(crate) fn hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_as_java_counts() {
        assert_eq!((len("a😀b"), len("né")), (4, 2));
        assert_eq!(slice("a😀b", 3, 4), "b");
        assert_eq!(char_at("né", 1), Some('é'));
        assert_eq!((byte_of("né!", 2), byte_of("né", 3)), (Some(3), None));
        assert_eq!(unit_of("a😀b", 5), 3);
    }

    #[test]
    fn lines_end_as_java_readers_end_them() {
        assert_eq!(lines("one\r\ntwo\n\nfour\n"), ["one", "two", "", "four"]);
        assert_eq!(lines("\n"), [""]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!((hash("abc"), hash("Jenkins"), hash("")), (96354, -47_780_714, 0));
    }
}
