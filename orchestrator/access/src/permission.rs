//! What can be allowed, and the roles that bundle it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing a person may be allowed to do. None implies another; roles bundle them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// See pipelines, builds, logs, artifacts.
    View,
    /// Start, abort, re-run.
    Build,
    /// Answer questions, decide on model versions.
    Approve,
    /// Add, change, remove pipelines and their credentials.
    Configure,
    /// Users, grants, system credentials, hooks, audit, the server itself.
    Administer,
}

impl Permission {
    /// All, in the order of the enum.
    pub const ALL: [Permission; 5] =
        [Permission::View, Permission::Build, Permission::Approve, Permission::Configure, Permission::Administer];

    /// As in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::View => "view",
            Permission::Build => "build",
            Permission::Approve => "approve",
            Permission::Configure => "configure",
            Permission::Administer => "administer",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == word)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const EVERY: Self = Self(0b1_1111);

    /// These.
    pub fn of(list: &[Permission]) -> Self {
        Self(list.iter().fold(0, |bits, permission| bits | 1 << *permission as u8))
    }

    /// Whether it is among them.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in it.
    pub fn list(self) -> Vec<Permission> {
        Permission::ALL.into_iter().filter(|permission| self.has(*permission)).collect()
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(list: Vec<Permission>) -> Self {
        Self::of(&list)
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(set: Permissions) -> Self {
        set.list()
    }
}

/// What a grant gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks and starts builds.
    Builder,
    /// Looks and answers questions. Whoever builds need not be who approves.
    Approver,
    /// Looks, starts, and changes pipelines.
    Maintainer,
    /// Everything within the scope of the grant; at the root, the whole server.
    Admin,
}

impl Role {
    /// All, from least to most.
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Builder, Role::Approver, Role::Maintainer, Role::Admin];

    /// What it allows.
    pub fn permissions(self) -> Permissions {
        use Permission::{Approve, Build, Configure, View};
        match self {
            Role::Viewer => Permissions::of(&[View]),
            Role::Builder => Permissions::of(&[View, Build]),
            Role::Approver => Permissions::of(&[View, Approve]),
            Role::Maintainer => Permissions::of(&[View, Build, Configure]),
            Role::Admin => Permissions::EVERY,
        }
    }

    /// As in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Builder => "builder",
            Role::Approver => "approver",
            Role::Maintainer => "maintainer",
            Role::Admin => "admin",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_both_ways_and_roles_keep_building_and_approving_apart() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
        }
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert!(role.permissions().has(Permission::View));
        }
        assert!(!Role::Builder.permissions().has(Permission::Approve));
        assert!(!Role::Maintainer.permissions().has(Permission::Approve));
        assert!(!Role::Approver.permissions().has(Permission::Build));
        assert_eq!(Permissions::of(&Permission::ALL), Permissions::EVERY);
    }
}
