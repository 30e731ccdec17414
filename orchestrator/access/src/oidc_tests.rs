//! Tokens that count, and all those that do not. Keys and signatures are real; ring makes them.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000_000;

struct Signer(EcdsaKeyPair, SystemRandom);

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self(pair, random)
    }

    fn keys(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"keys": [
            {"kty": "unheard-of", "kid": "odd"},
            {"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "alg": "ES256", "x": x, "y": y},
        ]})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(&self.1, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": "one"}), claims)
    }
}

fn provider() -> Provider {
    Provider {
        issuer: "https://id.example".to_owned(),
        client_id: "haliotis".to_owned(),
        credential: None,
        name_claim: "preferred_username".to_owned(),
        groups_claim: Some("groups".to_owned()),
        groups: [("ML-Team".to_owned(), Name::parse("ml").unwrap())].into(),
        create: true,
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "aud": "haliotis", "sub": "7", "nonce": "n", "iat": NOW / 1000, "exp": NOW / 1000 + 300,
        "preferred_username": "Ada", "name": "Ada L.", "groups": ["ML-Team"]})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims.as_object_mut().unwrap().insert(name.to_owned(), value),
    };
    claims
}

#[test]
fn a_right_token_counts_and_every_other_is_refused() {
    let signer = Signer::new();
    let keys = signer.keys();
    let check = |token: &str, nonce: &str| verify(token, &keys, &provider(), nonce, NOW);
    assert_eq!(check(&signer.token(&claims()), "n").unwrap().subject, "7");
    let many = with("aud", json!(["other", "haliotis"]));
    let mut party = many.clone();
    party["azp"] = json!("haliotis");
    assert!(check(&signer.token(&party), "n").is_ok());
    for (what, bad) in [
        ("another issuer", with("iss", json!("https://id.example/"))),
        ("no issuer", with("iss", Value::Null)),
        ("another audience", with("aud", json!("other"))),
        ("several audiences and no party", many),
        ("another party", with("azp", json!("other"))),
        ("over", with("exp", json!(NOW / 1000 - 61))),
        ("an end that is text", with("exp", json!("9999999999"))),
        ("no end", with("exp", Value::Null)),
        ("of the future", with("iat", json!(NOW / 1000 + 61))),
        ("not yet", with("nbf", json!(NOW / 1000 + 61))),
        ("another login's nonce", with("nonce", json!("m"))),
        ("no nonce", with("nonce", Value::Null)),
        ("nobody", with("sub", json!(""))),
        ("a subject that is none", with("sub", json!(7))),
    ] {
        assert!(check(&signer.token(&bad), "n").is_err(), "{what}");
    }
    let other = Signer::new();
    assert!(check(&other.token(&claims()), "n").unwrap_err().to_string().contains("signature is wrong"));
    let mut changed = signer.token(&claims());
    let at = changed.find('.').unwrap() + 3;
    changed.replace_range(at..at + 1, if &changed[at..at + 1] == "A" { "B" } else { "A" });
    assert!(check(&changed, "n").is_err());
    let unsigned = format!("{}.", signer.sign(&json!({"alg": "none"}), &claims()).rsplit_once('.').unwrap().0);
    for token in ["", "a.b.c", &unsigned, &signer.sign(&json!({"alg": "HS256", "kid": "one"}), &claims())] {
        assert!(check(token, "n").is_err(), "{token}");
    }
    assert_eq!(key_id(&signer.token(&claims())).as_deref(), Some("one"));
}

#[test]
fn a_journey_is_one_browsers_and_ends() {
    let journey = Journey::begin("/builds/1", NOW).unwrap();
    let cookie = journey.sealed(&[7; 32]);
    let open = |cookie: &str, key: u8, state: &str, now: i64| Journey::open(cookie, &[key; 32], state, now);
    assert_eq!(open(&cookie, 7, &journey.state, NOW + 1).unwrap(), journey);
    for (cookie, key, state, now) in [
        (cookie.as_str(), 8, journey.state.as_str(), NOW),
        (&cookie, 7, "other", NOW),
        (&cookie, 7, "", NOW),
        (&cookie, 7, &journey.state, NOW + JOURNEY_MS),
        (&cookie, 7, &journey.state, NOW - 1),
        ("", 7, &journey.state, NOW),
        (&format!("x{cookie}"), 7, &journey.state, NOW),
    ] {
        assert_eq!(open(cookie, key, state, now).unwrap_err(), Refused::Journey);
    }
    assert_ne!(journey.challenge(), journey.verifier);
}

#[test]
fn an_account_is_entered_by_whom_it_belongs_to() {
    let provider = provider();
    let told = |claims: Value| Claims { subject: "7".to_owned(), all: claims.as_object().unwrap().clone() };
    let mut directory = Directory::default();
    let settled = settle(&directory, &provider, &told(claims()), NOW).unwrap();
    assert!(settled.new && settled.user.name.as_str() == "ada" && settled.user.password.is_none());
    assert_eq!(settled.groups, [(Name::parse("ml").unwrap(), true)].into());
    directory.users.insert(settled.user.name.clone(), settled.user.clone());
    // The name at the provider may change; the account stays.
    let renamed = settle(&directory, &provider, &told(with("preferred_username", json!("root"))), NOW).unwrap();
    assert!(!renamed.new && renamed.user.name.as_str() == "ada");
    // Somebody else there who takes the name.
    let thief = Claims { subject: "8".to_owned(), ..told(claims()) };
    assert!(matches!(settle(&directory, &provider, &thief, NOW), Err(Refused::Taken(_))));
    let elsewhere = Provider { issuer: "https://other.example".to_owned(), ..provider.clone() };
    assert!(matches!(settle(&directory, &elsewhere, &told(claims()), NOW), Err(Refused::Taken(_))));
    // A group that differs in case is another.
    let small = settle(&directory, &provider, &told(with("groups", json!(["ml-team"]))), NOW).unwrap();
    assert_eq!(small.groups, [(Name::parse("ml").unwrap(), false)].into());
    for name in ["adm\u{131}n", "", "system"] {
        let odd = Claims { subject: "9".to_owned(), ..told(with("preferred_username", json!(name))) };
        assert!(matches!(settle(&directory, &provider, &odd, NOW), Err(Refused::Name(_))), "{name}");
    }
    let by_mail = Provider { name_claim: "email".to_owned(), ..provider.clone() };
    let mut unchecked = with("email", json!("boss@example.org"));
    let mail =
        |claims: &Value| settle(&directory, &by_mail, &Claims { subject: "9".to_owned(), ..told(claims.clone()) }, NOW);
    assert!(mail(&unchecked).is_err(), "an address that nobody checked");
    unchecked["email_verified"] = json!(true);
    assert!(mail(&unchecked).is_ok());
    let closed = Provider { create: false, ..provider.clone() };
    let stranger = Claims { subject: "9".to_owned(), ..told(claims()) };
    assert_eq!(settle(&directory, &closed, &stranger, NOW).unwrap_err(), Refused::Unknown);
    directory.users.get_mut(&settled.user.name).unwrap().disabled = true;
    assert_eq!(settle(&directory, &provider, &told(claims()), NOW).unwrap_err(), Refused::Disabled);
}
