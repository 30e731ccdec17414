//! Four eyes: whose work a build is. A question that allows no self-approval is not approved by these people.
//!
//! Accounts and commits name people differently: an account is compared with the name and the address of a commit's
//! author too, and so is the account's full name. Whoever wants to hide behind another name in a commit can; such a rule
//! is worth as much as the review that guards the branch.

use haliotis_model::{Cause, NewBuild, Value};

/// In a build's event: who wrote its commit, `{name, email}`; pinned when the build is made.
pub const COMMIT_AUTHOR: &str = "commit-author";

/// What of a build somebody did, as in `started this build`; `None`: nothing. `names`: further names of that person.
pub fn own_part(build: &NewBuild, by: &str, names: &[String]) -> Option<&'static str> {
    let is = |other: &str| same(by, other) || names.iter().any(|name| same(name, other));
    let caused = build.causes.iter().find_map(|cause| match cause {
        Cause::User { by } if is(by) => Some("started this build"),
        Cause::Rerun { by, .. } if is(by) => Some("ran this build again"),
        Cause::Commit { author, .. } if is(author) => Some("pushed its commit"),
        Cause::ModelPackage { by, .. } if is(by) => Some("approved the model that started this build"),
        _ => None,
    });
    let author = build.event.get(COMMIT_AUTHOR);
    let wrote = |field: &str| author.and_then(|author| author.get(field)).and_then(Value::as_str).is_some_and(is);
    caused.or_else(|| (wrote("name") || wrote("email")).then_some("wrote its commit"))
}

/// Whether two names are one person's: alike but for case, or one is the other's address up to its `@`.
fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.trim().to_lowercase(), right.trim().to_lowercase());
    let local = |text: &str, of: &str| text.strip_prefix(of).is_some_and(|rest| rest.starts_with('@'));
    !left.is_empty() && !right.is_empty() && (left == right || local(&left, &right) || local(&right, &left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_one_person() {
        for (left, right, one) in [
            ("mia", "Mia", true),
            ("mia", "mia@example.com", true),
            ("Mia Lee", "mia lee ", true),
            ("mia", "miata@example.com", false),
            ("mia", "", false),
            ("", "", false),
        ] {
            assert_eq!(same(left, right), one, "{left:?} {right:?}");
        }
    }
}
