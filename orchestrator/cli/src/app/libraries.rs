//! Shared libraries: found by name in the configuration, read from Git at a commit, pinned into the build's definition.
//!
//! ```text
//! `@Library('acme@v1')` -> wants "library:acme@v1" -> acme's repository -> commit of v1
//!     -> files "library:acme@v1/vars/…", "…/src/…", "…/resources/…", and "…/.commit"
//! ```
//! What cannot be had is pinned as `…/.error` with its reason, so that the build exists and shows why it cannot run.
//! A library that a script names only at run time goes the same way through the step kind `library`.

use std::path::{Path, PathBuf};

use haliotis_model::bounds::Asker;
use haliotis_model::{Object, Source, Value};
use haliotis_store::Store;

use super::casc::{Config, Library};

/// How a library's files are called among a source's files.
pub const PREFIX: &str = "library:";
/// The folders of a library.
const FOLDERS: [&str; 3] = ["vars", "src", "resources"];

/// What libraries are read with.
pub struct Libraries<'a> {
    config: Result<Config, String>,
    cache: PathBuf,
    store: Option<&'a dyn Store>,
    pipeline: String,
}

/// A library read.
pub struct Fetched {
    /// Where from.
    pub remote: String,
    /// Full hash.
    pub commit: String,
    /// Path to text.
    pub files: Vec<(String, String)>,
}

impl<'a> Libraries<'a> {
    /// The libraries of a configuration, read through mirrors below `cache`; credentials come from the store, where there is one.
    pub fn new(config_dir: &Path, cache: &Path, store: Option<&'a dyn Store>) -> Self {
        Libraries { config: super::casc::read(config_dir), cache: cache.to_owned(), store, pipeline: String::new() }
    }

    /// For a build of this pipeline, whose credentials they may be read with.
    #[must_use]
    pub fn of(mut self, pipeline: &str) -> Self {
        pipeline.clone_into(&mut self.pipeline);
        self
    }

    /// Pins every library that a Jenkinsfile names, and those that all have without naming them.
    pub async fn pin_wanted(&self, source: &mut Source) {
        if source.language != haliotis_jenkinsfile::NAME || source.text.is_empty() {
            return;
        }
        for wanted in super::registry::language(&source.language).wants(source) {
            if wanted.starts_with(PREFIX) {
                self.pin(&wanted, source).await;
            }
        }
        let Ok(config) = &self.config else { return };
        for library in config.libraries.iter().filter(|library| library.implicit) {
            let wanted = format!("{PREFIX}{}@{}", library.name, library.default_version);
            let named = format!("{PREFIX}{}", library.name);
            let other =
                |file: &String| file.starts_with(&format!("{named}@")) || file.starts_with(&format!("{named}/"));
            if !source.files.keys().any(other) {
                self.pin(&wanted, source).await;
            }
        }
    }

    /// Pins what a source wants under `library:NAME@VERSION`.
    pub async fn pin(&self, wanted: &str, source: &mut Source) {
        let identifier = wanted.strip_prefix(PREFIX).unwrap_or(wanted);
        let mut put = |name: &str, text: String| source.files.insert(format!("{wanted}/{name}"), Value::from(text));
        match self.fetch(identifier, None).await {
            Ok(fetched) => {
                put(".commit", fetched.commit);
                put(".remote", fetched.remote);
                for (path, text) in fetched.files {
                    put(&path, text);
                }
            }
            Err(why) => drop(put(".error", why)),
        }
    }

    /// Reads a library; `retriever` is what a script gave itself: an object with `remote` and `credentialsId`.
    ///
    /// # Errors
    /// One sentence on why it cannot be had, and what to do.
    pub async fn fetch(&self, identifier: &str, retriever: Option<&Object>) -> Result<Fetched, String> {
        let (name, version) = identifier.split_once('@').map_or((identifier, ""), |(name, version)| (name, version));
        let library = match retriever {
            Some(retriever) => given(name, retriever)?,
            None => self.named(name)?.clone(),
        };
        let version = match version {
            "" if library.default_version.is_empty() => {
                return Err(format!(
                    "No version specified for library {name}: write {name}@BRANCH, or give it a defaultVersion"
                ));
            }
            "" => library.default_version.as_str(),
            other if !library.allow_version_override && other != library.default_version => {
                return Err(format!(
                    "Version override not permitted for {name}: its version is {}",
                    library.default_version
                ));
            }
            other => other,
        };
        let credential = self.credential(library.credential.as_deref(), &library.remote, retriever.is_some()).await?;
        let failed = |error: haliotis_scm::ScmError| format!("the library {name}@{version} cannot be read: {error}");
        let commit = haliotis_scm::revision(&library.remote, version, credential.as_ref()).await.map_err(failed)?;
        let commit = commit.ok_or_else(|| {
            format!("No version {version} found for library {name}: {} has no such branch or tag", library.remote)
        })?;
        let files =
            haliotis_scm::texts_at(&self.cache, &library.remote, &commit, &library.path, &FOLDERS, credential.as_ref());
        let files = files.await.map_err(failed)?;
        if files.is_empty() {
            return Err(format!(
                "Library {name} expected to contain at least one of src or vars directories: {} at {commit} has neither",
                library.remote
            ));
        }
        Ok(Fetched { remote: library.remote, commit, files })
    }

    fn named(&self, name: &str) -> Result<&Library, String> {
        let config = self.config.as_ref().map_err(Clone::clone)?;
        config.libraries.iter().find(|library| library.name == name).ok_or_else(|| {
            let known: Vec<&str> = config.libraries.iter().map(|library| library.name.as_str()).collect();
            let known = if known.is_empty() { "none is configured".to_owned() } else { format!("known: {}", known.join(", ")) };
            format!(
                "No library definition found for {name} ({known}); add it under unclassified.globalLibraries.libraries in \
                 {} of the data folder",
                super::casc::FILE
            )
        })
    }

    /// `named_by_script`: whoever wrote the Jenkinsfile chose the address, so the credential must be the pipeline's to use.
    async fn credential(
        &self,
        id: Option<&str>,
        remote: &str,
        named_by_script: bool,
    ) -> Result<Option<haliotis_scm::Credential>, String> {
        let Some(id) = id else { return Ok(None) };
        let Some(store) = self.store else {
            return Err(format!("the credential {id} is needed to read it, and no store is open here"));
        };
        let mut wish = super::credentials::by_server(&self.pipeline, None, remote);
        if named_by_script {
            wish.asker = Asker::Step;
        }
        let stored = super::credentials::given(store, id, &wish).await.map_err(|error| error.to_string())?;
        haliotis_scm::Credential::from_fields(id, &stored.kind, &stored.fields)
            .map(Some)
            .map_err(|error| error.to_string())
    }
}

/// `library(identifier: 'x@v', retriever: modernSCM([$class: 'GitSCMSource', remote: '…', credentialsId: '…']))`.
fn given(name: &str, retriever: &Object) -> Result<Library, String> {
    let retriever = Value::Object(retriever.clone());
    let scm = retriever.get("scm").or_else(|| retriever.get("$value")).unwrap_or(&retriever);
    let legacy = scm.get("userRemoteConfigs").and_then(|all| all.get(0)).unwrap_or(scm);
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let remote = text(scm, "remote").or_else(|| text(legacy, "url"));
    let remote =
        remote.ok_or_else(|| format!("the retriever of the library {name} has no Git address (remote: 'URL')"))?;
    Ok(Library {
        name: name.to_owned(),
        remote,
        credential: text(scm, "credentialsId").or_else(|| text(legacy, "credentialsId")).filter(|id| !id.is_empty()),
        path: text(&retriever, "libraryPath").unwrap_or_default(),
        allow_version_override: true,
        ..Library::default()
    })
}
