//! What is kept, and how: small JSON documents by kind and id. The store keeps them in one table; tests keep them in
//! memory. [`Typed`] reads and writes them as what they are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::directory::{Directory, Grant, Group, User};
use crate::session::Session;
use crate::token::Token;

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// [`User`] by name.
    User,
    /// [`Group`] by name.
    Group,
    /// [`Grant`] by its id.
    Grant,
    /// [`Token`] by id.
    Token,
    /// [`Session`] by the hash of its cookie.
    Session,
    /// Secrets and settings of webhooks, sealed.
    Hook,
    /// Single values, as the settings of a provider.
    Setting,
}

impl Kind {
    /// As in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Grant => "grant",
            Kind::Token => "token",
            Kind::Session => "session",
            Kind::Hook => "hook",
            Kind::Setting => "setting",
        }
    }
}

/// The store did not answer, or what it gave cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store of users cannot be used: {0}")]
pub struct RecordsError(pub String);

/// Keeps records. An `Ok` of a write means that it is on disk.
#[async_trait]
pub trait Records: Send + Sync {
    /// One by id.
    async fn record(&self, kind: Kind, id: &str) -> Result<Option<String>, RecordsError>;
    /// All of a kind, by id.
    async fn records(&self, kind: Kind) -> Result<Vec<(String, String)>, RecordsError>;
    /// Adds or replaces.
    async fn put_record(&self, kind: Kind, id: &str, body: &str) -> Result<(), RecordsError>;
    /// Removes; `false`: there was none.
    async fn remove_record(&self, kind: Kind, id: &str) -> Result<bool, RecordsError>;
    /// A number that is another one after every change of a record that is no session, by whichever process.
    async fn records_version(&self) -> Result<i64, RecordsError>;
}

/// Records as what they are.
pub struct Typed<'a>(pub &'a dyn Records);

impl Typed<'_> {
    /// One by id.
    ///
    /// # Errors
    /// When the store fails or the record cannot be read.
    pub async fn get<T: DeserializeOwned>(&self, kind: Kind, id: &str) -> Result<Option<T>, RecordsError> {
        self.0.record(kind, id).await?.map(|body| read(kind, id, &body)).transpose()
    }

    /// All of a kind.
    ///
    /// # Errors
    /// As [`Typed::get`].
    pub async fn all<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<T>, RecordsError> {
        self.0.records(kind).await?.iter().map(|(id, body)| read(kind, id, body)).collect()
    }

    /// Adds or replaces.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put<T: Serialize>(&self, kind: Kind, id: &str, value: &T) -> Result<(), RecordsError> {
        let body = serde_json::to_string(value).map_err(|error| RecordsError(error.to_string()))?;
        self.0.put_record(kind, id, &body).await
    }

    /// Users, groups and grants as one value.
    ///
    /// # Errors
    /// As [`Typed::get`].
    pub async fn directory(&self) -> Result<Directory, RecordsError> {
        let users: Vec<User> = self.all(Kind::User).await?;
        let groups: Vec<Group> = self.all(Kind::Group).await?;
        let grants: Vec<Grant> = self.all(Kind::Grant).await?;
        Ok(Directory {
            users: users.into_iter().map(|user| (user.name.clone(), user)).collect(),
            groups: groups.into_iter().map(|group| (group.name.clone(), group)).collect(),
            grants,
        })
    }

    /// Adds or replaces a user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put_user(&self, user: &User) -> Result<(), RecordsError> {
        self.put(Kind::User, user.name.as_str(), user).await
    }

    /// Adds a grant.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put_grant(&self, grant: &Grant) -> Result<(), RecordsError> {
        self.put(Kind::Grant, &grant.id(), grant).await
    }

    /// All tokens.
    ///
    /// # Errors
    /// As [`Typed::get`].
    pub async fn tokens(&self) -> Result<Vec<Token>, RecordsError> {
        self.all(Kind::Token).await
    }

    /// Removes a user with everything that was theirs: tokens, sessions, grants, places in groups.
    ///
    /// # Errors
    /// When the store fails. The user goes first, so that nothing of theirs counts from then on.
    pub async fn remove_user(&self, name: &crate::Name) -> Result<bool, RecordsError> {
        let was_there = self.0.remove_record(Kind::User, name.as_str()).await?;
        self.end_sessions(name).await?;
        for token in self.tokens().await?.into_iter().filter(|token| token.user == *name) {
            self.0.remove_record(Kind::Token, &token.id).await?;
        }
        let grants: Vec<Grant> = self.all(Kind::Grant).await?;
        for grant in grants.into_iter().filter(|grant| grant.subject == crate::Subject::User(name.clone())) {
            self.0.remove_record(Kind::Grant, &grant.id()).await?;
        }
        let groups: Vec<Group> = self.all(Kind::Group).await?;
        for mut group in groups {
            if group.members.remove(name) {
                self.put(Kind::Group, group.name.as_str(), &group).await?;
            }
        }
        Ok(was_there)
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_sessions(&self, name: &crate::Name) -> Result<(), RecordsError> {
        let sessions: Vec<Session> = self.all(Kind::Session).await?;
        for session in sessions.into_iter().filter(|session| session.user == *name) {
            self.0.remove_record(Kind::Session, &session.id).await?;
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(kind: Kind, id: &str, body: &str) -> Result<T, RecordsError> {
    serde_json::from_str(body)
        .map_err(|error| RecordsError(format!("the record of {} `{id}` cannot be read: {error}", kind.as_str())))
}

/// The last number of the trail, and the records.
type Kept = (i64, BTreeMap<(Kind, String), String>);

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    inner: Mutex<Kept>,
}

impl MemoryRecords {
    fn locked<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn record(&self, kind: Kind, id: &str) -> Result<Option<String>, RecordsError> {
        Ok(self.locked(|(_, records)| records.get(&(kind, id.to_owned())).cloned()))
    }

    async fn records(&self, kind: Kind) -> Result<Vec<(String, String)>, RecordsError> {
        Ok(self.locked(|(_, records)| {
            let own = records.iter().filter(|((of, _), _)| *of == kind);
            own.map(|((_, id), body)| (id.clone(), body.clone())).collect()
        }))
    }

    async fn put_record(&self, kind: Kind, id: &str, body: &str) -> Result<(), RecordsError> {
        self.locked(|(version, records)| {
            *version += i64::from(kind != Kind::Session);
            records.insert((kind, id.to_owned()), body.to_owned());
        });
        Ok(())
    }

    async fn remove_record(&self, kind: Kind, id: &str) -> Result<bool, RecordsError> {
        Ok(self.locked(|(version, records)| {
            *version += i64::from(kind != Kind::Session);
            records.remove(&(kind, id.to_owned())).is_some()
        }))
    }

    async fn records_version(&self) -> Result<i64, RecordsError> {
        Ok(self.locked(|(version, _)| *version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Object, Permission, Role, Subject, session, token};

    #[tokio::test]
    async fn who_leaves_leaves_nothing_behind() {
        let records = MemoryRecords::default();
        let store = Typed(&records);
        let ada = Name::parse("ada").unwrap();
        let user = User {
            name: ada.clone(),
            full_name: "Ada".into(),
            password: None,
            must_change: false,
            disabled: false,
            external: None,
            created_at: 1,
        };
        store.put_user(&user).await.unwrap();
        let grant = Grant { subject: Subject::User(ada.clone()), role: Role::Admin, scope: String::new() };
        store.put_grant(&grant).await.unwrap();
        let ml = Group { name: Name::parse("ml").unwrap(), members: [ada.clone()].into() };
        store.put(Kind::Group, "ml", &ml).await.unwrap();
        let (_, token) = token::mint(ada.clone(), token::Wish::default(), 1).unwrap();
        store.put(Kind::Token, &token.id, &token).await.unwrap();
        let (_, session) = session::open(ada.clone(), 1).unwrap();
        store.put(Kind::Session, &session.id, &session).await.unwrap();
        let directory = store.directory().await.unwrap();
        assert!(directory.rights(&ada).may(Permission::Administer, Object::System));

        let before = records.records_version().await.unwrap();
        assert!(store.remove_user(&ada).await.unwrap());
        assert_ne!(records.records_version().await.unwrap(), before);
        let left = records.inner.lock().unwrap();
        assert_eq!(left.1.len(), 1, "the group alone: {left:?}");
        assert!(!left.1.values().any(|body| body.contains("ada")), "{left:?}");
    }
}
