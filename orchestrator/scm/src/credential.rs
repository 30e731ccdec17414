//! What a repository is opened with.

use std::collections::BTreeMap;

use haliotis_model::Secret;

use crate::ScmError;

/// A credential for a git host. Its secret parts reach git by environment or a private file, never by argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// For https: name and password, or name and token.
    UserPassword {
        /// The user name.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// For https: a token for which the host wants no particular name.
    Token {
        /// The token.
        token: Secret,
    },
    /// For ssh: a private key without a passphrase, in the format of OpenSSH.
    SshKey {
        /// The key's text.
        key: Secret,
    },
}

/// Sent as user name with a bare token. GitHub, GitLab and Gitea look at the token alone.
const TOKEN_USERNAME: &str = "x-access-token";

impl Credential {
    /// Reads a stored credential by its kind (`username-password`, `text`, `ssh-key`) and fields.
    ///
    /// # Errors
    /// `BadName` when the kind is none for git or a field is missing.
    pub fn from_fields(id: &str, kind: &str, fields: &BTreeMap<String, String>) -> Result<Self, ScmError> {
        let bad = |reason: String| ScmError::BadName { what: "credential", value: id.into(), reason };
        let field = |names: &[&str]| {
            let found = names.iter().find_map(|name| fields.get(*name)).filter(|value| !value.is_empty());
            found.cloned().ok_or_else(|| bad(format!("its field `{}` is missing", names[0])))
        };
        match kind {
            "username-password" => Ok(Credential::UserPassword {
                username: field(&["username"])?,
                password: Secret::new(field(&["password"])?),
            }),
            "text" => Ok(Credential::Token { token: Secret::new(field(&["text", "secret", "token", "value"])?) }),
            "ssh-key" => Ok(Credential::SshKey { key: Secret::new(field(&["key", "private-key"])?) }),
            other => Err(bad(format!(
                "it is of kind {other}; a repository takes username-password, text (a token) or ssh-key"
            ))),
        }
    }

    /// User name and password as https wants them; none for a key.
    pub fn https(&self) -> Option<(&str, &Secret)> {
        match self {
            Credential::UserPassword { username, password } => Some((username, password)),
            Credential::Token { token } => Some((TOKEN_USERNAME, token)),
            Credential::SshKey { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn stored_credentials_are_read_by_kind() {
        let both =
            Credential::from_fields("git", "username-password", &fields(&[("username", "ada"), ("password", "pw")]))
                .unwrap();
        assert_eq!(both.https().unwrap(), ("ada", &Secret::new("pw")));
        let token = Credential::from_fields("git", "text", &fields(&[("text", "t0k")])).unwrap();
        assert_eq!(token.https().unwrap(), ("x-access-token", &Secret::new("t0k")));
        let key = Credential::from_fields("git", "ssh-key", &fields(&[("key", "-----BEGIN")])).unwrap();
        assert!(key.https().is_none());
    }

    #[test]
    fn what_does_not_fit_is_named_without_the_secret() {
        let missing = Credential::from_fields("git", "username-password", &fields(&[("password", "pw")])).unwrap_err();
        assert_eq!(missing.to_string(), "credential \"git\" cannot be used: its field `username` is missing");
        let kind = Credential::from_fields("git", "aws", &fields(&[("secret", "s3cr3t")])).unwrap_err();
        assert!(kind.to_string().contains("of kind aws") && !kind.to_string().contains("s3cr3t"));
        let debug = format!("{:?}", Credential::Token { token: Secret::new("t0k") });
        assert!(!debug.contains("t0k"));
    }
}
