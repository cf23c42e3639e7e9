//! VPN networks.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{List, Members};
use super::refusal::Unclear;
use super::table::{Column, Table, details, plain};
use super::{At, find};
use crate::{Error, gateway};

/// VPN networks
#[derive(Debug, Subcommand)]
pub(crate) enum Location {
    /// List the networks
    #[command(after_help = "Example: server location list")]
    List,
    /// Tell everything about a network
    #[command(after_help = "Example: server location show office")]
    Show {
        /// The location's name
        name: String,
    },
    /// Add a network
    #[command(after_help = "Example: server location add office --endpoint vpn.example.com:51820 --pool 10.1.0.0/16")]
    Add(Box<Add>),
    /// Change a network; what is not named stays. Pools and the gateway's key never change
    #[command(after_help = "Example: server location change office --mfa internal --group staff")]
    Change(Box<Change>),
    /// Print the gateway's own section of its WireGuard configuration
    #[command(after_help = "Example: server location gateway office")]
    Gateway {
        /// The location's name
        name: String,
    },
    /// Tell how far the peers are, what else the gateway has, and how far the backfill is
    #[command(after_help = "Example: server location peers office")]
    Peers {
        /// The location's name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name
    name: String,
    /// Where clients connect to, such as vpn.example.com:51820
    #[arg(long)]
    endpoint: String,
    /// Where addresses come from, such as 10.1.0.0/16; may be repeated
    #[arg(long = "pool", value_name = "NETWORK", required = true)]
    pools: Vec<String>,
    /// What clients route into the tunnel; may be repeated [default: the pools]
    #[arg(long = "allowed-ips", value_name = "NETWORK")]
    allowed_ips: Vec<String>,
    /// DNS server or search domain; may be repeated
    #[arg(long = "dns", value_name = "ENTRY")]
    dns: Vec<String>,
    /// Seconds between keepalive packets; 0: none [default: 25]
    #[arg(long)]
    keepalive: Option<u16>,
    /// Bytes
    #[arg(long)]
    mtu: Option<u16>,
    /// Whether connecting asks for no second factor, the one set up at enrollment, or an identity provider's
    #[arg(long, default_value = "disabled", value_parser = MFA)]
    mfa: String,
    /// A factor it accepts when --mfa is internal; may be repeated [default: every kind]
    #[arg(long = "factor", value_parser = FACTORS)]
    factors: Vec<String>,
    /// The gateway's public key; without one a pair is made here
    #[arg(long)]
    public_key: Option<String>,
    /// A group that may use it; may be repeated [default: everyone]
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Peers at the gateway that are not ours are left alone, or removed
    #[arg(long, default_value = "shared", value_parser = OWNERSHIP)]
    ownership: String,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The location's name
    #[arg(value_name = "NAME")]
    location: String,
    /// Its new name
    #[arg(long = "name", value_name = "NEW NAME")]
    name: Option<String>,
    /// Where clients connect to
    #[arg(long)]
    endpoint: Option<String>,
    /// What clients route into the tunnel, in place of what they did; may be repeated
    #[arg(long = "allowed-ips", value_name = "NETWORK")]
    allowed_ips: Vec<String>,
    /// DNS server or search domain, in place of those before; may be repeated
    #[arg(long = "dns", value_name = "ENTRY")]
    dns: Vec<String>,
    /// No DNS servers and search domains
    #[arg(long, conflicts_with = "dns")]
    no_dns: bool,
    /// Seconds between keepalive packets; 0: none
    #[arg(long)]
    keepalive: Option<u16>,
    /// Bytes
    #[arg(long)]
    mtu: Option<u16>,
    /// Leave the MTU to the client
    #[arg(long, conflicts_with = "mtu")]
    no_mtu: bool,
    /// Whether connecting asks for no second factor, the one set up at enrollment, or an identity provider's
    #[arg(long, value_parser = MFA)]
    mfa: Option<String>,
    /// A factor it accepts, in place of those before; may be repeated
    #[arg(long = "factor", value_parser = FACTORS)]
    factors: Vec<String>,
    /// A group that may use it, in place of those before; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Everyone may use it
    #[arg(long, conflicts_with = "groups")]
    everyone: bool,
    /// Peers at the gateway that are not ours are left alone, or removed
    #[arg(long, value_parser = OWNERSHIP)]
    ownership: Option<String>,
}

const MFA: [&str; 3] = ["disabled", "internal", "external"];
const FACTORS: [&str; 2] = ["totp", "email"];
const OWNERSHIP: [&str; 2] = ["shared", "exclusive"];

const COLUMNS: &[Column] = &[
    ("NAME", |location| plain(&location["name"])),
    ("ENDPOINT", |location| plain(&location["endpoint"])),
    ("POOLS", |location| plain(&location["pools"])),
    ("MFA", |location| plain(&location["mfa"])),
    ("FOR", |location| match &location["groups"] {
        Value::Null => "everyone".to_owned(),
        groups => plain(groups),
    }),
    ("ID", |location| plain(&location["id"])),
];

const FAILING: &[Column] = &[
    ("DEVICE", |peer| plain(&peer["device"])),
    ("ADDRESSES", |peer| plain(&peer["addresses"])),
    ("WHY", |peer| plain(&peer["failure"])),
];

const STRAYS: &[Column] = &[
    ("PUBLIC KEY", |stray| plain(&stray["public_key"])),
    ("WHOSE", |stray| if stray["ours"] == true { "was ours" } else { "unknown" }.to_owned()),
    ("SINCE", |stray| plain(&stray["since"])),
    ("WHY IT STAYS", |stray| plain(&stray["failure"])),
];

pub(super) async fn run(at: &mut At<'_>, command: Location) -> Result<(), Error> {
    match command {
        Location::List => at.screen.list(&at.api, &List::all("/locations"), COLUMNS).await,
        Location::Show { name } => at.screen.answer(&find::location(&at.api, &name).await?, details),
        Location::Add(new) => add(at, *new).await,
        Location::Change(change) => {
            let id = find::id(&find::location(&at.api, &change.location).await?);
            let members = change.members();
            if members.is_empty() {
                return Err(Unclear("nothing to change: name what, such as --mfa".to_owned()).into());
            }
            let changed = at.api.send(Method::PATCH, &format!("/locations/{id}"), members).await?;
            at.screen.answer(&changed, details)
        }
        Location::Gateway { name } => gateway_section(at, &name).await,
        Location::Peers { name } => {
            let id = find::id(&find::location(&at.api, &name).await?);
            let peers = at.api.get(&format!("/locations/{id}/peers")).await?;
            at.screen.answer(&peers, peers_in_words)
        }
    }
}

async fn add(at: &mut At<'_>, new: Add) -> Result<(), Error> {
    let created = at.api.send(Method::POST, "/locations", new.members()).await?;
    let id = find::id(&created).parse()?;
    let file = gateway::file(at.config).path(id);
    let mut text = format!("Added {}. Its peers stand in {}\n", plain(&created["name"]), file.display());
    if let Some(key) = created["private_key"].as_str() {
        let location = at.opened.service.administrator().location(&at.by, id).await?;
        gateway::write_interface(&file, &location.gateway_section(key))?;
        text += &format!("The gateway's key pair was made here; bring it up with: wg-quick up {}\n", file.display());
    }
    at.screen.answer(&created, |_| text)
}

impl Add {
    fn members(self) -> Members {
        let allowed_ips = if self.allowed_ips.is_empty() { self.pools.clone() } else { self.allowed_ips };
        Members::default()
            .set("name", self.name)
            .set("endpoint", self.endpoint)
            .set("pools", self.pools)
            .set("allowed_ips", allowed_ips)
            .set("dns", self.dns)
            .given("keepalive", self.keepalive)
            .given("mtu", self.mtu)
            .set("mfa", self.mfa)
            .given("factors", some(self.factors))
            .given("public_key", self.public_key)
            .given("groups", some(self.groups))
            .set("ownership", self.ownership)
    }
}

impl Change {
    fn members(self) -> Members {
        Members::default()
            .given("name", self.name)
            .given("endpoint", self.endpoint)
            .given("allowed_ips", some(self.allowed_ips))
            .given("dns", if self.no_dns { Some(Vec::new()) } else { some(self.dns) })
            .given("keepalive", self.keepalive)
            .given("mtu", self.mtu)
            .cleared("mtu", self.no_mtu)
            .given("mfa", self.mfa)
            .given("factors", some(self.factors))
            .given("groups", some(self.groups))
            .cleared("groups", self.everyone)
            .given("ownership", self.ownership)
    }
}

/// Several values, where somebody gave one.
fn some(values: Vec<String>) -> Option<Vec<String>> {
    Some(values).filter(|values| !values.is_empty())
}

async fn gateway_section(at: &mut At<'_>, name: &str) -> Result<(), Error> {
    let id = find::id(&find::location(&at.api, name).await?).parse()?;
    let administrator = at.opened.service.administrator();
    let location = administrator.location(&at.by, id).await?;
    let key = administrator.gateway_private_key(&at.by, id).await?;
    let section = location.gateway_section(&key.expose_base64());
    at.screen.answer(&json!({"config": *section}), |_| section.to_string())
}

fn peers_in_words(peers: &Value) -> String {
    let member = |name: &str| plain(&peers[name]);
    let items = |name: &str| peers[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let counts = ["applied", "pending", "failed", "staged", "removed", "unknown"];
    let mut text = counts.map(|count| format!("{count} {}", member(count))).join(", ") + "\n";
    for (name, columns) in [("failing", FAILING), ("strays", STRAYS)] {
        if !items(name).is_empty() {
            text += &Table::new(columns).text(items(name));
        }
    }
    text += &match (peers["looked"].as_str(), peers["trouble"].as_str()) {
        (None, _) => "The gateway was not compared yet.\n".to_owned(),
        (Some(looked), None) => format!("The gateway was compared at {looked}.\n"),
        (Some(looked), Some(trouble)) => format!("The gateway could not be compared at {looked}: {trouble}\n"),
    };
    if peers["backfill"].is_object() {
        text += "Backfill:\n";
        text += &details(&peers["backfill"]);
    }
    text
}
