//! From a request's headers to its caller.
//!
//! | comes with | is |
//! |---|---|
//! | `Authorization: Bearer hal_…`, or Basic with a token as password | the token's owner, within the token's limits |
//! | `Authorization: Basic name:password` | that person; changes need a crumb |
//! | cookie [`COOKIE`] | the person of the session; changes need our origin or a crumb |
//! | nothing | nobody, with what is granted to `anonymous` |
//!
//! A credential that does not count is no error by itself: public routes (webhooks that send tokens of their own in the
//! same header) never look at it. Everything else answers 401 and says why.

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use haliotis_access::{Name, Rights, token};
use sha2::{Digest, Sha256};

use super::caller::{Caller, How};
use super::{Access, Known};
use crate::error::Failed;
use crate::identity;
use crate::state::ServerConfig;

/// The cookie of a session. No `__Host-` prefix: that needs https, which is a proxy's business here.
pub(crate) const COOKIE: &str = "haliotis_session";
/// Longer headers are nobody's.
const HEADER_MOST: usize = 4_096;

impl Access {
    /// The caller of a request.
    pub(crate) async fn admit(&self, config: &ServerConfig, parts: &Parts) -> Caller {
        if config.dev {
            return owner(&parts.headers, How::Dev, &config.user);
        }
        let known = self.known().await;
        let given = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
        let found = match given {
            Some(text) if text.len() <= HEADER_MOST => self.by_header(config, &known, &parts.headers, text).await,
            Some(_) => Err(refused("the Authorization header is too long")),
            None => Ok(self.by_cookie(&known, &parts.headers).await),
        };
        match found {
            Ok(Some(caller)) => caller,
            Ok(None) => Caller::nobody(known.directory.anonymous()),
            Err(failed) => Caller { refused: Some(failed), ..Caller::nobody(known.directory.anonymous()) },
        }
    }

    async fn by_header(
        &self,
        config: &ServerConfig,
        known: &Known,
        headers: &HeaderMap,
        text: &str,
    ) -> Result<Option<Caller>, Failed> {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            let rest = rest.trim();
            if self.local.is_some_and(|local| local == <[u8; 32]>::from(Sha256::digest(rest))) {
                return Ok(Some(owner(headers, How::Local, &config.user)));
            }
            return self.by_token(known, rest, None).map(Some);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(refused("the Authorization header is neither Basic nor Bearer"));
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((name, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Err(refused("the Basic credentials cannot be read"));
        };
        if token::id_of(password).is_some() {
            return self.by_token(known, password, Some(name)).map(Some);
        }
        let user = self.login(name, password).await?;
        if user.must_change {
            return Err(refused("this password is for the first login alone; log in at /login and set your own"));
        }
        Ok(Some(self.as_user(known, &user.name, How::Password)))
    }

    /// Checks a name and a password, with the limit on tries.
    pub(crate) async fn login(&self, name: &str, password: &str) -> Result<haliotis_access::User, Failed> {
        let now = haliotis_engine::now().0;
        let key = name.to_ascii_lowercase();
        if let Some(wait) = self.tries.wait(&key, now) {
            let message = format!("too many wrong tries for this name; wait {} s", wait / 1000 + 1);
            let help = "Wait, or use an API token; sessions and tokens go on working.";
            return Err(Failed::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", message, help));
        }
        match self.password(name, password).await {
            Some(user) => {
                self.tries.right(&key);
                Ok(user)
            }
            None => {
                self.tries.wrong(&key, now);
                tracing::warn!(name = %key.escape_debug(), "a wrong name or password");
                Err(refused("wrong name or password"))
            }
        }
    }

    fn by_token(&self, known: &Known, text: &str, name: Option<&str>) -> Result<Caller, Failed> {
        let now = haliotis_engine::now().0;
        let token = token::id_of(text).and_then(|id| known.tokens.get(id)).filter(|token| token.accepts(text, now));
        let token = token.ok_or_else(|| refused("this token is not known here, or its time is over"))?;
        if name.is_some_and(|name| Name::parse(name).ok().as_ref() != Some(&token.user)) {
            return Err(refused("this token is somebody else's"));
        }
        if known.directory.active(&token.user).is_none() {
            return Err(refused("the owner of this token may not enter any more"));
        }
        let mut caller = self.as_user(known, &token.user, How::Token(token.id.clone()));
        caller.rights = caller.rights.limited(token.permissions, &token.scope).into();
        caller.must_change = false;
        Ok(caller)
    }

    async fn by_cookie(&self, known: &Known, headers: &HeaderMap) -> Option<Caller> {
        let cookie = cookie(headers, COOKIE)?;
        let session = self.session(cookie).await?;
        known.directory.active(&session.user)?;
        Some(self.as_user(known, &session.user, How::Session(session.id)))
    }

    fn as_user(&self, known: &Known, name: &Name, how: How) -> Caller {
        let mut caller = Caller::somebody(name.as_str(), how, known.directory.rights(name));
        caller.groups = known.directory.groups_of(name).into();
        caller.must_change = known.directory.active(name).is_some_and(|user| user.must_change);
        caller
    }
}

/// The owner of the machine or of the data folder, who may speak as anybody: they could write it into the store as well.
fn owner(headers: &HeaderMap, how: How, user: &str) -> Caller {
    let named = headers.get(identity::USER_HEADER).map(|value| identity::check(value.to_str().unwrap_or("")));
    match named {
        Some(Ok(name)) => Caller::somebody(name, how, Rights::everything()),
        Some(Err(failed)) => Caller { refused: Some(failed), ..Caller::nobody(Rights::default()) },
        None => Caller::somebody(user, how, Rights::everything()),
    }
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn refused(message: &str) -> Failed {
    let help = "Look at the name and the password or token; an administrator can make a new one.";
    Failed::new(StatusCode::UNAUTHORIZED, "login-refused", message, help)
}
