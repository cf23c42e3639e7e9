//! The client's side of a tunnel, as a wg-quick file.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;

/// What a client needs to know of one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The device's addresses.
    pub addresses: Vec<IpAddr>,
    /// DNS servers and search domains.
    pub dns: Vec<String>,
    /// Bytes.
    pub mtu: Option<u16>,
    /// The gateway's public key.
    pub peer_public_key: String,
    /// What goes into the tunnel.
    pub allowed_ips: Vec<IpNet>,
    /// Where the gateway is.
    pub endpoint: String,
    /// Seconds between keepalive packets; 0: none.
    pub keepalive: u16,
}

/// What stands for the private key where the server does not know it.
pub const PRIVATE_KEY_PLACEHOLDER: &str = "YOUR_PRIVATE_KEY";

impl ClientConfig {
    /// The file, with `private_key` or the one marked line to fill in.
    #[must_use]
    pub fn file(&self, private_key: Option<&str>) -> String {
        let mut text = String::from("[Interface]\n");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "PrivateKey = {}", private_key.unwrap_or(PRIVATE_KEY_PLACEHOLDER));
        let addresses = self.addresses.iter().map(|address| IpNet::from(*address).to_string());
        let _ = writeln!(text, "Address = {}", join(addresses));
        if !self.dns.is_empty() {
            let _ = writeln!(text, "DNS = {}", self.dns.join(", "));
        }
        if let Some(mtu) = self.mtu {
            let _ = writeln!(text, "MTU = {mtu}");
        }
        let _ = writeln!(text, "\n[Peer]\nPublicKey = {}", self.peer_public_key);
        let _ = writeln!(text, "AllowedIPs = {}", join(self.allowed_ips.iter().map(IpNet::to_string)));
        let _ = writeln!(text, "Endpoint = {}", self.endpoint);
        if self.keepalive > 0 {
            let _ = writeln!(text, "PersistentKeepalive = {}", self.keepalive);
        }
        text
    }
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
