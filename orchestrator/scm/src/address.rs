//! Addresses of repositories: which are let through to git, and which two mean the same repository.

use std::path::PathBuf;

use haliotis_model::Secret;
use haliotis_model::bounds::Destination;
use url::Url;

use crate::{Credential, ScmError};

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A folder of this machine, or `file://`.
    Local,
    /// `https://` or `http://`.
    Http,
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// `git://`: neither secret nor signed.
    Git,
}

/// A repository address that is safe to hand to git: of a known protocol, not an option, without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoUrl {
    text: String,
    transport: Transport,
    host: String,
    port: Option<u16>,
    path: String,
    embedded: Option<Credential>,
}

/// Longer ones are a mistake or an attack; hosts themselves allow about 2 kB.
const MAX_URL_BYTES: usize = 2048;

impl RepoUrl {
    /// Checks an address. A user and password inside it (`https://user:password@host`) are taken out of the text and
    /// kept as [`RepoUrl::embedded`].
    ///
    /// # Errors
    /// `BadUrl` for other protocols (`ext::` and the like run programs), relative paths and what looks like an option.
    pub fn parse(text: &str) -> Result<Self, ScmError> {
        let bad = |reason: &str| ScmError::BadUrl { url: without_password(text), reason: reason.into() };
        if text.is_empty() || text.len() > MAX_URL_BYTES {
            return Err(bad("it is empty or longer than 2048 bytes"));
        }
        if text.starts_with('-') || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad("it starts with `-`, or holds white space or control characters"));
        }
        if text.starts_with('/') {
            return Ok(Self::local(text, text));
        }
        match text.split_once("://") {
            Some(("file", path)) if path.starts_with('/') => Ok(Self::local(text, path)),
            Some(("https" | "http" | "ssh" | "git", _)) => {
                Self::network(text).ok_or_else(|| bad("it has no host or no path"))
            }
            Some(_) => Err(bad("only https, http, ssh, git and file are used")),
            None => Self::scp(text)
                .ok_or_else(|| bad("give https://HOST/PATH, ssh://HOST/PATH, USER@HOST:PATH or an absolute folder")),
        }
    }

    fn local(text: &str, path: &str) -> Self {
        RepoUrl {
            text: text.into(),
            transport: Transport::Local,
            host: String::new(),
            port: None,
            path: path.into(),
            embedded: None,
        }
    }

    fn network(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok()?;
        let transport = match url.scheme() {
            "https" | "http" => Transport::Http,
            "ssh" => Transport::Ssh,
            _ => Transport::Git,
        };
        let host = url.host_str()?.to_ascii_lowercase();
        let path = url.path().trim_matches('/').to_owned();
        if host.is_empty() || host.starts_with('-') || path.is_empty() || url.username().starts_with('-') {
            return None;
        }
        let embedded = embedded(&url);
        url.set_password(None).ok()?;
        if transport == Transport::Http {
            url.set_username("").ok()?;
        }
        let port = url.port_or_known_default();
        Some(RepoUrl { text: url.to_string(), transport, host, port, path, embedded })
    }

    /// `[user@]host:path`, git's short form of ssh.
    fn scp(text: &str) -> Option<Self> {
        let (place, path) = text.split_once(':')?;
        let host = place.rsplit('@').next()?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c))
        };
        // `::` is git's sign for a helper program; `./x:y` would be a folder.
        if path.is_empty() || path.starts_with([':', '-']) || !plain(host) || !plain(place) {
            return None;
        }
        Some(RepoUrl {
            text: text.into(),
            transport: Transport::Ssh,
            host: host.to_ascii_lowercase(),
            port: None,
            path: path.trim_matches('/').into(),
            embedded: None,
        })
    }

    /// The address as git gets it and as people may see it: without a password.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is reached.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The folder of a local repository.
    pub fn local_path(&self) -> Option<PathBuf> {
        (self.transport == Transport::Local).then(|| PathBuf::from(&self.path))
    }

    /// User and password that stood in the address.
    pub fn embedded(&self) -> Option<&Credential> {
        self.embedded.as_ref()
    }

    /// `SCHEME://HOST[:PORT]` of an http address: where a credential may go.
    pub(crate) fn http_origin(&self) -> Option<String> {
        (self.transport == Transport::Http).then(|| {
            let end = self.text.find("://").map_or(0, |at| at + 3);
            let rest = &self.text[end..];
            format!("{}{}", &self.text[..end], rest.split('/').next().unwrap_or(rest))
        })
    }

    /// The part of the path that all addresses of one repository share.
    fn key(&self) -> String {
        let path = self.path.trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        if self.transport == Transport::Local {
            return path.to_owned();
        }
        // Hosts do not tell letter case apart; Bitbucket Data Center puts `scm/` before the path over https only.
        let lower = path.to_lowercase();
        lower.strip_prefix("scm/").unwrap_or(&lower).to_owned()
    }
}

impl std::fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn embedded(url: &Url) -> Option<Credential> {
    if !matches!(url.scheme(), "http" | "https") || (url.username().is_empty() && url.password().is_none()) {
        return None;
    }
    let decode = |text: &str| {
        // `+` stands for itself in this part of an address.
        let pair = format!("x={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    Some(match url.password() {
        Some(password) => {
            Credential::UserPassword { username: decode(url.username()), password: Secret::new(decode(password)) }
        }
        None => Credential::Token { token: Secret::new(decode(url.username())) },
    })
}

/// The text without what stands between `://` and `@`, for a message about an address that does not parse.
fn without_password(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}{}", &text[..scheme + 3], &text[at + 1..]),
        _ => text.to_owned(),
    }
}

/// Where a secret goes that is sent to this address, as bounds of credentials know it. An address that is none goes nobody
/// knows where.
pub fn destination(address: &str) -> Destination {
    if let Ok(repo) = RepoUrl::parse(address) {
        return match repo.transport {
            Transport::Local => Destination::Local,
            _ => Destination::Host(repo.host, repo.port),
        };
    }
    // An address without a path is no repository, and one that `http` may be told.
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => match url.host_str() {
            Some(host) => Destination::Host(host.to_ascii_lowercase(), url.port_or_known_default()),
            None => Destination::Unknown,
        },
        _ => Destination::Unknown,
    }
}

/// Whether two addresses mean the same repository: host and path without `.git`, whatever the protocol and the user.
/// Ports count only between two addresses of one protocol. An address that does not parse equals itself alone.
pub fn same_repo(one: &str, other: &str) -> bool {
    let (Ok(a), Ok(b)) = (RepoUrl::parse(one), RepoUrl::parse(other)) else { return one == other };
    let ports = a.transport != b.transport || a.port == b.port || a.port.is_none() || b.port.is_none();
    let local = (a.transport == Transport::Local) == (b.transport == Transport::Local);
    local && a.host == b.host && ports && a.key() == b.key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_repository_are_found_the_same() {
        let same = [
            ("https://git.example/team/abalone.git", "https://git.example/team/abalone"),
            ("https://git.example/team/abalone.git", "git@git.example:team/abalone.git"),
            ("https://git.example/team/abalone/", "ssh://git@git.example:7999/team/abalone.git"),
            ("https://git.example/Team/Abalone", "https://GIT.example/team/abalone.git"),
            ("https://git.example:443/a/b", "https://ada:pw@git.example/a/b"),
            ("https://git.example/scm/proj/repo.git", "ssh://git@git.example:7999/proj/repo.git"),
            ("/srv/git/abalone.git", "file:///srv/git/abalone"),
            ("http://127.0.0.1:3000/a/b.git", "http://127.0.0.1:3000/a/b"),
        ];
        for (one, other) in same {
            assert!(same_repo(one, other), "{one} and {other}");
        }
        let different = [
            ("https://git.example/team/abalone", "https://git.example/team/abalone-deploy"),
            ("https://git.example/team/abalone", "https://git.other/team/abalone"),
            ("http://127.0.0.1:3000/a/b", "http://127.0.0.1:4000/a/b"),
            ("/srv/git/Abalone", "/srv/git/abalone"),
            ("https://git.example/srv/git/abalone", "/srv/git/abalone"),
        ];
        for (one, other) in different {
            assert!(!same_repo(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn where_a_secret_goes_is_read_as_git_and_http_read_it() {
        let host = |name: &str, port| Destination::Host(name.to_owned(), port);
        for (address, to) in [
            ("https://git.example/a/b", host("git.example", Some(443))),
            ("https://API.example", host("api.example", Some(443))),
            ("http://api.example:8080?x", host("api.example", Some(8080))),
            ("https://good.example@evil.example/a", host("evil.example", Some(443))),
            ("https://good.example\\@evil.example/a", host("good.example", Some(443))),
            ("git@git.example:a/b", host("git.example", None)),
            ("/srv/git/a", Destination::Local),
            ("ext::sh -c x", Destination::Unknown),
            ("", Destination::Unknown),
        ] {
            assert_eq!(destination(address), to, "{address}");
        }
    }

    #[test]
    fn what_git_could_take_for_a_program_or_an_option_is_refused() {
        for text in [
            "",
            "-uhttps://git.example/a",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c touch% /tmp/x",
            "ext::sh",
            "fd::17",
            "ftp://git.example/a",
            "https://",
            "https://git.example",
            "https://-oProxyCommand=x/a",
            "ssh://-oProxyCommand=x/a",
            "ssh://-l@host/a",
            "-oProxyCommand=x:a",
            "git@-oProxyCommand=x:a",
            "host:-x",
            "relative/folder",
            "./a:b",
            "file://relative",
            "https://git.example/a\nb",
        ] {
            assert!(RepoUrl::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_taken_out_of_it() {
        let url = RepoUrl::parse("https://ada:p%40ss+w@git.example:8443/a/b.git").unwrap();
        assert_eq!(url.as_str(), "https://git.example:8443/a/b.git");
        assert_eq!(url.http_origin().unwrap(), "https://git.example:8443");
        let (name, password) = url.embedded().unwrap().https().unwrap();
        assert_eq!((name, password.expose()), ("ada", "p@ss+w"));
        let error = RepoUrl::parse("ftp://ada:s3cret@git.example/a").unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_user_of_ssh_stays() {
        assert_eq!(RepoUrl::parse("ssh://git@git.example/a").unwrap().as_str(), "ssh://git@git.example/a");
        assert_eq!(RepoUrl::parse("git@git.example:a/b.git").unwrap().transport(), Transport::Ssh);
        assert_eq!(RepoUrl::parse("file:///srv/a.git").unwrap().local_path().unwrap(), PathBuf::from("/srv/a.git"));
    }
}
