//! Zip archives: written with deflate, read by their central directory. No encryption, no zip64: an archive beyond 4 GiB
//! is refused. Names that lead out of the folder are refused too.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::files::Picked;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
const DEFLATED: u16 = 8;
/// The end record and its longest comment.
const MAX_TAIL: u64 = 22 + 65_535;

/// Writes files into an archive.
pub(crate) fn write(mut to: File, files: &[Picked]) -> io::Result<()> {
    let mut central = Vec::new();
    for file in files {
        let at = offset(to.stream_position()?)?;
        let content = std::fs::read(&file.path)?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&content)?;
        let packed = encoder.finish()?;
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        let fields = fields(crc.sum(), offset(packed.len() as u64)?, offset(content.len() as u64)?, &file.relative)?;
        to.write_all(&LOCAL.to_le_bytes())?;
        to.write_all(&fields)?;
        to.write_all(file.relative.as_bytes())?;
        to.write_all(&packed)?;
        central.extend(CENTRAL.to_le_bytes());
        central.extend(20u16.to_le_bytes());
        central.extend(&fields);
        // Comment, disk, attributes.
        central.extend([0; 10]);
        central.extend(at.to_le_bytes());
        central.extend(file.relative.as_bytes());
    }
    let start = offset(to.stream_position()?)?;
    to.write_all(&central)?;
    let count = u16::try_from(files.len()).map_err(|_| too_large())?.to_le_bytes();
    to.write_all(&END.to_le_bytes())?;
    to.write_all(&[0; 4])?;
    to.write_all(&count)?;
    to.write_all(&count)?;
    to.write_all(&offset(central.len() as u64)?.to_le_bytes())?;
    to.write_all(&start.to_le_bytes())?;
    to.write_all(&[0; 2])
}

/// What local and central headers share: from the version to the length of extra fields.
fn fields(crc: u32, packed: u32, size: u32, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(26);
    bytes.extend(20u16.to_le_bytes());
    bytes.extend(UTF8.to_le_bytes());
    bytes.extend(DEFLATED.to_le_bytes());
    // 1980-01-01: the same files give the same archive.
    bytes.extend(0u16.to_le_bytes());
    bytes.extend(0x21u16.to_le_bytes());
    bytes.extend(crc.to_le_bytes());
    bytes.extend(packed.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(u16::try_from(name.len()).map_err(|_| too_large())?.to_le_bytes());
    bytes.extend(0u16.to_le_bytes());
    Ok(bytes)
}

/// Unpacks all files into a folder; at most so many bytes come out.
pub(crate) fn extract(archive: &Path, into: &Path, max: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(archive)?;
    let length = file.metadata()?.len();
    let tail_at = length.saturating_sub(MAX_TAIL);
    file.seek(SeekFrom::Start(tail_at))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let end = tail.windows(4).rposition(|window| window == END.to_le_bytes()).ok_or_else(|| bad("no end record"))?;
    let count = number(&tail, end + 10, 2)?;
    let central_at = number(&tail, end + 16, 4)?;
    file.seek(SeekFrom::Start(central_at))?;
    let mut central = Vec::new();
    Read::by_ref(&mut file).take(length).read_to_end(&mut central)?;
    let mut names = Vec::new();
    let (mut at, mut left) = (0, max);
    for _ in 0..count {
        if number(&central, at, 4)? != u64::from(CENTRAL) {
            return Err(bad("a broken central directory"));
        }
        let method = number(&central, at + 10, 2)?;
        let packed = number(&central, at + 20, 4)?;
        let sizes = [28, 30, 32].map(|field| number(&central, at + field, 2));
        let [name, extra, comment] = sizes;
        let (name, extra, comment) = (name? as usize, extra? as usize, comment? as usize);
        let local = number(&central, at + 42, 4)?;
        let text = central.get(at + 46..at + 46 + name).ok_or_else(|| bad("a name is cut off"))?;
        let text = String::from_utf8_lossy(text).into_owned();
        at += 46 + name + extra + comment;
        if text.ends_with('/') {
            continue;
        }
        let path = Path::new(&text);
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(bad(&format!("the name `{text}` leads out of the folder")));
        }
        file.seek(SeekFrom::Start(local))?;
        let mut header = [0; 30];
        file.read_exact(&mut header)?;
        let skip = number(&header, 26, 2)? + number(&header, 28, 2)?;
        file.seek(SeekFrom::Current(i64::try_from(skip).unwrap_or(0)))?;
        let target = into.join(path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut out = File::create(&target)?;
        let raw = Read::by_ref(&mut file).take(packed);
        let written = match method {
            0 => io::copy(&mut raw.take(left + 1), &mut out)?,
            8 => io::copy(&mut DeflateDecoder::new(raw).take(left + 1), &mut out)?,
            _ => return Err(bad(&format!("`{text}` is packed by method {method}, which is not known"))),
        };
        left = left.checked_sub(written).ok_or_else(|| bad("it holds more than may be unpacked"))?;
        names.push(text);
    }
    Ok(names)
}

fn number(bytes: &[u8], at: usize, width: usize) -> io::Result<u64> {
    let slice = bytes.get(at..at + width).ok_or_else(|| bad("it is cut off"))?;
    Ok(slice.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

fn offset(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::other("the archive would be larger than the zip format allows; use tar")
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a zip archive: {why}"))
}
