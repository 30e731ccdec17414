//! Who may do what here: every route names what it needs, every request has a caller, and one check stands between.
//!
//! **For whoever adds a route** (also the Jenkins API):
//!
//! ```text
//! Routes::new()
//!     .get("/pipelines/{name}", Need::pipeline(Permission::View, "name"), show)   // object from the path
//!     .post("/builds/{id}/abort", Need::build(Permission::Build, "id"), abort)    // a build's pipeline is looked up
//!     .get("/", Need::somewhere(Permission::View), home)      // a list; the handler shows each caller what is theirs:
//!                                                             //   access::current().sees(&pipeline.name)
//!     .get("/system", Need::system(Permission::Administer), system)
//!     .get("/me", Need::LOGIN, me)                            // anybody who is logged in
//!     .get("/healthz", Need::public("a probe"), healthz)      // nobody need be logged in; say why
//!     .any("/job/{*rest}", Need::by_path(jenkins_need), job)  // fn(&Method, &str) -> Asked, for wildcard routes
//!     .documented(Need::pipeline(Permission::View, "name"), routes!(get))         // in the OpenAPI document
//! ```
//!
//! There is no form without a need, [`crate::router`] takes nothing but `Routes`, and a test walks the table of all
//! routes with every role. Inside a handler: `Person` is who asks for a change (its name goes
//! into causes and audit), `current` is the `Caller` with its rights, `caller.must(permission, object)?` is the
//! check for an object that only the body names. Crumbs: `Caller::crumb`, header `CRUMB_HEADER`.
//!
//! What a caller may not see does not exist for them: 404, the same as for a name that was never there. What they may
//! see and not do is 403. Who is nobody gets 401, or the login page where a person looks.
//!
//! **Races.** A grant taken away counts from at most `REFRESH_MS` later on in other processes, at once in this one. A
//! request that was let in runs to its end.

mod admit;
mod caller;
pub(crate) mod login;
mod need;
mod routes;
mod tries;
pub(crate) mod vouched;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use haliotis_access::session::Session;
use haliotis_access::token::Token;
use haliotis_access::{Directory, Kind, MemoryRecords, Name, Records, RecordsError, Typed, User, random};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

#[expect(unused_imports, reason = "the Jenkins API uses them next")]
pub(crate) use caller::{CRUMB_HEADER, How};
pub(crate) use caller::{Caller, current};
pub(crate) use need::Asked;
pub use need::{Need, NeedRow};
pub use routes::Listed;
pub(crate) use routes::Routes;

/// What other processes changed counts after so long at most.
const REFRESH_MS: i64 = 1_000;
/// Passwords verified at once; each takes a core for some 20 ms and 19 MiB.
const HASHING: usize = 2;
/// A password that was right is believed again for so long, so that a client which sends it with each request does not
/// cost a core each time: 5 minutes. A changed password ends it, since the entry is bound to the hash.
const BELIEVED_MS: i64 = 5 * 60 * 1000;
/// So many are remembered; then all are forgotten.
const BELIEVED_MOST: usize = 1_000;

/// Users and tokens as last read.
#[derive(Default)]
struct Known {
    version: i64,
    directory: Directory,
    tokens: BTreeMap<String, Token>,
}

/// Everything about callers that outlives a request.
pub struct Access {
    records: Arc<dyn Records>,
    known: RwLock<Arc<Known>>,
    looked_at: AtomicI64,
    sessions: Mutex<HashMap<String, Session>>,
    believed: Mutex<HashMap<[u8; 32], i64>>,
    tries: tries::Tries,
    hashing: Semaphore,
    key: [u8; 32],
    local: Option<[u8; 32]>,
}

impl Default for Access {
    /// Nobody; for servers in dev mode and for tests.
    fn default() -> Self {
        Self::new(Arc::new(MemoryRecords::default()), None)
    }
}

impl Access {
    /// Over these records. `local`: a token that stands for the owner of the data folder.
    pub fn new(records: Arc<dyn Records>, local: Option<&str>) -> Self {
        Self {
            records,
            known: RwLock::default(),
            looked_at: AtomicI64::new(i64::MIN),
            sessions: Mutex::default(),
            believed: Mutex::default(),
            tries: tries::Tries::default(),
            hashing: Semaphore::new(HASHING),
            // Without randomness no crumb and no session could be trusted; zeros would be worse than none, so such a
            // process gets a key that nobody can use: see `crumb`.
            key: random().unwrap_or([0; 32]),
            local: local.map(|token| Sha256::digest(token).into()),
        }
    }

    /// The records behind it.
    pub fn records(&self) -> &dyn Records {
        self.records.as_ref()
    }

    /// Records as what they are.
    pub(crate) fn typed(&self) -> Typed<'_> {
        Typed(self.records.as_ref())
    }

    /// Users, groups, grants and tokens, at most [`REFRESH_MS`] old. A store that fails leaves what is known.
    async fn known(&self) -> Arc<Known> {
        let now = haliotis_engine::now().0;
        let due = now.saturating_sub(self.looked_at.load(Ordering::Acquire)) >= REFRESH_MS;
        if due && let Err(error) = self.look(now).await {
            tracing::error!(%error, "users and grants could not be read; those known stay for now");
        }
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn look(&self, now: i64) -> Result<(), RecordsError> {
        let version = self.records.records_version().await?;
        let first = self.looked_at.load(Ordering::Acquire) == i64::MIN;
        if first || version != self.known.read().unwrap_or_else(PoisonError::into_inner).version {
            let directory = self.typed().directory().await?;
            let tokens = self.typed().tokens().await?.into_iter().map(|token| (token.id.clone(), token)).collect();
            let known = Arc::new(Known { version, directory, tokens });
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            self.locked_sessions().clear();
        }
        self.looked_at.store(now, Ordering::Release);
        Ok(())
    }

    /// What was changed through this process counts at once.
    pub(crate) fn changed(&self) {
        // Not the minimum: that would be "never looked", and the same version would be read again.
        self.looked_at.store(i64::MIN + 1, Ordering::Release);
        self.locked_sessions().clear();
    }

    /// Users, groups and grants.
    pub(crate) async fn directory(&self) -> Directory {
        self.known().await.directory.clone()
    }

    fn locked_sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of a cookie, if it counts.
    async fn session(&self, cookie: &str) -> Option<Session> {
        let id = haliotis_access::session::id_of(cookie);
        let now = haliotis_engine::now().0;
        let kept = self.locked_sessions().get(&id).cloned();
        let mut session = match kept {
            Some(session) => session,
            None => self.typed().get::<Session>(Kind::Session, &id).await.ok()??,
        };
        if !session.alive(now) {
            self.end_session(&id).await;
            return None;
        }
        if session.stale(now) {
            session.seen_at = now;
            // A note that could not be written costs idleness counted from the one before, nothing else.
            let _ = self.typed().put(Kind::Session, &id, &session).await;
        }
        self.locked_sessions().insert(id, session.clone());
        Some(session)
    }

    /// Opens a session; the answer is the cookie's value.
    pub(crate) async fn open_session(&self, user: Name) -> Result<String, RecordsError> {
        let opened = haliotis_access::session::open(user, haliotis_engine::now().0);
        let (cookie, session) = opened.map_err(|error| RecordsError(error.to_string()))?;
        self.typed().put(Kind::Session, &session.id, &session).await?;
        Ok(cookie)
    }

    /// Ends a session by the hash of its cookie.
    pub(crate) async fn end_session(&self, id: &str) {
        self.locked_sessions().remove(id);
        if let Err(error) = self.records.remove_record(Kind::Session, id).await {
            tracing::error!(%error, "a session that was ended could not be removed from the store");
        }
    }

    /// Checks a name and a password. The name of who it is, or `None`; the two are told apart by nothing, time included.
    async fn password(&self, name: &str, password: &str) -> Option<User> {
        let known = self.known().await;
        let user = Name::parse(name).ok().and_then(|name| known.directory.active(&name).cloned());
        let kept = user.as_ref().and_then(|user| user.password.clone());
        let now = haliotis_engine::now().0;
        let mark = self.mark(name, password, kept.as_deref());
        if self.believed.lock().unwrap_or_else(PoisonError::into_inner).get(&mark).is_some_and(|until| now < *until) {
            return user;
        }
        let _turn = self.hashing.acquire().await.ok()?;
        let given = password.to_owned();
        let right = tokio::task::spawn_blocking(move || haliotis_access::password::verify(&given, kept.as_deref()));
        if !right.await.unwrap_or(false) {
            return None;
        }
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if believed.len() >= BELIEVED_MOST {
            believed.clear();
        }
        believed.insert(mark, now + BELIEVED_MS);
        user
    }

    /// Names a password that was right, without being of use to anybody who reads memory.
    fn mark(&self, name: &str, password: &str, kept: Option<&str>) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.key);
        for part in [name, password, kept.unwrap_or("")] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        digest.finalize().into()
    }
}
