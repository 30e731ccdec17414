//! From `NAME: credential-id` of a call to variables and secrets of a step.
//!
//! | credential | bound to `NAME` |
//! |---|---|
//! | text | `NAME` is the value |
//! | user name and password | `NAME` is `user:password`, `NAME_USR`, `NAME_PSW`; a name that ends in `USERNAME` gets the user name alone, one that ends in `PASSWORD` or `TOKEN` the password |
//! | AWS keys | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, whatever `NAME` is |
//! | SSH key, file | `NAME` is the path of a file that only the owner may read and that goes with the step; `NAME_CONTENT` is what it holds |
//!
//! `id.field` binds one field alone. `GIT` of a checkout is whatever git asks for: login, token or key. AWS keys are also
//! what the step's own clients use, in the region that the call's `AWS_REGION` names. A certificate is like a file, with
//! its password in `NAME_PSW`. Values never enter a journal, a command line or a message.
//!
//! Each is asked for with where it would go: `http` sends it to the host of its `url`, `checkout` to that of its `repo`;
//! of any other step nobody can tell, and a credential that is bound to hosts is withheld from it.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use haliotis_model::bounds::Asker;
use haliotis_model::{Call, NewBuild, Secret, Vars};
use haliotis_plugin_api::CloudSettings;

/// The names under which the value of a text credential is stored.
const TEXT: [&str; 4] = ["text", "secret", "token", "value"];
/// Likewise of what belongs into a file.
const FILE: [&str; 4] = ["key", "private-key", "content", "file"];
/// Likewise, of bytes in base64.
const BYTES: [&str; 2] = ["content-base64", "keystore-base64"];

/// Where credentials are kept.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The fields of a credential by its id; `None`: there is none. `Err` says why the store cannot be asked, or which
    /// bound of the credential the use would break.
    async fn fields(&self, id: &str, to: &Use<'_>) -> Result<Option<BTreeMap<String, String>>, String>;
}

/// What a credential is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// The build.
    pub build: &'a NewBuild,
    /// A step of the pipeline, or the checkout of its own repository.
    pub asker: Asker,
    /// The address it is sent to and nowhere else; `None`: nobody can tell.
    pub address: Option<&'a str>,
}

/// What a step gets of its credentials. Its files stay until the step has ended, also when the server goes before it.
#[derive(Default)]
pub(crate) struct Bound {
    /// What need not be hidden: user names, paths.
    pub(crate) vars: Vars,
    pub(crate) secrets: Vec<(String, Secret)>,
    files: Vec<PathBuf>,
}

/// Binds what the call asks for; files go into `folder`. The error names the credential.
pub(crate) async fn bind(
    store: &dyn Credentials,
    call: &Call,
    build: &NewBuild,
    folder: &Path,
) -> Result<Bound, String> {
    let mut bound = Bound::default();
    if let Some(id) = call.credentials.values().next().filter(|_| !build.trusted()) {
        return Err(format!(
            "credential `{id}` is withheld: a pull request from a fork gets no secrets; trust forks in the project's \
             configuration, or build a branch of the repository's own"
        ));
    }
    let address = address(call, build);
    for (name, id) in &call.credentials {
        let fields = look_up(store, id, &Use { build, asker: Asker::Step, address }).await?;
        let of_git = call.uses == "checkout" && name == "GIT";
        let add = if of_git { bound.add_git(&fields, folder) } else { bound.add(name, &fields, folder) };
        add.map_err(|reason| format!("credential `{id}`: {reason}"))?;
    }
    if let Some(id) = own_repository(call, build) {
        let fields = look_up(store, id, &Use { build, asker: Asker::Server, address }).await?;
        bound.add_git(&fields, folder).map_err(|reason| format!("credential `{id}` of the repository: {reason}"))?;
    }
    Ok(bound)
}

/// Where the step's secrets go, for the kinds that say so.
fn address<'a>(call: &'a Call, build: &'a NewBuild) -> Option<&'a str> {
    let argument = |name: &str| call.with.get(name).and_then(|value| value.as_str());
    match call.uses.as_str() {
        // One that is put together of secrets is known to nobody yet.
        "http" => argument("url").filter(|url| !url.contains("⟦secret ")),
        "checkout" => argument("repo").or(build.source.repo.as_deref()),
        _ => None,
    }
}

/// The credential of the build's own repository, for the step that fetches it, unless the call binds its own.
fn own_repository<'a>(call: &Call, build: &'a NewBuild) -> Option<&'a str> {
    let own = call
        .with
        .get("repo")
        .and_then(|repo| repo.as_str())
        .is_none_or(|repo| build.source.repo.as_deref() == Some(repo));
    let unbound = !call.credentials.keys().any(|name| name.starts_with("GIT_"));
    (call.uses == "checkout" && own && unbound).then_some(build.source.credential.as_deref()).flatten()
}

async fn look_up(store: &dyn Credentials, id: &str, to: &Use<'_>) -> Result<BTreeMap<String, String>, String> {
    let ask = async |id: &str| {
        store.fields(id, to).await.map_err(|error| format!("credential `{id}` cannot be read: {error}"))
    };
    if let Some(fields) = ask(id).await? {
        return Ok(fields);
    }
    if let Some((id, field)) = id.rsplit_once('.')
        && let Some(mut fields) = ask(id).await?
    {
        let value = fields.remove(field);
        let value = value.ok_or_else(|| format!("credential `{id}` has no field `{field}`"))?;
        return Ok([("value".to_owned(), value)].into());
    }
    Err(format!("there is no credential `{id}`; add it on the server, or mend the name in the pipeline"))
}

impl Bound {
    /// The step has ended.
    pub(crate) fn remove_files(&self) {
        for file in &self.files {
            // A file that is not there any more is what we want.
            let _ = std::fs::remove_file(file);
        }
    }

    /// Puts values where the program could only put placeholders.
    pub(crate) fn fill(&self, call: &mut Call) {
        if self.secrets.is_empty() && self.vars.is_empty() {
            return;
        }
        let value = |name: &str| {
            let secret = self.secrets.iter().find(|(known, _)| known == name).map(|(_, secret)| secret.expose());
            secret.or_else(|| self.vars.get(name).map(String::as_str))
        };
        call.with.values_mut().for_each(|argument| fill(argument, &value));
        for text in call.vars.values_mut() {
            *text = haliotis_model::fill_placeholders(text, value);
        }
    }

    /// The cloud as this call sees it: with the keys that it binds, in the region that it names.
    pub(crate) fn cloud(&self, cloud: &Arc<CloudSettings>, call: &Call) -> Arc<CloudSettings> {
        let secret =
            |name: &str| self.secrets.iter().find(|(known, _)| known == name).map(|(_, secret)| secret.clone());
        let keys = self.vars.get("AWS_ACCESS_KEY_ID").cloned().zip(secret("AWS_SECRET_ACCESS_KEY"));
        let region = call.vars.get("AWS_REGION").filter(|region| !region.is_empty() && **region != cloud.region);
        if keys.is_none() && region.is_none() {
            return Arc::clone(cloud);
        }
        let mut own = (**cloud).clone();
        if let Some(region) = region {
            own.region.clone_from(region);
        }
        if keys.is_some() {
            (own.credentials, own.session_token) = (keys, secret("AWS_SESSION_TOKEN"));
        }
        Arc::new(own)
    }

    fn add(&mut self, name: &str, fields: &BTreeMap<String, String>, folder: &Path) -> Result<(), String> {
        let get = |field: &str| fields.get(field).map(String::as_str).filter(|value| !value.is_empty());
        if let (Some(user), Some(password)) = (get("username"), get("password")) {
            self.add_login(name, user, password);
            return Ok(());
        }
        if let (Some(key), Some(secret)) = (get("access-key-id"), get("secret-access-key")) {
            self.vars.insert("AWS_ACCESS_KEY_ID".to_owned(), key.to_owned());
            self.hide("AWS_SECRET_ACCESS_KEY", secret);
            get("session-token").into_iter().for_each(|token| self.hide("AWS_SESSION_TOKEN", token));
            return Ok(());
        }
        if let Some(text) = BYTES.into_iter().find_map(get) {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            let path =
                self.keep(name, &bytes.map_err(|_| "what is kept of it is no base64; store it again")?, folder)?;
            self.vars.insert(name.to_owned(), path);
            self.hide(&format!("{name}_CONTENT_BASE64"), text);
            get("password").into_iter().for_each(|password| self.hide(&format!("{name}_PSW"), password));
            return Ok(());
        }
        if let Some(content) = FILE.into_iter().find_map(get) {
            let path = self.keep(name, content.as_bytes(), folder)?;
            self.vars.insert(name.to_owned(), path);
            self.hide(&format!("{name}_CONTENT"), content);
            get("username").into_iter().for_each(|user| {
                self.vars.insert(format!("{name}_USR"), user.to_owned());
            });
            return Ok(());
        }
        let single = fields.values().next().filter(|_| fields.len() == 1).map(String::as_str);
        let value = TEXT.into_iter().find_map(get).or(single);
        self.hide(name, value.ok_or("its fields are none that can be bound (text, username and password, key)")?);
        Ok(())
    }

    fn add_login(&mut self, name: &str, user: &str, password: &str) {
        if name.ends_with("USERNAME") {
            self.vars.insert(name.to_owned(), user.to_owned());
        } else if name.ends_with("PASSWORD") || name.ends_with("TOKEN") {
            self.hide(name, password);
        } else {
            self.hide(name, &format!("{user}:{password}"));
            self.vars.insert(format!("{name}_USR"), user.to_owned());
            self.hide(&format!("{name}_PSW"), password);
        }
    }

    fn add_git(&mut self, fields: &BTreeMap<String, String>, folder: &Path) -> Result<(), String> {
        if fields.contains_key("password") {
            self.add("GIT_USERNAME", fields, folder)?;
            return self.add("GIT_PASSWORD", fields, folder);
        }
        if let Some(key) = FILE.into_iter().find_map(|field| fields.get(field)) {
            let path = self.keep("GIT_KEY", key.as_bytes(), folder)?;
            let command = format!("ssh -i '{}' -o IdentitiesOnly=yes -o BatchMode=yes", path.replace('\'', r"'\''"));
            self.vars.insert("GIT_SSH_COMMAND".to_owned(), command);
            return Ok(());
        }
        self.add("GIT_TOKEN", fields, folder)
    }

    fn hide(&mut self, name: &str, value: &str) {
        self.secrets.push((name.to_owned(), Secret::new(value)));
    }

    /// Writes a file for the owner alone.
    fn keep(&mut self, name: &str, content: &[u8], folder: &Path) -> Result<String, String> {
        let path = folder.join(format!("credential-{name}"));
        let write = || {
            std::fs::create_dir_all(folder)?;
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(content)
        };
        write().map_err(|error| format!("its file {} cannot be written: {error}", path.display()))?;
        self.files.push(path.clone());
        Ok(path.display().to_string())
    }
}

/// Fills every text of a JSON value.
fn fill<'a>(argument: &mut serde_json::Value, value: &impl Fn(&str) -> Option<&'a str>) {
    match argument {
        serde_json::Value::String(text) => *text = haliotis_model::fill_placeholders(text, value),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| fill(item, value)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|item| fill(item, value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haliotis_model::StepId;

    struct Store;

    #[async_trait]
    impl Credentials for Store {
        async fn fields(&self, id: &str, to: &Use<'_>) -> Result<Option<BTreeMap<String, String>>, String> {
            let fields: &[(&str, &str)] = match id {
                "where" => return Ok(Some([("text".to_owned(), format!("{:?} {:?}", to.asker, to.address))].into())),
                "p12" => &[("keystore-base64", "AAH/"), ("password", "pw")],
                "login" => &[("username", "ada"), ("password", "s3cr3t")],
                "token" => &[("text", "t0ken")],
                "aws" => &[("access-key-id", "AKIA"), ("secret-access-key", "shh!")],
                "ssh" => &[("username", "git"), ("key", "-----BEGIN\nabcd\n")],
                "odd" => &[("a", "1"), ("b", "2")],
                "down" => return Err("the disk is gone".to_owned()),
                _ => return Ok(None),
            };
            Ok(Some(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
        }
    }

    async fn bound(uses: &str, credentials: &[(&str, &str)], folder: &Path) -> Result<Bound, String> {
        let mut call = Call::new(StepId::new("/s"), uses);
        call.credentials = credentials.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
        let mut build = crate::agent::tests::build();
        build.source.credential = Some("login".to_owned());
        bind(&Store, &call, &build, folder).await
    }

    fn flat(bound: &Bound) -> Vec<String> {
        let vars = bound.vars.iter().map(|(name, value)| format!("{name}={value}"));
        vars.chain(bound.secrets.iter().map(|(name, value)| format!("*{name}={}", value.expose()))).collect()
    }

    #[tokio::test]
    async fn kinds_and_names() {
        let dir = tempfile::tempdir().unwrap();
        let flat = async |credentials: &[(&str, &str)]| flat(&bound("sh", credentials, dir.path()).await.unwrap());
        assert_eq!(flat(&[("T", "token")]).await, ["*T=t0ken"]);
        assert_eq!(flat(&[("L", "login")]).await, ["L_USR=ada", "*L=ada:s3cr3t", "*L_PSW=s3cr3t"]);
        let both = [("GIT_USERNAME", "login"), ("GIT_PASSWORD", "login")];
        assert_eq!(flat(&both).await, ["GIT_USERNAME=ada", "*GIT_PASSWORD=s3cr3t"]);
        assert_eq!(flat(&[("X", "login.password")]).await, ["*X=s3cr3t"]);
        assert_eq!(flat(&[("X", "aws")]).await, ["AWS_ACCESS_KEY_ID=AKIA", "*AWS_SECRET_ACCESS_KEY=shh!"]);
    }

    #[tokio::test]
    async fn placeholders_in_arguments_become_values() {
        let dir = tempfile::tempdir().unwrap();
        let bound = bound("sh", &[("L", "login"), ("T", "token")], dir.path()).await.unwrap();
        let mut call = Call::new(StepId::new("/s"), "sh");
        let secret = haliotis_model::placeholder;
        call.with.insert("script".to_owned(), format!("x {} {}", secret("L_USR"), secret("L_PSW")).into());
        call.vars.insert("HEADER".to_owned(), format!("Bearer {}", secret("T")));
        bound.fill(&mut call);
        assert_eq!(
            (call.with["script"].as_str(), call.vars["HEADER"].as_str()),
            (Some("x ada s3cr3t"), "Bearer t0ken")
        );
    }

    #[tokio::test]
    async fn a_key_is_a_private_file_that_goes_with_the_step() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let bound = bound("sh", &[("K", "ssh")], dir.path()).await.unwrap();
        let path = PathBuf::from(&bound.vars["K"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "-----BEGIN\nabcd\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bound.vars["K_USR"], "git");
        bound.remove_files();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn bytes_are_a_file_and_the_password_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let bound = bound("sh", &[("K", "p12")], dir.path()).await.unwrap();
        assert_eq!(std::fs::read(&bound.vars["K"]).unwrap(), [0, 1, 255]);
        assert!(flat(&bound).contains(&"*K_PSW=pw".to_owned()));
    }

    #[tokio::test]
    async fn who_asks_says_where_the_secret_would_go() {
        let dir = tempfile::tempdir().unwrap();
        let asked = async |uses: &str, argument: (&str, &str)| {
            let mut call = Call::new(StepId::new("/s"), uses);
            call.credentials.insert("T".to_owned(), "where".to_owned());
            call.with.insert(argument.0.to_owned(), argument.1.into());
            let build = crate::agent::tests::build();
            flat(&bind(&Store, &call, &build, dir.path()).await.unwrap()).join(" ")
        };
        let url = "https://api.example/x";
        assert_eq!(asked("http", ("url", url)).await, format!("*T=Step Some({url:?})"));
        assert_eq!(asked("checkout", ("repo", url)).await, format!("*T=Step Some({url:?})"));
        assert_eq!(asked("sh", ("script", url)).await, "*T=Step None");
        let hidden = format!("https://{}.example", haliotis_model::placeholder("T"));
        assert_eq!(asked("http", ("url", &hidden)).await, "*T=Step None");
    }

    #[tokio::test]
    async fn the_checkout_of_the_own_repository_needs_no_binding() {
        let dir = tempfile::tempdir().unwrap();
        let checkout = bound("checkout", &[], dir.path()).await.unwrap();
        assert_eq!(flat(&checkout), ["GIT_USERNAME=ada", "*GIT_PASSWORD=s3cr3t"]);
        assert_eq!(
            flat(&bound("checkout", &[("GIT_TOKEN", "token")], dir.path()).await.unwrap()),
            ["*GIT_TOKEN=t0ken"]
        );
        assert!(flat(&bound("sh", &[], dir.path()).await.unwrap()).is_empty());
    }

    #[tokio::test]
    async fn what_is_missing_is_named_and_no_value_shown() {
        let dir = tempfile::tempdir().unwrap();
        for (id, text) in [
            ("nobody", "there is no credential `nobody`"),
            ("login.pin", "credential `login` has no field `pin`"),
            ("odd", "credential `odd`: its fields are none"),
            ("down", "credential `down` cannot be read: the disk is gone"),
        ] {
            let error = bound("sh", &[("X", id)], dir.path()).await.err().unwrap();
            assert!(error.starts_with(text), "{error}");
        }
    }
}
