//! Shows: the pages, the JSON API, the live streams and the door for webhooks.
//!
//! The server asks the [`Engine`](haliotis_engine::Engine) and the [`Catalog`](haliotis_engine::Catalog); what it needs
//! of the other edges it names as small traits in [`edges`], and the binary supplies them. It decides nothing about
//! builds. Pages are HTML from templates inside the binary and work without JavaScript; the scripts only refresh them.
//!
//! **Invariants.** No GET changes state. No page and no answer names a foreign origin. Text that came from a person, a
//! repository or a log reaches a page escaped, whatever it holds. Nothing is done at start but binding routes.

#![forbid(unsafe_code)]

pub mod access;
mod ansi;
mod api;
mod assets;
mod chart;
pub mod edges;
mod error;
mod find;
mod graph;
mod guard;
mod identity;
mod jenkins;
mod lines;
mod listen;
mod live;
mod overview;
mod pages;
mod rates;
mod reports;
mod served;
mod shown;
mod state;
mod words;

pub use api::document;
pub use edges::{
    Actions, ArtifactBody, ArtifactInfo, Artifacts, Asked, CommitRow, EdgeError, Ending, EndpointInfo, HookAnswer,
    Hooks, Invocation, JenkinsfileSyntax, LogChunk, LoginProvider, Logs, ModelGroup, ModelPackage, Models, Process,
    Rerun, RerunFrom, Traffic,
};
pub use listen::Limits;
pub use rates::{Rate, Rates};
pub use state::{AppState, Edges, ServerConfig};

use std::future::Future;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

/// Open requests get this long after the stop was asked for; live streams are closed at once.
const GRACE: Duration = Duration::from_secs(5);

/// All routes, with the guards in front of them.
pub fn router(state: AppState) -> Router {
    let (routes, _) = all().finish(pages::not_found);
    guard::wrap(routes.with_state(state.clone()), state)
}

/// Each route with what it needs of its caller.
pub fn routes() -> Vec<access::Listed> {
    all().table()
}

fn all() -> access::Routes {
    api::routes()
        .merge(api::unlisted())
        .merge(live::routes())
        .merge(pages::routes())
        .merge(access::login::routes())
        .merge(access::vouched::routes())
        .merge(jenkins::routes())
        .merge(assets::routes())
}

/// Serves until `shutdown` completes, then lets open requests end.
pub async fn serve(listener: TcpListener, state: AppState, shutdown: impl Future<Output = ()> + Send + 'static) {
    serve_within(listener, state, Limits::default(), shutdown).await;
}

/// The same within other limits.
pub async fn serve_within(
    listener: TcpListener,
    state: AppState,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let stopping = state.clone();
    let (stop, stopped) = (state.stopping(), state.stopping());
    // What waits for a time in Jenkins' queue goes on waiting.
    tokio::spawn(jenkins::resume(state.clone()));
    tokio::spawn(jenkins::rotate(state.clone()));
    tokio::spawn(async move {
        shutdown.await;
        stopping.stop();
    });
    let late = async move {
        let mut stopped = stopped;
        let _ = stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = listen::accept(listener, router(state), limits, stop) => {}
        () = late => tracing::warn!("some requests did not end in {GRACE:?} after the stop; they are cut"),
    }
}
