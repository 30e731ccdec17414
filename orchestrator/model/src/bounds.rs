//! Where a credential may be used: by whom (its scope), for which hosts, in which environments. What is not within the
//! bounds is refused before the secret is read out, and the refusal says which bound it was.
//!
//! An environment (a deploy target with its rules) is kept on the server, where no branch can change it: a credential
//! bound to one goes only to builds of its pipelines, from its branches, of the definition as the branch has it.

use serde::{Deserialize, Serialize};

use crate::NewBuild;
use crate::branches::wild;

/// Documents: an environment by its name.
pub const ENVIRONMENTS: &str = "environment";

/// The document's name: renaming a pipeline renames the documents of its name, and no pipeline's begins so.
pub fn environment_document(name: &str) -> String {
    format!("//{name}")
}

/// Who may use a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Scope {
    /// Every pipeline.
    #[default]
    Everywhere,
    /// The server itself: looking at repositories, fetching the build's own one, telling git hosts. No other step.
    System,
    /// Pipelines below this folder.
    Folder(String),
    /// This pipeline alone.
    Pipeline(String),
}

/// The bounds of one credential. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Who.
    #[serde(default)]
    pub scope: Scope,
    /// Hosts it may be sent to: `git.example`, `git.example:8443` or `*.example`; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Environments whose builds get it; empty: no such rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
}

/// A deploy target with its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name, as `prod`.
    pub name: String,
    /// Patterns of pipelines that may deploy there, with `*`; empty: none may.
    pub pipelines: Vec<String>,
    /// Patterns of branches that may; a tag is `tags/NAME`. Empty: any, also builds without a branch.
    #[serde(default)]
    pub branches: Vec<String>,
}

/// Who asks for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The server, for its own talk with a host.
    Server,
    /// A step.
    Step,
}

/// Where a secret would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To this host and port and nowhere else.
    Host(String, Option<u16>),
    /// A place of this machine: a local repository.
    Local,
    /// Nobody can tell: a script may send it anywhere.
    Unknown,
}

/// A wish for a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// The pipeline it is for.
    pub pipeline: &'a str,
    /// What is built there, see [`NewBuild::reference`]; `None`: nothing of a branch.
    pub reference: Option<&'a str>,
    /// The definition is not what the branch has (a replay with another script, a fork's).
    pub edited: bool,
    /// Who asks.
    pub asker: Asker,
    /// Where it goes.
    pub destination: Destination,
}

/// Why a credential is not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another scope.
    #[error("policy: it is of {scope}, and this is the pipeline `{pipeline}`; store one for it, or change its scope")]
    Scope {
        /// Its scope in words.
        scope: String,
        /// Who asked.
        pipeline: String,
    },
    /// Another host.
    #[error("policy: it is bound to {hosts}, and would go to {to}; give it that host, or use another credential")]
    Host {
        /// Those it has.
        hosts: String,
        /// Where it would go.
        to: String,
    },
    /// A step that could send it anywhere.
    #[error(
        "policy: it is bound to {hosts}, and nobody can tell where this step sends it; use it in `http` or `checkout`"
    )]
    Unknown {
        /// Those it has.
        hosts: String,
    },
    /// No environment of its own admits the build.
    #[error("policy: it is of the environment {environments}, which {why}")]
    Environment {
        /// Those it has.
        environments: String,
        /// What does not fit.
        why: String,
    },
}

impl Bounds {
    /// Whether the wish is within the bounds. `environments`: those there are; one that is named and not there admits
    /// nobody.
    ///
    /// # Errors
    /// The first bound that it breaks.
    pub fn admit(&self, wish: &Wish<'_>, environments: &[Environment]) -> Result<(), Refusal> {
        if !self.scope.covers(wish) {
            return Err(Refusal::Scope { scope: self.scope.to_string(), pipeline: wish.pipeline.to_owned() });
        }
        self.admit_host(&wish.destination)?;
        if self.environments.is_empty() {
            return Ok(());
        }
        let own = environments.iter().filter(|one| self.environments.contains(&one.name));
        let mut why = "is not there: `haliotis environment put` makes it".to_owned();
        for environment in own {
            match environment.refuses(wish) {
                None => return Ok(()),
                Some(reason) => why = reason,
            }
        }
        Err(Refusal::Environment { environments: self.environments.join(", "), why })
    }

    fn admit_host(&self, to: &Destination) -> Result<(), Refusal> {
        let hosts = || self.hosts.join(", ");
        match to {
            _ if self.hosts.is_empty() => Ok(()),
            Destination::Host(host, port) if self.hosts.iter().any(|pattern| fits(pattern, host, *port)) => Ok(()),
            Destination::Host(host, _) => Err(Refusal::Host { hosts: hosts(), to: host.clone() }),
            Destination::Local => Err(Refusal::Host { hosts: hosts(), to: "this machine".to_owned() }),
            Destination::Unknown => Err(Refusal::Unknown { hosts: hosts() }),
        }
    }
}

/// `host`, `host:port`, `*.domain`; letter case means nothing. A pattern without a port takes every port.
fn fits(pattern: &str, host: &str, port: Option<u16>) -> bool {
    let (name, wanted) = match pattern.rsplit_once(':') {
        Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, digits.parse::<u16>().ok())
        }
        _ => (pattern, None),
    };
    if wanted.is_some() && wanted != port {
        return false;
    }
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    match name.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
        None => name == host,
    }
}

impl Scope {
    fn covers(&self, wish: &Wish<'_>) -> bool {
        match self {
            Scope::Everywhere => true,
            Scope::System => wish.asker == Asker::Server,
            Scope::Folder(folder) => {
                wish.pipeline.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            Scope::Pipeline(name) => wish.pipeline == name,
        }
    }

    /// `everywhere`, `system`, `folder:NAME`, `pipeline:NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            None if text == "everywhere" || text.is_empty() => Scope::Everywhere,
            None if text == "system" => Scope::System,
            Some(("folder", name)) if !name.is_empty() => Scope::Folder(name.trim_matches('/').to_owned()),
            Some(("pipeline", name)) if !name.is_empty() => Scope::Pipeline(name.trim_matches('/').to_owned()),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::Everywhere => f.write_str("every pipeline"),
            Scope::System => f.write_str("the server itself"),
            Scope::Folder(name) => write!(f, "the folder `{name}`"),
            Scope::Pipeline(name) => write!(f, "the pipeline `{name}`"),
        }
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.scope.fmt(f)?;
        if !self.hosts.is_empty() {
            write!(f, "; sent to {}", self.hosts.join(", "))?;
        }
        if !self.environments.is_empty() {
            write!(f, "; for {}", self.environments.join(", "))?;
        }
        Ok(())
    }
}

impl Environment {
    /// Why a build may not deploy here; `None`: it may.
    fn refuses(&self, wish: &Wish<'_>) -> Option<String> {
        let any =
            |patterns: &[String], name: &str| patterns.iter().any(|pattern| wild(pattern.as_bytes(), name.as_bytes()));
        if !any(&self.pipelines, wish.pipeline) {
            return Some(format!("takes builds of {} alone, not of `{}`", self.pipelines.join(", "), wish.pipeline));
        }
        if wish.edited {
            return Some("takes no build whose definition was changed for that build".to_owned());
        }
        match wish.reference {
            _ if self.branches.is_empty() => None,
            Some(name) if any(&self.branches, name) => None,
            other => {
                let what = other.map_or("nothing of a branch".to_owned(), |name| format!("`{name}`"));
                Some(format!("takes {} alone; this build is of {what}", self.branches.join(", ")))
            }
        }
    }
}

impl NewBuild {
    /// What it is a build of, as environments know it: the branch, `tags/NAME`, or nothing for a pull request, whose
    /// author may be anybody, and for a definition that is in no repository.
    pub fn reference(&self) -> Option<String> {
        if self.event.contains_key("change") {
            return None;
        }
        match self.event.get("tag").and_then(|tag| tag.as_str()) {
            Some(tag) => Some(format!("tags/{tag}")),
            None => self.source.branch.clone(),
        }
    }

    /// Whether its definition is another one than its branch has: a person replayed it with a changed text.
    pub fn edited(&self) -> bool {
        self.event.get(EDITED).is_some_and(|edited| edited != &crate::Value::Bool(false))
    }
}

/// In a build's event: its definition was changed for it.
pub const EDITED: &str = "edited";

#[cfg(test)]
mod tests {
    use super::*;

    fn wish<'a>(pipeline: &'a str, reference: Option<&'a str>) -> Wish<'a> {
        Wish { pipeline, reference, edited: false, asker: Asker::Step, destination: Destination::Unknown }
    }

    fn bounds(scope: &str, hosts: &[&str], environments: &[&str]) -> Bounds {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Bounds { scope: Scope::parse(scope).unwrap(), hosts: texts(hosts), environments: texts(environments) }
    }

    #[test]
    fn scopes_cover_what_they_name_and_nothing_that_looks_like_it() {
        for (scope, pipeline, admitted) in [
            ("everywhere", "a", true),
            ("system", "a", false),
            ("folder:team", "team/app", true),
            ("folder:team", "team/sub/app", true),
            ("folder:team", "team", false),
            ("folder:team", "teammate/app", false),
            ("folder:team/", "team/app", true),
            ("pipeline:team/app", "team/app", true),
            ("pipeline:team/app", "team/app2", false),
            ("pipeline:team/app", "team/app/main", false),
        ] {
            let got = bounds(scope, &[], &[]).admit(&wish(pipeline, None), &[]);
            assert_eq!(got.is_ok(), admitted, "{scope} {pipeline} {got:?}");
        }
        let server = Wish { asker: Asker::Server, ..wish("a", None) };
        assert_eq!(bounds("system", &[], &[]).admit(&server, &[]), Ok(()));
        for text in ["folder:", "pipeline:", "folder", "team", "system:x"] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_are_compared_whole() {
        for (pattern, host, port, admitted) in [
            ("git.example", "git.example", Some(443), true),
            ("git.example", "GIT.example", None, true),
            ("git.example:8443", "git.example", Some(8443), true),
            ("git.example:8443", "git.example", Some(443), false),
            ("git.example:8443", "git.example", None, false),
            ("git.example", "git.example.evil", None, false),
            ("git.example", "evilgit.example", None, false),
            ("*.example", "git.example", None, true),
            ("*.example", "a.git.example", None, true),
            ("*.example", "example", None, false),
            ("*.example", "evilexample", None, false),
            ("*.example", ".example", None, false),
        ] {
            let to = Wish { destination: Destination::Host(host.to_owned(), port), ..wish("a", None) };
            let got = bounds("everywhere", &[pattern], &[]).admit(&to, &[]);
            assert_eq!(got.is_ok(), admitted, "{pattern} {host} {port:?}");
        }
        let refused = bounds("everywhere", &["git.example"], &[]).admit(&wish("a", None), &[]).unwrap_err();
        assert!(matches!(refused, Refusal::Unknown { .. }), "{refused}");
    }

    #[test]
    fn an_environment_takes_its_pipelines_from_its_branches() {
        let prod = Environment {
            name: "prod".to_owned(),
            pipelines: vec!["deploy".to_owned(), "team/*".to_owned()],
            branches: vec!["main".to_owned(), "tags/v*".to_owned()],
        };
        let all = [prod];
        let own = bounds("everywhere", &[], &["prod"]);
        for (pipeline, reference, admitted) in [
            ("deploy", Some("main"), true),
            ("deploy", Some("tags/v1"), true),
            ("team/app/main", Some("main"), true),
            ("deploy", Some("evil"), false),
            ("deploy", Some("v1"), false),
            ("deploy", Some("maintenance"), false),
            ("deploy", None, false),
            ("other", Some("main"), false),
        ] {
            let got = own.admit(&wish(pipeline, reference), &all);
            assert_eq!(got.is_ok(), admitted, "{pipeline} {reference:?} {got:?}");
        }
        let edited = Wish { edited: true, ..wish("deploy", Some("main")) };
        assert!(own.admit(&edited, &all).unwrap_err().to_string().starts_with("policy: it is of the environment prod"));
        assert!(
            own.admit(&wish("deploy", Some("main")), &[]).is_err(),
            "an environment that is not there takes nobody"
        );
    }

    #[test]
    fn a_pull_request_is_of_no_branch_and_a_tag_is_no_branch() {
        let text = serde_json::json!({"pipeline": "p", "number": 1, "parameters": {}, "causes": [], "cloud": "",
            "source": {"language": "yaml", "path": "p", "text": "", "branch": "main"}, "workspace": {"kind": "own"},
            "created_at": 0, "program_version": 1});
        let mut build: NewBuild = serde_json::from_value(text).unwrap();
        assert_eq!(build.reference().as_deref(), Some("main"));
        assert!(!build.edited());
        build.event.insert("tag".to_owned(), "main".into());
        assert_eq!(build.reference().as_deref(), Some("tags/main"));
        build.event.insert("change".to_owned(), serde_json::json!({"id": 7}));
        assert_eq!(build.reference(), None);
        build.event.insert(EDITED.to_owned(), true.into());
        assert!(build.edited());
    }
}
