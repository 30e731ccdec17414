//! Users, groups and grants as one value, and the one question it answers: may this person do this to that.
//!
//! A grant gives a role to somebody over a scope. A scope is a path of names with `/`: the empty one is the whole
//! server, `team` is the folder and all in it, `team/train` one pipeline (and, were it a folder, all in it). Rights only
//! add up; there is no deny.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::permission::{Permission, Permissions, Role};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Canonical name.
    pub name: Name,
    /// For people.
    #[serde(default)]
    pub full_name: String,
    /// What verifies the password, as argon2 writes it; `None`: logs in elsewhere or by token alone.
    #[serde(default)]
    pub password: Option<String>,
    /// The password is used once, to set another.
    #[serde(default)]
    pub must_change: bool,
    /// May not enter; sessions and tokens count for nothing.
    #[serde(default)]
    pub disabled: bool,
    /// `ISSUER SUBJECT` of the provider that vouches for this person.
    #[serde(default)]
    pub external: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// People under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Canonical name.
    pub name: Name,
    /// Who is in it.
    pub members: BTreeSet<Name>,
}

/// Whom a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// One person.
    User(Name),
    /// All of a group.
    Group(Name),
    /// Whoever is logged in.
    Authenticated,
    /// Whoever reaches the server.
    Anonymous,
}

impl Subject {
    /// `user:NAME`, `group:NAME`, `authenticated`, `anonymous`; a bare name is a user.
    ///
    /// # Errors
    /// When the name is none.
    pub fn parse(text: &str) -> Result<Self, crate::BadName> {
        match text.split_once(':') {
            _ if text == "authenticated" => Ok(Subject::Authenticated),
            _ if text == "anonymous" => Ok(Subject::Anonymous),
            Some(("group", name)) => Ok(Subject::Group(Name::parse(name)?)),
            Some(("user", name)) => Ok(Subject::User(Name::parse(name)?)),
            _ => Ok(Subject::User(Name::parse(text)?)),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::User(name) => write!(f, "user:{name}"),
            Subject::Group(name) => write!(f, "group:{name}"),
            Subject::Authenticated => f.write_str("authenticated"),
            Subject::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// A role for somebody over a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whom.
    pub subject: Subject,
    /// What.
    pub role: Role,
    /// Where; empty: everywhere.
    pub scope: String,
}

impl Grant {
    /// Names it; the same grant has one id.
    pub fn id(&self) -> String {
        format!("{} {} {}", self.subject, self.role.as_str(), self.scope)
    }
}

/// What a permission is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// The server itself.
    System,
    /// A pipeline or folder by its full name.
    Pipeline(&'a str),
    /// Anything at all: enough for a list that shows each what is theirs.
    Somewhere,
}

/// Whether `scope` is `name`, a folder above it, or the root.
pub fn covers(scope: &str, name: &str) -> bool {
    scope.is_empty() || name.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What one caller may do: permissions by scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<(String, Permissions)>);

impl Rights {
    /// Everything everywhere: dev mode, and the owner of the data folder.
    pub fn everything() -> Self {
        Self(vec![(String::new(), Permissions::EVERY)])
    }

    /// Exactly these.
    pub fn of(list: Vec<(String, Permissions)>) -> Self {
        Self(list)
    }

    /// The one question.
    pub fn may(&self, permission: Permission, object: Object<'_>) -> bool {
        self.0.iter().any(|(scope, permissions)| {
            permissions.has(permission)
                && match object {
                    Object::System => scope.is_empty(),
                    Object::Pipeline(name) => covers(scope, name),
                    Object::Somewhere => true,
                }
        })
    }

    /// The same under the limits of a token: no more than `limit`, and within `scope`.
    #[must_use]
    pub fn limited(&self, limit: Permissions, within: &str) -> Self {
        let narrowed = self.0.iter().filter_map(|(scope, permissions)| {
            let scope = match (covers(within, scope), covers(scope, within)) {
                (true, _) => scope.clone(),
                (_, true) => within.to_owned(),
                _ => return None,
            };
            Some((scope, permissions.and(limit)))
        });
        Self(narrowed.collect())
    }
}

/// Everybody and everything granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// By name.
    pub users: BTreeMap<Name, User>,
    /// By name.
    pub groups: BTreeMap<Name, Group>,
    /// In no order.
    pub grants: Vec<Grant>,
}

impl Directory {
    /// A user who may enter.
    pub fn active(&self, name: &Name) -> Option<&User> {
        self.users.get(name).filter(|user| !user.disabled)
    }

    /// What a user may do; nothing when there is no such user or they are disabled.
    pub fn rights(&self, name: &Name) -> Rights {
        if self.active(name).is_none() {
            return Rights::default();
        }
        let of = |subject: &Subject| match subject {
            Subject::User(user) => user == name,
            Subject::Group(group) => self.groups.get(group).is_some_and(|group| group.members.contains(name)),
            Subject::Authenticated | Subject::Anonymous => true,
        };
        self.collect(of)
    }

    /// What whoever is not logged in may do.
    pub fn anonymous(&self) -> Rights {
        self.collect(|subject| *subject == Subject::Anonymous)
    }

    /// The groups a user is in, by name.
    pub fn groups_of(&self, name: &Name) -> Vec<Name> {
        let own = self.groups.values().filter(|group| group.members.contains(name));
        own.map(|group| group.name.clone()).collect()
    }

    /// Somebody who may enter administers the whole server, `without` aside. The last one must not be lost.
    pub fn has_admin_without(&self, without: Option<&Name>) -> bool {
        let mut users = self.users.keys().filter(|name| Some(*name) != without);
        users.any(|name| self.rights(name).may(Permission::Administer, Object::System))
    }

    fn collect(&self, of: impl Fn(&Subject) -> bool) -> Rights {
        let own = self.grants.iter().filter(|grant| of(&grant.subject));
        Rights(own.map(|grant| (grant.scope.clone(), grant.role.permissions())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{Administer, Approve, Build, Configure, View};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn user(text: &str) -> User {
        User {
            name: name(text),
            full_name: String::new(),
            password: None,
            must_change: false,
            disabled: false,
            external: None,
            created_at: 0,
        }
    }

    fn directory(grants: &[(&str, Role, &str)]) -> Directory {
        let grant = |(subject, role, scope): &(&str, Role, &str)| Grant {
            subject: Subject::parse(subject).unwrap(),
            role: *role,
            scope: (*scope).to_owned(),
        };
        Directory {
            users: ["ada", "bob"].map(|one| (name(one), user(one))).into(),
            groups: [(name("ml"), Group { name: name("ml"), members: [name("bob")].into() })].into(),
            grants: grants.iter().map(grant).collect(),
        }
    }

    #[test]
    fn a_scope_is_a_folder_and_not_a_prefix_of_letters() {
        assert!(covers("", "team/train") && covers("team", "team") && covers("team", "team/a/b"));
        assert!(!covers("team", "teams/train") && !covers("team/train", "team") && !covers("a", ""));
    }

    #[test]
    fn rights_add_up_and_end_where_nothing_is_granted() {
        let directory = directory(&[("ada", Role::Builder, "team"), ("group:ml", Role::Approver, "team/train")]);
        let (ada, bob) = (directory.rights(&name("ada")), directory.rights(&name("bob")));
        assert!(ada.may(Build, Object::Pipeline("team/x")) && !ada.may(Approve, Object::Pipeline("team/x")));
        assert!(!ada.may(View, Object::Pipeline("other")) && !ada.may(View, Object::System));
        assert!(ada.may(View, Object::Somewhere) && !ada.may(Configure, Object::Somewhere));
        assert!(bob.may(Approve, Object::Pipeline("team/train")) && !bob.may(View, Object::Pipeline("team/x")));
        assert_eq!(directory.rights(&name("eve")), Rights::default());
        assert_eq!(directory.anonymous(), Rights::default());
    }

    #[test]
    fn a_disabled_user_has_nothing_and_the_last_admin_is_known() {
        let mut directory = directory(&[("ada", Role::Admin, ""), ("bob", Role::Admin, "team")]);
        assert!(directory.rights(&name("ada")).may(Administer, Object::System));
        assert!(!directory.rights(&name("bob")).may(Administer, Object::System), "an admin of a folder");
        assert!(directory.has_admin_without(None) && !directory.has_admin_without(Some(&name("ada"))));
        directory.users.get_mut(&name("ada")).unwrap().disabled = true;
        assert_eq!(directory.rights(&name("ada")), Rights::default());
    }

    #[test]
    fn a_token_is_never_more_than_its_owner() {
        let rights = directory(&[("ada", Role::Builder, "team")]).rights(&name("ada"));
        let token = rights.limited(Permissions::of(&[View, Administer]), "team/train");
        assert!(token.may(View, Object::Pipeline("team/train")));
        assert!(!token.may(View, Object::Pipeline("team/other")), "outside the token's scope");
        assert!(!token.may(Build, Object::Pipeline("team/train")), "not among the token's permissions");
        assert!(!token.may(Administer, Object::Pipeline("team/train")), "not among the owner's");
        assert_eq!(rights.limited(Permissions::EVERY, "elsewhere"), Rights::default());
        assert_eq!(rights.limited(Permissions::EVERY, ""), rights);
    }

    #[test]
    fn subjects_are_read_as_they_are_written() {
        for text in ["user:ada", "group:ml", "authenticated", "anonymous"] {
            assert_eq!(Subject::parse(text).unwrap().to_string(), text);
        }
        assert!(Subject::parse("group:").is_err());
    }
}
