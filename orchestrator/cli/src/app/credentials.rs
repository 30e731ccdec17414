//! Credentials on their way out of the store: nobody gets one but through [`given`], which keeps to its bounds. For the
//! agent also keys of roles: those stored as a credential (`aws-role`), and those that Jenkinsfiles take (`withAWS(role:)`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use haliotis_agent::Use;
use haliotis_engine::{Catalog, Credential};
use haliotis_jenkinsfile::ROLE_PREFIX;
use haliotis_model::bounds::{Asker, Bounds, ENVIRONMENTS, Environment, Wish};
use haliotis_model::{NewBuild, Secret};
use haliotis_plugin_api::CloudSettings;
use haliotis_plugin_aws::{Role, Taken, assume_role};
use haliotis_store::Store;
use serde::{Deserialize, Serialize};

/// Keys of a role are handed out again until so shortly before their end: the shortest-lived ones live 15 minutes.
const LEFT_MS: i64 = 5 * 60 * 1000;
/// Roles whose keys are kept; more are asked for anew.
const MAX_KEPT: usize = 64;
/// The kind of a credential that is a role to take.
pub const AWS_ROLE: &str = "aws-role";
/// A role that takes a role that takes a role: nobody nests deeper.
const MAX_DEPTH: usize = 4;

type Fields = BTreeMap<String, String>;

/// Why a credential is not given out.
#[derive(Debug, thiserror::Error)]
pub enum Withheld {
    /// There is none of this id that is anybody's business.
    #[error("there is no credential `{0}`; store it first")]
    None(String),
    /// Its bounds.
    #[error("credential `{0}` is withheld: {1}")]
    Bounds(String, haliotis_model::bounds::Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] haliotis_engine::JournalError),
}

/// A wish of the server itself, for a pipeline.
pub fn by_server<'a>(pipeline: &'a str, reference: Option<&'a str>, address: &str) -> Wish<'a> {
    let destination = haliotis_scm::destination(address);
    Wish { pipeline, reference, edited: false, asker: Asker::Server, destination }
}

/// The one way to a credential's fields.
///
/// # Errors
/// [`Withheld`]. What verifies a git host's deliveries is nobody's, whatever a pipeline names.
pub async fn given(catalog: &dyn Catalog, id: &str, wish: &Wish<'_>) -> Result<Credential, Withheld> {
    let none = || Withheld::None(id.to_owned());
    if id.starts_with(crate::app::triggers::HOOK_PREFIX) {
        return Err(none());
    }
    let stored = catalog.credential(id).await?.ok_or_else(none)?;
    if stored.bounds != Bounds::default() {
        let environments =
            if stored.bounds.environments.is_empty() { Vec::new() } else { environments(catalog).await? };
        stored.bounds.admit(wish, &environments).map_err(|refusal| Withheld::Bounds(id.to_owned(), refusal))?;
    }
    Ok(stored)
}

/// All environments.
///
/// # Errors
/// Those of the store. A document that cannot be read is none, so that it admits nobody.
pub async fn environments(catalog: &dyn Catalog) -> Result<Vec<Environment>, haliotis_engine::JournalError> {
    let kept = catalog.documents(ENVIRONMENTS).await?;
    Ok(kept.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect())
}

/// Credentials by id.
pub struct Credentials {
    store: Arc<dyn Store>,
    cloud: Arc<CloudSettings>,
    taken: Mutex<BTreeMap<String, Taken>>,
}

/// What an id of a role says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wanted {
    role: String,
    account: Option<String>,
    session: String,
    seconds: Option<i32>,
    external_id: Option<String>,
    /// The credential that takes it; `None`: what the server itself has.
    source: Option<String>,
}

impl Credentials {
    /// Over a store and the cloud whose STS is asked.
    pub fn new(store: Arc<dyn Store>, cloud: Arc<CloudSettings>) -> Self {
        Self { store, cloud, taken: Mutex::default() }
    }

    async fn stored(&self, id: &str, wish: &Wish<'_>, depth: usize) -> Result<Option<Fields>, String> {
        let stored = match given(self.store.as_ref(), id, wish).await {
            Ok(stored) => stored,
            Err(Withheld::None(_)) => return Ok(None),
            Err(Withheld::Bounds(_, refusal)) => return Err(refusal.to_string()),
            Err(Withheld::Store(error)) => return Err(error.to_string()),
        };
        if stored.kind != AWS_ROLE {
            return Ok(Some(stored.fields));
        }
        let get = |name: &str| stored.fields.get(name).filter(|value| !value.is_empty()).cloned();
        let wanted = Wanted {
            role: get("role").ok_or("it names no role; store it again")?,
            account: None,
            session: get("session").unwrap_or_else(|| "haliotis".to_owned()),
            seconds: None,
            external_id: get("external-id"),
            source: get("source"),
        };
        self.take(&wanted, depth, wish).await.map(Some)
    }

    async fn role(&self, text: &str, depth: usize, wish: &Wish<'_>) -> Result<Fields, String> {
        let wanted: Wanted = serde_json::from_str(text).map_err(|error| format!("it names no role: {error}"))?;
        self.take(&wanted, depth, wish).await
    }

    /// The keys of a role. Two steps at once may both ask STS; either's keys are good. Whoever may not use the
    /// credential that takes the role does not get the keys that another's build took with it.
    async fn take(&self, wanted: &Wanted, depth: usize, wish: &Wish<'_>) -> Result<Fields, String> {
        let cloud = match &wanted.source {
            None => (*self.cloud).clone(),
            Some(id) => self.cloud_of(id, depth, wish).await?,
        };
        let now = haliotis_engine::now().0;
        let text = serde_json::to_string(wanted).unwrap_or_default();
        let kept = self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(&text).cloned();
        if let Some(kept) = kept.filter(|kept| kept.expires_ms - now > LEFT_MS) {
            return Ok(kept.fields);
        }
        let Wanted { role, account, session, seconds, external_id, .. } = wanted.clone();
        let role = Role { role, account, session, seconds, external_id };
        let taken = assume_role(&cloud, &role).await.map_err(|error| error.to_string())?;
        let fields = taken.fields.clone();
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEPT {
            all.retain(|_, taken| taken.expires_ms - now > LEFT_MS);
        }
        if all.len() < MAX_KEPT {
            all.insert(text, taken);
        }
        Ok(fields)
    }

    /// The cloud with the keys of a credential.
    async fn cloud_of(&self, id: &str, depth: usize, wish: &Wish<'_>) -> Result<CloudSettings, String> {
        if depth >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} roles take one another"));
        }
        let fields = match id.strip_prefix(ROLE_PREFIX) {
            Some(text) => Box::pin(self.role(text, depth + 1, wish)).await?,
            None => {
                let fields = Box::pin(self.stored(id, wish, depth + 1)).await?;
                fields.ok_or_else(|| format!("there is no credential `{id}` to take the role with"))?
            }
        };
        let get = |name: &str| fields.get(name).filter(|value| !value.is_empty());
        let keys = get("access-key-id").zip(get("secret-access-key"));
        let (key, secret) =
            keys.ok_or_else(|| format!("the credential `{id}` holds no AWS keys to take the role with"))?;
        let mut cloud = (*self.cloud).clone();
        cloud.credentials = Some((key.clone(), Secret::new(secret.clone())));
        cloud.session_token = get("session-token").map(|token| Secret::new(token.clone()));
        Ok(cloud)
    }
}

#[async_trait]
impl haliotis_agent::Credentials for Credentials {
    async fn fields(&self, id: &str, to: &Use<'_>) -> Result<Option<Fields>, String> {
        let reference = to.build.reference();
        let wish = wish(to.build, reference.as_deref(), to);
        match id.strip_prefix(ROLE_PREFIX) {
            Some(text) => self.role(text, 0, &wish).await.map(Some),
            None => self.stored(id, &wish, 0).await,
        }
    }
}

fn wish<'a>(build: &'a NewBuild, reference: Option<&'a str>, to: &Use<'_>) -> Wish<'a> {
    let destination = to.address.map_or(haliotis_model::bounds::Destination::Unknown, haliotis_scm::destination);
    Wish { pipeline: &build.pipeline, reference, edited: build.edited(), asker: to.asker, destination }
}
