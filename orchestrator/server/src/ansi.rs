//! From a line of a terminal to HTML: colours are kept, everything else a terminal would obey is dropped.
//!
//! Of all escape sequences only SGR (`ESC [ … m`) has an effect. Cursor moves, window titles, links (OSC 8), clipboard
//! writes (OSC 52) and the rest vanish, so a log can neither overwrite what was shown nor reach outside the page. Text is
//! escaped; colours are class names from a fixed list, so no byte of a log ever becomes markup.

use std::fmt::Write as _;

const ESC: char = '\u{1b}';
/// A sequence that is longer is no sequence but text that happens to follow an escape.
const SEQUENCE_MAX: usize = 256;
/// A line longer than this is cut on the page; the raw download has all of it.
pub(crate) const LINE_MAX: usize = 16 * 1024;

/// The colours in force, carried from line to line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    strike: bool,
    inverse: bool,
    fore: Option<u8>,
    back: Option<u8>,
}

/// Words that begin a part of a log which folds, as GitHub, Azure and Buildkite have them.
const GROUPS: [&[u8]; 5] = [b"::group::", b"##[group]", b"--- ", b"+++ ", b"~~~ "];
/// Words that end one.
const GROUP_ENDS: [&[u8]; 2] = [b"::endgroup::", b"##[endgroup]"];
/// What follows `--- ` and `+++ ` in a patch, which is no title.
const PATCH: [&[u8]; 3] = [b"a/", b"b/", b"/dev/null"];

/// One line, without its newline, as HTML. Of text that was overwritten with `\r` the last version is shown. A line that
/// opens or closes a group is marked for the script that folds; without it, it reads as a title.
pub(crate) fn line(raw: &[u8], style: &mut Style) -> String {
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let shown = &raw[raw.iter().rposition(|byte| *byte == b'\r').map_or(0, |at| at + 1)..];
    if GROUP_ENDS.iter().any(|word| shown.starts_with(word)) {
        return "<i class=\"grp-end\"></i>".to_owned();
    }
    let title = GROUPS.iter().find_map(|word| shown.strip_prefix(*word));
    match title.filter(|title| !PATCH.iter().any(|path| title.starts_with(path))) {
        Some(title) => format!("<b class=\"grp\">{}</b>", coloured(title, style)),
        None => coloured(shown, style),
    }
}

/// A line as a person reads it: no escape sequences, no controls.
pub(crate) fn plain(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(&raw[..raw.len().min(LINE_MAX)]);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(c) = rest.chars().next() {
        let length = if c == ESC { sequence(rest).0.max(1) } else { c.len_utf8() };
        if c != ESC && (c == '\t' || !c.is_control()) && !bidi(c) {
            out.push(c);
        }
        rest = &rest[length..];
    }
    out
}

fn coloured(shown: &[u8], style: &mut Style) -> String {
    let cut = shown.len().min(LINE_MAX);
    let text = String::from_utf8_lossy(&shown[..cut]);
    let mut html = String::with_capacity(text.len() + 16);
    let mut open = style.open(&mut html);
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(|c: char| c == ESC || special(c)) {
        html.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with(ESC) {
            let (length, sgr) = sequence(rest);
            if let Some(codes) = sgr {
                close(&mut html, open);
                style.apply(codes);
                open = style.open(&mut html);
            }
            rest = &rest[length..];
        } else {
            let c = rest.chars().next().unwrap_or_default();
            escape(c, &mut html);
            rest = &rest[c.len_utf8()..];
        }
    }
    html.push_str(rest);
    close(&mut html, open);
    if cut < shown.len() {
        let _ = write!(html, "<em class=\"cut\">… {} bytes more in the raw log</em>", shown.len() - cut);
    }
    html
}

/// Not to be passed on as it is: markup, controls, and characters that turn the direction of text around.
fn special(c: char) -> bool {
    matches!(c, '<' | '>' | '&' | '"' | '\'') || (c.is_control() && c != '\t') || bidi(c)
}

fn bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn escape(c: char, html: &mut String) {
    match c {
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '&' => html.push_str("&amp;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        _ => {}
    }
}

fn close(html: &mut String, open: bool) {
    if open {
        html.push_str("</span>");
    }
}

/// Length of the sequence at the start of `text`, and its codes when it is SGR.
fn sequence(text: &str) -> (usize, Option<&str>) {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        Some(b'[') => {
            let body = &bytes[2..bytes.len().min(SEQUENCE_MAX)];
            match body.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
                Some(end) if body[end] == b'm' && sgr(&body[..end]) => (end + 3, text.get(2..end + 2)),
                Some(end) if body[..end].is_ascii() => (end + 3, None),
                _ => (1, None),
            }
        }
        // Strings (OSC, DCS, PM, APC, SOS) end with BEL or ST; one without an end hides nothing but its introducer.
        Some(b']' | b'P' | b'^' | b'_' | b'X') => (string_end(text), None),
        Some(byte) if byte.is_ascii() && !byte.is_ascii_control() => (2, None),
        _ => (1, None),
    }
}

fn sgr(codes: &[u8]) -> bool {
    codes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'))
}

fn string_end(text: &str) -> usize {
    for (at, c) in text.char_indices().skip(2) {
        match c {
            '\u{7}' => return at + 1,
            ESC if text[at + 1..].starts_with('\\') => return at + 2,
            _ => {}
        }
    }
    2
}

impl Style {
    fn apply(&mut self, codes: &str) {
        let mut codes = codes.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.inverse = true,
                9 => self.strike = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.inverse = false,
                29 => self.strike = false,
                30..=37 => self.fore = low(code - 30),
                38 => self.fore = extended(&mut codes),
                39 => self.fore = None,
                40..=47 => self.back = low(code - 40),
                48 => self.back = extended(&mut codes),
                49 => self.back = None,
                90..=97 => self.fore = low(code - 90 + 8),
                100..=107 => self.back = low(code - 100 + 8),
                _ => {}
            }
        }
    }

    /// Opens a span for this style; `false`: the plain style needs none.
    fn open(self, html: &mut String) -> bool {
        if self == Style::default() {
            return false;
        }
        html.push_str("<span class=\"");
        let flags = [
            (self.bold, "ab"),
            (self.dim, "ad"),
            (self.italic, "ai"),
            (self.underline, "au"),
            (self.strike, "as"),
            (self.inverse, "av"),
        ];
        let mut names: Vec<String> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()).collect();
        names.extend(self.fore.map(|colour| format!("f{colour}")));
        names.extend(self.back.map(|colour| format!("k{colour}")));
        html.push_str(&names.join(" "));
        html.push_str("\">");
        true
    }
}

fn low(code: u16) -> Option<u8> {
    u8::try_from(code).ok()
}

/// `5;N` or `2;R;G;B`, brought down to the sixteen colours that both themes can show with contrast.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match codes.next() {
        Some(5) => codes.next().and_then(|index| match index {
            0..=15 => low(index),
            16..=231 => {
                let level = |part: u16| part * 51;
                let index = index - 16;
                Some(nearest(level(index / 36), level(index / 6 % 6), level(index % 6)))
            }
            232..=255 => {
                let grey = (index - 232) * 10 + 8;
                Some(nearest(grey, grey, grey))
            }
            _ => None,
        }),
        Some(2) => {
            let mut part = || codes.next().map(|value| value.min(255));
            let (red, green, blue) = (part()?, part()?, part()?);
            Some(nearest(red, green, blue))
        }
        _ => None,
    }
}

/// The one of sixteen that a colour is closest to in hue and brightness.
fn nearest(red: u16, green: u16, blue: u16) -> u8 {
    let strongest = red.max(green).max(blue);
    let weakest = red.min(green).min(blue);
    if strongest - weakest < 40 {
        return match strongest {
            0..=63 => 0,
            64..=143 => 8,
            144..=215 => 7,
            _ => 15,
        };
    }
    let middle = u16::midpoint(strongest, weakest);
    let bit = |part: u16, bit: u8| if part > middle { bit } else { 0 };
    let bright = if strongest > 200 { 8 } else { 0 };
    (bit(red, 1) | bit(green, 2) | bit(blue, 4)) + bright
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        line(text.as_bytes(), &mut Style::default())
    }

    #[test]
    fn colours_become_classes() {
        assert_eq!(show("\u{1b}[1;31mred\u{1b}[0m plain"), "<span class=\"ab f1\">red</span> plain");
        assert_eq!(show("\u{1b}[38;5;196mx"), "<span class=\"f9\">x</span>");
        assert_eq!(show("\u{1b}[38;2;0;0;200mx\u{1b}[39my"), "<span class=\"f4\">x</span>y");
    }

    #[test]
    fn a_colour_goes_on_to_the_next_line() {
        let mut style = Style::default();
        assert_eq!(line(b"\x1b[32mone", &mut style), "<span class=\"f2\">one</span>");
        assert_eq!(line(b"two\x1b[m", &mut style), "<span class=\"f2\">two</span>");
        assert_eq!(line(b"three", &mut style), "three");
    }

    #[test]
    fn whatever_a_terminal_would_obey_is_dropped() {
        for (hostile, shown) in [
            ("a\u{1b}[2J\u{1b}[1;1Hb", "ab"),
            ("\u{1b}]8;;javascript:alert(1)\u{7}click\u{1b}]8;;\u{7}", "click"),
            ("\u{1b}]52;c;ZXZpbA==\u{1b}\\x", "x"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}(Bx\u{1b}=y", "Bxy"),
            ("\u{1b}[", "["),
            ("\u{1b}", ""),
            ("\u{9b}31mx\u{0}\u{8}", "31mx"),
            ("abc\u{202e}def", "abcdef"),
            ("\u{1b}]no end <b>", "no end &lt;b&gt;"),
            ("\u{1b}[31\"onclick=x m", "onclick=x m"),
        ] {
            let html = show(hostile);
            assert!(!html.contains(ESC), "{hostile:?}");
            assert!(!html.contains("<span") && !html.contains("<b"), "{hostile:?}: {html}");
            if !hostile.contains("onclick") {
                assert_eq!(html, shown, "{hostile:?}");
            }
        }
    }

    #[test]
    fn groups_are_titles_and_patches_are_not() {
        assert_eq!(show("::group::Build <b>"), "<b class=\"grp\">Build &lt;b&gt;</b>");
        assert_eq!(show("--- Tests"), "<b class=\"grp\">Tests</b>");
        assert_eq!(show("::endgroup::"), "<i class=\"grp-end\"></i>");
        assert_eq!(show("--- a/src/main.rs"), "--- a/src/main.rs");
    }

    #[test]
    fn plain_text_has_no_sequences() {
        assert_eq!(plain(b"\x1b[31mred\x1b[0m <b>\ttab\x07"), "red <b>\ttab");
        assert_eq!(plain(b"\x1b]8;;javascript:x\x07link"), "link");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(show("<script>alert('1')&\""), "&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;");
        assert_eq!(line(b"\xff<i>\xfe", &mut Style::default()), "\u{fffd}&lt;i&gt;\u{fffd}");
    }

    #[test]
    fn a_progress_bar_shows_its_last_state_and_a_long_line_says_what_is_missing() {
        assert_eq!(show("10%\r50%\r100%"), "100%");
        assert_eq!(show("windows\r"), "windows");
        assert!(show(&"x".repeat(LINE_MAX + 5)).ends_with("<em class=\"cut\">… 5 bytes more in the raw log</em>"));
    }
}
