//! Who asks for a change: the name that goes into causes, approvals and the audit trail.
//!
//! It is the caller's own (see [`crate::access`]). In dev mode, and for the owner of the data folder, a request may name
//! the person instead, by header or by the field `by`; everybody else is themselves.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::access::{Caller, current};
use crate::error::Failed;
use crate::state::AppState;

/// The header that names the person where a caller may speak for others.
pub(crate) const USER_HEADER: &str = "x-haliotis-user";
/// A name longer than this is a mistake or an attack.
const NAME_MAX: usize = 120;

/// The person who asks for a change.
#[derive(Clone, Debug)]
pub(crate) struct Person(Caller);

impl Person {
    /// The name; `by`, a field of the request, wins where the caller may speak for others.
    ///
    /// # Errors
    /// When `by` cannot be a name, or is another person's.
    pub(crate) fn named(&self, by: Option<&str>) -> Result<String, Failed> {
        match by.map(str::trim).filter(|by| !by.is_empty()) {
            None => Ok(self.0.name.clone()),
            Some(by) if self.0.speaks_for_others() => check(by),
            Some(by) if by == self.0.name => Ok(self.0.name.clone()),
            Some(by) => {
                let message = format!("{} is logged in and cannot act as {by:?}", self.0.name);
                Err(Failed::new(StatusCode::FORBIDDEN, "acts-as", message, "Leave the field `by` out."))
            }
        }
    }
}

impl FromRequestParts<AppState> for Person {
    type Rejection = Failed;

    async fn from_request_parts(_: &mut Parts, _: &AppState) -> Result<Self, Failed> {
        let caller = current();
        if !caller.known() {
            let help = "Log in at /login, or send an API token.";
            return Err(Failed::new(StatusCode::UNAUTHORIZED, "no-login", "nobody is logged in", help));
        }
        Ok(Self(caller))
    }
}

/// A name that a request gives.
pub(crate) fn check(name: &str) -> Result<String, Failed> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(bad_name());
    }
    Ok(name.to_owned())
}

fn bad_name() -> Failed {
    Failed::bad_request("the name of the person cannot be read", format!("Give 1 to {NAME_MAX} printable characters."))
}
