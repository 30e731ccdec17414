//! The root: what the server says of itself, and lists of jobs in it, in folders and in views.

use std::collections::BTreeMap;

use haliotis_engine::BuildFilter;
use haliotis_model::{BuildResult, BuildSummary};

use super::bean::{Bean, Data, list};
use super::call::Call;
use super::items::{self, Directory, FOLDER_CLASS, Item};
use super::want::{ALWAYS, TOP, Want};
use super::{history, job, views};
use crate::error::Failed;
use crate::state::AppState;

/// Jobs whose builds are asked for one by one; of more, all at once.
const ASKED_ALONE: usize = 100;

/// The directory with what lists show of each job.
pub(crate) struct Listing {
    pub(crate) directory: Directory,
    newest: BTreeMap<String, BuildSummary>,
    results: BTreeMap<String, BuildResult>,
}

impl Listing {
    pub(crate) async fn read(state: &AppState) -> Result<Self, Failed> {
        Self::of(state, Directory::seen(state).await?, None).await
    }

    /// `only`: builds of these jobs are enough, where they are few.
    async fn of(state: &AppState, directory: Directory, only: Option<&[String]>) -> Result<Self, Failed> {
        let newest = match only.filter(|names| names.len() <= ASKED_ALONE) {
            None => state.catalog.newest_builds().await?,
            Some(names) => {
                let mut newest = Vec::new();
                for name in names {
                    let filter = BuildFilter { pipeline: Some(name.clone()), limit: 1, ..BuildFilter::default() };
                    newest.extend(state.catalog.builds(&filter).await?);
                }
                newest
            }
        };
        let mut results = BTreeMap::new();
        for build in &newest {
            results.extend(history::last_result(state, Some(build)).await?.map(|r| (build.pipeline.clone(), r)));
        }
        let newest = newest.into_iter().map(|build| (build.pipeline.clone(), build)).collect();
        Ok(Self { directory, newest, results })
    }

    /// A job or folder as lists show it, with folders' own jobs where they are asked for.
    pub(crate) fn entry(&self, call: &Call, full: &str, want: &Want) -> Data {
        let url = call.url(&items::path(full));
        let Some(pipeline) = self.directory.jobs.get(full) else {
            let mut bean = Bean::new(FOLDER_CLASS, want);
            bean.put_at(ALWAYS, "name", items::short(full));
            bean.put_at(ALWAYS, "url", url);
            bean.put("fullName", full);
            bean.put("displayName", items::short(full));
            bean.put("fullDisplayName", job::display(full));
            bean.make("jobs", TOP, |want| {
                list(want, self.directory.children(full), |full| self.entry(call, full, want))
            });
            return bean.done();
        };
        let mut bean = Bean::new(items::job_class(pipeline), want);
        bean.put_at(ALWAYS, "name", items::short(full));
        bean.put_at(ALWAYS, "url", url);
        let (newest, result) = (self.newest.get(full), self.results.get(full).copied());
        bean.put_at(ALWAYS, "color", history::color(pipeline, newest, result));
        bean.put("fullName", full);
        bean.put("displayName", items::short(full));
        bean.put("fullDisplayName", job::display(full));
        bean.put("description", pipeline.description.as_str());
        bean.put("buildable", !pipeline.disabled);
        bean.make("lastBuild", TOP, |want| {
            newest.map_or(Data::Null, |build| super::build::row(call, pipeline, build, want))
        });
        bean.done()
    }
}

/// The root, or a folder.
pub(crate) async fn bean(call: &Call, item: &Item, want: &Want) -> Result<Data, Failed> {
    let full = item.full_name();
    let directory = Directory::seen(&call.state).await?;
    let only = Bean::new("", want)
        .wants("jobs", TOP)
        .map_or_else(Vec::new, |want| want.cut(directory.children(full)).map(str::to_owned).collect::<Vec<_>>());
    // A folder shows jobs of its own.
    let plain = only.iter().all(|name| directory.jobs.contains_key(name));
    let listing = Listing::of(&call.state, directory, plain.then_some(&only)).await?;
    let class = if full.is_empty() { "hudson.model.Hudson" } else { FOLDER_CLASS };
    let mut bean = Bean::new(class, want);
    bean.put("actions", Vec::new());
    if full.is_empty() {
        let slots: u32 = call.state.engine.agents().iter().map(|agent| agent.slots).sum();
        bean.make("assignedLabels", TOP, |want| list(want, ["built-in"], |label| label_bean(label, want)));
        bean.put("mode", "NORMAL");
        bean.put("nodeDescription", "the Haliotis server");
        bean.put("nodeName", "");
        bean.put("numExecutors", slots);
        bean.put("description", Data::Null);
    } else {
        let config = call.state.catalog.document(items::FOLDER, full).await?;
        let root = config.as_deref().and_then(|text| super::xml::parse(text).ok()).unwrap_or_default();
        bean.put("description", root.text_at("description"));
        bean.put(
            "displayName",
            Some(root.text_at("displayName")).filter(|n| !n.is_empty()).unwrap_or(items::short(full)),
        );
        bean.put("displayNameOrNull", Data::Null);
        bean.put("fullDisplayName", job::display(full));
        bean.put("fullName", full);
        bean.put_at(ALWAYS, "name", items::short(full));
        bean.put_at(ALWAYS, "url", call.url(&items::path(full)));
        bean.put("healthReport", Vec::new());
    }
    bean.make("jobs", TOP, |want| list(want, listing.directory.children(full), |full| listing.entry(call, full, want)));
    let kept = views::of(&call.state, full).await?;
    bean.make("primaryView", TOP, |want| views::all_row(call, full, want));
    if full.is_empty() {
        bean.put("quietDownReason", Data::Null);
        bean.put("quietingDown", call.state.own.jenkins.quiet());
        bean.put("slaveAgentPort", -1_i64);
        bean.make("unlabeledLoad", TOP, |want| Bean::new("jenkins.model.UnlabeledLoadStatistics", want).done());
        bean.put("url", call.url(""));
        bean.put("useCrumbs", true);
        bean.put("useSecurity", !call.state.config.dev);
    }
    bean.make("views", TOP, |want| {
        let mut rows = vec![views::all_row(call, full, want)];
        rows.extend(kept.iter().map(|view| views::row(call, full, view, want)));
        Data::List(want.cut(rows).collect())
    });
    Ok(bean.done())
}

pub(crate) fn label_bean(name: &str, want: &Want) -> Data {
    let mut bean = Bean::new("", want);
    bean.put_at(ALWAYS, "name", name);
    bean.done()
}

/// `whoAmI`.
pub(crate) fn who_am_i(call: &Call, want: &Want) -> Data {
    let name = call.reader();
    let known = name != "anonymous";
    let mut bean = Bean::new("hudson.security.WhoAmI", want);
    bean.put("anonymous", !known);
    bean.put("authenticated", known);
    bean.put("authorities", vec![Data::from(if known { "authenticated" } else { "anonymous" })]);
    bean.put("details", Data::Null);
    bean.put("name", name);
    bean.put("toString", "");
    bean.done()
}

/// A person.
pub(crate) fn user(call: &Call, name: &str, want: &Want) -> Data {
    let mut bean = Bean::new("hudson.model.User", want);
    bean.put_at(ALWAYS, "absoluteUrl", call.url(&format!("user/{}", items::encode(name))));
    bean.put("description", Data::Null);
    bean.put_at(ALWAYS, "fullName", name);
    bean.put("id", name);
    bean.put("property", Vec::new());
    bean.done()
}

/// `crumbIssuer`.
pub(crate) fn crumb(call: &Call, want: &Want) -> Data {
    let mut bean = Bean::new("hudson.security.csrf.DefaultCrumbIssuer", want);
    bean.put("crumb", crate::access::current().crumb(&call.state.access));
    bean.put("crumbRequestField", "Jenkins-Crumb");
    bean.done()
}
