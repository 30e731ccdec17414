//! How much one client may ask in a time: a bucket of requests for each, filled at a steady rate. Who asks for more is told
//! when to come again (429, `Retry-After`) and costs the server next to nothing meanwhile.
//!
//! A client who showed who they are is counted by name, wherever they ask from; anybody else by address, so that one
//! machine without a login cannot take the server from everybody. In dev mode there is one person and no limit.
//!
//! Two requests at once may both take the last of a bucket: never, the map is locked for the few instructions it takes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Clients that are remembered; more are an attack from many addresses, and then those that could ask most are forgotten.
const CLIENTS: usize = 50_000;

/// A rate.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests at once after a time of silence.
    pub burst: f64,
    /// Requests a second in the long run.
    pub per_second: f64,
}

/// What clients may ask.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Those who are logged in: a page with live pictures asks for some ten, a script in a loop for some hundred.
    pub known: Rate,
    /// Those who are not, each address: Git hosts send every delivery of a company from a few addresses.
    pub unknown: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            known: Rate { burst: 20_000.0, per_second: 2_000.0 },
            unknown: Rate { burst: 5_000.0, per_second: 300.0 },
        }
    }
}

/// Buckets by client.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<HashMap<String, Bucket>>);

struct Bucket {
    left: f64,
    at: Instant,
}

impl Buckets {
    /// Takes one request out of a client's bucket. `Err`: it is empty, and in so many seconds it is not.
    pub(crate) fn take(&self, client: &str, rate: Rate, now: Instant) -> Result<(), u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS && !buckets.contains_key(client) {
            forget(&mut buckets, rate, now);
        }
        if !buckets.contains_key(client) {
            buckets.insert(client.to_owned(), Bucket { left: rate.burst, at: now });
        }
        let Some(bucket) = buckets.get_mut(client) else { return Ok(()) };
        bucket.fill(rate, now);
        if bucket.left < 1.0 {
            return Err(((1.0 - bucket.left) / rate.per_second).ceil().max(1.0) as u64);
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn fill(&mut self, rate: Rate, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + seconds * rate.per_second).min(rate.burst);
        self.at = now;
    }
}

/// Whoever has a full bucket is as good as new; if nobody has, all begin again.
fn forget(buckets: &mut HashMap<String, Bucket>, rate: Rate, now: Instant) {
    buckets.retain(|_, bucket| {
        bucket.fill(rate, now);
        bucket.left < rate.burst
    });
    if buckets.len() >= CLIENTS {
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_and_is_one_clients_own() {
        let (buckets, rate, start) = (Buckets::default(), Rate { burst: 3.0, per_second: 0.5 }, Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take("a", rate, start), Ok(()));
        }
        assert_eq!(buckets.take("a", rate, start), Err(2));
        assert_eq!(buckets.take("b", rate, start), Ok(()));
        assert_eq!(buckets.take("a", rate, start + Duration::from_secs(2)), Ok(()));
        assert_eq!(buckets.take("a", rate, start + Duration::from_secs(3)), Err(1));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..9).filter(|_| buckets.take("a", rate, later).is_ok()).count(), 3, "never more than the burst");
    }

    #[test]
    fn many_clients_take_a_bounded_room() {
        let (buckets, rate, start) = (Buckets::default(), Rate { burst: 2.0, per_second: 1.0 }, Instant::now());
        for client in 0..CLIENTS + 10 {
            let _ = buckets.take(&client.to_string(), rate, start);
        }
        assert!(buckets.0.lock().unwrap().len() <= CLIENTS);
    }
}
