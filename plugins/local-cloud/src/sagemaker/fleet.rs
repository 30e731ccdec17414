//! The processes of one deployment: started, watched, started again when they die, stopped.
//!
//! Each container is one process that listens on a port of loopback that it chooses itself and writes into a file; its
//! answers carry the process key, so a port that meanwhile belongs to somebody else is never mistaken for ours.
//!
//! What may cross, and what happens:
//! - a process dies: its keeper notes the next attempt in the endpoint's record, then spawns under the next key. A
//!   crash between the two spawns the same key later: `Processes` finds or starts it.
//! - the server restarts: the keeper spawns the key that the record holds, which finds the running process; its port
//!   file is still there, and a ping tells whether it is that process.
//! - a request is on its way while its process dies: the caller gets a ModelError, as in AWS; the next is held until
//!   the process answers again or the time for one invocation is over.
//! - the fleet is stopped while requests are on their way: `drain` waits for them first.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haliotis_plugin_api::ProcessError;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::sagemaker::SageMaker;
use crate::sagemaker::endpoint::FleetPlan;
use crate::sagemaker::image::Image;
use crate::sagemaker::models::Container;
use crate::sagemaker::runner::{SERVE_GRACE_MS, fresh};
use crate::sagemaker::traffic::Traffic;
use crate::sagemaker::training::unpack_object;

/// A container has this long to answer its first ping with 200, unless the variant says otherwise; AWS' four minutes.
const HEALTHY_WITHIN: Duration = Duration::from_secs(240);
/// A ping must be answered within this.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two pings of a container that is starting.
const PING_EVERY: Duration = Duration::from_millis(40);
/// A process that dies again and again is started again this much later each time, up to the last.
const BACKOFF: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// Requests on their way have this long when their fleet is replaced: the longest that one may take, and a little.
const DRAIN_WITHIN: Duration = Duration::from_secs(65);

/// A running deployment.
pub(crate) struct Fleet {
    pub(crate) plan: FleetPlan,
    pub(crate) variants: Vec<Variant>,
    stopping: CancellationToken,
    shares: Mutex<Vec<Share>>,
}

/// A variant's weight, and what it is owed: the one owed most is next, so that any run of requests is shared fairly.
#[derive(Clone, Copy)]
struct Share {
    weight: f64,
    owed: f64,
}

impl Fleet {
    /// The variant whose turn it is; `None` when all weights are 0.
    pub(crate) fn pick(&self) -> Option<&Variant> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        next_share(&mut shares).and_then(|index| self.variants.get(index))
    }

    /// New weights, in the order of the variants.
    pub(crate) fn set_weights(&self, weights: Vec<f64>) {
        *self.shares.lock().unwrap_or_else(PoisonError::into_inner) = shares(weights);
    }
}

fn shares(weights: impl IntoIterator<Item = f64>) -> Vec<Share> {
    weights.into_iter().map(|weight| Share { weight, owed: 0.0 }).collect()
}

fn next_share(shares: &mut [Share]) -> Option<usize> {
    let total: f64 = shares.iter().map(|share| share.weight).sum();
    shares.iter_mut().for_each(|share| share.owed += share.weight);
    let weighted = shares.iter_mut().enumerate().filter(|(_, share)| share.weight > 0.0);
    let (index, share) = weighted.max_by(|(_, a), (_, b)| a.owed.total_cmp(&b.owed))?;
    share.owed -= total;
    Some(index)
}

/// One production variant of a fleet.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) servers: Vec<Arc<Server>>,
    pub(crate) direct: bool,
    pub(crate) traffic: Traffic,
    in_flight: AtomicUsize,
}

/// One container's process.
pub(crate) struct Server {
    pub(crate) hostname: Option<String>,
    container: Container,
    folder: PathBuf,
    log: PathBuf,
    /// `variant.container`, as the record counts restarts by.
    place: String,
    key_base: String,
    /// The port of the process that answers, 0 while none does.
    port: watch::Sender<u16>,
    /// Set once, when the first process ended before it answered a ping, or none did in time.
    failed: watch::Sender<Option<String>>,
}

/// How one process of a container ended.
enum End {
    /// By itself, or it never began.
    Died(String),
    /// With the machine; it is not to blame.
    Lost(String),
}

/// Counts a request as long as it is on its way.
pub(crate) struct InFlight<'a>(&'a Variant);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Variant {
    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(self)
    }
}

impl Server {
    /// The port, once a process answers.
    pub(crate) async fn ready(&self) -> Option<u16> {
        let mut port = self.port.subscribe();
        port.wait_for(|port| *port != 0).await.ok().map(|port| *port)
    }

    /// The process of this port did not answer as it should: the keeper's watch decides, we only forget the port.
    pub(crate) fn lost(&self, port: u16) {
        self.port.send_if_modified(|current| {
            *current == port && {
                *current = 0;
                true
            }
        });
    }

    fn port_file(&self) -> PathBuf {
        self.folder.join("port")
    }
}

impl SageMaker {
    /// Starts the processes of a plan, or finds them. A fleet that was in service before is `proven`: what died of it
    /// while nobody looked is started again, where a new fleet's first death is its failure.
    pub(crate) fn begin_fleet(self: &Arc<Self>, owner: &str, plan: FleetPlan, proven: bool) -> Arc<Fleet> {
        let mut variants = Vec::new();
        for (v, variant) in plan.variants.iter().enumerate() {
            let containers = variant.model.containers.iter().enumerate();
            let servers = containers.map(|(c, container)| {
                let place = format!("{v}.{c}");
                let log = format!(
                    "{owner}-{}-{}{}.log",
                    plan.id,
                    variant.name,
                    if c > 0 { format!("-{c}") } else { String::new() }
                );
                Arc::new(Server {
                    hostname: container.hostname.clone(),
                    container: container.clone(),
                    folder: self.home.join("fleets").join(&plan.id).join(&place),
                    log: self.logs.join("endpoints").join(log),
                    key_base: format!("serve-{}-{v}-{c}", plan.id),
                    place,
                    port: watch::channel(0).0,
                    failed: watch::channel(None).0,
                })
            });
            variants.push(Variant {
                name: variant.name.clone(),
                servers: servers.collect(),
                direct: variant.model.direct,
                traffic: Traffic::default(),
                in_flight: AtomicUsize::new(0),
            });
        }
        let shares = Mutex::new(shares(plan.variants.iter().map(|variant| variant.weight)));
        let fleet = Arc::new(Fleet { plan, variants, stopping: CancellationToken::new(), shares });
        for (variant, plan) in fleet.variants.iter().zip(&fleet.plan.variants) {
            let limit = plan.health_timeout_s.map_or(HEALTHY_WITHIN, Duration::from_secs);
            for server in &variant.servers {
                let (this, fleet, server, owner) =
                    (Arc::clone(self), Arc::clone(&fleet), Arc::clone(server), owner.to_owned());
                self.background(async move {
                    tokio::select! {
                        () = fleet.stopping.cancelled() => {}
                        () = this.keep(&owner, &fleet, &server, limit, proven) => {}
                    }
                });
            }
        }
        fleet
    }

    /// Waits until every container answers; the error is the endpoint's failure reason.
    pub(crate) async fn fleet_ready(&self, fleet: &Fleet) -> Result<(), String> {
        for variant in &fleet.variants {
            for server in &variant.servers {
                let mut failed = server.failed.subscribe();
                let reason = tokio::select! {
                    port = server.ready() => if port.is_some() { continue } else { "it was stopped".to_owned() },
                    reason = failed.wait_for(Option::is_some) => reason.ok().and_then(|r| r.clone()).unwrap_or_default(),
                };
                let which = server.hostname.as_deref().unwrap_or("primary");
                return Err(format!(
                    "The {which} container for production variant {} did not pass the ping health check. {reason}. \
                     Please check the logs for this endpoint: {}",
                    variant.name,
                    server.log.display()
                ));
            }
        }
        Ok(())
    }

    /// Waits for requests on their way, then lets go of the processes; [`SageMaker::stop_plan`] stops them.
    pub(crate) async fn drain(&self, fleet: &Fleet) {
        let deadline = Instant::now() + DRAIN_WITHIN;
        while fleet.variants.iter().any(|v| v.in_flight.load(Ordering::SeqCst) > 0) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fleet.stopping.cancel();
    }

    /// Stops what a plan may have started, also by an earlier server, and removes its folders.
    pub(crate) async fn stop_plan(&self, plan: &FleetPlan) {
        futures_util::future::join_all(plan.process_keys().iter().map(|key| self.stop_process(key))).await;
        let folder = self.home.join("fleets").join(&plan.id);
        let removed = self.blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        });
        if let Err(error) = removed.await {
            tracing::warn!(fleet = plan.id, %error, "the fleet's folder could not be removed");
        }
    }

    /// SIGTERM, and SIGKILL after the grace; returns when the process is gone.
    pub(crate) async fn stop_process(&self, key: &str) {
        match self.processes.kill(key, SERVE_GRACE_MS).await {
            Err(ProcessError::Unknown(_)) => return,
            Err(error) => tracing::debug!(key, %error, "could not be asked to stop"),
            Ok(()) => {}
        }
        if let Err(error) = self.processes.wait(key).await {
            tracing::debug!(key, %error, "its end is not known");
        }
        if let Err(error) = self.processes.forget(key).await {
            tracing::debug!(key, %error, "nothing to forget");
        }
    }

    /// Keeps one container's process alive until the fleet is stopped.
    async fn keep(&self, owner: &str, fleet: &Fleet, server: &Server, limit: Duration, proven: bool) {
        let mut attempt = fleet.plan.restarts.get(&server.place).copied().unwrap_or(0);
        let mut answered_once = proven;
        loop {
            let key = format!("{}-{attempt}", server.key_base);
            let end = self.serve_once(server, &key, limit, &mut answered_once).await;
            server.port.send_replace(0);
            let reason = match end {
                End::Died(reason) if !answered_once => {
                    server.failed.send_replace(Some(reason));
                    return;
                }
                End::Died(reason) | End::Lost(reason) => reason,
            };
            tracing::warn!(endpoint = owner, key, reason, "a container's process ended; starting it again");
            let step = (attempt as usize).min(BACKOFF.len() - 1);
            tokio::time::sleep(BACKOFF[step]).await;
            attempt += 1;
            let noted = self.endpoints.update(owner, |endpoint| {
                if let Some(plan) = endpoint.fleet_mut(&fleet.plan.id) {
                    plan.restarts.insert(server.place.clone(), attempt);
                }
                Ok(())
            });
            if let Err(error) = noted {
                tracing::error!(endpoint = owner, %error, "the restart of a container cannot be noted");
            }
        }
    }

    /// From the spawn to the end of one process; gives how it ended.
    async fn serve_once(&self, server: &Server, key: &str, limit: Duration, answered_once: &mut bool) -> End {
        if let Err(reason) = self.fetch_model(server).await {
            return End::Died(reason);
        }
        let spec = match self.serving_spec(server, key).await {
            Ok(spec) => spec,
            Err(reason) => return End::Died(reason),
        };
        if let Err(error) = self.processes.spawn(key, spec).await {
            return End::Died(error.to_string());
        }
        let ended = self.processes.wait(key);
        tokio::pin!(ended);
        let describe = |end: Result<haliotis_plugin_api::Exit, ProcessError>| match end {
            Ok(exit) => End::Died(format!("its process ended with exit code {}", exit.code)),
            Err(error @ ProcessError::Lost(_)) => End::Lost(error.to_string()),
            Err(error) => End::Died(error.to_string()),
        };
        tokio::select! {
            end = &mut ended => return describe(end),
            port = wait_healthy(server, key, limit) => match port {
                Some(port) => { server.port.send_replace(port); *answered_once = true; }
                None => {
                    self.stop_process(key).await;
                    return End::Died(format!("it did not answer /ping with 200 within {} s", limit.as_secs()));
                }
            },
        }
        loop {
            tokio::select! {
                end = &mut ended => return describe(end),
                // Somebody met a refused connection: look again whether the process still answers.
                _ = wait_forgotten(server) => if let Some(port) = wait_healthy(server, key, limit).await {
                    server.port.send_replace(port);
                },
            }
        }
    }

    /// The model's files, in a folder of this container alone; `ready` is written last.
    async fn fetch_model(&self, server: &Server) -> Result<(), String> {
        if server.folder.join("ready").exists() {
            return Ok(());
        }
        let (store, folder, data) = (Arc::clone(&self.s3), server.folder.clone(), server.container.model_data.clone());
        self.blocking(move || {
            let ml = fresh(&folder)?;
            std::fs::create_dir_all(ml.join("model")).map_err(|error| error.to_string())?;
            if let Some(uri) = data {
                unpack_object(&store, &uri, &ml.join("model"))?;
            }
            std::fs::write(folder.join("ready"), b"").map_err(|error| error.to_string())
        })
        .await
    }

    async fn serving_spec(&self, server: &Server, key: &str) -> Result<haliotis_plugin_api::ProcessSpec, String> {
        // An old port file must not be read as the new process'; a process that is running already keeps its file, and
        // its answers tell whose it is.
        let vars = self.serving_vars(&server.folder, &server.container, key, &server.port_file());
        let program = vec!["python3".to_owned(), self.runtimes.join("serve.py").to_string_lossy().into_owned()];
        self.contained(&server.folder, &program, vars, server.log.clone()).await
    }

    /// Environment of a serving container; the transform jobs' too.
    pub(crate) fn serving_vars(
        &self,
        folder: &Path,
        container: &Container,
        key: &str,
        port_file: &Path,
    ) -> haliotis_model::Vars {
        let mut vars = self.container_vars(folder);
        vars.extend(container.environment.clone());
        // The image was checked when the model was made.
        if let Ok(image) = Image::parse(&container.image) {
            vars.insert("HALIOTIS_FRAMEWORK".into(), image.word().to_owned());
            vars.insert("HALIOTIS_FRAMEWORK_VERSION".into(), image.version_text());
        }
        vars.insert("HALIOTIS_SERVER_KEY".into(), key.to_owned());
        vars.insert("HALIOTIS_PORT_FILE".into(), port_file.display().to_string());
        vars
    }
}

async fn wait_forgotten(server: &Server) {
    // The sender lives in the server, so waiting cannot fail.
    let _ = server.port.subscribe().wait_for(|port| *port == 0).await;
}

async fn wait_healthy(server: &Server, key: &str, limit: Duration) -> Option<u16> {
    wait_healthy_at(&server.port_file(), key, limit).await
}

/// Pings until the process of that key answers 200.
pub(crate) async fn wait_healthy_at(port_file: &Path, key: &str, limit: Duration) -> Option<u16> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let port = std::fs::read_to_string(port_file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(port) = port.filter(|port| *port != 0) {
            let ping = crate::sagemaker::invoke::ping(port);
            let answered = tokio::time::timeout(PING_TIMEOUT, ping).await.ok().flatten();
            if answered.is_some_and(|answered| answered == key) {
                return Some(port);
            }
        }
        tokio::time::sleep(PING_EVERY).await;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_shared_by_weight() {
        let mut three_to_one = shares([3.0, 1.0, 0.0]);
        let picked: Vec<_> = (0..8).map(|_| next_share(&mut three_to_one).unwrap()).collect();
        assert_eq!(picked.iter().filter(|&&index| index == 0).count(), 6);
        assert_eq!(picked.iter().filter(|&&index| index == 1).count(), 2);
        assert_eq!(next_share(&mut shares([0.0])), None);
    }
}
