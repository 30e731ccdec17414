//! Credentials for the agent: those of the store, and keys of roles that Jenkinsfiles take with them (`withAWS(role:)`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use haliotis_jenkinsfile::ROLE_PREFIX;
use haliotis_model::Secret;
use haliotis_plugin_api::CloudSettings;
use haliotis_plugin_aws::{Role, Taken, assume_role};
use haliotis_store::Store;
use serde::Deserialize;

/// Keys of a role are handed out again until so shortly before their end: the shortest-lived ones live 15 minutes.
const LEFT_MS: i64 = 5 * 60 * 1000;
/// Roles whose keys are kept; more are asked for anew.
const MAX_KEPT: usize = 64;
/// A role that takes a role that takes a role: nobody nests deeper.
const MAX_DEPTH: usize = 4;

type Fields = BTreeMap<String, String>;

/// Credentials by id.
pub struct Credentials {
    store: Arc<dyn Store>,
    cloud: Arc<CloudSettings>,
    taken: Mutex<BTreeMap<String, Taken>>,
}

/// What an id of a role says.
#[derive(Deserialize)]
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

    async fn stored(&self, id: &str) -> Result<Option<Fields>, String> {
        // What verifies a git host is no step's business, whatever a pipeline names.
        if id.starts_with(crate::app::triggers::HOOK_PREFIX) {
            return Ok(None);
        }
        let stored = self.store.credential(id).await.map_err(|error| error.to_string())?;
        Ok(stored.map(|stored| stored.fields))
    }

    /// The keys of a role. Two steps at once may both ask STS; either's keys are good.
    async fn role(&self, text: &str, depth: usize) -> Result<Fields, String> {
        let now = haliotis_engine::now().0;
        let kept = self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if let Some(kept) = kept.filter(|kept| kept.expires_ms - now > LEFT_MS) {
            return Ok(kept.fields);
        }
        let wanted: Wanted = serde_json::from_str(text).map_err(|error| format!("it names no role: {error}"))?;
        let cloud = match &wanted.source {
            None => (*self.cloud).clone(),
            Some(id) => self.cloud_of(id, depth).await?,
        };
        let Wanted { role, account, session, seconds, external_id, .. } = wanted;
        let role = Role { role, account, session, seconds, external_id };
        let taken = assume_role(&cloud, &role).await.map_err(|error| error.to_string())?;
        let fields = taken.fields.clone();
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEPT {
            all.retain(|_, taken| taken.expires_ms - now > LEFT_MS);
        }
        if all.len() < MAX_KEPT {
            all.insert(text.to_owned(), taken);
        }
        Ok(fields)
    }

    /// The cloud with the keys of a credential.
    async fn cloud_of(&self, id: &str, depth: usize) -> Result<CloudSettings, String> {
        if depth >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} roles take one another"));
        }
        let fields = match id.strip_prefix(ROLE_PREFIX) {
            Some(text) => Box::pin(self.role(text, depth + 1)).await?,
            None => {
                self.stored(id).await?.ok_or_else(|| format!("there is no credential `{id}` to take the role with"))?
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
    async fn fields(&self, id: &str) -> Result<Option<Fields>, String> {
        match id.strip_prefix(ROLE_PREFIX) {
            Some(text) => self.role(text, 0).await.map(Some),
            None => self.stored(id).await,
        }
    }
}
