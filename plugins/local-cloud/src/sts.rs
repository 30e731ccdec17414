//! STS: who am I, and temporary credentials for a role.
//!
//! There is no IAM here: any role of any account may be assumed, and the answers carry its ARN. What temporary keys
//! make lives in the same local cloud, whichever account the role is of.

use crate::auth::{Credentials, Identity, Issued};
use crate::params::Params;
use crate::s3::escape_xml;
use crate::{AwsError, Config};

/// How long credentials live unless the client says, in seconds: AWS' hour.
const DEFAULT_ROLE_SECONDS: i64 = 3600;
/// AWS' twelve hours for a session token.
const DEFAULT_SESSION_SECONDS: i64 = 12 * 3600;
/// AWS' bounds for a role, in seconds.
const ROLE_SECONDS: std::ops::RangeInclusive<i64> = 900..=43_200;
/// AWS' bounds for a session token, in seconds.
const SESSION_SECONDS: std::ops::RangeInclusive<i64> = 900..=129_600;

/// Answers one action with the content of its result element.
///
/// # Errors
/// `ValidationError`, or an action that is not offered.
pub(crate) fn call(
    config: &Config,
    credentials: &Credentials,
    identity: &Identity,
    action: &str,
    params: &Params,
) -> Result<String, AwsError> {
    match action {
        "GetCallerIdentity" => {
            Ok(tag("Arn", &identity.arn) + &tag("UserId", &identity.user_id) + &tag("Account", &identity.account))
        }
        "AssumeRole" => assume_role(credentials, params),
        "GetSessionToken" => {
            let seconds = duration(params, DEFAULT_SESSION_SECONDS, &SESSION_SECONDS)?;
            credentials.issue(identity.clone(), seconds).map(|issued| credentials_xml(&issued))
        }
        "GetAccessKeyInfo" => Ok(tag("Account", &config.account)),
        _ => Err(AwsError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version 2011-06-15: the local cloud does not offer it"),
        )),
    }
}

fn assume_role(credentials: &Credentials, params: &Params) -> Result<String, AwsError> {
    let role = params.text("RoleArn").ok_or_else(|| missing("roleArn"))?;
    let session = params.text("RoleSessionName").ok_or_else(|| missing("roleSessionName"))?;
    let (account, name) = parse_role(role).ok_or_else(|| invalid(format!("{role} is invalid")))?;
    let fine = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(fine) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]{{2,64}}"
        )));
    }
    let seconds = duration(params, DEFAULT_ROLE_SECONDS, &ROLE_SECONDS)?;
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let role_id = "AROALOCALHALIOTIS000";
    let user_id = format!("{role_id}:{session}");
    let identity = Identity { account: account.to_owned(), arn: arn.clone(), user_id: user_id.clone() };
    let issued = credentials.issue(identity, seconds)?;
    let user = tag("AssumedRoleId", &user_id) + &tag("Arn", &arn);
    Ok(format!("{}<AssumedRoleUser>{user}</AssumedRoleUser>", credentials_xml(&issued)))
}

/// Account and last name of `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
fn parse_role(arn: &str) -> Option<(&str, &str)> {
    let rest = arn.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::")).map(|(_, rest)| rest)?;
    let (account, role) = rest.split_once(":role/")?;
    let name = role.rsplit('/').next().filter(|name| !name.is_empty())?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some((account, name))
}

fn duration(params: &Params, default: i64, bounds: &std::ops::RangeInclusive<i64>) -> Result<i64, AwsError> {
    let Some(text) = params.text("DurationSeconds") else { return Ok(default) };
    text.parse().ok().filter(|seconds| bounds.contains(seconds)).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: \
             Member must have value between {} and {}",
            bounds.start(),
            bounds.end()
        ))
    })
}

fn credentials_xml(issued: &Issued) -> String {
    let expires = jiff::Timestamp::from_millisecond(issued.expires_ms).unwrap_or_default();
    format!(
        "<Credentials>{}{}{}{}</Credentials>",
        tag("AccessKeyId", &issued.access_key),
        tag("SecretAccessKey", &issued.secret_key),
        tag("SessionToken", &issued.token),
        tag("Expiration", &expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    )
}

fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape_xml(text))
}

fn missing(name: &str) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
    ))
}

fn invalid(message: String) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

#[cfg(test)]
mod tests {
    use super::parse_role;

    #[test]
    fn role_arns() {
        assert_eq!(parse_role("arn:aws:iam::123456789012:role/path/deep/Deploy"), Some(("123456789012", "Deploy")));
        for bad in [
            "",
            "Deploy",
            "arn:aws:iam::12:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role/",
        ] {
            assert_eq!(parse_role(bad), None, "{bad}");
        }
    }
}
