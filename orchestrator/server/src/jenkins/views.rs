//! Views: named choices of jobs, of the root or of a folder.
//!
//! A view is the XML it was made of ([`VIEW`]); beside those each group has its view of all.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::bean::{Bean, Data, list};
use super::call::{Call, bad, redirect};
use super::hudson::Listing;
use super::items::{self, Item};
use super::want::{ALWAYS, TOP, Want};
use super::xml::{self, Element};
use crate::api::audit;
use crate::error::Failed;
use crate::state::AppState;

/// Documents: XML of a view, by its group's full name, `//`, its own.
const VIEW: &str = "jenkins-view";
const LIST_VIEW: &str = "hudson.model.ListView";
const ALL_VIEW: &str = "hudson.model.AllView";
/// Patterns of one view take no more memory than this when they are made.
const PATTERN_BYTES: usize = 1 << 20;

/// A view as it is kept.
pub(crate) struct View {
    name: String,
    text: String,
    root: Element,
}

fn key(group: &str, name: &str) -> String {
    format!("{group}//{name}")
}

/// The root's view of all is `all`, a folder's is `All`.
fn all_name(group: &str) -> &'static str {
    if group.is_empty() { "all" } else { "All" }
}

/// The views made in a group, by name.
pub(crate) async fn of(state: &AppState, group: &str) -> Result<Vec<View>, Failed> {
    let prefix = format!("{group}//");
    let all = state.catalog.documents(VIEW).await?;
    Ok(all
        .into_iter()
        .filter_map(|(key, text)| {
            let name = key.strip_prefix(&prefix)?.to_owned();
            let root = xml::parse(&text).ok()?;
            Some(View { name, text, root })
        })
        .collect())
}

/// Views of a group whose name changed move with it.
pub(crate) async fn renamed(state: &AppState, from: &str, to: &str) -> Result<(), Failed> {
    for (key, text) in state.catalog.documents(VIEW).await? {
        let Some((group, name)) = key.split_once("//") else { continue };
        let inside = group.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(rest) = inside.filter(|_| !from.is_empty()) {
            state.catalog.put_document(VIEW, &self::key(&format!("{to}{rest}"), name), &text).await?;
            state.catalog.remove_document(VIEW, &key).await?;
        }
    }
    Ok(())
}

fn url(call: &Call, group: &str, name: &str) -> String {
    call.url(&format!("{}view/{}/", items::path(group), items::encode(name)))
}

/// The view of all in a list of views; its address is the group's own.
pub(crate) fn all_row(call: &Call, group: &str, want: &Want) -> Data {
    let mut bean = Bean::new(ALL_VIEW, want);
    bean.put_at(ALWAYS, "name", all_name(group));
    bean.put_at(ALWAYS, "url", call.url(&items::path(group)));
    bean.done()
}

/// A view in a list of views.
pub(crate) fn row(call: &Call, group: &str, view: &View, want: &Want) -> Data {
    let mut bean = Bean::new(view.root.name.clone(), want);
    bean.put_at(ALWAYS, "name", view.name.as_str());
    bean.put_at(ALWAYS, "url", url(call, group, &view.name));
    bean.done()
}

fn none(name: &str) -> Failed {
    Failed::not_found(format!("there is no view {name:?}"))
}

async fn find(call: &Call, group: &Item, name: &str) -> Result<View, Failed> {
    group.group()?;
    let text = call.state.catalog.document(VIEW, &key(group.full_name(), name)).await?.ok_or_else(|| none(name))?;
    let root = xml::parse(&text).map_err(|problem| bad(format!("the view {name:?} is damaged: {problem}")))?;
    Ok(View { name: name.to_owned(), text, root })
}

/// A view.
pub(crate) async fn bean(call: &Call, group: &Item, name: &str, want: &Want) -> Result<Data, Failed> {
    group.group()?;
    let full = group.full_name();
    let view = if name.eq_ignore_ascii_case("all") { None } else { Some(find(call, group, name).await?) };
    let listing = Listing::read(&call.state).await?;
    let chosen = match &view {
        None => listing.directory.children(full),
        Some(view) => chosen(view, &listing, full)?,
    };
    let class = view.as_ref().map_or_else(|| ALL_VIEW.to_owned(), |view| view.root.name.clone());
    let mut bean = Bean::new(class, want);
    bean.put("description", view.as_ref().map(|v| v.root.text_at("description").to_owned()).filter(|d| !d.is_empty()));
    bean.make("jobs", TOP, |want| list(want, chosen, |full| listing.entry(call, full, want)));
    bean.put_at(ALWAYS, "name", view.as_ref().map_or(all_name(full), |view| &view.name));
    bean.put("property", Vec::new());
    bean.put_at(ALWAYS, "url", url(call, full, view.as_ref().map_or(all_name(full), |view| &view.name)));
    bean.put("views", Vec::new());
    Ok(bean.done())
}

/// The jobs of a view: those it names and those its pattern matches.
fn chosen<'l>(view: &View, listing: &'l Listing, group: &str) -> Result<Vec<&'l str>, Failed> {
    let mut named = Vec::new();
    if let Some(names) = view.root.child("jobNames") {
        names.find_all("string", &mut named);
    }
    let named: Vec<&str> = named.into_iter().map(|name| name.text.trim()).collect();
    let pattern = view.root.text_at("includeRegex").trim();
    let pattern = if pattern.is_empty() {
        None
    } else {
        let built = regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_BYTES).build();
        Some(built.map_err(|_| bad(format!("the view's pattern {pattern:?} cannot be used here")))?)
    };
    let all = if view.root.text_at("recurse").trim() == "true" {
        if group.is_empty() {
            listing.directory.jobs.keys().map(String::as_str).collect()
        } else {
            listing.directory.below(group)
        }
    } else {
        listing.directory.children(group)
    };
    let relative = |full: &str| full.strip_prefix(group).unwrap_or(full).trim_start_matches('/').to_owned();
    let wanted = |full: &&str| {
        let name = relative(full);
        named.contains(&name.as_str()) || pattern.as_ref().is_some_and(|pattern| pattern.is_match(&name))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

/// `createView`: from XML, or an empty one by a form.
pub(crate) async fn create(call: &Call, group: &Item) -> Result<Response, Failed> {
    group.group()?;
    let by = call.by()?;
    let name = call.needed("name")?.to_owned();
    items::check_name(&name)?;
    let _alone = call.state.own.jenkins.creating.lock().await;
    let (full, from_xml) = (group.full_name(), matches!(call.kind().as_str(), "application/xml" | "text/xml"));
    let is_there = call.state.catalog.document(VIEW, &key(full, &name)).await?.is_some();
    if is_there || name.eq_ignore_ascii_case("all") {
        return Err(bad(format!("A view already exists with the name '{name}'")));
    }
    let text = if from_xml {
        checked(call.text()?)?.to_owned()
    } else {
        let mode = call.value("mode").filter(|mode| !mode.is_empty()).unwrap_or(LIST_VIEW);
        if !mode.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')) {
            return Err(bad(format!("there is no kind of view {mode:?}")));
        }
        format!(
            "<?xml version='1.1' encoding='UTF-8'?>\n<{mode}>\n  <name>{}</name>\n  <jobNames/>\n</{mode}>",
            xml::escape(&name)
        )
    };
    let text = xml::with_child(&text, "name", &name).map_err(bad)?;
    call.state.catalog.put_document(VIEW, &key(full, &name), &text).await?;
    audit(&call.state, &by, "view.create", &key(full, &name), "").await?;
    Ok(if from_xml { StatusCode::OK.into_response() } else { redirect(&url(call, full, &name)) })
}

fn checked(text: &str) -> Result<&str, Failed> {
    xml::parse(text).map(|_| text).map_err(|problem| bad(format!("this config.xml cannot be used: {problem}")))
}

/// `view/V/config.xml`.
pub(crate) async fn show_config(call: &Call, group: &Item, name: &str) -> Result<Response, Failed> {
    let view = find(call, group, name).await?;
    Ok(([(header::CONTENT_TYPE, "application/xml")], view.text).into_response())
}

/// `POST view/V/config.xml`.
pub(crate) async fn change_config(call: &Call, group: &Item, name: &str) -> Result<Response, Failed> {
    find(call, group, name).await?;
    let text = checked(call.text()?)?;
    // A view is named by its address, whatever the text says.
    let text = xml::with_child(text, "name", name).map_err(bad)?;
    keep(call, group, name, &text).await?;
    Ok(StatusCode::OK.into_response())
}

async fn keep(call: &Call, group: &Item, name: &str, text: &str) -> Result<(), Failed> {
    let by = call.by()?;
    let key = key(group.full_name(), name);
    call.state.catalog.put_document(VIEW, &key, text).await?;
    audit(&call.state, &by, "view.configure", &key, "").await
}

/// `view/V/doDelete`.
pub(crate) async fn delete(call: &Call, group: &Item, name: &str) -> Result<Response, Failed> {
    let by = call.by()?;
    let key = key(group.full_name(), name);
    if !call.state.catalog.remove_document(VIEW, &key).await? {
        return Err(none(name));
    }
    audit(&call.state, &by, "view.remove", &key, "").await?;
    Ok(redirect(&call.url(&items::path(group.full_name()))))
}

/// `view/V/submitDescription`.
pub(crate) async fn describe(call: &Call, group: &Item, name: &str) -> Result<Response, Failed> {
    let view = find(call, group, name).await?;
    let text = xml::with_child(&view.text, "description", call.value("description").unwrap_or("")).map_err(bad)?;
    keep(call, group, name, &text).await?;
    Ok(redirect(&url(call, group.full_name(), name)))
}

/// `addJobToView`, `removeJobFromView`.
pub(crate) async fn member(call: &Call, group: &Item, name: &str, add: bool) -> Result<Response, Failed> {
    let view = find(call, group, name).await?;
    let job = call.needed("name")?;
    if !items::exists(&call.state, &group.inside(job)).await? {
        return Err(bad(format!("Query parameter 'name' does not correspond to a known item: {job}")));
    }
    let mut named = Vec::new();
    if let Some(names) = view.root.child("jobNames") {
        names.find_all("string", &mut named);
    }
    let found = named.into_iter().find(|known| known.text.trim() == job);
    let text = match (add, found) {
        (true, None) => xml::with_fragment(&view.text, "jobNames", &format!("<string>{}</string>", xml::escape(job)))
            .map_err(bad)?,
        (false, Some(known)) => xml::without(&view.text, known),
        _ => return Ok(StatusCode::OK.into_response()),
    };
    keep(call, group, name, &text).await?;
    Ok(StatusCode::OK.into_response())
}
