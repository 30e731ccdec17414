//! Login by a provider of OpenID Connect: what is believed of it, decided without IO.
//!
//! ```text
//! person -> provider, with state, nonce and the PKCE challenge   [`Journey`], kept in the person's browser, signed by us
//! provider -> person -> us, with a code -> provider, with the code and the PKCE verifier -> an ID token
//! ID token -> [`verify`]: signature, issuer, audience, time, nonce -> [`Claims`] -> [`settle`] -> a user of ours
//! ```
//! (OpenID Connect Core 1.0, §3.1; RFC 7636 for PKCE.)
//!
//! **What somebody may try.** A token of another client, issuer or time: refused by `verify`. An answer of another login
//! (another's code, a replay): its state or nonce is not the journey's. A provider's user who calls himself like one of
//! ours: an account of ours is entered by whom it belongs to, issuer and subject, never because a name is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use ring::signature::{self as ring_signature, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::directory::{Directory, User};
use crate::name::Name;
use crate::{NoRandomness, random};

/// Clocks of two machines may differ by so much: a minute.
const SKEW_SECONDS: i64 = 60;
/// A login that takes longer begins anew: 10 minutes.
pub const JOURNEY_MS: i64 = 10 * 60 * 1000;
/// Longest subject (OpenID Connect Core, §2).
const SUBJECT_MOST: usize = 255;

/// A provider, as an administrator set it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its address, exactly as in its tokens.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// The credential with our secret there; `None`: we have none, PKCE alone.
    #[serde(default)]
    pub credential: Option<String>,
    /// The claim that a new person's name is taken from.
    pub name_claim: String,
    /// The claim that lists the provider's groups.
    #[serde(default)]
    pub groups_claim: Option<String>,
    /// The provider's groups that count, each with the group of ours it means.
    #[serde(default)]
    pub groups: BTreeMap<String, Name>,
    /// Whether a person who was never here gets an account.
    pub create: bool,
}

/// One login on its way. It travels in a cookie of the person's own browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// Comes back with the answer.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// PKCE: its hash goes with the question, itself with the code.
    pub verifier: String,
    /// Where the person wanted to go; checked before.
    pub next: String,
    /// When it began, in milliseconds since 1970.
    pub at: i64,
}

/// What a token says of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// Who, at this issuer; never reused there.
    pub subject: String,
    /// All of it, for the claims that the provider's settings name.
    pub all: Map<String, Value>,
}

/// Why a login by the provider counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token.
    #[error("the provider's token does not count: {0}")]
    Token(String),
    /// The answer belongs to no login of this browser, or to one that is too old.
    #[error("this is no answer to a login that was begun in this browser within ten minutes; log in again")]
    Journey,
    /// The provider says nothing that could be a name.
    #[error("the provider's claim `{0}` is missing or can be no name here; ask an administrator")]
    Name(String),
    /// The name is somebody else's.
    #[error("there is a user `{0}` already who does not log in by this provider; ask an administrator")]
    Taken(Name),
    /// Nobody is let in who was not here before.
    #[error("there is no account for this person; ask an administrator")]
    Unknown,
    /// The account is closed.
    #[error("this account may not enter any more")]
    Disabled,
}

impl Journey {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn begin(next: &str, now: i64) -> Result<Self, NoRandomness> {
        let text = || random::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).ok_or(NoRandomness);
        Ok(Self { state: text()?, nonce: text()?, verifier: text()?, next: next.to_owned(), at: now })
    }

    /// The PKCE challenge, method `S256`.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    /// As a cookie, signed: no other site of the same domain can send a person on a journey of its own.
    pub fn sealed(&self, key: &[u8; 32]) -> String {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let mac = mac(key, &text).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default();
        format!("{text}.{mac}")
    }

    /// From a cookie, if it is ours, young enough, and the answer's `state` is its own.
    ///
    /// # Errors
    /// `Journey`.
    pub fn open(cookie: &str, key: &[u8; 32], state: &str, now: i64) -> Result<Self, Refused> {
        let journey = || {
            let (text, given) = cookie.split_once('.')?;
            mac(key, text)?.verify_slice(&hex::decode(given).ok()?).ok()?;
            let journey: Journey = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let young = (0..JOURNEY_MS).contains(&(now - journey.at));
            (young && same(&journey.state, state)).then_some(journey)
        };
        journey().ok_or(Refused::Journey)
    }
}

fn mac(key: &[u8; 32], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(b"journey\0");
    mac.update(text.as_bytes());
    Some(mac)
}

fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// The id of the key that signed a token, where it names one.
pub fn key_id(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// Checks an ID token. `keys` is the provider's document of keys (RFC 7517); `now` in milliseconds since 1970.
///
/// # Errors
/// `Token` with the first thing that is wrong.
pub fn verify(token: &str, keys: &Value, provider: &Provider, nonce: &str, now: i64) -> Result<Claims, Refused> {
    let refused = |why: &str| Refused::Token(why.to_owned());
    let header = jsonwebtoken::decode_header(token).map_err(|_| refused("its head cannot be read"))?;
    if parameters(header.alg).is_none() && curve(header.alg).is_none() {
        return Err(refused("it is signed by no public key, or in a way that is not used here"));
    }
    install();
    let mut last = refused("no key of the provider fits it");
    for key in candidates(keys, header.kid.as_deref(), header.alg) {
        match decode(token, &key, header.alg) {
            Ok(all) => return checked(all, provider, nonce, now),
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// Keys for signatures that fit the token's head.
fn candidates(keys: &Value, id: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
    let listed = keys.get("keys").and_then(Value::as_array).into_iter().flatten();
    let fits = |key: &&Value| {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        text("use").is_none_or(|purpose| purpose == "sig")
            && text("alg").is_none_or(|named| named.parse::<Algorithm>().is_ok_and(|named| named == algorithm))
            && id.is_none_or(|id| text("kid").is_none_or(|kid| kid == id))
    };
    // A kind of key that the library does not know is no reason to know none.
    let read = |key: &Value| DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(key.clone()).ok()?).ok();
    listed.filter(fits).filter_map(read).collect()
}

fn decode(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Map<String, Value>, Refused> {
    let mut only_signature = Validation::new(algorithm);
    // The library reads the clock, and takes a claim of the wrong type for an absent one; `checked` does neither.
    only_signature.validate_exp = false;
    only_signature.validate_aud = false;
    only_signature.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, key, &only_signature);
    decoded.map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => Refused::Token("its signature is wrong".to_owned()),
        _ => Refused::Token("it cannot be read".to_owned()),
    })
}

fn checked(all: Map<String, Value>, provider: &Provider, nonce: &str, now: i64) -> Result<Claims, Refused> {
    let refused = |why: &str| Err(Refused::Token(why.to_owned()));
    let text = |name: &str| all.get(name).and_then(Value::as_str);
    let number = |name: &str| all.get(name).and_then(Value::as_f64).map(|number| number as i64);
    let seconds = now / 1000;
    if text("iss") != Some(provider.issuer.as_str()) {
        return refused("it is of another issuer");
    }
    let audience: Vec<&str> = match all.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let party = all.get("azp").is_none_or(|party| party.as_str() == Some(provider.client_id.as_str()));
    if !audience.contains(&provider.client_id.as_str()) || !party || (audience.len() > 1 && text("azp").is_none()) {
        return refused("it is for another client");
    }
    match (number("exp"), number("iat")) {
        (Some(end), Some(_)) if end + SKEW_SECONDS <= seconds => return refused("its time is over"),
        (Some(_), Some(made)) if made - SKEW_SECONDS > seconds => return refused("it is of the future"),
        (Some(_), Some(_)) => {}
        _ => return refused("it does not say when it was made and when it ends"),
    }
    if all.get("nbf").is_some_and(|from| from.as_f64().is_none_or(|from| from as i64 - SKEW_SECONDS > seconds)) {
        return refused("it does not count yet");
    }
    if !text("nonce").is_some_and(|given| same(given, nonce)) {
        return refused("it belongs to another login");
    }
    match text("sub") {
        Some(subject) if !subject.is_empty() && subject.len() <= SUBJECT_MOST => {
            Ok(Claims { subject: subject.to_owned(), all })
        }
        _ => refused("it names nobody"),
    }
}

/// What a login changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The person, as to be kept.
    pub user: User,
    /// They were not here before.
    pub new: bool,
    /// Groups of ours that the provider decides about: whether the person is in each.
    pub groups: BTreeMap<Name, bool>,
}

/// Whose login this is.
///
/// # Errors
/// `Name`, `Taken`, `Unknown`, `Disabled`.
pub fn settle(directory: &Directory, provider: &Provider, claims: &Claims, now: i64) -> Result<Settled, Refused> {
    let external = format!("{} {}", provider.issuer, claims.subject);
    let known = directory.users.values().find(|user| user.external.as_deref() == Some(external.as_str()));
    let groups = groups(provider, claims);
    if let Some(user) = known {
        if user.disabled {
            return Err(Refused::Disabled);
        }
        return Ok(Settled { user: user.clone(), new: false, groups });
    }
    if !provider.create {
        return Err(Refused::Unknown);
    }
    let text = |name: &str| claims.all.get(name).and_then(Value::as_str);
    // An address that the provider did not check is anybody's to claim.
    let checked = provider.name_claim != "email" || claims.all.get("email_verified") == Some(&Value::Bool(true));
    let name = text(&provider.name_claim).filter(|_| checked).and_then(|text| Name::parse(text).ok());
    let name = name.ok_or_else(|| Refused::Name(provider.name_claim.clone()))?;
    if directory.users.contains_key(&name) {
        return Err(Refused::Taken(name));
    }
    let full_name = text("name").unwrap_or_default().chars().filter(|sign| !sign.is_control()).take(100).collect();
    let user = User {
        name,
        full_name,
        password: None,
        must_change: false,
        disabled: false,
        external: Some(external),
        created_at: now,
    };
    Ok(Settled { user, new: true, groups })
}

/// Names of the provider's groups are compared as they are: one that differs in case is another.
fn groups(provider: &Provider, claims: &Claims) -> BTreeMap<Name, bool> {
    let Some(claim) = &provider.groups_claim else { return BTreeMap::new() };
    let listed = claims.all.get(claim).and_then(Value::as_array).into_iter().flatten();
    let listed: BTreeSet<&str> = listed.filter_map(Value::as_str).collect();
    let mut own = BTreeMap::new();
    for (theirs, ours) in &provider.groups {
        *own.entry(ours.clone()).or_insert(false) |= listed.contains(theirs.as_str());
    }
    own
}

fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &ring_signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &ring_signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &ring_signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &ring_signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn ring_signature::VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::ES256 => &ring_signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ring_signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &ring_signature::ED25519,
        _ => return None,
    })
}

/// Signatures by ring, which is here for TLS already; the library's own choices would bring a second family of crates.
struct Ring {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl signature::Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> Result<(), signature::Error> {
        let right = match (self.key.kind(), parameters(self.algorithm), curve(self.algorithm)) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, Some(parameters), _) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, given)
            }
            (DecodingKeyKind::SecretOrDer(point), None, Some(curve)) => {
                UnparsedPublicKey::new(curve, point).verify(message, given)
            }
            _ => return Err(signature::Error::new()),
        };
        right.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn install() {
    static ONCE: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        verifier_factory: |algorithm, key| {
            if parameters(*algorithm).is_none() && curve(*algorithm).is_none() {
                return Err(ErrorKind::InvalidAlgorithm.into());
            }
            Ok(Box::new(Ring { algorithm: *algorithm, key: key.clone() }))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // An error means that there is one already.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

#[cfg(test)]
#[path = "oidc_tests.rs"]
mod tests;
