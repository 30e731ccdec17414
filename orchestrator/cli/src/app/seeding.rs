//! Job DSL against a server: what a script generates, compared with what the server has, and put there.
//!
//! The server is asked by Jenkins' own API (`config.xml`, `createItem`), so that an item applied here is the same as one
//! that any client of Jenkins made. Both the command `jobdsl apply` and the step kind `job-dsl` come this way.
//!
//! Applying twice is harmless: an item that is as it should be is not touched, so whoever dies in the middle begins again.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use haliotis_jobdsl::{Generated, Item, ItemKind, Seed, SeedJob};
use serde::Serialize;

use crate::client::Client;
use crate::failure::Failure;

/// What applying does to an item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It was not there.
    Create,
    /// It was another.
    Change,
    /// It was so already.
    None,
    /// The server did not take it.
    Refused,
}

/// One item's part of the answer.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    /// What was done, or would be.
    pub action: Action,
    /// The item.
    #[serde(flatten)]
    pub item: &'a Item,
    /// The lines of its config.xml that change.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
    /// Why the server did not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The variables a seed build knows, and where its files are.
pub struct Workspace {
    /// The binding: the build's parameters and environment.
    pub variables: Vec<(String, String)>,
    /// Id of the credential of the seed job's checkout.
    pub credential: Option<String>,
    /// Where `readFileFromWorkspace` reads.
    pub root: PathBuf,
}

impl Workspace {
    /// As the language wants it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn seed(&self) -> Result<Seed, Failure> {
        let of = |name: &str| self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let job = SeedJob {
            name: of("JOB_NAME").unwrap_or_default(),
            url: of("GIT_URL"),
            branch: of("GIT_BRANCH"),
            credential: self.credential.clone().or_else(|| of("GIT_CREDENTIALS_ID")),
            root_url: of("JENKINS_URL"),
        };
        let root = self
            .root
            .canonicalize()
            .map_err(|error| Failure::world(format!("cannot read {}: {error}", self.root.display())))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Seed {
            variables: self.variables.clone(),
            job,
            files: Rc::new(move |path| read_inside(&root, path)),
            now_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            random: u64::from(since.subsec_nanos()),
        })
    }
}

/// A file of the workspace; never one outside it, whatever links and dots say.
fn read_inside(root: &Path, path: &str) -> Result<String, String> {
    let full = root.join(path).canonicalize().map_err(|error| error.to_string())?;
    if !full.starts_with(root) {
        return Err("it is outside the workspace".to_owned());
    }
    std::fs::read_to_string(full).map_err(|error| error.to_string())
}

/// Compares with the server and, if `apply`, puts there what differs. Without a server all is new.
///
/// # Errors
/// When the server does not answer. What it refuses is told in the row.
pub async fn items<'a>(
    client: Option<&Client>,
    generated: &'a Generated,
    apply: bool,
    ignore_existing: bool,
) -> Result<Vec<Row<'a>>, Failure> {
    // Folders first, since what is in them cannot be made before them.
    let mut ordered: Vec<&Item> = generated.items.iter().collect();
    ordered.sort_by_key(|item| (item.kind != ItemKind::Folder, item.kind.is_view()));
    let mut rows = Vec::with_capacity(ordered.len());
    for item in ordered {
        rows.push(one(client, item, apply, ignore_existing).await?);
    }
    Ok(rows)
}

/// Starts the jobs that the script queued.
///
/// # Errors
/// What the server says.
pub async fn start_queued(client: &Client, generated: &Generated) -> Result<(), Failure> {
    for name in &generated.queued {
        // An empty form, since a job with parameters takes no build without one; each has its default.
        client.send_text("POST", &format!("{}build?json=%7B%7D", job_path(name)), None).await?;
    }
    Ok(())
}

/// `/job/team/job/x/`
pub fn job_path(name: &str) -> String {
    let parts = name.split('/').filter(|part| !part.is_empty()).map(|part| format!("job/{}/", encoded(part)));
    format!("/{}", parts.collect::<String>())
}

/// A name as a part of a path or query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `/job/team/job/x/`, or `/job/team/view/x/`.
pub fn item_path(name: &str, is_view: bool) -> String {
    let (folder, short) = name.rsplit_once('/').unwrap_or(("", name));
    if is_view { format!("{}view/{}/", job_path(folder), encoded(short)) } else { job_path(name) }
}

/// Where an item's config.xml is, and where it is made.
fn addresses(name: &str, is_view: bool) -> (String, String) {
    let (folder, short) = name.rsplit_once('/').unwrap_or(("", name));
    let folder = job_path(folder);
    let (made, kept) = if is_view {
        ("createView", format!("{folder}view/{}/config.xml", encoded(short)))
    } else {
        ("createItem", format!("{}config.xml", job_path(name)))
    };
    (kept, format!("{folder}{made}?name={}", encoded(short)))
}

/// A job by its config.xml: made, or changed where it differs. Answers what was done.
///
/// # Errors
/// What the server says.
pub async fn put_job(client: &Client, name: &str, config: &str) -> Result<Action, Failure> {
    let (kept, made) = addresses(name, false);
    let before = client.find_text(&kept).await?;
    let (action, path) = match before {
        None => (Action::Create, made),
        Some(before) if haliotis_jobdsl::diff(&before, config).is_empty() => return Ok(Action::None),
        Some(_) => (Action::Change, kept),
    };
    client.send_text("POST", &path, Some(config)).await?;
    Ok(action)
}

async fn one<'a>(
    client: Option<&Client>,
    item: &'a Item,
    apply: bool,
    ignore_existing: bool,
) -> Result<Row<'a>, Failure> {
    let (kept, made) = addresses(&item.name, item.kind.is_view());
    let before = match client {
        Some(client) => client.find_text(&kept).await?,
        None => None,
    };
    let diff = haliotis_jobdsl::diff(before.as_deref().unwrap_or(""), &item.config);
    let action = match (&before, diff.is_empty()) {
        (None, _) => Action::Create,
        (Some(_), true) => Action::None,
        (Some(_), false) if ignore_existing => Action::None,
        (Some(_), false) => Action::Change,
    };
    let mut row = Row { action, item, diff, reason: None };
    if let (true, Some(client)) = (apply, client) {
        let path = match action {
            Action::Create => made,
            Action::Change => kept,
            Action::None | Action::Refused => return Ok(row),
        };
        if let Err(failure) = client.send_text("POST", &path, Some(&item.config)).await {
            row.action = Action::Refused;
            row.reason = Some(failure.to_string());
        }
    }
    Ok(row)
}
