//! `haliotis serve`: the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use haliotis_engine::Recover;
use haliotis_server::{AppState, ServerConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, CloudKind, Options, edges, jenkinsfiles, triggers};
use crate::client::Address;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Open connections may finish so long after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);

/// Arguments of `serve`.
#[derive(Args)]
pub struct Serve {
    /// Address and port of the pages and the API
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// No login; loopback only
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Arguments of everything that runs builds.
#[derive(Args, Clone)]
pub struct EngineArgs {
    /// Which cloud steps talk to; `aws` reaches your account with the default credentials
    #[arg(long, value_enum, default_value = "local")]
    pub cloud: CloudKind,
    /// The region
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub region: String,
    /// Steps at once on this machine [default: one per processor]
    #[arg(long)]
    pub slots: Option<u32>,
    /// A label of this machine's agent; may be given several times
    #[arg(long = "label", default_values_t = [std::env::consts::OS.to_owned()])]
    pub labels: Vec<String>,
}

impl EngineArgs {
    /// As the app wants them.
    pub fn options(&self, ctx: &Context) -> Options {
        Options {
            dir: ctx.data_dir(),
            database: ctx.database.clone(),
            cloud: self.cloud,
            region: self.region.clone(),
            slots: self.slots,
            labels: self.labels.clone(),
            poll_every: None,
            recover: Recover::All,
            base_url: String::new(),
        }
    }
}

/// A running server.
pub struct Running {
    /// The app behind it.
    pub app: Arc<App>,
    /// Its pages.
    pub url: String,
    shutdown: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Serves until a signal comes.
pub async fn run(args: Serve, ctx: &Context) -> Outcome {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{} can be reached from outside and there is no login yet; listen on 127.0.0.1 and put a proxy that knows your \
             users in front",
            args.listen
        )));
    }
    let running = start(args.listen, args.engine.options(ctx), ctx, args.dev).await?;
    ctx.good(format!("Haliotis answers at {}", console::style(&running.url).underlined().for_stderr()));
    ctx.say(format!("  data   {}", running.app.options.dir.display()));
    ctx.say(format!("  cloud  {}", cloud_line(&running.app)));
    if running.app.store_is_empty().await {
        ctx.say("  next   haliotis pipeline add NAME --repo URL   (or try: haliotis demo)");
    }
    wait_for_signal().await?;
    ctx.say("stopping; steps at work go on under their supervisor (a second signal ends at once)");
    running.stop().await;
    Ok(())
}

/// Opens everything and answers; returns when the port listens.
pub async fn start(listen: SocketAddr, mut options: Options, ctx: &Context, dev: bool) -> Result<Running, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::world(format!(
            "port {} is in use; stop what listens there or choose another with --listen 127.0.0.1:PORT (0: any free one)",
            listen.port()
        )),
        _ => Failure::world(format!("cannot listen on {listen}: {error}")),
    })?;
    let address = listener.local_addr()?;
    let url = format!("http://{address}");
    options.base_url.clone_from(&url);
    let app = App::open(options).await?;
    let config = ServerConfig {
        listen: address,
        base_url: url.clone(),
        dev: dev || address.ip().is_loopback(),
        cloud: app.cloud_name(),
        user: ctx.user.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let state = AppState::new(
        config,
        app.engine.clone(),
        Arc::clone(&app.store) as Arc<dyn haliotis_engine::Catalog>,
        edges::all(&app),
    )
    .with_jenkinsfiles(Arc::new(jenkinsfiles::Jenkinsfiles));
    triggers::start(&app);
    let (shutdown, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(haliotis_server::serve(listener, state, async move {
        let _ = stopped.await;
    }));
    Address { url: url.clone(), pid: std::process::id() }.write(&app.options.dir)?;
    Ok(Running { app, url, shutdown, task })
}

/// For people: which cloud.
pub fn cloud_line(app: &App) -> String {
    match &app.cloud.endpoint_url {
        Some(endpoint) => format!("local, {endpoint} (nothing leaves this machine)"),
        None => format!("AWS, region {}", app.cloud.region),
    }
}

/// SIGINT or SIGTERM.
pub async fn wait_for_signal() -> Result<(), Failure> {
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

impl Running {
    /// Takes no more work, lets open requests finish, and leaves the rest to the next start.
    pub async fn stop(self) {
        self.app.engine.drain();
        let _ = self.shutdown.send(());
        let aborted = self.task.abort_handle();
        let second = async {
            let _ = wait_for_signal().await;
        };
        tokio::select! {
            _ = tokio::time::timeout(DRAIN, self.task) => {}
            () = second => {}
        }
        aborted.abort();
        self.app.close().await;
        Address::remove(&self.app.options.dir);
    }
}
