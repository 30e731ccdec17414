//! Encodings and digests: Base64, hexadecimal, URL encoding, `MessageDigest`, `UUID`.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::arguments::{chars, illegal, string};
use super::string::{bytes, to_bytes};
use super::{Answer, Declared, Extension, Method, Static, function, method};
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// State of a `Base64.Encoder` or `Decoder`: which alphabet, padding or not.
pub(crate) struct Coder {
    url: bool,
    padding: bool,
}

/// State of a `MessageDigest`: the algorithm and what was fed so far.
pub(crate) struct Hasher {
    algorithm: &'static str,
    fed: RefCell<Vec<u8>>,
}

/// State of a `UUID`.
pub(crate) struct Uuid(pub(crate) u128);

const ENCODER: &str = "java.util.Base64$Encoder";
const DECODER: &str = "java.util.Base64$Decoder";
const DIGEST: &str = "java.security.MessageDigest";
const UUID: &str = "java.util.UUID";

const fn class(name: &'static str) -> Declared {
    Declared { name, parent: "java.lang.Object", interfaces: &[], interface: false }
}

pub(super) const DECLARED: &[Declared] = &[
    class("java.util.Base64"),
    class(ENCODER),
    class(DECODER),
    class(DIGEST),
    Declared { name: UUID, parent: "java.lang.Object", interfaces: &["java.lang.Comparable"], interface: false },
    class("java.net.URLEncoder"),
    class("java.net.URLDecoder"),
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.util.Base64", methods: &[], statics: BASE64, new: None },
    Extension { of: ENCODER, methods: ENCODE, statics: &[], new: None },
    Extension { of: DECODER, methods: DECODE, statics: &[], new: None },
    Extension { of: DIGEST, methods: HASHER, statics: &[function("getInstance", 1, 1, digest)], new: None },
    Extension { of: UUID, methods: UUIDS, statics: UUID_STATICS, new: None },
    Extension { of: "java.net.URLEncoder", methods: &[], statics: &[function("encode", 1, 2, url_encode)], new: None },
    Extension { of: "java.net.URLDecoder", methods: &[], statics: &[function("decode", 1, 2, url_decode)], new: None },
    Extension { of: "java.lang.CharSequence", methods: TEXT, statics: &[], new: None },
];

const TEXT: &[Method] = &[
    method("decodeBase64", 0, 0, |vm, this, _| {
        let text = vm.text(this)?;
        let clean: String = text.chars().filter(|char| !char.is_whitespace()).collect();
        match STANDARD.decode(&clean).or_else(|_| STANDARD_NO_PAD.decode(&clean)) {
            Ok(found) => Ok(bytes(vm, &found)),
            Err(_) => Err(vm.throw("java.lang.RuntimeException", "bad character in base64 value")),
        }
    }),
    method("decodeHex", 0, 0, |vm, this, _| {
        let text = vm.text(this)?;
        if text.len() % 2 != 0 {
            return Err(vm.throw("java.lang.NumberFormatException", "odd number of characters in hex string"));
        }
        match hex::decode(&*text) {
            Ok(found) => Ok(bytes(vm, &found)),
            Err(_) => Err(super::convert::refuse(vm, &text)),
        }
    }),
    method("md5", 0, 0, |vm, this, _| string(hex::encode(Md5::digest(vm.text(this)?.as_bytes())))),
    method("digest", 1, 1, |vm, this, args| {
        let algorithm = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        let text = vm.text(this)?;
        string(hex::encode(hashed(algorithm_of(vm, &algorithm)?, text.as_bytes())))
    }),
];

const BASE64: &[Static] = &[
    function("getEncoder", 0, 0, |vm, _| Ok(vm.native(ENCODER, Coder { url: false, padding: true }))),
    function("getMimeEncoder", 0, 0, |vm, _| Ok(vm.native(ENCODER, Coder { url: false, padding: true }))),
    function("getUrlEncoder", 0, 0, |vm, _| Ok(vm.native(ENCODER, Coder { url: true, padding: true }))),
    function("getDecoder", 0, 0, |vm, _| Ok(vm.native(DECODER, Coder { url: false, padding: true }))),
    function("getMimeDecoder", 0, 0, |vm, _| Ok(vm.native(DECODER, Coder { url: false, padding: true }))),
    function("getUrlDecoder", 0, 0, |vm, _| Ok(vm.native(DECODER, Coder { url: true, padding: true }))),
];

const ENCODE: &[Method] = &[
    method("encodeToString", 1, 1, |vm, this, args| {
        let given = byte_array(vm, args)?;
        string(engine(coder(this)?).encode(given))
    }),
    method("encode", 1, 1, |vm, this, args| {
        let given = byte_array(vm, args)?;
        let text = engine(coder(this)?).encode(given);
        Ok(bytes(vm, text.as_bytes()))
    }),
    method("withoutPadding", 0, 0, |vm, this, _| {
        let url = coder(this)?.url;
        Ok(vm.native(ENCODER, Coder { url, padding: false }))
    }),
];

const DECODE: &[Method] = &[method("decode", 1, 1, |vm, this, args| {
    let given = match args {
        [text @ (Value::Str(_) | Value::GStr(_))] => vm.str_arg(text)?.as_bytes().to_vec(),
        _ => byte_array(vm, args)?,
    };
    let url = coder(this)?.url;
    let padding = given.ends_with(b"=");
    match engine(&Coder { url, padding }).decode(&given) {
        Ok(found) => Ok(bytes(vm, &found)),
        Err(error) => illegal(vm, format!("Illegal base64: {error}")),
    }
})];

const HASHER: &[Method] = &[
    method("update", 1, 1, |vm, this, args| {
        let given = byte_array(vm, args)?;
        hasher(this)?.fed.borrow_mut().extend(given);
        Ok(Value::Null)
    }),
    method("digest", 0, 1, |vm, this, args| {
        if !args.is_empty() {
            let given = byte_array(vm, args)?;
            hasher(this)?.fed.borrow_mut().extend(given);
        }
        let state = hasher(this)?;
        let fed = state.fed.take();
        let hash = hashed(state.algorithm, &fed);
        Ok(bytes(vm, &hash))
    }),
    method("reset", 0, 0, |_, this, _| {
        hasher(this)?.fed.take();
        Ok(Value::Null)
    }),
    method("getAlgorithm", 0, 0, |_, this, _| string(hasher(this)?.algorithm)),
];

const UUIDS: &[Method] = &[
    method("toString", 0, 0, |_, this, _| string(uuid_text(uuid(this)?))),
    method("hashCode", 0, 0, |_, this, _| {
        let number = uuid(this)?;
        let folded = (number >> 64) ^ number;
        #[expect(clippy::cast_possible_truncation, reason = "Java keeps the low bits")]
        Ok(Value::Int(((folded >> 32) ^ folded) as u32 as i32))
    }),
    method("compareTo", 1, 1, |_, this, args| {
        let other = uuid(args.first().ok_or(Raise::NoMatch)?)?;
        Ok(Value::Int(uuid(this)?.cast_signed().cmp(&other.cast_signed()) as i32))
    }),
    method("version", 0, 0, |_, this, _| Ok(Value::Int(i32::try_from((uuid(this)? >> 76) & 15).unwrap_or(0)))),
];

const UUID_STATICS: &[Static] = &[
    function("randomUUID", 0, 0, |vm, _| {
        let bits = u128::from(vm.random()) << 64 | u128::from(vm.random());
        Ok(vm.native(UUID, Uuid(stamped(bits, 4))))
    }),
    function("fromString", 1, 1, |vm, args| {
        let text = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        let parts: Vec<u128> = text.split('-').filter_map(|part| u128::from_str_radix(part, 16).ok()).collect();
        let [a, b, c, d, e] = parts.as_slice() else { return illegal(vm, format!("Invalid UUID string: {text}")) };
        let number = (a & 0xffff_ffff) << 96
            | (b & 0xffff) << 80
            | (c & 0xffff) << 64
            | (d & 0xffff) << 48
            | (e & 0xffff_ffff_ffff);
        Ok(vm.native(UUID, Uuid(number)))
    }),
    function("nameUUIDFromBytes", 1, 1, |vm, args| {
        let given = byte_array(vm, args)?;
        let hash: [u8; 16] = Md5::digest(given).into();
        Ok(vm.native(UUID, Uuid(stamped(u128::from_be_bytes(hash), 3))))
    }),
];

fn stamped(bits: u128, version: u128) -> u128 {
    bits & !(0xf << 76) & !(0x3 << 62) | version << 76 | 0x2 << 62
}

pub(super) fn uuid_text(number: u128) -> String {
    let text = format!("{number:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

fn uuid(value: &Value) -> Result<u128, Raise> {
    match value {
        Value::Native(native) => native.state::<Uuid>().map(|uuid| uuid.0).ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn coder(this: &Value) -> Result<&Coder, Raise> {
    match this {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn hasher(this: &Value) -> Result<&Hasher, Raise> {
    match this {
        Value::Native(native) => native.state().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

fn engine(coder: &Coder) -> &'static GeneralPurpose {
    match (coder.url, coder.padding) {
        (false, true) => &STANDARD,
        (false, false) => &STANDARD_NO_PAD,
        (true, true) => &URL_SAFE,
        (true, false) => &URL_SAFE_NO_PAD,
    }
}

fn byte_array(vm: &mut Vm, args: &[Value]) -> Result<Vec<u8>, Raise> {
    match args {
        [Value::List(list)] => Ok(to_bytes(&list.items.borrow())),
        [text] => Ok(chars(vm, text)?.as_bytes().to_vec()),
        _ => Err(Raise::NoMatch),
    }
}

/// `bytes.encodeBase64()`; its text is asked by `toString()`, so a string will do.
pub(super) fn encode_base64(_: &mut Vm, this: &Value, url: bool) -> Answer {
    match this {
        Value::List(list) => string(engine(&Coder { url, padding: true }).encode(to_bytes(&list.items.borrow()))),
        _ => Err(Raise::NoMatch),
    }
}

/// `bytes.encodeHex()`.
pub(super) fn encode_hex(_: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    match this {
        Value::List(list) => string(hex::encode(to_bytes(&list.items.borrow()))),
        _ => Err(Raise::NoMatch),
    }
}

fn algorithm_of(vm: &mut Vm, name: &str) -> Result<&'static str, Raise> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "MD5" => "MD5",
        "SHA" | "SHA1" | "SHA-1" => "SHA-1",
        "SHA256" | "SHA-256" => "SHA-256",
        "SHA384" | "SHA-384" => "SHA-384",
        "SHA512" | "SHA-512" => "SHA-512",
        _ => {
            return Err(
                vm.throw("java.security.NoSuchAlgorithmException", format!("{name} MessageDigest not available"))
            );
        }
    })
}

fn hashed(algorithm: &str, fed: &[u8]) -> Vec<u8> {
    match algorithm {
        "MD5" => Md5::digest(fed).to_vec(),
        "SHA-1" => Sha1::digest(fed).to_vec(),
        "SHA-384" => Sha384::digest(fed).to_vec(),
        "SHA-512" => Sha512::digest(fed).to_vec(),
        _ => Sha256::digest(fed).to_vec(),
    }
}

fn digest(vm: &mut Vm, args: &[Value]) -> Answer {
    let name = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
    let algorithm = algorithm_of(vm, &name)?;
    Ok(vm.native(DIGEST, Hasher { algorithm, fed: RefCell::default() }))
}

fn url_encode(vm: &mut Vm, args: &[Value]) -> Answer {
    let text = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    string(out)
}

fn url_decode(vm: &mut Vm, args: &[Value]) -> Answer {
    let text = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
                let Some(code) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) else {
                    return illegal(vm, "URLDecoder: Incomplete trailing escape (%) pattern");
                };
                out.push(code);
                rest = tail.get(2..).unwrap_or(&[]);
            }
            other => out.push(*other),
        }
    }
    string(String::from_utf8_lossy(&out))
}
