//! Everything that can be asked, with the permission it needs: three sorted-by-subject tables and no other way in.

use std::future::Future;
use std::pin::Pin;

use axum::Json;
use axum::http::header;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use haliotis_access::Permission;
use haliotis_model::Decision;

use super::bean::Data;
use super::build::Target;
use super::call::{Call, redirect};
use super::inputs::Reply;
use super::items::Item;
use super::render::Format;
use super::want::Want;
use super::{
    artifacts, build, computer, console, converter, create, credentials, hudson, inputs, job, pages, plugins, process,
    queue, report, trigger, views, wfapi,
};
use crate::access::Asked;
use crate::edges::Ending;
use crate::error::Failed;

/// A request with what its path leads to.
pub(crate) struct Ask {
    pub(crate) call: Call,
    pub(crate) item: Item,
    pub(crate) target: Option<Target>,
    pub(crate) args: Vec<String>,
}

impl Ask {
    /// The part of the path that stands for the n-th `{}`.
    pub(crate) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// The build.
    ///
    /// # Errors
    /// 404 when the path names none.
    pub(crate) fn target(&self) -> Result<&Target, Failed> {
        self.target.as_ref().ok_or_else(|| Failed::not_found("the path names no build"))
    }

    /// The format that `api/{}` names.
    pub(crate) fn format(&self, index: usize) -> Format<'_> {
        Format { kind: self.arg(index), query: &self.call.query }
    }

    /// An object in the format asked for, from a function that waits for nothing.
    fn show(&self, index: usize, make: impl FnOnce(&Want) -> Data) -> Result<Response, Failed> {
        let format = self.format(index);
        let want = format.want()?;
        format.answer(&make(&want))
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, Failed>> + Send + 'a>>;

/// Which methods an operation takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verb {
    /// GET, HEAD, and POST, which some clients use to read.
    Read,
    /// POST.
    Change,
    /// DELETE.
    Delete,
    /// The operation says itself.
    Any,
}

impl Verb {
    pub(crate) fn takes(self, method: &Method) -> bool {
        match self {
            Verb::Read => matches!(*method, Method::GET | Method::HEAD | Method::POST),
            Verb::Change => *method == Method::POST,
            Verb::Delete => *method == Method::DELETE,
            Verb::Any => true,
        }
    }
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scope {
    Server,
    Item,
}

/// What an operation needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Needs {
    /// A permission on the item of the path.
    Item(Permission),
    /// A permission on the whole server.
    Server(Permission),
    /// A permission on anything at all; lists show each caller what is theirs.
    Somewhere(Permission),
    /// Configuring the item of the path; for the root, administering the server.
    Secrets,
    /// Somebody who is logged in.
    Login,
    /// Nobody need be logged in: the operation looks at a token of its own.
    Token,
}

impl Needs {
    pub(crate) fn asked(self, full: &str) -> Asked {
        match self {
            Needs::Item(permission) if full.is_empty() => Asked::Somewhere(permission),
            Needs::Item(permission) => Asked::Pipeline(permission, full.to_owned()),
            Needs::Secrets if full.is_empty() => Asked::System(Permission::Administer),
            Needs::Secrets => Asked::Pipeline(Permission::Configure, full.to_owned()),
            Needs::Server(permission) => Asked::System(permission),
            Needs::Somewhere(permission) => Asked::Somewhere(permission),
            Needs::Login => Asked::Login,
            Needs::Token => Asked::Public,
        }
    }

    pub(crate) fn scope(self) -> Scope {
        match self {
            Needs::Item(_) | Needs::Secrets | Needs::Token => Scope::Item,
            _ => Scope::Server,
        }
    }
}

/// One thing that can be asked.
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// Parts with `/` between them; `{}` is any one part, `{*}` at the end all that follow.
    path: &'static str,
    pub(crate) need: Needs,
    pub(crate) run: for<'a> fn(&'a Ask) -> Answer<'a>,
}

impl Operation {
    /// What stands for its `{}`, when it is meant.
    pub(crate) fn matches(&self, rest: &[String]) -> Option<Vec<String>> {
        let mut args = Vec::new();
        let mut rest = rest.iter();
        for part in self.path.split('/').filter(|part| !part.is_empty()) {
            match part {
                "{*}" => {
                    let all: Vec<&str> = rest.by_ref().map(String::as_str).collect();
                    args.push(Some(all.join("/")).filter(|all| !all.is_empty())?);
                }
                "{}" => args.push(rest.next()?.clone()),
                word => {
                    rest.next().filter(|part| *part == word)?;
                }
            }
        }
        rest.next().is_none().then_some(args)
    }
}

macro_rules! table {
    ($($verb:ident $path:literal $need:expr, $ask:ident => $body:expr;)*) => {
        &[$(Operation { verb: Verb::$verb, path: $path, need: $need, run: |$ask| Box::pin(async move { $body }) }),*]
    };
}

const VIEW: Needs = Needs::Item(Permission::View);
const BUILDS: Needs = Needs::Item(Permission::Build);
const CONFIGURE: Needs = Needs::Item(Permission::Configure);
const APPROVE: Needs = Needs::Item(Permission::Approve);
/// Of the root's store this is the server's business, of a folder's the folder's.
const CREDENTIALS: Needs = Needs::Secrets;
const ANY_VIEW: Needs = Needs::Somewhere(Permission::View);

/// Of the server alone.
pub(crate) const SERVER: &[Operation] = table! {
    Read "crumbIssuer/api/{}" Needs::Login, ask => ask.show(0, |want| hudson::crumb(&ask.call, want));
    Read "whoAmI/api/{}" Needs::Login, ask => ask.show(0, |want| hudson::who_am_i(&ask.call, want));
    Read "me/api/{}" Needs::Login, ask => ask.show(0, |want| hudson::user(&ask.call, &ask.call.reader(), want));
    Read "user/{}/api/{}" Needs::Login, ask => ask.show(1, |want| hudson::user(&ask.call, ask.arg(0), want));
    Read "checkJobName" ANY_VIEW, ask => Ok(match super::items::check_name(ask.call.value("value").unwrap_or("")) {
        Ok(()) => "<div/>".into_response(),
        Err(failed) => format!("<div class=error>{}</div>", super::xml::escape(&failed.problem.message)).into_response(),
    });
    Read "queue/api/{}" ANY_VIEW, ask => {
        let format = ask.format(0);
        format.answer(&queue::all(&ask.call, &format.want()?).await?)
    };
    Read "queue/item/{}/api/{}" ANY_VIEW, ask => {
        let format = ask.format(1);
        format.answer(&queue::item(&ask.call, ask.arg(0), &format.want()?).await?)
    };
    Read "queue/item/{}" ANY_VIEW, ask => {
        queue::find_own(&ask.call.state, ask.arg(0)).await?;
        Ok("Queue item exists. For details check, for example, api/json\n".into_response())
    };
    Change "queue/cancelItem" Needs::Somewhere(Permission::Build), ask => queue::cancel_item(&ask.call).await;
    Change "queue/item/{}/cancelQueue" Needs::Somewhere(Permission::Build), ask => {
        queue::cancel(&ask.call, ask.arg(0)).await?;
        Ok(redirect(&ask.call.url("queue/")))
    };
    Read "computer/api/{}" ANY_VIEW, ask => {
        let format = ask.format(0);
        format.answer(&computer::all(&ask.call, &format.want()?).await?)
    };
    Change "computer/doCreateItem" Needs::Server(Permission::Administer), _ask => Err(computer::refuse("making a node"));
    Read "computer/{}/api/{}" ANY_VIEW, ask => {
        let format = ask.format(1);
        format.answer(&computer::one(&ask.call, ask.arg(0), &format.want()?).await?)
    };
    Read "computer/{}/config.xml" Needs::Server(Permission::Administer), ask => {
        let text = computer::config(&ask.call, ask.arg(0))?;
        Ok(([(header::CONTENT_TYPE, "application/xml")], text).into_response())
    };
    Change "computer/{}/{*}" Needs::Server(Permission::Administer), _ask => Err(computer::refuse("changing a node"));
    Read "pluginManager/api/{}" ANY_VIEW, ask => ask.show(0, plugins::all);
    Read "pluginManager/plugin/{}/api/{}" ANY_VIEW, ask => {
        let format = ask.format(1);
        format.answer(&plugins::find(ask.arg(0), &format.want()?)?)
    };
    Change "pipeline-model-converter/validate" ANY_VIEW, ask => converter::validate(&ask.call);
    Change "pipeline-model-converter/{}" ANY_VIEW, ask => converter::convert(&ask.call, ask.arg(0));
    Change "quietDown" Needs::Server(Permission::Administer), ask => process::set_quiet(&ask.call, true).await;
    Change "cancelQuietDown" Needs::Server(Permission::Administer), ask => process::set_quiet(&ask.call, false).await;
    Change "reload" Needs::Server(Permission::Administer), ask => Ok(redirect(&ask.call.url("")));
    Change "restart" Needs::Server(Permission::Administer), ask => process::end(&ask.call, Ending::Restart).await;
    Change "safeRestart" Needs::Server(Permission::Administer), ask => process::end(&ask.call, Ending::Restart).await;
    Change "exit" Needs::Server(Permission::Administer), ask => process::end(&ask.call, Ending::Exit).await;
    Change "safeExit" Needs::Server(Permission::Administer), ask => process::end(&ask.call, Ending::Exit).await;
    Change "scriptText" Needs::Server(Permission::Administer), ask => process::script(&ask.call).await;
};

/// Of the root, a folder or a job.
pub(crate) const ITEM: &[Operation] = table! {
    Read "" VIEW, ask => pages::item(&ask.call, &ask.item);
    Read "api/{}" VIEW, ask => {
        let format = ask.format(0);
        let want = format.want()?;
        format.answer(&match &ask.item {
            Item::Job(pipeline) => job::bean(&ask.call, pipeline, &want).await?,
            group => hudson::bean(&ask.call, group, &want).await?,
        })
    };
    Any "build" Needs::Token, ask => trigger::build(&ask.call, ask.item.job()?, false).await;
    Any "buildWithParameters" Needs::Token, ask => trigger::build(&ask.call, ask.item.job()?, true).await;
    Change "createItem" CONFIGURE, ask => create::create(&ask.call, &ask.item).await;
    Change "createView" CONFIGURE, ask => views::create(&ask.call, &ask.item).await;
    Any "config.xml" CONFIGURE, ask => match ask.call.method {
        Method::GET | Method::HEAD => create::show_config(&ask.call, &ask.item).await,
        Method::POST => create::change_config(&ask.call, &ask.item).await,
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    };
    Change "submitDescription" CONFIGURE, ask => create::describe(&ask.call, &ask.item).await;
    Change "enable" CONFIGURE, ask => create::set_disabled(&ask.call, ask.item.job()?, false).await;
    Change "disable" CONFIGURE, ask => create::set_disabled(&ask.call, ask.item.job()?, true).await;
    Change "doDelete" CONFIGURE, ask => create::delete(&ask.call, &ask.item).await;
    Delete "" CONFIGURE, ask => create::delete(&ask.call, &ask.item).await;
    Change "doRename" CONFIGURE, ask => create::rename(&ask.call, &ask.item).await;
    Change "confirmRename" CONFIGURE, ask => create::rename(&ask.call, &ask.item).await;
    Change "move/move" CONFIGURE, ask => create::relocate_to(&ask.call, &ask.item).await;
    Change "nextbuildnumber/submit" CONFIGURE, ask => create::next_number(&ask.call, ask.item.job()?).await;
    Change "polling" BUILDS, ask => {
        ask.item.job()?;
        ask.call.state.actions.poll().await;
        Ok(redirect(&ask.call.url(&super::items::path(ask.item.full_name()))))
    };
    Change "doWipeOutWorkspace" BUILDS, ask => {
        // Each build has a workspace of its own that goes with it, so there is nothing older to wipe out.
        ask.item.job()?;
        Ok(redirect(&ask.call.url(&super::items::path(ask.item.full_name()))))
    };
    Read "wfapi" VIEW, ask => {
        let pipeline = ask.item.job()?;
        let next = ask.call.state.catalog.next_number(&pipeline.name).await?;
        Ok(Json(wfapi::job(pipeline, next.saturating_sub(1))).into_response())
    };
    Read "wfapi/describe" VIEW, ask => {
        let pipeline = ask.item.job()?;
        let next = ask.call.state.catalog.next_number(&pipeline.name).await?;
        Ok(Json(wfapi::job(pipeline, next.saturating_sub(1))).into_response())
    };
    Read "wfapi/runs" VIEW, ask => wfapi::runs(&ask.call, ask.item.job()?).await;
    Read "credentials/store/{}/api/{}" CREDENTIALS, ask => {
        let format = ask.format(1);
        format.answer(&credentials::store(&ask.call, &ask.item, ask.arg(0), &format.want()?).await?)
    };
    Read "credentials/store/{}/domain/{}/api/{}" CREDENTIALS, ask => {
        let format = ask.format(2);
        let want = format.want()?;
        format.answer(&credentials::domain(&ask.call, &ask.item, ask.arg(0), ask.arg(1), &want).await?)
    };
    Change "credentials/store/{}/domain/{}/createCredentials" CREDENTIALS, ask => {
        credentials::create(&ask.call, &ask.item, ask.arg(0), ask.arg(1)).await
    };
    Read "credentials/store/{}/domain/{}/credential/{}/api/{}" CREDENTIALS, ask => {
        let format = ask.format(3);
        format.answer(&credentials::bean(&ask.call, &ask.item, ask.arg(2), &format.want()?).await?)
    };
    Any "credentials/store/{}/domain/{}/credential/{}/config.xml" CREDENTIALS, ask => match ask.call.method {
        Method::GET | Method::HEAD => credentials::show_config(&ask.call, &ask.item, ask.arg(2)).await,
        Method::POST => credentials::change(&ask.call, &ask.item, ask.arg(2)).await,
        Method::DELETE => credentials::delete(&ask.call, &ask.item, ask.arg(2)).await,
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    };
    Change "credentials/store/{}/domain/{}/credential/{}/doDelete" CREDENTIALS, ask => {
        credentials::delete(&ask.call, &ask.item, ask.arg(2)).await
    };
    Read "view/{}/api/{}" VIEW, ask => {
        let format = ask.format(1);
        format.answer(&views::bean(&ask.call, &ask.item, ask.arg(0), &format.want()?).await?)
    };
    Any "view/{}/config.xml" CONFIGURE, ask => match ask.call.method {
        Method::GET | Method::HEAD => views::show_config(&ask.call, &ask.item, ask.arg(0)).await,
        Method::POST => views::change_config(&ask.call, &ask.item, ask.arg(0)).await,
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    };
    Change "view/{}/doDelete" CONFIGURE, ask => views::delete(&ask.call, &ask.item, ask.arg(0)).await;
    Change "view/{}/submitDescription" CONFIGURE, ask => views::describe(&ask.call, &ask.item, ask.arg(0)).await;
    Change "view/{}/addJobToView" CONFIGURE, ask => views::member(&ask.call, &ask.item, ask.arg(0), true).await;
    Change "view/{}/removeJobFromView" CONFIGURE, ask => views::member(&ask.call, &ask.item, ask.arg(0), false).await;
    Change "view/{}/createItem" CONFIGURE, ask => create::create(&ask.call, &ask.item).await;
    Read "view/{}" VIEW, ask => pages::item(&ask.call, &ask.item);
    Read "{*}" VIEW, ask => pages::page_of_item(&ask.call, &ask.item, ask.arg(0));
};

/// Of a build.
pub(crate) const BUILD: &[Operation] = table! {
    Read "" VIEW, ask => pages::build(&ask.call, ask.target()?);
    Read "api/{}" VIEW, ask => {
        let format = ask.format(0);
        format.answer(&build::bean(&ask.call, ask.target()?, &format.want()?).await?)
    };
    Read "consoleText" VIEW, ask => console::whole(&ask.call, ask.target()?).await;
    Read "logText/progressiveText" VIEW, ask => console::progressive(&ask.call, ask.target()?, false).await;
    Read "logText/progressiveHtml" VIEW, ask => console::progressive(&ask.call, ask.target()?, true).await;
    Change "stop" BUILDS, ask => build::stop(&ask.call, ask.target()?, false).await;
    Change "term" BUILDS, ask => build::stop(&ask.call, ask.target()?, true).await;
    Change "kill" BUILDS, ask => build::stop(&ask.call, ask.target()?, true).await;
    Change "replay" CONFIGURE, ask => build::again(&ask.call, ask.target()?, ask.call.value("mainScript")).await;
    Change "replay/run" CONFIGURE, ask => build::again(&ask.call, ask.target()?, ask.call.value("mainScript")).await;
    Change "replay/rebuild" BUILDS, ask => build::again(&ask.call, ask.target()?, None).await;
    Change "rebuild" BUILDS, ask => build::again(&ask.call, ask.target()?, None).await;
    Change "doDelete" CONFIGURE, ask => build::delete(&ask.call, ask.target()?).await;
    Change "toggleLogKeep" CONFIGURE, ask => build::noted(&ask.call, ask.target()?, |note| note.keep = !note.keep).await;
    Change "submitDescription" BUILDS, ask => {
        let text = ask.call.value("description").unwrap_or("").to_owned();
        build::noted(&ask.call, ask.target()?, |note| note.description = Some(text)).await
    };
    Change "configSubmit" BUILDS, ask => build::configure(&ask.call, ask.target()?).await;
    Read "testReport/api/{}" VIEW, ask => {
        let format = ask.format(0);
        format.answer(&report::bean(&ask.call, ask.target()?, &format.want()?).await?)
    };
    Read "wfapi" VIEW, ask => wfapi::describe(&ask.call, ask.target()?).await;
    Read "wfapi/describe" VIEW, ask => wfapi::describe(&ask.call, ask.target()?).await;
    Read "wfapi/pendingInputActions" VIEW, ask => Ok(Json(wfapi::pending(&ask.call, ask.target()?).await?).into_response());
    Read "wfapi/nextPendingInputAction" VIEW, ask => {
        Ok(Json(wfapi::pending(&ask.call, ask.target()?).await?.into_iter().next()).into_response())
    };
    Read "wfapi/artifacts" VIEW, ask => wfapi::artifacts(&ask.call, ask.target()?).await;
    Read "wfapi/changesets" VIEW, ask => Ok(wfapi::changesets(ask.target()?));
    Change "wfapi/inputSubmit" APPROVE, ask => {
        let id = ask.call.needed("inputId")?;
        inputs::answer(&ask.call, ask.target()?, id, Decision::Approved, Reply::Plain).await
    };
    Read "execution/node/{}/wfapi/describe" VIEW, ask => wfapi::node(&ask.call, ask.target()?, ask.arg(0), false).await;
    Read "execution/node/{}/wfapi/log" VIEW, ask => wfapi::node(&ask.call, ask.target()?, ask.arg(0), true).await;
    Change "input/{}/proceedEmpty" APPROVE, ask => {
        inputs::answer(&ask.call, ask.target()?, ask.arg(0), Decision::Approved, Reply::Plain).await
    };
    Change "input/{}/abort" APPROVE, ask => {
        inputs::answer(&ask.call, ask.target()?, ask.arg(0), Decision::Rejected, Reply::Plain).await
    };
    Change "input/{}/submit" APPROVE, ask => {
        // The page's other button sends its own name.
        let approved = ask.call.value("abort").is_none();
        let decision = if approved { Decision::Approved } else { Decision::Rejected };
        inputs::answer(&ask.call, ask.target()?, ask.arg(0), decision, Reply::Console).await
    };
    Change "input/{}/proceed" APPROVE, ask => {
        inputs::answer(&ask.call, ask.target()?, ask.arg(0), Decision::Approved, Reply::Console).await
    };
    Read "artifact/*zip*/{}" VIEW, ask => artifacts::all(&ask.call, ask.target()?).await;
    Read "artifact/{*}" VIEW, ask => artifacts::one(&ask.call, ask.target()?, ask.arg(0)).await;
    Read "{*}" VIEW, ask => pages::page_of_build(&ask.call, ask.target()?, ask.arg(0));
};
