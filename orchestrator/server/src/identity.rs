//! Who asks. In dev mode a request may name its person; without a name it is the user who started the server.
//!
//! Without dev mode there is no login yet, so nobody may change anything: every change is refused by name rather than
//! done by somebody unknown.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::error::Failed;
use crate::state::AppState;

/// The header that names the person in dev mode.
pub(crate) const USER_HEADER: &str = "x-haliotis-user";
/// A name longer than this is a mistake or an attack.
const NAME_MAX: usize = 120;

/// The person who asks for a change.
#[derive(Clone, Debug)]
pub(crate) struct Person(String);

impl Person {
    /// The name; `by`, a field of the request, wins when it is given.
    ///
    /// # Errors
    /// When `by` cannot be a name.
    pub(crate) fn named(&self, by: Option<&str>) -> Result<String, Failed> {
        match by.map(str::trim).filter(|by| !by.is_empty()) {
            Some(by) => check(by),
            None => Ok(self.0.clone()),
        }
    }
}

impl FromRequestParts<AppState> for Person {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failed> {
        if !state.config.dev {
            return Err(Failed::new(
                StatusCode::UNAUTHORIZED,
                "no-login",
                "this server has no login yet and does not run in dev mode, so it takes no changes over HTTP",
                "Use the command line on the server's machine, or start it with --dev on loopback.",
            ));
        }
        match parts.headers.get(USER_HEADER) {
            Some(value) => {
                let name = value.to_str().map_err(|_| bad_name())?;
                Ok(Self(check(name)?))
            }
            None => Ok(Self(state.config.user.clone())),
        }
    }
}

fn check(name: &str) -> Result<String, Failed> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(bad_name());
    }
    Ok(name.to_owned())
}

fn bad_name() -> Failed {
    Failed::bad_request("the name of the person cannot be read", format!("Give 1 to {NAME_MAX} printable characters."))
}
