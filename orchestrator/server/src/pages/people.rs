//! Users, groups and grants: who may enter, and who may do what where.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use haliotis_access::{Grant, Kind, Name, Role, Subject, User, password};

use super::{Markup, Page, error_page, respond, time};
use crate::api;
use crate::edges::millis;
use crate::error::Failed;
use crate::identity::Person;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    page: Page,
    users: Vec<UserRow>,
    groups: Vec<(String, String)>,
    grants: Vec<GrantRow>,
    roles: Vec<(&'static str, &'static str)>,
    /// A new user's first password, shown this once.
    told: Option<(String, String)>,
}

struct UserRow {
    name: String,
    full_name: String,
    disabled: bool,
    how: &'static str,
    groups: String,
    made: Markup,
}

struct GrantRow {
    subject: String,
    role: &'static str,
    scope: String,
}

/// What each role is for, in a line.
fn roles() -> Vec<(&'static str, &'static str)> {
    let what = |role: Role| match role {
        Role::Viewer => "looks",
        Role::Builder => "looks and starts builds",
        Role::Approver => "looks and answers questions",
        Role::Maintainer => "looks, starts, and changes pipelines",
        Role::Admin => "everything within its scope",
    };
    Role::ALL.into_iter().map(|role| (role.as_str(), what(role))).collect()
}

pub(crate) async fn show(State(state): State<AppState>) -> Response {
    respond(&state, users_page(&state, None).await)
}

async fn users_page(state: &AppState, told: Option<(String, String)>) -> Result<UsersPage, Failed> {
    let directory = state.access.typed().directory().await?;
    let row = |user: &User| UserRow {
        name: user.name.to_string(),
        full_name: user.full_name.clone(),
        disabled: user.disabled,
        how: match (&user.external, &user.password) {
            (Some(_), _) => "logs in elsewhere",
            (None, Some(_)) if user.must_change => "has a first password",
            (None, Some(_)) => "has a password",
            (None, None) => "by token alone",
        },
        groups: names(directory.groups_of(&user.name)),
        made: time(millis(user.created_at)),
    };
    let grant = |grant: &Grant| GrantRow {
        subject: grant.subject.to_string(),
        role: grant.role.as_str(),
        scope: grant.scope.clone(),
    };
    Ok(UsersPage {
        page: Page::new(state, "system", "Users and roles"),
        users: directory.users.values().map(row).collect(),
        groups: directory
            .groups
            .values()
            .map(|group| (group.name.to_string(), names(group.members.iter().cloned())))
            .collect(),
        grants: directory.grants.iter().map(grant).collect(),
        roles: roles(),
        told,
    })
}

fn names(names: impl IntoIterator<Item = Name>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

type Fields = BTreeMap<String, String>;

/// One change: `do` says which.
pub(crate) async fn change(
    State(state): State<AppState>,
    person: Result<Person, Failed>,
    Form(fields): Form<Fields>,
) -> Response {
    let changed = async {
        let by = person?.named(None)?;
        let (action, subject, told) = apply(&state, &fields).await?;
        api::audit(&state, &by, action, &subject, "").await?;
        state.access.changed();
        Ok::<_, Failed>(told)
    };
    match changed.await {
        Ok(None) => Redirect::to("/system/users").into_response(),
        Ok(told) => {
            let page = users_page(&state, told).await;
            respond(&state, page)
        }
        Err(failed) => error_page(&state, failed),
    }
}

type Applied = (&'static str, String, Option<(String, String)>);

async fn apply(state: &AppState, fields: &Fields) -> Result<Applied, Failed> {
    let field = |name: &str| fields.get(name).map_or("", |value| value.trim());
    let typed = state.access.typed();
    match field("do") {
        "add" => {
            let name = name(field("name"))?;
            if typed.get::<User>(Kind::User, name.as_str()).await?.is_some() {
                return Err(wrong(format!("there is a user {name} already")));
            }
            let first = password::one_time().map_err(|error| wrong(error.to_string()))?;
            let hash = password::hash(&first).map_err(|error| wrong(error.to_string()))?;
            let user = User {
                name: name.clone(),
                full_name: field("full_name").to_owned(),
                password: Some(hash),
                must_change: true,
                disabled: false,
                external: None,
                created_at: haliotis_engine::now().0,
            };
            typed.put_user(&user).await?;
            Ok(("user.add", name.to_string(), Some((name.to_string(), first))))
        }
        word @ ("disable" | "enable") => {
            let name = name(field("name"))?;
            let found: Option<User> = typed.get(Kind::User, name.as_str()).await?;
            let mut user = found.ok_or_else(|| Failed::not_found(format!("there is no user {name}")))?;
            user.disabled = word == "disable";
            if user.disabled {
                keep_an_admin(state, &name).await?;
            }
            typed.put_user(&user).await?;
            if user.disabled {
                typed.end_sessions(&name).await?;
            }
            Ok((if user.disabled { "user.disable" } else { "user.enable" }, name.to_string(), None))
        }
        "grant" => {
            let grant = grant(&field)?;
            typed.put_grant(&grant).await?;
            Ok(("grant.add", grant.id(), None))
        }
        "revoke" => {
            let grant = grant(&field)?;
            if let Subject::User(name) = &grant.subject
                && grant.role == Role::Admin
            {
                keep_an_admin(state, name).await?;
            }
            if !state.access.records().remove_record(Kind::Grant, &grant.id()).await? {
                return Err(Failed::not_found(format!("there is no grant {}", grant.id())));
            }
            Ok(("grant.remove", grant.id(), None))
        }
        other => Err(wrong(format!("{other:?} is no change that is known here"))),
    }
}

fn wrong(message: impl Into<String>) -> Failed {
    Failed::bad_request(message, "Go back and change what was given.")
}

fn name(text: &str) -> Result<Name, Failed> {
    Name::parse(text).map_err(|error| wrong(error.to_string()))
}

fn grant<'f>(field: &impl Fn(&str) -> &'f str) -> Result<Grant, Failed> {
    let subject = Subject::parse(field("subject")).map_err(|error| wrong(error.to_string()))?;
    let role = Role::parse(field("role")).ok_or_else(|| wrong("there is no such role"))?;
    Ok(Grant { subject, role, scope: field("scope").trim_matches('/').to_owned() })
}

/// Somebody must be left who administers the server.
async fn keep_an_admin(state: &AppState, without: &Name) -> Result<(), Failed> {
    let directory = state.access.typed().directory().await?;
    if directory.has_admin_without(None) && !directory.has_admin_without(Some(without)) {
        return Err(wrong(format!("{without} is the last administrator; make another one first")));
    }
    Ok(())
}
