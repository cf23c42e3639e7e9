//! The configuration file of a client.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;

use ipnet::IpNet;

use super::device::PublicKey;

/// What a device needs to know to reach one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The device's own addresses.
    pub addresses: Vec<IpAddr>,
    /// Resolvers and search domains, as wg-quick takes them.
    pub dns: Vec<String>,
    /// Size of packets in the tunnel, in bytes; wg-quick's choice when none.
    pub mtu: Option<u16>,
    /// The key of the gateway.
    pub peer_public_key: PublicKey,
    /// What the device sends through the tunnel.
    pub allowed_ips: Vec<IpNet>,
    /// Host and port of the gateway.
    pub endpoint: String,
    /// Seconds between packets that keep the way through firewalls open; 0 for none.
    pub keepalive: u16,
}

/// What stands where the private key belongs when the server does not know it; clients look for exactly this.
pub const PRIVATE_KEY_PLACEHOLDER: &str = "YOUR_PRIVATE_KEY";

impl ClientConfig {
    /// The file for wg-quick and for WireGuard's own clients, with `private_key` or one marked line to fill in.
    ///
    /// Every value stays on its line: control characters are left out, so that none can add a setting such as
    /// `PostUp`, which wg-quick would run.
    #[must_use]
    pub fn file(&self, private_key: Option<&str>) -> String {
        let mut file = String::from("[Interface]\n");
        setting(&mut file, "PrivateKey", private_key.unwrap_or(PRIVATE_KEY_PLACEHOLDER));
        let addresses = self.addresses.iter().copied().map(IpNet::from);
        list(&mut file, "Address", addresses);
        list(&mut file, "DNS", &self.dns);
        if let Some(mtu) = self.mtu {
            setting(&mut file, "MTU", mtu);
        }
        file.push_str("\n[Peer]\n");
        setting(&mut file, "PublicKey", self.peer_public_key);
        list(&mut file, "AllowedIPs", &self.allowed_ips);
        setting(&mut file, "Endpoint", &self.endpoint);
        if self.keepalive > 0 {
            setting(&mut file, "PersistentKeepalive", self.keepalive);
        }
        file
    }
}

fn list<T: Display>(file: &mut String, key: &str, values: impl IntoIterator<Item = T>) {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    if !values.is_empty() {
        setting(file, key, values.join(", "));
    }
}

fn setting(file: &mut String, key: &str, value: impl Display) {
    let value: String = value.to_string().chars().filter(|character| !character.is_control()).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(file, "{key} = {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ClientConfig {
        ClientConfig {
            addresses: vec!["10.1.0.7".parse().expect("address"), "fd00::7".parse().expect("address")],
            dns: vec!["10.1.0.1".into(), "office.example".into()],
            mtu: Some(1380),
            peer_public_key: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=".parse().expect("key"),
            allowed_ips: vec!["10.1.0.0/16".parse().expect("network"), "::/0".parse().expect("network")],
            endpoint: "vpn.example.com:51820".into(),
            keepalive: 25,
        }
    }

    #[test]
    fn the_file_has_every_setting_and_one_marked_line_to_fill_in() {
        insta::assert_snapshot!(config().file(None));
    }

    #[test]
    fn the_file_has_the_private_key_when_there_is_one() {
        let file = config().file(Some("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="));
        assert!(file.contains("\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"));
        assert!(!file.contains(PRIVATE_KEY_PLACEHOLDER));
    }

    #[test]
    fn what_is_not_set_has_no_line() {
        let bare = ClientConfig { dns: Vec::new(), mtu: None, keepalive: 0, ..config() };
        let file = bare.file(None);
        assert!(!file.contains("DNS") && !file.contains("MTU") && !file.contains("Keepalive"), "{file}");
    }

    #[test]
    fn no_value_can_add_a_setting() {
        let hostile = ClientConfig {
            dns: vec!["1.1.1.1\nPostUp = touch /tmp/x".into()],
            endpoint: "x:1\r\nPostUp = y".into(),
            ..config()
        };
        assert_eq!(hostile.file(None).lines().count(), config().file(None).lines().count());
    }
}
