//! Names of remote things, derived from the step key.
//!
//! A key alone is unique within a data folder only, and job names stay taken in an account for ever, so the build's
//! pipeline and hour of creation go into the hash: a new installation does not find the jobs of an old one.

use haliotis_plugin_api::StepContext;
use sha2::{Digest, Sha256};

/// Readable part of a job name; with `-` and the hash it stays within SageMaker's 63.
const MAX_READABLE: usize = 46;
/// Hexadecimal digits of the hash: 64 bits.
const HASH_DIGITS: usize = 16;

/// The name of the job that a step of this context makes: `abalone-model-build-7-train-0123456789abcdef`, at most 63
/// letters, digits and single `-`.
pub fn job(ctx: &StepContext) -> String {
    let readable = format!("{}-{}-{}", ctx.build.pipeline, ctx.build.number, ctx.key.step.as_str());
    format!("{}-{}", dashed(&readable, MAX_READABLE), token(ctx))
}

/// The attempt's identity in hexadecimal, for idempotency tokens and metadata.
pub(crate) fn token(ctx: &StepContext) -> String {
    let identity = format!("{}|{}|{}", ctx.build.pipeline, ctx.build.created_at.0, ctx.key);
    hex::encode(Sha256::digest(identity.as_bytes()))[..HASH_DIGITS].to_owned()
}

/// `PIPELINE/NUMBER/STEP`: the prefix of what the step writes to S3. A further attempt has its own.
pub(crate) fn prefix(ctx: &StepContext) -> String {
    let step = ctx.key.step.as_str().trim_matches('/');
    let path = format!("{}/{}/{}", ctx.build.pipeline, ctx.build.number, step);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "/-_.=".contains(c) { c } else { '-' };
    let mut path: String = path.chars().map(safe).collect();
    if ctx.key.attempt > 1 {
        path.push_str(&format!("/attempt-{}", ctx.key.attempt));
    }
    path
}

/// Only letters, digits and single `-` between them.
fn dashed(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= max {
            break;
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// A tag or metadata value: characters that AWS refuses become `-`; at most 256.
pub fn tag_value(text: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    text.chars().map(|c| if fits(c) { c } else { '-' }).take(256).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haliotis_model::{Millis, StepId};
    use haliotis_plugin_dummy::bench::{DirectProcesses, context};
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_valid_stable_and_distinct() {
        let dir = tempfile::tempdir().unwrap();
        let mut ctx = context(dir.path(), "sagemaker.training", json!({}), &DirectProcesses::shared()).unwrap();
        ctx.key.step = StepId::new("/train[py=3.11,os=linux]/with a long name that goes on and on");
        let name = job(&ctx);
        assert!(name.len() <= 63 && name.starts_with("bench-1-train-py-3-11-os-linux-with-a"), "{name}");
        assert!(!name.contains("--"), "{name}");
        assert_eq!(name, job(&ctx));
        assert_eq!(prefix(&ctx), "bench/1/train-py=3.11-os=linux-/with-a-long-name-that-goes-on-and-on");
        ctx.key.attempt = 2;
        assert_ne!(name, job(&ctx));
        assert!(prefix(&ctx).ends_with("/attempt-2"));
        ctx.key.attempt = 1;
        let mut other = (*ctx.build).clone();
        other.created_at = Millis(5);
        ctx.build = Arc::new(other);
        assert_ne!(name, job(&ctx));
    }

    #[test]
    fn tag_values_lose_what_aws_refuses() {
        assert_eq!(tag_value("/train[py=3]#1"), "/train-py=3--1");
    }
}
