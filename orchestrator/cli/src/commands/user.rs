//! `haliotis user`: people, groups and grants. Works on the data folder, beside a running server or without one; a server
//! follows within a second.

use std::io::{IsTerminal, Read};
use std::sync::Arc;

use clap::{Args, Subcommand};
use haliotis_access::{Grant, Group, Kind, Name, Role, Subject, Typed, User as Person, password};
use haliotis_store::{Store, open_store};

use crate::app::users::{self, StoreRecords};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// A password is a line; more is a file by mistake.
const LONGEST: u64 = 4 << 10;

/// Arguments of `user`.
#[derive(Args)]
pub struct User {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add a person; the password is read from the terminal or standard input
    Add {
        /// a-z, 0-9 and . _ - @ +
        name: String,
        /// viewer, builder, approver, maintainer or admin
        #[arg(long)]
        role: Option<String>,
        /// The folder or pipeline the role is for; everywhere without it
        #[arg(long, default_value = "")]
        scope: String,
        /// No password: for tokens alone
        #[arg(long)]
        no_password: bool,
    },
    /// Set a password; all sessions of that person end
    Password {
        /// Whose
        name: String,
    },
    /// Nobody enters under this name any more; tokens and sessions count for nothing
    Disable {
        /// Whose
        name: String,
    },
    /// Undo `disable`
    Enable {
        /// Whose
        name: String,
    },
    /// Remove a person with tokens, sessions, grants and memberships
    Remove {
        /// Whom
        name: String,
    },
    /// People, their groups and what they are granted
    List,
    /// Give a role to user:NAME, group:NAME, authenticated or anonymous
    Grant {
        /// Whom
        subject: String,
        /// viewer, builder, approver, maintainer or admin
        role: String,
        /// The folder or pipeline; everywhere without it
        #[arg(long, default_value = "")]
        scope: String,
    },
    /// Take a role back
    Revoke {
        /// From whom
        subject: String,
        /// Which
        role: String,
        /// As it was granted
        #[arg(long, default_value = "")]
        scope: String,
    },
    /// Set the members of a group; none removes it
    Group {
        /// The group
        name: String,
        /// Its members
        members: Vec<String>,
    },
}

/// The store with its users.
pub(super) struct Book {
    pub(super) store: Arc<dyn Store>,
    pub(super) records: StoreRecords,
}

impl Book {
    pub(super) async fn open(ctx: &Context) -> Result<Self, Failure> {
        let dir = ctx.data_dir();
        std::fs::create_dir_all(&dir)?;
        let store = open_store(ctx.database.as_deref(), &dir).await;
        let store = store.map_err(|error| Failure::world(error.to_string()))?;
        Ok(Self { records: StoreRecords(Arc::clone(&store)), store })
    }

    pub(super) fn typed(&self) -> Typed<'_> {
        Typed(&self.records)
    }

    async fn person(&self, name: &str) -> Result<Person, Failure> {
        let name = name_of(name)?;
        let found = self.typed().get(Kind::User, name.as_str()).await.map_err(lost)?;
        found.ok_or_else(|| Failure::not_found(format!("there is no user `{name}`; `haliotis user list` shows them")))
    }

    /// Somebody must be left who administers the server.
    async fn keep_an_admin(&self, without: &Name) -> Outcome {
        let directory = self.typed().directory().await.map_err(lost)?;
        if directory.has_admin_without(None) && !directory.has_admin_without(Some(without)) {
            return Err(Failure::usage(format!("`{without}` is the last administrator; make another one first")));
        }
        Ok(())
    }
}

pub(super) fn lost(error: impl std::fmt::Display) -> Failure {
    Failure::world(error.to_string())
}

pub(super) fn name_of(text: &str) -> Result<Name, Failure> {
    Name::parse(text).map_err(|error| Failure::usage(error.to_string()))
}

fn grant(subject: &str, role: &str, scope: &str) -> Result<Grant, Failure> {
    let subject = Subject::parse(subject).map_err(|error| Failure::usage(error.to_string()))?;
    let roles = Role::ALL.map(Role::as_str).join(", ");
    let role = Role::parse(role).ok_or_else(|| Failure::usage(format!("`{role}` is no role; they are {roles}")))?;
    Ok(Grant { subject, role, scope: scope.trim_matches('/').to_owned() })
}

/// Runs the verb.
pub async fn run(args: User, ctx: &Context) -> Outcome {
    let book = Book::open(ctx).await?;
    let (action, subject, said) = match args.verb {
        Verb::List => return list(&book, ctx).await,
        Verb::Add { name, role, scope, no_password } => {
            let name = name_of(&name)?;
            if book.typed().get::<Person>(Kind::User, name.as_str()).await.map_err(lost)?.is_some() {
                return Err(Failure::usage(format!("there is a user `{name}` already")));
            }
            let granted = role.map(|role| grant(name.as_str(), &role, &scope)).transpose()?;
            let hash = if no_password { None } else { Some(read_password()?) };
            let person = Person { password: hash, ..users::user(name.clone()) };
            book.typed().put_user(&person).await.map_err(lost)?;
            let what = granted.as_ref().map_or_else(|| "nothing yet".to_owned(), Grant::id);
            if let Some(granted) = granted {
                book.typed().put_grant(&granted).await.map_err(lost)?;
            }
            ("user.add", name.to_string(), format!("user {name} is added, with {what}"))
        }
        Verb::Password { name } => {
            let mut person = book.person(&name).await?;
            (person.password, person.must_change) = (Some(read_password()?), false);
            book.typed().put_user(&person).await.map_err(lost)?;
            book.typed().end_sessions(&person.name).await.map_err(lost)?;
            ("user.password", person.name.to_string(), format!("the password of {} is set", person.name))
        }
        Verb::Disable { name } => {
            let mut person = book.person(&name).await?;
            book.keep_an_admin(&person.name).await?;
            person.disabled = true;
            book.typed().put_user(&person).await.map_err(lost)?;
            ("user.disable", person.name.to_string(), format!("{} may not enter any more", person.name))
        }
        Verb::Enable { name } => {
            let person = Person { disabled: false, ..book.person(&name).await? };
            book.typed().put_user(&person).await.map_err(lost)?;
            ("user.enable", person.name.to_string(), format!("{} may enter", person.name))
        }
        Verb::Remove { name } => {
            let person = book.person(&name).await?;
            book.keep_an_admin(&person.name).await?;
            book.typed().remove_user(&person.name).await.map_err(lost)?;
            ("user.remove", person.name.to_string(), format!("{} is removed", person.name))
        }
        Verb::Grant { subject, role, scope } => {
            let grant = grant(&subject, &role, &scope)?;
            book.typed().put_grant(&grant).await.map_err(lost)?;
            ("grant.add", grant.id(), format!("granted: {}", grant.id()))
        }
        Verb::Revoke { subject, role, scope } => {
            let grant = grant(&subject, &role, &scope)?;
            if !haliotis_access::Records::remove_record(&book.records, Kind::Grant, &grant.id()).await.map_err(lost)? {
                return Err(Failure::not_found(format!("there is no grant `{}`", grant.id())));
            }
            ("grant.remove", grant.id(), format!("taken back: {}", grant.id()))
        }
        Verb::Group { name, members } => {
            let name = name_of(&name)?;
            let members = members.iter().map(|member| name_of(member)).collect::<Result<_, _>>()?;
            let group = Group { name: name.clone(), members };
            if group.members.is_empty() {
                let gone = haliotis_access::Records::remove_record(&book.records, Kind::Group, name.as_str());
                gone.await.map_err(lost)?;
            } else {
                book.typed().put(Kind::Group, name.as_str(), &group).await.map_err(lost)?;
            }
            ("group.set", name.to_string(), format!("group {name} has {} member(s)", group.members.len()))
        }
    };
    users::note(book.store.as_ref(), &ctx.user, action, &subject, "").await?;
    ctx.good(said);
    Ok(())
}

async fn list(book: &Book, ctx: &Context) -> Outcome {
    let directory = book.typed().directory().await.map_err(lost)?;
    let grants_of = |subject: &Subject| -> Vec<String> {
        let own = directory.grants.iter().filter(|grant| grant.subject == *subject);
        own.map(|grant| {
            if grant.scope.is_empty() {
                grant.role.as_str().to_owned()
            } else {
                format!("{} in {}", grant.role.as_str(), grant.scope)
            }
        })
        .collect()
    };
    let mut rows: Vec<[String; 4]> = Vec::new();
    for user in directory.users.values() {
        let groups: Vec<_> = directory.groups_of(&user.name).iter().map(ToString::to_string).collect();
        let state = if user.disabled {
            "disabled"
        } else if user.must_change {
            "to set a password"
        } else {
            ""
        };
        let granted = grants_of(&Subject::User(user.name.clone())).join(", ");
        rows.push([format!("user:{}", user.name), granted, groups.join(", "), state.to_owned()]);
    }
    let groups = directory.groups.keys().map(|name| Subject::Group(name.clone()));
    for subject in groups.chain([Subject::Authenticated, Subject::Anonymous]) {
        let granted = grants_of(&subject);
        if !granted.is_empty() || matches!(subject, Subject::Group(_)) {
            rows.push([subject.to_string(), granted.join(", "), String::new(), String::new()]);
        }
    }
    if ctx.json {
        let rows = rows.iter().map(|[subject, granted, groups, state]| {
            serde_json::json!({"subject": subject, "granted": granted, "groups": groups, "state": state})
        });
        ctx.print_json(&rows.collect::<Vec<_>>());
        return Ok(());
    }
    let mut table = show::table(&["WHO", "GRANTED", "GROUPS", "STATE"]);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    ctx.print(table.to_string());
    Ok(())
}

fn read_password() -> Result<String, Failure> {
    let text = if std::io::stdin().is_terminal() {
        let term = console::Term::stderr();
        let read = term.write_str("Password: ").and_then(|()| term.read_secure_line());
        read.map_err(|error| Failure::aborted(format!("no password could be read: {error}")))?
    } else {
        let mut text = String::new();
        std::io::stdin().take(LONGEST).read_to_string(&mut text)?;
        text
    };
    password::hash(text.trim_end_matches(['\r', '\n'])).map_err(|error| Failure::usage(error.to_string()))
}
