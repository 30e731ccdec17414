//! What a Jenkins administrator configures for all jobs: shared libraries, lockable resources, mail. Read from a file in
//! the format of Jenkins' Configuration as Code, so that a team can bring its own.
//!
//! The file is `jenkins.yaml` in the data folder, or what `CASC_JENKINS_CONFIG` names. It is read when it is needed, so a
//! change counts for the next build. Read are `unclassified.globalLibraries`, `unclassified.lockableResourcesManager`,
//! `unclassified.mailer` and `unclassified.location.adminAddress`; the rest is ignored. `${NAME}` and `${NAME:-default}`
//! stand for variables of the server.

use std::path::{Path, PathBuf};

use haliotis_model::Value;
use haliotis_plugin_builtin::MailServer;

/// The file in the data folder.
pub const FILE: &str = "jenkins.yaml";
/// The variable that names another file, as Jenkins' own.
pub const VARIABLE: &str = "CASC_JENKINS_CONFIG";
/// A configuration that a person wrote is far smaller.
const MAX_BYTES: u64 = 4 << 20;

/// The configuration, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Shared libraries that every job may load.
    pub libraries: Vec<Library>,
    /// Resources of `lock`, with their labels.
    pub resources: Vec<Resource>,
    /// Where mail goes.
    pub mail: Option<MailServer>,
}

/// A shared library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    /// As `@Library` names it.
    pub name: String,
    /// Branch, tag or hash where none is named; empty: one must be named.
    pub default_version: String,
    /// Loaded into every Jenkinsfile without being named.
    pub implicit: bool,
    /// Whether a Jenkinsfile may name another version.
    pub allow_version_override: bool,
    /// Git URL.
    pub remote: String,
    /// A stored credential for it.
    pub credential: Option<String>,
    /// The folder of the repository that `vars`, `src` and `resources` lie in; empty: its root.
    pub path: String,
}

/// A lockable resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// Where the configuration of a data folder is.
pub fn file(data: &Path) -> PathBuf {
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map_or_else(|| data.join(FILE), PathBuf::from)
}

/// Reads it; no file is an empty configuration.
///
/// # Errors
/// One sentence: the file, and what is wrong with it.
pub fn read(data: &Path) -> Result<Config, String> {
    let path = file(data);
    let length = match std::fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(format!("the configuration {} cannot be read: {error}", path.display())),
    };
    if length > MAX_BYTES {
        return Err(format!("the configuration {} has {length} bytes; at most {MAX_BYTES} are read", path.display()));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("the configuration {} cannot be read: {error}", path.display()))?;
    parse(&text, &|name| std::env::var(name).ok()).map_err(|why| format!("the configuration {}: {why}", path.display()))
}

/// Reads a configuration's text; `variable` answers `${NAME}`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config, String> {
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    let yaml: Value = serde_yaml::from_str(text).map_err(|error| format!("it is not YAML: {error}"))?;
    let reader = Reader { variable };
    let of = |path: &[&str]| path.iter().try_fold(&yaml, |at, key| at.get(key));
    let list = |path: &[&str]| of(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut config = Config::default();
    for entry in list(&["unclassified", "globalLibraries", "libraries"]) {
        config.libraries.push(reader.library(&entry)?);
    }
    for entry in list(&["unclassified", "lockableResourcesManager", "declaredResources"]) {
        let name = reader.text(&entry, "name");
        let labels = reader.text(&entry, "labels").split_whitespace().map(str::to_owned).collect();
        if name.is_empty() {
            return Err("a resource of lockableResourcesManager has no name".to_owned());
        }
        config.resources.push(Resource { name, labels });
    }
    config.mail = of(&["unclassified", "mailer"]).map(|mailer| {
        let mut mail = reader.mail(mailer);
        mail.from = of(&["unclassified", "location"]).map(|at| reader.text(at, "adminAddress")).unwrap_or_default();
        mail
    });
    Ok(config)
}

struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    /// A field as text, variables replaced.
    fn text(&self, of: &Value, name: &str) -> String {
        match of.get(name) {
            Some(Value::String(text)) => self.expanded(text),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        }
    }

    fn flag(&self, of: &Value, name: &str, default: bool) -> bool {
        match self.text(of, name).as_str() {
            "true" => true,
            "false" => false,
            _ => default,
        }
    }

    fn expanded(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, more)) = after.split_once('}') else {
                return out + "${" + after;
            };
            let (name, default) = name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
            match (self.variable)(name).or_else(|| default.map(str::to_owned)) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("${{{name}}}")),
            }
            rest = more;
        }
        out + rest
    }

    fn library(&self, entry: &Value) -> Result<Library, String> {
        let name = self.text(entry, "name");
        if name.is_empty() {
            return Err("a library of globalLibraries has no name".to_owned());
        }
        let retriever = entry.get("retriever").cloned().unwrap_or_default();
        let kind = ["modernSCM", "legacySCM"].iter().find_map(|kind| retriever.get(kind)).cloned().unwrap_or_default();
        let scm = kind.get("scm").cloned().unwrap_or_default();
        let scm =
            ["git", "gitSource", "scmGit", "gitSCM"].iter().find_map(|key| scm.get(key)).cloned().unwrap_or_default();
        let legacy = scm.get("userRemoteConfigs").and_then(|all| all.get(0)).cloned().unwrap_or_default();
        let legacy = legacy.get("userRemoteConfig").cloned().unwrap_or(legacy);
        let first = |texts: [String; 2]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let remote = first([self.text(&scm, "remote"), self.text(&legacy, "url")]);
        if remote.is_empty() {
            return Err(format!(
                "the library {name} has no Git address; give retriever: {{modernSCM: {{scm: {{git: {{remote: URL}}}}}}}}"
            ));
        }
        let credential = first([self.text(&scm, "credentialsId"), self.text(&legacy, "credentialsId")]);
        Ok(Library {
            default_version: self.text(entry, "defaultVersion"),
            implicit: self.flag(entry, "implicit", false),
            allow_version_override: self.flag(entry, "allowVersionOverride", true),
            path: first([self.text(&kind, "libraryPath"), self.text(entry, "libraryPath")]),
            credential: Some(credential).filter(|id| !id.is_empty()),
            remote,
            name,
        })
    }

    fn mail(&self, mailer: &Value) -> MailServer {
        let ssl = self.flag(mailer, "useSsl", false);
        let login =
            mailer.get("authentication").map(|login| (self.text(login, "username"), self.text(login, "password")));
        MailServer {
            host: self.text(mailer, "smtpHost"),
            port: self.text(mailer, "smtpPort").parse().unwrap_or(if ssl { 465 } else { 25 }),
            ssl,
            tls: self.flag(mailer, "useTls", false),
            login: login.filter(|(user, _)| !user.is_empty()),
            from: String::new(),
            reply_to: self.text(mailer, "replyToAddress"),
            suffix: self.text(mailer, "defaultSuffix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
jenkins: { numExecutors: 2 }
unclassified:
  location: { adminAddress: 'ci <ci@example.org>' }
  globalLibraries:
    libraries:
      - name: acme
        defaultVersion: main
        retriever:
          modernSCM:
            libraryPath: lib/
            scm: { git: { remote: 'https://git.example/${TEAM}/lib.git', credentialsId: git } }
      - name: old
        implicit: true
        allowVersionOverride: false
        defaultVersion: '1.0'
        retriever:
          legacySCM: { scm: { scmGit: { userRemoteConfigs: [ { url: '${HOST:-git@h:t/r}' } ] } } }
  lockableResourcesManager:
    declaredResources:
      - { name: gpu-1, labels: 'gpu big' }
  mailer: { smtpHost: mail.example.org, smtpPort: 2525, authentication: { username: u, password: '${PW}' } }
";

    #[test]
    fn reads_what_jenkins_writes() {
        let config = parse(TEXT, &|name| (name == "TEAM").then(|| "ml".to_owned())).unwrap();
        let [acme, old] = config.libraries.as_slice() else { panic!("{config:?}") };
        assert_eq!((acme.remote.as_str(), acme.path.as_str()), ("https://git.example/ml/lib.git", "lib/"));
        assert_eq!(
            (acme.credential.as_deref(), acme.allow_version_override, acme.implicit),
            (Some("git"), true, false)
        );
        assert_eq!((old.remote.as_str(), old.allow_version_override, old.implicit), ("git@h:t/r", false, true));
        assert_eq!(config.resources, [Resource { name: "gpu-1".into(), labels: vec!["gpu".into(), "big".into()] }]);
        let mail = config.mail.unwrap();
        assert_eq!(
            (mail.host.as_str(), mail.port, mail.from.as_str()),
            ("mail.example.org", 2525, "ci <ci@example.org>")
        );
        assert_eq!(mail.login, Some(("u".into(), "${PW}".into())));
    }

    #[test]
    fn says_what_is_wrong() {
        let without = "unclassified: {globalLibraries: {libraries: [{name: x}]}}";
        assert!(parse(without, &|_| None).unwrap_err().contains("the library x has no Git address"));
        assert!(parse("a: [", &|_| None).unwrap_err().contains("not YAML"));
        assert_eq!(parse("", &|_| None), Ok(Config::default()));
    }
}
