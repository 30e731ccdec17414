//! `haliotis serve`: the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use haliotis_engine::Recover;
use haliotis_plugin_builtin::{Reach, limit_requests};
use haliotis_server::access::Access;
use haliotis_server::{AppState, Ending, ServerConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, CloudKind, Options, edges, jenkinsfiles, notify, oidc, process, triggers, users};
use crate::client::Address;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Open connections may finish so long after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);
/// Whatever is not done by then is left to the next start, which goes on from what is on disk.
const STOP_MOST: Duration = Duration::from_secs(25);

/// Arguments of `serve`.
#[derive(Args)]
pub struct Serve {
    /// Address and port of the pages and the API
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// No login; loopback only
    #[arg(long)]
    dev: bool,
    /// The address people use, as `https://ci.example.org`, where it is another one (a proxy, a name)
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Private ranges that `http` steps may reach, as `10.0.0.0/8,127.0.0.1`; without --dev none
    #[arg(long, env = "HALIOTIS_PRIVATE_ADDRESSES", value_name = "RANGES")]
    private_addresses: Option<String>,
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
            config_dir: ctx.data_dir(),
            database: ctx.database.clone(),
            cloud: self.cloud,
            region: self.region.clone(),
            slots: self.slots,
            labels: self.labels.clone(),
            poll_every: None,
            recover: Recover::All,
            base_url: String::new(),
            vars: haliotis_model::Vars::new(),
            alone: false,
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
    task: tokio::task::JoinHandle<()>,
    /// What administrators asked of it.
    process: Arc<process::Served>,
}

/// Serves until a signal comes.
pub async fn run(args: Serve, ctx: &Context) -> Outcome {
    if args.dev && !args.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{} can be reached from outside and --dev means no login; leave --dev out, or listen on 127.0.0.1",
            args.listen
        )));
    }
    let reach = match args.private_addresses {
        None if args.dev => Reach::Open,
        ranges => Reach::guarded(ranges.as_deref().unwrap_or_default()).map_err(Failure::usage)?,
    };
    limit_requests(reach);
    let mut options = args.engine.options(ctx);
    options.base_url = args.url.unwrap_or_default().trim_end_matches('/').to_owned();
    let running = start(args.listen, options, ctx, args.dev).await?;
    ctx.good(format!("Haliotis answers at {}", console::style(&running.url).underlined().for_stderr()));
    ctx.say(format!("  data   {}", running.app.options.dir.display()));
    ctx.say(format!("  cloud  {}", cloud_line(&running.app)));
    if running.app.store_is_empty().await {
        ctx.say("  next   haliotis pipeline add NAME --repo URL   (or try: haliotis demo)");
    }
    notify::tell(&format!("READY=1\nSTATUS=answers at {}", running.url));
    tokio::spawn(notify::feed(running.app.engine.clone()));
    let ending = tokio::select! {
        signal = wait_for_signal() => signal.map(|()| Ending::Exit)?,
        ending = running.process.wished() => ending,
    };
    ctx.say("stopping; steps at work go on under their supervisor (a second signal ends at once)");
    notify::tell("STOPPING=1");
    tokio::select! {
        stopped = tokio::time::timeout(STOP_MOST, running.stop()) => if stopped.is_err() {
            ctx.say(format!("not all was put in order within {} s; the next start does the rest", STOP_MOST.as_secs()));
        },
        _ = wait_for_signal() => ctx.say("ended at once"),
    }
    match ending {
        Ending::Exit => Ok(()),
        Ending::Restart => Err(again()),
    }
}

/// Becomes the same program with the same arguments; what it answers is why it could not.
fn again() -> Failure {
    use std::os::unix::process::CommandExt;
    let mut arguments = std::env::args_os().skip(1);
    let error = match std::env::current_exe() {
        // No process is started: this one goes on as another program.
        Ok(exe) => std::process::Command::new(exe).args(arguments.by_ref()).exec(),
        Err(error) => error,
    };
    Failure::world(format!("the server stopped and could not begin anew: {error}; start it again"))
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
    if options.base_url.is_empty() {
        options.base_url.clone_from(&url);
    }
    let app = App::open(options).await?;
    let access = access(&app, ctx, dev).await?;
    let config = ServerConfig {
        listen: address,
        base_url: app.options.base_url.clone(),
        dev,
        cloud: app.cloud_name(),
        user: ctx.user.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let process = Arc::new(process::Served::new(Arc::clone(&app)));
    let state = AppState::new(
        config,
        app.engine.clone(),
        Arc::clone(&app.store) as Arc<dyn haliotis_engine::Catalog>,
        edges::all(&app),
    )
    .with_jenkinsfiles(Arc::new(jenkinsfiles::Jenkinsfiles))
    .with_process(Arc::clone(&process) as Arc<dyn haliotis_server::Process>)
    .with_provider(Arc::new(oidc::Provided::new(Arc::clone(&app.store))))
    .with_access(access);
    triggers::start(&app);
    let (shutdown, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(haliotis_server::serve(listener, state, async move {
        let _ = stopped.await;
    }));
    Address { url: url.clone(), pid: std::process::id() }.write(&app.options.dir)?;
    Ok(Running { app, url, shutdown, task, process })
}

/// Who may do what; without dev mode a first start makes an administrator and tells the password, this once.
async fn access(app: &App, ctx: &Context, dev: bool) -> Result<Access, Failure> {
    let records = Arc::new(users::StoreRecords(Arc::clone(&app.store)));
    if dev {
        return Ok(Access::new(records, None));
    }
    match users::first_admin(&app.store).await? {
        Some((name, Some(password))) => {
            ctx.good(format!("the first administrator is {name}; the password for the first login, shown this once:"));
            ctx.say(format!("\n    {password}\n"));
        }
        Some((name, None)) => ctx.good(format!("the first administrator is {name}, with the password of the file")),
        None => {}
    }
    let local = users::write_local_token(&app.options.dir)?;
    Ok(Access::new(records, Some(&local)))
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
        let _ = tokio::time::timeout(DRAIN, self.task).await;
        aborted.abort();
        self.app.close().await;
        let _ = std::fs::remove_file(users::local_token_file(&self.app.options.dir));
        Address::remove(&self.app.options.dir);
    }
}
