//! `haliotis __supervise --dir DIR`: the small process that owns the steps' processes. Hidden; started by the agent.

use std::ffi::OsString;
use std::path::PathBuf;

/// The hidden verb.
pub const VERB: &str = "__supervise";

/// Answers the verb if it is this one: the exit code. Runs before clap, tokio and tracing are touched.
pub fn early(args: impl IntoIterator<Item = OsString>) -> Option<u8> {
    let mut args = args.into_iter().skip(1);
    if args.next()? != VERB {
        return None;
    }
    let dir = match (args.next(), args.next()) {
        (Some(flag), Some(dir)) if flag == "--dir" => PathBuf::from(dir),
        _ => return Some(crate::failure::code::USAGE),
    };
    Some(u8::try_from(haliotis_agent::supervise_main(&dir)).unwrap_or(1))
}
