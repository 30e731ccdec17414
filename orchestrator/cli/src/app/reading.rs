//! Reading a data folder without holding it: lists, views and logs work beside a running server and after it.

use std::path::PathBuf;
use std::sync::Arc;

use haliotis_engine::{BuildView, Catalog, Projection};
use haliotis_model::BuildId;
use haliotis_store::{DataDir, LogStore, Store, open_store};

use crate::app::registry;
use crate::context::Context;
use crate::failure::Failure;

/// An open data folder.
pub struct Reading {
    /// Its store.
    pub store: Arc<dyn Store>,
    /// Its logs.
    pub logs: LogStore,
}

impl Reading {
    /// Opens the context's data folder.
    pub async fn open(ctx: &Context) -> Result<Self, Failure> {
        Self::at(ctx.data_dir(), ctx.database.as_deref()).await
    }

    /// Opens a folder, with its own database or another.
    pub async fn at(dir: PathBuf, database: Option<&str>) -> Result<Self, Failure> {
        if database.is_none() && !DataDir::database(&dir).exists() {
            return Err(Failure::not_found(format!(
                "there is no data in {} yet; `haliotis demo` or `haliotis serve` makes some, --data-dir names another folder",
                dir.display()
            )));
        }
        let store = open_store(database, &dir).await.map_err(|error| Failure::world(error.to_string()))?;
        Ok(Self { store, logs: LogStore::new(DataDir::logs(&dir)) })
    }

    /// A build by its id, `PIPELINE#NUMBER`, or `PIPELINE` for its newest.
    pub async fn find(&self, name: &str) -> Result<BuildId, Failure> {
        find(self.store.as_ref(), name).await
    }

    /// A build as it stands on disk.
    pub async fn view(&self, id: BuildId) -> Result<BuildView, Failure> {
        let (build, turns) = self.store.load(id).await?;
        let language = registry::language(&build.source.language);
        let outline = language.load(id, &build, &registry::schemas()).map(|loaded| loaded.outline).unwrap_or_default();
        Ok(Projection::of(id, build, &outline, &turns).view().clone())
    }
}

/// A build by its id, `PIPELINE#NUMBER`, or `PIPELINE` for its newest.
pub async fn find(catalog: &dyn Catalog, name: &str) -> Result<BuildId, Failure> {
    let none = || Failure::not_found(format!("there is no build `{name}`; `haliotis builds` lists them"));
    if let Ok(id) = name.parse() {
        return catalog.build(BuildId(id)).await?.map(|build| build.id).ok_or_else(none);
    }
    if let Some((pipeline, number)) = name.rsplit_once('#') {
        let number = number.parse().map_err(|_| none())?;
        return catalog.find_build(pipeline, number).await?.ok_or_else(none);
    }
    let filter = haliotis_engine::BuildFilter {
        pipeline: Some(name.to_owned()),
        limit: 1,
        ..haliotis_engine::BuildFilter::default()
    };
    catalog.builds(&filter).await?.first().map(|build| build.id).ok_or_else(none)
}
