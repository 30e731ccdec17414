//! Step kinds that need the whole server: other builds, locks that builds share, libraries.
//!
//! They are made before the server is whole, since the agent that runs them is a part of it; a step that begins early
//! waits on [`Link`] until it is.

mod agents;
mod build;
mod changes;
mod find_build;
mod library;
mod lock;
mod lock_table;
mod milestone;
mod milestones;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use haliotis_model::BuildStatus;
use haliotis_plugin_api::{StepError, StepRunner};
use haliotis_plugin_builtin::Mail;
use tokio::sync::SetOnce;

use crate::app::App;

/// The way from a step kind to the server.
#[derive(Clone, Default)]
pub struct Link {
    app: Arc<SetOnce<Weak<App>>>,
    config_dir: PathBuf,
}

impl Link {
    /// One that is told later; the configuration lies in this folder.
    pub fn new(config_dir: &Path) -> Link {
        Link { app: Arc::default(), config_dir: config_dir.to_owned() }
    }

    /// The server is whole.
    pub fn set(&self, app: &Arc<App>) {
        // A second call would say the same.
        let _ = self.app.set(Arc::downgrade(app));
    }

    async fn app(&self) -> Result<Arc<App>, StepError> {
        self.app.wait().await.upgrade().ok_or_else(|| StepError::World("the server is going down".to_owned()))
    }
}

/// The kinds, by name.
pub fn runners(link: &Link) -> Vec<&'static dyn StepRunner> {
    let kinds: Vec<Box<dyn StepRunner>> = vec![
        Box::new(agents::Agents(link.clone())),
        Box::new(build::Build(link.clone())),
        Box::new(changes::Changes(link.clone())),
        Box::new(find_build::FindBuild(link.clone())),
        Box::new(library::Library(link.clone())),
        Box::new(lock::Lock(link.clone())),
        Box::new(Mail { server: mail_server(&link.config_dir) }),
        Box::new(milestone::Milestone(link.clone())),
        Box::new(lock::Unlock(link.clone())),
    ];
    // As long as the process: there is one server in it.
    kinds.into_iter().map(|kind| &*Box::leak(kind)).collect()
}

/// The configured mail server; read for each message, so that a change counts at once.
fn mail_server(dir: &Path) -> haliotis_plugin_builtin::FindServer {
    let dir = dir.to_owned();
    Arc::new(move || super::casc::read(&dir).map(|config| config.mail))
}

/// Nothing more will happen to it.
fn ended(status: BuildStatus) -> bool {
    status == BuildStatus::Ended
}

fn world(error: impl std::fmt::Display) -> StepError {
    StepError::World(error.to_string())
}
