//! Making, copying, changing, renaming and removing jobs and folders.

use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use haliotis_access::{Object, Permission};
use haliotis_model::branches::BranchProject;
use haliotis_model::{Pipeline, branches};

use super::call::{Call, Pairs, bad, redirect};
use super::config::{self, Described};
use super::items::{self, CONFIG, Directory, FOLDER, Item};
use super::{views, xml};
use crate::access::current;
use crate::api::audit;
use crate::edges::EdgeError;
use crate::error::Failed;

/// `createItem`: from XML, or a copy.
pub(crate) async fn create(call: &Call, group: &Item) -> Result<Response, Failed> {
    group.group()?;
    let name = call.needed("name")?;
    items::check_name(name)?;
    let full = group.inside(name);
    let by = call.by()?;
    let _alone = call.state.own.jenkins.creating.lock().await;
    if items::exists(&call.state, &full).await? {
        return Err(bad(format!("A job already exists with the name '{name}'")));
    }
    if call.value("mode") == Some("copy") {
        let from = call.needed("from")?;
        let from = from.strip_prefix('/').map_or_else(|| group.inside(from), str::to_owned);
        current().must(Permission::View, Object::Pipeline(&from))?;
        let missing = |_| bad(format!("No such job: {from}"));
        copy(call, &items::find(&call.state, &from).await.map_err(missing)?, &full).await?;
        audit(&call.state, &by, "pipeline.copy", &full, &from).await?;
        return Ok(redirect(&call.url(&items::path(&full))));
    }
    if let Some(empty) = call.value("mode").and_then(empty_config) {
        put(call, &full, empty, None).await?;
        audit(&call.state, &by, "pipeline.create", &full, "").await?;
        return Ok(redirect(&call.url(&format!("{}configure", items::path(&full)))));
    }
    let kind = call.kind();
    if !matches!(kind.as_str(), "application/xml" | "text/xml") {
        return Err(bad("No mode given: send config.xml with Content-Type: text/xml, or mode=copy"));
    }
    put(call, &full, call.text()?, None).await?;
    audit(&call.state, &by, "pipeline.create", &full, "").await?;
    Ok(StatusCode::OK.into_response())
}

/// The config.xml of an empty item of a kind, as Jenkins' own form makes it.
fn empty_config(mode: &str) -> Option<&'static str> {
    match mode {
        items::FOLDER_CLASS => Some("<com.cloudbees.hudson.plugins.folder.Folder/>"),
        "hudson.model.FreeStyleProject" => Some("<project/>"),
        "org.jenkinsci.plugins.workflow.job.WorkflowJob" => Some("<flow-definition/>"),
        _ => None,
    }
}

/// Makes an item of a config.xml, or changes the job that is there.
async fn put(call: &Call, full: &str, text: &str, before: Option<&Pipeline>) -> Result<(), Failed> {
    let described =
        config::read(full, text).map_err(|problem| bad(format!("this config.xml cannot be used: {problem}")))?;
    match (described, before) {
        (Described::Folder, None) => Ok(call.state.catalog.put_document(FOLDER, full, text).await?),
        (Described::Branches(project), None) => follow(call, &project, text).await,
        (Described::Folder | Described::Branches(_), Some(_)) => {
            Err(bad(format!("{full} is a job, this config.xml describes a folder")))
        }
        (Described::Job(pipeline), _) => {
            register(call, *pipeline).await?;
            Ok(call.state.catalog.put_document(CONFIG, full, text).await?)
        }
    }
}

/// Keeps a multibranch project: a folder that fills itself. It is looked at soon.
async fn follow(call: &Call, project: &BranchProject, text: &str) -> Result<(), Failed> {
    let catalog = &call.state.catalog;
    catalog.put_document(FOLDER, &project.name, text).await?;
    let kept = serde_json::to_string(project).unwrap_or_default();
    catalog.put_document(branches::PROJECTS, &project.name, &kept).await?;
    call.state.actions.poll().await;
    Ok(())
}

/// Forgets what was followed, and what its pipelines stood for.
async fn forget(call: &Call, folder: &str) -> Result<(), Failed> {
    let catalog = &call.state.catalog;
    catalog.remove_document(branches::PROJECTS, folder).await?;
    let inside = format!("{folder}/");
    for kind in [branches::HEADS, branches::CHANGES] {
        for (name, _) in catalog.documents(kind).await?.iter().filter(|(name, _)| name.starts_with(&inside)) {
            catalog.remove_document(kind, name).await?;
        }
    }
    Ok(())
}

/// Keeps a pipeline. One whose definition has errors, or cannot be read now, is kept too: its builds say what is wrong, as
/// they do in Jenkins.
async fn register(call: &Call, pipeline: Pipeline) -> Result<(), Failed> {
    let state = &call.state;
    if state.engine.language(&pipeline.language).is_none() {
        return Err(bad(format!(
            "this server has no language {:?} to read the job's definition with",
            pipeline.language
        )));
    }
    match state.actions.put_pipeline(pipeline.clone(), &call.by()?).await {
        Ok(_) => Ok(()),
        Err(EdgeError::Definition(_) | EdgeError::Invalid(_)) => Ok(state.catalog.put_pipeline(&pipeline).await?),
        Err(error) => Err(error.into()),
    }
}

async fn copy(call: &Call, from: &Item, to: &str) -> Result<(), Failed> {
    match from {
        Item::Root => Err(bad("The root cannot be copied")),
        Item::Job(pipeline) => {
            let text = config_of(call, pipeline).await?;
            put(call, to, &text, None).await
        }
        Item::Folder(folder) => {
            let directory = Directory::read(&call.state).await?;
            let moved = |full: &str| format!("{to}{}", full.strip_prefix(folder.as_str()).unwrap_or(""));
            for inner in directory.folders.iter().filter(|f| *f == folder || f.starts_with(&format!("{folder}/"))) {
                let text = folder_config(call, inner).await?;
                call.state.catalog.put_document(FOLDER, &moved(inner), &text).await?;
            }
            for job in directory.below(folder) {
                if let Some(pipeline) = directory.jobs.get(job) {
                    let text = config_of(call, pipeline).await?;
                    put(call, &moved(job), &text, None).await?;
                }
            }
            Ok(())
        }
    }
}

/// The config.xml of a job: as it was given, with what was changed since.
pub(crate) async fn config_of(call: &Call, pipeline: &Pipeline) -> Result<String, Failed> {
    let kept = call.state.catalog.document(CONFIG, &pipeline.name).await?;
    Ok(kept.unwrap_or_else(|| config::write(pipeline)))
}

async fn folder_config(call: &Call, folder: &str) -> Result<String, Failed> {
    let kept = call.state.catalog.document(FOLDER, folder).await?;
    let class = items::FOLDER_CLASS;
    Ok(kept.unwrap_or_else(|| format!("<?xml version='1.1' encoding='UTF-8'?>\n<{class}>\n</{class}>\n")))
}

/// `GET config.xml`.
pub(crate) async fn show_config(call: &Call, item: &Item) -> Result<Response, Failed> {
    let text = match item {
        Item::Root => return Err(Failed::not_found("the root has no config.xml")),
        Item::Folder(folder) => folder_config(call, folder).await?,
        Item::Job(pipeline) => config_of(call, pipeline).await?,
    };
    Ok(([(header::CONTENT_TYPE, "application/xml")], text).into_response())
}

/// `POST config.xml`.
pub(crate) async fn change_config(call: &Call, item: &Item) -> Result<Response, Failed> {
    let by = call.by()?;
    let text = call.text()?;
    match item {
        Item::Root => return Err(Failed::not_found("the root has no config.xml")),
        Item::Folder(folder) => match config::read(folder, text) {
            Ok(Described::Folder) => {
                forget(call, folder).await?;
                call.state.catalog.put_document(FOLDER, folder, text).await?;
            }
            Ok(Described::Branches(project)) => follow(call, &project, text).await?,
            Ok(Described::Job(_)) => return Err(bad(format!("{folder} is a folder, this config.xml describes a job"))),
            Err(problem) => return Err(bad(format!("this config.xml cannot be used: {problem}"))),
        },
        Item::Job(pipeline) => put(call, &pipeline.name, text, Some(pipeline)).await?,
    }
    audit(&call.state, &by, "pipeline.configure", item.full_name(), "").await?;
    Ok(StatusCode::OK.into_response())
}

/// `enable`, `disable`.
pub(crate) async fn set_disabled(call: &Call, pipeline: &Pipeline, disabled: bool) -> Result<Response, Failed> {
    let by = call.by()?;
    let mut changed = pipeline.clone();
    changed.disabled = disabled;
    call.state.catalog.put_pipeline(&changed).await?;
    edit_config(call, &pipeline.name, "disabled", &disabled.to_string()).await?;
    let action = if disabled { "pipeline.disable" } else { "pipeline.enable" };
    audit(&call.state, &by, action, &pipeline.name, "").await?;
    Ok(redirect(&call.url(&items::path(&pipeline.name))))
}

/// `submitDescription` of a job, a folder or the root.
pub(crate) async fn describe(call: &Call, item: &Item) -> Result<Response, Failed> {
    let by = call.by()?;
    let text = call.value("description").unwrap_or("");
    match item {
        Item::Root => return Err(Failed::not_found("the root has no description of its own")),
        Item::Folder(folder) => {
            let changed = xml::with_child(&folder_config(call, folder).await?, "description", text).map_err(bad)?;
            call.state.catalog.put_document(FOLDER, folder, &changed).await?;
        }
        Item::Job(pipeline) => {
            let mut changed = (**pipeline).clone();
            text.clone_into(&mut changed.description);
            call.state.catalog.put_pipeline(&changed).await?;
            edit_config(call, &pipeline.name, "description", text).await?;
        }
    }
    audit(&call.state, &by, "pipeline.describe", item.full_name(), "").await?;
    Ok(redirect(&call.url(&items::path(item.full_name()))))
}

/// One value in the kept config.xml; a pipeline without one has it made from what we know.
async fn edit_config(call: &Call, full: &str, name: &str, value: &str) -> Result<(), Failed> {
    if let Some(text) = call.state.catalog.document(CONFIG, full).await? {
        let changed = xml::with_child(&text, name, value).map_err(bad)?;
        call.state.catalog.put_document(CONFIG, full, &changed).await?;
    }
    Ok(())
}

/// `doDelete`, `DELETE`. Builds of a removed job stay in the journal and are not shown any more.
pub(crate) async fn delete(call: &Call, item: &Item) -> Result<Response, Failed> {
    let by = call.by()?;
    let full = item.full_name();
    match item {
        Item::Root => return Err(bad("The root cannot be removed")),
        Item::Job(_) => remove_job(call, full).await?,
        Item::Folder(folder) => {
            let directory = Directory::read(&call.state).await?;
            for job in directory.below(folder) {
                current().must(Permission::Configure, Object::Pipeline(job))?;
            }
            for job in directory.below(folder) {
                remove_job(call, job).await?;
            }
            for inner in directory.folders.iter().filter(|f| *f == folder || f.starts_with(&format!("{folder}/"))) {
                forget(call, inner).await?;
                call.state.catalog.remove_document(FOLDER, inner).await?;
            }
        }
    }
    audit(&call.state, &by, "pipeline.remove", full, "").await?;
    Ok(redirect(&call.url(&items::path(items::parent(full)))))
}

async fn remove_job(call: &Call, full: &str) -> Result<(), Failed> {
    call.state.catalog.remove_pipeline(full).await?;
    call.state.catalog.remove_document(CONFIG, full).await?;
    super::history::hide_all(&call.state, full).await
}

/// `doRename`, `confirmRename`: another name in the same folder. `move/move`: the same name in another.
pub(crate) async fn rename(call: &Call, item: &Item) -> Result<Response, Failed> {
    let name = call.needed("newName")?;
    items::check_name(name)?;
    let folder = items::parent(item.full_name());
    let to = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    relocate(call, item, &to).await
}

/// `move/move` with `destination`, as `/folder`.
pub(crate) async fn relocate_to(call: &Call, item: &Item) -> Result<Response, Failed> {
    let folder = call.needed("destination")?.trim_matches('/').to_owned();
    items::find(&call.state, &folder).await?.group()?;
    let name = items::short(item.full_name());
    let to = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    relocate(call, item, &to).await
}

async fn relocate(call: &Call, item: &Item, to: &str) -> Result<Response, Failed> {
    let by = call.by()?;
    let from = item.full_name();
    current().must(Permission::Configure, Object::Pipeline(to))?;
    let _alone = call.state.own.jenkins.creating.lock().await;
    if items::exists(&call.state, to).await? {
        return Err(bad(format!("The name \u{201c}{}\u{201d} is already in use.", items::short(to))));
    }
    match item {
        Item::Root => return Err(bad("The root has no name")),
        Item::Job(_) => rename_job(call, from, to).await?,
        Item::Folder(folder) => {
            if to.starts_with(&format!("{folder}/")) {
                return Err(bad("A folder cannot move into itself"));
            }
            let directory = Directory::read(&call.state).await?;
            for inner in directory.folders.iter().filter(|f| *f == folder || f.starts_with(&format!("{folder}/"))) {
                if call.state.catalog.document(branches::PROJECTS, inner).await?.is_some() {
                    return Err(bad(format!("{inner} is a multibranch project; make it anew under the other name")));
                }
            }
            let moved = |full: &str| format!("{to}{}", full.strip_prefix(folder.as_str()).unwrap_or(""));
            for job in directory.below(folder) {
                rename_job(call, job, &moved(job)).await?;
            }
            for inner in directory.folders.iter().filter(|f| *f == folder || f.starts_with(&format!("{folder}/"))) {
                let text = folder_config(call, inner).await?;
                call.state.catalog.put_document(FOLDER, &moved(inner), &text).await?;
                call.state.catalog.remove_document(FOLDER, inner).await?;
            }
        }
    }
    views::renamed(&call.state, from, to).await?;
    audit(&call.state, &by, "pipeline.rename", to, from).await?;
    Ok(redirect(&call.url(&items::path(to))))
}

async fn rename_job(call: &Call, from: &str, to: &str) -> Result<(), Failed> {
    if call.state.catalog.next_number(to).await? > 1 {
        return Err(bad(format!("the name {to} belonged to a job whose builds are still kept; choose another")));
    }
    call.state.catalog.rename_pipeline(from, to).await?;
    super::queue::renamed(&call.state, from, to).await
}

/// `nextbuildnumber/submit`: numbers only rise.
pub(crate) async fn next_number(call: &Call, pipeline: &Pipeline) -> Result<Response, Failed> {
    let by = call.by()?;
    // python-jenkins sends the form under the type of XML.
    let untyped = Pairs::parse(&call.body);
    let text = match untyped.get("nextBuildNumber") {
        Some(text) => text,
        None => call.needed("nextBuildNumber")?,
    };
    let number: u32 = text.trim().parse().map_err(|_| bad(format!("{text:?} is no build number")))?;
    call.state.catalog.raise_next_number(&pipeline.name, number).await?;
    audit(&call.state, &by, "pipeline.number", &pipeline.name, text).await?;
    Ok(redirect(&call.url(&items::path(&pipeline.name))))
}
