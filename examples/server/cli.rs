//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use enrollment::core::domain::contact::{Email, Phone};
use enrollment::core::domain::device::PublicKey;
use enrollment::core::domain::group::GroupName;
use enrollment::core::domain::role::Role;
use enrollment::core::domain::text::PersonName;
use enrollment::core::domain::username::Username;
use enrollment::core::id::OutboxId;
use enrollment::core::secret::KeyId;
use enrollment::core::time::Span;

/// Lets people into a VPN. Without a command: serve.
#[derive(Debug, Parser)]
#[command(name = "server", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of every command. A flag beats the environment, the environment beats the configuration file.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Configuration file (TOML) [default: DATA/server.toml, where there is one]
    #[arg(long, global = true, env = "ENROLLMENT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder for database, key ring and peer files [default: data]
    #[arg(long, global = true, env = "ENROLLMENT_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Database, sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE [default: sqlite:DATA/enrollment.db]
    #[arg(long, global = true, env = "ENROLLMENT_DATABASE", value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Key ring [default: DATA/enrollment.key]
    #[arg(long, global = true, env = "ENROLLMENT_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Address of the public face: enrollees only [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "ENROLLMENT_PUBLIC", value_name = "ADDR")]
    pub(crate) public: Option<SocketAddr>,
    /// Address of the internal face: administration [default: 127.0.0.1:8081]
    #[arg(long, global = true, env = "ENROLLMENT_INTERNAL", value_name = "ADDR")]
    pub(crate) internal: Option<SocketAddr>,
    /// Where people reach the public face; the only source of links [default: http://localhost:PORT]
    #[arg(long, global = true, env = "ENROLLMENT_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Allow a public URL of plain http that is not localhost: cookies lose their protection
    #[arg(long, global = true, env = "ENROLLMENT_INSECURE_HTTP")]
    pub(crate) insecure_http: bool,
    /// How much this server tells: error, warn, info, debug, trace [default: info]
    #[arg(long, global = true, env = "ENROLLMENT_LOG", value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve both faces until stopped
    Serve,
    /// Print the one-time link of the first Owner; nothing when an Owner is enrolled
    OwnerLink {
        /// The Owner's username
        #[arg(long, default_value = "owner")]
        username: Username,
    },
    /// Keys for the API
    #[command(subcommand)]
    ApiKey(ApiKey),
    /// People
    #[command(subcommand)]
    User(User),
    /// Start an enrollment and print its link, once
    Invite(Invite),
    /// List the enrollments that are not finished
    Pending,
    /// VPN networks
    #[command(subcommand)]
    Location(Location),
    /// The audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Mail: what waits, what died and why
    #[command(subcommand)]
    Mail(Mail),
    /// The keys of the key ring
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the keys, what needs each, and how far sealing again is
    List,
    /// Put a new key in use; what older ones made goes on working
    Rotate {
        /// Only make the key, so that every server can have it before one uses it; the next rotation puts it in use
        #[arg(long)]
        prepare: bool,
    },
    /// Have the links of a stolen key be dead, and send new ones
    Revoke {
        /// Which key
        id: KeyId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Send a mail that says that mail works, and tell what became of it
    Test {
        /// Where to
        to: Email,
    },
    /// List mails
    #[command(subcommand)]
    List(MailList),
    /// Try a mail again that could not be delivered
    Retry {
        /// Which one
        id: OutboxId,
    },
    /// Drop a mail that was not sent
    Drop {
        /// Which one
        id: OutboxId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MailList {
    /// Those on their way
    Queue,
    /// Those the relay took
    Sent,
    /// Those that could not be delivered
    Dead,
    /// Those nobody wanted any more
    Obsolete,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKey {
    /// Make a key and print it, once and alone
    Create {
        /// What it may do: owner, administrator, application_manager, user_manager, help_desk
        #[arg(long)]
        role: Role,
        /// The administrator it acts for
        #[arg(long, value_name = "USERNAME")]
        user: Option<Username>,
        /// What it is for
        #[arg(long, default_value = "")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a person
    Add(UserAdd),
    /// Erase a person: what tells of them goes everywhere, and their links and devices with it
    Erase {
        /// Who
        username: Username,
        /// Yes, for good
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    /// The name to sign in with
    pub(crate) username: Username,
    /// First name
    #[arg(long, default_value = "")]
    pub(crate) first_name: PersonName,
    /// Last name
    #[arg(long, default_value = "")]
    pub(crate) last_name: PersonName,
    /// Address
    #[arg(long)]
    pub(crate) email: Option<Email>,
    /// Phone number
    #[arg(long)]
    pub(crate) phone: Option<Phone>,
    /// A group they belong to; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<GroupName>,
    /// Make them an administrator
    #[arg(long)]
    pub(crate) role: Option<Role>,
    /// Start their enrollment too, and print its link
    #[arg(long)]
    pub(crate) invite: bool,
    /// The administrator the enrollee sees as the one to ask
    #[arg(long = "as", value_name = "USERNAME")]
    pub(crate) initiator: Option<Username>,
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// For whom
    pub(crate) username: Username,
    /// What for
    #[arg(long, default_value = "onboarding")]
    pub(crate) purpose: Purpose,
    /// How long the link is valid, such as 24h [default: the setting]
    #[arg(long)]
    pub(crate) validity: Option<Span>,
    /// Mail the link to their address instead of printing it
    #[arg(long)]
    pub(crate) mail: bool,
    /// The subject of the mail, with tags such as {{ first_name }} [default: the saved one]
    #[arg(long, value_name = "TEXT", requires = "mail")]
    pub(crate) subject: Option<String>,
    /// A file with the body of the mail, Markdown with tags; header, link and validity stay [default: the saved one]
    #[arg(long, value_name = "FILE", requires = "mail")]
    pub(crate) body: Option<PathBuf>,
    /// The administrator the enrollee sees as the one to ask
    #[arg(long = "as", value_name = "USERNAME")]
    pub(crate) initiator: Option<Username>,
}

/// What an enrollment is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Purpose {
    /// A new user
    Onboarding,
    /// One more device
    Device,
    /// A second factor
    Factor,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Location {
    /// Add a network
    Add(LocationAdd),
    /// Print the gateway's own section of its WireGuard configuration
    Gateway {
        /// The location's name
        name: String,
    },
    /// Tell how far the peers are, what else the gateway has, and how far the backfill is
    Peers {
        /// The location's name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LocationAdd {
    /// Its name
    pub(crate) name: String,
    /// Where clients connect to, such as vpn.example.com:51820
    #[arg(long)]
    pub(crate) endpoint: String,
    /// Where addresses come from, such as 10.1.0.0/16; may be repeated
    #[arg(long = "pool", value_name = "NETWORK", required = true)]
    pub(crate) pools: Vec<String>,
    /// What clients route into the tunnel; may be repeated [default: the pools]
    #[arg(long = "allowed-ips", value_name = "NETWORK")]
    pub(crate) allowed_ips: Vec<String>,
    /// DNS server or search domain; may be repeated
    #[arg(long = "dns", value_name = "ENTRY")]
    pub(crate) dns: Vec<String>,
    /// Seconds between keepalive packets; 0: none
    #[arg(long, default_value_t = 25)]
    pub(crate) keepalive: u16,
    /// Bytes
    #[arg(long)]
    pub(crate) mtu: Option<u16>,
    /// Whether connecting asks for a second factor
    #[arg(long, default_value = "disabled")]
    pub(crate) mfa: Mfa,
    /// The gateway's public key; without one a pair is made here
    #[arg(long)]
    pub(crate) public_key: Option<PublicKey>,
    /// A group that may use it; may be repeated [default: everyone]
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<GroupName>,
    /// What happens to peers at the gateway that are not ours
    #[arg(long, default_value = "shared")]
    pub(crate) ownership: Ownership,
}

/// What happens to peers that are not ours.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Ownership {
    /// They are reported and never touched
    Shared,
    /// They are reported, then removed
    Exclusive,
}

/// Whether connecting asks for a second factor.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mfa {
    /// No
    Disabled,
    /// The one set up at enrollment
    Internal,
    /// An identity provider's
    External,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check the whole chain; names the first entry that is altered, missing or out of order
    Verify,
}
