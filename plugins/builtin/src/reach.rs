//! Which addresses a step's own requests may reach. The step runs in the server, which stands where a pipeline's author may
//! not: beside the machine's metadata service, inside the company's network.
//!
//! Checked where a connection is made, so that a name that changes its address between two looks (DNS rebinding) changes
//! nothing: names through the resolver below, addresses before the request and at each redirect.
//!
//! | | `Open` (one person's machine) | `Guarded` (a server with logins) |
//! |---|---|---|
//! | link-local, metadata | refused | refused |
//! | loopback, private, unique-local | reached | refused, but for what the administrator lists |
//! | everything else | reached | reached |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// AWS' metadata service over IPv6, which lies in a range that is otherwise private.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// What may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All but link-local addresses.
    Open,
    /// Public addresses, and these ranges: address and length of the prefix in bits.
    Guarded(Vec<(IpAddr, u8)>),
}

static REACH: OnceLock<Reach> = OnceLock::new();

/// Sets what steps of this process may reach, once, before the first step. `false`: it was set already.
pub fn limit_requests(reach: Reach) -> bool {
    REACH.set(reach).is_ok()
}

/// What is set; `Open` until then.
pub(crate) fn reach() -> &'static Reach {
    REACH.get_or_init(|| Reach::Open)
}

impl Reach {
    /// `Guarded` with ranges as `10.0.0.0/8,127.0.0.1`.
    ///
    /// # Errors
    /// The first that is no range.
    pub fn guarded(ranges: &str) -> Result<Self, String> {
        let parts = ranges.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(range).collect::<Result<_, _>>().map(Reach::Guarded)
    }

    /// Whether an address may be reached.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = plain(address);
        if link_local(address) {
            return false;
        }
        match self {
            Reach::Open => true,
            Reach::Guarded(ranges) => !private(address) || ranges.iter().any(|range| within(address, *range)),
        }
    }
}

fn range(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let wrong = || format!("`{text}` is no range of addresses; write 10.0.0.0/8 or 127.0.0.1");
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
    if bits > most { Err(wrong()) } else { Ok((address, bits)) }
}

/// `::ffff:127.0.0.1` is 127.0.0.1, whoever writes it.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().or_else(|| nat64(v6)).map_or(address, IpAddr::V4),
        v4 => v4,
    }
}

/// The IPv4 address in `64:ff9b::/96`.
fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, .., high, low] = address.segments();
    let zero = address.segments().get(2..6).is_some_and(|middle| middle.iter().all(|part| *part == 0));
    (a == 0x64 && b == 0xff9b && zero).then(|| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA_V6,
    }
}

fn private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 100.64/10 is shared by a provider's customers; 0/8 is this machine.
            v4.is_loopback() || v4.is_private() || v4.is_unspecified() || a == 0 || (a == 100 && (b & 0xc0) == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local(),
    }
}

fn within(address: IpAddr, (base, bits): (IpAddr, u8)) -> bool {
    match (address, base) {
        (IpAddr::V4(one), IpAddr::V4(base)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            (u32::from(one) & mask) == (u32::from(base) & mask)
        }
        (IpAddr::V6(one), IpAddr::V6(base)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            (u128::from(one) & mask) == (u128::from(base) & mask)
        }
        _ => false,
    }
}

/// Why an address that stands in a URL itself is refused; `None`: it is not, or it is a name, which the resolver looks at.
pub(crate) fn refused(url: &reqwest::Url) -> Option<String> {
    let host = url.host_str()?;
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    (!reach().allows(address)).then(|| told(address))
}

fn told(address: IpAddr) -> String {
    format!(
        "policy: {address} is an address of this machine's own network, which steps may not reach; an administrator may \
         list it in HALIOTIS_PRIVATE_ADDRESSES"
    )
}

/// Resolves names as the system does, and leaves out what may not be reached.
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let first = found.first().map(SocketAddr::ip);
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|found| reach().allows(found.ip())).collect();
            match (allowed.is_empty(), first) {
                (true, Some(address)) => Err(told(address).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guarded_server_reaches() {
        let guarded = Reach::guarded("10.1.0.0/16, 127.0.0.1").unwrap();
        for (address, open, allowed) in [
            ("93.184.216.34", true, true),
            ("2606:2800:220:1::1", true, true),
            ("127.0.0.1", true, true),
            ("127.0.0.2", true, false),
            ("::ffff:127.0.0.2", true, false),
            ("::ffff:7f00:2", true, false),
            ("64:ff9b::7f00:2", true, false),
            ("::1", true, false),
            ("0.0.0.0", true, false),
            ("10.1.2.3", true, true),
            ("10.2.0.1", true, false),
            ("192.168.1.1", true, false),
            ("172.16.0.1", true, false),
            ("100.64.0.1", true, false),
            ("fc00::1", true, false),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(Reach::Open.allows(parsed), open, "open: {address}");
            assert_eq!(guarded.allows(parsed), allowed, "guarded: {address}");
        }
        // Even a list does not open the metadata service.
        assert!(!Reach::guarded("0.0.0.0/0").unwrap().allows("169.254.169.254".parse().unwrap()));
        for text in ["10.0.0.0/33", "localhost", "10.0.0/8"] {
            assert!(Reach::guarded(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_in_urls_are_looked_at_as_the_url_means_them() {
        for (url, said) in [
            ("http://169.254.169.254/latest/meta-data", true),
            ("http://2852039166/", true),
            ("http://0xa9fea9fe/", true),
            ("http://[::ffff:a9fe:a9fe]/", true),
            ("http://example.org/", false),
        ] {
            let url = reqwest::Url::parse(url).unwrap();
            assert_eq!(refused(&url).is_some(), said, "{url}");
        }
    }
}
