//! Who sends a request, and what they may do.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use haliotis_access::{Name, Object, Permission, Rights, crumb};

use crate::error::Failed;

/// The header that carries a crumb, named as Jenkins' clients know it.
pub(crate) const CRUMB_HEADER: &str = "jenkins-crumb";

tokio::task_local! {
    static CURRENT: Caller;
}

/// How a caller showed who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Not at all.
    Nobody,
    /// Dev mode: by reaching the port of this machine.
    Dev,
    /// By the token in the data folder, which its owner alone may read.
    Local,
    /// By a cookie; the hash of it.
    Session(String),
    /// By name and password in each request.
    Password,
    /// By an API token; its id.
    Token(String),
}

/// One caller. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// As in causes and the audit trail; `anonymous` for nobody.
    pub(crate) name: String,
    pub(crate) how: How,
    /// Canonical names of their groups.
    pub(crate) groups: Arc<[Name]>,
    pub(super) rights: Arc<Rights>,
    /// A credential came with the request and did not count.
    pub(super) refused: Option<Failed>,
    /// May do nothing but set a password.
    pub(crate) must_change: bool,
}

impl Caller {
    /// Nobody, with what nobody may do.
    pub(super) fn nobody(rights: Rights) -> Self {
        Self {
            name: "anonymous".to_owned(),
            how: How::Nobody,
            groups: Arc::from([]),
            rights: Arc::new(rights),
            refused: None,
            must_change: false,
        }
    }

    /// Somebody.
    pub(super) fn somebody(name: impl Into<String>, how: How, rights: Rights) -> Self {
        Self { name: name.into(), how, ..Self::nobody(rights) }
    }

    /// Whether anybody is logged in.
    pub(crate) fn known(&self) -> bool {
        self.how != How::Nobody
    }

    /// May name another person as the doer: in dev mode, and as the owner of the data folder.
    pub(crate) fn speaks_for_others(&self) -> bool {
        matches!(self.how, How::Dev | How::Local)
    }

    /// The one question.
    pub(crate) fn may(&self, permission: Permission, object: Object<'_>) -> bool {
        !self.must_change && self.rights.may(permission, object)
    }

    /// Whether a pipeline is theirs to see.
    pub(crate) fn sees(&self, pipeline: &str) -> bool {
        self.may(Permission::View, Object::Pipeline(pipeline))
    }

    /// Refuses what they may not do.
    ///
    /// # Errors
    /// 401 for nobody; 404 for a pipeline they do not see; 403 else.
    pub(crate) fn must(&self, permission: Permission, object: Object<'_>) -> Result<(), Failed> {
        if self.may(permission, object) {
            return Ok(());
        }
        if !self.known() {
            return Err(self.unknown());
        }
        if let Object::Pipeline(name) = object
            && !self.sees(name)
        {
            return Err(Failed::not_found(format!("there is no pipeline named {name:?}")));
        }
        let what = match object {
            Object::System => "on this server".to_owned(),
            Object::Pipeline(name) => format!("on {name:?}"),
            Object::Somewhere => "anywhere here".to_owned(),
        };
        let message = format!("{} may not {permission} {what}", self.name);
        Err(Failed::new(StatusCode::FORBIDDEN, "not-allowed", message, "Ask an administrator for a grant."))
    }

    /// Nobody, or somebody who could not show it.
    pub(super) fn unknown(&self) -> Failed {
        self.refused.clone().unwrap_or_else(|| {
            let help = "Log in at /login, or send an API token: Authorization: Bearer hal_…, or Basic with your name.";
            Failed::new(StatusCode::UNAUTHORIZED, "no-login", "nobody is logged in", help)
        })
    }

    /// The crumb for this caller's forms and clients.
    pub(crate) fn crumb(&self, access: &super::Access) -> String {
        crumb::make(&access.key, &self.crumb_name(), haliotis_engine::now().0)
    }

    /// Whether a request that changes something is their own wish: what a browser sends by itself (a cookie, a password
    /// it remembers) must come with an origin of ours or a crumb; what no browser adds needs neither.
    pub(super) fn meant_it(&self, access: &super::Access, headers: &HeaderMap, query: &str) -> bool {
        if !matches!(self.how, How::Session(_) | How::Password) {
            return true;
        }
        // The guard has refused foreign origins already; here it only matters that one is told.
        let told =
            headers.contains_key("origin") || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
        let in_query = || {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key.eq_ignore_ascii_case(CRUMB_HEADER)).map(|(_, value)| value.into_owned())
        };
        let crumb = headers.get(CRUMB_HEADER).and_then(|crumb| crumb.to_str().ok()).map(str::to_owned);
        told || crumb
            .or_else(in_query)
            .is_some_and(|crumb| crumb::accepts(&access.key, &self.crumb_name(), haliotis_engine::now().0, &crumb))
    }

    fn crumb_name(&self) -> String {
        match &self.how {
            How::Session(id) => format!("session {id}"),
            _ => format!("user {}", self.name),
        }
    }
}

/// The caller of the request that is being answered. Outside of one: nobody, with no rights.
pub(crate) fn current() -> Caller {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| Caller::nobody(Rights::default()))
}

/// Answers a request as this caller's.
pub(crate) async fn scoped<F: Future>(caller: Caller, work: F) -> F::Output {
    CURRENT.scope(caller, work).await
}
