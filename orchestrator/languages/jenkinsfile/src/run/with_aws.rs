//! `withAWS(credentials: 'id', region: 'r', role: 'name', …)`.
//!
//! Keys never pass through here: what is bound is an id. A role is an id of its own, [`ROLE_PREFIX`] and JSON that names
//! the role and the credential that takes it; whoever binds it asks STS, each time anew, so that the journal holds no keys
//! and a build that waits for days still has good ones.

use std::rc::Rc;

use haliotis_groovy::Raise;
use haliotis_model::Vars;
use serde_json::json;

use super::context::Ctx;
use super::given::Given;
use super::{Answer, Run};

/// What the id of a role begins with.
pub const ROLE_PREFIX: &str = "aws-role:";
/// The variable that AWS credentials are bound under; which variables they fill does not depend on it.
const BINDING: &str = "AWS";
/// The variables that keys come in; the last one only with those of a role.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// Longest name of a session, in characters; STS' limit.
const MAX_SESSION: usize = 64;

impl Run {
    pub(super) async fn with_aws(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let text = |name: &str| self.vm(|vm| given.text(vm, name));
        let some = |name: &str| -> Result<Option<String>, Raise> { Ok(text(name)?.filter(|text| !text.is_empty())) };
        for name in ["federatedUserId", "principalArn", "samlAssertion", "policy", "iamMfaToken"] {
            if given.get(name).is_some() {
                return Err(self.abort_exception(&format!(
                    "withAWS: {name} is not supported yet; name a role with role:, or stored keys with credentials:"
                )));
            }
        }
        let mut inner = ctx.clone();
        if let Some(region) = some("region")? {
            self.shared.say(&format!("Setting AWS region {region} "));
            inner =
                inner.with_env([("AWS_DEFAULT_REGION".to_owned(), region.clone()), ("AWS_REGION".to_owned(), region)]);
        }
        if let Some(url) = some("endpointUrl")? {
            self.shared.say(&format!("Setting AWS endpointUrl {url} "));
            inner = inner.with_env([("AWS_ENDPOINT_URL".to_owned(), url)]);
        }
        if let Some(profile) = some("profile")? {
            inner = inner.with_env([("AWS_PROFILE".to_owned(), profile)]);
        }
        if let Some(id) = some("credentials")? {
            self.shared.say(&format!("Constructing AWS Credentials with id {id}"));
            inner = bound(&inner, id, &KEYS[..2]);
        }
        if let Some(role) = some("role")? {
            let account = some("roleAccount")?;
            let shown = account.as_ref().map(|account| format!(" in account {account}")).unwrap_or_default();
            self.shared.say(&format!("Requesting assume role {role}{shown}"));
            let build = &self.shared.facts.build;
            let session = match some("roleSessionName")? {
                Some(name) => name,
                None => format!("Jenkins-{}-{}", build.pipeline, build.number),
            };
            let id = json!({
                "role": role,
                "account": account,
                "session": session_name(&session),
                "seconds": given.integer("duration"),
                "external-id": some("externalId")?,
                // The role is taken with what is bound outside of it, or above in this very step.
                "source": inner.credentials.get(BINDING),
            });
            inner = bound(&inner, format!("{ROLE_PREFIX}{id}"), &KEYS);
        }
        self.plain_block("withAWS", &inner, given).await
    }
}

fn bound(ctx: &Ctx, id: String, names: &[&str]) -> Ctx {
    ctx.with_credentials(Vars::from([(BINDING.to_owned(), id)]), names.iter().map(|name| (*name).to_owned()))
}

/// A name that STS takes.
fn session_name(text: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    text.chars().map(fine).take(MAX_SESSION).collect()
}

#[cfg(test)]
mod tests {
    use super::session_name;

    #[test]
    fn names_of_sessions() {
        assert_eq!(session_name("Jenkins-team/train a-7"), "Jenkins-team-train-a-7");
        assert_eq!(session_name(&"x".repeat(100)).len(), 64);
    }
}
