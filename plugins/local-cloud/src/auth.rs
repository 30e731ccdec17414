//! Who asks: access keys, SigV4 signatures in headers and in presigned URLs, and the temporary keys that STS hands out.
//!
//! Signatures are verified because a client that signs wrongly must learn it here and not in an account. The keys guard
//! little: the server is on loopback, and the default pair is in the source.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, Method, Uri};
use haliotis_model::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::durable::write_atomic;
use crate::{AwsError, Config, OpenError};

/// How far a request's clock may be off, in milliseconds: AWS' fifteen minutes.
const MAX_SKEW_MS: i64 = 15 * 60 * 1000;
/// The longest life of a presigned URL, in seconds: AWS' seven days.
const MAX_PRESIGNED_SECONDS: i64 = 7 * 24 * 3600;
/// Temporary keys kept at once; the oldest goes first. A loop that assumes a role must not grow the file for ever.
const MAX_TEMPORARY: usize = 1000;

/// Who a request is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
}

/// What a request's signature says, before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    access_key: String,
    day: String,
    region: String,
    /// As `s3`, `sagemaker`, `sts`.
    pub(crate) service: String,
    signed_headers: Vec<String>,
    pub(crate) signature: String,
    /// `20260102T030405Z`.
    pub(crate) timestamp: String,
    token: Option<String>,
    /// Seconds that a presigned URL is good for.
    expires: Option<i64>,
}

/// A verified request: who, and the key with which the chunks of its body are signed.
pub(crate) struct Verified {
    pub(crate) identity: Identity,
    pub(crate) signing_key: Vec<u8>,
}

/// A pair that STS handed out.
#[derive(Clone, Serialize, Deserialize)]
struct Temporary {
    secret: String,
    token: String,
    expires_ms: i64,
    account: String,
    arn: String,
    user_id: String,
}

/// Known access keys.
pub(crate) struct Credentials {
    access_key: String,
    secret_key: Secret,
    account: String,
    file: PathBuf,
    temporary: Mutex<BTreeMap<String, Temporary>>,
}

/// What STS gives to a client.
pub(crate) struct Issued {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) token: String,
    pub(crate) expires_ms: i64,
}

impl Credentials {
    /// Reads the temporary keys that are still good.
    pub(crate) fn open(config: &Config) -> Result<Self, OpenError> {
        let file = config.dir.join("credentials.json");
        let temporary = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| OpenError::Damaged { path: file.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(OpenError::Io { path: file, source }),
        };
        Ok(Self {
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.clone(),
            account: config.account.clone(),
            file,
            temporary: Mutex::new(temporary),
        })
    }

    /// Makes a temporary pair and keeps it across restarts.
    pub(crate) fn issue(&self, identity: Identity, seconds: i64) -> Result<Issued, AwsError> {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let issued = Issued {
            access_key: format!("ASIA{}", random()[..16].to_ascii_uppercase()),
            secret_key: format!("{}{}", random(), &random()[..8]),
            token: format!("haliotis{}{}{}", random(), random(), random()),
            expires_ms: now_ms() + seconds * 1000,
        };
        let entry = Temporary {
            secret: issued.secret_key.clone(),
            token: issued.token.clone(),
            expires_ms: issued.expires_ms,
            account: identity.account,
            arn: identity.arn,
            user_id: identity.user_id,
        };
        let mut known = self.temporary.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, entry| entry.expires_ms > now_ms() - MAX_SKEW_MS);
        while known.len() >= MAX_TEMPORARY {
            let Some(oldest) = known.iter().min_by_key(|(_, entry)| entry.expires_ms).map(|(key, _)| key.clone())
            else {
                break;
            };
            known.remove(&oldest);
        }
        known.insert(issued.access_key.clone(), entry);
        let text = serde_json::to_vec(&*known).map_err(|error| AwsError::internal(error.to_string()))?;
        write_atomic(&self.file, &text).map_err(|error| AwsError::io("cannot write", &self.file, &error))?;
        Ok(issued)
    }

    /// Checks the claim against the request. `payload` is the body's hash as the client signed it.
    ///
    /// # Errors
    /// S3's codes; the front words them for the other protocols.
    pub(crate) fn verify(
        &self,
        claim: &Claim,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        payload: &str,
    ) -> Result<Verified, AwsError> {
        let (secret, identity) = self.known(claim)?;
        check_time(claim)?;
        let scope = claim.scope();
        let canonical = canonical_request(claim, method, uri, headers, payload);
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", claim.timestamp, sha256_hex(canonical.as_bytes()));
        let signing_key = claim.signing_key(secret.expose());
        let expected = hex::encode(hmac(&signing_key, text.as_bytes()));
        if !bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes())) {
            return Err(AwsError::new(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method.",
            ));
        }
        Ok(Verified { identity, signing_key })
    }

    fn known(&self, claim: &Claim) -> Result<(Secret, Identity), AwsError> {
        if claim.access_key == self.access_key {
            let arn = format!("arn:aws:iam::{}:user/haliotis", self.account);
            let identity = Identity { account: self.account.clone(), arn, user_id: "AIDALOCALHALIOTIS000".to_owned() };
            return Ok((self.secret_key.clone(), identity));
        }
        let known = self.temporary.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = || {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            AwsError::new(403, "InvalidAccessKeyId", message)
        };
        let entry = known.get(&claim.access_key).ok_or_else(unknown)?;
        let token = claim.token.as_deref().unwrap_or_default();
        if !bool::from(token.as_bytes().ct_eq(entry.token.as_bytes())) {
            return Err(AwsError::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid."));
        }
        if entry.expires_ms < now_ms() {
            return Err(AwsError::new(400, "ExpiredToken", "The provided token has expired."));
        }
        let identity =
            Identity { account: entry.account.clone(), arn: entry.arn.clone(), user_id: entry.user_id.clone() };
        Ok((Secret::new(entry.secret.clone()), identity))
    }
}

impl Claim {
    /// Reads the `Authorization` header or the query of a presigned URL; `None`: the request is not signed.
    ///
    /// # Errors
    /// A signature that cannot be read, or of another version.
    pub(crate) fn parse(headers: &HeaderMap, uri: &Uri) -> Result<Option<Self>, AwsError> {
        if let Some(value) = headers.get("authorization") {
            let text = value.to_str().map_err(|_| malformed("the header is not text"))?;
            return Self::from_header(text, headers).map(Some);
        }
        let query: BTreeMap<_, _> = query_pairs(uri).into_iter().collect();
        if query.contains_key("AWSAccessKeyId") {
            return Err(old_signature());
        }
        if query.contains_key("X-Amz-Algorithm") { Self::from_query(&query).map(Some) } else { Ok(None) }
    }

    fn from_header(text: &str, headers: &HeaderMap) -> Result<Self, AwsError> {
        let rest = text.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(old_signature)?;
        let field = |name: &str| {
            rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let timestamp = header(headers, "x-amz-date").ok_or_else(|| malformed("the header x-amz-date is missing"))?;
        Self::new(
            &field("Credential").ok_or_else(|| malformed("Credential is missing"))?,
            &field("SignedHeaders").ok_or_else(|| malformed("SignedHeaders is missing"))?,
            field("Signature").ok_or_else(|| malformed("Signature is missing"))?,
            timestamp,
            header(headers, "x-amz-security-token"),
            None,
        )
    }

    fn from_query(query: &BTreeMap<String, String>) -> Result<Self, AwsError> {
        let field = |name: &str| query.get(name).cloned().ok_or_else(|| malformed(&format!("{name} is missing")));
        let expires =
            field("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=MAX_PRESIGNED_SECONDS).contains(seconds));
        Self::new(
            &field("X-Amz-Credential")?,
            &field("X-Amz-SignedHeaders")?,
            field("X-Amz-Signature")?,
            field("X-Amz-Date")?,
            query.get("X-Amz-Security-Token").cloned(),
            Some(expires.ok_or_else(|| malformed("X-Amz-Expires must be 1 to 604800 seconds"))?),
        )
    }

    fn new(
        credential: &str,
        signed_headers: &str,
        signature: String,
        timestamp: String,
        token: Option<String>,
        expires: Option<i64>,
    ) -> Result<Self, AwsError> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, day, region, service, "aws4_request"] = parts.as_slice() else {
            return Err(malformed("the Credential must be KEY/DATE/REGION/SERVICE/aws4_request"));
        };
        Ok(Self {
            access_key: (*access_key).to_owned(),
            day: (*day).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature,
            timestamp,
            token,
            expires,
        })
    }

    /// `DATE/REGION/SERVICE/aws4_request`.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }

    fn signing_key(&self, secret: &str) -> Vec<u8> {
        let mut key = hmac(format!("AWS4{secret}").as_bytes(), self.day.as_bytes());
        for part in [&self.region, &self.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        key
    }

    pub(crate) fn is_presigned(&self) -> bool {
        self.expires.is_some()
    }
}

fn check_time(claim: &Claim) -> Result<(), AwsError> {
    let format = "%Y%m%dT%H%M%SZ";
    let parsed = jiff::civil::DateTime::strptime(format, &claim.timestamp).ok();
    let signed = parsed.and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let signed_ms = signed.map(|time| time.timestamp().as_millisecond()).ok_or_else(|| malformed("x-amz-date"))?;
    let age_ms = now_ms() - signed_ms;
    match claim.expires {
        Some(seconds) if age_ms > seconds * 1000 => {
            Err(AwsError::new(403, "AccessDenied", "Request has expired: sign a new URL"))
        }
        Some(_) if age_ms >= -MAX_SKEW_MS => Ok(()),
        None if age_ms.abs() <= MAX_SKEW_MS => Ok(()),
        _ => Err(AwsError::new(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )),
    }
}

fn canonical_request(claim: &Claim, method: &Method, uri: &Uri, headers: &HeaderMap, payload: &str) -> String {
    // S3 signs the path as sent; the other services encode it once more.
    let path = if claim.service == "s3" { encode(&decode(uri.path()), true) } else { encode(uri.path(), true) };
    let mut pairs: Vec<_> =
        query_pairs(uri).iter().map(|(name, value)| (encode(name, false), encode(value, false))).collect();
    if claim.is_presigned() {
        pairs.retain(|(name, _)| name != "X-Amz-Signature");
    }
    pairs.sort();
    let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut lines = String::new();
    for name in &claim.signed_headers {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| normal(value.as_bytes())).collect();
        lines.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    format!("{method}\n{path}\n{}\n{lines}\n{}\n{payload}", query.join("&"), claim.signed_headers.join(";"))
}

/// A header's value with runs of spaces made one, as SigV4 signs it.
fn normal(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The decoded query, in order.
pub(crate) fn query_pairs(uri: &Uri) -> Vec<(String, String)> {
    let parts = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Percent-decodes; a `+` stays a `+`.
pub(crate) fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// SigV4's percent-encoding: everything but the unreserved, and `/` where it is a path.
pub(crate) fn encode(text: &str, path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b'/' if path => encoded.push('/'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// HMAC-SHA-256.
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so there is no error to report.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn old_signature() -> AwsError {
    AwsError::new(
        400,
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 \
         (in boto3: Config(signature_version='s3v4')).",
    )
}

fn malformed(why: &str) -> AwsError {
    AwsError::new(400, "AuthorizationHeaderMalformed", format!("The request's signature cannot be read: {why}"))
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_the_documented_example() {
        // The GET Object example of the SigV4 documentation for S3, with its published keys and signature.
        let mut headers = HeaderMap::new();
        headers.insert("host", "examplebucket.s3.amazonaws.com".parse().unwrap());
        headers.insert("range", "bytes=0-9".parse().unwrap());
        let empty = sha256_hex(b"");
        headers.insert("x-amz-content-sha256", empty.parse().unwrap());
        headers.insert("x-amz-date", "20130524T000000Z".parse().unwrap());
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
            SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
            Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        headers.insert("authorization", authorization.parse().unwrap());
        let uri: Uri = "/test.txt".parse().unwrap();
        let claim = Claim::parse(&headers, &uri).unwrap().unwrap();
        let canonical = canonical_request(&claim, &Method::GET, &uri, &headers, &empty);
        let text =
            format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", claim.timestamp, claim.scope(), sha256_hex(canonical.as_bytes()));
        let key = claim.signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        assert_eq!(hex::encode(hmac(&key, text.as_bytes())), claim.signature);
    }

    #[test]
    fn unreadable_signatures_are_refused_and_missing_ones_are_none() {
        let uri: Uri = "/".parse().unwrap();
        assert_eq!(Claim::parse(&HeaderMap::new(), &uri).unwrap(), None);
        for bad in ["Basic eDp5", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=h,Signature=s"] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", bad.parse().unwrap());
            headers.insert("x-amz-date", "20130524T000000Z".parse().unwrap());
            assert!(Claim::parse(&headers, &uri).is_err(), "{bad}");
        }
    }
}
