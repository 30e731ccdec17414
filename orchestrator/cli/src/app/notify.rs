//! What systemd is told (sd_notify(3)): ready, stopping, and that the engine lives.
//!
//! The protocol is a datagram to the socket in `NOTIFY_SOCKET`; a name that begins with `@` is an abstract one. The
//! watchdog is only fed while the engine's own thread answers, so a server that hangs is started again.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use haliotis_engine::Engine;

/// Where systemd listens, and how often it wants to hear of us.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";

/// Tells systemd, if it asked; nobody listens otherwise.
pub fn tell(state: &str) {
    let Some(name) = std::env::var_os(SOCKET).filter(|name| !name.is_empty()) else { return };
    if let Err(error) = send(&name.to_string_lossy(), state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

fn send(name: &str, state: &str) -> std::io::Result<()> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// Feeds the watchdog for ever, twice in each interval, as long as the engine's thread answers.
pub async fn feed(engine: Engine) {
    let interval = std::env::var(WATCHDOG).ok().and_then(|text| text.parse().ok()).map(Duration::from_micros);
    let Some(interval) = interval.filter(|interval| !interval.is_zero()) else { return };
    loop {
        if tokio::time::timeout(interval / 2, engine.answers()).await == Ok(true) {
            tell("WATCHDOG=1");
        } else {
            tracing::error!("the engine does not answer; systemd will start this server again");
        }
        tokio::time::sleep(interval / 2).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_arrives_at_a_path_and_at_an_abstract_name() {
        let dir = std::env::temp_dir().join(format!("haliotis-notify-{}", std::process::id()));
        let listener = UnixDatagram::bind(&dir).unwrap();
        let name = format!("haliotis-notify-{}", std::process::id());
        let hidden = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (to, at) in [(dir.display().to_string(), &listener), (format!("@{name}"), &hidden)] {
            send(&to, "READY=1").unwrap();
            let mut bytes = [0; 32];
            let read = at.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..read], b"READY=1");
        }
        let _ = std::fs::remove_file(dir);
    }
}
