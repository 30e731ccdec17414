//! Git hosts that are told how builds of their commits stand.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use haliotis_model::branches::{GIT_HOSTS, GitHost, GitHostKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Body, audit};
use crate::error::{ErrorBody, Failed};
use crate::identity::Person;
use crate::state::AppState;

/// A git host.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostInput {
    /// `github`, `gitlab`, `gitea`, `bitbucket` or `bitbucket-dc`.
    #[schema(value_type = String)]
    kind: GitHostKind,
    /// Base address of its API, as `https://api.github.com`.
    api: String,
    /// Id of the credential that holds the token.
    credential: String,
}

/// All hosts that are told.
#[utoipa::path(get, path = "/api/v1/git-hosts", tag = "system",
    responses((status = 200, description = "Hosts with `host`, `kind`, `api`, `credential`", body = Vec<Object>)))]
pub(crate) async fn list(State(state): State<AppState>) -> Result<Json<Vec<Value>>, Failed> {
    let kept = state.catalog.documents(GIT_HOSTS).await?;
    let row = |(host, text): (String, String)| {
        let mut row: Value = serde_json::from_str(&text).ok()?;
        row["host"] = Value::from(host);
        Some(row)
    };
    Ok(Json(kept.into_iter().filter_map(row).collect()))
}

/// Adds or changes a host.
#[utoipa::path(put, path = "/api/v1/git-hosts/{host}", tag = "system", request_body = HostInput,
    params(("host" = String, Path, description = "As in addresses of its repositories: `github.com`, `git.example:8443`")),
    responses((status = 204, description = "It is told from now on"),
        (status = 400, description = "The address is none", body = ErrorBody)))]
pub(crate) async fn put(
    State(state): State<AppState>,
    Path(host): Path<String>,
    person: Person,
    Body(body): Body<HostInput>,
) -> Result<StatusCode, Failed> {
    let by = person.named(None)?;
    let plain = url::Url::parse(&body.api)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.username().is_empty());
    if !plain {
        let help = "Give http:// or https://, without a user; the token is a credential.";
        return Err(Failed::bad_request(format!("{:?} is no address of an API", body.api), help));
    }
    let kept = GitHost { kind: body.kind, api: body.api, credential: body.credential };
    let host = host.to_lowercase();
    state.catalog.put_document(GIT_HOSTS, &host, &serde_json::to_string(&kept).unwrap_or_default()).await?;
    audit(&state, &by, "git-host.put", &host, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a host.
#[utoipa::path(delete, path = "/api/v1/git-hosts/{host}", tag = "system",
    params(("host" = String, Path, description = "The host")),
    responses((status = 204, description = "It is not told any more"),
        (status = 404, description = "It was not", body = ErrorBody)))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    Path(host): Path<String>,
    person: Person,
) -> Result<StatusCode, Failed> {
    let by = person.named(None)?;
    let host = host.to_lowercase();
    if !state.catalog.remove_document(GIT_HOSTS, &host).await? {
        return Err(Failed::not_found(format!("the git host {host:?} is not told")));
    }
    audit(&state, &by, "git-host.remove", &host, "").await?;
    Ok(StatusCode::NO_CONTENT)
}
