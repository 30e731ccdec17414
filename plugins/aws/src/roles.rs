//! Roles that steps take: temporary keys from STS.

use std::collections::BTreeMap;

use haliotis_plugin_api::{CloudSettings, StepError};

use crate::clients;
use crate::error::Told;

/// A role and how it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its ARN, or its name in the account below.
    pub role: String,
    /// Twelve digits; `None`: the account of whoever takes it.
    pub account: Option<String>,
    /// Name of the session, as the account's records show it.
    pub session: String,
    /// Seconds the keys live; `None`: an hour.
    pub seconds: Option<i32>,
    /// What the role's owner wants to hear.
    pub external_id: Option<String>,
}

/// Temporary keys.
#[derive(Clone, Debug)]
pub struct Taken {
    /// `access-key-id`, `secret-access-key`, `session-token`.
    pub fields: BTreeMap<String, String>,
    /// Milliseconds since 1970 after which they are of no use.
    pub expires_ms: i64,
}

/// Takes a role with the credentials of the settings.
///
/// # Errors
/// `World` when STS refuses or cannot be reached.
pub async fn assume_role(cloud: &CloudSettings, role: &Role) -> Result<Taken, StepError> {
    let clients = clients(cloud).await?;
    let arn = match (role.role.starts_with("arn:"), &role.account) {
        (true, _) => role.role.clone(),
        (false, Some(account)) => format!("arn:aws:iam::{account}:role/{}", role.role),
        (false, None) => format!("arn:aws:iam::{}:role/{}", clients.account().await?, role.role),
    };
    let request = clients.sts.assume_role().role_arn(&arn).role_session_name(&role.session);
    let request = request.set_duration_seconds(role.seconds).set_external_id(role.external_id.clone());
    let answer = request.send().await.told(cloud, &format!("taking the role {arn}"))?;
    let keys = answer.credentials.ok_or_else(|| StepError::World(format!("STS gave no keys for the role {arn}")))?;
    let expires_ms = keys.expiration.to_millis().unwrap_or(0);
    let fields = [
        ("access-key-id", keys.access_key_id),
        ("secret-access-key", keys.secret_access_key),
        ("session-token", keys.session_token),
    ];
    Ok(Taken { fields: fields.map(|(name, value)| (name.to_owned(), value)).into(), expires_ms })
}
