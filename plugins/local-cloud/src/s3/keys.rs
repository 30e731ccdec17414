//! Bucket and key names, and where a key's file lies.
//!
//! A key maps to a path of plain, readable names, one folder per `/`. S3 allows `a` and `a/b` beside each other, keys
//! that end in `/`, empty parts, `..`, and parts longer than a file name may be; so:
//! - bytes other than letters, digits and a few marks become `%XX`; so do the dots of `.` and `..`;
//! - a folder's name ends in `%`, or in `%+` where a long part goes on in the next name: no file is ever named so;
//! - the empty last part of a key that ends in `/` is the file `%_`.
//!
//! No mapped name is `..`, absolute or empty, so no key leaves its bucket's folder.

use std::path::{Path, PathBuf};

use crate::AwsError;

/// S3's own limit, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;
/// File systems take 255 bytes a name; encoded pieces stay well below it.
const MAX_NAME_BYTES: usize = 200;
/// The name of an empty last part.
const EMPTY_LEAF: &str = "%_";
/// Ends a folder's name where the part is complete.
const PART_END: &str = "%";
/// Ends a folder's name where the part goes on.
const PART_GOES_ON: &str = "%+";

/// Refuses keys that S3 refuses.
pub fn check_key(key: &str) -> Result<(), AwsError> {
    if key.is_empty() {
        return Err(AwsError::new(400, "InvalidRequest", "The object key must not be empty"));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(AwsError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    Ok(())
}

/// Refuses bucket names that S3 refuses: 3 to 63 of lower-case letters, digits, `-` and `.`, ends alphanumeric.
pub fn check_bucket(name: &str) -> Result<(), AwsError> {
    let bytes = name.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    let letters = bytes.iter().all(|byte| alphanumeric(byte) || matches!(byte, b'-' | b'.'));
    let address = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
    if (3..=63).contains(&bytes.len()) && ends && letters && !name.contains("..") && !address {
        return Ok(());
    }
    Err(AwsError::new(400, "InvalidBucketName", format!("The specified bucket is not valid: {name}")))
}

/// The path of a key's file, relative to its bucket's folder.
pub(crate) fn to_path(key: &str) -> PathBuf {
    let mut path = PathBuf::new();
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let mut rest = encode(part);
        while rest.len() > MAX_NAME_BYTES {
            let (name, tail) = split_encoded(&rest);
            path.push(format!("{name}{PART_GOES_ON}"));
            rest = tail;
        }
        match (last, rest.is_empty()) {
            (true, true) => path.push(EMPTY_LEAF),
            (true, false) => path.push(rest),
            (false, _) => path.push(format!("{rest}{PART_END}")),
        }
    }
    path
}

/// The folder that holds every key with this prefix, relative to its bucket's folder.
pub(crate) fn prefix_folder(prefix: &str) -> PathBuf {
    match prefix.rfind('/') {
        Some(end) => to_path(&prefix[..=end]).parent().map(Path::to_path_buf).unwrap_or_default(),
        None => PathBuf::new(),
    }
}

/// The text that a folder's name adds to a key, with the `/` where the part ends; `None` for names that are not ours.
pub(crate) fn folder_text(name: &str) -> Option<String> {
    if let Some(part) = name.strip_suffix(PART_GOES_ON) {
        return decode_text(part);
    }
    decode_text(name.strip_suffix(PART_END)?).map(|text| text + "/")
}

/// The text that a file's name adds to a key.
pub(crate) fn leaf_text(name: &str) -> Option<String> {
    if name == EMPTY_LEAF { Some(String::new()) } else { decode_text(name) }
}

/// Cuts an encoded part so that no `%XX` and no character is torn.
fn split_encoded(encoded: &str) -> (String, String) {
    let mut cut = MAX_NAME_BYTES;
    let tail = &encoded.as_bytes()[cut - 2..cut];
    if let Some(back) = tail.iter().rev().position(|byte| *byte == b'%') {
        cut -= back + 1;
    }
    // A character of several bytes is several `%XX`; it must not be torn, because each name is decoded alone.
    while is_continuation(encoded.as_bytes().get(cut..cut + 3)) {
        cut -= 3;
    }
    (encoded[..cut].to_owned(), encoded[cut..].to_owned())
}

/// Whether `%XX` is the second or later byte of a UTF-8 character.
fn is_continuation(code: Option<&[u8]>) -> bool {
    matches!(code, Some([b'%', b'8' | b'9' | b'A' | b'B', _]))
}

fn encode(part: &str) -> String {
    if part == "." || part == ".." {
        return part.replace('.', "%2E");
    }
    let mut encoded = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'=' | b'+' | b'@' | b',' | b':' | b' ' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn decode_text(name: &str) -> Option<String> {
    percent_encoding::percent_decode_str(name).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key as listing reads it back from the names of its path.
    fn back(path: &Path) -> String {
        let names: Vec<_> = path.components().map(|part| part.as_os_str().to_str().unwrap().to_owned()).collect();
        let (leaf, folders) = names.split_last().unwrap();
        let mut key: String = folders.iter().map(|name| folder_text(name).unwrap()).collect();
        key.push_str(&leaf_text(leaf).unwrap());
        key
    }

    #[test]
    fn every_key_comes_back_and_stays_inside() {
        let long = "ä".repeat(512);
        let mixed = format!("{}/{}", "x".repeat(199) + "ü%", "y".repeat(700));
        let slashes = "/".repeat(1024);
        let keys = [
            "a",
            "a/b",
            "a/",
            "/",
            "//",
            "a//b",
            "../../etc/passwd",
            "..",
            ".",
            "a/../b",
            "/etc/passwd",
            "%2E%2E/x",
            "a%/b",
            "%_",
            "%",
            "a%+/b",
            "train.csv",
            "x y/é.txt",
            "null\0byte",
            "line\nend",
            "\\windows",
            &long,
            &mixed,
            &slashes,
            "C:/x",
            "~",
            "*?<>|",
        ];
        for key in keys {
            let path = to_path(key);
            assert_eq!(back(&path), *key, "{}", path.display());
            for part in path.components() {
                assert!(matches!(part, std::path::Component::Normal(_)), "{key:?} -> {}", path.display());
                assert!(part.as_os_str().len() <= 255, "{key:?}");
            }
            assert!(path.as_os_str().len() < 3500, "{} bytes for {key:?}", path.as_os_str().len());
        }
    }

    #[test]
    fn two_keys_never_share_a_file_nor_need_a_file_as_a_folder() {
        let keys = ["a", "a/", "a/b", "a%", "a%25", "a//b", "a/%", "a%/b"];
        let paths: Vec<_> = keys.iter().map(|key| to_path(key)).collect();
        for (i, one) in paths.iter().enumerate() {
            for (j, other) in paths.iter().enumerate() {
                assert!(i == j || !other.starts_with(one), "{} lies under {}", other.display(), one.display());
            }
        }
    }

    #[test]
    fn a_prefix_names_its_deepest_folder() {
        assert_eq!(prefix_folder("a/b/c"), Path::new("a%/b%"));
        assert_eq!(prefix_folder("a/b/"), Path::new("a%/b%"));
        assert_eq!(prefix_folder("abc"), Path::new(""));
    }

    #[test]
    fn bucket_names() {
        for good in ["abc", "sagemaker-project-p1", "a.b.c", "0ab"] {
            assert!(check_bucket(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "Upper", "a_b", "-ab", "ab-", "a..b", "..", "127.0.0.1", &"a".repeat(64), "a/b"] {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
    }
}
