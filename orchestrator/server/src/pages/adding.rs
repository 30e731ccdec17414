//! Adding a pipeline from a page: its name, and where its definition lies.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use haliotis_access::{Object as AccessTo, Permission};
use haliotis_model::Pipeline;
use serde::Deserialize;

use super::{Page, after, respond};
use crate::access::current;
use crate::error::Failed;
use crate::identity::Person;
use crate::state::AppState;
use crate::words;

#[derive(Template)]
#[template(path = "adding.html")]
struct AddingPage {
    page: Page,
    credentials: Vec<String>,
}

pub(crate) async fn show(State(state): State<AppState>) -> Response {
    let page = async {
        let credentials = state.catalog.credentials().await?;
        let credentials = credentials.into_iter().map(|credential| credential.id).collect();
        Ok(AddingPage { page: Page::new(&state, "pipelines", "Add a pipeline"), credentials })
    };
    let page = page.await;
    respond(&state, page)
}

#[derive(Deserialize)]
pub(crate) struct Given {
    name: String,
    repo: String,
    #[serde(default)]
    branch: String,
    path: String,
    #[serde(default)]
    credential: String,
}

/// Registers it: the definition is read from the repository and checked before anything is kept.
pub(crate) async fn add(
    State(state): State<AppState>,
    person: Result<Person, Failed>,
    Form(given): Form<Given>,
) -> Response {
    let done = async {
        let by = person?.named(None)?;
        let name = given.name.trim().to_owned();
        if name.is_empty() || name.starts_with('/') || name.ends_with('/') {
            return Err(Failed::bad_request(
                format!("{name:?} is no name"),
                "Give it a name; folders are set off by /.",
            ));
        }
        current().must(Permission::Configure, AccessTo::Pipeline(&name))?;
        let path = given.path.trim().to_owned();
        let jenkins = !(path.ends_with(".yaml") || path.ends_with(".yml"));
        let optional = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let pipeline = Pipeline {
            name: name.clone(),
            description: String::new(),
            language: if jenkins { "jenkinsfile" } else { "yaml" }.to_owned(),
            repo: optional(&given.repo),
            branch: optional(&given.branch).unwrap_or_else(|| "main".to_owned()),
            path,
            text: String::new(),
            credential: optional(&given.credential),
            triggers: Vec::new(),
            parameters: Vec::new(),
            concurrency: None,
            disabled: false,
        };
        if pipeline.repo.is_none() {
            return Err(Failed::bad_request("no repository is given", "Give the URL or the path of a Git repository."));
        }
        state.actions.put_pipeline(pipeline, &by).await?;
        Ok(words::pipeline_url(&name))
    };
    let done = done.await;
    after(&state, done)
}
