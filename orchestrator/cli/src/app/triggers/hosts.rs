//! How gently each git host is asked: so many looks at once, and none while it wants to be left alone.
//!
//! - **A host is slow**: its looks fill its own places and wait there; another host's have theirs.
//! - **A host says `Retry-After`**: nobody looks at any of its repositories until then, also those that were to be looked
//!   at by another reconciler.
//! - **A look is dropped half-way**: its place goes with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use haliotis_model::bounds::Destination;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Looks at one host at the same time. A look is a process; a hundred slow hosts still leave threads to spare.
const AT_ONCE: usize = 4;
/// A host that asks for longer is asked after this all the same: a wrong header must not stop a team for a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// Hosts that are remembered; beyond it those that nobody uses now are forgotten.
const REMEMBERED: usize = 1_000;

/// All git hosts.
#[derive(Default)]
pub struct GitHostsAsked {
    hosts: Mutex<BTreeMap<String, Host>>,
}

struct Host {
    places: Arc<Semaphore>,
    quiet_until: Option<Instant>,
}

impl Default for Host {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), quiet_until: None }
    }
}

impl GitHostsAsked {
    /// Waits for a place at the host of this address, and until the host may be asked again.
    pub(super) async fn place(&self, address: &str) -> Option<OwnedSemaphorePermit> {
        let name = host_of(address);
        loop {
            let places = self.with(&name, |host| Arc::clone(&host.places));
            // Closed by nobody; without a place the look goes on all the same.
            let place = places.acquire_owned().await.ok();
            match self.quiet_for(address) {
                None => return place,
                Some(pause) => {
                    drop(place);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// How long the host of this address is to be left alone; `None`: it may be asked.
    pub(super) fn quiet_for(&self, address: &str) -> Option<Duration> {
        let until = self.with(&host_of(address), |host| host.quiet_until)?;
        Some(until.saturating_duration_since(Instant::now())).filter(|pause| !pause.is_zero())
    }

    /// The host asked to be left alone so long.
    pub(super) fn leave_alone(&self, address: &str, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST_PAUSE);
        self.with(&host_of(address), |host| {
            host.quiet_until = Some(host.quiet_until.map_or(until, |known| known.max(until)))
        });
    }

    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Host) -> T) -> T {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() > REMEMBERED {
            let now = Instant::now();
            hosts.retain(|_, host| {
                host.places.available_permits() < AT_ONCE || host.quiet_until.is_some_and(|until| until > now)
            });
        }
        act(hosts.entry(name.to_owned()).or_default())
    }
}

fn host_of(address: &str) -> String {
    match haliotis_scm::destination(address) {
        Destination::Host(host, port) => format!("{host}:{}", port.unwrap_or(0)),
        Destination::Local | Destination::Unknown => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_host_fills_its_own_places_alone() {
        let hosts = GitHostsAsked::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(hosts.place("https://slow.example/a").await);
        }
        let next = hosts.place("https://slow.example/b");
        assert!(tokio::time::timeout(Duration::from_millis(20), next).await.is_err(), "all its places are taken");
        let other = hosts.place("https://quick.example/a");
        assert!(tokio::time::timeout(Duration::from_secs(5), other).await.is_ok());
        held.pop();
        assert!(tokio::time::timeout(Duration::from_secs(5), hosts.place("https://slow.example/b")).await.is_ok());
    }

    #[tokio::test]
    async fn a_host_that_wants_to_be_left_alone_is() {
        let hosts = GitHostsAsked::default();
        hosts.leave_alone("https://busy.example/a", Duration::from_millis(80));
        hosts.leave_alone("https://busy.example/a", Duration::from_millis(10));
        assert!(
            hosts.quiet_for("https://busy.example/b").unwrap() > Duration::from_millis(20),
            "the longer one counts"
        );
        assert_eq!(hosts.quiet_for("https://other.example/b"), None);
        hosts.leave_alone("https://never.example/a", Duration::from_secs(u64::from(u32::MAX)));
        assert!(hosts.quiet_for("https://never.example/a").unwrap() <= LONGEST_PAUSE);
    }
}
